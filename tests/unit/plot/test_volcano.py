"""Effect against evidence: floor, threshold, names, lines without p."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from larvastats.plot.labels import place_labels
from larvastats.plot.style import new_figure
from larvastats.plot.volcano import plot_volcano


def axes_named(figure, label):
    return next((axes for axes in figure.axes if axes.get_label() == label), None)


def points(figure, gid):
    axes = axes_named(figure, "volcano")
    return np.asarray(next(c for c in axes.collections if c.get_gid() == gid).get_offsets())


def lines_of(figure, gid):
    return [line for line in axes_named(figure, "volcano").lines if line.get_gid() == gid]


def names(figure):
    return [t for t in axes_named(figure, "volcano").texts if t.get_gid() == "name"]


def test_points_are_effect_and_evidence(pictures):
    result = pictures.screen(12)
    figure = plot_volcano(result)
    assert isinstance(figure, Figure)
    for gid, some in (("rejected", result.table["rejected"]), ("kept", ~result.table["rejected"])):
        table = result.table[some]
        expected = np.column_stack([table["hellinger_adjusted"], -np.log10(table["p_value"])])
        assert len(expected) > 0
        np.testing.assert_allclose(points(figure, gid), expected)
    axes = axes_named(figure, "volcano")
    assert axes.get_ylabel() == "evidence, −log₁₀ p" and "Hellinger" in axes.get_xlabel()


def test_a_common_floor_is_a_line(pictures):
    figure = plot_volcano(pictures.screen(12))
    (floor,) = lines_of(figure, "floor")
    assert floor.get_ydata() == [pytest.approx(np.log10(10001))] * 2
    assert "smallest p that relabelling can give: 0.00010" in pictures.texts(figure)


def test_floors_that_differ_are_ticks(pictures):
    table = pictures.table(4).assign(p_floor=[0.1, 0.01, 0.001, 0.001])
    figure = plot_volcano(pictures.screen(table=table))
    (floor,) = lines_of(figure, "floor")
    assert floor.get_linestyle() == "None"
    np.testing.assert_allclose(floor.get_ydata(), [1, 2, 3, 3])
    np.testing.assert_allclose(floor.get_xdata(), table["hellinger_adjusted"])
    assert "smallest p that relabelling can give (by line)" in pictures.texts(figure)


@pytest.mark.parametrize(
    ("correction", "rejected", "cut", "text"),
    [("bh", 3, 0.05 * 3 / 10, "Benjamini–Hochberg: p ≤ 0.015"),
     ("bh", 0, 0.05 / 10, "Benjamini–Hochberg: p ≤ 0.0050 for a first rejection"),
     ("bonferroni", 2, 0.05 / 10, "Bonferroni: p ≤ 0.0050"),
     ("none", 5, 0.05, "uncorrected: p ≤ 0.050"),
     ("by", 2, 0.002, "largest rejected p = 0.0020")],
)  # fmt: skip
def test_threshold_of_the_correction(pictures, correction, rejected, cut, text):
    p = np.array([0.001, 0.002, 0.003, 0.02, 0.03, 0.2, 0.3, 0.4, 0.6, 0.9])
    table = pictures.table(10).assign(p_value=p, rejected=np.arange(10) < rejected)
    figure = plot_volcano(pictures.screen(table=table, correction=correction))
    (line,) = lines_of(figure, "threshold")
    assert line.get_ydata() == [pytest.approx(-np.log10(cut))] * 2
    assert text in pictures.texts(figure)


def test_no_threshold_is_invented(pictures):
    table = pictures.table(4).assign(rejected=False)
    assert (
        lines_of(plot_volcano(pictures.screen(table=table, correction="maxt")), "threshold") == []
    )


def test_only_the_rejected_are_named_each_at_its_point(pictures):
    result = pictures.screen(12)
    figure = plot_volcano(result)
    table = result.table[result.table["rejected"]]
    assert sorted(t.get_text() for t in names(figure)) == sorted(table["line"])
    at = {t.get_text(): t.xy for t in names(figure)}
    for _, row in table.iterrows():
        assert at[row["line"]] == pytest.approx(
            (row["hellinger_adjusted"], -np.log10(row["p_value"]))
        )


@pytest.mark.parametrize("n", [1, 12, 120, 600])
def test_nothing_overlaps(pictures, n):
    result = pictures.screen(n)
    figure = plot_volcano(result)
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []
    missing = int(result.table["rejected"].sum()) - len(names(figure))
    said = [t for t in pictures.texts(figure) if "more rejected without a name" in t]
    assert said == ([f"{missing} more rejected without a name here"] if missing else [])
    assert len(names(figure)) >= min(5, int(result.table["rejected"].sum()))


def test_lines_without_p_stand_in_the_margin(pictures):
    table = pictures.table(12)
    table.loc[[4, 7], ["p_value", "q_value", "p_floor"]] = np.nan
    table.loc[7, ["hellinger_adjusted", "hellinger"]] = np.nan
    table.loc[[4, 7], "rejected"] = False
    figure = plot_volcano(pictures.screen(table=table))
    strip = axes_named(figure, "no p")
    assert strip.get_xlim() == axes_named(figure, "volcano").get_xlim()
    (line,) = strip.lines
    np.testing.assert_array_equal(line.get_xdata(), [table["hellinger_adjusted"][4]])
    assert "1 line without an effect size: not drawn." in pictures.texts(figure)
    assert "not tested" in pictures.texts(figure)
    assert pictures.overlaps(figure) == []


def test_all_p_missing(pictures):
    table = pictures.table(5)
    table[["p_value", "q_value", "p_floor"]] = np.nan
    table["rejected"] = None
    figure = plot_volcano(pictures.screen(table=table))
    assert "no line was tested" in pictures.texts(figure)
    assert len(axes_named(figure, "no p").lines[0].get_xdata()) == 5
    assert names(figure) == [] and lines_of(figure, "threshold") == []
    assert axes_named(figure, "no p").get_xlabel() != ""


def test_zero_rejected(pictures):
    table = pictures.table(12).assign(p_value=np.linspace(0.06, 0.9, 12), rejected=False)
    figure = plot_volcano(pictures.screen(table=table))
    assert names(figure) == [] and len(points(figure, "kept")) == 12
    assert axes_named(figure, "volcano").get_ylim()[1] > -np.log10(0.05 / 12)


def test_very_long_names_stay_inside(pictures):
    table = pictures.table(3)
    table["line"] = [f"{'long_driver_name_' * 6}{k}" for k in range(3)]
    figure = plot_volcano(pictures.screen(table=table))
    assert all("…" in t.get_text() for t in names(figure)) and names(figure)
    assert pictures.outside(figure) == [] and pictures.overlaps(figure) == []


def test_names_keep_off_points_and_lines(pictures):
    figure = new_figure(5, 5)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8), xlim=(0, 1), ylim=(0, 1))
    rng = np.random.default_rng(5)
    xy = rng.random((25, 2))
    axes.axhline(0.5)
    left = place_labels(axes, xy, [(*point, f"name {k}") for k, point in enumerate(xy)], 8)
    assert left == 25 - len(axes.texts) and len(axes.texts) > 12
    assert pictures.overlaps(figure) == []
    pixels = axes.transData.transform(xy)
    level = axes.transData.transform((0, 0.5))[1]
    for text, box in ((t, super(type(t), t).get_window_extent()) for t in axes.texts):
        inside = (pixels > (box.x0, box.y0)) & (pixels < (box.x1, box.y1))
        assert not inside.all(axis=1).any(), text
        assert not box.y0 + 1 < level < box.y1 - 1


def test_names_without_room_are_counted():
    figure = new_figure(1, 1)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(0, 1))
    wide = "a name wider than the whole picture"
    assert place_labels(axes, np.array([[0.5, 0.5]]), [(0.5, 0.5, wide)], 10) == 1
    assert list(axes.texts) == []
