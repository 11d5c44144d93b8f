"""Does a screen keep its error, and what could it find: pseudo-lines, variance components."""
