"""How larvae move and bend, frame by frame: from midlines and times to series with units.

=================  ========  ====================================================================
series             unit      meaning
=================  ========  ====================================================================
``length``         mm        of the midline
``speed``          mm/s      of the centroid
``head_speed``     mm/s      of the head
``tail_speed``     mm/s      of the tail
``forward_speed``  mm/s      velocity of the centroid along the direction from tail to head;
                             negative: backwards
``head_angle``     rad       from the rear half's direction (tail to neck) to the front half's
                             (neck to head)
``body_angle``     rad       all turns along the midline from tail to head together; beyond pi
                             where the larva coils
``curvature``      rad/mm    ``body_angle`` over ``length``: the mean along the body
``orientation``    rad       direction of the rear half
``angular_speed``  rad/s     of ``orientation``
``run_direction``  rad       of the centroid's velocity
=================  ========  ====================================================================

Angles lie in (-pi, pi] (all but ``body_angle``) and are counter-clockwise in the recording's own
axes: to the larva's left where y points up, to its right in images, whose y points down. The neck
is the middle point of the midline, or halfway between the two middle ones.

A velocity is the slope of a straight line fitted to the positions within a window of time around
the frame; without a wider window, to the frame and its two neighbours. Real times are used, so that
irregular steps do no harm.

Where a value cannot be known it is NaN, and nothing is filled in: a frame has a value of a shape
where its midline is complete, and of a velocity where there is also such a frame on either side of
it, within the window or next to it, and not across a gap in tracking. The first and the last frame
of a track have no velocities.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larvastats.errors import UsageError
from larvastats.shape.frames import MEDIAN_STEPS, median_step, starts
from larvastats.shape.midline import Array, arc_length

UNITS = MappingProxyType(
    {
        "length": "{}", "speed": "{}/s", "head_speed": "{}/s", "tail_speed": "{}/s",
        "forward_speed": "{}/s", "head_angle": "rad", "body_angle": "rad", "curvature": "rad/{}",
        "orientation": "rad", "angular_speed": "rad/s", "run_direction": "rad",
    }
)  # fmt: skip
"""Series, and their units for a unit of length."""

SMOOTH = 0.25
"""Seconds of the window by default: five frames of most trackers, as in ``smooth_5`` of trx.mat."""

SLOWEST = 0.05
"""Body lengths per second below which a larva has no direction of running."""

MOST_NEIGHBOURS = 64
"""Frames on either side that a window holds at most."""


def kinematics(
    larva: ArrayLike,
    t: ArrayLike,
    midline: ArrayLike,
    *,
    centroid: ArrayLike | None = None,
    unusable: ArrayLike | None = None,
    smooth: float = SMOOTH,
) -> dict[str, Array]:
    """Compute all series of an assay.

    Parameters
    ----------
    larva : array-like of int, shape (frame,)
        Sorted.
    t : array-like, shape (frame,)
        Seconds. A frame that is no later than the one before has no values.
    midline : array-like, shape (frame, point, 2)
        Head first, at least three points, at about regular abscissae.
    centroid : array-like, shape (frame, 2), optional
        By default the mean of the midline's points.
    unusable : array-like of bool, shape (frame,), optional
        Frames to leave out, as :attr:`larvastats.shape.quality.Quality.unusable` says: they have no
        values, and no velocity is taken from them.
    smooth : float
        Seconds of the window of velocities; 0: neighbours only.

    Returns
    -------
    dict of str to ndarray, shape (frame,)
        In the order of :data:`UNITS`.

    Raises
    ------
    UsageError
        Midlines of another shape, or a window that is negative.
    """
    t, points = np.asarray(t, np.float64), np.array(midline, np.float64)
    if points.ndim != 3 or len(points) != len(t) or points.shape[1] < 3 or points.shape[2] != 2:
        raise UsageError(
            f"Kinematics need midlines of the shape ({len(t)} frames, 3 or more points, 2), but "
            f"their shape is {points.shape}."
        )
    if not (np.isfinite(smooth) and smooth >= 0):
        raise UsageError(f"The window of velocities must be 0 s or more, but is {smooth}.")
    lost = ~np.isfinite(points).all(axis=(1, 2)) | _no_time(larva, t)
    if unusable is not None:
        lost |= np.asarray(unusable, bool)
    points[lost] = np.nan
    center = points.mean(axis=1) if centroid is None else np.array(centroid, np.float64)
    center[lost] = np.nan
    shape = _shape(points)
    place = np.concatenate((center, points[:, 0], points[:, -1]), axis=1)
    angle = shape["orientation"][:, np.newaxis]
    pairs = _Pairs(larva, t, smooth)
    velocity, turning = pairs.slopes(place), pairs.slopes(angle, circular=True)[:, 0]
    out = shape | _motion(velocity, points, shape["length"]) | {"angular_speed": turning}
    return {name: out[name] for name in UNITS}


def head_angle(midline: ArrayLike) -> Array:
    """Angle from the rear half's direction to the front half's, as in :data:`UNITS`.

    Parameters
    ----------
    midline : array-like, shape (frame, point, 2)
        Head first, at least three points.

    Returns
    -------
    ndarray, shape (frame,)
        Rad, in (-pi, pi]; NaN where head, neck or tail is, or where a half has no length.
    """
    rear, front = _halves(np.asarray(midline, np.float64))
    return _angle_between(rear, front)


def units(length_unit: str = "mm") -> dict[str, str]:
    """Return the units of all series for a unit of length."""
    return {name: unit.format(length_unit) for name, unit in UNITS.items()}


# -- shape -----------------------------------------------------------------------------------------


def _shape(points: Array) -> dict[str, Array]:
    length = arc_length(points)
    rear, front = _halves(points)
    bend = _turns(points)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "length": np.where(length > 0, length, np.nan),
            "head_angle": _angle_between(rear, front),
            "body_angle": bend,
            "curvature": np.where(length > 0, bend / length, np.nan),
            "orientation": _direction(rear),
        }


def _halves(points: Array) -> tuple[Array, Array]:
    """Vectors from tail to neck and from neck to head, shape (frame, 2)."""
    low, high = (points.shape[1] - 1) // 2, points.shape[1] // 2
    neck = (points[:, low] + points[:, high]) / 2
    return neck - points[:, -1], points[:, 0] - neck


def _turns(points: Array) -> Array:
    """Sum of the turns from tail to head; NaN where two neighbouring points coincide."""
    step = np.diff(points[:, ::-1], axis=1)
    return np.asarray(_angle_between(step[:, :-1], step[:, 1:]).sum(axis=1))


def _angle_between(before: Array, after: Array) -> Array:
    """Signed angle from one vector to another; NaN where one has no length."""
    cross = before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]
    dot = (before * after).sum(axis=-1)
    known = before.any(axis=-1) & after.any(axis=-1)
    return np.where(known, np.arctan2(cross, dot), np.nan)


def _direction(vector: Array) -> Array:
    return np.where(vector.any(axis=-1), np.arctan2(vector[..., 1], vector[..., 0]), np.nan)


# -- motion ----------------------------------------------------------------------------------------


def _motion(velocity: Array, points: Array, length: Array) -> dict[str, Array]:
    """Series from the velocities of centroid, head and tail, shape (frame, 6)."""
    center, head, tail = velocity[:, :2], velocity[:, 2:4], velocity[:, 4:]
    axis = points[:, 0] - points[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        ahead = (center * axis).sum(axis=1) / np.hypot(axis[:, 0], axis[:, 1])
        speed = np.hypot(center[:, 0], center[:, 1])
        moving = speed > SLOWEST * length
    return {
        "speed": speed,
        "head_speed": np.hypot(head[:, 0], head[:, 1]),
        "tail_speed": np.hypot(tail[:, 0], tail[:, 1]),
        "forward_speed": np.where(np.isfinite(ahead), ahead, np.nan),
        "run_direction": np.where(moving, np.arctan2(center[:, 1], center[:, 0]), np.nan),
    }


class _Pairs:
    """Pairs of frames of a larva that lie in one window, by their distance in frames."""

    def __init__(self, larva: ArrayLike, t: Array, smooth: float) -> None:
        number = np.cumsum(starts(larva))
        usual = MEDIAN_STEPS * median_step(larva, t)
        piece = np.zeros(len(t), np.int64)
        self._n = len(t)
        self._steps: list[tuple[NDArray[np.bool_], Array]] = []
        for offset in range(1, min(MOST_NEIGHBOURS, len(t) - 1) + 1):
            with np.errstate(invalid="ignore"):
                dt = t[offset:] - t[:-offset]
                near = np.asarray((number[offset:] == number[:-offset]) & (dt > 0))
                if offset == 1:  # a neighbour counts however wide the window, but for a gap
                    near = np.asarray(near & (dt <= usual[1:]))
                    piece[1:] = np.cumsum(~near)
                else:
                    near = np.asarray(near & (dt <= smooth / 2 * (1 + 1e-9)))
                    near &= piece[offset:] == piece[:-offset]
            if not near.any():
                break
            self._steps.append((near, dt))

    def slopes(self, values: Array, circular: bool = False) -> Array:
        """Slope of a line through the values of each window, same shape, (frame, series).

        Least squares in time; `circular` values are angles.
        """
        known = np.asarray(~np.isnan(values).any(axis=1))
        # weights and moments of time and value, about the frame itself
        s0, s1, s2 = np.ones(self._n), np.zeros(self._n), np.zeros(self._n)
        x0, x1 = np.zeros_like(values), np.zeros_like(values)
        before, after = np.zeros(self._n, bool), np.zeros(self._n, bool)
        for offset, (near, dt) in enumerate(self._steps, 1):
            both = near & known[offset:] & known[:-offset]
            step = np.where(both[:, np.newaxis], values[offset:] - values[:-offset], 0)
            if circular:
                step = (step + np.pi) % (2 * np.pi) - np.pi
            gap = np.where(both, dt, 0)
            weight = both.astype(np.float64)
            moment = gap[:, np.newaxis] * step  # of either frame: both factors change sign
            for own, sign in ((slice(None, -offset), 1.0), (slice(offset, None), -1.0)):
                s0[own] += weight
                s1[own] += sign * gap
                s2[own] += gap**2
                x0[own] += sign * step
                x1[own] += moment
            after[:-offset] |= both
            before[offset:] |= both
        usable = known & before & after
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.asarray(s0 * s2 - s1**2)[:, np.newaxis]
            slope = (s0[:, np.newaxis] * x1 - s1[:, np.newaxis] * x0) / spread
        return np.where(usable[:, np.newaxis], slope, np.nan)


def _no_time(larva: ArrayLike, t: Array) -> NDArray[np.bool_]:
    """Frames that are no later than the one before, or have no time, shape (frame,)."""
    out = ~np.isfinite(t)
    with np.errstate(invalid="ignore"):
        out[1:] |= ~starts(larva)[1:] & ~(np.diff(t) > 0)
    return out
