"""Arrays of frames and bouts: sorted, checked, merged. Whole tables and parts of them alike.

Rows come in any order, with the larva of each as an index. What is wrong is counted rather than
raised, so that a table which is worked through part by part can say how much of it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError

CONTIGUOUS = 1e-6
"""Bouts whose gap is at most this many seconds follow each other without loss of tracking."""

FRAME_GAP = 3.0
"""Frames at most this many median steps apart belong to the same stretch of tracking."""

Order = slice | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fault:
    """How often something is wrong, and where first.

    Attributes
    ----------
    count : int
    larva : int
        Index of the larva of the first one.
    times : tuple of two floats
        What happens there, in s.
    """

    count: int = 0
    larva: int = -1
    times: tuple[float, float] = (np.nan, np.nan)

    def join(self, other: Fault) -> Fault:
        """Join with what another part of the table has, whose larvae are others."""
        first = min((f for f in (self, other) if f.count), key=lambda f: f.larva, default=self)
        return Fault(self.count + other.count, first.larva, first.times)


@dataclass(frozen=True, slots=True)
class Bouts:
    """Bouts in order of larva and time, adjacent ones of one state merged.

    Attributes
    ----------
    larva : ndarray of int32, shape (bout,)
    state : ndarray of int16, shape (bout,)
    t_start, t_stop : ndarray of float64, shape (bout,)
    short : Fault
        Bouts that do not last; `times` is when the first of them starts and stops.
    overlap : Fault
        Bouts that begin before the one before them ends; `times` is when that ends and this begins.
    """

    larva: NDArray[np.int32]
    state: NDArray[np.int16]
    t_start: NDArray[np.float64]
    t_stop: NDArray[np.float64]
    short: Fault
    overlap: Fault


def merge(
    larva: NDArray[np.integer],
    state: NDArray[np.integer],
    t_start: NDArray[np.float64],
    t_stop: NDArray[np.float64],
) -> Bouts:
    """Sort and merge bouts that come in any order; all arrays have the shape (bout,)."""
    order = time_order(larva, t_start)
    larva, state = larva[order], state[order]
    t_start, t_stop = t_start[order], t_stop[order]
    same = larva[1:] == larva[:-1]
    short = t_stop <= t_start
    overlap = same & (t_start[1:] < t_stop[:-1] - CONTIGUOUS)
    joined = same & (t_start[1:] - t_stop[:-1] <= CONTIGUOUS) & (state[1:] == state[:-1])
    edge = np.ones(min(len(larva), 1), dtype=bool)
    first, last = np.concatenate((edge, ~joined)), np.concatenate((~joined, edge))
    return Bouts(
        larva[first].astype(np.int32, copy=False),
        state[first].astype(np.int16, copy=False),
        t_start[first].astype(np.float64, copy=False),
        t_stop[last].astype(np.float64, copy=False),
        _fault(short, larva, t_start, t_stop),
        _fault(overlap, larva, t_stop, t_start[1:]),
    )


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames in order of larva and time.

    Attributes
    ----------
    larva : ndarray of int, shape (frame,)
    t : ndarray of float64, shape (frame,)
    state : ndarray of int16, shape (frame,)
        -1: the larva has no state there.
    twice : Fault
        Frames of one larva at one time; `times` is that of the first, twice.
    """

    larva: NDArray[np.integer]
    t: NDArray[np.float64]
    state: NDArray[np.int16]
    twice: Fault


def sort_frames(
    larva: NDArray[np.integer], t: NDArray[np.float64], state: NDArray[np.int16]
) -> Frames:
    """Sort frames that come in any order; all arrays have the shape (frame,)."""
    order = time_order(larva, t)
    larva, t, state = larva[order], t[order], state[order]
    twice = (larva[1:] == larva[:-1]) & (t[1:] == t[:-1])
    return Frames(larva, t, state, _fault(twice, larva, t, t))


