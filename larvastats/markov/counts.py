"""Count transitions per assay and window: the sufficient statistic of everything that follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.ethogram import CONTIGUOUS, Ethogram, grid_range
from larvastats.protocol import Interval, Window, merge_intervals

CHUNK = 1 << 18
"""Bouts handled at a time: small enough for the processor's cache, and memory stays flat."""

KINDS = ("jump", "frame")
"""Ways to count; see :func:`count_transitions`."""


@dataclass(frozen=True, slots=True)
class TransitionCounts:
    """Transitions per assay and window.

    Attributes
    ----------
    counts : ndarray of int64, shape (assay, window, from, to)
    windows : tuple of Window, length window
    states : tuple of str, length K
    kind : {'jump', 'frame'}
    dt : float or None
        Step in s under ``frame``.
    """

    counts: NDArray[np.int64]
    windows: tuple[Window, ...]
    states: tuple[str, ...]
    kind: str
    dt: float | None


def count_transitions(
    ethogram: Ethogram,
    windows: Sequence[Window],
    kind: str = "jump",
    dt: float = 0.1,
) -> TransitionCounts:
    """Count transitions of every assay in every window.

    Parameters
    ----------
    ethogram : Ethogram
    windows : sequence of Window
        They may overlap. A jump belongs to a window that contains its time; a frame pair to a
        window that contains both frames.
    kind : {'jump', 'frame'}
        ``jump``: changes of state between contiguous bouts; the diagonal is zero. ``frame``: one
        step of the regular time grid ``k * dt`` within uninterrupted tracking.
    dt : float
        Step of the grid in s.

    Returns
    -------
    TransitionCounts

    Raises
    ------
    UsageError
        An unknown `kind`, or a step that is not positive.
    """
    if kind not in KINDS:
        raise UsageError(f"transitions must be one of {', '.join(KINDS)}, but is {kind!r}.")
    if kind == "frame" and not (np.isfinite(dt) and dt > 0):
        raise UsageError(f"dt must be a positive number of seconds, but is {dt!r}.")
    k = ethogram.n_states
    cells = len(ethogram.assays) * k * k
    total = np.zeros((len(windows), cells), dtype=np.int64)
    for start, stop in _chunks(ethogram):
        if kind == "jump":
            _add_jumps(total, ethogram, windows, start, stop)
        else:
            _add_frames(total, ethogram, windows, start, stop, dt)
    counts = total.reshape(len(windows), len(ethogram.assays), k, k).swapaxes(0, 1)
    names = ethogram.states
    return TransitionCounts(
        np.ascontiguousarray(counts), tuple(windows), names, kind, dt if kind == "frame" else None
    )


def _chunks(ethogram: Ethogram) -> Iterator[tuple[int, int]]:
    """Yield ranges of bouts that never split a larva."""
    larva = ethogram.larva_index
    start = 0
    while start < len(larva):
        stop = min(start + CHUNK, len(larva))
        stop = int(np.searchsorted(larva, larva[stop - 1], side="right"))
        yield start, stop
        start = stop


def _add_jumps(
    total: NDArray[np.int64],
    ethogram: Ethogram,
    windows: Sequence[Window],
    start: int,
    stop: int,
) -> None:
    k = ethogram.n_states
    larva, state = ethogram.larva_index[start:stop], ethogram.state[start:stop]
    t = ethogram.t_start[start + 1 : stop]
    jump = larva[1:] == larva[:-1]
    jump &= t - ethogram.t_stop[start : stop - 1] <= CONTIGUOUS
    assay = ethogram.larvae["assay_index"].to_numpy(np.int64)[larva[1:]]
    cell = (assay * k + state[:-1]) * k + state[1:]
    for w, window in enumerate(windows):
        inside = np.zeros(len(t), dtype=bool)
        for low, high in window.intervals:
            inside |= (t >= low) & (t < high)
        _accumulate(total[w], cell[inside & jump])


def _add_frames(
    total: NDArray[np.int64],
    ethogram: Ethogram,
    windows: Sequence[Window],
    start: int,
    stop: int,
    dt: float,
) -> None:
    k = ethogram.n_states
    larva, state = ethogram.larva_index[start:stop], ethogram.state[start:stop].astype(np.int64)
    follows = np.zeros(stop - start, dtype=bool)
    follows[1:] = larva[1:] == larva[:-1]
    gap = ethogram.t_start[start + 1 : stop] - ethogram.t_stop[start : stop - 1]
    follows[1:] &= gap <= CONTIGUOUS
    stretch = np.cumsum(~follows)
    assay = ethogram.larvae["assay_index"].to_numpy(np.int64)[larva]
    first = grid_range(ethogram.t_start[start:stop], dt)
    end = grid_range(ethogram.t_stop[start:stop], dt)
    # at a seam within rounding, a frame belongs to the later bout, and to one only
    end[:-1] = np.where(follows[1:], first[1:], end[:-1])
    base = assay * k * k
    for w, window in enumerate(windows):
        for lo, hi in _grid_intervals(window, dt):
            a, b = np.maximum(first, lo), np.minimum(end, hi)
            # frames of one bout that follow each other
            seen = np.flatnonzero(b > a)
            stay = base[seen] + state[seen] * (k + 1)
            _accumulate(total[w], stay, (b - a - 1)[seen])
            # the last frame of a bout and the first of the next that has any, without loss
            step = seen[1:][stretch[seen[1:]] == stretch[seen[:-1]]]
            before = seen[:-1][stretch[seen[1:]] == stretch[seen[:-1]]]
            _accumulate(total[w], base[step] + state[before] * k + state[step])


def _grid_intervals(window: Window, dt: float) -> tuple[Interval, ...]:
    """Frames of a window as half-open ranges; a pause that holds no frame separates none."""
    far = np.iinfo(np.int64).max // 4
    ends = []
    for low, high in window.intervals:
        lo = -far if low == -np.inf else int(grid_range(np.float64(low), dt))
        hi = far if high == np.inf else int(grid_range(np.float64(high), dt))
        ends.append((lo, hi))
    return merge_intervals(ends)


def _accumulate(
    total: NDArray[np.int64], cell: NDArray[np.int64], weight: NDArray[np.int64] | None = None
) -> None:
    """Add counts to the few cells that a chunk touches."""
    if not len(cell):
        return
    low = int(cell.min())
    n = int(cell.max()) - low + 1
    counted = np.bincount(cell - low, weights=weight, minlength=n)
    total[low : low + n] += counted.astype(np.int64)
