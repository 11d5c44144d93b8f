"""What ``timecourse`` returns: curves, where they differ, and distributions off and on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.errors import UsageError
from larvastats.printing import p_text, significant, table_text, told_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PERIODS = 8


@dataclass(frozen=True, slots=True)
class TimecourseResult:
    """Mean over assays of a response over time, by genotype.

    Attributes
    ----------
    table : DataFrame
        One row per genotype and bin: ``genotype t_start t_stop t mean low high point_low
        point_high n_assays``; `low` and `high` hold for the whole curve at once.
    differences : DataFrame
        One row per genotype and bin: ``genotype control t_start t_stop t difference low high
        statistic p_adjusted differs``; p adjusted for all bins of the comparison.
    tests : DataFrame
        One row per genotype against its control: ``p_value`` of no difference at any time,
        ``p_floor``, what differs most and first, ``note``.
    periods : DataFrame
        One row per stretch of time in which a genotype differs from its control.
    responses : DataFrame
        One row per genotype: change from its own baseline, when it begins, ``p_value``.
    values : DataFrame
        One row per assay and bin: ``assay genotype date t value``.
    design : mapping
        Response, unit of it, alignment, stimulus times, bins, method.
    seed : int
    notes : tuple of str
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    tests: pd.DataFrame
    periods: pd.DataFrame
    responses: pd.DataFrame
    values: pd.DataFrame
    design: Mapping[str, Any]
    seed: int = 0
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return one row per genotype and bin."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: genotypes, assays, bins, smallest p-value, periods that differ."""
        p = self.tests["p_value"] if len(self.tests) else pd.Series(dtype=float)
        return pd.DataFrame([{
            "response": self.design["response"], "n_genotypes": self.table["genotype"].nunique(),
            "n_assays": self.values["assay"].nunique(),
            "n_bins": self.table["t"].nunique(), "bin": self.design["bin"],
            "n_tests": int(p.notna().sum()), "smallest_p_value": p.min(),
            "n_periods": len(self.periods), "method": self.design["method_text"],
            "seed": self.seed,
        }])  # fmt: skip

    def augment(self) -> pd.DataFrame:
        """Return one row per assay and bin."""
        return self.values.copy()

    def plot(self, kind: str = "panels") -> Figure:
        """Draw the curves: ``panels`` side by side, or ``overlay`` with where they differ.

        Raises
        ------
        UsageError
            Another kind.
        """
        from larvastats.plot.timecourse import plot_overlay, plot_panels

        kinds = {"panels": plot_panels, "overlay": plot_overlay}
        if kind not in kinds:
            raise UsageError(f"kind must be one of {', '.join(kinds)}, but is {kind!r}.")
        return kinds[kind](self)

    def __repr__(self) -> str:
        """Print design, tests, periods and notes."""
        d = self.design
        lines = ["", f"\t{d['title']}", "", *_pairs(d)]
        if len(self.responses):
            lines += ["", "Change from each genotype's own baseline "
                      f"({d['baseline_text']}), signs of assays flipped:",
                      table_text(_shown_responses(self.responses))]  # fmt: skip
        if len(self.tests):
            lines += ["", f"Genotypes against their control, {d['method_text']}:"]
            lines += [table_text(_shown_tests(self.tests))]
            lines += ["", *verdicts(self)]
        if len(self.tests) > 1:
            lines.append("p and family error hold for all times of one genotype; q for all "
                         f"{len(self.tests)} genotypes (Benjamini-Hochberg).")  # fmt: skip
        lines += [f"note: {note}" for note in told_once(self.notes)]
        return "\n".join([*lines, ""])


def _pairs(design: Mapping[str, Any]) -> list[str]:
    names = {"data": "data_name", "response": "response_text", "stimulus": "stimuli",
             "time": "time_text", "unit": "unit_text", "limits": "limits_text"}  # fmt: skip
    return [f"{name + ':':<10}{design[key]}" for name, key in names.items() if design.get(key)]


def _shown_responses(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="p_floor")


