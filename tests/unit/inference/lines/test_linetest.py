"""Statistics of one line: against slow formulas, and their exact tests against scipy's."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines.linetest import (
    LineData,
    date_weights,
    degrees_of_freedom,
    dimension,
    statistics,
)
from larvastats.inference.profiles.prepare import profiles
from larvastats.inference.relabelling.resampling import null_distribution, relabellings
from larvastats.inference.significance import pvalues
from larvastats.markov.transitions import possible_cells


def line_data(counts, n_line, dates=None):
    made = profiles(counts)
    units = np.arange(len(counts))
    dates = None if dates is None else np.array(dates, dtype=object)
    design = make_design(units[:n_line], units[n_line:], dates)
    u = design.units
    possible = possible_cells(counts.shape[-1], "jump")
    return LineData(design, made.x[u], made.rows[u], counts[u].sum(axis=(0, 2)), possible)


def observed(data):
    return {name: float(v[0]) for name, v in statistics(data.design.is_line[None], data).items()}


def dates_of(sizes):
    """Dates of line and control assays, the line's first."""
    line = [f"d{b}" for b, (m, _) in enumerate(sizes) for _ in range(m)]
    return line + [f"d{b}" for b, (_, c) in enumerate(sizes) for _ in range(c)]


SIZES = [
    [(1, 1), (1, 1)],
    [(2, 2), (2, 2)],
    [(1, 3), (2, 2), (3, 1)],
    [(2, 4), (1, 2), (2, 3), (1, 1)],
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_line", [2, 3, 6])
def test_welch_is_the_formula(naive, draw_counts, n_line, seed):
    counts = draw_counts(9, seed=seed)
    data = line_data(counts, n_line)
    expected = naive.welch(naive.profiles(counts), data.design.is_line)
    assert observed(data)["welch"] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizes", SIZES)
def test_dated_welch_is_the_formula(naive, draw_counts, sizes, seed):
    dates = dates_of(sizes)
    counts = draw_counts(len(dates), seed=seed)
    n_line = sum(m for m, _ in sizes)
    data = line_data(counts, n_line, dates)
    is_line = np.arange(len(dates)) < n_line
    expected = naive.dated(naive.profiles(counts), is_line, np.array(dates))
    assert observed(data)["welch"] == pytest.approx(expected, rel=1e-10)


def test_date_weights_are_harmonic_and_sum_to_one():
    sizes = [(2, 4), (1, 2), (3, 3)]
    data = make_design(np.arange(6), np.arange(6, 15), np.array(dates_of(sizes), dtype=object))
    raw = np.array([8 / 6, 2 / 3, 9 / 6])
    np.testing.assert_allclose(date_weights(data), raw / raw.sum())


def soft(mean, visits, share):
    """Jeffreys' half transition in every possible cell, relative to the side's visits."""
    k = len(mean)
    extra = 0.5 * (1 - np.eye(k)) / (visits * share)[:, None]
    return (mean + extra) / (1 + extra.sum(axis=1, keepdims=True))


def divergences_by_hand(line, control, visits, n_line, n):
    hellinger = [
        ((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2 for p, q in zip(line, control, strict=True)
    ]
    js = [jensenshannon(p, q, base=2) ** 2 for p, q in zip(line, control, strict=True)]
    sides = soft(line, visits, n_line / n), soft(control, visits, 1 - n_line / n)
    kl = [entropy(p, q) for p, q in zip(*sides, strict=True)]
    return {"hellinger": np.mean(hellinger), "js": np.mean(js), "kl": np.mean(kl)}


@pytest.mark.parametrize("seed", range(3))
def test_divergences_stand_over_the_same_variance(naive, draw_counts, seed):
    counts = draw_counts(8, seed=seed, visits=(40, 20, 10, 5))
    data = line_data(counts, 3)
    is_line, rows = data.design.is_line, naive.rows(counts)
    variance = naive.welch_variance(naive.profiles(counts), is_line)
    means = rows[is_line].mean(axis=0), rows[~is_line].mean(axis=0)
    expected = divergences_by_hand(*means, counts.sum(axis=(0, 2)), 3, 8)
    for name, value in expected.items():
        assert observed(data)[name] == pytest.approx(value / variance, rel=1e-9), name


@pytest.mark.parametrize("sizes", SIZES[1:])
def test_dated_divergences_stand_over_the_same_variance(naive, draw_counts, sizes):
    dates = np.array(dates_of(sizes))
    n_line = sum(m for m, _ in sizes)
    counts = draw_counts(len(dates), seed=5, visits=(40, 20, 10, 5))
    data = line_data(counts, n_line, list(dates))
    is_line, rows = np.arange(len(dates)) < n_line, naive.rows(counts)
    variance = naive.dated_variance(naive.profiles(counts), is_line, dates)
    weight, _ = naive.date_parts(rows.reshape(len(rows), -1), is_line, dates)
    sides = []
    for group in (is_line, ~is_line):
        by_date = [rows[group & (dates == d)].mean(axis=0) for d in sorted(set(dates))]
        sides.append(sum(w * mean for w, mean in zip(weight, by_date, strict=True)))
    expected = divergences_by_hand(*sides, counts.sum(axis=(0, 2)), n_line, len(dates))
    for name, value in expected.items():
        assert observed(data)[name] == pytest.approx(value / variance, rel=1e-9), name


@pytest.mark.parametrize(("m", "c"), [(2, 3), (3, 3), (4, 4), (3, 5), (2, 7)])
def test_exact_p_is_scipys(naive, draw_counts, m, c):
    counts = draw_counts(m + c, seed=m * 10 + c)
    x = naive.profiles(counts)

    def statistic(line, control):
        return naive.welch(x[np.append(line, control)], np.arange(m + c) < m)

    reference = stats.permutation_test(
        (np.arange(m), np.arange(m, m + c)), statistic, permutation_type="independent",
        n_resamples=np.inf, alternative="greater", vectorized=False,
    )  # fmt: skip
    data = line_data(counts, m)
    plan = relabellings(data.design, 99, np.random.default_rng(0))
    null = null_distribution(plan, lambda labels: statistics(labels, data))["welch"]
    assert len(null) == len(reference.null_distribution)
    np.testing.assert_allclose(np.sort(null), np.sort(reference.null_distribution), rtol=1e-8)
    p = pvalues.p_relabel(observed(data)["welch"], null, exact=True)
    assert p == pytest.approx(reference.pvalue, abs=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
def test_dated_exact_p_is_a_loop_over_all_choices_on_all_dates(naive, draw_counts, sizes):
    dates = np.array(dates_of(sizes))
    counts = draw_counts(len(dates), seed=7)
    x, n_line = naive.profiles(counts), sum(m for m, _ in sizes)
    members = [np.flatnonzero(dates == d) for d in sorted(set(dates))]
    null = []
    for chosen in product(*(combinations(u, m) for u, (m, _) in zip(members, sizes, strict=True))):
        label = np.isin(np.arange(len(dates)), [a for part in chosen for a in part])
        null.append(naive.dated(x, label, dates))
    mine = naive.dated(x, np.arange(len(dates)) < n_line, dates)
    expected = np.mean(np.array(null) >= mine * (1 - 1e-9))

    data = line_data(counts, n_line, list(dates))
    plan = relabellings(data.design, 99, np.random.default_rng(0))
    mine_null = null_distribution(plan, lambda labels: statistics(labels, data))["welch"]
    np.testing.assert_allclose(np.sort(mine_null), np.sort(null), rtol=1e-8)
    p = pvalues.p_relabel(observed(data)["welch"], mine_null, exact=True)
    assert p == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 4))
def test_exchanging_line_and_control_keeps_the_symmetric_statistics(seed, m, c):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(4.0, (m + c, 3, 3)) * (1 - np.eye(3, dtype=int))
    there = observed(line_data(counts, m))
    back = observed(line_data(np.concatenate([counts[m:], counts[:m]]), c))
    for name in ("welch", "hellinger", "js"):
        assert there[name] == pytest.approx(back[name], rel=1e-8), name


@given(st.integers(0, 10_000))
def test_the_order_of_assays_within_a_group_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(4.0, (7, 3, 3)) * (1 - np.eye(3, dtype=int))
    order = np.concatenate([rng.permutation(3), 3 + rng.permutation(4)])
    there, moved = observed(line_data(counts, 3)), observed(line_data(counts[order], 3))
    for name, value in there.items():
        assert moved[name] == pytest.approx(value, rel=1e-8), name


def test_assays_that_are_all_alike_give_no_evidence():
    counts = np.tile(np.array([[0, 6, 2], [4, 0, 4], [1, 1, 0]]), (6, 1, 1))
    assert observed(line_data(counts, 3)) == {"welch": 0, "hellinger": 0, "js": 0, "kl": 0}


def test_groups_that_differ_without_any_scatter_give_infinite_evidence():
    line, control = (
        np.array([[0, 6, 2], [4, 0, 4], [1, 1, 0]]),
        np.array([[0, 2, 6], [4, 0, 4], [1, 1, 0]]),
    )
    counts = np.array([line] * 3 + [control] * 3)
    data = line_data(counts, 3)
    assert observed(data)["welch"] == np.inf
    plan = relabellings(data.design, 99, np.random.default_rng(0))
    null = null_distribution(plan, lambda labels: statistics(labels, data))["welch"]
    assert pvalues.p_relabel(np.inf, null, exact=True) == pytest.approx(2 / 20)


def test_degrees_of_freedom_without_dates_are_welch_and_satterthwaites(naive, draw_counts):
    counts = draw_counts(9, seed=3)
    data = line_data(counts, 3)
    x = naive.profiles(counts)
    parts = [sum(np.var(c, ddof=1) for c in g.T) / len(g) for g in (x[:3], x[3:])]
    expected = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 5)
    assert degrees_of_freedom(data) == pytest.approx(expected, rel=1e-10)


def test_degrees_of_freedom_for_one_cell_are_those_of_scipys_welch_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 5), rng.normal(0, 3, 8)
    design = make_design(np.arange(5), np.arange(5, 13), None)
    data = LineData(design, np.append(a, b)[:, None], None, np.ones(1), np.ones((1, 1), bool))
    reference = stats.ttest_ind(a, b, equal_var=False)
    assert degrees_of_freedom(data) == pytest.approx(reference.df, rel=1e-12)
    assert observed(data)["welch"] == pytest.approx(reference.statistic**2, rel=1e-10)
    p = pvalues.p_f(observed(data)["welch"], 1.0, degrees_of_freedom(data))
    assert p == pytest.approx(reference.pvalue, rel=1e-8)


