"""Text tables, fast and in pieces: delimited files, and rows of points."""
