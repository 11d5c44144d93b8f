"""Screens with known effects: semi-Markov larvae, lost and found, on plates of several dates.

Moving bodies in memory come from :func:`moving_larvae`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["PRESETS", "MovingLarva", "moving_larvae"]

if TYPE_CHECKING:
    from larvastats.simulate.moving import PRESETS, MovingLarva, moving_larvae


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("larvastats.simulate.moving"), name)
