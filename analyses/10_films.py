"""The earlier study's films that turned white, and the repair step by step.

    python analyses/10_films.py OUT [--seeds 2] [--epochs 5]

Moving larvae of two genotypes are simulated with outlines; the convolutional VAE is trained as it
was built, then one thing after the other is changed until it is the default model. Preset tiny, 64
latents, the same films throughout, every training from several seeds, everything measured on
plates that were never seen. A training that is in OUT already is not repeated. About 20 minutes on
one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.nn import functional

from generative.checkpoints import Description, load_model
from generative.config import REPORT_TRAINING, Config, make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences
from generative.dataset.windows import Cutting
from generative.distributed import processes
from generative.evaluation import evaluate
from generative.models import Model
from generative.sampling.films import FilmLatents, draw_films, film_latents, film_shapes
from generative.sampling.latents import batches_of
from generative.training import describe, train
from larvastats.errors import DataError
from larvastats.plot.style import FAINT, INK, context
from larvastats.verbs.simulate import simulate

EFFECT = {"line": "GMR_SLOW", "kind": "speed", "window": "whole", "delta": 0.6}
COUNTS = (300, 20, 60)
"""Films to train on, to watch while training, and to measure on at the end; by plates."""

FRAMES = 30
PLAIN = {"latent": 64, "distance": False}
REPORT = {**REPORT_TRAINING, "patience": 0}
PER_PIXEL = {"beta_warmup": 0.3, "dice": 0.0}
RECIPE = {"learning_rate": 4e-3}
STEPS: dict[str, dict[str, Any]] = {
    "as it was built": {
        "loss": {"name": "report_plain"}, "options": {**PLAIN, "foreground": 0.5},
        "training": REPORT},
    "output begins at the foreground": {
        "loss": {"name": "report_plain"}, "options": PLAIN, "training": REPORT},
    "KL per pixel (calibrated)": {"loss": PER_PIXEL, "options": PLAIN, "training": REPORT},
    "AdamW, rate up and down, clipping": {
        "loss": PER_PIXEL, "options": PLAIN, "training": RECIPE},
    "Dice": {"loss": {"beta_warmup": 0.3}, "options": PLAIN, "training": RECIPE},
    "directions and distances (default)": {
        "loss": {}, "options": {"latent": 64}, "training": {"learning_rate": 2e-3}},
    "Dice and the gated skip": {
        "loss": {"beta_warmup": 0.3}, "options": {**PLAIN, "skip": True}, "training": RECIPE},
    "the skip, left out for half the films": {
        "loss": {"beta_warmup": 0.3}, "options": {**PLAIN, "skip": True, "skip_dropout": 0.5},
        "training": RECIPE},
}  # fmt: skip
"""What is trained; each row keeps what the row before changed, the skip goes on from Dice."""

DEFAULT = "directions and distances (default)"
NUMBERS = {
    "finite": ("finite loss", 0), "r2": ("IoU, held out", 2), "at_hand": ("with the skip", 2),
    "r2_shuffled": ("another's latent", 2), "active_units": ("active units of 64", 0),
    "white": ("white images", 2), "whole": ("one component", 2), "area": ("area, ratio", 2),
    "near": ("area within 20%", 2),
}  # fmt: skip
"""What is told of every training, with how many digits; the last four are of samples."""

SHOWN = ("as it was built", "Dice", DEFAULT)


def configured(step: dict[str, Any], epochs: int, seed: int) -> Config:
    """Return the configuration of a training."""
    return make_config({
        "model": {"name": "cnn3d_vae", "preset": "tiny", "options": step["options"]},
        "loss": step["loss"],
        "training": {**step["training"], "epochs": epochs, "batch_size": 8, "seed": seed},
    })  # fmt: skip


def larvae(out: Path) -> Sequences:
    """Simulate, index, draw; what is there already is opened."""
    path = out / "films.h5"
    if not path.exists():
        simulate(
            out / "recordings", protocol="light", lines=["GMR_SLOW"], assays_per_line=6,
            control_assays_per_date=3, dates=2, larvae=16, effects=[EFFECT], format="trx",
            shapes="contour", fps=10, seed=11,
        )  # fmt: skip
        build_index(out / "recordings", out / "index.h5",
                    Cutting(FRAMES, FRAMES, FRAMES, images=True))  # fmt: skip
    return build_sequences(read_index(out / "index.h5"), path, Draw(COUNTS, "run=0.65,cast=0.35"))


def trained(sequences: Sequences, config: Config, folder: Path) -> bool:
    """Train; False if the loss is not finite any more."""
    try:
        with processes("cpu") as process:
            train(sequences, config, folder, process)
    except DataError as error:
        print(f"{folder.name}: {error}")
        return False
    return True


@torch.no_grad()
def with_skip(model: Model, sequences: Sequences, description: Description) -> float:
    """IoU of held-out films where the decoder has the encoder's map at hand."""
    both = either = 0.0
    for batch in batches_of(sequences, description, sequences.fold("test")).in_order(10):
        noise = torch.zeros(model.noise_shape(len(batch.x), FRAMES))
        made, real = model.terms(batch, noise).prediction > 0, batch.x > 0.5
        both, either = both + float((made & real).sum()), either + float((made | real).sum())
    return both / either


