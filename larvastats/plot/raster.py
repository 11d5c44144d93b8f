"""The ethogram as a raster: one row per larva, its states in colour, the stimulus over all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.plot import style
from larvastats.plot.fields import HasBouts

LEFT, WIDTH, STRIP = 0.3, 8.2, 0.1
ROW_LARGEST, ROW_SMALLEST, TALL, GAP = 0.2, 0.02, 5.6, 0.14
MOST_GROUPS = 24
RASTERIZE = 5_000
ASSAY_GREYS = ("#8C8C8C", "#CFCFCF")
DASHES = (0, (4, 2))
STIMULUS_WORDS = ("stimulus on", "stimulus off")

Interval = tuple[float, float]


@style.styled
def plot_raster(
    ethogram: HasBouts,
    *,
    intervals: Iterable[Interval] = (),
    genotypes: Sequence[str] | None = None,
    max_larvae: int = 200,
    title: str | None = None,
) -> Figure:
    """Draw what every larva did when, larvae grouped by genotype and assay.

    Lost tracking stays white. A green line marks every stimulus onset, a dashed red one every
    offset, a bar over the picture the time between. The strip on the left changes its grey from
    assay to assay.

    Parameters
    ----------
    ethogram : Ethogram
    intervals : iterable of (start, stop)
        Stimulus-on times, in s.
    genotypes : sequence of str, optional
        Which, from top to bottom; by default all (the first 24), sorted.
    max_larvae : int
        Rows at most. Where there are more larvae, every genotype gives about as many, evenly
        spaced over its assays; the labels say how many of how many.
    title : str, optional

    Returns
    -------
    Figure

    Raises
    ------
    UsageError
        If a genotype is unknown, or there is nothing to draw.
    """
    if max_larvae < 1:
        raise UsageError(f"max_larvae must be at least 1, but is {max_larvae}.")
    groups, known = _groups(ethogram, genotypes, max_larvae)
    row = float(np.clip(TALL / sum(len(g.larvae) for g in groups), ROW_SMALLEST, ROW_LARGEST))
    labels = [_label(group) for group in groups]
    tops, height = _stack(groups, labels, row)
    margin = max(style.text_width(t, s) for lines in labels for t, s in lines) + 0.3
    marks = _clip(intervals, _extent(ethogram, groups))
    states = [ethogram.states[k] for k in _used(ethogram, groups)]
    total = LEFT + margin + STRIP + WIDTH + LEFT
    heads = style.wrap(title or "Ethograms", total - 2 * LEFT, 12, "bold")
    below = _below(groups, known)
    top = style.heading_height(heads, below) + (0.22 if marks else 0.05)
    columns = _legend_columns([*states, *(STIMULUS_WORDS if marks else ())], total - 2 * LEFT)
    legend_rows = -(-(len(states) + 2 * bool(marks)) // columns)
    figure = style.new_figure(total, top + height + 0.65 + 0.19 * legend_rows)
    style.heading(figure, heads, below, LEFT)
    axes = style.axes_at(figure, LEFT + margin + STRIP, top, WIDTH, height, label="raster")
    _set_up(axes, height, _extent(ethogram, groups))
    _draw_bouts(axes, ethogram, groups, tops, row)
    _draw_assays(axes, ethogram, groups, tops, row)
    _write_labels(axes, labels, tops)
    _draw_stimuli(axes, marks)
    _draw_legend(figure, states, ethogram.states, bool(marks), columns, top + height + 0.52)
    return figure


@dataclass(frozen=True, slots=True)
class _Group:
    """Larvae of one genotype: rows of the ethogram's `larvae`, and how many there are in all."""

    genotype: str
    larvae: NDArray[np.int64]
    n_larvae: int
    n_assays: int


def _groups(
    ethogram: HasBouts, wanted: Sequence[str] | None, max_larvae: int
) -> tuple[list[_Group], int]:
    """Larvae to draw by genotype, and how many genotypes there are."""
    seen = np.bincount(ethogram.larva_index, minlength=len(ethogram.larvae)) > 0
    assay = ethogram.larvae["assay_index"].to_numpy(np.int64)
    genotype = ethogram.assays["genotype"].to_numpy(dtype=object)[assay]
    known = sorted({str(g) for g in genotype[seen]})
    if not known:
        raise UsageError("The ethogram has no bouts; there is nothing to draw.")
    names = [wanted] if isinstance(wanted, str) else list(wanted or known[:MOST_GROUPS])
    for name in names:
        if name not in known:
            listed = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if known[8:] else "")
            raise UsageError(
                f"There is no genotype {name!r} in the ethogram; expected some of: {listed}."
            )
    members = [np.flatnonzero(seen & (genotype == name)) for name in names]
    members = [larvae[np.argsort(assay[larvae], kind="stable")] for larvae in members]
    share = _shares([len(larvae) for larvae in members], max_larvae)
    groups = [
        _Group(name, _evenly(larvae, n), len(larvae), len(np.unique(assay[larvae])))
        for name, larvae, n in zip(names, members, share, strict=True)
        if n
    ]
    return groups, len(names) if wanted else len(known)


