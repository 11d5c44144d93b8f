"""From a protocol string to stimuli, and from stimuli to named windows of time.

A protocol is up to four slots separated by ``#``; ``n`` is an empty slot. A slot with times reads
``<kind>_<spec>_<onset>s<repeats>x<duration>s<gap>s``. The grammar is read leniently: whatever is
not understood is kept as text, and no recording is lost over it.

All times are in seconds from the start of the recording; intervals are half-open,
``[start, stop)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from larvastats.errors import UsageError

GapRule = Literal["period", "pause"]
Interval = tuple[float, float]

EMPTY_SLOT = "n"
SLOTS = 4
MAX_REPEATS = 100_000
MAX_SLIDING = 10_000
MAX_NAMED = 8

_DASH = "\N{EN DASH}"
_SUFFIX = "@100"
_NUMBER = r"[0-9]{1,8}(?:\.[0-9]{1,6})?"
_TIMED = re.compile(
    rf"(?P<kind>[^_]+)(?:_(?P<spec>.*))?_(?P<onset>{_NUMBER})s(?P<repeats>[0-9]{{1,6}})x"
    rf"(?P<duration>{_NUMBER})s(?P<gap>{_NUMBER})s",
    re.DOTALL,
)
# A type and a spec without times. A piece such as ``45s1x30s`` is a damaged timing instead.
_CONDITION = re.compile(r"[A-Za-z]+_.+", re.DOTALL)
_DAMAGED_TIMING = re.compile(r"[0-9][sx][0-9]")
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_KIND_NAMES = {"p": "air puff", "r": "red light"}


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One slot of a protocol that has times.

    Attributes
    ----------
    slot : int
        Position in the protocol, from 1.
    kind, spec : str
        Type (``p``, ``r``, ``ch``, ...) and what follows it (``8``, ``LED100``, ``95grad``).
    onset, duration, gap : float
        Seconds, as written.
    repeats : int
        Number of presentations.
    gap_rule : {'period', 'pause'}
        Whether `gap` runs from start to start or from stop to start.
    intervals : tuple of (float, float)
        The presentations in order, one per repeat; they overlap where a period is shorter than
        the duration.
    """

    slot: int
    kind: str
    spec: str
    onset: float
    repeats: int
    duration: float
    gap: float
    gap_rule: GapRule
    intervals: tuple[Interval, ...]

    @property
    def overlaps(self) -> bool:
        """Whether the next presentation starts before the last one stops."""
        return self.repeats > 1 and self.gap_rule == "period" and self.gap < self.duration

    def describe(self) -> str:
        """Say what is presented and when, with the reading of the gap where it matters."""
        name = f"{_KIND_NAMES.get(self.kind, self.kind)} {self.spec}".strip()
        text = f"{name}: {format_intervals(self.intervals)}"
        if self.repeats == 1:
            return text
        ends = "start to start" if self.gap_rule == "period" else "stop to start"
        return f"{text} (gap read as {self.gap_rule}, {ends})"


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol string, read.

    Attributes
    ----------
    raw : str
        The text as given.
    slots : tuple of str
        The slots without surrounding blanks or the ``@100`` suffix; at least four, absent ones
        are ``n``. A fifth slot, which the grammar does not foresee, is read like the others.
    stimuli : tuple of Stimulus
        Slots with times, in slot order.
    unparsed : tuple of str
        Slots that follow no rule, such as ``paired`` or a damaged timing.
    conditions : tuple of str
        Slots with a type and a spec but no times, such as ``fe_0_suc``: they describe the
        animals or the plate, not a moment.
    """

    raw: str
    slots: tuple[str, ...]
    stimuli: tuple[Stimulus, ...]
    unparsed: tuple[str, ...]
    conditions: tuple[str, ...] = ()

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Distinct stimulus-on intervals over all slots, sorted by onset, then by end.

        The k-th one is the window ``during_k``. Repeats of one slot that overlap are merged,
        and an interval that two slots share counts once; different slots may overlap.
        """
        on: set[Interval] = set()
        for stimulus in self.stimuli:
            on.update(_merge(stimulus.intervals) if stimulus.overlaps else stimulus.intervals)
        return tuple(sorted(on))

    @property
    def has_stimulus(self) -> bool:
        """Whether any slot has times."""
        return bool(self.stimuli)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each thing a reader of the times should know."""
        return tuple(
            f"slot {s.slot}: the period of {_number(s.gap)} s is shorter than the stimulus of "
            f"{_number(s.duration)} s, so its repeats overlap and are merged; if the gap is a "
            "pause, use --gap pause"
            for s in self.stimuli
            if s.overlaps
        )

    def describe(self) -> str:
        """Say in one line what is presented when, with resolved times in seconds."""
        parts = [stimulus.describe() for stimulus in self.stimuli]
        if self.conditions:
            parts.append(f"without times: {', '.join(self.conditions)}")
        if self.unparsed:
            parts.append(f"not understood: {', '.join(self.unparsed)}")
        if not self.stimuli:
            parts.insert(0, "no stimulus with times")
        return "; ".join([*parts, *self.notes])


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
        object.__setattr__(self, "intervals", _merge(self.intervals))

    @property
    def duration(self) -> float:
        """Total length in seconds, ``inf`` for an open window."""
        return sum(stop - start for start, stop in self.intervals)

    def describe(self) -> str:
        """Say the name and the times, such as ``during: 30-45, 60-75 s``."""
        return f"{self.name}: {format_intervals(self.intervals)}"


def canonical_protocol(text: str) -> str:
    """Return the text that identifies a protocol: no outer blanks, no trailing ``@100``."""
    text = text.strip()
    while text.endswith(_SUFFIX):
        text = text.removesuffix(_SUFFIX).rstrip()
    return text


def parse_protocol(text: str, *, gap: GapRule | None = None) -> Protocol:
    """Read a protocol string; any text gives a protocol.

    Parameters
    ----------
    text : str
        Such as ``r_LED100_30s2x15s30s#n#n#n``.
    gap : {'period', 'pause'}, optional
        How to read the last number of every timing: from start to start, or from stop to start.
        By default ``period`` for ``r_LED*`` and ``p_<integer>``, ``pause`` otherwise.

    Returns
    -------
    Protocol

    Raises
    ------
    UsageError
        If `gap` is something else; never because of `text`.
    """
    if gap not in (None, "period", "pause"):
        raise UsageError(f"gap must be 'period' or 'pause', got {gap!r}.")
    slots = [slot.strip() or EMPTY_SLOT for slot in canonical_protocol(text).split("#")]
    slots += [EMPTY_SLOT] * (SLOTS - len(slots))
    stimuli, conditions, unparsed = [], [], []
    for position, slot in enumerate(slots, start=1):
        if slot == EMPTY_SLOT:
            continue
        stimulus = _parse_slot(position, slot, gap)
        if stimulus is not None:
            stimuli.append(stimulus)
        elif _CONDITION.fullmatch(slot) and not _DAMAGED_TIMING.search(slot):
            conditions.append(slot)
        else:
            unparsed.append(slot)
    return Protocol(text, tuple(slots), tuple(stimuli), tuple(unparsed), tuple(conditions))


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
        return tuple(_named(protocol, name) for name in _available(protocol, each=True))
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


def format_intervals(intervals: Iterable[Interval]) -> str:
    """Write intervals for people: ``30-45, 60-75 s`` (with en dashes), long series shortened."""
    texts = [_interval_text(interval) for interval in intervals]
    if len(texts) > 12:
        texts = [*texts[:3], "...", f"{texts[-1]} s ({len(texts)} times)"]
        return ", ".join(texts)
    return f"{', '.join(texts)} s" if texts != ["whole"] else "whole recording"


def _interval_text(interval: Interval) -> str:
    start, stop = interval
    if math.isinf(start) and math.isinf(stop):
        return "whole"
    if math.isinf(start):
        return f"before {_number(stop)}"
    if math.isinf(stop):
        return f"from {_number(start)}"
    return f"{_number(start)}{_DASH}{_number(stop)}"


def _number(value: float) -> str:
    """Write a number of seconds without useless zeros."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _merge(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sort intervals and join those that touch or overlap."""
    merged: list[Interval] = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


