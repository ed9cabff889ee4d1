"""Weights files: loading, saving, inspection, download, detection of corrupt HDF5."""
