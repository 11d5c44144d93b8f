"""Time courses from table to result: numbers by hand, and bad input as sentences."""

import numpy as np
import pandas as pd
import pytest

from larvastats import UsageError, timecourse
from larvastats.errors import DataError

PUFFS = "p_8_10s1x5s0s#p_8_20s3x1s4s#n#n"
QUICK = {"bootstrap": 99, "resamples": 199}
OPTIONS = QUICK | {"control": "C"}


def bouts(
    lines=("C", "A"), plates=4, larvae=4, end=32.0, protocol=PUFFS, dated=False, seed=0,
    stopping=("A",), rolls=("C", "A"),
):  # fmt: skip
    """Larvae run; those of `stopping` stop from 10 to 15 s; everybody rolls now and then."""
    rows = []
    for line in lines:
        for plate in range(plates):
            rng = np.random.default_rng([seed, ord(line[0]), plate])
            for larva in range(larvae):
                t, other = 0.0, "roll" if line in rolls else "cast"
                while t < end:
                    stop = min(round(t + rng.uniform(0.3, 1.5), 3), end)
                    state = other if rng.random() < 0.15 else "run"
                    if line in stopping and 10 <= t < 15:
                        state = "stop"
                    rows.append((f"{line}{plate}", line, str(larva), state, t, stop,
                                 f"2020010{plate % 2 + 1}"))  # fmt: skip
                    t = stop
    names = ["assay", "line", "larva", "state", "t_start", "t_stop", "date"]
    table = pd.DataFrame(rows, columns=names).assign(protocol=protocol)
    return table if dated else table.drop(columns="date")


def frames(step=0.1, **settings):
    """Frames with a length that is 4 mm, shorter during a stop."""
    from larvastats.ethogram import Ethogram

    table = Ethogram.from_bouts(bouts(**settings)).to_frames(step)
    rng = np.random.default_rng(1)
    size = {key: rng.normal(0, 0.1) for key in table.groupby(["assay", "larva"]).groups}
    own = [size[key] for key in zip(table["assay"], table["larva"], strict=True)]
    length = 4 + np.array(own) + rng.normal(0, 0.02, len(table))
    table["state"] = table["state"].astype("str")
    return table.assign(length=length - 0.5 * (table["state"] == "stop"))


@pytest.fixture(scope="module")
def table():
    return bouts()


def test_the_curve_is_the_mean_over_assays_of_shares_of_time(table):
    result = timecourse(table, response="roll", bin=2.0, **OPTIONS)
    own = result.tidy().set_index(["genotype", "t_start"])
    for line in ("C", "A"):
        part = table[(table["line"] == line) & (table["state"] == "roll")]
        overlap = np.minimum(part["t_stop"], 6.0) - np.maximum(part["t_start"], 4.0)
        seconds = overlap.clip(lower=0).groupby(part["assay"]).sum()
        assert own.loc[(line, 4.0), "mean"] == pytest.approx(seconds.sum() / 4 / (4 * 2.0))
    assert result.tidy()["n_assays"].eq(4).all() and len(own) == 2 * 16
    values = result.augment()
    mean = values.groupby(["genotype", "t"])["value"].mean()
    assert mean["A", 5.0] == pytest.approx(own.loc[("A", 4.0), "mean"])


def test_the_difference_is_found_when_it_is_there(table):
    result = timecourse(table, response="run", **OPTIONS)
    assert list(result.tidy()["genotype"].unique()) == ["C", "A"]  # the control first
    (test,) = result.tests.itertuples()
    assert test.genotype == "A" and test.p_value <= 0.05 and test.null == "exact"
    when = result.differences[result.differences["differs"]]
    assert when["t_start"].between(9.9, 15.5).all() and len(when) >= 8
    assert (result.periods["direction"] == "below").all()
    text = repr(result)
    assert "A differs from C" in text and "10–15 s" in text and "assay" in text


