"""Drawn sample of ImageNet and of the human experiment, with simulated observers."""
