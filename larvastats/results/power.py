"""What a screen could have found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.printing import table_text, told_once

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class PowerResult:
    """Power of a screen for a named effect.

    Attributes
    ----------
    table : DataFrame
        One row per design: ``dates plates larvae power low high null n``; `power` with a Wilson
        95% interval from n simulations.
    components : DataFrame
        ``level sd_logit share n``: how much larvae, plates and dates vary among controls.
    smallest : DataFrame
        ``alpha delta power``: the smallest change of the named transition that the usual design of
        this screen finds with probability .8.
    design : mapping
        ``data_name protocol window effect probability control_plates alpha``.
    seed : int
    notes : tuple of str
    """

    table: pd.DataFrame
    components: pd.DataFrame
    smallest: pd.DataFrame
    design: Mapping[str, Any]
    seed: int
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per design."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: effect, best power, smallest effect."""
        row = {
            "effect": self.design["effect"],
            "alpha": self.design["alpha"],
            "n_designs": len(self.table),
            "best_power": float(self.table["power"].max()),
            "smallest_delta": float(self.smallest["delta"].iloc[0]),
            "seed": self.seed,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return the variance components."""
        return self.components.copy()

    def plot(self) -> Figure:
        """Draw power against larvae per plate, by dates and plates."""
        from larvastats.plot.power import plot_power

        return plot_power(self)

    def __repr__(self) -> str:
        """Print components, power and smallest effect."""
        d = self.design
        lines = [
            "",
            f"\tPower for {d['effect']} at alpha = {d['alpha']:g}",
            "",
            f"data:  {d['data_name']}, window {d['window']}; the control has "
            f"{d['probability']:.3f} there, {d['control_plates']} plates per date",
            "",
            "How much the controls vary:",
            table_text(self.components),
            "",
            table_text(self.table),
            "",
            "Smallest change that the usual design of this screen finds 8 times in 10:",
            table_text(self.smallest),
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in told_once(self.notes)), ""])
