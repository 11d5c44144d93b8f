"""Lines by their distance to the control, with intervals: the screen at a glance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from larvastats.plot import style
from larvastats.plot.effects import Lines, read_lines, titles
from larvastats.plot.fields import HasLines, numbers, words

LEFT, ROW, PLOT_WIDTH, NAME_SIZE = 0.3, 0.27, 4.6, 8.5
BAND = "#E4E4E4"
DOT = 30.0


@style.styled
def plot_ranking(result: HasLines, top: int = 40) -> Figure:
    """Draw lines by their adjusted Hellinger distance, the largest on top.

    A dot is the adjusted distance and a ring the plug-in, the line through them the bootstrap
    interval; the grey bar ends at the 95th percentile of pseudo-lines drawn from the controls.
    Where a result has no adjusted distance, the plug-in or else the statistic takes its place.

    Parameters
    ----------
    result : ScreenResult
    top : int
        How many lines at most; the text under the title counts the others.

    Returns
    -------
    Figure
    """
    lines = read_lines(result.table)
    order = _order(lines)
    shown, hidden = order[: max(1, top)], order[max(1, top) :]
    title, below = titles(result, lines, _left_out(lines, shown, hidden))
    columns = _columns(result.table, lines, shown)
    names = [style.shorten(lines.names[k], 3.4, NAME_SIZE) for k in shown]
    name_width = max((style.text_width(name, NAME_SIZE) for name in names), default=0.0) + 0.15
    width = max(8.0, LEFT + name_width + PLOT_WIDTH + sum(c.width for c in columns) + LEFT)
    lines_title = style.wrap(title, width - 2 * LEFT, 12, "bold")
    small = [t for text in below for t in style.wrap(text, width - 2 * LEFT, 9)]
    top_edge = style.heading_height(lines_title, small) + 0.25
    height = ROW * max(1, len(shown))
    figure = style.new_figure(width, top_edge + height + 1.0)
    style.heading(figure, lines_title, small, LEFT)
    axes = style.axes_at(figure, LEFT + name_width, top_edge, PLOT_WIDTH, height)
    _draw_rows(axes, lines, shown, names)
    _write_columns(axes, columns)
    _draw_legend(figure, lines, shown, top_edge + height + 0.62)
    return figure


def _order(lines: Lines) -> NDArray[np.int64]:
    """Lines by effect, the largest first; those without one last, by their plug-in distance."""
    effect = np.where(np.isfinite(lines.effect), lines.effect, -np.inf)
    plug_in = np.where(np.isfinite(lines.plug_in), lines.plug_in, -np.inf)
    return np.lexsort((np.arange(len(lines)), -plug_in, -effect))


def _left_out(lines: Lines, shown: NDArray[np.int64], hidden: NDArray[np.int64]) -> str:
    if not len(hidden):
        return ""
    rejected = int(lines.rejected[hidden].sum())
    return (
        f"The top {len(shown)} of {len(lines):,} lines; {len(hidden):,} with smaller effects are "
        f"left out, {rejected:,} of them rejected."
    )


def _draw_rows(axes: Axes, lines: Lines, shown: NDArray[np.int64], names: list[str]) -> None:
    rows = np.arange(len(shown))
    colours = _inks(lines)[shown]
    axes.barh(
        rows, np.nan_to_num(lines.pseudo_95[shown]), height=0.72, color=BAND, zorder=1, gid="pseudo"
    )
    low, high = lines.low[shown], lines.high[shown]
    some = np.isfinite(low) & np.isfinite(high)
    segments = [[(low[k], k), (high[k], k)] for k in np.flatnonzero(some)]
    axes.add_collection(
        LineCollection(segments, colors=colours[some], linewidths=1.6, zorder=3, gid="interval"),
        autolim=False,
    )
    plug_in = axes.scatter(lines.plug_in[shown], rows, s=DOT, marker="o", zorder=4, gid="plug-in",
                           clip_on=False)  # fmt: skip
    _hollow(plug_in, colours)
    axes.scatter(
        lines.effect[shown], rows, s=DOT, c=colours, marker="o", zorder=5, linewidths=0,
        gid="effect", clip_on=False,
    )  # fmt: skip
    ends = [lines.effect[shown], lines.plug_in[shown], high, lines.pseudo_95[shown]]
    right = max((float(np.nanmax(e)) for e in ends if np.isfinite(e).any()), default=1.0)
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlim=(0, right * 1.04 or 1.0))
    axes.set_xlabel(lines.label, labelpad=5)
    axes.set_yticks(rows, names)
    axes.tick_params(axis="y", length=0, labelsize=NAME_SIZE, pad=6)
    axes.tick_params(axis="x", length=3)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#EFEFEF", linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for label, rejected in zip(axes.get_yticklabels(), lines.rejected[shown], strict=True):
        label.set_color(style.REJECTED if rejected else style.INK)


def _inks(lines: Lines) -> NDArray[np.str_]:
    """Return the colour of every line: rejected, not rejected, not tested; shape (line,)."""
    kept = np.where(lines.tested, style.KEPT, style.UNTESTED)
    return np.where(lines.rejected, style.REJECTED, kept)


def _hollow(rings: PathCollection, colours: NDArray[np.str_]) -> None:
    rings.set_facecolor("white")
    rings.set_edgecolor(colours.tolist())
    rings.set_linewidth(1.1)


class _Column:
    """One column of text beside the picture."""

    def __init__(self, head: str, cells: list[str], right: bool = True) -> None:
        self.head, self.cells, self.right = head, cells, right
        widest = max(style.text_width(text, 8) for text in (head, *cells))
        self.width = widest + 0.25


def _columns(table: pd.DataFrame, lines: Lines, shown: NDArray[np.int64]) -> list[_Column]:
    """Columns of text that have anything to say: q (or p), assays, the strongest change."""
    columns = []
    if lines.n_tested:
        corrected = np.isfinite(lines.q).any()
        head, values = ("q", lines.q) if corrected else ("p", lines.p)
        columns.append(_Column(head, [style.p_label(float(values[k])) for k in shown]))
    assays, controls = numbers(table, "n_assays"), numbers(table, "n_control_assays")
    if np.isfinite(assays[shown]).any():
        columns.append(_Column("assays", [_against(assays[k], controls[k]) for k in shown]))
    cells = [cell.replace("->", " → ") for cell in words(table, "top_transition")]
    change = numbers(table, "top_difference")
    strongest = [_strongest(cells[k], change[k]) for k in shown]
    if any(strongest):
        columns.append(_Column("strongest change", strongest, right=False))
    notes = words(table, "note")
    said = [style.shorten(notes[k], 2.6, 8) for k in shown]
    if any(said):
        columns.append(_Column("note", said, right=False))
    return columns


def _against(assays: float, controls: float) -> str:
    parts = [f"{int(n):,}" for n in (assays, controls) if np.isfinite(n)]
    return " vs ".join(parts)


def _strongest(transition: str, difference: float) -> str:
    if not transition or not np.isfinite(difference):
        return ""
    return f"{style.shorten(transition, 2.2, 8)} {style.signed(float(difference), 2)}"


def _write_columns(axes: Axes, columns: list[_Column]) -> None:
    x = 0.05
    place: dict[str, Any] = {"textcoords": "offset points", "annotation_clip": False, "size": 8}
    for column in columns:
        offset = 72 * (x + (column.width - 0.25 if column.right else 0.0)) + 8
        align = "right" if column.right else "left"
        axes.annotate(
            column.head, (1, 1), (offset, 8), xycoords="axes fraction", ha=align, va="bottom",
            color=style.MUTED, **place,
        )  # fmt: skip
        for row, text in enumerate(column.cells):
            if text:
                axes.annotate(
                    text, (1, row), (offset, 0), xycoords=axes.get_yaxis_transform(), ha=align,
                    va="center", **place,
                )  # fmt: skip
        x += column.width


def _draw_legend(figure: Figure, lines: Lines, shown: NDArray[np.int64], top: float) -> None:
    """Explain the marks that occur, in the colours that occur."""
    occurring = set(_inks(lines)[shown])
    known = ((style.REJECTED, "rejected"), (style.KEPT, "not rejected"),
             (style.UNTESTED, "not tested"))  # fmt: skip
    inks = [ink for ink, _ in known if ink in occurring]
    entries: list[tuple[Any, str]] = [(_dot(ink), said) for ink, said in known if ink in occurring]
    if np.isfinite(lines.plug_in[shown]).any():
        entries.append((tuple(_dot(ink, hollow=True) for ink in inks), "plug-in distance"))
    if np.isfinite(lines.low[shown] + lines.high[shown]).any():
        bars = tuple(Line2D([], [], color=ink, linewidth=1.6) for ink in inks)
        entries.append((bars, "bootstrap interval"))
    if np.isfinite(lines.pseudo_95[shown]).any():
        entries.append((Patch(color=BAND), "95th percentile of control pseudo-lines"))
    if entries:
        width, height = figure.get_size_inches()
        figure.legend(
            [mark for mark, _ in entries],
            [text for _, text in entries],
            handler_map={tuple: HandlerTuple(ndivide=None)},
            loc="upper left",
            bbox_to_anchor=((LEFT - 0.05) / width, 1 - top / height),
            borderaxespad=0,
            ncols=6,
            columnspacing=1.6,
        )


def _dot(colour: str, hollow: bool = False) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker="o", markersize=np.sqrt(DOT), markeredgecolor=colour,
        markerfacecolor="white" if hollow else colour,
    )  # fmt: skip
