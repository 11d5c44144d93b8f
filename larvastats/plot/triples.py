"""Triples of actions against first-order chains: sorted z-scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from larvastats.errors import UsageError
from larvastats.plot import style

if TYPE_CHECKING:
    import pandas as pd

    from larvastats.results.order import OrderResult

WIDTH, ROW, RIGHT = 3.6, 0.2, 1.75
MOST = 40
"""Triples that are drawn, the surest ones; the table holds them all."""


@style.styled
def plot_triples(result: OrderResult) -> Figure:
    """Draw z of every scored triple, and the threshold that holds for all of them together.

    Filled dots: by shuffles that keep each larva's transitions. Rings: against one chain for all
    larvae, which counts differences between larvae as memory.

    Parameters
    ----------
    result : OrderResult

    Returns
    -------
    Figure

    Raises
    ------
    UsageError
        No triple has a z.
    """
    scored = result.table[result.table["z"].notna()]
    if scored.empty:
        raise UsageError("no triple was expected often enough to have a z: nothing to draw.")
    own = scored.head(MOST).sort_values("z", ignore_index=True)
    left = 0.5 + max(style.text_width(name, 8) for name in own["triple"])
    total = left + WIDTH + RIGHT
    head = style.wrap("Which triples a first-order chain does not explain", total - 0.6, 12, "bold")
    small = style.wrap(_below(result, len(scored)), total - 0.6, 9, max_lines=4)
    top = style.heading_height(head, small) + 0.15
    height = max(ROW * len(own), 1.2)
    figure = style.new_figure(total, top + height + 0.85)
    style.heading(figure, head, small, 0.3)
    axes = style.axes_at(figure, left, top, WIDTH, height, label="triples")
    _draw(axes, own, result)
    return figure


def _below(result: OrderResult, n: int) -> str:
    d, r = result.design, result.recurrence
    some = f"the {MOST} surest of {n} triples" if n > MOST else style.plural(n, "triple")
    return (
        f"{d['genotype']}, {d['window_text']}; {some}, all together p\u00a0=\u00a0"
        f"{style.p_label(result.p_value)}; returns to the action before last "
        f"{100 * r['share']:.1f}% of triples, expected {100 * r['expected']:.1f}%, "
        f"p\u00a0=\u00a0{style.p_label(r['p_value'])}"
    )


def _draw(axes: Axes, own: pd.DataFrame, result: OrderResult) -> None:
    y = np.arange(len(own))
    threshold = float(result.design["z_threshold"])
    axes.axvspan(-threshold, threshold, color=style.FAINT, alpha=0.45, lw=0, zorder=0)
    axes.axvline(0, color=style.MUTED, lw=0.8, zorder=1)
    found = own["p_adjusted"].to_numpy(float) <= result.alpha
    z = own["z"].to_numpy(float)
    colours = [style.REJECTED if one else style.KEPT for one in found]
    axes.hlines(y, 0, z, color=colours, lw=1.0, zorder=2)
    axes.scatter(own["z_pooled"], y, s=20, facecolors="none", edgecolors=style.MUTED, lw=0.8,
                 zorder=3, label="one chain for all larvae")  # fmt: skip
    axes.scatter(z, y, s=22, color=colours, zorder=4, label="each larva its own chain")
    axes.set_yticks(y, own["triple"])
    for label, back in zip(axes.get_yticklabels(), own["returns"], strict=True):
        label.set_fontweight("bold" if back else "normal")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, len(own) - 0.3)
    axes.set_xlabel("z: observed against expected")
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, handletextpad=0.3)
    note = f"shaded: up to ±{threshold:.2f},\np > {result.alpha:g} for all triples\nbold: returns"
    axes.text(1.04, 1 - min(0.75, 0.62 / (ROW * len(own))), note, transform=axes.transAxes,
              va="top", size=8, color=style.MUTED)  # fmt: skip
