"""How a response wanes and comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats import compute
from larvastats.errors import DataError, UsageError
from larvastats.inference.habituation import table as tables
from larvastats.inference.habituation.curves import Curves, make_curves
from larvastats.inference.habituation.gate import contrasts
from larvastats.inference.habituation.plan import Plan, make_plan
from larvastats.inference.habituation.response import ActionResponse, Response
from larvastats.inference.habituation.study import Choices, Outcome, Task, study
from larvastats.inference.multiplicity import adjust
from larvastats.inference.options import CORRECTION_TEXT, name_list
from larvastats.inference.pvalues import choose_null
from larvastats.inference.setting import (
    DEFAULT_CONTROL,
    Setting,
    find_controls,
    find_genotype,
    make_setting,
)
from larvastats.results.habituation import HABITUATION_COLUMNS, HabituationResult
from larvastats.verbs._open import Source, open_source

NAN = float("nan")
LATE = 1.15
"""A response that grows by more than this factor after its first bin peaks late."""

NULLS = {"wild": "relabel", "F": "F", "auto": "auto"}
NULL_TEXT = {
    "wild": "wild bootstrap of assay curves under a common tau",
    "F": "F approximation of the scores for tau",
}
INTERVAL_TEXT = {
    "score": "limits from the scores of assays",
    "profile": "limits from the profile deviance",
    "bootstrap-t": "bootstrap-t limits over assays",
}


@dataclass(frozen=True, slots=True)
class _Measured:
    """A setting with one curve per assay."""

    setting: Setting
    plan: Plan
    curves: Curves
    used: NDArray[np.bool_]

    def rows(self, genotype: str) -> NDArray[np.int64]:
        """Rows of a genotype's assays that can be used."""
        rows = self.setting.rows(genotype)
        return rows[self.used[rows]]

    def dates(self, rows: NDArray[np.int64]) -> NDArray[np.object_] | None:
        """Dates of assays; None where they do not count."""
        dates = self.setting.dates
        if dates is None or any(d is None for d in dates[rows]):
            return None
        return dates[rows]


