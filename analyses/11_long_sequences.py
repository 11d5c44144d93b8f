"""Sequences of 200 frames: LSTM against transformers, where the earlier study's LSTM derailed.

    python analyses/11_long_sequences.py OUT [--seeds 2]

Moving larvae of two genotypes are simulated and cut into sequences of 200 frames (20 s). Four
models learn from them, preset tiny; the LSTM and the default model also learn from sequences of 50
frames and are run on to 200. All see held-out plates once, as a latent, and make the frames on
their own: how far are these off, frame by frame, and are they still larvae? A training that is in
OUT already is not repeated. 18 minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from generative.checkpoints import Description, load_model
from generative.config import make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences
from generative.dataset.windows import Cutting
from generative.diagnostics.motion import midlines_of
from generative.distributed import processes
from generative.frames import body_length
from generative.models import Batch, Model
from generative.sampling.latents import batches_of
from generative.training import train
from larvastats.plot.style import FAINT, INK, MUTED, OTHER_COLOURS, context
from larvastats.verbs.simulate import simulate

Array = NDArray[np.float64]

EFFECT = {"line": "GMR_SLOW", "kind": "speed", "window": "whole", "delta": 0.6}
LONG, SHORT = 200, 50
COUNTS = {LONG: (1200, 16, 200), SHORT: (4800, 48, 200)}
"""Sequences to train on, to watch while training, and to measure on; the same number of frames."""

MIX = {LONG: "run=0.97,cast=0.03", SHORT: "run=0.85,cast=0.14,back=0.01"}
"""Near to what there is; no stop, of which held-out plates have too few."""

BLOCKS = tuple((a, a + 50) for a in range(0, LONG, 50))
CLOSE = 0.2
"""A larva's length is its own within this share."""

SIZES = {"latent": 64, "feedforward": 2}
MODELS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "lstm_vae": (LONG, 40, {"name": "lstm_vae", "options": {"latent": 64}}),
    "transformer_vae_report": (LONG, 10, {"name": "transformer_vae_report", "options": SIZES}),
    "transformer_vae, body = false": (
        LONG, 16, {"name": "transformer_vae", "options": {"body": False}}),
    "transformer_vae (default)": (LONG, 6, {"name": "transformer_vae"}),
    "lstm_vae of 50 frames, run on": (
        SHORT, 20, {"name": "lstm_vae", "options": {"latent": 64}}),
    "transformer_vae of 50 frames, run on": (SHORT, 4, {"name": "transformer_vae"}),
}  # fmt: skip
"""Length of the sequences, epochs, and the model. A frame of transformer_vae_report costs most; the
default ends about where it begins."""