def held_out_films(sequences: Sequences) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Films of the test fold, true on the larva, and their conditions, shape (n, 3)."""
    rows = sequences.fold("test")
    packed = np.unpackbits(np.asarray(sequences.frames[rows]), axis=-1)
    columns = (sequences.action, sequences.genotype, sequences.stimulus)
    conditions = np.stack([np.asarray(c)[rows].astype(np.int64) for c in columns], axis=1)
    return packed.reshape(len(rows), FRAMES, 128, 128) == 0, conditions


def drawn(
    model: Model, latents: FilmLatents, sequences: Sequences, kind: str = "mixture"
) -> dict[str, dict[str, float]]:
    """Measure films drawn under the conditions of held-out ones, against these; by action too."""
    real, conditions = held_out_films(sequences)
    films = draw_films(model, latents, conditions, kind=kind)
    found: dict[str, dict[str, float]] = {}
    actions = {sequences.actions[k]: conditions[:, 0] == k for k in np.unique(conditions[:, 0])}
    for name, own in {"": np.ones(len(real), bool), **actions}.items():
        shapes, usual = film_shapes(films[own]), film_shapes(real[own]).area.mean()
        ratio = shapes.area / usual
        found[name] = {
            "white": shapes.white, "whole": shapes.whole, "area": float(ratio.mean()),
            "near": float((np.abs(ratio - 1) < 0.2).mean()),
        }  # fmt: skip
    return found


def measured(folder: Path, sequences: Sequences) -> dict[str, Any]:
    """Measure the kept model of a training on plates that it never saw, and what it draws."""
    model, description = load_model(folder)
    held_out = batches_of(sequences, description, sequences.fold("test"))
    found = evaluate(model, held_out, description.config.loss, 0)
    at_hand = with_skip(model, sequences, description)
    latents = film_latents(model, description, sequences)
    return {**found, "at_hand": at_hand, **drawn(model, latents, sequences)[""]}


@torch.no_grad()
def overflow(sequences: Sequences, seed: int = 0) -> dict[str, float]:
    """Add up a batch's first loss in half precision, and a wide posterior's variance."""
    config = configured(STEPS["as it was built"], 1, seed)
    torch.manual_seed(seed)
    description = describe(sequences, config)
    batch = batches_of(sequences, description, sequences.fold("train")[:8]).take(np.arange(8))
    terms = description.build().terms(batch, torch.zeros(8, 64))
    found = {}
    for name, kind in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        each = functional.binary_cross_entropy_with_logits(
            terms.prediction.to(kind), terms.target.to(kind), reduction="none"
        )
        found[f"pixels of a film summed, {name}"] = float(each.flatten(1).sum(1).mean())
        found[f"exp of a log variance of 12, {name}"] = float(torch.tensor(12.0, dtype=kind).exp())
    return found


def summary(values: list[float], digits: int = 2) -> str:
    """Mean, and the range over seeds."""
    mean, low, high = (f"{x:.{digits}f}" for x in (np.mean(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"


def cells(own: list[dict[str, Any]]) -> list[str]:
    """Return a row of the table; empty where no training came to its end."""
    out = [f"{sum(one['finite'] for one in own)} of {len(own)}"]
    whole = [one for one in own if one["finite"]]
    for key, (_, digits) in list(NUMBERS.items())[1:]:
        out.append(summary([one[key] for one in whole], digits) if whole else "")
    return out


def strips(out: Path, sequences: Sequences) -> list[tuple[str, NDArray[np.bool_]]]:
    """Films to show, each (frame, 128, 128): a run and a cast, held out, came back, drawn."""
    real, conditions = held_out_films(sequences)
    chosen = [int(np.flatnonzero(conditions[:, 0] == sequences.actions.index(name))[0])
              for name in ("run", "cast")]  # fmt: skip
    rows = [("real, held out", real[chosen])]
    for name in SHOWN:
        folder = out / f"{list(STEPS).index(name)}_0"
        if not (folder / "model.safetensors").exists():
            continue
        model, description = load_model(folder)
        batch = batches_of(sequences, description, sequences.fold("test")).take(np.array(chosen))
        with torch.no_grad():
            rows.append((f"{name}: came back", (model.reconstruct(batch) > 0).numpy()))
        latents = film_latents(model, description, sequences)
        rows.append((f"{name}: drawn", draw_films(model, latents, conditions[chosen])))
    return rows


def draw(rows: list[tuple[str, NDArray[np.bool_]]]) -> Figure:
    """Draw strips of films: a row each, every fifth frame of a run and of a cast."""
    with context():
        figure = Figure(figsize=(7.6, 0.6 * len(rows) + 0.2), layout="constrained")
        axes = figure.subplots(len(rows), 2, squeeze=False)
        for k, (name, films) in enumerate(rows):
            for axis, film, action in zip(axes[k], films, ("run", "cast"), strict=True):
                shown = film[::5, 20:108]  # larvae reach no farther up or down
                axis.imshow(~np.concatenate(list(shown), axis=1), cmap="gray", vmin=0, vmax=1,
                            interpolation="nearest", aspect="equal")  # fmt: skip
                axis.set_xticks([])
                axis.set_yticks([])
                for edge in range(1, len(shown)):
                    axis.axvline(128 * edge - 0.5, color=FAINT, linewidth=0.6)
                first = f"{action}, a frame every half second: " if k == 0 else ""
                axis.set_title(first + name, loc="left", fontsize=6.5, color=INK, pad=2)
    return figure


def table(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print what was found of every training."""
    print("\n| |", " | ".join(name for name, _ in NUMBERS.values()), "|")
    print("|---|" + "---:|" * len(NUMBERS))
    for name, own in found.items():
        print(f"| {name} |", " | ".join(cells(own)), "|")


