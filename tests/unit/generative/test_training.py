"""Training: collapse and its cure, resuming to the same bits, diverging, several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.batches import Augmentation, Batches
from generative.checkpoints import load_model, read_checkpoint
from generative.config import Config, make_config, report_config
from generative.training import describe, train
from larvastats.errors import DataError

SMALL = {"width": 32, "heads": 2, "layers": 1, "latent": 16}
PLAIN = {**SMALL, "body": False}


def small(loss: str = "calibrated", **training: Any) -> Config:
    return make_config({
        "model": {"name": "transformer_vae", "preset": "tiny", "options": PLAIN},
        "loss": {"name": loss},
        "training": {"epochs": 4, "batch_size": 32, "learning_rate": 3e-3, **training},
    })  # fmt: skip


def report(loss: str, kl: str, epochs: int) -> Config:
    whole = report_config(loss, kl, "tiny", epochs=epochs, batch_size=32).model_dump()
    whole["model"]["options"] = {**SMALL, "feedforward": 2, "dropout": 0.0}
    return make_config(whole)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors, _, _ = read_checkpoint(folder / "last.safetensors")
    return {name: value for name, value in tensors.items() if name.startswith("model.")}


def test_report_plain_collapses_because_its_decoder_variance_tops_the_data(
    sequences, alone, tmp_path: Path
) -> None:
    """Why the report's first loss learns nothing about a sequence.

    MSE + KL is, times D/2, the loss of a Gaussian decoder of variance D/2 (D numbers per sequence).
    A linear VAE uses a direction of the data only if its variance is above the decoder's (Lucas et
    al. 2019, theorem 1). Here D/2 is 600, and the largest of all directions has far less.
    """
    description = describe(sequences, report("report_plain", "sum", 3))
    rows = sequences.fold("train")
    flat = description.normaliser.apply(sequences.frames[rows]).reshape(len(rows), -1)
    half = flat.shape[1] / 2
    largest = np.linalg.svd(flat - flat.mean(0), compute_uv=False)[0] ** 2 / len(rows)
    assert half == 600
    assert largest < half  # nothing is worth a nat

    last = train(sequences, report("report_plain", "sum", 8), tmp_path, alone).rows[-1]
    assert last["active_units"] == last["used_dimensions"] == 0
    assert last["nats"] < 0.05
    # given the true frames the decoder copies the last one, and its loss looks fine ...
    assert last["mse"] < 0.5
    # ... but on its own it knows nothing of the sequence, and another's latent is as good
    assert last["r2"] < 0.4
    assert abs(last["r2"] - last["r2_shuffled"]) < 0.02


def test_with_the_calibrated_loss_the_same_sequences_use_the_latent(
    sequences, alone, tmp_path: Path
) -> None:
    last = train(sequences, small(epochs=8), tmp_path, alone).rows[-1]
    assert last["used_dimensions"] >= 8
    assert last["active_units"] >= 8
    assert last["r2"] > 0.4
    assert last["r2_shuffled"] < 0.1


@pytest.mark.parametrize(("kl", "variance"), [("sum", 60.0), ("mean", 60.0 / 16)])
def test_report_warmup_under_both_readings_of_its_divergence(
    kl: str, variance: float, sequences, alone, tmp_path: Path
) -> None:
    """Averaged over 16 dimensions, the decoder's variance is 16 times smaller than summed."""
    config = report("report_warmup", kl, 3)
    beta = 0.1 / (16 if kl == "mean" else 1)
    assert variance == pytest.approx(1200 * beta / 2)
    last = train(sequences, config, tmp_path, alone).rows[-1]
    assert last["beta"] == pytest.approx(0.015)
    assert np.isfinite(last["loss"])
    # averaged, the latent costs little and is used in these first steps (until the decoder has
    # learned to copy); what is decoded freely is poor either way
    assert last["nats"] > (1.0 if kl == "mean" else 0.0)
    assert last["r2"] < 0.6


def test_a_killed_training_goes_on_to_the_same_bits(sequences, alone, tmp_path: Path) -> None:
    config = report("report_warmup", "mean", 4)
    with_dropout = config.model_dump()
    with_dropout["model"]["options"]["dropout"] = 0.1
    config = make_config(with_dropout)
    whole = train(sequences, config, tmp_path / "whole", alone)
    train(sequences, config, tmp_path / "pieces", alone, until=2)
    again = train(sequences, config, tmp_path / "pieces", alone)
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "pieces")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    for one, other in zip(whole.rows, again.rows, strict=True):
        assert {**one, "sequences_per_second": 0} == {**other, "sequences_per_second": 0}


def test_what_a_training_writes(sequences, alone, tmp_path: Path) -> None:
    state = train(sequences, small(), tmp_path, alone)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "last.safetensors", "log.csv", "log.json", "losses.png", "model.safetensors",
    ]  # fmt: skip
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert len(lines) == 5 and lines[0].startswith("epoch,step,loss,mse,kl,beta,velocity")
    log = json.loads((tmp_path / "log.json").read_text())
    assert len(log["epochs"][0]["kl_per_dimension"]) == 16
    assert log["data"] == sequences.checksum
    model, description = load_model(tmp_path)
    assert description.genotypes == ("A@UAS", "B@UAS")
    assert description.dt == pytest.approx(0.1)
    batch = Batches(sequences, sequences.fold("validation"), description.normaliser,
                    torch.device("cpu")).take(np.arange(5))  # fmt: skip
    with torch.no_grad():
        rest = (model.reconstruct(batch) - batch.x)[batch.mask]
    assert float(rest.square().mean()) < 0.8
    assert state.best == min(row["validation_loss"] for row in state.rows)


