"""Bands of pooled transition probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from larvastats.inference.transitions.bands import add_up, probability_bands, replicates


def draw(n=8, seed=0):
    rng = np.random.default_rng(seed)
    p = np.array([[0, 0.6, 0.4], [0.9, 0, 0.1], [0.5, 0.5, 0]])
    return rng.multinomial(rng.poisson(40, (n, 2, 3)), p).astype(float)


def limits(counts, seed=0, resamples=2000):
    return probability_bands(counts, resamples, np.random.default_rng(seed))


def test_bands_are_those_of_a_ratio_of_means():
    """The bootstrap estimates the linearised standard error, on the logit scale."""
    from scipy import stats

    counts = draw(seed=1)
    low, high = limits(counts, resamples=20_000)
    n = counts.sum(axis=-1)
    p = counts.sum(axis=0) / n.sum(axis=0)[..., None]
    away = counts - p * n[..., None]
    error = np.sqrt(8 / 7 * (away**2).sum(axis=0)) / n.sum(axis=0)[..., None]
    inside = (p > 0) & (p < 1)
    half = stats.t.ppf(0.975, 7) * error[inside] / (p * (1 - p))[inside]
    eta = np.log(p[inside] / (1 - p[inside]))
    np.testing.assert_allclose(np.log(high / (1 - high))[inside] - eta, half, rtol=0.1)
    np.testing.assert_allclose(eta - np.log(low / (1 - low))[inside], half, rtol=0.1)
    assert np.isnan(low[~inside]).all() and np.isnan(high[~inside]).all()


def test_chunks_do_not_matter(monkeypatch):
    counts = draw()
    whole = limits(counts)
    monkeypatch.setattr("larvastats.inference.transitions.bands.CHUNK", 1)
    np.testing.assert_array_equal(np.array(whole), np.array(limits(counts)))


@pytest.mark.parametrize("counts", [draw(n=1), draw(n=0), draw() * 0])
def test_nothing_to_resample_gives_no_band(counts):
    low, high = limits(counts)
    assert low.shape == (2, 3, 3) and np.isnan(low).all() and np.isnan(high).all()


def test_without_resamples_no_band():
    assert np.isnan(np.array(limits(draw(), resamples=0))).all()


def test_replicates_are_genotypes_on_dates():
    genotype = np.array(["a", "a", "a", "b", "b"], dtype=object)
    dates = np.array(["1", "1", "2", "1", None], dtype=object)
    found = replicates(genotype, dates)
    assert len(set(found)) == 4 and found[0] == found[1] != found[3]
    assert list(replicates(genotype, None)) == [0, 1, 2, 3, 4]
    counts = np.arange(5.0)[:, None]
    assert list(add_up(counts[:3], found[:3])[:, 0]) == [1.0, 2.0]
