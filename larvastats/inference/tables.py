"""From outcomes to the tables of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference import linetest
from larvastats.inference.layout import Counted
from larvastats.inference.options import Options
from larvastats.inference.outcome import NAN, LineOutcome, LineTask
from larvastats.markov.transitions import probabilities


def outcome_columns(outcome: LineOutcome, options: Options, kind: str) -> dict[str, Any]:
    """Spread one outcome over the columns of the screen."""
    name = options.statistic
    p_exact, p_approx = outcome.p_relabel[name], outcome.p_f if name == "welch" else NAN
    tested = not np.isnan(p_exact)
    relabelled = "exact" if outcome.exact else "permutation"
    columns: dict[str, Any] = {
        "statistic_name": name,
        "statistic": outcome.statistic[name],
        "p_value": p_exact if kind == "relabel" else p_approx,
        "null": (relabelled if kind == "relabel" else "F") if tested else None,
        "p_exact": p_exact,
        "p_floor": outcome.floor[name],
        "p_approx": p_approx,
        "hellinger_pseudo_95": outcome.pseudo_95,
        "empty_rows": outcome.empty_rows,
    }
    for d in linetest.DIVERGENCES:
        p = outcome.p_relabel.get(d, NAN)
        low, high = outcome.interval[d]
        # an interval that excludes zero where the test cannot would contradict it
        low = 0.0 if p > options.alpha else low
        columns |= {d: outcome.plug_in[d], f"{d}_adjusted": outcome.adjusted[d],
                    f"{d}_low": low, f"{d}_high": high, f"{d}_p_value": p}  # fmt: skip
    return columns


def with_floor(row: Mapping[str, Any], alpha: float) -> str:
    note = row["note"]
    if row["null"] in ("exact", "permutation") and row["p_floor"] > alpha:
        floor = f"smallest possible p is {row['p_floor']:.3g}: cannot reject at {alpha:g}"
        return f"{note}; {floor}" if note else floor
    return note


def top_cell(counted: Counted, task: LineTask, outcome: LineOutcome) -> dict[str, Any]:
    """Name the transition that differs most, with its signed difference of probabilities."""
    states = counted.counts.states
    shift, score = _shift(counted, task), np.abs(outcome.z)
    if counted.is_contrast:
        line = task.x[task.design.is_line].mean(axis=0)
        score = np.abs(line - task.x[~task.design.is_line].mean(axis=0)).reshape(shift.shape)
        score = np.where(np.isnan(shift), 0.0, score)
    if not score.any():
        return {"top_transition": None, "top_difference": NAN}
    i, j = np.unravel_index(int(score.argmax()), score.shape)
    return {"top_transition": f"{states[i]}->{states[j]}", "top_difference": float(shift[i, j])}


def _shift(counted: Counted, task: LineTask) -> NDArray[np.float64]:
    """Difference of probabilities (of their changes, under a contrast), shape (from, to)."""
    by_window = counted.counts.counts[task.design.units]
    sides = [
        probabilities(by_window[g].sum(axis=0)) for g in (task.design.is_line, ~task.design.is_line)
    ]
    difference = sides[0] - sides[1]
    return difference[0] - difference[1] if counted.is_contrast else difference[0]


def cell_table(
    counted: Counted, row: Mapping[str, Any], task: LineTask, outcome: LineOutcome
) -> pd.DataFrame:
    """Return the cells of one line, every window: counts, probabilities, difference, z."""
    parts = []
    for w, window in enumerate(counted.windows):
        by_assay = counted.counts.counts[task.design.units, w]
        line = by_assay[task.design.is_line].sum(axis=0)
        control = by_assay[~task.design.is_line].sum(axis=0)
        z = outcome.z if w == 0 else np.full_like(outcome.z, np.nan)
        parts.append(cells(counted.counts.states, line, control, z, row, window.name))
    return pd.concat(parts, ignore_index=True)


def cells(
    states: Sequence[str],
    line: NDArray[np.number],
    control: NDArray[np.number],
    z: NDArray[np.float64],
    row: Mapping[str, Any],
    window: str,
) -> pd.DataFrame:
    """Return one row per cell of two matrices of counts, each of shape (from, to)."""
    k = len(states)
    p, q = probabilities(line), probabilities(control)
    identity = {c: row[c] for c in ("genotype", "line", "effector", "control", "protocol")}
    table = pd.DataFrame(identity, index=range(k * k)).astype("str")
    table["window"] = window
    table["from"], table["to"] = np.repeat(states, k), np.tile(states, k)
    table["n_line"], table["n_control"] = line.ravel().astype(int), control.ravel().astype(int)
    table["p_line"], table["p_control"] = p.ravel(), q.ravel()
    table["difference"], table["z"] = (p - q).ravel(), z.ravel()
    return table


def unit_table(counted: Counted, by_name: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per assay with its distance from the control's mean profile."""
    ethogram = counted.setting.ethogram
    units = ethogram.assays[["assay", "genotype", "date"]].copy()
    units["n_larvae"] = ethogram.larvae_per_assay
    units["n_transitions"] = counted.counts.counts[:, 0].sum(axis=(1, 2))
    distance = np.full(len(units), np.nan)
    for task, _ in by_name.values():
        centre = task.x[~task.design.is_line].mean(axis=0)
        distance[task.design.units] = np.linalg.norm(task.x - centre, axis=1)
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
