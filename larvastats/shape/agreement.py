"""How alike two outlines are: intersection over union, and Hausdorff distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]


def overlap(one: ArrayLike, two: ArrayLike, lines: int = 200) -> float:
    """Area within both of two outlines, over that within any (Jaccard index).

    The areas are cut into horizontal lines; along each they are exact, so that the error of the
    index is of the order of one line, 1/`lines`.

    Parameters
    ----------
    one, two : array-like, shape (vertex, 2)
        Inside is what an odd number of edges separates from outside. Vertices that are not finite
        are passed over.
    lines : int

    Returns
    -------
    float
        From 0 to 1; NaN where one of them encloses nothing.
    """
    first, second = (_finite(outline) for outline in (one, two))
    if len(first) < 3 or len(second) < 3:
        return float("nan")
    low, high = (f(np.concatenate((first, second))[:, 1]) for f in (np.min, np.max))
    y = low + (high - low) * (np.arange(lines) + 0.5) / lines
    at = [_crossings(outline, y) for outline in (first, second)]
    x = np.concatenate(at, axis=1)
    owner = np.repeat([0, 1], [part.shape[1] for part in at])
    order = np.argsort(x, axis=1)
    x, owner = np.take_along_axis(x, order, axis=1), owner[order]
    within = [np.cumsum(owner == number, axis=1)[:, :-1] % 2 == 1 for number in (0, 1)]
    with np.errstate(invalid="ignore"):  # infinite: an edge that a line misses
        gap = np.diff(x, axis=1)
    gap = np.where(np.isfinite(x[:, 1:]), gap, 0)
    sizes = [float(gap[inside].sum()) for inside in within]
    if min(sizes) == 0:
        return float("nan")
    both = float(gap[within[0] & within[1]].sum())
    return both / (sum(sizes) - both)


def _finite(outline: ArrayLike) -> Array:
    points = np.asarray(outline, np.float64).reshape(-1, 2)
    return points[np.isfinite(points).all(axis=1)]


def _crossings(outline: Array, y: Array) -> Array:
    """Where the edges of an outline cross horizontal lines, shape (line, edge); inf: nowhere."""
    after = np.roll(outline, -1, axis=0)
    low, high = outline[:, 1], after[:, 1]
    line = y[:, np.newaxis]
    crosses = (low <= line) != (high <= line)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        x = outline[:, 0] + (line - low) / (high - low) * (after[:, 0] - outline[:, 0])
    return np.where(crosses, x, np.inf)


def hausdorff(one: ArrayLike, two: ArrayLike) -> float:
    """Largest distance from a point of one outline to the nearest of the other, either way.

    Parameters
    ----------
    one, two : array-like, shape (point, 2)
        Dense enough that points stand for the curve.

    Returns
    -------
    float
        In the unit of the points; NaN without points.
    """
    first, second = _finite(one), _finite(two)
    if not len(first) or not len(second):
        return float("nan")
    distance = cdist(first, second)
    return float(max(distance.min(axis=0).max(), distance.min(axis=1).max()))
