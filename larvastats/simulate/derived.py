"""Series that trackers derive from midlines: length, speed, head angle.

They are computed from the shapes as recorded, faults included, as a tracker would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from larvastats.shape.kinematics import head_angle
from larvastats.shape.midline import arc_length

Array = NDArray[np.float64]

WINDOW = 5
"""Frames over which the tracker averages, as the fields' names say."""


def derive(midline: Array, t: Array, track: NDArray[np.integer]) -> dict[str, Array]:
    """Compute the series of all larvae.

    Parameters
    ----------
    midline : ndarray, shape (frame, point, 2)
        mm, head first; NaN where there is none.
    t : ndarray, shape (frame,)
    track : ndarray of int, shape (frame,)
        Sorted; within a track, times increase.

    Returns
    -------
    dict of str to ndarray, shape (frame,)
        ``length`` along the midline (mm); ``speed`` of its middle (mm/s, NaN in the first frame);
        ``head_angle`` of the front half of the body against the rear half (rad, to the left
        positive). Means over :data:`WINDOW` frames of the track, without frames that have none.
    """
    middle = midline.mean(axis=1)
    same = np.diff(track, prepend=-1) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        way = np.diff(middle, axis=0, prepend=np.nan)
        step = np.hypot(way[:, 0], way[:, 1]) / np.diff(t, prepend=np.nan)
    raw = {
        "length": arc_length(midline),
        "speed": np.where(same, step, np.nan),
        "head_angle": head_angle(midline),
    }
    raw["head_angle"][np.isnan(middle).any(axis=1)] = np.nan
    return {name: _mean(series, track) for name, series in raw.items()}


def _mean(series: Array, track: NDArray[np.integer]) -> Array:
    """Average over neighbours in the track that are finite; NaN where the frame itself is."""
    total, count = np.zeros(len(series)), np.zeros(len(series))
    there = np.isfinite(series)
    value = np.where(there, series, 0.0)
    for shift in range(-(WINDOW // 2), WINDOW // 2 + 1):
        here = slice(max(shift, 0), len(series) + min(shift, 0))
        other = slice(max(-shift, 0), len(series) + min(-shift, 0))
        use = there[other] & (track[here] == track[other])
        total[here] += np.where(use, value[other], 0.0)
        count[here] += use
    return np.divide(total, count, out=np.full(len(series), np.nan), where=there & (count > 0))
