"""SOURCE: whatever recordings come in, an ethogram comes out.

A source is an ethogram, a DataFrame of bouts or frames, a store, a recording's file, or a database
directory of such files. Openers are tried in order; a further kind of source is one more entry in
:data:`OPENERS`, a further format one in :data:`larvastats.io.formats.READERS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from larvastats.combine import merge_short
from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import tidy
from larvastats.io.checksum import checksum
from larvastats.io.database import read_actions, read_database, unnamed_note
from larvastats.io.exclusion import exclude
from larvastats.io.files import AnyPath, read_head
from larvastats.io.formats import (
    FORMATS,
    READERS,
    Options,
    check_options,
    choose_reader,
    recording_of,
)
from larvastats.io.labels import Labels
from larvastats.io.paths import identify
from larvastats.io.store import is_store, read_store
from larvastats.io.store_index import Row

__all__ = ["OPENERS", "checksum", "load", "load_with_report"]

Notes = tuple[str, ...]


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
        A DataFrame has the columns of :mod:`larvastats.io.tidy`; a path leads to a recording (see
        :mod:`larvastats.io.formats`), a directory of recordings whose paths give identity (see
        :mod:`larvastats.io.paths`), or a store (:mod:`larvastats.io.store`).
    format : {'auto', 'trx', 'fimtrack', 'choreography', 'schleyer', 'larvatagger', 'tidy'}
        Read only files of this format; by default each file's content decides.
    labels : str
        ``large``, ``all`` or ``strong``: which labels of trx.mat files to take, see
        :func:`larvastats.io.trx.read`; or a file with the labels of many recordings; or the name
        of label files beside the recordings; see :mod:`larvastats.io.labels`.
    min_bout : float
        Shortest bout to keep, in s; see :func:`larvastats.combine.merge_short`.
    fps : float, optional
        Frame rate of FIMTrack tables, in 1/s.
    px_per_mm : float, optional
        Scale of FIMTrack tables. Actions need no lengths: here it is checked and not used.
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
    unlabelled: bool = False,
    progress: bool = False,
) -> tuple[Ethogram, Notes]:
    """Read recordings as :func:`load`, and say what was left out or contradicts itself.

    Parameters
    ----------
    source, format, labels, min_bout, fps, px_per_mm, exclude, progress
        As :func:`load`.
    unlabelled : bool
        Also take assays that have shapes but no actions; their larvae have no bouts.

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
    options = check_options(format, labels, fps, px_per_mm, exclude, progress, unlabelled)
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


# -- openers ---------------------------------------------------------------------------------------


def _open_ethogram(source: Ethogram, options: Options) -> tuple[Ethogram, Notes]:
    return source, _unused(options, frozenset(), "an ethogram")


def _open_table(source: pd.DataFrame, options: Options) -> tuple[Ethogram, Notes]:
    notes = _unused(options, frozenset({"tidy"}), "a DataFrame")
    return tidy.from_table(source, source="DataFrame"), notes


def _open_store(source: AnyPath, options: Options) -> tuple[Ethogram, Notes]:
    if options.labels != Labels() or options.format != "auto":
        raise UsageError(
            f"{source} is a store: --labels and --format were chosen when it was made; give them "
            "to larvastats ingest."
        )
    exclusion = options.exclusion

    def wanted(row: Row) -> bool:
        stamp = f"{row['date']}_{row['time']}" if row["date"] and row["time"] else None
        return exclusion is None or not exclusion.covers(row["assay"], stamp)

    ethogram, notes = read_store(source, wanted, unlabelled=options.unlabelled)
    return ethogram, notes + _unused(options, frozenset(), f"the store {source}")


def _open_directory(source: AnyPath, options: Options) -> tuple[Ethogram, Notes]:
    ethogram, notes, formats = read_database(source, options, progress=options.progress)
    return ethogram, notes + _unused(options, formats, str(source))


def _open_file(source: AnyPath, options: Options) -> tuple[Ethogram, Notes]:
    read_head(source, 1)  # a missing or forbidden file is no matter of format
    recording = recording_of(source)
    reader = choose_reader(options)(recording)
    if reader is None:
        raise DataError(
            f"{source}: expected a recording in one of the formats {', '.join(FORMATS[1:])}, but "
            "the content is none of these; give a recording or a directory of recordings."
        )
    content = read_actions(recording, reader, options, identify(source))
    assert content.ethogram is not None  # shapes were not asked for
    notes = content.notes + _unused(options, frozenset({reader.name}), str(source))
    if content.named_after:
        notes += (unnamed_note([recording.path], content.named_after),)
    return content.ethogram, notes


def _is_directory(source: Any) -> bool:
    return _is_path(source) and os.path.isdir(source)  # False where there can be no such path


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


def _unused(options: Options, formats: frozenset[str], source: str) -> Notes:
    """Refuse or note options that apply to no file of the source."""
    labels = options.labels
    taking = {r.name for r in READERS if r.takes_labels} if labels.elsewhere else {"trx"}
    if labels != Labels() and not taking & formats:
        kind = "recordings without labels of their own" if labels.elsewhere else "trx.mat files"
        raise UsageError(f"--labels {labels.text} is about {kind}, but {source} has none.")
    if options.format != "auto" and options.format not in formats:
        raise UsageError(f"--format {options.format} does not fit {source}.")
    if options.fps is not None and "fimtrack" not in formats:
        return (f"--fps applies to FIMTrack tables only, and {source} has none: not used.",)
    return ()
