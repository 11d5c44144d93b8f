"""Moving larvae: geometry, what each action does, smoothness, and bad input."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larvastats.errors import UsageError
from larvastats.simulate import PRESETS, MovingLarva, moving_larvae
from larvastats.simulate.body import ACTIONS
from larvastats.vocabulary import LARVA_STATES

_spec = importlib.util.spec_from_file_location("bodies", Path(__file__).with_name("bodies.py"))
look = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(look)

BEFORE, DURING, AFTER = 3.0, 3.0, 2.0


@pytest.fixture(scope="module")
def told():
    """Sixteen larvae for each action: a run, the action, a run; 20 frames per second."""
    return {
        action: list(
            moving_larvae(
                16, fps=20, actions=[("run", BEFORE), (action, DURING), ("run", AFTER)], seed=2
            )
        )
        for action in LARVA_STATES
    }


def within(larva, start=BEFORE + 0.6, stop=BEFORE + DURING - 0.3):
    return (larva.t > start) & (larva.t < stop)


def progress(larva, frames):
    """Path of the middle along the body axis, in body lengths, forward positive."""
    z = look.complex_midline(larva)[frames]
    step = np.diff(z[:, 5]) * np.exp(-1j * np.angle(z[:-1, 0] - z[:-1, -1]))
    return step.sum() / np.median(look.lengths(larva))


def test_a_larva_is_what_its_class_says():
    (larva,) = moving_larvae(1, duration=3, fps=10, contour_points=24, seed=1)
    assert isinstance(larva, MovingLarva)
    assert larva.t.tolist() == pytest.approx(np.arange(30) / 10)
    assert larva.midline.shape == (30, 11, 2) and larva.midline.dtype == np.float64
    assert larva.contour.shape == (30, 24, 2) and larva.contour.dtype == np.float32
    assert larva.states == LARVA_STATES and larva.state.shape == (30,)
    steps = np.linalg.norm(np.diff(larva.midline, axis=1), axis=2)
    np.testing.assert_allclose(steps, steps[:, :1] * np.ones(10), rtol=1e-9)


def test_presets_are_usable():
    assert set(PRESETS) == {"small", "large"}
    larvae = list(moving_larvae(seed=1))
    small = PRESETS["small"]
    assert len(larvae) == small.n
    assert larvae[0].contour.shape == (200, small.contour_points, 2)
    first = next(moving_larvae(preset="large", duration=2, seed=1))
    assert first.contour.shape == (50, 100, 2)


def test_the_first_larvae_of_more_are_those_of_fewer():
    few = list(moving_larvae(3, duration=4, seed=7))
    many = list(moving_larvae(20, duration=4, seed=7))
    assert len(many) == 20
    for one, two in zip(few, many, strict=False):
        assert (one.midline == two.midline).all() and (one.contour == two.contour).all()
    assert not np.allclose(many[0].midline, many[16].midline)
    assert not np.allclose(few[0].midline, next(moving_larvae(1, duration=4, seed=8)).midline)


def test_the_frame_rate_changes_only_where_one_looks():
    slow = next(moving_larvae(1, duration=4, fps=10, seed=3))
    fast = next(moving_larvae(1, duration=4, fps=50, seed=3))
    np.testing.assert_allclose(slow.midline, fast.midline[::5], atol=1e-9)
    assert (slow.state == fast.state[::5]).all()


def test_outlines_go_around_their_midlines(told):
    for action, larvae in told.items():
        for larva in larvae[:4]:
            gap = np.linalg.norm(larva.contour - larva.midline[:, -1:], axis=2)
            assert (gap.argmin(axis=1) == 0).all(), action  # begins at the tail
            head = np.linalg.norm(larva.contour - larva.midline[:, :1], axis=2)
            assert (head.argmin(axis=1) == 12).all()
            area = look.areas(larva.contour)
            assert (area < 0).all() or (area > 0).all()


def test_outlines_never_cross_themselves(told):
    for action, larvae in told.items():
        crossed = np.concatenate([look.crosses_itself(larva.contour) for larva in larvae])
        assert not crossed.any(), action


def test_bodies_keep_their_area_within_what_a_projection_allows(told):
    # volume is kept, so that a body a quarter shorter shows sqrt(3/4) = .87 of its area
    for action, larvae in told.items():
        for larva in larvae:
            area = np.abs(look.areas(larva.contour))
            assert (area / np.median(area) > 0.75).all(), action
            assert (area / np.median(area) < 1.25).all(), action


def test_lengths_stay_within_the_range_of_their_action(told):
    for action, larvae in told.items():
        for larva in larvae:
            usual = np.median(look.lengths(larva)[larva.t < BEFORE])
            here = look.lengths(larva)[within(larva)] / usual
            low, high = (0.5, 1.0) if action == "hunch" else (0.8, 1.2)
            assert low < here.min() and here.max() < high, action


def test_runs_go_forward_by_waves_from_tail_to_head(told):
    for larva in told["run"]:
        assert 0.4 < progress(larva, within(larva)) < 1.6  # lengths in 2.1 s
    # the tail moves first: its pulse comes .81 of a cycle before the head's, so .19 after it
    lags = []
    for larva in told["run"]:
        z = look.complex_midline(larva)
        speed = np.abs(np.gradient(z, axis=0))
        head, tail = (speed[:, k] - speed[:, k].mean() for k in (0, -1))
        shifts = range(-8, 9)
        right = [np.sum(head[8:-8] * np.roll(tail, -k)[8:-8]) for k in shifts]
        lags.append(shifts[int(np.argmax(right))])
    assert 1 <= np.median(lags) <= 5  # frames of .05 s; .19 of .72 s is 2.7


def shortest(larva, k, frames):
    """Frames in which segment k (from the head) is shorter than just before and after."""
    size = np.diff(larva.borders, axis=1)[frames, k] * look.lengths(larva)[frames]
    return np.flatnonzero((size[1:-1] < size[:-2]) & (size[1:-1] <= size[2:])) + 1


@pytest.mark.parametrize(("action", "sign"), [("run", 1), ("back", -1)])
def test_segments_shorten_one_after_the_other(action, sign):
    lags = []
    for larva in moving_larvae(16, fps=50, actions=[(action, 5)], seed=6):
        frames = larva.t > 1
        rear, front = shortest(larva, 7, frames), shortest(larva, 2, frames)
        later = rear if sign < 0 else front
        for begin in front if sign < 0 else rear:
            lags += [(later[later > begin][:1] - begin) / 50]
    # five of ten segments further on, at .81 of a cycle for the whole body
    pace = 1.38 if sign > 0 else 1.38 * 0.75
    assert np.median(np.concatenate(lags)) == pytest.approx(0.5 * 0.81 / pace, rel=0.15)


def test_borders_lie_in_order_and_regularly_at_rest(told):
    for action, larvae in told.items():
        for larva in larvae:
            assert (larva.borders[:, 0] == 0).all() and np.allclose(larva.borders[:, -1], 1)
            assert (np.diff(larva.borders, axis=1) > 0.04).all(), action
    for larva in told["stop"]:
        rest = larva.borders[within(larva)]
        np.testing.assert_allclose(rest, np.linspace(0, 1, 11) * np.ones((len(rest), 1)), atol=0.05)


def test_backing_larvae_go_backwards(told):
    for larva in told["back"]:
        assert -1.0 < progress(larva, within(larva)) < -0.1


def test_stops_casts_and_hunches_leave_the_tail_where_it_is(told):
    for action in ("stop", "cast", "hunch"):
        for larva in told[action]:
            tail = look.complex_midline(larva)[within(larva)][:, -1]
            usual = np.median(look.lengths(larva))
            assert np.abs(tail - tail[0]).max() < 0.12 * usual, action


def test_casts_bend_and_runs_do_not(told):
    def bent(action):
        frames = [np.abs(look.bends(larva))[within(larva)] for larva in told[action]]
        return np.percentile(np.concatenate(frames), 75)

    assert bent("cast") > 2.5 * bent("run")
    assert bent("stop") < 0.6 and bent("run") < 0.5


def test_hunches_shorten_at_once_and_let_go(told):
    for larva in told["hunch"]:
        length = look.lengths(larva)
        usual = np.median(length[larva.t < BEFORE])
        assert length[within(larva)].max() < 0.92 * usual
        assert length[larva.t > BEFORE + DURING + 1].max() > 0.95 * usual
    mean = np.mean(
        [look.lengths(x)[within(x)].mean() / np.median(look.lengths(x)[x.t < BEFORE])
         for x in told["hunch"]]
    )  # fmt: skip
    assert mean == pytest.approx(1 - ACTIONS["hunch"].shortening, abs=0.05)


def test_rolls_are_bent_go_sideways_and_turn_about_their_axis(told):
    for larva in told["roll"]:
        frames = within(larva)
        z = look.complex_midline(larva)[frames]
        assert np.abs(look.bends(larva)[frames]).min() > 0.6
        step = z.mean(axis=1)[-1] - z.mean(axis=1)[0]
        along = step * np.exp(-1j * np.angle(z[0, 0] - z[0, -1]))
        assert abs(along.imag) > 2.5 > 5 * abs(along.real)  # mm
        # it rolls without sliding: one circumference per turn
        turned = np.ptp(larva.axis[frames])
        radius = 0.105 * np.median(look.lengths(larva))
        assert 0.75 < np.abs(step) / turned / radius < 1.3
    assert np.ptp(told["run"][0].axis) == 0


def test_casts_turn_larvae(told):
    def turned(larva):
        z = look.complex_midline(larva)
        heading = np.angle(z[:, 0] - z[:, -1])
        change = heading[larva.t > BEFORE + DURING + 1.5][0] - heading[larva.t < BEFORE][-1]
        return abs(np.angle(np.exp(1j * change)))

    assert np.median([turned(x) for x in told["cast"]]) > 0.4
    assert np.median([turned(x) for x in told["stop"]]) < 0.3


def test_larvae_begin_in_the_midst_of_what_they_do():
    larvae = list(moving_larvae(48, fps=10, actions=[("run", 12)], seed=9))
    bent = np.array([np.abs(look.bends(larva)) for larva in larvae])
    assert np.median(bent[:, :10]) > 0.5 * np.median(bent[:, 60:])
    speed = np.array([np.abs(np.diff(look.complex_midline(x)[:, 5])) for x in larvae])
    assert speed[:, :8].mean() == pytest.approx(speed[:, 60:].mean(), rel=0.1)


def test_nothing_jumps(told):
    for action, larvae in told.items():
        for larva in larvae:
            step = np.linalg.norm(np.diff(larva.midline, axis=0), axis=2).max(axis=1)
            assert step.max() * 20 < 30, action  # mm/s, of a head that sweeps
            grown = np.abs(np.diff(look.lengths(larva))) * 20
            assert grown.max() < 6, action


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.sampled_from(LARVA_STATES), st.floats(0.1, 2.0)), min_size=1, max_size=5),
    st.integers(0, 2**32),
    st.sampled_from([8, 15, 60]),
)
def test_any_script_gives_smooth_finite_bodies(script, seed, n_points):
    if sum(seconds for _, seconds in script) < 1:
        script = [*script, ("run", 1.0)]
    (larva,) = moving_larvae(1, fps=25, contour_points=n_points, actions=script, seed=seed)
    assert np.isfinite(larva.midline).all() and np.isfinite(larva.contour).all()
    assert larva.contour.shape[1] == n_points
    step = np.linalg.norm(np.diff(larva.midline, axis=0), axis=2)
    assert step.max(initial=0) * 25 < 45
    assert (np.abs(look.bends(larva)) < 3.0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 0}, "n must be a whole number of at least 1 larva, but is 0"),
        ({"n": 2.5}, "n must be a whole number"),
        ({"preset": "smal"}, "preset must be one of small, large, but is 'smal'; did you mean 's"),
        ({"duration": 0.5}, "duration must be 1 to 86400 s"),
        ({"duration": float("nan")}, "duration must be 1 to 86400 s"),
        ({"fps": 2}, r"fps must be a number from 5 \(a larva makes 1.38 waves per second"),
        ({"fps": 1000}, "fps must be a number from 5 .* to 200, but is 1000"),
        ({"fps": True}, "fps must be a number"),
        ({"contour_points": 3}, "contour_points must be a whole number from 8 to 2000, but is 3"),
        ({"seed": -1}, "seed must be a whole number from 0 on"),
        ({"actions": [("crawl", 2)]}, "knows the actions run, cast, .* but not 'crawl'"),
        ({"actions": [("hunhc", 2)]}, "but not 'hunhc'; did you mean 'hunch'"),
        ({"actions": [("run", -2)]}, "lasts a positive number of seconds, but 'run' -2"),
        ({"actions": [("run",)]}, "pairs of action and seconds, but one is"),
        ({"actions": []}, "actions must be pairs of action and seconds"),
        ({"actions": "run"}, "actions must be pairs of action and seconds"),
        ({"protocol": "paired"}, "Protocol 'paired' cannot be simulated"),
        ({"effects": [{"kind": "speed", "delta": 9}]}, "no larva changes its speed by such"),
        ({"effects": [{"kind": "sped", "delta": 2}]}, "unknown kind 'sped'"),
    ],
)
def test_bad_input_is_one_sentence_at_once(change, words):
    with pytest.raises(UsageError, match=words):
        moving_larvae(**change)
