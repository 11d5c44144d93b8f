"""Between two frames: a line in the latent of frames, or a model that has learned transitions.

    python analyses/09_interpolation.py OUT [--seeds 3]

OUT is the folder of 08_collapse.py, whose sequences are taken. frame_ae and transition_ae (preset
small) learn from training plates; both, and a straight line between coordinates, then make the
eight frames between the first and the last of ten frames of held-out plates; and the same between
frames of two different sequences, as when pieces are joined. Three minutes a seed on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generative.body import from_body, to_body
from generative.checkpoints import Description, load_model
from generative.config import make_config
from generative.dataset.sequences import Sequences, read_sequences
from generative.distances import nearest_distance
from generative.distributed import processes
from generative.models.frame_ae import FrameAE
from generative.models.transition_ae import SPAN, TransitionAE
from generative.sampling.latents import batches_of
from generative.training import train

Array = NDArray[np.float64]
Way = Callable[[Tensor, Tensor], Tensor]
KNOWN, STRETCHES, EPOCHS = 20_000, 600, 60
RARE = 0.99
"""Frames farther from every known one than this share of real ones are called aberrant."""


def stretches(sequences: Sequences, description: Description, fold: str) -> Tensor:
    """Cut whole stretches of ten normalised frames, shape (n, 10, N)."""
    data = batches_of(sequences, description, sequences.fold(fold))
    batch = data.take(np.arange(len(data)))
    t = batch.x.shape[1] // SPAN * SPAN
    cut = batch.x[:, :t].reshape(-1, SPAN, batch.x.shape[2])
    return cut[batch.mask[:, :t].reshape(-1, SPAN).all(dim=1)]


def points(description: Description, x: Tensor) -> Array:
    """Points in body lengths around their mean, shape (n, T, 2 P)."""
    assert description.normaliser is not None
    return np.asarray(description.normaliser.invert(x.numpy())[..., :-2])


def shapes(description: Description, x: Tensor) -> Array:
    """Shapes whatever their direction, shape (n * T, 2 P); far apart by root mean squares."""
    assert description.normaliser is not None
    frames = torch.from_numpy(description.normaliser.invert(x.numpy()))
    body = to_body(frames, torch.ones(frames.shape[:2], dtype=torch.bool))
    n = (body.shape[-1] - 2) // 2
    body[..., :n] -= body[..., :n].mean(dim=-1, keepdim=True)
    flat = from_body(body)[..., :-2].flatten(0, 1).numpy()
    return np.asarray(flat / np.sqrt(flat.shape[1] / 2))


def straight(start: Tensor, end: Tensor) -> Tensor:
    """Lines between coordinates, as `interpolate` joins pieces without its noise."""
    a = torch.linspace(0, 1, SPAN)[None, :, None]
    return (1 - a) * start[:, None] + a * end[:, None]


def trained(
    sequences: Sequences, out: Path, seed: int
) -> tuple[FrameAE, TransitionAE, Description]:  # fmt: skip
    """Train both models; a training that is there is not repeated."""
    found = []
    with processes("cpu") as process:
        for name in ("frame_ae", "transition_ae"):
            config = make_config({"model": {"name": name, "preset": "small"},
                                  "training": {"epochs": EPOCHS, "seed": seed}})  # fmt: skip
            train(sequences, config, out / f"{name}_{seed}", process)
            found.append(load_model(out / f"{name}_{seed}"))
    (frames, description), (transitions, _) = found
    assert isinstance(frames, FrameAE) and isinstance(transitions, TransitionAE)
    return frames, transitions, description


class Judge:
    """What the frames between are compared with: real ones of training and of held-out plates."""

    def __init__(self, sequences: Sequences, description: Description) -> None:
        self.description = description
        rng = np.random.default_rng(0)
        known = shapes(description, stretches(sequences, description, "train"))
        self.known = rng.permutation(known)[:KNOWN]
        held_out = stretches(sequences, description, "test")
        self.real = held_out[torch.from_numpy(rng.permutation(len(held_out))[:STRETCHES])]
        self.floor = self.distance(self.real)
        self.rare = float(np.quantile(self.floor, RARE))

    def distance(self, x: Tensor) -> Array:
        """Of the frames between to the nearest known one, body lengths."""
        return nearest_distance(shapes(self.description, x[:, 1:-1]), self.known)

    @torch.no_grad()
    def row(self, way: Way) -> tuple[float, ...]:
        """Error; median distance and share of aberrant frames, of real and of other pairs."""
        start, end = self.real[:, 0], self.real[:, -1]
        made, other = way(start, end), way(start, end.roll(1, dims=0))
        off = points(self.description, made) - points(self.description, self.real)
        error = np.sqrt((off[:, 1:-1] ** 2).sum(-1).mean() / (off.shape[-1] / 2))
        out = [float(error)]
        for x in (made, other):
            far = self.distance(x)
            out += [float(np.median(far)), float((far > self.rare).mean())]
        return tuple(out)


def main(out: Path, seeds: int) -> None:
    sequences = read_sequences(out / "sequences.h5")
    rows: dict[str, list[tuple[float, ...]]] = {
        "straight line": [], "frame_ae": [], "transition_ae": []}  # fmt: skip
    for seed in range(seeds):
        frames, transitions, description = trained(sequences, out, seed)
        judge = Judge(sequences, description)
        line = frames.transition
        rows["frame_ae"].append(judge.row(lambda a, b, line=line: line(a, b, SPAN)))
        rows["transition_ae"].append(judge.row(transitions.transition))
    rows["straight line"].append(judge.row(straight))
    print("| frames between by | error | to nearest | aberrant | two sequences | aberrant |")
    print("|---|---:|---:|---:|---:|---:|")
    print(f"| real frames | | {np.median(judge.floor):.4f} | {1 - RARE:.2f} | | |")
    for name, own in rows.items():
        cells = []
        for values, digits in zip(zip(*own, strict=True), (4, 4, 2, 4, 2), strict=True):
            low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
            mean = f"{np.mean(values):.{digits}f}"
            cells.append(mean if len(values) == 1 else f"{mean} ({low} to {high})")
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.out, given.seeds)
