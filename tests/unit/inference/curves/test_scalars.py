"""One number per assay: against SciPy, and effect sizes against their formulas."""

import math

import numpy as np
import pytest
from scipy import stats

from larvastats.inference.curves.scalars import (
    change_of_values,
    compare_values,
    hedges,
    hedges_paired,
)
from larvastats.inference.design.blocks import make_design

SETTINGS = {"resamples": 999, "alpha": 0.05}


def rng(seed=0):
    return np.random.default_rng(seed)


def free(m, c):
    return make_design(np.arange(m), np.arange(m, m + c), None)


def test_undated_values_are_compared_by_welch():
    x = rng().normal(size=14)
    x[:6] = 2 * x[:6] + 1.5
    test = compare_values(x, free(6, 8), **SETTINGS, rng=rng())
    expected = stats.ttest_ind(x[:6], x[6:], equal_var=False)
    limits = expected.confidence_interval()
    assert test.statistic == pytest.approx(expected.statistic)
    assert test.df == pytest.approx(expected.df)
    assert test.p_approx == pytest.approx(expected.pvalue)
    assert (test.low, test.high) == pytest.approx((limits.low, limits.high))
    assert test.null == "exact" and test.p_value == test.p_exact  # 3003 ways: floor below .005
    assert (test.n, test.n_control, test.n_dates) == (6, 8, 0)


def test_where_relabelling_cannot_reach_t_takes_over():
    x = rng().normal(size=7)
    test = compare_values(x, free(3, 4), **SETTINGS, rng=rng())
    assert test.null == "t" and test.p_value == test.p_approx and test.p_floor > 0.005


def test_change_is_a_paired_t_with_flipped_signs():
    change = rng().normal(0.5, 1, 6)
    test = change_of_values(change, **SETTINGS, rng=rng())
    expected = stats.ttest_1samp(change, 0)
    assert test.statistic == pytest.approx(expected.statistic)
    assert test.p_approx == pytest.approx(expected.pvalue)
    assert test.p_floor == pytest.approx(2 / 64) and test.null == "t"


def test_designs_and_values_that_allow_no_test_say_why():
    assert "one assay of the line" in compare_values(
        rng().normal(size=4), free(1, 3), **SETTINGS, rng=rng()).note  # fmt: skip
    constant = compare_values(np.full(6, 2.5), free(3, 3), **SETTINGS, rng=rng())
    assert "no variance" in constant.note and math.isnan(constant.p_value)
    assert "one assay" in change_of_values(np.array([1.0]), **SETTINGS, rng=rng()).note
    assert "same change" in change_of_values(np.full(4, 0.3), **SETTINGS, rng=rng()).note


def test_hedges_g_is_corrected_cohens_d():
    x, y = rng(1).normal(1, 1, 9), rng(2).normal(0, 2, 12)
    g, low, high = hedges(x, y)
    pooled = math.sqrt((8 * x.var(ddof=1) + 11 * y.var(ddof=1)) / 19)
    d = (x.mean() - y.mean()) / pooled
    assert g == pytest.approx(d * (1 - 3 / (4 * 21 - 9)), rel=1e-6)
    assert low < g < high
    change = x - 0.2
    g, low, high = hedges_paired(change)
    assert low < g < high and abs(g) < abs(change.mean() / change.std(ddof=1))
    assert all(map(math.isnan, hedges(np.ones(3), np.ones(4))))
    assert all(map(math.isnan, hedges_paired(np.ones(3))))
