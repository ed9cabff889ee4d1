"""Measures, their sampling error and confidence intervals."""
