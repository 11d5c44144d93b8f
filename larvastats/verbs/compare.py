"""Two genotypes, or one genotype in two windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.blocks import Design
from larvastats.inference.design.setting import find_controls, find_genotype, make_setting
from larvastats.inference.lines import cells, linetest
from larvastats.inference.options import EVER, NO_VIAL, Options, name_list, statistic_text
from larvastats.inference.profiles.prepare import paired_profiles
from larvastats.inference.relabelling import resampling
from larvastats.inference.screen import tables
from larvastats.inference.screen.layout import Counted, count, lay_out, vial_note
from larvastats.inference.screen.outcome import LineOutcome, analyse_line, cell_p
from larvastats.inference.significance import pvalues
from larvastats.results import TRANSITION_COLUMNS, HTest
from larvastats.verbs._open import Source, open_source


def compare(
    source: Any = None,
    genotype: str | None = None,
    control: str | None = None,
    *,
    protocol: str | None = None,
    window: str | None = None,
    windows: str | Sequence[str] | None = None,
    contrast: str | None = None,
    statistic: str = "welch",
    transitions: str = "jump",
    dt: float = 0.1,
    gap: str | None = None,
    unit: str = "auto",
    block: str = "date",
    variance: str = "date",
    null: str = "auto",
    resamples: int = 10_000,
    alpha: float = 0.05,
    sesoi: float | None = None,
    covariates: str | Sequence[str] = (),
    row_weights: str = "uniform",
    bootstrap: int = 1000,
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> HTest:
    """Compare one genotype with its control, or with itself in another window.

    With `control` the numbers are those of its row in :func:`~larvastats.verbs.screen.screen` of
    the same source: profiles are scaled by all assays of the protocol. With `windows` and a
    control, the change between the windows is compared (the screen's ``contrast``). With `windows`
    and no control, the genotype's assays are their own controls: paired differences, signs flipped.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
    genotype : str
        A genotype, or a line with one effector.
    control : str, optional
        Likewise; without `windows` the usual control by default.
    protocol, window, contrast, statistic, transitions, dt, gap, unit, block, variance, null, \
resamples, alpha, sesoi, covariates, row_weights, bootstrap, seed, progress
        As in :func:`~larvastats.verbs.screen.screen`.
    windows : str or sequence of two str, optional
        ``'W1,W2'``: the change from W2 to W1.
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    HTest

    Raises
    ------
    UsageError, DataError
    """
    if genotype is None:
        raise UsageError("genotype is missing; name the genotype to compare.")
    options = Options(statistic, transitions, dt, null, resamples, "none", alpha, row_weights,
                      bootstrap, seed, name_list(covariates), sesoi, variance)  # fmt: skip
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, unit=unit, block=block)
    name = find_genotype(setting.ethogram.assays, genotype)
    pair = _pair(windows)
    if pair is not None and (window is not None or contrast is not None):
        raise UsageError("give windows alone, without window or contrast.")
    if pair is not None and control is None:
        counted = count(setting, options, None, "-".join(pair))
        return _paired(opened, counted, options, name)
    counted = count(setting, options, window, contrast if pair is None else "-".join(pair))
    if control is None:
        other = find_controls(setting.ethogram.assays, None).get(name)
        if other is None:
            raise UsageError(f"{name} has no usual control in this source; name one.")
    else:
        other = find_genotype(setting.ethogram.assays, control)
    if other == name:
        raise UsageError(f"{name} is compared with itself; name two genotypes, or two windows.")
    return _against_control(opened, counted, options, name, other)


def _pair(windows: str | Sequence[str] | None) -> tuple[str, str] | None:
    if windows is None:
        return None
    names = windows.split(",") if isinstance(windows, str) else list(windows)
    if len(names) != 2 or not all(n.strip() for n in names):
        raise UsageError(
            f"windows must be two windows such as 'during,before', but is {windows!r}."
        )
    return names[0].strip(), names[1].strip()


def _against_control(
    opened: Source, counted: Counted, options: Options, genotype: str, control: str
) -> HTest:
    tasks, rows = lay_out(counted, {genotype: control}, options)
    task, row = tasks[0], rows[0]
    outcome = analyse_line(task)
    floors = np.array([outcome.floor[tables.main_name(options.statistic)]])
    has_f = tables.has_f([outcome], options)
    kind = pvalues.choose_null(floors, options.alpha, options.null, has_f)
    row |= tables.outcome_columns(outcome, options, kind) | tables.top_cell(counted, task, outcome)
    note = tables.with_floor(row, options)
    vials = vial_note(counted, options, kind)
    p_cells = cell_p(task) if row["p_value"] <= options.alpha else None
    changed = tables.cell_table(tables.line_cells(counted, row, task, outcome, p_cells))
    units = tables.unit_table(counted, {genotype: (task, outcome)})
    place = " in change " if counted.is_contrast else " in "
    return HTest(
        method=_title(options, kind, outcome, task.design),
        data_name=f"{genotype} and {control}{place}{counted.window_name} ({opened.name})",
        statistic={"T": row["statistic"]},
        parameter=_parameter(row),
        p_value=row["p_value"],
        alternative=f"{_what(options)} differ",
        estimate=_estimate(row),
        conf_int=_limits(row["hellinger_low"], row["hellinger_high"]),
        null_value={} if counted.is_contrast else {"Hellinger distance": 0.0},
        design=_design(counted, row, kind, options),
        seed=None if outcome.exact else options.seed,
        n_resamples=outcome.n_resamples,
        notes=tuple(n for n in (*opened.notes, *counted.setting.notes, note, vials) if n),
        units=units[units["genotype"].isin([genotype, control])].reset_index(drop=True),
        transitions=changed[list(TRANSITION_COLUMNS)],
    )


def _what(options: Options) -> str:
    if options.statistic in ("occupancy", "dwell"):
        return {"occupancy": "time budgets", "dwell": "dwell times"}[options.statistic]
    return "fractions of larvae" if options.transitions in EVER else "transition probabilities"


def _title(options: Options, kind: str, outcome: LineOutcome, design: Design) -> str:
    where = " within dates" if design.dated else ""
    how = "exact" if outcome.exact else "sampled"
    null = f"{how} relabelling{where}" if kind == "relabel" else "F approximation"
    title = statistic_text(options)
    assumed = f", {NO_VIAL}" if design.by_plate else ""
    return f"{title[0].upper()}{title[1:]}, {null}{assumed}"


def _parameter(row: Mapping[str, Any]) -> dict[str, float]:
    out = {"assays": row["n_assays"], "control assays": row["n_control_assays"]}
    return out if row["n_dates"] is None else out | {"dates": row["n_dates"]}


def _estimate(row: Mapping[str, Any]) -> dict[str, float]:
    out = {
        "Hellinger distance": row["hellinger"],
        "adjusted": row["hellinger_adjusted"],
        "Jensen-Shannon": row["js"],
        "Kullback-Leibler": row["kl"],
    }
    return {name: value for name, value in out.items() if not np.isnan(value)}


def _limits(low: float, high: float) -> tuple[float, float] | None:
    return None if np.isnan(low) or np.isnan(high) else (low, high)


def _design(
    counted: Counted, row: Mapping[str, Any], kind: str, options: Options
) -> dict[str, Any]:
    names = ("genotype", "control", "protocol", "window", "n_dates", "n_assays",
             "n_control_assays", "n_larvae", "n_transitions", "p_exact", "p_floor", "p_approx",
             "top_transition", "top_difference")  # fmt: skip
    dated = counted.setting.dates is not None
    return {name: row[name] for name in names} | {
        "null": kind,
        "variance": options.variance if dated else None,
        "transitions": options.transitions,
        "stimuli": counted.setting.protocol.describe(),
        "window_text": "; ".join(w.describe() for w in counted.windows),
    }


def _paired(opened: Source, counted: Counted, options: Options, genotype: str) -> HTest:
    """One genotype in two windows, paired by assay."""
    units = counted.setting.rows(genotype)
    units = units[counted.usable[units]]
    if len(units) < 2:
        raise DataError(
            f"{genotype} has {len(units)} assay(s) with transitions in both windows; a paired "
            "comparison needs two at least."
        )
    if options.statistic != "welch" or options.transitions in EVER:
        raise UsageError(
            "within one genotype the statistic is welch on jump or frame transitions; leave "
            "--statistic out."
        )
    counts = counted.counts[units]
    x = paired_profiles(counts[:, 0], counts[:, 1]).x
    observed = float(_paired_statistic(np.ones((1, len(x))), x)[0])
    rng = resampling.seeded(options.seed, genotype, "sign flips")
    plan = resampling.sign_flips(len(x), options.resamples, rng)
    null = resampling.null_distribution(plan, lambda signs: {"T": _paired_statistic(signs, x)})
    exact = resampling.flips_are_exact(len(x))
    p_exact = pvalues.p_relabel(observed, null["T"], exact)
    floor = pvalues.floor_of(null["T"], exact)
    f1 = linetest.dimension(x, np.zeros(len(x), np.int64), np.ones(len(x), bool))
    p_approx = pvalues.p_f(observed, f1, len(x) - 1)
    has_f = not np.isnan(p_approx)
    kind = options.null
    if kind == "auto":  # one test, nothing to correct for: exact wherever it can reject
        kind = "relabel" if floor <= options.alpha or not has_f else "F"
    p_value = p_exact if kind == "relabel" else p_approx
    first, second = counted.windows
    how = (
        ("exact" if exact else "sampled") + " sign flips"
        if kind == "relabel"
        else "F approximation"
    )
    notes = [*opened.notes, *counted.setting.notes]
    if kind == "relabel" and floor > options.alpha / 10:
        cannot = f": cannot reject at {options.alpha:g}" if floor > options.alpha else ""
        notes.append(f"smallest possible p is {floor:.3g}{cannot}")
    if np.isnan(p_value):
        notes.append("too few assays for an F approximation: use null='relabel'")
    return HTest(
        method=f"Studentised change of transition profiles, paired by assay, {how}",
        data_name=f"{genotype}, {first.describe()} and {second.describe()} ({opened.name})",
        statistic={"T": observed},
        parameter={"assays": len(units)},
        p_value=p_value,
        alternative="transition probabilities change",
        design={"genotype": genotype, "windows": (first.name, second.name), "null": kind,
                "p_exact": p_exact, "p_floor": floor, "p_approx": p_approx,
                "stimuli": counted.setting.protocol.describe()},
        seed=None if exact else options.seed,
        n_resamples=len(null["T"]),
        notes=tuple(notes),
        units=_paired_units(counted, units, x),
        transitions=_paired_cells(counted, units, genotype),
    )  # fmt: skip


def _paired_statistic(signs: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``|dbar|^2 / (s^2 / m)`` for every vector of signs, shape (flip,)."""
    m = len(x)
    mean = signs @ x / m
    square = (mean**2).sum(axis=1)
    variance = ((x**2).sum() - m * square) / ((m - 1) * m)
    nothing = np.where(square > 0, np.inf, 0.0)
    return np.divide(square, variance, out=nothing, where=variance > 1e-14)


def _paired_units(
    counted: Counted, units: NDArray[np.int64], x: NDArray[np.float64]
) -> pd.DataFrame:
    ethogram = counted.setting.ethogram
    table = ethogram.assays.iloc[units][["assay", "genotype", "date"]].reset_index(drop=True)
    table["n_larvae"] = ethogram.larvae_per_assay[units]
    for w, window in enumerate(counted.windows):
        table[f"n_transitions_{window.name}"] = counted.counts[units, w].sum(axis=(1, 2))
    table["change"] = np.linalg.norm(x, axis=1)
    return table


def _paired_cells(counted: Counted, units: NDArray[np.int64], genotype: str) -> pd.DataFrame:
    """Cells of both windows side by side: the second window stands in the control's place."""
    first, second = counted.windows
    counts = counted.counts[units].astype(np.float64)
    row = {
        "genotype": f"{genotype} {first.name}",
        "line": genotype,
        "effector": "",
        "control": f"{genotype} {second.name}",
        "protocol": counted.setting.protocol.raw,
    }
    totals = counts.sum(axis=0)
    one, two = ((side, side.sum(axis=-1)) for side in totals)
    z = cells.scores(counts[:, 0], counts[:, 1])
    columns = tables.cells(
        counted.states, one, two, row, counted.window_name, z, np.full_like(z, np.nan)
    )
    return tables.cell_table([columns])[list(TRANSITION_COLUMNS)]
