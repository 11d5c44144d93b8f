"""Maps of the latent space, and what a linear probe reads from it on held-out assays.

    python analyses/13_latent_map.py RUN OUT [--training 8000] [--permutations 999]

RUN is the folder of a training of a model with a latent per sequence; where there is none, a tiny
default model of simulated larvae is trained there. Discriminants, principal components and probes
are fitted to posterior means of training assays, and shown and scored on held-out ones. The default
encoder is told action, genotype and stimulus: here these are left open, so that what is found comes
from the movement. Axes of a latent have no meaning: another seed turns them. A minute on one core,
four with the training.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from generative.checkpoints import MODEL_FILE, Description, load_model
from generative.config import make_config
from generative.dataset.build import Draw
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences, read_sequences
from generative.diagnostics.motion import motion
from generative.models import Conditions, Model
from generative.sampling.latents import BATCH, batches_of, check_data
from generative.verbs import train_index
from larvastats.plot.style import FAINT, INK, MUTED, OTHER_COLOURS, context, state_colours
from larvastats.verbs.simulate import simulate

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

EFFECTS = (
    {"line": "GMR_SLOW", "kind": "speed", "window": "whole", "delta": 0.6},
    {"line": "GMR_BEND", "kind": "spread", "window": "whole", "delta": 1.5},
)
LABELS = ("action", "genotype", "stimulus")
RAREST = 20
"""Held-out sequences that a label has at least, to be told apart from others."""

MOST_POINTS, RARE = 4000, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Sequences of a fold: posterior means (n, Z), motion (n, 7), labels (n, 3), assays (n,)."""

    open: Array
    told: Array
    motion: Array
    labels: Codes
    assay: Codes

    def of(self, kind: str) -> Array:
        """Return what a probe is given."""
        return np.asarray(getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Probe:
    """Balanced accuracy on held-out assays, its null (mean, 95% quantile, p), and chance."""

    accuracy: float
    null: float
    high: float
    p: float
    chance: float


def make_run(run: Path) -> None:
    """Train the default model, preset tiny, on simulated larvae of three genotypes."""
    beside = run.with_name(f"{run.name}_recordings")
    simulate(
        beside, protocol="light", lines=["GMR_SLOW", "GMR_BEND"], assays_per_line=10,
        control_assays_per_date=2, dates=5, larvae=32, effects=EFFECTS, format="trx",
        shapes="midline", fps=10, seed=11,
    )  # fmt: skip
    index = run.with_name(f"{run.name}_index.h5")
    build_index(beside, index)
    config = make_config({"model": {"preset": "tiny"}, "training": {"epochs": 8}})
    train_index(index, run, config, Draw((3000, 300, 800), "run=0.57,cast=0.40,back=0.03"))


@torch.no_grad()
def fold(model: Model, description: Description, sequences: Sequences, rows: Codes) -> Fold:
    """Encode sequences, with and without their conditions."""
    data = batches_of(sequences, description, rows)
    norm = description.normaliser
    assert norm is not None
    parts: dict[str, list[Array]] = {"open": [], "told": [], "motion": []}
    for batch in data.in_order(BATCH):
        nothing = torch.full_like(batch.conditions.action, -1)
        blind = batch.with_conditions(Conditions(nothing, nothing, nothing))
        parts["open"].append(model.encode(blind).mean.numpy().astype(np.float64))
        parts["told"].append(model.encode(batch).mean.numpy().astype(np.float64))
        frames = norm.invert(batch.x.numpy())
        parts["motion"].append(motion(frames, batch.mask.numpy(), description.dt))
    labels = np.stack([sequences.columns[name][rows].astype(np.int64) for name in LABELS], axis=1)
    return Fold(*(np.concatenate(parts[name]) for name in parts), labels,
                sequences.columns["assay"][rows].astype(np.int64))  # fmt: skip


def permuted(labels: Codes, assay: Codes, between: bool, rng: np.random.Generator) -> Codes:
    """Permute labels between assays, or those of sequences within assays."""
    out = labels.copy()
    if between:
        names, first = np.unique(assay, return_index=True)
        new = rng.permutation(labels[first])
        return new[np.searchsorted(names, assay)]
    for own in (np.flatnonzero(assay == name) for name in np.unique(assay)):
        out[own] = rng.permutation(labels[own])
    return out


def probe(train: Fold, held: Fold, kind: str, label: int, permutations: int) -> Probe:
    """Score logistic regression; its predictions stay, the labels of held-out assays move."""
    known = [k for k, n in enumerate(np.bincount(held.labels[:, label])) if n >= RAREST]
    own, new = (np.isin(part.labels[:, label], known) for part in (train, held))
    model = make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced")
    )
    model.fit(train.of(kind)[own], train.labels[own, label])
    said, true = model.predict(held.of(kind)[new]), held.labels[new, label]
    found = float(balanced_accuracy_score(true, said))
    rng = np.random.default_rng([label, 12])
    between = LABELS[label] == "genotype"
    null = np.array([
        balanced_accuracy_score(permuted(true, held.assay[new], between, rng), said)
        for _ in range(permutations)
    ])  # fmt: skip
    p = (1 + (null >= found - 1e-12).sum()) / (1 + permutations)
    return Probe(found, float(null.mean()), float(np.quantile(null, 0.95)), p, 1 / len(known))


