"""One hypothesis test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.errors import UsageError
from larvastats.printing import named_vector, p_text, significant, together, told_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class HTest:
    """One hypothesis test, after R's class ``htest``.

    Attributes
    ----------
    method : str
        Title of the test.
    data_name : str
        What was compared.
    statistic, parameter, estimate, null_value : mapping of str to float
        Named numbers, as in R; may be empty.
    p_value : float
        NaN when the design allows no test (`notes` says why).
    alternative : str
        In words.
    conf_int : tuple of two floats or None
        Limits at `conf_level`.
    design : mapping
        Unit, block, counts, window times, null.
    seed : int or None
        Seed of the random relabellings; None where none were drawn.
    n_resamples : int or None
        Relabellings used, the observed one included when they were enumerated.
    notes : tuple of str
        Warnings; printed.
    units : DataFrame
        One row per unit (assay).
    transitions : DataFrame
        :data:`TRANSITION_COLUMNS` of the comparison, if it is one of transition matrices.
    """

    method: str
    data_name: str
    statistic: Mapping[str, float]
    p_value: float
    parameter: Mapping[str, float] = field(default_factory=dict)
    estimate: Mapping[str, float] = field(default_factory=dict)
    null_value: Mapping[str, float] = field(default_factory=dict)
    alternative: str = ""
    conf_int: tuple[float, float] | None = None
    conf_level: float = 0.95
    design: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    n_resamples: int | None = None
    notes: tuple[str, ...] = ()
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    transitions: pd.DataFrame = field(default_factory=pd.DataFrame)

    def tidy(self) -> pd.DataFrame:
        """Return one row: estimates, statistic, p-value, parameters, limits, method."""
        row: dict[str, Any] = {f"estimate_{_slug(k)}": v for k, v in self.estimate.items()}
        row["statistic"] = next(iter(self.statistic.values()), float("nan"))
        row["p_value"] = self.p_value
        row |= {f"parameter_{_slug(k)}": v for k, v in self.parameter.items()}
        row["conf_low"], row["conf_high"] = self.conf_int or (float("nan"), float("nan"))
        row |= {"method": self.method, "alternative": self.alternative}
        return pd.DataFrame([row])

    def glance(self) -> pd.DataFrame:
        """Return one row: statistic, p-value, parameters, method, seed, resamples."""
        row: dict[str, Any] = {"statistic": next(iter(self.statistic.values()), float("nan"))}
        row |= {"p_value": self.p_value}
        row |= {_slug(k): v for k, v in self.parameter.items()}
        row |= {"method": self.method, "n_resamples": self.n_resamples, "seed": self.seed}
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per unit (assay)."""
        return self.units.copy()

    def plot(self) -> Figure:
        """Draw line, control and difference of the compared transition matrices."""
        if self.transitions.empty:
            raise UsageError(f"{self.method}: there is no picture of this test; print it instead.")
        from larvastats.plot.matrices import plot_matrices

        return plot_matrices(self)

    def __repr__(self) -> str:
        """Print as ``print.htest``."""
        parts = [f"{name} = {significant(v, 5)}" for name, v in self.statistic.items()]
        parts += [f"{name} = {significant(v, 5)}" for name, v in self.parameter.items()]
        parts.append(f"p-value {p_text(self.p_value)}")
        lines = ["", f"\t{self.method}", "", f"data:  {self.data_name}", ", ".join(parts)]
        if self.alternative:
            lines.append(f"alternative hypothesis: {self.alternative}")
        if self.conf_int is not None:
            low, high = together(self.conf_int, 7)
            lines.append(f"{100 * self.conf_level:g} percent confidence interval:")
            lines.append(f" {low} {high}")
        if self.estimate:
            lines += ["sample estimates:", named_vector(self.estimate)]
        lines += [f"note: {note}" for note in told_once(self.notes)]
        return "\n".join([*lines, ""])


def _slug(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in name).split()).lower()