def steps(frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Time (s) between every two successive frames of one larva, and that larva."""
    same = frames.larva[1:] == frames.larva[:-1]
    return np.diff(frames.t)[same], frames.larva[1:][same]


def median_steps(
    frames: Frames, larva_assay: NDArray[np.integer], n_assays: int
) -> NDArray[np.float64]:
    """Median frame step (s) of every assay, shape (assay,); NaN where no larva has two frames.

    Parameters
    ----------
    frames : Frames
    larva_assay : ndarray of int, shape (larva,)
        Assay of every larva.
    n_assays : int
    """
    length, larva = steps(frames)
    median = pd.Series(length).groupby(larva_assay[larva]).median()
    return median.reindex(range(n_assays)).to_numpy(np.float64)


def usual_step(length: NDArray[np.float64]) -> float:
    """Median of all frame steps (s), for an assay that has none; 1 where there is none at all."""
    return float(pd.Series(length).median()) if len(length) else 1.0


def frames_to_bouts(frames: Frames, step: NDArray[np.float64]) -> Bouts:
    """Turn frames into bouts.

    A frame lasts until the next one of its larva that has a state, at most :data:`FRAME_GAP` steps
    away; otherwise, and at the end of a track, one step.

    Parameters
    ----------
    frames : Frames
    step : ndarray of float64, shape (larva,)
        Median frame step of every larva's assay, in s.
    """
    seen = frames.state >= 0
    larva, t = frames.larva[seen], frames.t[seen]
    own = step[larva]
    ends = t + own
    near = (larva[1:] == larva[:-1]) & (np.diff(t) <= FRAME_GAP * own[:-1] * (1 + 1e-9))
    ends[:-1] = np.where(near, t[1:], ends[:-1])
    del own, near
    return merge(larva, frames.state[seen], t, ends)


def tracked(bouts: Bouts, n_larvae: int) -> dict[str, NDArray[np.float64]]:
    """First and last moment (s) of every larva, as columns ``t_from`` and ``t_to``."""
    t_from, t_to = np.full(n_larvae, np.nan), np.full(n_larvae, np.nan)
    other = bouts.larva[1:] != bouts.larva[:-1]
    edge = np.ones(min(len(bouts.larva), 1), dtype=bool)
    first = np.flatnonzero(np.concatenate((edge, other)))
    last = np.flatnonzero(np.concatenate((other, edge)))
    t_from[bouts.larva[first]] = bouts.t_start[first]
    t_to[bouts.larva[last]] = bouts.t_stop[last]
    return {"t_from": t_from, "t_to": t_to}


def time_order(larva: NDArray[np.integer], t: NDArray[np.float64]) -> Order:
    """Order by larva and time; a slice that copies nothing where the rows are sorted already."""
    if _in_order(larva, t):
        return slice(None)
    # rows mostly come in time order within a larva, and then half the sorting is enough
    order = np.argsort(larva, kind="stable")
    return order if _in_order(larva[order], t[order]) else np.lexsort((t, larva))


def _in_order(larva: NDArray[np.integer], t: NDArray[np.float64]) -> bool:
    later = (larva[1:] > larva[:-1]) | ((larva[1:] == larva[:-1]) & (t[1:] >= t[:-1]))
    return bool(later.all())


def _fault(wrong: NDArray[np.bool_], larva: Any, one: Any, two: Any) -> Fault:
    if not wrong.any():
        return Fault()
    first = int(np.argmax(wrong))
    times = float(one[first]), float(two[first])
    return Fault(int(np.count_nonzero(wrong)), int(larva[first]), times)


# -- checks ----------------------------------------------------------------------------------------


def check_any_state(found: bool, source: str) -> None:
    """Raise a :class:`DataError` unless a frame with a state was found."""
    if not found:
        raise DataError(
            f"{source}: column state is empty in every row; expected at least one frame with "
            "a state."
        )


def check_bouts(
    short: Fault, overlap: Fault, larvae: pd.DataFrame, assays: pd.DataFrame, source: str
) -> None:
    """Raise a :class:`DataError` where bouts do not last or overlap."""
    if short.count:
        raise DataError(
            f"{source}: a bout must end after it starts, but {short.count} do not (first: "
            f"{_who(short.larva, larvae, assays)}, from {short.times[0]:g} to {short.times[1]:g} "
            "s); correct or remove these rows."
        )
    if overlap.count:
        raise DataError(
            f"{source}: bouts of one larva must not overlap, but {overlap.count} do (first: "
            f"{_who(overlap.larva, larvae, assays)}: one ends at {overlap.times[0]:g} s, the next "
            f"starts at {overlap.times[1]:g} s); correct the times, or give each larva its own id."
        )


def check_frames(twice: Fault, larvae: pd.DataFrame, assays: pd.DataFrame, source: str) -> None:
    """Raise a :class:`DataError` where a larva has two frames at one time."""
    if twice.count:
        raise DataError(
            f"{source}: a larva has one state per time, but {twice.count} frames come twice "
            f"(first: {_who(twice.larva, larvae, assays)} at {twice.times[0]:g} s); remove the "
            "duplicates, or give each larva its own id within its assay."
        )


def _who(larva: int, larvae: pd.DataFrame, assays: pd.DataFrame) -> str:
    row = larvae.iloc[larva]
    return f"larva {row['larva']!r} of assay {assays['assay'].iloc[row['assay_index']]!r}"
