"""From statistics to p-values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from larvastats.inference.significance.pvalues import (
    choose_null,
    effective_dimension,
    floor_of,
    p_f,
    p_relabel,
)

NAN = float("nan")
nulls = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 20, allow_nan=False))


@given(nulls, st.floats(0, 25))
def test_a_sampled_p_is_one_plus_over_one_plus(null, observed):
    p = p_relabel(observed, null, exact=False)
    k = sum(value >= observed * (1 - 1e-9) for value in null)
    assert p == (1 + k) / (1 + len(null))
    assert 0 < p <= 1


@given(nulls, st.data())
def test_an_exact_p_counts_the_observed_labels_too(null, data):
    observed = data.draw(st.sampled_from(list(null)))
    p = p_relabel(observed, null, exact=True)
    assert p == sum(value >= observed * (1 - 1e-9) for value in null) / len(null)
    assert 1 / len(null) <= p <= 1


def test_ties_count_even_when_rounding_hides_them():
    null = np.array([1.0, 2.0, 3.0, 3.0 * (1 - 1e-12), 3.0 * (1 + 1e-12)])
    assert p_relabel(3.0, null, exact=True) == 3 / 5
    assert p_relabel(3.0 * (1 + 1e-12), null, exact=True) == 3 / 5


def test_no_statistic_no_p():
    assert np.isnan(p_relabel(NAN, np.ones(5), exact=True))


@given(nulls)
def test_the_floor_is_the_smallest_p_that_any_relabelling_has(null):
    smallest = min(p_relabel(value, null, exact=True) for value in null)
    assert floor_of(null, exact=True) == smallest
    assert floor_of(null, exact=False) == 1 / (1 + len(null))


def test_infinite_statistics_tie():
    null = np.array([np.inf, np.inf, 1.0, 0.0])
    assert p_relabel(np.inf, null, exact=True) == floor_of(null, exact=True) == 0.5


@pytest.mark.parametrize(
    "eigenvalues", [[1, 1, 1, 1, 1], [5, 1, 1, 0.5, 0.1], [10, 0.1, 0.1, 0.1, 0.1]]
)
def test_effective_dimension_finds_a_known_covariance(eigenvalues):
    """On average over samples, numerator and denominator are unbiased; check their ratio."""
    eigenvalues = np.array(eigenvalues)
    truth = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    rng = np.random.default_rng(8)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    found = []
    for _ in range(400):
        x = rng.normal(size=(25, 5)) * np.sqrt(eigenvalues) @ turn
        found.append(effective_dimension(x - x.mean(axis=0), 24))
    error = np.std(found) / 20
    assert np.mean(found) == pytest.approx(truth, abs=4 * error + 0.06 * truth)


def test_effective_dimension_is_unbiased_in_numerator_and_denominator():
    """Ratio of the averages, at few degrees of freedom, where the plain ratio is far off."""
    eigenvalues = np.array([4.0, 2.0, 1.0, 1.0, 0.5, 0.5])
    truth = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    rng, df = np.random.default_rng(3), 6
    top, bottom, plain = [], [], []
    for _ in range(4000):
        x = rng.normal(size=(df + 1, 6)) * np.sqrt(eigenvalues)
        s = np.cov(x, rowvar=False)
        a, b = np.trace(s) ** 2, np.trace(s @ s)
        top.append((df + 1) * a - 2 * b)
        bottom.append(df * (b - a / df))
        plain.append(a / b)
        if len(top) <= 20:  # the function is this ratio, kept within 1 and the number of cells
            expected = np.clip(top[-1] / bottom[-1], 1, 6) if bottom[-1] > 0 else 6
            assert effective_dimension(x - x.mean(axis=0), df) == pytest.approx(expected)
    assert np.mean(top) / np.mean(bottom) == pytest.approx(truth, rel=0.03)
    assert np.mean(plain) < 0.75 * truth


@pytest.mark.parametrize("shape", [(8, 3), (3, 8)])
def test_effective_dimension_is_the_same_from_either_gram_matrix(shape):
    x = np.random.default_rng(5).normal(size=shape)
    df, s = shape[0], x.T @ x / shape[0]
    a, b = np.trace(s) ** 2, np.trace(s @ s)
    expected = np.clip(((df + 1) * a - 2 * b) / (df * (b - a / df)), 1, shape[1])
    assert effective_dimension(x, df) == pytest.approx(expected, rel=1e-10)


def test_effective_dimension_of_too_little_is_missing():
    assert np.isnan(effective_dimension(np.ones((2, 3)), 1))
    assert np.isnan(effective_dimension(np.zeros((9, 3)), 8))


def test_effective_dimension_of_many_assays_needs_little_memory():
    x = np.random.default_rng(5).normal(size=(60_000, 4))  # a square of these would be 29 GB
    assert effective_dimension(x, 59_999) == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize(("t", "f1", "df"), [(3.0, 4.2, 5.0), (0.2, 1.0, 2.0), (12.0, 9.9, 1.0)])
def test_p_f_is_the_tail_of_f(t, f1, df):
    assert p_f(t, f1, df) == pytest.approx(1 - stats.f.cdf(t, f1, f1 * df), rel=1e-9)


def test_p_f_is_missing_with_its_arguments():
    assert np.isnan(p_f(NAN, 2.0, 3.0))
    assert np.isnan(p_f(1.0, NAN, 3.0))
    assert np.isnan(p_f(1.0, 2.0, NAN))


def test_p_f_of_an_infinite_statistic_is_zero_evidence_for_chance():
    assert p_f(np.inf, 2.0, 3.0) == 0.0


@pytest.mark.parametrize(
    ("floors", "chosen"),
    [
        ([1 / 70], "F"),  # four against four: no room even for one line
        ([0.05 / 10], "relabel"),  # just enough for one
        ([0.05 / 20, 0.05 / 20], "relabel"),
        ([0.05 / 20, 0.05 / 19], "F"),  # one line without room decides for all
        ([0.05 / 20, NAN], "relabel"),  # lines without a test do not count
        ([NAN], "relabel"),
    ],
)
def test_the_null_is_one_for_the_whole_screen(floors, chosen):
    floors = np.array(floors)
    assert choose_null(floors, 0.05, "auto", has_f=True) == chosen
    assert choose_null(floors, 0.05, "auto", has_f=False) == "relabel"
    for asked in ("relabel", "F"):
        assert choose_null(floors, 0.05, asked, has_f=True) == asked
