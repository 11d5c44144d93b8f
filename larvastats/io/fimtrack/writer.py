"""Write shapes as FIMTrack v2 does, for tests and for scripts that read its tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.io.contours import Contours
from larvastats.io.files import AnyPath, replacing
from larvastats.io.tracks import Tracks
from larvastats.shape.contour import MIN_VERTICES, area, perimeter
from larvastats.shape.midline import arc_length
from larvastats.shape.vertebrae import five_vertebrae

Array = NDArray[np.float64]

BENT = 30.0
"""Degrees from a straight body at which the tracker calls it bent."""

GOING = 0.3
"""Speed of the tail over one second (mm/s) from which the tracker's ``go_phase`` is 1 here; in four
real groups 95% of the straight frames without it are below .3, at about 10 pixels per mm."""

COILED = 0.35
"""Distance of head and tail, by the length of the midline, below which a body counts as coiled."""

_MARGIN = 50.0  # pixels around all larvae


def write(tracks: Tracks, path: AnyPath, *, fps: float, px_per_mm: float = 10.0) -> None:
    """Write midlines, and what FIMTrack derives from them, as one wide table.

    Rows are ``feature(frame)``, columns larvae, in pixels with y down. Of a midline five points
    stay (head, three spine points, tail). Area, perimeter and radii come from outlines, where there
    are any. Frames without a midline are blank. The origin makes all coordinates positive.

    Parameters
    ----------
    tracks : Tracks
        In mm, with midlines of 5 or 11 points.
    path : path
        An old file is replaced at the end.
    fps : float
        Frames per second; all times are multiples of one over it.
    px_per_mm : float

    Raises
    ------
    UsageError
        No midlines, or a rate or scale that is not positive.
    DataError
        Times off the grid, coordinates in pixels already, midlines of other numbers of points, or a
        file that cannot be written.
    """
    for name, value in (("fps", fps), ("px_per_mm", px_per_mm)):
        if not (np.isfinite(value) and value > 0):
            raise UsageError(f"{path}: {name} must be a positive number, but is {value!r}.")
    if tracks.midline is None:
        raise UsageError(f"{path}: expected midlines to write, but the tracks have none.")
    if tracks.length_unit != "mm":
        raise DataError(f"{path}: expected tracks in mm, but they are in {tracks.length_unit}.")
    frame = np.round(tracks.t * fps).astype(np.int64)
    if np.abs(tracks.t * fps - frame).max() > 0.01:
        raise DataError(
            f"{path}: FIMTrack counts frames, but some times are no multiple of 1/{fps:g} s; "
            "write a format with times."
        )
    first, n = int(frame.min()), int(frame.max() - frame.min()) + 1
    features = _features(tracks, frame, fps, px_per_mm)
    blank = np.isnan(tracks.midline).any(axis=(1, 2))
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        header = ",".join(f"larva({k})" for k in range(len(tracks.larvae)))
        file.write(f",{header}\n")
        for name, series in features:
            grid = np.full((n, len(tracks.larvae)), np.nan)
            grid[frame - first, tracks.larva_index] = np.where(blank, np.nan, series)
            file.writelines(_rows(name, grid, first))


def _rows(name: str, grid: Array, first: int) -> Iterator[str]:
    """Text of all frames of a feature; a blank cell is NaN."""
    for k, row in enumerate(grid.tolist(), first):
        cells = ",".join("" if x != x else f"{x:.6g}" for x in row)
        yield f"{name}({k}),{cells}\n"


def _features(
    tracks: Tracks, frame: NDArray[np.int64], fps: float, px_per_mm: float
) -> Iterator[tuple[str, Array]]:
    """Yield the tracker's features in its order, shape (frame,) each."""
    assert tracks.midline is not None
    points = five_vertebrae(tracks.midline) * px_per_mm
    z = points[..., 0] - 1j * points[..., 1]  # y points down in an image
    corner = np.nanmin(z.real, initial=0.0) + 1j * np.nanmin(z.imag, initial=0.0)
    z += -corner + _MARGIN * (1 + 1j)
    middle = z.mean(axis=1)
    middle[np.isnan(middle.real)] = complex(np.nan, np.nan)
    before = _earlier(tracks.larva_index, frame, 1)
    step = np.abs(middle - _at(middle, before))
    step[(before < 0) & np.isfinite(middle.real)] = 0.0
    yield from _places("mom", middle)
    yield "mom_dst", step
    yield "acc_dst", _path(step, tracks.larva_index)
    yield "dst_to_origin", np.abs(middle - middle[_firsts(tracks.larva_index)])
    contour = tracks.contour
    if contour is not None:
        yield "area", area(contour.vertices, contour.start) * px_per_mm**2
        yield "perimeter", perimeter(contour.vertices, contour.start) * px_per_mm
    length = arc_length(points)
    yield "spine_length", length
    with np.errstate(invalid="ignore"):
        bending = np.degrees(np.angle((z[:, 4] - z[:, 2]) / (z[:, 0] - z[:, 2]))) % 360
    bending[np.isnan(middle.real)] = np.nan
    yield "bending", bending
    names = ("head", "spinepoint_1", "spinepoint_2", "spinepoint_3", "tail")
    for name, point in zip(names, z.T, strict=True):
        yield from _places(name, point)
    if contour is not None:
        for k, radius in enumerate(_radii(contour, z, px_per_mm, corner).T):
            yield f"radius_{k + 1}", radius
    yield from _flags(z, length, bending, tracks, frame, fps, px_per_mm)