def test_patience_ends_a_training(sequences, alone, tmp_path: Path) -> None:
    # so small a rate changes no weight: no epoch is better than the first
    config = small(epochs=30, patience=2, patience_from=1, learning_rate=1e-30, warmup=0.0)
    state = train(sequences, config, tmp_path, alone)
    assert state.stopped
    assert state.epoch == 3
    again = train(sequences, config, tmp_path, alone)
    assert again.epoch == state.epoch


def test_a_diverging_loss_is_a_sentence_and_leaves_nothing(
    sequences, alone, tmp_path: Path
) -> None:
    config = small("report_plain", learning_rate=1e8, clip=0.0, warmup=0.0, schedule="constant")
    with pytest.raises(DataError, match=r"diverges; lower learning_rate .* nothing was written"):
        train(sequences, config, tmp_path / "run", alone)
    assert not (tmp_path / "run").exists()


def test_frames_that_are_no_numbers_are_refused(sequences, alone, tmp_path: Path) -> None:
    from dataclasses import replace

    frames = np.array(sequences.frames)
    frames[3, 2, 1] = np.nan
    with pytest.raises(DataError, match="finite numbers"):
        train(replace(sequences, frames=frames), small(), tmp_path / "run", alone)
    assert not (tmp_path / "run").exists()


def test_other_data_or_settings_do_not_go_on(sequences, alone, tmp_path: Path) -> None:
    from dataclasses import replace

    train(sequences, small(), tmp_path, alone, until=1)
    with pytest.raises(DataError, match="begun with other sequences"):
        train(replace(sequences, checksum="0" * 64), small(), tmp_path, alone)
    with pytest.raises(DataError, match=r"training\.batch_size was 32, now 16"):
        train(sequences, small(batch_size=16), tmp_path, alone)


def test_films_are_asked_for_by_models_of_films(sequences, alone, tmp_path: Path) -> None:
    config = make_config({"model": {"name": "cnn3d_vae", "preset": "tiny"}})
    with pytest.raises(DataError, match=r"expected films .* holds midlines"):
        train(sequences, config, tmp_path, alone)


@pytest.mark.parametrize("name", ["interpolate", "frame_ae", "transition_ae", "lstm_vae"])
def test_the_other_models_train_too(name: str, sequences, alone, tmp_path: Path) -> None:
    config = make_config({"model": {"name": name, "preset": "tiny"},
                          "training": {"epochs": 3, "learning_rate": 3e-3}})  # fmt: skip
    state = train(sequences, config, tmp_path, alone)
    model, _ = load_model(tmp_path)
    assert type(model).__name__.lower() == name.replace("_", "")
    rows = state.rows
    assert len(rows) == (3 if model.TRAINED else 1)
    if model.TRAINED:
        assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert ("nats" in rows[-1]) == (name == "lstm_vae")


def test_batches_from_the_file_are_those_from_memory(sequences) -> None:
    norm = describe(sequences, small()).normaliser
    device, rows = torch.device("cpu"), sequences.fold("train")
    held, read = (Batches(sequences, rows, norm, device, memory) for memory in (1 << 30, 0))
    assert held._held is not None and read._held is None
    places = np.array([200, 3, 77, 3])
    change = Augmentation(np.array([True, False, True, False]), np.eye(4, 3, dtype=bool))
    for a, b in ((held.take(places), read.take(places)),
                 (held.take(places, change), read.take(places, change))):  # fmt: skip
        torch.testing.assert_close(a.x, b.x)
        assert torch.equal(a.mask, b.mask)
        assert torch.equal(a.conditions.genotype, b.conditions.genotype)
    plain, changed = held.take(places), held.take(places, change)
    torch.testing.assert_close(changed.x[0, :, 1::2], -plain.x[0, :, 1::2])
    torch.testing.assert_close(changed.x[1], plain.x[1])
    assert (changed.conditions.action[0], changed.conditions.genotype[1]) == (-1, -1)
    assert changed.conditions.action[3] == plain.conditions.action[3]


TWO = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from generative.config import make_config
from generative.dataset.sequences import read_sequences
from generative.distributed import processes
from generative.training import train
with processes("cpu") as process:
    train(read_sequences(sys.argv[1]), make_config(eval(sys.argv[2])), Path(sys.argv[3]), process)
"""


def test_two_processes_learn_what_one_does(sequences, alone, tmp_path: Path) -> None:
    config = small(epochs=2)
    train(sequences, config, tmp_path / "one", alone)
    script = tmp_path / "two.py"
    script.write_text(TWO)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port",
        str(20_000 + os.getpid() % 10_000), str(script), str(sequences.frames.filename),
        repr(config.model_dump()), str(tmp_path / "two"),
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore",
             "GLOO_SOCKET_IFNAME": "lo"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=2e-4)
