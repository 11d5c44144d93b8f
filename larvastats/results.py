"""What the verbs return: frozen results that print as R prints and hand out tidy tables.

A result carries its numbers, its design, its seed and its warnings; it computes nothing.
``tidy()`` gives one row per estimate, ``glance()`` one row in all, ``augment()`` one row per unit
(assay), ``plot()`` a matplotlib figure: the three verbs of R's *broom*, and a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.errors import UsageError
from larvastats.printing import named_vector, p_text, screen_text, significant, table_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCREEN_COLUMNS = (
    "genotype", "line", "effector", "control", "protocol", "window",
    "n_dates", "n_assays", "n_control_assays", "n_larvae", "n_transitions",
    "statistic_name", "statistic", "p_value", "null", "p_exact", "p_floor", "p_approx",
    "q_value", "rejected",
    "hellinger", "hellinger_adjusted", "hellinger_pseudo_95", "hellinger_low", "hellinger_high",
    "hellinger_p_value",
    "js", "js_adjusted", "js_low", "js_high", "js_p_value",
    "kl", "kl_adjusted", "kl_low", "kl_high", "kl_p_value",
    "empty_rows", "top_transition", "top_difference", "note",
)  # fmt: skip
"""Columns of a screen's table, in order; scripts depend on them."""

TRANSITION_COLUMNS = (
    "genotype", "line", "effector", "control", "protocol", "window", "from", "to",
    "n_line", "n_control", "p_line", "p_control", "difference", "z", "p_adjusted",
)  # fmt: skip
"""Columns of a screen's ``transitions`` table: one row per line, window and cell.

``p_adjusted`` holds for all cells of a line together (max |z|), in lines that were rejected.
"""


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
            low, high = (significant(limit, 7) for limit in self.conf_int)
            lines.append(f"{100 * self.conf_level:g} percent confidence interval:")
            lines.append(f" {low} {high}")
        if self.estimate:
            lines += ["sample estimates:", named_vector(self.estimate)]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, ""])


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
        kind : {'ranking', 'volcano', 'matrices'}
            Lines by effect with intervals; effect against evidence; transition matrices of one
            line, its control and their difference.
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
        raise UsageError(f"kind must be ranking, volcano or matrices, but is {kind!r}.")

    def __repr__(self) -> str:
        """Print title, design, the best lines and notes."""
        return screen_text(self)


@dataclass(frozen=True, slots=True)
class TransitionsResult:
    """Transition matrices by genotype and window.

    Attributes
    ----------
    table : DataFrame
        ``genotype window from to n p n_assays n_larvae``: pooled counts and probabilities; `p` is
        NaN in a row that was never visited.
    states : tuple of str
    design : mapping
        ``protocol windows_text transitions dt data_name``.
    notes : tuple of str
    """

    table: pd.DataFrame
    states: tuple[str, ...]
    design: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per genotype, window and cell."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: how many genotypes, windows, transitions."""
        table = self.table
        row = {
            "n_genotypes": table["genotype"].nunique(),
            "n_windows": table["window"].nunique(),
            "n_states": len(self.states),
            "n_transitions": int(table["n"].sum()),
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per genotype and window: assays, larvae, transitions, empty rows."""
        groups = self.table.groupby(["genotype", "window"], sort=False)
        out = groups.agg(n_assays=("n_assays", "first"), n_larvae=("n_larvae", "first"),
                         n_transitions=("n", "sum"))  # fmt: skip
        return out.reset_index()

    def matrix(self, genotype: str, window: str | None = None) -> pd.DataFrame:
        """Return one matrix of probabilities, rows = from, columns = to."""
        rows = self.table[self.table["genotype"] == genotype]
        if window is not None:
            rows = rows[rows["window"] == window]
        if rows.empty or rows["window"].nunique() != 1:
            known = ", ".join(f"{g} ({w})" for g, w in self._pairs()[:12])
            raise UsageError(
                f"no single matrix for {genotype!r} in {window!r}; there are: {known}."
            )
        matrix = rows.pivot(index="from", columns="to", values="p")
        return matrix.reindex(index=list(self.states), columns=list(self.states))

    def _pairs(self) -> list[tuple[str, str]]:
        pairs = self.table[["genotype", "window"]].drop_duplicates()
        return list(pairs.itertuples(index=False, name=None))

    def plot(self, genotype: str | None = None) -> Figure:
        """Draw the matrices of one genotype, window by window."""
        from larvastats.plot.matrices import plot_windows

        return plot_windows(self, genotype=genotype)

    def __repr__(self) -> str:
        """Print the matrices."""
        lines = [f"\n\tTransition probabilities ({self.design['transitions']})\n",
                 f"data:  {self.design['data_name']}"]  # fmt: skip
        for genotype, window in self._pairs():
            matrix = self.matrix(genotype, window)
            where = self.design["windows_text"].get(window, window)
            lines += ["", f"{genotype}, {where}:", matrix.round(3).to_string(na_rep="")]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes), ""])


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is in a source, before anyone tests anything.

    Attributes
    ----------
    source : str
    protocols : DataFrame
        ``protocol n_assays n_larvae stimuli`` (resolved times in words).
    lines : DataFrame
        ``protocol genotype n_assays n_dates n_larvae control n_control_assays n_shared_dates
        p_floor note``: `p_floor` is the smallest relabelling p-value the design can give.
    dates : DataFrame
        Assays per ``protocol genotype date``.
    totals : mapping
        ``n_assays n_larvae n_bouts hours states``.
    notes : tuple of str
    """

    source: str
    protocols: pd.DataFrame
    lines: pd.DataFrame
    dates: pd.DataFrame
    totals: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per protocol and genotype."""
        return self.lines.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row of totals."""
        return pd.DataFrame([{k: v for k, v in self.totals.items() if k != "states"}])

    def augment(self) -> pd.DataFrame:
        """Return assays per protocol, genotype and date."""
        return self.dates.copy()

    def __repr__(self) -> str:
        """Print totals, protocols and lines."""
        t = self.totals
        lines = [
            f"\n\t{self.source}",
            "",
            f"{t['n_assays']} assays, {t['n_larvae']} larvae, {t['n_bouts']} bouts, "
            f"{t['hours']:.1f} larva-hours; states: {', '.join(t['states'])}",
            "",
            table_text(self.protocols),
            "",
            table_text(self.lines),
        ]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes), ""])


def _slug(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in name).split()).lower()
