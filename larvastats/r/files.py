"""Questions and answers in files, for R sessions in which Python is not the host.

A folder holds ``request.json`` and, after it, ``answer.json``; long arrays are files of bare
numbers beside them, so that a table of a million rows crosses exactly and at the speed of a disk.
Objects that R keeps a handle on are pickled into the folder that the request names, which is R's
own temporary one and goes with the session. Loading a pickle runs what it holds, and a handle may
come with the workspace of somebody else: only files of that folder, and of this user, are loaded.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from larvastats.errors import DataError, UsageError
from larvastats.r.columns import NA_REAL, quiet
from larvastats.r.parts import GONE, Handle
from larvastats.r.requests import answer, failure

R_FILE = Path(__file__).with_name("larvastats.R")
"""What R users source."""

REQUEST, ANSWER = "request.json", "answer.json"
_TYPES: dict[str, Any] = {"double": np.float64, "integer": np.int32}


def answer_folder(folder: Path) -> None:
    """Answer the request in a folder.

    Raises
    ------
    UsageError
        There is no request.
    """
    try:
        asked = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} holds no request of R; this option is for larvastats.R: source that file "
            "in R (larvastats r --file says where it is)."
        ) from error
    keep = Path(asked.pop("keep"))
    try:
        found = answer(_read(asked, folder, keep))
    except Exception as error:
        found = failure(error)
    text = json.dumps(_Writer(folder, keep).plain(found), ensure_ascii=False, allow_nan=False)
    part = folder / f"{ANSWER}.part"
    part.write_text(text, encoding="utf-8")
    os.replace(part, folder / ANSWER)


def _read(part: Any, folder: Path, keep: Path) -> Any:
    if isinstance(part, list):
        return [_read(p, folder, keep) for p in part]
    if not isinstance(part, Mapping):
        return part
    if ".bin" in part:
        return quiet(np.fromfile(folder / part[".bin"], dtype=_TYPES[part["type"]]))
    if ".handle" in part:
        return Handle(_load(part[".handle"], keep))
    if ".numbers" in part:  # one number, with all its digits
        return None if part[".numbers"] == "NA" else float(part[".numbers"])
    return {name: _read(p, folder, keep) for name, p in part.items()}


def _load(path: Any, keep: Path) -> Any:
    """Load an object that this session has kept; any other file is left alone."""
    own = keep.resolve() / Path(str(path)).name
    if Path(str(path)).resolve() != own or own.is_symlink():
        raise DataError(GONE)
    try:
        with open(own, "rb") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid != os.getuid():
                raise DataError(GONE)
            return pickle.load(file)
    except (OSError, EOFError, pickle.UnpicklingError, TypeError) as error:
        raise DataError(GONE) from error


class _Writer:
    """Turns plain parts into what JSON holds, and long arrays and objects into files."""

    def __init__(self, folder: Path, keep: Path) -> None:
        self.folder, self.keep, self.arrays = folder, keep, 0

    def plain(self, part: Any) -> Any:
        """Return a part as JSON takes it."""
        if isinstance(part, np.ndarray):
            return self._array(part)
        if isinstance(part, Handle):
            return self._kept(part.value)
        if isinstance(part, Mapping):
            return {name: self.plain(p) for name, p in part.items()}
        if isinstance(part, list | tuple):
            return [self.plain(p) for p in part]
        if isinstance(part, float) and not math.isfinite(part):
            return self._array(np.array([part]))
        return part

    def _array(self, values: np.ndarray) -> dict[str, Any]:
        name, self.arrays = f"answer{self.arrays}.bin", self.arrays + 1
        if values.dtype == np.float64:
            bits = values.view(np.uint64).copy()
            bits[np.isnan(values)] = NA_REAL
            bits.tofile(self.folder / name)
            return {".bin": name, "type": "double", "n": len(values)}
        values.astype(np.int32, copy=False).tofile(self.folder / name)
        return {".bin": name, "type": "integer", "n": len(values)}

    def _kept(self, value: Any) -> dict[str, Any] | None:
        handle, path = tempfile.mkstemp(".pickle", dir=self.keep)
        try:
            with os.fdopen(handle, "wb") as file:
                pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError):
            os.unlink(path)
            return None
        return {".handle": path}
