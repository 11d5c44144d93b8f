"""Transition probabilities over time: bands, smooth courses and their tests."""
