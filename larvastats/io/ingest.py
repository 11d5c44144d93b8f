"""Recordings into a store: one recording, one unit of work; killed at any moment, nothing is lost.

A recording's bouts are written first, then its verdict, each by one rename. Only at the end do all
verdicts enter the index, again by one rename; an ingest that was cut off leaves its verdicts for
the next one, which goes on from there.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pyarrow import parquet

from larvastats import __version__
from larvastats.combine import check_min_bout, merge_short
from larvastats.compute import run
from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.database import contradictions, unnamed_note, wanted
from larvastats.io.exclusion import Exclusion, names_of
from larvastats.io.files import AnyPath, read_head, reading, sha256
from larvastats.io.paths import AssayIdentity, walk_database
from larvastats.io.source import Options, Reader, check_options, choose_reader
from larvastats.io.store import bouts_table
from larvastats.io.store_files import (
    holds,
    is_store,
    locked,
    make_store,
    new_pending,
    pending,
    tidy_up,
    write_bouts_file,
)
from larvastats.io.store_index import (
    OK,
    SCHEMA,
    Row,
    Rows,
    by_source,
    failed,
    plain_value,
    read_state,
    settle,
    write_index,
    write_verdict,
)

KEEP = ("bouts",)
"""What a store can keep of a recording."""

_READ_BY = {"trx": ("labels",), "fimtrack": ("fps",), "tidy": ("exclude",)}
"""Options that change what a format's files give; of other formats all of them do."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did.

    Attributes
    ----------
    store : str
    n_recordings : int
        Files of a format that is read, those left out by ``exclude`` not counted.
    n_read : int
        Of these, files read by this ingest; the others were in the store already, unchanged.
    n_ok, n_failed : int
        Assays of these recordings that are in the store, and recordings that are not.
    n_others : int
        Files of other kinds.
    n_assays, n_larvae, n_bouts, hours
        What the store holds now, recordings of earlier ingests included.
    failures : tuple of (str, str)
        Path and reason.
    notes : tuple of str
    """

    store: str
    n_recordings: int
    n_read: int
    n_ok: int
    n_failed: int
    n_others: int
    n_assays: int
    n_larvae: int
    n_bouts: int
    hours: float
    failures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """One recording, and all that its verdict depends on."""

    path: Path
    identity: AssayIdentity | None
    options: Options
    min_bout: float
    store: Path
    folder: Path
    known: tuple[Row, ...]


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
    keep: str = "bouts",
    exclude: AnyPath | None = None,
    jobs: int = 1,
    progress: bool = False,
) -> IngestReport:
    """Read recordings into a store; see :func:`larvastats.verbs.ingest.ingest`."""
    options = check_options(format, labels, fps, px_per_mm, exclude, progress=False)
    check_min_bout(min_bout)
    if keep not in KEEP:
        raise UsageError(f"--keep must be {' or '.join(KEEP)}, but is {keep!r}.")
    source, store = Path(os.path.abspath(source)), Path(store)
    files = _recordings(source, store)
    make_store(store)
    with locked(store):
        state = _recovered(store)
        folder = new_pending(store)
        root = source if source.is_dir() else None
        chosen = dict(wanted(files, root, options.exclusion))
        tasks = [
            _Task(path, identity, options, min_bout, store, folder, tuple(state.get(str(path), ())))
            for path, identity in chosen.items()
        ]
        todo = [task for task in tasks if not _unchanged(task)]
        outcomes = run(_ingest_one, todo, jobs=jobs, description="ingesting", progress=progress)
        kinds = {str(t.path): o.kind for t, o in zip(todo, outcomes, strict=True)}
        gone = {str(path) for path in files if path not in chosen}
        gone |= {path for path, kind in kinds.items() if kind == "excluded"}
        rows = _commit(store, gone)
    if options.exclusion is not None:
        options.exclusion.met.update(*(outcome.met for outcome in outcomes))
    return _report(store, rows, tasks, kinds, options.exclusion)


def _recordings(source: Path, store: Path) -> list[Path]:
    """Files that may be recordings; never those of the store itself."""
    if is_store(source):
        raise UsageError(f"{source}: expected recordings, but this is a store already.")
    if not source.is_dir():
        read_head(source, 1)  # a missing or forbidden file
        return [source]
    inside = store.resolve()
    return [p for p in walk_database(source) if not p.resolve().is_relative_to(inside)]


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
    rows = settle(state, lambda source: Path(source).exists())
    write_index(store, rows)
    tidy_up(store, {row["bouts"] for row in rows if row["status"] == OK})
    return rows


# -- one recording ---------------------------------------------------------------------------------


def _unchanged(task: _Task) -> bool:
    """Whether size and time of change say that the store has this recording as it is."""
    if not _as_asked(task):
        return False
    try:
        stat = task.path.stat()
    except OSError:
        return False
    first = task.known[0]
    return (stat.st_size, stat.st_mtime_ns) == (first["size"], first["modified"])


def _as_asked(task: _Task) -> bool:
    """Whether the store has all assays of a recording, read with the options of this ingest."""
    return bool(task.known) and all(
        row["status"] == OK
        and row["options"] == _options_text(task, row["format"])
        and task.options.format in ("auto", row["format"])
        and holds(task.store, row["bouts"], row["bouts_size"])
        for row in task.known
    )


def _options_text(task: _Task, format: str) -> str:
    """Say how a recording was read, as far as that changes what its format gives."""
    exclusion = task.options.exclusion
    entries = "\n".join(exclusion.entries) if exclusion else ""
    said = {
        "labels": task.options.labels,
        "fps": task.options.fps,
        "exclude": entries and hashlib.sha256(entries.encode()).hexdigest()[:12],
    }
    names = _READ_BY.get(format, tuple(said))
    chosen = [f"{name}={said[name]}" for name in names if said[name] not in (None, "")]
    return " ".join([f"min_bout={task.min_bout:g}", *chosen])


def _ingest_one(task: _Task) -> _Outcome:
    """Read a recording, write its bouts and then its verdict."""
    blank = _blank(task)
    met: frozenset[str] = frozenset()
    try:
        with reading(task.path):
            stat = task.path.stat()
        reader = choose_reader(task.options)(task.path)
        if reader is None:
            return _Outcome("other")
        blank |= {"format": reader.name, "options": _options_text(task, reader.name)}
        blank |= {"size": stat.st_size, "modified": stat.st_mtime_ns}
        blank["checksum"] = sha256(task.path)
        if _as_asked(task) and task.known[0]["checksum"] == blank["checksum"]:
            return _Outcome("same")
        ethogram, met, note = _read(task, reader)
        if ethogram is None:
            return _Outcome("excluded", met)
        parts = list(_parts(ethogram, blank | {"note": note}))
        _check_still(task.path, stat)
    except LarvastatsError as error:
        parts = [(failed(blank, str(error)), b"")]
    except Exception as error:  # one damaged file must not keep the others out: it is named
        parts = [(failed(blank, _unexpected(task.path, error)), b"")]
    rows = [_kept(task.store, row, content) for row, content in parts]
    name = hashlib.sha256(str(task.path).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    write_verdict(task.folder, name, rows)
    return _Outcome("read", met)


def _blank(task: _Task) -> Row:
    """Row of a recording of which nothing but its path is known."""
    row: Row = dict.fromkeys(SCHEMA.names)
    row |= {"source": str(task.path), "position": 0, "version": __version__, "covariates": {}}
    if task.identity is not None:
        identity = ("assay", "line", "effector", "genotype", "protocol", "tracker", "date", "time")
        row |= {name: getattr(task.identity, name) or None for name in identity}
    return row


def _read(task: _Task, reader: Reader) -> tuple[Ethogram | None, frozenset[str], str | None]:
    """Ethogram of a recording (None: to be left out), entries met, and what there is to say."""
    ethogram = reader.read(task.path, task.options, task.identity)
    notes = [] if task.identity is None else contradictions(
        task.path, task.identity, ethogram.assays
    )  # fmt: skip
    if task.identity is None and not reader.names_line:
        notes.append(unnamed_note([task.path]))
    exclusion = task.options.exclusion
    if exclusion is None:
        return merge_short(ethogram, task.min_bout), frozenset(), " ".join(notes) or None
    keep = [not exclusion.covers(assay, stamp) for assay, stamp in names_of(ethogram)]
    met = frozenset(exclusion.met)
    if not any(keep):
        return None, met, None
    if not all(keep):
        notes.append(f"{task.path}: {keep.count(False)} assays left out, as {exclusion.path} says.")
    return merge_short(ethogram.subset(keep), task.min_bout), met, " ".join(notes) or None


def _parts(ethogram: Ethogram, blank: Row) -> Iterator[tuple[Row, bytes]]:
    """Row and bouts (as parquet) of every assay."""
    assay = ethogram.assay_index
    order = np.argsort(assay, kind="stable")
    ends = np.searchsorted(assay[order], np.arange(len(ethogram.assays) + 1))
    larva_assay = ethogram.larvae["assay_index"].to_numpy()
    for position, described in enumerate(_described(ethogram)):
        bouts = order[ends[position] : ends[position + 1]]
        own = np.flatnonzero(larva_assay == position)
        t_start, t_stop = ethogram.t_start[bouts], ethogram.t_stop[bouts]
        row = blank | described
        row |= {
            "status": OK,
            "position": position,
            "n_larvae": len(own),
            "n_bouts": len(bouts),
            "seconds": float(np.sum(t_stop - t_start)),
            "states": list(ethogram.states),
            "larvae": [str(name) for name in ethogram.larvae["larva"].iloc[own]],
        }
        larva = np.searchsorted(own, ethogram.larva_index[bouts])
        table = bouts_table(
            row, ethogram.states, larva, ethogram.state[bouts], t_start, t_stop
        )  # fmt: skip
        buffer = io.BytesIO()
        parquet.write_table(table, buffer, compression="zstd")
        yield row, buffer.getvalue()


def _described(ethogram: Ethogram) -> Iterator[Row]:
    """Identity and covariates of every assay."""
    texts = [name for name in SCHEMA.names[:8]]
    rest = [name for name in ethogram.assays.columns if name not in texts]
    for record in ethogram.assays.to_dict("records"):
        row: Row = {name: None if pd.isna(record[name]) else record[name] for name in texts}
        values = {str(name): plain_value(record[name]) for name in rest}
        row["covariates"] = {name: value for name, value in values.items() if value is not None}
        yield row


def _kept(store: Path, row: Row, content: bytes) -> Row:
    """Write the bouts of a row, if it has any, and name their file in it."""
    if row["status"] != OK:
        return row
    name, checksum = write_bouts_file(store, row["assay"], content)
    return row | {"bouts": name, "bouts_size": len(content), "bouts_checksum": checksum}


def _check_still(path: Path, before: os.stat_result) -> None:
    """Refuse a file that somebody wrote to while it was read."""
    with reading(path):
        now = path.stat()
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise DataError(f"{path}: the file changed while it was read; ingest it again when it is "
                        "complete.")  # fmt: skip


def _unexpected(path: Path, error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return (
        f"{path}: reading it failed in a way that larvastats did not foresee "
        f"({type(error).__name__}: {first}); the file is damaged, or larvastats has a fault: "
        "please report it."
    )


# -- what was done ---------------------------------------------------------------------------------


def _report(
    store: Path,
    rows: Sequence[Row],
    tasks: Sequence[_Task],
    kinds: Mapping[str, str],
    exclusion: Exclusion | None,
) -> IngestReport:
    known = {str(task.path): task.identity for task in tasks}
    own = {path for path in known if kinds.get(path, "same") in ("read", "same")}
    good = [row for row in rows if row["status"] == OK]
    failures = {r["source"]: r["status"] for r in rows if r["status"] != OK and r["source"] in own}
    notes = {r["source"]: r["note"] for r in good if r["note"] and r["source"] in own}
    counts = Counter(kinds.values())
    said: tuple[str, ...] = tuple(notes.values())
    if exclusion is not None:
        # what a table of many assays met when it was read, by an earlier ingest, is not known now
        same = (known[path] for path in known if kinds.get(path, "same") == "same")
        entries = exclusion.notes()
        said += entries[: bool(exclusion.assays)] if None in same else entries
    return IngestReport(
        store=str(store),
        n_recordings=len(own),
        n_read=counts["read"],
        n_ok=sum(row["source"] in own for row in good),
        n_failed=len(failures),
        n_others=counts["other"],
        n_assays=len(good),
        n_larvae=sum(row["n_larvae"] for row in good),
        n_bouts=sum(row["n_bouts"] for row in good),
        hours=sum(row["seconds"] for row in good) / 3600,
        failures=tuple(failures.items()),
        notes=said,
    )
