"""When lines differ: a row per line, a column per window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.plot import style
from larvastats.plot.fields import flags, numbers, words

if TYPE_CHECKING:
    import pandas as pd

    from larvastats.results import ScreenResult

LEFT, RIGHT, ROW, MOST_LINES = 0.3, 0.95, 0.21, 40
COLUMN, NARROW, BROAD = 0.85, 0.2, 6.0
WHITE_TO_RED = ("#FFFFFF", "#F6C9A8", style.REJECTED)
NOTHING = "#EFEFEF"


@style.styled
def plot_line_windows(result: ScreenResult) -> Figure:
    """Draw how far each line is from its control in each window that was tested.

    Colour is the Hellinger distance without its small-sample bias (the test statistic, where there
    are no distances); framed windows are called different, all windows of a line together.

    Parameters
    ----------
    result : ScreenResult
        Of several windows.

    Returns
    -------
    Figure
        At most forty lines, the best first.

    Raises
    ------
    UsageError
        If the screen tested one window only.
    """
    table = result.windows
    if table is None:
        raise UsageError("this screen tested one window; there is nothing to draw over windows.")
    names = list(dict.fromkeys(words(table, "genotype")))
    shown, columns = names[:MOST_LINES], list(dict.fromkeys(words(table, "window")))
    distance = np.isfinite(numbers(table, "hellinger_adjusted")).any()
    column = "hellinger_adjusted" if distance else "statistic"
    value, found = _grids(table, shown, columns, column)
    labels = _labels(table, shown)
    margin = max(style.text_width(text, 8) for text in labels) + 0.15
    cell = float(np.clip(BROAD / len(columns), NARROW, COLUMN))
    total = max(LEFT + margin + cell * len(columns) + RIGHT, 5.2)
    heads, small = _heading(result, len(names), len(shown), total)
    top = style.heading_height(heads, small) + 0.15
    height = ROW * len(shown)
    long = max(style.text_width(text, 8) for text in columns)
    tilted = long > cell - 0.05
    figure = style.new_figure(total, top + height + (long + 0.35 if tilted else 0.45))
    style.heading(figure, heads, small, LEFT)
    axes = style.axes_at(figure, LEFT + margin, top, cell * len(columns), height, label="windows")
    largest = float(np.nanmax(value, initial=0.0)) or 1.0
    _draw(axes, value, found, largest)
    axes.set_yticks(np.arange(len(shown)) + 0.5, labels)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90 if tilted else 0)
    _scale(figure, LEFT + margin + cell * len(columns) + 0.15, top, largest,
           "H adj." if distance else "T")  # fmt: skip
    return figure


def _grids(
    table: pd.DataFrame, names: list[str], columns: list[str], column: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Effect and verdict, each of shape (line, window)."""
    row, place = ({name: k for k, name in enumerate(found)} for found in (names, columns))
    value = np.full((len(names), len(columns)), np.nan)
    found = np.zeros(value.shape, dtype=bool)
    cells = zip(words(table, "genotype"), words(table, "window"), numbers(table, column),
                flags(table, "rejected"), strict=True)  # fmt: skip
    for genotype, window, effect, rejected in cells:
        if genotype in row:
            value[row[genotype], place[window]] = effect
            found[row[genotype], place[window]] = rejected
    return value, found


def _labels(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Lines where all share one effector, else genotypes."""
    line = dict(zip(words(table, "genotype"), words(table, "line"), strict=True))
    short = len(set(words(table, "effector"))) == 1 and len(set(line.values())) == len(line)
    return [style.shorten(line[name] if short else name, 3.2, 8) for name in names]


def _heading(
    result: ScreenResult, n_lines: int, n_shown: int, width: float
) -> tuple[list[str], list[str]]:
    d = result.design
    framed = f"framed: different in this window, all {d['n_windows']} windows of a line together"
    below = [f"{d['data_name']} · {d['stimuli']}", framed]
    if n_shown < n_lines:
        below.append(f"The first {n_shown} of {style.plural(n_lines, 'line')} are shown.")
    small = [line for text in below for line in style.wrap(text, width - 2 * LEFT, 9)]
    title = f"When lines differ: {_found(result)} found"
    return style.wrap(title, width - 2 * LEFT, 12, "bold"), small


def _found(result: ScreenResult) -> str:
    """Say how many lines were found."""
    tested = int(result.table["p_value"].notna().sum())
    found = int(flags(result.table, "rejected").sum())
    return f"{found} of {style.plural(tested, 'line')}"


def _draw(axes: Axes, value: NDArray[np.float64], found: NDArray[np.bool_], largest: float) -> None:
    colours = LinearSegmentedColormap.from_list("effect", WHITE_TO_RED).with_extremes(bad=NOTHING)
    axes.pcolormesh(np.ma.masked_invalid(np.maximum(value, 0)), cmap=colours, vmin=0, vmax=largest,
                    edgecolor="white", linewidth=0.8)  # fmt: skip
    for row, column in np.argwhere(found):
        axes.add_patch(Rectangle((column + 0.04, row + 0.06), 0.92, 0.88, fill=False, lw=1.3,
                                 edgecolor=style.INK, gid="rejected"))  # fmt: skip
    axes.set_ylim(len(value), 0)
    axes.set_xlim(0, value.shape[1])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _scale(figure: Figure, left: float, top: float, largest: float, name: str) -> None:
    """Draw the colours beside the picture."""
    height = 1.0
    axes = style.axes_at(figure, left, top, 0.12, height, label="scale")
    colours = LinearSegmentedColormap.from_list("effect", WHITE_TO_RED)
    axes.pcolormesh(np.linspace(0, largest, 64)[:, None], cmap=colours, vmin=0, vmax=largest)
    axes.set_xticks([])
    axes.set_yticks([0, 64], ["0", f"{largest:.2g}"])
    axes.yaxis.tick_right()
    axes.tick_params(length=0)
    axes.set_title(name, size=8, loc="left", pad=9)
