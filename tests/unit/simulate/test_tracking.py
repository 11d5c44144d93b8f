import numpy as np
import pytest

from larvastats.simulate.chain import Bouts, PlateDraw, draw_bouts
from larvastats.simulate.design import ALWAYS_TRACKED, Tracking
from larvastats.simulate.states import light_screen
from larvastats.simulate.timecourse import timecourse
from larvastats.simulate.tracking import MAX_STRETCHES, Stretches, cut, number_tracks, watch

MODEL = light_screen()
COURSE = timecourse(MODEL)[0]
N = 1500


@pytest.fixture(scope="module")
def drawn():
    plates = [
        PlateDraw(np.random.default_rng(seed), 0, np.ones((N, 6, 6)), np.ones((N, 6)))
        for seed in (1, 2)
    ]
    return draw_bouts(MODEL, [COURSE], plates), plates


def test_without_losses_everything_is_seen(drawn):
    bouts, plates = drawn
    seen, _ = cut(bouts, watch(MODEL, ALWAYS_TRACKED, bouts, plates))
    for name in ("larva", "state", "t_start", "t_stop"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(bouts, name))


def test_losses_leave_gaps_of_at_least_the_shortest(drawn):
    bouts, plates = drawn
    tracking = Tracking(loss=5, found=1.0, same_number=1.0, shortest_gap=2.0, late=0)
    seen, stretch = cut(bouts, watch(MODEL, tracking, bouts, plates))
    same = np.diff(seen.larva) == 0
    gaps = (seen.t_start[1:] - seen.t_stop[:-1])[same]
    again = np.diff(stretch)[same] != 0
    assert again.sum() > 500
    assert (gaps[again] >= 1.999).all()
    assert (np.abs(gaps[~again]) < 1e-9).all()


def test_rolls_and_hunches_lose_more_tracks(drawn):
    bouts, plates = drawn
    stretches = watch(MODEL, Tracking(loss=3, found=0, late=0), bouts, plates)
    seen, _ = cut(bouts, stretches)
    last = np.flatnonzero(np.diff(seen.larva, append=-1) != 0)
    lost = seen.t_stop[last] < MODEL.duration
    events = np.bincount(seen.state[last][lost], minlength=6)
    time = np.bincount(seen.state, seen.t_stop - seen.t_start, minlength=6)
    rate = events / time
    expected = 3 * MODEL.loss_rate
    np.testing.assert_array_less(np.abs(rate - expected), 4 * np.sqrt(expected / time))
    assert rate[5] > 5 * rate[0]


def test_late_larvae_begin_in_the_first_half(drawn):
    bouts, plates = drawn
    stretches = watch(MODEL, Tracking(loss=0, late=0.3), bouts, plates)
    late = stretches.start > 0
    assert late.mean() == pytest.approx(0.3, abs=0.04)
    assert stretches.start.max() <= MODEL.duration / 2
    seen, _ = cut(bouts, stretches)
    first = np.flatnonzero(np.diff(seen.larva, prepend=-1) != 0)
    np.testing.assert_array_equal(seen.t_start[first], stretches.start)


def test_losses_come_to_an_end(drawn):
    bouts, plates = drawn
    stretches = watch(MODEL, Tracking(loss=200, found=1, shortest_gap=0.1, mean_extra_gap=0.1),
                      bouts, plates)  # fmt: skip
    assert stretches.order.max() == MAX_STRETCHES - 1
    assert (stretches.stop > stretches.start).all()


def test_tracks_are_numbered_by_plate_then_by_appearance():
    # Larvae 0 and 1 on plate 0, larva 2 on plate 1; larva 1 returns as new before larva 0 does.
    stretches = Stretches(
        larva=np.array([0, 1, 2, 0, 1, 2, 1]),
        order=np.array([0, 0, 0, 1, 1, 1, 2]),
        start=np.array([0.0, 0.0, 5.0, 50.0, 40.0, 60.0, 70.0]),
        stop=np.array([45.0, 30.0, 55.0, 90.0, 65.0, 90.0, 90.0]),
        new=np.array([False, False, False, True, True, False, False]),
    )
    track, plate, number = number_tracks(stretches, np.array([0, 0, 1]), np.array([0, 2, 3]))
    assert plate.tolist() == [0, 0, 0, 0, 1]
    assert number.tolist() == [1, 2, 3, 4, 1]
    assert track.tolist() == [0, 1, 4, 3, 2, 4, 2]


def test_nothing_is_cut_from_a_bout_that_is_wholly_seen():
    bouts = Bouts(np.array([0, 0]), np.array([0, 1], np.int16), np.array([0.0, 4.0]),
                  np.array([4.0, 9.0]))  # fmt: skip
    stretches = Stretches(np.array([0, 0]), np.array([0, 1]), np.array([0.0, 6.0]),
                          np.array([5.0, 9.0]), np.array([False, False]))  # fmt: skip
    seen, stretch = cut(bouts, stretches)
    assert seen.t_start.tolist() == [0.0, 4.0, 6.0]
    assert seen.t_stop.tolist() == [4.0, 5.0, 9.0]
    assert seen.state.tolist() == [0, 1, 1]
    assert stretch.tolist() == [0, 0, 1]
