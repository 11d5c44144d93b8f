"""All files of a result or none: written aside, forced to disk, renamed into place.

Every file is first written whole into a hidden directory inside the target (the same file system,
so that a rename moves it), forced to disk, and only then moved into place by one rename each,
``provenance.json`` last. Files of an earlier result that the new one lacks are removed, so that a
directory never mixes two results.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from larvastats import __version__
from larvastats.errors import DataError, UsageError
from larvastats.export.documents import jsonable, write_json

PROVENANCE = "provenance.json"
LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow")
CARRIED = ("alpha", "states", "verdict")
"""Fields of a result that no table holds, and that whoever reads its files needs."""

_STAGING = ".larvastats-"


def check_writable(directory: str | os.PathLike[str]) -> None:
    """Refuse a directory that cannot be written, before a long computation starts.

    Raises
    ------
    UsageError
    """
    directory = Path(directory)
    ancestor = directory.absolute()
    try:
        while not ancestor.exists():
            ancestor = ancestor.parent
        if not ancestor.is_dir():
            raise NotADirectoryError(f"{ancestor} is a file")
        os.rmdir(tempfile.mkdtemp(prefix=_STAGING, dir=ancestor))
    except OSError as error:
        raise UsageError(
            f"cannot write into {directory} ({error.strerror or error}); expected a directory "
            "with permission to write: choose another one with --out."
        ) from error


@contextmanager
def staged(
    directory: str | os.PathLike[str], result: Any, command: str | None
) -> Iterator[tuple[Path, list[Path]]]:
    """Yield a hidden directory to fill, and a list of the files that it will have become.

    On success its files appear in `directory`, on failure none of them does.
    """
    check_writable(directory)
    target, moved = Path(directory), list[Path]()
    made = _missing_parents(target)
    stage: Path | None = None
    try:
        target.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=_STAGING, dir=target))
        yield stage, moved
        written = sorted(stage.iterdir(), key=_order)
        write_json(provenance(result, command, written), stage / PROVENANCE)
        moved += _move([*written, stage / PROVENANCE], target)
    except OSError as error:
        raise _not_written(target, error) from error
    except DataError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise _not_written(target, error.__cause__) from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
        for path in made:  # those left empty by a failure; others stay
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _order(path: Path) -> tuple[bool, int, str]:
    """Tables by name, then pictures as they were drawn: tables may be written in one tick."""
    picture = path.suffix in (".png", ".svg")
    return picture, path.stat().st_mtime_ns if picture else 0, path.name


def _not_written(target: Path, error: OSError) -> DataError:
    return DataError(
        f"the results could not be written into {target} ({error.strerror or error}); files that "
        "were there before are as they were: free some room, or choose another directory with "
        "--out."
    )


def _missing_parents(target: Path) -> list[Path]:
    """Return the directories that writing will make, deepest first."""
    target = target.absolute()
    return [path for path in (target, *target.parents) if not path.exists()]


def _move(files: Sequence[Path], target: Path) -> list[Path]:
    """Force files to disk, then rename each into place; remove what an earlier result left."""
    for path in files:
        _force_to_disk(path)
        if (target / path.name).is_dir():
            raise IsADirectoryError(f"{target / path.name} is a directory")
    earlier = _earlier_files(target)
    moved = []
    for path in files:
        os.replace(path, target / path.name)
        moved.append(target / path.name)
    for name in earlier - {path.name for path in files}:
        (target / name).unlink(missing_ok=True)
    _force_to_disk(target)
    return moved


def _force_to_disk(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no directories
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _earlier_files(target: Path) -> set[str]:
    """Names of files that an earlier result put into `target`; empty if it says nothing."""
    try:
        earlier = json.loads((target / PROVENANCE).read_text(encoding="utf-8"))
        names = set(earlier["files"]) if "larvastats" in earlier else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {n for n in names if isinstance(n, str) and Path(n).name == n and n not in (".", "..")}


def provenance(result: Any, command: str | None, files: Sequence[Path]) -> dict[str, Any]:
    """Return how a result came about: versions, command, seed, data, design, checksums."""
    out: dict[str, Any] = {
        "larvastats": __version__,
        "result": type(result).__name__,
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "command": command,
        "seed": getattr(result, "seed", None),
    }
    out |= {n: jsonable(getattr(result, n)) for n in CARRIED if hasattr(result, n)}
    out |= jsonable(dict(getattr(result, "provenance", {})))
    out["design"] = jsonable(dict(result.design))
    out["notes"] = list(result.notes)
    calibration = getattr(result, "calibration", None)
    if calibration is not None:
        out["calibration"] = calibration.verdict
    out["files"] = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)
    }
    return out
