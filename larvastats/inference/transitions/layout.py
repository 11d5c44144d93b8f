"""From a setting and a formula to origins with their designs, replicates and a grid of moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.setting import Setting, find_controls, find_genotype
from larvastats.inference.transitions.courses import Origin
from larvastats.markov.formula import TIME, make_design
from larvastats.markov.smooth import Jumps, make_patterns, time_columns

ANY = "(any)"
"""Name of the origin where it is a variable of the formula."""

FEWEST = 5
"""Transitions per column of the formula that a state needs to be modelled."""

GRID = 150
"""Moments of the default predictions, at most."""


def known_variables(setting: Setting) -> list[str]:
    """Return what a formula may name."""
    columns = [c for c in setting.ethogram.assays.columns if c not in ("assay", "to", *TIME)]
    return [*TIME, "from", *columns]


def levels(setting: Setting, control: str | None) -> list[str]:
    """Genotypes, the control first."""
    assays = setting.ethogram.assays
    names = sorted(assays["genotype"].unique())
    if control is not None:
        first = find_genotype(assays, control)
    else:
        try:
            known = {c for c in find_controls(assays, None).values() if c is not None}
        except UsageError:
            known = set()
        first = min(known) if known else names[0]
    return [first, *(n for n in names if n != first)]


def groups(
    setting: Setting, variables: frozenset[str], names: Sequence[str]
) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Return the combination of covariates of each assay, and all combinations.

    Only covariates that the formula names.
    """
    assays = setting.ethogram.assays
    used = sorted(v for v in variables if v in assays.columns and v not in TIME)
    if not used:
        return np.zeros(len(assays), dtype=np.int64), pd.DataFrame(index=[0])
    keys = assays[used].astype("object")
    code = keys.groupby(used, sort=True, dropna=False).ngroup().to_numpy(np.int64)
    first = np.unique(code, return_index=True)[1]
    groups = assays[used].iloc[first].reset_index(drop=True)
    if "genotype" in used:
        groups["genotype"] = pd.Categorical(groups["genotype"], list(names))
    return code, groups


def origins(
    setting: Setting,
    jumps: Jumps,
    right: Any,
    variables: frozenset[str],
    formula: str,
    names: Sequence[str],
) -> tuple[list[Origin], list[str]]:
    """Lay out one model per origin state, or one of all; and say which states have none."""
    states = setting.ethogram.states
    group, table = groups(setting, variables, names)
    together = "from" in variables
    parts = [(ANY, np.ones(len(jumps.bin), dtype=bool))] if together else [
        (name, jumps.start == k) for k, name in enumerate(states)
    ]  # fmt: skip
    origins, notes = [], []
    for name, rows in parts:
        own = jumps.of(rows)
        n, n_to = int(own.counts.sum()), int((own.counts.sum(axis=0) > 0).sum())
        if n_to < 2:
            why = "is never left" if not n_to else "leads to one other state only"
            notes.append(f"no model from {name}: it {why} in this window")
            continue
        patterns = make_patterns(own, group, table, setting.protocol, states if together else None)
        design = make_design(right, formula, patterns.table)
        if n < FEWEST * len(design.names):
            notes.append(
                f"no model from {name}: {n} transitions for the {len(design.names)} columns of the "
                f"formula, at least {FEWEST} each are needed"
            )
            continue
        origins.append(Origin(name, own, patterns, design))
    if not origins:
        raise DataError(f"no state can be modelled: {'; '.join(notes)}.")
    return origins, notes


def clusters(
    setting: Setting, variables: frozenset[str], names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replicate of each assay, and genotype of each replicate where the formula names it."""
    genotype = pd.Categorical(setting.ethogram.assays["genotype"], list(names)).codes
    if setting.dates is None:
        cluster = np.arange(len(genotype))
    else:
        key = [f"{g}\x1f{d}" for g, d in zip(genotype, setting.dates, strict=True)]
        cluster = pd.factorize(np.array(key))[0].astype(np.int64)
    first = np.unique(cluster, return_index=True)[1]
    of = genotype[first] if "genotype" in variables else np.zeros(len(first))
    return cluster, np.asarray(of, dtype=np.int64)


def replicate_notes(
    setting: Setting, names: Sequence[str], stratum: NDArray[np.int64]
) -> list[str]:
    """Name genotypes of one replicate: they have no bands."""
    n = np.bincount(stratum, minlength=len(names))
    what = "date" if setting.dates is not None else "assay"
    more = "; block='none' takes its assays as replicates" if what == "date" else ""
    return [
        f"{name} has one {what} only: no bands, no test{more}"
        for name, size in zip(names, n.tolist(), strict=True)
        if size == 1
    ]


def typical(setting: Setting, variables: frozenset[str]) -> dict[str, Any]:
    """Value at which predictions hold other covariates: the median, or the commonest."""
    out: dict[str, Any] = {}
    for name in sorted(variables - {"genotype", "from", *TIME}):
        values = setting.ethogram.assays[name].dropna()
        number = pd.api.types.is_numeric_dtype(values)
        out[name] = float(values.median()) if number else str(values.mode().iloc[0])
    return out


def default_grid(
    setting: Setting, jumps: Jumps, variables: frozenset[str], names: Sequence[str]
) -> pd.DataFrame:
    """Every genotype over the time that has transitions, covariates at their typical value."""
    low, high = int(jumps.bin.min()), int(jumps.bin.max())
    step = max(1, -(-(high - low + 1) // GRID))
    t = (np.arange(low, high + 1, step, dtype=np.float64) + 0.5) * jumps.dt
    if not variables & set(TIME):
        t = t[:1]
    table = pd.DataFrame(time_columns(t, setting.protocol))
    for name, value in typical(setting, variables).items():
        table[name] = value
    if "from" in variables:
        start = [s for k, s in enumerate(setting.ethogram.states) if (jumps.start == k).any()]
        table = pd.concat([table.assign(**{"from": s}) for s in start], ignore_index=True)
    if "genotype" in variables:
        table = pd.concat([table.assign(genotype=g) for g in names], ignore_index=True)
        table["genotype"] = pd.Categorical(table["genotype"], list(names))
    return table