# -- told ------------------------------------------------------------------------------------------


def table(train: Fold, held: Fold, permutations: int) -> dict[str, Probe]:
    """Print the probes; return those of latents without conditions."""
    said = {"open": "latent, conditions left open", "told": "latent, conditions told",
            "motion": "seven numbers of motion"}  # fmt: skip
    print("| probe of | label | balanced accuracy | chance | permuted: mean (95%) | p |")
    print("|---|---|---:|---:|---:|---:|")
    found = {}
    for kind, words in said.items():
        for k, label in enumerate(LABELS):
            one = probe(train, held, kind, k, permutations)
            print(f"| {words} | {label} | {one.accuracy:.3f} | {one.chance:.3f} | "
                  f"{one.null:.3f} ({one.high:.3f}) | {one.p:.4f} |")  # fmt: skip
            if kind == "open":
                found[label] = one
    return found


def discriminants(train: Fold, held: Fold, label: int) -> Array:
    """Return held-out sequences along the first two discriminants of a label, shape (n, 2).

    Where two names have only one, the first principal component is the second.
    """
    apart = LinearDiscriminantAnalysis().fit(train.open, train.labels[:, label])
    along = apart.transform(held.open)
    across = PCA(1).fit(train.open).transform(held.open)
    return np.asarray(np.concatenate((along, across), axis=1)[:, :2])


def draw(
    train: Fold, held: Fold, names: dict[str, tuple[str, ...]], probes: dict[str, Probe]
) -> Figure:
    """Draw discriminants beside principal components; a row by action, one by genotype."""
    components = PCA(2).fit(train.open)
    with context():
        figure = Figure(figsize=(8.6, 7.2), layout="constrained")
        axes = figure.subplots(2, 2)
        for row, label, colours in (
            (0, "action", state_colours(names["action"])),
            (1, "genotype", dict(zip(names["genotype"], OTHER_COLOURS, strict=False))),
        ):
            k = LABELS.index(label)
            own = [colours[names[label][code]] for code in held.labels[:, k]]
            _points(axes[row, 0], discriminants(train, held, k), own)
            _points(axes[row, 1], components.transform(held.open), own)
            one = probes[label]
            axes[row, 0].set_title(f"discriminants of {label}; linear probe:\nbalanced accuracy "
                                   f"{one.accuracy:.2f}, permuted {one.null:.2f}",
                                   loc="left", fontsize=9)  # fmt: skip
            axes[row, 1].set_title("principal components", loc="left", fontsize=9)
            _legend(axes[row, 1], held.labels[:, k], names[label], colours)
        figure.supxlabel(f"{len(held.open):,} sequences of {len(np.unique(held.assay))} held-out "
                         f"assays; all is fitted to {len(train.open):,} of "
                         f"{len(np.unique(train.assay))} others. Axes have no meaning: another "
                         "seed turns them.", fontsize=8, color=MUTED)  # fmt: skip
    return figure


def _points(axis: Axes, xy: Array, colours: list[str]) -> None:
    """Draw points in random order, rare labels larger; 1 in 1,000 at each end is left out."""
    some = np.random.default_rng(0).permutation(len(xy))[:MOST_POINTS]
    share = {colour: colours.count(colour) / len(colours) for colour in set(colours)}
    own = [colours[k] for k in some]
    size = [4 if share[colour] > RARE else 9 for colour in own]
    axis.scatter(*xy[some].T, s=size, c=own, alpha=0.6, linewidths=0)
    for low, high, limit in zip(*np.quantile(xy, (0.001, 0.999), axis=0), (axis.set_xlim,
                                axis.set_ylim), strict=True):  # fmt: skip
        edge = 0.08 * (high - low)
        limit(low - edge, high + edge)
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(True)
        side.set_color(FAINT)


def _legend(axis: Axes, codes: Codes, names: tuple[str, ...], colours: dict[str, str]) -> None:
    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=5, color=colours[names[code]],
               label=f"{names[code].partition('@')[0]} ({n:,})")
        for code, n in zip(*np.unique(codes, return_counts=True), strict=True)
    ]  # fmt: skip
    axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), labelcolor=INK)


def main(run: Path, out: Path, most: int, permutations: int) -> None:
    if not (run / MODEL_FILE).exists():
        make_run(run)
    model, description = load_model(run)
    sequences = read_sequences(run / "sequences.h5")
    check_data(sequences, description, str(run))
    rows = np.random.default_rng(0).permutation(sequences.fold("train"))[:most]
    train = fold(model, description, sequences, np.sort(rows))
    held = fold(model, description, sequences, sequences.fold("test"))
    names = {"action": sequences.actions, "genotype": sequences.names["genotypes"],
             "stimulus": sequences.names["stimuli"]}  # fmt: skip
    for part, word in ((train, "training"), (held, "held-out")):
        counts = [len(np.unique(part.assay[part.labels[:, 1] == k]))
                  for k in np.unique(part.labels[:, 1])]  # fmt: skip
        print(f"{len(part.open):,} {word} sequences of {sum(counts)} assays, by genotype {counts}")
    probes = table(train, held, permutations)
    out.mkdir(parents=True, exist_ok=True)
    draw(train, held, names, probes).savefig(out / "latent_map.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--training", type=int, default=8000)
    parser.add_argument("--permutations", type=int, default=999)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.run, given.out, given.training, given.permutations)
