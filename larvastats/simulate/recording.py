"""Film one plate of a simulated screen: what the tracker sees of moving larvae, and the truth.

The actions are those of :func:`larvastats.simulate.screen.simulate_ethogram` for the same design
and seed, to the millisecond; a plate depends on nothing but them and its own name.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.io.contours import Contours
from larvastats.io.tracks import Tracks
from larvastats.simulate.body import Bodies, draw_bodies, kinematics_of
from larvastats.simulate.derived import TRX_FIELDS, derive
from larvastats.simulate.design import Plate, ScreenDesign, generator
from larvastats.simulate.effects import Effect
from larvastats.simulate.motion import move, n_steps
from larvastats.simulate.moving import check_grid, factors_of, state_at
from larvastats.simulate.outline import outline, points, pose
from larvastats.simulate.screen import Films, film
from larvastats.simulate.spoil import Faults, Frames, lose, spoil
from larvastats.simulate.states import ScreenModel
from larvastats.simulate.timecourse import TimeCourse, timecourse
from larvastats.simulate.truth import effects_by_line

Array = NDArray[np.float64]

UNITS = {
    "larva_length_smooth_5": "mm", "motion_velocity_norm_smooth_5": "mm/s",
    "angle_upper_lower_smooth_5": "rad",
}  # fmt: skip

GRAIN = 2.0**-11
"""Coordinates of recordings are multiples of it, mm: half a micrometre, finer than any camera."""

MOST_FRAMES = 2_000_000_000
"""Frames of all larvae together; beyond, nobody has the disks."""


@dataclass(frozen=True, slots=True)
class Camera:
    """How plates are filmed.

    Attributes
    ----------
    fps : float
        Frames per second.
    contour_points : int
        Vertices of an outline; 0 for none.
    faults : mapping of str to float
        As :func:`larvastats.simulate.faults.read_faults` returns them.
    """

    fps: float = 10.0
    contour_points: int = 60
    faults: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_grid(self.fps, self.contour_points or 60)


@dataclass(frozen=True, slots=True, eq=False)
class FrameTruth:
    """The truth behind the frames of one assay, in the order of its tracks.

    Attributes
    ----------
    larva : ndarray of int, shape (frame,)
        Number that the tracker gave.
    t : ndarray, shape (frame,)
    true_larva : ndarray of int, shape (frame,)
        The animal behind it, from 1 on.
    state : ndarray of int16, shape (frame,)
    faults : dict of str to ndarray of bool, shape (frame,)
    lost : int
        Frames that are not there: taken away as lost, or because the larva merged with another.
    bodies : Bodies
        Measures of the animals.
    """

    larva: NDArray[np.int64]
    t: Array
    true_larva: NDArray[np.int64]
    state: NDArray[np.int16]
    faults: dict[str, NDArray[np.bool_]]
    lost: int
    bodies: Bodies


def check_size(design: ScreenDesign, fps: float) -> None:
    """Refuse a screen whose files nobody could keep.

    Raises
    ------
    UsageError
        More than :data:`MOST_FRAMES`.
    """
    larvae = max(design.larvae_range(line)[1] for line in (design.control, *design.lines))
    n_plates = len(design.lines) * design.assays_per_line
    n_plates += design.dates * design.control_assays_per_date
    n = n_plates * larvae * design.model.duration * fps
    if n > MOST_FRAMES:
        raise UsageError(
            f"The recordings would hold about {n / 1e9:.1f} billion frames of larvae, but at most "
            f"{MOST_FRAMES / 1e9:g} billion can be written; lower fps, larvae or lines."
        )


def film_plate(
    design: ScreenDesign, seed: int, plate: Plate, camera: Camera
) -> tuple[Tracks, FrameTruth]:
    """Film one plate.

    Parameters
    ----------
    design : ScreenDesign
    seed : int
    plate : Plate
        One of :func:`larvastats.simulate.design.plan`.
    camera : Camera

    Returns
    -------
    tracks : Tracks
        Midlines of 11 points, outlines, centroids, length, speed and head angle, states.
    truth : FrameTruth
    """
    effects = effects_by_line(design)
    films = film(design, seed, [plate], effects, functools.partial(_course, design.model))
    key = (plate.line, plate.date, plate.number)
    rng = generator(seed, "body", *key)
    bodies = draw_bodies(rng, int(films.bouts.larva[-1]) + 1)
    own = effects[plate.line]
    factors = factors_of(design.model, own, n_steps(design.model.duration))
    motion = move(bodies, films.bouts, kinematics_of(design.model.states), factors, rng)
    faults = Faults(camera.faults, camera.fps, lambda name: generator(seed, name, *key))
    times = _times(design.model, camera, faults)
    every = _seen(films, times)
    frames, numbers = lose(every, films.number, faults)
    poses = pose(bodies, motion, frames.larva, times[frames.frame])
    contour = outline(poses, camera.contour_points) if camera.contour_points else None
    marks, keep = spoil(frames, poses, contour, faults)
    if not keep.all():
        frames = frames.take(keep)
        marks = {name: mark[keep] for name, mark in marks.items()}
        contour = None if contour is None else contour[keep]
    t = times[frames.frame]
    state = state_at(films.bouts, frames.larva, t)
    shape = _on_grid(points(poses.midline[keep]))
    if contour is not None:
        contour = _on_grid(contour)
    truth = FrameTruth(
        numbers[frames.track], t, frames.larva + 1, state, marks, len(every) - len(frames), bodies
    )
    return _tracks(plate, design.model, frames, numbers, t, shape, contour, state), truth


@functools.lru_cache(maxsize=16)
def _course(model: ScreenModel, effects: tuple[Effect, ...]) -> TimeCourse:
    return timecourse(model, effects)[0]


def _times(model: ScreenModel, camera: Camera, faults: Faults) -> Array:
    """Return the times of the film's frames, s; whole milliseconds where they are irregular."""
    n = math.ceil(model.duration * camera.fps - 1e-9)
    times = np.arange(n) / camera.fps
    rate = faults.rates.get("times", 0.0)
    if not rate:
        return times
    shift = faults.dice("times").uniform(-0.5, 0.5, n) * rate / camera.fps
    shifted = np.maximum(times + shift, 0.0)
    return np.unique(np.round(shifted, 3))


