"""Every line against its control: the table, its numbers' rules, and every refusal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import DataError, Ethogram, UsageError, screen
from larvastats.inference.significance.multiplicity import adjust
from larvastats.results import SCREEN_COLUMNS, TRANSITION_COLUMNS

CONTROL = "FCF_attP2_1500062"
EFFECTOR = "UAS_X"
TEXT = {"genotype", "line", "effector", "control", "protocol", "window", "statistic_name", "null",
        "top_transition", "note"}  # fmt: skip
COUNTS = {"n_dates", "n_assays", "n_control_assays", "n_larvae", "n_transitions", "empty_rows"}


@pytest.fixture(scope="module")
def result(small):
    return screen(small, calibrate=False)


def row(result, line):
    (one,) = [r for r in result.table.to_dict("records") if r["line"] == line]
    return one


# The table


def test_columns_and_types_are_fixed(result):
    assert tuple(result.table.columns) == SCREEN_COLUMNS
    for column, dtype in result.table.dtypes.items():
        expected = ("str" if column in TEXT else "Int64" if column in COUNTS
                    else "boolean" if column == "rejected" else "float64")  # fmt: skip
        assert str(dtype) == expected, column


@pytest.mark.parametrize(
    "case",
    [
        {"contrast": "during-before"},
        {"block": "none"},
        {"transitions": "frame", "dt": 0.5},
        {"statistic": "kl"},
        {"control": "B@UAS_X"},
    ],
    ids=str,
)
def test_types_do_not_depend_on_what_is_empty(small, result, quick, case):
    table = screen(small, **quick, **case).table
    pd.testing.assert_series_equal(table.dtypes, result.table.dtypes)


def test_the_responder_comes_first_and_alone_is_rejected(result):
    assert result.table["line"].iloc[0] == "A"
    assert list(result.table["rejected"]) == [True, False, False]
    best = row(result, "A")
    assert best["top_transition"].endswith("->roll") and best["top_difference"] > 0.2
    assert best["hellinger_low"] > 0 and best["hellinger"] > best["hellinger_pseudo_95"]


def test_counts_of_the_design(result):
    one = row(result, "B")
    assert (one["n_dates"], one["n_assays"], one["n_control_assays"]) == (3, 6, 9)
    assert one["n_larvae"] == 30
    assert one["control"] == f"{CONTROL}@{EFFECTOR}" and one["genotype"] == f"B@{EFFECTOR}"
    assert one["protocol"] == "r_LED100_30s1x30s0s#n#n#n" and one["window"] == "during"


def test_rows_are_ranked_by_p_then_by_the_statistic(small, recordings, quick):
    # two strong lines tie at the floor of the relabellings, 2/20
    table = recordings(strength={"A": 0.5, "B": 0.9}, dates=1, plates=3, controls=3, dated=False)
    ranked = screen(table, null="relabel", **quick).table
    assert ranked["p_value"].is_monotonic_increasing
    tied = ranked[ranked["p_value"] == ranked["p_value"].min()]
    assert set(tied["line"]) >= {"A", "B"} and tied["statistic"].is_monotonic_decreasing


def test_corrected_values_follow_from_the_p_values(small, quick):
    for correction in ("bh", "by", "bonferroni", "none"):
        table = screen(small, correction=correction, **quick).table
        np.testing.assert_allclose(table["q_value"], adjust(table["p_value"], correction))
        assert list(table["rejected"]) == list(table["q_value"] <= 0.05)


def test_maxt_corrects_by_what_each_lines_design_could_have_given(recordings, quick):
    """A line of two plates cannot be as surprising as one of four, and does not count there."""
    table = recordings(dates=1, plates=4, controls=4, dated=False, strength={"A": 0.9})
    few = table["line"].isin(["B", "C"]) & ~table["assay"].str.endswith(("_0", "_1"))
    result = screen(table[~few], correction="maxt", **quick)
    found = result.table.set_index("line")
    assert set(result.table["null"]) == {"exact"} and result.design["correction"] == "maxt"
    assert found.loc["A", "p_value"] == found.loc["A", "p_floor"] == pytest.approx(2 / 70)
    # two plates of four against four: 1/15 at best, which is more than 2/70
    assert found.loc[["B", "C"], "p_floor"].to_numpy() == pytest.approx(1 / 15)
    assert found.loc["A", "q_value"] == pytest.approx(2 / 70) and found.loc["A", "rejected"]
    alike = screen(table, correction="maxt", **quick)
    assert alike.table["q_value"].min() >= 1 - (1 - 2 / 70) ** 3 - 1e-12
    assert any("smallest possible adjusted p is 0.0833: over 3 lines" in n for n in alike.notes)
    assert "Westfall-Young-adjusted p <= 0.05" in str(alike)


@pytest.mark.parametrize("statistic", ["hellinger", "g", "combined"])
def test_maxt_takes_the_p_values_of_the_screens_statistic(small, quick, statistic):
    """Enumerated where the design is small; 2 plates against 3 on three dates: 1000 ways."""
    result = screen(small, statistic=statistic, correction="maxt", **quick).table
    assert (result["q_value"] >= result["p_value"] * (1 - 1e-9)).all()
    assert (result["q_value"] <= 3 * result["p_value"] + 1e-12).all()
    assert result["q_value"].is_monotonic_increasing


def test_p_value_is_of_the_kind_that_null_says(small, quick):
    by_kind = {kind: screen(small, null=kind, **quick).table for kind in ("relabel", "F", "auto")}
    relabel, f, auto = (by_kind[k] for k in ("relabel", "F", "auto"))
    assert set(relabel["null"]) == {"exact"} and (relabel["p_value"] == relabel["p_exact"]).all()
    assert set(f["null"]) == {"F"} and (f["p_value"] == f["p_approx"]).all()
    # 10 x 10 x 10 relabellings leave no room for three lines at .05/30
    assert set(auto["null"]) == {"exact" if 1 / 1000 <= 0.05 / 30 else "F"}
    both = relabel.set_index("line"), f.set_index("line").loc[list(relabel["line"])]
    pd.testing.assert_series_equal(both[0]["p_exact"], both[1]["p_exact"])


def test_sampled_p_values_are_one_plus_k_over_one_plus_b(recordings, quick):
    table = recordings(dates=1, plates=9, controls=12, dated=False, larvae=2, strength={})
    found = screen(table, resamples=199, null="relabel", **quick).table
    assert set(found["null"]) == {"permutation"}
    for column in ("p_exact", "hellinger_p_value", "js_p_value", "kl_p_value"):
        k = found[column] * 200
        assert ((k > 0.999) & (k < 200.001)).all() and np.allclose(k, np.round(k)), column
    assert (found["p_floor"] == 1 / 200).all()


@pytest.mark.parametrize(
    ("sizes", "floor"),
    [
        ({"dates": 1, "plates": 4, "controls": 4, "dated": False}, 2 / 70),
        ({"dates": 2, "plates": 2, "controls": 2}, 2 / 36),
        ({"dates": 3, "plates": 2, "controls": 3}, 1 / 1000),
    ],
    ids=["4 against 4", "two dates of 2 + 2", "three dates of 2 + 3"],
)
def test_floors(recordings, quick, sizes, floor):
    found = screen(recordings(larvae=3, **sizes), null="relabel", **quick).table
    np.testing.assert_allclose(found["p_floor"], floor, rtol=1e-12)
    assert (found["p_exact"] >= floor * (1 - 1e-12)).all()


def test_a_design_that_can_never_reject_says_so(recordings, quick):
    found = screen(recordings(dates=2, plates=2, controls=2, larvae=3), null="relabel", **quick)
    assert found.table["note"].str.contains("smallest possible p is 0.0556: cannot reject").all()
    assert not found.table["rejected"].any()


def test_statistics_share_one_table(small, quick):
    welch = screen(small, null="relabel", **quick).table.set_index("line")
    for name in ("hellinger", "js", "kl"):
        other = screen(small, statistic=name, **quick).table.set_index("line").loc[welch.index]
        assert set(other["statistic_name"]) == {name}
        pd.testing.assert_series_equal(
            other["p_value"], welch[f"{name}_p_value"], check_names=False
        )
        assert other["p_approx"].isna().all()


def test_intervals_hold_the_plug_in_and_never_contradict_the_test(result):
    for name in ("hellinger", "js", "kl"):
        table = result.table
        assert (table[f"{name}_low"] <= table[f"{name}_high"]).all()
        weak = table[f"{name}_p_value"] > 0.05
        assert (table.loc[weak, f"{name}_low"] == 0).all()


def test_without_bootstrap_both_limits_are_empty(small, quick):
    table = screen(small, **quick).table
    for name in ("hellinger", "js", "kl"):
        assert table[f"{name}_low"].isna().all() and table[f"{name}_high"].isna().all()


def test_a_contrast_leaves_divergences_blank(small, quick):
    table = screen(small, contrast="during-before", **quick).table
    blank = [c for c in SCREEN_COLUMNS if c.startswith(("hellinger", "js", "kl"))]
    assert table[blank].isna().all(axis=None)
    assert set(table["window"]) == {"during-before"}
    assert table["p_value"].notna().all() and table["line"].iloc[0] == "A"


def test_a_line_that_differs_from_the_start_is_different_but_does_not_respond(recordings, quick):
    table = recordings(early=True, seed=2, larvae=8)
    window = screen(table, null="relabel", **quick).table.set_index("line")
    change = screen(table, contrast="during-before", null="relabel", **quick).table.set_index(
        "line"
    )
    assert window.loc["A", "p_value"] < 0.005
    assert change.loc["A", "p_value"] > 0.05


# What must not matter


def numbers(table, drop=()):
    return table.sort_values("genotype", ignore_index=True).drop(columns=list(drop))


def test_the_order_of_rows_in_the_source_does_not_matter(small, result):
    shuffled = small.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(screen(shuffled, calibrate=False).table, result.table)


def test_an_ethogram_gives_what_its_table_gives(small, result):
    data = Ethogram.from_bouts(small)
    pd.testing.assert_frame_equal(screen(data, calibrate=False).table, result.table)


def test_renaming_other_lines_does_not_change_a_line(small, result):
    other = small.assign(line=small["line"].replace({"B": "zebra", "C": "alpha"}))
    before, after = row(result, "A"), row(screen(other, calibrate=False), "A")
    for column in SCREEN_COLUMNS:
        if column not in ("q_value", "note"):
            np.testing.assert_equal(after[column], before[column], err_msg=column)


def test_a_line_that_joins_leaves_the_relabellings_of_others_alone(recordings, quick):
    """The pool that scales profiles grows; nothing else changes."""
    few = screen(recordings(lines=("A", "B")), **quick).table.set_index("line")
    many = screen(recordings(), **quick).table.set_index("line")
    for column in ("p_floor", "hellinger", "js", "kl", "hellinger_adjusted", "n_transitions"):
        pd.testing.assert_series_equal(few[column].sort_index(), many.loc[["A", "B"], column])


def test_the_seed_decides_and_nothing_else(recordings):
    table = recordings(dates=1, plates=9, controls=12, dated=False, larvae=2, strength={})

    def run(seed, jobs=1):
        return screen(table, resamples=299, bootstrap=100, calibrate=False, seed=seed, jobs=jobs)

    first = run(1)
    pd.testing.assert_frame_equal(run(1).table, first.table)
    assert (numbers(run(2).table)["p_exact"] != numbers(first.table)["p_exact"]).any()
    assert (numbers(run(2).table)["js_high"] != numbers(first.table)["js_high"]).any()


def test_processes_do_not_matter(small, result):
    both = screen(small, calibrate=False, jobs=2)
    pd.testing.assert_frame_equal(both.table, result.table)
    pd.testing.assert_frame_equal(both.transitions, result.transitions)


def test_the_source_is_left_as_it_was(small, quick):
    before = small.copy(deep=True)
    screen(small, **quick)
    pd.testing.assert_frame_equal(small, before)


# Lines that cannot be tested


def test_a_line_with_one_assay_is_described_and_not_tested(small, quick):
    keep = (small["line"] != "B") | (small["assay"] == "B_0_0")
    one = row(screen(small[keep], **quick), "B")
    assert np.isnan(one["p_value"]) and np.isnan(one["q_value"]) and pd.isna(one["rejected"])
    assert "one assay of the line: no variance, no test" in one["note"]
    assert one["n_assays"] == 1 and 0 < one["hellinger"] < 1
    assert np.isnan(one["hellinger_adjusted"]) and pd.isna(one["null"])


def test_lines_without_a_test_come_last_and_do_not_count_in_the_correction(small, quick):
    keep = (small["line"] != "A") | (small["assay"] == "A_0_0")
    table = screen(small[keep], correction="bonferroni", null="relabel", **quick).table
    assert list(table["line"])[-1] == "A"
    tested = table[table["line"] != "A"]
    np.testing.assert_allclose(tested["q_value"], np.minimum(1, 2 * tested["p_value"]))


def test_one_shared_date_is_described_and_not_tested(small, quick):
    keep = (small["line"] != "B") | (small["date"] == "20200102")
    one = row(screen(small[keep], **quick), "B")
    assert np.isnan(one["p_value"]) and "share only one date" in one["note"]
    assert (one["n_dates"], one["n_assays"], one["n_control_assays"]) == (1, 2, 9)


def test_dates_without_the_other_side_leave_the_test_and_are_counted(small, quick):
    table = small.copy()
    away = table["assay"].isin(["B_2_0", "B_2_1"])
    table.loc[away, "date"] = "20200109"
    one = row(screen(table, **quick), "B")
    assert (one["n_dates"], one["n_assays"], one["n_control_assays"]) == (2, 4, 6)
    assert "2 assays on dates without control left out" in one["note"]
    assert "3 control assays on dates without the line left out" in one["note"]


def test_assays_without_a_transition_in_the_window_leave_the_test(small, quick):
    table = small[(small["assay"] != "B_0_0") | (small["t_stop"] < 29)]
    one = row(screen(table, **quick), "B")
    assert one["n_assays"] == 5
    assert "1 assay without a transition in the window left out" in one["note"]


def test_one_plate_of_each_side_per_date_still_gets_a_p_value(recordings, quick):
    """Without replicates within dates nothing estimates the shape that F needs."""
    table = recordings(dates=3, plates=1, controls=1, larvae=4)
    found = screen(table, **quick).table
    assert found["p_exact"].notna().all()
    assert found["p_value"].notna().all() and set(found["null"]) == {"exact"}
    asked = screen(table, null="F", **quick).table
    assert asked["p_value"].isna().all() and asked["null"].isna().all()
    assert asked["note"].str.contains("no replicate plates on any date: no F approximation").all()


# Controls


def test_the_usual_control_is_the_default_with_the_lines_own_effector(recordings, quick):
    table = pd.concat([recordings(lines=("A",)), recordings(lines=("B",), effector="UAS_Y")
                       .assign(assay=lambda t: t["assay"] + "y")])  # fmt: skip
    found = screen(table, **quick).table.set_index("line")
    assert found.loc["A", "control"] == f"{CONTROL}@UAS_X"
    assert found.loc["B", "control"] == f"{CONTROL}@UAS_Y"


def test_a_line_whose_effector_has_no_control_is_listed_and_not_tested(recordings, quick):
    other = recordings(lines=("B",), effector="UAS_Y").assign(assay=lambda t: t["assay"] + "y")
    table = pd.concat([recordings(lines=("A",)), other[other["line"] == "B"]])
    one = row(screen(table, **quick), "B")
    assert pd.isna(one["control"]) and np.isnan(one["p_value"]) and np.isnan(one["hellinger"])
    assert one["note"] == "no control with the effector UAS_Y"


@pytest.mark.parametrize("control", ["B", f"B@{EFFECTOR}"])
def test_a_control_can_be_named_by_line_or_genotype(small, quick, control):
    found = screen(small, control=control, **quick).table
    assert set(found["control"]) == {f"B@{EFFECTOR}"}
    assert set(found["line"]) == {"A", "C", CONTROL}


def test_a_named_genotype_is_the_control_of_lines_with_any_effector(recordings, quick):
    other = recordings(lines=("B",), effector="UAS_Y").assign(assay=lambda t: t["assay"] + "y")
    table = pd.concat([recordings(lines=("A",)), other[other["line"] == "B"]])
    found = screen(table, control=f"{CONTROL}@UAS_X", **quick).table
    assert set(found["control"]) == {f"{CONTROL}@UAS_X"} and set(found["line"]) == {"A", "B"}
    # a line named as control that exists once serves all as well
    named = screen(table, control=CONTROL, **quick).table
    pd.testing.assert_frame_equal(named, found)


def test_no_usual_control_names_the_candidates(small):
    with pytest.raises(
        UsageError, match="no genotype of this source is the usual control"
    ) as error:
        screen(small.assign(line=small["line"].replace({CONTROL: "W"})))
    assert "--control" in str(error.value) and f"W@{EFFECTOR} (9 assays)" in str(error.value)


def test_an_absent_control_is_refused_with_what_may_be_meant(small):
    with pytest.raises(UsageError, match="neither a line nor a genotype") as error:
        screen(small, control="FCF_attP2_150006")
    assert CONTROL in str(error.value)
    with pytest.raises(UsageError, match="those with most assays are FCF_attP2_1500062@UAS_X"):
        screen(small, control="q")


def test_an_ambiguous_control_is_refused(recordings):
    table = recordings(lines=("GMR_1", "GMR_2"))
    with pytest.raises(UsageError, match="ambiguous: GMR_1@UAS_X, GMR_2@UAS_X begin with it"):
        screen(table, control="GMR")


def test_no_line_left(small):
    only = small[small["line"] == CONTROL]
    with pytest.raises(DataError, match="no line is left to test"):
        screen(only)


def test_no_line_with_a_control(recordings):
    other = recordings(lines=("B",), effector="UAS_Y").assign(assay=lambda t: t["assay"] + "y")
    table = pd.concat([recordings(lines=()), other[other["line"] == "B"]])
    with pytest.raises(DataError, match="none of B@UAS_Y has a control with its effector"):
        screen(table)


# States, windows, protocols


def test_states_never_seen_in_the_control_are_noted(small, quick):
    table = small.copy()
    here = (table["line"] == "B") & (table["state"] == "roll")
    table.loc[here, "state"] = "rooll"
    result = screen(table, **quick)
    assert any("never seen in a control: rooll" in note for note in result.notes)
    assert "rooll" in result.states and "never seen in a control" in repr(result)


def test_two_vocabularies_without_a_common_word_are_refused(small):
    table = small.copy()
    lines = table["line"] != CONTROL
    table.loc[lines, "state"] = table.loc[lines, "state"].replace(
        {"run": "r1", "cast": "c1", "stop": "s1", "roll": "o1"}
    )
    with pytest.raises(DataError, match="no name in common"):
        screen(table)


def test_an_empty_window_says_where_the_recordings_are(small):
    with pytest.raises(DataError, match=r"window 500–600 s holds no transition") as error:
        screen(small, window="500:600")
    assert "the recordings run from" in str(error.value)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"window": "during", "contrast": "during-before"}, "either window or contrast"),
        ({"window": "during_7"}, "has no window 'during_7'"),
        ({"contrast": "during"}, "Contrast 'during' is not W1-W2"),
        ({"protocol": "p_8"}, "unknown in this source"),
        ({"unit": "frame"}, "unit must be auto or assay or cross or larva, but is 'frame'"),
        ({"block": "week"}, "block must be date or none, but is 'week'"),
        ({"statistic": "chi"}, "statistic must be one of"),
        ({"null": "F", "statistic": "js"}, "use null='relabel'"),
        ({"resamples": 5}, "resamples must be at least 99"),
    ],
    ids=str,
)
def test_wrong_calls(small, choice, words):
    with pytest.raises(UsageError) as error:
        screen(small, **choice)
    assert words in str(error.value)


def test_protocols_are_chosen_by_a_unique_beginning(small, quick):
    late = small.assign(protocol="r_LED50_30s1x30s0s#n#n#n", assay=small["assay"] + "z")
    both = pd.concat([small, late])
    with pytest.raises(UsageError, match="ambiguous"):
        screen(both, protocol="r_LED")
    with pytest.raises(UsageError, match="The source has 2 protocols"):
        screen(both)
    alone = screen(small, **quick).table
    pd.testing.assert_frame_equal(screen(both, protocol="r_LED100", **quick).table, alone)


def test_without_a_protocol_the_window_is_the_whole_recording(small, quick):
    found = screen(small.drop(columns="protocol"), **quick)
    assert set(found.table["window"]) == {"whole"} and found.table["protocol"].isna().all()
    told = screen(small, window="whole", **quick).table
    np.testing.assert_array_equal(numbers(found.table)["statistic"], numbers(told)["statistic"])


# Units and blocks


def test_larvae_as_units_come_with_a_warning(small, quick):
    result = screen(small, unit="larva", resamples=99, **quick)
    assert any("larvae of one plate share its conditions" in note for note in result.notes)
    one = row(result, "B")
    assert (one["n_assays"], one["n_larvae"], one["n_control_assays"]) == (30, 30, 45)
    assert result.design["unit"] == "larva"


def test_blocks_switched_off_compare_plates(small, quick):
    result = screen(small, block="none", resamples=999, **quick)
    assert result.table["n_dates"].isna().all() and result.design["block"] == "none"
    assert (result.table["p_floor"] == 1 / 5005).all()  # 6 of 15 plates
    dateless = screen(small.drop(columns="date"), resamples=999, **quick)
    pd.testing.assert_frame_equal(result.table, dateless.table)
    assert any("no assay has a date: one block" in note for note in dateless.notes)


# Cells and units


def test_cells_hold_pooled_counts_and_their_difference(small, result):
    cells = result.transitions
    assert tuple(cells.columns) == TRANSITION_COLUMNS
    assert len(cells) == 3 * 16 and set(cells["window"]) == {"during"}
    for _, one in cells.groupby("genotype"):
        for side in ("line", "control"):
            visits = one.groupby("from")[f"n_{side}"].transform("sum")
            np.testing.assert_allclose(one[f"p_{side}"], one[f"n_{side}"] / visits)
        np.testing.assert_allclose(one["difference"], one["p_line"] - one["p_control"])
    total = cells.groupby("line")["n_line"].sum()
    expected = result.table.set_index("line")["n_transitions"]
    assert dict(total) == dict(expected)


def test_cells_count_what_the_source_holds(small, result):
    table = small[small["line"] == "A"].sort_values(["assay", "larva", "t_start"])
    follows = table.shift()
    jump = (table["assay"] == follows["assay"]) & (table["larva"] == follows["larva"])
    jump &= (
        (table["t_start"] >= 30) & (table["t_start"] < 60) & (table["state"] != follows["state"])
    )
    pair = follows["state"][jump] + ">" + table["state"][jump]
    cells = result.transitions[result.transitions["line"] == "A"]
    found = dict(zip(cells["from"] + ">" + cells["to"], cells["n_line"], strict=True))
    assert {k: v for k, v in found.items() if v} == dict(pair.value_counts())


def test_cells_have_family_wise_p_values_in_rejected_lines_only(result):
    rejected = set(result.table.loc[result.table["rejected"], "genotype"])
    for genotype, one in result.transitions.groupby("genotype"):
        p = one["p_adjusted"].dropna()
        assert (len(p) > 0) == (genotype in rejected)
        assert ((p > 0) & (p <= 1)).all()


def test_units_are_the_assays_with_their_distance_from_control(small, result):
    units = result.augment()
    assert len(units) == 27 and set(units["n_larvae"]) == {5}
    distance = units.groupby(units["genotype"].str.split("@").str[0])["distance"].mean()
    assert distance["A"] > 2 * distance["B"] and distance["B"] > 0


def test_units_are_measured_from_the_controls_of_their_own_date(recordings, quick):
    """A date that shifts everybody moves nobody away from their controls."""
    table = recordings(strength={}, dates=3, larvae=8)
    calm = screen(table, **quick).augment()
    odd = table["date"] == "20200102"
    swapped = table["state"].replace({"run": "stop", "stop": "run"})
    shifted = table.assign(state=table["state"].where(~odd, swapped))
    found = screen(shifted, **quick).augment()
    on_it = found["date"] == "20200102"
    assert found.loc[on_it, "distance"].mean() < 1.8 * calm.loc[on_it, "distance"].mean()
