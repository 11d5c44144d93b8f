"""Results as files, all of them or none: a full disk leaves what was there before.

Every file is first written whole into a hidden directory inside the target (the same file system,
so that a rename moves it), forced to disk, and only then moved into place by one rename each,
``provenance.json`` last. Files of an earlier result that the new one lacks are removed, so that a
directory never mixes two results.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from larvastats import __version__
from larvastats.errors import DataError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from larvastats.ethogram import Ethogram
    from larvastats.results import HTest, ScreenResult, TransitionsResult

PROVENANCE = "provenance.json"
BEST = 3
"""Lines of a screen whose matrices are drawn."""

MOST_PICTURES = 12
"""Genotypes whose matrices `write_transitions` draws; the table holds them all."""

DOCUMENTED = (
    "source", "totals", "protocols", "dates", "design", "notes", "seed", "provenance",
)  # fmt: skip

LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow")
_STAGING = ".larvastats-"


def write_screen(
    result: ScreenResult,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    ethogram: Ethogram | None = None,
    command: str | None = None,
) -> list[Path]:
    """Write a screen: tables, provenance and pictures.

    ``screen.parquet`` and ``screen.csv`` (one row per line, best first), ``transitions.parquet``,
    ``windows.parquet`` and ``.csv`` (if several windows were tested), ``calibration.csv`` (if the
    screen was calibrated), ``provenance.json``; ``ranking``, ``volcano``, ``windows`` (if several),
    ``matrices_<genotype>`` of the best lines, ``raster`` and ``calibration``, each as png and svg.

    Parameters
    ----------
    result : ScreenResult
    directory : path
        Made if need be.
    figures : bool
        Whether to draw the pictures.
    ethogram : Ethogram, optional
        The recordings of the screen's protocol: without them there is no raster.
    command : str, optional
        The command line, for the provenance.

    Returns
    -------
    list of Path
        The files, in the order of writing.

    Raises
    ------
    UsageError
        `directory` cannot be written.
    DataError
        The disk is full or fails; the files that were there before are as they were.
    """
    with staged(directory, result, command) as (stage, files):
        result.table.to_parquet(stage / "screen.parquet", index=False)
        _csv(result.table, stage / "screen.csv")
        result.transitions.to_parquet(stage / "transitions.parquet", index=False)
        if result.windows is not None:
            result.windows.to_parquet(stage / "windows.parquet", index=False)
            _csv(result.windows, stage / "windows.csv")
        if result.calibration is not None:
            _csv(result.calibration.tidy(), stage / "calibration.csv")
        if figures:
            best = [str(g) for g in result.table["genotype"].iloc[:BEST]]
            _draw(result.plot("ranking"), stage / "ranking")
            _draw(result.plot("volcano"), stage / "volcano")
            if result.windows is not None:
                _draw(result.plot("windows"), stage / "windows")
            for genotype in _drawable(best, result.transitions):
                figure = result.plot("matrices", genotype=genotype)
                _draw(figure, stage / f"matrices_{file_name(genotype)}")
            if ethogram is not None:
                _draw(_raster(result, ethogram, best), stage / "raster")
            if result.calibration is not None:
                _draw(result.calibration.plot(), stage / "calibration")
    return files


def write_test(
    result: HTest,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    command: str | None = None,
) -> list[Path]:
    """Write one comparison.

    ``compare.csv`` (the tidy row), ``compare.json`` (everything), ``units.csv``,
    ``transitions.parquet`` and ``.csv``, ``provenance.json`` and ``matrices`` as png and svg.

    Parameters, returns and errors as in :func:`write_screen`.
    """
    with staged(directory, result, command) as (stage, files):
        _csv(result.tidy(), stage / "compare.csv")
        write_json(document(result), stage / "compare.json")
        _csv(result.augment(), stage / "units.csv")
        if not result.transitions.empty:
            result.transitions.to_parquet(stage / "transitions.parquet", index=False)
            _csv(result.transitions, stage / "transitions.csv")
            if figures:
                _draw(result.plot(), stage / "matrices")
    return files


def write_transitions(
    result: TransitionsResult,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    command: str | None = None,
) -> list[Path]:
    """Write transition matrices.

    ``transitions.parquet`` and ``.csv``, ``provenance.json`` and, of the first twelve genotypes,
    ``matrices_<genotype>`` and (by window) ``courses_<genotype>`` as png and svg.

    Parameters, returns and errors as in :func:`write_screen`.
    """
    with staged(directory, result, command) as (stage, files):
        result.table.to_parquet(stage / "transitions.parquet", index=False)
        _csv(result.table, stage / "transitions.csv")
        names = [str(g) for g in result.table["genotype"].unique()]
        for genotype in names[: MOST_PICTURES if figures else 0]:
            _draw(result.plot(genotype=genotype), stage / f"matrices_{file_name(genotype)}")
            if result.design.get("by"):
                figure = result.plot(genotype=genotype, kind="courses")
                _draw(figure, stage / f"courses_{file_name(genotype)}")
    return files


def write_tables(
    result: Any,
    directory: str | os.PathLike[str],
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, Callable[[], Figure]],
    *,
    command: str | None = None,
) -> list[Path]:
    """Write any result: each table as csv and parquet, each picture as png and svg, provenance.

    Parameters
    ----------
    result : result
        For the provenance.
    directory : path
    tables, pictures : mapping
        By name of the file, without ending.
    command : str, optional

    Returns and errors as in :func:`write_screen`.
    """
    with staged(directory, result, command) as (stage, files):
        for name, table in tables.items():
            table.to_parquet(stage / f"{name}.parquet", index=False)
            _csv(table, stage / f"{name}.csv")
        for name, draw in pictures.items():
            _draw(draw(), stage / name)
    return files


def document(result: Any) -> dict[str, Any]:
    """Return a result as plain dictionaries and lists: what ``--json`` prints.

    ``tidy`` (records), ``glance``, ``design``, ``notes``, ``seed``, ``provenance``, and what a
    ``SourceInfo`` has instead: ``source``, ``totals``, ``protocols``, ``dates``. A missing number
    is None.
    """
    out: dict[str, Any] = {"larvastats": __version__, "result": type(result).__name__}
    out["tidy"] = jsonable(result.tidy())
    out["glance"] = jsonable(result.glance())[0]
    for name in DOCUMENTED:
        if hasattr(result, name):
            out[name] = jsonable(getattr(result, name))
    calibration = getattr(result, "calibration", None)
    if calibration is not None:
        out["calibration"] = document(calibration) | {"verdict": calibration.verdict}
    return out


def jsonable(value: Any) -> Any:
    """Turn a value into what JSON can hold: tables into records, NaN and NA into None.

    An infinite number becomes the text ``Infinity`` or ``-Infinity``, which Python's ``float``, R's
    ``as.numeric`` and JavaScript's ``Number`` read.

    Raises
    ------
    TypeError
        A value of a kind that has no counterpart.
    """
    if isinstance(value, pd.DataFrame):
        names = [str(name) for name in value.columns]
        rows = value.itertuples(index=False, name=None)
        return [dict(zip(names, map(jsonable, row), strict=True)) for row in rows]
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return jsonable(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(part) for part in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return _json_number(value)
    if isinstance(value, bool | int | str):
        return value
    raise TypeError(f"a value of type {type(value).__name__} has no counterpart in JSON")


def _json_number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def write_json(value: Any, path: Path) -> None:
    """Write plain values as indented JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def file_name(genotype: str) -> str:
    """Turn a genotype into a part of a file name that every system takes."""
    return "".join(c if c.isalnum() or c in "@._-+" else "_" for c in genotype)


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
        written = sorted(stage.iterdir(), key=lambda path: path.stat().st_mtime_ns)
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
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "command": command,
        "seed": getattr(result, "seed", None),
    }
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


def _csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _draw(figure: Figure, stem: Path) -> None:
    from larvastats.plot.save import save_figure

    save_figure(figure, stem)


def _drawable(names: Sequence[str], transitions: pd.DataFrame) -> list[str]:
    """Those of the genotypes that have matrices (a line without a control has none)."""
    known = set(transitions["genotype"])
    return [name for name in names if name in known]


def _raster(result: ScreenResult, ethogram: Ethogram, best: Sequence[str]) -> Figure:
    from larvastats.plot.raster import plot_raster

    table = result.table.set_index("genotype")
    controls = [str(c) for c in table.loc[list(best), "control"].dropna().unique()]
    intervals = result.design.get("stimulus_intervals", ())
    names = list(dict.fromkeys([*best, *controls]))
    return plot_raster(ethogram, intervals=intervals, genotypes=names)
