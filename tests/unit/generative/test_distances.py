import numpy as np
import pytest

from generative.distances import (
    copying_ratio,
    density_coverage,
    frechet_distance,
    kernel_distance,
    nearest_distance,
)


def test_frechet_distance_of_known_gaussians():
    # samples with exact moments: mean difference 3, covariances diag(1, 4) and diag(9, 4)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    x = np.linalg.solve(np.linalg.cholesky(np.cov(x, rowvar=False)), (x - x.mean(axis=0)).T).T
    a, b = x * [1, 2], x * [3, 2] + [3, 0]
    assert frechet_distance(a, b) == pytest.approx(9 + (3 - 1) ** 2, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


def test_kernel_distance_is_the_double_sum():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(9, 3)) + 1

    def k(x, y):
        return (x @ y / 3 + 1) ** 3

    within = [np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
              for x in (a, b)]  # fmt: skip
    between = np.mean([k(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * between)


def test_kernel_distance_is_unbiased():
    rng = np.random.default_rng(2)
    found = [kernel_distance(*rng.normal(size=(2, 40, 3))) for _ in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200)


def test_density_and_coverage_by_their_definition():
    rng = np.random.default_rng(3)
    real, fake, k = rng.normal(size=(30, 2)), rng.normal(size=(40, 2)) * 1.5, 5
    radius = [np.sort(np.linalg.norm(real - x, axis=1))[k] for x in real]
    inside = np.array([[np.linalg.norm(f - x) <= r for f in fake]
                       for x, r in zip(real, radius, strict=True)])  # fmt: skip
    density, coverage = density_coverage(real, fake, k)
    assert density == pytest.approx(inside.sum() / (k * len(fake)))
    assert coverage == pytest.approx(inside.any(axis=1).mean())


def test_coverage_sees_a_lost_mode_and_density_a_crowded_one():
    rng = np.random.default_rng(4)
    real = np.vstack((rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 20))
    lost = rng.normal(size=(400, 2))
    assert density_coverage(real, lost)[1] < 0.55
    assert density_coverage(real, real * 0.2 + 0)[0] != pytest.approx(1, abs=0.2)


def test_copies_are_found():
    rng = np.random.default_rng(5)
    training, held_out = rng.normal(size=(300, 8)), rng.normal(size=(100, 8))
    copies = training[:100] + rng.normal(size=(100, 8)) * 0.01
    assert copying_ratio(copies, held_out, training) < 0.05
    assert copying_ratio(rng.normal(size=(100, 8)), held_out, training) == pytest.approx(1, abs=0.1)
    assert nearest_distance(training[:3], training) == pytest.approx(0, abs=1e-6)
