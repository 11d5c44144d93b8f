"""Who is compared with whom."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.inference.design.blocks import (
    MAX_ENUMERATION,
    count_relabellings,
    make_design,
    p_floor,
)


def dated(sizes):
    """A design with these numbers of (line, control) assays on its dates."""
    line = [f"d{b}" for b, (m, _) in enumerate(sizes) for _ in range(m)]
    control = [f"d{b}" for b, (_, c) in enumerate(sizes) for _ in range(c)]
    n = len(line)
    rows = np.arange(n + len(control))
    return make_design(rows[:n], rows[n:], np.array(line + control, dtype=object))


def free(m, c):
    return make_design(np.arange(m), np.arange(m, m + c), None)


def test_without_dates_there_is_one_block():
    design = free(3, 5)
    assert (design.n_blocks, design.n_line, design.n_control) == (1, 3, 5)
    assert design.sizes == [(3, 5)] and not design.dated and design.reason == ""


def test_dates_that_lack_one_side_leave_the_test_and_are_counted():
    dates = np.array(["a", "a", "b", "c", "a", "b", "b", "d", "d"], dtype=object)
    design = make_design(np.arange(4), np.arange(4, 9), dates)
    assert design.dated and design.n_dropped == (1, 2)
    assert design.sizes == [(2, 1), (1, 2)]
    assert list(design.units) == [0, 1, 2, 4, 5, 6]


def test_an_assay_without_a_date_leaves_a_dated_design():
    dates = np.array(["a", "b", None, "a", "b", None], dtype=object)
    design = make_design(np.arange(3), np.arange(3, 6), dates)
    assert design.sizes == [(1, 1), (1, 1)] and design.n_dropped == (1, 1)


@pytest.mark.parametrize(
    ("m", "c", "reason"),
    [
        (1, 5, "one assay of the line: no variance, no test"),
        (5, 1, "one assay of the control: no variance, no test"),
        (0, 5, "no assay of the line: no variance, no test"),
    ],
)
def test_one_assay_is_no_replicate(m, c, reason):
    assert free(m, c).reason == reason
    assert np.isnan(p_floor(free(m, c), 999))


def test_one_shared_date_allows_no_test_across_dates():
    dates = np.array(["a", "a", "a", "a", "a"], dtype=object)
    design = make_design(np.arange(2), np.arange(2, 5), dates)
    assert "share only one date" in design.reason and "variance='plate'" in design.reason
    apart = make_design(np.arange(2), np.arange(2, 4), np.array(["a", "b", "c", "d"], dtype=object))
    assert "share no date" in apart.reason and apart.n_blocks == 0


@pytest.mark.parametrize(
    ("design", "floor"),
    [
        (free(4, 4), 2 / 70),
        (free(3, 4), 1 / 35),
        (dated([(2, 2), (2, 2)]), 2 / 36),
        (dated([(2, 4), (2, 4), (2, 4)]), 1 / 15**3),
        (dated([(1, 1)] * 5), 2 / 32),
        (dated([(2, 2), (1, 3)]), 1 / 24),
    ],
)
def test_floors(design, floor):
    assert p_floor(design, 10_000) == pytest.approx(floor, rel=1e-12)


def test_equal_groups_reach_their_maximum_twice_whatever_the_order_of_dates():
    assert p_floor(dated([(2, 3), (3, 2)]), 99) == 1 / 100  # equal in all, not within dates


def test_a_sampled_design_cannot_go_below_its_resamples():
    big = free(10, 30)
    assert count_relabellings(big) > MAX_ENUMERATION
    assert p_floor(big, 999) == 1 / 1000


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=2, max_size=4))
def test_relabellings_are_counted_date_by_date(sizes):
    expected = 1
    for m, c in sizes:
        expected *= comb(m + c, m)
    assert count_relabellings(dated(sizes)) == expected
