"""Dwell times of two groups of assays: values, variances, scores, reasons."""

from __future__ import annotations

import numpy as np
import pytest

from larvastats.inference.design.blocks import make_design
from larvastats.inference.design.replicates import (
    MOST,
    jackknife_error,
    replicates,
    survival_band,
)
from larvastats.inference.dwell.comparison import (
    Cell,
    assay_values,
    assay_variance,
    compare_dwells,
    z_scores,
)
from larvastats.inference.dwell.fits import curve, fit, horizon, summary, tabulate
from larvastats.inference.relabelling.plans import Budget
from larvastats.markov.dwell import ENDED, WINDOW, Dwells
from larvastats.markov.lifetimes import fit_lifetime, group_bouts

DATES = np.array(["a", "a", "a", "b", "b", "b", "c", "c", "c"] * 2, dtype=object)
LINE, CONTROL = np.arange(9), np.arange(9, 18)


def make(factor=1.0, seed=0, per_assay=30, assays=18, limit=4.0, sd=0.1, states=2):
    """Bouts of two states; those of state 1 last `factor` times as long in the line."""
    rng = np.random.default_rng(seed)
    assay = np.repeat(np.arange(assays), per_assay)
    state = rng.integers(0, states, len(assay))
    level = np.exp(rng.normal(0, sd, assays))[assay]
    level = level * np.where((assay < 9) & (state == 1), factor, 1.0)
    truth = np.round(rng.gamma(2, 0.7, len(assay)) * level, 3) + 0.001
    duration = np.minimum(truth, limit)
    end = np.where(truth <= limit, ENDED, WINDOW).astype(np.int8)
    nothing = np.zeros(len(assay))
    return Dwells(assay, assay, state, nothing, duration, end, np.full(len(assay), limit))


CELLS = [Cell(0, 0, 3.0), Cell(0, 1, 3.0)]
NAMES, STATES = ("line", "control"), ("run", "cast")


def compare(bouts, dated=True, **options):
    design = make_design(LINE, CONTROL, DATES if dated else None)
    budget = Budget(500, 1, 2000)
    return compare_dwells([bouts], CELLS, design, NAMES, STATES, budget, **options)


@pytest.mark.parametrize("dated", [True, False])
def test_a_longer_state_is_found_and_named(dated):
    found = compare(make(1.8, per_assay=120), dated)
    assert found.p_value < 0.03 and found.p_exact == found.p_value
    run, cast = found.cells
    assert cast.p_adjusted < 0.03 < 0.2 < run.p_adjusted
    assert cast.low > 0 and cast.z > 3 and run.low < 0 < run.high
    # gamma(2, .7): mean 1.4 becomes 2.5, seen up to 3 s
    assert 0.5 < cast.difference < 0.9


def test_nothing_depends_on_who_is_called_the_line():
    bouts = make(1.3, seed=4)
    one = compare_dwells([bouts], CELLS, make_design(LINE, CONTROL, DATES), NAMES, STATES,
                         Budget(0, 0, 10**6))  # fmt: skip
    two = compare_dwells([bouts], CELLS, make_design(CONTROL, LINE, DATES), NAMES, STATES,
                         Budget(0, 0, 10**6))  # fmt: skip
    assert one.null == "exact" and one.p_value == pytest.approx(two.p_value)
    for a, b in zip(one.cells, two.cells, strict=True):
        assert (a.z, a.difference, a.low) == pytest.approx((-b.z, -b.difference, -b.high))
        assert a.p_adjusted == pytest.approx(b.p_adjusted)


def test_a_state_is_never_surer_than_its_line():
    for seed in range(5):
        found = compare(make(1.2, seed=seed))
        assert all(c.p_adjusted >= found.p_value for c in found.cells)


