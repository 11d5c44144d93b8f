"""Effect against evidence, with what the design can show at all."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from larvastats.plot import style
from larvastats.plot.effects import Lines, read_lines, titles
from larvastats.plot.fields import HasLines
from larvastats.plot.labels import place_labels

LEFT, RIGHT, WIDTH, HEIGHT, STRIP = 0.85, 0.35, 7.6, 4.6, 0.3
MOST_LABELS = 30
TINY = 1e-300


@style.styled
def plot_volcano(result: HasLines) -> Figure:
    """Draw the effect of every line against −log10 of its p-value.

    Drawn with them: the smallest p-value that relabelling can give in each design (a line where
    all designs agree, else a tick over each line), and the largest p-value that the correction
    lets pass. Lines without a p-value stand in a strip of their own; rejected ones are named.

    Parameters
    ----------
    result : ScreenResult

    Returns
    -------
    Figure
    """
    lines = read_lines(result.table)
    title, below = titles(result, lines, _missing(lines))
    total = LEFT + WIDTH + RIGHT
    heads = style.wrap(title, total - 0.6, 12, "bold")
    small = [t for text in below for t in style.wrap(text, total - 0.6, 9)]
    top = style.heading_height(heads, small) + 0.1
    apart = np.isfinite(lines.effect) & ~lines.tested
    strip = STRIP + 0.12 if apart.any() else 0.0
    figure = style.new_figure(total, top + HEIGHT + strip + 1.0)
    style.heading(figure, heads, small, 0.3)
    axes = style.axes_at(figure, LEFT, top, WIDTH, HEIGHT, label="volcano")
    _draw_points(axes, lines)
    floor = _draw_floor(axes, lines)
    _draw_threshold(axes, result, lines)
    _legend(figure, lines, floor, top + HEIGHT + strip + 0.62)
    if apart.any():
        _draw_strip(figure, axes, lines, apart, top + HEIGHT + 0.12)
    else:
        axes.set_xlabel(lines.label)
    _name_rejected(axes, lines)
    return figure


def _missing(lines: Lines) -> str:
    """Say how many lines have no place on the axis of effects."""
    gone = ~np.isfinite(lines.effect)
    if not gone.any():
        return ""
    tested = int((gone & lines.tested).sum())
    more = f", {tested} of them tested" if tested else ""
    return f"{style.plural(int(gone.sum()), 'line')} without an effect size: not drawn{more}."


def _evidence(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.log10(np.maximum(p, TINY))


def _draw_points(axes: Axes, lines: Lines) -> None:
    y = _evidence(lines.p)
    for rejected, colour, size in ((False, style.KEPT, 22), (True, style.REJECTED, 34)):
        some = (lines.rejected == rejected) & np.isfinite(lines.effect) & np.isfinite(y)
        axes.scatter(
            lines.effect[some], y[some], s=size, c=colour, linewidths=0.6, edgecolors="white",
            zorder=4 + rejected, gid="rejected" if rejected else "kept",
        )  # fmt: skip
    ends = [e[np.isfinite(e)] for e in (y, _evidence(lines.p_floor))]
    top = max((float(e.max()) for e in ends if len(e)), default=1.0)
    right = float(np.nanmax(lines.effect)) if np.isfinite(lines.effect).any() else 1.0
    left = min(0.0, float(np.nanmin(lines.effect))) if np.isfinite(lines.effect).any() else 0.0
    axes.set(xlim=(left - 0.03 * right, right * 1.08 or 1.0), ylim=(0, max(top, 1.5) * 1.1))
    axes.set_ylabel("evidence, −log₁₀ p")
    axes.grid(color="#F0F0F0", linewidth=0.8)
    axes.set_axisbelow(True)
    if not lines.n_tested:
        axes.text(
            0.5, 0.5, "no line was tested", transform=axes.transAxes, ha="center", va="center",
            color=style.MUTED, size=11,
        )  # fmt: skip


def _draw_floor(axes: Axes, lines: Lines) -> str:
    """Draw the smallest p-value of relabelling; return how: ``line``, ``ticks`` or nothing."""
    known = np.isfinite(lines.p_floor) & np.isfinite(lines.p)
    floors = np.unique(lines.p_floor[known])
    if not len(floors):
        return ""
    if len(floors) == 1:
        y = float(_evidence(floors)[0])
        axes.axhline(y, color=style.MUTED, linewidth=1.0, linestyle=(0, (1, 2)), gid="floor")
        return "line"
    some = known & np.isfinite(lines.effect)
    axes.plot(
        lines.effect[some], _evidence(lines.p_floor[some]), linestyle="none", marker="_",
        markersize=9, markeredgewidth=1.2, color=style.MUTED, zorder=3, gid="floor",
    )  # fmt: skip
    return "ticks"


def _draw_threshold(axes: Axes, result: HasLines, lines: Lines) -> None:
    """Draw the largest p-value that the correction lets pass, where that is known."""
    cut, text = _threshold(result, lines)
    if not text:
        return
    y = float(_evidence(np.array([cut]))[0])
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, max(top, 1.12 * y))
    axes.axhline(y, color=style.REJECTED, linewidth=1.0, linestyle=(0, (5, 3)), gid="threshold")
    axes.annotate(
        text, (1, y), (-2, 3), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        ha="right", va="bottom", size=8, color=style.REJECTED, gid="threshold",
    )  # fmt: skip


def _threshold(result: HasLines, lines: Lines) -> tuple[float, str]:
    """Return the largest p-value that the correction lets pass, and how to call it."""
    m, k = lines.n_tested, lines.n_rejected
    if not m:
        return np.nan, ""
    correction = result.design.get("correction")
    if correction == "bh":
        cut = result.alpha * max(k, 1) / m
        more = "" if k else " for a first rejection"
        return cut, f"Benjamini–Hochberg: p ≤ {style.p_label(cut)}{more}"
    if correction == "bonferroni":
        return result.alpha / m, f"Bonferroni: p ≤ {style.p_label(result.alpha / m)}"
    if correction == "none":
        return result.alpha, f"uncorrected: p ≤ {style.p_label(result.alpha)}"
    if k:
        cut = float(np.nanmax(lines.p[lines.rejected]))
        return cut, f"largest rejected p = {style.p_label(cut)}"
    return np.nan, ""


def _draw_strip(
    figure: Figure, above: Axes, lines: Lines, apart: NDArray[np.bool_], top: float
) -> None:
    """Draw the lines without a p-value under the picture, on the same axis of effects."""
    axes = style.axes_at(figure, LEFT, top, WIDTH, STRIP, label="no p")
    axes.set(xlim=above.get_xlim(), ylim=(0, 1), yticks=[0.5], xlabel=lines.label)
    axes.set_yticklabels(["no p"])
    axes.set_facecolor("#F6F6F6")
    axes.tick_params(axis="y", length=0)
    axes.plot(
        lines.effect[apart], np.full(int(apart.sum()), 0.5), linestyle="none", marker="o",
        markersize=5, markerfacecolor="white", markeredgecolor=style.KEPT, gid="no p",
    )  # fmt: skip
    axes.spines["left"].set_visible(False)
    above.tick_params(labelbottom=False)


def _legend(figure: Figure, lines: Lines, floor: str, top: float) -> None:
    handles = []
    kinds = ((lines.rejected, style.REJECTED, "rejected"),
             (~lines.rejected & lines.tested, style.KEPT, "not rejected"))  # fmt: skip
    for some, colour, text in kinds:
        if some.any():
            handles.append(_mark(text, colour, "o", colour))
    if (np.isfinite(lines.effect) & ~lines.tested).any():
        handles.append(_mark("not tested", style.KEPT, "o", "white"))
    text = "smallest p that relabelling can give"
    if floor == "line":
        text += f": {style.p_label(float(np.nanmin(lines.p_floor[lines.tested])))}"
    if floor == "line":
        handles.append(
            Line2D([], [], color=style.MUTED, linewidth=1.0, linestyle=(0, (1, 2)), label=text)
        )
    elif floor == "ticks":
        handles.append(_mark(f"{text} (by line)", style.MUTED, "_", style.MUTED))
    width, height = figure.get_size_inches()
    figure.legend(
        handles=handles, loc="upper left", ncols=len(handles) or 1, borderaxespad=0,
        bbox_to_anchor=(0.25 / width, 1 - top / height), columnspacing=1.8, handletextpad=0.5,
    )  # fmt: skip


def _mark(text: str, edge: str, marker: str, face: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker=marker, markersize=6, markerfacecolor=face,
                  markeredgecolor=edge, label=text)  # fmt: skip


def _name_rejected(axes: Axes, lines: Lines) -> None:
    """Name the rejected lines, the most evident first, as far as there is room."""
    y = _evidence(lines.p)
    drawn = np.isfinite(lines.effect) & np.isfinite(y)
    order = np.lexsort((-lines.effect, lines.p))
    named = [int(k) for k in order if lines.rejected[k] and drawn[k]]
    left = place_labels(
        axes,
        np.column_stack([lines.effect, y])[drawn],
        [(float(lines.effect[k]), float(y[k]), style.shorten(lines.names[k], 2.6, 7.5))
         for k in named[:MOST_LABELS]],
        size=7.5,
    )  # fmt: skip
    unnamed = left + max(0, len(named) - MOST_LABELS)
    if unnamed:
        axes.text(
            0.995, 0.02, f"{unnamed} more rejected without a name here", transform=axes.transAxes,
            ha="right", va="bottom", size=8, color=style.MUTED,
        )  # fmt: skip
