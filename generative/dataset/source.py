"""Where sequences come from: recordings of a store, a database or a folder, one at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from larvastats.errors import DataError, UsageError
from larvastats.io.database import wanted
from larvastats.io.files import AnyPath
from larvastats.io.formats import (
    check_options,
    choose_reader,
    read_recording,
    recording_of,
    recordings_in,
)
from larvastats.io.paths import AssayIdentity, identify, walk_database
from larvastats.io.recordings import Recording
from larvastats.io.store import is_store, store_rows
from larvastats.io.store.index import OK
from larvastats.io.store.track_files import unpack
from larvastats.io.tracks import Shape, Tracks

Reading = dict[str, Any]
"""How to read files: ``format``, ``labels``, ``fps``, ``px_per_mm``, ``exclude``."""

NO_READING: Reading = {
    "format": "auto", "labels": "large", "fps": None, "px_per_mm": None, "exclude": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """A recording, or an assay of a store: what one process reads at a time.

    Attributes
    ----------
    name : str
        Path of the recording; of an assay of a store, its file within it.
    version : str
        Changes when the recording does.
    """

    name: str
    version: str
    tracks: Path | None = None
    recording: Recording | None = None
    identity: AssayIdentity | None = None
    reading: Reading = field(default_factory=dict)


def units(source: AnyPath, reading: Reading | None = None) -> list[Unit]:
    """Find the recordings of a source, in the order of their names; nothing is read.

    Parameters
    ----------
    source : path
        A store, a database directory, a folder of recordings, or one recording.
    reading : mapping, optional
        As :data:`Reading`; by default nothing is special.

    Raises
    ------
    UsageError
        There is no such file or directory.
    DataError
        There is no recording with shapes.
    """
    reading = {**NO_READING, **(reading or {})}
    if is_store(source):
        found = _of_store(Path(source), reading)
    elif os.path.isdir(source):
        options = check_options(**reading, progress=False)
        files = recordings_in(list(walk_database(source)))
        found = [_unit(recording, identity, reading)
                 for recording, identity in wanted(files, source, options.exclusion)]  # fmt: skip
    elif os.path.isfile(source):
        found = [_unit(recording_of(source), identify(source), reading)]
    else:
        raise UsageError(f"{source}: there is no such file or directory; check the path.")
    if not found:
        raise DataError(
            f"{source}: expected recordings with shapes of larvae, but there is none; a store "
            "holds midlines if it was made with --keep midline."
        )
    return found


def _of_store(store: Path, reading: Reading) -> list[Unit]:
    plain = {name: reading[name] for name in ("format", "labels")}
    if plain != {name: NO_READING[name] for name in plain}:
        raise UsageError(
            f"{store} is a store: --labels and --format were chosen when it was made; give them "
            "to larvastats ingest."
        )
    options = check_options(**reading, progress=False)
    exclusion = options.exclusion
    return [
        Unit(row["tracks"], row["tracks_checksum"], store / row["tracks"])
        for row in store_rows(store)
        if row["status"] == OK and row["tracks"] is not None
        and not (exclusion and exclusion.covers(row["assay"], f"{row['date']}_{row['time']}"))
    ]  # fmt: skip


def _unit(recording: Recording, identity: AssayIdentity | None, reading: Reading) -> Unit:
    size, modified = recording.size_and_time()
    return Unit(str(recording.path), f"{size}-{modified}", None, recording, identity, reading)


def read_unit(unit: Unit, shapes: tuple[Shape, ...] = ("midline",)) -> tuple[Tracks, ...]:
    """Read a recording's shapes and states.

    Returns
    -------
    tuple of Tracks
        One per assay; none where the file is of another kind.

    Raises
    ------
    DataError, UsageError
        It cannot be read.
    """
    if unit.tracks is not None:
        return (unpack(unit.tracks, shapes),)
    assert unit.recording is not None
    options = check_options(**unit.reading, progress=False)
    reader = choose_reader(options)(unit.recording)
    if reader is None or reader.tracks is None:
        return ()
    return read_recording(unit.recording, reader, options, unit.identity, shapes).tracks
