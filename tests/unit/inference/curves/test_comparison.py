"""Tests over time: against SciPy's for one bin, by enumeration, and where the truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from larvastats.inference.curves.comparison import (
    adjusted_p,
    compare_curves,
    heaviest_run,
    responds,
    runs_above,
)
from larvastats.inference.design.blocks import make_design


def rng(seed=0):
    return np.random.default_rng(seed)


def free(m, c):
    return make_design(np.arange(m), np.arange(m, m + c), None)


def dated(m, c, dates):
    line = np.repeat(np.arange(dates), m)
    control = np.repeat(np.arange(dates), c)
    day = np.array([f"day{d}" for d in np.concatenate([line, control])], dtype=object)
    return make_design(np.arange(len(line)), np.arange(len(line), len(day)), day)


def test_one_bin_is_welchs_t_with_an_exact_p():
    x = rng().normal(size=10)
    x[:4] += 1
    test = compare_curves(x[:, None], free(4, 6), share=False, rng=rng())
    expected = stats.ttest_ind(x[:4], x[4:], equal_var=False)
    assert test.statistic[0] == pytest.approx(expected.statistic)
    assert test.difference[0] == pytest.approx(x[:4].mean() - x[4:].mean())
    brute = stats.permutation_test(
        (x[:4], x[4:]), lambda a, b: abs(stats.ttest_ind(a, b, equal_var=False).statistic),
        permutation_type="independent", alternative="greater", n_resamples=np.inf,
    )  # fmt: skip
    assert test.exact and test.n_resamples == 210
    assert test.p_value == pytest.approx(brute.pvalue)


def test_with_dates_the_statistic_is_that_of_differences_between_dates():
    design = dated(2, 3, 4)
    x = rng().normal(size=20)[design.units]
    test = compare_curves(x[:, None], design, share=False, rng=rng(), resamples=199)
    d = [x[(design.block == b) & design.is_line].mean()
         - x[(design.block == b) & ~design.is_line].mean() for b in range(4)]  # fmt: skip
    assert test.difference[0] == pytest.approx(np.mean(d))
    assert test.statistic[0] == pytest.approx(stats.ttest_1samp(d, 0).statistic)


def test_a_difference_is_found_where_it_is():
    y = rng().normal(size=(16, 60))
    y[:8, 20:30] += 4
    test = compare_curves(y, free(8, 8), share=False, rng=rng(), resamples=999)
    found = np.flatnonzero(test.p_bin <= 0.05)
    assert set(found) <= set(range(20, 30)) and len(found) >= 8
    assert test.p_value == test.p_bin.min()
    # the limits of the difference say the same as the test
    outside = (test.low > 0) | (test.high < 0)
    assert set(np.flatnonzero(outside)) <= set(range(19, 31)) and outside[21:29].all()


def test_a_cluster_is_a_run_of_one_sign():
    y = rng().normal(size=(16, 60))
    y[:8, 20:30] += 2
    test = compare_curves(y, free(8, 8), share=False, method="cluster", rng=rng(), resamples=999)
    best = min(test.clusters, key=lambda c: c.p_value)
    assert 18 <= best.first <= 22 and 27 <= best.last <= 32 and best.p_value <= 0.01
    assert test.p_value == best.p_value
    assert (test.p_bin[best.first : best.last + 1] == best.p_value).all()


@given(st.integers(0, 10_000))
def test_swapping_names_changes_signs_only(seed):
    y = rng(seed).normal(size=(9, 6))
    one = compare_curves(y, free(4, 5), share=False, rng=rng())
    swapped = np.concatenate([y[4:], y[:4]])
    two = compare_curves(swapped, free(5, 4), share=False, rng=rng())
    np.testing.assert_allclose(one.statistic, -two.statistic)
    np.testing.assert_allclose(one.p_bin, two.p_bin)
    assert 0 < one.p_value <= 1 and one.p_floor <= one.p_value


def test_p_values_do_not_depend_on_scale_or_order_of_bins():
    y = rng(3).uniform(size=(10, 8))
    one = compare_curves(y, free(5, 5), share=True, rng=rng())
    order = rng(1).permutation(8)
    two = compare_curves(y[:, order], free(5, 5), share=True, rng=rng())
    np.testing.assert_allclose(one.p_bin[order], two.p_bin)
    a = compare_curves(y, free(5, 5), share=False, rng=rng())
    b = compare_curves(3 * y - 7, free(5, 5), share=False, rng=rng())
    np.testing.assert_allclose(a.p_bin, b.p_bin)


def test_bins_where_nobody_does_it_say_nothing():
    y = np.zeros((8, 5))
    y[:, 2] = rng().uniform(0, 1, 8)
    test = compare_curves(y, free(4, 4), share=True, rng=rng())
    assert (test.p_bin[[0, 1, 3, 4]] == 1).all() and np.isnan(test.low[0])


def test_the_floor_of_four_against_four_is_two_seventieths():
    y = rng().normal(size=(8, 20))
    y[:4] += 50
    test = compare_curves(y, free(4, 4), share=False, rng=rng())
    assert test.p_value == test.p_floor == pytest.approx(2 / 70)


def test_what_differs_between_dates_only_says_nothing():
    design = dated(2, 2, 2)
    y = np.where(design.block == 0, 0.2, 0.7)[:, None] * np.ones((1, 4))
    test = compare_curves(y, design, share=True, rng=rng())
    assert test.p_value == 1 and np.isnan(test.low).all()


def test_adjusted_p_counts_ties_and_is_never_zero():
    null = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(adjusted_p(np.array([3.0, 4.0, 0.5]), null, True), [0.5, 0.25, 1])
    np.testing.assert_allclose(adjusted_p(np.array([3.0, 9.0]), null, False), [0.6, 0.2])


def test_runs_and_their_mass():
    t = np.array([0.0, 3.0, 2.5, -4.0, 0.1, 2.0, 5.0])
    runs = runs_above(t, 2.0)
    assert [(a, b) for a, b, _ in runs] == [(1, 2), (3, 3), (5, 6)]
    np.testing.assert_allclose([m for _, _, m in runs], [5.5, -4.0, 7.0])
    np.testing.assert_allclose(heaviest_run(np.stack([t, -t, 0 * t]), 2.0), [7.0, 7.0, 0.0])


def test_signs_flipped_are_an_exact_paired_test():
    change = rng().normal(0.8, 1, 7)
    t, p, exact, floor = responds(change[:, None], resamples=999, rng=rng())
    assert t[0] == pytest.approx(stats.ttest_1samp(change, 0).statistic)
    signs = 1 - 2 * ((np.arange(128)[:, None] >> np.arange(7)) & 1)
    brute = np.abs(stats.ttest_1samp(signs * change, 0, axis=1).statistic)
    assert exact and p[0] == pytest.approx((brute >= abs(t[0]) * (1 - 1e-9)).mean())
    assert floor == pytest.approx(2 / 128)


def test_a_response_begins_where_it_begins():
    change = rng().normal(size=(10, 40))
    change[:, 15:] += 6
    _, p, _, _ = responds(change, resamples=999, rng=rng())
    found = np.flatnonzero(p <= 0.05)
    assert found[0] == 15 and len(found) == 25
