"""Continuous features of larvae, assay by assay, from wherever the frames are.

The thin place between recordings and the statistics of features: one function yields
:class:`~larvastats.io.tracks.Tracks` with the feature asked for, one assay in memory at a time. A
store gives the series it keeps; tables of frames their columns; recordings the tracker's series.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from larvastats.errors import DataError, UsageError
from larvastats.io.database import wanted as recordings_with_identity
from larvastats.io.formats import (
    Options,
    Reader,
    check_options,
    choose_reader,
    identities,
    read_series,
    recording_of,
    recordings_in,
)
from larvastats.io.frame_series import from_frames, series_names, series_names_of
from larvastats.io.paths import AssayIdentity, identify, walk_database
from larvastats.io.recordings import Recording
from larvastats.io.store import is_store, store_rows, store_tracks
from larvastats.io.store_index import OK
from larvastats.io.tracks import Tracks

MAX_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature that larvastats knows by name.

    Attributes
    ----------
    name : str
    label : str
        For axes.
    unit : str
        Where the recording does not say it.
    fields : tuple of str
        What trackers call it; the first one there is taken.
    """

    name: str
    label: str
    unit: str
    fields: tuple[str, ...] = ()


FEATURES = {
    feature.name: feature
    for feature in (
        Feature("length", "larva length", "mm",
                ("larva_length_smooth_5", "spine_length", "raw_spinelength")),
        Feature("speed", "speed", "mm/s", ("motion_velocity_norm_smooth_5", "velocity")),
        Feature("head_angle", "head angle", "rad", ("angle_upper_lower_smooth_5",)),
    )
}  # fmt: skip
"""Features with units, and what trx.mat, FIMTrack and the Schleyer group's tracker call them; any
other series goes by its own name."""


def feature(name: str) -> Feature:
    """Return the feature of that name: a known one, or any series without a unit."""
    return FEATURES.get(name) or Feature(name, name.replace("_", " "), "", (name,))


def open_tracks(
    source: Any,
    assays: Collection[str] | None,
    name: str,
    *,
    actions: Sequence[str] = (),
    format: str = "auto",
    fps: float | None = None,
    px_per_mm: float | None = None,
) -> Iterator[Tracks]:
    """Yield the assays of a source with one feature, one at a time.

    Parameters
    ----------
    source : DataFrame or path
        A tidy table of frames with a numeric column of that name; a recording with series; a
        directory of these; or a store that keeps features.
    assays : collection of str, or None
        Ids of the assays wanted; None for all.
    name : str
        The feature: a key of :data:`FEATURES`, a column, or a series of the tracker.
    actions : sequence of str
        The actions of the source: the name may be a misspelt one.
    format, fps, px_per_mm
        As :func:`larvastats.load`.

    Yields
    ------
    Tracks
        With the one feature, by that name.

    Raises
    ------
    UsageError
        The source has no such feature; the sentence names those it has.
    DataError
        A recording is damaged, or two have the feature in different units.
    """
    asked, unit, found = feature(name), "", False
    names = tuple(dict.fromkeys((asked.name, *asked.fields)))
    options = check_options(format, "large", fps, px_per_mm, None, progress=False)
    for tracks in _all_tracks(source, assays, names, options):
        if assays is not None and tracks.identity.assay not in assays:
            continue
        own = next((field for field in names if field in tracks.features), None)
        if own is None:
            continue
        other = tracks.units.get(own, "") or asked.unit
        if found and other != unit:
            raise DataError(
                f"{name} is in {unit or 'no unit'} in some assays and in {other or 'no unit'} in "
                f"{tracks.identity.assay!r}; follow assays of one unit (tables of FIMTrack have "
                "millimetres with --px-per-mm)."
            )
        found, unit = True, other
        yield replace(tracks, features={name: tracks.features[own]}, units={name: unit})
    if not found:
        stored = isinstance(source, str | Path) and is_store(source)
        raise UsageError(_unknown(name, feature_names(source, options), actions, stored))


