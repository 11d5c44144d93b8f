"""The verb, its result, its pictures and its files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from larvastats import DataError, Ethogram, UsageError, export, habituation
from larvastats.inference.habituation.response import BinnedResponse
from larvastats.results import HABITUATION_COLUMNS

CONTROL = "FCF_attP2_1500062"
LONG = "r_LED100_20s1x30s0s#n#n#n"
TRAIN = "p_8_20s6x5s10s#n#n#n"


def draw(p, larvae, rng):
    """Bouts of one plate, in steps of half a second, from a probability of rolling over time."""
    state = rng.random((larvae, len(p))) < p
    start = np.tile(np.arange(len(p)) / 2, larvae)
    names = np.where(state.ravel(), "roll", "run")
    larva = np.repeat(np.arange(larvae), len(p)).astype(str)
    return pd.DataFrame({"larva": larva, "state": names, "t_start": start, "t_stop": start + 0.5})


def table_of(lines, protocol=LONG, plates=5, larvae=15, dates=None, seed=0, seconds=60):
    """One row per bout; `lines` maps a name to (before, start, floor, tau)."""
    parts = []
    t = np.arange(0, seconds, 0.5)
    for name, (before, start, floor, tau) in lines.items():
        for k in range(plates):
            rng = np.random.default_rng([seed, k, *name.encode()])
            level = start * np.exp(0.1 * rng.standard_normal())
            on = (t >= 20) & (t < 50)
            p = np.where(on, floor + (level - floor) * np.exp(-(t - 20) / tau), before)
            if protocol == TRAIN:
                pulse = (t - 20) // 10
                on = (t >= 20) & (t < 80) & ((t - 20) % 10 < 5)
                p = np.where(on, floor + (level - floor) * np.exp(-pulse / tau), before)
            one = draw(np.clip(p, 0, 1), larvae, rng)
            date = None if dates is None else f"2020010{1 + k % dates}"
            parts.append(one.assign(assay=f"{name}_{k}", line=name, date=date))
    table = pd.concat(parts, ignore_index=True).assign(effector="U", protocol=protocol)
    return table if dates else table.drop(columns="date")


LINES = {
    "fast": (0.05, 0.7, 0.1, 3.0),
    "same": (0.05, 0.6, 0.15, 12.0),
    "flat": (0.05, 0.5, 0.5, 10.0),
    "grows": (0.05, 0.2, 0.7, 8.0),
    CONTROL: (0.05, 0.7, 0.15, 12.0),
}


@pytest.fixture(scope="module")
def table():
    return table_of(LINES)


@pytest.fixture(scope="module")
def result(table):
    return habituation(table, response="roll", resamples=199)


@pytest.fixture(scope="module")
def rows(result):
    return result.table.set_index("line")


# -- what comes out --------------------------------------------------------------------------------


def test_time_constants_and_levels(rows):
    assert rows.loc["fast", "tau"] == pytest.approx(3.0, rel=0.3)
    assert rows.loc["fast", "tau_low"] < 3.0 < rows.loc["fast", "tau_high"]
    assert rows.loc[CONTROL, "tau_low"] < 12.0 < rows.loc[CONTROL, "tau_high"]
    assert rows.loc["fast", "levels"] == "fitted"
    assert rows.loc["fast", "baseline"] == pytest.approx(0.05, abs=0.03)
    assert rows.loc["fast", "initial"] == pytest.approx(0.7, abs=0.12)
    assert rows.loc["fast", "final"] == pytest.approx(0.1, abs=0.05)
    fraction = rows.loc["fast", "recovered_fraction"]
    start, end, before = rows.loc["fast", ["initial", "final", "baseline"]].astype(float)
    assert fraction == pytest.approx((start - end) / (start - before))
    # the area between curve and baseline, here by its formula
    area = (0.1 - 0.05) * 30 + 0.6 * 3.0 * (1 - np.exp(-10))
    assert rows.loc["fast", "area_low"] < area < rows.loc["fast", "area_high"]


def test_the_line_that_differs_is_found_and_stands_first(result, rows):
    assert result.table["line"].iloc[0] == "fast" and result.table["line"].iloc[-1] == CONTROL
    assert rows.loc["fast", "p_value"] < 0.02 < rows.loc["same", "p_value"]
    assert rows.loc["fast", "rejected"] and not rows.loc["same", "rejected"]
    assert rows.loc["fast", "tau"] < rows.loc["fast", "tau_common"] < 15
    assert pd.isna(rows.loc[CONTROL, "p_value"])


def test_no_number_where_nothing_habituates(rows):
    flat, grows = rows.loc["flat"], rows.loc["grows"]
    assert flat["gate_p"] > 0.05 and np.isnan(flat["tau"]) and flat["tau_text"] == ""
    assert flat["returned"] == "no: does not change" and flat["levels"] == "measured"
    assert not np.isnan(flat["area"]) and not np.isnan(flat["initial"])
    assert flat["decline_p_value"] < 0.05
    assert grows["direction"] == "sensitisation" and np.isnan(grows["tau"])
    assert grows["returned"] == "no: moves away from it"


def test_return_in_words(rows):
    assert rows.loc["fast", "returned"].startswith(("after", "no: levels off with"))
    words = habituation(table_of({"a": (0.05, 0.7, 0.4, 3.0)}), response="roll").table["returned"]
    assert words.iloc[0].startswith("no: levels off with 5") and "% recovered" in words.iloc[0]
    back = habituation(table_of({"a": (0.05, 0.7, 0.05, 3.0)}), response="roll").table.iloc[0]
    assert back["returned"] == f"after {back['return_time']:.3g} s"
    assert back["return_time"] == pytest.approx(3.0 * np.log(10), rel=0.5)


def test_a_time_constant_beyond_the_stimulus_is_a_bound(table):
    slow = habituation(table_of({"a": (0.05, 0.9, 0.05, 90.0)}), response="roll").table.iloc[0]
    assert slow["gate_p"] < 0.05 and slow["censored"] == "above"
    assert np.isnan(slow["tau"]) and slow["tau_text"] == "> 30 s" and np.isinf(slow["tau_high"])
    assert slow["tau_low"] <= 30 and slow["levels"] == "measured"
    assert slow["returned"].startswith("not within 30 s")
    quick = habituation(table_of({"a": (0.05, 0.95, 0.3, 0.2)}), response="roll", bin=2.0).table
    assert quick["censored"].iloc[0] == "below" and quick["tau_text"].iloc[0] == "< 2 s"


def test_pulses_and_berne():
    lines = {"a": (0.02, 0.8, 0.2, 1.5), "b": (0.02, 0.4, 0.4, 1.5)}
    data = table_of(lines, TRAIN, seconds=90)
    by_pulse = habituation(data, response="roll", kind="pulses").table.set_index("line")
    assert by_pulse.loc["a", "unit"] == "pulses"
    assert by_pulse.loc["a", "tau_low"] < 1.5 < by_pulse.loc["a", "tau_high"]
    assert np.isnan(by_pulse.loc["b", "tau"])
    # within these pulses nothing declines: Berne's desensitisation is not made up
    berne = habituation(data, response="roll", kind="berne")
    assert berne.table["tau"].isna().all() or (berne.table["gate_p"] <= 0.05).any()
    assert len(berne.curves) == 2 * 6 * 10


def test_resensitisation_in_the_table():
    t = np.arange(0, 120, 0.5)
    on = (t >= 20) & (t < 80) & ((t - 20) % 20 < 10)
    level = np.array([0.8, 0.5, 0.4])[np.clip((t - 20) // 20, 0, 2).astype(int)]
    p = np.where(on, level * np.exp(-((t - 20) % 20) / 5), 0.0)
    parts = [
        draw(p, 25, np.random.default_rng(k)).assign(assay=f"a{k}", line="a") for k in range(5)
    ]
    data = pd.concat(parts).assign(protocol="v_500_20s3x10s10s#n#n#n")
    result = habituation(data, response="roll", kind="berne")
    row = result.table.iloc[0]
    assert row["tau_low"] < 5 < row["tau_high"]
    truth = -10 / np.log(1 - 0.5 / 0.8)
    assert row["tau_res_low"] < truth < row["tau_res_high"]
    assert list(result.pulses["pulse"]) == [1, 2, 3]
    assert "By pulse:" in repr(result)
    assert len(result.plot().axes) == 1


def test_features_are_responses_too(table, rows):
    ethogram = Ethogram.from_bouts(table)
    edges = np.arange(0, 60.5, 1.0)
    from larvastats.inference.habituation.response import ActionResponse

    share, weight = ActionResponse(ethogram, "roll").over(edges[:-1], edges[1:])
    speed = BinnedResponse("speed", 1.2 - share, weight, edges)
    found = habituation(ethogram, response=speed, resamples=199).table.set_index("line")
    assert found.loc["fast", "response"] == "speed"
    assert found.loc["fast", "tau"] == pytest.approx(rows.loc["fast", "tau"], rel=0.2)
    assert found.loc["fast", "initial"] == pytest.approx(1.2 - rows.loc["fast", "initial"], abs=0.1)
    assert found.loc["fast", "p_value"] < 0.02
    with pytest.raises(UsageError, match=r"'speed' has 3 assays, but the source has 25"):
        few = BinnedResponse("speed", share[:3], weight[:3], edges)
        habituation(ethogram, response=few)


def shortening(lines, end=50.0):
    """Frames of larvae that shorten by 0.4 mm at 20 s and stretch again, each line at its pace."""
    rng = np.random.default_rng(6)
    t = np.arange(0, end, 0.25)
    parts = []
    for line, tau in lines.items():
        for plate in range(6):
            size, pace = rng.normal(4, 0.1), tau * np.exp(rng.normal(0, 0.05))
            for larva in range(8):
                length = size + rng.normal(0, 0.3) + rng.normal(0, 0.03, len(t))
                length -= np.where(t >= 20, 0.4 * np.exp(-(t - 20) / pace), 0.0)
                parts.append(pd.DataFrame({"assay": f"{line}{plate}", "line": line, "t": t,
                                           "larva": str(larva), "length": length}))  # fmt: skip
    return pd.concat(parts, ignore_index=True).assign(
        state="run", protocol="r_LED100_20s1x30s0s#n#n#n"
    )


def test_a_feature_of_the_frames_is_a_response(tmp_path):
    data = shortening({"C": 4.0, "same": 4.0, "slow": 12.0})
    result = habituation(data, response="length", control="C", resamples=199)
    rows = result.table.set_index("line")
    assert rows.loc["C", "tau"] == pytest.approx(4, rel=0.15)
    assert rows.loc["slow", "tau_low"] < 12 < rows.loc["slow", "tau_high"]
    assert rows.loc["slow", "q_value"] <= 0.05 < rows.loc["same", "q_value"]
    assert rows.loc["C", "baseline"] == pytest.approx(4, abs=0.2)
    assert rows.loc["C", "response"] == "length" and (rows["direction"] == "habituation").all()
    assert result.design["response_unit"] == "mm"
    text = repr(result)
    assert "Recovery of larva length" in text and "mean of larva length over frames, mm" in text
    figure = result.plot()
    assert figure.axes[0].get_ylabel() == "larva length (mm)"
    frames = tmp_path / "frames.csv"
    data.to_csv(frames, index=False)
    again = habituation(frames, response="length", control="C", resamples=199).table
    pd.testing.assert_frame_equal(again, result.table, rtol=1e-6)


def test_what_is_no_response_of_frames_is_a_sentence():
    data = shortening({"C": 4.0}).query("assay < 'C2'")
    for change, options, error, words in [
        ({}, {"response": "lenght"}, UsageError, r"no action or feature 'lenght' \(did you mean"),
        ({}, {"measure": "ever"}, UsageError, "measure 'ever' is about actions"),
        ({"length": np.nan}, {}, DataError, "no larva has a value of length"),
        ({"length": 4.0}, {}, DataError, "the response is constant"),
    ]:
        with pytest.raises(error, match=words) as caught:
            habituation(data.assign(**change), **({"response": "length"} | options))
        assert "\n" not in str(caught.value)


def test_measures_of_actions_are_checked(table):
    with pytest.raises(UsageError, match="measure must be time or ever, but is 'often'"):
        habituation(table, response="roll", measure="often")


# -- how it is asked -------------------------------------------------------------------------------


def test_same_seed_same_result_for_any_number_of_processes(table, result):
    again = habituation(table, response="roll", resamples=199, jobs=2)
    pd.testing.assert_frame_equal(again.table, result.table)
    boot = habituation(table, response="roll", resamples=199, interval="bootstrap-t", seed=4)
    assert not boot.table["tau_high"].equals(result.table["tau_high"])


def test_a_line_alone_gives_what_it_gives_among_others(table, result):
    alone = habituation(table, response="roll", genotypes="fast", resamples=199)
    assert list(alone.table["line"]) == ["fast", CONTROL]
    columns = ["tau", "tau_low", "tau_high", "gate_p", "p_wild", "p_approx", "area"]
    whole = result.table.set_index("line").loc[["fast", CONTROL], columns]
    pd.testing.assert_frame_equal(alone.table.set_index("line")[columns], whole)


def test_larvae_in_other_words(table):
    """Renaming larvae, and the order of rows, changes nothing."""
    shuffled = table.sample(frac=1, random_state=3).assign(larva=lambda t: "x" + t["larva"])
    a = habituation(table, response="roll", genotypes="fast", resamples=99).table
    b = habituation(shuffled, response="roll", genotypes="fast", resamples=99).table
    pd.testing.assert_frame_equal(a, b)


def test_dates_become_replicates(table):
    few = habituation(table_of(LINES, dates=3), response="roll", resamples=99)
    assert any("fewer than 5 dates" in note for note in few.notes)
    many = habituation(table_of(LINES, dates=5), response="roll", resamples=99)
    assert not any("dates" in note for note in many.notes)
    assert "5 dates" in many.design["unit_text"] and (many.table["n_dates"] == 5).all()


def test_without_a_control_nothing_is_compared(table):
    own = table[table["line"].isin(["fast", "same"])]
    result = habituation(own, response="roll", resamples=99)
    assert result.table["p_value"].isna().all()
    assert any("--control" in note for note in result.notes)
    named = habituation(own, response="roll", control="same", resamples=99)
    assert named.table["p_value"].notna().sum() == 1


# -- the result ------------------------------------------------------------------------------------


def test_result(result):
    assert tuple(result.tidy().columns) == HABITUATION_COLUMNS
    one = result.glance().iloc[0]
    assert one["n_genotypes"] == 5 and one["n_habituating"] == 3 and one["n_tested"] == 2
    units = result.augment()
    assert len(units) == 25 and units["used"].all()
    fast = units[units["genotype"] == "fast@U"]
    assert fast["baseline"].mean() == pytest.approx(result.table["baseline"].iloc[0])
    curves = result.curves[result.curves["genotype"] == "fast@U"]
    assert len(curves) == 30 and (curves["low"] <= curves["mean"]).all()
    assert curves["t_start"].iloc[0] == 20 and (curves["fitted"].diff().dropna() < 0).all()
    flat = result.curves[result.curves["genotype"] == "flat@U"]
    assert flat["fitted"].isna().all()


def test_print(result):
    text = repr(result)
    assert "Recovery of roll during a long stimulus" in text
    assert "red light LED100: 20–50 s" in text and "20–50 s, one number per 1 s" in text
    assert "3 of 5 genotypes habituate, by the gate." in text
    assert "can be said to differ from their control's" in text and "fast@U" in text
    assert "no: moves away from it" in text
    assert "nan" not in text.lower()


def test_pictures(result):
    figure = result.plot()
    assert len(figure.axes) == 5
    texts = [t.get_text() for axes in figure.axes for t in axes.texts]
    assert "fast@U" in texts and any(t.startswith("tau = ") for t in texts)
    assert any("no change (gate p" in t for t in texts)
    assert len(result.plot(genotype="fast@U").axes) == 1
    rows = [t.get_text() for t in result.plot("tau").axes[0].get_yticklabels()]
    assert set(rows) == {"fast@U", "same@U", f"{CONTROL}@U"}
    with pytest.raises(UsageError, match="no genotype 'Q'"):
        result.plot(genotype="Q")
    with pytest.raises(UsageError, match="kind must be curves or tau"):
        result.plot("bars")


def test_pictures_without_any_time_constant(result):
    table = result.table.assign(tau=np.nan, tau_low=np.nan, tau_high=np.nan, tau_text="")
    empty = replace(result, table=table)
    assert len(empty.plot("tau").axes) == 1 and len(empty.plot().axes) == 5


def test_files(result, tmp_path):
    files = export.write_habituation(result, tmp_path, command="larvastats habituation")
    names = {path.name for path in files}
    assert {"habituation.csv", "habituation.parquet", "curves.parquet", "assays.csv"} <= names
    assert {"habituation.png", "tau.svg", "provenance.json"} <= names
    assert "pulses.csv" not in names
    back = pd.read_csv(tmp_path / "habituation.csv")
    assert tuple(back.columns) == HABITUATION_COLUMNS
    np.testing.assert_array_equal(back["tau"], result.table["tau"])
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["design"]["kind"] == "recovery" and provenance["seed"] == 0
    few = export.write_habituation(result, tmp_path / "few", figures=False)
    assert not [path for path in few if path.suffix == ".png"]
    json.dumps(export.document(result), allow_nan=False)


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        ({"protocol": "n#n#n#n"}, {}, UsageError, "no stimulus with times"),
        ({"protocol": "r_LED100_20s1x300s0s#n#n#n"}, {}, DataError, "run from 0 to 60 s"),
        ({}, {"response": "jump"}, UsageError, "no action or feature 'jump'"),
        ({}, {"null": "t"}, UsageError, "null must be one of wild, F, auto"),
        ({}, {"alpha": 0}, UsageError, "alpha must lie between"),
        ({}, {"correction": "holm"}, UsageError, "correction must be one of"),
        ({}, {"stimulus": 3}, UsageError, "no stimulus 3"),
        ({}, {"control": "w1118"}, UsageError, "control 'w1118' is neither"),
        ({}, {"genotypes": "w1118"}, UsageError, "'w1118' is neither"),
    ],
)
def test_refusals(table, change, options, error, words):
    with pytest.raises(error, match=words):
        habituation(table.assign(**change), **({"response": "roll"} | options))


@pytest.mark.parametrize(
    ("pick", "words"),
    [
        (lambda t: t[t["assay"] == "fast_0"], "fast@U: one assay: no scatter between assays"),
        (lambda t: t.assign(state="run"), "constant"),
        (lambda t: t[t["t_stop"] < 15], "recordings run from 0 to"),
        (lambda t: t[(t["t_start"] > 45) | (t["t_stop"] < 21)], "no assay was tracked through"),
    ],
)
def test_nothing_to_say_is_a_sentence(table, pick, words):
    action = "run" if words == "constant" else "roll"
    with pytest.raises(DataError, match=words):
        habituation(pick(table), response=action)


def test_one_genotype_that_never_does_it_is_a_note(table):
    calm = table["line"].eq("same") & table["state"].eq("roll")
    result = habituation(table.assign(state=table["state"].mask(calm, "run")), response="roll",
                         resamples=99)  # fmt: skip
    row = result.table.set_index("line").loc["same"]
    assert "never does roll during the stimulus" in row["note"]
    assert np.isnan(row[["tau", "gate_p", "p_value", "q_value"]].astype(float)).all()
    assert row["returned"] == "" and "same: never does roll" in repr(result).replace("@U", "")


def test_assays_that_end_early_are_left_out_and_counted(table):
    early = table["assay"].eq("fast_0") & (table["t_start"] > 28)
    table = habituation(table[~early], response="roll", resamples=99).table
    row = table.set_index("line").loc["fast"]
    assert row["n_assays"] == 4 and "1 assay not tracked through the stimulus" in row["note"]


def test_a_late_peak_is_pointed_out():
    data = table_of({"a": (0.05, 0.7, 0.1, 6.0)})
    moved = data.assign(protocol="r_LED100_17s1x33s0s#n#n#n")
    notes = habituation(moved, response="roll").notes
    assert any("largest" in note and "--window" in note for note in notes)
