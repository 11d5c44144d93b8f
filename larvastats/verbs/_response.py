"""What is measured over time: an action or a feature, and the bins of time it is measured in."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.example import example_path
from larvastats.features import bin_feature
from larvastats.inference.setting import Setting, find_controls, find_genotype
from larvastats.io.features import feature, open_tracks
from larvastats.io.tracks import Tracks
from larvastats.markov.occupancy import action_bins
from larvastats.protocol import Interval, Protocol, format_seconds

Array = NDArray[np.float64]

BEFORE = 10.0
"""Seconds before an onset that are shown, and taken as baseline, where nothing is said."""

MAX_BINS = 20_000

_ALIGN = re.compile(r"(?P<first>[1-9][0-9]{0,4})(?:-(?P<last>[1-9][0-9]{0,4}))?")
_SPAN = re.compile(r"(?P<start>-?[0-9.]+):(?P<stop>-?[0-9.]+)")


@dataclass(frozen=True, slots=True)
class Response:
    """What is measured.

    Attributes
    ----------
    name : str
        An action or a feature.
    is_action : bool
    unit, label : str
        For tables and axes.
    """

    name: str
    is_action: bool
    unit: str
    label: str


def make_response(name: str, states: Sequence[str]) -> Response:
    """Tell whether `name` is an action of the vocabulary, ``p(run)`` written out, or a feature."""
    inner = re.fullmatch(r"p\((.+)\)", name.strip())
    plain = inner[1].strip() if inner else name.strip()
    if plain in states:
        return Response(plain, True, "", f"p({plain})")
    if inner:
        raise UsageError(f"there is no action {plain!r}; the source has {', '.join(states)}.")
    known = feature(plain)
    label = f"{known.label} ({known.unit})" if known.unit else known.label
    return Response(plain, False, known.unit, label)


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


def recorded(setting: Setting, rows: NDArray[np.integer]) -> Interval:
    """Return the times that half of the assays cover at least, s."""
    larvae = setting.ethogram.larvae
    own = larvae[larvae["assay_index"].isin(rows)]
    by_assay = own.groupby("assay_index")
    return float(by_assay["t_from"].min().median()), float(by_assay["t_to"].max().median())


def measure(
    source: Any, setting: Setting, response: Response, edges: Array, onsets: Sequence[float]
) -> tuple[Array, str]:
    """Return the response per assay and bin, and its unit.

    Returns
    -------
    values : ndarray, shape (assay, bin)
        NaN where no larva was tracked.
    unit : str
    """
    if response.is_action:
        return action_bins(setting.ethogram, response.name, edges, onsets).share, ""
    assays = list(setting.ethogram.assays["assay"])
    tracks = open_features(source, assays, response.name)
    bins = bin_feature(tracks, response.name, assays, edges, onsets)
    return bins.mean, bins.unit or response.unit


def open_features(source: Any, assays: Collection[str], name: str) -> Iterable[Tracks]:
    """Open a feature of whatever a verb takes as source."""
    return open_tracks(example_path() if source is None else source, set(assays), name)


def choose_genotypes(
    setting: Setting, genotypes: str | Sequence[str] | None, control: str | None
) -> tuple[list[str], dict[str, str], tuple[str, ...]]:
    """Return the genotypes to show, controls first, who is compared with whom, and notes.

    Without `control` the usual one is taken where there is one; two named genotypes without a
    usual control are compared with each other, the second in the control's place.
    """
    assays = setting.ethogram.assays
    known = sorted(assays["genotype"].unique())
    if genotypes is None:
        names = known
    else:
        listed = genotypes.split(",") if isinstance(genotypes, str) else list(genotypes)
        names = list(dict.fromkeys(find_genotype(assays, n.strip()) for n in listed))
    try:
        controls = find_controls(assays, control)
    except UsageError:
        if control is not None:
            raise
        if len(names) == 2:
            return names[::-1], {names[0]: names[1]}, ()
        return names, {}, ("no control is known and none was named with --control: no test",)
    pairs = {n: c for n in names if (c := controls.get(n)) is not None}
    order = list(dict.fromkeys([*pairs.values(), *names]))
    alone = [n for n in names if n not in pairs and n not in pairs.values()]
    notes = (f"no control for {', '.join(alone[:6])}: no test",) if alone and pairs else ()
    return order, pairs, notes


def check_values(values: Array, response: Response, names: Mapping[str, Any], clock: Clock) -> None:
    """Refuse responses that say nothing.

    Raises
    ------
    DataError
        No larva tracked in the span, an action that nobody does, or one constant number.
    """
    low, high = clock.edges[0], clock.edges[-1]
    seen = values[~np.isnan(values)]
    if not len(seen):
        raise DataError(
            f"no larva of {', '.join(list(names)[:4])} is tracked from {low:g} to {high:g} s; "
            "choose another --span or --align."
        )
    if response.is_action and not seen.any():
        raise DataError(
            f"no larva of {', '.join(list(names)[:4])} ever does {response.name!r} from {low:g} to "
            f"{high:g} s: it has no time course; choose another --response."
        )
    if seen.std() <= 1e-12 * max(abs(float(seen.mean())), 1e-12):
        raise DataError(
            f"{response.label} is {seen[0]:g} in every assay and bin: there is nothing to show or "
            "to test; check the data, or choose another --response."
        )