def test_a_genotype_departs_from_its_own_baseline_when_it_responds(table):
    few = timecourse(table, response="run", **OPTIONS)
    assert any("signs of 4 assays" in note and "below 0.125" in note for note in few.notes)
    result = timecourse(bouts(plates=7), response="run", **OPTIONS)
    own = result.responses.set_index("genotype")
    assert own.loc["A", "peak_change"] < -0.5 and 10 <= own.loc["A", "t_first"] <= 11
    assert own.loc["A", "p_value"] == own.loc["A", "p_floor"] == pytest.approx(2 / 128)
    assert own.loc["C", "p_value"] > 0.05


def test_clusters_say_the_same(table):
    result = timecourse(table, response="run", test="cluster", **OPTIONS)
    (period,) = [p for p in result.periods.itertuples() if p.p_value <= 0.05]
    assert 9.5 <= period.t_start <= 11 and 14 <= period.t_stop <= 16
    assert "cluster mass" in repr(result)


def test_onsets_are_zero_and_their_mean_can_be_taken(table):
    one = timecourse(table, response="run", align=1, **OPTIONS)
    assert one.design["edges"] == [-10.0, 10.0] and one.design["intervals"] == [[0.0, 5.0]]
    assert set(one.differences.loc[one.differences["differs"], "t"]) <= set(np.arange(0, 6, 0.25))
    puffs = timecourse(table, response="run", align="2-4", **OPTIONS)
    assert puffs.design["intervals"] == [[0.0, 1.0]] and puffs.design["edges"] == [-3.0, 4.0]
    assert "1.5 s before the onset" in repr(puffs)  # half of the pause between puffs
    values = puffs.augment()
    part = table[(table["assay"] == "C0") & (table["state"] == "run")]
    seconds = sum(
        (np.minimum(part["t_stop"], on + 0.5) - np.maximum(part["t_start"], on)).clip(lower=0).sum()
        for on in (20, 24, 28)
    )
    found = values[(values["assay"] == "C0") & (values["t"] == 0.25)]["value"].item()
    assert found == pytest.approx(seconds / (3 * 4 * 0.5))


@pytest.mark.parametrize(("k", "onset"), [(1, 10.0), (2, 20.0), (3, 24.0), (4, 28.0)])
@pytest.mark.parametrize("response", ["run", "length"])
def test_every_stimulus_can_be_the_zero_of_time(k, onset, response):
    """The same bins of the same recording, by another clock; bands hold their means."""
    data = frames()
    plain = timecourse(data, response=response, **OPTIONS).augment()
    aligned = timecourse(data, response=response, align=k, **OPTIONS)
    own = aligned.augment().assign(t=lambda v: (v["t"] + onset).round(6))
    both = own.merge(plain.assign(t=plain["t"].round(6)), on=["assay", "t"], suffixes=("", "_2"))
    assert len(both) == len(own) > 0
    np.testing.assert_allclose(both["value"], both["value_2"], atol=1e-9)
    assert aligned.design["intervals"] == [[0.0, 5.0 if k == 1 else 1.0]]
    table = aligned.tidy().dropna()
    assert (table["low"] <= table["mean"]).all() and (table["mean"] <= table["high"]).all()
    assert f"from onset {k}" in aligned.design["time_text"]


def test_features_are_followed_and_a_baseline_takes_out_size():
    data = frames()
    plain = timecourse(data, response="length", **OPTIONS)
    assert plain.design["unit"] == "mm"
    own = plain.tidy().set_index(["genotype", "t_start"])
    expected = data[data["t"].between(4.0, 4.45)].groupby(["line", "assay"])["length"].mean()
    assert own.loc[("A", 4.0), "mean"] == pytest.approx(expected["A"].mean())
    change = timecourse(data, response="length", baseline=5, **OPTIONS)
    assert "change of larva length" in change.design["label"]
    before = change.tidy()[change.tidy()["t"].between(5, 10)]
    means = before.groupby("genotype")["mean"].mean()
    assert np.allclose(means, 0, atol=1e-6)
    width = [(r.tidy()["high"] - r.tidy()["low"]).median() for r in (plain, change)]
    assert width[1] < 0.6 * width[0]
    dip = change.tidy()[(change.tidy()["genotype"] == "A") & change.tidy()["t"].between(11.7, 14)]
    assert dip["mean"].between(-0.55, -0.4).all()