def test_on_one_date_the_variance_of_plates_gives_welchs_test():
    x = np.random.default_rng(2).normal(size=(9, 1))
    design = make_design(np.arange(3), np.arange(3, 9), np.array(["a"] * 9, dtype=object), "plate")
    data = LineData(design, x, None, np.ones(3), possible_cells(3, "jump"))
    expected = stats.ttest_ind(x[:3], x[3:], equal_var=False)
    assert observed(data)["welch"] == pytest.approx(float(expected.statistic[0]) ** 2)
    assert degrees_of_freedom(data) == pytest.approx(float(expected.df[0]))


def test_plates_on_equal_dates_give_the_t_test_of_a_randomised_block_design():
    """Equal numbers and equal scatter: the pooled variance within cells, in all its freedom."""
    rng = np.random.default_rng(4)
    cells = rng.normal(size=(3, 2, 4))
    cells = (cells - cells.mean(axis=2, keepdims=True)) / cells.std(axis=2, ddof=1, keepdims=True)
    cells += rng.normal(size=(3, 2, 1))
    line = np.concatenate([cells[d, 0] for d in range(3)])
    control = np.concatenate([cells[d, 1] for d in range(3)])
    days = np.array([f"d{d}" for d in range(3) for _ in range(4)] * 2, dtype=object)
    design = make_design(np.arange(12), np.arange(12, 24), days, "plate")
    x = np.concatenate([line, control])[:, None]
    data = LineData(design, x, None, np.ones(3), possible_cells(3, "jump"))
    expected = (line.mean() - control.mean()) ** 2 / (2 / 12)
    assert observed(data)["welch"] == pytest.approx(expected)
    assert degrees_of_freedom(data) == pytest.approx(18)


