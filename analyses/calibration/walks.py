"""Larvae that walk through actions in time, for the studies of dwell times, order and homogeneity.

Semi-Markov walks with gamma dwell times; plates, vials and dates shift log dwell times and logits
of transitions, larvae may have chains of their own, tracks get lost. Nothing of larvastats' own
simulator is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from chains import LARVA

from larvastats.ethogram import Ethogram
from larvastats.tabular import complete_assays
from larvastats.vocabulary import LARVA_STATES

DWELL = np.array([4.0, 1.6, 0.9, 0.6, 1.3, 1.2])
"""Mean dwell times of run, cast, stop, hunch, back, roll, s."""

SHAPE = np.array([1.4, 1.8, 1.7, 2.5, 2.0, 3.0])


@dataclass(frozen=True)
class Walks:
    """How larvae walk; a line (2 plates a date) against a control (4 plates a date).

    SDs of plate, vial and date act on the logits of transitions and, half as much, on log dwell
    times. `larva_sd` gives every larva a chain of its own; `drift_sd` shifts each plate anew in
    every window of `drift_every` s. `memory` multiplies the odds of returning to the action before
    last. `lost` is the rate per s at which tracks are lost (the larva does not come back);
    `effect` multiplies the line's dwell times of `effect_state`.
    """

    dates: int = 3
    plates: int = 2
    controls: int = 4
    larvae: int = 20
    control_larvae: int = 20
    duration: float = 45.0
    plate_sd: float = 0.3
    vial_sd: float = 0.1
    date_sd: float = 0.2
    larva_sd: float = 0.0
    drift_sd: float = 0.0
    drift_every: float = 15.0
    memory: float = 1.0
    lost: float = 0.005
    lost_in: tuple[int, ...] = ()
    control_lost: float | None = None
    effect: float = 1.0
    effect_state: int = 1
    chain: np.ndarray = field(default_factory=lambda: LARVA, repr=False)


def walk(world: Walks, rng: np.random.Generator, line: bool = True) -> Ethogram:
    """Simulate the plates of one line and one control (or of the control alone)."""
    plates = _plates(world, line)
    k = len(world.chain)
    vial = plates["date"] * 2 + plates["is_line"]
    sds = ((world.date_sd, plates["date"]), (world.vial_sd, vial),
           (world.plate_sd, np.arange(len(plates))))  # fmt: skip
    logit, log_dwell = np.zeros((len(plates), k, k)), np.zeros((len(plates), k))
    for sd, level in sds:
        level = np.asarray(level, dtype=int)
        logit += rng.normal(0, sd, (level.max() + 1, k, k))[level]
        log_dwell += rng.normal(0, sd / 2, (level.max() + 1, k))[level]
    log_dwell[plates["is_line"].to_numpy(bool), world.effect_state] += np.log(world.effect)
    plate = np.repeat(np.arange(len(plates)), plates["larvae"])
    own = rng.normal(0, world.larva_sd, (len(plate), k, k)) if world.larva_sd else 0.0
    weight = world.chain * np.exp(logit[plate] + own)
    windows = int(np.ceil(world.duration / world.drift_every))
    drift = rng.normal(0, world.drift_sd, (len(plates), windows, k, k)) if world.drift_sd else None
    rate = np.where(plates["is_line"], world.lost,
                    world.lost if world.control_lost is None else world.control_lost)  # fmt: skip
    bouts = _bouts(world, weight, np.exp(log_dwell)[plate], plate, drift, rate[plate], rng)
    return _ethogram(plates, plate, bouts)


def _plates(world: Walks, line: bool) -> pd.DataFrame:
    rows = [
        {"date": date, "is_line": is_line, "larvae": larvae}
        for date in range(world.dates)
        for is_line, n, larvae in (
            (True, world.plates if line else 0, world.larvae),
            (False, world.controls, world.control_larvae),
        )
        for _ in range(n)
    ]
    return pd.DataFrame(rows)


def _bouts(world, weight, dwell, plate, drift, rate, rng):  # type: ignore[no-untyped-def]
    """Walk all larvae together; returns larva, state, start and stop of every bout."""
    n = len(plate)
    state = rng.integers(0, 3, n)
    before = np.full(n, -1)
    end = np.full(n, world.duration)
    if not world.lost_in:
        end = np.minimum(end, rng.exponential(1 / np.maximum(rate, 1e-12)))
    t = np.zeros(n)
    alive = np.arange(n)
    parts = []
    while len(alive):
        s = state[alive]
        lasts = rng.gamma(SHAPE[s]) / SHAPE[s] * DWELL[s] * dwell[alive, s]
        if world.lost_in:
            risky = np.isin(s, world.lost_in)
            lose = rng.exponential(1 / np.maximum(rate[alive], 1e-12))
            end[alive] = np.where(risky & (lose < lasts), np.minimum(end[alive], t[alive] + lose),
                                  end[alive])  # fmt: skip
        stop = np.minimum(t[alive] + lasts, end[alive])
        seen = stop > t[alive]
        parts.append((alive[seen], s[seen], t[alive][seen], stop[seen]))
        go = t[alive] + lasts < end[alive]
        alive = alive[go]
        t[alive] = stop[go]
        row = weight[alive, state[alive]].copy()
        if drift is not None:
            now = np.minimum((t[alive] / world.drift_every).astype(int), drift.shape[1] - 1)
            row *= np.exp(drift[plate[alive], now, state[alive]])
        if world.memory != 1.0:
            known = before[alive] >= 0
            row[np.flatnonzero(known), before[alive][known]] *= world.memory
        edges = row.cumsum(axis=1)
        before[alive] = state[alive]
        state[alive] = (rng.random(len(alive))[:, None] * edges[:, -1:] >= edges).sum(axis=1)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _ethogram(plates: pd.DataFrame, plate: np.ndarray, bouts: tuple[np.ndarray, ...]) -> Ethogram:
    assays = pd.DataFrame({
        "assay": [f"plate{i:04d}" for i in range(len(plates))],
        "line": np.where(plates["is_line"], "line", "control"),
        "date": [f"day{d:03d}" for d in plates["date"]],
    })  # fmt: skip
    larvae = pd.DataFrame({"larva": np.arange(len(plate)).astype(str), "assay_index": plate})
    larva, state, start, stop = bouts
    return Ethogram.build(LARVA_STATES, larva, state, start, stop, larvae, complete_assays(assays))
