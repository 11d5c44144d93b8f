"""The tables of dwell times: genotype by genotype, window by window, state by state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference.design.blocks import Design, count_relabellings, make_design, p_floor
from larvastats.inference.design.replicates import Replicates
from larvastats.inference.design.setting import Setting
from larvastats.inference.dwell import fits
from larvastats.inference.dwell.comparison import (
    Cell,
    CellTest,
    DwellTest,
    assay_values,
    compare_dwells,
)
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance.multiplicity import adjust
from larvastats.markov.dwell import ENDED, LOST, LOST_RULES, Dwells
from larvastats.protocol import Window

NAN = float("nan")

FIT_COLUMNS = ("genotype", "window", "state", "family", "shape", "scale", "loglik", "aic",
               "delta_aic", "best")  # fmt: skip
TEST_COLUMNS = ("genotype", "control", "n_assays", "n_control_assays", "n_dates", "statistic",
                "p_value", "q_value", "rejected", "null", "p_exact", "p_approx", "p_floor",
                "p_lost_ended", "p_lost_stayed", "note")  # fmt: skip
CELL_COLUMNS = ("genotype", "control", "window", "state", "difference", "low", "high", "z",
                "p_adjusted", "p_lost_ended", "p_lost_stayed", "note")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of a setting, and the bouts that answer it.

    Attributes
    ----------
    setting : Setting
    windows : tuple of Window
    states : tuple of int
        Which states are asked about.
    bouts : tuple of Dwells
        Of every window, sorted by genotype and state.
    edges : tuple of ndarray of int, shape (genotype * state + 1,)
        Where each genotype and state begins among them.
    genotypes : tuple of str
    horizons : mapping of (window, state) to float
        In s; NaN where no bout was seen to end.
    lost : str
        One of :data:`larvastats.markov.dwell.LOST_RULES`.
    """

    setting: Setting
    windows: tuple[Window, ...]
    states: tuple[int, ...]
    bouts: tuple[Dwells, ...]
    edges: tuple[NDArray[np.int64], ...]
    genotypes: tuple[str, ...]
    horizons: Mapping[tuple[int, int], float]
    lost: str

    def name(self, state: int) -> str:
        """Return the name of a state."""
        return self.setting.ethogram.states[state]

    def pick(self, w: int, genotypes: Sequence[str], state: int | None = None) -> Dwells:
        """Return the bouts of some genotypes, of one state or of all, in one window."""
        k, edges = len(self.setting.ethogram.states), self.edges[w]
        at = []
        for genotype in genotypes:
            base = self.genotypes.index(genotype) * k
            first, last = (base, base + k) if state is None else (base + state, base + state + 1)
            at.append(np.arange(edges[first], edges[last]))
        return self.bouts[w].take(np.concatenate(at))


def lay_out(
    setting: Setting,
    windows: tuple[Window, ...],
    states: tuple[int, ...],
    bouts: Sequence[Dwells],
    lost: str,
) -> Question:
    """Sort the bouts of every window by genotype and state, and find the horizons.

    A horizon is that of all genotypes of the setting together, so that it does not depend on which
    of them are described.
    """
    horizons = {
        (w, s): fits.horizon((own := bouts[w].with_lost(lost)).take(own.state == s))
        for w in range(len(windows))
        for s in states
    }
    return Question(setting, windows, states, *_sorted(setting, bouts), horizons, lost)


def _sorted(
    setting: Setting, bouts: Sequence[Dwells]
) -> tuple[tuple[Dwells, ...], tuple[NDArray[np.int64], ...], tuple[str, ...]]:
    """Sort bouts by genotype and state, once, so that each is a slice."""
    names, k = setting.ethogram.genotypes, len(setting.ethogram.states)
    code = np.searchsorted(names, setting.ethogram.assays["genotype"].to_numpy(str))
    out, edges = [], []
    for own in bouts:
        key = code[own.assay] * k + own.state
        order = np.argsort(key, kind="stable")
        out.append(own.take(order))
        edges.append(np.searchsorted(key[order], np.arange(len(names) * k + 1)))
    return tuple(out), tuple(edges), names