def _places(name: str, z: NDArray[np.complex128]) -> Iterator[tuple[str, Array]]:
    yield f"{name}_x", np.round(z.real, 1)
    yield f"{name}_y", np.round(z.imag, 1)


def _flags(
    z: NDArray[np.complex128], length: Array, bending: Array, tracks: Tracks,
    frame: NDArray[np.int64], fps: float, px_per_mm: float,
) -> Iterator[tuple[str, Array]]:  # fmt: skip
    """Yield what the tracker says of the posture, and its speed."""
    blank = np.isnan(bending)

    def flag(x: NDArray[np.bool_]) -> Array:
        return np.where(blank, np.nan, x.astype(np.float64))

    second = max(round(fps), 1)
    earlier = _earlier(tracks.larva_index, frame, second)
    velocity = np.abs(z[:, 4] - _at(z[:, 4], earlier)) / second
    bent = np.abs(bending - 180) > BENT
    yield "is_coiled", flag(np.abs(z[:, 0] - z[:, 4]) < COILED * length)
    yield "is_well_oriented", flag(~blank)
    going = velocity * fps / px_per_mm >= GOING
    yield "go_phase", np.where(np.isnan(velocity), np.nan, flag(going & ~bent))
    yield "left_bended", flag(bending > 180 + BENT)
    yield "right_bended", flag(bending < 180 - BENT)
    velocity = np.where(np.isnan(velocity) & ~blank, 0.0, velocity)
    yield "velocity", velocity
    after = _earlier(tracks.larva_index, frame, -1)
    acceleration = np.where(after < 0, np.nan, velocity[after] - velocity)
    yield "acceleration", np.where(np.isnan(acceleration) & ~blank, 0.0, acceleration)


def _earlier(larva: NDArray[np.integer], frame: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Row of the same larva n frames earlier; -1 where there is none."""
    low, span = int(frame.min()), int(frame.max() - frame.min()) + 1 + 2 * abs(n)
    key = larva.astype(np.int64) * span + frame - low + abs(n)
    at = np.minimum(np.searchsorted(key, key - n), len(key) - 1)
    return np.where(key[at] == key - n, at, -1)


def _at(z: NDArray[np.complex128], rows: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Values in other rows; NaN for row -1."""
    return np.where(rows < 0, complex(np.nan, np.nan), z[rows])


def _firsts(larva: NDArray[np.integer]) -> NDArray[np.int64]:
    """First row of every row's larva."""
    return np.searchsorted(larva, larva)


def _path(step: Array, larva: NDArray[np.integer]) -> Array:
    """Path since a larva's first frame."""
    total = np.cumsum(np.nan_to_num(step))
    return total - total[_firsts(larva)]


def _radii(
    contour: Contours, z: NDArray[np.complex128], px_per_mm: float, corner: complex
) -> Array:
    """Distances of the three inner spine points to the outline, shape (frame, 3)."""
    counts = contour.counts
    radius = np.full((len(counts), 3), np.nan)
    for n in np.unique(counts[counts >= MIN_VERTICES]):
        rows = np.flatnonzero(counts == n)
        for part in np.array_split(rows, -(-len(rows) * int(n) // 1_000_000)):
            xy = contour.take(part).vertices.reshape(len(part), n, 2) * px_per_mm
            ring = xy[..., 0] - 1j * xy[..., 1] - corner + _MARGIN * (1 + 1j)
            for k in range(3):
                radius[part, k] = np.abs(ring - z[part, k + 1, None]).min(axis=1)
    return radius
