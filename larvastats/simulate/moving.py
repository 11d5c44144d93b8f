"""Moving larvae in memory, without files: to train models on, to test filters with, to look at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.simulate.body import (
    ACTIONS,
    MEAN_FREQUENCY,
    Bodies,
    draw_bodies,
    kinematics_of,
)
from larvastats.simulate.chain import Bouts, PlateDraw, draw_bouts
from larvastats.simulate.design import RandomEffects, generator
from larvastats.simulate.effects import Effect, read_effects
from larvastats.simulate.motion import STEP, Factors, Motion, move, n_steps, smooth
from larvastats.simulate.outline import borders, outline, points, pose
from larvastats.simulate.screen import check_seed
from larvastats.simulate.states import ScreenModel, screen_model, with_duration
from larvastats.simulate.timecourse import body_factors, timecourse
from larvastats.vocabulary import LARVA_STATES, closest

Array = NDArray[np.float64]
Script = Sequence[tuple[str, float]]

SLOWEST_FPS = math.ceil(2 * 1.5 * MEAN_FREQUENCY)
"""Fewest frames per second that show the waves of a larva, some of whose are half as fast again."""

FASTEST_FPS = 200.0
LEAST_POINTS, MOST_POINTS = 8, 2000

_AT_ONCE = 16
_LINE = "larva"


@dataclass(frozen=True, slots=True)
class Preset:
    """How many larvae, and how finely they are seen."""

    n: int
    duration: float
    fps: float
    contour_points: int


PRESETS = {
    "small": Preset(n=16, duration=20.0, fps=10.0, contour_points=24),
    "large": Preset(n=4096, duration=120.0, fps=25.0, contour_points=100),
}
"""``small`` for tests and a first look (a second), ``large`` to train on (12 million frames)."""


@dataclass(frozen=True, slots=True, eq=False)
class MovingLarva:
    """One larva, seen throughout.

    Attributes
    ----------
    t : ndarray, shape (frame,)
        Seconds.
    midline : ndarray, shape (frame, 11, 2)
        mm, head first; the points are equally far from each other along the body.
    contour : ndarray of float32, shape (frame, point, 2)
        mm, from the tail along the left side to the head and back; not closed.
    state : ndarray of int16, shape (frame,)
        Index into `states`.
    states : tuple of str
    axis : ndarray, shape (frame,)
        Angle by which it has turned about its long axis, rad; only rolls change it.
    borders : ndarray, shape (frame, 11)
        Where along the midline, as a share of its length from the head, the borders between ten
        segments lie: waves shorten one segment after the other, which equal distances hide.
    """

    t: Array
    midline: Array
    contour: NDArray[np.float32]
    state: NDArray[np.int16]
    states: tuple[str, ...]
    axis: Array
    borders: Array


def moving_larvae(
    n: int | None = None,
    *,
    preset: str = "small",
    duration: float | None = None,
    fps: float | None = None,
    contour_points: int | None = None,
    actions: Script | None = None,
    protocol: str | None = None,
    effects: Iterable[Mapping[str, Any]] = (),
    seed: int = 0,
) -> Iterator[MovingLarva]:
    """Yield larvae that move, one after the other; memory stays the same for any number.

    Parameters
    ----------
    n : int, optional
        How many; this and the following by default as the preset says. The first larvae of more
        are those of fewer.
    preset : {'small', 'large'}
    duration : float, optional
        Seconds.
    fps : float, optional
        Frames per second. The same larvae move at any: only where they are looked at changes.
    contour_points : int, optional
    actions : sequence of (action, seconds), optional
        What every larva does, such as ``[("run", 5), ("cast", 2)]``; `duration` is then their sum.
        By default each follows a chain of its own, as in a simulated screen.
    protocol : str, optional
        ``light`` (default), ``airpuff`` or a protocol of either kind; says when stimuli are on.
    effects : iterable of mappings
        Effects without a line, see :mod:`larvastats.simulate.effects`.
    seed : int
        From 0 on.

    Yields
    ------
    MovingLarva

    Raises
    ------
    UsageError
        An unknown preset or action, or a number out of its range.
    """
    chosen = _preset(preset, n, duration, fps, contour_points)
    check_grid(chosen.fps, chosen.contour_points)
    check_seed(seed)
    if actions is not None:
        check_script(actions)
        chosen = Preset(chosen.n, sum(s for _, s in actions), chosen.fps, chosen.contour_points)
    model = with_duration(screen_model(protocol), chosen.duration)
    tables = [{**table, "line": _LINE} for table in effects]
    own = read_effects(tables, model, (_LINE,), "")
    return _generate(chosen, model, own, actions, seed)


def _generate(
    preset: Preset, model: ScreenModel, effects: Sequence[Effect], script: Script | None, seed: int
) -> Iterator[MovingLarva]:
    """Draw larvae in groups of one size, so that none depends on how many there are."""
    t = np.arange(math.ceil(preset.duration * preset.fps - 1e-9)) / preset.fps
    actions, course = kinematics_of(model.states), timecourse(model, effects)[0]
    factors = factors_of(model, effects, n_steps(preset.duration))
    for first in range(0, preset.n, _AT_ONCE):
        rng = generator(seed, "moving", first)
        if script is None:
            draw = _individuals(rng, len(model.states))
            bouts = draw_bouts(model, [course], [draw])
        else:
            bouts = _scripted(script, model.states)
        bodies = draw_bodies(rng, _AT_ONCE)
        motion = move(bodies, bouts, actions, factors, rng)
        for larva in range(min(_AT_ONCE, preset.n - first)):
            yield _seen(bodies, motion, bouts, larva, t, preset.contour_points, model.states)


def _seen(
    bodies: Bodies, motion: Motion, bouts: Bouts, larva: int, t: Array, n_points: int,
    states: tuple[str, ...],
) -> MovingLarva:  # fmt: skip
    who = np.full(len(t), larva)
    frames = pose(bodies, motion, who, t)
    return MovingLarva(
        t, points(frames.midline), outline(frames, n_points), state_at(bouts, who, t), states,
        frames.axis, borders(frames),
    )  # fmt: skip


def state_at(bouts: Bouts, larva: NDArray[np.integer], t: Array) -> NDArray[np.int16]:
    """Return what larvae do at given times, shape (frame,); bouts start with their first moment."""
    stride = 2.0 * (float(bouts.t_stop.max()) + 1.0)
    key = bouts.larva * stride + bouts.t_start
    found = np.searchsorted(key, larva * stride + t + 1e-7, side="right") - 1
    return np.asarray(bouts.state[found])


def factors_of(model: ScreenModel, effects: Sequence[Effect], steps: int) -> Factors:
    """Return what effects on the body amount to over time."""
    t = np.arange(steps, dtype=np.float64) * STEP
    factor = body_factors(t, model, effects)
    return Factors(*(smooth(factor[kind]) for kind in ("speed", "spread", "length")))


def _individuals(rng: np.random.Generator, k: int) -> PlateDraw:
    sd, share = RandomEffects().larva, RandomEffects().dwell
    odds = np.exp(sd * rng.standard_normal((_AT_ONCE, k, k)) - sd**2 / 2)
    slow = sd * share
    dwell = np.exp(slow * rng.standard_normal((_AT_ONCE, k)) - slow**2 / 2)
    return PlateDraw(rng, 0, odds, dwell)


def _scripted(script: Script, states: tuple[str, ...]) -> Bouts:
    stop = np.cumsum([seconds for _, seconds in script])
    codes = np.array([states.index(action) for action, _ in script], dtype=np.int16)
    larva = np.repeat(np.arange(_AT_ONCE), len(script))
    start = np.tile(np.concatenate([[0.0], stop[:-1]]), _AT_ONCE)
    return Bouts(larva, np.tile(codes, _AT_ONCE), start, np.tile(stop, _AT_ONCE))


# -- checks ----------------------------------------------------------------------------------------


def check_grid(fps: float, contour_points: int) -> None:
    """Refuse frames that show no larva.

    Raises
    ------
    UsageError
        Too few or too many frames per second, or points of an outline.
    """
    if not _is_number(fps) or not SLOWEST_FPS <= fps <= FASTEST_FPS:
        raise UsageError(
            f"fps must be a number from {SLOWEST_FPS} (a larva makes {MEAN_FREQUENCY:g} waves per "
            f"second, some twice as many) to {FASTEST_FPS:g}, but is {fps!r}."
        )
    whole = isinstance(contour_points, int | np.integer) and not isinstance(contour_points, bool)
    if not whole or not LEAST_POINTS <= contour_points <= MOST_POINTS:
        raise UsageError(
            f"contour_points must be a whole number from {LEAST_POINTS} to {MOST_POINTS}, but is "
            f"{contour_points!r}."
        )


def check_script(actions: Script) -> None:
    """Refuse a script that is none.

    Raises
    ------
    UsageError
        No action, one that no larva knows, or one that lasts no time.
    """
    if isinstance(actions, str) or not len(actions):
        raise UsageError("actions must be pairs of action and seconds, such as [('run', 5)].")
    for pair in actions:
        if isinstance(pair, str) or len(pair) != 2:
            raise UsageError(f"actions must be pairs of action and seconds, but one is {pair!r}.")
        action, seconds = pair
        if action not in ACTIONS:
            raise UsageError(
                f"A moving larva knows the actions {', '.join(LARVA_STATES)}, but not {action!r}"
                f"{closest(str(action), LARVA_STATES) or '.'}"
            )
        if not _is_number(seconds) or seconds <= 0:
            raise UsageError(
                f"An action lasts a positive number of seconds, but {action!r} {seconds!r}."
            )


def _preset(
    name: str, n: int | None, duration: float | None, fps: float | None, points: int | None
) -> Preset:
    if name not in PRESETS:
        raise UsageError(
            f"preset must be one of {', '.join(PRESETS)}, but is {name!r}"
            f"{closest(str(name), tuple(PRESETS)) or '.'}"
        )
    base = PRESETS[name]
    n = base.n if n is None else n
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        raise UsageError(f"n must be a whole number of at least 1 larva, but is {n!r}.")
    duration = base.duration if duration is None else duration
    if not _is_number(duration) or not 1 <= duration <= 86400:
        raise UsageError(f"duration must be 1 to 86400 s, but is {duration!r}.")
    return Preset(
        int(n), float(duration), base.fps if fps is None else fps,
        base.contour_points if points is None else points,
    )  # fmt: skip


def _is_number(x: object) -> bool:
    good = isinstance(x, int | float | np.number) and not isinstance(x, bool)
    return good and math.isfinite(float(x))  # type: ignore[arg-type]
