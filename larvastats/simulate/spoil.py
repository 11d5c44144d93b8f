"""Spoil the frames of one plate: which frames are lost, and what becomes of shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.simulate.faults import (
    FAULTS,
    SHAPE_FAULTS,
    draw_mask,
    drop_points,
    shake,
    stretches,
)
from larvastats.simulate.merge import joined
from larvastats.simulate.outline import Pose, outline

_OUTLINE_POINTS = 60  # of merged larvae whose outlines nobody asked for


@dataclass(frozen=True, slots=True, eq=False)
class Faults:
    """Faults of one plate.

    Attributes
    ----------
    rates : mapping of str to float
    fps : float
    dice : callable
        Generator of a fault on this plate: each has its own, so that none depends on the others.
    """

    rates: Mapping[str, float]
    fps: float
    dice: Callable[[str], np.random.Generator]

    def mask(self, name: str, track: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Draw the frames of a fault, shape (frame,)."""
        rate = self.rates.get(name, 0.0)
        if not rate:
            return np.zeros(len(track), dtype=bool)
        return draw_mask(self.dice(name), track, rate, FAULTS[name] * self.fps)


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames of one plate, sorted by track and time.

    Attributes
    ----------
    track, larva, frame : ndarray of int, shape (frame,)
        What the tracker takes for a larva, the animal behind it, and the frame of the film.
    """

    track: NDArray[np.int64]
    larva: NDArray[np.int64]
    frame: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.track)

    def take(self, rows: NDArray) -> Frames:
        """Return some frames, by position or mask."""
        return Frames(self.track[rows], self.larva[rows], self.frame[rows])


def lose(
    frames: Frames, numbers: NDArray[np.int64], faults: Faults
) -> tuple[Frames, NDArray[np.int64]]:
    """Take frames away; half of the larvae that come back have new numbers, in order of time.

    Parameters
    ----------
    frames : Frames
    numbers : ndarray of int, shape (track,)
    faults : Faults

    Returns
    -------
    frames : Frames
    numbers : ndarray of int, shape (track,)
        With those of new tracks.
    """
    gone = faults.mask("lost", frames.track)
    if not gone.any() or gone.all():
        return frames, numbers
    rng = faults.dice("found")
    fresh = np.zeros(len(gone), dtype=bool)
    for part in stretches(gone, frames.track):
        if part.stop < len(gone) and frames.track[part.stop] == frames.track[part.start]:
            fresh[part.stop] = rng.random() < 0.5
    piece = np.cumsum((np.diff(frames.track, prepend=-1) != 0) | fresh) - 1
    first = np.flatnonzero(np.diff(piece, prepend=-1))
    track, new = frames.track[first], int(fresh.sum())
    by_time = np.lexsort((track, frames.frame[first], ~fresh[first]))[:new]
    track[by_time] = len(numbers) + np.arange(new)
    numbers = np.concatenate([numbers, numbers.max() + 1 + np.arange(new)])
    kept = Frames(track[piece], frames.larva, frames.frame).take(~gone)
    return kept.take(np.argsort(kept.track, kind="stable")), numbers


def spoil(
    frames: Frames, poses: Pose, contour: NDArray[np.float32] | None, faults: Faults
) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.bool_]]:
    """Spoil shapes in place.

    Parameters
    ----------
    frames : Frames
    poses : Pose
        Its midlines change.
    contour : ndarray, shape (frame, point, 2), or None
    faults : Faults

    Returns
    -------
    marks : dict of str to ndarray of bool, shape (frame,)
        Where each of the faults asked for happened.
    keep : ndarray of bool, shape (frame,)
        Frames that remain: a larva that another one is merged with has none.
    """
    marks = {name: faults.mask(name, frames.track) for name in SHAPE_FAULTS}
    keep = np.ones(len(frames), dtype=bool)
    if marks["merge"].any():
        marks["merge"], keep = _merge(frames, poses, contour, marks["merge"], faults.dice("pair"))
    poses.midline[marks["flip"]] = poses.midline[marks["flip"], ::-1]
    shaken = stretches(marks["jitter"], frames.track)
    shake(faults.dice("shake"), poses.midline, contour, 0.1 * poses.radius, shaken)
    short = stretches(marks["points"], frames.track)
    drop_points(faults.dice("drop"), poses.midline, contour, short)
    poses.midline[marks["nan"]] = np.nan
    if contour is not None:
        contour[marks["nan"]] = np.nan
    return {name: mark for name, mark in marks.items() if name in faults.rates}, keep


def _merge(
    frames: Frames, poses: Pose, contour: NDArray[np.float32] | None, mask: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:  # fmt: skip
    """Join larvae with the nearest other one; returns where it happened, and who remains."""
    n_film = int(frames.frame.max()) + 1
    key = frames.track * n_film + frames.frame
    done, keep = np.zeros(len(mask), dtype=bool), np.ones(len(mask), dtype=bool)
    middle = poses.midline.mean(axis=1)
    for part in stretches(mask, frames.track):
        rows = np.arange(part.start, part.stop)
        now = np.flatnonzero((frames.frame == frames.frame[part.start]) & keep & ~done)
        now = now[frames.larva[now] != frames.larva[part.start]]
        if not len(now) or not keep[rows].all():
            continue
        near = now[np.argmin(np.abs(middle[now] - middle[part.start]))]
        wanted = frames.track[near] * n_film + frames.frame[rows]
        other = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        both = (key[other] == wanted) & keep[other] & ~done[other]
        rows, other = rows[both], other[both]
        _join(poses, contour, rows, other, rng)
        done[rows], keep[other] = True, False
    return done, keep


def _join(
    poses: Pose, contour: NDArray[np.float32] | None, rows: NDArray[np.int64],
    other: NDArray[np.int64], rng: np.random.Generator,
) -> None:  # fmt: skip
    """Make one body of two, in place."""
    if contour is None:
        bodies = [outline(_rows(poses, who), _OUTLINE_POINTS) for who in (rows, other)]
    else:
        bodies = [contour[who] for who in (rows, other)]
    midlines = poses.midline[rows], poses.midline[other]
    midline, joint = joined(rng, *midlines, (bodies[0], bodies[1]), bodies[0].shape[1])
    poses.midline[rows] = midline
    if contour is not None:
        contour[rows] = joint


def _rows(poses: Pose, rows: NDArray[np.int64]) -> Pose:
    return Pose(*(getattr(poses, name)[rows] for name in Pose.__slots__))
