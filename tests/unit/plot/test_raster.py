"""Ethogram raster: rows, states, gaps, stimuli, the choice among many larvae."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.plot import style
from larvastats.plot.raster import plot_raster
from larvastats.vocabulary import LARVA_STATES


def ethogram(lines=("A", "B"), assays=2, larvae=3, states=LARVA_STATES, n_bouts=8, seed=0):
    """Contiguous bouts of 1 to 3 s with a gap of 2 s in the middle."""
    rng = np.random.default_rng(seed)
    rows = []
    for line in lines:
        for assay in range(assays):
            for larva in range(larvae):
                steps = np.arange(n_bouts) + rng.integers(len(states))
                stop = np.cumsum(rng.uniform(1, 3, n_bouts)) + 2 * (
                    np.arange(n_bouts) > n_bouts // 2
                )
                start = np.concatenate([[0], stop[:-1] + 2 * (np.diff(stop) > 3)])
                rows += [(f"{line}{assay}", line, larva, states[k % len(states)], a, b)
                         for k, a, b in zip(steps, start, stop, strict=True)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["assay", "line", "larva", "state", "t_start", "t_stop"])
    return Ethogram.from_bouts(table, states=states)


def raster(figure):
    return next(axes for axes in figure.axes if axes.get_label() == "raster")


def bars(figure):
    return [c for c in raster(figure).collections if isinstance(c, PolyCollection)]


def boxes(collection):
    """Left, right, top, bottom of every bar."""
    corners = np.array([path.vertices[:4] for path in collection.get_paths()])
    return np.column_stack([corners[:, 0, 0], corners[:, 1, 0], corners[:, 0, 1], corners[:, 2, 1]])


def test_every_bout_is_a_bar_of_its_states_colour():
    source = ethogram()
    figure = plot_raster(source)
    assert isinstance(figure, Figure)
    colours = style.state_colours(source.states)
    for collection in bars(figure):
        state = collection.get_gid().removeprefix("state ")
        mine = source.state == source.states.index(state)
        left, right, _, _ = boxes(collection).T
        np.testing.assert_allclose(np.sort(left), np.sort(source.t_start[mine]))
        np.testing.assert_allclose(np.sort(right), np.sort(source.t_stop[mine]))
        assert to_hex(collection.get_facecolor()[0]).upper() == colours[state]
    assert sum(len(c.get_paths()) for c in bars(figure)) == source.n_bouts


def test_one_row_per_larva_without_overlap_and_gaps_left_white():
    source = ethogram()
    all_boxes = np.concatenate([boxes(c) for c in bars(plot_raster(source))])
    rows = {top: all_boxes[all_boxes[:, 2] == top] for top in np.unique(all_boxes[:, 2])}
    assert len(rows) == len(source.larvae) == 12
    edges = sorted((top, row[0, 3]) for top, row in rows.items())
    assert all(below[0] >= above[1] - 1e-9 for above, below in itertools.pairwise(edges))
    for row in rows.values():
        row = row[np.argsort(row[:, 0])]
        pauses = row[1:, 0] - row[:-1, 1]
        assert (np.round(pauses, 6) >= 0).all() and np.isclose(pauses.max(), 2)


def test_stimuli_are_lines_and_a_bar_on_top():
    figure = plot_raster(ethogram(), intervals=[(3, 6), (8, 10), (900, 910)])
    axes = raster(figure)
    lines = [line for line in axes.lines if line.get_gid() == "stimulus"]
    drawn = [(line.get_xdata()[0], line.get_color()) for line in lines]
    on, off = style.STIMULUS_ON, style.STIMULUS_OFF
    assert drawn == [(3, on), (6, off), (8, on), (10, off)]
    assert {line.get_linestyle() for line in lines if line.get_color() == off} == {"--"}
    top = [p for p in axes.patches if p.get_gid() == "stimulus bar"]
    assert [(p.get_x(), p.get_x() + p.get_width()) for p in top] == [(3, 6), (8, 10)]
    assert all(p.get_y() > 1 for p in top)


def test_open_intervals_end_where_the_recording_does():
    figure = plot_raster(ethogram(), intervals=[(-np.inf, 5)])
    axes = raster(figure)
    (bar,) = (p for p in axes.patches if p.get_gid() == "stimulus bar")
    assert (bar.get_x(), bar.get_width()) == (axes.get_xlim()[0], 5)
    assert [line.get_xdata()[0] for line in axes.lines if line.get_gid() == "stimulus"] == [5]


def test_legend_names_the_states_that_occur_and_the_stimulus(pictures):
    source = ethogram(states=("run", "cast", "stop"))
    (legend,) = plot_raster(source, intervals=[(1, 2)]).legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "run", "cast", "stop", "stimulus on", "stimulus off",
    ]  # fmt: skip
    (quiet,) = plot_raster(source).legends
    assert [t.get_text() for t in quiet.get_texts()] == ["run", "cast", "stop"]


def test_groups_are_labelled_in_the_order_asked_for(pictures):
    source = ethogram(("A", "B", "C"))
    labels = pictures.texts(plot_raster(source, genotypes=["C", "A"]))
    assert labels.index("C") < labels.index("A") and "B" not in labels
    assert labels.count("6 larvae, 2 assays") == 2
    with pytest.raises(UsageError, match=r"no genotype 'D' .*expected some of: A, B, C"):
        plot_raster(source, genotypes=["D"])


def test_assays_are_told_apart_by_the_strip():
    figure = plot_raster(ethogram(assays=4, larvae=2))
    strips = [p for p in raster(figure).patches if p.get_gid() == "assay"]
    assert len(strips) == 8
    greys = [to_hex(p.get_facecolor()) for p in strips[:4]]
    assert all(a != b for a, b in itertools.pairwise(greys))


def test_of_many_larvae_every_genotype_and_assay_gives_its_share(pictures):
    source = ethogram(assays=5, larvae=20, n_bouts=3)
    figure = plot_raster(source, max_larvae=50)
    rows = {top for c in bars(figure) for top in boxes(c)[:, 2]}
    assert len(rows) == 50
    labels = pictures.texts(figure)
    assert labels.count("25 of 100 larvae, 5 assays") == 2
    assert "50 of 200 larvae, 2 genotypes; white: not tracked" in labels
    assert len([p for p in raster(figure).patches if p.get_gid() == "assay"]) == 10


def test_small_groups_leave_their_share_to_large_ones(pictures):
    table = pd.concat([ethogram(("A",), 1, 2).to_bouts(), ethogram(("B",), 3, 30).to_bouts()])
    labels = pictures.texts(plot_raster(Ethogram.from_bouts(table), max_larvae=40))
    assert "2 larvae, 1 assay" in labels and "38 of 90 larvae, 3 assays" in labels


@pytest.mark.parametrize("n", [1, 3, 24, 30])
def test_any_number_of_genotypes_fits(pictures, n):
    names = [f"GMR_{k:02d}A01_AE_01_with_a_long_name_of_its_driver" for k in range(n)]
    figure = plot_raster(ethogram(names, 1, 2), intervals=[(2, 4)], title="A title " * 30)
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []
    shown = f"{min(n, 24)} of {n} genotypes" if n > 24 else f"{n} genotype"
    assert any(shown in text for text in pictures.texts(figure))


def test_25_states_have_25_colours(pictures):
    states = tuple(f"state {k}" for k in range(25))
    figure = plot_raster(ethogram(states=states, n_bouts=30), intervals=[(2, 4)])
    assert len({to_hex(c.get_facecolor()[0]) for c in bars(figure)}) == 25
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []


def test_one_larva_with_one_bout(pictures):
    table = pd.DataFrame({"assay": ["a"], "line": ["A"], "larva": [1], "state": ["run"],
                          "t_start": [10.0], "t_stop": [11.0]})  # fmt: skip
    figure = plot_raster(Ethogram.from_bouts(table))
    assert boxes(bars(figure)[0])[:, :2].tolist() == [[10, 11]]
    assert "1 larva, 1 assay" in pictures.texts(figure)
    assert pictures.overlaps(figure) == []


def test_large_rasters_become_pixels_in_the_svg():
    small = plot_raster(ethogram())
    large = plot_raster(ethogram(assays=2, larvae=50, n_bouts=40))
    assert not any(c.get_rasterized() for c in bars(small))
    assert all(c.get_rasterized() for c in bars(large))


def test_bad_calls_are_said():
    with pytest.raises(UsageError, match="max_larvae must be at least 1, but is 0"):
        plot_raster(ethogram(), max_larvae=0)
    empty = ethogram().clip([(1e6, 2e6)])
    with pytest.raises(UsageError, match="no bouts; there is nothing to draw"):
        plot_raster(empty)
