"""Outlines as periodic functions: even steps along them, and few of their Fourier coefficients.

An outline with its vertices at equal steps of arc length is a periodic function ``z = x + iy`` of
the step, ``z_j = sum_k c_k exp(2 pi i j k / n)`` (Kuhl and Giardina 1982, Comput. Graph. Image
Process. 18:236). ``c_0`` is its centre, ``c_1`` and ``c_-1`` make an ellipse, and a larva's outline
needs few more: `HARMONICS` says how many are kept. So few that all frames together are one small
matrix product, without any FFT. It takes all x and all y of a frame in rows: arrays of points made
here have the shape (frame, point, 2) but lie in memory as (frame, 2, point), and others are copied.

Outlines come in two flat arrays, as :class:`larvastats.io.contours.Contours` holds them: vertices,
shape (vertex, 2), and start, shape (frame + 1,).
"""

from __future__ import annotations

from collections.abc import Iterator
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

_BLOCK = 1024  # rows that fit into a processor's cache
_VERTICES = 1 << 15  # likewise, in double precision with all that is made of them


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
    v, begin = np.asarray(vertices).reshape(-1, 2), np.asarray(start, np.int64)
    out = np.full((len(begin) - 1, 2, n), np.nan, dtype=np.float32)
    for block in _blocks(begin):
        own = begin[block.start : block.stop + 1]
        _resample(v[own[0] : own[-1]], own - own[0], out[block])
    return out.transpose(0, 2, 1)


def count_vertices(vertices: ArrayLike, start: ArrayLike) -> NDArray[np.int64]:
    """Count the finite vertices of outlines, shape (frame,)."""
    v, begin = np.asarray(vertices).reshape(-1, 2), np.asarray(start, np.int64)
    out = np.empty(len(begin) - 1, np.int64)
    for block in _blocks(begin):
        own = begin[block.start : block.stop + 1]
        out[block] = _finite(v[own[0] : own[-1]], own - own[0])[1]
    return out


def perimeter(vertices: ArrayLike, start: ArrayLike) -> NDArray[np.float64]:
    """Length of outlines, shape (frame,); NaN with fewer than three finite vertices."""
    v, counts = _finite(vertices, start)
    step = v[_next(counts)] - v
    total = np.bincount(_frames(counts), np.hypot(step[:, 0], step[:, 1]), len(counts))
    return np.where(counts < MIN_VERTICES, np.nan, total)


def area(vertices: ArrayLike, start: ArrayLike) -> NDArray[np.float64]:
    """Area within outlines, shape (frame,); NaN with fewer than three finite vertices.

    Of an outline that crosses itself, what runs the other way counts negative.
    """
    v, counts = _finite(vertices, start)
    frame, first = _frames(counts), np.cumsum(counts) - counts
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
    rows, n = _rows(points)
    _check_harmonics(harmonics, n)
    analysis = _analysis(n, harmonics).astype(rows.dtype)
    sums = np.empty((len(rows), analysis.shape[1]), dtype=rows.dtype)
    for begin in range(0, len(rows), _BLOCK):
        np.matmul(rows[begin : begin + _BLOCK], analysis, out=sums[begin : begin + _BLOCK])
    z = sums[0::2] + 1j * sums[1::2]  # of cosines and sines: half of c_k + c_-k, i (c_k - c_-k)
    even, odd = z[:, : harmonics + 1], 1j * z[:, harmonics + 1 : 2 * harmonics + 1]
    out = np.empty((len(z), 2 * harmonics + 1), dtype=z.dtype)
    out[:, harmonics] = even[:, 0]
    out[:, harmonics + 1 :] = (even[:, 1:] - odd) / 2
    out[:, harmonics - 1 :: -1] = (even[:, 1:] + odd) / 2
    return out


