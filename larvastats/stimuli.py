"""The grammar of protocol strings: from text to stimuli with times.

A protocol is up to four slots separated by ``#``; ``n`` is an empty slot. A slot with times reads
``<kind>_<spec>_<onset>s<repeats>x<duration>s<gap>s``. The grammar is read leniently: whatever is
not understood is kept as text, and no recording is lost over it.

All times are in seconds from the start of the recording; intervals are half-open,
``[start, stop)``. Import these names from :mod:`larvastats.protocol`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from larvastats.errors import UsageError

GapRule = Literal["period", "pause"]
Interval = tuple[float, float]

EMPTY_SLOT = "n"
SLOTS = 4
MAX_REPEATS = 100_000
MAX_SHOWN = 12

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
            on.update(
                merge_intervals(stimulus.intervals) if stimulus.overlaps else stimulus.intervals
            )
        return tuple(sorted(on))

    @property
    def has_stimulus(self) -> bool:
        """Whether any slot has times."""
        return bool(self.stimuli)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each thing a reader of the times should know."""
        return tuple(
            f"slot {s.slot}: the period of {format_seconds(s.gap)} s is shorter than the stimulus "
            f"of {format_seconds(s.duration)} s, so its repeats overlap and are merged; if the gap "
            "is a pause, use --gap pause"
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
    left = MAX_REPEATS  # of all slots together, so that no text asks for any amount of memory
    for position, slot in enumerate(slots, start=1):
        if slot == EMPTY_SLOT:
            continue
        stimulus = _parse_slot(position, slot, gap, left)
        if stimulus is not None:
            stimuli.append(stimulus)
            left -= stimulus.repeats
        elif _CONDITION.fullmatch(slot) and not _DAMAGED_TIMING.search(slot):
            conditions.append(slot)
        else:
            unparsed.append(slot)
    return Protocol(text, tuple(slots), tuple(stimuli), tuple(unparsed), tuple(conditions))


def format_intervals(intervals: Iterable[Interval]) -> str:
    """Write intervals for people: ``30–45, 60–75 s``, long series shortened."""
    texts = [_interval_text(interval) for interval in intervals]
    if len(texts) > MAX_SHOWN:
        return f"{', '.join(texts[:3])}, …, {texts[-1]} s ({len(texts)} intervals)"
    return f"{', '.join(texts)} s" if texts != ["whole"] else "whole recording"


def _interval_text(interval: Interval) -> str:
    start, stop = interval
    if math.isinf(start) and math.isinf(stop):
        return "whole"
    if math.isinf(start):
        return f"before {format_seconds(stop)}"
    if math.isinf(stop):
        return f"from {format_seconds(start)}"
    return f"{format_seconds(start)}–{format_seconds(stop)}"


def format_seconds(value: float) -> str:
    """Write a number of seconds without useless zeros."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def merge_intervals(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sort intervals and join those that touch or overlap."""
    merged: list[Interval] = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


def _parse_slot(position: int, slot: str, gap_rule: GapRule | None, most: int) -> Stimulus | None:
    """Read one slot with times; None where it has none that make sense, or too many repeats."""
    match = _TIMED.fullmatch(slot)
    if match is None:
        return None
    kind, spec = match["kind"], match["spec"] or ""
    onset, duration, gap = (float(match[name]) for name in ("onset", "duration", "gap"))
    repeats = int(match["repeats"])
    if not 1 <= repeats <= most:
        return None
    rule = gap_rule or _default_gap_rule(kind, spec)
    period = gap if rule == "period" else duration + gap
    # Multiplied, not accumulated, and rounded to 1 ns: the 150th start is as exact as the first.
    starts = (round(onset + k * period, 9) for k in range(repeats))
    intervals = tuple((start, round(start + duration, 9)) for start in starts)
    if intervals[-1][0] >= intervals[-1][1]:  # no duration, or so late that rounding takes it
        return None
    return Stimulus(position, kind, spec, onset, repeats, duration, gap, rule, intervals)


def _default_gap_rule(kind: str, spec: str) -> GapRule:
    """Light and plain air puffs were written with periods, everything else with pauses."""
    light = kind == "r" and spec.startswith("LED")
    puff = kind == "p" and re.fullmatch(r"[0-9]+", spec) is not None
    return "period" if light or puff else "pause"
