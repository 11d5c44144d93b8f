"""Write the shapes of a simulated screen, plate by plate, and the truth behind every frame."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from larvastats.compute import run
from larvastats.errors import UsageError
from larvastats.io import choreography, fimtrack_write, larvatagger_write, trx
from larvastats.io.paths import database_path
from larvastats.io.tracks import Tracks
from larvastats.simulate.body import Bodies
from larvastats.simulate.design import Plate, ScreenDesign, plan
from larvastats.simulate.recording import Camera, FrameTruth, film_plate

TRX_FILE = "trx.mat"
FIMTRACK_FILE = "fimtrack.csv"
LABEL_FILE = "groundtruth.label"
TRUTH_FRAMES_FILE = "truth_frames.h5"

SHAPES = ("none", "midline", "contour")


@dataclass(frozen=True, slots=True)
class Film:
    """How the shapes of a screen are written.

    Attributes
    ----------
    format : {'trx', 'choreography', 'fimtrack'}
    camera : Camera
    px_per_mm : float
        Of FIMTrack's tables, which are in pixels.
    """

    format: str
    camera: Camera
    px_per_mm: float = 10.0

    def __post_init__(self) -> None:
        """Check what the format cannot hold."""
        if not (math.isfinite(self.px_per_mm) and self.px_per_mm > 0):
            raise UsageError(
                f"px_per_mm must be a positive number of pixels, but is {self.px_per_mm!r}."
            )
        if self.format == "fimtrack" and "times" in self.camera.faults:
            raise UsageError(
                "FIMTrack counts frames and knows no times, so that the fault 'times' cannot be "
                "written; leave it out, or choose another format."
            )

    def as_dict(self) -> dict[str, Any]:
        """Return what ``truth.json`` says of it."""
        pixels = {"px_per_mm": self.px_per_mm} if self.format == "fimtrack" else {}
        return {
            "fps": self.camera.fps,
            "contour_points": self.camera.contour_points,
            "fault_rates": dict(self.camera.faults),
            **pixels,
        }


@dataclass(frozen=True, slots=True)
class _Task:
    design: ScreenDesign
    seed: int
    film: Film
    folder: Path
    plate: Plate
    part: Path


def write_shapes(
    design: ScreenDesign, seed: int, film: Film, folder: Path, *, jobs: int = 1,
    progress: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write all plates of a screen.

    Plates are filmed and written one at a time in each process; only their truth, a few bytes per
    frame, is gathered at the end, again one by one.

    Parameters
    ----------
    design : ScreenDesign
    seed : int
    film : Film
    folder : Path
        Exists.
    jobs : int
        Processes. The files are the same for any number.
    progress : bool

    Returns
    -------
    dict
        For ``truth.json``: how it was filmed, and how many frames have which fault.
    """
    plates = plan(design)
    parts = folder / ".truth"
    parts.mkdir()
    tasks = [
        _Task(design, seed, film, folder, plate, parts / f"{number}.h5")
        for number, plate in enumerate(plates)
    ]
    counts = run(_write_plate, tasks, jobs=jobs, description="filming", progress=progress)
    with h5py.File(folder / TRUTH_FRAMES_FILE, "w") as file:
        file.attrs["states"] = list(design.model.states)
        for task in tasks:
            with h5py.File(task.part, "r") as part:
                part.copy(part["assay"], file, name=task.plate.identity.assay)
            task.part.unlink()
    parts.rmdir()
    total: dict[str, int] = functools.reduce(_sum, counts, {})
    return {**film.as_dict(), "file": TRUTH_FRAMES_FILE, "frames": total}


def _sum(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + n for name, n in two.items()}


def _write_plate(task: _Task) -> dict[str, int]:
    """Film and write one plate; returns how many frames have which fault."""
    tracks, truth = film_plate(task.design, task.seed, task.plate, task.film.camera)
    folder = (task.folder / database_path(task.plate.identity, TRX_FILE)).parent
    folder.mkdir(parents=True, exist_ok=True)
    _WRITERS[task.film.format](tracks, folder, task)
    with h5py.File(task.part, "w") as file:
        _write_truth(file.create_group("assay"), truth)
    faults = {name: int(mark.sum()) for name, mark in truth.faults.items()}
    return {"written": len(truth.t), "lost": truth.lost, **faults}


def _trx(tracks: Tracks, folder: Path, task: _Task) -> None:
    trx.write(tracks, folder / TRX_FILE)


def _choreography(tracks: Tracks, folder: Path, task: _Task) -> None:
    stamp = f"{task.plate.identity.date}_{task.plate.identity.time}"
    written = [folder / f"{stamp}.spine"]
    choreography.write_spine(tracks, written[0])
    if tracks.contour is not None:
        written.append(folder / f"{stamp}.outline")
        choreography.write_outline(tracks, written[1])
    larvatagger_write.write(tracks, folder / LABEL_FILE, dependencies=written)


def _fimtrack(tracks: Tracks, folder: Path, task: _Task) -> None:
    film = task.film
    fimtrack_write.write(
        tracks, folder / FIMTRACK_FILE, fps=film.camera.fps, px_per_mm=film.px_per_mm
    )


_WRITERS = {"trx": _trx, "choreography": _choreography, "fimtrack": _fimtrack}
SHAPE_FORMATS = tuple(_WRITERS)


def _write_truth(group: h5py.Group, truth: FrameTruth) -> None:
    """Store the truth of an assay's frames, and the measures of its larvae."""
    series: dict[str, Any] = {
        "larva": truth.larva.astype(np.int32),
        "t": truth.t,
        "true_larva": truth.true_larva.astype(np.int32),
        "state": truth.state,
        **{f"fault_{name}": mark for name, mark in truth.faults.items()},
    }
    for name, values in series.items():
        group.create_dataset(name, data=values, compression="gzip", compression_opts=3)
    bodies = group.create_group("bodies")
    for name in Bodies.__slots__:
        bodies.create_dataset(name, data=getattr(truth.bodies, name))


def shapes_of(format: str, shapes: str | None) -> str:
    """Say which shapes a format is written with.

    Raises
    ------
    UsageError
        Shapes that are none, or that the format cannot hold or lacks.
    """
    if shapes is not None and shapes not in SHAPES:
        raise UsageError(f"shapes must be one of {', '.join(SHAPES)}, but is {shapes!r}.")
    if format not in SHAPE_FORMATS:
        if shapes not in (None, "none"):
            raise UsageError(
                f"A tidy table holds no shapes, but shapes={shapes!r} was asked for; choose a "
                f"format among {', '.join(SHAPE_FORMATS)}."
            )
        return "none"
    if format == "trx":
        return shapes or "none"
    if shapes == "none":
        raise UsageError(
            f"Format {format!r} holds nothing but shapes; choose midline or contour, or another "
            "format."
        )
    return shapes or "contour"


def camera_settings(settings: Sequence[tuple[str, object]]) -> None:
    """Refuse settings of a camera where nothing is filmed."""
    given = [name for name, value in settings if value not in (None, (), [], {})]
    if given:
        raise UsageError(
            f"{given[0]} says how shapes are filmed, but no shapes are written; ask for them by "
            "shapes='midline' or 'contour' (--shapes)."
        )
