"""Csv files of the Schleyer group (and of larvaworld): one per larva, no header, 78 columns.

The columns are the step; 12 points of the midline, x and y, from the tail to the head; 22 points of
the contour, which begins at the tail; the centroid; and blob_orientation, area, grey_value,
raw_spinelength, width, perimeter, collision_flag. Files are named ``<dish>_<larva>.csv``, and those
of one dish are one assay.

Midline, contour and centroid are millimetres, the measures of the blob pixels. Three things show
only in the files themselves, here in 31,062 frames of 18 real larvae:

- the midline is .0817 times ``raw_spinelength``, in every larva: that one is in pixels;
- y of the centroid, and the sign of blob_orientation, are those of an image, whose y points down,
  while y of midline and contour points up. With y reversed, the centroid lies within .66 mm (median
  .09 mm) of the midline's middle; both are reversed here;
- where larvae touch (collision_flag 2), the measures are blank and the centroid lies up to 77 mm
  off the midline: it is NaN here.

Where the midline was lost, midline and contour are ``na``. The files hold no actions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.io.contours import Contours
from larvastats.io.files import AnyPath, open_plain, read_head, reading
from larvastats.io.identity import settle
from larvastats.io.paths import AssayIdentity
from larvastats.io.text.point_rows import check_finished, whole_rows
from larvastats.io.tracks import MAX_VALUES, Tracks

FPS = 16.0
"""Frames per second of the group's films."""

N_MIDLINE, N_CONTOUR = 12, 22

UNITS = {
    "blob_orientation": "rad", "area": "px2", "grey_value": "1", "raw_spinelength": "px",
    "width": "px", "perimeter": "px", "collision_flag": "1",
}  # fmt: skip
"""Measures of the blob, in the order of their columns, and their units."""

_WIDTHS = (2 * N_MIDLINE, 2 * N_CONTOUR, 2)
N_COLUMNS = 1 + sum(_WIDTHS) + len(UNITS)

NAME = re.compile(r"(?P<dish>.+)_(?P<larva>[0-9]{1,9})\.csv(?:\.gz)?", re.IGNORECASE)
_MISSING = re.compile(rb"(?i:na|nan|)")
_BETWEEN_CELLS = np.frombuffer(b",\r\n", np.uint8)
_MAX_ROW = 1 << 14


def sniff(path: AnyPath) -> bool:
    """Whether the content begins with a row of 78 numbers, some of which may be missing."""
    try:
        head = read_head(path, _MAX_ROW)
    except LarvastatsError:
        return False
    row, end, _ = head.partition(b"\n")
    cells = [cell.strip() for cell in row.split(b",")]
    return bool(end) and len(cells) == N_COLUMNS and all(_is_cell(cell) for cell in cells)


def _is_cell(cell: bytes) -> bool:
    if _MISSING.fullmatch(cell):
        return True
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def dishes(folder: AnyPath) -> dict[str, tuple[Path, ...]]:
    """List the files of every dish in a folder, by the larvae's numbers.

    Raises
    ------
    UsageError
        There is no such folder.
    DataError
        It cannot be listed.
    """
    with reading(folder):
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    found: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        match = None if name.startswith(".") else NAME.fullmatch(name)
        if match:
            found.setdefault(match["dish"], []).append((int(match["larva"]), name))
    return {dish: tuple(Path(folder, n) for _, n in sorted(own)) for dish, own in found.items()}


