"""Training runs: configuration, folder, network, environment and provenance."""
