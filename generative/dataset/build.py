"""The training set: drawn from the index, cut from the recordings, written in one piece."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from generative.dataset.draw import draw, natural_weights
from generative.dataset.index import Index
from generative.dataset.proportions import Proportions, parse_mix
from generative.dataset.sequences import (
    COLUMNS,
    FOLDS,
    FORMAT,
    NAMES,
    VERSION,
    Sequences,
    read_sequences,
)
from generative.dataset.source import Unit, read_unit, units
from generative.dataset.split import SHARES, By, split_index
from generative.dataset.windows import Cutting, midlines, states_of
from generative.frames import n_features, to_frames
from generative.images import PACKED, Drawing, draw_contours, pack_images
from larvastats.compute import run
from larvastats.errors import DataError, UsageError
from larvastats.io.files import AnyPath, replacing
from larvastats.io.hdf5 import write_attribute, write_texts

COUNTS = (20_000, 2_000, 2_000)
"""Sequences for training, validation and test."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What to draw.

    Attributes
    ----------
    counts : (int, int, int)
        Sequences for training, validation and test; exactly so many.
    mix : str
        See :func:`generative.dataset.proportions.parse_mix`.
    seed : int
    by : {'assay', 'larva'}
        What stays in one fold.
    genotypes : tuple of str
        Only these; all where it is empty.
    drawing : {'filled', 'outline'}
        Of films.
    """

    counts: tuple[int, int, int] = COUNTS
    mix: str = "report"
    seed: int = 0
    by: By = "assay"
    genotypes: tuple[str, ...] = ()
    drawing: Drawing = "filled"


def build_sequences(
    index: Index, path: AnyPath, what: Draw, *, jobs: int = 1, progress: bool = False
) -> Sequences:
    """Draw a training set and write it; one that is there already is opened.

    Parameters
    ----------
    index : Index
    path : path
        The training set; it appears when it is whole.
    what : Draw
    jobs : int
    progress : bool

    Returns
    -------
    Sequences

    Raises
    ------
    UsageError
        No such genotype, or a mix that is none.
    DataError
        Not enough sequences or assays, or a recording is not the one that was indexed.
    """
    path = Path(path)
    index_rows, fold, weight = choose(index, what)
    about = _about(index, what, index_rows)
    _check_units(index, index_rows)
    if path.is_file():
        return _existing(path, about)
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        tasks = _tasks(index, index_rows, what, parts)
        run(_cut_unit, tasks, jobs=jobs, description="cutting sequences", progress=progress)
        with replacing(path) as part:
            _write(part, index, index_rows, fold, weight, tasks, about)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    return read_sequences(path)


def _check_units(index: Index, rows: NDArray[np.int64]) -> None:
    """Refuse to mix millimetres and pixels."""
    drawn = np.unique(index.rows["assay"][rows])
    found = sorted({index.names["length_units"][assay] for assay in drawn})
    if len(found) > 1:
        raise DataError(
            f"{index.path}: expected recordings in one unit of length, but some are in "
            f"{' and others in '.join(found)}; give the size of a pixel (--px-per-mm)."
        )


def choose(
    index: Index, what: Draw
) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.float64]]:
    """Draw the rows of the index for all folds.

    Returns
    -------
    rows : ndarray of int64, shape (n,)
    fold : ndarray of int8, shape (n,)
    weight : ndarray of float64, shape (n,)
        See :func:`generative.dataset.draw.natural_weights`.
    """
    index = _only(index, what.genotypes)
    shares = [share if n else 0.0 for share, n in zip(SHARES, what.counts, strict=True)]
    fold = split_index(index, what.seed, by=what.by, shares=shares)
    found = Proportions.of(index.names["actions"], index.rows["action"]).counts
    mix = parse_mix(what.mix, index.names["actions"], np.array(found))
    parts, folds, weights = [], [], []
    for number, (name, n) in enumerate(zip(FOLDS, what.counts, strict=True)):
        own = np.flatnonzero(fold == number)
        drawn = draw(index, own, mix, n, what.seed + number, name)
        parts.append(drawn)
        folds.append(np.full(n, number, np.int8))
        weights.append(natural_weights(index, own, drawn))
    rows = index.rows["row"][np.concatenate(parts)]
    return rows, np.concatenate(folds), np.concatenate(weights)


def _only(index: Index, genotypes: Sequence[str]) -> Index:
    """Index of some genotypes; its rows remember their number in the whole one."""
    names = index.names["genotypes"]
    unknown = [name for name in genotypes if name not in names]
    if unknown:
        raise UsageError(
            f"There is no genotype {unknown[0]!r} in {index.path}; choose among "
            f"{', '.join(names[:8])}{' ...' if len(names) > 8 else ''}."
        )
    wanted = [names.index(name) for name in genotypes] or list(range(len(names)))
    kept = np.flatnonzero(np.isin(index.rows["genotype"], wanted))
    rows = {name: column[kept] for name, column in index.rows.items()}
    return Index(index.path, {**rows, "row": kept}, index.tables, index.names, index.source,
                 index.cutting, index.reading)  # fmt: skip


def _about(index: Index, what: Draw, rows: NDArray[np.int64]) -> str:
    """Say what a training set is of, so that another is not taken for it."""
    digest = hashlib.sha256(rows.tobytes())
    for name in ("larva", "start", "end", "action"):
        digest.update(np.ascontiguousarray(index.rows[name][rows]).tobytes())
    digest.update("\0".join(index.names["versions"]).encode())
    return json.dumps({"points": index.cutting.points, "images": index.cutting.images,
                       "drawing": what.drawing, "rows": digest.hexdigest()})  # fmt: skip


def _existing(path: Path, about: str) -> Sequences:
    sequences = read_sequences(path)
    with h5py.File(path, "r", locking=False) as file:
        same = bytes(file["about"][0]).decode() == about
    if not same:
        raise DataError(
            f"{path}: this training set was drawn from another index, or with other choices; "
            "give another folder, or remove it."
        )
    return sequences


# -- one recording ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Sequences of one recording: arrays of shape (sequence,)."""

    unit: Unit
    cutting: Cutting
    drawing: Drawing
    part: Path
    places: NDArray[np.int64]  # rows of the training set
    position: NDArray[np.int32]  # assay within the recording
    larva: NDArray[np.int32]  # among the assay's larvae
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    length: NDArray[np.float64]


