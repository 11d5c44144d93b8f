"""Runs, triples, and shuffles that keep every transition."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from larvastats.ethogram import Ethogram
from larvastats.markov.counts import count_transitions
from larvastats.markov.eulerian import shuffle, shuffles
from larvastats.markov.sequences import (
    adjusted_residuals,
    count_triples,
    first_order,
    order_chi_square,
    sequences,
)
from larvastats.protocol import Window

STATES = ("run", "cast", "stop")
WHOLE = Window("whole", ((-np.inf, np.inf),))


def ethogram(*larvae):
    rows = [
        ("p", "p", larva, state, start, stop)
        for larva, bouts in enumerate(larvae)
        for state, start, stop in bouts
    ]
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop"]
    return Ethogram.from_bouts(pd.DataFrame(rows, columns=columns), states=STATES)


DATA = ethogram(
    [("run", 0, 1), ("cast", 1, 2), ("run", 2, 3), ("stop", 3, 4), ("cast", 5, 6), ("run", 6, 7)],
    [("stop", 0, 2), ("run", 2, 3), ("run", 3, 4), ("cast", 4, 6), ("stop", 6, 9)],
)


def parts(runs):
    return [list(runs.state[a:b]) for a, b in zip(runs.first, runs.first[1:], strict=False)]


def test_gaps_break_runs_and_equal_neighbours_merge():
    runs = sequences(DATA, WHOLE)
    # cast 5-6, run 6-7 after the gap are too short for a triple
    assert parts(runs) == [[0, 1, 0, 2], [2, 0, 1, 2]]
    assert list(runs.larva) == [0, 1]
    assert len(sequences(DATA, WHOLE, shortest=2)) == 3


def test_only_jumps_within_one_interval_make_a_run():
    runs = sequences(DATA, Window("w", ((1.5, 4.5),)))
    # larva 0: jumps at 2 and 3; larva 1: jumps at 2 and 4
    assert parts(runs) == [[1, 0, 2], [2, 0, 1]]
    split = sequences(DATA, Window("w", ((1.5, 2.5), (2.7, 9.0))))
    assert parts(split) == [[0, 1, 2]]  # larva 1: the jumps at 4 and 6


def test_an_empty_window_has_no_run():
    runs = sequences(DATA, Window("w", ((50.0, 60.0),)))
    assert len(runs) == 0 and count_triples(runs).sum() == 0


def test_triples_by_group():
    runs = sequences(DATA, WHOLE)
    n = count_triples(runs, np.array([0, 1]), 2)
    assert n.shape == (2, 3, 3, 3) and n.sum() == 4
    assert n[0, 0, 1, 0] == n[0, 1, 0, 2] == n[1, 2, 0, 1] == n[1, 0, 1, 2] == 1


def test_jumps_of_runs_are_those_that_are_counted():
    runs = sequences(DATA, WHOLE, shortest=2)
    pairs = Counter(p for part in parts(runs) for p in pairwise(part))
    counts = count_transitions(DATA, [WHOLE]).counts[0, 0]
    assert {k: int(counts[k]) for k in pairs} == pairs and counts.sum() == pairs.total()


def test_pooled_chain_keeps_the_margins_of_every_middle_state():
    n = np.random.default_rng(0).integers(0, 9, (4, 4, 4))
    expected = first_order(n)
    np.testing.assert_allclose(expected.sum(axis=0), n.sum(axis=0))
    np.testing.assert_allclose(expected.sum(axis=2), n.sum(axis=2))


def test_chi_square_and_residuals_are_those_of_one_table_per_middle_state():
    n = np.random.default_rng(1).integers(1, 30, (3, 3, 3))
    tests = [stats.chi2_contingency(n[:, b], correction=False) for b in range(3)]
    statistic, df = order_chi_square(n)
    assert statistic == pytest.approx(sum(t.statistic for t in tests))
    assert df == sum(t.dof for t in tests)
    # in a 2 x 2 table every adjusted residual squared is the chi-square
    two = n[:2, :, :2][:, :1]
    z = adjusted_residuals(np.concatenate([two, np.zeros_like(two)], axis=1))
    own = stats.chi2_contingency(two[:, 0], correction=False).statistic
    np.testing.assert_allclose(z[:, 0] ** 2, own)


# Shuffles


def all_of_them(sequence):
    """Every sequence with the same start and the same transitions."""
    first, rest = sequence[0], sequence[1:]
    pairs = Counter(pairwise(sequence))
    every = {(first, *p) for p in permutations(rest)}
    return sorted(s for s in every if Counter(pairwise(s)) == pairs)


@pytest.mark.parametrize("sequence", [
    (0, 1, 0, 2, 0, 1, 2, 1), (0, 1, 2, 0, 2, 1, 0, 1), (3, 1, 0, 1, 3, 0, 1, 2),
    (0, 0, 1, 0, 1, 1, 2), (0, 1, 0, 1, 0, 1, 0, 2),
])  # fmt: skip
def test_shuffles_are_uniform_over_all_of_them(sequence):
    every = all_of_them(sequence)
    rng = np.random.default_rng(5)
    drawn = Counter()
    for state, _, n in shuffles(np.array(sequence), np.array([0, len(sequence)]), 4, 6000, rng):
        drawn.update(map(tuple, state.reshape(n, -1).tolist()))
    assert set(drawn) == set(every)
    if len(every) > 1:
        assert stats.chisquare([drawn[s] for s in every]).pvalue > 1e-3


@given(st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=30), min_size=1, max_size=6),
       st.integers(0, 10**6))  # fmt: skip
def test_shuffles_keep_ends_and_transitions_of_every_run(runs, seed):
    state = np.array([s for run in runs for s in run])
    first = np.concatenate([[0], np.cumsum([len(run) for run in runs])])
    out = shuffle(state, first, 5, np.random.default_rng(seed))
    for run, a, b in zip(runs, first, first[1:], strict=False):
        new = out[a:b].tolist()
        assert new[0] == run[0] and new[-1] == run[-1]
        pairs = [Counter(pairwise(s)) for s in (run, new)]
        assert pairs[0] == pairs[1]


def test_the_same_seed_gives_the_same_shuffles_and_blocks_hide_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    state = rng.integers(0, 4, 200)
    first = np.array([0, 80, 82, 200])

    def draw(n):
        return [s for s, _, _ in shuffles(state, first, 4, n, np.random.default_rng(9))]

    assert np.array_equal(np.concatenate(draw(10)), np.concatenate(draw(10)))
    monkeypatch.setattr("larvastats.markov.eulerian.EDGES_AT_ONCE", 450)
    few = draw(5)
    assert [len(s) for s in few] == [400, 400, 200]
    for s in np.concatenate(few).reshape(5, 200):
        assert Counter(pairwise(s[:80])) == Counter(pairwise(state[:80]))


def test_nothing_to_shuffle():
    nothing = np.zeros(0, np.int64)
    assert len(shuffle(nothing, np.zeros(1, np.int64), 3, np.random.default_rng(0))) == 0
