"""How long states last, and whether a genotype changes that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.inference import dwellfit
from larvastats.inference.design import Design, make_design
from larvastats.inference.dwelltest import Cell, CellTest, DwellTest, assay_values, compare_dwells
from larvastats.inference.multiplicity import adjust
from larvastats.inference.options import name_list
from larvastats.inference.plans import Budget
from larvastats.inference.replicates import Replicates, replicates
from larvastats.inference.setting import Setting, find_controls, find_genotype, make_setting
from larvastats.markov.dwell import ENDED, LOST, LOST_RULES, Dwells, dwell_times
from larvastats.protocol import Window, default_window
from larvastats.protocol import windows as parse_windows
from larvastats.results.dwell import DwellResult
from larvastats.verbs._open import open_source

NAN = float("nan")
MOST_NOTES = 6
NULLS = ("auto", "relabel", "F")


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of a setting."""

    setting: Setting
    windows: tuple[Window, ...]
    states: tuple[int, ...]
    bouts: tuple[Dwells, ...]
    """Of every window, sorted by genotype and state."""
    edges: tuple[NDArray[np.int64], ...]
    """Where each genotype and state begins among them, shape (genotype * state + 1,)."""
    genotypes: tuple[str, ...]
    horizons: Mapping[tuple[int, int], float]
    lost: str

    def name(self, state: int) -> str:
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
        Where p-values come from; ``auto`` relabels wherever that can reach `alpha`.
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
                row, found, steps = _describe(question, genotype, who, w, state)
                rows.append(row)
                fits += found
                curves.append(steps)
        units.append(_units(question, genotype))
    tests, cells = _tests(question, pairs, Budget(resamples, seed), null, alpha)
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


FIT_COLUMNS = ("genotype", "window", "state", "family", "shape", "scale", "loglik", "aic",
               "delta_aic", "best")  # fmt: skip
TEST_COLUMNS = ("genotype", "control", "n_assays", "n_control_assays", "n_dates", "statistic",
                "p_value", "q_value", "rejected", "null", "p_exact", "p_approx", "p_floor",
                "p_lost_ended", "p_lost_stayed", "note")  # fmt: skip
CELL_COLUMNS = ("genotype", "control", "window", "state", "difference", "low", "high", "z",
                "p_adjusted", "p_lost_ended", "p_lost_stayed", "note")  # fmt: skip


def _ask(
    setting: Setting,
    windows: str | Sequence[str] | None,
    states: str | Sequence[str] | None,
    entry: str,
    lost: str,
) -> _Question:
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
    codes = _states(ethogram.states, states)
    horizons = {
        (w, s): dwellfit.horizon((own := bouts[w].with_lost(lost)).take(own.state == s))
        for w in range(len(chosen))
        for s in codes
    }
    return _Question(setting, chosen, codes, *_sorted(setting, bouts), horizons, lost)


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


def _describe(
    question: _Question, genotype: str, who: Replicates, w: int, state: int
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
    table = dwellfit.tabulate(bouts, who)
    steps = dwellfit.curve(table)
    row |= _numbers(question, own, table, up_to, who)
    fitted = dwellfit.fit(bouts, who)
    row |= _fit_columns(fitted)
    row["note"] = _note(row, fitted, row.pop("reach", NAN))
    curves = pd.DataFrame(key | {name: getattr(steps, name) for name in _STEPS})
    return row, _fit_rows(key, fitted), curves


_NUMBERS = ("median", "mean", "mean_low", "mean_high", "mean_lost_ended", "mean_lost_stayed",
            "horizon", "family", "shape", "shape_se", "scale", "scale_se", "fitted_mean",
            "fitted_mean_se", "stable", "note")  # fmt: skip
_STEPS = ("time", "survival", "low", "high", "at_risk")


def _numbers(
    question: _Question, own: Dwells, table: dwellfit.LifeTable, up_to: float, who: Replicates
) -> dict[str, Any]:
    if np.isnan(up_to):
        return {}
    found = dwellfit.summary(table, up_to)
    out: dict[str, Any] = {"median": found.median, "mean": found.mean, "mean_low": found.low,
                           "mean_high": found.high, "reach": found.reach}  # fmt: skip
    for rule in ("ended", "stayed"):
        other = dwellfit.tabulate(own.with_lost(rule), who)
        out[f"mean_lost_{rule}"] = dwellfit.summary(other, up_to).mean
    return out


def _fit_columns(fitted: dwellfit.Fitted) -> dict[str, Any]:
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


def _fit_rows(key: Mapping[str, str], fitted: dwellfit.Fitted) -> list[dict[str, Any]]:
    if fitted.best is None:
        return []
    least = fitted.best.aic
    return [
        {**key, "family": one.family, "shape": one.shape, "scale": one.scale,
         "loglik": one.loglik, "aic": one.aic, "delta_aic": one.aic - least,
         "best": one is fitted.best}
        for one in fitted.fits
    ]  # fmt: skip


def _note(row: Mapping[str, Any], fitted: dwellfit.Fitted, reach: float) -> str:
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


def _units(question: _Question, genotype: str) -> pd.DataFrame:
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


def _tests(
    question: _Question, pairs: Mapping[str, str], budget: Budget, null: str, alpha: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every genotype against its control; lost tracks read in all three ways."""
    cells = [
        Cell(w, s, question.horizons[w, s])
        for w in range(len(question.windows))
        for s in question.states
        if not np.isnan(question.horizons[w, s])
    ]
    lines, rows = [], []
    for genotype, control in pairs.items():
        design = _design(question.setting, genotype, control)
        pair = [question.pick(w, (genotype, control)) for w in range(len(question.windows))]
        found = {
            rule: compare_dwells([bouts.with_lost(rule) for bouts in pair], cells, design,
                                 (genotype, control), question.setting.ethogram.states, budget,
                                 null, alpha)
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
