"""Transition probabilities over time, with bands: a panel per state that is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.plot import style
from larvastats.plot.fields import HasWindows, numbers

LEFT, WIDTH, HEIGHT, GAP, ROW_GAP = 0.75, 2.35, 1.75, 0.3, 0.62
MOST_ROWS, PER_ROW = 4, 3
FEWEST = 5
"""Departures from a state that a window needs to be drawn."""

MOST_LINES = 4
"""Stimuli that are marked by lines; of more, which would hide the curves, by bars at the top."""

BAR, NARROW = 0.035, 0.015
"""Height of such a bar; windows shorter than this share of the axis are drawn as points."""

BAND = 0.18
DASHES = (0, (4, 2))

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Course:
    """One destination in one panel.

    Attributes
    ----------
    x, p, low, high : ndarray
        Moments or, for windows, starts and stops in turn with a NaN between windows; s.
    """

    x: Array
    p: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Panel:
    """One state that is left: its courses by destination."""

    title: str
    below: str
    courses: Mapping[str, Course]


@style.styled
def plot_window_courses(result: HasWindows, genotype: str | None = None) -> Figure:
    """Draw the probabilities of one genotype from window to window, with their bands.

    Windows side by side are steps over their times; windows that overlap are joined at their
    middles. A green line marks every stimulus onset, a dashed red one every offset; more than four
    stimuli are green bars at the top.

    Parameters
    ----------
    result : TransitionsResult
    genotype : str, optional
        The first one by default.

    Raises
    ------
    UsageError
        If there is no such genotype.
    """
    table = result.table
    name = _chosen(genotype, list(dict.fromkeys(table["genotype"])))
    rows = table[table["genotype"] == name]
    times = result.design.get("windows_intervals", {})
    panels = [_window_panel(rows, state, result.states, times) for state in result.states]
    first = rows.iloc[0]
    size = [style.plural(int(first["n_assays"]), "assay"),
            style.plural(int(first["n_larvae"]), "larva")]  # fmt: skip
    below = [
        _joined(result.design.get("data_name"), result.design.get("stimuli")),
        _joined(*size, _bands(result.design)),
        f"windows with fewer than {FEWEST} transitions from a state are left out",
    ]
    grid = [panels[k : k + PER_ROW] for k in range(0, len(panels), PER_ROW)]
    return _draw(grid, name, below, result.states, _marks(result.design), [""] * len(grid))


@style.styled
def plot_courses(result: Any, genotype: str | None = None) -> Figure:
    """Draw the smooth courses of a model: a row per genotype, a panel per state that is left.

    Parameters
    ----------
    result : TransitionModel
    genotype : str, optional
        One genotype only; by default the control and the first others, four in all.

    Raises
    ------
    UsageError
        If there is no such genotype, or no time in the formula.
    """
    table = result.predictions
    if table["t"].nunique() < 2:
        raise UsageError("This model knows no time: there are no courses to draw.")
    known = list(result.design["genotypes"]) if "genotype" in table else [""]
    names = known[:MOST_ROWS] if genotype is None else [_chosen(genotype, known)]
    origins = [s for s in result.states if s in set(table["from"])]
    grid = [
        [_model_panel(table, name, state, result.states) for state in origins] for name in names
    ]
    below = [_joined(result.design.get("formula"), result.design.get("data_name"),
                     result.design.get("stimuli")), _bands(result.design)]  # fmt: skip
    if len(known) > len(names) and genotype is None:
        below.append(f"The first {len(names)} of {len(known)} genotypes are shown.")
    title = "Smooth transition probabilities"
    return _draw(grid, title, below, result.states, _marks(result.design), names)


def _chosen(genotype: str | None, known: Sequence[str]) -> str:
    if genotype is None:
        return known[0]
    if genotype not in known:
        listed = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if known[8:] else "")
        raise UsageError(
            f"There is no genotype {genotype!r} in this result; expected one of: {listed}."
        )
    return genotype


def _bands(design: Mapping[str, Any]) -> str:
    level, what = design.get("level"), design.get("replicate")
    if level is None or design.get("bootstrap") == 0:
        return ""
    return f"bands: {100 * level:g}%, pointwise, over replicates ({what})"


def _marks(design: Mapping[str, Any]) -> list[Interval]:
    return [(float(low), float(high)) for low, high in design.get("stimulus_intervals", ())]


def _window_panel(
    rows: pd.DataFrame, state: str, states: Sequence[str], times: Mapping[str, Any]
) -> Panel:
    own = rows[rows["from"] == state]
    n = int(np.nansum(numbers(own, "n")))
    names = list(dict.fromkeys(own["window"]))
    spans = [[(float(a), float(b)) for a, b in times.get(w, ())] for w in names]
    joined = _overlap(spans)
    departures = own.groupby("window", sort=False)["n"].sum().loc[names].to_numpy(np.float64)
    enough = departures >= FEWEST
    courses = {}
    for to in states:
        cells = own[own["to"] == to].set_index("window").loc[names]
        values = [np.where(enough, numbers(cells, c), np.nan) for c in ("p", "p_low", "p_high")]
        if to == state and not np.nansum(np.abs(values[0])) > 0:
            continue
        if not np.isfinite(values[0]).any():
            continue
        courses[to] = Course(*_joined_windows(spans, values) if joined else _steps(spans, values))
    below = "" if joined else style.plural(n, "transition")  # in windows that overlap, not a sum
    return Panel(f"from {state}", below, courses)


def _overlap(spans: Sequence[Sequence[Interval]]) -> bool:
    """Whether windows overlap, so that their times cannot stand side by side."""
    every = sorted(interval for one in spans for interval in one)
    return any(b[0] < a[1] - 1e-9 for a, b in pairwise(every))


def _joined_windows(spans: Sequence[Sequence[Interval]], values: Sequence[Array]) -> list[Array]:
    middle = np.array([(one[0][0] + one[-1][1]) / 2 if one else np.nan for one in spans])
    order = np.argsort(middle, kind="stable")
    return [middle[order], *(v[order] for v in values)]


def _steps(spans: Sequence[Sequence[Interval]], values: Sequence[Array]) -> list[Array]:
    """Start and stop of every interval in order of time, each pair followed by a NaN."""
    pieces = sorted((interval, w) for w, one in enumerate(spans) for interval in one)
    x = np.array([v for (low, high), _ in pieces for v in (low, high, np.nan)])
    which = [w for _, w in pieces]
    spread = [np.column_stack([v[which], v[which], np.full(len(which), np.nan)]).ravel()
              for v in values]  # fmt: skip
    return [x, *spread]


def _model_panel(table: pd.DataFrame, name: str, state: str, states: Sequence[str]) -> Panel:
    own = table[table["from"] == state]
    if name:
        own = own[own["genotype"] == name]
    courses = {}
    for to in states:
        cells = own[own["to"] == to].sort_values("t")
        if cells["p"].notna().any():
            courses[to] = Course(*(numbers(cells, c) for c in ("t", "p", "p_low", "p_high")))
    return Panel(f"from {state}", "", courses)


def _draw(
    grid: Sequence[Sequence[Panel]],
    title: str,
    below: Sequence[str],
    states: Sequence[str],
    marks: Sequence[Interval],
    rows: Sequence[str],
) -> Figure:
    """Draw panels row by row, one scale of time and one of probability for all."""
    across = max(len(row) for row in grid)
    total = LEFT + across * (WIDTH + GAP) + 0.15
    heads = style.wrap(title, total - 0.6, 12, "bold")
    small = [line for text in below if text for line in style.wrap(text, total - 0.6, 9)]
    top = style.heading_height(heads, small) + 0.35
    named = [bool(name) for name in rows]
    pitch = HEIGHT + ROW_GAP + (0.22 if any(named) else 0.0)
    figure = style.new_figure(total, top + len(grid) * pitch + 0.35)
    style.heading(figure, heads, small, 0.3)
    extent = _extent(grid)
    colours = style.state_colours(list(states))
    for r, (row, name) in enumerate(zip(grid, rows, strict=True)):
        y = top + r * pitch + (0.22 if name else 0.0)
        if name:
            shown = style.shorten(name, total - LEFT - 0.3, 9, "bold")
            style.text_at(figure, LEFT, y - 0.42, shown, size=9, weight="bold")
        for c, panel in enumerate(row):
            box = (LEFT + c * (WIDTH + GAP), y, WIDTH, HEIGHT)
            axes = style.axes_at(figure, *box, label=f"panel {r} {c}")
            _draw_panel(axes, panel, colours, marks, extent)
            if c:
                axes.set_yticklabels([])
            else:
                axes.set_ylabel("probability of the next state", size=8)
            if r == len(grid) - 1 or c >= len(grid[r + 1]):
                axes.set_xlabel("time, s", size=8)
    _legend(figure, [s for s in states if _shown(grid, s)], colours, len(marks), total)
    return figure


def _shown(grid: Iterable[Sequence[Panel]], state: str) -> bool:
    return any(state in panel.courses for row in grid for panel in row)


def _extent(grid: Iterable[Sequence[Panel]]) -> Interval:
    x = [c.x for row in grid for panel in row for c in panel.courses.values()]
    every = np.concatenate(x) if x else np.array([0.0, 1.0])
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw_panel(
    axes: Axes,
    panel: Panel,
    colours: Mapping[str, str],
    marks: Sequence[Interval],
    extent: Interval,
) -> None:
    axes.set_xlim(*extent)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", ".5", "", "1"])
    axes.set_title(panel.title, size=9, loc="left", pad=3)
    if panel.below:
        axes.text(1, 1.02, panel.below, transform=axes.transAxes, ha="right", va="bottom", size=7,
                  color=style.MUTED)  # fmt: skip
    if len(marks) <= MOST_LINES:
        for low, high in marks:
            axes.axvline(low, color=style.STIMULUS_ON, lw=0.9, zorder=1)
            axes.axvline(high, color=style.STIMULUS_OFF, lw=0.9, ls=DASHES, zorder=1)
    else:
        bars = [(low, high - low) for low, high in marks]
        axes.broken_barh(bars, (1 - BAR, BAR), color=style.STIMULUS_ON, lw=0, zorder=4)
    narrow = NARROW * (extent[1] - extent[0])
    for k, (to, course) in enumerate(panel.courses.items()):
        points, steps = _short_windows(course, narrow)
        axes.fill_between(steps.x, steps.low, steps.high, color=colours[to], alpha=BAND, lw=0,
                          zorder=2)  # fmt: skip
        axes.plot(steps.x, steps.p, color=colours[to], lw=1.5, zorder=3, solid_capstyle="butt")
        aside = 0.4 * narrow * (k - (len(panel.courses) - 1) / 2)  # side by side, not in one line
        axes.vlines(points.x + aside, points.low, points.high, color=colours[to], lw=1.2,
                    alpha=2 * BAND, zorder=2)  # fmt: skip
        axes.plot(points.x + aside, points.p, "o", color=colours[to], ms=2.8, mew=0, zorder=3)
    if not panel.courses:
        axes.text(0.5, 0.5, "hardly ever left", transform=axes.transAxes, ha="center", va="center",
                  size=8, color=style.MUTED)  # fmt: skip


def _short_windows(course: Course, width: float) -> tuple[Course, Course]:
    """Return the middles of windows too short to be seen as steps, and the course without these."""
    ends = np.flatnonzero(np.isnan(course.x)) - 1  # every step is followed by a NaN
    ends = ends[ends > 0]
    short = ends[course.x[ends] - course.x[ends - 1] < width]
    middle = (course.x[short] + course.x[short - 1]) / 2
    points = Course(middle, course.p[short], course.low[short], course.high[short])
    shown = np.ones(len(course.x), dtype=bool)
    shown[short] = shown[short - 1] = False
    rest = (np.where(shown, values, np.nan) for values in (course.p, course.low, course.high))
    return points, Course(course.x, *rest)


def _legend(
    figure: Figure, states: Sequence[str], colours: Mapping[str, str], marks: int, width: float
) -> None:
    handles: list[Any] = [Line2D([], [], color=colours[s], lw=2.5) for s in states]
    labels = [f"to {s}" for s in states]
    if 0 < marks <= MOST_LINES:
        handles += [Line2D([], [], color=style.STIMULUS_ON, lw=1.2),
                    Line2D([], [], color=style.STIMULUS_OFF, lw=1.2, ls=DASHES)]  # fmt: skip
        labels += ["stimulus on", "stimulus off"]
    elif marks:
        handles.append(Patch(color=style.STIMULUS_ON, lw=0))
        labels.append("stimulus on")
    sizes = [style.text_width(label, 8) + 0.45 for label in labels]
    columns = len(labels) if sum(sizes) <= width - LEFT else int((width - LEFT) // max(sizes))
    figure.legend(handles, labels, loc="lower left", ncols=max(1, columns), columnspacing=1.2,
                  handlelength=1.4, bbox_to_anchor=((LEFT - 0.1) / width, 0.0))  # fmt: skip


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part)
