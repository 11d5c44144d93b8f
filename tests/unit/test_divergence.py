"""Divergences, against scipy and by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from larvastats import divergence as dv

NAN = float("nan")
K = 4

counts = hnp.arrays(np.int64, (K, K), elements=st.integers(0, 30))
both = st.tuples(counts, counts)

MEASURES = {
    "hellinger": (dv.hellinger, dv.hellinger_rows),
    "js": (dv.jensen_shannon, dv.jensen_shannon_rows),
    "kl": (dv.kullback_leibler, dv.kullback_leibler_rows),
}


def stochastic(table):
    visits = table.sum(axis=-1, keepdims=True)
    return np.where(visits > 0, table / np.maximum(visits, 1), NAN)


def seen(p, q):
    return [i for i in range(K) if not np.isnan(p[i]).any() and not np.isnan(q[i]).any()]


def by_hand(p, q):
    """Hellinger, letter by letter: sqrt(sum of squared differences of roots) over sqrt 2."""
    return sum((a**0.5 - b**0.5) ** 2 for a, b in zip(p, q, strict=True)) ** 0.5 / 2**0.5


@given(both)
def test_hellinger_is_the_formula(pair):
    p, q = map(stochastic, pair)
    rows = dv.hellinger_rows(p, q)
    for i in seen(p, q):
        assert rows[i] == pytest.approx(by_hand(p[i], q[i]), rel=1e-12, abs=1e-14)


@given(both)
def test_jensen_shannon_is_scipys_distance_in_base_2(pair):
    p, q = map(stochastic, pair)
    rows = dv.jensen_shannon_rows(p, q)
    for i in seen(p, q):
        # near zero scipy's root turns rounding errors of 1e-16 into 1e-8
        assert rows[i] == pytest.approx(jensenshannon(p[i], q[i], base=2), abs=1e-7)


@given(both)
def test_kullback_leibler_is_scipys_entropy_in_nats(pair):
    p, q = map(stochastic, pair)
    rows = dv.kullback_leibler_rows(p, q)
    for i in seen(p, q):
        assert rows[i] == pytest.approx(entropy(p[i], q[i]), rel=1e-10, abs=1e-13)


def test_kullback_leibler_is_infinite_where_the_control_lacks_a_transition():
    assert dv.kullback_leibler(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])) == np.inf


@pytest.mark.parametrize("name", MEASURES)
@given(pair=both)
def test_a_matrix_is_no_distance_from_itself(name, pair):
    p = stochastic(pair[0])
    assume(not np.isnan(p).all())
    assert MEASURES[name][0](p, p) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("name", ["hellinger", "js"])
@given(pair=both)
def test_distances_are_symmetric_and_lie_between_zero_and_one(name, pair):
    measure, rows = MEASURES[name]
    p, q = map(stochastic, pair)
    np.testing.assert_array_equal(measure(p, q), measure(q, p))
    values = rows(p, q)
    assert ((values[~np.isnan(values)] >= 0) & (values[~np.isnan(values)] <= 1 + 1e-12)).all()


@given(pair=both)
def test_kullback_leibler_is_not_negative(pair):
    p, q = map(stochastic, pair)
    rows = dv.kullback_leibler_rows(p, q)
    assert (rows[~np.isnan(rows)] >= -1e-12).all()


@pytest.mark.parametrize("name", ["hellinger", "js"])
def test_rows_without_a_common_target_are_one_apart(name):
    p, q = np.array([[0.3, 0.7, 0, 0]]), np.array([[0, 0, 0.4, 0.6]])
    assert MEASURES[name][0](p, q) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("name", MEASURES)
@given(pair=both, seed=st.integers(0, 99))
def test_the_order_of_states_does_not_matter(name, pair, seed):
    p, q = map(stochastic, pair)
    order = np.random.default_rng(seed).permutation(K)
    measure = MEASURES[name][0]
    moved = measure(p[order][:, order], q[order][:, order])
    np.testing.assert_allclose(moved, measure(p, q), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["hellinger", "js"])
@given(pair=both, third=counts)
def test_the_triangle_inequality_holds_row_by_row(name, pair, third):
    p, q, r = map(stochastic, (*pair, third))
    rows = MEASURES[name][1]
    way, detour = rows(p, q), rows(p, r) + rows(r, q)
    known = ~np.isnan(way) & ~np.isnan(detour)
    assert (way[known] <= detour[known] + 1e-9).all()


@pytest.mark.parametrize("name", MEASURES)
@given(pair=both)
def test_rows_are_averaged_over_those_that_both_sides_visited(name, pair):
    measure, rows = MEASURES[name]
    p, q = map(stochastic, pair)
    expected = [rows(p, q)[i] for i in seen(p, q)]
    value = measure(p, q)
    if expected:
        assert value == pytest.approx(np.mean(expected), rel=1e-12)
    else:
        assert np.isnan(value)


@pytest.mark.parametrize("name", MEASURES)
def test_without_a_common_row_there_is_no_distance(name):
    p = np.array([[1.0, 0.0], [NAN, NAN]])
    q = np.array([[NAN, NAN], [0.5, 0.5]])
    assert np.isnan(MEASURES[name][0](p, q))


@given(both)
def test_occupancy_weights_are_harmonic_and_unseen_rows_weigh_nothing(pair):
    a, b = pair
    weights = dv.occupancy_weights(a, b)
    for i in range(K):
        n, m = int(a[i].sum()), int(b[i].sum())
        assert weights[i] == pytest.approx(n * m / (n + m) if n + m else 0.0)


@given(both)
def test_equal_weights_are_no_weights(pair):
    p, q = map(stochastic, pair)
    value = dv.hellinger(p, q, weights=np.full(K, 3.0))
    np.testing.assert_allclose(value, dv.hellinger(p, q), rtol=1e-12)


def test_weights_choose_the_row():
    p, q = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    assert dv.hellinger(p, q, weights=np.array([1.0, 0.0])) == pytest.approx(1.0)
    assert dv.hellinger(p, q, weights=np.array([0.0, 1.0])) == 0.0
    assert dv.hellinger(p, q, weights=np.array([1.0, 3.0])) == pytest.approx(0.25)
    assert np.isnan(dv.hellinger(p, q, weights=np.zeros(2)))


@pytest.mark.parametrize("name", MEASURES)
def test_stacks_of_matrices_are_measured_one_by_one(name):
    rng = np.random.default_rng(4)
    p, q = (stochastic(rng.integers(0, 9, (3, 2, K, K))) for _ in range(2))
    measure = MEASURES[name][0]
    stacked = measure(p, q)
    assert stacked.shape == (3, 2)
    for index in np.ndindex(3, 2):
        assert stacked[index] == pytest.approx(measure(p[index], q[index]), nan_ok=True)


def test_the_published_reading_of_hellinger():
    # two coins, .5 against .9: H^2 = 1 - (sqrt(.45) + sqrt(.05))
    p, q = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])
    assert dv.hellinger(p, q) == pytest.approx((1 - 0.45**0.5 - 0.05**0.5) ** 0.5, rel=1e-12)
