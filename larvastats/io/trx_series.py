"""Single series of numbers in a trx.mat: read some by name, or add some to a file.

The tracker's own series (``larva_length_smooth_5``, ``motion_velocity_norm_smooth_5``, ...) lie
beside times and labels, one per larva, each as long as the larva's ``t``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.files import AnyPath
from larvastats.io.identity import STAMP
from larvastats.io.matlab import Struct, cells, open_struct, read_series, read_text
from larvastats.io.paths import AssayIdentity, identify, make_identity
from larvastats.io.tracks import Tracks

Array = NDArray[np.float64]


def read_series_tracks(
    path: AnyPath, fields: Sequence[str], *, identity: AssayIdentity | None = None
) -> Iterator[Tracks]:
    """Read some series of every larva, one assay after the other.

    Parameters
    ----------
    path : path
    fields : sequence of str
        Fields to read; those that the file lacks are left out.
    identity : AssayIdentity, optional
        By default what the path says.

    Raises
    ------
    DataError
        The file is damaged, or a series has another length than the times.
    """
    identity = identity or identify(path)
    with open_struct(path, "trx", "t") as struct:
        present = [name for name in fields if name in struct]
        times = _series(struct, "t")
        columns = {name: _series(struct, name) for name in present}
        names, assays = _larvae(struct), _assays(struct, identity)
    for name, column in columns.items():
        for number, (values, t) in enumerate(zip(column, times, strict=True), 1):
            if len(values) != len(t):
                raise DataError(
                    f"{path}: expected {len(t)} values in field {name!r} of larva number {number}, "
                    f"one per time, but found {len(values)}; the file is damaged."
                )
    for assay in dict.fromkeys(assays):
        own = [k for k, other in enumerate(assays) if other == assay and len(times[k])]
        if not own:
            continue
        t = np.concatenate([times[k] for k in own])
        timed = np.isfinite(t)
        index = np.repeat(np.arange(len(own)), [len(times[k]) for k in own])[timed]
        features = {n: np.concatenate([c[k] for k in own])[timed] for n, c in columns.items()}
        yield Tracks.build(assay, [names[k] for k in own], index, t[timed], features=features,
                           source=str(path))  # fmt: skip


def field_names(path: AnyPath) -> tuple[str, ...]:
    """Return the names of all fields of a trx.mat, sorted."""
    with open_struct(path, "trx", "t") as struct:
        return tuple(sorted(struct.group))


def add_series(path: AnyPath, series: Mapping[str, Sequence[Array]]) -> None:
    """Add series to a trx.mat that :func:`larvastats.io.trx.write` has made.

    Parameters
    ----------
    path : path
    series : mapping of str to sequence of ndarray
        Per field one array for every larva of the file, in its order, as long as the larva's `t`.
    """
    with h5py.File(path, "r+") as file:
        group = file["trx"]
        for field, values in series.items():
            if len(values) == 1:
                _write(group, field, values[0])
                continue
            rows = [[_write(file["#refs#"], f"{field}_{k}", v).ref for k, v in enumerate(values)]]
            group.create_dataset(field, data=np.array(rows, dtype=h5py.ref_dtype))


def _write(group: h5py.Group, name: str, values: Array) -> h5py.Dataset:
    """Store a column as MATLAB does, shape (1, time)."""
    row = np.asarray(values, dtype=np.float64)[np.newaxis]
    dataset = group.create_dataset(name, data=row, compression="gzip", compression_opts=1)
    dataset.attrs["MATLAB_class"] = np.bytes_("double")
    return dataset


def _series(struct: Struct, name: str) -> list[Array]:
    return [read_series(struct, name, cell) for cell in cells(struct, name)]


def _texts(struct: Struct, name: str) -> list[str]:
    if name not in struct:
        return [""] * struct.size
    return [read_text(struct, name, cell) for cell in cells(struct, name)]


def _larvae(struct: Struct) -> list[str]:
    names = _texts(struct, "numero_larva_num")
    if not all(name.isdigit() for name in names):
        names = _texts(struct, "numero_larva")
    return names if all(names) else [str(k) for k in range(1, struct.size + 1)]


def _assays(struct: Struct, by_path: AssayIdentity | None) -> list[AssayIdentity]:
    """Return the assay of every larva, named as :func:`larvastats.io.trx.read` names it."""
    fields = (_texts(struct, name) for name in ("id", "pipeline", "neuron", "stimuli", "protocol"))
    out = []
    for stamp, tracker, neuron, effector, protocol in zip(*fields, strict=True):
        line, _, after = neuron.partition("@")
        said = (tracker, line, effector or after, protocol)
        known = ("tracker", "line", "effector", "protocol")
        tracker, line, effector, protocol = (
            text or (getattr(by_path, name) if by_path else "")
            for text, name in zip(said, known, strict=True)
        )
        stamp = stamp or (by_path.assay.rpartition("/")[2] if by_path else "")
        if STAMP.fullmatch(stamp):
            out.append(make_identity(tracker, line, effector, protocol, stamp))
        else:
            name = stamp or Path(struct.path).stem
            out.append(AssayIdentity(tracker, line, effector, protocol, None, None, name))
    return out