def by_condition(out: Path, sequences: Sequences, seeds: int) -> None:
    """Print what the default draws, by action, from each prior."""
    keys = ("white", "whole", "area", "near")
    print("\n| default, drawn from |", " | ".join(NUMBERS[key][0] for key in keys), "|")
    print("|---|" + "---:|" * len(keys))
    loaded = [load_model(out / f"{list(STEPS).index(DEFAULT)}_{seed}") for seed in range(seeds)]
    latents = [film_latents(*pair, sequences) for pair in loaded]
    for kind in ("mixture", "gaussian", "standard"):
        parts = [drawn(pair[0], own, sequences, kind)
                 for pair, own in zip(loaded, latents, strict=True)]  # fmt: skip
        for action in parts[0]:
            numbers = [summary([part[action][key] for part in parts]) for key in keys]
            print(f"| {kind}, {action or 'all'} |", " | ".join(numbers), "|")


def main(out: Path, seeds: int, epochs: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    sequences = larvae(out)
    real = film_shapes(held_out_films(sequences)[0])
    near = float((np.abs(real.area / real.area.mean() - 1) < 0.2).mean())
    print(f"real: one component {real.whole:.2f}, area within 20% of its mean {near:.2f}")
    for name, value in overflow(sequences).items():
        print(f"{name}: {value:g}")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in STEPS}
    for seed in range(seeds):
        for k, (name, step) in enumerate(STEPS.items()):
            folder = out / f"{k}_{seed}"
            finite = trained(sequences, configured(step, epochs, seed), folder)
            found[name].append(
                {"finite": finite, **(measured(folder, sequences) if finite else {})}
            )
            print(f"{name}, seed {seed}:", " | ".join(cells(found[name][-1:])), flush=True)
    (out / "numbers.json").write_text(json.dumps(found, indent=1))
    table(found)
    by_condition(out, sequences, seeds)
    draw(strips(out, sequences)).savefig(out / "films.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.out, given.seeds, given.epochs)
