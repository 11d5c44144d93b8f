"""Is one chain enough: its order, and whether it is the same in every window."""
