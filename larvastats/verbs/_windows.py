"""A screen in several windows at once: which lines differ, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from larvastats import compute
from larvastats.errors import UsageError
from larvastats.inference.design.setting import Setting
from larvastats.inference.options import Options
from larvastats.inference.screen import tables, window_tables
from larvastats.inference.screen.layout import Counted, vial_note
from larvastats.inference.screen.outcome import LineTask
from larvastats.inference.screen.windows import (
    FamilyOutcome,
    FamilyTask,
    analyse_family,
    count_family,
    family_batches,
    lay_out_family,
)
from larvastats.inference.significance import pvalues
from larvastats.inference.significance.multiplicity import adjust
from larvastats.results import (
    SCREEN_COLUMNS,
    TRANSITION_COLUMNS,
    WINDOW_COLUMNS,
    ScreenResult,
)
from larvastats.verbs._open import Source

Describe = Callable[[Counted, str, int], dict[str, Any]]
SEVERAL = (
    "p and q hold for all {n} windows of a line together; column window names the strongest, and "
    "the effect there is the largest of {n}"
)


def screen_windows(
    opened: Source,
    setting: Setting,
    options: Options,
    pairs: Mapping[str, str | None],
    window: str,
    notes: Sequence[str],
    describe: Describe,
    jobs: int,
    progress: bool,
) -> ScreenResult | None:
    """Test every line in every window; None when no line has a control.

    Parameters
    ----------
    opened, setting, options, pairs
        As `screen` made them.
    window : str
        ``each``, ``sliding:…`` or a list with commas.
    notes : sequence of str
    describe : callable
        Makes the design of one window, a kind of p-value and a number of relabellings.
    jobs : int
    progress : bool
    """
    if options.statistic == "g":
        raise UsageError(
            "the statistic 'g' is not studentised, so windows cannot be compared by it; use "
            "welch, or another statistic, with several windows."
        )
    parts, left_out = count_family(setting, options, window)
    tasks, rows = lay_out_family(parts, pairs, options)
    if not tasks:
        return None
    outcomes = _analyse(tasks, options, jobs, progress)
    by_name = {own[0].genotype: own for own in tasks}
    found = {own[0].genotype: o for own, o in zip(tasks, outcomes, strict=True)}
    kind = _kind(outcomes, options)
    table, by_window = _tables(parts, rows, by_name, found, options, kind)
    different = by_window[by_window["rejected"].eq(True)]
    pairs_found = set(zip(different["genotype"], different["window"], strict=True))
    described = {g: [r for one in rows for r in one if r["genotype"] == g] for g in by_name}
    cells = window_tables.window_cells(parts, described, by_name, found, pairs_found)
    n = max((o.n_resamples for o in outcomes), default=0)
    said = (*notes, *left_out, SEVERAL.format(n=len(parts)), vial_note(parts[0], options, kind))
    return ScreenResult(
        table=table,
        transitions=cells[list(TRANSITION_COLUMNS)],
        units=window_tables.window_units(parts, by_name),
        states=parts[0].states,
        alpha=options.alpha,
        design=_design(parts, describe(parts[0], kind, n), window, kind),
        seed=options.seed,
        provenance={**opened.provenance, "profiles": _scaling(parts)},
        notes=tuple(note for note in said if note),
        windows=by_window,
    )


def _analyse(
    tasks: Sequence[tuple[LineTask, ...]], options: Options, jobs: int, progress: bool
) -> list[FamilyOutcome]:
    """Analyse lines of one shape together; outcomes in the order of the lines."""
    groups = family_batches(tasks)
    work = [FamilyTask(tuple(tasks[i] for i in group), options.statistic) for group in groups]
    done = compute.run(analyse_family, work, jobs=jobs, description="lines", progress=progress)
    found = {i: o for g, os in zip(groups, done, strict=True) for i, o in zip(g, os, strict=True)}
    return [found[i] for i in range(len(tasks))]


def _kind(outcomes: Sequence[FamilyOutcome], options: Options) -> str:
    """Choose relabelling or F for the whole screen."""
    floors = np.array([o.floor for o in outcomes])
    has_f = all(
        tables.has_f([o.outcomes[w] for o in outcomes], options)
        for w in range(len(outcomes[0].outcomes))
    )
    wanted = "relabel" if options.correction == "maxt" else options.null
    return pvalues.choose_null(floors, options.alpha, wanted, has_f)


def _tables(  # type: ignore[no-untyped-def]
    parts, rows, by_name, found, options: Options, kind: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the table of lines, best first, and the table of lines and windows."""
    lines, windows_of = [], []
    for i, row in enumerate(rows[0]):
        name = row["genotype"]
        if name not in by_name:
            lines.append(row | {"window": None})
            continue
        own = window_tables.window_rows(
            parts, [one[i] for one in rows], by_name[name], found[name], options, kind
        )
        windows_of += own
        lines.append(window_tables.strongest(own, options))
    table = pd.DataFrame(lines).reindex(columns=list(SCREEN_COLUMNS))
    table["q_value"] = adjust(table["p_value"].to_numpy(np.float64), options.correction)
    table["rejected"] = (table["q_value"] <= options.alpha).astype("boolean")
    table.loc[table["q_value"].isna(), "rejected"] = pd.NA
    table = tables.ranked(tables.typed(table))
    by_window = window_tables.window_table(windows_of, table, options)
    by_window = by_window.assign(q_value=by_window["genotype"].map(dict(_q(table))))
    return table, tables.typed(by_window.reindex(columns=list(WINDOW_COLUMNS)))


def _q(table: pd.DataFrame) -> list[tuple[str, float]]:
    return list(zip(table["genotype"], table["q_value"], strict=True))


def _scaling(parts: Sequence[Counted]) -> dict[str, Any]:
    return {counted.window_name: counted.made.scaling for counted in parts}


def _design(
    parts: Sequence[Counted], design: dict[str, Any], window: str, kind: str
) -> dict[str, Any]:
    """Complete the design of the first window to that of all of them."""
    together = "max-T" if kind == "relabel" else "Bonferroni"
    named = [counted.windows[0].describe() for counted in parts]
    shown = "; ".join(named if len(named) <= 6 else [*named[:3], "…", named[-1]])
    return design | {
        "window": window,
        "window_text": f"each of {len(parts)}, the strongest shown: {shown}",
        "windows_text": {c.window_name: c.windows[0].describe() for c in parts},
        "null_text": f"{design['null_text']}, {together} over {len(parts)} windows",
        "n_windows": len(parts),
    }
