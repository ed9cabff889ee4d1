"""Rows of a comparison: networks of this project, and results that other programs wrote."""
