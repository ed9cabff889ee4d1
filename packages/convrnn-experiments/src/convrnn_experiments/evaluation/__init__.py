"""Predictions of a trained network for each test image and time step, and the files of results."""
