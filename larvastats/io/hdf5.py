"""HDF5 opened with care: nothing that leads out of a file, nothing that is declared but not stored.

What h5py raises on damaged files becomes one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.files import AnyPath

MAX_PACKING = 1100
"""Most bytes that a stored one may stand for; deflate does not reach it."""

_SMALL = 1 << 20  # bytes that may be declared without being stored


@contextmanager
def refusing_damage(path: AnyPath) -> Iterator[None]:
    """Catch what h5py raises on damaged files: nearly any kind of error, by experience."""
    try:
        yield
    except (
        ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError,
        ValueError, SystemError,
    ) as error:  # fmt: skip
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _damaged(path, message) from error
    except OSError as error:
        if error.errno is not None:
            raise  # the operating system's: no permission, no such file
        raise _damaged(path, str(error).splitlines()[0] if str(error) else "no reason") from error


def _damaged(path: AnyPath, message: str) -> DataError:
    return DataError(
        f"{path}: the file is damaged or cut off, and its content cannot be read ({message}); copy "
        "it again from its origin."
    )


def own_member(path: AnyPath, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Member of a group, as long as it lies in this file; None where there is none.

    Neither MATLAB nor a store has other links; one that leads out could open any file of the
    machine, or a pipe that never ends.

    Raises
    ------
    DataError
        It is a link, or a dataset whose values lie in other files.
    """
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise DataError(
            f"{path}: expected {name!r} in the file itself, but found a link; the file is not a "
            "tracker's."
        )
    member = group[name]
    if isinstance(member, h5py.Dataset):
        check_inside(path, name, member)
    return member


def check_inside(path: AnyPath, name: str, cell: h5py.Dataset) -> None:
    """Refuse a dataset whose values lie in other files."""
    layout = cell.id.get_create_plist()
    if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
        raise DataError(
            f"{path}: expected the values of field {name!r} in the file itself, but they lie in "
            "other files; the file is not a tracker's."
        )


def check_stored(path: AnyPath, name: str, cell: h5py.Dataset) -> None:
    """Refuse a dataset that declares far more than is stored."""
    declared = (cell.size or 0) * cell.dtype.itemsize
    chunk = int(np.prod(cell.chunks or 0, dtype=np.float64)) * cell.dtype.itemsize
    if max(declared, chunk) > max(_SMALL, MAX_PACKING * cell.id.get_storage_size()):
        raise DataError(
            f"{path}: field {name!r} declares {cell.size:,} values, but the file holds next to "
            "none of them; it is damaged or cut off: copy it again from its origin."
        )


def doubles(values: Any) -> NDArray[np.float64]:
    """Return numbers of any kind as float64: what is too large becomes infinite, silently."""
    with np.errstate(over="ignore", invalid="ignore"):  # invalid: NaN that signal
        return np.asarray(values, dtype=np.float64)


# -- texts -----------------------------------------------------------------------------------------

# Texts of variable length are read nowhere: they lie in heaps, and where one of those is damaged,
# libhdf5 may walk through it for ever, or make room for gigabytes.


def attribute(owner: h5py.Group | h5py.Dataset, name: str) -> str | float | None:
    """Text of fixed length, or number, of an attribute; None where there is none.

    Raises
    ------
    ValueError
        It is something else.
    """
    if not h5py.h5a.exists(owner.id, name.encode()):
        return None
    data = h5py.h5a.open(owner.id, name.encode())
    if data.shape is None or int(np.prod(data.shape)) != 1 or data.dtype.kind not in "Siuf":
        raise ValueError(f"attribute {name} is neither text nor number")
    value = np.asarray(owner.attrs[name]).ravel()[0]
    return value.decode() if isinstance(value, bytes) else float(value)


def write_attribute(owner: h5py.Group | h5py.Dataset, name: str, text: str) -> None:
    """Write a text of fixed length, which :func:`attribute` reads."""
    encoded = text.encode()
    owner.attrs.create(name, encoded, dtype=_text_of(len(encoded)))


def write_texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    """Write texts of one fixed length, UTF-8, as a dataset; shape (text,)."""
    encoded = [text.encode() for text in texts]
    kind = _text_of(max(map(len, encoded), default=0))
    file.create_dataset(name, data=np.array(encoded, dtype=kind), dtype=kind)


def _text_of(n_bytes: int) -> np.dtype[np.bytes_]:
    return h5py.string_dtype("utf-8", n_bytes or 1)
