"""How long states last: survival curves of a genotype and its control, state by state."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from larvastats.errors import UsageError
from larvastats.plot import style

if TYPE_CHECKING:
    from larvastats.results.dwell import DwellResult

LEFT, PANEL, HEIGHT, GAP, ROW_GAP, RIGHT = 0.75, 2.35, 1.75, 0.42, 0.78, 0.3
COLUMNS = 3
COLOURS = (style.INK, style.REJECTED, "#0072B2", "#009E73", "#CC79A7", "#E69F00")
MOST = len(COLOURS)
"""Curves that one panel can hold."""


@style.styled
def plot_survival(
    result: DwellResult, genotype: str | None = None, window: str | None = None
) -> Figure:
    """Draw the share of bouts that last longer than a time, with 95% bands by replicates.

    Parameters
    ----------
    result : DwellResult
    genotype : str, optional
        Drawn with its control; by default the one with the smallest p, or every genotype where
        nothing is compared.
    window : str, optional
        By default that of the surest difference, else the first.

    Returns
    -------
    Figure

    Raises
    ------
    UsageError
        A genotype or window that the result lacks, or too many genotypes at once.
    """
    names = _names(result, genotype)
    where = _window(result, window, names[-1])
    states = list(result.states)
    rows = ceil(len(states) / COLUMNS)
    width = LEFT + min(len(states), COLUMNS) * (PANEL + GAP) - GAP + RIGHT
    head, small = _titles(result, names, where, width - 0.6)
    top = style.heading_height(head, small) + 0.22 * ceil(len(names) / 2) + 0.35
    figure = style.new_figure(width, top + rows * (HEIGHT + ROW_GAP))
    style.heading(figure, head, small, 0.3)
    _legend(figure, names, style.heading_height(head, small), width)
    for i, state in enumerate(states):
        row, column = divmod(i, COLUMNS)
        left, upper = LEFT + column * (PANEL + GAP), top + row * (HEIGHT + ROW_GAP)
        axes = style.axes_at(figure, left, upper, PANEL, HEIGHT, label=state)
        _panel(axes, result, names, where, state)
        axes.set_ylabel("share that lasts longer" if column == 0 else "")
        if i + COLUMNS >= len(states):
            axes.set_xlabel("time since the bout began, s")
    return figure


def _names(result: DwellResult, genotype: str | None) -> list[str]:
    known = list(dict.fromkeys(result.table["genotype"]))
    if genotype is None and not result.tests["p_value"].notna().any():
        names = known
    else:
        if genotype is None:
            genotype = result.tests.sort_values("p_value")["genotype"].iloc[0]
        names = [g for g in known if g == genotype or g.startswith(f"{genotype}@")]
        if not names:
            raise UsageError(
                f"no genotype {genotype!r} in this result; it has {', '.join(known[:8])}."
            )
        control = result.tests.loc[result.tests["genotype"] == names[0], "control"]
        names = [*control, names[0]]
    if len(names) > MOST:
        raise UsageError(
            f"{len(names)} genotypes are too many for one picture; name one with genotype=."
        )
    return names


def _window(result: DwellResult, window: str | None, genotype: str) -> str:
    known = list(dict.fromkeys(result.table["window"]))
    if window is None:
        own = result.cells[result.cells["genotype"] == genotype].dropna(subset="p_adjusted")
        return str(own.sort_values("p_adjusted")["window"].iloc[0] if len(own) else known[0])
    if window not in known:
        raise UsageError(f"no window {window!r} in this result; it has {', '.join(known)}.")
    return window


def _titles(
    result: DwellResult, names: list[str], where: str, width: float
) -> tuple[list[str], list[str]]:
    head = style.wrap("How long bouts last", width, 12, "bold")
    text = f"{result.design['windows_text'].get(where, where)}; Kaplan-Meier with 95% bands"
    tested = result.tests[result.tests["genotype"] == names[-1]]
    if len(tested) and np.isfinite(tested["p_value"].iloc[0]):
        text += f"; all states together p = {style.p_label(tested['p_value'].iloc[0])}"
    return head, style.wrap(text, width, 9)


def _legend(figure: Figure, names: list[str], top: float, width: float) -> None:
    for i, name in enumerate(names):
        row, column = divmod(i, 2)
        left, upper = 0.3 + column * (width - 0.6) / 2, top + 0.03 + 0.22 * row
        room = (width - 0.6) / 2 - 0.4
        style.text_at(figure, left, upper, "—", size=10, weight="bold", color=COLOURS[i])
        style.text_at(figure, left + 0.25, upper + 0.01, style.shorten(name, room, 9), size=9)


def _panel(axes: Axes, result: DwellResult, names: list[str], where: str, state: str) -> None:
    own = result.curves[(result.curves["window"] == where) & (result.curves["state"] == state)]
    table = result.table[(result.table["window"] == where) & (result.table["state"] == state)]
    horizon = float(table["horizon"].iloc[0])
    end = 1.15 * horizon if np.isfinite(horizon) else 1.0
    bouts = []
    for colour, name in zip(COLOURS, names, strict=False):
        curve = own[own["genotype"] == name]
        bouts.append(int(table.loc[table["genotype"] == name, "n_bouts"].iloc[0]))
        if len(curve):
            _curve(axes, curve, colour, end)
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1])
    axes.set_title(state, size=9.5, loc="left", weight="bold")
    axes.set_title(_said(result, names, where, state), size=8, loc="right", color=style.MUTED)
    counts = " v ".join(f"{n:,}" for n in bouts)
    axes.text(0.98, 0.95, f"{counts} bouts", transform=axes.transAxes, ha="right", va="top",
              size=7.5, color=style.MUTED,
              bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1.5})  # fmt: skip


def _said(result: DwellResult, names: list[str], where: str, state: str) -> str:
    cells = result.cells
    one = cells[(cells["genotype"] == names[-1]) & (cells["window"] == where)
                & (cells["state"] == state)]  # fmt: skip
    if not len(one) or not np.isfinite(one["p_adjusted"].iloc[0]):
        return "not tested" if len(result.tests) else ""
    difference, p = one[["difference", "p_adjusted"]].iloc[0]
    return f"{style.signed(difference, 2)} s, p = {style.p_label(p)}"


def _curve(axes: Axes, curve: pd.DataFrame, colour: str, end: float) -> None:
    time = np.concatenate([[0.0], curve["time"].to_numpy(float)])
    lines = [np.concatenate([[1.0], curve[c].to_numpy(float)]) for c in ("survival", "low", "high")]
    # nothing is drawn beyond the last bout in view
    axes.step(time, lines[0], where="post", color=colour, lw=1.6)
    axes.fill_between(time, lines[1], lines[2], step="post", color=colour, alpha=0.16, lw=0)
