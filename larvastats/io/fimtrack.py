"""FIMTrack v2 csv: one column per larva, one row per feature and frame; states from its flags.

FIMTrack writes no states, but four flags per frame: ``is_coiled`` (the body touches itself),
``left_bended`` and ``right_bended`` (the midline is bent by more than a threshold, by default
30 degrees), and ``go_phase`` (1: moved far enough over the last second and not bent, 0: not, empty:
no position one second earlier, at the start of every track). :data:`DEFAULT_MAPPING` makes states
of them; the first rule that fits a frame wins:

1. ``coiled``: ``is_coiled`` is 1, for then the midline, and with it the bend, means nothing;
2. ``cast``: ``left_bended`` or ``right_bended`` is 1;
3. ``run``: ``go_phase`` is 1;
4. ``stop``: ``go_phase`` is 0, neither coiled nor bent.

A frame that fits no rule (straight, ``go_phase`` empty) has no state and counts as not tracked. In
33,895 larva-frames of four real groups (20 larvae, 1200 to 2405 frames) the rules find 25,383 run,
4267 cast, 3764 stop, 292 coiled and 189 without a state; ``go_phase`` is empty in exactly the first
10 frames of every larva, and never 1 while a bend is flagged.

The file has frame numbers but no frame rate: the caller gives it. One file is one assay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.combine import merge_short
from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.columns import with_identity
from larvastats.io.files import AnyPath, open_plain, read_head, reading
from larvastats.io.labelling import NoLabelsError
from larvastats.io.paths import AssayIdentity, identify

Rule = tuple[str, Mapping[str, float]]

DEFAULT_MAPPING: tuple[Rule, ...] = (
    ("coiled", {"is_coiled": 1}),
    ("cast", {"left_bended": 1}),
    ("cast", {"right_bended": 1}),
    ("run", {"go_phase": 1}),
    ("stop", {"go_phase": 0}),
)
"""State and the values that the tracker's features must have; the first rule that fits wins."""

_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?(?:\"\")?([,;\t])\"?larva\([0-9]+\)")
_ROW = re.compile(rb"\"?([A-Za-z_0-9]+)\(([0-9]{1,9})\)\"?")
_LARVA = re.compile(r"larva\(([0-9]+)\)")


@dataclass(frozen=True, slots=True)
class _Features:
    """Values of the features asked for: name -> array (frame, larva); NaN where a cell is empty."""

    larvae: tuple[str, ...]
    frames: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]


def sniff(path: AnyPath) -> bool:
    """Whether the content begins as FIMTrack's tables do."""
    try:
        return _HEADER.match(read_head(path, 64)) is not None
    except LarvastatsError:
        return False


def read(
    path: AnyPath,
    *,
    fps: float | None,
    line: str | None = None,
    mapping: Sequence[Rule] = DEFAULT_MAPPING,
    min_bout: float = 0.0,
    identity: AssayIdentity | None = None,
) -> Ethogram:
    """Read the states of a FIMTrack v2 table.

    Parameters
    ----------
    path : path
        Csv, plain or gzipped.
    fps : float
        Frames per second of the film; the file does not say it.
    line : str, optional
        Line, or line@effector, of the larvae; by default what the path says, else the file's name
        without its ending.
    mapping : sequence of (state, {feature: value})
        Rules in order of precedence; any feature of the table may be used.
    min_bout : float
        Shortest bout to keep, in s; see :func:`larvastats.combine.merge_short`.
    identity : AssayIdentity, optional
        By default what the path says.

    Returns
    -------
    Ethogram
        One assay, with the tracker's larva numbers as ids.

    Raises
    ------
    UsageError
        No such file, no frame rate, or rules that are none.
    DataError
        The file is damaged or no such table, lacks a feature, or no frame fits a rule.
    """
    if fps is None:
        raise UsageError(
            f"{path}: a FIMTrack table has frame numbers but no frame rate; give it by --fps."
        )
    if not (np.isfinite(fps) and fps > 0):
        raise UsageError(f"--fps must be a positive number of frames per second, but is {fps}.")
    wanted = _features_of(mapping)
    features = _read_features(path, wanted)
    table = _states(features, mapping, fps)
    if not len(table) or not table["state"].notna().any():
        raise NoLabelsError(
            f"{path}: expected frames that fit a rule of the mapping, but none does."
        )
    table = with_identity(table, _identity(path, line, identity or identify(path)))
    return merge_short(Ethogram.from_frames(table, source=str(path)), min_bout)


def stem(path: AnyPath) -> str:
    """Return a file's name without ``.csv`` or ``.csv.gz``."""
    name = Path(path).name
    return re.sub(r"(?:\.(?:csv|tsv|txt))?(?:\.gz)?$", "", name, flags=re.IGNORECASE) or name