def habituation(
    source: Any = None,
    *,
    action: str | Response = "run",
    protocol: str | None = None,
    control: str | None = None,
    genotypes: str | Sequence[str] | None = None,
    kind: str = "auto",
    stimulus: int | None = None,
    window: str | None = None,
    bin: float | None = None,
    measure: str = "time",
    gap: str | None = None,
    block: str = "date",
    gate: float = 0.05,
    interval: str = "score",
    null: str = "auto",
    resamples: int = 1000,
    correction: str = "bh",
    alpha: float = 0.05,
    seed: int = 0,
    jobs: int = 1,
    progress: bool = False,
    **load: Any,
) -> HabituationResult:
    """Estimate how a response wanes and comes back, and compare genotypes with their control.

    One curve per assay; larvae and moments of an assay are never taken as independent. Whether the
    response changes at all is asked first (`gate`); the time constant is fitted where it does, by a
    binomial likelihood with the scatter of the assays as its dispersion.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out.
    action : str or Response
        An action of the source: the response is the share of larvae in it. Or any feature per assay
        and bin, as a :class:`~larvastats.inference.habituation.response.BinnedResponse` with one
        row per assay of the source.
    protocol, gap, **load
        As in :func:`~larvastats.verbs.screen.screen`.
    control : str, optional
        Genotype or line to compare with; by default the usual control, and no comparison where the
        source has none.
    genotypes : str or sequence of str, optional
        Only these and their controls (a string may list them with commas).
    kind : {'auto', 'recovery', 'pulses', 'berne'}
        During one long stimulus; over repeated pulses, one level each; desensitisation within and
        resensitisation between pulses by the formulas of Berne et al. 2023 (eLife 12:e69205).
    stimulus : int, optional
        Presentation, from 1; by default the longest, or the longest train.
    window : str, optional
        ``START:STOP``: the stretch to fit, instead of the whole stimulus.
    bin : float, optional
        Width in s; by default a 30th of a long stimulus, a tenth of a pulse.
    measure : {'time', 'ever'}
        Share of the time spent in the action, or of larvae that do it at any moment of the bin.
    block : {'date', 'none'}
        ``date``: line x date is the replicate of tau where there are three dates at least.
    gate : float
        Level of the gate.
    interval : {'score', 'profile', 'bootstrap-t'}
        How the 95% interval of tau is made.
    null : {'auto', 'wild', 'F'}
        Where the p-value of a difference comes from; ``auto``: the wild bootstrap wherever it can
        reach a small enough p for so many lines.
    resamples : int
        Permutations of the gate, sign vectors, bootstrap draws.
    correction : {'bh', 'by', 'bonferroni', 'none'}
    alpha : float
    seed : int
    jobs : int
    progress : bool

    Returns
    -------
    HabituationResult

    Raises
    ------
    UsageError
        No stimulus, no such action, arguments that make no sense.
    DataError
        The recordings end before the stimulus; nothing can be said about any genotype.
    """
    choices = Choices(gate, interval, resamples, seed)
    _check(null, correction, alpha)
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, block=block)
    response = _response(action, measure, opened, setting)
    plan = make_plan(
        setting.protocol, _extent(setting), kind=kind, stimulus=stimulus, window=window, width=bin
    )
    curves = make_curves(response, plan)
    measured = _Measured(setting, plan, curves, curves.usable)
    pairs, notes = _pairs(setting, control, genotypes)
    notes += _late_peak(measured)
    outcomes = _study(measured, pairs, choices, jobs, progress)
    if all(one.reason for one in outcomes.values()):
        raise DataError(_nothing(curves.name, outcomes))
    chosen, table = _table(measured, pairs, outcomes, (null, correction, alpha))
    text = {"null": chosen, "null_text": NULL_TEXT[chosen], "correction": correction}
    return HabituationResult(
        table=table,
        curves=_curve_table(measured, outcomes),
        units=_units(measured, outcomes),
        pulses=_pulse_table(outcomes),
        alpha=alpha,
        design=_design(opened, measured, choices, measure) | text
        | {"correction_text": CORRECTION_TEXT[correction]},
        seed=seed,
        provenance=dict(opened.provenance),
        notes=(*opened.notes, *setting.notes, *notes),
    )  # fmt: skip


def _check(null: str, correction: str, alpha: float) -> None:
    choices = (("null", null, NULLS), ("correction", correction, CORRECTION_TEXT))
    for name, value, allowed in choices:
        if value not in allowed:
            raise UsageError(f"{name} must be one of {', '.join(allowed)}, but is {value!r}.")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, but is {alpha!r}.")


