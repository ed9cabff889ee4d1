"""ImageNet in any layout, read in place and prepared as shards."""
