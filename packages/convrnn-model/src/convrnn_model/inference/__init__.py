"""Fast inference: networks as plain data, the operations that outputs need, and the engines that run them."""
