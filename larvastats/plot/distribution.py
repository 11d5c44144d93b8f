"""Densities by genotype, stimulus off and on, and the mean and spread of every assay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from larvastats.plot import style
from larvastats.plot.fields import HasDensities

OFF_COLOUR, ON_COLOUR = "#6A6A6A", "#0072B2"
COLOURS = {"off": OFF_COLOUR, "on": ON_COLOUR}

MOST_ROWS = 6
LEFT, WIDE, NARROW, HEIGHT = 0.8, 3.9, 1.55, 1.75
GAP, BETWEEN = 0.8, 0.62


@style.styled
def plot_densities(result: HasDensities) -> Figure:
    """Draw one row per genotype: densities off and on, then the assays' means and spreads.

    Each line between off and on is one assay: what the tests compare.

    Parameters
    ----------
    result : DistributionResult

    Returns
    -------
    Figure
        At most six genotypes; the text under the title says when there are more.
    """
    design, table = result.design, result.table
    names = list(dict.fromkeys(table["genotype"]))
    shown = names[:MOST_ROWS]
    width = LEFT + WIDE + 2 * (NARROW + GAP) + 0.2
    title, below = _heading(design, width, len(names) - len(shown))
    top = style.heading_height(title, below) + 0.32
    figure = style.new_figure(width, top + len(shown) * (HEIGHT + BETWEEN) + 0.35)
    style.heading(figure, title, below, LEFT)
    highest = _highest(table[table["genotype"].isin(shown)])
    for k, name in enumerate(shown):
        high, last = top + k * (HEIGHT + BETWEEN), k == len(shown) - 1
        axes = style.axes_at(figure, LEFT, high, WIDE, HEIGHT)
        _densities(axes, table[table["genotype"] == name], design, highest, last)
        n = int(table.loc[table["genotype"] == name, "n_assays"].max())
        text = style.shorten(name, WIDE - 0.8, 9, "bold")
        axes.text(0, 1.05, text, transform=axes.transAxes, size=9, weight="bold", va="bottom")
        axes.text(1, 1.055, style.plural(n, "assay"), transform=axes.transAxes, size=8,
                  va="bottom", ha="right", color=style.MUTED)  # fmt: skip
        for j, measure in enumerate(("mean", "spread")):
            left = LEFT + WIDE + GAP + j * (NARROW + GAP)
            side = style.axes_at(figure, left, high, NARROW, HEIGHT)
            _assays(side, result.units, name, shown, measure, design, last)
            side.text(0.5, 1.055, _p_text(result.tests, name, measure), transform=side.transAxes,
                      size=7.5, ha="center", va="bottom", color=style.MUTED)  # fmt: skip
    _legend(figure, design)
    return figure


def _heading(design: Mapping[str, Any], width: float, hidden: int) -> tuple[list[str], list[str]]:
    room = width - LEFT - 0.2
    label = str(design["label"])
    title = style.wrap(f"{label[:1].upper()}{label[1:]}, stimulus off and on", room, 12, "bold")
    below = style.wrap(str(design["time_text"]), room, 9)
    if hidden > 0:
        below.append(f"{style.plural(hidden, 'more genotype')} in the table, not in this picture.")
    return title, below


def _highest(table: pd.DataFrame) -> float:
    """Return the top of the density axis: the highest curve, and a band that is not absurd."""
    top = float(table["density"].max())
    return 1.05 * min(float(np.nanmax([table["high"].max(), top])), 1.6 * top)


def _densities(
    axes: Axes, part: pd.DataFrame, design: Mapping[str, Any], highest: float, last: bool
) -> None:
    for condition in design["conditions"]:
        own = part[part["condition"] == condition]
        x = ((own["x_low"] + own["x_high"]) / 2).to_numpy(float)
        colour = COLOURS.get(condition, style.INK)
        axes.fill_between(x, own["low"].to_numpy(float), own["high"].to_numpy(float), color=colour,
                          alpha=0.22, lw=0, zorder=2)  # fmt: skip
        axes.plot(x, own["density"].to_numpy(float), color=colour, lw=1.5, zorder=3)
    axes.set_ylim(0, highest)
    axes.set_xlim(float(part["x_low"].min()), float(part["x_high"].max()))
    unit = f" (per {design['unit']})" if design["unit"] else ""
    axes.set_ylabel(f"density{unit}")
    axes.tick_params(labelbottom=last)
    if last:
        axes.set_xlabel(str(design["label"]))


def _assays(
    axes: Axes, units: pd.DataFrame, name: str, shown: Sequence[str], measure: str,
    design: Mapping[str, Any], last: bool,
) -> None:  # fmt: skip
    """Draw every assay as a line from off to on, and their mean."""
    column = "mean" if measure == "mean" else str(design["spread"])
    conditions = list(design["conditions"])
    wide = units[units["genotype"] == name].pivot(index="assay", columns="condition", values=column)
    y = wide.reindex(columns=conditions).to_numpy(float)
    x = np.arange(len(conditions))
    axes.plot(x, y.T, color="#B5B5B5", lw=0.8, zorder=2)
    for k, condition in enumerate(conditions):
        colour = COLOURS.get(condition, style.INK)
        axes.plot(np.full(len(y), k), y[:, k], "o", ms=3.6, mew=0, color=colour, zorder=3)
        axes.plot([k - 0.16, k + 0.16], [np.nanmean(y[:, k])] * 2, color=colour, lw=2.2, zorder=4)
    same = units.loc[units["genotype"].isin(shown), column].dropna()
    pad = 0.08 * max(float(same.max() - same.min()), 1e-9)
    axes.set_ylim(float(same.min()) - pad, float(same.max()) + pad)
    axes.set_xlim(-0.5, len(conditions) - 0.5)
    axes.set_xticks(x, conditions)
    axes.tick_params(labelbottom=last)
    unit = f" ({design['unit']})" if design["unit"] else ""
    axes.set_ylabel(f"{'mean' if measure == 'mean' else column.upper()} of an assay{unit}")


def _p_text(tests: pd.DataFrame, name: str, measure: str) -> str:
    """Say the p-values: of the change within the genotype, and of its difference from control's."""
    own = tests[(tests["genotype"] == name) & (tests["measure"] == measure)]
    own = own[own["condition"] == "on − off"]
    within = own[own["comparison"].str.endswith("on against off")]["p_value"]
    against = own[~own["comparison"].str.endswith("on against off")]["p_value"]
    texts = [f"change p {_p(within)}"] if len(within) else []
    texts += [f"v. control's p {_p(against)}"] if len(against) else []
    return "\n".join(texts)


def _p(values: pd.Series) -> str:
    return style.p_label(float(values.iloc[0]))


def _legend(figure: Figure, design: Mapping[str, Any]) -> None:
    width, height = figure.get_size_inches()
    handles: list[Any] = [
        Line2D([], [], color=COLOURS.get(c, style.INK), lw=2, label=f"stimulus {c}")
        for c in design["conditions"]
    ]
    text = f"{design['level']:.0%} limits of the whole density"
    handles += [
        Patch(color="#7F7F7F", alpha=0.3, lw=0, label=text),
        Line2D([], [], color="#B5B5B5", lw=0.8, marker="o", ms=3.6, label="one assay"),
    ]
    figure.legend(
        handles=handles, loc="lower left", ncols=len(handles), borderaxespad=0, borderpad=0,
        bbox_to_anchor=(LEFT / width, 0.06 / height), handlelength=1.6, columnspacing=1.6,
    )  # fmt: skip
