"""Line, control and difference; windows side by side."""

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from larvastats.errors import UsageError
from larvastats.plot.matrices import plot_matrices, plot_windows
from larvastats.plot.panels import cell_text
from larvastats.results import HTest


def panels(figure):
    """Axes of the matrices, in order."""
    return [axes for axes in figure.axes if axes.get_xlabel() == "to"]


def mesh(axes):
    return next(c for c in axes.collections if isinstance(c, QuadMesh))


def cells(axes):
    """Numbers in the cells by (from, to) row and column."""
    return {
        (int(t.get_position()[1]), int(t.get_position()[0])): t.get_text()
        for t in axes.texts
        if t.get_style() != "italic"
    }


def patches(axes, gid):
    return [patch for patch in axes.patches if patch.get_gid() == gid]


def test_three_matrices_with_their_numbers(pictures):
    result = pictures.screen()
    figure = plot_matrices(result)
    assert isinstance(figure, Figure)
    line, control, difference = panels(figure)
    rows = result.transitions[result.transitions["genotype"] == pictures.best]
    for axes, column, signed in ((line, "p_line", False), (control, "p_control", False),
                                 (difference, "difference", True)):  # fmt: skip
        written = cells(axes)
        assert len(written) == 30  # the structural diagonal is blank
        for _, row in rows[rows["from"] != rows["to"]].iterrows():
            at = tuple(result.states.index(row[end]) for end in ("from", "to"))
            assert written[at] == cell_text(row[column], signed)
            assert mesh(axes).get_array()[at] == row[column]
    assert np.ma.getmaskarray(mesh(line).get_array()).diagonal().all()


def test_scales_are_shared_and_the_difference_is_centred(pictures):
    line, control, difference = (mesh(axes) for axes in panels(plot_matrices(pictures.screen())))
    assert line.get_clim() == control.get_clim() and line.get_clim()[0] == 0
    low, high = difference.get_clim()
    assert low == -high < 0
    assert line.get_clim()[1] >= max(line.get_array().max(), control.get_array().max())
    assert high >= np.abs(difference.get_array()).max()


def test_title_says_who_when_and_how_much(pictures):
    result = pictures.screen()
    written = " | ".join(pictures.texts(plot_matrices(result)))
    assert f"{pictures.best} against {pictures.control}" in written
    assert "window during: 30–45, 60–75 s" in written and pictures.protocol in written
    rows = result.transitions[result.transitions["genotype"] == pictures.best]
    assert f"line: 6 assays, {int(rows['n_line'].sum()):,} transitions" in written
    assert f"control: 12 assays, {int(rows['n_control'].sum()):,} transitions" in written


def test_largest_z_is_framed_and_significant_cells_are_bold(pictures):
    result = pictures.screen()
    rows = result.transitions["genotype"] == pictures.best
    at = rows & (result.transitions["from"] == "stop") & (result.transitions["to"] == "roll")
    result.transitions.loc[at, ["z", "p_adjusted"]] = [-12.34, 0.002]
    figure = plot_matrices(result)
    for axes in panels(figure):
        (frame,) = patches(axes, "framed")
        assert frame.get_xy() == (5, 2)
    difference = panels(figure)[2]
    bold = [t.get_position() for t in difference.texts if t.get_weight() == "bold"]
    assert bold == [(5.5, 2.5)]
    written = " ".join(pictures.texts(figure)).replace("\xa0", " ")
    assert "largest |z|, stop → roll, z = −12.3" in written and "bold: p ≤ 0.05" in written


def test_rows_never_visited_are_hatched_and_named(pictures):
    result = pictures.screen()
    mine = result.transitions["genotype"] == pictures.best
    roll = mine & (result.transitions["from"] == "roll")
    result.transitions.loc[roll, ["n_line", "p_line", "difference", "z"]] = [0, np.nan, np.nan, 0]
    stop = mine & (result.transitions["from"] == "stop")
    result.transitions.loc[stop, ["n_line", "n_control"]] = 0  # even if somebody wrote p = 0
    result.transitions.loc[stop, ["p_line", "p_control", "difference"]] = 0.0
    line, control, difference = panels(plot_matrices(result))
    for axes, rows in ((line, [2, 5]), (control, [2]), (difference, [2, 5])):
        hatched = patches(axes, "unvisited")
        assert [patch.get_y() for patch in hatched] == rows
        assert all(patch.get_hatch() for patch in hatched)
        assert not {row for row, _ in cells(axes)} & set(rows)
    words = [t.get_text() for t in difference.texts if t.get_style() == "italic"]
    assert words == ["not in either", "not in the line"]
    assert [t.get_text() for t in line.texts if t.get_style() == "italic"] == ["never visited"] * 2


