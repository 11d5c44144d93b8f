"""What is measured, and when."""

from __future__ import annotations

import numpy as np
import pytest

from larvastats import DataError, UsageError, parse_protocol
from larvastats.inference.habituation.curves import make_curves
from larvastats.inference.habituation.plan import make_plan
from larvastats.inference.habituation.response import ActionResponse, BinnedResponse

LONG = parse_protocol("r_LED100_30s1x30s0s#n#n#n")
TWO = parse_protocol("r_LED100_30s2x15s30s#n#n#n")
PUFFS = parse_protocol("p_8_45s1x30s0s#p_8_105s10x2s10s#n#n")
EXTENT = (0.0, 220.0)


# -- response --------------------------------------------------------------------------------------


def test_shares_of_time_and_numbers_of_larvae(ethogram):
    mean, weight = ActionResponse(ethogram, "roll").over(
        np.array([0.0, 5.0, 10.0]), np.array([5.0, 10.0, 20.0])
    )
    np.testing.assert_allclose(mean, [[1 / 5, 2 / 5, 0], [1, 0.5 / 5, 0]])
    np.testing.assert_allclose(weight, [[1, 1, 2], [1, 1, 0.2]])


def test_intervals_may_leave_gaps_between_them(ethogram):
    mean, weight = ActionResponse(ethogram, "roll").over(np.array([3.0, 6.0]), np.array([5.0, 8.0]))
    np.testing.assert_allclose(mean, [[0.5, 0.5], [1, 0]])
    np.testing.assert_allclose(weight, 1.0)


def test_larvae_that_ever_do_it(ethogram):
    response = ActionResponse(ethogram, "roll", "ever")
    mean, weight = response.over(np.array([0.0, 6.0, 12.0]), np.array([6.0, 12.0, 14.0]))
    np.testing.assert_allclose(weight, [[1, 2, 2], [1, 1, 0]])
    np.testing.assert_allclose(mean, [[1, 0.5, 0], [1, 0, np.nan]])


def test_nothing_tracked_is_nan(ethogram):
    mean, weight = ActionResponse(ethogram, "run").over(np.array([13.0]), np.array([14.0]))
    assert np.isnan(mean[1, 0]) and weight[1, 0] == 0 and mean[0, 0] == 1


def test_binned_features_count_by_overlap():
    response = BinnedResponse(
        "speed", np.array([[1.0, 3.0, np.nan, 5.0]]), np.array([[2.0, 2.0, 0.0, 1.0]]),
        np.array([0.0, 1.0, 2.0, 3.0, 4.0]),
    )  # fmt: skip
    mean, weight = response.over(np.array([0.0, 1.5, 2.0]), np.array([1.5, 2.0, 3.0]))
    np.testing.assert_allclose(mean, [[(2 * 1 + 1 * 3) / 3, 3, np.nan]])
    np.testing.assert_allclose(weight, [[3, 1, 0]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": np.zeros((1, 3))}, "one edge more than bins"),
        ({"edges": np.array([0.0, 2.0, 1.0])}, "must increase"),
        ({"mean": np.array([[1.0, np.nan]])}, "finite numbers"),
        ({"mean": np.array([[1.0, 1.2]]), "binomial": True}, "shares between 0 and 1"),
    ],
)
def test_refused_features(change, words):
    values = {"mean": np.ones((1, 2)), "weight": np.ones((1, 2)), "edges": np.arange(3.0)}
    with pytest.raises((DataError, UsageError), match=words):
        BinnedResponse("speed", **(values | change))


def test_refused_actions(ethogram):
    with pytest.raises(UsageError, match="no action 'jump' in this source; it has run, roll"):
        ActionResponse(ethogram, "jump")
    with pytest.raises(UsageError, match="measure must be time or ever"):
        ActionResponse(ethogram, "roll", "often")


# -- plan ------------------------------------------------------------------------------------------


def test_auto_kind_and_bins():
    plan = make_plan(LONG, EXTENT)
    assert plan.shape.kind == "recovery" and plan.before == (20, 30)
    assert len(plan.start) == 30 and plan.start[0] == 30 and plan.stop[-1] == 60
    assert plan.shape.shortest == 1 and plan.shape.longest == 30
    assert make_plan(PUFFS, EXTENT).pulses == ((45, 75),)
    only_puffs = parse_protocol("p_8_105s10x2s10s#n#n#n")
    train = make_plan(only_puffs, EXTENT)
    assert train.shape.kind == "pulses" and len(train.pulses) == 10 and train.before == (95, 105)


