"""From the outcomes of several windows to tables: a row per line, and a row per line and window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference.lines.linetest import DIVERGENCES
from larvastats.inference.options import Options
from larvastats.inference.screen import tables
from larvastats.inference.screen.layout import Counted
from larvastats.inference.screen.outcome import LineTask, cell_p
from larvastats.inference.screen.windows import FamilyOutcome

Array = NDArray[np.float64]
Row = dict[str, Any]

STEPWISE = ("bh", "by")
"""Corrections that choose lines by their false discovery rate."""


def holm(p: Array) -> tuple[Array, Array]:
    """Return Bonferroni's and Holm's adjusted p-values, each of shape (window,).

    Parameters
    ----------
    p : ndarray, shape (window,)
        They hold however the windows depend on each other (Holm 1979, Scand. J. Stat. 6:65).
    """
    order = np.argsort(p, kind="stable")
    step = np.empty(len(p))
    step[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(1.0, p * len(p)), np.minimum(1.0, step)


def window_rows(
    parts: Sequence[Counted],
    rows: Sequence[Row],
    tasks: Sequence[LineTask],
    outcome: FamilyOutcome,
    options: Options,
    kind: str,
) -> list[Row]:
    """Return one row per window of one line, p-values adjusted for all its windows.

    Parameters
    ----------
    parts, rows, tasks
        By window: what was counted, the describing columns of the line, its task.
    outcome : FamilyOutcome
    options : Options
    kind : {'relabel', 'F'}
    """
    approximate, approximate_step = holm(np.array([o.p_f for o in outcome.outcomes]))
    out = []
    for w, (counted, row, task, one) in enumerate(
        zip(parts, rows, tasks, outcome.outcomes, strict=True)
    ):
        made = (
            row | tables.outcome_columns(one, options, kind) | tables.top_cell(counted, task, one)
        )
        for name in DIVERGENCES:
            p = min(1.0, made[f"{name}_p_value"] * len(parts))
            low = made[f"{name}_low"]
            made |= {f"{name}_p_value": p, f"{name}_low": 0.0 if p > options.alpha else low}
        relabelled = kind == "relabel"
        made |= {
            "p_marginal": made["p_value"],
            "p_single_step": outcome.single_step[w] if relabelled else approximate[w],
            "p_adjusted": outcome.step_down[w] if relabelled else approximate_step[w],
            "p_exact": outcome.single_step[w],
            "p_approx": approximate[w],
            "p_floor": outcome.floor,
        }
        out.append(made)
    return out


def strongest(windows_of: Sequence[Row], options: Options) -> Row:
    """Return the row of a line: its strongest window, with the p-value of the largest T.

    Parameters
    ----------
    windows_of : sequence of dict
        From :func:`window_rows`.
    options : Options
    """
    best = min(windows_of, key=lambda row: (row["p_single_step"], -row["statistic"]))
    row = best | {
        "p_value": best["p_single_step"],
        # smallest over the windows, whichever kind of p-value ranks
        "p_exact": min(r["p_exact"] for r in windows_of),
        "p_approx": min(r["p_approx"] for r in windows_of),
    }
    return row | {"note": tables.with_floor(row, options)}


def window_table(rows: Sequence[Row], table: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Put the windows of all lines into one table, lines in the order of the screen.

    A window is called different when its line is, and when its adjusted p-value is at most
    ``alpha R / m`` with R of m lines rejected: families chosen by a false discovery rate are to be
    tested at that level, so that on average over the chosen lines no window is called wrongly with
    more than probability alpha (Benjamini & Bogomolov 2014, J. R. Stat. Soc. B 76:297).

    Parameters
    ----------
    rows : sequence of dict
        Of all lines and windows.
    table : DataFrame
        The screen, ranked.
    options : Options
    """
    out = pd.DataFrame(rows)
    rank = {g: i for i, g in enumerate(table["genotype"])}
    out = out.assign(rank=out["genotype"].map(rank)).sort_values("rank", kind="stable")
    chosen = set(table.loc[table["rejected"].eq(True), "genotype"])
    level = window_level(len(chosen), int(table["p_value"].notna().sum()), options)
    found = out["genotype"].isin(chosen) & (out["p_adjusted"] <= level)
    out["rejected"] = found.astype("boolean").mask(out["p_adjusted"].isna())
    return out.drop(columns="rank").reset_index(drop=True)


def window_level(rejected: int, tested: int, options: Options) -> float:
    """Return the level at which the windows of a rejected line are judged."""
    if options.correction == "none" or not tested:
        return options.alpha
    return options.alpha * (rejected if options.correction in STEPWISE else 1) / tested


def window_cells(
    parts: Sequence[Counted],
    rows: Mapping[str, Sequence[Row]],
    tasks: Mapping[str, Sequence[LineTask]],
    outcomes: Mapping[str, FamilyOutcome],
    found: set[tuple[str, str]],
) -> pd.DataFrame:
    """Return the cells of every line and window.

    In windows that were rejected with p-values for all cells of all windows of the line: max |z|
    within the window, times the number of windows.

    Parameters
    ----------
    parts : sequence of Counted
        By window.
    rows, tasks, outcomes : mapping
        By genotype.
    found : set of (genotype, window)
        Rejected.
    """
    out: list[tables.Columns] = []
    for genotype, own in tasks.items():
        for w, counted in enumerate(parts):
            p = None
            if (genotype, counted.window_name) in found:
                p = np.minimum(1.0, cell_p(own[w]) * len(parts))
            outcome = outcomes[genotype].outcomes[w]
            out += tables.line_cells(counted, rows[genotype][w], own[w], outcome, p)
    return tables.cell_table(out)


def window_units(parts: Sequence[Counted], tasks: Mapping[str, Sequence[LineTask]]) -> pd.DataFrame:
    """Return one row per assay and window: transitions, distance from the controls of the date."""
    out = []
    for w, counted in enumerate(parts):
        by_name = {g: (own[w], None) for g, own in tasks.items()}
        out.append(tables.unit_table(counted, by_name).assign(window=counted.window_name))
    return pd.concat(out, ignore_index=True)
