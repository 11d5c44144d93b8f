"""Recordings into a store: one recording, one unit of work; killed at any moment, nothing is lost.

A recording's bouts are written first, then its verdict, each by one rename. Only at the end do all
verdicts enter the index, again by one rename; an ingest that was cut off leaves its verdicts for
the next one, which goes on from there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from larvastats import __version__
from larvastats.combine import check_min_bout, merge_short
from larvastats.compute import run
from larvastats.errors import DataError, LarvastatsError, UsageError, one_line
from larvastats.io.assay_parts import Part, parts_of, shapes_to_read, without_assays
from larvastats.io.database import contradictions, unnamed_note, wanted
from larvastats.io.exclusion import names_of
from larvastats.io.files import AnyPath, read_head
from larvastats.io.formats import (
    READERS,
    Content,
    Options,
    Reader,
    check_options,
    choose_reader,
    read_recording,
    recording_of,
    recordings_in,
)
from larvastats.io.ingest_report import IngestReport, report
from larvastats.io.paths import AssayIdentity, printable_path, walk_database
from larvastats.io.recordings import Recording, still_there
from larvastats.io.shape_series import Shaping
from larvastats.io.store_files import (
    BOUTS,
    TRACKS,
    holds,
    is_store,
    locked,
    make_store,
    new_pending,
    pending,
    tidy_up,
    write_part,
)
from larvastats.io.store_index import (
    OK,
    SCHEMA,
    Row,
    Rows,
    by_source,
    failed,
    read_state,
    settle,
    write_index,
    write_verdict,
)
from larvastats.shape.kinematics import SMOOTH


@dataclass(frozen=True, slots=True)
class _Task:
    """One recording, and all that its verdict depends on."""

    recording: Recording
    identity: AssayIdentity | None
    options: Options
    min_bout: float
    keep: str
    shaping: Shaping
    store: Path
    folder: Path
    known: tuple[Row, ...]

    @property
    def name(self) -> str:
        """What the index calls the recording."""
        return printable_path(self.recording.path)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a recording, and which entries of the list of exclusions it met."""

    kind: Literal["read", "same", "other", "excluded"]
    met: frozenset[str] = frozenset()


def ingest(
    source: AnyPath,
    store: AnyPath,
    *,
    format: str = "auto",
    labels: str = "large",
    min_bout: float = 0.0,
    fps: float | None = None,
    px_per_mm: float | None = None,
    keep: str = "features",
    filter: str = "default",
    smooth: float = SMOOTH,
    exclude: AnyPath | None = None,
    jobs: int = 1,
    progress: bool = False,
) -> IngestReport:
    """Read recordings into a store; see :func:`larvastats.verbs.ingest.ingest`."""
    options = check_options(format, labels, fps, px_per_mm, exclude, progress=False)
    check_min_bout(min_bout)
    shaping = Shaping.of(filter, smooth)
    shapes_to_read(keep, shaping)
    source, store = Path(os.path.abspath(source)), Path(store)
    found = _recordings(source, store)
    make_store(store)
    with locked(store):
        state = _recovered(store)
        folder = new_pending(store)
        root = source if os.path.isdir(source) else None
        tasks = [
            _Task(recording, identity, options, min_bout, keep, shaping, store, folder,
                  tuple(state.get(printable_path(recording.path), ())))
            for recording, identity in wanted(found, root, options.exclusion)
        ]  # fmt: skip
        todo = [task for task in tasks if not _unchanged(task)]
        outcomes = run(_ingest_one, todo, jobs=jobs, description="ingesting", progress=progress)
        kinds = {t.name: o.kind for t, o in zip(todo, outcomes, strict=True)}
        known = {task.name: task.identity for task in tasks}
        gone = {printable_path(recording.path) for recording in found} - known.keys()
        gone |= {path for path, kind in kinds.items() if kind == "excluded"}
        rows = _commit(store, gone)
    if options.exclusion is not None:
        options.exclusion.met.update(*(outcome.met for outcome in outcomes))
    return report(store, rows, known, kinds, options.exclusion)


def _recordings(source: Path, store: Path) -> list[Recording]:
    """Files that may be recordings; never those of the store itself."""
    if is_store(source):
        raise UsageError(f"{source}: expected recordings, but this is a store already.")
    if not os.path.isdir(source):
        read_head(source, 1)  # a missing or forbidden file
        return [recording_of(source)]
    inside = Path(os.path.realpath(store))
    files = walk_database(source)
    return recordings_in([p for p in files if not Path(os.path.realpath(p)).is_relative_to(inside)])


def _recovered(store: Path) -> Rows:
    """Bring a store to order that an earlier ingest left without one, and return its rows."""
    state = read_state(store)
    if not pending(store):
        return state
    rows = _settled(store, state)
    return by_source(rows)


def _commit(store: Path, gone: Collection[str]) -> list[Row]:
    """Enter the verdicts of this ingest into the index; recordings in `gone` leave it."""
    state = read_state(store)
    return _settled(store, {path: rows for path, rows in state.items() if path not in gone})


def _settled(store: Path, state: Rows) -> list[Row]:
    rows = settle(state, still_there)
    write_index(store, rows)
    tidy_up(store, {row[kind] for row in rows for kind in (BOUTS, TRACKS) if row[kind]})
    return rows


# -- one recording ---------------------------------------------------------------------------------


def _unchanged(task: _Task) -> bool:
    """Whether size and time of change say that the store has this recording as it is."""
    if not _as_asked(task):
        return False
    try:
        now = task.recording.size_and_time()
    except LarvastatsError:
        return False
    first = task.known[0]
    return now == (first["size"], first["modified"])


