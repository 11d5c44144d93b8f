"""A larva frame as numbers that a network can learn, and back.

A sequence of ``T`` midlines of ``P`` points becomes ``(T, N)`` numbers, ``N = 2 P + 2``:

- ``x_0, y_0, ..., x_{P-1}, y_{P-1}``: the points, head first, relative to their mean (the frame's
  centroid);
- ``dx, dy``: how far the centroid has moved since the previous frame; 0 in the first one.

All frames of a sequence are turned by one angle, so that the rear half of the body (tail to
middle) points along +x in the first frame, and lengths are divided by the larva's own length.
Where the larva lay, which way it pointed and how long it is are kept as the :class:`Pose`, so that
:func:`from_frames` gives back the midlines. ``P = 11`` gives the 24 numbers of the spine,
``P = 5`` the 12 numbers of five vertebrae.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.shape.midline import from_vertebrae
from larvastats.shape.vertebrae import SPINE_POINTS, VERTEBRAE, five_vertebrae

POINTS = (SPINE_POINTS, len(VERTEBRAE))
"""Numbers of midline points that frames are made of."""

BASELINE_FRAMES = 5
"""Fewest frames before the stimulus from which a larva's length is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """What egocentric frames leave out.

    Attributes
    ----------
    origin : ndarray of float64, shape (..., 2)
        Centroid of the first frame, in the unit of the midlines.
    heading : ndarray of float64, shape (...)
        Direction of the rear half of the body in the first frame, radians.
    length : ndarray of float64, shape (...)
        The larva's own length, in the unit of the midlines.
    """

    origin: NDArray[np.float64]
    heading: NDArray[np.float64]
    length: NDArray[np.float64]


def n_features(points: int) -> int:
    """Return how many numbers a frame of so many midline points has."""
    return 2 * points + 2


def n_points(features: int) -> int:
    """Return how many midline points a frame of so many numbers has."""
    return (features - 2) // 2


def reduce_points(midline: NDArray[np.floating], points: int) -> NDArray[np.float64]:
    """Return midlines of any number of points as 11 points, or as five vertebrae.

    Midlines of 11 points are taken as they are; five vertebrae are the means of points that
    :func:`larvastats.shape.vertebrae.five_vertebrae` takes, and become 11 points by its inverse, a
    spline (:func:`larvastats.shape.midline.from_vertebrae`); from other numbers of points, new ones
    are placed evenly along the line.

    Parameters
    ----------
    midline : ndarray, shape (frame, point, 2)
        Head first.
    points : {11, 5}

    Raises
    ------
    DataError
        Another number is asked for, or midlines have fewer than five points.
    """
    found = midline.shape[-2]
    if points not in POINTS or found < len(VERTEBRAE):
        raise DataError(
            f"expected frames of {' or '.join(map(str, POINTS))} midline points made from at least "
            f"{len(VERTEBRAE)}, but {points} are to be made from {found}; choose another number."
        )
    if found == points:
        return np.asarray(midline, dtype=np.float64)
    if found == len(VERTEBRAE):
        return from_vertebrae(midline)
    spine = midline if found == SPINE_POINTS else resample_points(midline, SPINE_POINTS)
    return np.asarray(spine if points == SPINE_POINTS else five_vertebrae(spine))


def resample_points(midline: NDArray[np.floating], points: int) -> NDArray[np.float64]:
    """Place points evenly along midlines that have another number of them.

    Parameters
    ----------
    midline : ndarray, shape (frame, point, 2)
        NaN in a frame makes the whole frame NaN.
    points : int

    Returns
    -------
    ndarray, shape (frame, points, 2)
    """
    midline = np.asarray(midline, dtype=np.float64)
    steps = np.linalg.norm(np.diff(midline, axis=1), axis=2)
    along = np.concatenate((np.zeros((len(midline), 1)), np.cumsum(steps, axis=1)), axis=1)
    wanted = along[:, -1:] * np.linspace(0.0, 1.0, points)
    # for every wanted place: the last given point at or before it
    before = (along[:, None, :-1] <= wanted[:, :, None]).sum(axis=2) - 1
    before = np.clip(before, 0, midline.shape[1] - 2)
    rows = np.arange(len(midline))[:, None]
    size = steps[rows, before]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(size > 0, (wanted - along[rows, before]) / size, 0.0)
    start, stop = midline[rows, before], midline[rows, before + 1]
    out = start + share[:, :, None] * (stop - start)
    out[~np.isfinite(along[:, -1])] = np.nan
    return out


def body_length(midline: NDArray[np.floating]) -> NDArray[np.float64]:
    """Length along the midline, shape (...); NaN where a point is.

    Parameters
    ----------
    midline : ndarray, shape (..., point, 2)
    """
    steps = np.diff(np.asarray(midline, dtype=np.float64), axis=-2)
    return np.asarray(np.hypot(steps[..., 0], steps[..., 1]).sum(axis=-1))


def own_length(midline: NDArray[np.floating], t: NDArray[np.floating], onset: float) -> float:
    """Mean length of a larva before the stimulus, or of its whole track where that is not seen.

    Parameters
    ----------
    midline : ndarray, shape (frame, point, 2)
        Of one larva.
    t : ndarray, shape (frame,)
        Seconds.
    onset : float
        Of the first stimulus, s; infinite where there is none.

    Returns
    -------
    float
        NaN where no frame has a whole midline, or the midlines have no length.
    """
    length = body_length(midline)
    good = np.isfinite(length) & (length > 0)
    before = good & (t < onset)
    chosen = before if before.sum() >= BASELINE_FRAMES else good
    return float(length[chosen].mean()) if chosen.any() else float("nan")


def to_frames(
    midline: NDArray[np.floating], length: NDArray[np.floating] | float
) -> tuple[NDArray[np.float64], Pose]:
    """Turn midlines into egocentric frames.

    Parameters
    ----------
    midline : ndarray, shape (..., T, point, 2)
        Head first, any unit.
    length : float or ndarray, shape (...)
        The larva's own length, in the same unit.

    Returns
    -------
    frames : ndarray of float64, shape (..., T, 2 * point + 2)
        In body lengths.
    pose : Pose

    Raises
    ------
    DataError
        A coordinate is not finite, or a length not positive.

    Examples
    --------
    >>> midline = np.random.default_rng(0).normal(size=(50, 11, 2))
    >>> frames, pose = to_frames(midline, 4.0)
    >>> frames.shape
    (50, 24)
    >>> bool(np.abs(from_frames(frames, pose) - midline).max() < 1e-9)
    True
    """
    points = np.asarray(midline, dtype=np.float64)
    scale = np.broadcast_to(np.asarray(length, dtype=np.float64), points.shape[:-3])
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=(-1, -2)).sum())
        raise DataError(
            f"expected midlines without gaps, but {bad} frames have coordinates that are not "
            "finite; cut sequences at gaps, as `larvastats generate index` does."
        )
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise DataError("expected larvae with a length above 0, but one has none; leave it out.")
    centroid = points.mean(axis=-2)  # (..., T, 2)
    first = points[..., 0, :, :]
    rear = first[..., first.shape[-2] // 2, :] - first[..., -1, :]  # tail to middle
    heading = np.arctan2(rear[..., 1], rear[..., 0])
    local = _turn(points - centroid[..., None, :], -heading[..., None, None])
    moved = np.diff(centroid, axis=-2, prepend=centroid[..., :1, :])
    moved = _turn(moved, -heading[..., None])
    flat = local.reshape(*local.shape[:-2], -1)
    frames = np.concatenate((flat, moved), axis=-1) / scale[..., None, None]
    return frames, Pose(centroid[..., 0, :], heading, np.array(scale))


def from_frames(frames: NDArray[np.floating], pose: Pose) -> NDArray[np.float64]:
    """Turn frames back into midlines: the inverse of :func:`to_frames`.

    Parameters
    ----------
    frames : ndarray, shape (..., T, N)
    pose : Pose
        With arrays of shape (...).

    Returns
    -------
    ndarray of float64, shape (..., T, point, 2)
        In the unit of the pose.
    """
    values = np.asarray(frames, dtype=np.float64) * np.asarray(pose.length)[..., None, None]
    heading = np.asarray(pose.heading)
    local = values[..., :-2].reshape(*values.shape[:-1], -1, 2)
    local = _turn(local, heading[..., None, None])
    path = np.cumsum(_turn(values[..., -2:], heading[..., None]), axis=-2)
    centroid = np.asarray(pose.origin)[..., None, :] + path
    return local + centroid[..., None, :]


def standard_pose(length: float, n: int) -> Pose:
    """Return poses at the origin, pointing along +x, of `n` larvae of one length."""
    return Pose(np.zeros((n, 2)), np.zeros(n), np.full(n, float(length)))


def reflect(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mirror frames at the axis of the first heading: left becomes right.

    Parameters
    ----------
    frames : ndarray, shape (..., N)
        Numbers in the order of this module, normalised or not: the means of y are 0.
    """
    mirrored = frames.copy()
    mirrored[..., 1::2] *= -1  # every y, and dy
    return mirrored


