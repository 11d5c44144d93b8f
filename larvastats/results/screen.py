"""Every line against its control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.errors import UsageError
from larvastats.printing import screen_text
from larvastats.results.calibration import CalibrationResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class ScreenResult:
    """Every line against its control.

    Attributes
    ----------
    table : DataFrame
        :data:`SCREEN_COLUMNS`, one row per line, best first.
    transitions : DataFrame
        :data:`TRANSITION_COLUMNS`.
    units : DataFrame
        One row per assay: ``assay genotype date n_larvae n_transitions distance`` (Euclidean
        distance of its profile from the mean profile of the controls of its date).
    states : tuple of str
    alpha : float
        Level at which `rejected` holds for `q_value`.
    design : mapping
        ``protocol window window_text contrast transitions unit block statistic correction null
        n_resamples`` and counts.
    seed : int
    provenance : mapping
        Version, command, checksum of the data, scaling of the profiles.
    notes : tuple of str
        Warnings about the whole screen; printed.
    calibration : CalibrationResult or None
        What the screen's own controls say about its error.
    windows : DataFrame or None
        :data:`~larvastats.results.columns.WINDOW_COLUMNS`, one row per line and window, where
        several windows were tested together.
    """

    table: pd.DataFrame
    transitions: pd.DataFrame
    units: pd.DataFrame
    states: tuple[str, ...]
    alpha: float
    design: Mapping[str, Any]
    seed: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    calibration: CalibrationResult | None = None
    windows: pd.DataFrame | None = None

    def tidy(self) -> pd.DataFrame:
        """Return one row per line, best first."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole screen."""
        table = self.table
        row = {
            "n_lines": len(table),
            "n_tested": int(table["p_value"].notna().sum()),
            "n_rejected": int(table["rejected"].fillna(False).sum()),
            "alpha": self.alpha,
            "correction": self.design["correction"],
            "statistic": self.design["statistic"],
            "null": self.design["null"],
            "window": self.design["window"],
            "n_resamples": self.design["n_resamples"],
            "seed": self.seed,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per assay."""
        return self.units.copy()

    def plot(self, kind: str = "ranking", genotype: str | None = None) -> Figure:
        """Draw the screen.

        Parameters
        ----------
        kind : {'ranking', 'volcano', 'matrices', 'windows'}
            Lines by effect with intervals; effect against evidence; transition matrices of one
            line, its control and their difference; lines by windows, where several were tested.
        genotype : str, optional
            The line of ``matrices``; the best one by default.
        """
        if kind == "ranking":
            from larvastats.plot.ranking import plot_ranking

            return plot_ranking(self)
        if kind == "volcano":
            from larvastats.plot.volcano import plot_volcano

            return plot_volcano(self)
        if kind == "matrices":
            from larvastats.plot.matrices import plot_matrices

            return plot_matrices(self, genotype=genotype)
        if kind == "windows":
            from larvastats.plot.windows import plot_line_windows

            return plot_line_windows(self)
        raise UsageError(f"kind must be ranking, volcano, matrices or windows, but is {kind!r}.")

    def __repr__(self) -> str:
        """Print title, design, the best lines and notes."""
        return screen_text(self)