COLOURS = dict(zip(MODELS, OTHER_COLOURS, strict=False))


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What is told of every frame; arrays of shape (T,), but `rest` and `around` (T, N)."""

    shape: Array  # body lengths, of a point in the body's own frame
    place: Array  # body lengths, of the centroid
    larvae: Array  # share whose length is a larva's
    speed: Array  # body lengths per frame, mean
    rest: Array  # squared errors, in normalised numbers
    around: Array  # squared deviations of the true ones from their mean

    def r2(self, block: tuple[int, int]) -> float:
        """R² within a block of frames."""
        own = slice(*block)
        return float(1 - self.rest[own].sum() / self.around[own].sum())


def larvae(out: Path, length: int) -> Sequences:
    """Simulate, index, draw; what is there already is opened."""
    if not (out / "recordings").exists():
        simulate(
            out / "recordings", protocol="light", lines=["GMR_SLOW"], assays_per_line=12,
            control_assays_per_date=3, dates=4, larvae=32, effects=[EFFECT], format="trx",
            shapes="midline", fps=10, seed=11,
        )  # fmt: skip
    index = out / f"index_{length}.h5"
    build_index(out / "recordings", index, Cutting(length, length, length))
    what = Draw(COUNTS[length], MIX[length])
    return build_sequences(read_index(index), out / f"sequences_{length}.h5", what)


def plates(sequences: Sequences, fold: str) -> set[str]:
    """Names of the assays of a fold."""
    assays = np.unique(sequences.columns["assay"][sequences.fold(fold)])
    return {sequences.names["assays"][k] for k in assays}


@torch.no_grad()
def run_on(model: Model, description: Description, held_out: Sequences) -> Array:
    """Free-running frames of held-out sequences, body lengths, shape (n, 200, N).

    A model of shorter sequences sees the first frames and is run on to the end.
    """
    assert description.normaliser is not None
    data = batches_of(held_out, description, held_out.fold("test"))
    batch = data.take(np.arange(len(data)))
    seen = description.shape.frames
    start = Batch(batch.x[:, :seen], batch.mask[:, :seen], batch.conditions)
    made = model.decode(model.encode(start).mean, batch.conditions, held_out.frames.shape[1])
    return description.normaliser.invert(made.numpy())


def own_frame(midline: Array) -> Array:
    """Midlines around their mean, tail to middle along +x, frame by frame."""
    rear = midline[..., midline.shape[-2] // 2, :] - midline[..., -1, :]
    angle = np.arctan2(rear[..., 1], rear[..., 0])[..., None]
    x, y = np.moveaxis(midline - midline.mean(axis=-2, keepdims=True), -1, 0)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack((cos * x + sin * y, cos * y - sin * x), axis=-1)


def measured(made: Array, true: Array, scale: Array) -> Course:
    """Compare frames, body lengths, with true ones; both of shape (n, T, N)."""
    a, b = midlines_of(made), midlines_of(true)
    shape = np.sqrt(((own_frame(a) - own_frame(b)) ** 2).sum(-1).mean((0, 2)))
    place = np.sqrt(((a.mean(2) - b.mean(2)) ** 2).sum(-1).mean(0))
    alike = np.abs(body_length(a) - 1) < CLOSE
    speed = np.hypot(made[..., -2], made[..., -1]).mean(0)
    rest = (((made - true) / scale) ** 2).sum(0)
    around = (((true - true.mean((0, 1))) / scale) ** 2).sum(0)
    return Course(shape, place, alike.mean(0), speed, rest, around)


def references(true: Array, scale: Array) -> dict[str, Course]:
    """Return what to compare with: the larvae themselves, and larvae that stand still."""
    still = np.repeat(true[:, :1], true.shape[1], axis=1)
    return {"the held-out larvae": measured(true, true, scale),
            "first frame held": measured(still, true, scale)}  # fmt: skip


def trained(sets: dict[int, Sequences], out: Path, name: str, seed: int) -> Path:
    """Train a model; return its folder."""
    length, epochs, model = MODELS[name]
    folder = out / f"{list(MODELS).index(name)}_{seed}"
    config = make_config({
        "model": {"preset": "tiny", **model}, "loss": {"name": "calibrated"},
        "training": {"epochs": epochs, "batch_size": 16, "seed": seed},
    })  # fmt: skip
    with processes("cpu") as process:
        train(sets[length], config, folder, process)
    return folder


# -- told ------------------------------------------------------------------------------------------


def summary(values: list[float], digits: int) -> str:
    """Mean, and the range over seeds."""
    mean, low, high = (f"{x:.{digits}f}" for x in (np.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


def tables(found: dict[str, list[Course]], real: Course) -> None:
    """Print a table for each number, by block of frames."""
    numbers = {
        "R²": (lambda c, b: c.r2(b), 2),
        "error of a point in the body's frame, body lengths": (
            lambda c, b: float(np.sqrt((c.shape[slice(*b)] ** 2).mean())), 3),
        "error of the centroid's place, body lengths": (
            lambda c, b: float(np.sqrt((c.place[slice(*b)] ** 2).mean())), 2),
        "share of frames that are as long as a larva": (
            lambda c, b: float(c.larvae[slice(*b)].mean()), 2),
        "speed / real": (
            lambda c, b: float(c.speed[slice(*b)].mean() / real.speed[slice(*b)].mean()), 2),
    }  # fmt: skip
    for title, (number, digits) in numbers.items():
        print(f"\n| {title}, frames |", " | ".join(f"{a + 1}–{b}" for a, b in BLOCKS), "|")
        print("|---|" + "---:|" * len(BLOCKS))
        for name, courses in found.items():
            cells = [summary([number(course, block) for course in courses], digits)
                     for block in BLOCKS]  # fmt: skip
            print(f"| {name} |", " | ".join(cells), "|")


def draw(found: dict[str, list[Course]], references: dict[str, Course]) -> Figure:
    """Draw errors and the share of larvae against the frame; a line per model."""
    panels = {"shape": "error of a point in the body's frame, body lengths",
              "place": "error of the centroid's place, body lengths",
              "larvae": "share as long as a larva, within 20%"}  # fmt: skip
    with context():
        figure = Figure(figsize=(7.6, 8.4), layout="constrained")
        axes = figure.subplots(3, 1, sharex=True)
        for axis, (key, title) in zip(axes, panels.items(), strict=True):
            _panel(axis, found, references, key)
            axis.set_title(title, loc="left")
        for axis, low in zip(axes[:2], (3e-3, 3e-2), strict=True):
            axis.set_yscale("log")
            axis.set_ylim(bottom=low)
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes[2].set_ylim(0, 1.02)
        axes[2].set_xlabel("frame (10 per second)")
        axes[2].set_xlim(1, LONG)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, labelcolor=INK)
    return figure


def _panel(axis: Axes, found: dict[str, list[Course]], others: dict[str, Course], key: str) -> None:
    frame = np.arange(1, LONG + 1)
    axis.axvline(SHORT + 0.5, color=MUTED, linewidth=0.8, linestyle=":")
    still = others["first frame held"] if key != "larvae" else others["the held-out larvae"]
    label = "a larva that stands still (below: the held-out larvae)"
    axis.plot(frame, getattr(still, key), color=MUTED, linewidth=1.2, linestyle="--", label=label)
    for name, courses in found.items():
        values = np.array([getattr(course, key) for course in courses])
        style = "-" if MODELS[name][0] == LONG else (0, (4, 1.5))
        axis.fill_between(frame, values.min(0), values.max(0), color=COLOURS[name], alpha=0.15,
                          linewidth=0)  # fmt: skip
        axis.plot(frame, values.mean(0), color=COLOURS[name], linewidth=1.5, linestyle=style,
                  label=name)  # fmt: skip
    axis.grid(axis="y", color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)


def main(out: Path, seeds: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    sets = {length: larvae(out, length) for length in (LONG, SHORT)}
    held_out = sets[LONG]
    assert not plates(held_out, "test") & (plates(sets[SHORT], "train") | plates(held_out, "train"))
    true = np.asarray(held_out.frames[held_out.fold("test")], np.float64)
    found: dict[str, list[Course]] = {name: [] for name in MODELS}
    numbers: dict[str, list[dict[str, Any]]] = {name: [] for name in MODELS}
    scale: Array | None = None
    for seed in range(seeds):
        for name in MODELS:
            folder = trained(sets, out, name, seed)
            model, description = load_model(folder)
            assert description.normaliser is not None
            scale = description.normaliser.scale if scale is None else scale  # the long ones'
            found[name].append(measured(run_on(model, description, held_out), true, scale))
            numbers[name].append(json.loads((folder / "log.json").read_text())["epochs"][-1])
    assert scale is not None
    others = references(true, scale)
    tables({name: [course] for name, course in others.items()} | found,
           others["the held-out larvae"])  # fmt: skip
    print("\n| | KL, nats | active units |\n|---|---:|---:|")
    for name, rows in numbers.items():
        cells = [summary([row[key] for row in rows], 0) for key in ("nats", "active_units")]
        print(f"| {name} |", " | ".join(cells), "|")
    draw(found, others).savefig(out / "long_sequences.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.out, given.seeds)
