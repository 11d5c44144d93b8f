"""Two genotypes, or one genotype in two windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from larvastats import DataError, Ethogram, HTest, UsageError, compare, screen
from larvastats.inference.profiles.prepare import paired_profiles
from larvastats.markov.counts import count_transitions
from larvastats.protocol import parse_protocol, windows
from larvastats.results import TRANSITION_COLUMNS

CONTROL = "FCF_attP2_1500062"
ESTIMATES = {
    "Hellinger distance": "hellinger",
    "adjusted": "hellinger_adjusted",
    "Jensen-Shannon": "js",
    "Kullback-Leibler": "kl",
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"statistic": "hellinger"},
        {"statistic": "kl"},
        {"transitions": "frame", "dt": 0.5},
        {"contrast": "during-before"},
        {"block": "none", "resamples": 499},
        {"row_weights": "occupancy"},
        {"window": "whole", "null": "F"},
        {"unit": "larva", "resamples": 99},
        {"statistic": "dwell"},
        {"statistic": "occupancy"},
    ],
    ids=str,
)
def test_a_comparison_is_a_row_of_the_screen(small, options):
    options = {"bootstrap": 50, "seed": 3} | options
    table = screen(small, calibrate=False, **options).table.set_index("line")
    for line in ("A", "B"):
        row, found = table.loc[line], compare(small, line, CONTROL, **options)
        assert found.statistic["T"] == row["statistic"]
        for name in ("p_exact", "p_floor", "p_approx", "n_assays", "n_control_assays",
                     "n_larvae", "n_transitions", "top_transition", "top_difference"):  # fmt: skip
            np.testing.assert_equal(found.design[name], row[name], err_msg=name)
        for name, column in ESTIMATES.items():
            np.testing.assert_equal(found.estimate.get(name, np.nan), row[column], err_msg=name)
        limits = (row["hellinger_low"], row["hellinger_high"])
        assert found.conf_int == (None if np.isnan(limits).any() else limits)
        if row["null"] == found.design["null"] or row["null"] in ("exact", "permutation"):
            assert found.p_value == row["p_value"]


def test_a_comparison_of_one_may_relabel_where_a_screen_of_many_cannot(small, quick):
    """Both p-values are the same in both; which of them ranks depends on the number of lines."""
    found = compare(small, "A", CONTROL, bootstrap=0)
    assert found.design["null"] == "relabel" and found.p_value == found.design["p_exact"]
    table = screen(small, **quick).table.set_index("line")
    assert table.loc["A", "p_exact"] == found.p_value
    assert table.loc["A", "p_approx"] == found.design["p_approx"]


def test_names_may_be_lines_or_genotypes_and_the_control_may_be_left_out(small):
    by_line = compare(small, "A", CONTROL, bootstrap=0)
    by_genotype = compare(small, "A@UAS_X", f"{CONTROL}@UAS_X", bootstrap=0)
    usual = compare(small, "A", bootstrap=0)
    assert repr(by_line) == repr(by_genotype) == repr(usual)


def test_two_windows_with_a_control_are_the_screens_contrast(small):
    by_windows = compare(small, "A", CONTROL, windows="during,before", bootstrap=0)
    by_contrast = compare(small, "A", CONTROL, contrast="during-before", bootstrap=0)
    assert repr(by_windows) == repr(by_contrast)
    pair = compare(small, "A", CONTROL, windows=["during", "before"], bootstrap=0)
    assert pair.p_value == by_windows.p_value


def test_exchanging_line_and_control_keeps_t_and_distances(small):
    there = compare(small, "A", "B", bootstrap=0)
    back = compare(small, "B", "A", bootstrap=0)
    assert there.statistic["T"] == pytest.approx(back.statistic["T"], rel=1e-9)
    assert there.p_value == pytest.approx(back.p_value)
    for name in ("Hellinger distance", "adjusted", "Jensen-Shannon"):
        assert there.estimate[name] == pytest.approx(back.estimate[name], rel=1e-9)


def test_a_genotype_does_not_differ_from_its_own_copy(small):
    """Plates of B under another name: no distance and the largest p."""
    twin = small[small["line"] == "B"].assign(line="Z", assay=lambda t: t["assay"] + "z")
    found = compare(pd.concat([small, twin]), "B", "Z", bootstrap=0)
    assert found.statistic["T"] == pytest.approx(0.0, abs=1e-9)
    assert found.estimate["Hellinger distance"] == pytest.approx(0.0, abs=1e-9)
    assert found.p_value == pytest.approx(1.0, abs=0.2)


# One genotype in two windows


def paired_data(table, genotype):
    """Changes of the assays, and their statistic for any choice of signs."""
    data = Ethogram.from_bouts(table)
    protocol = parse_protocol(table["protocol"].iloc[0])
    chosen = [windows(protocol, name)[0] for name in ("during", "before")]
    counts = count_transitions(data, chosen).counts
    own = (data.assays["genotype"] == genotype).to_numpy()
    return paired_profiles(counts[own, 0], counts[own, 1]).x


def paired_t(x):
    m = len(x)
    variance = sum(np.var(column, ddof=1) for column in x.T)
    return (x.mean(axis=0) ** 2).sum() / (variance / m)


@pytest.mark.parametrize("line", ["A", "B"])
def test_paired_windows_are_scipys_permutation_test_of_samples(small, line):
    x = paired_data(small, f"{line}@UAS_X")
    m = len(x)

    def statistic(first, _):  # which member of each pair came first gives its sign
        return paired_t(np.where(first < m, 1.0, -1.0)[:, None] * x)

    reference = stats.permutation_test(
        (np.arange(m), np.arange(m) + m), statistic, permutation_type="samples",
        n_resamples=np.inf, alternative="greater", vectorized=False,
    )  # fmt: skip
    found = compare(small, line, windows="during,before", null="relabel")
    assert found.statistic["T"] == pytest.approx(paired_t(x), rel=1e-10)
    assert found.n_resamples == 2**m == len(reference.null_distribution)
    assert found.p_value == pytest.approx(reference.pvalue, abs=1e-12)
    assert found.design["p_floor"] == 2 / 2**m and found.seed is None


def test_the_responder_changes_with_light_and_the_others_do_not(small):
    responds = compare(small, "A", windows="during,before")
    assert responds.p_value == 2 / 64  # six assays: no sign flip can show more
    assert any("smallest possible p is 0.0312" in note for note in responds.notes)
    assert compare(small, "B", windows="during,before").p_value > 0.05
    cells = responds.transitions
    best = cells.loc[cells["z"].abs().idxmax()]
    assert best["to"] == "roll" and best["difference"] > 0.2
    assert set(cells["genotype"]) == {"A@UAS_X during"}
    assert set(cells["control"]) == {"A@UAS_X before"}


def test_the_order_of_two_windows_does_not_matter_for_the_test(small):
    there = compare(small, "A", windows="during,before")
    back = compare(small, "A", windows="before,during")
    assert there.p_value == back.p_value
    assert there.statistic["T"] == pytest.approx(back.statistic["T"], rel=1e-9)


def test_paired_units_are_the_assays(small):
    units = compare(small, "A", windows="during,before").augment()
    assert len(units) == 6
    assert {"n_transitions_during", "n_transitions_before", "change"} <= set(units.columns)


def test_few_assays_cannot_reject_and_say_so(small):
    few = small[(small["line"] != "A") | small["assay"].isin(["A_0_0", "A_1_0", "A_2_0"])]
    found = compare(few, "A", windows="during,before", null="relabel")
    assert found.p_value == found.design["p_floor"] == 0.25
    assert any("smallest possible p is 0.25: cannot reject" in n for n in found.notes)


def test_two_assays_have_no_f_approximation_but_an_exact_p(small):
    two = small[(small["line"] != "A") | small["assay"].isin(["A_0_0", "A_1_0"])]
    assert compare(two, "A", windows="during,before").p_value == 0.5
    asked = compare(two, "A", windows="during,before", null="F")
    assert np.isnan(asked.p_value) and any("too few assays" in n for n in asked.notes)


# What comes out


def test_what_comes_out(small):
    found = compare(small, "A", CONTROL)
    assert isinstance(found, HTest)
    assert "exact relabelling within dates" in found.method
    assert found.parameter == {"assays": 6, "control assays": 9, "dates": 3}
    assert tuple(found.transitions.columns) == TRANSITION_COLUMNS
    assert len(found.augment()) == 15
    low, high = found.conf_int
    assert low <= found.estimate["adjusted"] <= high
    larvae = {"block": "none", "unit": "larva", "resamples": 99, "null": "relabel"}
    sampled = compare(small, "A", CONTROL, bootstrap=0, **larvae)
    assert "sampled relabelling" in sampled.method and sampled.seed == 0
    assert sampled.n_resamples == 99


def test_a_line_with_one_assay_is_described(small):
    one = small[(small["line"] != "A") | (small["assay"] == "A_0_0")]
    found = compare(one, "A", CONTROL)
    assert np.isnan(found.p_value) and 0 < found.estimate["Hellinger distance"] < 1
    assert any("one assay of the line: no variance, no test" in n for n in found.notes)
    assert "p-value = NA" in repr(found)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((), {}, "genotype is missing"),
        (("A", "A"), {}, "compared with itself"),
        (("Q", "A"), {}, "'Q' is neither a genotype nor a line"),
        (("A", "Bee"), {}, "'Bee' is neither a genotype nor a line"),
        (("A",), {"windows": "during"}, "two windows such as 'during,before'"),
        (("A",), {"windows": "during,during"}, "compares a window with itself"),
        (("A",), {"windows": "during,before", "window": "whole"}, "windows alone"),
        (("A",), {"windows": "during,before", "statistic": "kl"}, "compares probabilities"),
        (("A",), {"windows": "during,before", "statistic": "dwell"}, "statistic is welch"),
        (("A", "B"), {"null": "t"}, "null must be one of"),
    ],
    ids=str,
)
def test_wrong_calls(small, arguments, options, words):
    with pytest.raises(UsageError) as error:
        compare(small, *arguments, **options)
    assert words in str(error.value)


def test_a_line_with_several_effectors_must_be_named_in_full(recordings):
    table = pd.concat([recordings(lines=("A",)), recordings(lines=("A",), effector="UAS_Y")
                       .assign(assay=lambda t: t["assay"] + "y")])  # fmt: skip
    with pytest.raises(UsageError, match="line 'A' has several effectors: A@UAS_X, A@UAS_Y"):
        compare(table, "A")
    assert compare(table, "A@UAS_Y", bootstrap=0).design["control"] == f"{CONTROL}@UAS_Y"


def test_without_a_usual_control_one_must_be_named(small):
    other = small.assign(line=small["line"].replace({CONTROL: "W"}))
    with pytest.raises(UsageError, match="no genotype of this source is the usual control"):
        compare(other, "A")


def test_one_assay_in_both_windows_is_too_few(small):
    one = small[(small["line"] != "A") | (small["assay"] == "A_0_0")]
    with pytest.raises(DataError, match=r"A@UAS_X has 1 assay\(s\) with transitions in both"):
        compare(one, "A", windows="during,before")
