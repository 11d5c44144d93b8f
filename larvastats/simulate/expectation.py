"""What a chain does on average, computed instead of drawn.

The forward equations of a semi-Markov chain with time-varying clocks, solved on the bins of
:mod:`larvastats.simulate.timecourse`: a cohort is what enters a state in one bin, and its survival
is the gamma survival function of its clock. Random effects are taken as zero.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from larvastats.errors import UsageError
from larvastats.protocol import Window
from larvastats.simulate.states import ScreenModel
from larvastats.simulate.timecourse import TimeCourse, bin_middles, in_window

_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """Expected course of one larva that is always tracked.

    Attributes
    ----------
    flow : ndarray, shape (bin, from, to)
        Expected number of transitions in each bin.
    occupancy : ndarray, shape (bin, state)
        Probability of each state, averaged over the bin.
    """

    flow: NDArray[np.float64]
    occupancy: NDArray[np.float64]


def expect(model: ScreenModel, course: TimeCourse) -> Expectation:
    """Solve the forward equations of a chain that starts in equilibrium at time 0."""
    n_bins, n_states = course.dwell_mean.shape
    start = equilibrium(course.transitions[0], course.dwell_mean[0])
    shape = model.dwell_shape.tolist()
    cohorts = [_Cohorts(course.clock[i], shape[i], start[i]) for i in range(n_states)]
    flow = np.zeros((n_bins, n_states, n_states))
    occupancy = np.zeros((n_bins, n_states))
    at_edge = start
    for n in range(n_bins):
        leaving = np.array([cohort.leave(n) for cohort in cohorts])
        flow[n] = leaving[:, None] * course.transitions[n]
        entering = flow[n].sum(axis=0)
        for cohort, mass in zip(cohorts, entering, strict=True):
            cohort.enter(n, mass)
        next_edge = at_edge - leaving + entering
        occupancy[n] = (at_edge + next_edge) / 2
        at_edge = next_edge
    return Expectation(flow, occupancy)


def equilibrium(
    transitions: NDArray[np.float64], dwell_mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the long-run share of time in each state.

    Parameters
    ----------
    transitions : ndarray, shape (..., from, to)
    dwell_mean : ndarray, shape (..., state)

    Returns
    -------
    ndarray, shape (..., state)
        Stationary distribution of the jump chain, weighted by the mean dwell times.

    Raises
    ------
    UsageError
        The chain falls into parts that do not reach each other.
    """
    n = transitions.shape[-1]
    # nu (P - I) = 0 and sum(nu) = 1: one equation is redundant and gives way to the sum.
    system = np.swapaxes(transitions, -1, -2) - np.eye(n)
    system[..., -1, :] = 1.0
    right = np.zeros((*transitions.shape[:-1], 1))
    right[..., -1, 0] = 1.0
    try:
        visits = np.linalg.solve(system, right)[..., 0]
    except np.linalg.LinAlgError as error:
        raise UsageError(
            "The effects cut the states into parts that never reach each other, so that no larva "
            "can start in equilibrium; choose smaller deltas."
        ) from error
    time = np.clip(visits, 0.0, None) * dwell_mean
    return time / time.sum(axis=-1, keepdims=True)


def mean_transitions(
    model: ScreenModel, expectation: Expectation, window: Window
) -> NDArray[np.float64]:
    """Return the expected pooled jump matrix of a window, shape (from, to); NaN if unvisited."""
    inside = in_window(window, bin_middles(model))
    flow = expectation.flow[inside].sum(axis=0)
    total = flow.sum(axis=1, keepdims=True)
    return np.divide(flow, total, out=np.full_like(flow, np.nan), where=total > _NEGLIGIBLE)


def mean_occupancy(
    model: ScreenModel, expectation: Expectation, window: Window
) -> NDArray[np.float64]:
    """Return the expected share of time in each state within a window, shape (state,)."""
    inside = in_window(window, bin_middles(model))
    if not inside.any():
        return np.full(expectation.occupancy.shape[1], np.nan)
    return expectation.occupancy[inside].mean(axis=0)


class _Cohorts:
    """Those in one state, by the bin in which they entered it."""

    def __init__(self, clock: NDArray[np.float64], shape: float, present: float) -> None:
        self.clock = clock
        self.grid, self.survival, residual = _survival_tables(shape)
        # Those present at time 0 leave as equilibrium lets them, whatever enters later.
        self.first_leave = -present * np.diff(np.interp(clock, self.grid, residual, right=0.0))
        self.mass = np.zeros(len(clock))
        self.alive = np.zeros(len(clock))
        self.oldest = 0
        self.n_entered = 0

    def leave(self, n: int) -> float:
        """Advance the clock over bin n and return the mass that leaves."""
        out = float(self.first_leave[n])
        lo, hi = self.oldest, self.n_entered
        if hi > lo:
            # Cohort s entered, on average, in the middle of bin s: its dead time of half a bin
            # is over at the edge s + 1.
            age = self.clock[n + 1] - self.clock[lo + 1 : hi + 1]
            alive = np.interp(age, self.grid, self.survival, right=0.0)
            out += float(self.mass[lo:hi] @ (self.alive[lo:hi] - alive))
            self.alive[lo:hi] = alive
            while self.oldest < hi and self.alive[self.oldest] < _NEGLIGIBLE:
                self.oldest += 1
        return out

    def enter(self, n: int, mass: float) -> None:
        """Open the cohort of bin n."""
        self.mass[n], self.alive[n] = mass, 1.0
        self.n_entered = n + 1


@functools.lru_cache(maxsize=64)
def _survival_tables(
    shape: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Survival of a gamma variate of mean 1, and of its residual in equilibrium, on a grid."""
    grid = np.concatenate([np.linspace(0, 1, 2001), np.geomspace(1, 400, 4001)[1:]])
    survival = gammaincc(shape, shape * grid)
    middle = (survival[1:] + survival[:-1]) / 2 * np.diff(grid)
    residual = 1.0 - np.concatenate([[0.0], np.cumsum(middle)]) / middle.sum()
    return grid, survival, residual
