import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn")

from generative.sampling.prior import fit_prior
from larvastats.errors import DataError, UsageError


@pytest.fixture
def latents(rng):
    """Two actions apart, two genotypes less apart, the first action in two lumps."""
    action, genotype = rng.integers(0, 2, 1200), rng.integers(0, 2, 1200)
    z = rng.normal(size=(1200, 4)) * 0.3
    z[:, 0] += 4 * action
    z[:, 1] += 1.0 * genotype
    z[:, 2] += np.where(action == 0, rng.choice((-3, 3), 1200), 0)
    return z, np.stack((action, genotype, np.zeros(1200, int)), axis=1)


def drawn(prior, condition, n=2000, temperature=1.0):
    return prior.draw(np.tile(condition, (n, 1)), temperature, np.random.default_rng(1))


def test_conditions_get_what_is_theirs(latents):
    prior = fit_prior(*latents)
    for action in (0, 1):
        for genotype in (0, 1):
            z = drawn(prior, (action, genotype, 0))
            assert z[:, 0].mean() == pytest.approx(4 * action, abs=0.15)
            assert z[:, 1].mean() == pytest.approx(genotype, abs=0.15)
    lumps = drawn(prior, (0, 0, 0))[:, 2]
    assert (np.abs(lumps) < 1.5).mean() < 0.05  # one Gaussian would have a third there


def test_one_gaussian_fills_the_gap(latents):
    lumps = drawn(fit_prior(*latents, kind="gaussian"), (0, 0, 0))[:, 2]
    assert (np.abs(lumps) < 1.5).mean() > 0.2


def test_a_genotype_keeps_its_own_spread(rng):
    genotype = rng.integers(0, 2, 2000)
    z = rng.normal(size=(2000, 3)) * np.where(genotype, 0.5, 1.5)[:, None]
    conditions = np.stack((np.zeros(2000, int), genotype, np.zeros(2000, int)), axis=1)
    prior = fit_prior(z, conditions)
    spread = [drawn(prior, (0, g, 0)).std() for g in (0, 1)]
    assert spread == pytest.approx([1.5, 0.5], rel=0.2)


def test_unseen_and_open_conditions_take_wider_ones(latents):
    prior = fit_prior(*latents)
    assert prior.key_for(0, 1, 3) == (0, 1, -1)
    assert prior.key_for(1, 7, 0) == (1, -1, -1)
    assert prior.key_for(-1, -1, -1) == prior.key_for(5, 0, 0) == (-1, -1, -1)


def test_the_same_seed_gives_the_same(latents):
    first, second = (drawn(fit_prior(*latents, seed=3), (0, 0, 0)) for _ in range(2))
    assert np.array_equal(first, second)


def test_without_temperature_only_middles_are_left(latents):
    z = drawn(fit_prior(*latents), (0, 0, 0), temperature=0.0)
    assert len(np.unique(z.round(6), axis=0)) <= 32


def test_twins_make_both_sides_alike(rng):
    z = rng.normal(size=(400, 3)) + np.array([2, 0, 0])
    prior = fit_prior(z, np.zeros((400, 3), int), twins=z * [-1, 1, 1])
    assert drawn(prior, (0, 0, 0))[:, 0].mean() == pytest.approx(0, abs=0.25)


def test_standard_is_standard(latents):
    z = drawn(fit_prior(*latents, kind="standard"), (0, 0, 0))
    assert z.mean() == pytest.approx(0, abs=0.05) and z.std() == pytest.approx(1, abs=0.05)


def test_what_cannot_be():
    with pytest.raises(UsageError, match="mixture, gaussian, standard"):
        fit_prior(np.zeros((99, 2)), np.zeros((99, 3), int), kind="flow")
    with pytest.raises(DataError, match="at least 60 training sequences"):
        fit_prior(np.zeros((9, 2)), np.zeros((9, 3), int))
