"""Draw the bouts of many larvae at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.simulate.expectation import equilibrium
from larvastats.simulate.states import DEAD_TIME, ScreenModel
from larvastats.simulate.timecourse import STEP, TimeCourse

_BLOCK = 16  # bouts per larva for which random numbers are drawn at a time
_MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class PlateDraw:
    """What chance gave one plate.

    Attributes
    ----------
    rng : Generator
        The plate's own; every further number of the plate comes from it.
    course : int
        Row of the time courses: the genotype.
    odds : ndarray, shape (larva, from, to)
        Factors on the transition probabilities, before each row is divided by its sum.
    dwell : ndarray, shape (larva, state)
        Factors on the dwell times.
    """

    rng: np.random.Generator
    course: int
    odds: NDArray[np.float64]
    dwell: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bouts:
    """Bouts sorted by larva and time; within a larva they follow each other without a gap.

    Attributes
    ----------
    larva : ndarray of int, shape (bout,)
        Larvae of all plates, numbered on.
    state : ndarray of int, shape (bout,)
    t_start, t_stop : ndarray, shape (bout,)
        Seconds, whole milliseconds.
    """

    larva: NDArray[np.int64]
    state: NDArray[np.int16]
    t_start: NDArray[np.float64]
    t_stop: NDArray[np.float64]


def draw_bouts(
    model: ScreenModel, courses: Sequence[TimeCourse], plates: Sequence[PlateDraw]
) -> Bouts:
    """Follow every larva of the plates from 0 s to the end of the recording.

    All larvae take their k-th step together, in arrays; each plate draws from its own generator,
    so that its bouts do not depend on which plates keep it company.
    """
    walk = _Walk(model, courses, plates)
    states, ends = [], []
    while walk.alive.any():
        block = walk.advance()
        states.append(block[0])
        ends.append(block[1])
    state, t_stop = np.concatenate(states, axis=1), np.concatenate(ends, axis=1)
    happened = state >= 0
    larva = np.repeat(np.arange(len(state)), happened.sum(axis=1))
    t_stop = t_stop[happened]
    first = np.diff(larva, prepend=-1) != 0
    t_start = np.where(first, 0.0, np.roll(t_stop, 1))
    return Bouts(larva, state[happened], t_start, t_stop)


class _Walk:
    """The present state of every larva, and how it goes on."""

    def __init__(
        self, model: ScreenModel, courses: Sequence[TimeCourse], plates: Sequence[PlateDraw]
    ) -> None:
        self.model, self.plates = model, plates
        sizes = np.array([len(plate.odds) for plate in plates])
        self.offsets = np.concatenate([[0], np.cumsum(sizes)])
        self.course = np.repeat([plate.course for plate in plates], sizes)
        self.odds = np.concatenate([plate.odds for plate in plates])
        self.dwell = np.concatenate([plate.dwell for plate in plates])
        self.transitions = np.stack([course.transitions for course in courses])
        self.clocks = _Clocks(np.stack([course.clock for course in courses]))
        self.mean = np.stack([course.dwell_mean[0] for course in courses])
        n = int(self.offsets[-1])
        self.alive = np.ones(n, dtype=bool)
        self.t = np.zeros(n)
        self.state = np.zeros(n, dtype=np.int64)
        self._begin()

    def _begin(self) -> None:
        """Start every larva in the equilibrium of its plate, in the midst of a bout."""
        self.pending = np.zeros(len(self.t))
        for p, plate in enumerate(self.plates):
            here = slice(self.offsets[p], self.offsets[p + 1])
            odds, dwell = self.odds[here], self.dwell[here]
            rows = self.transitions[plate.course, 0] * odds
            share = equilibrium(
                rows / rows.sum(axis=2, keepdims=True), self.mean[plate.course] * dwell
            )
            u, v = plate.rng.random((2, len(odds)))
            self.state[here] = _pick(share, u)
            # What is left of a bout met at random: a share of a length-biased gamma variate.
            shape = self.model.dwell_shape[self.state[here]]
            self.pending[here] = v * plate.rng.standard_gamma(shape + 1) / shape

    def advance(self) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
        """Take the next steps; returns states (-1 = over) and ends, shape (larva, step)."""
        uniform, gamma = self._numbers()
        states = np.full((len(self.t), _BLOCK), -1, dtype=np.int16)
        ends = np.zeros((len(self.t), _BLOCK))
        who = np.flatnonzero(self.alive)
        for step in range(_BLOCK):
            if not len(who):
                break
            states[who, step] = self.state[who]
            ends[who, step] = self._stop(who)
            self.t[who] = ends[who, step]
            over = self.t[who] >= self.model.duration
            self.alive[who[over]] = False
            who = who[~over]
            self._jump(who, uniform[who, step], gamma[who, step])
        return states, ends

    def _numbers(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Random numbers of a block: uniform (larva, step), gamma (larva, step, state)."""
        n_states = len(self.model.states)
        uniform = np.zeros((len(self.t), _BLOCK))
        gamma = np.zeros((len(self.t), _BLOCK, n_states))
        shape = self.model.dwell_shape
        for p, plate in enumerate(self.plates):
            first, last = self.offsets[p], self.offsets[p + 1]
            here = first + np.flatnonzero(self.alive[first:last])
            uniform[here] = plate.rng.random((len(here), _BLOCK))
            gamma[here] = plate.rng.standard_gamma(shape, (len(here), _BLOCK, n_states))
        return uniform, gamma / shape

    def _stop(self, who: NDArray[np.int64]) -> NDArray[np.float64]:
        """End of the present bouts, in whole milliseconds."""
        t, state = self.t[who], self.state[who]
        # The first bout has its dead time behind it.
        awake = np.where(t > 0, t + DEAD_TIME, 0.0)
        amount = self.pending[who] * self.dwell[who, state]
        stop = self.clocks.advance(self.course[who], state, awake, amount)
        stop = np.maximum(np.round(stop * _MILLISECONDS), np.round(t * _MILLISECONDS) + 1)
        return np.minimum(stop / _MILLISECONDS, self.model.duration)

    def _jump(
        self, who: NDArray[np.int64], uniform: NDArray[np.float64], gamma: NDArray[np.float64]
    ) -> None:
        """Choose the next states, and how long they will last on their clocks."""
        last = self.transitions.shape[1] - 1
        now = np.minimum((self.t[who] / STEP + 1e-6).astype(np.int64), last)
        state = self.state[who]
        weights = self.transitions[self.course[who], now, state] * self.odds[who, state]
        self.state[who] = _pick(weights, uniform)
        self.pending[who] = gamma[np.arange(len(who)), self.state[who]]


