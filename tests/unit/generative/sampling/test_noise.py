import numpy as np
import pytest

from generative.sampling.noise import fit_noise


@pytest.fixture
def residual(rng):
    """Two correlated numbers: a smooth one, and white noise; larger in action 1."""
    n, t = 1500, 40
    smooth = np.zeros((n, t))
    smooth[:, 0] = rng.normal(size=n)
    for k in range(1, t):
        smooth[:, k] = 0.9 * smooth[:, k - 1] + np.sqrt(1 - 0.81) * rng.normal(size=n)
    white = rng.normal(size=(n, t)) * 0.3
    action = rng.integers(0, 2, n)
    rest = (
        np.stack((smooth + white, smooth - white), axis=2) * np.where(action, 2, 1)[:, None, None]
    )
    conditions = np.stack((action, np.zeros(n, int), np.zeros(n, int)), axis=1)
    return rest, conditions, rng.normal(size=(n, 3))


def test_noise_has_the_spectrum_and_size_of_residuals(residual):
    rest, conditions, z = residual
    noise = fit_noise(rest, np.ones(rest.shape[:2], bool), z, conditions, (2, 1, 1))
    made = noise.draw(z, conditions, 40, np.random.default_rng(1))
    for x in (made, rest):
        together = x.sum(axis=2)
        assert np.corrcoef(together[:, 10], together[:, 11])[0, 1] == pytest.approx(0.9, abs=0.06)
        apart = x[..., 0] - x[..., 1]
        assert np.corrcoef(apart[:, 10], apart[:, 11])[0, 1] == pytest.approx(0, abs=0.1)
    for action in (0, 1):
        own = conditions[:, 0] == action
        assert made[own].std() == pytest.approx(rest[own].std(), rel=0.1)


def test_frames_beyond_the_end_do_not_count(residual):
    rest, conditions, z = residual
    mask = np.broadcast_to(np.arange(40) < 25, rest.shape[:2])
    spoiled = np.where(mask[:, :, None], rest, 1e3)
    a = fit_noise(spoiled, mask, z, conditions, (2, 1, 1))
    b = fit_noise(np.where(mask[:, :, None], rest, 0), mask, z, conditions, (2, 1, 1))
    assert np.array_equal(a.root, b.root) and np.isfinite(a.root).all()


def test_what_runs_along_the_body_in_waves_does_so_again(rng):
    phase = rng.uniform(0, 2 * np.pi, (2000, 1))
    wave = np.sin(phase + np.arange(20))
    rest = np.stack((wave, np.roll(wave, 3, axis=1)), axis=2)[:, 3:]  # three frames later
    n = len(rest)
    z, conditions = rng.normal(size=(n, 2)), np.zeros((n, 3), int)
    noise = fit_noise(rest, np.ones(rest.shape[:2], bool), z, conditions, (1, 1, 1))
    made = noise.draw(z, conditions, rest.shape[1], rng)
    np.testing.assert_allclose(made[:, 3:, 1], made[:, :-3, 0], atol=0.05)


def test_mirrored_larvae_have_the_same_noise(rng):
    n = 400
    rest = rng.normal(size=(n, 5, 4))  # an angle, a log length, the way forward and to the left
    rest[..., 0] = rest[..., 1] + 0.1 * rest[..., 0]  # left bends go with long segments
    rest[..., 3] = rest[..., 0]
    z, conditions = rng.normal(size=(n, 2)), np.zeros((n, 3), int)
    there = np.ones((n, 5), bool)
    root = fit_noise(rest, there, z, conditions, (1, 1, 1), twins=True).root[0].reshape(-1, 20)
    covariance = (root.T @ root).reshape(5, 4, 5, 4)
    assert np.abs(covariance[:, 0, :, 1]).max() < 1e-5
    assert covariance[0, 0, 0, 3] > 0.5
