"""Outlines as periodic functions: even steps along them, and few of their Fourier coefficients.

An outline with its vertices at equal steps of arc length is a periodic function ``z = x + iy`` of
the step, ``z_j = sum_k c_k exp(2 pi i j k / n)`` (Kuhl and Giardina 1982, Comput. Graph. Image
Process. 18:236). ``c_0`` is its centre, ``c_1`` and ``c_-1`` make an ellipse, and a larva's outline
needs few more: `HARMONICS` says how many are kept. So few that all frames together are one small
matrix product, without any FFT.

Outlines come in two flat arrays, as :class:`larvastats.io.contours.Contours` holds them: vertices,
shape (vertex, 2), and start, shape (frame + 1,).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larvastats.errors import UsageError

Points = NDArray[np.floating]
"""Float32 or float64, shape (frame, point, 2)."""

N_POINTS = 100
"""Steps along an outline: trackers give 60 to 160 vertices to a larva."""

HARMONICS = 7
"""Harmonics that are kept, -7 to 7: 15 coefficients."""

MIN_VERTICES = 3

_BLOCK = 256  # frames whose coordinates fit into a processor's cache


def flatten(padded: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Put outlines that are padded with NaN into two flat arrays.

    Parameters
    ----------
    padded : array-like, shape (frame, vertex, 2)
        Vertices with a coordinate that is not finite are left out, wherever they stand.

    Returns
    -------
    vertices : ndarray of float32, shape (vertex, 2)
    start : ndarray of int64, shape (frame + 1,)
    """
    points = np.asarray(padded)
    with np.errstate(over="ignore", invalid="ignore"):
        points = points.astype(np.float32)
    there = np.isfinite(points).all(axis=2)
    return points[there], np.concatenate(([0], np.cumsum(there.sum(axis=1))))


def resample(vertices: ArrayLike, start: ArrayLike, n: int = N_POINTS) -> NDArray[np.float32]:
    """Put points at equal steps of arc length on outlines, beginning with their first vertex.

    Parameters
    ----------
    vertices : array-like, shape (vertex, 2)
        Of all frames in order, each outline without the vertex that closes it. Those that are not
        finite are passed over.
    start : array-like of int, shape (frame + 1,)
        Frame ``f`` owns the vertices ``start[f]`` to ``start[f + 1] - 1``.
    n : int

    Returns
    -------
    ndarray of float32, shape (frame, n, 2)
        NaN where fewer than three vertices are left, or where they all coincide.
    """
    v, frame, counts = _finite(vertices, start)
    out = np.full((len(counts), n, 2), np.nan, dtype=np.float32)
    part, usable = _arc(v, frame, counts)
    if not usable.any():
        return out
    keep = usable[frame]
    v, part = v[keep], part[keep]
    own = counts[usable]
    rank = np.repeat(np.arange(len(own)), own)
    # knots of frame r lie in [2r, 2r + 1]: one call interpolates in all frames
    within = np.cumsum(part)
    first = np.cumsum(own) - own
    before = np.concatenate(([0.0], within[:-1]))
    before -= np.repeat(before[first], own)
    even = 2.0 * np.arange(len(own))
    knots = np.insert(2.0 * rank + np.clip(before, 0, 1), first + own, even + 1)
    at = (even[:, np.newaxis] + np.arange(n) / n).ravel()
    for axis in (0, 1):
        closed = np.insert(v[:, axis], first + own, v[first, axis])
        out[usable, :, axis] = np.interp(at, knots, closed).reshape(-1, n)
    return out


def perimeter(vertices: ArrayLike, start: ArrayLike) -> NDArray[np.float64]:
    """Length of outlines, shape (frame,); NaN with fewer than three finite vertices."""
    v, frame, counts = _finite(vertices, start)
    total = np.bincount(frame, _edges(v, frame, counts), len(counts))
    return np.where(counts < MIN_VERTICES, np.nan, total)


def area(vertices: ArrayLike, start: ArrayLike) -> NDArray[np.float64]:
    """Area within outlines, shape (frame,); NaN with fewer than three finite vertices.

    Of an outline that crosses itself, what runs the other way counts negative.
    """
    v, frame, counts = _finite(vertices, start)
    first = np.cumsum(counts) - counts
    local = v - v[np.minimum(first, max(len(v) - 1, 0))[frame]] if len(v) else v
    after = local[_next(counts)]
    twice = local[:, 0] * after[:, 1] - local[:, 1] * after[:, 0]
    total = np.abs(np.bincount(frame, twice, len(counts))) / 2
    return np.where(counts < MIN_VERTICES, np.nan, total)


def coefficients(points: ArrayLike, harmonics: int = HARMONICS) -> NDArray[np.complexfloating]:
    """Fourier coefficients of outlines.

    Parameters
    ----------
    points : array-like, shape (frame, point, 2)
        At equal steps, as :func:`resample` puts them. Float32 stays single precision, which is
        twice as fast.
    harmonics : int
        At most half the number of points.

    Returns
    -------
    ndarray of complex, shape (frame, 2 * harmonics + 1)
        In the unit of the points, harmonics ascending from ``-harmonics``; NaN where a point is.
    """
    flat, n = _rows(points)
    _check_harmonics(harmonics, n)
    analysis = _analysis(n, harmonics).astype(flat.dtype)
    out = np.empty((len(flat), analysis.shape[1]), dtype=flat.dtype)
    for begin in range(0, len(flat), _BLOCK):
        np.matmul(flat[begin : begin + _BLOCK], analysis, out=out[begin : begin + _BLOCK])
    return out.view(np.result_type(flat.dtype, np.complex64))


