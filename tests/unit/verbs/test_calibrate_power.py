"""Calibration sees what is broken; power and its components know what was put in."""

import numpy as np
import pytest

import larvastats
from larvastats.errors import DataError, UsageError
from larvastats.simulate.design import RandomEffects, ScreenDesign
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import light_screen


def screen_of(control_plates, line_larvae, seed=1, line_plates=4):
    lines = ("GMR_10A01_AE_01", "GMR_10A02_AE_01")
    design = ScreenDesign(
        model=light_screen(),
        lines=lines,
        dates=2,
        assays_per_line=line_plates,
        control_assays_per_date=control_plates,
        larvae=40,
        larvae_of=dict.fromkeys(lines, line_larvae),
        effects=(),
        spread=RandomEffects(date=0.0, vial=0.0, plate=0.15, larva=0.0, dwell=0.0),
    )
    return simulate_ethogram(design, seed=seed)[0]


@pytest.fixture(scope="module")
def unequal():
    """Lines of 8 plates with 8 larvae, controls with 40."""
    return screen_of(40, 8, line_plates=8)


def test_unstudentised_distances_are_caught(unequal):
    result = larvastats.calibrate(
        unequal, window="whole", draws=100, resamples=199, block="none", seed=2
    )
    share = result.table[result.table["level"] == 0.05].set_index(["statistic", "null"])["share"]
    assert share["hellinger, unstudentised", "relabel"] >= 0.9
    assert share["welch", "relabel"] <= 0.15
    assert result.design["larvae_per_plate"] == 8
    assert "vial" in result.notes[0]


def test_same_seed_same_calibration_for_any_jobs(unequal):
    one = larvastats.calibrate(unequal, draws=40, resamples=99, block="none", seed=4)
    two = larvastats.calibrate(unequal, draws=40, resamples=99, block="none", seed=4, jobs=2)
    assert one.p_values.equals(two.p_values)
    assert one.table.equals(two.table)


def test_too_few_controls_are_refused():
    with pytest.raises(DataError, match="more control plates"):
        larvastats.calibrate(screen_of(1, 20), draws=30, resamples=99)


def test_verdict_says_when_controls_cannot_tell():
    result = larvastats.calibrate(draws=40, resamples=99)
    assert result.verdict.startswith("Too few controls to tell")
    assert "no more than 1 pseudo-line can be drawn" in result.verdict


def test_power_grows_with_the_design_and_with_the_effect():
    more = {"dates": (4,), "plates": (1, 4), "larvae": (30,), "simulations": 60, "seed": 3}
    small = larvastats.power(effect="cast->run:-0.05", **more)
    large = larvastats.power(effect="cast->run:-0.4", **more)
    assert large.table["power"].min() > small.table["power"].max() - 0.05
    assert large.table["power"].iloc[1] > 0.8
    assert large.table["power"].iloc[1] >= large.table["power"].iloc[0]
    assert set(small.components["level"]) == {"date", "plate", "larva"}
    assert small.components["share"].sum() == pytest.approx(1.0)
    delta = large.smallest["delta"].to_numpy()
    assert (delta < 0).all() and abs(delta[1]) >= abs(delta[0])


def test_plate_variance_is_recovered():
    sds = []
    for sd in (0.1, 0.5):
        design = ScreenDesign(
            model=light_screen(), lines=("GMR_10A01_AE_01",), dates=4, assays_per_line=4,
            control_assays_per_date=8, larvae=40, effects=(),
            spread=RandomEffects(date=0.0, vial=0.0, plate=sd, larva=0.0, dwell=0.0),
        )  # fmt: skip
        data = simulate_ethogram(design, seed=5)[0]
        result = larvastats.power(
            data, effect="cast->run:-0.3", dates=(2,), plates=(1,), larvae=(5,), simulations=20
        )
        sds.append(float(result.components.set_index("level")["sd_logit"]["plate"]))
    assert sds[0] < 0.25
    assert 0.3 < sds[1] < 0.8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"effect": "cast-run"}, "FROM->TO:DELTA"),
        ({"effect": "cast->fly:0.1"}, "names the state 'fly'"),
        ({"effect": "cast->run:0"}, "not be 0"),
        ({"dates": (1,)}, "dates must be"),
        ({"simulations": 1}, "simulations must be"),
        ({"transitions": "ever"}, "not 'ever'"),
    ],
)
def test_bad_questions_are_refused(arguments, words):
    with pytest.raises(UsageError, match=words):
        larvastats.power(**arguments)


def test_results_print_and_draw():
    calibration = larvastats.calibrate(draws=30, resamples=99)
    assert "control pseudo-lines" in repr(calibration)
    assert len(calibration.glance()) == 1
    assert calibration.augment()["draw"].nunique() == 30
    assert calibration.plot().axes[0].get_xlabel().startswith("expected")
    result = larvastats.power(dates=(2,), plates=(1,), larvae=(10,), simulations=20)
    assert "Smallest change" in repr(result)
    assert np.isfinite(result.tidy()["power"]).all()
    assert result.plot().axes[0].get_ylabel() == "power"