def _parse_slot(position: int, slot: str, gap_rule: GapRule | None) -> Stimulus | None:
    """Read one slot with times; None where it has none that make sense."""
    match = _TIMED.fullmatch(slot)
    if match is None:
        return None
    kind, spec = match["kind"], match["spec"] or ""
    onset, duration, gap = (float(match[name]) for name in ("onset", "duration", "gap"))
    repeats = int(match["repeats"])
    if not 1 <= repeats <= MAX_REPEATS or duration == 0:
        return None
    rule = gap_rule or _default_gap_rule(kind, spec)
    period = gap if rule == "period" else duration + gap
    # Multiplied, not accumulated, and rounded to 1 ns: the 150th start is as exact as the first.
    starts = (round(onset + k * period, 9) for k in range(repeats))
    intervals = tuple((start, round(start + duration, 9)) for start in starts)
    return Stimulus(position, kind, spec, onset, repeats, duration, gap, rule, intervals)


def _default_gap_rule(kind: str, spec: str) -> GapRule:
    """Light and plain air puffs were written with periods, everything else with pauses."""
    light = kind == "r" and spec.startswith("LED")
    puff = kind == "p" and re.fullmatch(r"[0-9]+", spec) is not None
    return "period" if light or puff else "pause"


def _available(protocol: Protocol, *, each: bool = False) -> list[str]:
    """Names of the windows a protocol has, in order of time."""
    if not protocol.has_stimulus:
        return ["whole"]
    on = protocol.intervals
    # Nothing is recorded before 0 s, so a stimulus on from the start leaves no "before".
    before = ["before"] if on[0][0] > 0 else []
    during = [f"during_{k}" for k in range(1, len(on) + 1)]
    return [*before, *([] if each else ["during"]), *during, "after"] + ([] if each else ["whole"])


def _named(protocol: Protocol, name: str) -> Window:
    on = protocol.intervals
    if name == "whole":
        return Window(name, ((-math.inf, math.inf),))
    if name in _available(protocol):
        if name == "before":
            return Window(name, ((-math.inf, on[0][0]),))
        if name == "during":
            return Window(name, on)
        if name == "after":
            return Window(name, ((max(stop for _, stop in on), math.inf),))
        return Window(name, (on[int(name.removeprefix("during_")) - 1],))
    raise UsageError(_missing_window(protocol, name))


def _missing_window(protocol: Protocol, name: str) -> str:
    """Say why a protocol has no window of this name, and which it has."""
    raw = protocol.raw or "(none)"
    if not re.fullmatch(r"before|during|during_[1-9][0-9]*|after", name):
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
    if not _SECONDS.fullmatch(text.strip()) or math.isinf(float(text)):
        raise UsageError(
            f"Window {spec!r} has {what} {text!r}; expected a number of seconds from 0 on, "
            "such as 45 or 12.5."
        )
    return float(text)


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
    sides = ["" if math.isinf(side) else _number(side) for side in (start, stop)]
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
            f"Window {spec!r} does not fit: no full window of {_number(width)} s lies between "
            f"{_number(start)} and {_number(stop)} s; choose a smaller width or a longer range."
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
