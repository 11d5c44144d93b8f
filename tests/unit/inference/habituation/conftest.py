"""Curves with a known truth, and an ethogram whose shares can be counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import Ethogram
from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.model import decay


def noisy(shape, tau, floor, height, assays=6, larvae=40, sd=0.02, seed=0, before=0.1):
    """Curves of assays around a decline, each with a level of its own."""
    rng = np.random.default_rng(seed)
    level = 1 + 0.2 * rng.standard_normal((assays, 1))
    expected = floor + np.asarray(height)[shape.block] * decay(np.array([tau]), shape)[0]
    mean = np.clip(level * expected + sd * rng.standard_normal((assays, len(expected))), 0, 1)
    weight = np.full(mean.shape, float(larvae))
    width = shape.stop - shape.start
    width = width if width.any() else np.ones(len(width))
    return Curves(mean, weight, np.full(assays, before), width, shape, True, "roll")


@pytest.fixture(scope="session")
def curves_around():
    return noisy


@pytest.fixture(scope="session")
def ethogram():
    """Two assays of two larvae over 20 s: one rolls from 4 to 7 s, one is seen from 10 s on."""
    rows = [
        ("p1", "A", "1", "run", 0.0, 4.0),
        ("p1", "A", "1", "roll", 4.0, 7.0),
        ("p1", "A", "1", "run", 7.0, 20.0),
        ("p1", "A", "2", "run", 10.0, 20.0),
        ("p2", "A", "1", "roll", 0.0, 5.5),
        ("p2", "A", "1", "run", 5.5, 12.0),
    ]
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop"]
    return Ethogram.from_bouts(pd.DataFrame(rows, columns=columns))
