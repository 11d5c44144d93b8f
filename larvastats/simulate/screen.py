"""Draw a whole screen: from a design and a seed to an ethogram and the truth behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.compute import track
from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.simulate.chain import Bouts, PlateDraw, draw_bouts
from larvastats.simulate.design import Plate, RandomEffects, ScreenDesign, generator, plan
from larvastats.simulate.effects import Effect
from larvastats.simulate.timecourse import TimeCourse, timecourse
from larvastats.simulate.tracking import Stretches, cut, number_tracks, watch
from larvastats.simulate.truth import Truth, effects_by_line
from larvastats.tabular import complete_assays

_LARVAE_AT_ONCE = 6000  # bounds the memory of the intermediate arrays (about 100 MB)

Course = Callable[[tuple[Effect, ...]], TimeCourse]
Deviates = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Tracked bouts of some plates; `track` indexes the tracks of the part."""

    bouts: Bouts
    track: NDArray[np.int64]
    plate: NDArray[np.int64]
    number: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Films:
    """What larvae did, whether seen or not, and when they were seen.

    Attributes
    ----------
    bouts : Bouts
        Of every larva, from 0 s to the end.
    stretches : Stretches
    track : ndarray of int, shape (stretch,)
        The track (what is taken for one larva) that each stretch belongs to.
    plate, number : ndarray of int, shape (track,)
        Position of its plate among those asked for, and its number on it.
    """

    bouts: Bouts
    stretches: Stretches
    track: NDArray[np.int64]
    plate: NDArray[np.int64]
    number: NDArray[np.int64]


def simulate_ethogram(
    design: ScreenDesign, seed: int = 0, *, progress: bool = False
) -> tuple[Ethogram, Truth]:
    """Simulate a screen.

    Parameters
    ----------
    design : ScreenDesign
    seed : int
        From 0 on. The same design and seed give the same ethogram; what a plate shows depends on
        the seed, its line, its date and its number on that date (and on the effects of its
        line), never on the other lines.
    progress : bool
        Whether to draw a progress bar on stderr.

    Returns
    -------
    ethogram : Ethogram
        Times are whole milliseconds.
    truth : Truth
        What was put in.

    Raises
    ------
    UsageError
        A seed that is none, or effects of a line that the design lacks.
    """
    check_seed(seed)
    effects = effects_by_line(design)
    course = functools.lru_cache(maxsize=64)(lambda key: timecourse(design.model, key)[0])
    plates = plan(design)
    batches = list(_batches(design, plates))
    parts = [
        _simulate(design, int(seed), batch, effects, course)
        for batch in track(batches, "simulating", len(batches), progress)
    ]
    return _assemble(design, plates, batches, parts), Truth(design, int(seed))


