"""Transition probabilities as smooth functions of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.printing import model_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class TransitionModel:
    """Multinomial logits of the next state, one per origin state.

    Attributes
    ----------
    table : DataFrame
        Coefficients, log odds against the reference destination: ``from to reference term estimate
        std_error df statistic p_value conf_low conf_high``. Errors are those of the replicates.
        Blank where next to no transition is behind a number.
    tests : DataFrame
        One row per genotype, question and origin state: ``genotype control term from statistic
        p_value p_adjusted null p_exact p_floor p_approx q_value rejected n_dates n_assays
        n_control_assays note``. `term` is ``genotype`` (any difference) or ``genotype:time`` (in
        the shape of the course, whatever its level).
    predictions : DataFrame
        Probabilities with pointwise bands over time: the variables of the formula, ``from to p
        p_low p_high df``.
    units : DataFrame
        One row per assay: ``assay genotype date n_larvae n_transitions log_likelihood`` (per
        transition).
    fits : tuple
        What :func:`larvastats.predict` needs.
    states : tuple of str
    alpha : float
    design : mapping
        ``formula protocol window dt replicate prior level`` and more.
    seed : int
    provenance : mapping
    notes : tuple of str
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    predictions: pd.DataFrame
    units: pd.DataFrame
    fits: tuple[Any, ...]
    states: tuple[str, ...]
    alpha: float
    design: Mapping[str, Any]
    seed: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole model."""
        names = ("formula", "n_genotypes", "n_assays", "n_replicates", "n_transitions",
                 "n_coefficients", "log_likelihood", "replicate", "window", "dt")  # fmt: skip
        return pd.DataFrame([{name: self.design[name] for name in names} | {"seed": self.seed}])

    def augment(self) -> pd.DataFrame:
        """Return one row per assay."""
        return self.units.copy()

    def plot(self, genotype: str | None = None) -> Figure:
        """Draw the courses: a panel per origin state, a row per genotype.

        Parameters
        ----------
        genotype : str, optional
            One genotype only; by default the control and the first others.
        """
        from larvastats.plot.courses import plot_courses

        return plot_courses(self, genotype=genotype)

    def __repr__(self) -> str:
        """Print formula, data, tests and notes."""
        return model_text(self)
