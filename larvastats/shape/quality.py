"""Which frames a tracker got wrong, by the spectrum of their outlines; which sequences to drop.

A larva is smooth: nearly all energy of its outline lies in the lowest harmonics. An outline that a
tracker tore, or drew around two larvae, is jagged: the share of its energy above a cut-off harmonic
is ten to a hundred times as large. By Parseval ``mean |z - c_0|^2 = sum over k != 0 of |c_k|^2``,
so that this share takes the lowest coefficients only::

    high = 1 - (sum over 0 < |k| <= cutoff of |c_k|^2) / (mean |z - c_0|^2)

A frame is bad where `high` exceeds a threshold, and where there is no outline to speak of
(:class:`Fault`). A sequence, up to 50 frames of a larva without a gap, is bad where more than a
fifth of its frames are, and is dropped whole: smoothing would turn a wrong outline into a wrong one
that looks right.

Where there are no outlines, the midline there and back is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larvastats.errors import UsageError
from larvastats.shape.contour import (
    HARMONICS,
    MIN_VERTICES,
    N_POINTS,
    coefficients,
    count_vertices,
    low_pass,
    resample,
    turning_number,
)
from larvastats.shape.frames import gaps, starts

MEASURES = ("energy", "amplitude")

ENOUGH_VERTICES = 2 * HARMONICS + 2
"""Fewer vertices carry no harmonic above the cut-off; without a spectrum the rest is judged."""

_BLOCK = 1 << 10  # frames whose outlines fit into a processor's cache


class Fault(IntEnum):
    """What is wrong with a frame; of several, the first.

    Attributes
    ----------
    NONE : 0
    MISSING : 1
        A midline with a NaN; or fewer than three vertices, where outlines are judged.
    DEGENERATE : 2
        No length, or head and tail in one place.
    CROSSING : 3
        The smoothed outline crosses itself: it turns about itself not once.
    TIME : 4
        No later than the frame before.
    SPECTRUM : 5
        Too much of the outline's energy above the cut-off.
    """

    NONE = 0
    MISSING = 1
    DEGENERATE = 2
    CROSSING = 3
    TIME = 4
    SPECTRUM = 5


@dataclass(frozen=True, slots=True)
class Filter:
    """What counts as bad.

    Attributes
    ----------
    threshold : float
        Largest share of `measure` above the cut-off, of a good frame. The default was chosen on 18
        real larvae, whose tracker marks the frames in which larvae touch: all frames beyond it are
        marked, and the median of all others is a fifth of it (``analyses/shapes.md``).
    cutoff : int
        Highest harmonic of a larva.
    share : float
        Largest share of bad frames in a good sequence.
    length : int
        Frames of a sequence.
    measure : {'energy', 'amplitude'}
        Energy above the cut-off, as a share of all; or the largest amplitude above it, as a share
        of the largest of all.
    midline : float
        Threshold where there is a midline only. A bend raises its share more than that of an
        outline: with the threshold of outlines, 23% of the strongly bent frames (1.5 rad and more)
        of the same larvae would be bad; with this one, none is.
    """

    threshold: float = 8e-4
    cutoff: int = HARMONICS
    share: float = 0.2
    length: int = 50
    measure: str = "energy"
    midline: float = 3e-3

    def __post_init__(self) -> None:
        """Refuse values that would judge nothing."""
        if self.measure not in MEASURES:
            raise _wrong("measure", f"one of {', '.join(MEASURES)}", self.measure)
        for name in ("threshold", "share", "midline"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise _wrong(name, "a share from 0 to 1", value)
        if not 1 <= self.cutoff < N_POINTS // 2:
            raise _wrong("cutoff", f"a harmonic from 1 to {N_POINTS // 2 - 1}", self.cutoff)
        if self.length < 1:
            raise _wrong("length", "at least 1 frame", self.length)

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Read ``default``, or what differs from it, such as ``threshold=0.002,share=0.1``.

        Raises
        ------
        UsageError
        """
        if text.strip() == "default":
            return cls()
        types = {"threshold": float, "cutoff": int, "share": float, "length": int, "measure": str,
                 "midline": float}  # fmt: skip
        values: dict[str, Any] = {}
        for item in text.split(","):
            name, _, value = (part.strip() for part in item.partition("="))
            try:
                values[name] = types[name](value)
            except (KeyError, ValueError) as error:
                raise UsageError(
                    f"The filter of bad frames is 'default', 'none', or a list of "
                    f"{', '.join(types)} such as 'threshold=0.002,share=0.1', but {item!r} is "
                    "none of these."
                ) from error
        return cls(**values)

    def __str__(self) -> str:
        """Write all values, as :meth:`parse` reads them."""
        return ",".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))


