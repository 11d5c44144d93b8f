"""Transition matrices side by side: the drawing that `matrices` and its windows share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from larvastats.plot import style

LABEL_SIZE, SMALLEST_NUMBER = 8.5, 4.5
LEFT, GAP, BAR = 0.3, 0.35, 0.13


@dataclass(frozen=True, slots=True)
class Panel:
    """One matrix and what is written around it.

    Attributes
    ----------
    values : ndarray, shape (from, to)
        NaN where nothing is to be shown.
    head, below : str
        Name of the matrix; a second, smaller line.
    scale : Scale
    unvisited : mapping of int to str
        Rows that were never visited, and what to write into them.
    framed : (int, int) or None
        Cell to frame.
    digits : int
        Decimals of the numbers in the cells.
    bold : ndarray of bool, shape (from, to), or None
        Cells whose numbers stand out.
    """

    values: NDArray[np.float64]
    head: str
    below: str
    scale: Scale
    unvisited: dict[int, str] = field(default_factory=dict)
    framed: tuple[int, int] | None = None
    digits: int = 2
    bold: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Colours of a matrix; panels with the same scale share one bar."""

    label: str
    low: float
    high: float

    @property
    def diverging(self) -> bool:
        """Whether it is centred at 0."""
        return self.low < 0

    @property
    def colours(self) -> Colormap:
        """Blues for amounts, purple to orange for differences: both safe for colour-blind eyes."""
        if self.diverging:
            return mpl.colormaps["PuOr_r"]
        return ListedColormap(mpl.colormaps["Blues"](np.linspace(0, 0.92, 256)))

    @property
    def norm(self) -> Normalize:
        """Map values to colours linearly."""
        return Normalize(self.low, self.high)


def sequential(values: Sequence[NDArray[np.float64]], label: str) -> Scale:
    """Return a scale from 0 to the largest value, rounded up."""
    return Scale(label, 0.0, _round_up(_largest(values)))


def diverging(values: Sequence[NDArray[np.float64]], label: str) -> Scale:
    """Return a scale centred at 0 that reaches the largest absolute value, rounded up."""
    high = _round_up(_largest(values))
    return Scale(label, -high, high)


def _largest(values: Sequence[NDArray[np.float64]]) -> float:
    finite = [np.abs(v[np.isfinite(v)]) for v in values]
    return float(max((v.max() for v in finite if len(v)), default=0.0))


def _round_up(value: float) -> float:
    """Round up to .02, .05 or a full tenth."""
    small = [step for step in (0.02, 0.05) if value <= step]
    return small[0] if small else round(0.1 * float(np.ceil(10 * value - 1e-9)), 6)


