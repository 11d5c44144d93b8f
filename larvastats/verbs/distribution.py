"""How a feature is distributed, stimulus off and on, by genotype: its mean and its spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from larvastats.errors import DataError, UsageError
from larvastats.features import FeatureHistogram, histogram_feature
from larvastats.inference.curves.bands import curve_band
from larvastats.inference.curves.mixed import fit_mixed, parse_mixed
from larvastats.inference.curves.scalars import ScalarTest, change_of_values, compare_values
from larvastats.inference.design.blocks import make_design
from larvastats.inference.design.setting import Setting, make_setting
from larvastats.inference.relabelling.resampling import seeded
from larvastats.protocol import Protocol, Window, windows
from larvastats.results import DistributionResult
from larvastats.verbs._open import Source
from larvastats.verbs._response import (
    Response,
    choose_genotypes,
    open_features,
    open_response,
)

Array = NDArray[np.float64]

OFF, ON = "off", "on"
COLUMNS = ("value", "genotype", "led", "stimulus", "assay", "date", "larva")
"""What a mixed model's formula may name; `led` and `stimulus` are the same: off or on."""

MEASURES = {"mean": "mean of", "spread": "spread (log SD) of"}


def distribution(
    source: Any = None,
    *,
    response: str,
    protocol: str | None = None,
    genotypes: str | Sequence[str] | None = None,
    control: str | None = None,
    off: str = "before",
    on: str = "during",
    spread: str = "sd",
    mixed: str | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
    resamples: int = 10_000,
    bootstrap: int = 1000,
    gap: str | None = None,
    block: str = "date",
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> DistributionResult:
    """Compare the distribution of a feature between genotypes, and between stimulus off and on.

    The unit is the assay: its mean, and its spread, the log of the standard deviation over its
    frames. Within a genotype the change from off to on is tested by flipping signs of assays;
    genotypes are compared off, on, and in that change, by relabelling assays within dates.

    Parameters
    ----------
    source : DataFrame or path, optional
        With frames; as in :func:`~larvastats.verbs.timecourse.timecourse`.
    response : str
        A feature.
    protocol, genotypes, control, gap, block, seed, progress
        As in :func:`~larvastats.verbs.timecourse.timecourse`.
    off, on : str
        Windows of the protocol: stimulus off and on.
    spread : {'sd', 'mad'}
        Standard deviation, or median absolute deviation from the median.
    mixed : str, optional
        Formula of a mixed model of the larvae's means, see
        :mod:`larvastats.inference.curves.mixed`.
    alpha, level : float
    resamples, bootstrap : int
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    DistributionResult

    Raises
    ------
    UsageError, DataError
    """
    if spread not in ("sd", "mad"):
        raise UsageError(f"spread must be sd or mad, but is {spread!r}.")
    if mixed is not None:
        parse_mixed(mixed, COLUMNS)  # a wrong formula is wrong before anything is read
    opened, what = open_response(source, response, progress=progress, **load)
    _check_feature(what)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, block=block)
    conditions = _conditions(setting.protocol, off, on)
    names, pairs, said = choose_genotypes(setting, genotypes, control)
    keep = setting.ethogram.assays["genotype"].isin(names).to_numpy(bool)
    own = setting.ethogram.assays[keep].reset_index(drop=True)
    dates = None if setting.dates is None else setting.dates[keep]
    tracks = open_features(opened, list(own["assay"]), what.name)
    found = histogram_feature(tracks, what.name, list(own["assay"]), conditions)
    what = replace(what, unit=found.unit or what.unit)
    units = _units(found, own, spread)
    if not (units["sd"].fillna(0) > 0).any():
        raise DataError(
            f"{what.label} is constant within every assay: there is no spread, and nothing to "
            "test; check the data, or choose another --response."
        )
    table = _densities(found, own, dates, names, level, bootstrap, seed)
    tests = _tests(units, own, dates, names, pairs, alpha, resamples, seed)
    fit_notes, terms, variances, fitted = _mixed(mixed, found, own, pairs)
    design = _design(opened, setting, what, found, conditions, spread, mixed, fitted, names,
                     alpha, level)  # fmt: skip
    return DistributionResult(
        table, tests, units, terms, variances, design, seed,
        (*opened.notes, *setting.notes, *said, *fit_notes), opened.provenance,
    )  # fmt: skip


def _check_feature(what: Response) -> None:
    if what.is_action:
        raise UsageError(
            f"{what.name!r} is an action, which a larva does or does not: it has no distribution; "
            "name a feature such as length, speed or head_angle."
        )


def _conditions(protocol: Protocol, off: str, on: str) -> tuple[Window, Window]:
    if not protocol.has_stimulus:
        raise UsageError(
            f"protocol {protocol.raw or '(none)'!r} has no stimulus with times, so that there is "
            "no off and on to compare; follow the feature over time without --histogram."
        )
    out = []
    for name, spec in ((OFF, off), (ON, on)):
        found = windows(protocol, spec)
        if len(found) != 1:
            raise UsageError(f"window {spec!r} is many windows; expected one for {name}.")
        out.append(Window(name, found[0].intervals))
    return out[0], out[1]


