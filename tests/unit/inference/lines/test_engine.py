"""The engine against brute force: the same labels, the plain formula, one relabelling at a time."""

import numpy as np
import pytest

from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines import linetest, nulls
from larvastats.inference.lines.engine import SharedControls
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.profiles.prepare import profiles
from larvastats.inference.relabelling import plans
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance import pvalues
from larvastats.markov.transitions import possible_cells

K = 4
POSSIBLE = possible_cells(K, "jump")


def random_line(rng, dated, variance="date"):
    """A line and its controls with random sizes, dates missing here and there."""
    n_dates = int(rng.integers(2, 5)) if dated else 1
    days = []
    line = []
    for d in range(n_dates):
        m, c = int(rng.integers(1, 4)), int(rng.integers(1, 5))
        if not dated:
            m, c = int(rng.integers(2, 6)), int(rng.integers(2, 30))
        days += [f"d{d}"] * (m + c)
        line += [True] * m + [False] * c
    if dated:  # a date that only the line has: it leaves the test
        days += ["alone"]
        line += [True]
    p = rng.dirichlet(np.ones(K), size=K) * POSSIBLE
    counts = rng.multinomial(rng.poisson(20, size=(len(days), K)), p / p.sum(axis=1, keepdims=True))
    line = np.array(line)
    dates = np.array(days, dtype=object) if dated else None
    design = make_design(np.flatnonzero(line), np.flatnonzero(~line), dates, variance)
    made = profiles(counts)
    u = design.units
    return LineData(design, made.x[u], made.rows[u], counts[u].sum(axis=(0, 2)), POSSIBLE)


def brute_welch(x, is_line):
    a, b = x[is_line], x[~is_line]
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum()
    variance = a.var(0, ddof=1).sum() / len(a) + b.var(0, ddof=1).sum() / len(b)
    return distance / variance


def brute_dated(x, is_line, block):
    days = np.unique(block)
    d = np.stack([x[(block == t) & is_line].mean(0) - x[(block == t) & ~is_line].mean(0)
                  for t in days])  # fmt: skip
    m = np.array([((block == t) & is_line).sum() for t in days])
    c = np.array([((block == t) & ~is_line).sum() for t in days])
    w = m * c / (m + c)
    w = w / w.sum()
    mean = w @ d
    n = len(days)
    return (mean**2).sum() / (n / (n - 1) * (w**2 @ ((d - mean) ** 2).sum(1)))


def brute_plates(x, is_line, block):
    """Stratified Welch, date by date and side by side from its definition."""
    days = np.unique(block)
    groups = {
        (t, side): x[(block == t) & (is_line == side)] for t in days for side in (True, False)
    }
    w = np.array([len(groups[t, True]) * len(groups[t, False]) / (block == t).sum() for t in days])
    w = w / w.sum()
    mean = sum(
        v * (groups[t, True].mean(0) - groups[t, False].mean(0))
        for v, t in zip(w, days, strict=True)
    )
    pooled = {}
    for side in (True, False):
        own = [groups[t, side] for t in days if len(groups[t, side]) > 1]
        if own:
            pooled[side] = sum(((g - g.mean(0)) ** 2).sum() for g in own) / sum(
                len(g) - 1 for g in own
            )
    variance = 0.0
    for v, t in zip(w, days, strict=True):
        for side in (True, False):
            g = groups[t, side]
            alone = pooled.get(side, pooled.get(not side))
            s2 = g.var(0, ddof=1).sum() if len(g) > 1 else alone
            variance += v**2 * s2 / len(g)
    return (mean**2).sum() / variance


def labels_of(design, budget):
    if design.dated:
        plan = plans.dated_plan(tuple(design.sizes), budget)
        return plan.labels(plans.date_members(design)), plan.exact
    plan = plans.free_plan(design.n_line, design.n_control, budget)
    return plan.labels(), plan.exact


@pytest.mark.parametrize("kind", ["free", "date", "plate"])
@pytest.mark.parametrize("seed", range(60))
def test_p_values_equal_brute_force(seed, kind):
    dated, variance = kind != "free", "plate" if kind == "plate" else "date"
    data = random_line(np.random.default_rng([seed, dated]), dated, variance)
    if data.design.reason:
        pytest.fail("the random design should be testable")
    budget = Budget(199, seed, most=400)
    tested = nulls.test_lines([data], [(data.x,)], 5.0, budget)[0]
    labels, exact = labels_of(data.design, budget)
    block = data.design.block
    statistic = {
        "free": lambda row: brute_welch(data.x, row),
        "date": lambda row: brute_dated(data.x, row, block),
        "plate": lambda row: brute_plates(data.x, row, block),
    }[kind]
    null = np.array([statistic(row) for row in labels])
    observed = statistic(data.design.is_line)
    assert tested.exact == exact
    assert tested.statistic["main"] == pytest.approx(observed, rel=1e-9)
    assert tested.p["main"] == pvalues.p_relabel(observed, null, exact)
    assert tested.floor["main"] == pvalues.floor_of(null, exact)
    plain = linetest.statistics(labels, data)
    own = linetest.statistics(data.design.is_line[None], data)
    for name in ("hellinger", "js", "kl"):
        assert tested.p[name] == pvalues.p_relabel(float(own[name][0]), plain[name], exact)


