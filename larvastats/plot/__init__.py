"""Pictures: one file each, taking a result by its fields and returning a matplotlib figure."""
