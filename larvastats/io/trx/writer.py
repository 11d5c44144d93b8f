"""Write recordings as trx.mat, so that MATLAB, LarvaTagger and older scripts read them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram, grid_range
from larvastats.io.files import AnyPath, replacing
from larvastats.io.tracks import Tracks
from larvastats.io.trx.identity import IDENTITY_FIELDS
from larvastats.io.trx.labels import LABEL_FIELDS
from larvastats.io.trx.shapes import CENTER, CONTOUR, SPINE
from larvastats.vocabulary import LARVA_STATES

USERBLOCK = 512
WRITABLE = (*LARVA_STATES, "small_motion")
"""States that trx.mat has codes for, in their order."""

CONTOUR_POINTS = 500
"""Rows that the tracker gives an outline; more where one has more vertices."""

DT = 0.1
"""Frame step of an ethogram by default, in s."""

_GZIP_FROM = 4096  # values; for shorter series packing costs more time than it saves space
_RESERVED = LABEL_FIELDS | IDENTITY_FIELDS | {"t", *SPINE, *CONTOUR, *CENTER}
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")

Plain = str | float | NDArray[np.float64]
Value = Plain | Callable[[], Plain]
"""What a field holds, or how to make it when it is written."""


def write(recording: Ethogram | Tracks, path: AnyPath, dt: float | None = None) -> None:
    """Write one assay as trx.mat; an old file is replaced at the end.

    Written are ``t``, ``id numero_larva numero_larva_num neuron stimuli protocol pipeline
    full_path``, and, where there are states, ``global_state`` (NaN during ``small_motion``),
    ``global_state_large_state`` and one ±1 series per action. Of tracks also ``x_spine y_spine``,
    ``x_contour y_contour`` (closed, padded with NaN to 500 rows or what the largest outline needs),
    ``x_center y_center``, and every feature by its name; what the tracks lack has no field. Gaps in
    tracking have no frames. A larva of an ethogram without a frame on the grid is left out.

    Parameters
    ----------
    recording : Ethogram or Tracks
        One assay; states among run, cast, stop, hunch, back, roll, small_motion.
    path : path
    dt : float, optional
        Frame step of an ethogram, in s, by default 0.1; frames lie at its multiples. Tracks have
        frames of their own.

    Raises
    ------
    UsageError
        More or fewer than one assay, a step that is not positive, or a step for tracks.
    DataError
        A state that the format has no code for, a feature whose name no field can have, coordinates
        in pixels, no frame at all, or a file that cannot be written.
    """
    if isinstance(recording, Tracks):
        larvae = _of_tracks(recording, Path(path), dt)
    else:
        larvae = _of_ethogram(recording, Path(path), dt)
    with replacing(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=USERBLOCK) as file:
            _write_struct(file, larvae)
        with open(temporary, "r+b") as raw:
            raw.write(_header())


def _header() -> bytes:
    """Return the first bytes of a MATLAB 7.3 file: text, subsystem offset, version, byte order."""
    text = b"MATLAB 7.3 MAT-file, written by larvastats, HDF5 schema 1.00 ."
    return (text.ljust(116) + bytes(8) + b"\x00\x02IM").ljust(USERBLOCK, b"\0")


# -- fields of larvae ------------------------------------------------------------------------------


def _of_ethogram(ethogram: Ethogram, path: Path, dt: float | None) -> list[dict[str, Value]]:
    """Fields of every larva that has a frame on the grid."""
    dt = DT if dt is None else dt
    if not (np.isfinite(dt) and dt > 0):
        raise UsageError(f"The frame step must be a positive number of seconds, but is {dt}.")
    if len(ethogram.assays) != 1:
        raise UsageError(
            f"{path}: a trx.mat file holds one assay, but the ethogram has "
            f"{len(ethogram.assays)}; write one file per assay."
        )
    code = _codes(ethogram.states, ethogram.state, path)
    identity = _identity(ethogram.assays.iloc[0].to_dict(), path)
    lo, hi = grid_range(ethogram.t_start, dt), grid_range(ethogram.t_stop, dt)
    edges = np.searchsorted(ethogram.larva_index, np.arange(len(ethogram.larvae) + 1))
    larvae: list[dict[str, Value]] = []
    for number, name in enumerate(ethogram.larvae["larva"]):
        bouts = slice(edges[number], edges[number + 1])
        n = hi[bouts] - lo[bouts]
        k = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(lo[bouts], n)
        if len(k):
            state = np.repeat(code[ethogram.state[bouts]], n)
            larvae.append({"t": k * dt, **_labels(state), **_who(str(name), number), **identity})
    if not larvae:
        raise DataError(f"{path}: no larva is tracked at a multiple of {dt:g} s; lower the step.")
    return larvae


def _of_tracks(tracks: Tracks, path: Path, dt: float | None) -> list[dict[str, Value]]:
    """Fields of every larva; shapes are laid out only when they are written."""
    if dt is not None:
        raise UsageError(f"{path}: tracks have frames of their own; leave the frame step out.")
    _check_tracks(tracks, path)
    code = _codes(tracks.states, () if tracks.state is None else tracks.state, path)
    identity = _identity(
        {name: getattr(tracks.identity, name) for name in tracks.identity.__slots__}, path
    )
    edges = np.searchsorted(tracks.larva_index, np.arange(len(tracks.larvae) + 1))
    width = CONTOUR_POINTS
    if tracks.contour is not None:
        width = max(width, int(tracks.contour.counts.max(initial=0)) + 1)
    larvae = []
    for number, name in enumerate(tracks.larvae):
        own = slice(edges[number], edges[number + 1])
        fields: dict[str, Value] = {"t": tracks.t[own]}
        if tracks.state is not None:
            fields |= _labels(np.append(code, np.nan)[tracks.state[own]])
        fields |= _shapes(tracks, own, width)
        larvae.append({**fields, **_who(name, number), **identity})
    return larvae


def _check_tracks(tracks: Tracks, path: Path) -> None:
    """Refuse what the format cannot say."""
    if tracks.length_unit != "mm":
        raise DataError(
            f"{path}: trx.mat holds millimetres, but the tracks are in {tracks.length_unit}; give "
            "the size of a pixel when reading them."
        )
    for name in tracks.features:
        if name in _RESERVED or not _FIELD.fullmatch(name):
            raise DataError(
                f"{path}: a feature cannot be written as field {name!r}; expected a name of "
                "letters, digits and _ that trx.mat has no other use for: rename it."
            )


def _codes(states: Sequence[str], used: ArrayLike, path: Path) -> NDArray[np.float64]:
    """Codes of the states, shape (state,); of those that do not occur, any."""
    occur = set(np.unique(used).tolist())
    unknown = [name for i, name in enumerate(states) if name not in WRITABLE and i in occur]
    if unknown:
        raise DataError(
            f"{path}: trx.mat has codes for {', '.join(WRITABLE)}, but not for "
            f"{', '.join(unknown)}; rename these states or write a tidy table."
        )
    code = {name: float(number) for number, name in enumerate(WRITABLE, 1)}
    return np.array([code.get(name, np.nan) for name in states])


def _who(name: str, position: int) -> dict[str, Value]:
    """Fields that name a larva; one that has no number is counted."""
    is_number = name.isascii() and name.isdigit()
    return {
        "numero_larva": name,
        "numero_larva_num": float(name) if is_number else float(position + 1),
    }


def _identity(assay: Mapping[str, object], path: Path) -> dict[str, Value]:
    def said(column: str) -> str:
        value = assay[column]
        return "" if pd.isna(value) else str(value)

    stamp = f"{said('date')}_{said('time')}" if said("date") and said("time") else said("assay")
    return {
        "id": stamp,
        "neuron": said("line"),
        "stimuli": said("effector"),
        "protocol": said("protocol"),
        "pipeline": said("tracker"),
        "full_path": said("assay") + "/" + path.name,
    }


def _labels(state: NDArray[np.float64]) -> dict[str, Value]:
    """Label fields from codes 1 to 7, or NaN for none, shape (time,)."""
    series: dict[str, Value] = {
        "global_state": np.where(state <= len(LARVA_STATES), state, np.nan),
        "global_state_large_state": state,
    }
    for code, name in enumerate(WRITABLE, 1):
        series[name] = np.where(state == code, 1.0, -1.0)
    return series


def _shapes(tracks: Tracks, own: slice, width: int) -> dict[str, Value]:
    """Fields of one larva's shapes and features."""
    fields: dict[str, Value] = {}
    if tracks.midline is not None:
        fields |= {name: tracks.midline[own, :, axis].T for axis, name in enumerate(SPINE)}
    if tracks.contour is not None:
        for axis, name in enumerate(CONTOUR):
            fields[name] = partial(_outlines, tracks, own, width, axis)
    if tracks.centroid is not None:
        fields |= {name: tracks.centroid[own, axis] for axis, name in enumerate(CENTER)}
    return fields | {name: series[own] for name, series in tracks.features.items()}


