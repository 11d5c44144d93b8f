"""Transition matrices by genotype and window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.errors import UsageError
from larvastats.printing import told_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class TransitionsResult:
    """Transition matrices by genotype and window.

    Attributes
    ----------
    table : DataFrame
        ``genotype window from to n p n_assays n_larvae p_low p_high n_replicates``: pooled counts
        and probabilities with pointwise bands; `p` is NaN in a row that was never visited, a band
        where a transition never or always happened, or there is one replicate only.
    states : tuple of str
    design : mapping
        ``protocol windows_text windows_intervals by transitions dt replicate data_name``.
    notes : tuple of str
    seed : int
    provenance : mapping
    """

    table: pd.DataFrame
    states: tuple[str, ...]
    design: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    seed: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)

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

    def plot(self, genotype: str | None = None, kind: str = "matrices") -> Figure:
        """Draw one genotype: ``matrices``, window by window, or ``courses``, with bands."""
        if kind == "courses":
            from larvastats.plot.courses import plot_window_courses

            return plot_window_courses(self, genotype=genotype)
        if kind != "matrices":
            raise UsageError(f"kind must be matrices or courses, but is {kind!r}.")
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
        return "\n".join([*lines, *(f"note: {n}" for n in told_once(self.notes)), ""])
