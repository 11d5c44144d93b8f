"""How a response wanes and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.setting import Setting, make_setting
from larvastats.inference.habituation import rows
from larvastats.inference.habituation.curves import make_curves
from larvastats.inference.habituation.measured import (
    Measured,
    choose_pairs,
    extent,
    few_dates,
    late_peak,
    nothing,
    rows_of,
    study_all,
)
from larvastats.inference.habituation.plan import Plan, make_plan
from larvastats.inference.habituation.response import MEASURES, ActionResponse, BinnedResponse
from larvastats.inference.habituation.response import Response as Measurable
from larvastats.inference.habituation.study import LEAST_DATES, Choices
from larvastats.inference.options import CORRECTION_TEXT
from larvastats.results.habituation import HabituationResult
from larvastats.verbs._open import Source, open_source
from larvastats.verbs._response import Response, measure_feature, open_response

NULL_TEXT = {
    "wild": "wild bootstrap of assay curves under a common tau",
    "F": "F approximation of the scores for tau",
}
INTERVAL_TEXT = {
    "score": "limits from the scores of assays",
    "profile": "limits from the profile deviance",
    "bootstrap-t": "bootstrap-t limits over assays",
}


def habituation(
    source: Any = None,
    *,
    response: str | BinnedResponse = "run",
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
    interval: str = "profile",
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
    response : str or BinnedResponse
        An action of the source (``run`` or ``p(run)``): the share of larvae in it; or a feature of
        its frames, such as ``length``, as in :func:`~larvastats.verbs.timecourse.timecourse`: its
        mean over them. Or anything measured elsewhere, as a
        :class:`~larvastats.inference.habituation.response.BinnedResponse` with one row per assay
        of the source.
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
        Of an action: share of the time spent in it, or of larvae that do it at any moment of the
        bin.
    block : {'date', 'none'}
        ``date``: line x date is the replicate of tau where there are five dates at least.
    gate : float
        Level of the gate.
    interval : {'profile', 'score', 'bootstrap-t'}
        How the 95% interval of tau is made: from the profile deviance, scaled by the scatter of the
        assays, from their scores, or by a studentised bootstrap.
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
        No stimulus, no such action or feature, arguments that make no sense.
    DataError
        The recordings end before the stimulus; nothing can be said about any genotype.
    """
    choices = Choices(gate, interval, resamples, seed)
    _check(null, correction, alpha)
    opened, what = _open(source, response, measure, progress, load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, block=block)
    plan = make_plan(
        setting.protocol, extent(setting), kind=kind, stimulus=stimulus, window=window, width=bin
    )
    measurable, label = _measurable(response, what, measure, opened, setting, plan)
    curves = make_curves(measurable, plan)
    measured = Measured(setting, plan, curves, curves.usable)
    pairs, notes = choose_pairs(setting, control, genotypes)
    notes += [*late_peak(measured), *few_dates(measured)]
    outcomes = study_all(measured, pairs, choices, jobs, progress)
    if all(one.reason for one in outcomes.values()):
        raise DataError(nothing(curves.name, outcomes))
    chosen, table = rows.result_table(measured, pairs, outcomes, (null, correction, alpha))
    text = {"null": chosen, "null_text": NULL_TEXT[chosen], "correction": correction}
    return HabituationResult(
        table=table,
        curves=rows.curve_table(measured, outcomes),
        units=rows.unit_table(measured, outcomes),
        pulses=rows.pulse_table(outcomes),
        alpha=alpha,
        design=_design(opened, measured, choices, measure) | text | label
        | {"correction_text": CORRECTION_TEXT[correction]},
        seed=seed,
        provenance=dict(opened.provenance),
        notes=(*opened.notes, *setting.notes, *notes),
    )  # fmt: skip


def _open(
    source: Any, response: str | BinnedResponse, measure: str, progress: bool, load: dict[str, Any]
) -> tuple[Source, Response | None]:
    """Open the source for an action or a feature; None for what was measured elsewhere."""
    if not isinstance(response, str):
        return open_source(source, progress=progress, **load), None
    opened, what = open_response(source, response, progress=progress, **load)
    if measure not in MEASURES:
        raise UsageError(f"measure must be {' or '.join(MEASURES)}, but is {measure!r}.")
    if measure != "time" and not what.is_action:
        raise UsageError(
            f"measure {measure!r} is about actions, which a larva does or does not; leave it out "
            f"for the feature {what.name!r}."
        )
    return opened, what


def _measurable(
    response: str | BinnedResponse, what: Response | None, measure: str, opened: Source,
    setting: Setting, plan: Plan,
) -> tuple[Measurable, dict[str, str]]:  # fmt: skip
    """Return what has a mean and a weight per assay over the bins, and how to call it."""
    if what is None or not isinstance(response, str):
        assert not isinstance(response, str)
        return rows_of(response, opened.ethogram, setting), {"label": response.name}
    if what.is_action:
        return ActionResponse(setting.ethogram, what.name, measure), {"label": what.name}
    ends = [plan.start, plan.stop, *([] if plan.before is None else [np.array(plan.before)])]
    bins = measure_feature(opened, setting, what, np.unique(np.concatenate(ends)))
    if not bins.n.any():
        raise DataError(
            f"no larva has a value of {what.name} during the stimulus or before it; name another "
            "feature."
        )
    mean = np.where(bins.n > 0, bins.mean, 0.0)
    label = {"label": what.title, "response_unit": bins.unit}
    return BinnedResponse(what.name, mean, bins.n, bins.edges), label


def _check(null: str, correction: str, alpha: float) -> None:
    choices = (("null", null, rows.NULLS), ("correction", correction, CORRECTION_TEXT))
    for name, value, allowed in choices:
        if value not in allowed:
            raise UsageError(f"{name} must be one of {', '.join(allowed)}, but is {value!r}.")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, but is {alpha!r}.")


def _design(opened: Source, measured: Measured, choices: Choices, measure: str) -> dict[str, Any]:
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
        "unit_text": f"assay; line x date for tau where there are {LEAST_DATES} dates"
        if dated
        else "assay",
        "block": "date" if dated else "none",
        "gate": choices.gate,
        "interval": choices.interval,
        "interval_text": INTERVAL_TEXT[choices.interval],
        "n_resamples": choices.resamples,
    }
