"""Which models can be drawn from."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.config import make_config
from generative.sampling.sampler import fit_sampler
from generative.training import describe
from larvastats.errors import DataError, UsageError


def description_of(sequences, name):
    return describe(sequences, make_config({"model": {"name": name, "preset": "tiny"}}))


@pytest.mark.parametrize("name", ["lstm_vae", "transformer_vae_report", "transformer_vae"])
def test_models_with_a_latent_per_sequence(sequences, name):
    description = description_of(sequences, name)
    sampler = fit_sampler(description.build(), description, sequences)
    conditions = np.tile(sampler.population.conditions[0], (7, 1))
    x = sampler.sample(conditions, seed=1)
    assert x.shape == (7, 50, 24) and np.isfinite(x).all()
    assert not np.array_equal(x, sampler.sample(conditions, seed=2))
    with pytest.raises(UsageError, match="kind genotype"):
        sampler.sample(conditions + np.array([0, 99, 0]))


@pytest.mark.parametrize("name", ["frame_ae", "transition_ae", "interpolate"])
def test_models_without_one(sequences, name):
    description = description_of(sequences, name)
    with pytest.raises(DataError, match="nothing can be drawn from it"):
        fit_sampler(description.build(), description, sequences)


def test_sequences_of_another_training(sequences, trained):
    from generative.dataset.sequences import read_sequences

    description = description_of(sequences, "transformer_vae")
    with pytest.raises(DataError, match="normalisation"):
        fit_sampler(description.build(), description, read_sequences(trained / "sequences.h5"))
