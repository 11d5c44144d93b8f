"""Choreography's shapes: ``.spine``, ``.outline`` and ``.dat`` of the Multi-Worm Tracker.

Two layouts of ``.spine`` and ``.outline`` are read, told apart by their first row:

- one file for all larvae, ``date_time id t x1 y1 x2 y2 ...``;
- one file per larva, ``<prefix>.<number>.spine``, rows ``t x0 y0 ...``, as the plug-in Extract
  writes them.

Times are seconds, coordinates millimetres, both with three decimals. A spine has the same number of
points in every row (11 by default), head first; an outline any number. The two files of a larva may
differ by some rows: only the moments that both have are kept.

``.dat`` files, ``<prefix>[.<name>][.<number>].dat``, have the time in their first column and
whatever was asked for by ``-o`` in the others; no header says what, so that the caller does.
Choreography writes no actions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from larvastats.errors import DataError, LarvastatsError
from larvastats.io.choreography.dat import DAT_UNITS, read_dat
from larvastats.io.choreography.files import (
    HEAD_BYTES,
    NAME,
    ONE_FILE,
    Recording,
    recordings,
    stamp_of,
)
from larvastats.io.choreography.points import read_points
from larvastats.io.choreography.writer import write_dat, write_objects, write_outline, write_spine
from larvastats.io.files import AnyPath, read_head
from larvastats.io.identity import settle
from larvastats.io.paths import AssayIdentity
from larvastats.io.tracks import Tracks, join

__all__ = [
    "DAT_UNITS", "Recording", "read", "read_dat", "recordings", "sniff", "write_dat",
    "write_objects", "write_outline", "write_spine",
]  # fmt: skip

SPINE_POINTS = 11
"""Points of a spine by default; tells spines from outlines where the file's name does not."""

_KINDS = ("spine", "outline")
_OBJECT_ROW = re.compile(rb"\s*[-+0-9.eE]+(?:[ \t]+[-+0-9.eEnNaA]+){4,}[ \t]*\r?\n")


def sniff(path: AnyPath) -> bool:
    """Whether the content is that of a ``.spine`` or ``.outline`` file.

    Rows without date and larva look like any table of numbers: for these the name counts too.
    """
    try:
        head = read_head(path, HEAD_BYTES)
    except LarvastatsError:
        return False
    if ONE_FILE.match(head):
        return True
    name = NAME.fullmatch(Path(path).name)
    per_larva = name and name["larva"] and name["kind"].casefold() != "dat"
    return bool(per_larva and _OBJECT_ROW.match(head))


def read(
    path: AnyPath,
    *,
    identity: AssayIdentity | None = None,
    line: str | None = None,
    columns: Sequence[str] | None = None,
    outlines: bool = True,
) -> Tracks:
    """Read a recording: its spines, its outlines, or both.

    Parameters
    ----------
    path : path
        A ``.spine`` or ``.outline`` file, plain or gzipped, or a folder with the files of one
        recording. What lies beside a file and begins with the same prefix is read too.
    identity : AssayIdentity, optional
        By default what the path says; without one, the assay has the date and time of the file.
    line : str, optional
        Line, or line@effector, of the larvae; by default that of `identity`, else none.
    columns : sequence of str, optional
        Columns of the ``.dat`` files; without them, these files are not read.
    outlines : bool
        Whether to read outlines too where there are spines; they are most of the bytes.

    Returns
    -------
    Tracks
        Ids of larvae without leading zeros. Frames that only the spines or only the outlines have
        are left out and counted in the notes; where a ``.dat`` lacks a frame, its features are NaN.

    Raises
    ------
    UsageError
        There is no such file or folder, or `columns` are none.
    DataError
        A file is cut off, damaged or none of Choreography's; two recordings in one file or folder;
        spines and outlines without a common moment.
    """
    recording = _recording(Path(path))
    if not outlines and recording.spine:
        recording = replace(recording, outline=())
    files = dict(zip(_KINDS, (recording.spine, recording.outline), strict=True))
    parts = [read_points(own, kind) for kind, own in files.items() if own]
    stamps = {part.stamp for part in parts} - {""}
    if len(stamps) > 1:
        raise DataError(
            f"{path}: expected the spines and outlines of one recording, but they are of "
            f"{' and '.join(sorted(stamps))}; put each recording into its own folder."
        )
    own_id = stamps.pop() if stamps else recording.prefix
    first = (recording.spine or recording.outline)[0]
    known, notes = settle(first, identity, line, own_id)
    tracks = [part.tracks(known) for part in parts]
    merged = tracks[0] if len(tracks) == 1 else _common(tracks[0], tracks[1], str(path))
    if columns is not None and recording.dat:
        dat = read_dat(recording.dat, columns, identity=known)
        merged = _with_features(merged, dat)
    return replace(merged, notes=notes + merged.notes)


