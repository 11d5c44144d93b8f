"""Protocols and the named windows of time that they define.

The grammar of the protocol string is in :mod:`larvastats.stimuli`; its names are public here.
All times are in seconds from the start of the recording; intervals are half-open,
``[start, stop)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from larvastats.errors import UsageError
from larvastats.stimuli import (
    GapRule,
    Interval,
    Protocol,
    Stimulus,
    canonical_protocol,
    format_intervals,
    format_seconds,
    merge_intervals,
    parse_protocol,
)

__all__ = [
    "GapRule",
    "Interval",
    "Protocol",
    "Stimulus",
    "Window",
    "canonical_protocol",
    "contrast",
    "default_window",
    "format_intervals",
    "format_seconds",
    "match_protocol",
    "merge_intervals",
    "parse_protocol",
    "windows",
]

MAX_SLIDING = 10_000
MAX_NAMED = 8

_DURING = re.compile(r"during_([1-9][0-9]{0,5})")
# Nine decimals, one nanosecond, are also the precision to which times are rounded.
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Window:
    """A named part of the recording: a union of half-open intervals ``[start, stop)``.

    Attributes
    ----------
    name : str
        ``before``, ``during``, ``during_2``, ``after``, ``whole`` or ``START:STOP``.
    intervals : tuple of (float, float)
        Seconds, disjoint and in order: intervals that touch or overlap are merged on creation.
        The ends may be ``-inf`` and ``inf``.

    Raises
    ------
    UsageError
        If there is no interval, or one whose start is not before its stop.
    """

    name: str
    intervals: tuple[Interval, ...]

    def __post_init__(self) -> None:
        """Check the intervals and put them in order."""
        if not self.intervals:
            raise UsageError(f"Window {self.name!r} has no interval; give at least one.")
        for start, stop in self.intervals:
            if not start < stop:
                raise UsageError(
                    f"Window {self.name!r} has an interval from {start} to {stop} s; expected "
                    "two numbers, the start before the stop."
                )
        object.__setattr__(self, "intervals", merge_intervals(self.intervals))

    @property
    def duration(self) -> float:
        """Total length in seconds, ``inf`` for an open window."""
        return sum(stop - start for start, stop in self.intervals)

    def describe(self) -> str:
        """Say the name and the times, such as ``during: 30–45, 60–75 s``; once where they agree."""
        times = format_intervals(self.intervals)
        alike = times.startswith(self.name) or times.removesuffix(" s") == self.name.replace(
            ":", "–"
        )
        return times if alike else f"{self.name}: {times}"


def default_window(protocol: Protocol) -> Window:
    """Return ``during``, all stimulus-on time pooled, or ``whole`` without a stimulus."""
    if protocol.has_stimulus:
        return Window("during", protocol.intervals)
    return Window("whole", ((-math.inf, math.inf),))


def windows(
    protocol: Protocol, spec: str = "during", *, extent: Interval | None = None
) -> tuple[Window, ...]:
    """Resolve a window specification into windows with times.

    Parameters
    ----------
    protocol : Protocol
    spec : str
        - ``before``: until the first onset;
        - ``during``: all stimulus-on time pooled; ``during_1`` ... ``during_n``: one
          presentation, by onset over all slots;
        - ``after``: from the last offset on;
        - ``whole``: everything;
        - ``START:STOP``: seconds; an empty side is open;
        - ``each``: ``before`` (unless a stimulus starts at 0), every ``during_k``, ``after``;
          ``whole`` without a stimulus;
        - ``sliding:WIDTH:STEP`` over `extent`, or ``sliding:WIDTH:STEP:START:STOP``: every full
          window of WIDTH s, STEP s apart, each named ``START:STOP``.
    extent : (float, float), optional
        Start and stop of the recordings, s; used by ``sliding:WIDTH:STEP`` only.

    Returns
    -------
    tuple of Window
        In order of time. One window, except for ``each`` and ``sliding``.

    Raises
    ------
    UsageError
        If the specification is not of this grammar, or names what the protocol lacks.
    """
    spec = spec.strip()
    if spec == "each":
        return _each(protocol)
    if spec.partition(":")[0] == "sliding":
        return _sliding(spec, extent)
    if ":" in spec:
        return (_explicit(spec),)
    return (_named(protocol, spec),)


def contrast(protocol: Protocol, spec: str) -> tuple[Window, Window]:
    """Resolve ``W1-W2`` (such as ``during-before`` or ``45:60-30:45``) into two windows.

    Raises
    ------
    UsageError
        If there are not exactly two different windows.
    """
    names = [name.strip() for name in spec.split("-")]
    if len(names) != 2 or not all(names):
        raise UsageError(
            f"Contrast {spec!r} is not W1-W2; expected two windows joined by one minus, "
            "such as during-before or 45:60-30:45."
        )
    for name in names:
        if name == "each" or name.startswith("sliding"):
            raise UsageError(
                f"Contrast {spec!r} uses {name!r}, which is many windows; a contrast compares "
                "one window with one other."
            )
    first, second = (windows(protocol, name)[0] for name in names)
    if first.intervals == second.intervals:
        raise UsageError(
            f"Contrast {spec!r} compares a window with itself ({first.describe()}); "
            "name two different windows."
        )
    return first, second


def match_protocol(query: str | None, available: Iterable[str]) -> str:
    """Choose a protocol by its name or a unique beginning of it.

    Parameters
    ----------
    query : str or None
        None chooses the only protocol there is.
    available : iterable of str
        Protocols of the data; an empty text stands for recordings that name none.

    Returns
    -------
    str
        Canonical text of the protocol; empty if `query` is None and nothing is available.

    Raises
    ------
    UsageError
        If no protocol, or more than one, fits; the sentence names the candidates.
    """
    names = sorted({canonical_protocol(name) for name in available})
    if query is None:
        if len(names) > 1:
            raise UsageError(
                f"The source has {len(names)} protocols; choose one with --protocol: "
                f"{_listed(names)}."
            )
        return names[0] if names else ""
    wanted = canonical_protocol(query)
    if wanted in names:
        return wanted
    fits = [name for name in names if name.startswith(wanted)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise UsageError(
            f"Protocol {query!r} is ambiguous: {len(fits)} protocols begin so; write more of the "
            f"one you mean: {_listed(fits)}."
        )
    found = f"it has {_listed(names)}" if names else "it has no protocol at all"
    raise UsageError(f"Protocol {query!r} is unknown in this source; {found}.")


def _each(protocol: Protocol) -> tuple[Window, ...]:
    """Every window of a protocol in order of time: before, during_1 ... during_n, after."""
    on = protocol.intervals
    if not on:
        return (default_window(protocol),)
    # Nothing is recorded before 0 s, so a stimulus on from the start leaves no "before".
    before = [_named(protocol, "before")] if on[0][0] > 0 else []
    during = [Window(f"during_{k}", (interval,)) for k, interval in enumerate(on, start=1)]
    return (*before, *during, _named(protocol, "after"))


def _named(protocol: Protocol, name: str) -> Window:
    if name == "whole":
        return Window(name, ((-math.inf, math.inf),))
    on = protocol.intervals
    if on:
        if name == "during":
            return Window(name, on)
        if name == "before" and on[0][0] > 0:
            return Window(name, ((-math.inf, on[0][0]),))
        if name == "after":
            return Window(name, ((max(stop for _, stop in on), math.inf),))
        match = _DURING.fullmatch(name)
        if match and int(match[1]) <= len(on):
            return Window(name, (on[int(match[1]) - 1],))
    raise UsageError(_missing_window(protocol, name))


def _missing_window(protocol: Protocol, name: str) -> str:
    """Say why a protocol has no window of this name, and which it has."""
    raw = protocol.raw or "(none)"
    if not (name in ("before", "during", "after") or _DURING.fullmatch(name)):
        return (
            f"Window {name!r} is not known; expected before, during, during_1, ..., after, whole, "
            "each, START:STOP in seconds or sliding:WIDTH:STEP."
        )
    if not protocol.has_stimulus:
        return (
            f"Protocol {raw!r} has no stimulus with times, hence no window {name!r}; "
            "use whole or START:STOP in seconds."
        )
    on = protocol.intervals
    if name == "before":
        return (
            f"Protocol {raw!r} has its first stimulus at 0 s, so nothing lies before it; "
            "use during, after, whole or START:STOP in seconds."
        )
    many = f"during_1 to during_{len(on)}" if len(on) > 1 else "during_1"
    before = "before, " if on[0][0] > 0 else ""
    return (
        f"Protocol {raw!r} has no window {name!r}; it has {before}during, {many}, after and "
        f"whole ({protocol.describe()})."
    )


def _seconds(text: str, spec: str, what: str) -> float:
    """Read a time of at least 0 s from a part of a window specification."""
    if not _SECONDS.fullmatch(text.strip()):
        raise UsageError(
            f"Window {spec!r} has {what} {text!r}; expected a number of seconds from 0 on, "
            "such as 45 or 12.5."
        )
    return float(text.strip())  # float leaves some blanks


def _explicit(spec: str) -> Window:
    """Resolve ``START:STOP``."""
    sides = spec.split(":")
    if len(sides) != 2:
        raise UsageError(
            f"Window {spec!r} has {len(sides)} parts; expected START:STOP in seconds, "
            "such as 45:60, 45: or :60."
        )
    start = _seconds(sides[0], spec, "the start") if sides[0].strip() else -math.inf
    stop = _seconds(sides[1], spec, "the stop") if sides[1].strip() else math.inf
    if start >= stop or stop == 0:
        raise UsageError(
            f"Window {spec!r} is empty; expected the start before the stop, in seconds from 0 on."
        )
    return _span(start, stop)


def _span(start: float, stop: float) -> Window:
    """Name a window by its times, so that the name is itself a specification."""
    if math.isinf(start) and math.isinf(stop):
        return Window("whole", ((start, stop),))
    sides = ["" if math.isinf(side) else format_seconds(side) for side in (start, stop)]
    return Window(":".join(sides), ((start, stop),))


def _sliding(spec: str, extent: Interval | None) -> tuple[Window, ...]:
    """Resolve ``sliding:WIDTH:STEP`` or ``sliding:WIDTH:STEP:START:STOP``."""
    parts = spec.split(":")[1:]
    if len(parts) not in (2, 4):
        raise UsageError(
            f"Window {spec!r} is not complete; expected sliding:WIDTH:STEP or "
            "sliding:WIDTH:STEP:START:STOP, in seconds."
        )
    names = ("the width", "the step", "the start", "the stop")
    numbers = [_seconds(part, spec, name) for part, name in zip(parts, names, strict=False)]
    width, step = numbers[:2]
    if width == 0 or step == 0:
        raise UsageError(f"Window {spec!r} has a width or a step of 0 s; both must be positive.")
    if len(numbers) == 4:
        extent = (numbers[2], numbers[3])
    if extent is None or not all(map(math.isfinite, extent)):
        raise UsageError(
            f"Window {spec!r} has no range to slide over; "
            f"write it as sliding:{parts[0]}:{parts[1]}:START:STOP, in seconds."
        )
    return tuple(_slide(spec, width, step, extent))


def _slide(spec: str, width: float, step: float, extent: Interval) -> Iterator[Window]:
    start, stop = extent
    # The tolerance keeps a last window that is full but for a rounding error.
    count = math.floor((stop - start - width) / step + 1e-9) + 1
    if count < 1:
        raise UsageError(
            f"Window {spec!r} does not fit: no full window of {format_seconds(width)} s lies "
            f"between {format_seconds(start)} and {format_seconds(stop)} s; choose a smaller width "
            "or a longer range."
        )
    if count > MAX_SLIDING:
        raise UsageError(
            f"Window {spec!r} makes {count} windows, more than {MAX_SLIDING}; take a longer step."
        )
    for k in range(count):
        left = round(start + k * step, 9)
        yield _span(left, round(left + width, 9))


def _listed(names: list[str]) -> str:
    """Name at most eight candidates, then count the rest."""
    shown = ", ".join(name or "'' (no protocol)" for name in names[:MAX_NAMED])
    rest = len(names) - MAX_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
