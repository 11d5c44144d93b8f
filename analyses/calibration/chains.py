"""Count-level simulation of screens, for the calibration studies.

Plates are logit-normal around a larva-like jump chain (or Dirichlet, where the mean has to be
kept), with effects of date and vial; counts are multinomial. Nothing of larvastats' own simulator
is used, so that the studies do not mark their own homework.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from larvastats.inference.design.blocks import Design, make_design, p_floor
from larvastats.inference.lines import linetest
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.lines.nulls import test_lines
from larvastats.inference.profiles.prepare import Profiles, profiles
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance import pvalues
from larvastats.markov.transitions import possible_cells

LARVA = np.array(
    [
        [0, 0.72, 0.17, 0.05, 0.055, 0.005],
        [0.70, 0, 0.20, 0.04, 0.055, 0.005],
        [0.45, 0.45, 0, 0.05, 0.045, 0.005],
        [0.30, 0.50, 0.15, 0, 0.05, 0],
        [0.60, 0.30, 0.06, 0.04, 0, 0],
        [0.40, 0.50, 0.10, 0, 0, 0],
    ]
)
DEPARTURES = np.array([0.38, 0.36, 0.16, 0.05, 0.045, 0.005])


@dataclass(frozen=True)
class World:
    """How a screen is made.

    `dates` None: no dates, `line_plates` and `control_plates` in all; else per date. `larvae` and
    `control_larvae` per plate. A line has one vial per date, the control `control_crosses`, among
    which its plates are dealt; `vial_sd` is what a vial adds to all its plates, and `crosses_known`
    whether the test is told. `dirichlet` replaces the logit-normal plates by Dirichlet ones with
    this concentration (controls, line).
    """

    name: str
    line_plates: int | tuple[int, int] = 4
    control_plates: int | tuple[int, int] = 40
    dates: int | None = None
    larvae: int = 30
    control_larvae: int = 30
    plate_sd: float = 0.3
    date_sd: float = 0.0
    vial_sd: float = 0.0
    control_crosses: int = 1
    crosses_known: bool = False
    dirichlet: tuple[float, float] | None = None
    bouts: float = 8.0
    chain: np.ndarray = field(default_factory=lambda: LARVA, repr=False)
    departures: np.ndarray = field(default_factory=lambda: DEPARTURES, repr=False)


def big_chain(k: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return a random chain of k states and its departures."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.6), size=k)
    np.fill_diagonal(p, 0.0)
    p /= p.sum(axis=1, keepdims=True)
    share = rng.dirichlet(np.full(k, 2.0))
    return p, share


def rare_roll() -> tuple[np.ndarray, np.ndarray]:
    """Return the larva's chain with rolls 50 times rarer."""
    p = LARVA.copy()
    p[:, 5] /= 50
    p /= p.sum(axis=1, keepdims=True)
    share = DEPARTURES.copy()
    share[5] /= 50
    return p, share / share.sum()


def _tilt(p: np.ndarray, noise: np.ndarray) -> np.ndarray:
    weight = p * np.exp(noise)
    return weight / weight.sum(axis=-1, keepdims=True)


def _plates(world, p, noise, n, larvae, concentration, rng):
    """Draw the counts of n plates of one genotype on one date, shape (plate, from, to)."""
    k = len(p)
    if concentration is None:
        q = _tilt(p, noise + rng.normal(0, world.plate_sd, (n, k, k)))
    else:
        gamma = rng.standard_gamma(np.broadcast_to(p * concentration, (n, k, k)) + 1e-12)
        q = gamma / gamma.sum(axis=-1, keepdims=True)
    visits = rng.poisson(world.departures * world.bouts * larvae, size=(n, k))
    return rng.multinomial(visits, q)


def _number(value: int | tuple[int, int], rng: np.random.Generator) -> int:
    return value if isinstance(value, int) else int(rng.integers(value[0], value[1] + 1))


