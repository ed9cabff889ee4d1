"""Inputs to start from: valid files and hand-made hostile ones."""
