"""Making the index: recordings are read in parallel, and put together in the order of their names.

Each recording is read by one process that leaves a part beside the index. An index that was
interrupted goes on with the parts that are there; the parts vanish when it is whole. One recording
per process is in memory, and the rows of one part while they are put together.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from generative.dataset.index import FORMAT, NAMES, ROWS, TABLES, VERSION, read_index
from generative.dataset.source import Reading, Unit, read_unit, units
from generative.dataset.windows import STIMULI, Cutting, cut
from larvastats.compute import run
from larvastats.errors import DataError, UsageError
from larvastats.export.staging import check_writable
from larvastats.io.files import AnyPath, replacing
from larvastats.io.hdf5 import write_attribute, write_texts
from larvastats.io.tracks import Shape
from larvastats.vocabulary import order_states

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What was done.

    Attributes
    ----------
    path : str
    n_recordings, n_read, n_failed : int
        Found, read in this call, and unreadable.
    n_sequences, n_larvae, n_assays : int
    failures : tuple of str
    """

    path: str
    n_recordings: int
    n_read: int
    n_failed: int
    n_sequences: int
    n_larvae: int
    n_assays: int
    failures: tuple[str, ...]


def build_index(
    source: AnyPath,
    path: AnyPath,
    cutting: Cutting | None = None,
    reading: Reading | None = None,
    *,
    jobs: int = 1,
    progress: bool = False,
) -> IndexReport:
    """Index all sequences of all recordings of a source.

    Parameters
    ----------
    source : path
        A store with midlines, a database directory, a folder of recordings, or one recording.
    path : path
        The index; replaced when the new one is whole.
    cutting : Cutting, optional
    reading : mapping, optional
        How recordings are read, see :data:`generative.dataset.source.Reading`.
    jobs : int
    progress : bool

    Returns
    -------
    IndexReport

    Raises
    ------
    UsageError
        There is no such source, or sequences of that length make no sense.
    DataError
        No recording can be read, or none has a sequence.
    """
    path, cutting = Path(path), cutting or Cutting()
    _check_cutting(cutting)
    found = units(Path(source).resolve(), reading)  # trainings are started elsewhere
    parts = path.with_name(f".{path.name}.parts")
    settings = {"source": str(Path(source).resolve()), "cutting": asdict(cutting),
                "reading": {k: str(v) if isinstance(v, Path) else v
                            for k, v in (reading or {}).items()}}  # fmt: skip
    check_writable(path.parent)
    there = _unchanged(path, settings, found)
    if there is not None:
        return there
    parts.mkdir(parents=True, exist_ok=True)
    tasks = [_Task(unit, cutting, parts / f"{_key(unit, cutting)}.npz") for unit in found]
    missing = [task for task in tasks if not task.part.is_file()]
    said = run(_index_unit, missing, jobs=jobs, description="indexing", progress=progress)
    failures = tuple(text for text in said if text)
    report = _merge(tasks, path, settings, failures, len(missing))
    shutil.rmtree(parts)
    return report


def _unchanged(path: Path, settings: dict[str, Any], found: Sequence[Unit]) -> IndexReport | None:
    """Report of the index that is there, if it is of these recordings and has no failures."""
    if not path.is_file():
        return None
    try:
        index = read_index(path)
    except DataError:
        return None
    own = {"source": index.source, "cutting": asdict(index.cutting), "reading": index.reading}
    then = dict(zip(index.names["recordings"], index.names["versions"], strict=True))
    now = {unit.name: unit.version for unit in found}
    if own != settings or then != now or index.names["failures"]:
        return None
    return IndexReport(str(path), len(found), 0, 0, len(index), len(index.names["larvae"]),
                       len(index.names["assays"]), ())  # fmt: skip


def _check_cutting(cutting: Cutting) -> None:
    if not 2 <= cutting.shortest <= cutting.length or cutting.stride < 1:
        raise UsageError(
            f"Sequences need 2 <= shortest <= length frames and a stride from 1 up, but are "
            f"{cutting.shortest}, {cutting.length} and {cutting.stride}."
        )


# -- one recording ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    unit: Unit
    cutting: Cutting
    part: Path


def _key(unit: Unit, cutting: Cutting) -> str:
    said = json.dumps([unit.name, unit.version, asdict(cutting), VERSION,
                       {k: str(v) for k, v in unit.reading.items()}], sort_keys=True)  # fmt: skip
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _index_unit(task: _Task) -> str:
    """Write the part of one recording; return why there is none, if so."""
    shapes: tuple[Shape, ...] = ("midline", "contour") if task.cutting.images else ("midline",)
    assays: list[dict[str, Any]] = []
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in _PART}
    try:
        for number, tracks in enumerate(read_unit(task.unit, shapes)):
            windows, actions, lengths = cut(tracks, task.cutting)
            identity = tracks.identity
            frames = np.bincount(tracks.larva_index, minlength=len(tracks.larvae))
            assays.append({
                "assay": identity.assay, "genotype": identity.genotype, "actions": actions,
                "larvae": tracks.larvae, "lengths": lengths.tolist(), "frames": frames.tolist(),
                "unit": tracks.length_unit,
            })  # fmt: skip
            columns["assay"].append(np.full(len(windows.larva), number, np.int32))
            for name in _PART[1:]:
                columns[name].append(getattr(windows, name))
    except (DataError, UsageError) as error:
        return str(error)
    arrays: dict[str, Any] = {
        name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in columns.items()
    }
    said = np.frombuffer(json.dumps(assays).encode(), np.uint8)
    with replacing(task.part) as temporary, open(temporary, "wb") as file:
        np.savez(file, about=said, **arrays)
    return ""


