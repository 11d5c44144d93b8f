"""Choreography's ``.dat``: series of measures, whose names the caller knows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.io.choreography.files import NAME, larva_of
from larvastats.io.files import AnyPath
from larvastats.io.identity import settle
from larvastats.io.paths import AssayIdentity
from larvastats.io.text.point_rows import read_rows
from larvastats.io.tracks import MAX_VALUES, Tracks

DAT_UNITS = {
    "persistence": "s", "area": "mm2", "speed": "mm/s", "angular": "rad/s", "length": "mm",
    "rellength": "1", "width": "mm", "relwidth": "1", "aspect": "1", "relaspect": "1",
    "midline": "mm", "morphwidth": "mm", "kink": "deg", "bias": "1", "pathlen": "mm",
    "curve": "deg", "dir": "1", "loc_x": "mm", "loc_y": "mm", "vel_x": "mm/s", "vel_y": "mm/s",
    "orient": "deg", "crab": "mm/s",
}  # fmt: skip
"""Units of Choreography's measures, by the names of its ``-o`` option."""


def read_dat(
    paths: AnyPath | Iterable[AnyPath],
    columns: Sequence[str],
    *,
    identity: AssayIdentity | None = None,
    line: str | None = None,
) -> Tracks:
    """Read the ``.dat`` files of one recording.

    Parameters
    ----------
    paths : path or iterable of paths
    columns : sequence of str
        Names of all columns in order, the first of them the time (s). ``id`` is the larva's number;
        without it, the files' names give the numbers. ``loc_x`` and ``loc_y`` become the centroid.
    identity, line
        As :func:`read`; without an identity the assay is named by the files' prefix.

    Returns
    -------
    Tracks
        Without shapes; units are those of :data:`DAT_UNITS`, ``""`` for other names.

    Raises
    ------
    UsageError
        There is no such file, or the columns are none.
    DataError
        A file is cut off or damaged, or its rows have another number of columns.
    """
    names = _checked_columns(columns)
    files = [Path(paths)] if isinstance(paths, str | os.PathLike) else [Path(p) for p in paths]
    if not files:
        raise UsageError("Expected at least one .dat file, but got none.")
    tables = [_read_table(path, names) for path in files]
    values = np.concatenate([values for values, _, _ in tables])
    number = np.concatenate([larva for _, larva, _ in tables])
    match = NAME.fullmatch(files[0].name)
    own_id = match["prefix"] if match else files[0].stem
    known, notes = settle(files[0], identity, line, own_id)
    series = {n: values[:, i] for i, n in enumerate(names) if i and n != "id"}
    centroid = None
    if {"loc_x", "loc_y"} <= series.keys():
        centroid = np.stack((series.pop("loc_x"), series.pop("loc_y")), axis=1)
    larvae, index = np.unique(number, return_inverse=True)
    return Tracks.build(
        known, [str(n) for n in larvae], index, values[:, 0], centroid=centroid, notes=notes,
        features=series, units={name: DAT_UNITS.get(name, "") for name in series},
        rows=np.concatenate([row for _, _, row in tables]), source=str(files[0]),
    )  # fmt: skip


def _checked_columns(columns: Sequence[str]) -> tuple[str, ...]:
    names = tuple(str(name).strip() for name in columns)
    if isinstance(columns, str) or len(names) < 2 or not all(names) or len(set(names)) < len(names):
        raise UsageError(
            "The columns of a .dat file are a list of at least two different names, the time "
            f"first, such as ['time', 'id', 'speed'], but are {columns!r}."
        )
    if names[0] not in ("time", "t"):
        raise UsageError(
            f"The first column of a .dat file is always the time, but the list begins with "
            f"{names[0]!r}; name all columns, the time first."
        )
    return names


def _read_table(
    path: Path, names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Values, shape (row, column), larva of every row, and the rows' places in the file."""
    parts, places, n_values = [], [], 0
    for rows in read_rows(path, None):
        wrong = rows.count != len(names)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(
                f"{path}: expected {len(names)} columns ({', '.join(names)}), but row "
                f"{rows.row[at]} has {rows.count[at]}; name the columns as they were asked for."
            )
        n_values += len(rows.values)
        if n_values > MAX_VALUES:
            raise DataError(f"{path}: it holds more than {MAX_VALUES:,} numbers; split it.")
        parts.append(rows.values.reshape(-1, len(names)))
        places.append(rows.row)
    values, row = np.concatenate(parts), np.concatenate(places)
    if "id" not in names:
        return values, np.full(len(values), larva_of(path)), row
    number = values[:, list(names).index("id")]
    whole = (number == np.round(number)) & (number >= 0) & (number < 1e15)
    if not whole.all():
        at = int(np.argmin(whole))
        raise DataError(
            f"{path}: expected the number of a larva in column id, but row {row[at]} has "
            f"{number[at]:g}; name the columns in their order."
        )
    return values, number.astype(np.int64), row