def _wrong(name: str, expected: str, found: object) -> UsageError:
    return UsageError(f"The filter's {name} must be {expected}, but is {found!r}.")


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Verdicts on the frames of an assay.

    Attributes
    ----------
    fault : ndarray of int8, shape (frame,)
        A :class:`Fault`.
    high : ndarray of float64, shape (frame,)
        Share above the cut-off; NaN without an outline, or with too few vertices for a spectrum.
    sequence : ndarray of int64, shape (frame,)
        Sequences are numbered through all larvae.
    dropped : ndarray of bool, shape (frame,)
        Frames of bad sequences.
    filter : Filter
    """

    fault: NDArray[np.int8]
    high: NDArray[np.float64]
    sequence: NDArray[np.int64]
    dropped: NDArray[np.bool_]
    filter: Filter

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Frames with a fault, shape (frame,)."""
        return self.fault != Fault.NONE

    @property
    def unusable(self) -> NDArray[np.bool_]:
        """Frames that are bad or dropped with their sequence, shape (frame,)."""
        return self.bad | self.dropped

    def counts(self) -> Mapping[str, int]:
        """Frames by fault, in lower case."""
        number = np.bincount(self.fault, minlength=len(Fault))
        return {fault.name.lower(): int(number[fault]) for fault in Fault}


def judge(
    larva: ArrayLike,
    t: ArrayLike,
    *,
    outline: tuple[ArrayLike, ArrayLike] | None = None,
    midline: ArrayLike | None = None,
    chosen: Filter | None = None,
) -> Quality:
    """Judge every frame of an assay, and every sequence.

    Parameters
    ----------
    larva : array-like of int, shape (frame,)
        Sorted.
    t : array-like, shape (frame,)
        Seconds.
    outline : (vertices, start), optional
        As :func:`larvastats.shape.contour.resample` takes them.
    midline : array-like, shape (frame, point, 2), optional
        Judged for its own faults, and by its spectrum where there is no outline.
    chosen : Filter, optional

    Returns
    -------
    Quality
        Whatever the numbers are, no exception: what cannot be judged is bad.
    """
    chosen = chosen or Filter()
    larva, t = np.asarray(larva), np.asarray(t, np.float64)
    fault = np.zeros(len(t), np.int8)
    high = np.full(len(t), np.nan)
    points = None if midline is None else np.asarray(midline, np.float64)
    if outline is not None:
        high, crossing, missing, flat = _judge_outlines(*outline, chosen)
    elif points is not None:
        high = _judge_midlines(points, chosen)
        crossing = missing = flat = np.zeros(len(t), bool)
    else:
        crossing = missing = flat = np.zeros(len(t), bool)
    if points is not None:
        lost, collapsed = _lost(points), _collapsed(points)
        missing, flat = missing | lost, flat | collapsed
    with np.errstate(invalid="ignore"):
        jagged = high > (chosen.midline if outline is None else chosen.threshold)
    later = np.zeros(len(t), bool)
    later[1:] = (larva[1:] == larva[:-1]) & ~(t[1:] > t[:-1])
    later |= ~np.isfinite(t)
    for code, where in (
        (Fault.SPECTRUM, jagged), (Fault.TIME, later), (Fault.CROSSING, crossing),
        (Fault.DEGENERATE, flat), (Fault.MISSING, missing),
    ):  # fmt: skip
        fault[where] = code
    sequence = sequences(larva, t, chosen.length)
    return Quality(fault, high, sequence, drop(fault != 0, sequence, chosen.share), chosen)


def sequences(larva: ArrayLike, t: ArrayLike, length: int = 50) -> NDArray[np.int64]:
    """Cut an assay into sequences: up to `length` frames of a larva without a gap.

    A gap is a step of more than three times the larva's median. Actions do not matter, so that the
    filter cannot know them.

    Returns
    -------
    ndarray of int64, shape (frame,)
    """
    larva, t = np.asarray(larva), np.asarray(t, np.float64)
    new = starts(larva) | gaps(larva, t)
    first = np.maximum.accumulate(np.where(new, np.arange(len(t)), 0))
    new |= (np.arange(len(t)) - first) % length == 0
    return np.cumsum(new) - 1


