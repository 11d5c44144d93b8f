"""From a model and the effects of a line to transition probabilities and dwell clocks over time.

Time is cut into bins of :data:`STEP` seconds, within which everything is constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.protocol import Window
from larvastats.simulate.effects import BODY_KINDS, Effect
from larvastats.simulate.states import DEAD_TIME, Response, ScreenModel

STEP = 0.1
"""Width of a time bin, s."""


@dataclass(frozen=True, slots=True, eq=False)
class TimeCourse:
    """The chain of one genotype.

    Attributes
    ----------
    transitions : ndarray, shape (bin, from, to)
        Probabilities of the next state, for a bout that ends in the bin.
    dwell_mean : ndarray, shape (bin, state)
        Mean dwell time (s) if the bin lasted for ever.
    clock : ndarray, shape (state, bin + 1)
        A bout's clock at the bin edges: it runs at ``1 / (dwell_mean - DEAD_TIME)``, and a bout
        ends when, after the dead time, it has advanced by a gamma variate of mean 1. So a
        stimulus cuts long bouts short at once, instead of waiting for them to end.
    """

    transitions: NDArray[np.float64]
    dwell_mean: NDArray[np.float64]
    clock: NDArray[np.float64]


def bin_middles(model: ScreenModel) -> NDArray[np.float64]:
    """Return the middles of the time bins of a recording, s, shape (bin,)."""
    n = int(np.ceil(model.duration / STEP - 1e-9))
    return (np.arange(n, dtype=np.float64) + 0.5) * STEP


def in_window(window: Window, t: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each time lies in a window, shape of `t`."""
    out = np.zeros(len(t), dtype=bool)
    for start, stop in window.intervals:
        out |= (t >= start) & (t < stop)
    return out


def body_factors(
    t: NDArray[np.float64], model: ScreenModel, effects: Sequence[Effect]
) -> dict[str, NDArray[np.float64]]:
    """Return what effects on the body multiply at each time: per kind, shape of `t`."""
    out = {kind: np.ones(len(t)) for kind in BODY_KINDS}
    for effect in effects:
        if effect.kind in out:
            out[effect.kind][in_window(effect.resolve(model.timing), t)] *= effect.delta
    return out


