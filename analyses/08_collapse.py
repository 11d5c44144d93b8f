"""The earlier study's posterior collapse, and its cure step by step.

    python analyses/08_collapse.py OUT [--seeds 3] [--epochs 15]

Moving larvae of two genotypes are simulated; its transformer is trained with each of its losses,
then one thing after the other is changed until it is the default model. Preset tiny, 64 latents,
the same sequences throughout, every training from several seeds. A training that is in OUT already
is not repeated. About 13 minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generative.checkpoints import load_model
from generative.config import REPORT_TRAINING, Config, make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences
from generative.diagnostics.motion import motion
from generative.distances import density_coverage
from generative.distributed import processes
from generative.evaluation import evaluate
from generative.sampling.latents import batches_of, encode
from generative.sampling.sampler import fit_sampler
from generative.training import train
from larvastats.plot.style import FAINT, INK, MUTED, context
from larvastats.verbs.simulate import simulate

EFFECT = {"line": "GMR_SLOW", "kind": "speed", "window": "whole", "delta": 0.6}
COUNTS = (640, 48, 300)
"""Sequences to train on, to watch while training, and to measure on at the end; by plates."""

OLD = {"latent": 64, "feedforward": 2}
"""Of the earlier model; its feed-forward layers are a quarter of the preset's, for speed."""

PLAIN = {"latent": 64, "body": False}
REPORT = {**REPORT_TRAINING, "patience": 0}
STEPS: dict[str, dict[str, Any]] = {
    "report_plain, KL summed": {"loss": {"name": "report_plain"}},
    "report_plain, KL averaged": {"loss": {"name": "report_plain", "kl": "mean"}},
    "report_warmup, KL summed": {"loss": {"name": "report_warmup"}},
    "report_warmup, KL averaged": {"loss": {"name": "report_warmup", "kl": "mean"}},
    "calibrated loss": {"loss": {"beta_warmup": 0.3}},
    "decoder without true frames": {"loss": {"beta_warmup": 0.3}, "options": PLAIN},
    "AdamW, rate up and down, clipping": {
        "loss": {"beta_warmup": 0.3}, "options": PLAIN, "training": {}},
    "body coordinates (default)": {
        "loss": {"beta_warmup": 0.0}, "options": {"latent": 64, "body": True}, "training": {}},
}  # fmt: skip
"""What is trained. Each of the last four keeps what the one before it changed."""

DRAWN = tuple(STEPS)[-2:]
NUMBERS = {"active_units": ("active units of 64", 0), "nats": ("KL, nats", 1),
           "r2": ("free-running R²", 2), "r2_shuffled": ("with another's latent", 2)}  # fmt: skip
"""What is told of every training, with how many digits."""

COLOURS = ("#b2182b", "#ef8a62", "#762a83", "#af8dc3", "#8c6d31", "#67a9cf", "#2166ac", "#1b7837")


def configured(step: dict[str, Any], epochs: int, seed: int) -> Config:
    """Return the configuration of a training."""
    own = "options" in step
    return make_config({
        "model": {"name": "transformer_vae" if own else "transformer_vae_report", "preset": "tiny",
                  "options": step.get("options", OLD)},
        "loss": step["loss"],
        "training": {**step.get("training", REPORT), "epochs": epochs, "batch_size": 32,
                     "seed": seed},
    })  # fmt: skip


def larvae(out: Path) -> Sequences:
    """Simulate, index, draw; what is there already is opened."""
    path = out / "sequences.h5"
    if not path.exists():
        simulate(
            out / "recordings", protocol="light", lines=["GMR_SLOW"], assays_per_line=6,
            control_assays_per_date=3, dates=2, larvae=32, effects=[EFFECT], format="trx",
            shapes="midline", fps=10, seed=11,
        )  # fmt: skip
        build_index(out / "recordings", out / "index.h5")
    return build_sequences(
        read_index(out / "index.h5"), path, Draw(COUNTS, "run=0.6,cast=0.35,back=0.05")
    )


