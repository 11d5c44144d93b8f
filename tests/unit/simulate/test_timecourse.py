import numpy as np
import pytest

from larvastats.simulate.effects import Effect
from larvastats.simulate.states import DEAD_TIME, Response, airpuff_screen, light_screen
from larvastats.simulate.timecourse import STEP, bin_middles, strength, timecourse

RUN, CAST, STOP = 0, 1, 2
MODEL = light_screen()
T = bin_middles(MODEL)
DURING = ((T >= 30) & (T < 45)) | ((T >= 60) & (T < 75))


def response(**change):
    values = {"tau": 5.0, "floor": 0.2, "recovery": 20.0, "release": 1.0} | change
    return Response(MODEL.transitions, np.ones(6), **values)


def test_strength_wanes_recovers_and_ends():
    one = response()
    w = strength(one, DURING, np.ones(len(T)))
    at = {t: w[round(t / STEP)] for t in (29.9, 30, 35, 44.9, 50, 60, 62)}
    assert at[29.9] == 0
    assert at[30] == 1
    assert at[35] == pytest.approx(0.2 + 0.8 * np.exp(-5 / 5), abs=1e-9)
    assert at[50] == pytest.approx(at[44.9] * np.exp(-5), abs=0.01)
    spent = 1 - (0.2 + 0.8 * np.exp(-15 / 5))
    assert at[60] == pytest.approx(1 - spent * np.exp(-15 / 20), abs=1e-9)
    assert at[62] < at[60] < 1


def test_a_longer_time_constant_wanes_more_slowly():
    slow = strength(response(), DURING, np.full(len(T), 4.0))
    assert slow[350] == pytest.approx(0.2 + 0.8 * np.exp(-5 / 20), abs=1e-9)


def test_responses_to_repeated_puffs_decline():
    model = airpuff_screen()
    course, _ = timecourse(model)
    hunch = course.transitions[:, 0, 3]
    first = [hunch[round(t / STEP)] for t in range(105, 200, 10)]
    assert (np.diff(first) < 0).all()
    assert first[0] > 1.3 * first[-1] > 10 * hunch[0]


def test_rows_stay_stochastic_under_any_effect():
    effects = [
        Effect("", "transition", 0.9, "run", "stop"),
        Effect("", "transition", -1.0, "cast", "run", "whole"),
        Effect("", "transition", 1.0, "roll", "back", "during_1"),
        Effect("", "habituation", 0.01),
    ]
    course, _ = timecourse(MODEL, effects)
    np.testing.assert_allclose(course.transitions.sum(axis=2), 1)
    assert (course.transitions >= 0).all()
    assert (np.diff(course.clock, axis=1) > 0).all()


def test_a_transition_effect_adds_its_delta_in_its_window_only():
    base, _ = timecourse(MODEL)
    course, (done,) = timecourse(MODEL, [Effect("", "transition", 0.2, "run", "stop")])
    difference = course.transitions - base.transitions
    np.testing.assert_allclose(difference[DURING, RUN, STOP], 0.2)
    assert (difference[~DURING] == 0).all()
    assert (difference[:, CAST:] == 0).all()
    others = [CAST, 3, 4, 5]
    ratio = course.transitions[DURING][:, RUN, others] / base.transitions[DURING][:, RUN, others]
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(4, axis=1))
    assert (done["delta_realised"], done["clipped"]) == (0.2, False)
    assert done["intervals"] == [[30.0, 45.0], [60.0, 75.0]]


def test_a_clipped_delta_is_reported():
    course, (done,) = timecourse(MODEL, [Effect("", "transition", 0.6, "run", "cast", "before")])
    base = MODEL.transitions[RUN, CAST]
    assert course.transitions[0, RUN, CAST] == 1
    assert done["clipped"]
    assert done["delta_realised"] == pytest.approx(1 - base, abs=1e-5)


def test_what_a_certain_transition_frees_goes_to_all_others_alike():
    effects = [
        Effect("", "transition", 1.0, "run", "cast", "before"),
        Effect("", "transition", -0.4, "run", "cast", "before"),
    ]
    course, _ = timecourse(MODEL, effects)
    np.testing.assert_allclose(course.transitions[0, RUN], [0, 0.6, 0.1, 0.1, 0.1, 0.1])


def test_a_dwell_effect_multiplies_its_mean_but_never_below_the_dead_time():
    base, _ = timecourse(MODEL)
    course, (done,) = timecourse(MODEL, [Effect("", "dwell", 1.7, "cast", window="30:40")])
    inside = (T >= 30) & (T < 40)
    np.testing.assert_allclose(course.dwell_mean[inside, CAST],
                               1.7 * base.dwell_mean[inside, CAST])  # fmt: skip
    assert (course.dwell_mean[~inside] == base.dwell_mean[~inside]).all()
    assert not done["clipped"]
    short, (done,) = timecourse(MODEL, [Effect("", "dwell", 1e-6, "cast")])
    assert short.dwell_mean.min() > DEAD_TIME
    assert done["clipped"]
