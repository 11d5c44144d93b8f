"""Curves that wane and come back, with their fits; and the time constants side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from larvastats.errors import UsageError
from larvastats.plot import style

LEFT, PANEL, HEIGHT, GAP, ROW_GAP = 0.85, 3.1, 1.75, 0.5, 0.95
BERNE_PANEL = 6.8
COLUMNS, MOST = 3, 12
LINE, CONTROL = "#D55E00", "#56697A"
ROW, PLOT_WIDTH, MOST_ROWS = 0.26, 4.2, 60


class HasCurves(Protocol):
    """A habituation result, by its fields."""

    @property
    def table(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def curves(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def design(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def alpha(self) -> float: ...  # noqa: D102


@style.styled
def plot_curves(result: HasCurves, genotype: str | None = None) -> Figure:
    """Draw the response over time (or pulses), a panel per genotype, the control behind it in grey.

    Points and band are means over assays with their 95% t limits, the line is the fit, the dashed
    line the level before the stimulus. The bar below the curve spans the interval of tau, counted
    from the onset.

    Parameters
    ----------
    result : HabituationResult
    genotype : str, optional
        One of them; the first twelve of the table by default.

    Returns
    -------
    Figure
    """
    table = result.table
    rows = _chosen(table, genotype)
    names = list(rows["genotype"])
    wide = result.design["kind"] == "berne"  # pulses with pauses between them need the room
    columns, panel = (1, BERNE_PANEL) if wide else (min(COLUMNS, len(names)), PANEL)
    lines = -(-len(names) // columns)
    total = max(5.2, LEFT + columns * (panel + GAP))
    hidden = 0 if genotype else len(table) - len(names)
    heads = style.wrap(_title(result), total - 0.6, 12, "bold")
    small = [t for text in _below(result, hidden) for t in style.wrap(text, total - 0.6, 9)]
    top = style.heading_height(heads, small) + 0.42
    figure = style.new_figure(total, top + lines * (HEIGHT + ROW_GAP) - 0.25)
    style.heading(figure, heads, small, 0.3)
    limits = _limits(result.curves[result.curves["genotype"].isin(_shown(rows))])
    for i, row in enumerate(rows.to_dict("records")):
        across, down = i % columns, i // columns
        axes = style.axes_at(
            figure, LEFT + across * (panel + GAP), top + down * (HEIGHT + ROW_GAP), panel, HEIGHT,
            label=f"panel{i}",
        )  # fmt: skip
        _panel(axes, result, row, limits)
        if across == 0:
            axes.set_ylabel(_response(result.design))
        if i + columns >= len(names):
            axes.set_xlabel(_time(result.design))
    return figure


def _chosen(table: pd.DataFrame, genotype: str | None) -> pd.DataFrame:
    if genotype is None:
        return table.iloc[:MOST]
    rows = table[table["genotype"] == genotype]
    if rows.empty:
        known = ", ".join(table["genotype"].iloc[:8])
        raise UsageError(f"there is no genotype {genotype!r} in this result; it has {known}.")
    return rows


def _shown(rows: pd.DataFrame) -> list[str]:
    return [*rows["genotype"], *rows["control"].dropna()]


def _title(result: HasCurves) -> str:
    d = result.design
    what = {
        "recovery": "during a long stimulus",
        "pulses": "over repeated pulses",
        "berne": "within and between pulses",
    }[d["kind"]]
    return f"Habituation of {d['label']} {what}"


def _below(result: HasCurves, hidden: int) -> list[str]:
    d = result.design
    text = "points: mean over assays, band: 95% limits over assays; line: fit; dashed: before"
    controls = list(result.table["control"].dropna().unique())
    grey = [f"grey: {controls[0] if len(controls) == 1 else 'the control'}"] if controls else []
    more = f"; {style.plural(hidden, 'genotype')} not drawn" if hidden else ""
    when = re.sub(
        r"(?<=\d) s\b", "\u00a0s", str(d["stimulus_text"])
    )  # a unit stays with its number
    return [f"{when}{more}", text, *grey]


def _response(design: Mapping[str, Any]) -> str:
    unit = design.get("response_unit")
    mean = f"{design['label']} ({unit})" if unit else str(design["label"])
    names = {"time": "share of larvae", "ever": "larvae that do it", "mean": mean}
    return names[design["measure"]]


def _time(design: Mapping[str, Any]) -> str:
    if design["kind"] == "pulses":
        return "pulse"
    return f"time since {design['starts']:g} s of the recording (s)"


def _limits(curves: pd.DataFrame) -> tuple[float, float]:
    values = curves[["mean", "low", "high", "fitted"]].to_numpy(np.float64)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = 0.08 * (high - low or 1.0)
    return low - 2.2 * room, high + room


def _panel(
    axes: Axes, result: HasCurves, row: Mapping[str, Any], limits: tuple[float, float]
) -> None:
    curves = result.curves
    own = curves[curves["genotype"] == row["genotype"]]
    if isinstance(row["control"], str):
        other = curves[curves["genotype"] == row["control"]]
        for _, part in _pieces(other, result.design):
            axes.plot(part["x"], part["mean"], color=CONTROL, lw=1.0, alpha=0.55, zorder=1)
    colour = LINE if isinstance(row["control"], str) else CONTROL
    for _, part in _pieces(own, result.design):
        axes.fill_between(part["x"], part["low"], part["high"], color=colour, alpha=0.18, lw=0)
        joined = "o-" if result.design["kind"] == "berne" else "o"
        axes.plot(part["x"], part["mean"], joined, color=colour, ms=2.4, mew=0, lw=0.6, zorder=3)
        axes.plot(part["x"], part["fitted"], color=style.INK, lw=1.3, zorder=4)
    if not math.isnan(row["baseline"]):
        axes.axhline(row["baseline"], color=style.MUTED, lw=0.8, ls=(0, (4, 3)), zorder=0)
    axes.set_ylim(*limits)
    last = float(own["x"].max())
    if result.design["kind"] == "pulses":
        axes.set_xlim(0.5, last + 0.5)
    else:
        axes.set_xlim(0.0, 1.03 * last)
    if row["tau_text"]:
        _tau_bar(axes, row, result.design, limits[0])
    _head(axes, row, result.alpha)


def _pieces(curves: pd.DataFrame, design: Mapping[str, Any]) -> list[tuple[Any, pd.DataFrame]]:
    """Split a curve where the stimulus was off."""
    if design["kind"] != "berne":
        return [(0, curves)]
    return list(curves.groupby("pulse"))


def _tau_bar(axes: Axes, row: Mapping[str, Any], design: Mapping[str, Any], bottom: float) -> None:
    """Mark tau and its interval on the axis of time."""
    origin = 1.0 if design["kind"] == "pulses" else 0.0
    end = axes.get_xlim()[1]
    height = bottom + 0.06 * (axes.get_ylim()[1] - bottom)
    low, high = row["tau_low"], row["tau_high"]
    if not math.isnan(low):
        right = min(origin + high, end)
        axes.plot([origin + low, right], [height] * 2, color=style.INK, lw=1.6, zorder=5,
                  solid_capstyle="butt")  # fmt: skip
        if origin + high > end:
            axes.plot(right, height, ">", color=style.INK, ms=4, zorder=5, clip_on=False)
    if not math.isnan(row["tau"]) and origin + row["tau"] <= end:
        axes.plot(origin + row["tau"], height, "o", color="white", mec=style.INK, ms=4, zorder=6)


def _head(axes: Axes, row: Mapping[str, Any], alpha: float) -> None:
    name = style.shorten(str(row["genotype"]), PANEL, 8.5, "bold")
    said = f"tau = {row['tau_text']}" if row["tau_text"] else _without_tau(row)
    said = said.replace("tau = >", "tau >").replace("tau = <", "tau <")
    if not math.isnan(row["p_value"]):
        q = row["q_value"]
        mark = " *" if not math.isnan(q) and q <= alpha else ""
        said += f"; v control p = {style.p_label(row['p_value'])}{mark}"
    axes.text(0, 1.16, name, transform=axes.transAxes, size=8.5, weight="bold", va="bottom")
    axes.text(0, 1.03, style.shorten(said, PANEL + 0.2, 8), transform=axes.transAxes, size=8,
              color=style.MUTED, va="bottom")  # fmt: skip


def _without_tau(row: Mapping[str, Any]) -> str:
    if math.isnan(row["gate_p"]):
        return str(row["note"]).split(";")[0]
    if row["direction"] == "sensitisation":
        return "moves away from its level before: no tau"
    return f"no change (gate p = {style.p_label(row['gate_p'])}): no tau"


@style.styled
def plot_tau(result: HasCurves, top: int = MOST_ROWS) -> Figure:
    """Draw the time constants with their intervals on a logarithmic axis.

    An arrow stands for a limit that the stimulus cannot tell; genotypes without a time constant are
    counted in the text.

    Parameters
    ----------
    result : HabituationResult
    top : int
        Genotypes at most.

    Returns
    -------
    Figure
    """
    with_tau = result.table[result.table["tau_text"] != ""]
    shown = with_tau.iloc[:top]
    names = [style.shorten(str(g), 3.2, 8.5) for g in shown["genotype"]]
    name_width = max((style.text_width(n, 8.5) for n in names), default=0.6) + 0.2
    total = max(6.5, 0.3 + name_width + PLOT_WIDTH + 2.6)
    heads = style.wrap(f"{_title(result)}: time constants", total - 0.6, 12, "bold")
    small = [t for text in _tau_below(result, len(with_tau), len(shown))
             for t in style.wrap(text, total - 0.6, 9)]  # fmt: skip
    upper = style.heading_height(heads, small) + 0.2
    height = ROW * max(2, len(shown))
    figure = style.new_figure(total, upper + height + 0.7)
    style.heading(figure, heads, small, 0.3)
    axes = style.axes_at(figure, 0.3 + name_width, upper, PLOT_WIDTH, height)
    _tau_rows(axes, result, shown, names)
    return figure


def _tau_below(result: HasCurves, known: int, shown: int) -> list[str]:
    d = result.design
    out = [f"{d['stimulus_text']}; bars: 95% {d['interval_text']}"]
    without = len(result.table) - known
    parts = []
    if without:
        parts.append(f"{style.plural(without, 'genotype')} without a time constant")
    if known > shown:
        parts.append(f"{style.plural(known - shown, 'genotype')} not drawn")
    return [*out, "; ".join(parts)] if parts else out


def _tau_rows(axes: Axes, result: HasCurves, shown: pd.DataFrame, names: Sequence[str]) -> None:
    low, high = result.design["shortest"], result.design["longest"]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low, high)
    axes.set_ylim(max(len(shown), 1) - 0.5, -0.5)
    for i, row in enumerate(shown.to_dict("records")):
        rejected = row["rejected"] is True or row["rejected"] is np.True_
        colour = style.REJECTED if rejected else style.KEPT
        colour = style.INK if not isinstance(row["control"], str) else colour
        _tau_row(axes, row, i, colour, (low, high))
    axes.set_yticks(range(len(shown)), names, size=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"tau ({result.design['time_unit']}), from one bin to the whole stimulus")


def _tau_row(
    axes: Axes, row: Mapping[str, Any], at: int, colour: str, limits: tuple[float, float]
) -> None:
    left, right = row["tau_low"], row["tau_high"]
    if not math.isnan(left):
        ends = max(left, limits[0]), min(right, limits[1])
        axes.plot(ends, [at, at], color=colour, lw=1.4, solid_capstyle="butt")
        for sign, end, beyond in (
            ("<", ends[0], left < limits[0]),
            (">", ends[1], right > limits[1]),
        ):
            if beyond:
                axes.plot(end, at, sign, color=colour, ms=4.5, clip_on=False)
    if not math.isnan(row["tau"]):
        axes.plot(row["tau"], at, "o", color=colour, ms=5, mec="white", mew=0.6)
    axes.text(1.03, at, row["tau_text"], transform=axes.get_yaxis_transform(), va="center", size=8)
