"""Triples of actions against first-order chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from larvastats.printing import p_text, significant, table_text, told_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRINTED = {"triple": "triple", "observed": "observed", "expected": "expected", "ratio": "ratio",
           "z": "z", "p_adjusted": "p", "z_pooled": "pooled z"}  # fmt: skip
MAX_TRIPLES = 12
"""Triples that are printed; the table holds them all."""


@dataclass(frozen=True, slots=True)
class OrderResult:
    """Triples of actions against first-order chains.

    Attributes
    ----------
    table : DataFrame
        One row per triple that occurs or is expected: ``triple first middle last returns observed
        expected ratio z p_adjusted t_assays expected_pooled z_pooled``, surest first. `expected`
        and `z` by shuffles that keep each larva's transitions, `p_adjusted` for all triples
        together; the columns ``_pooled`` are the textbook ones, of one chain for all larvae and
        independent triples, and count differences between larvae as memory.
    larvae : DataFrame
        One row per larva: ``assay larva n_triples returns expected excess z``: returns to the
        action before last.
    units : DataFrame
        One row per assay: ``assay genotype date n_larvae n_triples returns expected excess``.
    statistic, p_value : float
        All triples together.
    recurrence : mapping
        ``share expected excess low high z p_value``: returns to the action before last.
    pooled : mapping
        ``statistic df p_value`` of the textbook chi-square.
    alpha : float
    design : mapping
        ``data_name genotype protocol window window_text n_larvae n_assays n_scored z_threshold
        replicate``.
    seed, n_resamples : int
    notes : tuple of str
    """

    table: pd.DataFrame
    larvae: pd.DataFrame
    units: pd.DataFrame
    statistic: float
    p_value: float
    recurrence: Mapping[str, float]
    pooled: Mapping[str, float]
    alpha: float
    design: Mapping[str, Any]
    seed: int
    n_resamples: int
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per triple, surest first."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: both tests, and the textbook one."""
        row = {
            "statistic": self.statistic,
            "p_value": self.p_value,
            "n_rejected": int((self.table["p_adjusted"] <= self.alpha).sum()),
            "n_scored": self.design["n_scored"],
            **{f"recurrence_{k}": v for k, v in self.recurrence.items()},
            **{f"pooled_{k}": v for k, v in self.pooled.items()},
            "n_resamples": self.n_resamples,
            "seed": self.seed,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per assay."""
        return self.units.copy()

    def plot(self) -> Figure:
        """Draw the z-scores of the triples, sorted, with the threshold that holds for all."""
        from larvastats.plot.triples import plot_triples

        return plot_triples(self)

    def __repr__(self) -> str:
        """Print both tests and the surest triples."""
        d, r = self.design, self.recurrence
        lines = ["", "\tFirst-order chain against triples of actions", "",
                 f"data:  {d['genotype']}, {d['window_text']} ({d['data_name']})",
                 f"{d['n_assays']} assays, {d['n_larvae']} larvae, {self.n_resamples} shuffles that"
                 " keep each larva's transitions", "",
                 f"all triples: sum of z^2 = {significant(self.statistic, 5)} over "
                 f"{d['n_scored']}, p-value {p_text(self.p_value)}",
                 f"(one chain for all larvae: X-squared = "
                 f"{significant(self.pooled['statistic'], 5)}, df = {self.pooled['df']:g}, p-value "
                 f"{p_text(self.pooled['p_value'])}: counts differences between larvae as memory)",
                 "",
                 f"returns to the action before last: {100 * r['share']:.1f}% of triples, expected "
                 f"{100 * r['expected']:.1f}%, p-value {p_text(r['p_value'])}"]  # fmt: skip
        if np.isfinite(r["low"]):
            lines.append(
                f"difference {100 * r['excess']:+.1f} points, 95% by {d['replicate']} "
                f"{100 * r['low']:+.1f} to {100 * r['high']:+.1f}"
            )
        scored = self.table[self.table["z"].notna()].head(MAX_TRIPLES)
        if len(scored):
            lines += ["", table_text(scored[list(PRINTED)].rename(columns=PRINTED))]
        return "\n".join([*lines, *(f"note: {note}" for note in told_once(self.notes)), ""])
