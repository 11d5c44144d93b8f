"""Write shapes as Choreography does, for tests and for other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.io.files import AnyPath, replacing
from larvastats.io.identity import STAMP
from larvastats.io.tracks import Tracks

DECIMALS = 3


def write_spine(tracks: Tracks, path: AnyPath) -> None:
    """Write the midlines of all larvae into one file, ``date_time id t x1 y1 ...``.

    Frames without a midline get no row, as Choreography does it. Numbers are rounded to three
    decimals. An old file is replaced at the end.

    Parameters
    ----------
    tracks : Tracks
        With midlines; larvae have numbers, the assay a date and time.
    path : path

    Raises
    ------
    UsageError
        There are no midlines.
    DataError
        A larva's id is no number, the assay has no date and time, frames are less than a
        millisecond apart, or the file cannot be written.
    """
    _write_lines(path, _stamped(tracks, _spine_rows(tracks, path), path))


def write_outline(tracks: Tracks, path: AnyPath) -> None:
    """Write the contours of all larvae into one file; otherwise as :func:`write_spine`."""
    _write_lines(path, _stamped(tracks, _outline_rows(tracks, path), path))


def write_objects(tracks: Tracks, folder: AnyPath, prefix: str) -> list[Path]:
    """Write one ``.spine`` and one ``.outline`` per larva, as the plug-in Extract does.

    Parameters
    ----------
    tracks : Tracks
        With midlines, contours, or both; larvae have numbers.
    folder : path
        It exists.
    prefix : str
        The files are named ``<prefix>.<number of five digits>.spine``.

    Returns
    -------
    list of Path

    Raises
    ------
    UsageError, DataError
        As :func:`write_spine`; no date and time is needed.
    """
    written = []
    for kind, there in (("spine", tracks.midline), ("outline", tracks.contour)):
        if there is None:
            continue
        rows = _spine_rows if kind == "spine" else _outline_rows
        for position, number in enumerate(_numbers(tracks, folder)):
            path = Path(folder, f"{prefix}.{number:05d}.{kind}")
            own = tracks.take(np.flatnonzero(tracks.larva_index == position))
            lines = [f"{text}\n" for _, text in rows(own, path)]
            if lines:
                _write_lines(path, iter(lines))
                written.append(path)
    if not written:
        raise UsageError(f"{folder}: expected midlines or contours to write, but there is none.")
    return written


def write_dat(tracks: Tracks, path: AnyPath, columns: Sequence[str]) -> None:
    """Write series of all larvae into one ``.dat`` file.

    Parameters
    ----------
    tracks : Tracks
    path : path
    columns : sequence of str
        ``time``, ``id``, ``loc_x`` and ``loc_y`` (the centroid), or names of features; three
        decimals each, NaN where there is none.

    Raises
    ------
    UsageError
        The tracks lack a column.
    DataError
        As :func:`write_spine`.
    """
    numbers = np.array(_numbers(tracks, path))
    series: dict[str, NDArray] = {"time": tracks.t, "t": tracks.t, **tracks.features}
    series["id"] = numbers[tracks.larva_index]
    if tracks.centroid is not None:
        series |= {"loc_x": tracks.centroid[:, 0], "loc_y": tracks.centroid[:, 1]}
    missing = [name for name in columns if name not in series]
    if missing or not columns:
        raise UsageError(
            f"{path}: expected columns among {', '.join(series)}, but found "
            f"{', '.join(map(repr, missing)) or 'none'}."
        )
    _check_clock(tracks.larva_index, tracks.t, path)
    form = " ".join("%d" if name == "id" else f"%.{DECIMALS}f" for name in columns) + "\n"
    table = zip(*(series[name] for name in columns), strict=True)
    _write_lines(path, (form % row for row in table))


def _spine_rows(tracks: Tracks, path: AnyPath) -> Iterator[tuple[int, str]]:
    """Larva and text of every frame that has a midline."""
    if tracks.midline is None:
        raise UsageError(f"{path}: expected midlines to write, but the tracks have none.")
    frames = np.flatnonzero(np.isfinite(tracks.midline).all(axis=(1, 2)))
    _check_clock(tracks.larva_index[frames], tracks.t[frames], path)
    flat = tracks.midline.reshape(tracks.n_frames, -1)
    form = _form(flat.shape[1])
    for frame in frames:
        yield int(tracks.larva_index[frame]), form % (tracks.t[frame], *flat[frame])


def _outline_rows(tracks: Tracks, path: AnyPath) -> Iterator[tuple[int, str]]:
    """Larva and text of every frame that has a contour."""
    if tracks.contour is None:
        raise UsageError(f"{path}: expected contours to write, but the tracks have none.")
    vertices, start = tracks.contour.vertices, tracks.contour.start
    frames = np.flatnonzero(tracks.contour.counts)
    _check_clock(tracks.larva_index[frames], tracks.t[frames], path)
    for frame in frames:
        own = vertices[start[frame] : start[frame + 1]].ravel()
        yield int(tracks.larva_index[frame]), _form(len(own)) % (tracks.t[frame], *own)


def _form(n_numbers: int) -> str:
    return " ".join([f"%.{DECIMALS}f"] * (1 + n_numbers))


def _stamped(tracks: Tracks, rows: Iterator[tuple[int, str]], path: AnyPath) -> Iterator[str]:
    """Put date, time and larva before every row."""
    identity, numbers = tracks.identity, _numbers(tracks, path)
    stamp = identity.assay.rpartition("/")[2]
    if not STAMP.fullmatch(stamp):
        stamp = f"{identity.date}_{identity.time}"
    if not STAMP.fullmatch(stamp):
        raise DataError(
            f"{path}: every row names the recording as YYYYMMDD_HHMMSS, but assay "
            f"{identity.assay!r} has no date and time; give it one."
        )
    return (f"{stamp} {numbers[larva]:05d} {text}\n" for larva, text in rows)


def _numbers(tracks: Tracks, path: AnyPath) -> list[int]:
    wrong = [larva for larva in tracks.larvae if not (larva.isascii() and larva.isdigit())]
    if wrong:
        raise DataError(
            f"{path}: Choreography's larvae have numbers, but one is named {wrong[0]!r}; give the "
            "larvae numbers."
        )
    return [int(larva) for larva in tracks.larvae]


def _check_clock(larva: NDArray[np.int32], t: NDArray[np.float64], path: AnyPath) -> None:
    printed = np.round(t, DECIMALS)
    if ((np.diff(larva) == 0) & (np.diff(printed) <= 0)).any():
        raise DataError(
            f"{path}: Choreography's times have three decimals, but some frames of one larva are "
            "less than a millisecond apart; thin them out."
        )


def _write_lines(path: AnyPath, lines: Iterator[str]) -> None:
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.writelines(lines)