class _Clocks:
    """All dwell clocks, laid end to end so that one search inverts any of them."""

    def __init__(self, clock: NDArray[np.float64]) -> None:
        n_courses, self.n_states, self.n_edges = clock.shape
        flat = clock.reshape(n_courses * self.n_states, self.n_edges)
        self.shift = np.arange(len(flat)) * (flat[:, -1].max() + 1.0)
        self.flat = (flat + self.shift[:, None]).ravel()

    def advance(
        self,
        course: NDArray[np.integer],
        state: NDArray[np.int64],
        t: NDArray[np.float64],
        amount: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return when each clock will have advanced by `amount` since `t`; inf if never."""
        row = course * self.n_states + state
        begin = row * self.n_edges
        k = np.minimum((t / STEP).astype(np.int64), self.n_edges - 2)
        left, right = self.flat[begin + k], self.flat[begin + k + 1]
        target = left + (t / STEP - k) * (right - left) + amount
        never = target >= self.flat[begin + self.n_edges - 1]
        found = np.searchsorted(self.flat, target, side="right") - 1
        found = np.where(never, begin, found)
        left, right = self.flat[found], self.flat[found + 1]
        stop = (found - begin + (target - left) / (right - left)) * STEP
        return np.where(never, np.inf, stop)


def _pick(weights: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Choose a column of each row with probability in proportion to its weight."""
    total = np.cumsum(weights, axis=1)
    below = total <= (uniform * total[:, -1])[:, None]
    # Rounding may put the product past the last weight that is not 0.
    last = weights.shape[1] - 1 - np.argmax(weights[:, ::-1] > 0, axis=1)
    return np.minimum(below.sum(axis=1), last)
