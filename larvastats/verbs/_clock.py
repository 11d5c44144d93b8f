"""Bins of time, and what the stimulus does in them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.protocol import Interval, Protocol, format_seconds

Array = NDArray[np.float64]

BEFORE = 10.0
"""Seconds before an onset that are shown, and taken as baseline, where nothing is said."""

MAX_BINS = 20_000

_ALIGN = re.compile(r"(?P<first>[1-9][0-9]{0,4})(?:-(?P<last>[1-9][0-9]{0,4}))?")
_SPAN = re.compile(r"(?P<start>-?[0-9.]+):(?P<stop>-?[0-9.]+)")


@dataclass(frozen=True, slots=True)
class Clock:
    """Bins of time, and what the stimulus does in them.

    Attributes
    ----------
    edges : ndarray, shape (bin + 1,)
        s, from the start of the recording or from every onset.
    onsets : tuple of float
        Zeros of time in the recording, s.
    intervals : tuple of (float, float)
        Stimulus-on times on this clock, those within it.
    onset : float or None
        The first onset on this clock, after which a response may begin.
    quiet : float
        Seconds before the onset that make a baseline: ten, or half of the pause since the stimulus
        before.
    text : str
    """

    edges: Array
    onsets: tuple[float, ...]
    intervals: tuple[Interval, ...]
    onset: float | None
    quiet: float
    text: str


def make_clock(
    protocol: Protocol,
    align: str | int,
    width: float,
    span: str | Interval | None,
    extent: Interval,
) -> tuple[Clock, tuple[str, ...]]:
    """Lay out the bins.

    Parameters
    ----------
    protocol : Protocol
    align : 'start', int, or text
        ``start``: the recording's clock. A number k: seconds from the k-th onset of the protocol.
        ``k-l``: the mean over the onsets k to l.
    width : float
        Of a bin, in s.
    span : 'START:STOP', (float, float) or None
        On the chosen clock.
    extent : (float, float)
        Times that the recordings cover.

    Returns
    -------
    clock : Clock
    notes : tuple of str

    Raises
    ------
    UsageError
        A width, span or alignment that cannot be, or a stimulus that the protocol lacks.
    DataError
        Recordings that end before what is asked for.
    """
    if not (isinstance(width, int | float) and math.isfinite(width) and width > 0):
        raise UsageError(f"bin must be a positive number of seconds, but is {width!r}.")
    on = protocol.intervals
    onsets, chosen = _onsets(protocol, align, extent)
    notes = _stimulus_notes(on, extent)
    low, high = _span(span) or _default_span(chosen, on, extent, width)
    low, high = _on_grid(low, width, math.ceil), _on_grid(high, width, math.floor)
    n = round((high - low) / width)
    if n < 1 or n > MAX_BINS:
        raise UsageError(
            f"a span from {low:g} to {high:g} s in bins of {width:g} s has {n} bins; expected 1 to "
            f"{MAX_BINS}: choose another --span or --bin."
        )
    edges = np.round(low + width * np.arange(n + 1), 9)
    if chosen is None:
        inside = tuple((a, b) for a, b in on if b > low and a < high)
        text = f"{low:g} to {high:g} s of the recording, bins of {width:g} s"
    else:
        first = onsets[0]
        shown = on if len(onsets) == 1 else (on[chosen[0]],)
        inside = tuple((round(a - first, 9), round(b - first, 9)) for a, b in shown)
        inside = tuple((a, b) for a, b in inside if b > low and a < high)
        which = f"onset {chosen[0] + 1}" if len(onsets) == 1 else (
            f"onsets {chosen[0] + 1} to {chosen[-1] + 1}, averaged")  # fmt: skip
        text = f"{low:g} to {high:g} s from {which}, bins of {width:g} s"
    first_on = inside[0][0] if chosen is None and inside else (None if chosen is None else 0.0)
    pauses = [(on[k][0] - on[k - 1][1]) / 2 for k in chosen or () if k > 0]
    quiet = max(min([BEFORE, *pauses]), width)
    return Clock(edges, onsets, inside, first_on, quiet, text), notes


def _onsets(
    protocol: Protocol, align: str | int, extent: Interval
) -> tuple[tuple[float, ...], tuple[int, ...] | None]:
    """Return zeros of time, and the presentations they belong to (None: the recording's start)."""
    text = str(align).strip()
    if text == "start":
        return (0.0,), None
    match = _ALIGN.fullmatch("1" if text == "stimulus" else text)
    if match is None:
        raise UsageError(
            f"align must be start, the number of a presentation such as 1, or a range such as "
            f"2-11, but is {align!r}."
        )
    on = protocol.intervals
    if not on:
        raise UsageError(
            f"protocol {protocol.raw or '(none)'!r} has no stimulus with times, so that there is "
            "nothing to align to; leave --align out."
        )
    first, last = int(match["first"]), int(match["last"] or match["first"])
    if last < first or last > len(on):
        raise UsageError(
            f"align {text} asks for a presentation that the protocol lacks; it has "
            f"{len(on)}: {protocol.describe()}."
        )
    chosen = tuple(range(first - 1, last))
    late = [k for k in chosen if on[k][0] >= extent[1]]
    if late:
        raise DataError(
            f"the stimulus at {format_seconds(on[late[0]][0])} s comes after the end of the "
            f"recordings at {extent[1]:g} s; check that protocol and recordings belong together, "
            "or align to an earlier one."
        )
    return tuple(on[k][0] for k in chosen), chosen


def _stimulus_notes(on: Sequence[Interval], extent: Interval) -> tuple[str, ...]:
    if not on:
        return ("the protocol has no stimulus with times: there are no marks, no baseline, and no "
                "off and on",)  # fmt: skip
    late = [a for a, _ in on if a >= extent[1]]
    long = [(a, b) for a, b in on if a < extent[1] < b]
    notes = []
    if late:
        notes.append(
            f"the recordings end at {extent[1]:g} s, before {len(late)} of {len(on)} stimuli begin "
            f"(first: {format_seconds(late[0])} s)"
        )
    if long:
        notes.append(
            f"the stimulus from {format_seconds(long[0][0])} to {format_seconds(long[0][1])} s "
            f"outlasts the recordings, which end at {extent[1]:g} s: its end is not seen"
        )
    return tuple(notes)


def _span(span: str | Interval | None) -> Interval | None:
    if span is None:
        return None
    if isinstance(span, str):
        match = _SPAN.fullmatch(span.strip())
        try:
            low, high = (float(match["start"]), float(match["stop"])) if match else (1.0, 0.0)
        except ValueError:
            low, high = 1.0, 0.0
    else:
        low, high = span
    if not low < high:
        raise UsageError(
            f"span must be START:STOP in seconds, the start first, such as 40:90, but is {span!r}."
        )
    return low, high


def _default_span(
    chosen: tuple[int, ...] | None, on: Sequence[Interval], extent: Interval, width: float
) -> Interval:
    if chosen is None:
        return max(0.0, extent[0]), extent[1]
    room_before, room_after = [], []
    for k in chosen:
        before = on[k - 1][1] if k > 0 else extent[0]
        after = on[k + 1][0] if k + 1 < len(on) else extent[1]
        room_before.append(on[k][0] - before)
        room_after.append(after - on[k][0])
    return -max(min(BEFORE, *room_before, BEFORE), 0.0), max(min(room_after), width)


def _on_grid(t: float, width: float, rounding: Any) -> float:
    """Move a time inwards to a multiple of the bin's width: zero is then always an edge."""
    slack = 1e-6 if rounding is math.floor else -1e-6
    return float(rounding(t / width + slack) * width)
