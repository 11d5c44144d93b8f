"""From counts to the profiles on which lines are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.markov.transitions import probabilities

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Profiles:
    """Standardised transition probabilities of every assay.

    Attributes
    ----------
    x : ndarray, shape (assay, cell)
        ``x_ij = sqrt(pi_i) (p_ij - pbar_ij) / sqrt(pbar_ij)``; a row that the assay never visited
        contributes nothing.
    rows : ndarray, shape (assay, from, to)
        Transition probabilities, unvisited rows set to the pooled ones.
    p_bar : ndarray, shape (from, to)
        Pooled over all assays, whatever their line: relabelling leaves it as it is.
    pi : ndarray, shape (from,)
        Pooled share of departures from each state.
    """

    x: Array
    rows: Array
    p_bar: Array
    pi: Array


def profiles(counts: NDArray[np.number], pool: NDArray[np.number] | None = None) -> Profiles:
    """Compute the profiles of all assays of a screen in one window.

    Distances between them are chi-square distances between transition matrices: each cell is
    scaled by the standard error it would have from sampling alone.

    Parameters
    ----------
    counts : ndarray, shape (assay, from, to)
    pool : ndarray, shape (from, to), optional
        Counts to centre and scale by; the sum over `counts` by default.
    """
    p_bar, pi = _pooled(counts.sum(axis=0) if pool is None else pool)
    deviation = _deviation(counts, p_bar)
    rows = np.where(np.isnan(p_bar), 0.0, p_bar) + deviation
    return Profiles(_scaled(deviation, p_bar, pi), rows, p_bar, pi)


def contrast_profiles(
    first: NDArray[np.number],
    second: NDArray[np.number],
    pool: NDArray[np.number] | None = None,
) -> Profiles:
    """Compute profiles of the change from the second window to the first.

    The change of each cell is scaled as in :func:`profiles`, by probabilities pooled over both
    windows, and centred on the mean change of the assays that visited the row in both; an assay
    that did not says nothing about its change and sits at that mean. So lines that differ from the
    start, but change alike, have profiles of equal mean however often they visit a row.

    Parameters
    ----------
    first, second : ndarray, shape (assay, from, to)
    pool : ndarray, shape (window, from, to), optional
        Counts of both windows to scale by; the sums of the two by default.
    """
    both = np.stack([first.sum(axis=0), second.sum(axis=0)]) if pool is None else pool
    p_bar, pi = _pooled(both.sum(axis=0))
    change = probabilities(first) - probabilities(second)
    n, m = (np.asarray(side, dtype=np.float64).sum(axis=-1) for side in (first, second))
    # as precise as the window with fewer visits; no weight where either has none
    weight = (np.divide(n * m, n + m, out=np.zeros(n.shape), where=n + m > 0))[..., None]
    change = np.where(weight > 0, change, 0.0)
    total = weight.sum(axis=0)
    mean = np.divide(
        (weight * change).sum(axis=0), total, out=np.zeros(change.shape[1:]), where=total > 0
    )
    away = np.where(weight > 0, change - mean, 0.0)
    return Profiles(_scaled(away, p_bar, pi), away, p_bar, pi)


def paired_profiles(first: NDArray[np.number], second: NDArray[np.number]) -> Profiles:
    """Compute profiles of the change within assays, for sign flips.

    As :func:`contrast_profiles`, but uncentred: a row that an assay visited in only one of the
    windows says nothing about its change and contributes zero.

    Parameters
    ----------
    first, second : ndarray, shape (assay, from, to)
    """
    p_bar, pi = _pooled(first.sum(axis=0) + second.sum(axis=0))
    change = probabilities(first) - probabilities(second)
    change = np.where(np.isnan(change), 0.0, change)
    return Profiles(_scaled(change, p_bar, pi), change, p_bar, pi)


def _pooled(total: NDArray[np.number]) -> tuple[Array, Array]:
    """Probabilities and shares of departures of pooled counts, shapes (from, to) and (from,)."""
    visits = np.asarray(total, dtype=np.float64).sum(axis=-1)
    return probabilities(total), visits / max(float(visits.sum()), 1.0)


def _deviation(counts: NDArray[np.number], p_bar: Array) -> Array:
    deviation = probabilities(counts) - p_bar
    return np.where(np.isnan(deviation), 0.0, deviation)


def _scaled(deviation: Array, p_bar: Array, pi: Array) -> Array:
    seen = np.nan_to_num(p_bar) > 0
    scale = np.zeros_like(p_bar)
    np.divide(np.sqrt(pi)[:, None], np.sqrt(p_bar), out=scale, where=seen)
    return (deviation * scale).reshape(len(deviation), -1)
