"""From outcomes to tables: one row per genotype, every missing number with its reason in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.plan import Plan
from larvastats.inference.habituation.study import Outcome, one_sample, t_limits

Array = NDArray[np.float64]

NAN = float("nan")
RETURNED = 0.9
"""A response is back when so much of its start is gone."""

SURE = 0.05
"""Without a response at this level there is nothing that could recover."""


def describe(curves: Curves, outcome: Outcome) -> dict[str, Any]:
    """Return the numbers of one genotype: levels, gate, time constant, return."""
    row = _levels(curves)
    if len(curves.mean):
        row |= _area(curves)
    row |= {"gate_p": NAN, "gate_null": None, "direction": outcome.direction, "decline": NAN}
    row |= {"tau": NAN, "tau_low": NAN, "tau_high": NAN, "censored": "", "tau_text": ""}
    row |= {"dispersion": NAN, "return_time": NAN, "returned": ""}
    if outcome.gate is not None:
        row |= {"gate_p": outcome.gate.p_value, "gate_null": outcome.gate.null}
        row["decline"] = outcome.gate.contrast
    notes = [outcome.reason] if outcome.reason else []
    if outcome.fit is not None:
        row |= _time_constant(curves, outcome)
        if not row["censored"]:
            row |= _fitted_levels(curves, outcome, row)
    row |= _recovery(curves, row)
    row["returned"], row["return_time"] = _returned(curves, outcome, row)
    if outcome.pulses:
        notes += _first_return(outcome, row, curves)
    row["note"] = "; ".join([*notes, *outcome.notes])
    return row


def _levels(curves: Curves) -> dict[str, Any]:
    means = {"baseline": curves.before, "initial": curves.initial, "final": curves.final}
    out = {name: _mean(values) for name, values in means.items()}
    return {**out, "levels": "measured" if len(curves.mean) else ""}


def _mean(values: Array) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else NAN


def _area(curves: Curves) -> dict[str, float]:
    low, high = t_limits(curves.area)
    return {"area": _mean(curves.area), "area_low": low, "area_high": high}


def _time_constant(curves: Curves, outcome: Outcome) -> dict[str, Any]:
    """Tau and its limits; beyond what the bins can tell, a bound and no number."""
    assert outcome.fit is not None and outcome.scores is not None
    shape, tau = curves.shape, outcome.fit.tau
    low, high = outcome.limits
    low = 0.0 if low < shape.shortest else low
    high = math.inf if high > shape.longest else high
    censored = ""
    if outcome.fit.edge > 0 or tau >= shape.longest:
        censored, tau, high = "above", NAN, math.inf
        low = min(low, shape.longest)
    elif outcome.fit.edge < 0 or tau <= shape.shortest:
        censored, tau, low = "below", NAN, 0.0
        high = max(high, shape.shortest)
    if math.isnan(outcome.limits[0]) or math.isnan(outcome.limits[1]):
        low = high = NAN
    row = {"tau": tau, "tau_low": low, "tau_high": high, "censored": censored}
    return {**row, "tau_text": tau_text(row, curves), "dispersion": outcome.scores.dispersion}


def tau_text(row: Mapping[str, Any], curves: Curves) -> str:
    """Write a time constant as people read it: ``8.2 s (5.1 to 13.6)``, ``> 30 s``."""
    shape = curves.shape
    if row["censored"] == "above":
        return f"> {shape.longest:.3g} {shape.unit}"
    if row["censored"] == "below":
        return f"< {shape.shortest:.3g} {shape.unit}"
    low, high = row["tau_low"], row["tau_high"]
    if math.isnan(low):
        return f"{row['tau']:.3g} {shape.unit} (no interval)"
    upper = f"> {shape.longest:.3g}" if math.isinf(high) else f"{high:.3g}"
    lower = f"< {shape.shortest:.3g}" if low <= 0 else f"{low:.3g}"
    return f"{row['tau']:.3g} {shape.unit} ({lower} to {upper})"


def _fitted_levels(curves: Curves, outcome: Outcome, row: Mapping[str, Any]) -> dict[str, Any]:
    assert outcome.fit is not None
    final = outcome.fit.floor if curves.shape.has_floor else row["final"]
    return {"initial": float(outcome.fit.start[0]), "final": final, "levels": "fitted"}


def _recovery(curves: Curves, row: Mapping[str, Any]) -> dict[str, float]:
    """Share of the response at onset that is gone in the end; NaN without a response."""
    response = curves.initial - curves.before
    response = response[~np.isnan(response)]
    size = row["initial"] - row["baseline"]
    if not len(response) or not one_sample(response) <= SURE or not abs(size) > 0:
        return {"recovered_fraction": NAN}
    return {"recovered_fraction": (row["initial"] - row["final"]) / size}


def _returned(curves: Curves, outcome: Outcome, row: Mapping[str, Any]) -> tuple[str, float]:
    """Say in words whether and when the response is back at its baseline."""
    if outcome.reason or outcome.gate is None:
        return "", NAN
    if math.isnan(row["baseline"]):
        return "unknown: no baseline", NAN
    if outcome.direction == "sensitisation":
        return "no: moves away from it", NAN
    if outcome.fit is None:
        return "no: does not change", NAN
    if math.isnan(row["recovered_fraction"]):
        return "unknown: no clear response at onset", NAN
    whole = _share_in_the_end(curves, outcome, row)
    length, unit = float(curves.shape.stop.max()), curves.shape.unit
    if row["censored"] == "above":
        return f"not within {length:.3g} {unit}", NAN
    if row["censored"] == "below":
        share = 100 * row["recovered_fraction"]
        return f"within {curves.shape.shortest:.3g} {unit}: {share:.0f}% recovered", NAN
    if whole <= RETURNED:
        return f"no: levels off with {100 * max(whole, 0.0):.0f}% recovered", NAN
    after = -row["tau"] * math.log1p(-RETURNED / whole)
    if after > length:
        return f"not within {length:.3g} {unit}", NAN
    return f"after {after:.3g} {unit}", after


def _share_in_the_end(curves: Curves, outcome: Outcome, row: Mapping[str, Any]) -> float:
    if curves.shape.has_floor:
        return float(row["recovered_fraction"])
    return float(row["initial"] / (row["initial"] - row["baseline"]))


def _first_return(outcome: Outcome, row: dict[str, Any], curves: Curves) -> list[str]:
    """Add the resensitisation before the second pulse; return notes about it."""
    second = outcome.pulses[1]
    row |= {
        "tau_res": second.tau_res, "tau_res_low": second.tau_res_low,
        "tau_res_high": second.tau_res_high,
    }  # fmt: skip
    notes = []
    if second.ratio >= 1:
        notes.append("the second pulse finds the response back in full: tau_res too short to tell")
    elif second.ratio <= 0:
        notes.append("the second pulse finds nothing of the response: tau_res too long to tell")
    if row["baseline"] > 0.1 * row["initial"]:
        notes.append(
            f"Berne's formula lets the response fall to 0, but before the stimulus it is "
            f"{row['baseline']:.2g}"
        )
    return notes


def curve_table(genotype: str, curves: Curves, outcome: Outcome, plan: Plan) -> pd.DataFrame:
    """Return the mean curve of a genotype with its band and fit, one row per bin."""
    mean = np.array([_mean(column) for column in curves.mean.T])
    band = np.array([t_limits(column) for column in curves.mean.T]).reshape(-1, 2)
    if curves.binomial:
        band = np.clip(band, 0.0, 1.0)
    fitted = np.full(len(plan.start), NAN) if outcome.fit is None else outcome.fit.expected
    x = curves.shape.start + 1 if curves.shape.kind == "pulses" else plan.start - plan.start[0]
    half = 0.0 if curves.shape.kind == "pulses" else (plan.stop - plan.start) / 2
    return pd.DataFrame(
        {
            "genotype": genotype,
            "pulse": curves.shape.block + 1 if curves.shape.kind != "pulses" else x.astype(int),
            "t_start": plan.start,
            "t_stop": plan.stop,
            "x": x + half,
            "mean": mean,
            "low": band[:, 0],
            "high": band[:, 1],
            "weight": curves.weight.sum(axis=0),
            "fitted": fitted,
        }
    )


def unit_table(
    assays: pd.DataFrame, curves: Curves, contrasts: Array, used: NDArray[np.bool_]
) -> pd.DataFrame:
    """Return one row per assay: its levels, area and contrast, and whether it was used."""
    return pd.DataFrame(
        {
            "assay": assays["assay"].to_numpy(),
            "genotype": assays["genotype"].to_numpy(),
            "date": assays["date"].to_numpy(),
            "n_larvae": curves.weight.mean(axis=1),
            "baseline": curves.before,
            "initial": curves.initial,
            "final": curves.final,
            "area": np.where(used, curves.area, NAN),
            "decline": np.where(used, contrasts, NAN),
            "used": used,
        }
    )


def pulse_table(genotype: str, outcome: Outcome) -> pd.DataFrame:
    """Return one row per pulse of a genotype, under ``berne``."""
    names = ("number", "level", "ratio", "ratio_low", "ratio_high", "tau_res", "tau_res_low",
             "tau_res_high")  # fmt: skip
    rows = [{"genotype": genotype, **{n: getattr(p, n) for n in names}} for p in outcome.pulses]
    return pd.DataFrame(rows).rename(columns={"number": "pulse"})
