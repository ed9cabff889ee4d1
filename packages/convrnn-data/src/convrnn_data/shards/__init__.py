"""Prepared sets: images, splits, shards, indexes, verification, statistics."""
