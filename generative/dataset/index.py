"""The index: where every sequence of every recording lies, and what is done in it.

An HDF5 file with one row per sequence:

``recording larva start end action``
    The report's fields: numbers of recording and larva, frames of the larva from `start` to before
    `end`, number of the majority action;
``assay genotype stimulus share dt``
    Numbers of assay, genotype and state of the stimulus; share of frames that are the majority
    action; seconds between frames.

What the numbers mean stands beside them: ``recordings assays genotypes larvae actions stimuli`` are
names, ``larva_assay larva_length larva_frames assay_genotype assay_recording`` tables of larvae and
assays, ``failures`` the recordings that could not be read. It is written by
:mod:`generative.dataset.indexing`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from generative.dataset.sequences import read_names
from generative.dataset.source import Reading
from generative.dataset.windows import Cutting
from larvastats.errors import DataError
from larvastats.io.files import AnyPath, read_head, reading
from larvastats.io.hdf5 import attribute, check_stored, own_member, refusing_damage

FORMAT = "larvastats generative index"
VERSION = 1

ROWS: dict[str, type[np.generic]] = {
    "recording": np.int32, "larva": np.int32, "start": np.int32, "end": np.int32,
    "action": np.int16, "assay": np.int32, "genotype": np.int32, "stimulus": np.int8,
    "share": np.float32, "dt": np.float32,
}  # fmt: skip
"""Columns with one row per sequence."""

TABLES: dict[str, type[np.generic]] = {
    "larva_assay": np.int32, "larva_length": np.float64, "larva_frames": np.int32,
    "assay_genotype": np.int32, "assay_recording": np.int32, "assay_position": np.int32,
}  # fmt: skip

NAMES = ("recordings", "versions", "assays", "genotypes", "larvae", "actions", "stimuli",
         "length_units", "failures")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An index in memory.

    Attributes
    ----------
    path : Path
    rows : dict of str to ndarray, shape (sequence,)
        As :data:`ROWS`.
    tables : dict of str to ndarray
        As :data:`TABLES`.
    names : dict of str to tuple of str
    source : str
    cutting : Cutting
    reading : dict
        How its recordings are read.
    """

    path: Path
    rows: dict[str, NDArray[Any]]
    tables: dict[str, NDArray[Any]]
    names: dict[str, tuple[str, ...]]
    source: str
    cutting: Cutting
    reading: Reading

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.rows["action"])

    @property
    def overlapping(self) -> bool:
        """Whether sequences share frames."""
        return self.cutting.stride < self.cutting.length


def read_index(path: AnyPath) -> Index:
    """Read an index.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is damaged, or no index of this version.
    """
    read_head(path, 8)
    with reading(path), refusing_damage(path), h5py.File(path, "r", locking=False) as file:
        if attribute(file, "format") != FORMAT or attribute(file, "version") != VERSION:
            raise DataError(
                f"{path}: expected an index of `larvastats generate index` of this version, but "
                "found something else; index the recordings anew."
            )
        rows = {name: _column(path, file, name, kind) for name, kind in ROWS.items()}
        tables = {name: _column(path, file, name, kind) for name, kind in TABLES.items()}
        names = {name: read_names(path, file, name) for name in NAMES}
        settings = json.loads(read_names(path, file, "settings")[0])
        cutting = Cutting(**settings["cutting"])
        _check(rows, tables, names)
    return Index(Path(path), rows, tables, names, settings["source"], cutting,
                 settings["reading"])  # fmt: skip


def _column(path: AnyPath, file: h5py.File, name: str, kind: type[np.generic]) -> NDArray[Any]:
    data = own_member(path, file, name)
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype != kind:
        raise ValueError(f"{name} is missing or of another kind")
    check_stored(path, name, data)
    return np.asarray(data[()])


def _check(
    rows: dict[str, NDArray[Any]], tables: dict[str, NDArray[Any]],
    names: dict[str, tuple[str, ...]],
) -> None:  # fmt: skip
    """Raise ValueError where numbers point beyond what there is."""
    n = len(rows["action"])
    limits = {"recording": "recordings", "larva": "larvae", "action": "actions",
              "assay": "assays", "genotype": "genotypes", "stimulus": "stimuli"}  # fmt: skip
    for name, column in rows.items():
        if len(column) != n:
            raise ValueError(f"{name} has another number of rows")
        highest = len(names[limits[name]]) if name in limits else np.inf
        if n and name in limits and not 0 <= column.min() <= column.max() < highest:
            raise ValueError(f"{name} has numbers beyond its names")
    if len(tables["larva_length"]) != len(names["larvae"]):
        raise ValueError("larvae and their lengths differ in number")
