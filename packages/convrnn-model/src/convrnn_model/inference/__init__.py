"""Fast inference: networks as plain data, the operations that outputs need, and the engines that run them."""

from convrnn_model.inference.predictor import Plan, Predictor, compile_network

__all__ = ["Plan", "Predictor", "compile_network"]