@pytest.mark.parametrize(
    "sizes",
    [[(1, 3), (1, 2)], [(3, 1), (2, 1)], [(2, 2), (1, 1)], [(1, 1), (1, 4), (2, 1)], [(2, 3)]],
    ids=str,
)
def test_plates_that_are_alone_on_their_date_borrow_a_variance(sizes):
    """Also on a single date, and where one side has a single plate everywhere."""
    rng = np.random.default_rng(sum(map(sum, sizes)))
    days = np.array([f"d{d}" for d, (m, c) in enumerate(sizes) for _ in range(m + c)], dtype=object)
    line = np.concatenate([np.arange(m + c) < m for m, c in sizes])
    design = make_design(np.flatnonzero(line), np.flatnonzero(~line), days, "plate")
    x = rng.normal(size=(len(days), 6))[design.units]
    data = LineData(design, x, None, np.ones(K), POSSIBLE)
    tested = nulls.test_lines([data], [(x,)], 5.0, Budget(199, 1))[0]
    labels, exact = labels_of(design, Budget(199, 1))
    null = np.array([brute_plates(x, row, design.block) for row in labels])
    observed = brute_plates(x, design.is_line, design.block)
    assert tested.statistic["main"] == pytest.approx(observed, rel=1e-9)
    assert tested.p["main"] == pvalues.p_relabel(observed, null, exact)
    assert tested.df > 0


def test_a_line_has_the_same_p_alone_and_in_company():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 12))
    lines = []
    for _ in range(30):
        units = np.concatenate([rng.normal(size=(4, 12)), x])
        design = make_design(np.arange(4), np.arange(4, 44), None)
        lines.append(LineData(design, units, None, np.ones(K), POSSIBLE))
    features = [(d.x,) for d in lines]
    budget = Budget(10_000, 3)
    together = nulls.test_lines(lines, features, 5.0, budget)
    for i in (0, 7, 29):
        alone = nulls.test_lines([lines[i]], [features[i]], 5.0, budget)[0]
        assert alone.p == together[i].p
        assert alone.n_resamples == together[i].n_resamples


def test_small_sampled_p_values_are_refined():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(3.0, 1.0, size=(6, 8)), rng.normal(size=(40, 8))])
    design = make_design(np.arange(6), np.arange(6, 46), None)
    data = LineData(design, x, None, np.ones(K), POSSIBLE)
    tested = nulls.test_lines([data], [(x,)], 5.0, Budget(10_000, 0))[0]
    assert tested.n_resamples == 1_000_000 - 1_000_000 % 100_000 or tested.n_resamples > 900_000
    assert tested.p["main"] < 1e-5
    assert tested.p["main"] >= 1 / (1 + tested.n_resamples)


@pytest.mark.parametrize("variance", ["date", "plate"])
def test_dates_with_too_many_ways_fall_back_to_plain_labels(variance):
    rng = np.random.default_rng(7)
    days = np.array(["a"] * 20 + ["b"] * 6, dtype=object)
    line = np.array([True] * 8 + [False] * 12 + [True] * 2 + [False] * 4)
    design = make_design(np.flatnonzero(line), np.flatnonzero(~line), days, variance)
    assert plans.dated_plan(tuple(design.sizes), Budget(300, 1)) is None
    x = rng.normal(size=(26, 6))[design.units]
    data = LineData(design, x, None, np.ones(K), POSSIBLE)
    tested = nulls.test_lines([data], [(x,)], 5.0, Budget(300, 1))[0]
    assert not tested.exact
    assert tested.n_resamples == 300
    assert 1 / 301 <= tested.p["main"] <= 1


def test_identical_assays_leave_nothing_to_find():
    design = make_design(np.arange(3), np.arange(3, 9), None)
    data = LineData(design, np.ones((9, 5)), None, np.ones(K), POSSIBLE)
    tested = nulls.test_lines([data], [(data.x,)], 5.0, Budget(100, 0))[0]
    assert tested.statistic["main"] == 0
    assert tested.p["main"] == 1


def test_sampled_subsets_are_uniform():
    plan = plans.free_plan(2, 4, Budget(60_000, 0, most=0))
    code = np.sort(plan.chosen, axis=1) @ np.array([10, 1])
    _, times = np.unique(code, return_counts=True)
    assert len(times) == 15
    expected = 60_000 / 15
    assert ((times - expected) ** 2 / expected).sum() < 36.1  # chi-square, 14 df, p = .001


def test_engine_handles_more_line_assays_than_controls():
    rng = np.random.default_rng(8)
    plan = plans.free_plan(5, 3, Budget(100, 0))
    x = rng.normal(size=(8, 6))
    null = SharedControls(plan, x[5:]).null(x[None, :5])[0]
    brute = [brute_welch(x, row) for row in plan.labels()]
    np.testing.assert_allclose(null, brute, rtol=1e-10)
