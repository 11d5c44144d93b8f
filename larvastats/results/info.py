"""What is in a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from larvastats.printing import table_text, told_once


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
        ``n_assays n_larvae n_bouts hours states``; of a store also ``n_failed`` (recordings),
        ``n_unlabelled`` (assays without actions), ``n_frames n_bad_frames
        n_dropped_frames features``.
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
        lists = ("states", "features")
        return pd.DataFrame([{k: v for k, v in self.totals.items() if k not in lists}])

    @property
    def size_text(self) -> str:
        """How much there is, in words."""
        t = self.totals
        return (
            f"{t['n_assays']} assays, {t['n_larvae']} larvae, {t['n_bouts']} bouts, "
            f"{t['hours']:.1f} larva-hours"
        )

    @property
    def shapes_text(self) -> str:
        """What a store keeps beside bouts, in words; empty for other sources."""
        t = self.totals
        said = []
        if t.get("n_frames"):
            bad, dropped = (t[f"n_{kind}_frames"] / t["n_frames"] for kind in ("bad", "dropped"))
            said.append(
                f"{t['n_frames']} frames with shapes, {bad:.1%} bad, {dropped:.1%} in sequences "
                "that are dropped"
            )
        if t.get("features"):
            said.append(f"features {', '.join(t['features'])}")
        if t.get("n_unlabelled"):
            said.append(f"{t['n_unlabelled']} assays without actions")
        if t.get("n_failed"):
            said.append(f"{t['n_failed']} recordings could not be read")
        return "; ".join(said)

    def augment(self) -> pd.DataFrame:
        """Return assays per protocol, genotype and date."""
        return self.dates.copy()

    def __repr__(self) -> str:
        """Print totals, protocols and lines."""
        states = ", ".join(self.totals["states"])
        lines = [
            f"\n\t{self.source}",
            "",
            f"{self.size_text}; states: {states or 'none'}",
            *([self.shapes_text] if self.shapes_text else []),
            "",
            table_text(self.protocols),
            "",
            table_text(self.lines),
        ]
        return "\n".join([*lines, *(f"note: {n}" for n in told_once(self.notes)), ""])
