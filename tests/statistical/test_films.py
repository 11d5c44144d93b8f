"""The film model on plates that it never saw: films come back, and what it draws are larvae.

Simulated larvae of two genotypes, 30 frames of 128 x 128 pixels, the default model of preset tiny
with 64 latents. Limits are those that a film model has to hold here, not what it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.checkpoints import load_model
from generative.config import make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences
from generative.dataset.windows import Cutting
from generative.distributed import Process
from generative.evaluation import evaluate
from generative.sampling.films import FilmShapes, draw_films, film_latents, film_shapes
from generative.sampling.latents import batches_of
from generative.training import train
from larvastats.verbs.simulate import simulate

ACTIONS = ("run", "cast")


@dataclass(frozen=True)
class Found:
    """What a training came to: losses, held-out IoU, shapes drawn and real by action."""

    losses: np.ndarray
    iou: float
    other: float
    drawn: dict[str, FilmShapes]
    real: dict[str, FilmShapes]


def trained(folder: Path, larvae: int, counts: tuple[int, int, int], epochs: int) -> Found:
    """Simulate plates, train on some, measure on others."""
    simulate(
        folder / "recordings", protocol="light", lines=["GMR_SLOW"], assays_per_line=4,
        control_assays_per_date=2, dates=2, larvae=larvae, format="trx", shapes="contour", fps=10,
        effects=[{"line": "GMR_SLOW", "kind": "speed", "window": "whole", "delta": 0.6}], seed=5,
    )  # fmt: skip
    build_index(folder / "recordings", folder / "index.h5", Cutting(30, 30, 30, images=True))
    index = read_index(folder / "index.h5")
    sequences = build_sequences(index, folder / "films.h5", Draw(counts, "run=0.6,cast=0.4"))
    config = make_config({
        "model": {"name": "cnn3d_vae", "preset": "tiny", "options": {"latent": 64}},
        "training": {"epochs": epochs, "batch_size": 8, "learning_rate": 2e-3},
    })  # fmt: skip
    torch.set_num_threads(1)
    state = train(sequences, config, folder / "run", Process(0, 1, torch.device("cpu")))
    return measured(folder / "run", sequences, np.array([row["loss"] for row in state.rows]))


def measured(run: Path, sequences: Sequences, losses: np.ndarray) -> Found:
    model, description = load_model(run)
    rows = sequences.fold("test")
    found = evaluate(model, batches_of(sequences, description, rows), description.config.loss, 0)
    real = np.unpackbits(np.asarray(sequences.frames[rows]), axis=-1) == 0
    real = real.reshape(len(rows), 30, 128, 128)
    conditions = np.stack([np.asarray(column)[rows].astype(np.int64) for column in (
        sequences.action, sequences.genotype, sequences.stimulus)], axis=1)  # fmt: skip
    drawn = draw_films(model, film_latents(model, description, sequences), conditions)
    own = {name: conditions[:, 0] == sequences.actions.index(name) for name in ACTIONS}
    return Found(
        losses, found["r2"], found["r2_shuffled"],
        {name: film_shapes(drawn[some]) for name, some in own.items()},
        {name: film_shapes(real[some]) for name, some in own.items()},
    )  # fmt: skip


def check(found: Found) -> None:
    assert np.isfinite(found.losses).all()
    assert found.iou >= 0.8
    assert found.other < 0.6  # the latent says which film it is
    for name in ACTIONS:
        usual = found.real[name].area.mean()
        ratio = found.drawn[name].area / usual
        assert found.drawn[name].white == 0
        assert found.drawn[name].whole >= 0.95
        assert 0.8 <= ratio.mean() <= 1.2
        assert (np.abs(ratio - 1) < 0.2).mean() >= 0.85


def test_held_out_films_come_back_and_samples_are_larvae(tmp_path: Path) -> None:
    check(trained(tmp_path, 3, (64, 6, 12), 1))


@pytest.mark.slow
def test_more_films_and_training_bring_more(tmp_path: Path) -> None:
    found = trained(tmp_path, 16, (300, 20, 60), 4)
    check(found)
    assert found.iou >= 0.93
