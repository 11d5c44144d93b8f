"""What the spectral filter sees: amplitudes by harmonic, and shares above the cut-off."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from larvastats.plot.style import (
    FAINT,
    INK,
    KEPT,
    MUTED,
    REJECTED,
    axes_at,
    heading,
    new_figure,
    plural,
    styled,
)

WIDTH, HEIGHT = 8.4, 3.9
_LEFT, _TOP, _PANEL, _TALL = 0.75, 0.95, 3.2, 2.3


@styled
def plot_spectrum(result: Any, title: str = "Good and bad outlines by their spectrum") -> Figure:
    """Draw mean amplitudes by harmonic, and the shares of frames with both thresholds.

    Parameters
    ----------
    result : Spectra
        Of :func:`larvastats.shape.spectrum.spectra`.
    title : str

    Returns
    -------
    Figure
    """
    figure = new_figure(WIDTH, HEIGHT)
    total = len(result.high_good) + len(result.high_bad)
    below = (
        f"{plural(result.n_good, 'sequence')} kept, {result.n_bad} dropped "
        f"({len(result.high_bad) / max(total, 1):.1%} of {total} frames with a spectrum)"
    )
    heading(figure, [title], [below], _LEFT)
    _amplitudes(axes_at(figure, _LEFT, _TOP, _PANEL, _TALL), result)
    _shares(axes_at(figure, _LEFT + _PANEL + 0.95, _TOP, _PANEL, _TALL), result)
    return figure


def _amplitudes(axes: Axes, result: Any) -> None:
    axes.axvspan(result.cutoff + 0.5, result.harmonic[-1], color=FAINT, alpha=0.5, lw=0)
    for size, colour, label in (
        (result.good, KEPT, "kept"),
        (result.bad, REJECTED, "dropped"),
    ):
        if np.isfinite(size).any():
            axes.plot(result.harmonic, size, color=colour, lw=1.6, label=label)
    axes.set_yscale("log")
    axes.set_xlim(1, result.harmonic[-1])
    axes.set_xlabel("harmonic")
    axes.set_ylabel("mean amplitude, share of all")
    axes.legend(loc="upper right")
    axes.text(
        result.cutoff + 1.2, 0.03, "above the cut-off", color=MUTED, size=8,
        transform=axes.get_xaxis_transform(),
    )  # fmt: skip


def _shares(axes: Axes, result: Any) -> None:
    every = np.concatenate((result.high_good, result.high_bad))
    low = np.log10(max(every[every > 0].min(), 1e-8))
    edges = np.logspace(low, np.log10(every.max()), 61).tolist()
    for high, colour in ((result.high_good, KEPT), (result.high_bad, REJECTED)):
        if len(high):
            axes.hist(high, edges, color=colour, histtype="stepfilled", alpha=0.75)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.set_xlabel("share of energy above the cut-off")
    axes.set_ylabel("frames")
    place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "size": 8, "va": "top"}
    axes.axvline(result.threshold, color=INK, lw=1)
    axes.text(result.threshold * 1.1, 0.99, "threshold", color=INK, **place)
    axes.axvline(result.chosen, color=INK, lw=1, ls=":")
    axes.text(
        result.chosen / 1.1, 0.99, "from the data", color=INK, ha="right", **place
    )  # fmt: skip
