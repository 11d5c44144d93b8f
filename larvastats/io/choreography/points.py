"""Rows of spines and outlines, from blocks to flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.choreography.files import larva_of, stamp_of
from larvastats.io.contours import Contours
from larvastats.io.paths import AssayIdentity
from larvastats.io.text.point_rows import Rows, read_rows
from larvastats.io.tracks import MAX_VALUES, Tracks

_BYTES_PER_NUMBER = 6  # such as "1.234 "; few files have shorter ones


@dataclass(frozen=True, slots=True)
class Points:
    """Rows of all spines, or of all outlines, of one recording."""

    source: str
    kind: str
    stamp: str
    larva: NDArray[np.int64]
    t: NDArray[np.float64]
    row: NDArray[np.int64]
    points: NDArray[np.float64] | Contours

    def tracks(self, identity: AssayIdentity) -> Tracks:
        """Sort and check the rows."""
        larvae, index = distinct(self.larva)
        return Tracks.build(
            identity,
            [str(number) for number in larvae],
            index,
            self.t,
            midline=None if isinstance(self.points, Contours) else self.points,
            contour=self.points if isinstance(self.points, Contours) else None,
            rows=self.row,
            source=self.source,
        )


def read_points(files: Sequence[Path], kind: str) -> Points:
    """Read all spines, or all outlines, of one recording."""
    stamps = {path: stamp_of(path) for path in files}
    if len(set(stamps.values())) > 1 or (stamps[files[0]] and len(files) > 1):
        raise DataError(
            f"{files[0]}: expected one file for all larvae, or one per larva, but the names of "
            f"{len(files)} files begin alike; put each recording into its own folder."
        )
    parts = _Parts(kind, sum(path.stat().st_size for path in files))
    for path in files:
        larva = None if stamps[path] else larva_of(path)
        for rows in read_rows(path, stamps[path] or None):
            parts.add(path, rows, larva)
    return parts.joined(str(files[0]), stamps[files[0]])


def distinct(number: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorted distinct numbers, and the position of each in them; fast where they come in runs."""
    runs = np.flatnonzero(np.diff(number, prepend=number[:1] - 1))
    values, position = np.unique(number[runs], return_inverse=True)
    return values, np.repeat(position, np.diff(runs, append=len(number)))


class _Growing:
    """An array that grows at its end, without a copy of all parts when it is complete."""

    def __init__(self, width: int, dtype: type[np.generic], n_bytes: int) -> None:
        # memory that is not written to costs nothing
        self.array = np.empty((n_bytes // (_BYTES_PER_NUMBER * width) + 1, width), dtype)
        self.size = 0

    def append(self, part: NDArray) -> None:
        """Add rows, shape (row, width)."""
        size = self.size + len(part)
        if size > len(self.array):
            bigger = np.empty((max(size, 2 * len(self.array)), self.array.shape[1]), part.dtype)
            bigger[: self.size] = self.array[: self.size]
            self.array = bigger
        self.array[self.size : size] = part
        self.size = size

    def done(self) -> NDArray:
        """Return what was added."""
        return self.array[: self.size]


class _Parts:
    """Rows of all blocks on their way to flat arrays."""

    def __init__(self, kind: str, n_bytes: int) -> None:
        self.kind = kind
        self.n_bytes = min(n_bytes, MAX_VALUES)
        self.larva: list[NDArray[np.int64]] = []
        self.t: list[NDArray[np.float64]] = []
        self.row: list[NDArray[np.int64]] = []
        self.count: list[NDArray[np.int64]] = []
        self.points: _Growing | None = None
        self.width = 0
        self.n_values = 0

    def add(self, path: Path, rows: Rows, larva: int | None) -> None:
        """Take the rows of one block."""
        if not len(rows.count):
            return
        self.width = self.width or int(rows.count[0])
        self._check(path, rows)
        first = np.cumsum(rows.count) - rows.count
        self.t.append(rows.values[first])
        self.row.append(rows.row)
        self.larva.append(np.full(len(first), larva) if rows.larva is None else rows.larva)
        if self.kind == "spine":
            self.points = self.points or _Growing(self.width - 1, np.float64, self.n_bytes)
            self.points.append(rows.values.reshape(-1, self.width)[:, 1:])
            return
        point = np.ones(len(rows.values), dtype=bool)
        point[first] = False
        self.points = self.points or _Growing(2, np.float32, self.n_bytes)
        with np.errstate(over="ignore"):  # what becomes infinite is refused later
            self.points.append(rows.values[point].astype(np.float32).reshape(-1, 2))
        self.count.append(rows.count // 2)

    def _check(self, path: Path, rows: Rows) -> None:
        self.n_values += len(rows.values)
        if self.n_values > MAX_VALUES:
            raise DataError(
                f"{path}: it holds more than {MAX_VALUES:,} numbers, more than any recording of "
                "one plate; split it by larvae."
            )
        wrong = rows.count % 2 == 0
        expected = "a time and pairs of coordinates"
        if self.kind == "spine":
            wrong = wrong | (rows.count != self.width) | (rows.count < 5)
            expected = f"a time and the {max(self.width // 2, 2)} points of a spine"
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(
                f"{path}: expected {expected} in row {rows.row[at]}, but found {rows.count[at]} "
                "numbers; the file is damaged or not Choreography's."
            )

    def joined(self, source: str, stamp: str) -> Points:
        """Put the blocks together."""
        if self.points is None:
            raise DataError(f"{source}: expected rows of points, but there is none.")
        flat = self.points.done()
        points: NDArray[np.float64] | Contours
        if self.kind == "spine":
            points = flat.reshape(len(flat), -1, 2)
        else:
            points = Contours.from_counts(flat, np.concatenate(self.count))
        larva, row = np.concatenate(self.larva), np.concatenate(self.row)
        return Points(source, self.kind, stamp, larva, np.concatenate(self.t), row, points)
