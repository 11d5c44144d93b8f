"""The picture of a training, as the report's Figures 16 and 17: losses by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from larvastats.plot.style import FAINT, INK, KEPT, MUTED, REJECTED, context

Row = Mapping[str, Any]


def draw_losses(rows: Sequence[Row]) -> Figure:
    """Draw losses, reconstruction and use of the latent over epochs.

    Parameters
    ----------
    rows : sequence of mapping
        One per epoch, as a training logs them.

    Returns
    -------
    Figure
        Two panels without a probabilistic latent, four with one.
    """
    with context():
        with_latent = "nats" in rows[-1]
        figure = Figure(figsize=(7.2, 5.4 if with_latent else 2.8), layout="constrained")
        axes = figure.subplots(2 if with_latent else 1, 2, squeeze=False).ravel()
        epochs = [row["epoch"] for row in rows]
        _losses(axes[0], epochs, rows)
        _reconstruction(axes[1], epochs, rows)
        if with_latent:
            _divergence(axes[2], epochs, rows)
            _units(axes[3], rows[-1])
        for axis in axes[: 3 if with_latent else 2]:
            axis.set_xlabel("epoch")
            axis.xaxis.get_major_locator().set_params(integer=True)
        for axis in axes:
            axis.grid(axis="y", color=FAINT, linewidth=0.6)
            axis.set_axisbelow(True)
    return figure


def _line(axis: Axes, epochs: Sequence[int], rows: Sequence[Row], name: str, label: str,
          colour: str, style: str = "-") -> None:  # fmt: skip
    marker = "o" if len(rows) < 3 else None
    axis.plot(epochs, [row[name] for row in rows], style, color=colour, label=label, marker=marker,
              markersize=3, linewidth=1.4)  # fmt: skip


def _losses(axis: Axes, epochs: Sequence[int], rows: Sequence[Row]) -> None:
    _line(axis, epochs, rows, "loss", "training, β of the epoch", KEPT)
    _line(axis, epochs, rows, "validation_loss", "held out, final β", REJECTED)
    axis.set_title("loss", loc="left")
    axis.legend()


def _reconstruction(axis: Axes, epochs: Sequence[int], rows: Sequence[Row]) -> None:
    films = "bce" in rows[-1]
    _line(axis, epochs, rows, "r2", "free-running", KEPT)
    if "r2_shuffled" in rows[-1]:
        _line(axis, epochs, rows, "r2_shuffled", "another's latent", REJECTED)
    lowest = min(min(row.get(name, 0.0) for row in rows) for name in ("r2", "r2_shuffled"))
    axis.set_ylim(max(-2.0, min(-0.1, lowest - 0.1)), 1.05)
    axis.axhline(0.0, color=MUTED, linewidth=0.8)
    axis.set_title(f"held out: {'intersection over union' if films else 'R²'}", loc="left")
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.12))


def _divergence(axis: Axes, epochs: Sequence[int], rows: Sequence[Row]) -> None:
    _line(axis, epochs, rows, "nats", "held out", KEPT)
    axis.set_ylim(bottom=0)
    axis.set_title("KL divergence, nats (dashed: β)", loc="left")
    beta = axis.twinx()
    _line(beta, epochs, rows, "beta", "β", MUTED, "--")
    beta.set_ylim(0, 1.1 * max(1e-9, *(row["beta"] for row in rows), 0.0))
    beta.spines["right"].set_visible(True)
    beta.set_ylabel("β", color=MUTED)


def _units(axis: Axes, row: Row) -> None:
    kl = np.sort(np.asarray(row["kl_per_dimension"], dtype=float))[::-1]
    axis.bar(np.arange(1, len(kl) + 1), kl, color=KEPT, width=0.8)
    axis.axhline(0.05, color=REJECTED, linewidth=0.8)
    axis.set_xlabel("latent dimension, largest first")
    axis.set_title("KL divergence per dimension, nats", loc="left")
    # the count stands where the bars are low
    axis.text(0.98, 0.95, f"{row['used_dimensions']} above 0.05, {row['active_units']} active",
              transform=axis.transAxes, ha="right", va="top", color=INK)  # fmt: skip
