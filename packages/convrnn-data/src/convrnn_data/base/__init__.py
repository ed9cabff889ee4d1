"""Infrastructure, also used by convrnn-experiments: atomic files, locks, checksummed JSON, schemas, jobs, console."""
