"""Power against the number of larvae, for every number of dates and plates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from larvastats.plot import style

if TYPE_CHECKING:
    import pandas as pd

    from larvastats.results import PowerResult

LEFT, PANEL, GAP, HEIGHT, RIGHT = 0.75, 2.3, 0.35, 2.7, 1.35
COLOURS = ("#56B4E9", "#0072B2", "#3F3F3F", "#D55E00", "#CC79A7", "#009E73")
WANTED = 0.8


@style.styled
def plot_power(result: PowerResult) -> Figure:
    """Draw power against larvae per plate: a panel per number of dates, a line per plates.

    Parameters
    ----------
    result : PowerResult

    Returns
    -------
    Figure
    """
    table = result.table
    dates = sorted(table["dates"].unique()) if "dates" in table else [None]
    total = LEFT + len(dates) * (PANEL + GAP) + RIGHT
    d = result.design
    heads = style.wrap(f"Power to find {d['effect']}", total - 0.6, 12, "bold")
    text = (
        f"alpha = {d['alpha']:g}, {d['control_plates']} control plates per date; bars: 95% interval"
        " of the simulation"
    )
    small = style.wrap(text, total - 0.6, 9)
    top = style.heading_height(heads, small) + 0.3
    figure = style.new_figure(total, top + HEIGHT + 0.65)
    style.heading(figure, heads, small, 0.3)
    for i, date in enumerate(dates):
        axes = style.axes_at(figure, LEFT + i * (PANEL + GAP), top, PANEL, HEIGHT, label=f"d{date}")
        own = table if date is None else table[table["dates"] == date]
        _draw_panel(axes, own, i == 0)
        if date is not None:
            axes.set_title(f"{date} dates", size=9, loc="left")
    axes.legend(title="plates", loc="upper left", bbox_to_anchor=(1.05, 1.0), borderaxespad=0.0)
    return figure


def _draw_panel(axes: Axes, table: pd.DataFrame, first: bool) -> None:
    axes.axhline(WANTED, color=style.FAINT, lw=0.8, zorder=0)
    larvae = sorted(table["larvae"].unique())
    at = {n: i for i, n in enumerate(larvae)}
    for k, (plates, own) in enumerate(table.groupby("plates")):
        own = own.sort_values("larvae")
        x = np.array([at[n] for n in own["larvae"]]) + 0.06 * (k - 1)
        power = own["power"].to_numpy(float)
        bars = np.abs(own[["low", "high"]].to_numpy(float).T - power)
        axes.errorbar(x, power, bars, color=COLOURS[k % len(COLOURS)], lw=1.4, marker="o", ms=3.5,
                      elinewidth=0.8, label=str(plates))  # fmt: skip
    axes.set_xticks(range(len(larvae)), [str(n) for n in larvae])
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("larvae per plate")
    if first:
        axes.set_ylabel("power")
    else:
        axes.set_yticklabels([])
