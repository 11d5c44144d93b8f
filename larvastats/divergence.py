"""How far apart are two sets of transition probabilities? Row by row, then averaged.

Every function takes row-stochastic arrays of shape (..., from, to) whose unvisited rows are NaN,
and averages over the rows that both sides visited.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

Array = NDArray[np.float64]


def hellinger_rows(p: Array, q: Array) -> Array:
    """Hellinger distance of each row, shape (..., from); NaN where a row is unvisited.

    ``H(P, Q) = sqrt(sum_x (sqrt P(x) - sqrt Q(x))^2) / sqrt 2`` (Hellinger 1909), in [0, 1].
    """
    return np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=-1) / 2)


def jensen_shannon_rows(p: Array, q: Array) -> Array:
    """Jensen-Shannon distance of each row (square root, base 2), shape (..., from), in [0, 1].

    Lin 1991, IEEE Trans. Inf. Theory 37:145; a metric by Endres & Schindelin 2003.
    """
    return np.sqrt(np.clip(_jensen_shannon_squared(p, q), 0.0, None))


def kullback_leibler_rows(p: Array, q: Array) -> Array:
    """Kullback-Leibler divergence ``sum p log(p / q)`` of each row in nats, shape (..., from).

    Kullback & Leibler 1951. Infinite where `q` lacks what `p` has: smooth both first
    (:func:`larvastats.markov.transitions.smoothed`).
    """
    return rel_entr(p, q).sum(axis=-1)


def hellinger(p: Array, q: Array, *, weights: Array | None = None) -> Array:
    """Row-averaged Hellinger distance, shape (...).

    Parameters
    ----------
    p, q : ndarray, shape (..., from, to)
        Transition probabilities of the two genotypes.
    weights : ndarray, shape (..., from), optional
        Row weights; uniform by default, as in the field's reports.

    Returns
    -------
    ndarray, shape (...)
        NaN when no row is visited on both sides.
    """
    return average_rows(hellinger_rows(p, q), weights)


def jensen_shannon(p: Array, q: Array, *, weights: Array | None = None) -> Array:
    """Row-averaged Jensen-Shannon distance, shape (...); arguments as :func:`hellinger`."""
    return average_rows(jensen_shannon_rows(p, q), weights)


def kullback_leibler(p: Array, q: Array, *, weights: Array | None = None) -> Array:
    """Row-averaged KL(p || q) in nats, shape (...); arguments as :func:`hellinger`."""
    return average_rows(kullback_leibler_rows(p, q), weights)


def occupancy_weights(counts: NDArray[np.number], other: NDArray[np.number]) -> Array:
    """Row weights ``n m / (n + m)`` from the visits of both sides, shape (..., from).

    The inverse of the variance of a difference of two proportions: rows that either side hardly
    visited count little.
    """
    n = np.asarray(counts, dtype=np.float64).sum(axis=-1)
    m = np.asarray(other, dtype=np.float64).sum(axis=-1)
    return np.divide(n * m, n + m, out=np.zeros(np.broadcast(n, m).shape), where=n + m > 0)


def average_rows(rows: Array, weights: Array | None = None) -> Array:
    """Average over the rows that are not NaN, shape (...); NaN when none is left."""
    seen = ~np.isnan(rows)
    weight = seen.astype(np.float64) if weights is None else np.where(seen, weights, 0.0)
    total = weight.sum(axis=-1)
    value = (np.where(seen, rows, 0.0) * weight).sum(axis=-1)
    return np.divide(value, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def _jensen_shannon_squared(p: Array, q: Array) -> Array:
    middle = (p + q) / 2
    both = rel_entr(p, middle).sum(axis=-1) + rel_entr(q, middle).sum(axis=-1)
    return both / (2 * np.log(2))