def drop(bad: ArrayLike, sequence: ArrayLike, share: float = 0.2) -> NDArray[np.bool_]:
    """Frames of the sequences in which more than a share of the frames is bad, shape (frame,)."""
    bad, sequence = np.asarray(bad, bool), np.asarray(sequence, np.int64)
    n = np.bincount(sequence)
    return np.asarray(np.bincount(sequence, bad) > share * n)[sequence]


# -- spectra ---------------------------------------------------------------------------------------


def high_share(
    points: ArrayLike, cutoff: int = HARMONICS, measure: str = "energy"
) -> NDArray[np.float64]:
    """Share of outlines above a cut-off harmonic.

    Parameters
    ----------
    points : array-like, shape (frame, point, 2)
        At equal steps, as :func:`larvastats.shape.contour.resample` puts them.
    cutoff : int
    measure : {'energy', 'amplitude'}
        As in :class:`Filter`.

    Returns
    -------
    ndarray, shape (frame,)
        From 0 to 1; NaN where a point is, or where all coincide.
    """
    z = np.asarray(points, np.float64)
    z = z - z.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        if measure == "energy":
            total = np.einsum("fpx,fpx->f", z, z) / z.shape[1]
            low = np.abs(coefficients(z, cutoff)) ** 2
            low[:, cutoff] = 0  # what rounding has left of the centre
            return np.clip(1 - low.sum(axis=1) / total, 0, 1)
        size = np.abs(np.fft.fft(z[..., 0] + 1j * z[..., 1], axis=1))
        size[:, 0] = 0
        return size[:, cutoff + 1 : -cutoff].max(axis=1) / size.max(axis=1)


def _judge_outlines(
    vertices: ArrayLike, start: ArrayLike, chosen: Filter
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Share above the cut-off, and where an outline crosses itself, is missing, or has no length.

    All of shape (frame,).
    """
    vertices, start = np.asarray(vertices).reshape(-1, 2), np.asarray(start, np.int64)
    n = len(start) - 1
    high, crossing, flat = np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, bool)
    counts = count_vertices(vertices, start)
    for begin in range(0, n, _BLOCK):
        end = min(begin + _BLOCK, n)
        own = vertices[start[begin] : start[end]]
        points = resample(own, start[begin : end + 1] - start[begin])
        block = slice(begin, end)
        flat[block] = np.isnan(points[:, 0, 0]) & (counts[block] >= MIN_VERTICES)
        high[block] = high_share(points, chosen.cutoff, chosen.measure)
        with np.errstate(invalid="ignore"):
            crossing[block] = np.abs(turning_number(low_pass(points, chosen.cutoff, 64)) - 1) > 0.5
    high[counts < ENOUGH_VERTICES] = np.nan
    return high, crossing, counts < MIN_VERTICES, flat


def _judge_midlines(midline: NDArray[np.float64], chosen: Filter) -> NDArray[np.float64]:
    """Share above the cut-off of midlines there and back, shape (frame,)."""
    n_vertices = 2 * midline.shape[1] - 2
    if n_vertices < ENOUGH_VERTICES:
        return np.full(len(midline), np.nan)
    high = np.empty(len(midline))
    for begin in range(0, len(midline), _BLOCK):
        part = midline[begin : begin + _BLOCK]
        closed = np.concatenate((part, part[:, -2:0:-1]), axis=1)
        closed[~np.isfinite(closed).all(axis=(1, 2))] = np.nan
        start = np.arange(len(part) + 1) * n_vertices
        points = resample(closed.reshape(-1, 2), start)
        high[begin : begin + _BLOCK] = high_share(points, chosen.cutoff, chosen.measure)
    return high


def _lost(midline: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(~np.isfinite(midline).all(axis=(1, 2)))


def _collapsed(midline: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Midlines without length, or with head and tail in one place, shape (frame,)."""
    if midline.shape[1] < 2:
        return np.ones(len(midline), bool)
    return np.asarray((midline[:, 0] == midline[:, -1]).all(axis=1))