def _tasks(index: Index, rows: NDArray[np.int64], what: Draw, parts: Path) -> list[_Task]:
    """One task per recording that has drawn sequences."""
    now = {unit.name: unit for unit in units(index.source, index.reading)}
    recording = index.rows["recording"][rows]
    first_larva = np.searchsorted(
        index.tables["larva_assay"], np.arange(len(index.names["assays"]))
    )
    tasks = []
    for number in np.unique(recording):
        name = index.names["recordings"][number]
        unit = now.get(name)
        if unit is None or unit.version != index.names["versions"][number]:
            raise DataError(
                f"{name}: the recording has {'changed' if unit else 'gone'} since it was indexed; "
                "run the same `larvastats generate index` again."
            )
        places = np.flatnonzero(recording == number)
        own = rows[places]
        assay, larva = index.rows["assay"][own], index.rows["larva"][own]
        tasks.append(_Task(
            unit, index.cutting, what.drawing, parts / f"{number}.npz", places,
            index.tables["assay_position"][assay], (larva - first_larva[assay]).astype(np.int32),
            index.rows["start"][own], index.rows["end"][own], index.tables["larva_length"][larva],
        ))  # fmt: skip
    return tasks


def _cut_unit(task: _Task) -> None:
    """Write frames, poses and states of a recording's sequences."""
    n, t = len(task.places), task.cutting.length
    images = task.cutting.images
    frames = np.zeros((n, t, PACKED), np.uint8) if images else np.zeros(
        (n, t, n_features(task.cutting.points)), np.float32)  # fmt: skip
    if images:
        frames[:] = 255  # background beyond the end
    out: dict[str, Any] = {"origin": np.zeros((n, 2)), "heading": np.zeros(n),
           "frame_action": np.full((n, t), -1, np.int8)}  # fmt: skip
    words: dict[str, int] = {}
    all_tracks = read_unit(task.unit, ("midline", "contour") if images else ("midline",))
    for number, tracks in enumerate(all_tracks):
        own = np.flatnonzero(task.position == number)
        if not len(own):
            continue
        midline = midlines(tracks, task.cutting.points)
        state, names = states_of(tracks)
        codes = np.array([words.setdefault(name, len(words)) for name in names], np.int8)
        offset = np.searchsorted(tracks.larva_index, np.arange(len(tracks.larvae)))
        for k in own:
            a, b = offset[task.larva[k]] + np.array([task.start[k], task.end[k]])
            values, pose = to_frames(midline[a:b], task.length[k])
            if images:
                assert tracks.contour is not None
                outline = tracks.contour.take(np.arange(a, b))
                films = draw_contours(outline, midline[a:b].mean(axis=1), pose, task.drawing)
                frames[k, : b - a] = pack_images(films)
            else:
                frames[k, : b - a] = values
            out["origin"][k], out["heading"][k] = pose.origin, pose.heading
            out["frame_action"][k, : b - a] = codes[state[a:b]]
    said = np.frombuffer(json.dumps(list(words)).encode(), np.uint8)
    with open(task.part, "wb") as file:
        np.savez(file, frames=frames, words=said, **out)


