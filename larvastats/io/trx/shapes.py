"""Shapes and series of the larvae of one assay in a trx.mat file, read larva by larva."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.contours import Contours
from larvastats.io.tracks import MAX_VALUES
from larvastats.io.trx.identity import IDENTITY_FIELDS
from larvastats.io.trx.labels import LABEL_FIELDS
from larvastats.io.trx.matlab import Struct, all_series, cells, read_points, read_series
from larvastats.shape.vertebrae import VERTEBRAE

SPINE = ("x_spine", "y_spine")
CONTOUR = ("x_contour", "y_contour")
CENTER = ("x_center", "y_center")

_VERTEBRA_FIELDS = tuple((f"x_{name}", f"y_{name}") for name in VERTEBRAE)
_NO_FEATURES = LABEL_FIELDS | IDENTITY_FIELDS | {"t", *SPINE, *CONTOUR}
_KINEMATIC = re.compile(
    r"(?:S|eig|As|larva_length|angle_(?:upper_lower|downer_upper)|[a-z]+_velocity_norm"
    r"|motion_to_[uv]_tail_head|[xy]_(?:center|head|neck_top|neck|neck_down|tail))"
    r"(?:_deriv)?(?:_smooth_[0-9]+)?"
)
_POSITION = re.compile(r"[xy]_(?:center|head|neck_top|neck|neck_down|tail)")


@dataclass(frozen=True, slots=True)
class Larvae:
    """Where the frames of an assay's larvae lie, in the file and in flat arrays.

    Attributes
    ----------
    struct : Struct
    elements : tuple of int
        Positions in the file of the larvae that have frames.
    length : tuple of int
        Frames of every larva in the file.
    timed : tuple of ndarray of bool, shape (frame,)
        Which of them have a time; the others are left out.
    """

    struct: Struct
    elements: tuple[int, ...]
    length: tuple[int, ...]
    timed: tuple[NDArray[np.bool_], ...]

    @property
    def n_frames(self) -> int:
        """Number of frames with a time."""
        return sum(int(timed.sum()) for timed in self.timed)

    def places(self) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
        """Yield where the frames of every larva go, and which of them go there."""
        stop = 0
        for timed in self.timed:
            start, stop = stop, stop + int(timed.sum())
            yield slice(start, stop), timed


# -- midline ---------------------------------------------------------------------------------------


def read_midline(larvae: Larvae) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Read the midlines, shape (frame, point, 2), head first; and what there is to say about them.

    Raises
    ------
    DataError
        Spines of another shape than (point, frame), or of different numbers of points.
    """
    struct = larvae.struct
    if all(name in struct for name in SPINE):
        return _spines(larvae), ()
    if has_vertebrae(struct):
        return _vertebrae(larvae), (
            f"{struct.path}: the file has no spine; its five vertebrae are the midline.",
        )
    return None, ()


def has_vertebrae(struct: Struct) -> bool:
    """Whether all ten series of the five vertebrae are there."""
    return all(name in struct for pair in _VERTEBRA_FIELDS for name in pair)


def vertebrae_in_use(struct: Struct) -> frozenset[str]:
    """Fields that become the midline because there is no spine."""
    if all(name in struct for name in SPINE) or not has_vertebrae(struct):
        return frozenset()
    return frozenset(name for pair in _VERTEBRA_FIELDS for name in pair)


def _spines(larvae: Larvae) -> NDArray[np.float64]:
    out: NDArray[np.float64] | None = None
    for axis, name in enumerate(SPINE):
        column = cells(larvae.struct, name, larvae.elements)
        for cell, n, (place, timed) in zip(column, larvae.length, larvae.places(), strict=True):
            points = read_points(larvae.struct, name, cell, n)
            if out is None:
                out = _room(larvae, len(points))
            if len(points) != out.shape[1]:
                raise DataError(
                    f"{larvae.struct.path}: expected {out.shape[1]} points per spine as in the "
                    f"first larva, but found {len(points)} in field {name!r}; the file is damaged."
                )
            out[place, :, axis] = points[:, timed].T
    assert out is not None, "an assay has a larva with frames"
    return out


def _vertebrae(larvae: Larvae) -> NDArray[np.float64]:
    out = _room(larvae, len(VERTEBRAE))
    for point, pair in enumerate(_VERTEBRA_FIELDS):
        for axis, name in enumerate(pair):
            out[:, point, axis] = _flat(larvae, name)
    return out


def _room(larvae: Larvae, n_points: int) -> NDArray[np.float64]:
    """Make an empty array of midlines, shape (frame, point, 2), unless it would be absurd."""
    n = larvae.n_frames
    if n * n_points * 2 > MAX_VALUES:
        raise DataError(
            f"{larvae.struct.path}: {n:,} spines of {n_points:,} points are more than any "
            "recording has; the file is damaged."
        )
    return np.empty((n, n_points, 2))


# -- contour ---------------------------------------------------------------------------------------