def read(
    path: AnyPath,
    *,
    identity: AssayIdentity | None = None,
    line: str | None = None,
    fps: float = FPS,
) -> Tracks:
    """Read the larvae of one dish.

    Parameters
    ----------
    path : path
        A folder with the files of one dish, or one of the files: all larvae of its dish are read.
    identity : AssayIdentity, optional
        By default what the path says; without one, the assay is named as the dish, and the line as
        the folder.
    line : str, optional
        Line, or line@effector, of the larvae.
    fps : float
        Frames per second; the time of a frame is its step divided by it.

    Returns
    -------
    Tracks
        Midline with 12 points, head first; contour with 22, from the tail on; centroid, NaN where
        larvae touch; features as in :data:`UNITS`. All in one frame of reference, y up.

    Raises
    ------
    UsageError
        There is no such file or folder, or `fps` is not positive.
    DataError
        The folder has no such files or those of several dishes, or a file is damaged, cut off, or
        has other columns.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise UsageError(f"--fps must be a positive number of frames per second, but is {fps}.")
    dish, files = _files(Path(path))
    tables = [_table(file) for file in files]
    larvae, index = _larvae(files, [len(table) for table in tables])
    values = np.concatenate(tables)
    rows = np.concatenate([np.arange(1, len(table) + 1) for table in tables])
    del tables
    if values.size > MAX_VALUES:
        raise DataError(f"{path}: the dish holds more than {MAX_VALUES:,} numbers; split it.")
    known, notes = _identity(files[0], identity, line, dish)
    midline, contour, centroid, measures = np.split(values[:, 1:], np.cumsum(_WIDTHS), axis=1)
    features = dict(zip(UNITS, measures.T, strict=True))
    features["blob_orientation"] = -features["blob_orientation"]
    centroid = np.where(features["collision_flag"][:, np.newaxis] == 2, np.nan, centroid * [1, -1])
    return Tracks.build(
        known, larvae, index, values[:, 0] / fps,
        midline=midline.reshape(-1, N_MIDLINE, 2)[:, ::-1],
        contour=Contours.from_padded(contour.reshape(-1, N_CONTOUR, 2)),
        centroid=centroid,
        features=features,
        units=UNITS, notes=notes, rows=rows, source=str(path),
    )  # fmt: skip


def identity_of(path: AnyPath, identity: AssayIdentity | None = None) -> AssayIdentity:
    """Say who is in a dish, without reading its files; parameters and errors as :func:`read`."""
    dish, files = _files(Path(path))
    return _identity(files[0], identity, None, dish)[0]


def _identity(
    first: Path, given: AssayIdentity | None, line: str | None, dish: str
) -> tuple[AssayIdentity, tuple[str, ...]]:
    folder = Path(os.path.abspath(first)).parent.name
    return settle(first, given, line, dish, own_line=folder)


def _files(path: Path) -> tuple[str, tuple[Path, ...]]:
    """Name of the dish, and its files."""
    if os.path.isdir(path):
        found = dishes(path)
        if len(found) != 1:
            names = ", ".join(map(repr, list(found)[:3])) or "none"
            raise DataError(
                f"{path}: expected the files <dish>_<larva>.csv of one dish, but found those of "
                f"{len(found)} ({names}); give one of the files, or a folder of one dish."
            )
        return next(iter(found.items()))
    read_head(path, 1)  # a missing file is no matter of names
    match = NAME.fullmatch(path.name)
    if match is None:
        raise DataError(
            f"{path}: expected a name <dish>_<larva>.csv, which says whose file it is; restore the "
            "name."
        )
    # a hidden file belongs to no dish but its own
    return match["dish"], dishes(path.parent).get(match["dish"], (path,))


def _larvae(files: Sequence[Path], lengths: Sequence[int]) -> tuple[list[str], NDArray[np.int64]]:
    """Ids of the larvae, and the larva of every row."""
    matches = [NAME.fullmatch(file.name) for file in files]
    larvae = [str(int(match["larva"])) for match in matches if match]
    twice = next((i for i in range(1, len(larvae)) if larvae[i] == larvae[i - 1]), None)
    if twice is not None:
        raise DataError(
            f"{files[twice]}: larva {larvae[twice]} of this dish has another file, "
            f"{files[twice - 1].name}; remove one of them."
        )
    return larvae, np.repeat(np.arange(len(files)), lengths)


def _table(path: Path) -> NDArray[np.float64]:
    """Numbers of one file, shape (row, column); NaN where a cell is blank or ``na``."""
    parts: list[NDArray[np.float64]] = []
    n_rows = 0
    with reading(path), open_plain(path) as file:
        for block in whole_rows(file):
            check_finished(block, path, n_rows + 1)
            parts.append(_numbers(block, path, n_rows + 1))
            n_rows += len(parts[-1])
            if n_rows * N_COLUMNS > MAX_VALUES:
                raise DataError(f"{path}: it holds more than {MAX_VALUES:,} numbers; split it.")
    if not n_rows:
        raise DataError(f"{path}: expected rows of {N_COLUMNS} numbers, but the file is empty.")
    table = np.concatenate(parts)
    step = table[:, 0]
    if not (step == np.round(step)).all():  # also where it is NaN
        row = int(np.argmin(step == np.round(step)))
        raise DataError(
            f"{path}: expected whole steps in the first column, but row {row + 1} has "
            f"{step[row]:g}; the file is damaged or not of this kind."
        )
    return table


def _numbers(block: bytes, path: Path, first_row: int) -> NDArray[np.float64]:
    """Parse whole rows; the files pad their cells with blanks."""
    plain = block.replace(b" ", b"")
    names = [str(i) for i in range(N_COLUMNS)]
    try:
        if _splits_a_cell(block) or b"\n\n" in plain or plain.startswith(b"\n"):
            raise pa.ArrowInvalid("a blank inside a number, or a blank row")
        table = arrow_csv.read_csv(
            pa.BufferReader(plain),
            arrow_csv.ReadOptions(column_names=names, use_threads=False),
            arrow_csv.ParseOptions(quote_char=False),
            arrow_csv.ConvertOptions(
                column_types={name: pa.float64() for name in names},
                null_values=["", "na", "NA", "nan", "NaN"],
            ),
        )
    except pa.ArrowInvalid as error:
        raise _complaint(block, path, first_row) from error
    return np.column_stack([column.to_numpy() for column in table.columns])


def _splits_a_cell(block: bytes) -> bool:
    """Whether a blank stands within a cell, not only before or after it."""
    characters = np.frombuffer(block, np.uint8)
    filled = np.flatnonzero(characters != ord(" "))
    last = np.flatnonzero(np.diff(filled) > 1)  # before blanks
    left, right = characters[filled[last]], characters[filled[last + 1]]
    between = np.isin(left, _BETWEEN_CELLS) | np.isin(right, _BETWEEN_CELLS)
    return not between.all()


def _complaint(block: bytes, path: Path, first_row: int) -> DataError:
    """Say which row is none."""
    for row, line in enumerate(block.split(b"\n"), first_row):
        cells = [cell.strip() for cell in line.split(b",")]
        if len(cells) != N_COLUMNS:
            return DataError(
                f"{path}: expected {N_COLUMNS} cells in row {row}, but found {len(cells)}; the "
                "file is damaged or not of this kind."
            )
        wrong = [cell for cell in cells if not _is_cell(cell)]
        if wrong:
            return DataError(
                f"{path}: expected numbers in row {row}, but found {wrong[0][:30]!r}; the file is "
                "damaged or not of this kind."
            )
    return DataError(f"{path}: rows {first_row} and following are no table of numbers.")
