"""Readers and writers: one file per format, and the paths that carry identity."""
