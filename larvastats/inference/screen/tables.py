"""From outcomes to the tables of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference.lines import linetest
from larvastats.inference.options import WITH_F, Options
from larvastats.inference.screen.layout import Counted
from larvastats.inference.screen.outcome import NAN, LineOutcome, LineTask
from larvastats.inference.significance.multiplicity import smallest_adjusted


def main_name(statistic: str) -> str:
    """Under which name an outcome keeps the screen's statistic."""
    return statistic if statistic in linetest.DIVERGENCES else "main"


def has_f(outcomes: Sequence[LineOutcome], options: Options) -> bool:
    """Whether every tested line has an F approximation.

    The statistic may have none; or one plate per genotype and date, on every date, leaves no
    scatter within dates to take its shape from.
    """
    tested = [o for o in outcomes if not np.isnan(o.p_relabel[main_name(options.statistic)])]
    return options.statistic in WITH_F and not any(np.isnan(o.p_f) for o in tested)


def outcome_columns(outcome: LineOutcome, options: Options, kind: str) -> dict[str, Any]:
    """Spread one outcome over the columns of the screen."""
    name = options.statistic
    key = main_name(name)
    p_exact, p_approx = outcome.p_relabel[key], outcome.p_f if key == "main" else NAN
    p_value = p_exact if kind == "relabel" else p_approx
    relabelled = "exact" if outcome.exact else "permutation"
    columns: dict[str, Any] = {
        "statistic_name": name,
        "statistic": outcome.statistic[key],
        "p_value": p_value,
        "null": None if np.isnan(p_value) else relabelled if kind == "relabel" else "F",
        "p_exact": p_exact,
        "p_floor": outcome.floor[key],
        "p_approx": p_approx,
        "hellinger_pseudo_95": outcome.pseudo_95,
        "empty_rows": outcome.empty_rows,
    }
    for d in linetest.DIVERGENCES:
        p = outcome.p_relabel.get(d, NAN)
        low, high = outcome.interval[d]
        # an interval that excludes zero where the test cannot would contradict it
        low = 0.0 if p > options.alpha and not np.isnan(low) else low
        columns |= {d: outcome.plug_in[d], f"{d}_adjusted": outcome.adjusted[d],
                    f"{d}_low": low, f"{d}_high": high, f"{d}_p_value": p}  # fmt: skip
    return columns


def with_floor(row: Mapping[str, Any], options: Options) -> str:
    """Return the note of a row: where its design cannot reject, and how large its effect is."""
    alpha = options.alpha
    parts = [row["note"]] if row["note"] else []
    if row["null"] in ("exact", "permutation") and row["p_floor"] > alpha:
        parts.append(f"smallest possible p is {row['p_floor']:.3g}: cannot reject at {alpha:g}")
    if row["null"] is None and not np.isnan(row["p_exact"]):
        parts.append("no replicate plates on any date: no F approximation, use null='relabel'")
    if options.sesoi is not None and not np.isnan(row["hellinger_high"]):
        if row["hellinger_low"] >= options.sesoi:
            parts.append(f"effect of at least {options.sesoi:g}")
        elif row["hellinger_high"] < options.sesoi:
            parts.append(f"effect below {options.sesoi:g}")
    return "; ".join(parts)


def attainable(
    by_name: Mapping[str, tuple[LineTask, LineOutcome]], row: Mapping[str, Any], options: Options
) -> NDArray[np.float64]:
    """Return the smallest p-values that a row's line could have had; empty where unknown."""
    if row["genotype"] not in by_name:
        return np.zeros(0)
    _, outcome = by_name[row["genotype"]]
    return outcome.attainable.get(main_name(options.statistic), np.zeros(0))


def correction_floor(by_name: Mapping[str, tuple[LineTask, LineOutcome]], options: Options) -> str:
    """Say where a step-down correction cannot reject any line, whatever is seen."""
    if options.correction != "maxt":
        return ""
    name = main_name(options.statistic)
    tested = [o for _, o in by_name.values() if not np.isnan(o.floor[name])]
    if not tested:
        return ""
    floors = np.array([o.floor[name] for o in tested])
    least = smallest_adjusted([o.attainable[name] for o in tested], floors)
    if least <= options.alpha:
        return ""
    return (
        f"smallest possible adjusted p is {least:.3g}: over {len(tested)} lines of this design "
        f"maxt cannot reject at {options.alpha:g}; more plates or dates can, or another correction "
        "of null='F'"
    )


def top_cell(counted: Counted, task: LineTask, outcome: LineOutcome) -> dict[str, Any]:
    """Name the transition that differs most, with its signed difference of probabilities."""
    states = counted.states
    shift, score = _shift(counted, task), np.abs(outcome.z)
    if counted.is_contrast:
        score = np.abs(shift[0]) / shift[1]
    difference = shift[0]
    if not np.nan_to_num(score).any():
        return {"top_transition": None, "top_difference": NAN}
    i, j = np.unravel_index(int(np.nan_to_num(score).argmax()), score.shape)
    return {
        "top_transition": states[i] if task.kind == "ever-action" else f"{states[i]}->{states[j]}",
        "top_difference": float(difference[i, j]),
    }


