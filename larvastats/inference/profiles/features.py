"""Profiles of every assay: what each statistic looks at.

First the sufficient statistics of units (assays, or larvae, which add up to assays), then profiles
made of them. Profiles are centred on values pooled over every assay of the screen, whatever its
line, so that relabelling leaves them alone; a unit that says nothing about a quantity sits at the
pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.ethogram import Ethogram
from larvastats.inference.options import EVER, Options
from larvastats.inference.profiles.prepare import contrast_profiles, profiles
from larvastats.markov.counts import count_transitions
from larvastats.markov.time import ever_done, ever_made, time_in_states
from larvastats.protocol import Window

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sufficient:
    """All that any statistic needs of a unit; units add up.

    Attributes
    ----------
    counts : ndarray of int64, shape (unit, window, from, to)
        Transitions, or larvae that ever made them, or (in the diagonal) that ever did an action.
    trials : ndarray of int64, shape (unit, window, from)
        What each count is out of: departures, or larvae under ``ever``.
    seconds : ndarray, shape (unit, window, state)
        Time in each state.
    exits : ndarray of int64, shape (unit, window, state)
        Jumps out of each state.
    """

    counts: NDArray[np.int64]
    trials: NDArray[np.int64]
    seconds: Array
    exits: NDArray[np.int64]

    def take(self, units: NDArray[np.integer] | NDArray[np.bool_]) -> Sufficient:
        """Return some of the units."""
        return Sufficient(
            self.counts[units], self.trials[units], self.seconds[units], self.exits[units]
        )

    def window(self, w: int) -> Sufficient:
        """Return one of the windows, with its axis."""
        own = slice(w, w + 1)
        return Sufficient(
            self.counts[:, own], self.trials[:, own], self.seconds[:, own], self.exits[:, own]
        )

    def add_up(self, group: NDArray[np.integer], n_groups: int) -> Sufficient:
        """Sum units into groups, such as larvae into their assays."""
        parts = []
        for values in (self.counts, self.trials, self.seconds, self.exits):
            total = np.zeros((n_groups, *values.shape[1:]), dtype=values.dtype)
            np.add.at(total, group, values)
            parts.append(total)
        return Sufficient(*parts)


@dataclass(frozen=True, slots=True)
class Made:
    """Profiles of units.

    Attributes
    ----------
    features : tuple of ndarray, shape (unit, cell)
        Several are combined.
    rows : ndarray, shape (unit, from, to), or None
        Imputed transition probabilities; None where divergences are undefined.
    scaling : dict
        Pooled probabilities, so that a profile can be made again.
    """

    features: tuple[Array, ...]
    rows: Array | None
    scaling: dict[str, list[object]]


def count_units(ethogram: Ethogram, windows: tuple[Window, ...], options: Options) -> Sufficient:
    """Return the sufficient statistics of every assay of an ethogram.

    Parameters
    ----------
    ethogram : Ethogram
    windows : tuple of Window
        One, or the two of a contrast.
    options : Options
    """
    jumps = count_transitions(ethogram, windows, "jump").counts
    if options.transitions == "ever-action":
        done, larvae = ever_done(ethogram, windows)
        counts = done[..., None] * np.eye(done.shape[-1], dtype=np.int64)
        trials = np.repeat(larvae[:, :, None], counts.shape[-1], axis=2)
    elif options.transitions == "ever":
        counts, larvae = ever_made(ethogram, windows)
        trials = np.repeat(larvae[:, :, None], counts.shape[-1], axis=2)
    else:
        same = options.transitions == "jump"
        counts = jumps if same else _frames(ethogram, windows, options)
        trials = counts.sum(axis=-1)
    return Sufficient(counts, trials, time_in_states(ethogram, windows), jumps.sum(axis=-1))


def _frames(ethogram: Ethogram, windows: tuple[Window, ...], options: Options) -> NDArray[np.int64]:
    return count_transitions(ethogram, windows, options.transitions, options.dt).counts


def make_profiles(units: Sufficient, pool: Sufficient, options: Options) -> Made:
    """Make the profiles of the chosen statistic.

    Parameters
    ----------
    units : Sufficient
        Units to describe.
    pool : Sufficient
        Units whose sum centres and scales the profiles.
    options : Options
    """
    contrast = units.counts.shape[1] == 2
    rows, scaling = None, {}
    if options.transitions in EVER:
        transition = _ever_profile(units, pool)
    else:
        total = pool.counts.sum(axis=0)
        if contrast:
            made = contrast_profiles(units.counts[:, 0], units.counts[:, 1], total)
        else:
            made = profiles(units.counts[:, 0], total[0])
        transition, rows = made.x, None if contrast else made.rows
        scaling = {
            "profile_p_bar": np.nan_to_num(made.p_bar).tolist(),
            "profile_pi": made.pi.tolist(),
        }
    if options.statistic == "occupancy":
        features: tuple[Array, ...] = (occupancy_profile(units, pool),)
    elif options.statistic == "dwell":
        features = (dwell_profile(units, pool),)
    elif options.statistic == "combined":
        features = (transition, dwell_profile(units, pool))
    else:
        features = (transition,)
    return Made(features, rows, scaling)


def _ever_profile(units: Sufficient, pool: Sufficient) -> Array:
    """Fractions of larvae, each scaled by its binomial standard deviation, shape (unit, cell)."""
    n = units.trials[..., None].astype(np.float64)
    share = np.divide(units.counts, n, out=np.zeros(units.counts.shape), where=n > 0)
    tried = pool.trials.sum(axis=0)[..., None].astype(np.float64)
    made = pool.counts.sum(axis=0)
    pooled = made / np.maximum(tried, 1.0)
    both = made.sum(axis=0) / np.maximum(tried.sum(axis=0), 1.0)
    return _change(np.where(n > 0, share - pooled, 0.0), np.sqrt(both * (1 - both)))


def occupancy_profile(units: Sufficient, pool: Sufficient) -> Array:
    """Return shares of time in each state, chi-square scaled, shape (unit, state)."""
    total = units.seconds.sum(axis=-1, keepdims=True)
    share = np.divide(units.seconds, total, out=np.zeros(units.seconds.shape), where=total > 0)
    seconds = pool.seconds.sum(axis=0)
    pooled = seconds / np.maximum(seconds.sum(axis=-1, keepdims=True), 1e-300)
    both = seconds.sum(axis=0)
    scale = np.sqrt(both / max(float(both.sum()), 1e-300))
    return _change(np.where(total > 0, share - pooled, 0.0), scale)


def dwell_profile(units: Sufficient, pool: Sufficient) -> Array:
    """Return log mean dwell times relative to the pool, shape (unit, state).

    Occurrence and exposure: time at risk over completed bouts; bouts that the window or lost
    tracking cut enter with the time that was seen. Each unit borrows one bout of the pooled length,
    so that a state it never left has no say. States weigh by their share of departures.
    """
    time, exits = pool.seconds.sum(axis=0), pool.exits.sum(axis=0).astype(np.float64)
    seen = (exits > 0) & (time > 0)
    mean = np.divide(time, exits, out=np.ones(time.shape), where=seen)
    log = np.log((units.seconds + mean) / (units.exits + 1)) - np.log(mean)
    weight = exits.sum(axis=0) / max(float(exits.sum()), 1.0)
    scale = np.divide(1.0, np.sqrt(weight), out=np.zeros(weight.shape), where=weight > 0)
    return _change(np.where(seen, log, 0.0), scale)


def _change(away: Array, scale: Array) -> Array:
    """Difference of the two windows (if two), scaled; what never varies stays zero."""
    value = away[:, 0] if away.shape[1] == 1 else away[:, 0] - away[:, 1]
    out = np.divide(value, scale, out=np.zeros(value.shape), where=scale > 0)
    return out.reshape(len(out), -1)