def _as_asked(task: _Task) -> bool:
    """Whether the store has all assays of a recording, read with the options of this ingest."""
    return bool(task.known) and all(
        row["status"] == OK
        and row["options"] == _options_text(task, row["format"])
        and row["files"] == _file_names(task)
        and task.options.format in ("auto", row["format"])
        and all(row[k] is None or holds(task.store, row[k], row[f"{k}_size"]) for k in _KINDS)
        for row in task.known
    )


_KINDS = (BOUTS, TRACKS)


def _file_names(task: _Task) -> list[str]:
    return [printable_path(file.name) for file in task.recording.all_files]


def _options_text(task: _Task, format: str) -> str:
    """Say how a recording was read, as far as that changes what its format gives."""
    exclusion = task.options.exclusion
    entries = "\n".join(exclusion.entries) if exclusion else ""
    said = {
        "labels": task.options.labels.fingerprint,
        "fps": task.options.fps,
        "px_per_mm": task.options.px_per_mm,
        "exclude": entries and hashlib.sha256(entries.encode()).hexdigest()[:12],
    }
    reader = next((reader for reader in READERS if reader.name == format), None)
    names = tuple(said) if reader is None else reader.depends_on
    chosen = [f"{name}={said[name]}" for name in names if said[name] not in (None, "")]
    if reader is None or reader.tracks is not None:
        chosen.append(f"keep={task.keep}")
        if task.keep != "bouts":
            chosen.append(str(task.shaping))
    return " ".join([f"min_bout={task.min_bout:g}", *chosen])


def _ingest_one(task: _Task) -> _Outcome:
    """Read a recording, write what is kept of it and then its verdict."""
    blank = _blank(task)
    met: frozenset[str] = frozenset()
    try:
        before = task.recording.size_and_time()
        reader = choose_reader(task.options)(task.recording)
        if reader is None:
            return _Outcome("other")
        blank |= {"format": reader.name, "options": _options_text(task, reader.name)}
        blank |= {"size": before[0], "modified": before[1], "files": _file_names(task)}
        blank["checksum"] = task.recording.checksum()
        if _as_asked(task) and task.known[0]["checksum"] == blank["checksum"]:
            return _Outcome("same")
        content, met, note = _read(task, reader)
        if content is None:
            return _Outcome("excluded", met)
        parts = list(parts_of(content, blank | {"note": note}, task.keep, task.shaping))
        _check_still(task.recording, before)
    except LarvastatsError as error:
        parts = [Part(failed(blank, str(error)), {})]
    except Exception as error:  # one damaged file must not keep the others out: it is named
        parts = [Part(failed(blank, one_line(_unexpected(task.recording.path, error))), {})]
    rows = [_kept(task.store, part) for part in parts]
    name = hashlib.sha256(task.name.encode()).hexdigest()[:32]
    write_verdict(task.folder, name, rows)
    return _Outcome("read", met)


def _blank(task: _Task) -> Row:
    """Row of a recording of which nothing but its path is known."""
    row: Row = dict.fromkeys(SCHEMA.names)
    row |= {"source": task.name, "position": 0, "version": __version__, "covariates": {}}
    if task.identity is not None:
        identity = ("assay", "line", "effector", "genotype", "protocol", "tracker", "date", "time")
        row |= {name: getattr(task.identity, name) or None for name in identity}
    return row


def _read(task: _Task, reader: Reader) -> tuple[Content | None, frozenset[str], str | None]:
    """Content of a recording (None: to be left out), entries met, and what there is to say."""
    path = task.recording.path
    shapes = shapes_to_read(task.keep, task.shaping)
    content = read_recording(task.recording, reader, task.options, task.identity, shapes)
    notes = list(content.notes)
    if task.identity is not None and content.ethogram is not None:
        notes += contradictions(path, task.identity, content.ethogram.assays)
    if content.named_after:
        notes.append(unnamed_note([path], content.named_after))
    met: frozenset[str] = frozenset()
    if task.options.exclusion is not None and content.ethogram is not None:
        exclusion = task.options.exclusion
        keep = [not exclusion.covers(assay, stamp) for assay, stamp in names_of(content.ethogram)]
        met = frozenset(exclusion.met)
        if not any(keep):
            return None, met, None
        if not all(keep):
            n = keep.count(False)
            notes.append(f"{path}: {n} assays left out, as {exclusion.path} says.")
            content = without_assays(content, keep)
    if content.ethogram is not None:
        content = replace(content, ethogram=merge_short(content.ethogram, task.min_bout))
    return content, met, one_line(" ".join(notes)) or None


def _kept(store: Path, part: Part) -> Row:
    """Write the files of an assay, if it has any, and name them in its row."""
    row = dict(part.row)
    for folder, content in part.files.items():
        name, checksum = write_part(store, folder, row["assay"], content)
        row |= {folder: name, f"{folder}_size": len(content), f"{folder}_checksum": checksum}
    return row


def _check_still(recording: Recording, before: tuple[int, int]) -> None:
    """Refuse files that somebody wrote to while they were read."""
    if recording.size_and_time() != before:
        raise DataError(
            f"{recording.path}: the file changed while it was read; ingest it again when it is "
            "complete."
        )


def _unexpected(path: Path, error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return (
        f"{path}: reading it failed in a way that larvastats did not foresee "
        f"({type(error).__name__}: {first}); the file is damaged, or larvastats has a fault: "
        "please report it."
    )
