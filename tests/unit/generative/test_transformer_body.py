"""The default model in body coordinates: where it starts, and that it comes back from disk."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.batches import Batches
from generative.checkpoints import load_model
from generative.config import make_config
from generative.dataset.sequences import read_sequences
from generative.evaluation import evaluate
from generative.models import Conditions
from generative.training import describe


def test_it_starts_as_pca_and_keeps_what_that_knows(trained, alone):
    sequences = read_sequences(trained / "sequences.h5")
    model, description = load_model(trained)
    held_out = Batches(sequences, sequences.fold("validation"), description.normaliser,
                       alone.device)  # fmt: skip
    found = evaluate(model, held_out, description.config.loss, 0)
    fresh = make_config({"model": {"preset": "tiny", "options": {"body": False}}})
    plain = describe(sequences, fresh).build().eval()
    assert found["r2"] > 0.9 > 0.5 > evaluate(plain, held_out, fresh.loss, 0)["r2"]
    assert found["r2_shuffled"] < 0.1
    assert found["active_units"] >= 60


def test_every_output_is_a_body(trained):
    model, description = load_model(trained)
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(8, 64)).astype(np.float32)) * 3
    code = torch.zeros(8, dtype=torch.int64)
    with torch.no_grad():
        x = model.decode(z, Conditions(code, code, code)).numpy()
        longer = model.decode(z, Conditions(code, code, code), 70)
    frames = description.normaliser.invert(x)
    points = frames[..., :-2].reshape(8, 50, 11, 2)
    assert np.abs(points.mean(axis=2)).max() < 1e-5
    lengths = np.linalg.norm(np.diff(points, axis=2), axis=-1).sum(axis=2)
    assert lengths.min() > 0.5 and lengths.max() < 1.6
    assert longer.shape == (8, 70, 24) and torch.isfinite(longer).all()


def test_a_second_training_starts_in_the_same_place(trained, alone, tmp_path):
    from generative.training import train

    sequences = read_sequences(trained / "sequences.h5")
    _, description = load_model(trained)
    train(sequences, description.config, tmp_path, alone)
    first, second = (load_model(folder)[0].state_dict() for folder in (trained, tmp_path))
    assert all(torch.equal(first[name], second[name]) for name in first)
