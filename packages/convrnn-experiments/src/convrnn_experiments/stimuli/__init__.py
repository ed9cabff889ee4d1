"""New human test sets with balanced categories and levels."""
