"""Adjusted p-values, against statsmodels; R's own values are in tests/reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.stats.multitest import multipletests

from larvastats.errors import UsageError
from larvastats.inference.multiplicity import CORRECTIONS, adjust

NAN = float("nan")
p_values = hnp.arrays(np.float64, st.integers(1, 25), elements=st.floats(0, 1))
METHODS = {"bh": "fdr_bh", "by": "fdr_by", "bonferroni": "bonferroni"}


@pytest.mark.parametrize("method", METHODS)
@given(p=p_values)
def test_as_statsmodels(method, p):
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
    with pytest.raises(UsageError, match="correction must be one of bh, by, bonferroni, none"):
        adjust(np.array([0.1]), "holm")
