"""Distances between two sets, as functions of arrays; rows are sequences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

Array = NDArray[np.float64]

NEIGHBOURS = 5
_AT_ONCE = 512


def frechet_distance(a: Array, b: Array) -> float:
    """Distance between Gaussians fitted to two sets of features (Heusel 2017, equation 6).

    Parameters
    ----------
    a, b : ndarray, shape (n, feature)
    """
    between = a.mean(axis=0) - b.mean(axis=0)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    # the trace of the root of a product does not change when a root moves to the other side
    root = np.real(sqrtm(_root(cov_a) @ cov_b @ _root(cov_a)))
    value = between @ between + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(root)
    return float(max(value, 0.0))


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def kernel_distance(a: Array, b: Array) -> float:
    """Squared MMD with the cubic kernel, unbiased: may be below 0 (Binkowski 2018, section 4).

    Parameters
    ----------
    a, b : ndarray, shape (n, feature)
    """
    width = a.shape[1]

    def kernel(x: Array, y: Array) -> Array:
        return np.asarray((x @ y.T / width + 1.0) ** 3)

    def within(x: Array) -> float:
        k = kernel(x, x)
        return float((k.sum() - np.trace(k)) / (len(x) * (len(x) - 1)))

    return within(a) + within(b) - 2 * float(kernel(a, b).mean())


def density_coverage(real: Array, fake: Array, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Density and coverage (Naeem 2020, equations 5 and 6).

    Parameters
    ----------
    real, fake : ndarray, shape (n, feature)
        `real` has more than `k` rows.
    k : int
        Neighbours whose distance is the radius around a real point.

    Returns
    -------
    density : float
        1 in expectation for equal distributions; above, where fakes crowd in the middle.
    coverage : float
        Share of real points with a fake one within their radius.
    """
    radius = np.sqrt(_nearest(real, real, k + 1))  # the nearest is the point itself
    inside = np.zeros(len(fake))
    covered = np.zeros(len(real), bool)
    for start in range(0, len(real), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        near = squared_distances(real[part], fake) <= radius[part, None] ** 2
        inside += near.sum(axis=0)
        covered[part] = near.any(axis=1)
    return float(inside.mean() / k), float(covered.mean())


def nearest_distance(x: Array, others: Array) -> Array:
    """Distance of every row of `x` to the nearest row of `others`, shape (n,)."""
    return np.sqrt(_nearest(x, others, 1))


def copying_ratio(fake: Array, held_out: Array, training: Array) -> float:
    """How near fakes are to training sequences, against how near held-out real ones are.

    Median over sequences of the distance to the nearest training sequence, ratio of the two; far
    below 1 where a model repeats what it has learned.
    """
    own = np.median(nearest_distance(fake, training))
    return float(own / np.median(nearest_distance(held_out, training)))


def squared_distances(a: Array, b: Array) -> Array:
    """Squared Euclidean distances, shape (len(a), len(b))."""
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * (a @ b.T)
    return np.maximum(square, 0.0)


def _nearest(x: Array, others: Array, k: int) -> Array:
    """Squared distance to the k-th nearest, shape (n,)."""
    out = np.empty(len(x))
    for start in range(0, len(x), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        out[part] = np.partition(squared_distances(x[part], others), k - 1, axis=1)[:, k - 1]
    return out
