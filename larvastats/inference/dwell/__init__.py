"""How long bouts last: curves and distributions, tests, tables."""