def test_diagonal_is_shown_where_states_may_follow_themselves(pictures):
    result = pictures.screen(transitions="frame")
    cell = (result.transitions["from"] == "run") & (result.transitions["to"] == "run")
    result.transitions.loc[cell, ["p_line", "p_control", "difference"]] = [0.912, 0.935, -0.023]
    line, _, difference = panels(plot_matrices(result))
    assert cells(line)[0, 0] == ".912" and cells(difference)[0, 0] == "−.023"


def test_a_test_is_drawn_as_a_screen_is(pictures):
    rows = pictures.cells(pictures.best, ("run", "cast", "stop"))
    test = HTest("Title", "a and b", {"T": 1.0}, 0.5, transitions=rows,
                 design={"n_assays": 6, "n_control_assays": 1})  # fmt: skip
    figure = test.plot()
    assert len(panels(figure)) == 3
    written = pictures.texts(figure)
    assert any(text.startswith("control: 1 assay,") for text in written)


def test_windows_and_genotypes_can_be_chosen(pictures):
    result = pictures.screen(2)
    late = result.transitions.assign(window="after")
    both = dataclasses.replace(result, transitions=late)
    assert any("window after" in text for text in pictures.texts(plot_matrices(both)))
    other = result.table["genotype"].iloc[-1]
    assert any(t.startswith(other) for t in pictures.texts(plot_matrices(result, other)))
    with pytest.raises(UsageError, match=r"no genotype 'nobody'.*expected one of: GMR_"):
        plot_matrices(result, "nobody")
    with pytest.raises(UsageError, match=r"no window 'never'.*expected one of: during"):
        plot_matrices(result, window="never")


def test_a_contrast_says_that_z_is_of_the_change(pictures):
    result = pictures.screen(2, window="during-before", contrast="during-before")
    result.table["window"] = "during-before"
    written = " ".join(pictures.texts(plot_matrices(result)))
    assert "tested: the change during-before" in written
    assert "largest |z| of the change during-before" in written


def test_nothing_to_draw_is_said(pictures):
    result = pictures.screen(2)
    result = dataclasses.replace(result, transitions=result.transitions.iloc[:0])
    with pytest.raises(UsageError, match="no transitions"):
        plot_matrices(result)


@pytest.mark.parametrize(
    "states",
    [("a",), ("active", "inactive"), tuple(f"a rather long name of state {k}" for k in range(25))],
    ids=["1", "2", "25"],
)
def test_any_number_of_states_fits(pictures, states):
    figure = plot_matrices(pictures.screen(2, states=states))
    assert mesh(panels(figure)[0]).get_array().shape == (len(states), len(states))
    assert pictures.overlaps(figure) == []
    assert pictures.outside(figure) == []


def test_very_long_names_stay_inside(pictures):
    table = pictures.table(1)
    table["genotype"] = "split_" + "GMR_72F11_AD_x_GMR_29C06_DBD_" * 4 + "@UAS_X"
    figure = plot_matrices(pictures.screen(table=table))
    assert pictures.outside(figure) == [] and pictures.overlaps(figure) == []
    assert any("…" in text and text.endswith("@UAS_X") for text in pictures.texts(figure))


def test_all_z_missing_frames_nothing(pictures):
    result = pictures.screen(2)
    result.transitions["z"] = np.nan
    figure = plot_matrices(result)
    assert not any(patches(axes, "framed") for axes in panels(figure))
    assert "line − control" in pictures.texts(figure)


def test_one_matrix_per_window_on_one_scale(pictures):
    result = pictures.windows()
    result.table.loc[result.table["from"].eq("roll") & result.table["window"].eq("after"),
                     ["n", "p"]] = [0, np.nan]  # fmt: skip
    figure = plot_windows(result)
    before, during, after = panels(figure)
    assert len({mesh(axes).get_clim() for axes in (before, during, after)}) == 1
    assert [len(patches(axes, "unvisited")) for axes in (before, during, after)] == [0, 0, 1]
    written = pictures.texts(figure)
    assert "before 30 s, light off" in written and "during: 30–45, 60–75 s, light on" in written
    n = int(result.table.loc[result.table["window"] == "before", "n"].sum())
    assert f"6 assays, {n:,} transitions, 173 larvae" in written
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []


def test_many_windows_are_cut_and_counted(pictures):
    result = pictures.windows([f"during_{k}" for k in range(1, 16)], states=("run", "cast", "stop"))
    figure = plot_windows(result, pictures.best)
    assert len(panels(figure)) == 12
    assert "The first 12 of 15 windows are shown." in pictures.texts(figure)
    assert pictures.overlaps(figure) == []
    with pytest.raises(UsageError, match="no genotype 'x'"):
        plot_windows(result, "x")


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [(0.0, False, "0"), (0.0049, False, "<.01"), (0.551, False, ".55"), (1.0, False, "1"),
     (0.996, False, "1"), (0.214, True, "+.21"), (-0.08, True, "−.08"), (-0.001, True, "≈0"),
     (-1.0, True, "−1"), (0.0, True, "0")],
)  # fmt: skip
def test_numbers_in_cells(value, signed, text):
    assert cell_text(value, signed) == text
