"""Atomic files, locks, checksummed JSON, schemas, job execution, console output, errors."""
