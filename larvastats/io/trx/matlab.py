"""MATLAB 7.3 files (HDF5), opened with care: only the fields asked for, nothing taken on trust.

A struct array is a group of fields; a field is an array of references, one per element, or, for a
struct of one element, the value itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.files import AnyPath, read_head, reading
from larvastats.io.hdf5 import (
    attribute,
    check_inside,
    check_stored,
    doubles,
    own_member,
    refusing_damage,
)

MAGIC = b"MATLAB 7.3 MAT-file"
OLD_MAGIC = b"MATLAB 5.0 MAT-file"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

MAX_ELEMENTS = 50_000
"""Most elements of a struct array; no plate holds that many larvae, however often they are lost."""

MAX_VALUES = 100_000_000
"""Most values read from one file; a damaged header may declare any size."""

MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct array of an open file.

    Attributes
    ----------
    path : path
    file : h5py.File
    group : h5py.Group
    size : int
        Number of elements.
    """

    path: AnyPath
    file: h5py.File
    group: h5py.Group
    size: int

    def __contains__(self, name: str) -> bool:
        """Whether there is such a field."""
        return self.group.get(name, getlink=True) is not None


def is_matlab73(path: AnyPath) -> bool:
    """Whether the first bytes are those of a MATLAB 7.3 file."""
    return read_head(path, len(MAGIC)) == MAGIC


@contextmanager
def open_struct(path: AnyPath, name: str, sized_by: str) -> Iterator[Struct]:
    """Open a struct array; every failure of the library inside the block becomes one sentence.

    Parameters
    ----------
    path : path
    name : str
        Variable in the file.
    sized_by : str
        Field that every element has; its shape says how many elements there are.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file is cut off, is no MATLAB 7.3 file, or lacks the variable or the field.
    """
    _check_kind(path)
    # no lock: the source may lie on a file system that is read only or knows none;
    # no cache: every chunk is read once, and that of each of thousands of fields is megabytes
    with (
        reading(path),
        refusing_damage(path),
        h5py.File(path, "r", locking=False, rdcc_nbytes=0) as file,
    ):
        group = own_member(path, file, name)
        if not isinstance(group, h5py.Group):
            found = ", ".join(sorted(key for key in file if key != "#refs#")[:8]) or "nothing"
            raise DataError(
                f"{path}: expected the struct array {name!r} of a tracker, but the file holds "
                f"{found}; give a trx.mat file."
            )
        yield Struct(path, file, group, _size(path, group, name, sized_by))


def _check_kind(path: AnyPath) -> None:
    head = read_head(path, len(MAGIC))
    if head == MAGIC or head.startswith(HDF5_MAGIC):
        return
    if head == OLD_MAGIC:
        raise DataError(
            f"{path}: expected a MATLAB 7.3 file, but this one is of version 5; save it in MATLAB "
            "with save(..., '-v7.3')."
        )
    found = "it is empty" if not head else f"it begins with {head[:12]!r}"
    raise DataError(f"{path}: expected a MATLAB 7.3 file, but {found}; give a trx.mat file.")


def _size(path: AnyPath, group: h5py.Group, name: str, sized_by: str) -> int:
    field = own_member(path, group, sized_by)
    if not isinstance(field, h5py.Dataset):
        found = ", ".join(sorted(group)[:12]) or "nothing"
        raise DataError(
            f"{path}: expected the field {sized_by!r} in {name!r}, but found {found}; without "
            "it the recording cannot be placed in time."
        )
    if not _is_references(field):
        return 1
    if not 0 < (field.size or 0) <= MAX_ELEMENTS or max(field.shape) != field.size:
        raise DataError(
            f"{path}: expected a row of larvae in field {sized_by!r}, but its shape is "
            f"{field.shape}; the file is damaged or not a tracker's."
        )
    return int(field.size)


def _is_references(field: h5py.Dataset) -> bool:
    return h5py.check_ref_dtype(field.dtype) is h5py.Reference


def cells(struct: Struct, name: str, elements: Sequence[int] | None = None) -> list[h5py.Dataset]:
    """Return the values of a field, one unread dataset per element.

    Parameters
    ----------
    struct : Struct
    name : str
    elements : sequence of int, optional
        Positions of the elements wanted; by default all.

    Raises
    ------
    DataError
        The field is no dataset, has another number of elements, or a reference leads nowhere.
    """
    field = own_member(struct.path, struct.group, name)
    if not isinstance(field, h5py.Dataset):
        raise DataError(
            f"{struct.path}: expected values in field {name!r}, but found a struct; the file is "
            "not a tracker's."
        )
    if not _is_references(field):
        if struct.size != 1:
            raise DataError(
                f"{struct.path}: expected {struct.size} references in field {name!r}, but found "
                f"values of shape {field.shape}; the file is damaged or not a tracker's."
            )
        return [field] if elements is None else [field for _ in elements]
    if field.size != struct.size:
        raise DataError(
            f"{struct.path}: expected {struct.size} references in field {name!r}, one per larva, "
            f"but found {field.size}; the file is damaged."
        )
    check_stored(struct.path, name, field)
    references = field[()].ravel()
    wanted = range(struct.size) if elements is None else elements
    return [_target(struct, name, references[element]) for element in wanted]


