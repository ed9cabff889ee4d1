"""Networks compared with humans: speed-accuracy curves, differences, agreement."""
