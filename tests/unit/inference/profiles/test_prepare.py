"""Profiles: what is compared between assays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.inference.profiles.prepare import contrast_profiles, paired_profiles, profiles


@pytest.mark.parametrize("seed", range(5))
def test_profiles_follow_the_formula(naive, draw_counts, seed):
    counts = draw_counts(6, seed=seed)
    made = profiles(counts)
    np.testing.assert_allclose(made.x, naive.profiles(counts), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(made.rows, naive.rows(counts), rtol=1e-12, atol=1e-14)
    assert made.pi.sum() == pytest.approx(1.0)


def test_an_unvisited_row_contributes_nothing(draw_counts):
    counts = draw_counts(5)
    counts[2, 1] = 0
    made = profiles(counts)
    assert not made.x[2].reshape(4, 4)[1].any()
    np.testing.assert_allclose(made.rows[2, 1], made.p_bar[1])


def test_a_state_that_nobody_leaves_is_no_trouble(draw_counts):
    counts = draw_counts(5)
    counts[:, 3] = 0
    made = profiles(counts)
    assert np.isfinite(made.x).all() and np.isfinite(made.rows).all()
    assert not made.rows[:, 3].any() and made.pi[3] == 0


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_relabelling_leaves_profiles_alone_and_reordering_reorders_them(seed, order):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(3.0, (7, 3, 3))
    order = np.random.default_rng(order).permutation(7)
    np.testing.assert_allclose(profiles(counts[order]).x, profiles(counts).x[order], atol=1e-12)


def test_more_data_of_the_same_kind_leave_profiles_alone(draw_counts):
    counts = draw_counts(5)
    np.testing.assert_allclose(profiles(counts * 7).x, profiles(counts).x, atol=1e-12)


def test_contrast_profiles_are_zero_when_nobody_changes(draw_counts):
    counts = draw_counts(5, visits=(60, 60, 60, 60))
    made = contrast_profiles(counts, counts)
    np.testing.assert_allclose(made.x, 0.0, atol=1e-12)
    np.testing.assert_allclose(paired_profiles(counts, counts).x, 0.0, atol=1e-12)


def test_a_difference_that_was_there_before_is_no_change():
    # line and control differ, in both windows alike, and the line hardly visits a row before
    line = np.array([[[0, 80, 20], [50, 0, 50], [0, 0, 0]], [[0, 80, 20], [50, 0, 50], [3, 7, 0]]])
    during = np.array([[[0, 80, 20], [50, 0, 50], [30, 70, 0]]] * 2)
    control = np.array([[[0, 50, 50], [50, 0, 50], [70, 30, 0]]] * 2)
    made = contrast_profiles(np.concatenate([during, control]), np.concatenate([line, control]))
    np.testing.assert_allclose(made.x[:2].mean(axis=0), made.x[2:].mean(axis=0), atol=1e-12)


def test_the_change_of_a_cell_is_scaled_by_both_windows_together():
    first = np.array([[[0, 30, 10], [20, 0, 0], [0, 0, 0]], [[0, 10, 10], [5, 0, 15], [0, 0, 0]]])
    second = np.array([[[0, 10, 30], [10, 0, 10], [0, 0, 0]], [[0, 20, 20], [9, 0, 1], [0, 0, 0]]])
    x = contrast_profiles(first, second).x.reshape(2, 3, 3)
    both = (first + second).sum(axis=0)
    pi, p_bar = both[0].sum() / both.sum(), both[0, 1] / both[0].sum()
    change, weight = [0.75 - 0.25, 0.5 - 0.5], [40 * 40 / 80, 20 * 40 / 60]
    mean = (weight[0] * change[0] + weight[1] * change[1]) / sum(weight)
    for a in range(2):
        expected = (pi / p_bar) ** 0.5 * (change[a] - mean)
        assert x[a, 0, 1] == pytest.approx(expected, rel=1e-12)


def test_a_row_seen_in_one_window_only_says_nothing_about_change(draw_counts):
    first, second = draw_counts(6, seed=1), draw_counts(6, seed=2)
    second[3, 0] = 0
    assert not contrast_profiles(first, second).x[3].reshape(4, 4)[0].any()


def test_paired_profiles_keep_the_change_itself_and_skip_rows_seen_once():
    first = np.array([[[0, 30, 10], [20, 0, 20], [0, 0, 0]], [[0, 10, 10], [0, 0, 0], [0, 0, 0]]])
    second = np.array([[[0, 10, 30], [10, 0, 10], [0, 0, 0]], [[0, 15, 25], [9, 0, 1], [0, 0, 0]]])
    x = paired_profiles(first, second).x.reshape(2, 3, 3)
    both = (first + second).sum(axis=0)
    pi, p_bar = both[0].sum() / both.sum(), both[0, 1] / both[0].sum()
    assert x[0, 0, 1] == pytest.approx((pi / p_bar) ** 0.5 * (0.75 - 0.25))
    assert x[1, 0, 1] == pytest.approx((pi / p_bar) ** 0.5 * (0.5 - 0.375))
    assert not x[1, 1].any()


def test_swapping_the_windows_turns_paired_profiles_round(draw_counts):
    first, second = draw_counts(6, seed=1), draw_counts(6, seed=2)
    np.testing.assert_allclose(
        paired_profiles(first, second).x, -paired_profiles(second, first).x, atol=1e-12
    )
