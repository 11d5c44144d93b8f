"""What share of the larvae does a thing at a time: exact time shares per assay and bin.

Bouts are intervals, so that the time spent in a bin follows from their ends alone; no grid of
frames is laid over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ActionBins:
    """Time spent in one action, per assay and bin of time.

    Attributes
    ----------
    active : ndarray, shape (assay, bin)
        Seconds that all larvae together spent in the action.
    tracked : ndarray, shape (assay, bin)
        Seconds for which they were tracked.
    state : str
    edges : ndarray, shape (bin + 1,)
        Seconds, from the start of the recording or from the onset aligned to.
    """

    active: Array
    tracked: Array
    state: str
    edges: Array

    @property
    def share(self) -> Array:
        """Share of the tracked time spent in the action, (assay, bin); NaN where untracked."""
        out = np.full(self.active.shape, np.nan)
        return np.divide(self.active, self.tracked, out=out, where=self.tracked > 0)


def action_bins(
    ethogram: Ethogram, state: str, edges: Array, onsets: Sequence[float] = (0.0,)
) -> ActionBins:
    """Return the time spent in one action in every bin, exact to rounding.

    Parameters
    ----------
    ethogram : Ethogram
    state : str
        One of its states.
    edges : ndarray, shape (bin + 1,)
        Increasing, in s, counted from every onset.
    onsets : sequence of float
        Zeros of time (s): with several, as for a train of puffs, their bins are added up.

    Returns
    -------
    ActionBins

    Raises
    ------
    UsageError
        No such state.
    """
    if state not in ethogram.states:
        raise UsageError(
            f"there is no action {state!r}; the source has {', '.join(ethogram.states)}."
        )
    edges = np.asarray(edges, dtype=np.float64)
    own = ethogram.state == ethogram.states.index(state)
    assay = ethogram.assay_index
    n = len(ethogram.assays)
    tracked, active = np.zeros((2, n, len(edges) - 1))
    for onset in onsets:
        start, stop = ethogram.t_start - onset, ethogram.t_stop - onset
        tracked += time_in_bins(start, stop, assay, n, edges)
        active += time_in_bins(start[own], stop[own], assay[own], n, edges)
    # what rounding left of nothing is nothing, and a part is no more than the whole
    tracked[tracked < 1e-9] = 0.0
    return ActionBins(np.clip(active, 0.0, tracked), tracked, state, edges)


def time_in_bins(
    start: Array, stop: Array, group: NDArray[np.integer], n_groups: int, edges: Array
) -> Array:
    """Sum the overlaps of intervals with bins, shape (group, bin).

    An interval that begins in bin k covers it from there to its end, and all later bins whole; one
    that ends in bin k takes back as much: two counts per interval, however long it is.

    Parameters
    ----------
    start, stop : ndarray, shape (interval,)
    group : ndarray of int, shape (interval,)
        0 ... n_groups - 1.
    n_groups : int
    edges : ndarray, shape (bin + 1,)
        Increasing.
    """
    low, high = edges[0], edges[-1]
    inside = (stop > low) & (start < high)
    group = np.asarray(group)[inside]
    out = np.zeros((n_groups, len(edges) - 1))
    for sign, t in ((1.0, start[inside]), (-1.0, stop[inside])):
        _cover_from(out, np.clip(t, low, high), group, edges, sign)
    return out


def _cover_from(
    out: Array, t: Array, group: NDArray[np.integer], edges: Array, sign: float
) -> None:
    """Add to `out` the time from each `t` to the last edge, times `sign`."""
    n_bins = len(edges) - 1
    k = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, n_bins - 1)
    cell, size = group * n_bins + k, out.size
    begun = np.bincount(cell, minlength=size).reshape(out.shape)
    rest = np.bincount(cell, weights=edges[k + 1] - t, minlength=size).reshape(out.shape)
    before = np.cumsum(begun, axis=1) - begun
    out += sign * (before * np.diff(edges) + rest)
