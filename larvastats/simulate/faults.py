"""What trackers do wrong, put into recordings on demand, with the truth of every frame.

A fault is a stretch of frames of one track; its rate is the share of frames that it takes. Nothing
here changes what larvae do, and without faults nothing is drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.vocabulary import closest

FAULTS: Mapping[str, float] = {
    "jitter": 0.6, "nan": 0.3, "points": 0.5, "flip": 1.0, "merge": 1.5, "lost": 1.5, "times": 0.0,
}  # fmt: skip
"""Faults, with the mean duration (s) of their stretches:

- ``jitter``: vertices of the outline and points of the midline shake, by a tenth of a body's width
  and more;
- ``nan``: no shape at all;
- ``points``: part of the outline and an end of the midline are missing;
- ``flip``: head and tail are taken for each other;
- ``merge``: two larvae are taken for one: the outline goes around both, and the other is lost;
- ``lost``: no frames; half of the larvae come back under a new number;
- ``times``: every frame comes early or late by up to half of this share of the step.
"""

REALISTIC: Mapping[str, float] = {
    "jitter": 0.02, "nan": 0.01, "points": 0.02, "flip": 0.01, "merge": 0.01, "lost": 0.01,
    "times": 0.2,
}  # fmt: skip
"""Rates about which good recordings have; ``realistic`` names them."""

MOST = 0.9
"""Largest rate; beyond, little is left of a recording."""

SHAPE_FAULTS = ("jitter", "nan", "points", "flip", "merge")
"""Faults of a shape, which a frame of the truth is marked with."""


def read_faults(
    faults: str | Sequence[str] | Mapping[str, float] | None,
) -> dict[str, float]:
    """Check faults and their rates.

    Parameters
    ----------
    faults : mapping of str to float, sequence of str, or str
        Rates by name; or texts ``name=rate``, separated by commas. ``realistic`` stands for
        :data:`REALISTIC`.

    Returns
    -------
    dict of str to float
        In the order of :data:`FAULTS`; without those that never happen.

    Raises
    ------
    UsageError
        An unknown fault, or a rate that is none.
    """
    given: dict[str, object] = {}
    if isinstance(faults, Mapping):
        given |= faults
    else:
        texts = [faults] if isinstance(faults, str) else list(faults or ())
        for part in [one.strip() for text in texts for one in str(text).split(",")]:
            name, sign, rate = part.partition("=")
            if part == "realistic":
                given |= REALISTIC
            elif not sign:
                _check_name(name)
                raise UsageError(
                    f"A fault needs its rate, such as {name}=0.02 (the share of frames), but only "
                    f"{part!r} is said."
                )
            else:
                given[name.strip()] = rate
    checked = {str(name): _rate(str(name), rate) for name, rate in given.items()}
    return {name: checked[name] for name in FAULTS if checked.get(name, 0) > 0}


def _check_name(name: str) -> None:
    if name not in FAULTS:
        raise UsageError(
            f"Faults are {', '.join(FAULTS)} (or realistic), but one is named {name!r}"
            f"{closest(name, (*FAULTS, 'realistic')) or '.'}"
        )


def _rate(name: str, rate: object) -> float:
    _check_name(name)
    try:
        value = float(rate)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(rate, bool) or not 0 <= value <= MOST:
        raise UsageError(
            f"The rate of fault {name!r} is a share of frames from 0 to {MOST:g}, but is {rate!r}."
        )
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A stretch of frames: the first, and the one after the last, of all frames of an assay."""

    start: int
    stop: int


def draw_mask(
    rng: np.random.Generator, track: NDArray[np.integer], rate: float, frames: float
) -> NDArray[np.bool_]:
    """Draw stretches of a fault.

    Parameters
    ----------
    rng : Generator
    track : ndarray of int, shape (frame,)
        Sorted.
    rate : float
        Share of frames.
    frames : float
        Mean length of a stretch.

    Returns
    -------
    ndarray of bool, shape (frame,)
        Stretches end with their track.
    """
    n = len(track)
    frames = max(frames, 1.0)
    begins = np.flatnonzero(rng.random(n) < -math.log1p(-rate) / frames)
    lasting = rng.geometric(1 / frames, len(begins))
    edge = np.zeros(n + 1, dtype=np.int64)
    last = np.searchsorted(track, track[begins], side="right")
    np.add.at(edge, begins, 1)
    np.add.at(edge, np.minimum(begins + lasting, last), -1)
    return np.asarray(np.cumsum(edge)[:-1] > 0)


def stretches(mask: NDArray[np.bool_], track: NDArray[np.integer]) -> list[Stretch]:
    """List the stretches of a mask, none of which goes from one track to the next."""
    if not mask.any():
        return []
    change = np.flatnonzero((np.diff(mask) != 0) | (np.diff(track) != 0)) + 1
    edges = np.concatenate([[0], change, [len(mask)]])
    return [Stretch(int(a), int(b)) for a, b in itertools.pairwise(edges) if mask[a]]


def shake(
    rng: np.random.Generator, midline: NDArray[np.complex128], contour: NDArray[np.float32] | None,
    width: NDArray[np.float64], found: Sequence[Stretch],
) -> None:  # fmt: skip
    """Move vertices and points at random, in place, each stretch by a strength of its own."""
    for part in found:
        rows = slice(part.start, part.stop)
        strength = 0.25 * math.exp(0.5 * rng.standard_normal())
        unit = (strength * width[rows])[:, None]
        noise = rng.standard_normal((2, *midline[rows].shape))
        midline[rows] += 0.5 * unit * (noise[0] + 1j * noise[1])
        if contour is not None:
            noise = rng.standard_normal(contour[rows].shape)
            contour[rows] += (unit[..., None] * noise).astype(np.float32)


def drop_points(
    rng: np.random.Generator, midline: NDArray[np.complex128], contour: NDArray[np.float32] | None,
    found: Sequence[Stretch],
) -> None:  # fmt: skip
    """Take an end of the midline and a run of vertices away, in place."""
    for part in found:
        rows = slice(part.start, part.stop)
        n = int(rng.integers(2, 6))
        head = rng.random() < 0.5
        midline[rows, slice(-n, None) if head else slice(n)] = np.nan
        if contour is not None:
            size = contour.shape[1]
            first = int(rng.integers(size))
            gone = (first + np.arange(int(size * rng.uniform(0.15, 0.45)))) % size
            contour[rows, gone] = np.nan
