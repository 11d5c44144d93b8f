"""One assay cut into sequences: stretches of frames without a gap, named by what is done most."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from generative.frames import body_length, own_length, reduce_points
from larvastats.errors import DataError
from larvastats.io.tracks import Tracks
from larvastats.protocol import merge_intervals, parse_protocol
from larvastats.vocabulary import rename_states

STIMULI = ("none", "before", "during", "after")
"""States of the stimulus; ``after`` is any time without stimulus since the first one."""

GAP = 1.5
"""A step longer than this many usual ones is a gap in tracking."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """How to cut.

    Attributes
    ----------
    length, shortest, stride : int
        Frames: of a whole sequence, of the shortest one that is kept, from start to start.
    points : {11, 5}
        Midline points per frame.
    images : bool
        Whether frames also need an outline.
    """

    length: int = 50
    shortest: int = 10
    stride: int = 50
    points: int = 11
    images: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Sequences of one assay; arrays of shape (sequence,).

    Attributes
    ----------
    larva : ndarray of int32
        Position among the assay's larvae.
    start, end : ndarray of int32
        Frames of the larva, counted from its first; the end is not in it.
    action : ndarray of int16
        What most of its frames are, the first of the vocabulary of several.
    share : ndarray of float32
        Of those frames.
    stimulus : ndarray of int8
        State of the stimulus in most frames, among :data:`STIMULI`.
    dt : ndarray of float32
        Mean seconds between frames.
    """

    larva: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    action: NDArray[np.int16]
    share: NDArray[np.float32]
    stimulus: NDArray[np.int8]
    dt: NDArray[np.float32]

    def take(self, chosen: NDArray[np.bool_]) -> Windows:
        """Return some sequences."""
        return Windows(*(getattr(self, part.name)[chosen] for part in fields(self)))


def cut(tracks: Tracks, how: Cutting) -> tuple[Windows, tuple[str, ...], NDArray[np.float64]]:
    """Cut an assay into sequences.

    A frame without a whole midline, without a state, or after a gap ends a sequence.

    Parameters
    ----------
    tracks : Tracks
        With midlines and states.
    how : Cutting

    Returns
    -------
    windows : Windows
        Ordered by larva and start.
    actions : tuple of str
        Vocabulary of their actions.
    lengths : ndarray of float64, shape (larva,)
        Own length of every larva, in the unit of the midlines; NaN where none is seen.

    Raises
    ------
    DataError
        There are no midlines, no states, or no outlines where they are needed.
    """
    midline = midlines(tracks, how.points)
    state, actions = states_of(tracks)
    start_of = np.searchsorted(tracks.larva_index, np.arange(len(tracks.larvae) + 1))
    lengths = own_lengths(tracks, midline, start_of)
    good = np.isfinite(body_length(midline)) & (state >= 0)
    good &= np.isfinite(lengths)[tracks.larva_index]
    if how.images:
        assert tracks.contour is not None
        good &= tracks.contour.counts >= 3
    starts, ends = _stretches(tracks, good)
    first, last = _windows(starts, ends, how)
    larva = tracks.larva_index[first]
    counts = _counts(state, len(actions), first, last)
    action = counts.argmax(axis=1) if len(actions) else np.zeros(len(first), np.int64)
    frames = last - first
    stimulus = _counts(stimulus_of(tracks), len(STIMULI), first, last).argmax(axis=1)
    dt = (tracks.t[last - 1] - tracks.t[first]) / np.maximum(frames - 1, 1)
    windows = Windows(
        larva.astype(np.int32), (first - start_of[larva]).astype(np.int32),
        (last - start_of[larva]).astype(np.int32), action.astype(np.int16),
        (counts[np.arange(len(first)), action] / frames).astype(np.float32),
        stimulus.astype(np.int8), dt.astype(np.float32),
    )  # fmt: skip
    return windows, actions, lengths


