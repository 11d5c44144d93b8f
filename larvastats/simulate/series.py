"""Length, speed and head angle of simulated larvae, frame by frame, as their actions ask for.

A stand-in for a body: each series has a mean and a scatter that depend on the action, an offset of
the larva's own, and noise with memory. Base values are those of 18 real larvae in free
exploration (Schleyer group, doi:10.12751/g-node.5e1ifd; 12 midline points at 16 Hz), measured from
their midlines: length 4.17 mm, SD .41 between larvae and .20 within; speed 1.28 mm/s, SD .25
between; bend of the front against the rear half of the body: SD .42 rad, median of its size .18,
correlation .40 over one second. What an action does to them follows its definition (Masson et al.
2020, PLoS Genet. 16:e1008589): a cast bends the body, a hunch shortens it, a stop keeps it where
it is, a roll bends it into a C and moves it sideways, fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from larvastats.ethogram import Ethogram
from larvastats.simulate.design import generator
from larvastats.simulate.effects import Effect
from larvastats.simulate.states import ScreenModel
from larvastats.simulate.timecourse import body_factors

Array = NDArray[np.float64]

SERIES = {"length": "mm", "speed": "mm/s", "head_angle": "rad"}
"""What is simulated, with units."""

TRX_FIELDS = {
    "length": "larva_length_smooth_5",
    "speed": "motion_velocity_norm_smooth_5",
    "head_angle": "angle_upper_lower_smooth_5",
}
"""Their fields in trx.mat."""

LENGTH, LENGTH_BETWEEN, LENGTH_WITHIN = 4.17, 0.41, 0.15
SPEED_BETWEEN, SPEED_WITHIN, SLOWEST = 0.2, 0.25, 0.02
MEMORY = {"length": 0.5, "speed": 0.6, "head_angle": 1.1}
"""Time constants (s) of the noise."""

SETTLE = 0.25
"""Time constant (s) with which a body takes up what its action asks for."""

# per action: length relative to rest, speed in mm/s, SD of the head angle in rad
_BODY = {
    "run": (1.00, 1.35, 0.16),
    "cast": (0.97, 0.35, 0.75),
    "stop": (0.98, 0.04, 0.15),
    "hunch": (0.82, 0.10, 0.20),
    "back": (0.94, 0.60, 0.20),
    "roll": (0.95, 2.20, 0.90),
}


def frame_series(
    assay: Ethogram, model: ScreenModel, effects: Sequence[Effect], seed: int, dt: float = 0.1
) -> pd.DataFrame:
    """Simulate the series of one assay on the grid of its frames.

    Parameters
    ----------
    assay : Ethogram
        One assay; a track that is lost and found under a new number counts as another larva.
    model : ScreenModel
        Gives the times of the effects' windows.
    effects : sequence of Effect
        Those of the assay's line; ``speed``, ``spread`` and ``length`` act here, the others on the
        actions.
    seed : int
        Of the simulation; every assay has its own stream.
    dt : float
        Frame step, in s.

    Returns
    -------
    DataFrame
        The frames of :meth:`Ethogram.to_frames`, with :data:`SERIES` as columns.
    """
    frames = assay.to_frames(dt)
    rng = generator(seed, "series", assay.assays["assay"].iloc[0])
    body = np.array([_BODY.get(state, _BODY["stop"]) for state in assay.states])
    own = body[frames["state"].cat.codes.to_numpy()]
    larva = pd.factorize(frames["larva"])[0]
    n, starts = len(assay.larvae), np.flatnonzero(np.diff(larva, prepend=-1))
    size = np.exp(LENGTH_BETWEEN / LENGTH * rng.standard_normal(n))[larva]
    pace = np.exp(SPEED_BETWEEN * rng.standard_normal(n))[larva]
    noise = {name: _noise(len(frames), starts, memory, dt, rng) for name, memory in MEMORY.items()}
    length, speed, spread = (_settled(column, starts, dt) for column in own.T)
    factor = body_factors(frames["t"].to_numpy(), model, effects)
    length, speed, spread = (
        column * factor[kind]
        for column, kind in zip((length, speed, spread), ("length", "speed", "spread"), strict=True)
    )
    return frames.assign(
        length=(LENGTH * length * size + LENGTH_WITHIN * noise["length"]).round(4),
        speed=np.maximum(speed * pace * np.exp(SPEED_WITHIN * noise["speed"]), SLOWEST).round(4),
        head_angle=np.clip(spread * noise["head_angle"], -2.8, 2.8).round(5),
    )


def _noise(
    n: int, starts: NDArray[np.int64], memory: float, dt: float, rng: np.random.Generator
) -> Array:
    """Gaussian noise of unit variance with exponential memory, fresh for every larva."""
    keep = math.exp(-dt / memory)
    kick = rng.standard_normal(n) * math.sqrt(1 - keep**2)
    kick[starts] /= math.sqrt(1 - keep**2)
    return _filtered(kick, starts, keep)


def _settled(target: Array, starts: NDArray[np.int64], dt: float) -> Array:
    """Follow a target with :data:`SETTLE` of delay, from its first value on."""
    keep = math.exp(-dt / SETTLE)
    kick = target * (1 - keep)
    kick[starts] = target[starts]
    return _filtered(kick, starts, keep)


def _filtered(kick: Array, starts: NDArray[np.int64], keep: float) -> Array:
    out = np.empty_like(kick)
    for first, last in zip(starts, np.append(starts[1:], len(kick)), strict=True):
        out[first:last] = lfilter([1.0], [1.0, -keep], kick[first:last])
    return out
