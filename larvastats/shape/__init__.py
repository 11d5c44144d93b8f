"""Contours, midlines, their quality and their movement; functions of arrays, no files."""