def identity_of(path: AnyPath, identity: AssayIdentity | None = None) -> AssayIdentity:
    """Say who is in a recording, without reading more than the first row of a file.

    Parameters
    ----------
    path, identity
        As :func:`read`.

    Raises
    ------
    UsageError, DataError
        The file does not exist, is empty, or cannot be read.
    """
    recording = _recording(Path(path))
    first = (recording.spine or recording.outline)[0]
    return settle(first, identity, None, stamp_of(first) or recording.prefix)[0]


# -- files of a recording --------------------------------------------------------------------------


def _recording(path: Path) -> Recording:
    """Find the files that belong to a path."""
    if os.path.isdir(path):
        found = recordings(path)
        if len(found) != 1:
            names = ", ".join(repr(r.prefix) for r in found[:3]) or "none"
            raise DataError(
                f"{path}: expected the .spine and .outline files of one recording, but found those "
                f"of {len(found)} ({names}); give one of the files, or a folder of one recording."
            )
        return found[0]
    head = read_head(path, HEAD_BYTES)
    match = NAME.fullmatch(path.name)
    if match and match["kind"].casefold() != "dat":
        own = [r for r in recordings(path.parent) if r.prefix == match["prefix"]]
        kind = match["kind"].casefold()
        if not own:  # a hidden file belongs to nothing
            return Recording(match["prefix"], *((path,) if k == kind else () for k in _KINDS))
        return own[0]
    rows = [line.split() for line in head.split(b"\n")[:-1]]
    is_spine = bool(rows) and all(len(row) == 3 + 2 * SPINE_POINTS for row in rows)
    return Recording(path.stem, spine=(path,)) if is_spine else Recording(path.stem, (), (path,))


# -- putting files together ------------------------------------------------------------------------


def _common(spine: Tracks, outline: Tracks, source: str) -> Tracks:
    """Keep the frames that have both a spine and an outline."""
    left, right = join(spine, outline)
    if not len(left):
        raise DataError(
            f"{source}: expected spines and outlines of the same larvae at the same times, but "
            "they have no moment in common; give the two files of one recording."
        )
    assert outline.contour is not None
    kept = spine.take(left)
    return Tracks.build(
        kept.identity, kept.larvae, kept.larva_index, kept.t, midline=kept.midline,
        contour=outline.contour.take(right), notes=_lost(spine, outline, len(left), source),
        length_unit=kept.length_unit, source=source,
    )  # fmt: skip


def _lost(spine: Tracks, outline: Tracks, n: int, source: str) -> tuple[str, ...]:
    if spine.n_frames == n and outline.n_frames == n:
        return ()
    return (
        f"{source}: {n} frames have a spine and an outline; {spine.n_frames - n} with a spine only "
        f"and {outline.n_frames - n} with an outline only are left out.",
    )


def _with_features(tracks: Tracks, dat: Tracks) -> Tracks:
    """Add the series of the ``.dat`` files; NaN where they lack a frame."""
    left, right = join(tracks, dat)
    features = {}
    for name, series in dat.features.items():
        features[name] = np.full(tracks.n_frames, np.nan)
        features[name][left] = series[right]
    centroid = None
    if dat.centroid is not None:
        centroid = np.full((tracks.n_frames, 2), np.nan)
        centroid[left] = dat.centroid[right]
    return Tracks.build(
        tracks.identity, tracks.larvae, tracks.larva_index, tracks.t, midline=tracks.midline,
        contour=tracks.contour, centroid=centroid, features=features, units=dat.units,
        notes=tracks.notes, length_unit=tracks.length_unit,
    )  # fmt: skip
