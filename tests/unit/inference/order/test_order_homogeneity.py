"""The order of a chain by shuffles; windows exchanged within assays."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest

from larvastats.inference.order import homogeneity as h
from larvastats.inference.order.shuffles import order_statistics, recurrence, shuffle_runs
from larvastats.markov.sequences import Sequences, count_triples
from larvastats.protocol import Window


def runs_of(chains, n_assays=3, k=4):
    state = np.concatenate(chains).astype(np.int64)
    first = np.concatenate([[0], np.cumsum([len(c) for c in chains])])
    larva = np.arange(len(chains))
    return Sequences(state, first, larva, larva % n_assays, k)


def chains(memory, n=60, length=12, k=4, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), k) * (1 - np.eye(k))
    out = []
    for _ in range(n):
        s = [int(rng.integers(k))]
        while len(s) < length:
            w = p[s[-1]].copy()
            if len(s) > 1:
                w[s[-2]] *= memory
            s.append(int(rng.choice(k, p=w / w.sum())))
        out.append(np.array(s))
    return out


def shuffled(memory, resamples=400, **more):
    runs = runs_of(chains(memory, **more))
    return runs, shuffle_runs(runs, resamples, runs.assay, 3, np.random.default_rng(1))


def test_counts_of_shuffles_add_up():
    runs, found = shuffled(1.0)
    assert np.array_equal(found.observed, count_triples(runs)[0].ravel())
    assert (found.drawn.sum(axis=1) == found.observed.sum()).all()
    everything = found.drawn
    np.testing.assert_allclose(found.by_assay.sum(axis=0), found.observed - everything.mean(axis=0))
    back = np.arange(64) // 16 == np.arange(64) % 4
    assert found.returns.sum() == found.observed[back].sum()
    assert found.expected.sum() == pytest.approx(everything[:, back].sum(axis=1).mean())
    # runs are shuffled apart: their variances add up
    assert found.variance.sum() == pytest.approx(
        everything[:, back].sum(axis=1).var(ddof=1), rel=0.25
    )


def test_memory_is_found_and_points_to_returns():
    _, found = shuffled(4.0, n=200)
    test = order_statistics(found)
    assert test.p_value == pytest.approx(1 / 401)
    best = int(np.nanargmax(test.z))
    assert best // 16 == best % 4 and test.p_adjusted[best] <= 0.05
    assert abs(test.z[best]) > test.threshold
    back = recurrence(found, np.arange(200) % 3, 3)
    assert back.p_value == pytest.approx(1 / 401) and back.share > back.expected + 0.02
    assert back.low < back.share - back.expected < back.high


def test_adjusted_p_and_threshold_say_the_same():
    for seed in range(4):
        _, found = shuffled(1.6, seed=seed)
        test = order_statistics(found, alpha=0.1)
        scored = np.isfinite(test.z)
        called = test.p_adjusted[scored] <= 0.1
        assert np.array_equal(called, np.abs(test.z[scored]) > test.threshold)
        # the largest z alone can be significant; p falls as |z| grows
        order = np.argsort(np.abs(test.z[scored]))
        assert (np.diff(test.p_adjusted[scored][order]) <= 0).all()
        assert test.p_adjusted[scored].min() > 0


def test_z_is_held_against_the_shuffles_alone():
    """Far out as well, where mean and sd of all together would stop it at the root of B."""
    for memory in (1.3, 30.0):
        _, found = shuffled(memory, resamples=99, n=200, length=40)
        test = order_statistics(found)
        scored = np.isfinite(test.z)
        drawn = found.drawn[:, scored]
        expected = (found.observed[scored] - drawn.mean(axis=0)) / drawn.std(axis=0, ddof=1)
        np.testing.assert_allclose(test.z[scored], expected, rtol=1e-9)
        np.testing.assert_allclose(test.expected, found.drawn.mean(axis=0))
        assert test.statistic == pytest.approx((expected**2).sum())
    assert np.abs(test.z[scored]).max() > 10


def test_two_states_leave_nothing_to_shuffle():
    runs = runs_of([np.arange(20) % 2] * 9, k=2)
    found = shuffle_runs(runs, 50, runs.assay, 3, np.random.default_rng(0))
    test = order_statistics(found)
    assert np.isnan(test.p_value) and test.n_scored == 0
    assert np.isnan(recurrence(found, runs.assay, 3).p_value)


# Homogeneity


def counts_of(m=5, k=3, n=40, seed=0, change=0.0):
    """Counts of m assays, each with its own chain, in k windows; `change` acts on the last."""
    rng = np.random.default_rng(seed)
    chain = rng.dirichlet(np.ones(4), (m, 4))
    out = np.empty((m, k, 4, 4), np.int64)
    for a, w, i in np.ndindex(m, k, 4):
        p = chain[a, i] * np.exp(change * (w == k - 1) * np.arange(4))
        out[a, w, i] = rng.multinomial(n, p / p.sum())
    return out


def test_scores_of_an_assay_add_up_to_nothing():
    scores = h.window_scores(counts_of())
    np.testing.assert_allclose(scores.sum(axis=1), 0.0, atol=1e-12)


def naive_statistic(scores):
    m = len(scores)
    mean = scores.mean(axis=0)
    out = []
    for w in range(scores.shape[1]):
        variance = ((scores[:, w] - mean[w]) ** 2).sum() / (m - 1) / m
        out.append((mean[w] ** 2).sum() / variance)
    return np.array(out)


def test_all_exchanges_against_a_loop():
    scores = h.window_scores(counts_of(m=3, change=0.3))
    found = h.homogeneity(scores, True, 100, np.random.default_rng(0))
    every = []
    for ways in product(permutations(range(3)), repeat=3):
        moved = np.stack([scores[a][list(way)] for a, way in enumerate(ways)])
        every.append(naive_statistic(moved))
    every = np.array(every)
    observed = naive_statistic(scores)
    assert found.exact and found.n_resamples == 36
    np.testing.assert_allclose(found.by_window, observed)
    total = every.sum(axis=1)
    assert found.p_value == pytest.approx((total >= observed.sum() * (1 - 1e-9)).mean())
    top = every.max(axis=1)
    expected = [(top >= t * (1 - 1e-9)).mean() for t in observed]
    np.testing.assert_allclose(found.p_adjusted, expected)


def test_all_flips_against_a_loop():
    scores = h.window_scores(counts_of(m=5, change=0.3))
    found = h.homogeneity(scores, False, 100, np.random.default_rng(0))
    every = np.array([
        naive_statistic(scores * np.array(signs)[:, None, None])
        for signs in product([1.0, -1.0], repeat=5)
    ])  # fmt: skip
    total, observed = every.sum(axis=1), naive_statistic(scores).sum()
    assert found.n_resamples == 16
    assert found.p_value == pytest.approx((total >= observed * (1 - 1e-9)).mean())
    # two windows: exchanging labels is flipping signs
    two = h.window_scores(counts_of(m=6, k=2))
    a, b = (h.homogeneity(two, kind, 10, np.random.default_rng(0)) for kind in (True, False))
    assert a.p_value == b.p_value and a.n_resamples == 32


def test_samples_agree_with_all_of_them():
    scores = h.window_scores(counts_of(m=6, seed=3, change=0.25))
    exact = h.homogeneity(scores, True, 0, np.random.default_rng(0))
    assert exact.exact and exact.n_resamples == 6**5
    rng = np.random.default_rng(1)
    blocks = list(h.exchange_labels(30, 3, 5000, rng))
    labels = np.concatenate(blocks)
    assert labels.shape == (5000, 30, 3) and (np.sort(labels, axis=2) == np.arange(3)).all()
    assert np.concatenate(list(h.flip_signs(40, 3000, rng))).shape == (3000, 40)


def test_a_change_is_found_however_assays_differ():
    found = h.homogeneity(h.window_scores(counts_of(m=6, change=0.5)), True, 999,
                          np.random.default_rng(0))  # fmt: skip
    assert found.p_value < 0.01 and int(np.argmax(found.by_window)) == 2


def test_which_windows_are_alike():
    def windows(*edges):
        return [Window(f"{a}:{b}", ((float(a), float(b)),)) for a, b in edges]

    assert h.alike(windows((0, 10), (10, 20), (30, 40)))
    assert not h.alike(windows((0, 10), (5, 15)))
    assert not h.alike(windows((0, 10), (10, 15)))
    assert not h.alike([Window("before", ((-math.inf, 5.0),)), *windows((5, 10))])


def test_empty_rows_add_nothing():
    counts = counts_of()
    more = np.zeros((5, 3, 5, 5), np.int64)
    more[:, :, :4, :4] = counts
    one, two = (h.homogeneity(h.window_scores(c), True, 99, np.random.default_rng(0))
                for c in (counts, more))  # fmt: skip
    assert one.statistic == pytest.approx(two.statistic)
    assert h.chi_square(counts.sum(axis=0)) == pytest.approx(h.chi_square(more.sum(axis=0)))
