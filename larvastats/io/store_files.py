"""Files of a store: where they lie, how they are written whole, and who may write them.

A store is a directory::

    store.json               says that this is a store, of which layout
    assays.parquet           index, one row per assay (see :mod:`larvastats.io.store_index`)
    bouts/<assay>-<sum>.parquet   bouts of one assay; the name holds a checksum of the content
    tracks/<assay>-<sum>.h5       its shapes, where they are kept
    .pending-*/              verdicts of an ingest that has not ended, one file per recording
    .lock                    held by the process that ingests; the system frees it when that dies

Files of an assay never change under their name: the index, replaced by one rename, decides which of
them count, and what no index names is removed by the next ingest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.io.files import AnyPath, read_head
from larvastats.io.paths import printable_path

INDEX = "assays.parquet"
BOUTS = "bouts"
TRACKS = "tracks"
MARK = "store.json"
LAYOUT_VERSION = 4

_LOCK = ".lock"
_PENDING = ".pending-"
_PART = ".part"
_FORMAT = "larvastats store"
_ENDING = {BOUTS: "parquet", TRACKS: "h5"}
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME = 120
_PART_NAME = r"[A-Za-z0-9_.-]+-[0-9a-f]+"
_SUM_DIGITS = 16


def is_store(path: AnyPath) -> bool:
    """Whether a directory is a store, of whatever version, or one that has lost its mark."""
    mark = _mark(Path(path))
    if isinstance(mark, dict) and mark.get("format") == _FORMAT:
        return True
    return os.path.isfile(Path(path, INDEX)) and os.path.isdir(Path(path, BOUTS))


def _mark(store: Path) -> Any:
    """Content of the file that marks a store; None where it is missing or damaged."""
    try:
        return json.loads(read_head(store / MARK))
    except (LarvastatsError, ValueError, RecursionError):
        return None


def check_version(store: Path) -> None:
    """Refuse a store that a later larvastats made, and one whose mark is damaged.

    Raises
    ------
    UsageError
        No library could open its files, for its path is not UTF-8.
    DataError
    """
    _check_path(store)
    mark = _mark(store)
    if not isinstance(mark, dict) or mark.get("format") != _FORMAT:
        raise DataError(
            f"{store}: the store is damaged: its {MARK} is missing or unreadable; restore it from "
            "a copy, or ingest the recordings into a new store."
        )
    version = mark.get("version")
    if version != LAYOUT_VERSION:
        raise DataError(
            f"{store}: expected a store of version {LAYOUT_VERSION}, but it is of version "
            f"{version!r}; use the larvastats that made it, or ingest the recordings anew."
        )


def _check_path(store: Path) -> None:
    """Refuse a path that pyarrow cannot take."""
    if printable_path(store) != str(store):
        raise UsageError(
            f"{printable_path(store)}: expected a path in UTF-8 for the store, but it holds other "
            "bytes; choose a folder whose name is text."
        )


def make_store(store: Path) -> None:
    """Make a store, unless there is one.

    Raises
    ------
    UsageError
        The directory holds something else, or its path is not UTF-8.
    DataError
        It cannot be written, or its version is another.
    """
    _check_path(store)
    if is_store(store):
        check_version(store)
        return
    if store.exists() and not store.is_dir():
        raise UsageError(f"{store}: expected a directory for the store, but found a file.")
    if store.is_dir():
        others = sorted(p.name for p in store.iterdir() if not p.name.startswith("."))
        if others:
            raise UsageError(
                f"{store}: expected a store, or a directory that is new or empty, but it holds "
                f"{others[0]!r}; choose another directory."
            )
    with writing(store):
        store.mkdir(parents=True, exist_ok=True)
    mark = {"format": _FORMAT, "version": LAYOUT_VERSION}
    write_file(store / MARK, (json.dumps(mark, indent=2) + "\n").encode())


# -- writing ---------------------------------------------------------------------------------------


@contextmanager
def writing(place: AnyPath) -> Iterator[None]:
    """Turn a failure to write into a sentence.

    Raises
    ------
    DataError
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{place}: the store cannot be written ({error.strerror or error}); free space, or "
            "choose a folder that you may write to. What the store held before is as it was, and "
            "the same command goes on from here."
        ) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file under another name, force it to disk, and rename it; all of it or nothing.

    Raises
    ------
    DataError
        As :func:`writing`.
    """
    with writing(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=_PART)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise


def write_part(store: Path, folder: str, assay: str, content: bytes) -> tuple[str, str]:
    """Write what is kept of an assay.

    Parameters
    ----------
    store : Path
    folder : {'bouts', 'tracks'}
    assay : str
    content : bytes

    Returns
    -------
    name : str
        Relative to the store; made of the assay's id and the checksum.
    checksum : str
        SHA-256 of the content.
    """
    checksum = hashlib.sha256(content).hexdigest()
    name = f"{folder}/{safe_name(assay)}-{checksum[:_SUM_DIGITS]}.{_ENDING[folder]}"
    path = store / name
    if not _has_size(path, len(content)):
        write_file(path, content)
    return name, checksum


def safe_name(assay: str) -> str:
    """Return a file name that resembles an assay's id; different ids may share one."""
    return _UNSAFE.sub("_", assay).strip("._-")[:_LONGEST_NAME] or "assay"


def holds(store: Path, name: str, size: int) -> bool:
    """Whether the store has a file of an assay of that size."""
    folder = name.partition("/")[0]
    return folder in _ENDING and is_part(folder, name) and _has_size(store / name, size)


def is_part(folder: str, name: str) -> bool:
    """Whether a name of the index is that of a file of an assay in this folder of the store."""
    return re.fullmatch(rf"{folder}/{_PART_NAME}\.{_ENDING[folder]}", name) is not None


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


# -- one ingest at a time --------------------------------------------------------------------------


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock of a store.

    The system frees the lock with the process that holds it, however that ends.

    Raises
    ------
    DataError
        Another process holds it, or the store cannot be written.
    """
    with writing(store):
        handle = os.open(store / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                f"{store}: another ingest is writing this store; wait until it has ended, or "
                "choose another store."
            ) from error
        except OSError as error:
            raise DataError(
                f"{store}: its file system cannot lock files ({error.strerror or error}); choose "
                "a store on another one."
            ) from error
        yield
    finally:
        os.close(handle)


def new_pending(store: Path) -> Path:
    """Make a directory for the verdicts of this ingest.

    Its name is new each time, so that a process left over from an earlier ingest writes nothing.
    """
    with writing(store):
        for folder in _ENDING:
            (store / folder).mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=_PENDING, dir=store))


def pending(store: Path) -> list[Path]:
    """Directories of verdicts that no index holds yet."""
    return sorted(store.glob(f"{_PENDING}*"))


def tidy_up(store: Path, keep: Collection[str]) -> None:
    """Remove verdicts, unfinished files, and files of assays that no index names; nothing else."""
    names = set(keep)
    with writing(store):
        for verdicts in pending(store):
            shutil.rmtree(verdicts)
        for path in store.glob(f".*{_PART}"):
            path.unlink()
        for folder in filter(lambda name: (store / name).is_dir(), _ENDING):
            for entry in list(os.scandir(store / folder)):
                name = f"{folder}/{entry.name}"
                own = is_part(folder, name) or entry.name.endswith(_PART)
                if own and name not in names and not entry.is_dir():
                    os.unlink(entry.path)
