"""Lines by effect, with intervals, the pseudo-lines and q."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from larvastats.plot import style
from larvastats.plot.ranking import plot_ranking


def marks(figure, gid):
    (axes,) = figure.axes
    return next(c for c in axes.collections if c.get_gid() == gid)


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def offsets(figure, gid):
    return np.ma.getdata(marks(figure, gid).get_offsets())


def test_lines_stand_in_the_order_of_their_adjusted_distance(pictures):
    result = pictures.screen(12)
    figure = plot_ranking(result)
    assert isinstance(figure, Figure)
    ranked = result.table.sort_values("hellinger_adjusted", ascending=False)
    assert names(figure) == ranked["line"].tolist()
    np.testing.assert_array_equal(offsets(figure, "effect")[:, 0], ranked["hellinger_adjusted"])
    np.testing.assert_array_equal(offsets(figure, "plug-in")[:, 0], ranked["hellinger"])
    assert figure.axes[0].yaxis_inverted()


def test_intervals_and_pseudo_lines_are_those_of_the_table(pictures):
    result = pictures.screen(12)
    figure = plot_ranking(result)
    ranked = result.table.sort_values("hellinger_adjusted", ascending=False)
    ends = np.array([[x[0] for x in s] for s in marks(figure, "interval").get_segments()])
    np.testing.assert_allclose(ends, ranked[["hellinger_low", "hellinger_high"]])
    bars = [p.get_width() for p in figure.axes[0].patches if p.get_gid() == "pseudo"]
    np.testing.assert_allclose(bars, ranked["hellinger_pseudo_95"])


def test_rejected_lines_have_their_colour_and_rings_are_hollow(pictures):
    result = pictures.screen(12)
    figure = plot_ranking(result)
    ranked = result.table.sort_values("hellinger_adjusted", ascending=False)
    expected = [style.REJECTED if r else style.KEPT for r in ranked["rejected"]]
    assert 0 < expected.count(style.REJECTED) < 12
    assert [to_hex(c).upper() for c in marks(figure, "effect").get_facecolors()] == expected
    rings = marks(figure, "plug-in")
    assert {to_hex(c) for c in rings.get_facecolors()} == {"#ffffff"}
    assert [to_hex(c).upper() for c in rings.get_edgecolors()] == expected


def test_q_assays_and_the_strongest_change_are_written(pictures):
    result = pictures.screen(12)
    result.table["top_transition"] = "run->cast"  # as screens write it
    result.table.loc[0, ["q_value", "top_difference"]] = [0.0123, 0.208]
    written = pictures.texts(plot_ranking(result))
    assert {"q", "assays", "strongest change", "0.012", "6 vs 12"} <= set(written)
    assert "run → cast +0.21" in written
    rejected = int(result.table["rejected"].sum())
    verdict = f"{rejected} of 12 tested lines rejected, Benjamini-Hochberg q ≤ 0.05."
    assert verdict in written
    assert f"effector {pictures.effector} · control {pictures.control}" in written


def test_legend_explains_what_occurs(pictures):
    figure = plot_ranking(pictures.screen(12))
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "rejected", "not rejected", "plug-in distance", "bootstrap interval",
        "95th percentile of control pseudo-lines",
    ]  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 40])
def test_few_lines_are_all_shown(pictures, n):
    figure = plot_ranking(pictures.screen(n))
    assert len(names(figure)) == n
    assert not any("left out" in text for text in pictures.texts(figure))
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []


def test_of_600_lines_the_top_is_shown_and_the_rest_counted(pictures):
    result = pictures.screen(600)
    figure = plot_ranking(result, top=30)
    assert len(names(figure)) == 30
    hidden = result.table.sort_values("hellinger_adjusted", ascending=False)["rejected"].iloc[30:]
    said = next(text for text in pictures.texts(figure) if "left out" in text)
    assert said.startswith("The top 30 of 600 lines; 570 with smaller effects are left out, ")
    assert f"{int(hidden.sum())} of them rejected" in said
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []


def test_without_p_values_it_describes(pictures):
    table = pictures.table(12)
    table[["p_value", "q_value", "p_exact", "p_floor"]] = np.nan
    table["rejected"] = None
    table["note"] = "one assay: described, not tested"
    figure = plot_ranking(pictures.screen(table=table))
    written = pictures.texts(figure)
    assert "No line was tested: there are no p-values." in written
    assert "q" not in written and "not tested" in written and "rejected" not in written
    assert written.count("one assay: described, not tested") == 12
    assert pictures.overlaps(figure) == []


def test_without_assays_the_plug_in_takes_the_place(pictures):
    table = pictures.table(12)
    blank = ["hellinger_adjusted", "hellinger_low", "hellinger_high", "hellinger_pseudo_95"]
    table[[*blank, "p_value", "q_value"]] = np.nan
    table["rejected"] = False
    figure = plot_ranking(pictures.screen(table=table))
    ranked = table.sort_values("hellinger", ascending=False)
    np.testing.assert_array_equal(offsets(figure, "effect")[:, 0], ranked["hellinger"])
    assert "plug-in" in figure.axes[0].get_xlabel()
    assert marks(figure, "interval").get_segments() == []


def test_without_divergences_the_statistic_takes_the_place(pictures):
    table = pictures.table(5)
    table.loc[:, [c for c in table if c.startswith("hellinger")]] = np.nan
    figure = plot_ranking(pictures.screen(table=table))
    assert figure.axes[0].get_xlabel() == "test statistic (T)"
    np.testing.assert_array_equal(
        offsets(figure, "effect")[:, 0], sorted(table["statistic"], reverse=True)
    )


def test_lines_without_an_effect_come_last_but_come(pictures):
    table = pictures.table(6)
    gone = ["hellinger", "hellinger_adjusted", "hellinger_low", "hellinger_high",
            "hellinger_pseudo_95", "p_value", "q_value", "statistic"]  # fmt: skip
    table.loc[0, gone] = np.nan
    table.loc[1, [g for g in gone if g != "hellinger"]] = np.nan
    figure = plot_ranking(pictures.screen(table=table))
    assert names(figure)[-2:] == [table["line"][1], table["line"][0]]
    assert np.isnan(offsets(figure, "effect")[-1, 0])
    assert pictures.texts(figure).count("–") == 2  # no q


def test_a_table_of_nothing_is_still_a_list_of_lines(pictures):
    table = pictures.table(4)
    numeric = table.select_dtypes("number").columns
    table[numeric] = np.nan
    figure = plot_ranking(pictures.screen(table=table))
    assert sorted(names(figure)) == sorted(table["line"])
    assert pictures.overlaps(figure) == []


def test_long_names_are_shortened_in_the_middle_and_kept_apart(pictures):
    table = pictures.table(3)
    table["effector"] = ["UAS_A", "UAS_B", "UAS_B"]
    table["genotype"] = ["A_" + "very_long_" * 12 + "name@UAS_A", "short@UAS_B", "$odd_$1@UAS_B"]
    figure = plot_ranking(pictures.screen(table=table))
    shown = names(figure)
    assert {"short@UAS_B", "$odd_$1@UAS_B"} < set(shown)
    (long,) = (name for name in shown if "…" in name)
    assert long.startswith("A_very") and long.endswith("name@UAS_A")
    assert pictures.overlaps(figure) == [] and pictures.outside(figure) == []


def test_zero_rejected_says_zero(pictures):
    table = pictures.table(12).assign(rejected=False)
    figure = plot_ranking(pictures.screen(table=table))
    assert any(t.startswith("0 of 12 tested lines rejected") for t in pictures.texts(figure))
    assert style.REJECTED not in {
        to_hex(c).upper() for c in marks(figure, "effect").get_facecolors()
    }