def _shown_tests(table: pd.DataFrame) -> pd.DataFrame:
    names = ["genotype", "n_assays", "n_control_assays", "n_dates", "largest_difference",
             "t_largest", "seconds_different", "p_value", "q_value", "note"]  # fmt: skip
    if len(table) == 1:
        names.remove("q_value")
    shown = table[names]
    return shown.loc[:, [n for n in names if (shown[n].notna() & (shown[n] != "")).any()]]


def verdicts(result: TimecourseResult) -> list[str]:
    """Say in sentences when genotypes differ from their controls."""
    out, alpha, unit = [], result.design["alpha"], result.design["unit"]
    for row in result.tests.itertuples():
        own = result.periods[result.periods["genotype"] == row.genotype]
        if pd.isna(row.p_value):
            out.append(f"{row.genotype} could not be tested.")
        elif not len(own):
            out.append(
                f"{row.genotype} cannot be said to differ from {row.control} at any time "
                f"(p {p_text(row.p_value, 3)})."
            )
        else:
            times = [
                f"{p.t_start:g}–{p.t_stop:g} s ({p.direction}, {p.largest_difference:+.3g}"
                f"{' ' + unit if unit else ''})"
                for p in own.itertuples()
            ]
            more = f" and {len(times) - MAX_PERIODS} more" if len(times) > MAX_PERIODS else ""
            out.append(
                f"{row.genotype} differs from {row.control} (family error {alpha:g}, p "
                f"{p_text(row.p_value, 3)}): {', '.join(times[:MAX_PERIODS])}{more}."
            )
    return out


@dataclass(frozen=True, slots=True)
class DistributionResult:
    """Distributions of a feature by genotype, stimulus off and on.

    Attributes
    ----------
    table : DataFrame
        One row per genotype, condition and bin: ``genotype condition x_low x_high density low
        high``; limits of the mean density over assays, simultaneous.
    tests : DataFrame
        One row per measure (``mean``, ``spread``), comparison and condition: estimate, limits,
        ``p_value``, effect size ``hedges_g`` with limits.
    units : DataFrame
        One row per assay and condition: ``assay genotype date condition n mean sd log_sd mad``.
    mixed : DataFrame
        Fixed effects of the mixed model, one row per term; empty where none was asked for or it
        did not converge (`notes` says so).
    variances : DataFrame
        Its variance components.
    design : mapping
    seed : int
    notes : tuple of str
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    units: pd.DataFrame
    mixed: pd.DataFrame
    variances: pd.DataFrame
    design: Mapping[str, Any]
    seed: int = 0
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return one row per test."""
        return self.tests.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: genotypes, assays, conditions, seed."""
        return pd.DataFrame([{
            "response": self.design["response"], "n_genotypes": self.units["genotype"].nunique(),
            "n_assays": self.units["assay"].nunique(),
            "conditions": ",".join(self.design["conditions"]),
            "n_tests": int(self.tests["p_value"].notna().sum()), "seed": self.seed,
        }])  # fmt: skip

    def augment(self) -> pd.DataFrame:
        """Return one row per assay and condition."""
        return self.units.copy()

    def plot(self, kind: str = "densities") -> Figure:
        """Draw the densities and the assays' means and spreads.

        Raises
        ------
        UsageError
            Another kind.
        """
        from larvastats.plot.distribution import plot_densities

        if kind != "densities":
            raise UsageError(f"kind must be densities, but is {kind!r}.")
        return plot_densities(self)

    def __repr__(self) -> str:
        """Print tests, mixed model and notes."""
        d = self.design
        lines = ["", f"\t{d['title']}", "", *_pairs(d), "", "Assays compared:"]
        names = ["measure", "comparison", "condition", "estimate", "p_value", "p_adjusted",
                 "hedges_g", "g_low", "g_high"]  # fmt: skip
        lines.append(table_text(self.tests[names]))
        if len(self.mixed):
            lines += ["", f"Mixed model {d['formula']} ({d['mixed_text']}):"]
            lines.append(table_text(self.mixed))
            parts = (f"{r.component} {significant(r.variance, 3)}"
                     for r in self.variances.itertuples())  # fmt: skip
            lines.append(f"variances: {', '.join(parts)}")
        lines += [f"note: {note}" for note in told_once(self.notes)]
        return "\n".join([*lines, ""])
