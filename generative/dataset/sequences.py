"""The training set: equally long rows of frames in one contiguous HDF5 dataset, with its labels.

A file holds, for ``n`` sequences of up to ``T`` frames:

``frames`` (n, T, N) float32
    Egocentric frames in body lengths (:mod:`generative.frames`), 0 beyond the end; or
    ``images`` (n, T, 2048) uint8, eight pixels a byte (:mod:`generative.images`).
``length action genotype stimulus fold weight`` (n,)
    Frames that are there; numbers of the conditions and the fold; how many times rarer the
    sequence's action is among the drawn ones than in nature, so that weighted means are those of
    the recordings.
``frame_action`` (n, T) int8
    Action of every frame, -1 beyond the end.
``origin heading body_length dt`` (n, 2) and (n,)
    The pose, and seconds between frames.
``assay larva row`` (n,)
    Position among the names; row of the index.

The dataset of frames is contiguous and uncompressed, so that it is mapped into memory: pages come
and go with the system's cache, and nobody decompresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.files import AnyPath, read_head, reading
from larvastats.io.hdf5 import attribute, own_member, refusing_damage

FORMAT = "larvastats generative sequences"
VERSION = 1
FOLDS = ("train", "validation", "test")
NAMES = ("actions", "genotypes", "stimuli", "assays", "larvae")

COLUMNS: dict[str, tuple[type[np.generic], int]] = {
    "length": (np.int32, 1), "action": (np.int16, 1), "genotype": (np.int32, 1),
    "stimulus": (np.int8, 1), "fold": (np.int8, 1), "weight": (np.float64, 1),
    "frame_action": (np.int8, 2), "origin": (np.float64, 2), "heading": (np.float64, 1),
    "body_length": (np.float64, 1), "dt": (np.float64, 1), "assay": (np.int32, 1),
    "larva": (np.int32, 1), "row": (np.int64, 1),
}  # fmt: skip
"""Kind and dimensions of every column."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """A training set; arrays as the module says, frames mapped into memory.

    Attributes
    ----------
    frames : ndarray
        (n, T, N) float32, or (n, T, 2048) uint8 of films.
    columns : dict of str to ndarray
        As :data:`COLUMNS`.
    names : dict of str to tuple of str
        Actions, genotypes, stimuli, assays, larvae.
    images : bool
    length_unit : str
    checksum : str
        SHA-256 over frames, labels and names.
    """

    frames: NDArray[Any]
    columns: dict[str, NDArray[Any]]
    names: dict[str, tuple[str, ...]]
    images: bool
    length_unit: str
    checksum: str

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.frames)

    @property
    def features(self) -> int:
        """Numbers per frame (bytes, for films)."""
        return int(self.frames.shape[2])

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions."""
        return self.names["actions"]

    @property
    def length(self) -> NDArray[np.int32]:
        """Frames that are there, shape (n,)."""
        return self.columns["length"]

    @property
    def action(self) -> NDArray[np.int16]:
        """Number of the majority action, shape (n,)."""
        return self.columns["action"]

    @property
    def genotype(self) -> NDArray[np.int32]:
        """Number of the genotype, shape (n,)."""
        return self.columns["genotype"]

    @property
    def stimulus(self) -> NDArray[np.int8]:
        """Number of the state of the stimulus, shape (n,)."""
        return self.columns["stimulus"]

    def fold(self, name: str) -> NDArray[np.int64]:
        """Rows of a fold.

        Raises
        ------
        DataError
            It is empty.
        """
        rows = np.flatnonzero(self.columns["fold"] == FOLDS.index(name))
        if not len(rows):
            raise DataError(f"expected sequences for the fold {name!r}, but there is none; draw "
                            "more, or give recordings of more assays.")  # fmt: skip
        return rows


def read_sequences(path: AnyPath) -> Sequences:
    """Open a training set.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is damaged, or no training set of this version.
    """
    read_head(path, 8)  # a missing or forbidden file gets its own sentence
    with reading(path), refusing_damage(path), h5py.File(path, "r", locking=False) as file:
        if attribute(file, "format") != FORMAT or attribute(file, "version") != VERSION:
            raise DataError(
                f"{path}: expected a training set of `larvastats generate train` of this version, "
                "but found something else; draw it anew from the index."
            )
        images = "images" in file
        frames = _mapped(path, file, "images" if images else "frames")
        columns = {}
        for name, (kind, ndim) in COLUMNS.items():
            data = own_member(path, file, name)
            if not isinstance(data, h5py.Dataset) or data.ndim != ndim or data.dtype != kind:
                raise ValueError(f"{name} is missing or of another kind")
            if len(data) != len(frames):
                raise ValueError(f"{name} has another number of rows")
            columns[name] = data[()]
        names = {name: read_names(path, file, name) for name in NAMES}
        unit, checksum = attribute(file, "length_unit"), attribute(file, "checksum")
    _check(path, frames, columns, names)
    return Sequences(frames, columns, names, images, str(unit), str(checksum))


def read_names(path: AnyPath, file: h5py.File, name: str) -> tuple[str, ...]:
    """Read texts of fixed length; raises ValueError where there are none."""
    data = own_member(path, file, name)
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype.kind != "S":
        raise ValueError(f"{name} are no names")
    return tuple(bytes(text).decode() for text in data[()])


def _mapped(path: AnyPath, file: h5py.File, name: str) -> NDArray[Any]:
    """Map a contiguous dataset into memory."""
    data = own_member(path, file, name)
    kind = np.uint8 if name == "images" else np.float32
    if not isinstance(data, h5py.Dataset) or data.ndim != 3 or data.dtype != kind or not data.size:
        raise ValueError(f"{name} are missing or of another kind")
    offset = data.id.get_offset()
    size = Path(path).stat().st_size
    if data.chunks is not None or offset is None or offset + data.nbytes > size:
        raise ValueError(f"{name} are not stored in one piece")
    return np.memmap(path, dtype=kind, mode="r", offset=offset, shape=data.shape)


def _check(
    path: AnyPath,
    frames: NDArray[Any],
    columns: dict[str, NDArray[Any]],
    names: dict[str, tuple[str, ...]],
) -> None:
    """Refuse numbers that point beyond what there is."""
    limits = {
        "length": (1, frames.shape[1]), "action": (0, len(names["actions"]) - 1),
        "genotype": (0, len(names["genotypes"]) - 1), "stimulus": (0, len(names["stimuli"]) - 1),
        "fold": (0, len(FOLDS) - 1), "assay": (0, len(names["assays"]) - 1),
        "larva": (0, len(names["larvae"]) - 1),
    }  # fmt: skip
    for name, (lowest, highest) in limits.items():
        values = columns[name]
        if values.min() < lowest or values.max() > highest:
            raise DataError(
                f"{path}: the training set is damaged: {name} lies outside {lowest} to {highest}; "
                "draw it anew from the index."
            )