def feature_names(source: Any, options: Options | None = None) -> tuple[str, ...]:
    """Return the names of a source's features, as far as a look at its first recording tells."""
    options = options or check_options("auto", "large", None, None, None, progress=False)
    found: tuple[str, ...] = ()
    if isinstance(source, pd.DataFrame):
        found = series_names(source)
    elif isinstance(source, str | Path) and is_store(source):
        found = tuple(
            sorted({n for row in store_rows(Path(source)) for n in row["features"] or ()})
        )
    elif isinstance(source, str | Path):
        for recording, reader, identity in _recordings(source, options):
            found = _names_in(recording, reader, identity, options)
            if found:
                break
    known = [f for f in FEATURES.values() if {f.name, *f.fields} & set(found)]
    aliases = {field for f in known for field in f.fields}
    return (*(f.name for f in known), *(n for n in found if n not in {*aliases, *FEATURES}))


def _unknown(name: str, known: Sequence[str], actions: Sequence[str], stored: bool) -> str:
    near = get_close_matches(name, [*known, *actions], n=3, cutoff=0.6)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    what = "action or feature" if actions else "feature"
    listed = ", ".join(actions[:MAX_SHOWN])
    if known:
        there = ", ".join(known[:MAX_SHOWN]) + (", …" if len(known) > MAX_SHOWN else "")
        there += f"; its actions are {listed}" if actions else ""
    else:
        there = f"actions only{': ' if actions else ''}{listed}"
        there += "; ingest the recordings with --keep features" if stored else ""
    return f"the source has no {what} {name!r}{hint}; it has {there}."


def _all_tracks(
    source: Any, assays: Collection[str] | None, names: Sequence[str], options: Options
) -> Iterator[Tracks]:
    """Yield whatever may have one of some series, at least where it has it."""
    if isinstance(source, pd.DataFrame):
        yield from from_frames(source, names, "DataFrame")
    elif isinstance(source, str | Path) and is_store(source):
        yield from store_tracks(
            source,
            lambda row: (
                row["status"] == OK
                and (assays is None or row["assay"] in assays)
                and bool({*names} & {*(row["features"] or ())})
            ),
            ("features",),
            names,
        )
    elif isinstance(source, str | Path):
        for recording, reader, identity in _recordings(source, options):
            if _is_wanted(recording, reader, identity, options, assays):
                yield from read_series(recording, reader, options, identity, names)


def _recordings(
    source: str | Path, options: Options
) -> Iterator[tuple[Recording, Reader, AssayIdentity | None]]:
    """Yield the recordings of a file or a directory that can be read."""
    root = Path(source)
    choose = choose_reader(options)
    if root.is_dir():
        found = recordings_in(list(walk_database(root)))
        pairs = recordings_with_identity(found, root, None)
    else:
        pairs = iter([(recording_of(root), identify(root))])
    for recording, identity in pairs:
        reader = choose(recording)
        if reader is not None:
            yield recording, reader, identity


def _is_wanted(
    recording: Recording, reader: Reader, identity: AssayIdentity | None, options: Options,
    assays: Collection[str] | None,
) -> bool:  # fmt: skip
    """Whether a recording may hold one of the assays; those that cannot be read hold none."""
    if assays is None or reader.identities is None:
        return True
    try:
        who = identities(recording, reader, options, identity)
    except DataError:  # it was left out, and named, when the actions were read
        return False
    return any(one.assay in assays for one in who)


def _names_in(
    recording: Recording, reader: Reader, identity: AssayIdentity | None, options: Options
) -> tuple[str, ...]:
    """Names of the series of a recording; none where it cannot be read."""
    try:
        if reader.name == "tidy":
            return series_names_of(recording.first)
        if reader.tracks is None:
            return ()
        tracks = reader.tracks(recording, options, identity, ("features",), False)
        return tuple(sorted(tracks[0].features))
    except DataError:
        return ()
