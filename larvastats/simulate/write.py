"""Write a simulated screen to a directory, all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from larvastats.compute import track
from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import tidy, trx
from larvastats.io.paths import AssayIdentity, database_path, make_identity
from larvastats.io.tracks import Tracks
from larvastats.simulate.series import SERIES, TRX_FIELDS, frame_series
from larvastats.simulate.truth import PROGRAM, Truth, effects_by_line
from larvastats.simulate.write_shapes import (
    FIMTRACK_FILE,
    LABEL_FILE,
    SHAPE_FORMATS,
    TRUTH_FRAMES_FILE,
    TRX_FILE,
    Film,
    write_shapes,
)

BOUTS_FILE = "bouts.parquet"
FRAMES_FILE = "frames.parquet"
TRUTH_FILE = "truth.json"
FORMATS = ("tidy", "frames", *SHAPE_FORMATS)

DT = 0.1
"""Step of the frames, s."""

_NAMES = (TRX_FILE, FIMTRACK_FILE, LABEL_FILE)
_ENDINGS = (".spine", ".outline")


def write_screen(
    ethogram: Ethogram | None, truth: Truth, directory: Path, format: str, progress: bool = False,
    *, film: Film | None = None, jobs: int = 1,
) -> None:  # fmt: skip
    """Write recordings and their truth; an earlier simulation in the directory is replaced.

    Parameters
    ----------
    ethogram : Ethogram or None
        Not needed where a film is made.
    truth : Truth
    directory : Path
        New, empty, or an earlier simulation with nothing else in it.
    format : {'tidy', 'frames', 'trx', 'choreography', 'fimtrack'}
        ``bouts.parquet``, ``frames.parquet``, or a database directory of recordings. Frames,
        wherever there are some, also have length, speed and head angle.
    progress : bool
    film : Film, optional
        Write shapes, too.
    jobs : int
        Processes that make the film.

    Raises
    ------
    UsageError
        The directory holds something else.
    DataError
        The directory cannot be written; what was there stays.
    """
    with replaced(directory) as folder:
        content = truth.as_dict()
        if film is not None:
            content["film"] = write_shapes(
                truth.design, truth.seed, film, folder, jobs=jobs, progress=progress
            )
        elif format == "tidy":
            tidy.write_bouts(_needed(ethogram), folder / BOUTS_FILE)
        elif format == "trx":
            _write_database(_needed(ethogram), truth, folder, progress)
        else:
            _write_frames(_needed(ethogram), truth, folder / FRAMES_FILE, progress)
        text = json.dumps(content, indent=1, allow_nan=False)
        (folder / TRUTH_FILE).write_text(text + "\n", encoding="utf-8")


def _needed(ethogram: Ethogram | None) -> Ethogram:
    if ethogram is None:
        raise UsageError("Without a film, an ethogram is needed to write; give it.")
    return ethogram


def _assays(
    ethogram: Ethogram, truth: Truth, what: str, progress: bool
) -> Iterator[tuple[Ethogram, pd.DataFrame]]:
    """Yield one assay after the other, with its frames."""
    effects = effects_by_line(truth.design)
    numbers = range(len(ethogram.assays))
    for number in track(numbers, what, len(numbers), progress):
        assay = ethogram.subset(np.arange(len(ethogram.assays)) == number)
        own = effects[str(assay.assays["line"].iloc[0])]
        yield assay, frame_series(assay, truth.design.model, own, truth.seed, DT)


def _write_database(ethogram: Ethogram, truth: Truth, folder: Path, progress: bool) -> None:
    for assay, frames in _assays(ethogram, truth, "writing trx.mat", progress):
        row = assay.assays.iloc[0]
        stamp = f"{row['date']}_{row['time']}"
        identity = make_identity(
            row["tracker"], row["line"], row["effector"], row["protocol"], stamp
        )
        target = folder / database_path(identity, TRX_FILE)
        target.parent.mkdir(parents=True, exist_ok=True)
        trx.write(_tracks(frames, identity), target)


def _tracks(frames: pd.DataFrame, identity: AssayIdentity) -> Tracks:
    """Frames of one assay, their series under the names that trx.mat has for them."""
    index, larvae = pd.factorize(frames["larva"])
    return Tracks.build(
        identity, list(larvae), index, frames["t"],
        features={field: frames[name] for name, field in TRX_FIELDS.items()},
        units={field: SERIES[name] for name, field in TRX_FIELDS.items()},
        states=list(frames["state"].cat.categories), state=frames["state"].cat.codes,
    )  # fmt: skip


def _write_frames(ethogram: Ethogram, truth: Truth, path: Path, progress: bool) -> None:
    with ExitStack() as stack:
        writer: parquet.ParquetWriter | None = None
        for _, frames in _assays(ethogram, truth, "writing frames", progress):
            texts = [name for name in frames if not pd.api.types.is_numeric_dtype(frames[name])]
            table = pa.Table.from_pandas(frames.astype(dict.fromkeys(texts, "str")),
                                         preserve_index=False)  # fmt: skip
            if writer is None:
                new = parquet.ParquetWriter(path, table.schema, compression="zstd")
                writer = stack.enter_context(new)
            writer.write_table(table)


def check_target(directory: Path) -> None:
    """Refuse a directory that holds anything but an earlier simulation.

    Raises
    ------
    UsageError
        It is a file, or holds files that no simulation wrote.
    """
    if not os.path.lexists(directory):
        return
    if not directory.is_dir():
        raise UsageError(f"{directory}: expected a directory to write to, found a file.")
    try:
        foreign = _foreign(directory)
    except OSError as error:
        raise DataError(
            f"{directory}: cannot be read ({error.strerror}); choose another directory."
        ) from error
    if foreign is not None:
        raise UsageError(
            f"{directory}: expected a new or empty directory, or an earlier simulation to "
            f"replace, but it holds {foreign}; choose another directory or empty this one."
        )


def _foreign(directory: Path) -> str | None:
    """Name something in a directory that no simulation wrote; None if there is nothing."""
    files = [path for path in sorted(directory.rglob("*")) if not path.is_dir()]
    if not files and not any(directory.iterdir()):
        return None
    truth = directory / TRUTH_FILE
    if truth not in files or not _is_ours(truth):
        name = files[0] if files else next(directory.iterdir())
        return str(name.relative_to(directory))
    ours = {truth, *(directory / name for name in (BOUTS_FILE, FRAMES_FILE, TRUTH_FRAMES_FILE))}
    for path in files:
        if path not in ours and path.name not in _NAMES and path.suffix not in _ENDINGS:
            return str(path.relative_to(directory))
    return None


def _is_ours(truth: Path) -> bool:
    try:
        content = json.loads(truth.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or no UTF-8: somebody else's
        return False
    return isinstance(content, dict) and content.get("program") == PROGRAM


@contextmanager
def replaced(directory: Path) -> Iterator[Path]:
    """Yield a new directory that becomes `directory` once everything is in it.

    Raises
    ------
    UsageError
        As :func:`check_target`.
    DataError
        Something cannot be written; what was there stays.
    """
    check_target(directory)
    target = Path(os.path.realpath(directory))
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _swap(fresh, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"{directory}: the simulation cannot be written ({reason}); free space, or choose a "
            "place that you may write to. What was there has not changed."
        ) from error
    except DataError as error:  # the user never heard of the temporary directory
        raise DataError(str(error).replace(str(fresh), str(directory))) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, target: Path) -> None:
    """Put `fresh` in the place of `target`, which comes back if that fails."""
    if not target.exists():
        fresh.rename(target)
        return
    old = fresh.with_suffix(".old")
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