def _target(struct: Struct, name: str, reference: h5py.Reference) -> h5py.Dataset:
    try:
        target = struct.file[reference] if reference else None
    except (LookupError, OSError, RuntimeError, ValueError):
        target = None
    if not isinstance(target, h5py.Dataset):
        raise DataError(
            f"{struct.path}: a reference of field {name!r} leads nowhere; the file is damaged: "
            "copy it again from its origin."
        )
    check_inside(struct.path, name, target)
    return target


def is_empty(struct: Struct, cell: h5py.Dataset) -> bool:
    """Whether MATLAB stored an empty array, whose dataset holds its shape instead."""
    return cell.size in (0, None) or bool(attribute(cell, "MATLAB_empty"))


def read_series(struct: Struct, name: str, cell: h5py.Dataset) -> NDArray[np.float64]:
    """Read a series or scalar, shape (time,).

    Raises
    ------
    DataError
        Not numbers, not one-dimensional, or longer than any recording.
    """
    if is_empty(struct, cell):
        return np.zeros(0)
    if cell.dtype.kind not in "fiu":
        raise DataError(
            f"{struct.path}: expected numbers in field {name!r}, but found values of type "
            f"{cell.dtype}; the file is damaged or not a tracker's."
        )
    if cell.size > MAX_VALUES or max(cell.shape, default=1) != cell.size:
        raise DataError(
            f"{struct.path}: expected a series in field {name!r}, but its shape is {cell.shape}; "
            "the file is damaged or not a tracker's."
        )
    check_stored(struct.path, name, cell)
    return doubles(cell[()]).ravel()


def all_series(
    struct: Struct,
    name: str,
    length: Sequence[int] | None = None,
    elements: Sequence[int] | None = None,
) -> list[NDArray[np.float64]]:
    """Read the series of several elements.

    Parameters
    ----------
    struct : Struct
    name : str
    length : sequence of int, optional
        Values that the series of every element has to have.
    elements : sequence of int, optional
        Positions of the elements wanted; by default all.

    Raises
    ------
    DataError
        As :func:`cells` and :func:`read_series`; another length, or more values altogether than any
        recording has.
    """
    wanted = range(struct.size) if elements is None else elements
    found, total = [], 0
    for position, cell in enumerate(cells(struct, name, elements)):
        total += cell.size or 0
        if total > MAX_VALUES:
            raise DataError(
                f"{struct.path}: field {name!r} declares more than {MAX_VALUES:,} values, "
                "more than any recording has; the file is damaged."
            )
        series = read_series(struct, name, cell)
        if length is not None and len(series) != length[position]:
            raise DataError(
                f"{struct.path}: expected {length[position]} values in field {name!r} of larva "
                f"number {wanted[position] + 1}, one per time, but found {len(series)}; the file "
                "is damaged."
            )
        found.append(series)
    return found


def read_points(
    struct: Struct, name: str, cell: h5py.Dataset, n_frames: int
) -> NDArray[np.float64]:
    """Read one coordinate of several points over time, shape (point, frame).

    Raises
    ------
    DataError
        Not numbers, not such a matrix, of another number of frames, or beyond any recording.
    """
    if cell.dtype.kind not in "fiu":
        raise DataError(
            f"{struct.path}: expected numbers in field {name!r}, but found values of type "
            f"{cell.dtype}; the file is damaged or not a tracker's."
        )
    shape: tuple[int, ...] = cell.shape or ()
    fits = len(shape) == 2 and shape[1] == n_frames and shape[0] > 0 and not is_empty(struct, cell)
    if not fits or cell.size > MAX_VALUES:
        raise DataError(
            f"{struct.path}: expected a matrix (point, frame) with {n_frames} frames in field "
            f"{name!r}, but its shape is {shape}; the file is damaged or not a tracker's."
        )
    check_stored(struct.path, name, cell)
    return doubles(cell[()])


def read_text(struct: Struct, name: str, cell: h5py.Dataset) -> str:
    """Read a text (UTF-16 code units, as MATLAB stores it) or a number as text.

    Raises
    ------
    DataError
        Neither text nor a number, or far too long.
    """
    if is_empty(struct, cell):
        return ""
    if cell.size > MAX_TEXT:
        raise DataError(
            f"{struct.path}: expected a text in field {name!r}, but found an array of shape "
            f"{cell.shape}; the file is damaged or not a tracker's."
        )
    if cell.dtype.kind == "O":  # MATLAB writes none; larvastats.io.hdf5 says why they stay unread
        raise _no_text(struct, name, str(cell.dtype))
    check_stored(struct.path, name, cell)
    values = np.asarray(cell[()]).ravel()
    if values.dtype == np.uint16:
        return values.astype("<u2").tobytes().decode("utf-16-le", "replace").strip("\0 \t\r\n")
    if values.dtype.kind in "fiu" and values.size == 1:
        return f"{float(values[0]):.15g}"
    if values.dtype.kind == "S" and values.size == 1:
        return bytes(values[0]).decode("utf-8", "replace").strip()
    raise _no_text(struct, name, str(values.dtype))


def _no_text(struct: Struct, name: str, kind: str) -> DataError:
    return DataError(
        f"{struct.path}: expected a text in field {name!r}, but found values of type {kind}; the "
        "file is damaged or not a tracker's."
    )
