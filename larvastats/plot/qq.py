"""Observed against expected p-values of control pseudo-lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from larvastats.plot import style

if TYPE_CHECKING:
    from larvastats.results import CalibrationResult

LEFT, WIDTH, RIGHT, HEIGHT = 0.8, 4.4, 2.6, 4.4
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#3F3F3F")


@style.styled
def plot_qq(result: CalibrationResult) -> Figure:
    """Draw the p-values of pseudo-lines against those of a test that keeps its error.

    On the diagonal a test keeps its error; above it p-values are too small and effects are found
    where there are none; below it the test is careful.

    Parameters
    ----------
    result : CalibrationResult

    Returns
    -------
    Figure
    """
    total = LEFT + WIDTH + RIGHT
    heads = ["Does this screen keep its error?"]
    small = style.wrap(result.verdict, total - 0.6, 9)
    top = style.heading_height(heads, small) + 0.1
    figure = style.new_figure(total, top + HEIGHT + 0.75)
    style.heading(figure, heads, small, 0.3)
    axes = style.axes_at(figure, LEFT, top, WIDTH, HEIGHT, label="qq")
    _draw_reference(axes, result)
    groups = result.p_values.groupby(["statistic", "null"], sort=False)["p"]
    for colour, ((statistic, null), p) in zip(_cycle(len(groups)), groups, strict=True):
        expected, observed = _quantiles(p.to_numpy(float))
        label = f"{statistic}, {'F' if null == 'F' else 'relabelled'}"
        axes.plot(expected, observed, color=colour, lw=1.6, label=label,
                  linestyle="--" if null == "F" else "-")  # fmt: skip
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0)
    return figure


def _cycle(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _quantiles(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-log10 of expected and observed p, smallest last."""
    p = np.sort(p[~np.isnan(p)])[::-1]
    n = len(p)
    expected = (n - np.arange(n) - 0.5) / n
    return -np.log10(expected), -np.log10(np.maximum(p, 1e-300))


def _draw_reference(axes: Axes, result: CalibrationResult) -> None:
    """Diagonal, and the levels at which the shares are counted."""
    top = np.log10(2 * max(int(result.design["n_draws"]), 10))
    axes.plot([0, top], [0, top], color=style.MUTED, lw=0.8, zorder=1)
    for level in sorted(result.table["level"].unique()):
        at = -np.log10(level)
        if at < top:
            axes.axhline(at, color=style.FAINT, lw=0.8, zorder=0)
            axes.text(top, at, f"p = {level:g}", ha="right", va="bottom", size=7,
                      color=style.MUTED)  # fmt: skip
    axes.set_xlim(0, top)
    axes.set_ylim(0, None)
    axes.set_xlabel("expected −log10 p")
    axes.set_ylabel("observed −log10 p")