def _seen(films: Films, times: Array) -> Frames:
    """Frames in which larvae are tracked."""
    where = films.stretches
    order = np.lexsort((where.start, films.track))
    first = np.searchsorted(times, where.start[order] - 1e-7)
    n = np.searchsorted(times, where.stop[order] - 1e-7) - first
    n = np.maximum(n, 0)
    frame = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
    return Frames(np.repeat(films.track[order], n), np.repeat(where.larva[order], n), frame)


def _on_grid(places: NDArray) -> NDArray:
    """Round to multiples of :data:`GRAIN`, which pack three times as well."""
    return np.asarray(np.round(places / GRAIN) * GRAIN).astype(places.dtype)


def _tracks(
    plate: Plate, model: ScreenModel, frames: Frames, numbers: NDArray[np.int64], t: Array,
    shape: Array, contour: NDArray[np.float32] | None, state: NDArray[np.int16],
) -> Tracks:  # fmt: skip
    """Hand frames over as every reader does."""
    series = derive(shape, t, frames.track)
    contours = None
    if contour is not None:
        if np.isnan(contour).any():
            contours = Contours.from_padded(contour)
        else:
            contours = Contours.from_counts(contour, np.full(len(contour), contour.shape[1]))
    return Tracks.build(
        plate.identity, [str(number) for number in numbers], frames.track, t,
        midline=shape, contour=contours, centroid=shape.mean(axis=1),
        features={TRX_FIELDS[name]: x for name, x in series.items()}, units=UNITS,
        states=model.states, state=state, source="the simulation",
    )  # fmt: skip
