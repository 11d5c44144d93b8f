"""Write an ethogram as trx.mat, so that MATLAB, LarvaTagger and older scripts read it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram, grid_range
from larvastats.io.files import AnyPath, replacing
from larvastats.vocabulary import LARVA_STATES

USERBLOCK = 512
WRITABLE = (*LARVA_STATES, "small_motion")
"""States that trx.mat has codes for, in their order."""

_GZIP_FROM = 4096  # values; for shorter series packing costs more time than it saves space

Value = str | float | NDArray[np.float64]


def write(ethogram: Ethogram, path: AnyPath, dt: float = 0.1) -> None:
    """Write one assay as trx.mat; an old file is replaced at the end.

    Written are ``t``, ``global_state`` (NaN during ``small_motion``), ``global_state_large_state``,
    one ±1 series per action, ``id numero_larva numero_larva_num neuron stimuli protocol pipeline
    full_path``. Gaps in tracking have no frames. A larva without a frame on the grid is left out.

    Parameters
    ----------
    ethogram : Ethogram
        One assay; states among run, cast, stop, hunch, back, roll, small_motion.
    path : path
    dt : float
        Frame step, in s; frames lie at its multiples.

    Raises
    ------
    UsageError
        More or fewer than one assay, or a step that is not positive.
    DataError
        A state that the format has no code for, no frame at all, or a file that cannot be written.
    """
    if not (np.isfinite(dt) and dt > 0):
        raise UsageError(f"The frame step must be a positive number of seconds, but is {dt}.")
    if len(ethogram.assays) != 1:
        raise UsageError(
            f"{path}: a trx.mat file holds one assay, but the ethogram has "
            f"{len(ethogram.assays)}; write one file per assay."
        )
    unknown = [name for name in ethogram.states if name not in WRITABLE]
    if unknown:
        raise DataError(
            f"{path}: trx.mat has codes for {', '.join(WRITABLE)}, but not for "
            f"{', '.join(unknown)}; rename these states or write a tidy table."
        )
    larvae = _larvae(ethogram, Path(path), dt)
    if not larvae:
        raise DataError(f"{path}: no larva is tracked at a multiple of {dt:g} s; lower the step.")
    with replacing(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=USERBLOCK) as file:
            _write_struct(file, larvae)
        with open(temporary, "r+b") as raw:
            raw.write(_header())


def _header() -> bytes:
    """Return the first bytes of a MATLAB 7.3 file: text, subsystem offset, version, byte order."""
    text = b"MATLAB 7.3 MAT-file, written by larvastats, HDF5 schema 1.00 ."
    return (text.ljust(116) + bytes(8) + b"\x00\x02IM").ljust(USERBLOCK, b"\0")


def _larvae(ethogram: Ethogram, path: Path, dt: float) -> list[dict[str, Value]]:
    """Fields of every larva that has a frame."""
    identity = _identity(ethogram.assays.iloc[0], path)
    code = np.array([WRITABLE.index(name) + 1 for name in ethogram.states], dtype=np.float64)
    lo, hi = grid_range(ethogram.t_start, dt), grid_range(ethogram.t_stop, dt)
    edges = np.searchsorted(ethogram.larva_index, np.arange(len(ethogram.larvae) + 1))
    larvae = []
    for number, name in enumerate(ethogram.larvae["larva"]):
        bouts = slice(edges[number], edges[number + 1])
        n = hi[bouts] - lo[bouts]
        k = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(lo[bouts], n)
        if len(k):
            state = np.repeat(code[ethogram.state[bouts]], n)
            who = {"numero_larva": str(name), "numero_larva_num": _number(str(name), number)}
            larvae.append({"t": k * dt, **_labels(state), **who, **identity})
    return larvae


def _number(name: str, position: int) -> float:
    """Larva's number; one that is named otherwise is counted."""
    return float(name) if name.isascii() and name.isdigit() else float(position + 1)


def _identity(assay: pd.Series, path: Path) -> dict[str, Value]:
    def said(column: str) -> str:
        return "" if pd.isna(assay[column]) else str(assay[column])

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
    """Label fields from codes 1 to 7, shape (time,)."""
    series: dict[str, Value] = {
        "global_state": np.where(state <= len(LARVA_STATES), state, np.nan),
        "global_state_large_state": state,
    }
    for code, name in enumerate(WRITABLE, 1):
        series[name] = np.where(state == code, 1.0, -1.0)
    return series


def _write_struct(file: h5py.File, larvae: list[dict[str, Value]]) -> None:
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
    if isinstance(value, str):
        return _write_text(group, name, value)
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))[np.newaxis]
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
