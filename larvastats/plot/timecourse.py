"""Curves over time by genotype: side by side, or in one frame with the times of difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from larvastats.plot import style
from larvastats.plot.fields import HasCurves

# Okabe-Ito without its green and reds: those are the marks of the stimulus.
CONTROL_COLOUR = "#3F3F3F"
COLOURS = ("#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#7A5C00")
BAND_ALPHA = 0.22
MARK_WIDTH = 0.9

PER_ROW, MOST_PANELS, MOST_CURVES = 3, 12, 6
MOST_BANDS = 3
"""Curves in one frame with limits; of more, only the control's are drawn."""

LEFT, PANEL, HEIGHT, GAP = 0.75, 3.7, 2.5, 0.3
"""Inches: left margin, width and height of a panel, gap between panels."""

ALONE = 5.6
"""Width of a panel that has its row for itself."""

STRIP, STRIP_GAP = 0.13, 0.07


@style.styled
def plot_panels(result: HasCurves) -> Figure:
    """Draw the curve of every genotype in a panel of its own, on one scale, control first.

    Green lines mark where a stimulus goes on, red ones where it goes off; the band holds for the
    whole curve, or for one time only where the result says so.

    Parameters
    ----------
    result : TimecourseResult

    Returns
    -------
    Figure
        At most twelve panels; the text under the title says when there are more.
    """
    design, table = result.design, result.table
    names = list(dict.fromkeys(table["genotype"]))
    shown = names[:MOST_PANELS]
    columns = min(PER_ROW, len(shown))
    rows = -(-len(shown) // columns)
    wide = PANEL if columns > 1 else ALONE
    width = LEFT + columns * wide + (columns - 1) * GAP + 0.2
    title, below = _heading({**design, "method": None}, width, len(names) - len(shown))
    top = style.heading_height(title, below) + 0.3
    step = HEIGHT + 0.85
    figure = style.new_figure(width, top + rows * step + 0.05)
    style.heading(figure, title, below, LEFT)
    limits = _limits(table[table["genotype"].isin(shown)], design)
    for k, name in enumerate(shown):
        row, column = divmod(k, columns)
        left, high = LEFT + column * (wide + GAP), top + row * step
        axes = style.axes_at(figure, left, high, wide, HEIGHT)
        colour = CONTROL_COLOUR if name in _controls(result) else COLOURS[0]
        part = table[table["genotype"] == name]
        _curve(axes, part, colour, design)
        _frame(axes, limits, design, first=column == 0, last=k + columns >= len(shown))
        text = style.shorten(name, wide - 0.75, 9, "bold")
        axes.text(0, 1.035, text, transform=axes.transAxes, size=9, weight="bold", va="bottom",
                  color=colour)  # fmt: skip
        axes.text(1, 1.04, style.plural(int(part["n_assays"].iloc[0]), "assay"), size=8,
                  transform=axes.transAxes, va="bottom", ha="right", color=style.MUTED)  # fmt: skip
    handles = [Line2D([], [], color=style.INK, lw=1.6, label="mean over assays"), *_keys(design)]
    _legend(figure, handles)
    return figure


@style.styled
def plot_overlay(result: HasCurves) -> Figure:
    """Draw all curves in one frame, and below it bars where a genotype differs from its control.

    Parameters
    ----------
    result : TimecourseResult

    Returns
    -------
    Figure
        At most six curves; the text under the title says when there are more.
    """
    design, table = result.design, result.table
    controls = _controls(result)
    names = _most_different(result, controls)
    shown = names[:MOST_CURVES]
    colours = _colours(shown, controls)
    tested = [n for n in shown if n in set(result.differences["genotype"])]
    width, wide, high = LEFT + 6.9 + 0.25, 6.9, 3.1
    title, below = _heading(design, width, len(names) - len(shown))
    top = style.heading_height(title, below) + 0.15
    strips = len(tested) * (STRIP + STRIP_GAP) + 0.12 if tested else 0.0
    keys = 0.165 * len(shown) + 0.38
    figure = style.new_figure(width, top + high + strips + 0.55 + keys)
    style.heading(figure, title, below, LEFT)
    axes = style.axes_at(figure, LEFT, top, wide, high)
    for name in shown:
        banded = len(shown) <= MOST_BANDS or name in controls
        _curve(axes, table[table["genotype"] == name], colours[name], design, banded)
    _frame(axes, _limits(table[table["genotype"].isin(shown)], design), design, True, not tested)
    if tested:
        bars = style.axes_at(figure, LEFT, top + high + 0.1, wide, strips - 0.04)
        _strips(bars, result.differences, tested, colours, axes.get_xlim(), design)
    handles = [
        Line2D([], [], color=colours[n], lw=2, label=_named(n, table, tested, design))
        for n in shown
    ]
    whose = "" if len(shown) <= MOST_BANDS else ", of the control"
    _legend(figure, [*handles, *_keys(design, whose)], split=len(shown))
    return figure


def _heading(design: Mapping[str, Any], width: float, hidden: int) -> tuple[list[str], list[str]]:
    room = width - LEFT - 0.2
    title = style.wrap(_capital(str(design["label"])) + " over time", room, 12, "bold")
    texts = [str(design["stimuli"]) if design.get("intervals") else "no stimulus in these times"]
    if str(design["align"]) != "start":
        texts.append(str(design["time_text"]).replace("-", "−"))
    if design.get("method"):
        texts.append(str(design["method_text"]))
    below = [line for text in texts for line in style.wrap(text, room, 9)]
    if hidden > 0:
        below.append(f"{style.plural(hidden, 'more genotype')} in the table, not in this picture.")
    return title, below


def _capital(text: str) -> str:
    return text if text.startswith("p(") else text[:1].upper() + text[1:]


def _controls(result: HasCurves) -> set[str]:
    tests = getattr(result, "tests", pd.DataFrame())
    return set(tests["control"]) if len(tests) else set()


def _colours(names: Sequence[str], controls: set[str]) -> dict[str, str]:
    others = iter((*COLOURS, *COLOURS))
    return {n: CONTROL_COLOUR if n in controls else next(others) for n in names}


def _most_different(result: HasCurves, controls: set[str]) -> list[str]:
    """Return controls, then the others by how clearly they differ, in the table's order else."""
    names = list(dict.fromkeys(result.table["genotype"]))
    tests = getattr(result, "tests", pd.DataFrame())
    p = (
        dict(zip(tests["genotype"], tests["p_value"].fillna(1.0), strict=True))
        if len(tests)
        else {}
    )
    return sorted(names, key=lambda name: (name not in controls, p.get(name, 1.0)))


def _curve(
    axes: Axes, part: pd.DataFrame, colour: str, design: Mapping[str, Any], band: bool = True
) -> None:
    low, high = ("point_low", "point_high") if design["band"] == "pointwise" else ("low", "high")
    t = part["t"].to_numpy()
    if band:
        limits = part[low].to_numpy(float), part[high].to_numpy(float)
        axes.fill_between(t, *limits, color=colour, alpha=BAND_ALPHA, lw=0, zorder=2)
    axes.plot(t, part["mean"].to_numpy(float), color=colour, lw=1.5, zorder=3)


def _frame(
    axes: Axes, limits: tuple[float, float], design: Mapping[str, Any], first: bool, last: bool
) -> None:
    """Set scales, marks and labels."""
    _marks(axes, design["intervals"])
    axes.set_ylim(*limits)
    edges = design["edges"]
    axes.set_xlim(edges[0], edges[1])
    if design.get("baseline") is not None:
        axes.axhline(0, color="#9A9A9A", lw=0.7, zorder=1)
    axes.tick_params(labelleft=first, labelbottom=last)
    if first:
        axes.set_ylabel(_capital(str(design["label"])))
    if last:
        axes.set_xlabel(_time_label(design))


def _time_label(design: Mapping[str, Any]) -> str:
    return "time (s)" if str(design["align"]) == "start" else "time from stimulus onset (s)"


def _marks(axes: Axes, intervals: Iterable[Sequence[float]]) -> None:
    """Draw on and off as the field draws them: green and red lines; off dashed for every eye."""
    for start, stop in intervals:
        axes.axvline(start, color=style.STIMULUS_ON, lw=MARK_WIDTH, zorder=1)
        axes.axvline(stop, color=style.STIMULUS_OFF, lw=MARK_WIDTH, ls=(0, (4, 1.6)), zorder=1)


def _limits(table: pd.DataFrame, design: Mapping[str, Any]) -> tuple[float, float]:
    """Return the range of all curves and what of their bands is not absurdly wide."""
    low, high = ("point_low", "point_high") if design["band"] == "pointwise" else ("low", "high")
    mean = table["mean"].dropna()
    bottom, top = float(mean.min()), float(mean.max())
    reach = 2.0 * max(top - bottom, 1e-9)
    lows, highs = table[low].dropna(), table[high].dropna()
    bottom = max(float(lows.min()) if len(lows) else bottom, bottom - reach)
    top = min(float(highs.max()) if len(highs) else top, top + reach)
    pad = 0.05 * max(top - bottom, 1e-9)
    if str(design["label"]).startswith("p("):
        return (max(-0.02, bottom - pad), min(1.02, top + pad))
    return bottom - pad, top + pad


def _keys(design: Mapping[str, Any], whose: str = "") -> list[Any]:
    """Return legend entries of band and marks."""
    kind = "at one time (pointwise)" if design["band"] == "pointwise" else "for the whole curve"
    text = f"{design['level']:.0%} limits {kind}{whose}"
    out: list[Any] = [Patch(color="#7F7F7F", alpha=0.3, lw=0, label=text)]
    if design["intervals"]:
        out += [
            Line2D([], [], color=style.STIMULUS_ON, lw=1.2, label="stimulus on"),
            Line2D([], [], color=style.STIMULUS_OFF, lw=1.2, ls=(0, (4, 1.6)), label="off"),
        ]
    return out


def _named(name: str, table: pd.DataFrame, tested: Sequence[str], design: Mapping[str, Any]) -> str:
    n = int(table.loc[table["genotype"] == name, "n_assays"].iloc[0])
    text = style.shorten(name, 4.2, 8)
    bar = f"; bar: differs at family error {design['alpha']:g}" if name in tested else ""
    return f"{text} ({style.plural(n, 'assay')}{bar})"


def _strips(
    axes: Axes, differences: pd.DataFrame, tested: Sequence[str], colours: Mapping[str, str],
    x: tuple[float, float], design: Mapping[str, Any],
) -> None:  # fmt: skip
    """Draw one row per genotype, filled where it differs from its control."""
    for k, name in enumerate(tested):
        own = differences[differences["genotype"] == name]
        where = own[own["differs"].to_numpy(bool)]
        widths = (where["t_stop"] - where["t_start"]).to_numpy(float)
        spans = list(zip(where["t_start"].to_numpy(float), widths, strict=True))
        axes.axhspan(k + 0.1, k + 0.9, color="#F0F0F0", lw=0, zorder=0)
        axes.broken_barh(spans, (k + 0.1, 0.8), color=colours[name], lw=0, zorder=2)
        if not spans:
            axes.text(0.5, k + 0.5, "no time of difference found", size=6.5, color=style.MUTED,
                      transform=axes.get_yaxis_transform(), ha="center", va="center")  # fmt: skip
    axes.set_xlim(*x)
    axes.set_ylim(len(tested), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(_time_label(design))


def _legend(figure: Figure, handles: Sequence[Any], split: int = 0) -> None:
    """Place the keys in the bottom margin: all in a row, or curves above and marks in a row."""
    width, height = figure.get_size_inches()
    anchor = (LEFT / width, 0.12 / height)
    rows = [(handles[split:], 0.0)]
    if split:
        rows.append((handles[:split], 0.26))
    for part, lift in rows:
        figure.add_artist(
            figure.legend(
                handles=list(part), loc="lower left", ncols=len(part) if not lift else 1,
                bbox_to_anchor=(anchor[0], anchor[1] + lift / height), borderaxespad=0,
                borderpad=0, handlelength=1.6, columnspacing=1.6, labelspacing=0.35,
            )
        )  # fmt: skip
