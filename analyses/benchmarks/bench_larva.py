"""Moving larvae: frames per second against plain loops, and what a screen of films costs.

    python analyses/benchmarks/bench_larva.py

Two parts take turns with a loop that does the same: outlines of all frames at once against one
``scipy.interpolate.CubicSpline`` per frame, and motion of all larvae of a plate at once against the
same function larva by larva. Both must agree with their loop. Then plates are filmed and written in
every format, and a screen of some plates and one of several times as many are written by processes
of their own, whose peak memory must not differ.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from larvastats.simulate.body import (
    HALF_WIDTH,
    N_POINTS,
    WIDTH_AT,
    Bodies,
    draw_bodies,
    kinematics_of,
)
from larvastats.simulate.chain import Bouts
from larvastats.simulate.motion import Factors, Motion, move, n_steps
from larvastats.simulate.outline import Pose, outline, pose, stretch
from larvastats.verbs.simulate import simulate
from larvastats.vocabulary import LARVA_STATES

PUBLISHED_FRAMES = 3e8
"""About as many as a published screen of 300,000 larvae has."""


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def plate(n: int, duration: float, seed: int) -> tuple[Bodies, Bouts, Factors]:
    """Larvae that change their action every two seconds."""
    rng = np.random.default_rng(seed)
    k = int(duration / 2)
    state = rng.integers(0, len(LARVA_STATES), n * k).astype(np.int16)
    start = np.tile(np.arange(k) * 2.0, n)
    one = np.ones(n_steps(duration))
    bouts = Bouts(np.repeat(np.arange(n), k), state, start, start + 2.0)
    return draw_bodies(rng, n), bouts, Factors(one, one, one)


def together(bodies: Bodies, bouts: Bouts, factors: Factors) -> Motion:
    """Move all larvae at once."""
    return move(bodies, bouts, kinematics_of(LARVA_STATES), factors, np.random.default_rng(1))


def one_by_one(bodies: Bodies, bouts: Bouts, factors: Factors) -> list[Motion]:
    """Move larva after larva."""
    out = []
    for k in range(len(bodies)):
        own = bouts.larva == k
        alone = Bouts(
            np.zeros(own.sum(), dtype=np.int64), bouts.state[own], bouts.t_start[own],
            bouts.t_stop[own],
        )  # fmt: skip
        body = Bodies(*(getattr(bodies, name)[[k]] for name in Bodies.__slots__))
        out.append(together(body, alone, factors))
    return out


def spline_loop(frames: Pose, n_points: int) -> NDArray[np.float32]:
    """Draw outlines frame by frame, as :func:`larvastats.simulate.outline.outline` does."""
    turn = 2 * np.pi * np.arange(n_points) / n_points
    at, side = (1 - np.cos(turn)) / 2, np.sign(np.round(np.sin(turn), 12))
    half = side * np.interp(at, WIDTH_AT, HALF_WIDTH)
    knots = np.linspace(0, 1, N_POINTS)
    out = np.empty((len(frames.midline), n_points, 2), dtype=np.float32)
    for k, line in enumerate(frames.midline):
        spline = CubicSpline(knots, np.stack([line.real, line.imag], axis=1), bc_type="natural")
        here, along = spline(at), spline(at, 1)
        one = Pose(*(getattr(frames, name)[k : k + 1] for name in Pose.__slots__))
        width = half * frames.radius[k] / np.sqrt(stretch(one, at)[0])
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        normal *= (width / np.hypot(*along.T))[:, None]
        out[k] = here + normal
    return out


def in_turns(name: str, frames: int, turns: int, *contestants: Callable[[], object]) -> None:
    """Time contestants alternately; print medians, frames per second, and the ratio."""
    times = np.array([[seconds(run) for run in contestants] for _ in range(turns)])
    fast, slow = (statistics.median(column) for column in times.T)
    print(
        f"{name:34s} {fast:8.3f} s {frames / fast:12,.0f} frames/s   loop {slow:8.3f} s "
        f"{frames / slow:10,.0f} frames/s   ratio {slow / fast:6.1f}"
    )


def parts(options: argparse.Namespace) -> None:
    """Time outlines and motion against loops."""
    bodies, bouts, factors = plate(options.larvae, options.duration, options.seed)
    motion = together(bodies, bouts, factors)
    t = np.arange(0, options.duration, 1 / options.fps)
    larva = np.repeat(np.arange(options.larvae), len(t))
    frames = pose(bodies, motion, larva, np.tile(t, options.larvae))
    few = Pose(*(getattr(frames, name)[:2000] for name in Pose.__slots__))
    assert np.abs(outline(few, 60) - spline_loop(few, 60)).max() < 1e-4
    in_turns("outlines of 60 points, 2000 frames", 2000, options.turns,
             lambda: outline(few, 60), lambda: spline_loop(few, 60))  # fmt: skip
    n = len(larva)
    alone = one_by_one(bodies, bouts, factors)
    assert [len(one.length) for one in alone] == [len(motion.length)] * options.larvae
    in_turns(f"motion of {options.larvae} larvae", n, options.turns,
             lambda: together(bodies, bouts, factors),
             lambda: one_by_one(bodies, bouts, factors))  # fmt: skip


def screens(options: argparse.Namespace) -> None:
    """Write screens in processes of their own; print what they cost."""
    for format in ("trx", "choreography", "fimtrack"):
        for shapes in ("midline", "contour"):
            written(options, format, shapes, 2)
    small, large = (written(options, "trx", "contour", n) for n in (2, 8))
    print(f"peak memory of 8 plates by that of 2: {large / small:.2f}")


def written(options: argparse.Namespace, format: str, shapes: str, plates: int) -> float:
    """Write one screen; returns the peak memory of its process in MB."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, __file__, "--child", format, shapes, str(plates), folder]
        call += ["--larvae", str(options.larvae)]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
        took, frames, peak = (float(x) for x in done.stdout.split())
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
    hours = PUBLISHED_FRAMES / (frames / took) / 3600
    print(
        f"{format:13s} {shapes:8s} {plates} plates {frames:9,.0f} frames {took:7.2f} s "
        f"{frames / took:9,.0f} frames/s {size / frames:6.0f} bytes/frame {peak:5.0f} MB   "
        f"3e8 frames: {hours:5.1f} h on one core, {size / frames * PUBLISHED_FRAMES / 1e9:4.0f} GB"
    )
    return peak


def child(options: argparse.Namespace) -> None:
    """Write a screen and print seconds, frames, peak memory."""
    format, shapes, plates, folder = options.child
    import json

    settings = {"lines": 1, "assays_per_line": int(plates) // 2, "dates": 1,
                "control_assays_per_date": int(plates) // 2, "larvae": options.larvae}  # fmt: skip
    target = Path(folder, "screen")
    took = seconds(lambda: simulate(target, format=format, shapes=shapes, effects=[], **settings))
    frames = json.loads((target / "truth.json").read_text())["film"]["frames"]["written"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(took, frames, peak)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--larvae", type=int, default=30)
    parser.add_argument("--duration", type=float, default=60.0)
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    parts(options)
    screens(options)


if __name__ == "__main__":
    main()
