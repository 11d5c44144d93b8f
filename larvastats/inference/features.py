"""Profiles of every assay: what each statistic looks at.

All profiles are centred on values pooled over every assay of the screen, whatever its line, so that
relabelling leaves them alone; an assay that says nothing about a quantity sits at the pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.ethogram import Ethogram
from larvastats.inference.options import Options
from larvastats.inference.prepare import contrast_profiles, profiles
from larvastats.markov.counts import count_transitions
from larvastats.markov.time import ever_made, time_in_states
from larvastats.protocol import Window

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Counts, and the profiles made of them.

    Attributes
    ----------
    counts : ndarray of int64, shape (assay, window, from, to)
    trials : ndarray of int64, shape (assay, window, from)
        What each count is out of: departures, or larvae under ``ever``.
    features : tuple of ndarray, shape (assay, cell)
        Profiles; several are combined.
    rows : ndarray, shape (assay, from, to), or None
        Imputed transition probabilities; None where divergences are undefined.
    scaling : dict
        Pooled probabilities, so that a profile can be made again.
    """

    counts: NDArray[np.int64]
    trials: NDArray[np.int64]
    features: tuple[Array, ...]
    rows: Array | None
    scaling: dict[str, list[object]]


def measure(ethogram: Ethogram, windows: tuple[Window, ...], options: Options) -> Measured:
    """Count the windows and make the profiles of the chosen statistic.

    Parameters
    ----------
    ethogram : Ethogram
    windows : tuple of Window
        One, or the two of a contrast (change from the second to the first).
    options : Options
    """
    if options.transitions == "ever":
        counts, larvae = ever_made(ethogram, windows)
        trials = np.repeat(larvae[:, :, None], counts.shape[-1], axis=2)
        transition_profile, rows, scaling = _ever_profile(counts, larvae), None, {}
    else:
        counted = count_transitions(ethogram, windows, options.transitions, options.dt)
        counts, trials = counted.counts, counted.counts.sum(axis=-1)
        made = (
            profiles(counts[:, 0])
            if len(windows) == 1
            else contrast_profiles(counts[:, 0], counts[:, 1])
        )
        transition_profile, rows = made.x, made.rows if len(windows) == 1 else None
        scaling = {
            "profile_p_bar": np.nan_to_num(made.p_bar).tolist(),
            "profile_pi": made.pi.tolist(),
        }
    features = _features(ethogram, windows, options, counts, transition_profile)
    return Measured(counts, trials, features, rows, scaling)


def _features(
    ethogram: Ethogram,
    windows: tuple[Window, ...],
    options: Options,
    counts: NDArray[np.int64],
    transition_profile: Array,
) -> tuple[Array, ...]:
    if options.statistic not in ("occupancy", "dwell", "combined"):
        return (transition_profile,)
    seconds = time_in_states(ethogram, windows)
    if options.statistic == "occupancy":
        return (occupancy_profile(seconds),)
    if options.transitions == "jump":
        exits = counts.sum(axis=-1)
    else:
        exits = count_transitions(ethogram, windows, "jump").counts.sum(axis=-1)
    dwell = dwell_profile(seconds, exits)
    return (dwell,) if options.statistic == "dwell" else (transition_profile, dwell)


def _ever_profile(made: NDArray[np.int64], larvae: NDArray[np.int64]) -> Array:
    """Fractions of larvae, each scaled by its binomial standard deviation, shape (assay, cell)."""
    n = larvae[:, :, None, None].astype(np.float64)
    share = np.divide(made, n, out=np.zeros(made.shape), where=n > 0)
    pooled = made.sum(axis=0) / np.maximum(n.sum(axis=0), 1.0)
    away = np.where(n > 0, share - pooled, 0.0)
    both = made.sum(axis=(0, 1)) / max(float(n.sum()), 1.0)
    return _change(away, np.sqrt(both * (1 - both)))


def occupancy_profile(seconds: Array) -> Array:
    """Return shares of time in each state, chi-square scaled, shape (assay, state).

    Parameters
    ----------
    seconds : ndarray, shape (assay, window, state)
    """
    total = seconds.sum(axis=-1, keepdims=True)
    share = np.divide(seconds, total, out=np.zeros(seconds.shape), where=total > 0)
    pooled = seconds.sum(axis=0) / np.maximum(total.sum(axis=0), 1e-300)
    away = np.where(total > 0, share - pooled, 0.0)
    both = seconds.sum(axis=(0, 1))
    return _change(away, np.sqrt(both / max(float(both.sum()), 1e-300)))


def dwell_profile(seconds: Array, exits: NDArray[np.number]) -> Array:
    """Return log mean dwell times relative to the pool, shape (assay, state).

    Occurrence and exposure: time at risk over completed bouts, which bouts cut by the window or by
    lost tracking enter with the time that was seen. Each assay borrows one bout of the pooled
    length, so that a state it never left has no say. States weigh by their share of departures.

    Parameters
    ----------
    seconds : ndarray, shape (assay, window, state)
    exits : ndarray, shape (assay, window, state)
        Departures from each state in each window.
    """
    total_time, total_exits = seconds.sum(axis=0), exits.sum(axis=0).astype(np.float64)
    seen = (total_exits > 0) & (total_time > 0)
    mean = np.divide(total_time, total_exits, out=np.ones(total_time.shape), where=seen)
    log = np.log((seconds + mean) / (exits + 1)) - np.log(mean)
    weight = exits.sum(axis=(0, 1)) / max(float(exits.sum()), 1.0)
    return _change(np.where(seen, log, 0.0), 1 / np.sqrt(np.maximum(weight, 1e-300)))


def _change(away: Array, scale: Array) -> Array:
    """Difference of the two windows (if two), scaled; what never varies stays zero."""
    value = away[:, 0] if away.shape[1] == 1 else away[:, 0] - away[:, 1]
    sound = (scale > 0) & (scale < 1e100)
    return np.divide(value, scale, out=np.zeros(value.shape), where=sound).reshape(len(value), -1)
