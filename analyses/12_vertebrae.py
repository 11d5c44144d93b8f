"""Five vertebrae instead of 11 points: what 12 numbers per frame cost and gain against 24.

    python analyses/12_vertebrae.py OUT [--seeds 3] [--recordings FOLDER]

The same sequences of simulated larvae are learned twice by the default model, preset tiny: as
spines of 11 points and as five vertebrae. All is judged on the 11 true points of held-out plates;
vertebrae become 11 points along a spline (larvastats.shape.midline.from_vertebrae), and for
comparison along straight lines. OUT may be the folder of 11_long_sequences.py, whose recordings are
taken. FOLDER holds recordings of real larvae, of which only the representation is measured. A
training that is in OUT already is not repeated. Three minutes on one core per two seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from generative.checkpoints import load_model
from generative.config import make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences
from generative.dataset.source import read_unit, units
from generative.dataset.windows import Cutting
from generative.diagnostics.motion import NAMES, motion
from generative.distances import density_coverage
from generative.distributed import processes
from generative.frames import (
    Normaliser,
    Pose,
    body_length,
    from_frames,
    reduce_points,
    resample_points,
    standard_pose,
)
from generative.measures import RSquared
from generative.sampling.latents import batches_of, encode
from generative.sampling.sampler import decode, fit_sampler
from generative.training import describe, train
from larvastats.plot.style import FAINT, INK, MUTED, context
from larvastats.shape.midline import from_vertebrae
from larvastats.shape.vertebrae import five_vertebrae
from larvastats.verbs.simulate import simulate

Array = NDArray[np.float64]
Way = Callable[[Array], Array]

EFFECT = {"line": "GMR_SLOW", "kind": "speed", "window": "whole", "delta": 0.6}
COUNTS, MIX = (2000, 48, 400), "run=0.6,cast=0.35,back=0.05"
LENGTH, EPOCHS = 50, 8
POINTS = {11: "11 points", 5: "five vertebrae"}
COLOURS = {"11 points": "#0072B2", "five vertebrae": "#D55E00", "true vertebrae, spline": "#009E73",
           "true vertebrae, straight lines": "#7A7A7A"}  # fmt: skip


def straight(vertebrae: Array) -> Array:
    """Eleven points evenly along straight lines, shape (..., 11, 2)."""
    flat = resample_points(vertebrae.reshape(-1, *vertebrae.shape[-2:]), 11)
    return flat.reshape(*vertebrae.shape[:-2], 11, 2)


def larvae(out: Path, points: int) -> Sequences:
    """Simulate, index, draw; what is there already is opened."""
    if not (out / "recordings").exists():
        simulate(
            out / "recordings", protocol="light", lines=["GMR_SLOW"], assays_per_line=12,
            control_assays_per_date=3, dates=4, larvae=32, effects=[EFFECT], format="trx",
            shapes="midline", fps=10, seed=11,
        )  # fmt: skip
    index = out / f"index_of_{points}.h5"
    build_index(out / "recordings", index, Cutting(LENGTH, LENGTH, LENGTH, points))
    return build_sequences(read_index(index), out / f"sequences_of_{points}.h5", Draw(COUNTS, MIX))


def poses(sequences: Sequences) -> Pose:
    """Poses of held-out sequences."""
    rows = sequences.fold("test")
    return Pose(*(sequences.columns[name][rows] for name in ("origin", "heading", "body_length")))


def in_pose(midline: Array, pose: Pose) -> Array:
    """Frames of midlines, shape (n, T, point, 2), as seen from a pose that need not be their own.

    As `to_frames`, but directions and lengths are those of the true larvae.
    """
    z = midline[..., 0] + 1j * midline[..., 1]  # (n, T, point)
    centroid = z.mean(axis=-1)
    moved = np.diff(centroid, axis=1, prepend=(pose.origin @ [1, 1j])[:, None])
    turn = np.exp(-1j * pose.heading) / pose.length
    parts = ((z - centroid[..., None]) * turn[:, None, None], (moved * turn[:, None])[..., None])
    numbers = np.concatenate(parts, axis=-1)
    return np.stack((numbers.real, numbers.imag), axis=-1).reshape(*numbers.shape[:2], -1)


class Judge:
    """The 11 true points of held-out sequences, and what is said of others against them."""

    def __init__(self, sequences: Sequences, normaliser: Normaliser, dt: float) -> None:
        self.pose, self.dt, self.norm = poses(sequences), dt, normaliser
        rows = sequences.fold("test")
        self.true = np.asarray(sequences.frames[rows], np.float64)
        self.midline = from_frames(self.true, self.pose)  # (n, T, 11, 2)
        self.mask = np.ones(self.true.shape[:2], bool)
        self.motion = motion(self.true, self.mask, dt)

    def error(self, midline: Array) -> tuple[float, float, float, Array]:
        """Error of a point in the plane, of a point around the centroid, R², error by point.

        Root mean squares, body lengths; of midlines of shape (n, T, 11, 2).
        """
        off = (midline - self.midline) / self.pose.length[:, None, None, None]
        around = off - off.mean(axis=2, keepdims=True)
        place, shape = (float(np.sqrt((x**2).sum(-1).mean())) for x in (off, around))
        score = RSquared(self.true.shape[2])
        made = self.norm.apply(in_pose(midline, self.pose))
        score.add(made, self.norm.apply(self.true), self.mask)
        return place, shape, score.value, np.sqrt((around**2).sum(-1).mean((0, 1)))

    def sampled(self, midline: Array) -> dict[str, float]:
        """Ratios of mean motion, density and coverage of samples, row by row of their lengths.

        Midlines of shape (n, T, 11, 2), body lengths.
        """
        here = standard_pose(1.0, len(midline))
        found = motion(in_pose(midline, here), self.mask, self.dt)
        ratios = found.mean(0) / self.motion.mean(0)
        center, scale = self.motion.mean(0), self.motion.std(0)
        near = density_coverage((self.motion - center) / scale, (found - center) / scale)
        return {**dict(zip(NAMES, ratios.tolist(), strict=True)),
                "density": near[0], "coverage": near[1]}  # fmt: skip


def trained(sequences: Sequences, out: Path, points: int, seed: int) -> tuple[Path, float]:
    """Train, unless it is there; return the folder and the seconds of processor time it took."""
    folder = out / f"of_{points}_{seed}"
    clock = folder / "seconds.json"
    if not clock.exists():
        config = make_config({
            "model": {"preset": "tiny"},
            "training": {"epochs": EPOCHS, "batch_size": 32, "seed": seed},
        })  # fmt: skip
        began = time.process_time()
        with processes("cpu") as process:
            train(sequences, config, folder, process)
        clock.write_text(json.dumps(time.process_time() - began))
    return folder, float(json.loads(clock.read_text()))


def row(judge: Judge, sequences: Sequences, folder: Path, way: Way, seconds: float, seed: int
        ) -> dict[str, Any]:  # fmt: skip
    """Judge reconstructions and samples of a training; `way` makes 11 points of its midlines."""
    model, description = load_model(folder)
    norm, pose = description.normaliser, poses(sequences)
    assert norm is not None
    held_out = encode(model, batches_of(sequences, description, sequences.fold("test")))
    made = norm.invert(decode(model, held_out.mean, held_out.conditions))
    place, shape, r2, by_point = judge.error(way(from_frames(made, pose)))
    drawn = norm.invert(fit_sampler(model, description, sequences).sample(
        held_out.conditions, seed=seed))  # fmt: skip
    n = len(drawn)
    own = Pose(np.zeros((n, 2)), np.zeros(n), pose.length / judge.pose.length)
    log = json.loads((folder / "log.json").read_text())["epochs"][-1]
    return {"place": place, "shape": shape, "r2": r2, "by_point": by_point, "nats": log["nats"],
            "seconds": seconds, **judge.sampled(way(from_frames(drawn, own)))}  # fmt: skip


def real_larvae(folder: Path) -> None:
    """Print how well five vertebrae stand for the spines of recordings."""
    found = [tracks.midline for unit in units(folder) for tracks in read_unit(unit)]
    midline = np.concatenate([reduce_points(part, 11) for part in found if part is not None])
    midline = midline[np.isfinite(midline).all(axis=(1, 2))]
    length = body_length(midline)
    for name, way in (("spline", from_vertebrae), ("straight lines", straight)):
        made = way(five_vertebrae(midline))
        far = np.linalg.norm(made - midline, axis=2) / length[:, None]
        print(
            f"{len(midline):,} real spines, {name}: a point is off by "
            f"{np.sqrt((far**2).mean()):.4f} body lengths, the worst of a spine by "
            f"{np.quantile(far.max(axis=1), 0.99):.3f} in 1 of 100; "
            f"length {(body_length(made) / length).mean():.4f}"
        )


# -- told ------------------------------------------------------------------------------------------


def summary(values: list[float], digits: int) -> str:
    """Mean, and the range over seeds."""
    mean, low, high = (f"{x:.{digits}f}" for x in (np.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


def tables(rows: dict[str, list[dict[str, Any]]], floors: dict[str, tuple[Any, ...]]) -> None:
    """Print reconstruction, and motion of samples."""
    print("| | error, body lengths | around the centroid | R² | KL, nats | training, s |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (place, shape, r2, _) in floors.items():
        print(f"| {name} | {place:.4f} | {shape:.4f} | {r2:.4f} | | |")
    keys = {"place": 4, "shape": 4, "r2": 4, "nats": 0, "seconds": 0}
    for name, own in rows.items():
        cells = [summary([one[key] for one in own], digits) for key, digits in keys.items()]
        print(f"| {name} |", " | ".join(cells), "|")
    said = (*NAMES, "density", "coverage")
    print("\n| samples / held-out |", " | ".join(said), "|")
    print("|---|" + "---:|" * len(said))
    for name, own in rows.items():
        print(f"| {name} |", " | ".join(summary([r[key] for r in own], 2) for key in said), "|")


def draw(rows: dict[str, list[dict[str, Any]]], floors: dict[str, tuple[Any, ...]],
         judge: Judge) -> Figure:  # fmt: skip
    """Draw the most bent larvae, the error by point, and the motion of samples."""
    with context():
        figure = Figure(figsize=(7.6, 5.8), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(0.55, 1))
        _larvae(above.subplots(1, 1), judge)
        left, right = below.subplots(1, 2)
        for name, (*_, by_point) in floors.items():
            left.plot(range(1, 12), by_point, "--", color=COLOURS[name], linewidth=1.4, label=name)
        for name, own in rows.items():
            values = np.mean([one["by_point"] for one in own], axis=0)
            left.plot(range(1, 12), values, color=COLOURS[name], linewidth=1.6,
                      label=f"model of {name}")  # fmt: skip
        left.set_title("error around the centroid, body lengths", loc="left")
        left.set_xlabel("point of the spine, 1 the head")
        left.set_xticks(range(1, 12, 2))
        left.set_ylim(bottom=0)
        _ratios(right, rows)
        for axis in (left, right):
            axis.grid(axis="y", color=FAINT, linewidth=0.6)
            axis.set_axisbelow(True)
        handles, names = left.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, labelcolor=INK)
    return figure


def _ratios(axis: Axes, rows: dict[str, list[dict[str, Any]]]) -> None:
    axis.axhline(1, color=MUTED, linewidth=0.8)
    for k, (name, own) in enumerate(rows.items()):
        values = np.array([[one[key] for key in NAMES] for one in own])
        mean, at = values.mean(0), np.arange(len(NAMES)) + 0.24 * (k - 0.5)
        axis.errorbar(at, mean, (mean - values.min(0), values.max(0) - mean), fmt="o",
                      color=COLOURS[name], markersize=4, linewidth=1.2)  # fmt: skip
    axis.set_xticks(range(len(NAMES)), NAMES, rotation=35, ha="right")
    axis.set_title("samples / held-out larvae", loc="left")


def _larvae(axis: Axes, judge: Judge) -> None:
    """Draw some of the most bent shapes, true and through five vertebrae."""
    flat = judge.midline.reshape(-1, 11, 2) / np.repeat(judge.pose.length, LENGTH)[:, None, None]
    reach = np.linalg.norm(flat[:, 0] - flat[:, -1], axis=1) / body_length(flat)
    order = np.argsort(reach)
    for k, place in enumerate(order[[len(order) // 1000 * m for m in (1, 10, 40, 100, 250)]]):
        true = flat[place] - flat[place].mean(0) + [0.85 * k, 0]
        five = five_vertebrae(true)
        axis.plot(*straight(five[None])[0].T, color=COLOURS["true vertebrae, straight lines"],
                  linewidth=1, linestyle="--")  # fmt: skip
        axis.plot(*from_vertebrae(five).T, color=COLOURS["true vertebrae, spline"], linewidth=1.4)
        axis.plot(*true.T, "o", color=INK, markersize=3.5, fillstyle="none", markeredgewidth=0.8)
        axis.plot(*five.T, "x", color=COLOURS["five vertebrae"], markersize=5)
    axis.set_aspect("equal")
    axis.set_axis_off()
    axis.set_title("true spines (circles), five vertebrae (crosses), spline and straight lines; "
                   "more bent than 99.9, 99, 96, 90, 75%", loc="left", fontsize=9)  # fmt: skip


def main(out: Path, seeds: int, recordings: Path | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    sets = {points: larvae(out, points) for points in POINTS}
    for name in ("row", "fold", "assay", "larva", "action"):
        assert (sets[11].columns[name] == sets[5].columns[name]).all(), "the same sequences"
    about = describe(sets[11], make_config({}))
    assert about.normaliser is not None
    judge = Judge(sets[11], about.normaliser, about.dt)
    true = five_vertebrae(judge.midline)
    floors = {"true vertebrae, spline": judge.error(from_vertebrae(true)),
              "true vertebrae, straight lines": judge.error(straight(true))}  # fmt: skip
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in POINTS.values()}
    lines: list[dict[str, Any]] = []  # of the same models as the second
    for seed in range(seeds):
        for points, name in POINTS.items():
            folder, seconds = trained(sets[points], out, points, seed)
            way: Way = np.asarray if points == 11 else from_vertebrae
            rows[name].append(row(judge, sets[points], folder, way, seconds, seed))
            if points == 5:
                lines.append(row(judge, sets[points], folder, straight, seconds, seed))
    tables(rows | {"five vertebrae, straight lines": lines}, floors)
    if recordings:
        real_larvae(recordings)
    draw(rows, floors, judge).savefig(out / "vertebrae.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recordings", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.out, given.seeds, given.recordings)
