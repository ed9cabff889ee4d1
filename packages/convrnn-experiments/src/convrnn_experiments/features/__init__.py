"""Features of the frozen backbone: planned, computed by workers, stored, read as batches."""
