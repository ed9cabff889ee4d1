"""Encoded images to perturbed batches: decoding, cropping, perturbation, resizing."""