def shares(counts: NDArray[np.number], trials: NDArray[np.number]) -> NDArray[np.float64]:
    """Return counts over trials, shape (..., from, to); NaN where nothing was tried."""
    out = np.full(np.shape(counts), np.nan)
    return np.divide(counts, trials[..., None], out=out, where=trials[..., None] > 0)


def _shift(counted: Counted, task: LineTask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Difference of probabilities (of their changes, under a contrast) and its sampling error."""
    counts = counted.counts[task.design.units].astype(np.float64)
    trials = counted.units.trials[task.design.units]
    pooled = np.nan_to_num(shares(counts.sum(axis=(0, 1)), trials.sum(axis=(0, 1))))
    change, variance = np.zeros(pooled.shape), np.zeros(pooled.shape)
    for group, sign in ((task.design.is_line, 1.0), (~task.design.is_line, -1.0)):
        for w in range(len(counted.windows)):
            n = trials[group, w].sum(axis=0)
            change += sign * (1 - 2 * w) * shares(counts[group, w].sum(axis=0), n)
            variance += pooled * (1 - pooled) / np.maximum(n, 1)[:, None]
    return change, np.sqrt(np.where(variance > 0, variance, np.inf))


Columns = dict[str, NDArray[Any]]

CELL_TEXT = ("genotype", "line", "effector", "control", "protocol", "window", "from", "to")
"""Columns of a table of cells that hold text."""


def line_cells(
    counted: Counted,
    row: Mapping[str, Any],
    task: LineTask,
    outcome: LineOutcome,
    p_adjusted: NDArray[np.float64] | None = None,
) -> list[Columns]:
    """Return the cells of one line, window by window: counts, probabilities, difference, z."""
    blank = np.full_like(outcome.z, np.nan)
    parts = []
    for w, window in enumerate(counted.windows):
        sides = []
        for group in (task.design.is_line, ~task.design.is_line):
            units = task.design.units[group]
            sides.append(
                (
                    counted.counts[units, w].sum(axis=0),
                    counted.units.trials[units, w].sum(axis=0),
                )
            )
        first = w == 0
        z = outcome.z if first else blank
        p = p_adjusted if first and p_adjusted is not None else blank
        own = cells(counted.states, sides[0], sides[1], row, window.name, z, p)
        if task.kind == "ever-action":  # single actions: the diagonal
            own = {name: column[:: len(counted.states) + 1] for name, column in own.items()}
        parts.append(own)
    return parts


def cells(
    states: Sequence[str],
    line: tuple[NDArray[np.number], NDArray[np.number]],
    control: tuple[NDArray[np.number], NDArray[np.number]],
    row: Mapping[str, Any],
    window: str,
    z: NDArray[np.float64],
    p_adjusted: NDArray[np.float64],
) -> Columns:
    """Return columns with one value per cell.

    Each side is counts (from, to) and what they are out of (from,).
    """
    k = len(states)
    p, q = shares(*line), shares(*control)
    named = {c: row[c] for c in ("genotype", "line", "effector", "control", "protocol")}
    text = {c: np.full(k * k, v, dtype=object) for c, v in (named | {"window": window}).items()}
    return {
        **text,
        "from": np.repeat(np.array(states, dtype=object), k),
        "to": np.tile(np.array(states, dtype=object), k),
        "n_line": line[0].ravel().astype(np.int64),
        "n_control": control[0].ravel().astype(np.int64),
        "p_line": p.ravel(),
        "p_control": q.ravel(),
        "difference": (p - q).ravel(),
        "z": z.ravel(),
        "p_adjusted": p_adjusted.ravel(),
    }


def cell_table(parts: Sequence[Columns]) -> pd.DataFrame:
    """Put the cells of many lines and windows into one table, made at once: it is long."""
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame(joined).astype(dict.fromkeys(CELL_TEXT, "str"))


def unit_table(counted: Counted, by_name: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per assay with its distance from the mean profile of its date's controls."""
    ethogram = counted.setting.ethogram
    units = ethogram.assays[["assay", "genotype", "date"]].copy()
    units["n_larvae"] = ethogram.larvae_per_assay
    units["n_transitions"] = counted.counts[:, 0].sum(axis=(1, 2))
    distance = np.full(len(units), np.nan)
    for task, _ in by_name.values():
        design = task.design
        for block in range(design.n_blocks):
            here = design.block == block
            if (here & ~design.is_line).any():
                away = task.x[here] - task.x[here & ~design.is_line].mean(axis=0)
                distance[design.units[here]] = np.linalg.norm(away, axis=1)
    units["distance"] = distance
    return units


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Fix the types, so that files do not depend on which cells happen to be empty."""
    table = table.copy()
    text = {"genotype", "line", "effector", "control", "protocol", "window", "statistic_name",
            "null", "top_transition", "note"}  # fmt: skip
    for column in table.columns:
        if column in text:
            table[column] = table[column].astype("str").where(table[column].notna(), None)
            table[column] = table[column].astype("str")
        elif column.startswith("n_") or column == "empty_rows":
            table[column] = table[column].astype("Int64")
        elif column != "rejected":
            table[column] = table[column].astype(np.float64)
    return table


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Order by p, then by the statistic: ties at a floor are no ties in evidence."""
    key = table.assign(strength=-table["statistic"])
    order = key.sort_values(["p_value", "strength", "genotype"], na_position="last").index
    return table.loc[order].reset_index(drop=True)
