"""Run folders: configuration, network, provenance, history."""