def _units(found: FeatureHistogram, own: pd.DataFrame, spread: str) -> pd.DataFrame:
    """One row per assay and condition."""
    parts = []
    for c, name in enumerate(found.conditions):
        part = own[["assay", "genotype", "date"]].copy()
        part["condition"] = name
        part["n"], part["mean"] = found.n[:, c].astype(int), found.mean[:, c]
        part["sd"], part["mad"] = found.sd[:, c], found.mad[:, c]
        width = part[spread].to_numpy(float)
        logged = np.full(len(part), np.nan)
        part["log_spread"] = np.log(width, out=logged, where=width > 0)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _densities(
    found: FeatureHistogram, own: pd.DataFrame, dates: NDArray[np.object_] | None,
    names: Sequence[str], level: float, draws: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Mean density over assays per genotype and condition, with limits of the whole curve."""
    parts, widths = [], np.diff(found.edges)
    for name in names:
        rows = np.flatnonzero((own["genotype"] == name).to_numpy(bool))
        for c, condition in enumerate(found.conditions):
            seen = rows[found.n[rows, c] > 0]
            part = pd.DataFrame({"genotype": name, "condition": condition,
                                 "x_low": found.edges[:-1], "x_high": found.edges[1:]})  # fmt: skip
            if len(seen):
                share = found.counts[seen, c] / found.n[seen, c, None]
                stratum = np.zeros(len(seen), dtype=np.int64)
                if dates is not None:
                    stratum = np.asarray(pd.factorize(dates[seen])[0], dtype=np.int64)
                rng = seeded(seed, name, condition, "density")
                band = curve_band(share, stratum, share=True, draws=draws, rng=rng, level=level)
                part["density"] = band.mean / widths
                part["low"], part["high"] = band.low / widths, band.high / widths
            else:
                part["density"] = part["low"] = part["high"] = np.nan
            parts.append(part.assign(n_assays=len(seen)))
    return pd.concat(parts, ignore_index=True)


def _tests(
    units: pd.DataFrame, own: pd.DataFrame, dates: NDArray[np.object_] | None,
    names: Sequence[str], pairs: Mapping[str, str], alpha: float, resamples: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    rows = []
    for measure, column in (("mean", "mean"), ("spread", "log_spread")):
        value = {c: units.loc[units["condition"] == c, column].to_numpy(float) for c in (OFF, ON)}
        value["on − off"] = value[ON] - value[OFF]
        for name in names:
            own_rows = np.flatnonzero((own["genotype"] == name).to_numpy(bool))
            change = value["on − off"][own_rows]
            rng = seeded(seed, name, measure, "on and off")
            test = change_of_values(change[~np.isnan(change)], resamples=resamples, alpha=alpha,
                                    rng=rng)  # fmt: skip
            rows.append(_row(measure, name, f"{name}: on against off", "on − off", test))
        for name, control in pairs.items():
            for condition, x in value.items():
                known = ~np.isnan(x)
                genotype = own["genotype"].to_numpy()
                line = np.flatnonzero((genotype == name) & known)
                other = np.flatnonzero((genotype == control) & known)
                design = make_design(line, other, dates)
                rng = seeded(seed, name, control, measure, condition)
                test = compare_values(x[design.units], design, resamples=resamples, alpha=alpha,
                                      rng=rng)  # fmt: skip
                rows.append(_row(measure, name, f"{name} against {control}", condition, test))
    table = pd.DataFrame(rows)
    tested = table["p_value"].notna()
    table["p_adjusted"] = np.nan
    if tested.any():
        p = table.loc[tested, "p_value"].to_numpy(float)
        table.loc[tested, "p_adjusted"] = multipletests(p, method="holm")[1]
    return table


def _row(
    measure: str, genotype: str, comparison: str, condition: str, test: ScalarTest
) -> dict[str, Any]:
    values = {name: getattr(test, name) for name in test.__slots__}
    return {"measure": measure, "genotype": genotype, "comparison": comparison,
            "condition": condition, **values}  # fmt: skip


def _mixed(
    formula: str | None, found: FeatureHistogram, own: pd.DataFrame, pairs: Mapping[str, str]
) -> tuple[tuple[str, ...], pd.DataFrame, pd.DataFrame, str]:
    """Fit the mixed model to the larvae's means; what prevents it becomes a note."""
    nothing = pd.DataFrame()
    if formula is None:
        return (), nothing, nothing, ""
    larvae = found.larvae.merge(own[["assay", "genotype", "date"]], on="assay")
    order = [OFF, ON]
    larvae["led"] = pd.Categorical(larvae["condition"], categories=order)
    larvae["stimulus"] = larvae["led"]
    # the control comes first, so that terms are differences from it
    first = [k for k in dict.fromkeys(pairs.values()) if k in set(larvae["genotype"])]
    rest = sorted(set(larvae["genotype"]) - set(first))
    larvae["genotype"] = pd.Categorical(larvae["genotype"], categories=[*first, *rest])
    try:
        fit = fit_mixed(larvae[list(COLUMNS)], formula)
    except DataError as error:
        return (str(error),), nothing, nothing, ""
    text = f"REML, {fit.n} larva means in {fit.n_groups} groups; t with df by assays"
    return (), fit.terms, fit.variances, text


def _design(
    opened: Source, setting: Setting, what: Response, found: FeatureHistogram,
    conditions: Sequence[Window], spread: str, mixed: str | None, fitted: str,
    names: Sequence[str], alpha: float, level: float,
) -> dict[str, Any]:  # fmt: skip
    dated = setting.dates is not None
    return {
        "title": f"Distribution of {what.label}, stimulus off and on: {len(names)} "
        f"genotype{'s' * (len(names) > 1)}",
        "data_name": opened.name,
        "protocol": setting.protocol.raw or None,
        "stimuli": setting.protocol.describe(),
        "response": what.name,
        "response_text": f"{what.label}; spread: log {spread.upper()} over the frames of an assay",
        "label": what.label,
        "unit": what.unit,
        "spread": spread,
        "conditions": list(found.conditions),
        "time_text": "; ".join(w.describe() for w in conditions),
        "unit_text": "assay, relabelled within dates" if dated else "assay",
        "limits_text": f"{level:.0%} of the whole density",
        "formula": mixed,
        "mixed_text": fitted,
        "alpha": alpha,
        "level": level,
        "genotypes": list(names),
    }  # fmt: skip
