"""Distributions off and on: spread tested apart from the mean."""

import numpy as np
import pandas as pd
import pytest

from larvastats import DataError, UsageError, distribution

PROTOCOL = "p_8_10s1x10s0s#n#n#n"
QUICK = {"bootstrap": 99, "resamples": 499, "control": "C"}


def frames(plates=6, larvae=5, spread=2.0, shift=0.0, dated=False, protocol=PROTOCOL, seed=0):
    """Angles whose spread in A grows under the stimulus, at a mean that stays unless `shift`."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, 20, 0.2)
    parts = []
    for line in ("C", "A"):
        for plate in range(plates):
            level, width = rng.normal(0, 0.03), np.exp(rng.normal(0, 0.08))
            for larva in range(larvae):
                on = (t >= 10) & (line == "A")
                x = rng.normal(0, 0.3, len(t)) * width * np.where(on, spread, 1.0)
                parts.append(pd.DataFrame({
                    "assay": f"{line}{plate}", "line": line, "larva": str(larva), "t": t,
                    "state": "run", "head_angle": x + level + shift * on,
                    "date": f"2020010{plate % 3 + 1}",
                }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True).assign(protocol=protocol)
    return table if dated else table.drop(columns="date")


def p_of(result, measure, condition):
    tests = result.tidy()
    own = tests[(tests["measure"] == measure) & (tests["condition"] == condition)]
    return own[own["comparison"].str.startswith("A against")].iloc[0]


@pytest.fixture(scope="module")
def wide():
    return distribution(frames(), response="head_angle", **QUICK)


def test_a_spread_that_grows_at_an_unchanged_mean_is_found_as_that(wide):
    row = p_of(wide, "spread", "on − off")
    assert row["p_value"] <= 0.005 and row["estimate"] == pytest.approx(np.log(2), abs=0.1)
    assert row["low"] < np.log(2) < row["high"] and row["g_low"] > 0
    assert p_of(wide, "spread", "off")["p_value"] > 0.05
    assert p_of(wide, "mean", "on − off")["p_value"] > 0.05
    assert row["p_adjusted"] >= row["p_value"]


def test_a_mean_that_moves_is_not_a_spread():
    moved = distribution(frames(spread=1.0, shift=0.4), response="head_angle", **QUICK)
    assert p_of(moved, "mean", "on − off")["p_value"] <= 0.005
    assert p_of(moved, "spread", "on − off")["p_value"] > 0.05


def test_units_are_what_the_frames_say(wide):
    table = frames()
    off = table[(table["assay"] == "A1") & (table["t"] < 10)]["head_angle"]
    row = wide.augment().set_index(["assay", "condition"]).loc[("A1", "off")]
    assert row["n"] == len(off)
    assert row["mean"] == pytest.approx(off.mean()) and row["sd"] == pytest.approx(off.std())
    assert row["log_spread"] == pytest.approx(np.log(off.std()))


def test_densities_integrate_to_one_and_lie_within_their_limits(wide):
    table = wide.table
    area = table["density"] * (table["x_high"] - table["x_low"])
    total = area.groupby([table["genotype"], table["condition"]]).sum()
    assert (total > 0.99).all() and (total <= 1 + 1e-9).all()
    assert (table["low"] <= table["density"]).all() and (table["density"] <= table["high"]).all()


def test_mad_is_a_spread_too():
    result = distribution(frames(), response="head_angle", spread="mad", **QUICK)
    assert p_of(result, "spread", "on − off")["p_value"] <= 0.005
    assert "log MAD" in repr(result)


def test_dates_are_blocks():
    result = distribution(frames(dated=True), response="head_angle", **QUICK)
    row = p_of(result, "spread", "on − off")
    assert row["n_dates"] == 3 and row["df"] == 2
    assert "within dates" in repr(result)


def test_a_mixed_model_has_the_control_as_reference():
    formula = "value ~ genotype * led + (1 | assay)"
    result = distribution(frames(shift=0.5), response="head_angle", mixed=formula, **QUICK)
    terms = result.mixed.set_index("term")
    assert list(terms.index) == ["Intercept", "genotype[T.A]", "led[T.on]",
                                 "genotype[T.A]:led[T.on]"]  # fmt: skip
    found = terms.loc["genotype[T.A]:led[T.on]"]
    assert found["low"] < 0.5 < found["high"] and found["p_value"] < 0.001
    assert formula in repr(result) and "residual" in repr(result)


def test_what_a_mixed_model_cannot_do_is_a_note():
    few = distribution(frames(plates=2), response="head_angle",
                       mixed="value ~ genotype * led + (1 | assay)", **QUICK)  # fmt: skip
    assert few.mixed.empty and any("too few" in note for note in few.notes)
    with pytest.raises(UsageError, match="not supported"):
        distribution(frames(), response="head_angle", mixed="value ~ led + (1 | larva)", **QUICK)


def test_one_assay_is_in_no_test():
    table = frames()
    result = distribution(table[(table["line"] == "C") | (table["assay"] == "A0")],
                          response="head_angle", **QUICK)  # fmt: skip
    row = p_of(result, "spread", "on")
    assert np.isnan(row["p_value"]) and "one assay" in row["note"]


@pytest.mark.parametrize(
    ("change", "options", "error", "sentence"),
    [
        ({"protocol": "paired#n#n#n"}, {}, UsageError, "no off and on to compare"),
        ({}, {"response": "run"}, UsageError, "is an action, which a larva does or does not"),
        ({}, {"response": "width"}, UsageError, "no action or feature 'width'; it has head_angle"),
        ({}, {"spread": "iqr"}, UsageError, "spread must be sd or mad"),
        ({}, {"on": "each"}, UsageError, "is many windows"),
        ({"head_angle": 0.2}, {}, DataError, "is constant within every assay"),
        ({"head_angle": np.nan}, {}, DataError, "has a value of head_angle"),
    ],
)
def test_what_cannot_be_is_one_sentence(change, options, error, sentence):
    table = frames(plates=2).assign(**change)
    with pytest.raises(error, match=sentence):
        distribution(table, **({"response": "head_angle"} | QUICK | options))