def midlines(tracks: Tracks, points: int) -> NDArray[np.float64]:
    """Midlines of the wanted number of points, shape (frame, point, 2)."""
    if tracks.midline is None:
        raise DataError(
            f"Assay {tracks.identity.assay!r}: expected midlines, but the recording holds none; "
            "make the store with --keep midline."
        )
    return reduce_points(tracks.midline, points)


def states_of(tracks: Tracks) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """States of the frames in the field's words, shape (frame,), and those that occur."""
    if tracks.state is None:
        raise DataError(
            f"Assay {tracks.identity.assay!r}: the recording holds shapes but no actions; give "
            "labels in a label file beside it, or by --labels."
        )
    renamed = rename_states(tracks.states)
    occurring = np.unique(tracks.state[tracks.state >= 0])
    names = tuple(dict.fromkeys(renamed[tracks.states[code]] for code in occurring))
    place = np.full(len(tracks.states) + 1, -1, np.int16)  # the last one: no state
    for code in occurring:
        place[code] = names.index(renamed[tracks.states[code]])
    return place[tracks.state], names


def onset_of(tracks: Tracks) -> float:
    """Return when the first stimulus begins, s; infinite without one."""
    intervals = parse_protocol(tracks.identity.protocol).intervals
    return intervals[0][0] if intervals else float("inf")


def own_lengths(
    tracks: Tracks, midline: NDArray[np.float64], start_of: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Own length of every larva, shape (larva,)."""
    onset = onset_of(tracks)
    parts = pairwise(start_of)
    return np.array([own_length(midline[a:b], tracks.t[a:b], onset) for a, b in parts])


def stimulus_of(tracks: Tracks) -> NDArray[np.int16]:
    """State of the stimulus in every frame, shape (frame,), as in :data:`STIMULI`."""
    intervals = merge_intervals(parse_protocol(tracks.identity.protocol).intervals)
    if not intervals:
        return np.zeros(tracks.n_frames, np.int16)
    edges = np.array([edge for interval in intervals for edge in interval])
    passed = np.searchsorted(edges, tracks.t, side="right")
    return np.where(passed == 0, 1, np.where(passed % 2 == 1, 2, 3)).astype(np.int16)


def _stretches(
    tracks: Tracks, good: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where stretches of good frames begin and end, none across a gap or two larvae."""
    same = np.diff(tracks.larva_index) == 0
    steps = np.diff(tracks.t)
    usual = float(np.median(steps[same])) if same.any() else 0.0
    joined = same & (steps <= GAP * usual) & good[1:] & good[:-1]
    first = good & np.concatenate(([True], ~joined))
    last = good & np.concatenate((~joined, [True]))
    return np.flatnonzero(first), np.flatnonzero(last) + 1


def _windows(
    starts: NDArray[np.int64], ends: NDArray[np.int64], how: Cutting
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole sequences of every stretch, and what is left at its end if that is long enough."""
    long = ends - starts
    whole = np.where(long >= how.length, (long - how.length) // how.stride + 1, 0)
    stretch = np.repeat(np.arange(len(starts)), whole)
    number = np.arange(len(stretch)) - np.repeat(np.cumsum(whole) - whole, whole)
    first = starts[stretch] + number * how.stride
    last = first + how.length
    # the rest begins where no whole sequence reaches
    covered = np.where(whole > 0, starts + (whole - 1) * how.stride + how.length, starts)
    rest = ends - covered >= how.shortest
    first, last = np.concatenate((first, covered[rest])), np.concatenate((last, ends[rest]))
    order = np.argsort(first, kind="stable")
    return first[order], last[order]


def _counts(
    code: NDArray[np.integer], kinds: int, first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Frames of every kind in every sequence, shape (sequence, kind)."""
    counts = np.zeros((len(first), kinds), np.int64)
    for kind in range(kinds):
        before = np.concatenate(([0], np.cumsum(code == kind)))
        counts[:, kind] = before[last] - before[first]
    return counts
