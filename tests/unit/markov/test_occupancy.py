"""Time shares per bin against a count of very fine frames, and their invariants."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.markov.occupancy import action_bins, time_in_bins

EDGES = np.arange(0.0, 10.5, 0.5)


def make(rows):
    table = pd.DataFrame(rows, columns=["assay", "larva", "state", "t_start", "t_stop"])
    return Ethogram.from_bouts(table.assign(line="A"))


def test_a_share_is_time_in_the_action_over_time_tracked():
    source = make([
        ("a", "1", "run", 0.0, 0.75), ("a", "1", "stop", 0.75, 2.0),
        ("a", "2", "run", 0.5, 1.0),
        ("b", "1", "stop", 0.0, 1.0),
    ])  # fmt: skip
    bins = action_bins(source, "run", np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5]))
    np.testing.assert_allclose(bins.active, [[0.5, 0.75, 0, 0, 0], [0, 0, 0, 0, 0]])
    np.testing.assert_allclose(bins.tracked, [[0.5, 1.0, 0.5, 0.5, 0], [0.5, 0.5, 0, 0, 0]])
    expected = [[1, 0.75, 0, 0, np.nan], [0, 0, np.nan, np.nan, np.nan]]
    np.testing.assert_allclose(bins.share, expected)


def test_lost_tracking_counts_for_nothing():
    source = make([("a", "1", "run", 0.0, 1.0), ("a", "1", "run", 3.0, 4.0)])
    bins = action_bins(source, "run", np.arange(0.0, 5.0))
    np.testing.assert_allclose(bins.tracked, [[1, 0, 0, 1]])
    np.testing.assert_allclose(bins.share, [[1, np.nan, np.nan, 1]])


def test_onsets_shift_the_clock_and_several_add_up():
    source = make([("a", "1", "run", 10.0, 11.0), ("a", "1", "stop", 11.0, 25.0),
                   ("a", "1", "run", 25.0, 26.0)])  # fmt: skip
    edges = np.array([-1.0, 0.0, 1.0, 2.0])
    one = action_bins(source, "run", edges, (10.0,))
    np.testing.assert_allclose(one.share, [[np.nan, 1, 0]])
    both = action_bins(source, "run", edges, (10.0, 25.0))
    np.testing.assert_allclose(both.active, [[0, 2, 0]])
    np.testing.assert_allclose(both.tracked, [[1, 2, 1]])


@st.composite
def intervals(draw):
    n = draw(st.integers(1, 25))
    start = draw(st.lists(st.integers(-2000, 11000), min_size=n, max_size=n))
    length = draw(st.lists(st.integers(1, 6000), min_size=n, max_size=n))
    group = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    start = np.array(start) / 1000
    return start, start + np.array(length) / 1000, np.array(group)


@given(intervals())
def test_overlaps_equal_those_computed_bin_by_bin(drawn):
    start, stop, group = drawn
    found = time_in_bins(start, stop, group, 3, EDGES)
    for g in range(3):
        for k, (low, high) in enumerate(pairwise(EDGES)):
            own = group == g
            lengths = np.minimum(stop[own], high) - np.maximum(start[own], low)
            expected = np.maximum(lengths, 0).sum()
            assert found[g, k] == pytest.approx(expected, abs=1e-9)


@given(intervals())
def test_splitting_bins_keeps_the_sum(drawn):
    start, stop, group = drawn
    fine = time_in_bins(start, stop, group, 3, EDGES)
    coarse = time_in_bins(start, stop, group, 3, EDGES[::2])
    np.testing.assert_allclose(fine.reshape(3, -1, 2).sum(axis=2), coarse, atol=1e-9)


def test_shares_of_all_actions_sum_to_one_where_there_is_tracking():
    rng = np.random.default_rng(0)
    rows = []
    for larva in range(5):
        t = 0.0
        while t < 9:
            stop = t + rng.uniform(0.05, 1.0)
            rows.append(("a", str(larva), ["run", "cast", "stop"][rng.integers(3)], t, stop))
            t = stop + (0.7 if rng.random() < 0.1 else 0.0)
    source = make(rows)
    total = sum(action_bins(source, state, EDGES).share for state in source.states)
    np.testing.assert_allclose(total[~np.isnan(total)], 1.0)


def test_an_unknown_action_is_named_with_those_there_are():
    with pytest.raises(UsageError, match=r"no action 'fly'; the source has run"):
        action_bins(make([("a", "1", "run", 0.0, 1.0)]), "fly", EDGES)
