"""Adjusted p-values, against statsmodels; R's own values are in tests/reference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.stats.multitest import multipletests

from larvastats.errors import UsageError
from larvastats.inference.significance.multiplicity import (
    CORRECTIONS,
    adjust,
    smallest_adjusted,
    step_down,
)

NAN = float("nan")
p_values = hnp.arrays(np.float64, st.integers(1, 25), elements=st.floats(0, 1))
METHODS = {"bh": "fdr_bh", "by": "fdr_by", "bonferroni": "bonferroni", "maxt": "holm-sidak"}


@pytest.mark.parametrize("method", METHODS)
@given(p=p_values)
def test_as_statsmodels(method, p):
    p = np.minimum(p, 1 - 1e-9)  # statsmodels' holm-sidak divides by zero at 1
    expected = multipletests(p, method=METHODS[method])[1]
    np.testing.assert_allclose(adjust(p, method), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("method", CORRECTIONS)
@given(p=p_values)
def test_adjusted_values_are_larger_and_in_the_same_order(method, p):
    q = adjust(p, method)
    assert (q >= p * (1 - 1e-12)).all() and (q <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(q[order]) >= -1e-12).all()


@pytest.mark.parametrize("method", CORRECTIONS)
@given(p=p_values, seed=st.integers(0, 99))
def test_the_order_of_the_tests_does_not_matter(method, p, seed):
    order = np.random.default_rng(seed).permutation(len(p))
    np.testing.assert_allclose(adjust(p, method)[order], adjust(p[order], method), rtol=1e-12)


@pytest.mark.parametrize("method", CORRECTIONS)
def test_lines_without_a_test_stay_empty_and_do_not_count(method):
    p = np.array([0.01, NAN, 0.04, 0.2, NAN])
    q = adjust(p, method)
    assert np.isnan(q[[1, 4]]).all()
    np.testing.assert_allclose(q[[0, 2, 3]], adjust(p[[0, 2, 3]], method), rtol=1e-12)
    assert np.isnan(adjust(np.array([NAN, NAN]), method)).all()


def test_none_changes_nothing():
    np.testing.assert_array_equal(adjust(np.array([0.3, 0.01]), "none"), [0.3, 0.01])


def test_by_hand():
    np.testing.assert_allclose(adjust(np.array([0.01, 0.02, 0.04]), "bh"), [0.03, 0.03, 0.04])
    np.testing.assert_allclose(adjust(np.array([0.01, 0.02, 0.4]), "bonferroni"), [0.03, 0.06, 1.0])


def test_an_unknown_correction_is_refused():
    with pytest.raises(
        UsageError, match="correction must be one of bh, by, bonferroni, maxt, none"
    ):
        adjust(np.array([0.1]), "holm")


GRIDS = ([1 / 4, 2 / 4, 3 / 4, 1], [1 / 3, 2 / 3, 1], [2 / 6, 4 / 6, 1], [1 / 2, 1])


def step_down_by_enumeration(p, grids):
    """Every combination of the lines' relabellings, as Westfall & Young draw them one by one."""
    draws = []
    for grid in grids:  # a p-value as often as its step is high
        n = 12
        steps = np.diff([0, *grid]) * n
        draws.append(np.repeat(grid, np.round(steps).astype(int)))
    together = np.array(list(product(*draws)))
    order = np.argsort(p, kind="stable")
    out = np.empty(len(p))
    for k, i in enumerate(order):
        smallest = together[:, order[k:]].min(axis=1)
        out[i] = (smallest <= p[i] + 1e-12).mean()
    out[order] = np.maximum.accumulate(out[order])
    return out


@pytest.mark.parametrize("seed", range(20))
def test_step_down_is_the_enumeration_of_all_lines_relabellings(seed):
    rng = np.random.default_rng(seed)
    grids = [np.array(GRIDS[i]) for i in rng.integers(0, 4, 4)]
    p = np.array([rng.choice(grid) for grid in grids])
    expected = step_down_by_enumeration(p, grids)
    np.testing.assert_allclose(step_down(p, grids), expected, rtol=1e-12)
    least = min(
        step_down_by_enumeration(np.array(q), grids).min()
        for q in product(*([g[0], 1.0] for g in grids))
    )
    assert smallest_adjusted(grids, np.array([g[0] for g in grids])) == pytest.approx(least)


def test_lines_whose_design_cannot_be_as_surprising_do_not_count():
    p = np.array([0.01, 0.6, 0.8, 0.9])
    coarse = [np.zeros(0), *[np.array([0.5, 1.0])] * 3]
    assert step_down(p, coarse)[0] == pytest.approx(0.01)
    assert step_down(p, [np.zeros(0)] * 4)[0] == pytest.approx(1 - 0.99**4)


@given(p=p_values, grid=st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True))
def test_step_down_never_falls_behind_bonferroni(p, grid):
    possible = [np.sort(np.array(grid)) / 40] * len(p)
    q = adjust(p, "maxt", possible)
    assert (q <= adjust(p, "bonferroni") + 1e-12).all()
    assert (q <= adjust(p, "maxt") + 1e-12).all()
