"""The tables of a habituation result, from what was measured and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from larvastats.inference.habituation import table as tables
from larvastats.inference.habituation.gate import contrasts
from larvastats.inference.habituation.measured import Measured
from larvastats.inference.habituation.study import Outcome
from larvastats.inference.significance.multiplicity import adjust
from larvastats.inference.significance.pvalues import choose_null
from larvastats.results.habituation import HABITUATION_COLUMNS

NULLS = {"wild": "relabel", "F": "F", "auto": "auto"}
"""Where p-values come from, in the words of
:func:`~larvastats.inference.significance.pvalues.choose_null`."""


def result_table(
    measured: Measured, pairs: Mapping[str, str | None], outcomes: Mapping[str, Outcome],
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
    measured: Measured, genotype: str, control: str | None, outcome: Outcome
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
    row["tau_res_p_value"] = outcome.resensitisation_p
    found = outcome.comparison
    if found is not None:
        row |= {"deviance": found.deviance, "tau_common": found.common, "p_wild": found.p_wild,
                "p_floor": found.p_floor, "p_approx": found.p_approx}  # fmt: skip
    lost = len(everyone) - len(rows)
    if lost:
        left = f"{lost} assay{'s' if lost > 1 else ''} not tracked through the stimulus left out"
        row["note"] = "; ".join(part for part in (row["note"], left) if part)
    return row


def curve_table(measured: Measured, outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    """Return one row per genotype and bin."""
    parts = [
        tables.curve_table(g, measured.curves.take(measured.rows(g)), o, measured.plan)
        for g, o in outcomes.items()
    ]
    return pd.concat(parts, ignore_index=True)


def pulse_table(outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    """Return one row per genotype and pulse; empty unless the kind is ``berne``."""
    parts = [tables.pulse_table(g, o) for g, o in outcomes.items() if o.pulses]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def unit_table(measured: Measured, outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    """Return one row per assay."""
    assays = measured.setting.ethogram.assays
    keep = assays["genotype"].isin(list(outcomes)).to_numpy(bool)
    rows = np.flatnonzero(keep)
    own = measured.curves.take(rows)
    return tables.unit_table(assays.iloc[rows], own, contrasts(own), measured.used[rows])
