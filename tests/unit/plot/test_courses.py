"""Courses over windows and over time, and lines by windows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from larvastats.errors import UsageError
from larvastats.plot.courses import plot_courses, plot_window_courses
from larvastats.plot.windows import plot_line_windows
from larvastats.results import WINDOW_COLUMNS, TransitionModel

STATES = ("run", "cast", "stop", "roll")
TIMES = {"before": [[0.0, 30.0]], "during_1": [[30.0, 45.0]], "after": [[75.0, 90.0]]}


def windowed(pictures, times=None):
    result = pictures.windows(windows=tuple(times or TIMES))
    table = result.table.assign(p_low=result.table["p"] * 0.8, p_high=result.table["p"] * 1.1)
    more = {"windows_intervals": times or TIMES, "stimulus_intervals": [[30.0, 45.0]],
            "stimuli": "red light: 30–45 s", "level": 0.95, "replicate": "assay"}  # fmt: skip
    return dataclasses.replace(result, table=table, design=dict(result.design) | more)


def modelled(genotypes=("wild", "mutant"), moments=30):
    rng = np.random.default_rng(0)
    rows = []
    for genotype in genotypes:
        for start in STATES:
            p = rng.dirichlet(np.full(3, 3.0), moments)
            for k, to in enumerate(s for s in STATES if s != start):
                rows.append(pd.DataFrame({
                    "t": np.linspace(0, 90, moments), "genotype": genotype, "from": start, "to": to,
                    "p": p[:, k], "p_low": p[:, k] * 0.8, "p_high": p[:, k] * 1.05,
                }))  # fmt: skip
    design = {"formula": "to ~ genotype * cr(t, df=6)", "data_name": "a table", "stimuli": "light",
              "stimulus_intervals": [[30.0, 45.0]], "genotypes": list(genotypes), "level": 0.95,
              "replicate": "line x date"}  # fmt: skip
    empty = pd.DataFrame()
    return TransitionModel(empty, empty, pd.concat(rows, ignore_index=True), empty, (), STATES,
                           0.05, design, 0)  # fmt: skip


def panels(figure):
    return [a for a in figure.axes if a.get_label().startswith("panel")]


def lines(axes):
    """Courses of a panel by colour, without the marks of the stimulus."""
    return {a.get_color(): a for a in axes.lines if len(a.get_xdata()) > 2}


def test_windows_are_steps_over_their_times(pictures):
    result = windowed(pictures)
    figure = plot_window_courses(result)
    assert isinstance(figure, Figure) and len(panels(figure)) == 6
    first = panels(figure)[0]
    assert first.get_title(loc="left") == "from run"
    rows = result.table[(result.table["from"] == "run") & (result.table["to"] == "cast")]
    course = next(
        a for a in lines(first).values() if np.isclose(a.get_ydata()[0], rows["p"].iloc[0])
    )
    x, y = course.get_xdata(), course.get_ydata()
    np.testing.assert_allclose(x[~np.isnan(x)], [0, 30, 30, 45, 75, 90])
    np.testing.assert_allclose(y[~np.isnan(y)], np.repeat(rows["p"], 2))
    bands = [c for c in first.collections if len(c.get_paths())]
    assert len(bands) == len(lines(first))
    marks = [a for a in first.lines if len(a.get_xdata()) == 2]
    assert sorted(a.get_xdata()[0] for a in marks) == [30.0, 45.0]


def test_short_windows_are_points_side_by_side(pictures):
    times = {"before": [[0.0, 30.0]], "during_1": [[30.0, 30.5]], "after": [[75.0, 90.0]]}
    result = windowed(pictures, times)
    first = panels(plot_window_courses(result))[0]
    points = [a for a in first.lines if a.get_marker() == "o" and len(a.get_xdata())]
    rows = result.table[(result.table["from"] == "run") & (result.table["window"] == "during_1")]
    known = rows["p"].dropna().to_numpy()
    assert all(np.isclose(known, a.get_ydata()[0]).any() for a in points)
    x = sorted(float(a.get_xdata()[0]) for a in points)
    assert len(points) > 1 and len(set(x)) == len(x) and np.ptp(x) < 5
    assert np.mean(x) == pytest.approx(30.25, abs=1)


def test_many_stimuli_are_bars_that_hide_no_curve(pictures):
    result = windowed(pictures)
    many = [[float(t), t + 2.0] for t in range(30, 80, 10)]
    design = dict(result.design) | {"stimulus_intervals": many}
    figure = plot_window_courses(dataclasses.replace(result, design=design))
    first = panels(figure)[0]
    assert not [a for a in first.lines if len(a.get_xdata()) == 2]
    (bars,) = [c for c in first.collections if len(c.get_paths()) == 5]
    extents = [path.get_extents() for path in bars.get_paths()]
    assert [(e.x0, e.x1) for e in extents] == [tuple(m) for m in many]
    assert all(e.y0 > 0.95 for e in extents)
    (legend,) = figure.legends
    assert "stimulus on" in [text.get_text() for text in legend.get_texts()]


def test_windows_that_overlap_are_joined_at_their_middles(pictures):
    times = {"0:10": [[0.0, 10.0]], "5:15": [[5.0, 15.0]], "10:20": [[10.0, 20.0]]}
    figure = plot_window_courses(windowed(pictures, times))
    course = next(iter(lines(panels(figure)[0]).values()))
    np.testing.assert_allclose(course.get_xdata(), [5, 10, 15])


def test_windows_with_few_transitions_are_not_drawn(pictures):
    result = windowed(pictures)
    table = result.table.copy()
    table.loc[table["from"] == "roll", "n"] = 0
    figure = plot_window_courses(dataclasses.replace(result, table=table))
    roll = next(a for a in panels(figure) if a.get_title(loc="left") == "from roll")
    assert not lines(roll) and [t.get_text() for t in roll.texts][-1] == "hardly ever left"
    assert any("fewer than 5 transitions" in text for text in pictures.texts(figure))


def test_a_row_per_genotype_a_panel_per_state():
    figure = plot_courses(modelled())
    assert len(panels(figure)) == 8
    assert len(panels(plot_courses(modelled(), genotype="mutant"))) == 4
    many = plot_courses(modelled(tuple("abcdef"), moments=5))
    assert len(panels(many)) == 16
    assert any("first 4 of 6 genotypes" in t.get_text() for t in many.texts)


@pytest.mark.parametrize("draw", [lambda p: plot_window_courses(windowed(p)),
                                  lambda _: plot_courses(modelled())])  # fmt: skip
def test_texts_keep_apart_and_inside(pictures, draw):
    figure = draw(pictures)
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []


def test_what_cannot_be_drawn(pictures):
    with pytest.raises(UsageError, match="no genotype 'Q'"):
        plot_window_courses(windowed(pictures), genotype="Q")
    with pytest.raises(UsageError, match="no genotype 'Q'"):
        plot_courses(modelled(), genotype="Q")
    with pytest.raises(UsageError, match="knows no time"):
        plot_courses(modelled(moments=1))


# Lines by windows


def screened(pictures, lines=12, windows=("before", "during_1", "during_2", "after")):
    result = pictures.screen(lines, n_windows=len(windows), stimuli="red light: 30–45 s")
    parts = [result.table.assign(window=w, p_adjusted=0.2, rejected=False) for w in windows]
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(WINDOW_COLUMNS))
    table.loc[table["window"].eq("during_1") & table["genotype"].eq(pictures.best), "rejected"] = (
        True
    )
    return dataclasses.replace(result, windows=table)


def test_a_cell_per_line_and_window(pictures):
    result = screened(pictures)
    figure = plot_line_windows(result)
    axes = next(a for a in figure.axes if a.get_label() == "windows")
    values = axes.collections[0].get_array()
    assert values.shape == (12, 4)
    first = result.windows["hellinger_adjusted"].iloc[0]
    assert values[0, 0] == pytest.approx(max(first, 0))
    assert len([p for p in axes.patches if p.get_gid() == "rejected"]) == 1
    names = [t.get_text() for t in axes.get_xticklabels()]
    assert names == ["before", "during_1", "during_2", "after"]


MANY = tuple(f"{5 * k}:{5 * k + 10}" for k in range(20))


@pytest.mark.parametrize("windows", [("before", "during_1"), MANY], ids=len)
def test_lines_and_windows_keep_apart(pictures, windows):
    figure = plot_line_windows(screened(pictures, windows=windows))
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []


def test_many_lines_are_cut_and_one_window_is_refused(pictures):
    figure = plot_line_windows(screened(pictures, lines=60))
    assert any("first 40 of 60 lines" in t for t in pictures.texts(figure))
    with pytest.raises(UsageError, match="tested one window"):
        plot_line_windows(pictures.screen())