def check_seed(seed: object) -> None:
    """Refuse a seed that is none."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise UsageError(f"seed must be a whole number from 0 on, but is {seed!r}.")


def _batches(design: ScreenDesign, plates: Sequence[Plate]) -> Iterator[list[Plate]]:
    batch: list[Plate] = []
    n = 0
    for plate in plates:
        size = design.larvae_range(plate.line)[1]
        if batch and n + size > _LARVAE_AT_ONCE:
            yield batch
            batch, n = [], 0
        batch.append(plate)
        n += size
    yield batch


def _simulate(
    design: ScreenDesign, seed: int, plates: Sequence[Plate],
    effects: dict[str, tuple[Effect, ...]], course: Course,
) -> _Part:  # fmt: skip
    films = film(design, seed, plates, effects, course)
    bouts, stretch = cut(films.bouts, films.stretches)
    tracks = films.track[stretch]
    order = np.argsort(tracks, kind="stable")
    bouts = Bouts(bouts.larva[order], bouts.state[order], bouts.t_start[order], bouts.t_stop[order])
    return _Part(bouts, tracks[order], films.plate, films.number)


def film(
    design: ScreenDesign, seed: int, plates: Sequence[Plate],
    effects: Mapping[str, tuple[Effect, ...]], course: Course,
) -> Films:  # fmt: skip
    """Follow the larvae of some plates; each plate depends on the seed and itself alone."""
    keys = list(dict.fromkeys(effects[plate.line] for plate in plates))
    shared: dict[tuple[str, ...], Deviates] = {}
    draws = [
        _plate_draw(design, seed, plate, keys.index(effects[plate.line]), shared)
        for plate in plates
    ]
    bouts = draw_bouts(design.model, [course(key) for key in keys], draws)
    stretches = watch(design.model, design.tracking, bouts, draws)
    sizes = np.array([len(draw.odds) for draw in draws])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    plate_of_larva = np.repeat(np.arange(len(draws)), sizes)
    track, plate, number = number_tracks(stretches, plate_of_larva, offsets)
    return Films(bouts, stretches, track, plate, number)


def _plate_draw(
    design: ScreenDesign, seed: int, plate: Plate, course: int,
    shared: dict[tuple[str, ...], Deviates],
) -> PlateDraw:  # fmt: skip
    """Draw how many larvae a plate has, and how they and it deviate."""
    k, spread = len(design.model.states), design.spread
    for key, sd in ((("date", plate.date), spread.date),
                    (("vial", plate.line, plate.date), spread.vial)):  # fmt: skip
        if key not in shared:
            shared[key] = _deviates(generator(seed, *key), sd, spread, 1, k)
    rng = generator(seed, "plate", plate.line, plate.date, plate.number)
    low, high = design.larvae_range(plate.line)
    n = int(rng.integers(low, high, endpoint=True))
    levels = [
        shared["date", plate.date],
        shared["vial", plate.line, plate.date],
        _deviates(rng, spread.plate, spread, 1, k),
        _deviates(rng, spread.larva, spread, n, k),
    ]
    odds = np.exp(sum(level[0] for level in levels))
    dwell = np.exp(sum(level[1] for level in levels))
    return PlateDraw(rng, course, odds, dwell)


def _deviates(
    rng: np.random.Generator, sd: float, spread: RandomEffects, n: int, n_states: int
) -> Deviates:
    """Gaussian deviates of log odds (n, from, to) and log dwell (n, state) whose exp averages 1."""
    odds = sd * rng.standard_normal((n, n_states, n_states)) - sd**2 / 2
    dwell_sd = sd * spread.dwell
    return odds, dwell_sd * rng.standard_normal((n, n_states)) - dwell_sd**2 / 2


def _assemble(
    design: ScreenDesign, plates: Sequence[Plate], batches: Sequence[Sequence[Plate]],
    parts: Sequence[_Part],
) -> Ethogram:  # fmt: skip
    """Join the parts; plates, tracks and bouts are in order already."""
    n_tracks = np.cumsum([0] + [len(part.plate) for part in parts])
    n_plates = np.cumsum([0] + [len(batch) for batch in batches])
    larva_index = np.concatenate([p.track + o for p, o in zip(parts, n_tracks[:-1], strict=True)])
    assay_index = np.concatenate([p.plate + o for p, o in zip(parts, n_plates[:-1], strict=True)])
    number = np.concatenate([part.number for part in parts])
    larvae = pd.DataFrame({"larva": pd.Series(number).astype("str"), "assay_index": assay_index})
    columns = ("assay", "line", "effector", "protocol", "tracker", "date", "time")
    assays = pd.DataFrame(
        {name: [getattr(plate.identity, name) for plate in plates] for name in columns}
    )
    return Ethogram.build(
        design.model.states,
        larva_index,
        np.concatenate([part.bouts.state for part in parts]),
        np.concatenate([part.bouts.t_start for part in parts]),
        np.concatenate([part.bouts.t_stop for part in parts]),
        larvae,
        complete_assays(assays),
        "the simulation",
    )
