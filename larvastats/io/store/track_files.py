"""Shapes of one assay in a store: ``tracks/<assay>-<sum>.h5``, HDF5.

==================== ================= ============================================================
dataset              shape             what it holds
==================== ================= ============================================================
``larvae``           (larva,)          ids, text
``larva``            (frame,)          position in ``larvae``; sorted
``t``                (frame,)          s, increasing within a larva
``states``           (state,)          names of actions
``state``            (frame,)          position in ``states``, -1 for none
``midline``          (frame, point, 2) head first; NaN where the tracker found none
``contour/vertices`` (vertex, 2)       outlines of all frames, one after the other
``contour/start``    (frame + 1,)      frame f owns vertices start[f] to start[f + 1] - 1
``centroid``         (frame, 2)
``features/<name>``  (frame,)          series of the tracker; attribute ``unit``
==================== ================= ============================================================

Positions counts from 0. What a recording has not, or was not to be kept, is absent. Coordinates are
in the unit that the attribute ``length_unit`` of the file names, mm or px; single precision, which
is 15 nm at 25 cm. Further attributes: ``assay line effector protocol tracker date time``. All texts
are UTF-8 of fixed length.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.contours import Contours
from larvastats.io.files import AnyPath, reading
from larvastats.io.hdf5 import (
    attribute,
    check_stored,
    doubles,
    own_member,
    refusing_damage,
    write_attribute,
    write_texts,
)
from larvastats.io.paths import AssayIdentity
from larvastats.io.tracks import LENGTH_UNITS, MAX_VALUES, Shape, Tracks

FORMAT = "larvastats tracks"
VERSION = 2

_CHUNK = 1 << 14
_IDENTITY = tuple(field.name for field in fields(AssayIdentity))


def pack(tracks: Tracks) -> bytes:
    """Return the file of an assay; the same tracks give the same bytes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        file.attrs["version"] = VERSION
        identity = {name: getattr(tracks.identity, name) or "" for name in _IDENTITY}
        said = {"format": FORMAT, "length_unit": tracks.length_unit} | identity
        for name, text in said.items():
            write_attribute(file, name, text)
        write_texts(file, "larvae", tracks.larvae)
        _numbers(file, "larva", tracks.larva_index)
        write_attribute(_numbers(file, "t", tracks.t), "unit", "s")
        if tracks.state is not None:
            write_texts(file, "states", tracks.states)
            _numbers(file, "state", tracks.state)
        for name, points in (("midline", tracks.midline), ("centroid", tracks.centroid)):
            if points is not None:
                _numbers(file, name, _singles(points))
        if tracks.contour is not None:
            _numbers(file, "contour/vertices", tracks.contour.vertices)
            _numbers(file, "contour/start", tracks.contour.start)
        for name in sorted(tracks.features):
            data = _numbers(file, f"features/{name}", _singles(tracks.features[name]))
            write_attribute(data, "unit", tracks.units.get(name, ""))
    return buffer.getvalue()


