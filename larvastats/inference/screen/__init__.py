"""All lines of a source: tasks laid out, outcomes, windows, tables."""
