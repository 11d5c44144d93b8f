"""How long states last, and whether a genotype changes that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.replicates import replicates
from larvastats.inference.design.setting import Setting, find_controls, find_genotype, make_setting
from larvastats.inference.dwell.tables import (
    FIT_COLUMNS,
    Question,
    describe,
    lay_out,
    tests_of,
    units_of,
)
from larvastats.inference.options import name_list
from larvastats.inference.relabelling.plans import Budget
from larvastats.markov.dwell import LOST_RULES, dwell_times
from larvastats.protocol import Window, default_window
from larvastats.protocol import windows as parse_windows
from larvastats.results import DwellResult
from larvastats.verbs._open import open_source

MOST_NOTES = 6
NULLS = ("auto", "relabel", "F")


def dwell(
    source: Any = None,
    *,
    protocol: str | None = None,
    genotypes: str | Sequence[str] | None = None,
    control: str | None = None,
    states: str | Sequence[str] | None = None,
    windows: str | Sequence[str] | None = None,
    entry: str = "onset",
    lost: str = "censored",
    gap: str | None = None,
    unit: str = "assay",
    block: str = "date",
    null: str = "auto",
    resamples: int = 10_000,
    alpha: float = 0.05,
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> DwellResult:
    """Describe how long states last, and compare genotypes with their control.

    Bouts that begin in a window are followed until they end, or are censored where the window, the
    recording or the track ends. Each genotype gets Kaplan-Meier curves and the likeliest of
    exponential, Weibull, gamma and lognormal, with errors from replicates (line x date where dates
    are known). Genotypes are compared with the control by restricted mean durations, assay by
    assay, with labels of assays exchanged within dates: all states and windows together first, then
    each of them, with p-values that hold for all of a line together.

    Losing a track is part of some behaviours (a rolling larva is hard to follow). The table and
    the tests therefore also say what would come out had every lost bout ended where it was lost, or
    lasted as long as it could.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out.
    protocol : str, optional
        Name or unique beginning.
    genotypes : str or sequence of str, optional
        Genotypes or lines (a string may list them with commas); all by default.
    control : str, optional
        A genotype or line; by default the usual one where the source has it, else nothing is
        compared.
    states : str or sequence of str, optional
        All by default.
    windows : str or sequence of str, optional
        By default ``during``; ``whole`` without a stimulus.
    entry : {'onset', 'delayed'}
        Only bouts that begin in the window, or also those in progress, left-truncated; see
        :mod:`larvastats.markov.dwell`.
    lost : {'censored', 'ended', 'stayed'}
        What a lost track says about the bout it cut.
    gap, unit, block, resamples, alpha, seed, progress
        As in :func:`~larvastats.verbs.screen.screen`.
    null : {'auto', 'relabel', 'F'}
        Where p-values come from; ``auto`` takes one kind for all genotypes: relabelling wherever
        that can reach far enough, else F.
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    DwellResult

    Raises
    ------
    UsageError, DataError
    """
    if null not in NULLS:
        raise UsageError(f"null must be one of {', '.join(NULLS)}, but is {null!r}.")
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, unit=unit, block=block)
    question = _ask(setting, windows, states, entry, lost)
    names, pairs, said = _who(setting, genotypes, control)
    rows, fits, curves, units = [], [], [], []
    for genotype in names:
        who = replicates(setting.rows(genotype), setting.dates)
        for w in range(len(question.windows)):
            for state in question.states:
                row, found, steps = describe(question, genotype, who, w, state)
                rows.append(row)
                fits += found
                curves.append(steps)
        units.append(units_of(question, genotype))
    tests, cells = tests_of(question, pairs, Budget(resamples, seed), null, alpha)
    design = {
        "data_name": opened.name,
        "protocol": setting.protocol.raw or None,
        "stimuli": setting.protocol.describe(),
        "windows_text": {w.name: w.describe() for w in question.windows},
        "entry": entry,
        "lost": lost,
        "unit": unit,
    }
    table = pd.DataFrame(rows)
    notes = (*opened.notes, *setting.notes, *said, *_warnings(table, tests, cells, alpha))
    return DwellResult(
        table, pd.DataFrame(fits, columns=list(FIT_COLUMNS)), pd.concat(curves, ignore_index=True),
        tests, cells, pd.concat(units, ignore_index=True),
        tuple(question.name(s) for s in question.states), alpha, design, seed, notes,
    )  # fmt: skip


def _ask(
    setting: Setting,
    windows: str | Sequence[str] | None,
    states: str | Sequence[str] | None,
    entry: str,
    lost: str,
) -> Question:
    """Resolve windows and states, and collect the bouts."""
    ethogram = setting.ethogram
    extent = float(ethogram.larvae["t_from"].min()), float(ethogram.larvae["t_to"].max())
    if windows is None:
        chosen: tuple[Window, ...] = (default_window(setting.protocol),)
    else:
        specs = name_list(windows)
        chosen = tuple(w for s in specs for w in parse_windows(setting.protocol, s, extent=extent))
    if lost not in LOST_RULES:
        raise UsageError(f"lost must be one of {', '.join(LOST_RULES)}, but is {lost!r}.")
    bouts = tuple(dwell_times(ethogram, window, entry) for window in chosen)
    for window, own in zip(chosen, bouts, strict=True):
        if not len(own):
            raise DataError(
                f"no bout begins in window {window.describe()} of protocol "
                f"{setting.protocol.raw or '(none)'!r}; the recordings run from {extent[0]:g} to "
                f"{extent[1]:g} s: choose a window within them, or check the stimulus times (gap)."
            )
    return lay_out(setting, chosen, _states(ethogram.states, states), bouts, lost)


def _states(known: tuple[str, ...], wanted: str | Sequence[str] | None) -> tuple[int, ...]:
    if wanted is None:
        return tuple(range(len(known)))
    names = name_list(wanted)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"states must be among {', '.join(known)}, but {', '.join(map(repr, unknown))} "
            f"{'is' if len(unknown) == 1 else 'are'} not."
        )
    return tuple(known.index(name) for name in dict.fromkeys(names))


def _who(
    setting: Setting, genotypes: str | Sequence[str] | None, control: str | None
) -> tuple[list[str], dict[str, str], list[str]]:
    """Genotypes to describe, controls first; the control of each that is compared; notes."""
    assays = setting.ethogram.assays
    known = sorted(assays["genotype"].unique())
    if genotypes is None:
        wanted = known
    else:
        wanted = [find_genotype(assays, name) for name in dict.fromkeys(name_list(genotypes))]
    try:
        controls = find_controls(assays, control)
    except UsageError:
        if control is not None:
            raise
        return wanted, {}, ["no control was named: curves only, nothing is compared"]
    pairs = {g: c for g in wanted if (c := controls.get(g)) is not None}
    names = [*dict.fromkeys(pairs.values()), *wanted]
    return list(dict.fromkeys(names)), pairs, []


def _warnings(
    table: pd.DataFrame, tests: pd.DataFrame, cells: pd.DataFrame, alpha: float
) -> list[str]:
    """Say aloud what the rows' notes say, and where lost tracks decide."""
    reasons = {f"{row.genotype}: {row.note}" for row in tests.itertuples() if row.note}
    notes = [*sorted(reasons), *sorted({n for n in table["note"] if "never" in n})]
    if len(notes) > MOST_NOTES:
        notes = [*notes[:MOST_NOTES], f"and {len(notes) - MOST_NOTES} more: see the column note"]
    called = cells[cells["p_adjusted"] <= alpha]
    for row in called[called[["p_lost_ended", "p_lost_stayed"]].max(axis=1) > alpha].itertuples():
        notes.append(
            f"{row.genotype}, {row.state} ({row.window}): the difference depends on what lost "
            f"tracks hide (p {row.p_lost_ended:.3g} if those bouts ended, {row.p_lost_stayed:.3g} "
            "if they lasted)"
        )
    chosen = table["stable"].notna()
    unsure = int(table.loc[chosen, "stable"].eq(False).sum())
    if unsure:
        notes.append(
            f"{unsure} of {chosen.sum()} distributions would not be chosen without one of their "
            "replicates (column stable)"
        )
    stuck = tests[(tests["p_floor"] > alpha) & (tests["null"] != "F")]
    if len(stuck):
        notes.append(
            f"smallest possible p is {stuck['p_floor'].max():.3g}: cannot reject at {alpha:g}"
        )
    return notes