def from_coefficients(c: NDArray[np.complexfloating], n: int = N_POINTS) -> Points:
    """Points of outlines from their coefficients, shape (frame, n, 2)."""
    harmonics = c.shape[1] // 2
    upper, lower = c[:, harmonics + 1 :], c[:, :harmonics][:, ::-1]
    z = np.concatenate(
        (c[:, harmonics : harmonics + 1], upper + lower, 1j * (upper - lower)), axis=1
    )
    sums = np.empty((2 * len(c), z.shape[1] + 1), dtype=c.real.dtype)
    sums[0::2, :-1], sums[1::2, :-1], sums[:, -1] = z.real, z.imag, 0
    drawn = sums @ _synthesis(n, harmonics).astype(sums.dtype)
    return drawn.reshape(len(c), 2, n).transpose(0, 2, 1)


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
    rows, given = _rows(points)
    n = given if n is None else n
    _check_harmonics(harmonics, given)
    analysis = _analysis(given, harmonics).astype(rows.dtype)
    synthesis = _synthesis(n, harmonics).astype(rows.dtype)
    out = np.empty((len(rows), n), dtype=rows.dtype)
    for begin in range(0, len(rows), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        np.matmul(rows[block] @ analysis, synthesis, out=out[block])
    return out.reshape(len(rows) // 2, 2, n).transpose(0, 2, 1)


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


def _finite(vertices: ArrayLike, start: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Finite vertices, and their number in every frame."""
    v, begin = np.asarray(vertices, np.float64).reshape(-1, 2), np.asarray(start, np.int64)
    finite = np.isfinite(v)
    if finite.all():
        return v, np.diff(begin)
    there = finite[:, 0] & finite[:, 1]
    return v[there], np.diff(np.concatenate(([0], np.cumsum(there)))[begin])


def _frames(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frame of every vertex."""
    return np.repeat(np.arange(len(counts)), counts)


def _next(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of the vertex after each; after the last of a frame comes its first."""
    after = np.arange(1, counts.sum() + 1)
    some = counts > 0
    last = np.cumsum(counts)[some] - 1
    after[last] = last - counts[some] + 1
    return after


def _blocks(start: NDArray[np.int64]) -> Iterator[slice]:
    """Cut frames into pieces whose vertices fit into a processor's cache."""
    first, n = 0, len(start) - 1
    while first < n:
        stop = int(np.searchsorted(start, start[first] + _VERTICES, side="right")) - 1
        stop = min(max(stop, first + 1), first + _BLOCK, n)
        yield slice(first, stop)
        first = stop


def _resample(
    vertices: NDArray[np.floating], start: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    """Resample some frames into `out`, shape (frame, 2, point); what has no outline stays."""
    v, counts = _finite(vertices, start)
    row = np.flatnonzero(counts >= MIN_VERTICES)
    if not len(row):
        return
    if len(row) < len(counts):
        v, counts = v[np.repeat(counts >= MIN_VERTICES, counts)], counts[row]
    closed, last = _closed(v, counts)
    part, usable = _arc(closed, last, counts)
    # knots of frame r lie in [2r, 2r + 1]: one call interpolates in all frames
    knots = np.concatenate(([0.0], np.cumsum(part)))
    even = 2.0 * np.arange(len(row))
    knots[last - counts], knots[last] = even, even + 1
    n = out.shape[2]
    drawn = np.interp((even[:, np.newaxis] + np.arange(n) / n).ravel(), knots, closed)
    drawn = drawn.reshape(-1, n)[usable]
    out[row[usable], 0], out[row[usable], 1] = drawn.real, drawn.imag


def _closed(
    v: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.complex128], NDArray[np.int64]]:
    """Outlines that end with their first vertex again, ``x + iy``; and where they end."""
    last = np.cumsum(counts + 1) - 1
    closed = np.empty(last[-1] + 1, np.complex128)
    own = np.ones(len(closed), bool)
    own[last] = False
    closed[own] = np.ascontiguousarray(v).view(np.complex128).ravel()
    closed[last] = closed[last - counts]
    return closed, last


def _arc(
    closed: NDArray[np.complex128], last: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Share of its outline between each vertex and the next, and which frames have an outline.

    From the end of an outline to the beginning of the next: one. Outlines of no length or an
    infinite one come with their first edge, and as not usable.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        edge = np.abs(np.diff(closed))  # of complex numbers: ten times as fast as hypot
        edge[last[:-1]] = 0
        total = np.add.reduceat(edge, last - counts)
        usable = (total > 0) & np.isfinite(total)
        part = edge / np.repeat(np.where(usable, total, 1.0), counts + 1)[:-1]
    if not usable.all():
        part[~np.repeat(usable, counts + 1)[:-1]] = 0
        part[(last - counts)[~usable]] = 1  # so that the knots of those behind stay in step
    part[last[:-1]] = 1
    return part, usable


# -- matrices --------------------------------------------------------------------------------------


def _rows(points: ArrayLike) -> tuple[NDArray[np.floating], int]:
    """Put x and y of every frame into rows of their own; and the number of points."""
    z = np.asarray(points)
    if z.dtype not in (np.float32, np.float64):
        z = z.astype(np.float64)
    if z.ndim != 3 or z.shape[-1] != 2:
        raise UsageError(
            f"Outlines need the shape (frame, point, 2), but have {z.shape}; put their points at "
            "equal steps first."
        )
    n = z.shape[1]
    return np.ascontiguousarray(z.transpose(0, 2, 1)).reshape(2 * len(z), n), n


def _check_harmonics(harmonics: int, n: int) -> None:
    if not 0 <= 2 * harmonics < n:
        raise UsageError(
            f"{n} points on an outline carry harmonics below {n / 2:g}, but {harmonics} are asked "
            "for; ask for fewer, or for more points."
        )


@lru_cache(maxsize=16)
def _analysis(n: int, harmonics: int) -> NDArray[np.float64]:
    """Matrix, shape (n, 2 * harmonics + 2), from points to amplitudes of cosines and sines."""
    scale = np.full(2 * harmonics + 2, 2 / n)
    scale[0] = 1 / n
    return _read_only(_waves(n, harmonics) * scale)


@lru_cache(maxsize=16)
def _synthesis(n: int, harmonics: int) -> NDArray[np.float64]:
    """Matrix, shape (2 * harmonics + 2, n), back to points."""
    return _read_only(np.ascontiguousarray(_waves(n, harmonics).T))


def _waves(n: int, harmonics: int) -> NDArray[np.float64]:
    """Cosines 0 to `harmonics`, sines 1 to `harmonics`, and zeros that make the columns even."""
    angle = 2 * np.pi * np.outer(np.arange(n), np.arange(harmonics + 1)) / n
    return np.concatenate((np.cos(angle), np.sin(angle[:, 1:]), np.zeros((n, 1))), axis=1)


def _read_only(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix.flags.writeable = False
    return matrix