def _shares(sizes: Sequence[int], most: int) -> list[int]:
    """Give every group up to an equal share of `most`; what small groups leave goes to others."""
    share, rest = [0] * len(sizes), most
    for done, k in enumerate(sorted(range(len(sizes)), key=lambda k: sizes[k])):
        share[k] = min(sizes[k], rest // (len(sizes) - done))
        rest -= share[k]
    return share


def _evenly(larvae: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Choose `n` of the larvae, evenly spaced."""
    return larvae[(np.arange(n) * len(larvae)) // max(n, 1)]


def _label(group: _Group) -> list[tuple[str, float]]:
    """Lines of text beside a group, with their sizes."""
    shown, total = len(group.larvae), group.n_larvae
    larvae = style.plural(total, "larva")
    count = larvae if shown == total else f"{shown} of {larvae}"
    name = style.wrap(group.genotype, 2.3, 8.5, max_lines=2)
    below = f"{count}, {style.plural(group.n_assays, 'assay')}"
    return [*((line, 8.5) for line in name), (below, 7.5)]


def _stack(
    groups: Sequence[_Group], labels: Sequence[Sequence[tuple[str, float]]], row: float
) -> tuple[list[float], float]:
    """Top of every group and height of all (inches); a group is at least as high as its label."""
    tops, y = [], 0.0
    for group, lines in zip(groups, labels, strict=True):
        tops.append(y)
        y += max(len(group.larvae) * row, 0.15 * len(lines)) + GAP
    return tops, y - GAP


def _bouts_of(ethogram: HasBouts, groups: Sequence[_Group]) -> NDArray[np.bool_]:
    chosen = np.zeros(len(ethogram.larvae), dtype=bool)
    for group in groups:
        chosen[group.larvae] = True
    return chosen[ethogram.larva_index]


def _extent(ethogram: HasBouts, groups: Sequence[_Group]) -> Interval:
    """First and last moment drawn (s); from 0 on when the first bout starts soon after."""
    some = _bouts_of(ethogram, groups)
    start, stop = float(ethogram.t_start[some].min()), float(ethogram.t_stop[some].max())
    return (0.0 if 0 <= start < 0.1 * stop else start), stop


def _used(ethogram: HasBouts, groups: Sequence[_Group]) -> NDArray[np.int64]:
    return np.unique(ethogram.state[_bouts_of(ethogram, groups)]).astype(np.int64)


def _clip(intervals: Iterable[Interval], extent: Interval) -> list[Interval]:
    """Keep the intervals that touch the recording."""
    return [(float(a), float(b)) for a, b in intervals if b > extent[0] and a < extent[1]]


def _below(groups: Sequence[_Group], known: int) -> list[str]:
    shown, total = sum(len(g.larvae) for g in groups), sum(g.n_larvae for g in groups)
    text = style.plural(total, "larva")
    if shown < total:
        text = f"{shown:,} of {text}"
    more = f" of {known}" if len(groups) < known else ""
    noun = "genotype" if known == 1 else "genotypes"
    return [f"{text}, {len(groups)}{more} {noun}; white: not tracked"]


def _set_up(axes: Axes, height: float, extent: Interval) -> None:
    axes.set(xlim=extent, ylim=(height, 0), yticks=[], xlabel="time (s)")
    axes.spines["left"].set_visible(False)


def _draw_bouts(
    axes: Axes, ethogram: HasBouts, groups: Sequence[_Group], tops: Sequence[float], row: float
) -> None:
    """Draw one collection of rectangles per state."""
    # Both edges from one expression, so that rows that touch share their pixel border.
    edges = np.full((2, len(ethogram.larvae)), np.nan)
    for group, first in zip(groups, tops, strict=True):
        k = np.arange(len(group.larvae))
        edges[:, group.larvae] = first + row * k, first + row * (k + (0.86 if row > 0.06 else 1))
    some = np.flatnonzero(_bouts_of(ethogram, groups))
    colours = style.state_colours(ethogram.states)
    for code in np.unique(ethogram.state[some]):
        bouts = some[ethogram.state[some] == code]
        left, right = ethogram.t_start[bouts], ethogram.t_stop[bouts]
        top, low = edges[:, ethogram.larva_index[bouts]]
        # An array (bout, corner, xy): matplotlib takes it much faster than the list it asks for.
        corners: Any = np.stack([left, top, right, top, right, low, left, low], axis=-1)
        corners = corners.reshape(-1, 4, 2)
        name = ethogram.states[int(code)]
        # Without anti-aliasing no white seams appear between bouts that touch.
        axes.add_collection(
            PolyCollection(
                corners, facecolors=colours[name], linewidths=0,
                antialiaseds=False, rasterized=len(some) > RASTERIZE, gid=f"state {name}",
            ),
            autolim=False,
        )  # fmt: skip


def _draw_assays(
    axes: Axes, ethogram: HasBouts, groups: Sequence[_Group], tops: Sequence[float], row: float
) -> None:
    """Draw the strip left of the rows whose grey changes with the assay."""
    assay = ethogram.larvae["assay_index"].to_numpy()
    width = STRIP * 0.6 / WIDTH
    for group, top in zip(groups, tops, strict=True):
        starts = np.flatnonzero(np.diff(assay[group.larvae], prepend=-1))
        stops = np.append(starts[1:], len(group.larvae))
        for k, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            axes.add_patch(
                Rectangle(
                    (-STRIP / WIDTH, top + start * row), width, (stop - start) * row,
                    transform=axes.get_yaxis_transform(), clip_on=False, linewidth=0,
                    facecolor=ASSAY_GREYS[k % 2], gid="assay",
                )
            )  # fmt: skip


def _write_labels(
    axes: Axes, labels: Sequence[Sequence[tuple[str, float]]], tops: Sequence[float]
) -> None:
    for lines, top in zip(labels, tops, strict=True):
        y = top
        for text, size in lines:
            axes.text(
                -STRIP / WIDTH - 0.01, y, text, transform=axes.get_yaxis_transform(), ha="right",
                va="top", size=size, color=style.INK if size > 8 else style.MUTED,
            )  # fmt: skip
            y += 0.15


def _draw_stimuli(axes: Axes, marks: Sequence[Interval]) -> None:
    """Draw onsets, offsets and the bar over them."""
    low, high = axes.get_xlim()
    thin = len(marks) > 20
    for start, stop in marks:
        left, right = max(start, low), min(stop, high)
        for t, colour, dashes in ((start, style.STIMULUS_ON, "-"),
                                  (stop, style.STIMULUS_OFF, DASHES)):  # fmt: skip
            if low <= t <= high:
                if not thin:  # a white seam keeps the line apart from states of a like colour
                    axes.axvline(t, color="white", linewidth=3.2, zorder=4)
                axes.axvline(t, color=colour, linestyle=dashes, gid="stimulus",
                             linewidth=0.7 if thin else 1.6, zorder=5)  # fmt: skip
        height = 0.08 / _height(axes)
        axes.add_patch(
            Rectangle(
                (left, 1 + height * 0.7), right - left, height, linewidth=0, facecolor=style.INK,
                transform=axes.get_xaxis_transform(), clip_on=False, gid="stimulus bar",
            )
        )  # fmt: skip
    if marks:
        axes.text(
            -STRIP / WIDTH - 0.01, 1 + 0.096 / _height(axes), "stimulus", size=7.5, ha="right",
            va="center", color=style.MUTED, transform=axes.transAxes,
        )  # fmt: skip


def _height(axes: Axes) -> float:
    """Height of the axes in inches, which are its units."""
    return float(abs(np.diff(axes.get_ylim())[0]))


def _legend_columns(words: Sequence[str], width: float) -> int:
    """Return how many entries of a legend fit beside each other in `width` inches."""
    sizes = [style.text_width(word, 8) + 0.5 for word in words]
    if sum(sizes) <= width:
        return len(words)
    return max(1, int(width // max(sizes)))


def _draw_legend(
    figure: Figure,
    shown: Sequence[str],
    states: Sequence[str],
    stimulus: bool,
    columns: int,
    top: float,
) -> None:
    colours = style.state_colours(states)
    handles: list[Patch | Line2D] = [
        Patch(facecolor=colours[state], label=state) for state in shown
    ]  # fmt: skip
    if stimulus:
        on, off = STIMULUS_WORDS
        handles += [
            Line2D([], [], color=style.STIMULUS_ON, linewidth=1.6, label=on),
            Line2D([], [], color=style.STIMULUS_OFF, linewidth=1.6, linestyle=DASHES, label=off),
        ]
    width, height = figure.get_size_inches()
    figure.legend(
        handles=handles, loc="upper left", ncols=columns, borderaxespad=0, handlelength=1.4,
        bbox_to_anchor=((LEFT - 0.05) / width, 1 - top / height), columnspacing=1.4,
    )  # fmt: skip
