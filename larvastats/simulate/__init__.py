"""Screens with known effects: semi-Markov larvae, lost and found, on plates of several dates."""