def test_two_dates_of_two_and_two_fall_back_on_f():
    design = make_design(np.arange(4), np.arange(4, 8), np.array(list("aabbaabb"), dtype=object))
    bouts = make(assays=8)
    found = compare_dwells([bouts], CELLS, design, NAMES, STATES, Budget())
    assert found.p_floor == pytest.approx(2 / 36) and found.null == "F"
    assert found.p_value == found.p_approx
    assert all(found.p_value <= c.p_adjusted <= 1 for c in found.cells)
    kept = compare_dwells([bouts], CELLS, design, NAMES, STATES, Budget(), null="relabel")
    assert kept.null == "exact" and kept.p_value >= 2 / 36


@pytest.mark.parametrize(("who", "name"), [(LINE, "line"), (CONTROL, "control")])
def test_a_genotype_that_never_does_it(who, name):
    bouts = make()
    bouts = bouts.take(~(np.isin(bouts.assay, who) & (bouts.state == 1)))
    found = compare(bouts)
    assert found.cells[1].reason == (
        f"{name} never begins a bout of cast here: there is nothing to compare"
    )
    assert np.isnan(found.cells[1].z) and np.isnan(found.cells[1].p_adjusted)
    assert np.isfinite(found.cells[0].p_adjusted) and np.isfinite(found.p_value)


def test_one_assay_and_one_date_with_the_state():
    bouts = make()
    one = bouts.take((bouts.state == 0) | (bouts.assay == 0) | (bouts.assay >= 9))
    assert "only one assay of line has a bout of cast" in compare(one).cells[1].reason
    day = bouts.take((bouts.state == 0) | (bouts.assay < 3) | (bouts.assay >= 9))
    assert "share fewer than two dates with a bout of cast" in compare(day).cells[1].reason


def test_no_test_at_all_says_why():
    found = compare_dwells([make()], CELLS, make_design(LINE[:1], CONTROL, None), NAMES, STATES,
                           Budget())  # fmt: skip
    assert "one assay of the line" in found.reason and np.isnan(found.p_value)
    assert all("one assay of the line" in c.reason for c in found.cells)


def test_equal_durations_have_nothing_to_compare():
    bouts = make()
    same = Dwells(bouts.assay, bouts.larva, bouts.state, bouts.entry, np.ones(len(bouts)),
                  np.zeros(len(bouts), np.int8), bouts.room)  # fmt: skip
    assert "last equally long" in compare(same).cells[0].reason


def test_values_are_means_of_capped_durations_without_censoring():
    bouts = make(limit=100.0)
    values = assay_values(bouts, CELLS[0], np.arange(18))
    for a in (0, 7, 17):
        own = (bouts.assay == a) & (bouts.state == 0)
        assert values.x[a] + values.mean == pytest.approx(np.minimum(bouts.duration[own], 3).mean())
        assert values.n[a] == own.sum()


def test_variance_knows_bouts_and_assays():
    """Assays alike: about sigma^2/n. Assays that differ by SD .5: about .25 more."""
    block = np.zeros(60, np.int64)
    alike = assay_values(make(assays=60, sd=0.0, limit=50.0), Cell(0, 0, 20.0), np.arange(60))
    differ = assay_values(make(assays=60, sd=0.4, limit=50.0), Cell(0, 0, 20.0), np.arange(60))
    sampling = alike.within / alike.n
    assert assay_variance(alike, block).mean() == pytest.approx(sampling.mean(), rel=0.35)
    extra = (assay_variance(differ, block) - differ.within / differ.n).mean()
    assert extra == pytest.approx((1.4 * 0.4) ** 2, rel=0.6)


def test_scores_are_standard_where_the_variance_is_known():
    rng = np.random.default_rng(2)
    block = np.repeat([0, 1, 2], 6)
    labels = np.tile([True, True, False, False, False, False], 3)[None]
    variance = rng.uniform(0.2, 3, 18)
    z = [z_scores(labels, rng.normal(0, np.sqrt(variance)), variance, block)[0]
         for _ in range(3000)]  # fmt: skip
    assert np.mean(z) == pytest.approx(0, abs=0.06) and np.std(z) == pytest.approx(1, abs=0.05)