def measured(folder: Path, sequences: Sequences) -> dict[str, Any]:
    """Measure the kept model of a training on plates that it never saw."""
    model, description = load_model(folder)
    held_out = batches_of(sequences, description, sequences.fold("test"))
    return evaluate(model, held_out, description.config.loss, 0)


def drawn(folder: Path, sequences: Sequences, kind: str) -> tuple[float, float]:
    """Density and coverage of sequences drawn under the conditions of held-out ones.

    In the space of the motion of a sequence; every number of it in its own standard deviations.
    """
    model, description = load_model(folder)
    sampler = fit_sampler(model, description, sequences, kind=kind)
    real = encode(model, batches_of(sequences, description, sequences.fold("test")))
    made = sampler.sample(real.conditions)
    norm = description.normaliser
    a, b = (motion(norm.invert(x), real.mask, description.dt) for x in (real.x, made))
    return density_coverage((a - a.mean(0)) / a.std(0), (b - a.mean(0)) / a.std(0))


def summary(values: list[float], digits: int = 2) -> str:
    """Mean, and the range over seeds."""
    mean, low, high = (f"{x:.{digits}f}" for x in (np.mean(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"


def draw(rows: dict[str, list[list[dict[str, Any]]]]) -> Figure:
    """Draw KL divergence and free-running R² over epochs; a line per step, its range over seeds."""
    with context():
        figure = Figure(figsize=(7.6, 6.4), layout="constrained")
        axes = figure.subplots(2, 1, sharex=True)
        for (name, runs), colour in zip(rows.items(), COLOURS, strict=True):
            _course(axes[0], runs, "nats", name, colour)
            _course(axes[1], runs, "r2", name, colour)
        axes[0].set_yscale("symlog", linthresh=0.1)
        axes[0].set_ylim(bottom=0)
        axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes[0].set_title("KL divergence of the posterior, nats", loc="left")
        axes[1].set_ylim(-1.5, 1.02)
        axes[1].axhline(0, color=MUTED, linewidth=0.8)
        axes[1].set_title("free-running R² (below −1.5 cut off)", loc="left")
        axes[1].set_xlabel("epoch")
        for axis in axes:
            axis.grid(axis="y", color=FAINT, linewidth=0.6)
            axis.set_axisbelow(True)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, labelcolor=INK)
    return figure


def _course(axis: Axes, runs: list[list[dict[str, Any]]], key: str, name: str, colour: str) -> None:
    values = np.array([[row[key] for row in run] for run in runs])  # (seed, epoch)
    epochs = np.arange(1, values.shape[1] + 1)
    axis.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)
    axis.plot(epochs, values.mean(0), color=colour, label=name, linewidth=1.5)


def main(out: Path, seeds: int, epochs: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    sequences = larvae(out)
    rows: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in STEPS}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in STEPS}
    with processes("cpu") as process:
        for seed in range(seeds):
            for k, (name, step) in enumerate(STEPS.items()):
                folder = out / f"{k}_{seed}"
                config = configured(step, epochs, seed)
                rows[name].append(train(sequences, config, folder, process).rows)
                found[name].append(measured(folder, sequences))
    (out / "numbers.json").write_text(json.dumps(found, indent=1))
    print("| |", " | ".join(name for name, _ in NUMBERS.values()), "|")
    print("|---|" + "---:|" * len(NUMBERS))
    for name, own in found.items():
        cells = [summary([one[key] for one in own], digits) for key, (_, digits) in NUMBERS.items()]
        print(f"| {name} |", " | ".join(cells), "|")
    print("\n| drawn from | density | coverage |\n|---|---:|---:|")
    for name in DRAWN:
        for kind in ("standard", "mixture"):
            folders = [out / f"{list(STEPS).index(name)}_{seed}" for seed in range(seeds)]
            pairs = [drawn(folder, sequences, kind) for folder in folders]
            cells = [summary([pair[i] for pair in pairs]) for i in (0, 1)]
            print(f"| {name}, {kind} |", " | ".join(cells), "|")
    draw(rows).savefig(out / "collapse.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.out, given.seeds, given.epochs)
