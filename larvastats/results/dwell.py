"""How long states last, by genotype and window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.printing import significant, table_text, told_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRINTED = ("genotype", "state", "n_bouts", "n_lost", "median", "mean", "mean_low", "mean_high",
           "family", "fitted_mean")  # fmt: skip
PRINTED_CELLS = {"genotype": "genotype", "state": "state", "difference": "difference",
                 "low": "low", "high": "high", "z": "z", "p_adjusted": "p",
                 "p_lost_ended": "p if ended", "p_lost_stayed": "p if stayed"}  # fmt: skip
LEGEND = (
    "Means are up to the time that 5% of all bouts outlast. p holds for all states and windows of",
    "a genotype together; p if ended, if stayed: had lost bouts ended there, or lasted as long as",
    "they could.",
)
PRINTED_TESTS = ("genotype", "statistic", "p_value", "q_value", "null", "rejected")


@dataclass(frozen=True, slots=True)
class DwellResult:
    """How long states last, by genotype and window; times in s.

    Attributes
    ----------
    table : DataFrame
        One row per genotype, window and state: ``genotype window state n_assays n_bouts n_ended
        n_cut n_lost median mean mean_low mean_high mean_lost_ended mean_lost_stayed horizon family
        shape shape_se scale scale_se fitted_mean fitted_mean_se stable note``. `n_cut`: bouts that
        the window or the recording ended; `n_lost`: lost tracks. `mean` is restricted to
        `horizon`, the same for all genotypes. `family` is the distribution of smallest AIC, with
        SciPy's parameters; `fitted_mean` is its mean, which reaches beyond what was seen; `stable`
        says whether it stays the best whichever replicate is left out.
    fits : DataFrame
        Every distribution: ``genotype window state family shape scale loglik aic delta_aic best``.
    curves : DataFrame
        Kaplan-Meier: ``genotype window state time survival low high at_risk``, 95% band by
        replicates.
    tests : DataFrame
        One row per genotype with a control: ``genotype control n_assays n_control_assays n_dates
        statistic p_value q_value rejected null p_exact p_approx p_floor p_lost_ended p_lost_stayed
        note``. `statistic`: studentised distance of mean durations, all states and windows
        together; `p_lost_*`: its p if lost bouts had ended there, or had stayed.
    cells : DataFrame
        One row per genotype with a control, window and state: ``genotype control window state
        difference low high z p_adjusted p_lost_ended p_lost_stayed note``. `difference` of
        restricted means; `p_adjusted` for all states and windows of a genotype together, and never
        below the genotype's own p.
    units : DataFrame
        One row per assay, window and state: ``assay genotype date window state n_bouts n_ended
        n_lost mean``.
    states : tuple of str
    alpha : float
    design : mapping
        ``data_name protocol windows_text entry lost unit replicate``.
    seed : int
    notes : tuple of str
    """

    table: pd.DataFrame
    fits: pd.DataFrame
    curves: pd.DataFrame
    tests: pd.DataFrame
    cells: pd.DataFrame
    units: pd.DataFrame
    states: tuple[str, ...]
    alpha: float
    design: Mapping[str, Any]
    seed: int
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per genotype, window and state."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        row = {
            "n_genotypes": self.table["genotype"].nunique(),
            "n_windows": self.table["window"].nunique(),
            "n_states": len(self.states),
            "n_bouts": int(self.table["n_bouts"].sum()),
            "n_lost": int(self.table["n_lost"].sum()),
            "n_tested": int(self.tests["p_value"].notna().sum()),
            "n_rejected": int(self.tests["rejected"].sum()),
            "alpha": self.alpha,
            "seed": self.seed,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per assay, window and state."""
        return self.units.copy()

    def plot(self, genotype: str | None = None, window: str | None = None) -> Figure:
        """Draw survival curves by state: one genotype and its control.

        Parameters
        ----------
        genotype : str, optional
            By default the one whose difference is surest; without a control, all.
        window : str, optional
            By default that of the surest difference, else the first.
        """
        from larvastats.plot.survival import plot_survival

        return plot_survival(self, genotype=genotype, window=window)

    def __repr__(self) -> str:
        """Print dwell times and tests, window by window."""
        d = self.design
        lines = ["", "\tDwell times", "", f"data:  {d['data_name']}"]
        for window in self.table["window"].unique():
            lines += ["", d["windows_text"].get(window, window)]
            lines.append(table_text(self.table.loc[self.table["window"] == window, list(PRINTED)]))
            own = self.cells[(self.cells["window"] == window) & self.cells["z"].notna()]
            if len(own):
                lines += ["", "mean duration minus the control's, s:"]
                shown = own[list(PRINTED_CELLS)].rename(columns=PRINTED_CELLS)
                for name in ("p if ended", "p if stayed"):
                    shown[name] = [significant(p, 3) for p in shown[name]]
                lines.append(table_text(shown))
        if self.tests["p_value"].notna().any():
            lines += ["", "all states and windows of a genotype together:"]
            lines.append(table_text(self.tests[list(PRINTED_TESTS)]))
        lines += ["", *LEGEND]
        return "\n".join([*lines, *(f"note: {note}" for note in told_once(self.notes)), ""])
