"""Every line against its control: the main verb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from larvastats import compute
from larvastats.errors import DataError
from larvastats.inference.design.setting import check_states, find_controls, make_setting
from larvastats.inference.options import (
    CORRECTION_TEXT,
    NO_VIAL,
    Options,
    name_list,
    statistic_text,
)
from larvastats.inference.relabelling.plans import MEMORY
from larvastats.inference.screen import tables
from larvastats.inference.screen.layout import Counted, count, lay_out, vial_note
from larvastats.inference.screen.outcome import (
    LineOutcome,
    LineTask,
    analyse_batch,
    batches,
    cell_p,
)
from larvastats.inference.screen.windows import is_family
from larvastats.inference.significance import pvalues
from larvastats.inference.significance.multiplicity import adjust
from larvastats.results import SCREEN_COLUMNS, TRANSITION_COLUMNS, ScreenResult
from larvastats.verbs._open import Source, open_source
from larvastats.verbs._windows import screen_windows
from larvastats.verbs.calibrate import calibrate_quickly


def screen(
    source: Any = None,
    *,
    protocol: str | None = None,
    control: str | None = None,
    statistic: str = "welch",
    transitions: str = "jump",
    dt: float = 0.1,
    window: str | None = None,
    contrast: str | None = None,
    gap: str | None = None,
    unit: str = "auto",
    block: str = "date",
    variance: str = "date",
    null: str = "auto",
    resamples: int = 10_000,
    correction: str = "bh",
    alpha: float = 0.05,
    sesoi: float | None = None,
    covariates: str | Sequence[str] = (),
    row_weights: str = "uniform",
    bootstrap: int = 1000,
    calibrate: bool = True,
    seed: int = 0,
    jobs: int = 1,
    memory: int = MEMORY,
    progress: bool = False,
    **load: Any,
) -> ScreenResult:
    """Test every line of a protocol against its control.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        Recordings; the built-in example when left out.
    protocol : str, optional
        Name or unique beginning; may be left out when the source has one or none.
    control : str, optional
        A genotype, or a line (taken with each line's own effector). By default the field's usual
        control line.
    statistic : {'welch', 'hellinger', 'js', 'kl', 'g', 'occupancy', 'dwell', 'combined'}
        What ranks the lines; all but ``g`` are studentised, see
        :mod:`larvastats.inference.lines.linetest` and
        :mod:`larvastats.inference.profiles.features`.
    transitions : {'jump', 'frame', 'ever', 'ever-action'}
        How to count, see :func:`larvastats.markov.counts.count_transitions`; ``ever``: larvae that
        make a transition at least once; ``ever-action``: larvae that do an action at least once
        (the rollers, say; shorter bouts than ``min_bout`` do not count).
    dt : float
        Step in s under ``frame``.
    window : str, optional
        ``during`` (default; ``whole`` without a stimulus), ``before``, ``during_2``, ``after``,
        ``whole``, ``START:STOP``. ``each`` (before, every presentation, after),
        ``sliding:WIDTH:STEP`` or a list with commas are many: they are tested together, `window`
        then names the strongest, and ``result.windows`` holds them all.
    contrast : str, optional
        ``W1-W2``: test the change from W2 to W1, not the behaviour in a window: who responds
        differently, not who is different. Divergences are then blank.
    gap : {'period', 'pause'}, optional
        How to read the last number of a stimulus.
    unit : {'auto', 'assay', 'cross', 'larva'}
        What is exchanged under the null hypothesis: assays (plates), or crosses where the column
        ``cross`` says which plates come from one vial.
    block : {'date', 'none'}
        Within what it is exchanged. With dates the replicate is line x date.
    variance : {'date', 'plate'}
        With dates, what the statistic is divided by: the scatter of the dates' differences, or that
        of plates within dates. ``plate`` finds more on two or three dates, and assumes that plates
        of one vial have nothing in common: where they have, it finds too much.
    null : {'auto', 'relabel', 'F'}
        Which p-value ranks and feeds the correction.
    resamples : int
        Relabellings where there are too many to enumerate.
    correction : {'bh', 'by', 'bonferroni', 'maxt', 'none'}
        ``maxt``: step-down over the lines' own relabellings
        (:func:`larvastats.inference.significance.multiplicity.step_down`); `null` is then
        ``relabel``.
    alpha : float
    sesoi : float, optional
        Smallest effect size of interest, as a Hellinger distance: `note` says which lines' interval
        lies above or below it.
    covariates : str or sequence of str, optional
        Assay columns (a string may list them with commas) to take out of the profiles, such as
        ``temperature``; ``time`` is the hour of the day. Divergences are then blank.
    row_weights : {'uniform', 'occupancy'}
        How the divergences average over states.
    bootstrap : int
        Resamples behind the intervals of the divergences; 0 switches them off.
    calibrate : bool
        Also test control pseudo-lines, and say whether the screen keeps its error; not with
        several windows.
    seed : int
    jobs : int
        Processes; the result does not depend on it.
    memory : int
        MiB that the relabellings of each process may take; the result does not depend on it.
    progress : bool
        Draw a progress bar on stderr.
    **load
        Passed on to :func:`larvastats.io.source.load`: ``format labels min_bout fps px_per_mm
        exclude``.

    Returns
    -------
    ScreenResult

    Raises
    ------
    UsageError, DataError
        With a sentence that says what was expected and what was found.
    """
    options = Options(statistic, transitions, dt, null, resamples, correction, alpha, row_weights,
                      bootstrap, seed, name_list(covariates), sesoi, variance, memory)  # fmt: skip
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, unit=unit, block=block)
    pairs = find_controls(setting.ethogram.assays, control)
    notes = (*opened.notes, *setting.notes, *check_states(setting.ethogram, pairs))
    if window is not None and contrast is None and is_family(window):

        def describe(counted: Counted, kind: str, n: int) -> dict[str, Any]:
            return design_text(opened, counted, options, kind, n)

        found = screen_windows(
            opened, setting, options, pairs, window, notes, describe, jobs, progress
        )
        if found is None:
            raise DataError(_nothing_left(pairs, control))
        return found
    counted = count(setting, options, window, contrast)
    tasks, rows = lay_out(counted, pairs, options)
    if not tasks:
        raise DataError(_nothing_left(pairs, control))
    outcomes = _analyse(tasks, jobs, progress)
    checked = None
    if calibrate and setting.unit != "larva" and not options.covariates:
        checked = calibrate_quickly(counted, pairs, options, jobs, progress, opened.name)
    return _assemble(opened, counted, options, rows, tasks, outcomes, notes, checked)


def _analyse(tasks: Sequence[LineTask], jobs: int, progress: bool) -> list[LineOutcome]:
    """Analyse the tasks in batches of one shape; outcomes in the tasks' order."""
    groups = batches(tasks)
    work = [[tasks[i] for i in group] for group in groups]
    done = compute.run(analyse_batch, work, jobs=jobs, description="lines", progress=progress)
    outcomes = {
        i: o for g, os in zip(groups, done, strict=True) for i, o in zip(g, os, strict=True)
    }
    return [outcomes[i] for i in range(len(tasks))]


def _nothing_left(pairs: Mapping[str, str | None], control: str | None) -> str:
    if not pairs:
        return (
            "no line is left to test: every assay of this protocol belongs to the control; check "
            "--protocol, --control and --exclude."
        )
    lines = ", ".join(list(pairs)[:6])
    return (
        f"no line can be compared: none of {lines} has a control with its effector; name the "
        f"control's full genotype with --control (given: {control!r})."
    )


def _assemble(  # type: ignore[no-untyped-def]
    opened: Source, counted: Counted, options: Options, rows, tasks, outcomes, notes, checked
) -> ScreenResult:
    """Put the outcomes into the tables of the result."""
    by_name = {t.genotype: (t, o) for t, o in zip(tasks, outcomes, strict=True)}
    floors = np.array([o.floor[tables.main_name(options.statistic)] for o in outcomes])
    has_f = tables.has_f(outcomes, options)
    wanted = "relabel" if options.correction == "maxt" else options.null
    kind = pvalues.choose_null(floors, options.alpha, wanted, has_f)
    for row in rows:
        if row["genotype"] in by_name:
            task, outcome = by_name[row["genotype"]]
            row |= tables.outcome_columns(outcome, options, kind)
            row |= tables.top_cell(counted, task, outcome)
            row["note"] = tables.with_floor(row, options)
    table = pd.DataFrame(rows).reindex(columns=list(SCREEN_COLUMNS))
    possible = [tables.attainable(by_name, row, options) for row in rows]
    table["q_value"] = adjust(table["p_value"].to_numpy(np.float64), options.correction, possible)
    table["rejected"] = (table["q_value"] <= options.alpha).astype("boolean")
    table.loc[table["q_value"].isna(), "rejected"] = pd.NA
    cells = _cells(counted, rows, by_name, set(table.loc[table["rejected"].eq(True), "genotype"]))
    table = tables.ranked(tables.typed(table))
    said = (*notes, vial_note(counted, options, kind), tables.correction_floor(by_name, options))
    n = max((o.n_resamples for o in outcomes), default=0)
    return ScreenResult(
        table=table,
        transitions=cells[list(TRANSITION_COLUMNS)],
        units=tables.unit_table(counted, by_name),
        states=counted.states,
        alpha=options.alpha,
        design=design_text(opened, counted, options, kind, n),
        seed=options.seed,
        provenance={**opened.provenance, **counted.made.scaling},
        notes=tuple(n for n in said if n),
        calibration=checked,
    )


def _cells(counted: Counted, rows, by_name, rejected) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    """Cells of every line; in rejected lines with p-values for all cells together."""
    parts = []
    for row in rows:
        if row["genotype"] in by_name:
            task, outcome = by_name[row["genotype"]]
            p = cell_p(task) if row["genotype"] in rejected else None
            parts += tables.line_cells(counted, row, task, outcome, p)
    return tables.cell_table(parts)


def design_text(
    opened: Source, counted: Counted, options: Options, kind: str, n: int
) -> dict[str, Any]:
    """Describe the design in numbers and in words."""
    unit = counted.setting.unit
    units = {"assay": "assays", "cross": "crosses", "larva": "larvae"}[unit]
    dated = counted.setting.dates is not None
    by_plate = dated and options.variance == "plate"
    replicate = NO_VIAL if by_plate else "replicate = line x date"
    windows_text = "; ".join(w.describe() for w in counted.windows)
    if counted.is_contrast:
        windows_text = f"{counted.window_name} ({windows_text})"
    relabel = f"{units} relabelled within dates" if dated else f"{units} relabelled"
    null_text = relabel if kind == "relabel" else "F approximation (relabelling cannot reach q)"
    return {
        "data_name": opened.name,
        "protocol": counted.setting.protocol.raw or None,
        "stimuli": counted.setting.protocol.describe(),
        "stimulus_intervals": [list(interval) for interval in counted.setting.protocol.intervals],
        "window": counted.window_name,
        "window_text": windows_text,
        "contrast": counted.window_name if counted.is_contrast else None,
        "transitions": options.transitions,
        "dt": options.dt if options.transitions == "frame" else None,
        "unit": unit,
        "unit_text": f"{unit}, {replicate}" if dated else unit,
        "block": "date" if dated else "none",
        "variance": options.variance if dated else None,
        "statistic": options.statistic,
        "statistic_text": statistic_text(options),
        "null": kind,
        "null_text": null_text,
        "correction": options.correction,
        "correction_text": CORRECTION_TEXT[options.correction],
        "row_weights": options.row_weights,
        "n_resamples": n,
        "bootstrap": options.bootstrap,
    }
