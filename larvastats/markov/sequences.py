"""Sequences of actions: runs of bouts without a gap, triples in them, what a chain expects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.ethogram import Ethogram
from larvastats.protocol import Window

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Runs of contiguous bouts whose jumps fall into one interval of a window.

    Attributes
    ----------
    state : ndarray of int, shape (bout,)
        The runs one behind another; neighbours within a run differ.
    first : ndarray of int, shape (run + 1,)
        Where each run begins.
    larva, assay : ndarray of int, shape (run,)
        Rows of the ethogram's tables.
    n_states : int
    """

    state: NDArray[np.int64]
    first: NDArray[np.int64]
    larva: NDArray[np.int64]
    assay: NDArray[np.int64]
    n_states: int

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.larva)

    @property
    def length(self) -> NDArray[np.int64]:
        """Bouts of every run, shape (run,)."""
        return np.diff(self.first)

    def take(self, keep: NDArray[np.bool_]) -> Sequences:
        """Return some of the runs."""
        inside = np.repeat(keep, self.length)
        first = np.concatenate([[0], np.cumsum(self.length[keep])])
        return Sequences(
            self.state[inside], first, self.larva[keep], self.assay[keep], self.n_states
        )


def sequences(ethogram: Ethogram, window: Window, shortest: int = 3) -> Sequences:
    """Cut an ethogram into runs.

    Lost tracking ends a run, and so does a jump outside the window (or in another of its
    intervals). The bout before a run's first jump belongs to it: a jump is in the window that
    contains its time, as in :func:`~larvastats.markov.counts.count_transitions`.

    Parameters
    ----------
    ethogram : Ethogram
    window : Window
    shortest : int
        Runs of fewer bouts are left out.
    """
    t = ethogram.t_start
    interval = np.full(len(t), -1)
    for i, (low, high) in enumerate(window.intervals):
        interval[(t >= low) & (t < high)] = i
    interval[~ethogram.follows] = -1
    jump = np.flatnonzero(interval >= 0)
    if not len(jump):
        nothing = np.zeros(0, np.int64)
        return Sequences(nothing, np.zeros(1, np.int64), nothing, nothing, ethogram.n_states)
    joined = np.append(False, (np.diff(jump) == 1) & (np.diff(interval[jump]) == 0))
    run = np.cumsum(~joined) - 1
    jumps = np.bincount(run)
    first_jump = jump[~joined]
    first = np.concatenate([[0], np.cumsum(jumps + 1)])
    # a run is the bout before its first jump, and the bouts that its jumps lead to
    offset = np.arange(first[-1]) - np.repeat(first[:-1], jumps + 1)
    state = ethogram.state[np.repeat(first_jump - 1, jumps + 1) + offset].astype(np.int64)
    larva = ethogram.larva_index[first_jump].astype(np.int64)
    assay = ethogram.larvae["assay_index"].to_numpy(np.int64)[larva]
    out = Sequences(state, first, larva, assay, ethogram.n_states)
    return out.take(out.length >= shortest)


def triple_codes(state: NDArray[np.integer], first: NDArray[np.integer], k: int) -> NDArray:
    """Return the triple that begins at each bout as one number, -1 at the last two of a run."""
    code = np.full(len(state), -1, dtype=np.int64)
    if len(state) > 2:
        code[:-2] = (state[:-2].astype(np.int64) * k + state[1:-1]) * k + state[2:]
    ends = np.asarray(first[1:])
    code[ends - 1] = -1
    code[np.maximum(ends - 2, 0)] = -1
    return code


def count_triples(runs: Sequences, group: NDArray[np.integer] | None = None,
                  n_groups: int = 1) -> NDArray[np.int64]:  # fmt: skip
    """Count triples, shape (group, first, middle, last); `group` has shape (run,)."""
    k = runs.n_states
    code = triple_codes(runs.state, runs.first, k)
    if group is not None:
        code = np.where(code >= 0, code + np.repeat(group, runs.length) * k**3, -1)
    counted = np.bincount(code[code >= 0], minlength=n_groups * k**3)
    return counted.reshape(n_groups, k, k, k)


def first_order(triples: NDArray[np.number]) -> Array:
    """Return the triples that a pooled first-order chain expects, shape (..., a, b, c).

    ``n_ab. n_.bc / n_.b.``: past and future independent given the present (Anderson & Goodman 1957,
    Ann. Math. Stat. 28:89, section 3). Larvae or plates that differ make pooled triples depart from
    it although each of them is a first-order chain.
    """
    n = np.asarray(triples, dtype=np.float64)
    before = n.sum(axis=-1, keepdims=True)
    after = n.sum(axis=-3, keepdims=True)
    middle = n.sum(axis=(-3, -1), keepdims=True)
    product = before * after
    return np.divide(product, middle, out=np.zeros(n.shape), where=middle > 0)


def order_chi_square(triples: NDArray[np.number]) -> tuple[float, int]:
    """Return Pearson's statistic of order one against order two, and its degrees of freedom.

    As if every triple were independent of every other: the textbook test, for comparison only.

    Parameters
    ----------
    triples : ndarray, shape (first, middle, last)
    """
    n = np.asarray(triples, dtype=np.float64)
    expected = first_order(n)
    some = expected > 0
    statistic = float(((n - expected)[some] ** 2 / expected[some]).sum())
    rows, columns = (n.sum(axis=2) > 0).sum(axis=0), (n.sum(axis=0) > 0).sum(axis=1)
    df = int(((rows - 1).clip(0) * (columns - 1).clip(0)).sum())
    return statistic, df


def adjusted_residuals(triples: NDArray[np.number]) -> Array:
    """Return naive z-scores of pooled triples against the pooled chain, shape (a, b, c).

    Haberman 1973 (Biometrics 29:205), given the margins of every middle state; NaN where nothing
    can vary.
    """
    n = np.asarray(triples, dtype=np.float64)
    expected = first_order(n)
    middle = np.broadcast_to(n.sum(axis=(0, 2))[None, :, None], n.shape)
    out = np.full(n.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        before = 1 - n.sum(axis=2)[:, :, None] / middle
        after = 1 - n.sum(axis=0)[None] / middle
        variance = expected * before * after
    np.divide(n - expected, np.sqrt(variance), out=out, where=variance > 1e-12)
    return out