def draw_panels(
    panels: Sequence[Panel],
    states: Sequence[str],
    title: str,
    below: Sequence[str],
    columns: int,
) -> Figure:
    """Draw matrices in rows of `columns`, with one colour bar per scale.

    Parameters
    ----------
    panels : sequence of Panel
    states : sequence of str, length K
    title : str
    below : sequence of str
        Lines under the title.
    columns : int
    """
    layout = _Layout.of(panels, states, min(columns, len(panels)))
    width = max(layout.width, 6.5)
    lines = style.wrap(title, width - 2 * LEFT, 12, "bold")
    small = [part for text in below for part in style.wrap(text, width - 2 * LEFT, 9, max_lines=3)]
    top = style.heading_height(lines, small)
    figure = style.new_figure(width, top + layout.rows * layout.pitch_y + 0.6)
    style.heading(figure, lines, small, LEFT)
    for k, panel in enumerate(panels):
        row, column = divmod(k, layout.columns)
        left = LEFT + column * layout.pitch_x + layout.margin
        at = (left, top + row * layout.pitch_y)
        _draw_one(figure, panel, layout.heads[k], layout, at)
    _draw_bars(figure, panels, layout, top + layout.rows * layout.pitch_y)
    return figure


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes in inches."""

    columns: int
    rows: int
    side: float
    margin: float
    below: float
    head: float
    names: tuple[str, ...]
    upright: bool
    heads: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, panels: Sequence[Panel], states: Sequence[str], columns: int) -> _Layout:
        # Many states get smaller cells, down to what a number of three characters needs.
        n = len(states)
        side = float(np.clip(min(0.56 * n, max(4.5, 0.28 * n)), 2.4, 9.0))
        names = tuple(style.shorten(state, 1.3, LABEL_SIZE) for state in states)
        widest = max(style.text_width(name, LABEL_SIZE) for name in names)
        upright = widest > side / len(states) - 0.06
        margin = widest + 0.38
        # A head may reach over the margin of the next panel, but not out of the figure.
        room = [side + (0.1 if k % columns == columns - 1 else margin) for k in range(len(panels))]
        heads = tuple(_head_lines(p, w - 0.1) for p, w in zip(panels, room, strict=True))
        below = (widest if upright else 0.14) + 0.42
        head = 0.17 * max(len(lines) for lines in heads) + 0.2
        rows = -(-len(panels) // columns)
        return cls(columns, rows, side, margin, below, head, names, upright, heads)

    @property
    def pitch_x(self) -> float:
        return self.margin + self.side + GAP

    @property
    def pitch_y(self) -> float:
        return self.head + self.side + self.below

    @property
    def width(self) -> float:
        return 2 * LEFT + self.columns * self.pitch_x - GAP


def _head_lines(panel: Panel, width: float) -> tuple[str, ...]:
    """Name of a panel (at most two lines), then its smaller line (at most two)."""
    below = style.wrap(panel.below, width, 8) if panel.below else []
    return (*(f"*{line}" for line in style.wrap(panel.head, width, 9, "bold")), *below)


def _draw_one(
    figure: Figure, panel: Panel, lines: Sequence[str], layout: _Layout, at: tuple[float, float]
) -> None:
    left, top = at
    y = top + 0.1
    for line in lines:
        bold = line.startswith("*")
        look: dict[str, Any] = (
            {"size": 9, "weight": "bold"} if bold else {"size": 8, "color": style.MUTED}
        )
        style.text_at(figure, left, y, line.removeprefix("*"), **look)
        y += 0.17
    axes = style.axes_at(figure, left, top + layout.head, layout.side, layout.side)
    axes.set_label(panel.head)
    n = len(layout.names)
    axes.set(xlim=(0, n), ylim=(n, 0), xlabel="to", ylabel="from")
    axes.set_xticks(np.arange(n) + 0.5, layout.names, rotation=90 if layout.upright else 0)
    axes.set_yticks(np.arange(n) + 0.5, layout.names)
    axes.tick_params(length=0, labelsize=LABEL_SIZE)
    axes.xaxis.label.set_color(style.MUTED)
    axes.yaxis.label.set_color(style.MUTED)
    for side in axes.spines.values():
        side.set_visible(False)
    _draw_cells(axes, panel, layout.side / n)


def _draw_cells(axes: Axes, panel: Panel, cell: float) -> None:
    values = np.ma.masked_invalid(panel.values)
    axes.pcolormesh(
        np.arange(values.shape[1] + 1),
        np.arange(values.shape[0] + 1),
        values,
        cmap=panel.scale.colours,
        norm=panel.scale.norm,
        edgecolors="white",
        linewidth=1.2 if cell > 0.35 else 0.5,
    )
    _write_numbers(axes, panel, cell)
    for row, words in panel.unvisited.items():
        _hatch_row(axes, row, values.shape[1], words, cell)
    if panel.framed is not None:
        row, column = panel.framed
        axes.add_patch(
            Rectangle(
                (column, row), 1, 1, fill=False, edgecolor=style.INK, linewidth=2.0, zorder=4,
                clip_on=False, gid="framed",
            )
        )  # fmt: skip


def _write_numbers(axes: Axes, panel: Panel, cell: float) -> None:
    """Write every number into its cell, unless cells are too small to read it."""
    size = min(9.0, cell * 72 / (0.7 * (panel.digits + 2)))
    if size < SMALLEST_NUMBER:
        return
    fills = panel.scale.colours(panel.scale.norm(np.nan_to_num(panel.values)))
    for row, column in zip(*np.nonzero(np.isfinite(panel.values)), strict=True):
        value = float(panel.values[row, column])
        words = cell_text(value, panel.scale.diverging, panel.digits)
        light = _luminance(fills[row, column]) > 0.25
        quiet = words[0] in "0<≈"
        ink = (style.MUTED if quiet else style.INK) if light else "white"
        weight = "bold" if panel.bold is not None and panel.bold[row, column] else "normal"
        axes.text(
            column + 0.5, row + 0.5, words, ha="center", va="center", size=size, color=ink,
            weight=weight,
        )  # fmt: skip


def cell_text(value: float, diverging: bool, digits: int = 2) -> str:
    """Write a probability (``.55``, ``<.01``) or a difference (``+.21``, ``≈0``) for a cell."""
    if value == 0:
        return "0"
    if abs(value) < 0.5 * 10.0**-digits:
        return "≈0" if diverging else f"<.{'0' * (digits - 1)}1"
    text = f"{abs(value):.{digits}f}".removeprefix("0")
    text = "1" if float(text) == 1 else text
    return f"{'−' if value < 0 else '+'}{text}" if diverging else text


def _luminance(rgba: NDArray[np.float64]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.1)."""
    rgb = rgba[:3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _hatch_row(axes: Axes, row: int, n: int, words: str, cell: float) -> None:
    axes.add_patch(
        Rectangle(
            (0, row), n, 1, facecolor="#EFEFEF", edgecolor="#BBBBBB", hatch="////",
            linewidth=0, zorder=2, gid="unvisited",
        )
    )  # fmt: skip
    axes.text(
        n / 2, row + 0.5, words, ha="center", va="center", color=style.MUTED, zorder=3,
        size=min(8.0, cell * 72 / 1.6), style="italic",
        bbox={"facecolor": "white", "edgecolor": "none", "boxstyle": "square,pad=0.15"},
    )  # fmt: skip


def _draw_bars(figure: Figure, panels: Sequence[Panel], layout: _Layout, top: float) -> None:
    """Draw one colour bar per scale, under the middle of the panels that use it."""
    for scale in dict.fromkeys(panel.scale for panel in panels):
        used = sorted({k % layout.columns for k, p in enumerate(panels) if p.scale == scale})
        left = LEFT + used[0] * layout.pitch_x + layout.margin
        right = LEFT + used[-1] * layout.pitch_x + layout.margin + layout.side
        width = min(right - left, max(2.4, 0.5 * (right - left)))
        middle = (left + right - width) / 2
        axes = style.axes_at(figure, middle, top + 0.02, width, BAR)
        bar = figure.colorbar(
            ScalarMappable(scale.norm, scale.colours), cax=axes, orientation="horizontal"
        )
        ticks = np.linspace(scale.low, scale.high, _intervals(scale) + 1)
        bar.set_ticks(ticks.tolist(), labels=[_tick_text(tick) for tick in ticks])
        bar.set_label(scale.label, size=8)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=2, labelsize=7.5)


def _intervals(scale: Scale) -> int:
    """Return how many intervals between ticks give short numbers."""
    if scale.diverging:
        return 4
    return {3: 3, 5: 5, 6: 3, 7: 7, 9: 3, 10: 5}.get(round(10 * scale.high), 4)


def _tick_text(value: float) -> str:
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("0", "-0") else text.replace("-", "−")
