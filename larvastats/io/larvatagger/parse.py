"""From the JSON of a label file to the states of frames; every complaint names track and frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.identity import checked_name

EDITED = "edited"
"""Tag of labels that somebody corrected by hand; it never names an action."""

IDENTITY_KEYS: Mapping[str, tuple[str, ...]] = {
    "line": ("genotype", "line"),
    "effector": ("effector",),
    "protocol": ("protocol",),
    "tracker": ("tracker", "pipeline"),
}
"""Where a recording's identity stands in ``metadata`` or at the top level."""

MAX_STATES = 1000
"""Most labels of one file; more are no vocabulary."""

_ID_KEYS = ("id", "date_time")
_SECONDS = ("s", "sec", "second", "seconds")


@dataclass(frozen=True, slots=True, eq=False)
class TrackLabels:
    """Labels of one larva.

    Attributes
    ----------
    larva : str
        Its id; a number without leading zeros, as trackers' files have it.
    t : ndarray of float64, shape (frame,)
        Seconds.
    state : ndarray of int16, shape (frame,)
        Index into the run's `states`; -1 where undefined.
    """

    larva: str
    t: NDArray[np.float64]
    state: NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Labels of one recording.

    Attributes
    ----------
    id : str
        Usually date and time; empty where the file does not say.
    said : mapping of str to str
        What the file says of ``line``, ``effector``, ``protocol`` and ``tracker``.
    states : tuple of str
        Primary labels, in the file's order and spelling.
    tags : tuple of str
        Secondary labels.
    tracks : tuple of TrackLabels
    notes : tuple of str
        Labels that no list of the file names; frames with several states.
    """

    id: str
    said: Mapping[str, str]
    states: tuple[str, ...]
    tags: tuple[str, ...]
    tracks: tuple[TrackLabels, ...]
    notes: tuple[str, ...]


def parse_runs(document: Any, source: str) -> tuple[Run, ...]:
    """Parse the content of a label file.

    Parameters
    ----------
    document : object
        What the JSON says.
    source : str
        How errors name the input.

    Raises
    ------
    DataError
        It is no label file, or something in it is not of the form described in
        :mod:`larvastats.io.larvatagger`.
    """
    if not isinstance(document, dict):
        raise DataError(
            f"{source}: expected a label file with the keys metadata, labels and data, but found "
            f"a JSON {_kind(document)}."
        )
    runs = document.get("runs")
    if runs is None:
        return (_run(document, "", source),)
    if not isinstance(runs, dict) or not runs:
        raise DataError(
            f"{source}: expected recordings by their ids under 'runs', but found {_shown(runs)}."
        )
    # what stands outside holds for all runs, but not the id, nor what larvae did
    own = ("runs", "data", *_ID_KEYS)
    outer = {key: value for key, value in document.items() if key not in own}
    if isinstance(outer.get("metadata"), dict):
        outer["metadata"] = {k: v for k, v in outer["metadata"].items() if k not in _ID_KEYS}
    parsed = []
    for run_id, body in runs.items():
        if not isinstance(body, dict):
            raise DataError(
                f"{source}: expected the labels of run {run_id!a}, but found {_shown(body)}."
            )
        parsed.append(_run({**outer, **body}, run_id, source))
    return tuple(parsed)


def _run(content: Mapping[str, Any], run_id: str, source: str) -> Run:
    metadata = content.get("metadata", {})
    if not isinstance(metadata, dict):
        raise DataError(
            f"{source}: expected names and values in 'metadata', but found {_shown(metadata)}."
        )
    _check_units(content.get("units"), source)
    known = _Labels(*_names(content, source), source)
    tracks = tuple(_tracks(content.get("data"), known, source))
    own_id = _said(metadata, content, _ID_KEYS, source) or run_id
    said = {key: _said(metadata, content, names, source) for key, names in IDENTITY_KEYS.items()}
    line, _, effector = said["line"].partition("@")
    said |= {"line": line, "effector": said["effector"] or effector}
    return Run(
        checked_name(own_id, "id of the recording", source) if own_id else "",
        {key: value for key, value in said.items() if value},
        tuple(known.states), tuple(known.tags), tracks, known.notes(),
    )  # fmt: skip


def _said(
    metadata: Mapping[str, Any], content: Mapping[str, Any], names: Sequence[str], source: str
) -> str:
    """Find a text by several names, in the metadata first; empty where there is none."""
    for place in (metadata, content):
        for name in names:
            value = place.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
                return checked_name(str(value), name, source, path_part=False)
    return ""


def _check_units(units: Any, source: str) -> None:
    unit = units.get("t", "s") if isinstance(units, dict) else "s"
    if unit not in _SECONDS:
        raise DataError(
            f"{source}: expected times in seconds ('s'), but the unit is {_shown(unit)}; convert "
            "them."
        )


def _names(content: Mapping[str, Any], source: str) -> tuple[list[str], list[str]]:
    """Names of the labels and of the tags."""
    labels = content.get("labels", [])
    if isinstance(labels, dict):
        labels = labels.get("names", [])
    secondary = content.get("secondarylabels", [])
    if isinstance(secondary, dict):
        secondary = secondary.get("names", [])
    found = []
    for key, names in (("labels", labels), ("secondarylabels", secondary)):
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError(
                f"{source}: expected a list of names in {key!r}, but found {_shown(names)}."
            )
        names = [checked_name(name, "label", source, path_part=False) for name in names]
        if len(set(names)) < len(names):
            raise DataError(f"{source}: every label needs its own name in {key!r}: {names}.")
        found.append(names)
    return found[0], found[1]


@dataclass(slots=True)
class _Labels:
    """Labels of one recording, and what a frame's labels mean."""

    states: list[str]
    tags: list[str]
    source: str
    codes: dict[Any, int] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    n_several: int = 0
    several: set[Any] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Remember the lists as the file has them, since positions count in them."""
        self.listed = self.states + self.tags
        self.states = [name for name in self.states if not self.is_tag(name)]

    def is_tag(self, name: str) -> bool:
        """Whether a label says something about another label."""
        return name == EDITED or name in self.tags

    def code(self, label: Any, larva: str, frame: int) -> int:
        """Return the state of a frame; -1 where it is undefined."""
        key = tuple(_flat(label)) if isinstance(label, list) else (label,)
        # True would pass for 1, and a dict for nothing at all
        odd = any(isinstance(part, bool | dict) for part in key)
        if odd or key not in self.codes:
            self.codes[key] = self._resolve(key, larva, frame)
        self.n_several += key in self.several
        return self.codes[key]

    def _resolve(self, key: tuple[Any, ...], larva: str, frame: int) -> int:
        names = [self._name(part, larva, frame) for part in key if part not in (None, "")]
        states = [name for name in dict.fromkeys(names) if not self.is_tag(name)]
        if not states:
            return -1
        if len(states) > 1:
            self.several.add(key)
        if states[0] not in self.states:
            self.states.append(states[0])
            self.unlisted.append(states[0])
            if len(self.states) > MAX_STATES:
                raise DataError(
                    f"{self.source}: expected a vocabulary of labels, but found more than "
                    f"{MAX_STATES} different ones by frame {frame + 1} of track {larva!r}."
                )
        return self.states.index(states[0])

    def _name(self, part: Any, larva: str, frame: int) -> str:
        """Name of one label, given as a name or as a position from 1."""
        if isinstance(part, str):
            return checked_name(part, "label", self.source, path_part=False)
        whole = isinstance(part, int | float) and not isinstance(part, bool) and part == part // 1
        if not whole or not 1 <= part <= len(self.listed):
            raise DataError(
                f"{self.source}: expected a label's name or its position from 1 to "
                f"{len(self.listed)} in frame {frame + 1} of track {larva!r}, but found "
                f"{_shown(part)}; correct the label, or list its name."
            )
        return self.listed[int(part) - 1]

    def notes(self) -> tuple[str, ...]:
        """Say what was unusual."""
        said = []
        if self.unlisted and self.listed:
            names = ", ".join(map(repr, self.unlisted[:5]))
            said.append(f"{self.source}: the labels {names} occur, but are not in the file's list.")
        if self.n_several:
            said.append(
                f"{self.source}: {self.n_several} frames have several labels; the first that is no "
                "tag counts."
            )
        return tuple(said)


def _flat(label: Any) -> Iterator[Any]:
    """Yield the labels in nested lists, in order."""
    pending = [label]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(reversed(part))
        else:
            yield part


def _tracks(data: Any, known: _Labels, source: str) -> Iterator[TrackLabels]:
    if isinstance(data, dict):  # tracks by their ids
        data = [{"id": key, **(track if isinstance(track, dict) else {})} for key, track in
                data.items()]  # fmt: skip
    if not isinstance(data, list):
        raise DataError(f"{source}: expected a list of tracks in 'data', but found {_shown(data)}.")
    for number, track in enumerate(data, 1):
        if not isinstance(track, dict) or not {"id", "t", "labels"} <= track.keys():
            raise DataError(
                f"{source}: expected id, t and labels in track number {number}, but found "
                f"{_shown(track)}."
            )
        yield _track(track, number, known, source)


def _track(track: Mapping[str, Any], number: int, known: _Labels, source: str) -> TrackLabels:
    larva = _larva(track["id"], number, source)
    times, labels = track["t"], track["labels"]
    if not isinstance(times, list):  # one frame
        times, labels = [times], [labels]
    elif len(times) == 1 and not isinstance(labels, list):
        labels = [labels]
    if not isinstance(labels, list) or len(labels) != len(times):
        found = len(labels) if isinstance(labels, list) else _shown(labels)
        raise DataError(
            f"{source}: expected {len(times)} labels in track {larva!r}, one per time, but found "
            f"{found}; the file is damaged."
        )
    t = _times(times, larva, source)
    code = [known.code(label, larva, frame) for frame, label in enumerate(labels)]
    return TrackLabels(larva, t, np.array(code, dtype=np.int16))


def _larva(value: Any, number: int, source: str) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise DataError(
            f"{source}: expected an id of track number {number}, but found {_shown(value)}."
        )
    name = checked_name(str(value), "track id", source)
    return name.lstrip("0") or "0" if name.isascii() and name.isdigit() else name


def _times(times: Sequence[Any], larva: str, source: str) -> NDArray[np.float64]:
    for frame, value in enumerate(times, 1):
        if type(value) not in (float, int) or not abs(value) < 1e15:
            raise DataError(
                f"{source}: expected a time in seconds in frame {frame} of track {larva!r}, but "
                f"found {_shown(value)}; correct it."
            )
    return np.array(times, dtype=np.float64)


def _kind(value: Any) -> str:
    names = {list: "list", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "number")


def _shown(value: Any) -> str:
    """How an error shows a value."""
    if isinstance(value, dict):
        return f"an object with the keys {', '.join(ascii(key)[:30] for key in list(value)[:5])}"
    if isinstance(value, list):
        return f"a list of {len(value)} values"
    return ascii(value)[:60] if value is not None else "nothing"
