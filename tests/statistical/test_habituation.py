"""Does `habituation` keep its error, and are its intervals right? Quick siblings of the study.

``analyses/calibration/habituation.py`` measures the same with 1,000 experiments each.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from larvastats import habituation
from larvastats.inference.habituation.fit import fit_curve, make_grid
from larvastats.inference.habituation.model import recovery_shape
from larvastats.simulate.design import RandomEffects, ScreenDesign
from larvastats.simulate.effects import Effect
from larvastats.simulate.expectation import expect
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import airpuff_screen
from larvastats.simulate.timecourse import bin_middles, timecourse

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED = pd.read_csv(REPOSITORY / "tests" / "reference" / "berne2023.csv", comment="#")


@pytest.fixture(scope="module")
def study():
    """The calibration study, as a module."""
    folder = str(REPOSITORY / "analyses" / "calibration")
    sys.path.insert(0, folder)
    try:
        # not the package's own `habituation`: the study's file has the same name
        import importlib.util

        spec = importlib.util.spec_from_file_location(
            "habituation_study", Path(folder) / "habituation.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(folder)


def within(share, draws, low, high):
    """Whether a share is what draws with a probability in [low, high] may give (99.9%)."""
    found = round(share * draws)
    return stats.binom.ppf(0.0005, draws, low) <= found <= stats.binom.ppf(0.9995, draws, high)


def test_the_study_knows_the_published_numbers(study):
    table = PUBLISHED.set_index("genotype")
    assert table.loc["Canton-S"].tolist() == [study.CANTON_S, study.RES_CANTON_S]
    assert table.loc["rut"].tolist() == [study.RUT, study.RES_RUT]


def test_published_numbers_are_those_of_the_shared_table(shared_data):
    path = shared_data / "papers" / "berne2023_vibration_habituation.csv"
    shared = pd.read_csv(path, comment="#")
    columns = ["tau_des_s", "tau_res_after_first_pulse_s"]
    np.testing.assert_array_equal(shared[columns], PUBLISHED[columns])


@pytest.mark.parametrize("tau", PUBLISHED["tau_des_s"])
def test_published_desensitisation_is_recovered(study, tau):
    row = study.recovered("train", study.train(tau), 60, 3, 0)
    assert abs(row["bias"]) < 0.1 and row["censored"] == 0 and row["passed"] > 0.9
    assert within(row["profile"], 60, 0.92, 0.98)
    assert row["least squares"] < 0.7


def test_recovery_during_a_long_stimulus(study):
    truth = study.Truth(10.0, floor=0.15, length=60)
    row = study.recovered("long", truth, 60, 4, 0)
    assert abs(row["median"]) < 0.1
    assert within(row["profile"], 60, 0.92, 0.98)


def test_resensitisation_is_recovered(study):
    row = study.resensitised(study.CANTON_S, study.RES_CANTON_S, 60, 5)
    assert abs(row["bias"]) < 0.2
    assert within(row["covered"], 60, 0.92, 0.98)


def test_two_genotypes_with_one_time_constant_at_unequal_levels(study):
    high = study.Truth(8.0, start=0.7, floor=0.3)
    low = study.Truth(8.0, start=0.5, floor=0.4)
    row = study.two_groups("null", high, low, 60, 6)
    assert within(row["wild"], 60, 0.03, 0.07) and within(row["F"], 60, 0.03, 0.07)
    assert row["least squares"] > 0.2


def test_rut_is_told_from_canton_s(study):
    a, b = study.train(study.RUT, study.RES_RUT), study.train(study.CANTON_S)
    row = study.two_groups("power", a, b, 10, 7)
    assert row["wild"] == 1 and row["F"] == 1


@pytest.mark.slow
def test_gate_of_responses_that_stay(study):
    table = study.gate_errors(400, 8)
    for name in ("30 s", "10 pulses"):
        for share in table[name]:
            assert within(share, 400, 0.0, 0.06), table


@pytest.mark.slow
@pytest.mark.parametrize("which", range(13))
def test_all_truths(study, which):
    name, truth = study.truths()[which]
    row = study.recovered(name, truth, 300, 20 + which, 0)
    assert abs(row["median"]) < 0.1, row
    assert within(row["profile"], 300, 0.92, 0.98), row


@pytest.mark.slow
def test_both_nulls_at_full_size(study):
    table = study.comparisons(400)
    for row in table[table["groups"].str.startswith("equal")].to_dict("records"):
        assert within(row["wild"], 400, 0.03, 0.07), row
        assert within(row["F"], 400, 0.03, 0.07), row


# -- larvastats' own simulator --------------------------------------------------------------------


def expected_tau(delta, start):
    """Time constant of the expected share of hunches in the simulated air puff."""
    model = airpuff_screen()
    effects = (Effect("", "habituation", delta),) if delta != 1 else ()
    course, _ = timecourse(model, effects)
    occupancy = expect(model, course).occupancy[:, model.states.index("hunch")]
    t = bin_middles(model)
    y = occupancy[(t > start) & (t < 75)].reshape(75 - start, -1).mean(axis=1)
    grid = make_grid(recovery_shape(np.arange(start, 75.5)))
    return fit_curve(y, np.full(len(y), 100.0), grid, True).tau


def test_the_simulated_air_puff_gives_its_time_constants_back():
    model = airpuff_screen()
    # hunching takes a second to build up: the decline is fitted from there on
    slow, usual = expected_tau(3.0, 46), expected_tau(1.0, 46)
    assert usual == pytest.approx(model.startle.tau, rel=0.1)
    assert slow == pytest.approx(3 * model.startle.tau, rel=0.2)
    design = ScreenDesign(
        model, ("slow", "null"), dates=1, assays_per_line=12, control_assays_per_date=12,
        larvae=60, effects=(Effect("slow", "habituation", 3.0),),
        spread=RandomEffects(date=0, vial=0, plate=0.2, larva=0.3),
    )  # fmt: skip
    ethogram, _ = simulate_ethogram(design, 2)
    table = habituation(ethogram, response="hunch", window="46:75").table.set_index("line")
    for line, truth in (("slow", slow), ("null", usual), (design.control, usual)):
        row = table.loc[line]
        assert row["direction"] == "habituation" and row["censored"] == ""
        assert row["tau"] == pytest.approx(truth, rel=0.35), line
        assert row["tau_low"] < truth < row["tau_high"], line
    assert table.loc["slow", "p_value"] < 0.01 < table.loc["null", "p_value"]
    assert table.loc["slow", "rejected"] and not table.loc["null", "rejected"]