def test_assays_without_a_bout_have_no_weight():
    variance = np.array([1.0, np.inf, 1.0, np.inf, 1.0, 1.0])
    x = np.array([1.0, np.nan, 3.0, np.nan, 0.0, 0.0])
    block = np.array([0, 0, 0, 1, 1, 1])
    labels = np.array([[True, True, False, True, False, False]])
    # date 1 has no bout of the line; date 0: 1 against 3, each with precision 1
    assert z_scores(labels, x, variance, block)[0] == pytest.approx(-2 * 0.5 / np.sqrt(0.5))


# Replicates and errors


def test_replicates_are_dates_where_there_are_two():
    rows = np.array([2, 3, 4, 5])
    dates = np.array([None, None, "a", "a", "b", None], dtype=object)
    who = replicates(rows, dates)
    assert who.what == "date" and who.n == 3  # a, b, and the assay without a date
    assert who.code[0] == who.code[1] != who.code[2]
    assert list(who.of(np.array([3, 0, 4]))) == [who.code[1], -1, who.code[2]]
    alone = replicates(rows[:2], dates)
    assert alone.what == "assay" and alone.n == 2
    many = replicates(np.arange(200), None)
    assert many.n == MOST and np.bincount(many.code).tolist() == [5] * MOST


def test_jackknife_of_means_is_the_standard_error():
    x = np.random.default_rng(1).normal(size=12)
    without = (x.sum() - x) / 11
    assert jackknife_error(without) == pytest.approx(x.std(ddof=1) / np.sqrt(12))
    assert np.isnan(jackknife_error(x[:1]))


def test_bands_stay_within_zero_and_one():
    s = np.array([1.0, 0.99, 0.5, 0.01, 0.0])
    low, high = survival_band(s, np.full(5, 0.2), 4)
    assert (low >= 0).all() and (high <= 1).all() and (low <= s).all() and (s <= high).all()
    assert low[0] == high[0] == 1 and low[-1] == high[-1] == 0
    assert np.isnan(survival_band(s, np.full(5, np.nan), 1)[0][1:-1]).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_errors_of_parameters_are_those_of_leaving_assays_out(seed):
    bouts = make(seed=seed, assays=30, per_assay=60, sd=0.3)
    own = bouts.take(bouts.state == 0)
    who = replicates(np.arange(30), None)
    found = fit(own, who)
    grouped = group_bouts(own.duration, own.ended, own.entry, own.assay, 30)
    without = [fit_lifetime(found.best.family, grouped.sum(i), found.best) for i in range(30)]
    logs = np.log([[f.shape, f.scale, f.mean] for f in without])
    expected = jackknife_error(logs) * [found.best.shape, found.best.scale, found.best.mean]
    np.testing.assert_allclose([found.shape_se, found.scale_se, found.mean_se], expected, rtol=0.12)
    assert found.best.family == "gamma" and len(found.fits) == 4


def test_summary_of_one_replicate_has_no_interval():
    bouts = make(assays=1, per_assay=80)
    own = bouts.take(bouts.state == 0)
    table = tabulate(own, replicates(np.arange(1), None))
    found = summary(table, horizon(own))
    assert np.isfinite(found.mean) and np.isnan(found.low) and np.isnan(found.high)
    steps = curve(table)
    assert np.isfinite(steps.survival).all() and np.isnan(steps.low[1:-1]).all()
    assert np.isnan(fit(own, replicates(np.arange(1), None)).scale_se)


def test_horizon_is_where_one_in_twenty_is_left():
    bouts = make(limit=50.0, per_assay=400)
    own = bouts.take(bouts.state == 0)
    assert (own.duration > horizon(own)).mean() == pytest.approx(0.05, abs=0.005)
    assert np.isnan(horizon(own.take(own.duration < 0)))
