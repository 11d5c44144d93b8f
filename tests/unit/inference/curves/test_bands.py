"""Bands of mean curves: exact where theory is, sane elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from larvastats.inference.curves.bands import (
    PRIOR_DF,
    collapse,
    curve_band,
    curve_memory,
    moderated,
    running_mean,
    scaled_residuals,
    share_limits,
    shared_variance,
    sign_patterns,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def one_stratum(n):
    return np.zeros(n, dtype=np.int64)


def test_the_middle_is_the_mean_and_limits_lie_around_it():
    y = rng().normal(3, 1, (8, 30))
    band = curve_band(y, one_stratum(8), share=False, draws=200, rng=rng(1))
    np.testing.assert_allclose(band.mean, y.mean(axis=0))
    assert (band.low < band.point_low).all() and (band.point_low < band.mean).all()
    assert (band.high > band.point_high).all() and (band.point_high > band.mean).all()
    assert band.df == 7


def test_limits_move_and_stretch_with_the_values():
    y = rng().normal(3, 1, (7, 12))
    one = curve_band(y, one_stratum(7), share=False, draws=200, rng=rng(1))
    two = curve_band(10 * y + 5, one_stratum(7), share=False, draws=200, rng=rng(1))
    np.testing.assert_allclose(two.low, 10 * one.low + 5)
    np.testing.assert_allclose(two.high, 10 * one.high + 5)


def test_one_assay_has_a_curve_and_no_limits():
    y = rng().normal(size=(1, 5))
    band = curve_band(y, one_stratum(1), share=False, draws=99, rng=rng())
    np.testing.assert_allclose(band.mean, y[0])
    assert np.isnan(band.low).all() and np.isnan(band.point_high).all() and band.df == 0


@pytest.mark.parametrize("share", [True, False])
def test_what_does_not_vary_has_no_limits(share):
    y = np.full((4, 6), 0.0 if share else 4.1)
    band = curve_band(y, one_stratum(4), share=share, draws=99, rng=rng())
    assert np.isnan(band.low).all() and np.isnan(band.critical)


@given(st.integers(0, 10_000), st.integers(2, 9), st.floats(0.001, 0.6))
def test_limits_of_shares_are_shares(seed, n, p):
    y = rng(seed).binomial(20, p, (n, 15)) / 20
    band = curve_band(y, one_stratum(n), share=True, draws=99, rng=rng(seed))
    if np.isnan(band.critical):
        assert y.std(axis=0).max() == 0
        return
    assert (band.low >= 0).all() and (band.high <= 1).all()
    assert (band.low <= band.mean).all() and (band.mean <= band.high).all()
    nobody = y.sum(axis=0) == 0  # nobody did it: that is not a proof that nobody ever does
    assert (band.low[nobody] == 0).all() and (band.high[nobody] > 0).all()


def test_share_limits_are_clopper_pearson_where_shares_are_counts():
    # ten assays of twenty larvae each: 200 tries, and the variance is binomial
    p = np.array([0.05, 0.3, 0.5, 0.93])
    variance = p * (1 - p) / 20
    critical = float(stats.norm.isf(0.025))
    low, high = share_limits(p, variance, 10, critical)
    for k, share in enumerate(p):
        expected = stats.binomtest(round(share * 200), 200).proportion_ci(0.95, "exact")
        assert low[k] == pytest.approx(expected.low, rel=1e-6)
        assert high[k] == pytest.approx(expected.high, rel=1e-6)


def test_dates_take_their_differences_out_of_the_limits():
    g = rng()
    date = np.repeat([0, 1, 2], 4)
    y = g.normal(0, 0.1, (12, 20)) + np.array([0.0, 5.0, -5.0])[date][:, None]
    within = curve_band(y, date, share=False, draws=200, rng=rng(1))
    across = curve_band(y, one_stratum(12), share=False, draws=200, rng=rng(1))
    assert np.median(within.high - within.low) < 0.1 * np.median(across.high - across.low)
    assert within.df == 9 and across.df == 11


@pytest.mark.parametrize(
    ("stratum", "expected"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1]),
        ([0, 1, 2], [0, 0, 0]),
        ([0, 0, 1, 2], [0, 0, 1, 1]),
        ([0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 1]),
        ([3], [0]),
    ],
)
def test_single_assays_join_a_stratum(stratum, expected):
    assert collapse(np.array(stratum)).tolist() == expected


def test_scaled_residuals_estimate_the_variance_without_bias():
    g, total = rng(), 0.0
    strata = np.array([0, 0, 1, 1, 1, 2, 2])
    for _ in range(4000):
        y = g.normal(size=(7, 1)) + np.array([3.0, -1.0, 7.0])[strata][:, None]
        total += float((scaled_residuals(y, strata) ** 2).mean())
    assert total / 4000 == pytest.approx(1.0, abs=0.04)


def test_moderation_keeps_the_mean_ratio_and_draws_towards_it():
    profile = np.array([1.0, 2.0, 4.0, 0.0])
    variance = np.array([2.0, 2.0, 2.0, 0.0])
    out = moderated(variance, profile, 8)
    ratio = variance[:3] / profile[:3]
    expected = profile[:3] * (ratio * 8 + ratio.mean() * PRIOR_DF) / (8 + PRIOR_DF)
    np.testing.assert_allclose(out, [*expected, 0.0])
    np.testing.assert_allclose((out[:3] / profile[:3]).mean(), ratio.mean())


def test_a_single_bin_is_not_moderated():
    np.testing.assert_allclose(moderated(np.array([3.7]), np.array([1.9]), 5), [3.7])


def test_shared_variance_of_shares_is_over_dispersed_binomial():
    p = np.array([0.1, 0.5, 0.0])
    out = shared_variance(np.array([0.018, 0.05, 0.0]), p, True)
    np.testing.assert_allclose(out, 0.2 * p * (1 - p))


def test_running_mean_is_a_plain_average_with_fewer_at_the_ends():
    x = np.arange(6.0) ** 2
    expected = [x[max(0, k - 2) : k + 3].mean() for k in range(6)]
    np.testing.assert_allclose(running_mean(x, 2), expected)


def test_few_signs_are_listed_and_each_pair_once():
    signs = sign_patterns(4, 100, rng())
    assert signs.shape == (8, 4) and set(np.unique(signs)) == {-1.0, 1.0}
    assert len({tuple(s) for s in np.concatenate([signs, -signs])}) == 16
    assert sign_patterns(30, 50, rng()).shape == (50, 30)


def test_memory_of_curves_is_found():
    g = rng()
    noise = np.zeros((400, 300))
    noise[:, 0] = g.normal(size=400)
    for k in range(1, 300):
        noise[:, k] = 0.6 * noise[:, k - 1] + 0.8 * g.normal(size=400)
    z = np.sqrt(0.3) * g.normal(size=(400, 1)) + np.sqrt(0.7) * noise
    kept, memory = curve_memory(z)
    assert kept == pytest.approx(0.3, abs=0.05) and memory == pytest.approx(0.6, abs=0.05)
