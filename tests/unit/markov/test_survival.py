"""Survival curves of groups, what single bouts add to them, distributions from counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.markov import lifetimes, survival


@pytest.fixture
def bouts():
    rng = np.random.default_rng(3)
    n = 300
    truth, limit = np.round(rng.gamma(2, 1.5, n), 2) + 0.01, np.round(rng.uniform(0, 9, n), 2)
    limit += 0.01
    return np.minimum(truth, limit), truth <= limit, rng.integers(0, 6, n)


def test_groups_add_up(bouts):
    duration, event, group = bouts
    every = survival.life_table(duration, event, None, group, 6)
    whole = survival.life_table(duration, event)
    np.testing.assert_allclose(every.pooled().survival(), whole.survival())
    left_out = every.pooled(1.0 - np.eye(6)).survival()
    for g in range(6):
        keep = group != g
        own = survival.life_table(duration[keep], event[keep])
        at = survival.value_at(own.time, own.survival(), whole.time)[0]
        np.testing.assert_allclose(left_out[g], at, atol=1e-12)


def test_without_censoring_the_curve_is_the_share(bouts):
    duration = bouts[0]
    table = survival.life_table(duration, np.ones(len(duration), bool))
    expected = [(duration > t).mean() for t in table.time]
    np.testing.assert_allclose(table.survival()[0], expected, atol=1e-12)
    mean = survival.restricted_mean(table.time, table.survival(), duration.max() + 1)[0]
    assert mean == pytest.approx(duration.mean())
    capped = survival.restricted_mean(table.time, table.survival(), 2.5)[0]
    assert capped == pytest.approx(np.minimum(duration, 2.5).mean())


def test_median_that_is_never_reached_is_missing():
    table = survival.life_table(np.array([1.0, 2.0, 3.0]), np.array([True, False, False]))
    assert np.isnan(survival.quantile(table.time, table.survival())[0])


def test_pseudo_values_are_what_leaving_bouts_out_gives(bouts):
    duration, event, _ = bouts
    mean, influence = survival.pseudo_values(duration, event, np.zeros(len(duration)), 4.0)
    assert influence.sum() == pytest.approx(0.0, abs=1e-9)
    n = len(duration)
    for i in range(0, n, 20):
        keep = np.arange(n) != i
        own = survival.life_table(duration[keep], event[keep])
        without = survival.restricted_mean(own.time, own.survival(), 4.0)[0]
        assert (n - 1) * (mean - without) == pytest.approx(influence[i], abs=0.05)


def test_pseudo_values_without_censoring_are_the_durations(bouts):
    duration = bouts[0]
    some = np.ones(len(duration), bool)
    mean, influence = survival.pseudo_values(duration, some, np.zeros(len(duration)), 3.0)
    np.testing.assert_allclose(mean + influence, np.minimum(duration, 3.0), atol=1e-9)


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.integers(0, 5)), min_size=2,
                max_size=40))  # fmt: skip
def test_curves_fall_and_stay_between_zero_and_one(rows):
    duration, event, entry = (np.array(c) for c in zip(*rows, strict=True))
    entry = np.minimum(entry, duration - 1).astype(float)
    table = survival.life_table(duration / 4, event.astype(bool), entry / 4)
    curve = table.survival()[0]
    assert (np.diff(curve) <= 1e-12).all() and curve.min() >= 0 and curve.max() <= 1
    assert (table.at_risk >= table.events).all()


# Distributions


def grouped(duration, event, entry=None, group=None, n=1):
    entry = np.zeros(len(duration)) if entry is None else entry
    group = np.zeros(len(duration), int) if group is None else group
    return lifetimes.group_bouts(duration, event, entry, group, n)


@pytest.mark.parametrize(("family", "shape", "scale"), [
    ("exponential", np.nan, 2.0), ("weibull", 1.7, 2.5), ("gamma", 2.2, 0.8),
    ("lognormal", 0.7, 1.4),
])  # fmt: skip
def test_the_family_and_its_parameters_are_found(family, shape, scale):
    """20,000 bouts, late entry and censoring: within 4 standard errors or so, and chosen."""
    rng = np.random.default_rng(8)
    one = lifetimes.Lifetime(family, shape, scale, 0.0, 2)
    truth = one.frozen().rvs(60_000, random_state=rng)
    entry = np.maximum(rng.uniform(-2, 2, len(truth)), 0.0)
    limit = entry + rng.uniform(0.2, 6, len(truth))
    seen = truth > entry
    duration, event = np.minimum(truth, limit)[seen], (truth <= limit)[seen]
    fits = lifetimes.fit_lifetimes(grouped(duration, event, entry[seen]).sum())
    chosen = lifetimes.best(fits)
    if family == "exponential":  # nested in two others, which may win by a hair
        chosen = next(f for f in fits if f.family == family)
        assert chosen.aic < lifetimes.best(fits).aic + 4
    assert chosen.family == family
    assert chosen.scale == pytest.approx(scale, rel=0.03)
    if family != "exponential":
        assert chosen.shape == pytest.approx(shape, rel=0.03)


def test_leaving_a_group_out_is_a_subtraction(bouts):
    duration, event, group = bouts
    every = grouped(duration, event, group=group, n=6)
    keep = group != 2
    own = grouped(duration[keep], event[keep]).sum()
    found = lifetimes.fit_lifetime("gamma", every.sum(without=2))
    expected = lifetimes.fit_lifetime("gamma", own)
    assert (found.shape, found.scale) == pytest.approx((expected.shape, expected.scale), rel=1e-5)


@pytest.mark.parametrize("duration", [[1.0] * 50, [1.0, 2.0, 3.0]])
def test_too_few_or_equal_bouts_have_no_distribution(duration):
    data = grouped(np.array(duration), np.ones(len(duration), bool)).sum()
    assert lifetimes.fit_lifetimes(data) == [] and lifetimes.best([]) is None


@pytest.mark.parametrize("x", [400.0, 800.0, 5000.0])
@pytest.mark.parametrize("shape", [0.3, 1.0, 6.0])
def test_gamma_tail_beyond_what_floats_hold(x, shape):
    """Against the derivative: the hazard far out is 1/scale less (shape - 1)/x."""
    _, survival_of = lifetimes.FAMILIES["gamma"]
    tail = survival_of(np.array([x, x + 1e-3]), shape, 1.0)
    hazard = -(tail[1] - tail[0]) / 1e-3
    assert hazard == pytest.approx(1 - (shape - 1) / x, rel=1e-3)
