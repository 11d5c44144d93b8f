"""Survival curves of many groups of bouts at once: Kaplan and Meier's, with delayed entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LifeTable:
    """Events and risk sets at every distinct duration; groups add up.

    Attributes
    ----------
    time : ndarray, shape (time,)
        Distinct durations in s, increasing.
    events : ndarray, shape (group, time)
        Bouts that ended at that age.
    at_risk : ndarray, shape (group, time)
        Bouts in view just before that age: ``entry < time <= duration``.
    """

    time: Array
    events: Array
    at_risk: Array

    def pooled(self, weights: Array | None = None) -> LifeTable:
        """Add groups up, with weights of shape (sum, group); one sum of all by default."""
        w = np.ones((1, len(self.events))) if weights is None else weights
        return LifeTable(self.time, w @ self.events, w @ self.at_risk)

    def survival(self) -> Array:
        """Return the share of bouts that outlast each time, shape (group, time).

        Kaplan & Meier 1958 (J. Am. Stat. Assoc. 53:457). Where nothing is at risk the curve stays
        as it was.
        """
        factor = np.ones_like(self.events)
        np.divide(self.events, self.at_risk, out=factor, where=self.at_risk > 0)
        factor = np.where(self.at_risk > 0, 1.0 - factor, 1.0)
        return np.clip(factor, 0.0, 1.0).cumprod(axis=1)


def life_table(
    duration: Array,
    event: NDArray[np.bool_],
    entry: Array | None = None,
    group: NDArray[np.integer] | None = None,
    n_groups: int = 1,
) -> LifeTable:
    """Tabulate bouts.

    Parameters
    ----------
    duration, entry : ndarray, shape (bout,)
        Ages in s at which a bout left the view and came into it (0 by default).
    event : ndarray of bool, shape (bout,)
        Whether it ended; otherwise censored.
    group : ndarray of int, shape (bout,)
    n_groups : int
    """
    group = np.zeros(len(duration), np.int64) if group is None else group
    time, index = np.unique(duration, return_inverse=True)
    size = n_groups * len(time)
    cell = group * len(time) + index
    events = np.bincount(cell[event], minlength=size).reshape(n_groups, -1).astype(np.float64)
    leave = np.bincount(cell, minlength=size).reshape(n_groups, -1)
    at_risk = leave[:, ::-1].cumsum(axis=1)[:, ::-1]
    if entry is not None and (entry > 0).any():
        # a bout that enters at an age counts at later times only
        late = np.searchsorted(time, entry, side="right")
        width = len(time) + 1
        enter = np.bincount(group * width + late, minlength=n_groups * width)
        ahead = enter.reshape(n_groups, -1)[:, ::-1].cumsum(axis=1)[:, ::-1]
        at_risk = at_risk - ahead[:, 1:]
    return LifeTable(time, events, at_risk.astype(np.float64))


def value_at(time: Array, survival: Array, at: Array) -> Array:
    """Return survival curves, shape (group, time), at other times, shape (group, at)."""
    whole = np.concatenate([np.ones((len(survival), 1)), survival], axis=1)
    return whole[:, np.searchsorted(time, at, side="right")]


def restricted_mean(time: Array, survival: Array, horizon: float) -> Array:
    """Return the mean duration up to a horizon in s: the area under each curve, shape (group,)."""
    inside = time < horizon
    edges = np.concatenate([[0.0], time[inside], [horizon]])
    height = np.concatenate([np.ones((len(survival), 1)), survival[:, inside]], axis=1)
    return height @ np.diff(edges)


def quantile(time: Array, survival: Array, share: float = 0.5) -> Array:
    """Return the time at which 1 - `share` are left, shape (group,); NaN if never.

    Where a curve stays at exactly that for a while, the middle of it, as in R's ``survfit``.
    """
    left = 1 - share
    reached, below = survival <= left + 1e-9, survival < left - 1e-9
    first, second = reached.argmax(axis=1), below.argmax(axis=1)
    first, second = time[first], np.where(below.any(axis=1), time[second], time[first])
    return np.where(reached.any(axis=1), (first + second) / 2, np.nan)


def pseudo_values(
    duration: Array, event: NDArray[np.bool_], entry: Array, horizon: float
) -> tuple[float, Array]:
    """Return the restricted mean of all bouts, and what each bout adds to it.

    The influence of bout i on the area under the Kaplan-Meier curve, ``-n sum_u A(u) (dN_i(u) -
    Y_i(u) d(u)/Y(u)) / (Y(u) - d(u))`` with A(u) the area from u to the horizon, d ends and Y bouts
    at risk: the infinitesimal jackknife, to first order the pseudo-observations of Andersen, Klein
    & Rosthøj 2003 (Biometrika 90:15), at the price of one sort. They add up to nothing, and their
    expectation is zero for any independent censoring, as long as all bouts have one hazard.

    Parameters
    ----------
    duration, entry : ndarray, shape (bout,)
    event : ndarray of bool, shape (bout,)
    horizon : float
        In s.

    Returns
    -------
    mean : float
    influence : ndarray, shape (bout,)
        Its mean over any group of bouts estimates by how much that group's restricted mean
        exceeds `mean`.
    """
    table = life_table(duration, event, entry)
    time, d, y = table.time, table.events[0], table.at_risk[0]
    survival = table.survival()
    mean = float(restricted_mean(time, survival, horizon)[0])
    edges = np.minimum(np.append(time, np.inf), horizon)
    ahead = np.append((survival[0] * np.diff(edges))[::-1].cumsum()[::-1], 0.0)[:-1]
    # where the last bout in view ends, nothing lies ahead
    jump = np.divide(len(duration) * ahead, y - d, out=np.zeros(len(y)), where=y > d)
    compensator = np.append(0.0, (jump * d / np.where(y > 0, y, 1.0)).cumsum())
    last = np.searchsorted(time, duration, side="right")
    first = np.searchsorted(time, entry, side="right")
    influence = compensator[last] - compensator[first]
    influence[event] -= jump[last[event] - 1]
    return mean, influence
