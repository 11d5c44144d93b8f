"""Larvae of known shape and movement."""

from __future__ import annotations

import numpy as np
import pytest

from larvastats.shape.midline import Array, regular
from larvastats.shape.ribbon import ribbon


def bent_midlines(bend: Array, length: float = 4.0, n: int = 11) -> Array:
    """Arcs of a circle, head first, that turn by `bend` from tail to head; shape (frame, n, 2)."""
    bend = np.asarray(bend, float)[:, np.newaxis]
    s = np.linspace(0, 1, 200)
    heading = bend * (s - 0.5)
    step = np.stack((np.cos(heading), np.sin(heading)), -1) * (length / 199)
    fine = np.concatenate((np.zeros((len(bend), 1, 2)), np.cumsum(step[:, :-1], axis=1)), axis=1)
    return regular(fine[:, ::-1], n)


@pytest.fixture
def larvae() -> tuple[Array, Array]:
    """Midlines of 400 larvae, bent by -2 to 2 rad, and outlines of 90 points."""
    midline = bent_midlines(np.linspace(-2, 2, 400)) + np.array([100, 50])
    return midline, ribbon(regular(midline), 0.4, n=90)
