"""How larvae move: a few numbers per sequence, and spectra; body lengths and seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generative.frames import Pose, body_length, from_frames

Array = NDArray[np.float64]

NAMES = ("speed", "path", "length", "stretch", "bend", "swing", "jerk")
"""Columns of :func:`motion`."""

SERIES = ("velocity", "bend")
"""Whose spectra are compared."""


def midlines_of(frames: NDArray[np.floating]) -> Array:
    """Midlines in body lengths, from the origin along +x, shape (n, T, point, 2)."""
    n = len(frames)
    return from_frames(frames, Pose(np.zeros((n, 2)), np.zeros(n), np.ones(n)))


def bend_of(midline: Array) -> Array:
    """Angle of the front half of the body against the rear half, rad, left positive."""
    middle = midline[..., midline.shape[-2] // 2, :]
    front, rear = midline[..., 0, :] - middle, middle - midline[..., -1, :]
    cross = rear[..., 0] * front[..., 1] - rear[..., 1] * front[..., 0]
    return np.asarray(np.arctan2(cross, (rear * front).sum(axis=-1)))


def motion(frames: NDArray[np.floating], mask: NDArray[np.bool_], dt: float) -> Array:
    """Numbers of every sequence.

    Parameters
    ----------
    frames : ndarray, shape (n, T, N)
        In body lengths.
    mask : ndarray of bool, shape (n, T)
        At least four frames each.
    dt : float
        Seconds between frames.

    Returns
    -------
    ndarray, shape (n, 7)
        ``speed`` of the centroid, mean (1/s); ``path``, distance from its first to its last place;
        ``length`` of the midline, mean; ``stretch``, its standard deviation; ``bend``, mean of the
        absolute angle of front against rear (rad); ``swing``, standard deviation of that angle;
        ``jerk``, root mean square of the third differences of all points (1/s³).
    """
    midline = midlines_of(frames)
    centroid = midline.mean(axis=2)
    n_frames = mask.sum(axis=1)
    last = n_frames - 1
    step = np.hypot(*np.moveaxis(np.diff(centroid, axis=1), -1, 0))
    speed = _mean(step, mask[:, 1:]) / dt
    end = centroid[np.arange(len(centroid)), last] - centroid[:, 0]
    length, bend = body_length(midline), bend_of(midline)
    jerk = np.diff(midline, n=3, axis=1)
    square = (jerk**2).sum(axis=-1).mean(axis=-1)
    return np.stack((
        speed, np.hypot(end[:, 0], end[:, 1]), _mean(length, mask), _spread(length, mask),
        _mean(np.abs(bend), mask), _spread(bend, mask),
        np.sqrt(_mean(square, mask[:, 3:])) / dt**3,
    ), axis=1)  # fmt: skip


def spectra(
    frames: NDArray[np.floating], mask: NDArray[np.bool_], dt: float
) -> tuple[Array, Array]:
    """Mean spectra of the sequences that have all frames.

    Returns
    -------
    frequency : ndarray, shape (f,)
        Hz, from the first above 0.
    power : ndarray, shape (2, f)
        Of :data:`SERIES`.
    """
    whole = frames[mask.all(axis=1)]
    midline = midlines_of(whole)
    velocity = np.diff(midline.mean(axis=2), axis=1) / dt
    # a body that coils beyond half a turn goes on, it does not jump to the other side
    bend = np.unwrap(bend_of(midline), axis=1)[..., None]
    frequency = np.asarray(np.fft.rfftfreq(velocity.shape[1], dt)[1:], np.float64)
    power = [_power(velocity)[1:], _power(bend[:, 1:])[1:]]
    return frequency, np.stack(power)


def spectral_distance(a: Array, b: Array) -> Array:
    """Mean absolute difference of log10 power, by series; a and b of shape (series, f)."""
    return np.asarray(np.abs(np.log10(a + 1e-15) - np.log10(b + 1e-15)).mean(axis=1))


def _power(series: Array) -> Array:
    """Power of series of shape (n, T, c), with a Hann window; shape (f,)."""
    window = np.hanning(series.shape[1] + 2)[1:-1][:, None]
    centred = (series - series.mean(axis=1, keepdims=True)) * window
    return np.asarray((np.abs(np.fft.rfft(centred, axis=1)) ** 2).sum(axis=2).mean(axis=0))


def _mean(values: Array, mask: NDArray[np.bool_]) -> Array:
    return np.asarray((values * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1))


def _spread(values: Array, mask: NDArray[np.bool_]) -> Array:
    around = values - _mean(values, mask)[:, None]
    return np.sqrt(_mean(around**2, mask))
