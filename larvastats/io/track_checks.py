"""What a reader's tracks must be: arrays that fit together, times and places of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.tabular import no_time

if TYPE_CHECKING:
    from larvastats.io.tracks import Tracks

MAX_COORDINATE = 1e6
"""Largest coordinate; no arena is a kilometre (or a million pixels) wide."""


def check_shapes(tracks: Tracks, source: str) -> None:
    """Refuse arrays that do not fit together: a mistake of a reader, or of a file's header."""
    n = len(tracks.t)
    if not n:
        raise DataError(f"{source}: expected at least one frame, but there is none.")
    shapes: list[tuple[str, NDArray | None, int]] = [
        ("t", tracks.t, 1), ("larva_index", tracks.larva_index, 1), ("state", tracks.state, 1),
        ("midline", tracks.midline, 3), ("centroid", tracks.centroid, 2),
    ]  # fmt: skip
    shapes += [(f"feature {name}", series, 1) for name, series in tracks.features.items()]
    for name, array, ndim in shapes:
        if array is None:
            continue
        if array.ndim != ndim or len(array) != n or (ndim > 1 and array.shape[-1] != 2):
            raise DataError(
                f"{source}: expected {n} frames of {name}, but its shape is {array.shape}; the "
                "file is damaged."
            )
    if tracks.contour is not None and len(tracks.contour) != n:
        raise DataError(
            f"{source}: expected {n} contours, one per frame, but found {len(tracks.contour)}."
        )
    index, n_larvae = tracks.larva_index, len(tracks.larvae)
    if len(set(tracks.larvae)) != n_larvae or index.min() < 0 or index.max() >= n_larvae:
        raise DataError(f"{source}: every frame needs a larva, and every larva its own id.")
    state = tracks.state
    if state is not None and not (state.min() >= -1 and state.max() < len(tracks.states)):
        raise DataError(f"{source}: a frame has a state that the vocabulary lacks.")


def check_values(tracks: Tracks, rows: NDArray[np.integer] | None, source: str) -> None:
    """Refuse times and coordinates that no recording has."""
    _refuse(no_time(tracks.t), "a time in seconds", tracks, rows, source)
    for name, array in (("midline", tracks.midline), ("centroid", tracks.centroid)):
        if array is None or _within(array):
            continue
        beyond = np.abs(array.reshape(len(array), -1)).max(axis=1) > MAX_COORDINATE
        _refuse(beyond, f"coordinates of the {name} in {tracks.length_unit}", tracks, rows, source)
    if tracks.contour is not None:
        beyond = tracks.contour.beyond(MAX_COORDINATE)
        _refuse(beyond, f"coordinates of the contour in {tracks.length_unit}", tracks, rows, source)


def _within(array: NDArray[np.float64]) -> bool:
    """Whether all coordinates but NaN are within limits; needs no memory of its own."""
    lowest, highest = np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
    return not (lowest < -MAX_COORDINATE or highest > MAX_COORDINATE)


def _refuse(
    bad: NDArray[np.bool_],
    what: str,
    tracks: Tracks,
    rows: NDArray[np.integer] | None,
    source: str,
) -> None:
    if bad.any():
        frame = int(np.argmax(bad))
        raise DataError(
            f"{source}: expected {what}, but {int(bad.sum())} of {len(bad)} frames have none that "
            f"a recording could have (first: {_where(tracks, frame, rows)}); correct or remove "
            "them."
        )


def check_times(tracks: Tracks, rows: NDArray[np.integer] | None, source: str) -> None:
    """Refuse two frames of a larva at one time; frames are sorted by larva and time."""
    same = tracks.larva_index[1:] == tracks.larva_index[:-1]
    twice = same & (tracks.t[1:] == tracks.t[:-1])
    if twice.any():
        frame = int(np.argmax(twice)) + 1
        raise DataError(
            f"{source}: a larva is in one place at a time, but {int(twice.sum())} frames come "
            f"twice (first: {_where(tracks, frame, rows)}); remove the duplicates."
        )


def _where(tracks: Tracks, frame: int, rows: NDArray[np.integer] | None) -> str:
    larva = tracks.larvae[tracks.larva_index[frame]]
    place = "" if rows is None else f", row {rows[frame]}"
    return f"larva {larva!r} at {tracks.t[frame]:g} s{place}"
