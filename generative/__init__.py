"""Generative models of larva behaviour: the part of larvastats behind ``larvastats generate``."""

__version__ = "0.1.0"
