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
is 15 nm at 25 cm. Further attributes: ``assay line effector protocol tracker date time``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.contours import Contours
from larvastats.io.files import AnyPath, reading
from larvastats.io.matlab import refusing_damage
from larvastats.io.paths import AssayIdentity
from larvastats.io.tracks import Shape, Tracks

FORMAT = "larvastats tracks"
VERSION = 1

_CHUNK = 1 << 14
_IDENTITY = tuple(field.name for field in fields(AssayIdentity))


def pack(tracks: Tracks) -> bytes:
    """Return the file of an assay; the same tracks give the same bytes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["length_unit"] = tracks.length_unit
        for name in _IDENTITY:
            file.attrs[name] = getattr(tracks.identity, name) or ""
        _texts(file, "larvae", tracks.larvae)
        _numbers(file, "larva", tracks.larva_index)
        _numbers(file, "t", tracks.t).attrs["unit"] = "s"
        if tracks.state is not None:
            _texts(file, "states", tracks.states)
            _numbers(file, "state", tracks.state)
        for name, points in (("midline", tracks.midline), ("centroid", tracks.centroid)):
            if points is not None:
                _numbers(file, name, points.astype(np.float32))
        if tracks.contour is not None:
            _numbers(file, "contour/vertices", tracks.contour.vertices)
            _numbers(file, "contour/start", tracks.contour.start)
        for name in sorted(tracks.features):
            with np.errstate(over="ignore"):
                series = tracks.features[name].astype(np.float32)
            data = _numbers(file, f"features/{name}", series)
            data.attrs["unit"] = tracks.units.get(name, "")
    return buffer.getvalue()


def _numbers(file: h5py.File, name: str, values: NDArray[Any]) -> h5py.Dataset:
    if not values.size:  # nothing to compress
        return file.create_dataset(name, data=values)
    chunk = (min(_CHUNK, len(values)), *values.shape[1:])
    return file.create_dataset(name, data=values, chunks=chunk, compression=4, shuffle=True)


def _texts(file: h5py.File, name: str, values: Sequence[str]) -> None:
    file.create_dataset(name, data=list(values), dtype=h5py.string_dtype(), shape=(len(values),))


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
    if not Path(path).is_file():
        raise DataError(f"{path}: the store has lost this file; run the same ingest again.")
    with reading(path), refusing_damage(path), h5py.File(path, "r", locking=False) as file:
        if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
            raise DataError(
                f"{path}: expected the tracks of a store of this version, but found others; ingest "
                "the recordings anew."
            )
        wanted = {*shapes}
        has = file.get("features", {}) if "features" in wanted else {}
        names = [name for name in has if features is None or name in features]
        state = file["state"][()] if "state" in file else None
        return Tracks.build(
            AssayIdentity(**{name: _identity(file, name) for name in _IDENTITY}),
            _read_texts(file, "larvae"),
            file["larva"][()],
            file["t"][()],
            midline=_points(file, "midline") if "midline" in wanted else None,
            contour=_contour(file) if "contour" in wanted else None,
            centroid=_points(file, "centroid") if "features" in wanted else None,
            features={name: has[name][()].astype(np.float64) for name in names},
            units={name: str(has[name].attrs["unit"]) for name in names},
            states=() if state is None else _read_texts(file, "states"),
            state=state,
            length_unit=str(file.attrs["length_unit"]),
            source=str(path),
        )


def _identity(file: h5py.File, name: str) -> Any:
    text = str(file.attrs[name])
    return text or (None if name in ("date", "time") else "")


def _read_texts(file: h5py.File, name: str) -> tuple[str, ...]:
    return tuple(file[name].asstr()[()])


def _points(file: h5py.File, name: str) -> NDArray[np.float64] | None:
    return file[name][()].astype(np.float64) if name in file else None


def _contour(file: h5py.File) -> Contours | None:
    if "contour" not in file:
        return None
    vertices, start = file["contour/vertices"][()], file["contour/start"][()]
    rising = len(start) > 0 and start[0] == 0 and bool((np.diff(start) >= 0).all())
    if not rising or start[-1] != len(vertices):
        raise ValueError("outlines and their places in the file disagree")
    return Contours(vertices, start)
