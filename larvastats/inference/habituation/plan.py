"""Where to look: which presentations of the stimulus, which bins, and what lies before."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.inference.habituation.model import (
    KINDS,
    Shape,
    berne_shape,
    pulse_shape,
    recovery_shape,
)
from larvastats.protocol import Protocol, format_intervals, windows
from larvastats.stimuli import Interval

Array = NDArray[np.float64]

BINS, PULSE_BINS = 30, 10
"""Bins of a long stimulus, and of each pulse under ``berne``, unless a width is given."""

BASELINE = 10.0
"""Seconds before the onset that make the baseline; fewer where another stimulus is nearer."""

LEAST_BASELINE = 0.5
LONG = 10.0
"""A presentation of at least this many seconds is one to recover in."""

LEAST_PULSES = 4
"""Levels at both ends and a time constant need one pulse more than they are numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Intervals to measure.

    Attributes
    ----------
    shape : Shape
    start, stop : ndarray, shape (bin,)
        Seconds of the recording.
    before : (float, float) or None
        The baseline; None where nothing lies before.
    pulses : tuple of (float, float)
        The presentations.
    """

    shape: Shape
    start: Array
    stop: Array
    before: Interval | None
    pulses: tuple[Interval, ...]

    @property
    def text(self) -> str:
        """The times, in words."""
        return format_intervals(self.pulses)


def make_plan(
    protocol: Protocol,
    extent: Interval,
    *,
    kind: str = "auto",
    stimulus: int | None = None,
    window: str | None = None,
    width: float | None = None,
) -> Plan:
    """Choose the stimulus, the kind of analysis and the bins.

    Parameters
    ----------
    protocol : Protocol
    extent : (float, float)
        When the recordings start and end, s.
    kind : {'auto', 'recovery', 'pulses', 'berne'}
        ``auto``: ``recovery`` where a presentation lasts 10 s or more, ``pulses`` where there are
        four or more, else ``recovery``.
    stimulus : int, optional
        K-th presentation of the protocol (``during_K``): the one to recover in, by default the
        longest; for trains, one of the train's, by default the longest train's.
    window : str, optional
        ``START:STOP`` or a named window: the stretch to fit under ``recovery``, the pulses to use
        otherwise.
    width : float, optional
        Of a bin, s.

    Raises
    ------
    UsageError
        No stimulus, no such presentation, too few pulses, bins that do not fit.
    DataError
        The stimulus goes on after the end of the recordings.
    """
    if kind not in ("auto", *KINDS):
        raise UsageError(f"kind must be auto, {', '.join(KINDS)}, but is {kind!r}.")
    if width is not None and not (math.isfinite(width) and width > 0):
        raise UsageError(f"the bin must be a number of seconds above 0, but is {width!r}.")
    kind = _kind(protocol, stimulus, window) if kind == "auto" else kind
    if kind == "recovery":
        return _recovery(protocol, extent, stimulus, window, width)
    return _train(protocol, extent, kind, stimulus, window, width)


def _kind(protocol: Protocol, stimulus: int | None, window: str | None) -> str:
    if not protocol.has_stimulus:
        return "recovery"
    pulses = _presentations(protocol, stimulus)
    longest = max(stop - start for start, stop in pulses)
    if longest >= LONG or window is not None:
        return "recovery"
    train = _longest_train(protocol, stimulus)
    return "pulses" if len(train) >= LEAST_PULSES else "recovery"


def _presentations(protocol: Protocol, stimulus: int | None) -> tuple[Interval, ...]:
    """All presentations, or the K-th."""
    on = protocol.intervals
    if not on:
        raise UsageError(
            f"protocol {protocol.raw or '(none)'!r} has no stimulus with times, so that nothing "
            "can habituate to it; give the times of the stimulus with --window START:STOP."
        )
    if stimulus is None:
        return on
    if not 1 <= stimulus <= len(on):
        raise UsageError(
            f"there is no stimulus {stimulus}; this protocol has {len(on)}, counted from 1 "
            f"({protocol.describe()})."
        )
    return (on[stimulus - 1],)


def _recovery(
    protocol: Protocol, extent: Interval, stimulus: int | None, window: str | None,
    width: float | None,
) -> Plan:  # fmt: skip
    if window is not None:
        low, high = _window(protocol, window, extent)
    else:
        low, high = max(_presentations(protocol, stimulus), key=lambda on: (on[1] - on[0], -on[0]))
    onset = max((a for a, b in protocol.intervals if a <= low < b), default=low)
    edges = _edges(low, high, width, BINS)
    _check_recorded((low, high), extent, edges[1] - edges[0])
    before = _before(protocol, onset, extent)
    return Plan(recovery_shape(edges), edges[:-1], edges[1:], before, ((low, high),))


def _window(protocol: Protocol, window: str, extent: Interval) -> Interval:
    chosen = windows(protocol, window)
    if len(chosen) != 1 or len(chosen[0].intervals) != 1:
        raise UsageError(
            f"window {window!r} is not one stretch of time; name one such as during_1 or "
            "START:STOP in seconds."
        )
    start, stop = chosen[0].intervals[0]
    return max(start, extent[0]), min(stop, extent[1]) if math.isinf(stop) else stop


def _edges(low: float, high: float, width: float | None, bins: int) -> Array:
    n = _round_bins(high - low, bins) if width is None else round((high - low) / width)
    if n < LEAST_PULSES:
        raise UsageError(
            f"bins of {width:g} s divide the stimulus of {high - low:g} s into {n}; a decline "
            f"needs {LEAST_PULSES} at least: make them narrower."
        )
    return np.round(np.linspace(low, high, n + 1), 9)


def _round_bins(length: float, bins: int) -> int:
    """Choose a number of bins near `bins` whose width is a round number of seconds, if any is."""
    for step in (0.5, 0.1, 0.05):
        near = [
            n
            for n in range(round(0.75 * bins), round(1.25 * bins) + 1)
            if abs(length / n / step - round(length / n / step)) < 1e-9 and length / n >= step
        ]
        if near:
            return min(near, key=lambda n: (abs(n - bins), n))
    return bins


def _check_recorded(stimulus: Interval, extent: Interval, slack: float) -> None:
    start, stop = stimulus
    if stop <= extent[1] + slack and start >= extent[0] - slack:
        return
    low, high = max(start, extent[0]), min(stop, extent[1])
    hint = f": fit what there is with --window {low:g}:{high:g}" if high > low else ""
    raise DataError(
        f"the stimulus lasts from {start:g} to {stop:g} s, but the recordings run from "
        f"{extent[0]:g} to {extent[1]:g} s{hint}."
    )


def _before(protocol: Protocol, onset: float, extent: Interval) -> Interval | None:
    """Return the last seconds before an onset without any stimulus; None without any."""
    ended = max((b for _, b in protocol.intervals if b <= onset), default=-math.inf)
    if any(a < onset < b for a, b in protocol.intervals):
        return None
    start = max(onset - BASELINE, ended, extent[0])
    return (start, onset) if onset - start >= LEAST_BASELINE else None


def _longest_train(protocol: Protocol, stimulus: int | None) -> tuple[Interval, ...]:
    """Presentations of the slot with most repeats, or of the slot that holds the K-th."""
    trains = [one.intervals for one in protocol.stimuli if not one.overlaps]
    if stimulus is not None:
        chosen = _presentations(protocol, stimulus)[0]
        trains = [train for train in trains if chosen in train]
    return max(trains, key=len, default=())


def _train(
    protocol: Protocol, extent: Interval, kind: str, stimulus: int | None, window: str | None,
    width: float | None,
) -> Plan:  # fmt: skip
    _presentations(protocol, stimulus)
    pulses = _longest_train(protocol, stimulus)
    if window is not None:
        low, high = _window(protocol, window, extent)
        pulses = tuple(on for on in pulses if on[0] >= low and on[1] <= high)
    least = LEAST_PULSES if kind == "pulses" else 2
    if len(pulses) < least:
        raise UsageError(
            f"{kind} needs a train of {least} pulses at least, but there "
            f"{'is' if len(pulses) == 1 else 'are'} {len(pulses)} ({protocol.describe()}); choose "
            "another --stimulus, or --kind recovery for one long stimulus."
        )
    length = pulses[0][1] - pulses[0][0]
    _check_recorded((pulses[0][0], pulses[-1][1]), extent, length / PULSE_BINS)
    before = _before(protocol, pulses[0][0], extent)
    if kind == "pulses":
        start, stop = np.array(pulses).T
        return Plan(pulse_shape(len(pulses)), start, stop, before, pulses)
    edges = _edges(0.0, length, width, PULSE_BINS)
    onsets = np.array([on[0] for on in pulses])[:, None]
    pause = pulses[1][0] - pulses[0][1]
    shape = berne_shape(edges, len(pulses), pause)
    start, stop = (onsets + edges[:-1]).ravel(), (onsets + edges[1:]).ravel()
    return Plan(shape, start, stop, before, pulses)
