"""Does a screen keep its error? The answer of its own controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.printing import table_text, told_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """Tests of control pseudo-lines, in which there is nothing to find.

    Attributes
    ----------
    table : DataFrame
        One row per statistic, null and level: ``statistic null level share low high n``; `share`
        of pseudo-lines with p at or below `level`, with an interval from resampling control dates
        (assays, without dates).
    p_values : DataFrame
        One row per pseudo-line, statistic and null: ``draw statistic null p template``.
    verdict : str
        One plain sentence.
    design : mapping
        ``data_name protocol window n_draws n_disjoint n_control_assays n_dates thinned``.
    seed : int
    notes : tuple of str
        What this check cannot see.
    """

    table: pd.DataFrame
    p_values: pd.DataFrame
    verdict: str
    design: Mapping[str, Any]
    seed: int
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per statistic, null and level."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: draws, disjoint pseudo-lines, share at .05, verdict."""
        main = self.table[self.table["level"] == 0.05].iloc[0]
        row = {
            "statistic": main["statistic"],
            "null": main["null"],
            "share_05": main["share"],
            "low": main["low"],
            "high": main["high"],
            "n_draws": self.design["n_draws"],
            "n_disjoint": self.design["n_disjoint"],
            "verdict": self.verdict,
            "seed": self.seed,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per pseudo-line, statistic and null."""
        return self.p_values.copy()

    def plot(self) -> Figure:
        """Draw observed against expected p-values."""
        from larvastats.plot.qq import plot_qq

        return plot_qq(self)

    def __repr__(self) -> str:
        """Print the shares and the verdict."""
        d = self.design
        lines = [
            "",
            f"\tCalibration on {d['n_draws']} control pseudo-lines ({d['n_disjoint']} disjoint)",
            "",
            f"data:  {d['data_name']}, window {d['window']}",
            "",
            table_text(self.table),
            "",
            self.verdict,
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in told_once(self.notes)), ""])
