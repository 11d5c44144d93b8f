"""Designs, relabellings, p-values and intervals: all that is statistics proper."""
