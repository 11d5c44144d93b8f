"""The multinomial logit on counts: against statsmodels on single transitions, and refits."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from larvastats.markov.logit import (
    Clustered,
    aliased,
    delete_one,
    fit_logit,
    information,
    probabilities_of,
    scores,
    unsupported,
    with_prior,
)


def draw(n=1500, k=4, seed=0, clusters=6):
    """Single transitions: design, destination, cluster; and the same counted."""
    rng = np.random.default_rng(seed)
    t, group = np.round(rng.random(n), 1), rng.integers(0, 2, n).astype(float)
    x = np.column_stack([np.ones(n), group, t, group * t])
    beta = np.column_stack([np.zeros(4), rng.normal(0, 0.7, (4, k - 1))])
    cluster = rng.integers(0, clusters, n)
    p = probabilities_of(x, beta)
    to = np.array([rng.choice(k, p=row) for row in p])
    return x, to, cluster


def counted(x, to, cluster, k=4):
    """Patterns of covariates, and the counts of every cluster in each."""
    patterns, at = np.unique(x, axis=0, return_inverse=True)
    at = at.ravel()
    rows, where = np.unique(cluster * len(patterns) + at, return_inverse=True)
    counts = np.zeros((len(rows), k))
    np.add.at(counts, (where.ravel(), to), 1.0)
    return patterns, Clustered(rows % len(patterns), rows // len(patterns), counts,
                               int(cluster.max()) + 1)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_counts_give_what_statsmodels_finds_in_single_transitions(seed):
    x, to, cluster = draw(seed=seed)
    patterns, data = counted(x, to, cluster)
    ours = fit_logit(patterns, data.pooled(len(patterns)))
    theirs = sm.MNLogit(to, x).fit(method="newton", disp=0, tol=1e-13)
    assert ours.converged
    np.testing.assert_allclose(ours.beta[:, 1:], theirs.params, rtol=0, atol=1e-8)
    assert ours.log_likelihood == pytest.approx(theirs.llf, abs=1e-8)


def test_information_is_the_hessian_of_statsmodels():
    x, to, cluster = draw()
    patterns, data = counted(x, to, cluster)
    fit = fit_logit(patterns, data.pooled(len(patterns)))
    p = probabilities_of(patterns, fit.beta)
    n = data.pooled(len(patterns)).sum(axis=1)
    hessian = sm.MNLogit(to, x).hessian(fit.beta[:, 1:].ravel(order="F"))
    np.testing.assert_allclose(information(patterns, n, p[:, 1:]), -hessian, rtol=1e-8, atol=1e-6)


def test_the_reference_does_not_matter():
    x, to, cluster = draw()
    patterns, data = counted(x, to, cluster)
    counts = data.pooled(len(patterns))
    one, two = (fit_logit(patterns, counts, reference=r, prior=4.0) for r in (0, 2))
    np.testing.assert_allclose(one.beta - one.beta[:, [2]], two.beta, atol=1e-8)


def test_scores_of_clusters_sum_to_nothing():
    x, to, cluster = draw()
    patterns, data = counted(x, to, cluster)
    fit = fit_logit(patterns, data.pooled(len(patterns)))
    parts = scores(patterns, probabilities_of(patterns, fit.beta), data, fit.free)
    assert parts.shape == (6, 3, 4) and np.abs(parts).max() > 1
    np.testing.assert_allclose(parts.sum(axis=0), 0.0, atol=1e-7)


@pytest.mark.parametrize("prior", [0.0, 5.0])
def test_leaving_out_a_cluster_is_a_fit_without_it(prior):
    x, to, cluster = draw(clusters=5)
    patterns, data = counted(x, to, cluster)
    counts = data.pooled(len(patterns))
    fit = fit_logit(patterns, counts, prior=prior)
    found = delete_one(fit, patterns, data, prior)
    weighted = with_prior(counts, prior) if prior else counts
    for c, (pattern, own) in enumerate(data):
        rest = weighted.copy()
        np.subtract.at(rest, pattern, own)
        np.testing.assert_allclose(found[c], fit_logit(patterns, rest).beta, atol=2e-3)


def test_a_cluster_that_holds_a_destination_entire():
    """Without it the destination is gone: its odds fall, and nothing else moves."""
    x, to, cluster = draw(clusters=5)
    to = np.where((to == 3) & (cluster != 2), 1, to)
    patterns, data = counted(x, to, cluster)
    fit = fit_logit(patterns, data.pooled(len(patterns)), prior=4.0)
    found = delete_one(fit, patterns, data, 4.0)
    whole = probabilities_of(patterns, fit.beta)
    assert (probabilities_of(patterns, found[2])[:, 3] < 0.2 * whole[:, 3]).all()
    assert np.abs(probabilities_of(patterns, found[0]) - whole).max() < 0.1


def test_a_separated_destination_stays_finite_and_is_named_empty():
    x, to, cluster = draw()
    to = np.where((x[:, 1] == 1) & (to == 3), 0, to)  # the second group never takes it
    patterns, data = counted(x, to, cluster)
    counts = data.pooled(len(patterns))
    fit = fit_logit(patterns, counts, prior=4.0)
    assert fit.converged and np.abs(fit.beta).max() < 15
    empty = unsupported(fit, patterns, counts.sum(axis=1))
    # group and its slope against the reference, of this destination alone
    np.testing.assert_array_equal(empty, [[False] * 4, [False] * 4, [False, True, False, True]])


def test_powers_of_time_are_no_reason_for_blanks():
    x, to, cluster = draw(n=600)
    x = np.column_stack([x[:, 0], x[:, 2], x[:, 2] ** 2, x[:, 2] ** 3])
    patterns, data = counted(x, to, cluster)
    counts = data.pooled(len(patterns))
    assert not unsupported(fit_logit(patterns, counts), patterns, counts.sum(axis=1)).any()


def test_destinations_that_a_row_cannot_have():
    rng = np.random.default_rng(3)
    start = np.repeat([0, 1, 2], 5)
    allowed = start[:, None] != np.arange(3)[None, :]
    x = np.column_stack([np.ones(15), np.tile(np.arange(5.0), 3)])
    counts = rng.poisson(30, (15, 3)) * allowed
    fit = fit_logit(x, counts, allowed=allowed)
    p = probabilities_of(x, fit.beta, allowed)
    assert (p[~allowed] == 0).all() and fit.converged
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    # score equations: observed and expected agree in every column
    away = counts - counts.sum(axis=1, keepdims=True) * p
    np.testing.assert_allclose((x.T @ away)[:, fit.free], 0.0, atol=1e-6)


def test_aliased_columns_come_after_those_they_repeat():
    t = np.linspace(0, 1, 20)
    x = np.column_stack([np.ones(20), t, 1 - t, t**2, 3 * np.ones(20)])
    np.testing.assert_array_equal(aliased(x), [False, False, True, False, True])


@given(st.integers(0, 1000), st.floats(0.1, 20))
def test_prior_counts_keep_shares_and_add_what_they_say(seed, weight):
    counts = np.random.default_rng(seed).poisson(2.0, (6, 3)) + 0.0
    counts[0, 0] += 1
    more = with_prior(counts, weight)
    assert more.sum() == pytest.approx(counts.sum() + weight)
    np.testing.assert_allclose(
        more.sum(axis=0) / more.sum(), counts.sum(axis=0) / counts.sum(), atol=1e-12
    )
    assert (more >= counts).all() and (more[counts.sum(axis=1) == 0] == 0).all()
