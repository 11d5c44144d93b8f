import numpy as np
import pytest
from scipy import stats

from larvastats.simulate.chain import PlateDraw, draw_bouts
from larvastats.simulate.states import DEAD_TIME, light_screen, with_duration
from larvastats.simulate.timecourse import timecourse

MODEL = with_duration(light_screen(), 30)  # nothing happens in the first 30 s
COURSE = timecourse(MODEL)[0]
K = len(MODEL.states)


def plate(n, seed, odds=1.0, dwell=1.0):
    rng = np.random.default_rng(seed)
    return PlateDraw(rng, 0, np.full((n, K, K), odds), np.full((n, K), dwell))


def test_bouts_follow_each_other_from_start_to_end():
    bouts = draw_bouts(MODEL, [COURSE], [plate(50, 1), plate(20, 2)])
    same = np.diff(bouts.larva) == 0
    assert (bouts.t_start[1:][same] == bouts.t_stop[:-1][same]).all()
    assert (bouts.state[1:][same] != bouts.state[:-1][same]).all()
    assert (bouts.t_start[np.flatnonzero(~same) + 1] == 0).all()
    assert (bouts.t_stop[np.flatnonzero(~same)] == 30).all()
    np.testing.assert_array_equal(np.unique(bouts.larva), np.arange(70))
    np.testing.assert_allclose(bouts.t_stop * 1000, np.round(bouts.t_stop * 1000), atol=1e-9)


def test_a_plate_is_the_same_in_any_company():
    alone = draw_bouts(MODEL, [COURSE], [plate(20, 2)])
    both = draw_bouts(MODEL, [COURSE], [plate(50, 1), plate(20, 2)])
    mine = both.larva >= 50
    np.testing.assert_array_equal(both.larva[mine] - 50, alone.larva)
    np.testing.assert_array_equal(both.state[mine], alone.state)
    np.testing.assert_array_equal(both.t_stop[mine], alone.t_stop)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_dwell_times_follow_their_gamma_distribution(factor):
    bouts = draw_bouts(MODEL, [COURSE], [plate(4000, 3, dwell=factor)])
    # Casts that begin in the first 15 s: next to none of them meets the end of the recording.
    cast = (bouts.state == 1) & (bouts.t_start > 0) & (bouts.t_start < 15)
    lasting = bouts.t_stop[cast] - bouts.t_start[cast] - DEAD_TIME
    shape, mean = MODEL.dwell_shape[1], factor * (MODEL.dwell_mean[1] - DEAD_TIME)
    assert lasting.min() >= -0.0011  # times are rounded to 1 ms
    assert stats.kstest(lasting, stats.gamma(shape, scale=mean / shape).cdf).pvalue > 0.001


def test_larvae_are_met_in_the_midst_of_their_bouts():
    bouts = draw_bouts(MODEL, [COURSE], [plate(6000, 4)])
    first = bouts.t_start == 0
    share = np.bincount(bouts.state[first], minlength=K) / first.sum()
    later = (bouts.t_start <= 25) & (bouts.t_stop > 25)
    share_later = np.bincount(bouts.state[later], minlength=K) / later.sum()
    np.testing.assert_allclose(share, share_later, atol=0.03)


def test_odds_multiply_the_transitions():
    odds = np.ones((4000, K, K))
    odds[:, 0, 2] = 3.0
    one = PlateDraw(np.random.default_rng(5), 0, odds, np.ones((4000, K)))
    bouts = draw_bouts(MODEL, [COURSE], [one])
    here = (bouts.state[:-1] == 0) & (np.diff(bouts.larva) == 0)
    share = (bouts.state[1:][here] == 2).mean()
    p = MODEL.transitions[0, 2]
    expected = 3 * p / (1 + 2 * p)
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / here.sum()))


def test_a_transition_without_probability_never_happens():
    odds = np.ones((500, K, K))
    odds[:, :, 5] = 0.0
    one = PlateDraw(np.random.default_rng(6), 0, odds, np.ones((500, K)))
    bouts = draw_bouts(MODEL, [COURSE], [one])
    assert not (bouts.state == 5).any()
