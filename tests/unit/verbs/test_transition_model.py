"""Smooth transition models: tables, predictions, bands, and what has no number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import DataError, UsageError, predict, transition_model

CONTROL = "FCF_attP2_1500062@UAS_X"
FORMULA = "to ~ genotype * cr(t, df=4)"
QUICK = {"resamples": 199, "dt": 0.5}


@pytest.fixture(scope="module")
def model(small):
    return transition_model(FORMULA, small, genotypes="A,B,FCF_attP2_1500062", **QUICK)


def test_tables_of_a_model(model):
    table = model.tidy()
    assert set(table["from"]) == {"run", "cast", "stop", "roll"}
    assert (table["from"] != table["to"]).all() and (table["to"] != table["reference"]).all()
    seen = table["estimate"].notna()
    assert seen.any() and (table["std_error"][seen] > 0).all()
    within = table[seen & table["df"].notna()]
    assert (
        (within["conf_low"] < within["estimate"]) & (within["estimate"] < within["conf_high"])
    ).all()
    assert model.glance().loc[0, "n_genotypes"] == 3
    units = model.augment()
    assert units["n_transitions"].sum() == model.design["n_transitions"]
    assert (units["log_likelihood"] < 0).all()


def test_the_control_is_the_level_of_reference(model):
    assert model.design["control"] == CONTROL
    assert not any(CONTROL in term for term in model.tidy()["term"])
    assert set(model.tests["control"]) == {CONTROL}
    other = transition_model(FORMULA, _only(model), control="A", **QUICK)
    assert other.design["control"] == "A@UAS_X"


def _only(model):
    """Recordings small enough to fit again."""
    rng = np.random.default_rng(0)
    rows = []
    for line in ("A", "B"):
        for k in range(3):
            for larva in range(4):
                t, s = 0.0, 0
                while t < 30:
                    stop = t + round(float(rng.gamma(2, 0.4)), 2) + 0.02
                    rows.append((f"{line}{k}", line, larva, "rcs"[s], t, stop, "UAS_X"))
                    t, s = stop, (s + int(rng.integers(1, 3))) % 3
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop", "effector"]
    return pd.DataFrame(rows, columns=columns)


def test_probabilities_sum_to_one_and_lie_in_their_bands(model):
    found = model.predictions
    total = found.groupby(["genotype", "t", "from"])["p"].sum(min_count=3).dropna()
    np.testing.assert_allclose(total, 1.0, atol=1e-9)
    banded = found.dropna(subset=["p_low"])
    assert len(banded) > len(found) / 2
    assert (banded["p_low"] <= banded["p"]).all() and (banded["p"] <= banded["p_high"]).all()
    assert banded["p_high"].max() <= 1 and banded["p_low"].min() >= 0


def test_predictions_follow_the_light(small):
    """A responds with rolls; the indicator of the light says when."""
    model = transition_model("to ~ genotype * on", small, genotypes="A,FCF_attP2_1500062", **QUICK)
    grid = pd.DataFrame({"t": [20.0, 45.0], "genotype": "A@UAS_X"})
    rolls = predict(model, grid).query("to == 'roll' and `from` == 'run'").set_index("t")["p"]
    assert rolls[45.0] > rolls[20.0] + 0.2
    # what the pooled counts say
    from larvastats import transitions

    pooled = transitions(small, genotypes="A", windows="during").matrix("A@UAS_X")
    assert rolls[45.0] == pytest.approx(pooled.loc["run", "roll"], abs=0.02)


def test_a_line_that_responds_is_found_and_another_is_not(small):
    model = transition_model("to ~ genotype * on", small, null="F", **QUICK)
    main = model.tests[model.tests["from"] == "all"].set_index(["genotype", "term"])
    assert main.loc[("A@UAS_X", "genotype:time"), "rejected"]
    assert not main.loc[("C@UAS_X", "genotype"), "rejected"]
    assert (main["q_value"] >= main["p_value"] - 1e-12).all()


def test_one_model_of_all_origins(small):
    model = transition_model("to ~ `from` + genotype + t", small, genotypes="A,B", **QUICK)
    assert set(model.tidy()["from"]) == {"(any)"}
    found = model.predictions
    assert (found["from"] != found["to"]).all()
    np.testing.assert_allclose(found.groupby(["genotype", "t", "from"])["p"].sum(), 1.0)


def test_covariates_are_held_at_their_typical_value(small):
    warm = small["assay"].map({a: 20.0 + k for k, a in enumerate(sorted(small["assay"].unique()))})
    model = transition_model("to ~ t + temperature", small.assign(temperature=warm), **QUICK)
    assert model.design["typical"] == {
        "temperature": pytest.approx(warm.groupby(small["assay"]).first().median())
    }
    one = predict(model, pd.DataFrame({"t": [30.0]}))
    same = predict(
        model, pd.DataFrame({"t": [30.0], "temperature": model.design["typical"]["temperature"]})
    )
    np.testing.assert_allclose(one["p"], same["p"])


def test_the_bins_of_time_hardly_matter(small):
    fine, coarse = (
        transition_model("to ~ genotype * t", small, genotypes="A,B", resamples=199, dt=dt)
        for dt in (0.05, 1.0)
    )
    grid = pd.DataFrame({"t": [10.0, 50.0], "genotype": ["A@UAS_X", "B@UAS_X"]})
    np.testing.assert_allclose(predict(fine, grid)["p"], predict(coarse, grid)["p"], atol=0.005)


def test_an_action_that_a_genotype_never_shows(small):
    """B never rolls: finite coefficients elsewhere, blanks there, no band, and still a test."""
    never = small[~((small["line"] == "B") & (small["state"] == "roll"))]
    model = transition_model("to ~ genotype + t", never, genotypes="A,B", control="A", **QUICK)
    own = model.tidy().query("to == 'roll' and term.str.contains('genotype')")
    assert own["estimate"].isna().all() and own["std_error"].isna().all()
    kept = model.tidy().query("to != 'roll' and reference != 'roll'")
    assert kept["estimate"].notna().all() and kept["estimate"].abs().max() < 10
    assert any("next to no transition behind them are blank" in n for n in model.notes)
    assert any("B@UAS_X never leaves roll" in n for n in model.notes)
    rolls = model.predictions.query("to == 'roll' and genotype == 'B@UAS_X'")
    assert rolls["p_low"].isna().all() and (rolls["p"].dropna() < 0.02).all()
    gone = model.predictions.query("`from` == 'roll' and genotype == 'B@UAS_X'")
    assert gone["p"].isna().all()
    assert model.tests["p_value"].notna().any()


def test_destinations_that_never_follow_are_named(small):
    table = small[small["state"].isin(["run", "cast", "stop"])]
    follows = table.assign(state=table["state"].where(table["state"] != "stop", "run"))
    with pytest.raises(DataError, match=r"no state can be modelled: .*leads to one other state"):
        transition_model("to ~ t", follows, **QUICK)


def test_one_replicate_has_no_bands_and_no_test(small):
    few = small[(small["line"] != "B") | (small["date"] == small["date"].iloc[0])]
    model = transition_model("to ~ genotype + t", few, genotypes="B,FCF_attP2_1500062", **QUICK)
    assert any(
        "B@UAS_X has one date only: no bands, no test; block='none'" in n for n in model.notes
    )
    own = model.predictions[model.predictions["genotype"] == "B@UAS_X"]
    assert own["p"].notna().any() and own["p_low"].isna().all()
    assert model.tests["p_value"].isna().all()
    assert model.tests["note"].str.contains("only one date").all()
    plates = transition_model("to ~ genotype + t", few, genotypes="B,FCF_attP2_1500062",
                              block="none", **QUICK)  # fmt: skip
    assert plates.predictions.query("genotype == 'B@UAS_X'")["p_low"].notna().any()


def test_a_single_assay_says_so():
    one = _only(None).query("assay == 'A0'")
    model = transition_model("to ~ t", one, **QUICK)
    assert model.predictions["p_low"].isna().all() and model.tidy()["std_error"].isna().all()
    assert any("one assay only" in n for n in model.notes)


def test_same_seed_same_numbers(small):
    tests = [transition_model("to ~ genotype + t", small, null="relabel", seed=s, **QUICK).tests
             for s in (1, 1)]  # fmt: skip
    pd.testing.assert_frame_equal(*tests)


def test_print(model):
    text = repr(model)
    assert "formula: to ~ genotype * cr(t, df=4)" in text and "score tests against FCF" in text
    assert "replicate: line x date (9)" in text


def test_refusals(small, model):
    with pytest.raises(UsageError, match="names humidity; there are t, on, since"):
        transition_model("to ~ humidity", small)
    with pytest.raises(UsageError, match="transitions must be jump here"):
        transition_model(FORMULA, small, transitions="frame")
    with pytest.raises(DataError, match="window 500–600 s holds no transition"):
        transition_model(FORMULA, small, window="500:600")
    with pytest.raises(UsageError, match="names 3 windows; a model takes one"):
        transition_model(FORMULA, small, window="each")
    for bad in ({"dt": 0}, {"prior": -1}, {"level": 1.0}, {"null": "magic"}, {"resamples": 9},
                {"alpha": 0}, {"seed": -1}):  # fmt: skip
        with pytest.raises(UsageError, match=next(iter(bad))):
            transition_model(FORMULA, small, **bad)
    with pytest.raises(DataError, match=r"no state can be modelled: no model from .* columns"):
        transition_model("to ~ genotype * cr(t, df=40)", small, window="0:2", dt=0.01)
    with pytest.raises(UsageError, match="the grid to predict lacks genotype"):
        predict(model, pd.DataFrame({"t": [1.0]}))
    with pytest.raises(UsageError, match="genotype 'Q' is not in the model"):
        predict(model, pd.DataFrame({"t": [1.0], "genotype": "Q"}))
    with pytest.raises(UsageError, match="has no row"):
        predict(model, pd.DataFrame({"t": [], "genotype": []}))
    with pytest.raises(UsageError, match="level must lie"):
        predict(model, pd.DataFrame({"t": [1.0], "genotype": CONTROL}), level=95)
