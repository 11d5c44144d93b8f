"""One page of an examination, and strips of real and synthetic larvae."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from generative.diagnostics.diagnose import Diagnosis
from generative.diagnostics.motion import NAMES, midlines_of
from larvastats.plot.style import FAINT, INK, KEPT, MUTED, REJECTED, context

EXAMPLES = 4
"""Larvae of each kind and action in the strips."""

EVERY = 4
"""Frames from body to body in the strips."""

_KINDS = (("held out", INK, "-"), ("training", MUTED, "--"), ("synthetic", REJECTED, "-"))


def draw_page(found: Diagnosis) -> Figure:
    """Draw gates, use of the latent, motion, spectra and effects on one page."""
    with context():
        figure = Figure(figsize=(11.7, 8.3), layout="constrained")
        grid = figure.add_gridspec(3, 3, height_ratios=(1.25, 1, 1))
        _gates(figure.add_subplot(grid[0, :2]), found)
        _divergence(figure.add_subplot(grid[0, 2]), found)
        for k, name in enumerate(("speed", "bend", "jerk")):
            _histogram(figure.add_subplot(grid[1, k]), found, name)
        _spectrum(figure.add_subplot(grid[2, 0]), found, 0, "spectrum of the centroid's velocity")
        _spectrum(figure.add_subplot(grid[2, 1]), found, 1, "spectrum of the bend")
        _effects(figure.add_subplot(grid[2, 2]), found)
    return figure


def _gates(axis: Axes, found: Diagnosis) -> None:
    axis.axis("off")
    axis.set_title(f"{found.met} of {len(found.gates)} gates are met, on held-out assays",
                   loc="left")  # fmt: skip
    n = len(found.gates)
    for k, gate in enumerate(found.gates):
        y = 1 - (k + 0.5) / n
        colour = {"met": KEPT, "missed": REJECTED}.get(gate.verdict, MUTED)
        value = "" if np.isnan(gate.value) else f"{gate.value:.3g}"
        floor = "" if np.isnan(gate.floor) else f"real {gate.floor:.3g}"
        places = ((0.0, gate.name), (0.42, value), (0.54, gate.asked), (0.70, floor),
                  (0.86, gate.verdict))  # fmt: skip
        for x, text in places:
            axis.text(x, y, text, transform=axis.transAxes, va="center", fontsize=8,
                      color=colour if x in (0.42, 0.86) else INK)  # fmt: skip


def _divergence(axis: Axes, found: Diagnosis) -> None:
    kl = found.collapse.kl
    axis.bar(np.arange(1, len(kl) + 1), kl, color=KEPT, width=0.8)
    axis.axhline(0.05, color=REJECTED, linewidth=0.8)
    axis.set_title("KL divergence per dimension, nats", loc="left")
    axis.set_xlabel("latent dimension, largest first")


def _histogram(axis: Axes, found: Diagnosis, name: str) -> None:
    k = NAMES.index(name)
    values = {kind: found.fidelity.motion[kind][:, k] for kind, _, _ in _KINDS}
    top = float(np.quantile(np.concatenate(list(values.values())), 0.99))
    edges = np.linspace(0, max(top, 1e-9), 41).tolist()
    for kind, colour, style in _KINDS:
        axis.hist(np.minimum(values[kind], top), edges, histtype="step", color=colour,
                  linestyle=style, label=kind, density=True)  # fmt: skip
    unit = {"speed": "body lengths / s", "bend": "rad", "jerk": "body lengths / s³"}[name]
    axis.set_title(f"{name} of a sequence", loc="left")
    axis.set_xlabel(unit)
    axis.set_yticks([])
    if name == "speed":
        axis.legend()


def _spectrum(axis: Axes, found: Diagnosis, series: int, title: str) -> None:
    for kind, colour, style in _KINDS:
        axis.semilogy(found.fidelity.frequency, found.fidelity.power[kind][series], style,
                      color=colour, linewidth=1.2)  # fmt: skip
    axis.set_title(title, loc="left")
    axis.set_xlabel("Hz")
    axis.grid(axis="y", color=FAINT, linewidth=0.6)


def _effects(axis: Axes, found: Diagnosis) -> None:
    effects = found.fidelity.effects
    axis.set_title("genotype effects, SD", loc="left")
    axis.set_xlabel("real, held out")
    if not len(effects.labels):
        axis.text(0.5, 0.5, "too few sequences", transform=axis.transAxes, ha="center")
        return
    most = 1.1 * float(np.abs(np.stack((effects.real, effects.synthetic, effects.floor))).max())
    axis.plot((-most, most), (-most, most), color=FAINT, linewidth=1)
    axis.plot(effects.real, effects.floor, "o", mfc="none", mec=MUTED, markersize=4,
              label="real, training")  # fmt: skip
    axis.plot(effects.real, effects.synthetic, "o", color=REJECTED, markersize=4,
              label="synthetic")  # fmt: skip
    axis.legend(loc="upper left")


def draw_strips(found: Diagnosis, seed: int = 0) -> Figure:
    """Draw real and synthetic larvae side by side, body by body along their way."""
    chosen = examples(found, EXAMPLES, seed)
    with context():
        figure = Figure(figsize=(11.7, 1.5 * len(chosen) + 0.6), layout="constrained")
        axes = figure.subplots(len(chosen), 2 * EXAMPLES, squeeze=False)
        for line, (action, rows) in zip(axes, chosen.items(), strict=True):
            real, fake = (midlines_of(some.take(rows).frames(found.description))
                          for some in (found.held_out, found.synthetic))  # fmt: skip
            reach = _reach(np.concatenate((real, fake)))
            for k, axis in enumerate(line):
                kind, place = (real, k) if k < EXAMPLES else (fake, k - EXAMPLES)
                n = int(found.held_out.mask[rows[place]].sum()) if place < len(rows) else 0
                _bodies(axis, kind[place][:n] if n else None, reach,
                        KEPT if k < EXAMPLES else REJECTED)  # fmt: skip
            line[0].set_ylabel(action, rotation=0, ha="right", va="center")
        axes[0, 0].set_title("real, held out", loc="left", color=KEPT)
        axes[0, EXAMPLES].set_title("synthetic", loc="left", color=REJECTED)
    return figure


def examples(found: Diagnosis, n: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Choose rows of every action by chance, whole sequences first."""
    rng = np.random.default_rng([seed, 16])
    out = {}
    for action in np.unique(found.held_out.action):
        own = rng.permutation(np.flatnonzero(found.held_out.action == action))
        whole = found.held_out.mask[own].all(axis=1)
        out[found.description.actions[action]] = np.concatenate((own[whole], own[~whole]))[:n]
    return out


def _reach(midline: NDArray[np.float64]) -> float:
    """Half the side of a square that holds most larvae, body lengths."""
    low, high = midline.min(axis=(1, 2)), midline.max(axis=(1, 2))
    return 0.55 * float((high - low).max())


def _bodies(axis: Axes, midline: NDArray[np.float64] | None, reach: float, colour: str) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(True)
        side.set_color(FAINT)
    axis.set_aspect("equal")
    if midline is None:
        return
    bodies = midline[::EVERY]
    middle = (midline.min(axis=(0, 1)) + midline.max(axis=(0, 1))) / 2
    shades = np.linspace(0.25, 1.0, len(bodies))
    axis.add_collection(LineCollection(list(bodies), colors=colour, alpha=list(shades),
                                       linewidths=1.2))  # fmt: skip
    axis.plot(*bodies[:, 0].T, ".", color=INK, markersize=2)
    axis.set_xlim(middle[0] - reach, middle[0] + reach)
    axis.set_ylim(middle[1] - reach, middle[1] + reach)