def test_dates_are_blocks():
    result = timecourse(bouts(dated=True), response="run", **OPTIONS)
    (test,) = result.tests.itertuples()
    assert test.n_dates == 2 and test.p_floor == pytest.approx(2 / 36)
    assert "cannot reject" in test.note and "within dates" in result.design["method_text"]
    undated = timecourse(bouts(dated=True), response="run", block="none", **OPTIONS)
    assert undated.tests["n_dates"].isna().all()


def test_the_seed_decides_and_the_source_stays_as_it_was(table):
    before = table.copy()
    one, two = (timecourse(table, response="run", seed=3, **OPTIONS) for _ in range(2))
    pd.testing.assert_frame_equal(one.tidy(), two.tidy())
    pd.testing.assert_frame_equal(one.differences, two.differences)
    pd.testing.assert_frame_equal(table, before)


def test_pointwise_limits_are_narrower_and_say_so(table):
    result = timecourse(table, response="run", simultaneous=False, **OPTIONS)
    assert result.design["band"] == "pointwise" and "pointwise" in repr(result)
    own = result.tidy()
    assert (own["point_high"] - own["point_low"] <= own["high"] - own["low"] + 1e-12).all()


def test_two_named_genotypes_need_no_control(table):
    result = timecourse(table, genotypes="A,C", response="run", **QUICK)
    assert result.tests["genotype"].tolist() == ["A"] and result.tests["control"].item() == "C"
    alone = timecourse(table, genotypes=["A"], response="run", **QUICK)
    assert alone.tests.empty and any("no test" in note for note in alone.notes)
    assert repr(alone) and alone.glance()["n_tests"].item() == 0


def test_many_genotypes_get_q_values():
    data = bouts(lines=("C", "A", "B"), stopping=("A",))
    result = timecourse(data, response="run", **OPTIONS)
    q = result.tests.set_index("genotype")[["p_value", "q_value"]]
    assert (q["q_value"] >= q["p_value"]).all() and "Benjamini-Hochberg" in repr(result)
    assert result.glance()["n_genotypes"].item() == 3


# -- what data do not allow ------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["paired#n#n#n", None])
def test_without_a_stimulus_there_are_curves_and_no_marks(protocol):
    data = bouts(protocol=protocol)
    result = timecourse(data, response="run", **OPTIONS)
    assert result.design["intervals"] == [] and result.responses.empty
    assert any("no stimulus with times" in note for note in result.notes)
    with pytest.raises(UsageError, match="nothing to align to"):
        timecourse(data, response="run", align=1, **OPTIONS)
    with pytest.raises(UsageError, match="baseline needs a stimulus"):
        timecourse(data, response="run", baseline=5, **OPTIONS)


def test_a_stimulus_that_outlasts_the_recording_is_said():
    data = bouts(protocol="p_8_10s1x500s0s#n#n#n")
    result = timecourse(data, response="run", **OPTIONS)
    assert any("outlasts the recordings, which end at 32 s" in note for note in result.notes)
    late = bouts(protocol="p_8_10s1x5s0s#p_8_100s1x5s0s#n#n")
    result = timecourse(late, response="run", **OPTIONS)
    assert any("before 1 of 2 stimuli begin" in note for note in result.notes)
    with pytest.raises(DataError, match="at 100 s comes after the end of the recordings at 32 s"):
        timecourse(late, response="run", align=2, **OPTIONS)


def test_a_genotype_that_never_does_it_has_no_limits():
    data = bouts(rolls=("C",))
    result = timecourse(data, response="roll", **OPTIONS)
    own = result.tidy()[result.tidy()["genotype"] == "A"]
    assert (own["mean"] == 0).all() and own[["low", "high"]].isna().all(axis=None)
    assert any("A never does it" in note for note in result.notes)
    assert 0 < result.tests["p_value"].item() <= 1
    with pytest.raises(DataError, match="ever does 'roll'"):
        timecourse(_with_late_roll(bouts(rolls=())), response="roll", **OPTIONS)


