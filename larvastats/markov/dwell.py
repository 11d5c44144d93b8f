"""How long states last: bouts with a known beginning, and what cut them short.

A window looks at bouts through a slit. Bouts met in progress when it opens are longer than others
(they were met in proportion to their length), and bouts still going when it closes have shown only
part of theirs. Therefore the bouts that *begin* in a window are used: which of them are seen does
not depend on how long they last, and what their end is hidden by (the window's end, the
recording's, a lost track) makes them censored, not shorter. ``entry='delayed'`` adds the bouts in
progress, left-truncated at the age they had when the window opened: more bouts, and the further
assumption that an old bout leaves the state as a new one would at that age. A stimulus that starts
with the window makes that doubtful, which is why it is not the default.

Bouts whose beginning was not seen, at the start of a track, have no known age and are left out
either way.

Two things are assumed. Within a window early and late bouts last alike: late ones are cut sooner,
so that where durations drift the early ones speak for the long ages (take narrower windows). And a
duration is a time, not a number of frames: where bouts last a frame or two, shapes of distributions
say as much of the camera as of the animal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.ethogram import CONTIGUOUS, Ethogram
from larvastats.protocol import Window

ENDED, WINDOW, RECORDING, LOST = range(4)
"""How a bout left the view: another state followed; the window closed; the recording ended; the
track was lost before."""

ENTRIES = ("onset", "delayed")

LOST_RULES = ("censored", "ended", "stayed")
"""What to make of lost tracks: nothing known beyond (independent censoring); the bout ended there;
the bout lasted until the window or the recording ended. The last two bound what is possible."""

RECORDING_SLACK = 1.0
"""A track that ends within this many seconds of its assay's last one ends with the recording."""

TIME_UNIT = 1e-6
"""Durations are rounded to this many seconds, so that equal ones are equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Dwells:
    """Bouts seen in one window.

    Attributes
    ----------
    assay, larva, state : ndarray of int, shape (bout,)
    entry : ndarray, shape (bout,)
        Age in s at which the bout came into view; 0 unless it was in progress.
    duration : ndarray, shape (bout,)
        Age in s at which it left the view.
    end : ndarray of int8, shape (bout,)
        :data:`ENDED`, :data:`WINDOW`, :data:`RECORDING` or :data:`LOST`.
    room : ndarray, shape (bout,)
        Age in s that it would have had when the window or the recording ended.
    """

    assay: NDArray[np.int64]
    larva: NDArray[np.int64]
    state: NDArray[np.int64]
    entry: NDArray[np.float64]
    duration: NDArray[np.float64]
    end: NDArray[np.int8]
    room: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of bouts."""
        return len(self.duration)

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Whether the end of a bout was seen, shape (bout,)."""
        return self.end == ENDED

    def take(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> Dwells:
        """Return some of the bouts."""
        return Dwells(
            self.assay[keep], self.larva[keep], self.state[keep], self.entry[keep],
            self.duration[keep], self.end[keep], self.room[keep],
        )  # fmt: skip

    def with_lost(self, rule: str) -> Dwells:
        """Read lost tracks by one of :data:`LOST_RULES`."""
        if rule not in LOST_RULES:
            raise UsageError(f"lost must be one of {', '.join(LOST_RULES)}, but is {rule!r}.")
        lost = self.end == LOST
        if rule == "ended":
            return replace(self, end=np.where(lost, ENDED, self.end).astype(np.int8))
        if rule == "stayed":
            return replace(
                self,
                duration=np.where(lost, self.room, self.duration),
                end=np.where(lost, WINDOW, self.end).astype(np.int8),
            )
        return self


def dwell_times(ethogram: Ethogram, window: Window, entry: str = "onset") -> Dwells:
    """Return the bouts of all states that a window shows.

    Parameters
    ----------
    ethogram : Ethogram
    window : Window
        Each of its intervals is a slit of its own: it cuts a bout that outlasts it.
    entry : {'onset', 'delayed'}
        Bouts that begin in the window, or also those in progress when it opens (see above).

    Returns
    -------
    Dwells
        In order of the intervals, then of the ethogram.

    Raises
    ------
    UsageError
        An unknown `entry`.
    """
    if entry not in ENTRIES:
        raise UsageError(f"entry must be one of {', '.join(ENTRIES)}, but is {entry!r}.")
    begun = ethogram.follows
    followed = np.append(begun[1:], False)
    t_start, t_stop = ethogram.t_start, ethogram.t_stop
    assay, last = ethogram.assay_index, _recording_ends(ethogram)
    parts = []
    for low, high in window.intervals:
        seen = begun & (t_start < high) & (t_stop > low)
        if entry == "onset":
            seen &= t_start >= low
        at = np.flatnonzero(seen)
        close = np.minimum(high, last[assay[at]])
        cut = t_stop[at] > high + CONTIGUOUS
        over = t_stop[at] >= last[assay[at]] - RECORDING_SLACK
        end = np.where(cut, WINDOW, np.where(followed[at], ENDED, np.where(over, RECORDING, LOST)))
        age = np.maximum(low - t_start[at], 0.0)
        duration = np.minimum(t_stop[at], high) - t_start[at]
        room = np.maximum(close - t_start[at], duration)
        parts.append((at, _rounded(age), _rounded(duration), end.astype(np.int8), _rounded(room)))
    at, age, duration, end, room = (np.concatenate(column) for column in zip(*parts, strict=True))
    some = duration > age
    at = at[some]
    return Dwells(
        assay[at], ethogram.larva_index[at].astype(np.int64), ethogram.state[at].astype(np.int64),
        age[some], duration[some], end[some], room[some],
    )  # fmt: skip


def _recording_ends(ethogram: Ethogram) -> NDArray[np.float64]:
    """Return the last moment at which any larva of an assay was tracked, shape (assay,)."""
    last = np.full(len(ethogram.assays), -np.inf)
    np.maximum.at(last, ethogram.assay_index, ethogram.t_stop)
    return last


def _rounded(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(seconds / TIME_UNIT) * TIME_UNIT