def _singles(values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # invalid: NaN that signal
        return values.astype(np.float32)


def _numbers(file: h5py.File, name: str, values: NDArray[Any]) -> h5py.Dataset:
    if not values.size:  # nothing to compress
        return file.create_dataset(name, data=values)
    chunk = (min(_CHUNK, len(values)), *values.shape[1:])
    return file.create_dataset(name, data=values, chunks=chunk, compression=4, shuffle=True)


def unpack(
    path: AnyPath,
    shapes: Sequence[Shape] = ("midline", "contour", "features"),
    features: Sequence[str] | None = None,
) -> Tracks:
    """Read the file of an assay.

    Parameters
    ----------
    path : path
    shapes : sequence of {'midline', 'contour', 'features'}
        Kinds of shape to read, as far as the file has them.
    features : sequence of str, optional
        Names of the features to read, as far as the file has them; by default all.

    Raises
    ------
    DataError
        The file is damaged, gone, or no such file.
    """
    if not os.path.isfile(path):
        raise DataError(f"{path}: the store has lost this file; run the same ingest again.")
    with reading(path), refusing_damage(path), h5py.File(path, "r", locking=False) as file:
        if attribute(file, "format") != FORMAT or attribute(file, "version") != VERSION:
            raise DataError(
                f"{path}: expected the tracks of a store of this version, but found others; ingest "
                "the recordings anew."
            )
        return _tracks(path, file, {*shapes}, features)


# What follows trusts nothing in the file: ValueError says that it is damaged.


def _tracks(
    path: AnyPath, file: h5py.File, wanted: set[Shape], names: Sequence[str] | None
) -> Tracks:
    length_unit = _text(file, "length_unit")
    if length_unit not in LENGTH_UNITS:
        raise ValueError(f"length_unit is {length_unit!r}")
    larva, t = _numbers_of(path, file, "larva", np.int32), _numbers_of(path, file, "t", np.float64)
    if larva is None or t is None:
        raise ValueError("there are no frames")
    state = _numbers_of(path, file, "state", np.int16)
    series, units = _features(path, file, names) if "features" in wanted else ({}, {})
    return Tracks.build(
        AssayIdentity(**{name: _identity(file, name) for name in _IDENTITY}),
        _texts_of(path, file, "larvae"),
        larva,
        t,
        midline=_points(path, file, "midline", 3) if "midline" in wanted else None,
        contour=_contour(path, file) if "contour" in wanted else None,
        centroid=_points(path, file, "centroid", 2) if "features" in wanted else None,
        features=series,
        units=units,
        states=() if state is None else _texts_of(path, file, "states"),
        state=state,
        length_unit=length_unit,
        source=str(path),
    )


def _text(owner: h5py.Group | h5py.Dataset, name: str) -> str:
    """Text of an attribute."""
    text = attribute(owner, name)
    if not isinstance(text, str):  # folders may have any name, so that lines and protocols may too
        raise ValueError(f"{name} is no text")
    return text


def _identity(file: h5py.File, name: str) -> Any:
    return _text(file, name) or (None if name in ("date", "time") else "")


def _numbers_of(
    path: AnyPath, group: h5py.Group, name: str, kind: type[np.generic], ndim: int = 1
) -> NDArray[Any] | None:
    """Read a dataset if there is one; it must be what :func:`pack` writes."""
    data = own_member(path, group, name)
    if data is None:
        return None
    fits = isinstance(data, h5py.Dataset) and data.dtype == kind and data.ndim == ndim
    if not fits or data.size > MAX_VALUES or (ndim > 1 and data.shape[-1] != 2):
        raise ValueError(f"{name} is none that a store holds")
    check_stored(path, name, data)
    return np.asarray(data[()])


def _texts_of(path: AnyPath, file: h5py.File, name: str) -> tuple[str, ...]:
    """Names: of larvae, or of states."""
    data = own_member(path, file, name)
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype.kind != "S":
        raise ValueError(f"{name} is none that a store holds")
    check_stored(path, name, data)
    found = tuple(bytes(text).decode() for text in data[()])
    if not all(found) or len(set(found)) < len(found):
        raise ValueError(f"{name} are no names")
    return found


def _features(
    path: AnyPath, file: h5py.File, wanted: Sequence[str] | None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """Series of the tracker, and their units."""
    group = own_member(path, file, "features")
    if group is None:
        return {}, {}
    if not isinstance(group, h5py.Group):
        raise ValueError("features are no group")
    series: dict[str, NDArray[np.float64]] = {}
    units, n_values = {}, 0
    for name in group:
        if wanted is not None and name not in wanted:
            continue
        values = _numbers_of(path, group, name, np.float32)
        if values is None or not name.isprintable():
            raise ValueError("a series has no name")
        n_values += values.size
        if n_values > MAX_VALUES:
            raise ValueError(f"the series have more than {MAX_VALUES:,} values")
        series[name], units[name] = doubles(values), _text(group[name], "unit")
    return series, units


def _points(path: AnyPath, file: h5py.File, name: str, ndim: int) -> NDArray[np.float64] | None:
    points = _numbers_of(path, file, name, np.float32, ndim)
    return None if points is None else doubles(points)


def _contour(path: AnyPath, file: h5py.File) -> Contours | None:
    group = own_member(path, file, "contour")
    if group is None:
        return None
    if not isinstance(group, h5py.Group):
        raise ValueError("outlines are no group")
    vertices = _numbers_of(path, group, "vertices", np.float32, 2)
    start = _numbers_of(path, group, "start", np.int64)
    if vertices is None or start is None:
        raise ValueError("outlines are incomplete")
    rising = len(start) > 0 and start[0] == 0 and bool((start[1:] >= start[:-1]).all())
    if not rising or start[-1] != len(vertices):
        raise ValueError("outlines and their places in the file disagree")
    return Contours(vertices, start)
