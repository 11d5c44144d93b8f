"""Frames of many larvae in one array: where a larva begins, and where its tracking has a gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MEDIAN_STEPS = 3.0
"""A step longer than so many of the larva's median ones is lost tracking."""


def starts(larva: ArrayLike) -> NDArray[np.bool_]:
    """Whether a frame is the first of its larva, shape (frame,); `larva` is sorted."""
    larva = np.asarray(larva)
    first = np.ones(len(larva), bool)
    first[1:] = larva[1:] != larva[:-1]
    return first


def median_step(larva: ArrayLike, t: ArrayLike) -> NDArray[np.float64]:
    """Median of the positive steps in time of each frame's larva, shape (frame,).

    NaN for a larva without any.
    """
    larva, t = np.asarray(larva), np.asarray(t, np.float64)
    number = np.cumsum(starts(larva)) - 1
    with np.errstate(invalid="ignore"):
        step = np.diff(t)
        usable = (number[1:] == number[:-1]) & (step > 0) & np.isfinite(step)
    own, step = number[1:][usable], step[usable]
    order = np.lexsort((step, own))
    own, step = own[order], step[order]
    count = np.bincount(own, minlength=int(number[-1]) + 1 if len(number) else 0)
    first = np.cumsum(count) - count
    middle = np.full(len(count), np.nan)
    some = count > 0
    lower, upper = first + (count - 1) // 2, first + count // 2
    middle[some] = (step[lower[some]] + step[upper[some]]) / 2
    return middle[number] if len(number) else np.empty(0)


def gaps(larva: ArrayLike, t: ArrayLike) -> NDArray[np.bool_]:
    """Whether tracking was lost before a frame, shape (frame,)."""
    larva, t = np.asarray(larva), np.asarray(t, np.float64)
    out = np.zeros(len(t), bool)
    with np.errstate(invalid="ignore"):
        out[1:] = ~starts(larva)[1:] & (np.diff(t) > MEDIAN_STEPS * median_step(larva, t)[1:])
    return out