def test_the_kth_presentation_and_its_baseline():
    plan = make_plan(TWO, EXTENT, stimulus=2)
    assert plan.pulses == ((60, 75),) and plan.before == (50, 60)
    near = parse_protocol("r_LED100_30s2x15s16s#n#n#n")
    assert make_plan(near, EXTENT, stimulus=2).before == (45, 46)
    assert make_plan(parse_protocol("r_LED100_0s1x30s0s#n#n#n"), EXTENT).before is None


def test_a_window_moves_the_start_and_keeps_the_baseline():
    plan = make_plan(PUFFS, EXTENT, window="46:75")
    assert plan.pulses == ((46, 75),) and plan.before == (35, 45)
    assert (np.diff(plan.start) == 1).all()
    alone = make_plan(parse_protocol("n#n#n#n"), EXTENT, window="40:80")
    assert alone.pulses == ((40, 80),) and alone.before == (30, 40)


def test_trains():
    pulses = make_plan(PUFFS, EXTENT, kind="pulses")
    np.testing.assert_array_equal(pulses.start, np.arange(105, 200, 10))
    assert make_plan(PUFFS, EXTENT, kind="pulses", stimulus=5).pulses == pulses.pulses
    assert len(make_plan(PUFFS, EXTENT, kind="pulses", window="105:160").pulses) == 6
    berne = make_plan(PUFFS, EXTENT, kind="berne", width=0.5)
    assert len(berne.start) == 40 and berne.shape.t_off == 8 and berne.shape.n_blocks == 10
    np.testing.assert_array_equal(berne.start[:5], [105, 105.5, 106, 106.5, 115])


@pytest.mark.parametrize(
    ("protocol", "options", "words"),
    [
        ("n#n#n#n", {}, "no stimulus with times.*--window START:STOP"),
        ("fe_0_suc#n#n#n", {"kind": "pulses"}, "no stimulus with times"),
        (LONG.raw, {"stimulus": 2}, "no stimulus 2; this protocol has 1"),
        (LONG.raw, {"stimulus": 0}, "no stimulus 0"),
        (TWO.raw, {"kind": "pulses"}, "pulses needs a train of 4 pulses at least, but there are 2"),
        (LONG.raw, {"kind": "berne"}, "berne needs a train of 2 pulses"),
        (LONG.raw, {"kind": "sums"}, "kind must be auto"),
        (LONG.raw, {"width": 0.0}, "bin must be a number of seconds above 0"),
        (LONG.raw, {"width": 12.0}, "bins of 12 s divide the stimulus of 30 s into 2"),
        (TWO.raw, {"window": "during"}, "not one stretch of time"),
    ],
)
def test_refused_plans(protocol, options, words):
    with pytest.raises(UsageError, match=words):
        make_plan(parse_protocol(protocol), EXTENT, **options)


def test_a_stimulus_longer_than_the_recording():
    words = r"lasts from 30 to 60 s, but the recordings run from 0 to 41 s.*--window 30:41"
    with pytest.raises(DataError, match=words):
        make_plan(LONG, (0.0, 41.0))
    assert make_plan(LONG, (0.0, 41.0), window="30:41").pulses == ((30, 41),)
    with pytest.raises(DataError, match=r"run from 0 to 20 s\.$"):
        make_plan(LONG, (0.0, 20.0))


# -- curves ----------------------------------------------------------------------------------------


def test_curves_of_an_ethogram(ethogram):
    plan = make_plan(parse_protocol("r_LED100_4s1x8s0s#n#n#n"), (0.0, 20.0), width=1.0)
    curves = make_curves(ActionResponse(ethogram, "roll"), plan)
    np.testing.assert_allclose(curves.mean[0], [1, 1, 1, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(curves.mean[1], [1, 0.5, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(curves.before, [0, 1])
    assert curves.usable.all()
    np.testing.assert_allclose(curves.area, [3, 1.5 - 8])
    np.testing.assert_allclose(curves.initial, 1)
    np.testing.assert_allclose(curves.final, 0)
    pooled, n = curves.pooled
    np.testing.assert_allclose(n, [2, 2, 2, 2, 2, 2, 3, 3])
    assert pooled[1] == 0.75


def test_assays_that_end_early_are_not_usable(ethogram):
    plan = make_plan(parse_protocol("r_LED100_4s1x15s0s#n#n#n"), (0.0, 20.0), width=1.0)
    curves = make_curves(ActionResponse(ethogram, "roll"), plan)
    np.testing.assert_array_equal(curves.usable, [True, False])
