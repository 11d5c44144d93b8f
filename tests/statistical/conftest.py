"""A fast simulator of screens for Monte Carlo checks, independent of ``larvastats.simulate``.

Larvae are Markov chains of equal numbers of bouts, all simulated at once. Dates, vials (line x
date) and plates shift the logits of every transition; line and control share the date, not the
vial. What comes out is an ordinary :class:`Ethogram`, so that the checks run through the public
verbs and whatever stands behind them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from larvastats.ethogram import Ethogram
from larvastats.tabular import complete_assays
from larvastats.vocabulary import LARVA_STATES

PROTOCOL = "r_LED100_30s1x30s0s#n#n#n"
SPAN = 30.0
"""Seconds before the light goes on, and for which it is on."""

CONTROL = "control"

# A light screen's bouts: run and cast alternate, roll is rare.
BASE = np.array([
    [0.000, 0.720, 0.170, 0.050, 0.055, 0.005],
    [0.700, 0.000, 0.200, 0.040, 0.055, 0.005],
    [0.450, 0.450, 0.000, 0.050, 0.045, 0.005],
    [0.300, 0.500, 0.148, 0.000, 0.050, 0.002],
    [0.600, 0.298, 0.060, 0.040, 0.000, 0.002],
    [0.400, 0.500, 0.098, 0.001, 0.001, 0.000],
])  # fmt: skip
START = np.array([0.38, 0.36, 0.16, 0.05, 0.045, 0.005])


@dataclass(frozen=True)
class Plan:
    """A screen of lines, each against a control of its own on dates of its own.

    Tests of different lines are then independent, and binomial limits hold for their share.
    """

    lines: int
    dates: int = 3
    plates: int = 2  # of the line, per date
    controls: int = 4  # plates of the control, per date
    larvae: int = 30
    control_larvae: int = 30
    bouts: int = 9  # per larva and window: eight jumps
    plate_sd: float = 0.3
    date_sd: float = 0.2
    vial_sd: float = 0.1
    dated: bool = True
    additive: bool = False
    """Noise added to probabilities, not logits: equal changes then stay equal in expectation."""


def perturbed(p: NDArray, shift: NDArray) -> NDArray:
    """Shift logits of rows of probabilities, shape (..., from, to); zeros stay zero."""
    moved = p * np.exp(shift)
    return moved / moved.sum(axis=-1, keepdims=True)


def mixed(p: NDArray, shift: NDArray) -> NDArray:
    """Mix rows of probabilities with random ones, a fifth in all: linear in `p`."""
    other = perturbed(np.where(np.eye(len(BASE)), 0.0, 1.0), 3 * shift)
    return 0.8 * p + 0.2 * other


def plates_of(plan: Plan) -> pd.DataFrame:
    """One row per plate: line index, whether control, date, larvae."""
    per_date = plan.plates + plan.controls
    n = plan.lines * plan.dates * per_date
    index = np.arange(n)
    is_line = index % per_date < plan.plates
    return pd.DataFrame({
        "pair": index // (plan.dates * per_date),
        "date": index // per_date,
        "is_line": is_line,
        "larvae": np.where(is_line, plan.larvae, plan.control_larvae),
    })  # fmt: skip


def noise(plan: Plan, plates: pd.DataFrame, rng: np.random.Generator) -> NDArray:
    """Logit shift of every plate, shape (plate, from, to)."""
    k = len(BASE)
    vial = plates["date"].to_numpy() * 2 + plates["is_line"].to_numpy()
    date = rng.normal(0, plan.date_sd, (plates["date"].max() + 1, k, k))
    own = rng.normal(0, plan.vial_sd, (vial.max() + 1, k, k))
    plate = rng.normal(0, plan.plate_sd, (len(plates), k, k))
    return date[plates["date"]] + own[vial] + plate


def chains(
    p: NDArray, plate: NDArray, bouts: int, rng: np.random.Generator, start: NDArray | None = None
) -> NDArray:
    """Walk one chain per larva, shape (larva, bout); `p` has shape (plate, from, to)."""
    edges = p.cumsum(axis=-1)
    edges[..., -1] = 1.0
    out = np.empty((len(plate), bouts), dtype=np.int16)
    if start is None:
        out[:, 0] = np.searchsorted(START.cumsum()[:-1], rng.random(len(plate)), side="right")
    else:
        out[:, 0] = _step(edges, plate, start, rng)
    for b in range(1, bouts):
        out[:, b] = _step(edges, plate, out[:, b - 1], rng)
    return out


def _step(edges: NDArray, plate: NDArray, state: NDArray, rng: np.random.Generator) -> NDArray:
    return (rng.random(len(plate))[:, None] >= edges[plate, state]).sum(axis=1)


def simulate(
    plan: Plan,
    seed: int,
    line_before: NDArray = BASE,
    control_before: NDArray = BASE,
    line_during: NDArray | None = None,
    control_during: NDArray | None = None,
) -> Ethogram:
    """Simulate a screen; without matrices for the light every line is null and only it is shown.

    Plate, vial and date shift both windows alike: a plate that is lively stays lively.
    """
    rng = np.random.default_rng(seed)
    plates = plates_of(plan)
    shift = noise(plan, plates, rng)
    plate = np.repeat(np.arange(len(plates)), plates["larvae"])
    is_line = plates["is_line"].to_numpy()[:, None, None]
    vary = mixed if plan.additive else perturbed
    p = vary(np.where(is_line, line_before, control_before), shift)
    first = chains(p, plate, plan.bouts, rng)
    state, t = first, SPAN + np.arange(plan.bouts) * SPAN / plan.bouts
    if line_during is not None and control_during is not None:
        p = vary(np.where(is_line, line_during, control_during), shift)
        second = chains(p, plate, plan.bouts, rng, start=first[:, -1])
        state, t = np.concatenate([first, second], axis=1), np.concatenate([t - SPAN, t])
    return as_ethogram(plan, plates, plate, state, t)


def as_ethogram(
    plan: Plan, plates: pd.DataFrame, plate: NDArray, state: NDArray, t: NDArray
) -> Ethogram:
    """Make an ethogram of equal bouts that start at `t` and follow each other."""
    pair, is_line = plates["pair"].map("{:04d}".format), plates["is_line"]
    assays = pd.DataFrame({
        "assay": [f"plate{a:06d}" for a in range(len(plates))],
        "line": ("line" + pair).where(is_line, CONTROL),
        "effector": "effector" + pair,
        "protocol": PROTOCOL,
    })  # fmt: skip
    if plan.dated:
        assays["date"] = plates["date"].map("day{:05d}".format)
    larvae = pd.DataFrame({"larva": [str(i) for i in range(len(plate))], "assay_index": plate})
    index = np.repeat(np.arange(len(plate)), len(t))
    stop = np.append(t[1:], t[-1] + (t[-1] - t[-2]))
    return Ethogram.build(
        LARVA_STATES, index, state.ravel(), np.tile(t, len(plate)), np.tile(stop, len(plate)),
        larvae, complete_assays(assays),
    )  # fmt: skip


@dataclass(frozen=True)
class Share:
    """How many tests of how many reject, and what a correct level allows."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        return self.hits / self.n

    def within(self, level: float, confidence: float = 0.99) -> bool:
        low, high = stats.binom.interval(confidence, self.n, level)
        return bool(low <= self.hits <= high)

    def at_most(self, level: float, confidence: float = 0.99) -> bool:
        return bool(self.hits <= stats.binom.ppf(confidence, self.n, level))

    def __repr__(self) -> str:
        return f"{self.hits} of {self.n} = {self.value:.4f}"


def share(p: pd.Series, level: float = 0.05) -> Share:
    """Share of p-values at or below a level."""
    assert p.notna().all()
    return Share(int((p <= level + 1e-12).sum()), len(p))


@pytest.fixture(scope="session")
def plan() -> type[Plan]:
    return Plan


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Ethogram]:
    return simulate


@pytest.fixture(scope="session")
def rejected() -> Callable[..., Share]:
    return share


@pytest.fixture(scope="session")
def base() -> NDArray:
    return BASE.copy()
