"""Time spent in each state, and larvae that ever did a thing: the other sufficient statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from larvastats.ethogram import Ethogram

if TYPE_CHECKING:
    from larvastats.protocol import Window


def time_in_states(ethogram: Ethogram, windows: Sequence[Window]) -> NDArray[np.float64]:
    """Return seconds spent in each state, shape (assay, window, state)."""
    k = ethogram.n_states
    cell = ethogram.assay_index * k + ethogram.state
    size = len(ethogram.assays) * k
    out = np.zeros((len(windows), size))
    for w, window in enumerate(windows):
        for low, high in window.intervals:
            length = np.minimum(ethogram.t_stop, high) - np.maximum(ethogram.t_start, low)
            inside = length > 0
            out[w] += np.bincount(cell[inside], weights=length[inside], minlength=size)
    return np.ascontiguousarray(out.reshape(len(windows), -1, k).swapaxes(0, 1))


def ever_done(
    ethogram: Ethogram, windows: Sequence[Window]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count larvae that do each action at any moment of each window.

    Returns
    -------
    done : ndarray of int64, shape (assay, window, state)
    larvae : ndarray of int64, shape (assay, window)
        Larvae tracked at any moment of the window.
    """
    k, assay = ethogram.n_states, ethogram.larvae["assay_index"].to_numpy(np.int64)
    own = ethogram.larva_index * np.int64(k) + ethogram.state
    done = np.zeros((len(windows), len(ethogram.assays) * k), dtype=np.int64)
    seen = np.zeros((len(ethogram.assays), len(windows)), dtype=np.int64)
    for w, window in enumerate(windows):
        inside = np.zeros(ethogram.n_bouts, dtype=bool)
        for low, high in window.intervals:
            inside |= (ethogram.t_start < high) & (ethogram.t_stop > low)
        once = np.unique(own[inside])
        done[w] = np.bincount(assay[once // k] * k + once % k, minlength=done.shape[1])
        tracked = np.unique(ethogram.larva_index[inside])
        seen[:, w] = np.bincount(assay[tracked], minlength=len(seen))
    return np.ascontiguousarray(done.reshape(len(windows), -1, k).swapaxes(0, 1)), seen


def ever_made(
    ethogram: Ethogram, windows: Sequence[Window]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count larvae that make each transition at least once in each window.

    Returns
    -------
    made : ndarray of int64, shape (assay, window, from, to)
    larvae : ndarray of int64, shape (assay, window)
        Larvae tracked at any moment of the window.
    """
    k, n_larvae = ethogram.n_states, len(ethogram.larvae)
    follows = np.flatnonzero(ethogram.follows)
    t = ethogram.t_start[follows]
    pair = ethogram.state[follows - 1].astype(np.int64) * k + ethogram.state[follows]
    own = ethogram.larva_index[follows] * np.int64(k * k) + pair
    assay = ethogram.larvae["assay_index"].to_numpy(np.int64)
    made = np.zeros((len(windows), len(ethogram.assays) * k * k), dtype=np.int64)
    seen = np.zeros((len(windows), len(ethogram.assays)), dtype=np.int64)
    for w, window in enumerate(windows):
        inside = np.zeros(len(t), dtype=bool)
        tracked = np.zeros(n_larvae, dtype=bool)
        for low, high in window.intervals:
            inside |= (t >= low) & (t < high)
            tracked[ethogram.larva_index[(ethogram.t_start < high) & (ethogram.t_stop > low)]] = (
                True
            )
        once = np.unique(own[inside])
        cell = assay[once // (k * k)] * (k * k) + once % (k * k)
        made[w] = np.bincount(cell, minlength=made.shape[1])
        seen[w] = np.bincount(assay[tracked], minlength=seen.shape[1])
    shape = (len(windows), len(ethogram.assays), k, k)
    return np.ascontiguousarray(made.reshape(shape).swapaxes(0, 1)), seen.T.copy()