# -- all of them -----------------------------------------------------------------------------------


def _write(
    path: Path, index: Index, rows: NDArray[np.int64], fold: NDArray[np.int8],
    weight: NDArray[np.float64], tasks: Sequence[_Task], about: str,
) -> None:  # fmt: skip
    """Write the file; frames go straight to their places in it."""
    n, t, images = len(rows), index.cutting.length, index.cutting.images
    columns = _columns(index, rows, fold, weight)
    name, kind = ("images", np.uint8) if images else ("frames", np.float32)
    width = PACKED if images else n_features(index.cutting.points)
    with h5py.File(path, "w", libver="latest") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_layout(h5py.h5d.CONTIGUOUS)
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        data = h5py.Dataset(h5py.h5d.create(
            file.id, name.encode(), h5py.h5t.py_create(np.dtype(kind)),
            h5py.h5s.create_simple((n, t, width)), plan))  # fmt: skip
        offset = data.id.get_offset()
    mapped = np.memmap(path, dtype=kind, mode="r+", offset=offset, shape=(n, t, width))
    for task in tasks:
        _place(task, mapped, columns, index.names["actions"])
    mapped.flush()
    digest = hashlib.sha256()
    for start in range(0, n, 4096):
        digest.update(mapped[start : start + 4096].tobytes())
    del mapped
    names = {key: index.names[key] for key in NAMES}
    for key in ("length", "action", "genotype", "stimulus", "fold"):
        digest.update(columns[key].tobytes())
    digest.update(json.dumps([names["actions"], names["genotypes"]]).encode())
    with h5py.File(path, "r+", libver="latest") as file:
        for key, (kind_of, _) in COLUMNS.items():
            file.create_dataset(key, data=columns[key].astype(kind_of))
        for key in NAMES:
            write_texts(file, key, names[key])
        write_texts(file, "about", [about])
        write_attribute(file, "format", FORMAT)
        file.attrs["version"] = VERSION
        write_attribute(file, "length_unit", index.names["length_units"][columns["assay"][0]])
        write_attribute(file, "checksum", digest.hexdigest())


def _columns(
    index: Index, rows: NDArray[np.int64], fold: NDArray[np.int8], weight: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Everything but the frames; what only the recordings know is filled in later."""
    own = {name: column[rows] for name, column in index.rows.items()}
    n = len(rows)
    return {
        "length": own["end"] - own["start"], "action": own["action"],
        "genotype": own["genotype"], "stimulus": own["stimulus"], "fold": fold, "weight": weight,
        "frame_action": np.full((n, index.cutting.length), -1, np.int8),
        "origin": np.zeros((n, 2)), "heading": np.zeros(n),
        "body_length": index.tables["larva_length"][own["larva"]], "dt": own["dt"],
        "assay": own["assay"], "larva": own["larva"], "row": rows,
    }  # fmt: skip


def _place(
    task: _Task, mapped: NDArray[Any], columns: dict[str, NDArray[Any]], actions: Sequence[str]
) -> None:
    with np.load(task.part, allow_pickle=False) as part:
        mapped[task.places] = part["frames"]
        words = json.loads(part["words"].tobytes())
        code = np.array([*(actions.index(word) for word in words), -1], np.int8)
        columns["frame_action"][task.places] = code[part["frame_action"]]
        for name in ("origin", "heading"):
            columns[name][task.places] = part[name]
