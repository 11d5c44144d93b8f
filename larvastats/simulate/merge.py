"""Two larvae that touch and are taken for one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from larvastats.simulate.body import N_POINTS

Array = NDArray[np.floating]


def joined(
    rng: np.random.Generator, one: NDArray[np.complex128], two: NDArray[np.complex128],
    outlines: tuple[Array, Array], n_points: int,
) -> tuple[NDArray[np.complex128], NDArray[np.float32]]:  # fmt: skip
    """Return midline and outline of a body and another that lies across it.

    The second is moved so that the two share a point inside both. From there the outline of their
    union is, in every direction, the farther one of the two; midlines go along the first from its
    tail to the point and along the second to its farther end, as a tracker's from one end of a blob
    to another.

    Parameters
    ----------
    rng : Generator
    one, two : ndarray of complex, shape (frame, point)
        Midlines, tail first.
    outlines : two ndarrays, shape (frame, vertex, 2)
        Theirs.
    n_points : int
        Vertices of the outline.

    Returns
    -------
    midline : ndarray of complex, shape (frame, point)
    outline : ndarray of float32, shape (frame, vertex, 2)
    """
    at, other = rng.integers(3, N_POINTS - 3, 2)
    centre = one[:, at]
    shift = centre - two[:, other]
    moved = two + shift[:, None]
    away = np.abs(moved[:, [0, -1]] - one[:, :1]).mean(axis=0)
    rest = moved[:, other + 1 :] if away[1] > away[0] else moved[:, other - 1 :: -1]
    path = np.concatenate([one[:, : at + 1], rest], axis=1)
    near, far = (o[..., 0] + 1j * o[..., 1] for o in outlines)
    angles = 2 * np.pi * np.arange(n_points) / n_points
    reach = np.maximum(
        _reach(near - centre[:, None], angles), _reach(far + (shift - centre)[:, None], angles)
    )
    union = centre[:, None] + reach * np.exp(1j * angles)
    return _evenly(path), np.stack([union.real, union.imag], axis=-1).astype(np.float32)


def _reach(polygon: NDArray[np.complex128], angles: Array) -> Array:
    """Distance from the origin to the farthest edge in every direction, shape (frame, angle)."""
    ahead = np.roll(polygon, -1, axis=1)
    turned = polygon[:, None, :] * np.exp(-1j * angles)[:, None]
    next_turned = ahead[:, None, :] * np.exp(-1j * angles)[:, None]
    # an edge meets the ray where its imaginary part changes sign
    low, high = turned.imag, next_turned.imag
    meets = (low <= 0) != (high <= 0)
    share = np.divide(low, low - high, out=np.zeros_like(low), where=meets)
    where = turned.real + share * (next_turned.real - turned.real)
    return np.asarray(np.where(meets, where, 0.0).max(axis=2))


def _evenly(path: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Points at equal distances along paths, shape (frame, N_POINTS)."""
    run = np.cumsum(np.abs(np.diff(path, axis=1)), axis=1)
    run = np.concatenate([np.zeros((len(path), 1)), run], axis=1)
    out = np.empty((len(path), N_POINTS), dtype=np.complex128)
    for row, (along, points) in enumerate(zip(run, path, strict=True)):
        out[row] = np.interp(np.linspace(0, along[-1], N_POINTS), along, points)
    return out
