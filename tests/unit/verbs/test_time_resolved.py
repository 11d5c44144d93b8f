"""Verbs dwell, order_test and homogeneity_test: what they return, print, draw and refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import (
    DataError,
    DwellResult,
    Ethogram,
    HTest,
    OrderResult,
    UsageError,
    dwell,
    homogeneity_test,
    order_test,
)

CONTROL = "FCF_attP2_1500062@UAS_X"
QUICK = {"resamples": 200}


@pytest.fixture(scope="module")
def dwells(small):
    return dwell(small, genotypes="A,B", windows="before,during", **QUICK)


def test_one_row_per_genotype_window_and_state(dwells, small):
    table = dwells.tidy()
    assert isinstance(dwells, DwellResult)
    assert list(table["genotype"].unique()) == [CONTROL, "A@UAS_X", "B@UAS_X"]
    assert len(table) == 3 * 2 * 4 and not table.duplicated(["genotype", "window", "state"]).any()
    assert (table["n_ended"] + table["n_cut"] + table["n_lost"] == table["n_bouts"]).all()
    assert (table["mean_low"] <= table["mean"]).all() and (table["mean"] <= table["horizon"]).all()
    assert dwells.glance()["n_bouts"].iloc[0] == table["n_bouts"].sum()
    assert set(table["family"].dropna()) <= {"exponential", "weibull", "gamma", "lognormal"}


def test_fits_hold_every_family_and_name_the_best(dwells):
    chosen = dwells.fits[dwells.fits["best"]]
    assert (chosen["delta_aic"] == 0).all() and (dwells.fits["delta_aic"] >= 0).all()
    table = dwells.table.dropna(subset="family")
    merged = table.merge(chosen, on=["genotype", "window", "state"], suffixes=("", "_fit"))
    assert len(merged) == len(table) and (merged["family"] == merged["family_fit"]).all()
    # the simulated bouts are gamma(2, 1.2) and a little: mean 2.4
    whole = table[table["n_ended"] > 150]
    assert whole["fitted_mean"].between(2.0, 3.0).all()


def test_counts_are_those_of_a_loop(dwells, small):
    table = small.sort_values(["assay", "larva", "t_start"])
    before = table.groupby(["assay", "larva"])["t_stop"].shift()
    known = (table["t_start"] - before) <= 1e-6
    own = table[known & (table["line"] == "A") & table["t_start"].between(30, 60, "left")]
    counts = own["state"].value_counts()
    found = dwells.table.query("genotype == 'A@UAS_X' and window == 'during'").set_index("state")
    # equal neighbours would merge; this chain never repeats a state
    assert {s: int(n) for s, n in found["n_bouts"].items()} == counts.to_dict()


def test_tests_cover_lines_and_cells(dwells):
    assert list(dwells.tests["genotype"]) == ["A@UAS_X", "B@UAS_X"]
    assert len(dwells.cells) == 2 * 2 * 4
    line = dwells.tests.set_index("genotype")["p_value"]
    assert (dwells.cells["p_adjusted"] >= dwells.cells["genotype"].map(line) - 1e-12).all()
    # dwell times of this simulation are the same in all lines
    assert (line > 0.01).all() and not dwells.tests["rejected"].any()


def test_one_kind_of_p_for_all_lines(small, dwells):
    """Three dates of 2 against 3: a floor of .001, enough for two lines, not for three hundred."""
    assert set(dwells.tests["null"]) == {"exact"}
    two = small[small["date"] != "20200103"]
    # two dates: a floor of .01, enough for one line at .05, not for two
    assert dwell(two, genotypes="A", **QUICK).tests["null"].tolist() == ["exact"]
    both = dwell(two, genotypes="A,B", **QUICK).tests
    assert both["null"].tolist() == ["F", "F"] and (both["p_value"] == both["p_approx"]).all()
    kept = dwell(two, genotypes="A,B", null="relabel", **QUICK).tests
    assert (kept["p_value"] == kept["p_exact"]).all()


def test_units_are_assays(dwells, small):
    units = dwells.augment()
    assert len(units) == (6 + 6 + 9) * 2 * 4
    sums = units.groupby(["genotype", "window", "state"])["n_bouts"].sum()
    expected = dwells.table.set_index(["genotype", "window", "state"])["n_bouts"]
    pd.testing.assert_series_equal(sums.sort_index(), expected.sort_index())


def test_the_same_seed_and_company_change_nothing(dwells, small):
    alone = dwell(small, genotypes="A", windows="before,during", **QUICK)
    own = dwells.cells.query("genotype == 'A@UAS_X'").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.cells, own)


def longer(table, line, state, factor):
    """Stretch bouts of one line and state, moving all later bouts of the larva."""
    table = table.sort_values(["assay", "larva", "t_start"]).copy()
    length = table["t_stop"] - table["t_start"]
    stretched = length * np.where((table["line"] == line) & (table["state"] == state), factor, 1.0)
    start = table.groupby(["assay", "larva"])["t_start"].transform("first")
    added = stretched.groupby([table["assay"], table["larva"]]).cumsum()
    table["t_stop"] = start + added
    table["t_start"] = table["t_stop"] - stretched
    return table


def test_a_stretched_state_is_found(small):
    result = dwell(longer(small, "B", "cast", 2.5), genotypes="B", windows="whole", **QUICK)
    cells = result.cells.set_index("state")
    assert result.tests["rejected"].all()
    assert cells.loc["cast", "p_adjusted"] < 0.05 and cells.loc["cast", "low"] > 0
    assert (cells.drop("cast")["p_adjusted"] > 0.05).all()
    table = result.table.set_index(["genotype", "state"])
    ratio = table.loc[("B@UAS_X", "cast"), "fitted_mean"] / table.loc[(CONTROL, "cast"),
                                                                      "fitted_mean"]  # fmt: skip
    assert ratio == pytest.approx(2.5, rel=0.2)


def test_lost_tracks_are_bounded(small):
    rng = np.random.default_rng(0)
    roll = (small["state"] == "roll") & (rng.random(len(small)) < 0.5)
    table = small.copy()
    # half of all rolls are lost midway
    table.loc[roll, "t_stop"] -= 0.6 * (table["t_stop"] - table["t_start"])[roll]
    result = dwell(table, genotypes="A", windows="during", **QUICK)
    rolls = result.table.query("state == 'roll'")
    assert (rolls["n_lost"] > 0).all()
    assert (rolls["mean_lost_ended"] < rolls["mean"]).all()
    assert (rolls["mean"] < rolls["mean_lost_stayed"]).all()
    other = dwell(table, genotypes="A", windows="during", lost="ended", **QUICK)
    assert other.tests["p_value"].iloc[0] == result.tests["p_lost_ended"].iloc[0] or (
        other.table["horizon"].ne(result.table["horizon"]).any()
    )


def test_dwell_prints_and_draws(dwells, small):
    text = repr(dwells)
    assert "Dwell times" in text and "during: 30–60 s" in text
    assert "mean duration minus the control's" in text and "A@UAS_X" in text
    for figure in (dwells.plot(), dwells.plot("B", "during"), dwells.plot("A@UAS_X")):
        assert [a.get_label() for a in figure.axes] == list(dwells.states)
    with pytest.raises(UsageError, match="no genotype 'Z' in this result"):
        dwells.plot("Z")
    with pytest.raises(UsageError, match="no window 'after' in this result"):
        dwells.plot(window="after")
    free = dwell(small, genotypes="A,B", control="C", windows="during", **QUICK)
    assert set(free.tests["control"]) == {"C@UAS_X"}


def test_without_a_control_there_are_curves_only(small):
    own = small[small["line"].isin(["A", "B"])]
    result = dwell(own)
    assert result.tests.empty and result.cells.empty and len(result.curves)
    assert any("no control was named" in note for note in result.notes)
    assert result.plot().axes and "Dwell times" in repr(result)


# Bad input


def test_a_genotype_that_never_does_the_action(small):
    table = small[(small["line"] != "A") | (small["state"] != "roll")]
    result = dwell(table, genotypes="A", windows="during", **QUICK)
    row = result.table.query("genotype == 'A@UAS_X' and state == 'roll'").iloc[0]
    assert row["note"] == "A@UAS_X never begins a bout of roll here"
    assert row["n_bouts"] == 0 and np.isnan(row["mean"]) and pd.isna(row["family"])
    cell = result.cells.query("state == 'roll'").iloc[0]
    assert "A@UAS_X never begins a bout of roll" in cell["note"] and np.isnan(cell["p_adjusted"])
    assert any("never begins a bout of roll" in note for note in result.notes)
    assert "never begins a bout of roll" in repr(result)
    assert result.plot().axes


def test_a_state_that_nobody_shows(small):
    data = Ethogram.from_bouts(small, states=["run", "cast", "stop", "roll", "hunch"])
    result = dwell(data, genotypes="A", windows="during", **QUICK)
    assert (result.table.query("state == 'hunch'")["n_bouts"] == 0).all()
    assert "hunch" not in set(result.cells["state"]) and result.plot().axes


def test_one_assay(small):
    table = small[(small["line"] != "A") | (small["assay"] == "A_0_0")]
    result = dwell(table, genotypes="A", windows="during", **QUICK)
    assert "one assay of the line" in result.tests["note"].iloc[0]
    assert np.isnan(result.tests["p_value"].iloc[0])
    own = result.table.query("genotype == 'A@UAS_X'")
    assert own["mean_low"].isna().all() and own["scale_se"].isna().all()
    assert own["stable"].isna().all()
    assert own["note"].str.contains("one assay: no interval").all()
    assert "one assay of the line" in repr(result)


@pytest.mark.parametrize(("options", "error", "words"), [
    ({"windows": "200:300"}, DataError, "no bout begins in window 200–300 s.*recordings run from"),
    ({"states": "run,jump"}, UsageError, "states must be among .*, but 'jump' is not"),
    ({"entry": "early"}, UsageError, "entry must be one of"),
    ({"lost": "found"}, UsageError, "lost must be one of"),
    ({"null": "t"}, UsageError, "null must be one of auto, relabel, F"),
    ({"genotypes": "Z"}, UsageError, "neither a genotype nor a line"),
    ({"control": "Z"}, UsageError, "neither a line nor a genotype"),
])  # fmt: skip
def test_dwell_refuses_in_one_sentence(small, options, error, words):
    with pytest.raises(error, match=words):
        dwell(small, **options)


# order_test


def test_order_of_first_order_chains(small):
    result = order_test(small, "B", window="whole", resamples=300, seed=2)
    assert isinstance(result, OrderResult)
    assert result.p_value > 0.01 and len(result.larvae) == 30
    table = result.tidy()
    assert table["observed"].sum() == result.larvae["n_triples"].sum()
    assert table["expected"].sum() == pytest.approx(table["observed"].sum())
    assert table["expected_pooled"].sum() == pytest.approx(table["observed"].sum())
    units = result.augment()
    assert len(units) == 6 and units["n_triples"].sum() == table["observed"].sum()
    assert result.larvae["returns"].sum() == table.loc[table["returns"], "observed"].sum()
    z = table["z"].dropna().abs()
    assert z.is_monotonic_decreasing
    again = order_test(small, "B", window="whole", resamples=300, seed=2)
    pd.testing.assert_frame_equal(again.table, table)


def test_order_result_prints_and_draws(small):
    result = order_test(small, "B", window="whole", resamples=200)
    text = repr(result)
    assert "returns to the action before last" in text and "one chain for all larvae" in text
    (axes,) = result.plot().axes
    scored = result.table["z"].notna().sum()
    assert len(axes.get_yticks()) == min(scored, 40)
    glance = result.glance().iloc[0]
    assert glance["p_value"] == result.p_value and glance["pooled_df"] > 0


def test_order_of_one_assay_says_so(small):
    result = order_test(small[small["assay"] == "A_0_0"], window="whole", resamples=100)
    assert any("one assay" in note for note in result.notes)
    assert np.isnan(result.recurrence["low"]) and np.isfinite(result.p_value)
    assert result.table["t_assays"].isna().all()


@pytest.mark.parametrize(("change", "options", "error", "words"), [
    ({}, {"genotype": None}, UsageError, "genotype is missing; name one of the 4"),
    ({}, {"window": "200:300"}, DataError, "no three actions in a row in window 200–300 s"),
    ({}, {"window": "each"}, UsageError, "names 3 windows"),
    ({}, {"resamples": 5}, UsageError, "resamples must be at least 19"),
    ({"larvae": 1}, {"window": "during"}, DataError, "too few to test the order"),
    ({"states": 2}, {"window": "whole"}, DataError, "none of them could vary"),
])  # fmt: skip
def test_order_test_refuses_in_one_sentence(small, change, options, error, words):
    table = small
    if "larvae" in change:
        table = table[(table["assay"] == "A_0_0") & (table["larva"] == "0")]
    if "states" in change:
        table = table.assign(state=table["state"].where(table["state"] == "run", "other"))
    with pytest.raises(error, match=words):
        order_test(table, **({"genotype": "A"} | options))


# homogeneity_test


def test_light_is_a_change_and_darkness_none(small):
    found = homogeneity_test(small, "A", windows="before,during")
    assert isinstance(found, HTest) and found.p_value == pytest.approx(2 / 64)
    same = homogeneity_test(small, "FCF_attP2_1500062", windows="0:15,15:30")
    assert same.p_value > 0.05
    for one in (found, same):
        assert "windows exchanged within assays" in one.method
    assert "assays = 6" in repr(found)
    assert found.augment()["distance"].notna().all() and len(found.augment()) == 12


def test_default_windows_and_many_windows(small):
    found = homogeneity_test(small, "A")
    assert found.design["windows"] == ("before", "during")
    many = homogeneity_test(small, "A", windows="sliding:10:5", resamples=500)
    assert "signs of assays" in many.method and many.design["null"] == "flip"
    assert len(many.design["by_window"]) > 8 and len(many.estimate) == 1
    steady = homogeneity_test(small, "A", windows="sliding:15:15:0:60", resamples=500)
    assert steady.design["null"] == "exchange" and len(steady.estimate) == 4
    p = [row["p_adjusted"] for row in steady.design["by_window"]]
    assert min(p) >= 1 / 501 and steady.p_value <= 0.05
    assert any("most different" in note for note in steady.notes)
    forced = homogeneity_test(small, "A", windows="0:10,5:15,20:30", null="exchange",
                              resamples=100)  # fmt: skip
    assert any("not exact" in note for note in forced.notes)


@pytest.mark.parametrize(("options", "error", "words"), [
    ({"genotype": None}, UsageError, "genotype is missing"),
    ({"windows": "during"}, UsageError, "two windows or more, but 'during' names 1"),
    ({"windows": "during,30:60"}, UsageError, "names the same window twice"),
    ({"windows": "during,200:300"}, DataError, "window 200–300 s.*holds no transition"),
    ({"null": "shuffle"}, UsageError, "null must be one of auto, exchange, flip"),
])  # fmt: skip
def test_homogeneity_refuses_in_one_sentence(small, options, error, words):
    with pytest.raises(error, match=words):
        homogeneity_test(small, **({"genotype": "A", "windows": "before,during"} | options))


def test_homogeneity_of_one_assay(small):
    with pytest.raises(DataError, match=r"has 1 assay.*two at least"):
        homogeneity_test(small[small["assay"] == "A_0_0"], windows="before,during")


def test_homogeneity_without_stimulus_needs_windows(small):
    with pytest.raises(UsageError, match="windows is missing"):
        homogeneity_test(small.drop(columns="protocol"), "A")


def test_assays_without_a_window_leave_the_test(small):
    late = small[(small["assay"] != "A_0_0") | (small["t_start"] > 31)]
    found = homogeneity_test(late, "A", windows="before,during")
    assert found.parameter["assays"] == 5
    assert any("1 assay(s) without a transition" in note for note in found.notes)