def from_coefficients(c: NDArray[np.complexfloating], n: int = N_POINTS) -> Points:
    """Points of outlines from their coefficients, shape (frame, n, 2)."""
    c = np.ascontiguousarray(c)
    flat = c.view(c.real.dtype)
    return (flat @ _synthesis(n, c.shape[1] // 2).astype(flat.dtype)).reshape(len(c), n, 2)


def low_pass(points: ArrayLike, harmonics: int = HARMONICS, n: int | None = None) -> Points:
    """Smooth outlines by keeping their lowest harmonics.

    Parameters
    ----------
    points : array-like, shape (frame, point, 2)
        As :func:`coefficients` takes them.
    harmonics : int
    n : int, optional
        Number of points to return; by default as many as given.

    Returns
    -------
    ndarray of the same precision, shape (frame, n, 2)
        NaN where a frame has any.
    """
    flat, given = _rows(points)
    n = given if n is None else n
    _check_harmonics(harmonics, given)
    analysis = _analysis(given, harmonics).astype(flat.dtype)
    synthesis = _synthesis(n, harmonics).astype(flat.dtype)
    out = np.empty((len(flat), 2 * n), dtype=flat.dtype)
    for begin in range(0, len(flat), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        np.matmul(flat[block] @ analysis, synthesis, out=out[block])
    return out.reshape(len(flat), n, 2)


def turning_number(points: ArrayLike) -> NDArray[np.float64]:
    """How often outlines turn about themselves, counted without sign, shape (frame,).

    1 for every curve that does not cross itself (Hopf 1935, Compos. Math. 2:50), 0 for an eight, 2
    with a loop inside. NaN where a point is.
    """
    z = np.asarray(points)
    closed = np.concatenate((z, z[:, :2]), axis=1)
    edge = np.diff(closed, axis=1)
    x, y = edge[..., 0], edge[..., 1]
    # the edge's direction passes that of the positive x axis, upwards or downwards
    above = y > 0
    cross = x[:, :-1] * y[:, 1:] - y[:, :-1] * x[:, 1:]
    up = ~above[:, :-1] & above[:, 1:] & (cross > 0)
    down = above[:, :-1] & ~above[:, 1:] & (cross < 0)
    turns = np.abs(up.sum(axis=1) - down.sum(axis=1)).astype(np.float64)
    return np.where(np.isnan(z).any(axis=(1, 2)), np.nan, turns)


# -- vertices of all frames ------------------------------------------------------------------------


def _finite(
    vertices: ArrayLike, start: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Finite vertices, the frame of each, and their number in every frame."""
    v, begin = np.asarray(vertices, np.float64).reshape(-1, 2), np.asarray(start, np.int64)
    frame = np.repeat(np.arange(len(begin) - 1), np.diff(begin))
    there = np.isfinite(v).all(axis=1)
    if not there.all():
        v, frame = v[there], frame[there]
    return v, frame, np.bincount(frame, minlength=len(begin) - 1)


def _next(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of the vertex after each; after the last of a frame comes its first."""
    after = np.arange(1, counts.sum() + 1)
    some = counts > 0
    last = np.cumsum(counts)[some] - 1
    after[last] = last - counts[some] + 1
    return after


def _edges(
    v: NDArray[np.float64], frame: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Distance from each vertex to the next."""
    step = v[_next(counts)] - v
    return np.hypot(step[:, 0], step[:, 1])


def _arc(
    v: NDArray[np.float64], frame: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Share of the outline between each vertex and the next, and which frames have an outline."""
    edge = _edges(v, frame, counts)
    total = np.bincount(frame, edge, len(counts))
    usable = (counts >= MIN_VERTICES) & (total > 0) & np.isfinite(total)
    return edge / np.where(usable, total, 1.0)[frame], usable


# -- matrices --------------------------------------------------------------------------------------


def _rows(points: ArrayLike) -> tuple[NDArray[np.floating], int]:
    """Points of a frame as one row, x and y in turn; and their number."""
    z = np.asarray(points)
    if z.dtype not in (np.float32, np.float64):
        z = z.astype(np.float64)
    if z.ndim != 3 or z.shape[-1] != 2:
        raise UsageError(
            f"Outlines need the shape (frame, point, 2), but have {z.shape}; put their points at "
            "equal steps first."
        )
    return np.ascontiguousarray(z).reshape(len(z), 2 * z.shape[1]), z.shape[1]


def _check_harmonics(harmonics: int, n: int) -> None:
    if not 0 <= 2 * harmonics < n:
        raise UsageError(
            f"{n} points on an outline carry harmonics below {n / 2:g}, but {harmonics} are asked "
            "for; ask for fewer, or for more points."
        )


@lru_cache(maxsize=16)
def _analysis(n: int, harmonics: int) -> NDArray[np.float64]:
    """Matrix from points to coefficients, both with real and imaginary part in turn."""
    angle = 2 * np.pi * np.outer(np.arange(n), np.arange(-harmonics, harmonics + 1)) / n
    return _complex_product(np.exp(-1j * angle) / n)


@lru_cache(maxsize=16)
def _synthesis(n: int, harmonics: int) -> NDArray[np.float64]:
    angle = 2 * np.pi * np.outer(np.arange(-harmonics, harmonics + 1), np.arange(n)) / n
    return _complex_product(np.exp(1j * angle))


def _complex_product(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Real matrix that multiplies rows of real and imaginary parts as a complex one does."""
    out = np.empty((2 * matrix.shape[0], 2 * matrix.shape[1]))
    out[0::2, 0::2], out[1::2, 1::2] = matrix.real, matrix.real
    out[0::2, 1::2], out[1::2, 0::2] = matrix.imag, -matrix.imag
    out.flags.writeable = False
    return out
