"""What a screen could find, and what it would take to find more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from larvastats import compute
from larvastats.errors import DataError, UsageError
from larvastats.inference.calibration.components import (
    Components,
    draw_plates,
    estimate,
    with_effect,
)
from larvastats.inference.calibration.pseudo_lines import Controls, Template
from larvastats.inference.design.blocks import make_design
from larvastats.inference.design.setting import find_controls, make_setting
from larvastats.inference.lines import linetest
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.lines.nulls import test_lines
from larvastats.inference.options import EVER, Options
from larvastats.inference.profiles.prepare import profiles
from larvastats.inference.relabelling import resampling
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.screen.layout import count
from larvastats.inference.significance.pvalues import choose_null
from larvastats.markov.transitions import possible_cells
from larvastats.results.power import PowerResult
from larvastats.verbs._open import open_source
from larvastats.verbs.calibrate import control_larvae, line_templates, usual_control

WANTED = 0.8
STEPS = 7
"""Halvings in the search for the smallest effect: to a hundredth of the largest."""

_EFFECT = re.compile(r"\s*(\S+?)\s*->\s*(\S+?)\s*:\s*([+-]?\d*\.?\d+)\s*")


@dataclass(frozen=True, slots=True)
class _Work:
    """One design to simulate."""

    components: Components
    p: NDArray[np.float64]
    sizes: tuple[tuple[int, int], ...]
    larvae: tuple[int, int]
    dated: bool
    alpha: float
    simulations: int
    seed: int
    kind: str


def power(
    source: Any = None,
    *,
    effect: str | None = None,
    protocol: str | None = None,
    control: str | None = None,
    transitions: str = "jump",
    dt: float = 0.1,
    window: str | None = None,
    gap: str | None = None,
    block: str = "date",
    dates: Sequence[int] = (2, 4, 8),
    plates: Sequence[int] = (1, 2, 4),
    larvae: Sequence[int] = (10, 30, 60),
    control_plates: int | None = None,
    alpha: float = 0.05,
    simulations: int = 300,
    seed: int = 0,
    jobs: int = 1,
    progress: bool = False,
    **load: Any,
) -> PowerResult:
    """Simulate the power of a screen from the variance components of its own controls.

    Parameters
    ----------
    source, protocol, control, transitions, dt, window, gap, block, seed, jobs, progress, **load
        As in :func:`~larvastats.verbs.screen.screen`.
    effect : str, optional
        ``FROM->TO:DELTA``, a change of one transition probability, such as ``cast->run:-0.12``; the
        commonest transition and -0.1 by default.
    dates, plates, larvae : sequence of int
        Dates, plates of the line per date (in all, without dates), larvae per plate to combine.
    control_plates : int, optional
        Control plates per date (in all, without dates); the usual number of the source by default.
    alpha : float
    simulations : int
        Per design.

    Returns
    -------
    PowerResult

    Raises
    ------
    UsageError, DataError
    """
    if transitions in EVER:
        raise UsageError(f"power knows transitions by jump and frame, not {transitions!r}.")
    options = Options(transitions=transitions, dt=dt, alpha=alpha, seed=seed)
    _check(dates, plates, larvae, control_plates, simulations)
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, block=block)
    pairs = find_controls(setting.ethogram.assays, control)
    counted = count(setting, options, window, None)
    name = usual_control(pairs)
    if name is None:
        raise DataError(
            "no line of this protocol has a control: there is nothing to estimate from."
        )
    controls = control_larvae(counted, name, options)
    if len(controls.assays.counts) < 3:
        raise DataError(
            f"control {name} has {len(controls.assays.counts)} assays; variance components need "
            "three at least."
        )
    components = estimate(controls)
    cell = _cell(effect, components, counted.states)
    dated = setting.dates is not None
    templates = line_templates(counted, [g for g, c in pairs.items() if c == name])
    usual = _usual_design(templates, controls)
    per_date = control_plates or usual[2]
    designs = list(product(dates if dated else [1], plates, larvae))
    kind = transitions
    work = [
        _Work(components, with_effect(components.p, *cell), ((m, per_date),) * d,
              (n, round(components.larvae_per_plate)), dated, alpha, simulations, seed, kind)
        for d, m, n in designs
    ]  # fmt: skip
    found = compute.run(_simulate, work, jobs=jobs, description="designs", progress=progress)
    table = pd.DataFrame([_row(d, w, f) for d, w, f in zip(designs, work, found, strict=True)])
    smallest = _smallest(components, cell, usual, dated, options, simulations, len(pairs), kind)
    states = counted.states
    return PowerResult(
        table=table if dated else table.drop(columns="dates"),
        components=_component_table(components),
        smallest=smallest,
        design={
            "data_name": opened.name,
            "protocol": setting.protocol.raw or None,
            "window": counted.window_name,
            "effect": f"{states[cell[0]]}->{states[cell[1]]} {cell[2]:+g}",
            "probability": float(components.p[cell[0], cell[1]]),
            "control_plates": per_date,
            "usual_design": {"dates": usual[0], "plates": usual[1], "larvae": usual[3]},
            "alpha": alpha,
        },
        seed=seed,
        notes=_notes(components, dated),
    )


def _check(
    dates: Sequence[int],
    plates: Sequence[int],
    larvae: Sequence[int],
    control_plates: int | None,
    simulations: int,
) -> None:
    least = {"dates": (dates, 2), "plates": (plates, 1), "larvae": (larvae, 1)}
    for name, (values, low) in least.items():
        if not len(values) or min(values) < low:
            raise UsageError(f"{name} must be whole numbers from {low} up, but are {values!r}.")
    if control_plates is not None and control_plates < 1:
        raise UsageError(f"control_plates must be at least 1, but is {control_plates!r}.")
    if simulations < 20:
        raise UsageError(f"simulations must be at least 20, but is {simulations!r}.")


def _cell(
    effect: str | None, components: Components, states: tuple[str, ...]
) -> tuple[int, int, float]:
    """Resolve the named effect into (from, to, delta)."""
    if effect is None:
        flow = components.visits[:, None] * components.p * (1 - np.eye(len(states)))
        i, j = np.unravel_index(int(flow.argmax()), flow.shape)
        return int(i), int(j), -0.1
    match = _EFFECT.fullmatch(effect)
    if match is None:
        raise UsageError(
            f"effect must be FROM->TO:DELTA such as 'cast->run:-0.12', but is {effect!r}."
        )
    for name in match.group(1, 2):
        if name not in states:
            raise UsageError(f"effect names the state {name!r}; there are {', '.join(states)}.")
    start, end = (states.index(name) for name in match.group(1, 2))
    delta = float(match.group(3))
    if delta == 0 or abs(delta) >= 1:
        raise UsageError(
            f"the change in effect must lie between -1 and 1 and not be 0: {effect!r}."
        )
    return start, end, delta


def _usual_design(templates: Sequence[Template], controls: Controls) -> tuple[int, int, int, int]:
    """Median dates, plates per date, control plates per date, larvae per plate of the lines."""
    if not templates:
        return 2, 2, 3, 30
    per_date = [len(larvae) for t in templates for _, larvae in t.plates]
    n_dates = int(np.median([len(t.plates) for t in templates]))
    larvae = int(np.median([n for t in templates for _, plates in t.plates for n in plates]))
    days = 1 if controls.dates is None else len(set(controls.dates))
    return n_dates, int(np.median(per_date)), max(1, len(controls.assays.counts) // days), larvae


def _simulate(work: _Work) -> tuple[float, str]:
    """Share of simulated lines that are found, and by which null."""
    rng = resampling.seeded(work.seed, str(work.sizes), str(work.larvae), f"{work.p.tobytes()!r}")
    lines, f1s = [], []
    for _ in range(work.simulations):
        data, f1 = _draw_line(work, rng)
        if not data.design.reason:
            lines.append(data)
            f1s.append(f1)
    if not lines:
        return float("nan"), "none"
    budget = Budget(999, work.seed)
    hits, chosen = 0, "F"
    for data, f1 in zip(lines, f1s, strict=True):
        one = test_lines([data], [(data.x,)], f1, budget)[0]
        chosen = choose_null(np.array([one.floor["main"]]), work.alpha, "auto", True)
        p = one.p["main"] if chosen == "relabel" else one.p_f
        hits += p <= work.alpha * (1 + 1e-9)
    return hits / len(lines), chosen


def _draw_line(work: _Work, rng: np.random.Generator) -> tuple[LineData, float]:
    c, k = work.components, len(work.p)
    line, control, line_days, control_days = [], [], [], []
    for day, (m, n) in enumerate(work.sizes):
        noise = rng.normal(0.0, c.sd_date, (k, k)) if work.dated else np.zeros((k, k))
        line.append(draw_plates(c, work.p, noise, m, work.larvae[0], rng))
        control.append(draw_plates(c, c.p, noise, n, work.larvae[1], rng))
        line_days += [str(day)] * m
        control_days += [str(day)] * n
    counts = np.concatenate([*line, *control])
    m = len(line_days)
    dates = np.array([*line_days, *control_days], dtype=object) if work.dated else None
    design = make_design(np.arange(m), np.arange(m, len(counts)), dates)
    x = profiles(counts).x
    groups = np.where(design.is_line, 1_000_000, 0) + design.block
    f1 = linetest.dimension(x[design.units], groups, ~design.is_line)
    possible = possible_cells(k, work.kind)
    return LineData(design, x[design.units], None, counts.sum(axis=(0, 2)), possible), f1


def _row(design: tuple[int, int, int], work: _Work, found: tuple[float, str]) -> dict[str, Any]:
    share, null = found
    low, high = proportion_confint(
        round(share * work.simulations), work.simulations, method="wilson"
    )
    names = ("dates", "plates", "larvae")
    row: dict[str, Any] = dict(zip(names, design, strict=True))
    return row | {"power": share, "low": float(low), "high": float(high), "null": null,
                  "n": work.simulations}  # fmt: skip


def _smallest(
    components: Components,
    cell: tuple[int, int, float],
    usual: tuple[int, int, int, int],
    dated: bool,
    options: Options,
    simulations: int,
    n_lines: int,
    kind: str,
) -> pd.DataFrame:
    """Halve towards the change that is found 8 times in 10, alone and among all lines."""
    n_dates, plates, controls, larvae = usual
    now = float(components.p[cell[0], cell[1]])
    most = now if cell[2] < 0 else 1 - now
    rows = []
    for alpha in dict.fromkeys((options.alpha, options.alpha / max(n_lines, 1))):
        low, high, reached = 0.0, most, float("nan")
        for _ in range(STEPS):
            middle = (low + high) / 2
            p = with_effect(components.p, cell[0], cell[1], float(np.sign(cell[2])) * middle)
            sizes = ((plates, controls),) * (n_dates if dated else 1)
            work = _Work(components, p, sizes, (larvae, round(components.larvae_per_plate)), dated,
                         alpha, simulations, options.seed, kind)  # fmt: skip
            share, _null = _simulate(work)
            if share >= WANTED:
                high, reached = middle, share
            else:
                low = middle
        found = not np.isnan(reached)
        delta = float(np.sign(cell[2])) * high if found else float("nan")
        rows.append({"alpha": alpha, "delta": delta, "power": reached})
    return pd.DataFrame(rows)


def _component_table(c: Components) -> pd.DataFrame:
    total = c.trace_larva + c.trace_plate + c.trace_date
    rows = [
        ("date", c.sd_date, c.trace_date, c.n_dates),
        ("plate", c.sd_plate, c.trace_plate, c.n_plates),
        ("larva", float("nan"), c.trace_larva, round(c.larvae_per_plate * c.n_plates)),
    ]
    return pd.DataFrame(
        [
            {"level": name, "sd_logit": sd, "share": trace / total if total > 0 else np.nan, "n": n}
            for name, sd, trace, n in rows
        ]
    )


def _notes(components: Components, dated: bool) -> tuple[str, ...]:
    notes = [
        f"larvae vary {components.clumping:.2g} times as much as independent transitions would",
        "effects of the vial (line x date) are not in this simulation: real power is lower",
    ]
    if dated and components.n_dates < 4:
        notes.append(f"the variance between dates comes from {components.n_dates} dates only")
    return tuple(notes)