def mirrored_names(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return for every name the position of its mirror image: left and right change places.

    Examples
    --------
    >>> mirrored_names(("run", "cast_left", "cast_right"))
    (0, 2, 1)
    """
    place = {name: position for position, name in enumerate(names)}

    def swapped(name: str) -> str:
        return name.replace("left", "\0").replace("right", "left").replace("\0", "right")

    return tuple(place.get(swapped(name), position) for position, name in enumerate(names))


def _turn(xy: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate vectors, shape (..., 2), by angles that broadcast against (...)."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = xy[..., 0], xy[..., 1]
    return np.stack((cos * x - sin * y, sin * x + cos * y), axis=-1)


# -- one scale per kind ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Normaliser:
    """Shift and scale of frames; fitted on training assays only.

    Coordinates have one scale, displacements another, so that no point or direction is stretched
    against another. The means of y are 0: a mirrored larva stays a mirrored larva.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (N,)
        In body lengths.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, frames: NDArray[np.floating], mask: NDArray[np.bool_] | None = None) -> Normaliser:
        """Fit to frames, shape (n, T, N), of which `mask`, shape (n, T), says which are there."""
        flat = frames[mask] if mask is not None else frames.reshape(-1, frames.shape[-1])
        if not len(flat):
            raise DataError("expected frames to fit a normaliser to, but there is none.")
        n = len(flat)
        mean = flat.sum(axis=0, dtype=np.float64) / n
        mean[1::2] = 0.0
        spread = np.array([np.square(flat[:, k] - mean[k], dtype=np.float64).sum() / n
                           for k in range(flat.shape[1])])  # fmt: skip
        scale = np.empty_like(mean)
        for kind in (slice(None, -2), slice(-2, None)):
            scale[kind] = max(float(np.sqrt(spread[kind].mean())), 1e-6)
        return cls(mean, scale)

    def apply(self, frames: NDArray[np.floating]) -> NDArray[np.float32]:
        """Normalise frames, shape (..., N)."""
        return ((frames - self.mean) / self.scale).astype(np.float32)

    def invert(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give back frames in body lengths."""
        return np.asarray(values, dtype=np.float64) * self.scale + self.mean
