"""From fits and tests of time courses to the tables and notes of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference.design.setting import Setting
from larvastats.inference.significance import pvalues
from larvastats.inference.significance.multiplicity import adjust
from larvastats.inference.transitions.courses import CourseTest, Origin
from larvastats.markov.logit import probabilities_of
from larvastats.markov.smooth import Jumps, OriginFit

TEST_COLUMNS = (
    "genotype", "control", "term", "from", "statistic", "p_value", "p_adjusted", "null", "p_exact",
    "p_floor", "p_approx", "q_value", "rejected", "n_dates", "n_assays", "n_control_assays", "note",
)  # fmt: skip
"""Columns of the tests of a model, in order.

``p_adjusted`` holds for all origin states of a genotype (max-T; Holm under F), ``q_value`` for all
genotypes, in the rows of all origins together.
"""


def test_table(
    tests: Sequence[tuple[str, CourseTest]], control: str, null: str, alpha: float
) -> pd.DataFrame:
    """Return one row per genotype, question and origin state.

    Parameters
    ----------
    tests : sequence of (str, CourseTest)
        Genotypes and their tests.
    control : str
    null : {'auto', 'relabel', 'F'}
    alpha : float
    """
    floors = np.array([t.floor for _, t in tests])
    has_f = all(not np.isnan(t.p_f).any() for _, t in tests if not t.comparison.reason)
    kind = pvalues.choose_null(floors, alpha, null, has_f)
    rows = [row for name, test in tests for row in _rows(name, control, test, kind, alpha)]
    table = pd.DataFrame(rows, columns=list(TEST_COLUMNS))
    for term in table["term"].unique():
        main = (table["term"] == term) & (table["from"] == "all")
        table.loc[main, "q_value"] = adjust(table.loc[main, "p_value"].to_numpy(np.float64))
    table["rejected"] = (table["q_value"] <= alpha).astype("boolean").mask(table["q_value"].isna())
    return table.astype({"n_dates": "Int64"})


def _rows(
    name: str, control: str, test: CourseTest, kind: str, alpha: float
) -> list[dict[str, Any]]:
    d = test.comparison
    relabelled = "exact" if test.exact else "permutation"
    holm = np.append(np.nan, _holm(test.p_f[1:]))
    note = d.reason
    if kind == "relabel" and test.floor > alpha:
        note = f"smallest possible p is {test.floor:.3g}: cannot reject at {alpha:g}"
    out = []
    for k, origin in enumerate(test.origins):
        p = test.p[k] if kind == "relabel" else test.p_f[k]
        out.append({
            "genotype": name, "control": control, "term": test.term, "from": origin,
            "statistic": test.statistic[k], "p_value": p,
            "p_adjusted": test.p_adjusted[k] if kind == "relabel" else holm[k],
            "null": None if np.isnan(p) else relabelled if kind == "relabel" else "F",
            "p_exact": test.p[k], "p_floor": test.floor, "p_approx": test.p_f[k],
            "q_value": np.nan, "n_dates": d.n_blocks if d.dated else None,
            "n_assays": d.n_line, "n_control_assays": d.n_control, "note": note,
        })  # fmt: skip
    return out


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    from larvastats.inference.screen.window_tables import holm

    return holm(p)[1]


def fit_notes(fits: Sequence[OriginFit], names: Sequence[str]) -> list[str]:
    """Name destinations that never occur, and genotypes that never leave a state."""
    out = []
    for fit in fits:
        if fit.never:
            out.append(f"from {fit.start}: {', '.join(fit.never)} never follows, and is left out")
        silent = [n for n in names if fit.seen and n not in fit.seen]
        if silent:
            out.append(f"{', '.join(silent)} never leaves {fit.start}: no probabilities from it")
    return out


def empty_notes(coefficients: pd.DataFrame) -> list[str]:
    """Name transitions with next to nothing behind their numbers, which are blank."""
    blank = coefficients[coefficients["estimate"].isna()]
    if blank.empty:
        return []
    named = [
        f"{start} to {', '.join(dict.fromkeys(own['to']))}"
        for start, own in blank.groupby("from", sort=False)
    ]
    return [
        f"coefficients with next to no transition behind them are blank, {len(blank)} of "
        f"{len(coefficients)}: from {'; from '.join(named)}"
    ]


def sizes(
    fits: Sequence[OriginFit], jumps: Jumps, stratum: NDArray[np.int64], names: Sequence[str]
) -> dict[str, Any]:
    """Return how large data and model are."""
    return {
        "n_genotypes": len(names),
        "n_assays": len(np.unique(jumps.assay)),
        "n_replicates": len(stratum),
        "n_transitions": sum(f.n for f in fits),
        "n_coefficients": sum((len(f.to) - 1) * len(f.design.names) for f in fits),
        "log_likelihood": sum(f.logit.log_likelihood for f in fits),
    }


def unit_table(
    setting: Setting, origins: Sequence[Origin], fits: Sequence[OriginFit]
) -> pd.DataFrame:
    """Return one row per assay: transitions, and their mean log likelihood under the model."""
    assays = setting.ethogram.assays
    units = assays[["assay", "genotype", "date"]].copy()
    units["n_larvae"] = setting.ethogram.larvae_per_assay
    n, value = np.zeros(len(units)), np.zeros(len(units))
    states = list(setting.ethogram.states)
    for origin, fit in zip(origins, fits, strict=True):
        table = origin.patterns.table
        p = probabilities_of(origin.design.columns(table), fit.logit.beta, fit.allowed(table))
        counts = origin.jumps.counts[:, [states.index(s) for s in fit.to]]
        log_p = np.log(np.maximum(p[origin.patterns.row], 1e-300))
        n += np.bincount(origin.jumps.assay, counts.sum(axis=1), len(units))
        value += np.bincount(origin.jumps.assay, (counts * log_p).sum(axis=1), len(units))
    units["n_transitions"] = n.astype(np.int64)
    units["log_likelihood"] = np.divide(value, n, out=np.full(len(n), np.nan), where=n > 0)
    return units