def _with_late_roll(table):
    """Add one roll after the times that are shown."""
    extra = table.iloc[[0]].assign(state="roll", t_start=32.0, t_stop=32.3)
    return pd.concat([table, extra])


def test_one_assay_has_a_curve_and_no_test():
    data = bouts()
    data = data[(data["line"] == "C") | (data["assay"] == "A0")]
    result = timecourse(data, response="run", **OPTIONS)
    assert any("A has one assay" in note for note in result.notes)
    (test,) = result.tests.itertuples()
    assert np.isnan(test.p_value) and "one assay of the line" in test.note
    assert result.differences.empty and "A could not be tested." in repr(result)


def test_a_constant_response_is_refused():
    data = frames()
    with pytest.raises(DataError, match=r"is 4\.1 in every assay and bin"):
        timecourse(data.assign(length=4.1), response="length", **OPTIONS)
    with pytest.raises(DataError, match=r"p\(run\) is 1 in every assay and bin"):
        timecourse(bouts(stopping=()).assign(state="run"), response="run", **OPTIONS)


def test_a_feature_without_a_value_is_a_sentence():
    with pytest.raises(DataError, match="has a value of length from 0 to 32 s"):
        timecourse(frames().assign(length=np.nan), response="length", **OPTIONS)


def test_bins_without_frames_are_blank_and_said():
    data = frames()
    data = data[~((data["assay"] == "C1") & data["t"].between(3.0, 3.95))]
    result = timecourse(data, response="length", **OPTIONS)
    assert any("2 of 64 bins are blank" in note for note in result.notes)
    own = result.tidy().set_index(["genotype", "t_start"])["mean"]
    assert own[["A", "C"]].isna().groupby("genotype").sum().eq(2).all()
    assert np.isnan(own["A", 3.0]) and np.isnan(own["A", 3.5]) and not np.isnan(own["A", 4.0])


def test_an_assay_cut_short_is_left_out():
    data = bouts(plates=5)
    short = (data["assay"] == "A4") & (data["t_start"] > 8)
    result = timecourse(data[~short], response="run", **OPTIONS)
    assert any("left out" in note and "A4" in note for note in result.notes)
    assert result.tests["n_assays"].item() == 4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"response": "fly"}, r"no action or feature 'fly'"),
        ({"response": "p(fly)"}, r"no action 'fly'; the source has run, stop, roll"),
        ({"bin": 0}, "bin must be a positive number"),
        ({"bin": 1e-4}, "has 320000 bins"),
        ({"align": "0"}, "align must be start, the number of a presentation"),
        ({"align": 9}, "it has 4: air puff 8"),
        ({"align": "3-2"}, "asks for a presentation that the protocol lacks"),
        ({"span": "9:3"}, "span must be START:STOP"),
        ({"span": "3-9"}, "span must be START:STOP"),
        ({"test": "anova"}, "test must be maxt, cluster or none"),
        ({"alpha": 2}, "alpha must lie between 0 and 1"),
        ({"level": 0}, "level must lie between 0 and 1"),
        ({"resamples": 5}, "resamples must be a whole number of at least 99"),
        ({"baseline": -3}, "baseline must be a positive number"),
        ({"genotypes": "Z"}, "'Z' is neither a genotype nor a line"),
        ({"control": "Z"}, "control 'Z' is neither"),
    ],
)
def test_wrong_calls_are_one_sentence(table, options, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        timecourse(table, **(OPTIONS | options))
    assert "\n" not in str(caught.value)


def test_a_span_without_larvae_is_a_sentence(table):
    with pytest.raises(DataError, match="is tracked from 100 to 110 s"):
        timecourse(table, span=(100, 110), **OPTIONS)
