"""Counting transitions and turning counts into probabilities."""
