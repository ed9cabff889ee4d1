"""Training: launch, loop, objectives, checkpoints."""
