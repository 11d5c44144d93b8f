"""Midlines: points at regular abscissae, smooth curves through few of them, and from outlines.

The report keeps five vertebrae of a larva, at regular abscissae ``t = 0, 1/4, ..., 1`` along its
axis, and draws a natural cubic spline through them. A spline with fixed knots is linear in its
points: for all frames together it is one matrix product (:func:`spline_matrix`). So is its inverse
(:func:`from_vertebrae`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from larvastats.errors import DataError, UsageError
from larvastats.shape.contour import HARMONICS, N_POINTS, coefficients, from_coefficients
from larvastats.shape.frames import starts
from larvastats.shape.vertebrae import SPINE_POINTS, VERTEBRAE, five_vertebrae

Array = NDArray[np.float64]

N_VERTEBRAE = len(VERTEBRAE)

APART = 0.3
"""Head and tail lie at least this share of the outline apart; half of it, in a straight larva."""

DOUBT = 0.5
"""Which way round a midline lies is in doubt where it fits the last one, turned round, within a
factor of two (in squares) as well as it does as it is."""

TURN_PRICE, DOUBT_PRICE = 2.0, 0.1
"""Body lengths; see :func:`head_first`."""

_BLOCK = 256  # frames whose coordinates fit into a processor's cache


def arc_length(midline: ArrayLike) -> Array:
    """Length of midlines, shape (frame,), in their unit; NaN where a point is not finite."""
    length = _steps(np.asarray(midline, np.float64)).sum(axis=1)
    return np.where(np.isfinite(length), length, np.nan)


def _steps(points: Array) -> Array:
    """Distance from each point of midlines to the next, shape (frame, point - 1)."""
    with np.errstate(invalid="ignore"):  # infinite points
        step = np.diff(points, axis=1)
    return np.hypot(step[..., 0], step[..., 1])


def regular(midline: ArrayLike, n: int = N_VERTEBRAE) -> Array:
    """Put points at regular abscissae on midlines, head and tail among them.

    Parameters
    ----------
    midline : array-like, shape (frame, point, 2)
        At least two points, joined by straight lines.
    n : int
        At least 2.

    Returns
    -------
    ndarray, shape (frame, n, 2)
        NaN where a point of the frame is, or where it has no length.
    """
    points = np.asarray(midline, np.float64)
    if n < 2 or points.ndim != 3 or points.shape[1] < 2 or points.shape[2] != 2:
        raise UsageError(
            f"Regular abscissae need midlines of the shape (frame, 2 or more points, 2) and at "
            f"least 2 new points, but the shape is {points.shape} and the number {n}."
        )
    share = _steps(points)
    total = share.sum(axis=1)
    usable = np.isfinite(total) & (total > 0)
    out = np.full((len(points), n, 2), np.nan)
    if not usable.any():
        return out
    points, share = points[usable], share[usable] / total[usable, np.newaxis]
    rows = np.arange(len(points))[:, np.newaxis]
    knots = np.zeros(points.shape[:2])
    knots[:, 1:] = np.clip(np.cumsum(share, axis=1), 0, 1)
    knots[:, -1] = 1.0
    at = 2.0 * rows + np.linspace(0, 1, n)  # knots of a frame lie in [2 frame, 2 frame + 1]
    for axis in (0, 1):
        values = np.interp(at.ravel(), (knots + 2.0 * rows).ravel(), points[..., axis].ravel())
        out[usable, :, axis] = values.reshape(-1, n)
    return out


def spline(points: ArrayLike, at: ArrayLike, derivative: int = 0) -> Array:
    """Natural cubic spline through points at regular abscissae.

    Parameters
    ----------
    points : array-like, shape (frame, point, 2)
        At abscissae 0 to 1.
    at : array-like, shape (abscissa,)
        Within 0 to 1.
    derivative : {0, 1, 2}
        With respect to the abscissa.

    Returns
    -------
    ndarray, shape (frame, abscissa, 2)
        NaN where a point of the frame is.
    """
    points = np.asarray(points, np.float64)
    where = tuple(np.asarray(at, np.float64).tolist())
    return along(spline_matrix(points.shape[1], where, derivative), points)


@lru_cache(maxsize=32)
def spline_matrix(n: int, at: tuple[float, ...], derivative: int = 0) -> Array:
    """Matrix, shape (abscissa, n), from points at regular abscissae to values of their spline."""
    unit = CubicSpline(np.linspace(0, 1, n), np.eye(n), bc_type="natural")
    out = np.asarray(unit(np.array(at), derivative))
    out.flags.writeable = False
    return out


def along(matrix: Array, points: Array) -> Array:
    """Multiply a matrix, shape (new, point), with the points of every frame, axis by axis."""
    out = np.empty((len(points), len(matrix), 2))
    for begin in range(0, len(points), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        for axis in (0, 1):
            out[block, :, axis] = np.ascontiguousarray(points[block, :, axis]) @ matrix.T
    return out


def from_vertebrae(vertebrae: ArrayLike) -> Array:
    """Spines of 11 points from five vertebrae: the inverse of :func:`five_vertebrae`.

    The points lie at abscissae 0, 1/10, ..., 1 of a natural cubic spline. Two of the vertebrae are
    means of two points, and lie on the chord between these, not on the spline; its knots are where
    they have to be so that ``five_vertebrae(from_vertebrae(v))`` is `v`, whatever `v` is.

    Parameters
    ----------
    vertebrae : array-like, shape (..., 5, 2)
        Head first.

    Returns
    -------
    ndarray, shape (..., 11, 2)
        NaN where a vertebra of the frame is.

    Raises
    ------
    DataError
        Not five points, or no points in the plane.

    Examples
    --------
    >>> bent = np.array([[[2.0, 1.0], [1.2, 0.4], [0.0, 0.0], [-1.0, 0.0], [-2.0, 0.0]]])
    >>> spine = from_vertebrae(bent)
    >>> spine.shape
    (1, 11, 2)
    >>> bool(np.abs(five_vertebrae(spine) - bent).max() < 1e-12)
    True
    """
    points = np.asarray(vertebrae, np.float64)
    if points.ndim < 2 or points.shape[-2:] != (N_VERTEBRAE, 2):
        raise DataError(
            f"Spines are made of {N_VERTEBRAE} vertebrae, but their shape is {points.shape}; "
            f"expected (..., {N_VERTEBRAE}, 2)."
        )
    flat = along(_spine_matrix(), points.reshape(-1, N_VERTEBRAE, 2))
    return flat.reshape(*points.shape[:-2], SPINE_POINTS, 2)


@lru_cache(maxsize=1)
def _spine_matrix() -> Array:
    """Matrix, shape (11, 5), from vertebrae to spines."""
    at = tuple(np.linspace(0, 1, SPINE_POINTS).tolist())
    spread = spline_matrix(N_VERTEBRAE, at)  # from knots to points
    both = np.repeat(spread.T[..., np.newaxis], 2, axis=2)  # a frame for every knot
    out = spread @ np.linalg.inv(five_vertebrae(both)[..., 0].T)
    out.flags.writeable = False
    return out


# -- from outlines ---------------------------------------------------------------------------------


def from_outline(points: ArrayLike, n: int = 11) -> Array:
    """Midlines from outlines, where a tracker gives nothing else.

    Head and tail are where the smoothed outline turns most: the first is the sharpest point, the
    second the sharpest that is at least :data:`APART` of the outline away. They part it into two
    sides, and the midline is halfway between points of equal abscissae on these.

    Parameters
    ----------
    points : array-like, shape (frame, point, 2)
        At equal steps, as :func:`larvastats.shape.contour.resample` puts them.
    n : int
        Points of the midline.

    Returns
    -------
    ndarray, shape (frame, n, 2)
        At regular abscissae; NaN where an outline is. Which end is the head is not known:
        :func:`head_first` says it from the movement.
    """
    c = coefficients(np.asarray(points, np.float64))
    smooth = from_coefficients(c, N_POINTS)
    ends = _ends(_turning(c))
    sides = [_side(smooth, ends[:, 0], ends[:, 1], n), _side(smooth, ends[:, 1], ends[:, 0], n)]
    middle = (sides[0] + sides[1][:, ::-1]) / 2
    return regular(middle, n) if n > 1 else middle


def _turning(c: NDArray[np.complexfloating]) -> Array:
    """How sharply smoothed outlines turn, convex positive, shape (frame, N_POINTS)."""
    k = np.arange(c.shape[1]) - c.shape[1] // 2
    first, second = (from_coefficients(c * (1j * k) ** p, N_POINTS) for p in (1, 2))
    cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    speed = (first**2).sum(axis=-1)
    signed = (np.abs(c[:, HARMONICS + 1 :]) ** 2 - np.abs(c[:, HARMONICS - 1 :: -1]) ** 2) @ k[
        HARMONICS + 1 :
    ]  # the area, over pi
    # where the curve stands still it turns at a point
    floor = 1e-3 * speed.mean(axis=1, keepdims=True) + np.finfo(float).tiny
    with np.errstate(invalid="ignore"):
        return np.sign(signed)[:, np.newaxis] * cross / np.maximum(speed, floor) ** 1.5


def _ends(turning: Array) -> NDArray[np.int64]:
    """Positions of the two ends, shape (frame, 2)."""
    known = np.where(np.isnan(turning), -np.inf, turning)
    first = known.argmax(axis=1)
    n = turning.shape[1]
    away = np.abs(np.arange(n) - first[:, np.newaxis])
    away = np.minimum(away, n - away)
    second = np.where(away >= APART * n, known, -np.inf).argmax(axis=1)
    return np.stack((first, second), axis=1)


def _side(smooth: NDArray[np.floating], begin: NDArray, end: NDArray, n: int) -> Array:
    """Points at regular abscissae from one end to the other, shape (frame, n, 2)."""
    size = smooth.shape[1]
    steps = (end - begin) % size
    at = begin[:, np.newaxis] + steps[:, np.newaxis] * np.linspace(0, 1, n)
    low = np.floor(at).astype(np.int64)
    part = (at - low)[..., np.newaxis]
    rows = np.arange(len(smooth))[:, np.newaxis]
    return (1 - part) * smooth[rows, low % size] + part * smooth[rows, (low + 1) % size]


def head_first(midline: ArrayLike, larva: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """Turn midlines round so that the head comes first.

    A midline lies as the last one did, and larvae move head first, mostly. Of all ways to turn the
    midlines of a larva, the one is taken in which it moves furthest ahead, at a price of
    :data:`TURN_PRICE` body lengths for each frame that is turned against the last one, and of
    :data:`DOUBT_PRICE` where it is in doubt how the two fit (a larva that coils, a lost frame). So
    a larva may crawl backwards by up to :data:`TURN_PRICE` body lengths.

    Parameters
    ----------
    midline : array-like, shape (frame, point, 2)
    larva : array-like of int, shape (frame,)
        Sorted.

    Returns
    -------
    midline : ndarray, shape (frame, point, 2)
    turned : ndarray of bool, shape (frame,)
    """
    points = np.asarray(midline, np.float64)
    turned = np.zeros(len(points), bool)
    known = np.flatnonzero(np.isfinite(points).all(axis=(1, 2)))
    if not len(known):
        return points.copy(), turned
    own, first = points[known], starts(np.asarray(larva)[known])
    flips, doubt = _chained(own, first)
    doubt |= np.diff(known, prepend=known[0] - 1) > 1
    axis = own[:, 0] - own[:, -1]
    axis[flips] *= -1
    ahead = np.zeros(len(own))
    move = np.diff(own.mean(axis=1), axis=0, prepend=own[:1].mean(axis=1))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ahead = (axis * move).sum(axis=1) / arc_length(own) ** 2
    ahead = np.where(first | ~np.isfinite(ahead), 0, ahead)
    price = np.where(first, 0, np.where(doubt, DOUBT_PRICE, TURN_PRICE))
    turned[known] = flips ^ _cheapest(ahead, price)
    out = points.copy()
    out[turned] = out[turned, ::-1]
    return out, turned


def _chained(own: Array, first: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Turn each midline to lie as the last one of its larva did; and where that is in doubt.

    Both of shape (frame,).
    """
    same, other = np.zeros(len(own)), np.ones(len(own))
    same[1:] = ((own[1:] - own[:-1]) ** 2).sum(axis=(1, 2))
    other[1:] = ((own[1:, ::-1] - own[:-1]) ** 2).sum(axis=(1, 2))
    flips = np.cumsum(((other < same) & ~first).astype(np.int64))
    flips = flips - flips[np.flatnonzero(first)][np.cumsum(first) - 1]
    return flips % 2 == 1, np.minimum(same, other) > DOUBT * np.maximum(same, other)


def _cheapest(ahead: Array, price: Array) -> NDArray[np.bool_]:
    """Choose which frames to turn so that movement ahead less the price of turning is largest.

    Two states, of which only the difference in score matters (Viterbi).

    Parameters
    ----------
    ahead : ndarray, shape (frame,)
        Movement ahead, in body lengths, if a frame is not turned; its negative if it is.
    price : ndarray, shape (frame,)
        Of another state than the last frame's; 0 where a larva begins.
    """
    scores, score = [], 0.0  # of turned over not turned
    for gain, cost in zip(ahead.tolist(), price.tolist(), strict=True):
        scores.append(score)
        score = min(max(score, -cost), cost) - 2 * gain
    state, out = score > 0, np.zeros(len(ahead), bool)
    costs = price.tolist()
    for i in range(len(scores) - 1, -1, -1):
        out[i] = state
        if abs(scores[i]) > costs[i]:
            state = scores[i] > 0
    return out
