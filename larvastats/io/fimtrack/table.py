"""Rows of FIMTrack's wide tables: features by frame and larva."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.files import AnyPath, open_plain, reading
from larvastats.io.tracks import MAX_VALUES

HEADER = re.compile(rb"(?:\xef\xbb\xbf)?(?:\"\")?([,;\t])\"?larva\([0-9]+\)")
_ROW = re.compile(rb"\"?([A-Za-z_0-9]+)\(([0-9]{1,9})\)\"?")
_LARVA = re.compile(r"larva\(([0-9]+)\)")

MAX_ROW_BYTES = 1 << 20
"""Longest row; a hundred thousand larvae would fit."""

MAX_ROWS = 10_000_000
"""Most rows of features that are kept; each costs memory beside its values."""


@dataclass(frozen=True, slots=True)
class Features:
    """Values of the features asked for: name -> array (frame, larva); NaN where a cell is empty."""

    larvae: tuple[str, ...]
    frames: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]


def read_features(path: AnyPath, wanted: Sequence[str] | None = None) -> Features:
    """Read the rows of the features asked for and skip all others; by default read all.

    Raises
    ------
    UsageError
        No such file.
    DataError
        The file is damaged or no such table, or lacks a feature.
    """
    with reading(path), open_plain(path) as file:
        header = file.readline(MAX_ROW_BYTES + 1)
        match = HEADER.match(header)
        if match is None:
            raise DataError(
                f"{path}: expected a FIMTrack table, with a first row ',larva(0),larva(1),...', "
                f"but it begins with {header[:40]!r}."
            )
        delimiter = match[1]
        _check_row(path, header, 1)
        larvae = _larvae(path, header, delimiter)
        keep = None if wanted is None else {name.encode() for name in wanted}
        rows: dict[str, dict[int, NDArray[np.float64]]] = {name: {} for name in wanted or ()}
        n_values = n_rows = 0
        for name, frame, cells in _rows(path, file, delimiter, keep):
            own = rows.setdefault(name, {})
            if frame in own:
                raise DataError(f"{path}: row {name}({frame}) occurs twice; remove one of them.")
            own[frame] = _numbers(path, f"{name}({frame})", cells, len(larvae))
            n_values, n_rows = n_values + len(larvae), n_rows + 1
            if n_values > MAX_VALUES or n_rows > MAX_ROWS:  # a small gzip file may hold any number
                raise DataError(
                    f"{path}: it holds more than {MAX_VALUES:,} values, or more than "
                    f"{MAX_ROWS:,} rows; split it."
                )
    return _aligned(path, larvae, rows)


def _larvae(path: AnyPath, header: bytes, delimiter: bytes) -> tuple[str, ...]:
    cells = header.decode("utf-8", "replace").strip("\r\n").split(delimiter.decode())[1:]
    names = tuple(_LARVA.sub(r"\1", cell.strip().strip('"')) for cell in cells)
    if len(set(names)) != len(names) or not all(names):
        raise DataError(
            f"{path}: every larva needs its own column, but the first row has blank or repeated "
            "names; correct it."
        )
    return names


def _rows(
    path: AnyPath, lines: IO[bytes], delimiter: bytes, keep: set[bytes] | None
) -> Iterator[tuple[str, int, list[bytes]]]:
    """Yield feature, frame and cells of the rows to keep."""
    for number, line in enumerate(iter(partial(lines.readline, MAX_ROW_BYTES + 1), b""), 2):
        _check_row(path, line, number)
        label, _, rest = line.rstrip(b"\r\n").partition(delimiter)
        if not label.strip():
            continue
        match = _ROW.fullmatch(label.strip())
        if match is None:
            raise DataError(
                f"{path}: expected a row 'feature(frame),...' in line {number}, but found "
                f"{label[:40]!r}; the file is damaged or not FIMTrack's."
            )
        if keep is None or match[1] in keep:
            yield match[1].decode(), int(match[2]), rest.split(delimiter)


def _check_row(path: AnyPath, line: bytes, number: int) -> None:
    if len(line) > MAX_ROW_BYTES:
        raise DataError(
            f"{path}: expected a row of a table, but line {number} is longer than "
            f"{MAX_ROW_BYTES >> 20} MiB; the file is damaged or of another kind."
        )


def _numbers(path: AnyPath, row: str, cells: Sequence[bytes], n_larvae: int) -> NDArray[np.float64]:
    if len(cells) != n_larvae:
        raise DataError(
            f"{path}: expected {n_larvae} cells in row {row}, one per larva, but found "
            f"{len(cells)}; the file is damaged or cut off."
        )
    try:
        return np.array([float(cell) if cell.strip() else np.nan for cell in cells])
    except ValueError as error:
        raise DataError(
            f"{path}: expected numbers in row {row}, but found {b','.join(cells)[:60]!r}; correct "
            "or remove it."
        ) from error


def _aligned(
    path: AnyPath, larvae: tuple[str, ...], rows: Mapping[str, Mapping[int, NDArray[np.float64]]]
) -> Features:
    """Put all features on the same frames."""
    missing = [name for name, found in rows.items() if not found]
    if missing:
        raise DataError(
            f"{path}: expected rows of {', '.join(rows)}, but there is none of "
            f"{', '.join(missing)}; export these features, or give other rules."
        )
    if not rows:
        raise DataError(f"{path}: expected rows of features, but there is none below the first.")
    frames = np.unique(np.concatenate([np.fromiter(found, np.int64) for found in rows.values()]))
    if len(frames) * len(larvae) * len(rows) > MAX_VALUES:
        raise DataError(
            f"{path}: {len(rows):,} features in {len(frames):,} frames of {len(larvae):,} larvae "
            "are more than any recording has; the file is damaged."
        )
    values = {}
    for name, found in rows.items():
        values[name] = np.full((len(frames), len(larvae)), np.nan)
        at = np.searchsorted(frames, np.fromiter(found, np.int64))
        values[name][at] = np.stack(list(found.values()))
    return Features(larvae, frames, values)