def draw_screen(world: World, n_lines: int, rng: np.random.Generator, p_lines=None):
    """Draw one screen whose lines share controls.

    Returns
    -------
    counts : ndarray, shape (assay, from, to)
    line : ndarray of int, -1 for the control
    dates : ndarray of object or None
    """
    return draw_vials(world, n_lines, rng, p_lines)[:3]


def draw_vials(world: World, n_lines: int, rng: np.random.Generator, p_lines=None):
    """Draw one screen, and say from which vial each plate comes, shape (assay,)."""
    k = len(world.chain)
    p_lines = [world.chain] * n_lines if p_lines is None else p_lines
    con = (None, None) if world.dirichlet is None else world.dirichlet
    counts, line, dates, vial = [], [], [], []
    for day in range(world.dates or 1):
        date_noise = rng.normal(0, world.date_sd, (k, k))
        for who in range(-1, n_lines):
            own = who >= 0
            n = _number(world.line_plates if own else world.control_plates, rng)
            p = p_lines[who] if own else world.chain
            larvae = world.larvae if own else world.control_larvae
            vials = 1 if own else world.control_crosses
            for v in range(vials):
                share = n // vials + (v < n % vials)
                noise = date_noise + rng.normal(0, world.vial_sd, (k, k))
                counts.append(_plates(world, p, noise, share, larvae, con[int(own)], rng))
                vial += [f"{day}/{who}/{v}"] * share
            line += [who] * n
            dates += [f"d{day:03d}"] * n
    labels = np.array(dates, dtype=object) if world.dates else None
    return np.concatenate(counts), np.array(line), labels, np.array(vial, dtype=object)


def by_vial(counts, line, dates, vial):
    """Add up the plates of each vial: the screen that `larvastats` sees where crosses are known."""
    _, first, code = np.unique(vial.astype(str), return_index=True, return_inverse=True)
    total = np.zeros((len(first), *counts.shape[1:]), dtype=counts.dtype)
    np.add.at(total, code, counts)
    return total, line[first], None if dates is None else dates[first]


def lay_out(counts, line, dates, who) -> tuple[Design, Profiles]:
    """Design of one line, and profiles scaled by the whole screen."""
    design = make_design(np.flatnonzero(line == who), np.flatnonzero(line == -1), dates)
    return design, profiles(counts)


def screen_tests(counts, line, dates, resamples=999, divergences=False, variance="date"):
    """Test every line of a drawn screen as `larvastats screen` does; return (Tested, floor)."""
    made = profiles(counts)
    day = np.zeros(len(line), dtype=np.int64)
    if dates is not None:
        day = np.unique(dates.astype(str), return_inverse=True)[1]
    groups = (line + 1) * 100_000 + day
    f1 = float("nan")
    if dates is not None:
        f1 = linetest.interaction_dimension(made.x, line, day)
    if np.isnan(f1):
        f1 = linetest.dimension(made.x, groups, line == -1)
    possible = possible_cells(counts.shape[-1], "jump")
    out = []
    for who in range(int(line.max()) + 1):
        own, control = np.flatnonzero(line == who), np.flatnonzero(line == -1)
        design = make_design(own, control, dates, variance)
        if design.reason:
            continue
        u = design.units
        rows = made.rows[u] if divergences else None
        data = LineData(design, made.x[u], rows, counts[u].sum(axis=(0, 2)), possible)
        budget = Budget(resamples, 1, 10 * resamples)
        out.append((test_lines([data], [(made.x[u],)], f1, budget)[0], p_floor(design, 10_000)))
    return out


def choose(tested, alpha=0.05):
    """Return the p-values by which a screen of these lines ranks by default, and their kind.

    Decided as `screen` does from the floors at its own number of relabellings, whatever fewer were
    drawn here.
    """
    kind = pvalues.choose_null(np.array([floor for _, floor in tested]), alpha, "auto", True)
    return np.array([t.p["main"] if kind == "relabel" else t.p_f for t, _ in tested]), kind
