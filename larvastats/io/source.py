"""SOURCE: whatever recordings come in, an ethogram comes out.

A source is an ethogram, a DataFrame of bouts or frames, a store, a recording's file, or a database
directory of such files. Openers are tried in order, and within a file or directory readers are;
a further kind of source or format is one more entry in :data:`OPENERS` or :data:`READERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from larvastats.combine import merge_short
from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import fimtrack, tidy, trx
from larvastats.io.checksum import checksum
from larvastats.io.database import read_database, unnamed_note
from larvastats.io.exclusion import Exclusion, exclude, read_exclusion
from larvastats.io.files import AnyPath, read_head
from larvastats.io.paths import AssayIdentity, identify
from larvastats.io.store import is_store, read_store
from larvastats.io.store_index import Row

__all__ = ["OPENERS", "READERS", "checksum", "load", "load_with_report"]

Notes = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """How to read; checked once, before anything is opened."""

    format: str
    labels: trx.Labels
    fps: float | None
    exclusion: Exclusion | None
    progress: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """A format of recordings.

    Attributes
    ----------
    name : str
    sniff : callable
        Whether the content of a file is of this format.
    endings : tuple of str
        Names of files that are meant to be of this format, whatever their content.
    names_line : bool
        Whether the file itself names the line of its larvae.
    read : callable
        Takes path, options and the identity that the path gives.
    """

    name: str
    sniff: Callable[[AnyPath], bool]
    endings: tuple[str, ...]
    names_line: bool
    read: Callable[[AnyPath, Options, AssayIdentity | None], Ethogram]


READERS: tuple[Reader, ...] = (
    Reader("trx", trx.sniff, (".mat",), True, lambda p, o, i: trx.read(p, o.labels, identity=i)),
    Reader(
        "fimtrack",
        fimtrack.sniff,
        (),
        False,
        lambda p, o, i: fimtrack.read(p, fps=o.fps, identity=i),
    ),
    Reader(
        "tidy",
        tidy.sniff,
        (".csv", ".csv.gz", ".tsv", ".tsv.gz", *tidy.PARQUET_SUFFIXES),
        True,
        lambda p, o, i: tidy.read(p, identity=i),
    ),
)
"""Formats, in the order in which they are tried; the more telling content comes first."""


@dataclass(frozen=True, slots=True)
class Opener:
    """A kind of source: whether this is one, and how to open it."""

    accepts: Callable[[Any], bool]
    open: Callable[[Any, Options], tuple[Ethogram, Notes]]


def load(
    source: Any,
    *,
    format: str = "auto",
    labels: str = "large",
    min_bout: float = 0.0,
    fps: float | None = None,
    px_per_mm: float | None = None,
    exclude: AnyPath | None = None,
    progress: bool = False,
) -> Ethogram:
    """Read recordings into one ethogram.

    Parameters
    ----------
    source : Ethogram, DataFrame or path
        A DataFrame has the columns of :mod:`larvastats.io.tidy`; a path leads to a tidy table, a
        trx.mat, a FIMTrack table, a directory of such files whose paths give identity (see
        :mod:`larvastats.io.paths`), or a store (:mod:`larvastats.io.store`).
    format : {'auto', 'tidy', 'trx', 'fimtrack'}
        Read only files of this format; by default each file's content decides.
    labels : {'large', 'all', 'strong'}
        Which labels of trx.mat files to take; see :func:`larvastats.io.trx.read`.
    min_bout : float
        Shortest bout to keep, in s; see :func:`larvastats.combine.merge_short`.
    fps : float, optional
        Frame rate of FIMTrack tables, in 1/s.
    px_per_mm : float, optional
        Scale of FIMTrack tables. States need no lengths: it is checked and not used.
    exclude : path, optional
        Text file with one assay per line: its id, its ``YYYYMMDD_HHMMSS``, or a pattern of either
        with ``*``, ``?`` or ``[...]``; ``#`` starts a comment. An entry that matches nothing is
        noted, not refused, so that one list may serve several sources.
    progress : bool
        Draw a progress bar on stderr while reading a directory.

    Returns
    -------
    Ethogram

    Raises
    ------
    UsageError
        No such file or directory, or an option that is wrong or does not apply.
    DataError
        Nothing in the source can be read.
    """
    return load_with_report(
        source, format=format, labels=labels, min_bout=min_bout, fps=fps, px_per_mm=px_per_mm,
        exclude=exclude, progress=progress,
    )[0]  # fmt: skip


def load_with_report(
    source: Any,
    *,
    format: str = "auto",
    labels: str = "large",
    min_bout: float = 0.0,
    fps: float | None = None,
    px_per_mm: float | None = None,
    exclude: AnyPath | None = None,
    progress: bool = False,
) -> tuple[Ethogram, Notes]:
    """Read recordings as :func:`load`, and say what was left out or contradicts itself.

    Returns
    -------
    ethogram : Ethogram
    notes : tuple of str
        One sentence each: files that could not be read and why, files of other kinds, assays that
        were excluded, entries of the list that match none, files whose content and path disagree.

    Raises
    ------
    UsageError, DataError
        As :func:`load`.
    """
    options = check_options(format, labels, fps, px_per_mm, exclude, progress)
    opener = next((opener for opener in OPENERS if opener.accepts(source)), None)
    if opener is None:
        raise UsageError(
            "A source is an ethogram, a DataFrame, a file or a directory, but this is of type "
            f"{type(source).__name__}."
        )
    ethogram, notes = opener.open(source, options)
    if options.exclusion is not None:
        ethogram = _without(ethogram, options.exclusion)
        notes += options.exclusion.notes()
    return merge_short(ethogram, min_bout), notes


_without = exclude  # the option of the same name hides it where it is needed


def check_options(
    format: str,
    labels: str,
    fps: float | None,
    px_per_mm: float | None,
    exclude: AnyPath | None,
    progress: bool,
) -> Options:
    """Check how to read, before anything is opened; parameters and errors as :func:`load`."""
    formats = ("auto", *(reader.name for reader in READERS))
    if format not in formats:
        raise UsageError(f"--format must be one of {', '.join(formats)}, but is {format!r}.")
    for name, value in (("--fps", fps), ("--px-per-mm", px_per_mm)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be a positive number, but is {value}.")
    exclusion = None if exclude is None else read_exclusion(exclude)
    return Options(format, trx.check_labels(labels), fps, exclusion, progress)


# -- openers ---------------------------------------------------------------------------------------


def _open_ethogram(source: Ethogram, options: Options) -> tuple[Ethogram, Notes]:
    return source, _unused(options, frozenset(), "an ethogram")


def _open_table(source: pd.DataFrame, options: Options) -> tuple[Ethogram, Notes]:
    notes = _unused(options, frozenset({"tidy"}), "a DataFrame")
    return tidy.from_table(source, source="DataFrame"), notes


def _open_store(source: AnyPath, options: Options) -> tuple[Ethogram, Notes]:
    if options.labels != "large" or options.format != "auto":
        raise UsageError(
            f"{source} is a store: --labels and --format were chosen when it was made; give them "
            "to larvastats ingest."
        )
    exclusion = options.exclusion

    def wanted(row: Row) -> bool:
        stamp = f"{row['date']}_{row['time']}" if row["date"] and row["time"] else None
        return exclusion is None or not exclusion.covers(row["assay"], stamp)

    ethogram, notes = read_store(source, wanted)
    return ethogram, notes + _unused(options, frozenset(), f"the store {source}")


def _open_directory(source: AnyPath, options: Options) -> tuple[Ethogram, Notes]:
    ethogram, notes, formats = read_database(
        source,
        choose_reader(options),
        lambda reader, path, identity: reader.read(path, options, identity),
        options.exclusion,
        progress=options.progress,
    )
    return ethogram, notes + _unused(options, formats, str(source))


def _open_file(source: AnyPath, options: Options) -> tuple[Ethogram, Notes]:
    read_head(source, 1)  # a missing or forbidden file is no matter of format
    reader = choose_reader(options)(source)
    if reader is None:
        raise DataError(
            f"{source}: expected a tidy csv or parquet, a trx.mat or a FIMTrack csv, but the "
            "content is none of these; give a recording or a directory of recordings."
        )
    identity = identify(source)
    ethogram = reader.read(source, options, identity)
    notes = _unused(options, frozenset({reader.name}), str(source))
    if identity is None and not reader.names_line:
        notes += (unnamed_note([source]),)
    return ethogram, notes


def _is_directory(source: Any) -> bool:
    return _is_path(source) and Path(source).is_dir()


def _is_path(source: Any) -> bool:
    return isinstance(source, str | Path)


OPENERS: tuple[Opener, ...] = (
    Opener(lambda source: isinstance(source, Ethogram), _open_ethogram),
    Opener(lambda source: isinstance(source, pd.DataFrame), _open_table),
    Opener(lambda source: _is_path(source) and is_store(source), _open_store),
    Opener(_is_directory, _open_directory),
    Opener(_is_path, _open_file),
)
"""Kinds of source, in the order in which they are tried; a store goes before any directory."""


def choose_reader(options: Options) -> Callable[[AnyPath], Reader | None]:
    """Make the function that picks a file's reader by content, else by its ending."""
    readers: Sequence[Reader] = [r for r in READERS if options.format in ("auto", r.name)]

    def choose(path: AnyPath) -> Reader | None:
        name = str(path).casefold()
        by_content = next((reader for reader in readers if reader.sniff(path)), None)
        if by_content is not None:
            return by_content
        # its reader will say what is wrong with it
        return next((r for r in readers if r.endings and name.endswith(r.endings)), None)

    return choose


def _unused(options: Options, formats: frozenset[str], source: str) -> Notes:
    """Refuse or note options that apply to no file of the source."""
    if options.labels != "large" and "trx" not in formats:
        raise UsageError(
            f"--labels {options.labels} chooses among the labels of trx.mat files, but {source} "
            "has none."
        )
    if options.format != "auto" and options.format not in formats:
        raise UsageError(f"--format {options.format} does not fit {source}.")
    if options.fps is not None and "fimtrack" not in formats:
        return (f"--fps applies to FIMTrack tables only, and {source} has none: not used.",)
    return ()