_PART = ("assay", "larva", "start", "end", "action", "share", "stimulus", "dt")


# -- all recordings --------------------------------------------------------------------------------


class _Names:
    """Numbers for names, in order of appearance."""

    def __init__(self) -> None:
        self.place: dict[str, int] = {}

    def __call__(self, name: str) -> int:
        return self.place.setdefault(name, len(self.place))


def _merge(
    tasks: Sequence[_Task], path: Path, settings: dict[str, Any], failures: tuple[str, ...],
    n_read: int,
) -> IndexReport:  # fmt: skip
    """Put the parts together, one after the other, in order of the recordings' names."""
    done = [task for task in tasks if task.part.is_file()]
    if not done:
        raise DataError(
            f"{settings['source']}: expected recordings that can be read, but none of {len(tasks)} "
            f"can. The first: {failures[0] if failures else 'no reason'}"
        )
    merger = _Merger()
    with replacing(path) as part, h5py.File(part, "w", libver="latest") as file:
        for task in done:
            merger.add(task, file)
        if not merger.n_rows:
            raise DataError(
                f"{settings['source']}: expected sequences of at least "
                f"{settings['cutting']['shortest']} frames with midlines and actions, but no "
                "recording has one; choose shorter ones, or look at the labels."
            )
        merger.finish(file, settings, failures)
    return IndexReport(str(path), len(tasks), n_read, len(failures), merger.n_rows,
                       len(merger.larvae), len(merger.assays), failures)  # fmt: skip


class _Merger:
    """Names and tables of the parts so far; rows go to the file at once."""

    def __init__(self) -> None:
        self.n_rows = 0
        self.recordings: list[str] = []
        self.versions: list[str] = []
        self.assays: list[str] = []
        self.larvae: list[str] = []
        self.units: list[str] = []
        self.seen: set[str] = set()
        self.genotypes, self.actions = _Names(), _Names()
        self.tables: dict[str, list[Any]] = {name: [] for name in TABLES}

    def add(self, task: _Task, file: h5py.File) -> None:
        """Append the rows of a part."""
        with np.load(task.part, allow_pickle=False) as part:
            assays = json.loads(part["about"].tobytes())
            self.recordings.append(task.unit.name)
            self.versions.append(task.unit.version)
            if not assays:  # a file of another kind
                return
            columns = {name: part[name] for name in _PART}
        own = {name: np.zeros(len(columns["assay"]), kind) for name, kind in ROWS.items()}
        for name in ("start", "end", "share", "stimulus", "dt"):
            own[name][:] = columns[name]
        own["recording"][:] = len(self.recordings) - 1
        for number, about in enumerate(assays):
            rows = columns["assay"] == number
            if about["assay"] in self.seen:
                raise DataError(
                    f"{task.unit.name}: its assay {about['assay']!r} was read from another "
                    "recording already; leave one of the two out by --exclude."
                )
            self.seen.add(about["assay"])
            own["larva"][rows] = len(self.larvae) + columns["larva"][rows]
            own["assay"][rows] = len(self.assays)
            own["genotype"][rows] = genotype = self.genotypes(about["genotype"])
            place = np.array([self.actions(name) for name in about["actions"]], np.int16)
            own["action"][rows] = place[columns["action"][rows]] if len(place) else 0
            self._assay(about, genotype, number)
        self._append(file, own)

    def _assay(self, about: dict[str, Any], genotype: int, position: int) -> None:
        n = len(about["larvae"])
        self.tables["larva_assay"] += [len(self.assays)] * n
        self.tables["larva_length"] += about["lengths"]
        self.tables["larva_frames"] += about["frames"]
        self.tables["assay_genotype"].append(genotype)
        self.tables["assay_recording"].append(len(self.recordings) - 1)
        self.tables["assay_position"].append(position)
        self.larvae += about["larvae"]
        self.assays.append(about["assay"])
        self.units.append(about["unit"])

    def _append(self, file: h5py.File, own: dict[str, NDArray[Any]]) -> None:
        n = len(own["action"])
        for name, kind in ROWS.items():
            if name not in file:
                file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(_CHUNK,),
                                    compression=4, shuffle=True)  # fmt: skip
            file[name].resize(self.n_rows + n, axis=0)
            file[name][self.n_rows :] = own[name]
        self.n_rows += n

    def finish(self, file: h5py.File, settings: dict[str, Any], failures: Sequence[str]) -> None:
        """Write names, tables and settings; actions in the field's order."""
        found = list(self.actions.place)
        ordered = order_states(found)
        place = np.array([ordered.index(name) for name in found], np.int16)
        for start in range(0, self.n_rows, _CHUNK):
            file["action"][start : start + _CHUNK] = place[file["action"][start : start + _CHUNK]]
        for name, kind in TABLES.items():
            file.create_dataset(name, data=np.array(self.tables[name], kind))
        texts = {
            "recordings": self.recordings, "versions": self.versions, "assays": self.assays,
            "genotypes": list(self.genotypes.place), "larvae": self.larvae, "actions": ordered,
            "stimuli": STIMULI, "length_units": self.units, "failures": failures,
        }  # fmt: skip
        for name in NAMES:
            write_texts(file, name, texts[name])
        write_attribute(file, "format", FORMAT)
        file.attrs["version"] = VERSION
        write_texts(file, "settings", [json.dumps(settings)])
