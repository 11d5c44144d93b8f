"""One public verb per file."""