def describe(
    question: Question, genotype: str, who: Replicates, w: int, state: int
) -> tuple[dict[str, Any], list[dict[str, Any]], pd.DataFrame]:
    """One row of the table, the rows of the fits, the steps of the curve."""
    key = {"genotype": genotype, "window": question.windows[w].name, "state": question.name(state)}
    own = question.pick(w, (genotype,), state)
    bouts = own.with_lost(question.lost)
    counts = {
        "n_assays": len(np.unique(own.assay)),
        "n_bouts": len(own),
        "n_ended": int((own.end == ENDED).sum()),
        "n_cut": int(((own.end != ENDED) & (own.end != LOST)).sum()),
        "n_lost": int((own.end == LOST).sum()),
    }
    up_to = question.horizons[w, state]
    row: dict[str, Any] = key | counts | dict.fromkeys(_NUMBERS, NAN)
    row |= {"horizon": up_to, "family": None, "stable": None, "note": ""}
    if not len(own):
        row["note"] = f"{genotype} never begins a bout of {key['state']} here"
        return row, [], pd.DataFrame(columns=[*key, *_STEPS])
    table = fits.tabulate(bouts, who)
    steps = fits.curve(table)
    row |= _numbers(question, own, table, up_to, who)
    fitted = fits.fit(bouts, who)
    row |= _fit_columns(fitted)
    row["note"] = _note(row, fitted, row.pop("reach", NAN))
    curves = pd.DataFrame(key | {name: getattr(steps, name) for name in _STEPS})
    return row, _fit_rows(key, fitted), curves


_NUMBERS = ("median", "mean", "mean_low", "mean_high", "mean_lost_ended", "mean_lost_stayed",
            "horizon", "family", "shape", "shape_se", "scale", "scale_se", "fitted_mean",
            "fitted_mean_se", "stable", "note")  # fmt: skip
_STEPS = ("time", "survival", "low", "high", "at_risk")


def _numbers(
    question: Question, own: Dwells, table: fits.LifeTable, up_to: float, who: Replicates
) -> dict[str, Any]:
    if np.isnan(up_to):
        return {}
    found = fits.summary(table, up_to)
    out: dict[str, Any] = {"median": found.median, "mean": found.mean, "mean_low": found.low,
                           "mean_high": found.high, "reach": found.reach}  # fmt: skip
    for rule in ("ended", "stayed"):
        other = fits.tabulate(own.with_lost(rule), who)
        out[f"mean_lost_{rule}"] = fits.summary(other, up_to).mean
    return out


def _fit_columns(fitted: fits.Fitted) -> dict[str, Any]:
    if fitted.best is None:
        return {}
    one = fitted.best
    return {
        "family": one.family,
        "shape": one.shape,
        "shape_se": fitted.shape_se,
        "scale": one.scale,
        "scale_se": fitted.scale_se,
        "fitted_mean": one.mean,
        "fitted_mean_se": fitted.mean_se,
        "stable": fitted.stable,
    }


def _fit_rows(key: Mapping[str, str], fitted: fits.Fitted) -> list[dict[str, Any]]:
    if fitted.best is None:
        return []
    least = fitted.best.aic
    return [
        {**key, "family": one.family, "shape": one.shape, "scale": one.scale,
         "loglik": one.loglik, "aic": one.aic, "delta_aic": one.aic - least,
         "best": one is fitted.best}
        for one in fitted.fits
    ]  # fmt: skip


def _note(row: Mapping[str, Any], fitted: fits.Fitted, reach: float) -> str:
    """Say what is missing and why."""
    parts = []
    if row["n_ended"] == 0:
        parts.append("no bout was seen to end")
    elif fitted.best is None:
        parts.append(f"{row['n_ended']} bouts seen to end, too few or too alike for a distribution")
    elif np.isnan(row["median"]):
        parts.append("more than half outlast what can be seen: no median")
    if row["n_assays"] == 1:
        parts.append("one assay: no interval")
    if reach < row["horizon"]:
        parts.append(f"seen for {reach:.3g} s only: the mean counts who was left as staying")
    return "; ".join(parts)