def _outlines(tracks: Tracks, own: slice, width: int, axis: int) -> NDArray[np.float64]:
    """One coordinate of a larva's outlines, closed, shape (width, time)."""
    assert tracks.contour is not None
    contour = tracks.contour.take(np.arange(own.start, own.stop))
    padded = contour.padded(width)[:, :, axis].T.astype(np.float64)
    some = np.flatnonzero(contour.counts)
    padded[contour.counts[some], some] = contour.vertices[contour.start[some], axis]
    return padded


# -- HDF5 ------------------------------------------------------------------------------------------


def _write_struct(file: h5py.File, larvae: Sequence[Mapping[str, Value]]) -> None:
    group = file.create_group("trx")
    group.attrs["MATLAB_class"] = np.bytes_("struct")
    if len(larvae) == 1:
        for field, value in larvae[0].items():
            _write_value(group, field, value)
        return
    targets = file.create_group("#refs#")
    refer = _referrer(targets)
    for field in larvae[0]:
        rows = [[refer(larva[field]) for larva in larvae]]
        group.create_dataset(field, data=np.array(rows, dtype=h5py.ref_dtype))


def _referrer(targets: h5py.Group) -> Callable[[Value], h5py.Reference]:
    """Make the function that stores a value and returns a reference to it; texts are shared."""
    texts: dict[str, h5py.Reference] = {}
    names = (f"r{number}" for number in itertools.count())

    def refer(value: Value) -> h5py.Reference:
        if isinstance(value, str) and value in texts:
            return texts[value]
        reference = _write_value(targets, next(names), value).ref
        if isinstance(value, str):
            texts[value] = reference
        return reference

    return refer


def _write_value(group: h5py.Group, name: str, value: Value) -> h5py.Dataset:
    """Store a value as MATLAB does: column-major, so that a column of T values is (1, T)."""
    plain = value() if callable(value) else value
    if isinstance(plain, str):
        return _write_text(group, name, plain)
    values = np.atleast_2d(np.asarray(plain, dtype=np.float64))
    packing = {"compression": "gzip", "compression_opts": 3} if values.size >= _GZIP_FROM else {}
    dataset = group.create_dataset(name, data=values, **packing)
    dataset.attrs["MATLAB_class"] = np.bytes_("double")
    return dataset


def _write_text(group: h5py.Group, name: str, value: str) -> h5py.Dataset:
    units = np.frombuffer(value.encode("utf-16-le"), dtype="<u2")[:, np.newaxis]
    if not len(units):
        dataset = group.create_dataset(name, data=np.zeros(2, dtype=np.uint64))
        dataset.attrs["MATLAB_empty"] = np.uint8(1)
    else:
        dataset = group.create_dataset(name, data=units)
        dataset.attrs["MATLAB_int_decode"] = np.int32(2)
    dataset.attrs["MATLAB_class"] = np.bytes_("char")
    return dataset
