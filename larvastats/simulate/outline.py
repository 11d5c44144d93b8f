"""From moving bodies to what a camera sees: midlines and outlines at any times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import iv

from larvastats.simulate.body import (
    HALF_WIDTH,
    N_POINTS,
    N_SEGMENTS,
    PULSE,
    TRAVEL,
    WIDTH_AT,
    Bodies,
)
from larvastats.simulate.motion import STEP, Motion, pulse

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Bodies in single frames.

    Attributes
    ----------
    midline : ndarray of complex, shape (frame, point)
        x + iy in mm, from the **tail** to the head, points equally far from each other.
    radius : ndarray, shape (frame,)
        Unit of the half width, mm.
    shortening, phase, wave, axis : ndarray, shape (frame,)
        As in :class:`larvastats.simulate.motion.Motion`.
    """

    midline: NDArray[np.complex128]
    radius: Array
    shortening: Array
    phase: Array
    wave: Array
    axis: Array


def pose(bodies: Bodies, motion: Motion, larva: NDArray[np.integer], t: Array) -> Pose:
    """Return bodies at given times, interpolated between steps of the motion.

    Parameters
    ----------
    bodies : Bodies
    motion : Motion
    larva : ndarray of int, shape (frame,)
    t : ndarray, shape (frame,)
        Seconds, within the motion.
    """
    at = np.minimum((t / STEP + 1e-9).astype(np.int64), len(motion.length) - 2)
    share = t / STEP - at

    def between(x: NDArray) -> NDArray:
        part = share if x.ndim == 2 else share[:, None]
        low = x[at, larva]
        return np.asarray(low + part * (x[at + 1, larva] - low))

    tail, length = between(motion.tail), between(motion.length)
    midline = np.empty((len(t), N_POINTS), dtype=np.complex128)
    midline[:, 0] = tail
    midline[:, 1:] = np.exp(1j * between(motion.direction)) * (length / N_SEGMENTS)[:, None]
    np.cumsum(midline, axis=1, out=midline)
    scale = np.interp(t, np.arange(len(motion.scale)) * STEP, motion.scale)
    radius = bodies.length[larva] * bodies.width[larva] * scale
    rest = (between(getattr(motion, name)) for name in ("shortening", "phase", "wave", "axis"))
    return Pose(midline, radius, *rest)


def points(midline: NDArray[np.complex128]) -> Array:
    """Return midlines as coordinates, head first, shape (frame, point, 2)."""
    head_first = np.ascontiguousarray(midline[:, ::-1])
    return head_first.view(np.float64).reshape(*midline.shape, 2)


def borders(frames: Pose) -> Array:
    """Say where along the midline the borders between segments lie, shape (frame, N_POINTS).

    Shares of the length from the **head**: 0, .1, ..., 1 in a body at rest. Trackers' points are
    equally far from each other whatever the segments do; these show the wave itself, and a hunch
    that squeezes the front more than the rear.
    """
    at = np.linspace(0, 1, N_POINTS)
    wave = frames.wave[:, None] * pulse(frames.phase[:, None] - TRAVEL * at)
    run = at - frames.shortening[:, None] * (0.4 * at + 0.6 * at**2) + wave
    run -= run[:, :1]
    return np.asarray(1 - run / run[:, -1:])[:, ::-1]


def outline(frames: Pose, n_points: int) -> NDArray[np.float32]:
    """Draw outlines around midlines, shape (frame, n_points, 2), mm.

    A body keeps its volume: where it is contracted, by the wave that passes or by a hunch, it is
    wider, by one over the root of its length there. Points run from the tail along the left side
    to the head and back, closer where the outline is curved; the first is not repeated.

    Parameters
    ----------
    frames : Pose
    n_points : int
        From 8 on.
    """
    turn = 2 * np.pi * np.arange(n_points) / n_points
    at, side = (1 - np.cos(turn)) / 2, np.sign(np.round(np.sin(turn), 12))
    place, along = _spline(at)
    # relative to the tail, single precision is far finer than any camera
    tail = frames.midline[:, :1]
    shape = frames.midline - tail
    x, y = shape.real.astype(np.float32), shape.imag.astype(np.float32)
    dx, dy = _mixed(x, along), _mixed(y, along)
    unit = (side * np.interp(at, WIDTH_AT, HALF_WIDTH)).astype(np.float32)
    width = frames.radius[:, None].astype(np.float32) * unit
    width /= np.sqrt((dx * dx + dy * dy) * stretch(frames, at))
    out = np.empty((*width.shape, 2), dtype=np.float32)
    out[..., 0] = _mixed(x, place) - dy * width + tail.real
    out[..., 1] = _mixed(y, place) + dx * width + tail.imag
    return out


def _mixed(x: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted sums of points, term by term: a matrix product's last digit is not always the same.

    `x` has shape (frame, N_POINTS), `weight` (vertex, N_POINTS).
    """
    out = np.zeros((len(x), len(weight)), dtype=np.float32)
    for k in range(1, N_POINTS):  # the first point is the origin
        out += x[:, k, None] * weight[:, k]
    return out


def _spline(at: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrices that interpolate a midline by a natural cubic spline, and its derivative."""
    spline = CubicSpline(np.linspace(0, 1, N_POINTS), np.eye(N_POINTS), bc_type="natural")
    return spline(at).astype(np.float32), spline(at, 1).astype(np.float32)


def stretch(frames: Pose, at: Array) -> NDArray[np.float32]:
    """Length of parts of the body by their length at rest, shape (frame, point)."""
    lag = 2 * np.pi * (frames.phase % 1.0)[:, None].astype(np.float32)
    lag = lag - (2 * np.pi * TRAVEL * at).astype(np.float32)
    squeeze = np.exp(np.float32(PULSE) * np.cos(lag)) / np.float32(iv(0, PULSE)) - 1
    squeeze *= (TRAVEL * frames.wave[:, None]).astype(np.float32)
    squeeze += (frames.shortening[:, None] * (0.4 + 1.2 * at)).astype(np.float32)
    return np.maximum(1 - squeeze, np.float32(0.4))
