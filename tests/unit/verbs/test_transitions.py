"""Transition matrices by genotype and window."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import DataError, UsageError, screen, transitions

CONTROL = "FCF_attP2_1500062"


def test_light_off_and_light_on_by_default(small):
    result = transitions(small)
    assert list(result.table["window"].unique()) == ["before", "during"]
    assert list(result.table["genotype"].unique())[:2] == ["A@UAS_X", "B@UAS_X"]
    assert len(result.table) == 4 * 2 * 16
    off, on = result.matrix("A@UAS_X", "before"), result.matrix("A@UAS_X", "during")
    assert on.loc["run", "roll"] > off.loc["run", "roll"] + 0.2


def test_matrices_are_those_of_the_screen(small, quick):
    cells = screen(small, **quick).transitions
    matrix = transitions(small, genotypes="A", windows="during").matrix("A@UAS_X")
    own = cells[cells["line"] == "A"].pivot(index="from", columns="to", values="p_line")
    pd.testing.assert_frame_equal(matrix, own.loc[matrix.index, matrix.columns], check_names=False)


def test_rows_sum_to_one_and_counts_to_the_total(small):
    result = transitions(small, windows=["before", "during", "after", "whole"])
    for (genotype, window), _ in result.table.groupby(["genotype", "window"]):
        np.testing.assert_allclose(result.matrix(genotype, window).sum(axis=1), 1.0)
    by_window = result.table.groupby("window")["n"].sum()
    assert by_window[["before", "during", "after"]].sum() == by_window["whole"]


@pytest.mark.parametrize("genotypes", ["A,B", ["A", "B@UAS_X"]])
def test_genotypes_can_be_chosen(small, genotypes):
    assert set(transitions(small, genotypes=genotypes).table["genotype"]) == {"A@UAS_X", "B@UAS_X"}


def test_frames_keep_the_diagonal(small):
    matrix = transitions(small, windows="whole", transitions="frame").matrix("B@UAS_X")
    assert (np.diag(matrix) > 0.8).all()


def test_sliding_windows(small):
    result = transitions(small, genotypes="B", windows="sliding:10:10:0:60")
    assert list(result.augment()["window"])[:2] == ["0:10", "10:20"]
    assert len(result.augment()) == 6


def test_without_a_stimulus_the_whole_recording(small):
    result = transitions(small.drop(columns="protocol"))
    assert set(result.table["window"]) == {"whole"}


def test_result(small):
    result = transitions(small)
    assert result.glance().to_dict("records") == [
        {"n_genotypes": 4, "n_windows": 2, "n_states": 4,
         "n_transitions": int(result.table["n"].sum())}
    ]  # fmt: skip
    assert list(result.augment()["n_assays"]) == [6, 6, 6, 6, 6, 6, 9, 9]
    printed = repr(result)
    assert "A@UAS_X, during: 30–60 s:" in printed and "Transition probabilities (jump)" in printed
    with pytest.raises(UsageError, match="no single matrix for 'A@UAS_X' in None"):
        result.matrix("A@UAS_X")
    with pytest.raises(UsageError, match="no single matrix for 'Q'"):
        result.matrix("Q", "during")


def test_by_window_every_window_of_the_protocol(small):
    result = transitions(small, by="window")
    assert list(result.table["window"].unique()) == ["before", "during_1", "after"]
    assert result.design["windows_intervals"]["during_1"] == [[30.0, 60.0]]
    assert result.design["windows_intervals"]["before"][0][1] == 30.0
    slide = transitions(small, by="window", windows="sliding:20:20:0:60", genotypes="A")
    assert list(slide.table["window"].unique()) == ["0:20", "20:40", "40:60"]
    without = small.drop(columns="protocol")
    with pytest.raises(UsageError, match=r"no stimulus with times, hence no windows to go by"):
        transitions(without, by="window")


def test_bands_lie_around_probabilities(small):
    table = transitions(small).table
    inside = table["p"].between(0, 1, inclusive="neither")
    known = table[inside & table["p_low"].notna()]
    assert len(known) > 50
    assert ((known["p_low"] < known["p"]) & (known["p"] < known["p_high"])).all()
    assert known["p_low"].min() > 0 and known["p_high"].max() < 1
    # what never or always happens says nothing about how it varies
    assert table.loc[~inside, ["p_low", "p_high"]].isna().all(axis=None)
    assert set(table["n_replicates"]) == {3}


def test_bands_do_not_depend_on_company_or_other_windows(small):
    all_of_them = transitions(small, windows="during", seed=4).table
    alone = transitions(small, genotypes="B", windows="during", seed=4).table
    mine = all_of_them[all_of_them["genotype"] == "B@UAS_X"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone)
    other = transitions(small, genotypes="B", windows="during", seed=5).table
    assert not np.allclose(other["p_low"].dropna(), alone["p_low"].dropna(), rtol=1e-12)


def test_assays_are_replicates_where_there_are_no_dates(small, undated):
    assert set(transitions(undated).table["n_replicates"]) == {4}
    plates = transitions(small, block="none", genotypes="A").table
    assert set(plates["n_replicates"]) == {6}
    none = transitions(small, bootstrap=0).table
    assert none[["p_low", "p_high"]].isna().all(axis=None)


def test_one_replicate_has_no_band_and_a_note(small):
    few = small[(small["line"] != "B") | (small["date"] == small["date"].iloc[0])]
    result = transitions(few)
    own = result.table[result.table["genotype"] == "B@UAS_X"]
    assert own["p_low"].isna().all() and own["p"].notna().any()
    assert any("B@UAS_X: one date only, no bands; block='none'" in n for n in result.notes)


def test_an_empty_window_among_others_is_named(small):
    result = transitions(small, windows="during,500:600")
    assert any("no transition at all in window 500–600 s" in n for n in result.notes)


def test_refusals(small):
    with pytest.raises(DataError, match="no transition in 500–600 s"):
        transitions(small, windows="500:600")
    with pytest.raises(UsageError, match="'Q' is neither a genotype nor a line"):
        transitions(small, genotypes="Q")
    with pytest.raises(UsageError, match="transitions must be one of jump, frame"):
        transitions(small, transitions="hop")
    for bad in ({"by": "hour"}, {"bootstrap": -1}, {"level": 2}, {"seed": -1}):
        with pytest.raises(UsageError, match=next(iter(bad))):
            transitions(small, **bad)
    with pytest.raises(UsageError, match="kind must be matrices or courses"):
        transitions(small, bootstrap=0).plot(kind="pie")
