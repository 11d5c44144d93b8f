"""Use of a latent and R², against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from generative.measures import RSquared, latent_use


def test_an_unused_latent_is_the_prior_and_a_used_one_is_not(rng: np.random.Generator) -> None:
    mean, log_variance = np.zeros((500, 4)), np.zeros((500, 4))
    mean[:, 0] = rng.normal(size=500)  # a posterior of sd 0.3 around a mean that varies
    log_variance[:, 0] = 2 * np.log(0.3)
    mean[:, 1] = 1.0  # always the same: costs nats, tells nothing
    use = latent_use(mean, log_variance)
    assert use.active_units == 1
    assert use.used_dimensions == 2
    expected = 0.5 * (mean[:, 0] ** 2 + 0.09 - 1 - np.log(0.09)).mean()
    assert use.kl == pytest.approx([expected, 0.5, 0, 0])
    assert use.nats == pytest.approx(expected + 0.5)


def test_r_squared_is_the_plain_one_whatever_the_pieces(rng: np.random.Generator) -> None:
    target = rng.normal(size=(20, 8, 3)) * [1, 2, 3] + 5
    made = target + rng.normal(size=target.shape)
    mask = np.arange(8) < rng.integers(2, 9, 20)[:, None]
    score = RSquared(3)
    for part in (slice(0, 7), slice(7, 20)):
        score.add(made[part], target[part], mask[part])
    y, p = target[mask], made[mask]
    plain = 1 - ((y - p) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
    assert score.value == pytest.approx(plain)


def test_the_mean_scores_zero_and_nothing_to_explain_is_no_number() -> None:
    target = np.random.default_rng(0).normal(size=(4, 5, 2))
    score = RSquared(2)
    score.add(np.broadcast_to(target.mean((0, 1)), target.shape), target, np.ones((4, 5), bool))
    assert score.value == pytest.approx(0.0, abs=1e-12)
    flat = RSquared(2)
    flat.add(target, np.ones((4, 5, 2)), np.ones((4, 5), bool))
    assert np.isnan(flat.value)
