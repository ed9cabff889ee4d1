"""Image bytes to batches: decoding, resizing, perturbation."""
