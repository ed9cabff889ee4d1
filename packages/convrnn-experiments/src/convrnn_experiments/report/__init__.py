"""HTML report: plots, tables, example images."""
