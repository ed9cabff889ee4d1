"""Seeds: valid files and hand-made hostile ones."""