def identity_of(path: AnyPath, identity: AssayIdentity | None = None) -> AssayIdentity:
    """Say who is in a table: what the path says, else the file's name."""
    return _identity(path, None, identity or identify(path))


def _identity(path: AnyPath, line: str | None, by_path: AssayIdentity | None) -> AssayIdentity:
    known = by_path or AssayIdentity("", stem(path), "", "", None, None, stem(path))
    if line is None:
        return known
    name, _, effector = line.partition("@")
    return AssayIdentity(
        known.tracker, name, effector, known.protocol, known.date, known.time, known.assay
    )


def _features_of(mapping: Sequence[Rule]) -> tuple[str, ...]:
    """Features that the rules ask about."""
    try:
        rules = [(str(state), dict(conditions)) for state, conditions in mapping]
    except (TypeError, ValueError) as error:
        raise UsageError(
            "A FIMTrack mapping is a sequence of rules such as ('run', {'go_phase': 1}), but is "
            f"{mapping!r}."
        ) from error
    if not rules or not all(state.strip() and conditions for state, conditions in rules):
        raise UsageError(
            "Every rule of a FIMTrack mapping names a state and at least one feature with its "
            f"value, such as ('run', {{'go_phase': 1}}), but the mapping is {mapping!r}."
        )
    return tuple(dict.fromkeys(name for _, conditions in rules for name in conditions))


def _read_features(path: AnyPath, wanted: Sequence[str]) -> _Features:
    """Read the rows of the features asked for and skip all others."""
    with reading(path), open_plain(path) as file:
        header = file.readline()
        match = _HEADER.match(header)
        if match is None:
            raise DataError(
                f"{path}: expected a FIMTrack table, with a first row ',larva(0),larva(1),...', "
                f"but it begins with {header[:40]!r}."
            )
        delimiter = match[1]
        larvae = _larvae(path, header, delimiter)
        keep = {name.encode() for name in wanted}
        rows: dict[str, dict[int, NDArray[np.float64]]] = {name: {} for name in wanted}
        for name, frame, cells in _rows(path, file, delimiter, keep):
            if frame in rows[name]:
                raise DataError(f"{path}: row {name}({frame}) occurs twice; remove one of them.")
            rows[name][frame] = _numbers(path, f"{name}({frame})", cells, len(larvae))
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
    path: AnyPath, lines: Iterator[bytes], delimiter: bytes, keep: set[bytes]
) -> Iterator[tuple[str, int, list[bytes]]]:
    """Yield feature, frame and cells of the rows to keep."""
    for number, line in enumerate(lines, 2):
        label, _, rest = line.rstrip(b"\r\n").partition(delimiter)
        if not label.strip():
            continue
        match = _ROW.fullmatch(label.strip())
        if match is None:
            raise DataError(
                f"{path}: expected a row 'feature(frame),...' in line {number}, but found "
                f"{label[:40]!r}; the file is damaged or not FIMTrack's."
            )
        if match[1] in keep:
            yield match[1].decode(), int(match[2]), rest.split(delimiter)


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
) -> _Features:
    """Put all features on the same frames."""
    missing = [name for name, found in rows.items() if not found]
    if missing:
        raise DataError(
            f"{path}: expected rows of {', '.join(rows)}, but there is none of "
            f"{', '.join(missing)}; export these features, or give other rules."
        )
    frames = np.unique(np.concatenate([np.fromiter(found, np.int64) for found in rows.values()]))
    values = {}
    for name, found in rows.items():
        values[name] = np.full((len(frames), len(larvae)), np.nan)
        at = np.searchsorted(frames, np.fromiter(found, np.int64))
        values[name][at] = np.stack(list(found.values()))
    return _Features(larvae, frames, values)


def _states(features: _Features, mapping: Sequence[Rule], fps: float) -> pd.DataFrame:
    """Table of frames: ``larva t state`` for every cell that holds a value."""
    names = tuple(dict.fromkeys(state for state, _ in mapping))
    shape = len(features.frames), len(features.larvae)
    code = np.full(shape, -1, dtype=np.int16)
    for state, conditions in reversed(mapping):
        fits = np.ones(shape, dtype=bool)
        for name, value in conditions.items():
            fits &= features.values[name] == value
        code[fits] = names.index(state)
    tracked = np.zeros(shape, dtype=bool)
    for values in features.values.values():
        tracked |= ~np.isnan(values)
    frame, larva = np.nonzero(tracked)
    return pd.DataFrame(
        {
            "larva": pd.Categorical.from_codes(larva, list(features.larvae)),
            "t": features.frames[frame] / fps,
            "state": pd.Categorical.from_codes(code[frame, larva], list(names)),
        }
    )