def units_of(question: Question, genotype: str) -> pd.DataFrame:
    """One row per assay, window and state."""
    ethogram, rows = question.setting.ethogram, question.setting.rows(genotype)
    about = ethogram.assays.iloc[rows][["assay", "genotype", "date"]].reset_index(drop=True)
    parts = []
    for w, window in enumerate(question.windows):
        for state in question.states:
            own = question.pick(w, (genotype,), state)
            at = np.searchsorted(rows, own.assay)
            part = about.assign(window=window.name, state=question.name(state))
            for column, chosen in (("n_bouts", own.end >= 0), ("n_ended", own.end == ENDED),
                                   ("n_lost", own.end == LOST)):  # fmt: skip
                part[column] = np.bincount(at[chosen], minlength=len(rows))
            cell = Cell(w, state, question.horizons[w, state])
            part["mean"] = _assay_means(own.with_lost(question.lost), cell, rows)
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _assay_means(own: Dwells, cell: Cell, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if np.isnan(cell.horizon):
        return np.full(len(rows), NAN)
    values = assay_values(own, cell, rows)
    return values.x + values.mean


def tests_of(
    question: Question, pairs: Mapping[str, str], budget: Budget, null: str, alpha: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every genotype against its control; lost tracks read in all three ways."""
    cells = [
        Cell(w, s, question.horizons[w, s])
        for w in range(len(question.windows))
        for s in question.states
        if not np.isnan(question.horizons[w, s])
    ]
    lines, rows = [], []
    designs = {g: _design(question.setting, g, control) for g, control in pairs.items()}
    level = _level(list(designs.values()), budget, alpha)
    for genotype, control in pairs.items():
        design = designs[genotype]
        pair = [question.pick(w, (genotype, control)) for w in range(len(question.windows))]
        found = {
            rule: compare_dwells([bouts.with_lost(rule) for bouts in pair], cells, design,
                                 (genotype, control), question.setting.ethogram.states, budget,
                                 null, level)
            for rule in LOST_RULES
        }  # fmt: skip
        about = {"genotype": genotype, "control": control}
        lines.append(about | _sizes(design) | _line_columns(found, question.lost))
        for i, cell in enumerate(cells):
            place = {"window": question.windows[cell.window].name,
                     "state": question.name(cell.state)}  # fmt: skip
            rows.append(about | place | _cell_columns(found, question.lost, i))
    tests = pd.DataFrame(lines, columns=list(TEST_COLUMNS))
    tests["q_value"] = adjust(tests["p_value"].to_numpy(float))
    tests["rejected"] = (tests["q_value"] <= alpha).to_numpy(bool)
    return tests, pd.DataFrame(rows, columns=list(CELL_COLUMNS))


def _level(designs: Sequence[Design], budget: Budget, alpha: float) -> float:
    """Choose one kind of p-value for all lines, as a screen does.

    Relabelling where it can reach `alpha` for one line, and a tenth of what a correction asks for
    where there are many (1: any floor will do); else F (0: none will).
    """
    tested = [d for d in designs if not d.reason]
    needed = alpha if len(tested) == 1 else alpha / (10 * max(len(tested), 1))
    floors = [
        p_floor(d, 0) if count_relabellings(d) <= budget.most else 1 / (1 + budget.resamples)
        for d in tested
    ]
    return 1.0 if max(floors, default=0.0) <= needed else 0.0


def _design(setting: Setting, genotype: str, control: str) -> Design:
    return make_design(setting.rows(genotype), setting.rows(control), setting.dates)


def _sizes(design: Design) -> dict[str, Any]:
    n_dates = design.n_blocks if design.dated else None
    return {"n_assays": design.n_line, "n_control_assays": design.n_control, "n_dates": n_dates}


def _line_columns(found: Mapping[str, DwellTest], rule: str) -> dict[str, Any]:
    one = found[rule]
    return {
        "statistic": one.statistic,
        "p_value": one.p_value,
        "null": one.null or None,
        "p_exact": one.p_exact,
        "p_approx": one.p_approx,
        "p_floor": one.p_floor,
        "p_lost_ended": found["ended"].p_value,
        "p_lost_stayed": found["stayed"].p_value,
        "note": one.reason,
    }


def _cell_columns(found: Mapping[str, DwellTest], rule: str, i: int) -> dict[str, Any]:
    one: CellTest = found[rule].cells[i]
    return {
        "difference": one.difference,
        "low": one.low,
        "high": one.high,
        "z": one.z,
        "p_adjusted": one.p_adjusted,
        "p_lost_ended": found["ended"].cells[i].p_adjusted,
        "p_lost_stayed": found["stayed"].cells[i].p_adjusted,
        "note": one.reason,
    }