def read_contour(larvae: Larvae) -> tuple[Contours | None, tuple[str, ...]]:
    """Read the outlines, without the vertex that closes them, and what there is to say about them.

    At no time are more padded outlines in memory than those of one larva.

    Raises
    ------
    DataError
        Outlines of another shape than (vertex, frame), or more than a recording has.
    """
    struct = larvae.struct
    if not all(name in struct for name in CONTOUR):
        return None, ()
    columns = zip(*(cells(struct, name, larvae.elements) for name in CONTOUR), strict=True)
    vertices, counts, total = [], [], 0
    for (x, y), n, timed in zip(columns, larvae.length, larvae.timed, strict=True):
        own = _outlines(struct, x, y, n, timed)
        total += own.vertices.size
        if total > MAX_VALUES:
            raise DataError(
                f"{struct.path}: the outlines have more than {MAX_VALUES:,} coordinates, more than "
                "any recording has; split the file."
            )
        vertices.append(own.vertices)
        counts.append(own.counts)
    return Contours.from_counts(np.concatenate(vertices), np.concatenate(counts)), ()


def _outlines(
    struct: Struct, x: h5py.Dataset, y: h5py.Dataset, n: int, timed: NDArray[np.bool_]
) -> Contours:
    """Outlines of one larva."""
    xs, ys = (
        _single(read_points(struct, name, cell, n))
        for name, cell in zip(CONTOUR, (x, y), strict=True)
    )
    if xs.shape != ys.shape:
        raise DataError(
            f"{struct.path}: expected as many vertices in y_contour as in x_contour, but found "
            f"{ys.shape[1]} and {xs.shape[1]}; the file is damaged."
        )
    there = ~(np.isnan(xs) | np.isnan(ys))
    there[~timed] = False
    _open(xs, ys, there)
    vertices = np.stack((xs[there], ys[there]), axis=1)
    return Contours.from_counts(vertices, np.count_nonzero(there, axis=1)[timed])


def _single(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Transpose to (frame, vertex), in the precision of outlines."""
    # what becomes infinite is refused by the reader; invalid: NaN that signal
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(points.T, dtype=np.float32)


def _open(xs: NDArray[np.float32], ys: NDArray[np.float32], there: NDArray[np.bool_]) -> None:
    """Take the last vertex of an outline out of `there` where it is the first one again."""
    first = there.argmax(axis=1)
    last = there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    frame = np.arange(len(there))
    again = (xs[frame, first] == xs[frame, last]) & (ys[frame, first] == ys[frame, last])
    again &= last > first
    there[frame[again], last[again]] = False


# -- series ----------------------------------------------------------------------------------------


def read_centroid(larvae: Larvae) -> NDArray[np.float64] | None:
    """Read the centroids, shape (frame, 2); None where the file has none."""
    if not all(name in larvae.struct for name in CENTER):
        return None
    return np.stack([_flat(larvae, name) for name in CENTER], axis=1)


def read_features(
    larvae: Larvae, taken: Collection[str], wanted: Collection[str] | None = None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str], tuple[str, ...]]:
    """Read every further series of numbers that is as long as the recording.

    Parameters
    ----------
    larvae : Larvae
    taken : collection of str
        Fields that are read as something else.
    wanted : collection of str, optional
        Only these, as far as the file has them.

    Returns
    -------
    features : dict of str to ndarray, shape (frame,)
    units : dict of str to str
        Millimetres for positions, which share the frame of the spine; nothing in the file says the
        units of the others.
    notes : tuple of str

    Raises
    ------
    DataError
        A series that the tracker is known to write has another length or shape, or there are more
        values than a recording has.
    """
    features: dict[str, NDArray[np.float64]] = {}
    notes = []
    there = set(larvae.struct.group) - _NO_FEATURES - set(taken)
    for name in sorted(there if wanted is None else there & set(wanted)):
        known = _KINEMATIC.fullmatch(name) is not None
        if not known and not _is_series(larvae, name):
            continue
        if (len(features) + 1) * larvae.n_frames > MAX_VALUES:
            raise DataError(
                f"{larvae.struct.path}: its series have more than {MAX_VALUES:,} values, more than "
                "any recording has; read fewer shapes."
            )
        try:
            features[name] = _flat(larvae, name)
        except DataError:
            if known:
                raise
            notes.append(
                f"{larvae.struct.path}: field {name!r} is a series of some larvae only; it is left "
                "out."
            )
    units = {name: "mm" if _POSITION.fullmatch(name) else "" for name in features}
    return features, units, tuple(notes)


def _is_series(larvae: Larvae, name: str) -> bool:
    """Whether the field of the larva with most frames holds one real number per frame."""
    longest = int(np.argmax(larvae.length))
    with suppress(DataError):  # a struct, a cell array, text: whatever it is, no series
        (cell,) = cells(larvae.struct, name, [larvae.elements[longest]])
        n = larvae.length[longest]
        if cell.dtype.kind == "f" and cell.size == n:
            return len(read_series(larvae.struct, name, cell)) == n
    return False


def _flat(larvae: Larvae, name: str) -> NDArray[np.float64]:
    """One series of all larvae, shape (frame,)."""
    series = all_series(larvae.struct, name, larvae.length, larvae.elements)
    return np.concatenate([own[timed] for own, timed in zip(series, larvae.timed, strict=True)])


def fields_of(shapes: Sequence[str], struct: Struct) -> frozenset[str]:
    """Fields that the shapes asked for take, so that they are no features."""
    taken = set(CENTER) if all(name in struct for name in CENTER) else set()
    return frozenset(taken | (vertebrae_in_use(struct) if "midline" in shapes else set()))