def _response(action: str | Response, measure: str, opened: Source, setting: Setting) -> Response:
    """Return the response of the assays of the protocol."""
    if isinstance(action, str):
        return ActionResponse(setting.ethogram, action, measure)
    known, chosen = (e.assays["assay"] for e in (opened.ethogram, setting.ethogram))
    if action.n_assays != len(known):
        raise UsageError(
            f"the response {action.name!r} has {action.n_assays} assays, but the source has "
            f"{len(known)}; give one row per assay, in the order of the source."
        )
    return _Rows(action, np.flatnonzero(known.isin(chosen).to_numpy(bool)))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some assays of a response."""

    whole: Response
    keep: NDArray[np.int64]

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def binomial(self) -> bool:
        return self.whole.binomial

    @property
    def n_assays(self) -> int:
        return len(self.keep)

    def over(self, start: Any, stop: Any) -> tuple[Any, Any]:
        mean, weight = self.whole.over(start, stop)
        return mean[self.keep], weight[self.keep]


def _extent(setting: Setting) -> tuple[float, float]:
    larvae = setting.ethogram.larvae
    if larvae.empty:
        raise DataError("no larva was tracked in this protocol: nothing to analyse.")
    return float(larvae["t_from"].min()), float(larvae["t_to"].max())


def _pairs(
    setting: Setting, control: str | None, genotypes: str | Sequence[str] | None
) -> tuple[dict[str, str | None], list[str]]:
    """Return the control of every genotype (None for controls themselves), and notes."""
    assays = setting.ethogram.assays
    notes: list[str] = []
    if control is None and not (assays["line"] == DEFAULT_CONTROL).any():
        pairs: dict[str, str | None] = dict.fromkeys(sorted(assays["genotype"].unique()))
        if len(pairs) > 1:
            notes.append("no control named: time constants are not compared (--control)")
    else:
        pairs = find_controls(assays, control)
    if genotypes is not None:
        wanted = {find_genotype(assays, name) for name in name_list(genotypes)}
        controls = {c for g, c in pairs.items() if g in wanted and c is not None}
        pairs = {g: c for g, c in pairs.items() if g in wanted}
        pairs |= dict.fromkeys(sorted((wanted | controls) - set(pairs)))
    for name in sorted({c for c in pairs.values() if c is not None}):
        pairs.setdefault(name, None)
    return pairs, notes


def _study(
    measured: _Measured, pairs: Mapping[str, str | None], choices: Choices, jobs: int,
    progress: bool,
) -> dict[str, Outcome]:  # fmt: skip
    """Analyse the genotypes without a control first: they may be the controls of the others."""

    def task(genotype: str) -> Task:
        rows = measured.rows(genotype)
        return Task(genotype, measured.curves.take(rows), measured.dates(rows), choices)

    first = [task(g) for g, c in pairs.items() if c is None]
    done = {t.genotype: o for t, o in zip(first, compute.run(study, first, jobs=jobs), strict=True)}
    second = []
    for genotype, control in pairs.items():
        if control is None:
            continue
        own, rows = task(genotype), measured.rows(control)
        second.append(
            Task(
                genotype,
                own.curves,
                own.dates,
                choices,
                measured.curves.take(rows),
                measured.dates(rows),
                done[control].passes,
            )
        )
    found = compute.run(study, second, jobs=jobs, description="lines", progress=progress)
    done |= {t.genotype: o for t, o in zip(second, found, strict=True)}
    return {g: done[g] for g in pairs}


def _late_peak(measured: _Measured) -> list[str]:
    """Hint at a response that takes a while to build up; choosing the peak itself would bias."""
    plan, curves = measured.plan, measured.curves.take(np.flatnonzero(measured.used))
    before = curves.before[~np.isnan(curves.before)]
    if plan.shape.kind != "recovery" or not len(before):
        return []
    height = np.abs(curves.pooled[0] - before.mean())
    early = height[: max(2, len(height) // 4)]
    peak = int(np.argmax(early))
    if peak == 0 or not early[peak] > LATE * early[0]:
        return []
    start, stop = float(plan.start[peak]), float(plan.stop[-1])
    return [
        f"the response is largest {start - plan.start[0]:g} s after the onset: a decline from "
        f"there on is fitted with --window {start:g}:{stop:g}"
    ]


def _nothing(response: str, outcomes: Mapping[str, Outcome]) -> str:
    reasons: dict[str, list[str]] = {}
    for genotype, outcome in outcomes.items():
        reasons.setdefault(outcome.reason, []).append(genotype)
    parts = []
    for reason, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        parts.append(f"{', '.join(names[:3])}{more}: {reason}")
    return (
        f"nothing can be said about the habituation of {response!r}; {'; '.join(parts)}; choose "
        "another action, stimulus or protocol, or record more assays."
    )


def _table(
    measured: _Measured, pairs: Mapping[str, str | None], outcomes: Mapping[str, Outcome],
    how: tuple[str, str, float],
) -> tuple[str, pd.DataFrame]:  # fmt: skip
    """Make the rows, choose one kind of p-value for all, adjust, sort."""
    null, correction, alpha = how
    rows = [_row(measured, g, c, outcomes[g]) for g, c in pairs.items()]
    table = pd.DataFrame(rows).reindex(columns=list(HABITUATION_COLUMNS))
    floors = table["p_floor"].to_numpy(np.float64)
    kind = choose_null(floors, alpha, NULLS[null], True)
    chosen = "F" if kind == "F" else "wild"
    table["p_value"] = table["p_approx" if chosen == "F" else "p_wild"].astype(np.float64)
    table["null"] = [chosen if known else None for known in table["p_value"].notna()]
    for name in ("", "decline_"):
        p = table[f"{name}p_value"].to_numpy(np.float64)
        table[f"{name}q_value"] = adjust(p, correction)
    table["rejected"] = (table["q_value"] <= alpha).astype("boolean")
    table.loc[table["q_value"].isna(), "rejected"] = pd.NA
    is_control = table["genotype"].isin({c for c in pairs.values() if c is not None})
    order = pd.DataFrame({"c": is_control, "p": table["p_value"], "d": -table["deviance"],
                          "g": table["genotype"]}).sort_values(["c", "p", "d", "g"])  # fmt: skip
    return chosen, table.loc[order.index].reset_index(drop=True)


def _row(
    measured: _Measured, genotype: str, control: str | None, outcome: Outcome
) -> dict[str, Any]:
    assays, everyone = measured.setting.ethogram.assays, measured.setting.rows(genotype)
    rows, first = measured.rows(genotype), assays.iloc[everyone[0]]
    dates = None if measured.setting.dates is None else measured.setting.dates[rows]
    row: dict[str, Any] = {
        "genotype": genotype, "line": first["line"], "effector": first["effector"],
        "control": control, "protocol": measured.setting.protocol.raw or None,
        "kind": measured.plan.shape.kind, "response": measured.curves.name,
        "unit": measured.plan.shape.unit, "n_assays": len(rows),
        "n_dates": None if dates is None else len({d for d in dates if d is not None}),
        "n_control_assays": None if control is None else len(measured.rows(control)),
        "n_larvae": int(measured.setting.ethogram.larvae_per_assay[rows].sum()),
    }  # fmt: skip
    row |= tables.describe(measured.curves.take(rows), outcome)
    row["decline_p_value"] = outcome.decline_p
    found = outcome.comparison
    if found is not None:
        row |= {"deviance": found.deviance, "tau_common": found.common, "p_wild": found.p_wild,
                "p_floor": found.p_floor, "p_approx": found.p_approx}  # fmt: skip
    lost = len(everyone) - len(rows)
    if lost:
        left = f"{lost} assay{'s' if lost > 1 else ''} not tracked through the stimulus left out"
        row["note"] = "; ".join(part for part in (row["note"], left) if part)
    return row


def _curve_table(measured: _Measured, outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    parts = [
        tables.curve_table(g, measured.curves.take(measured.rows(g)), o, measured.plan)
        for g, o in outcomes.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _pulse_table(outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    parts = [tables.pulse_table(g, o) for g, o in outcomes.items() if o.pulses]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _units(measured: _Measured, outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    assays = measured.setting.ethogram.assays
    keep = assays["genotype"].isin(list(outcomes)).to_numpy(bool)
    rows = np.flatnonzero(keep)
    own = measured.curves.take(rows)
    return tables.unit_table(assays.iloc[rows], own, contrasts(own), measured.used[rows])


def _design(opened: Source, measured: _Measured, choices: Choices, measure: str) -> dict[str, Any]:
    plan, setting = measured.plan, measured.setting
    shape = plan.shape
    per = "pulse" if shape.kind == "pulses" else f"{float(measured.curves.width[0]):g} s"
    before = "none" if plan.before is None else f"{plan.before[0]:g}–{plan.before[1]:g} s"
    dated = setting.dates is not None
    return {
        "data_name": opened.name,
        "protocol": setting.protocol.raw or None,
        "stimuli": setting.protocol.describe() if setting.protocol.has_stimulus else "",
        "kind": shape.kind,
        "response": measured.curves.name,
        "measure": measure if measured.curves.binomial else "mean",
        "stimulus_text": f"{plan.text}, one number per {per}",
        "starts": float(plan.start[0]),
        "stimulus_intervals": [list(on) for on in plan.pulses],
        "baseline": None if plan.before is None else list(plan.before),
        "baseline_text": before,
        "time_unit": shape.unit,
        "shortest": shape.shortest,
        "longest": shape.longest,
        "unit": "assay",
        "unit_text": "assay; line x date for tau where there are 3 dates" if dated else "assay",
        "block": "date" if dated else "none",
        "gate": choices.gate,
        "interval": choices.interval,
        "interval_text": INTERVAL_TEXT[choices.interval],
        "n_resamples": choices.resamples,
    }
