"""From counts to probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from larvastats.markov.transitions import (
    PSEUDO_COUNT,
    possible_cells,
    probabilities,
    smoothed,
)

matrices = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 3), st.just(4), st.just(4)), elements=st.integers(0, 50)
)


@given(matrices)
def test_rows_sum_to_one_where_visited_and_are_nan_elsewhere(counts):
    p = probabilities(counts)
    visited = counts.sum(axis=-1) > 0
    np.testing.assert_allclose(p[visited].sum(axis=-1), 1.0, rtol=1e-12)
    assert np.isnan(p[~visited]).all() and not np.isnan(p[visited]).any()


@given(matrices)
def test_probabilities_are_counts_over_visits(counts):
    p = probabilities(counts)
    for index in np.ndindex(counts.shape):
        visits = counts[index[:-1]].sum()
        if visits:
            assert p[index] == pytest.approx(counts[index] / visits, rel=1e-14)


@given(matrices, st.integers(2, 9))
def test_probabilities_do_not_change_with_the_amount_of_data(counts, times):
    np.testing.assert_allclose(probabilities(counts * times), probabilities(counts), rtol=1e-12)


def test_counts_are_left_as_they_were():
    counts = np.array([[0, 3], [0, 0]])
    probabilities(counts)
    np.testing.assert_array_equal(counts, [[0, 3], [0, 0]])


def test_possible_cells():
    assert possible_cells(3, "frame").all()
    jump = possible_cells(3, "jump")
    assert not jump.diagonal().any() and jump.sum() == 6


@given(matrices)
def test_smoothing_adds_half_a_transition_to_every_possible_cell_of_a_visited_row(counts):
    possible = possible_cells(4, "jump")
    counts = counts * possible
    p = smoothed(counts, possible)
    visited = counts.sum(axis=-1) > 0
    expected = (counts + PSEUDO_COUNT * possible) / (
        counts.sum(axis=-1, keepdims=True) + PSEUDO_COUNT * 3
    )
    np.testing.assert_allclose(p[visited], expected[visited], rtol=1e-12)
    assert np.isnan(p[~visited]).all()
    assert (p[visited] > 0).sum() == 3 * visited.sum()