def strength(
    response: Response, on: NDArray[np.bool_], tau_factor: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the strength of a response over time.

    Parameters
    ----------
    response : Response
    on : ndarray of bool, shape (bin,)
        Whether the stimulus is on.
    tau_factor : ndarray, shape (bin,)
        Factor on the time constant of the waning.

    Returns
    -------
    ndarray, shape (bin,)
        In [0, 1]; 0 before the first onset.
    """
    waning = np.exp(-STEP / (response.tau * tau_factor))
    rest, release = np.exp(-STEP / response.recovery), np.exp(-STEP / response.release)
    capacity, gate = 1.0, 0.0
    out = np.zeros(len(on))
    for n, lit in enumerate(on):
        if lit:
            gate = 1.0
            out[n] = capacity
            capacity = response.floor + (capacity - response.floor) * waning[n]
        else:
            gate *= release
            out[n] = capacity * gate
            capacity = 1.0 + (capacity - 1.0) * rest
    return out


def timecourse(
    model: ScreenModel, effects: Sequence[Effect] = ()
) -> tuple[TimeCourse, list[dict[str, Any]]]:
    """Compute the chain of a line, and what its effects amount to.

    Parameters
    ----------
    model : ScreenModel
    effects : sequence of Effect
        Those of one line.

    Returns
    -------
    course : TimeCourse
    realised : list of dict
        One per effect: its keys, the times of its window, ``delta_realised`` (mean over the
        bins of the window) and ``clipped`` (whether a probability met 0 or 1, or a dwell time
        the dead time, somewhere in it).
    """
    t = bin_middles(model)
    inside = [in_window(effect.resolve(model.timing), t) for effect in effects]
    factor = np.ones(len(t))
    for effect, where in zip(effects, inside, strict=True):
        if effect.kind == "habituation":
            factor[where] *= effect.delta
    transitions, dwell = _responding(model, t, factor)
    realised = []
    for effect, where in zip(effects, inside, strict=True):
        done: dict[str, Any] = {"delta_realised": effect.delta, "clipped": False}
        if effect.kind == "transition":
            done = _add_transition(transitions, where, effect, model.states)
        elif effect.kind == "dwell":
            done = _scale_dwell(dwell, where, effect, model.states)
        times = [_finite(i, model.duration) for i in effect.resolve(model.timing).intervals]
        realised.append({**effect.as_dict(), "intervals": times, **done})
    rate = 1.0 / (dwell - DEAD_TIME)
    clock = np.zeros((len(model.states), len(t) + 1))
    np.cumsum(rate.T * STEP, axis=1, out=clock[:, 1:])
    return TimeCourse(transitions, dwell, clock), realised


def _responding(
    model: ScreenModel, t: NDArray[np.float64], tau_factor: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transition probabilities (bin, from, to) and mean dwell times (bin, state)."""
    on = np.zeros(len(t), dtype=bool)
    for start, stop in model.timing.intervals:
        on |= (t >= start) & (t < stop)
    startle = strength(model.startle, on, tau_factor)
    # The sustained response fills what the startle leaves, so that the weights sum to 1.
    sustained = (1 - startle) * strength(model.sustained, on, tau_factor)
    weights = np.stack([1 - startle - sustained, startle, sustained])
    chains = np.stack([model.transitions, model.startle.transitions, model.sustained.transitions])
    log_factor = startle[:, None] * np.log(model.startle.dwell_factor)
    log_factor = log_factor + sustained[:, None] * np.log(model.sustained.dwell_factor)
    dwell = model.dwell_mean * np.exp(log_factor)
    transitions: NDArray[np.float64] = np.einsum("cn,cij->nij", weights, chains)
    return transitions, np.maximum(dwell, 1.2 * DEAD_TIME)


def _add_transition(
    transitions: NDArray[np.float64], where: NDArray[np.bool_], effect: Effect,
    states: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Add to one probability in place and rescale the others of its row."""
    i, j = states.index(str(effect.from_state)), states.index(str(effect.to_state))
    row = transitions[where, i]
    old = row[:, j].copy()
    new = np.clip(old + effect.delta, 0.0, 1.0)
    left = 1.0 - old
    others = row.copy()
    others[:, j] = 0.0
    # A row that held nothing else gives what is freed to all the others alike.
    alike = np.ones(len(states))
    alike[[i, j]] = 0.0
    share = np.where(
        left[:, None] > 0, others / np.where(left > 0, left, 1.0)[:, None],
        alike / max(alike.sum(), 1.0),
    )  # fmt: skip
    row = share * (1.0 - new)[:, None]
    row[:, j] = new
    transitions[where, i] = row
    return _realised(new - old, effect.delta)


def _scale_dwell(
    dwell: NDArray[np.float64], where: NDArray[np.bool_], effect: Effect, states: Sequence[str]
) -> dict[str, Any]:
    """Multiply one mean dwell time in place, never below what the dead time allows."""
    i = states.index(str(effect.from_state))
    old = dwell[where, i].copy()
    dwell[where, i] = np.maximum(old * effect.delta, 1.2 * DEAD_TIME)
    return _realised(dwell[where, i] / old, effect.delta)


def _realised(values: NDArray[np.float64], wanted: float) -> dict[str, Any]:
    mean = float(values.mean()) if len(values) else 0.0
    clipped = bool((np.abs(values - wanted) > 1e-9).any())
    return {"delta_realised": round(mean, 6), "clipped": clipped}


def _finite(interval: tuple[float, float], duration: float) -> list[float]:
    return [max(interval[0], 0.0), min(interval[1], duration)]
