"""Checksums of sources, so that a result can say which data it came from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.files import sha256
from larvastats.io.paths import walk_database
from larvastats.io.store import is_store, store_checksum


def checksum(source: Any) -> str:
    """Return the SHA-256 of a source, in hexadecimal digits.

    Of a file, its bytes; of a directory, the relative paths and the bytes of all its visible
    files, in sorted order, so that it depends neither on where the directory lies nor on the
    order in which the system lists it; of a store, the checksums in its index; of an ethogram or
    a DataFrame, its values.

    Parameters
    ----------
    source : Ethogram, DataFrame or path

    Raises
    ------
    UsageError
        No such file, or no source at all.
    DataError
        A file that cannot be read.
    """
    if isinstance(source, Ethogram):
        return _of_ethogram(source)
    if isinstance(source, pd.DataFrame):
        return _of_tables(source)
    if not isinstance(source, str | Path):
        raise UsageError(f"There is no checksum of a {type(source).__name__}.")
    root = Path(source)
    if not os.path.isdir(root):
        return sha256(root)
    if is_store(root):
        return store_checksum(root)
    digest = hashlib.sha256()
    for path in walk_database(root):
        digest.update(os.fsencode(path.relative_to(root).as_posix()))  # it need not be UTF-8
        digest.update(f"\0{sha256(path)}\n".encode())
    return digest.hexdigest()


def _of_ethogram(ethogram: Ethogram) -> str:
    digest = hashlib.sha256("\0".join(ethogram.states).encode())
    for array in (ethogram.larva_index, ethogram.state, ethogram.t_start, ethogram.t_stop):
        digest.update(np.ascontiguousarray(array).tobytes())
    larvae = ethogram.larvae[["larva", "assay_index"]]
    digest.update(_of_tables(larvae, ethogram.assays).encode())
    return digest.hexdigest()


def _of_tables(*tables: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for table in tables:
        digest.update("\0".join(map(str, table.columns)).encode())
        rows = pd.util.hash_pandas_object(table, index=False)
        digest.update(rows.to_numpy().tobytes())
    return digest.hexdigest()
