"""Mean curves over time and numbers per assay: bands, tests, tables, mixed models."""