def test_with_dates_and_one_cell_the_test_is_the_paired_t_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 6), rng.normal(1, 1, 6)
    dates = np.array([f"d{i}" for i in range(6)] * 2, dtype=object)
    design = make_design(np.arange(6), np.arange(6, 12), dates)
    data = LineData(design, np.append(a, b)[:, None], None, np.ones(1), np.ones((1, 1), bool))
    reference = stats.ttest_rel(a, b)
    assert observed(data)["welch"] == pytest.approx(reference.statistic**2, rel=1e-10)
    assert degrees_of_freedom(data) == pytest.approx(5)
    p = pvalues.p_f(observed(data)["welch"], 1.0, 5)
    assert p == pytest.approx(reference.pvalue, rel=1e-8)


def test_dimension_comes_from_the_controls_where_they_are_enough():
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], [12, 30, 30])
    x = rng.normal(size=(72, 5))
    x[groups > 0, 1:] = 0  # the lines vary in one direction only
    controls = groups == 0
    many, few = dimension(x, groups, controls), dimension(x, groups, groups == 9)
    assert many > 3  # five directions, eleven degrees of freedom
    assert few < 2.5  # of all assays: mostly the lines
    mean_free = x[controls] - x[controls].mean(axis=0)
    assert many == pytest.approx(pvalues.effective_dimension(mean_free, 11), rel=1e-10)
