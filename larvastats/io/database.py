"""A directory of recordings: every file is read, and what cannot be read is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from larvastats.combine import concat
from larvastats.compute import track
from larvastats.errors import DataError
from larvastats.ethogram import Ethogram
from larvastats.io.exclusion import Exclusion
from larvastats.io.files import AnyPath
from larvastats.io.formats import (
    Content,
    Options,
    Reader,
    choose_reader,
    read_recording,
    read_unlabelled,
    recordings_in,
)
from larvastats.io.labelling import NoLabelsError
from larvastats.io.paths import AssayIdentity, identify, walk_database
from larvastats.io.recordings import Recording
from larvastats.protocol import canonical_protocol

LAYOUT = "<tracker>/<line>@<effector>/<protocol>/<date_time>/<file>"


@dataclass(slots=True)
class _Report:
    """What has been read so far, and what has not."""

    root: Path
    parts: list[Ethogram] = field(default_factory=list)
    formats: set[str] = field(default_factory=set)
    origin: dict[str, Path] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_recordings: int = 0
    others: list[Path] = field(default_factory=list)
    unnamed: dict[str, list[Path]] = field(default_factory=dict)


def read_database(
    root: AnyPath, options: Options, *, progress: bool = False
) -> tuple[Ethogram, tuple[str, ...], frozenset[str]]:
    """Read the actions of every recording below a directory.

    Parameters
    ----------
    root : path
    options : Options
        Recordings of assays on its list are not even opened.
    progress : bool
        Draw a progress bar.

    Returns
    -------
    ethogram : Ethogram
    notes : tuple of str
        Recordings that could not be read and why, assays that came twice, contradictions between a
        path and what the file says.
    formats : frozenset of str
        Names of the formats that occurred.

    Raises
    ------
    UsageError
        An option that the recordings need is missing.
    DataError
        There is no recording, or none can be read.
    """
    report = _Report(Path(root))
    found = recordings_in(list(walk_database(root)))
    choose = choose_reader(options)
    tasks = list(wanted(found, root, options.exclusion))
    for recording, identity in track(tasks, "reading", None, progress):
        report.n_recordings += 1
        reader = choose(recording)
        if reader is None:
            report.others.append(recording.path)
            continue
        report.formats.add(reader.name)
        try:
            content = read_actions(recording, reader, options, identity)
        except DataError as error:
            report.failures.append(str(error))
            continue
        _add(report, recording.path, identity, content)
    return _result(report, len(found))


def read_actions(
    recording: Recording, reader: Reader, options: Options, identity: AssayIdentity | None
) -> Content:
    """Read the actions of a recording; where it has none and that will do, its larvae."""
    try:
        return read_recording(recording, reader, options, identity)
    except NoLabelsError:
        if options.unlabelled and reader.tracks is not None:
            return read_unlabelled(recording, reader, options, identity)
        raise


def wanted(
    recordings: list[Recording], root: AnyPath | None, exclusion: Exclusion | None
) -> Iterator[tuple[Recording, AssayIdentity | None]]:
    """Yield recordings with the identity of their paths, without those of excluded assays."""
    for recording in recordings:
        identity = identify(recording.first, root)
        if identity is not None and exclusion is not None:
            stamp = identity.assay.rpartition("/")[2]
            if exclusion.covers(identity.assay, stamp):
                continue
        yield recording, identity


def _add(report: _Report, path: Path, identity: AssayIdentity | None, content: Content) -> None:
    """Keep a recording unless one of its assays was read already."""
    ethogram = content.ethogram
    assert ethogram is not None  # shapes were not asked for
    for assay in ethogram.assays["assay"]:
        if assay in report.origin:
            report.failures.append(
                f"{path}: its assay {assay!r} was read from {report.origin[assay]} already; remove "
                "one of the two, or give them different ids."
            )
            return
    report.origin |= {assay: path for assay in ethogram.assays["assay"]}
    report.parts.append(ethogram)
    report.notes.extend(content.notes)
    if content.named_after:
        report.unnamed.setdefault(content.named_after, []).append(path)
    if identity is not None:
        report.notes.extend(contradictions(path, identity, ethogram.assays))


def contradictions(path: Path, identity: AssayIdentity, assays: pd.DataFrame) -> list[str]:
    """Say where a file and its path name different things; the file is believed."""
    said = []
    for column in ("line", "effector", "protocol", "date", "time"):
        by_path = getattr(identity, column)
        plain = canonical_protocol if column == "protocol" else str
        other = [value for value in assays[column].dropna().unique() if plain(value) != by_path]
        if by_path and other:
            said.append(
                f"{path}: the file names the {column} {', '.join(map(repr, other[:3]))}, its path "
                f"{by_path!r}; the file is believed."
            )
    return said


def _result(report: _Report, n_found: int) -> tuple[Ethogram, tuple[str, ...], frozenset[str]]:
    if not report.parts:
        raise DataError(_why_nothing(report, n_found))
    notes = [f"Left out: {failure}" for failure in report.failures] + report.notes
    notes += [unnamed_note(paths, after) for after, paths in report.unnamed.items()]
    if report.others:
        n = len(report.others)
        notes.append(
            f"{n} file{'s' * (n > 1)} of other kinds not read, such as {report.others[0]}."
        )
    ethogram = concat(report.parts, str(report.root))
    return ethogram, tuple(notes), frozenset(report.formats)


def unnamed_note(paths: Sequence[AnyPath], after: str) -> str:
    """Say that the names of files, or of their folders, have been taken for lines."""
    n = len(paths)
    return (
        f"{n} recording{'s' * (n > 1)} named after the {after}, with that name as line, since "
        f"neither content nor folder names one: {', '.join(str(path) for path in paths[:5])}"
        f"{' and more' * (n > 5)}."
    )


def _why_nothing(report: _Report, n_found: int) -> str:
    """Sentence for a directory without a readable recording."""
    if n_found and not report.n_recordings:
        return f"{report.root}: every recording is to be left out; shorten the list."
    failed = len(report.failures)
    if failed:
        found = f"none of {failed} file{'s' * (failed > 1)} could be read"
        first = f" The first: {report.failures[0]}"
    else:
        found, first = f"{n_found} files, none of them one" if n_found else "no file at all", ""
    return (
        f"{report.root}: expected a database with recordings as {LAYOUT}, "
        f"but found: {found}; give the database's own directory.{first}"
    )
