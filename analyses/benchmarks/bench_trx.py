"""Reading trx.mat: what a screen needs, against every field into Python lists.

    python analyses/benchmarks/bench_trx.py
    python analyses/benchmarks/bench_trx.py --plates 1 --larvae 20 --frames 600

Plates are simulated with every field that the tracker writes: spine, 500-point outlines padded with
NaN, kinematic series with their derivatives, and labels. Contestants:

- `read`: larvastats' labels as an ethogram, which is all that a screen needs;
- `midline + features`, `all shapes`: larvastats' tracks, checked;
- `all fields, lists`: every field of every larva by h5py, as nested Python lists, which is what
  scripts that read such files for one analysis do;
- `all fields, arrays`: the same as NumPy arrays, the least that reading everything can take.

Every measurement runs in a process of its own, so that memory is its own peak while reading one
plate (`loaded`: before); times are those of all plates and leave out the imports. Contestants take
turns. The labels must be the same from all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from larvastats.io import trx
from larvastats.io.contours import Contours
from larvastats.io.paths import make_identity
from larvastats.io.tracks import Tracks
from larvastats.shape.vertebrae import VERTEBRAE, five_vertebrae

STATES = (*trx.LARVA_STATES, "small_motion")
SERIES = (
    "S", "eig", "As", "angle_upper_lower", "angle_downer_upper", "larva_length",
    "head_velocity_norm", "tail_velocity_norm", "motion_velocity_norm", "motion_to_u_tail_head",
    "motion_to_v_tail_head",
)  # fmt: skip
HOW = ("large", "weak", "strong")


# -- simulated plates ------------------------------------------------------------------------------


def bouts(rng: np.random.Generator, n: int) -> np.ndarray:
    """Codes of states, shape (frame,), in bouts of about 20 frames."""
    lengths = rng.geometric(0.05, n)
    return np.repeat(rng.integers(0, len(STATES), n), lengths)[:n]


def plate(n_larvae: int, n_frames: int, stamp: str, seed: int) -> Tracks:
    """Larvae of 4 mm that wander over a dish, with outlines of 60 to 160 vertices."""
    rng = np.random.default_rng(seed)
    n = n_larvae * n_frames
    heading = np.cumsum(rng.normal(0, 0.1, (n_larvae, n_frames)), axis=1)
    ahead = np.stack((np.cos(heading), np.sin(heading)), axis=2)
    head = rng.uniform(20, 220, (n_larvae, 1, 2)) + np.cumsum(0.07 * ahead, axis=1)
    body = np.linspace(0, 4, 11)[:, np.newaxis] * ahead[:, :, np.newaxis]
    midline = head[:, :, np.newaxis] - body + rng.normal(0, 0.02, (n_larvae, n_frames, 11, 2))
    midline = midline.reshape(n, 11, 2)
    features = {
        f"{name}{how}_smooth_5": rng.normal(size=n) for name in SERIES for how in ("", "_deriv")
    } | {"S": rng.normal(size=n)}
    for name, points in zip(VERTEBRAE, np.moveaxis(five_vertebrae(midline), 1, 0), strict=True):
        for axis, letter in enumerate("xy"):
            features[f"{letter}_{name}"] = points[:, axis]
            features[f"{letter}_{name}_deriv"] = np.gradient(points[:, axis])
    return Tracks.build(
        make_identity("t15", "GMR_72F11", "UAS_X", "r_LED100_30s2x15s30s#n#n#n", stamp),
        [str(number) for number in range(1, n_larvae + 1)],
        np.repeat(np.arange(n_larvae), n_frames),
        np.tile(0.08 * np.arange(n_frames), n_larvae),
        midline=midline, contour=outlines(rng, midline), centroid=midline[:, 5], features=features,
        states=STATES, state=np.concatenate([bouts(rng, n_frames) for _ in range(n_larvae)]),
    )  # fmt: skip


def outlines(rng: np.random.Generator, midline: np.ndarray) -> Contours:
    """Ellipses of camera pixels of 0.1 mm around the midlines."""
    counts = rng.integers(60, 161, len(midline))
    frame = np.repeat(np.arange(len(midline)), counts)
    within = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    angle = 2 * np.pi * within / counts[frame]
    along, across = midline[:, 0] - midline[:, 5], np.array([0.5, -0.5])
    x = np.cos(angle)[:, np.newaxis] * along[frame]
    y = np.sin(angle)[:, np.newaxis] * across * along[frame][:, ::-1] / 2
    return Contours.from_counts(np.round(midline[frame, 5] + x + y, 1), counts)


def make_file(tracks: Tracks, path: Path) -> None:
    """Write a plate with all label fields of the tracker, also those that larvastats does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trx.write(tracks, path)
    rng = np.random.default_rng(0)
    assert tracks.state is not None
    with h5py.File(path, "r+") as file:
        group, targets = file["trx"], file["#refs#"]
        fields: dict[str, list[Any]] = {}
        for larva in range(len(tracks.larvae)):
            state = tracks.state[tracks.larva_index == larva] + 1.0
            weak = rng.random(len(state)) < 0.3
            codes = {"global_state_small_large_state": np.where(weak, state - 0.5, state)}
            for code, name in enumerate(trx.LARVA_STATES, 1):
                for how, chosen in zip(HOW, (weak | True, weak, ~weak), strict=True):
                    codes[f"{name}_{how}"] = np.where((state == code) & chosen, 1.0, -1.0)
            for name, series in codes.items():
                target = targets.create_dataset(f"{name}_{larva}", data=series[np.newaxis])
                fields.setdefault(name, []).append(target.ref)
        for name, references in fields.items():
            group.create_dataset(name, data=np.array([references], dtype=h5py.ref_dtype))


# -- contestants -----------------------------------------------------------------------------------


def label_print(names: list[str], t: list[np.ndarray], code: list[np.ndarray]) -> str:
    """Fingerprint of the larvae's labels, frame by frame."""
    found = hashlib.sha256()
    for name, times, codes in sorted(zip(names, t, code, strict=True), key=lambda one: one[0]):
        found.update(name.encode() + np.asarray(times).tobytes())
        found.update(np.asarray(codes, np.float64).tobytes())
    return found.hexdigest()[:12]


def of_tracks(tracks: tuple[Tracks, ...]) -> str:
    """Fingerprint of tracks."""
    (one,) = tracks
    assert one.state is not None
    edges = np.flatnonzero(np.diff(one.larva_index)) + 1
    code = np.array([STATES.index(s) + 1 if s in STATES else -1 for s in one.states])[one.state]
    return label_print(list(one.larvae), np.split(one.t, edges), np.split(code, edges))


def read(path: str) -> Callable[[], str]:
    """Ethogram; its fingerprint takes every frame's state from the bouts."""
    ethogram = trx.read(path)

    def print_of() -> str:
        (bare,) = trx.read_tracks(path, None, shapes=())
        return of_tracks((bare.with_states(ethogram),))

    return print_of


def shapes(*wanted: str) -> Callable[[str], Callable[[], str]]:
    """Tracks with some shapes."""

    def contestant(path: str) -> Callable[[], str]:
        tracks = trx.read_tracks(path, shapes=wanted)
        return lambda: of_tracks(tracks)

    return contestant


def everything(as_lists: bool) -> Callable[[str], Callable[[], str]]:
    """Every field of every larva by h5py."""

    def contestant(path: str) -> Callable[[], str]:
        with h5py.File(path, "r") as file:
            values = {
                name: [file[reference][()] for reference in field[0]]
                if not as_lists
                else [file[reference][()].tolist() for reference in field[0]]
                for name, field in file["trx"].items()
            }

        def print_of() -> str:
            names = [f"{float(np.ravel(v)[0]):g}" for v in values["numero_larva_num"]]
            series = ([np.ravel(v) for v in values[f]] for f in ("t", "global_state_large_state"))
            return label_print(names, *series)

        return print_of

    return contestant


CONTESTANTS: dict[str, Callable[[str], Callable[[], str]]] = {
    "read": read,
    "midline + features": shapes("midline", "features"),
    "all shapes": shapes("midline", "contour", "features"),
    "all fields, arrays": everything(as_lists=False),
    "all fields, lists": everything(as_lists=True),
}


# -- measuring -------------------------------------------------------------------------------------


def peak() -> float:
    """Peak memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux


def run_task(name: str, paths: list[str]) -> None:
    """Read plate after plate here and print what it took."""
    before, seconds, prints, peaks = peak(), [], [], []
    for path in paths:
        start = time.perf_counter()
        result = CONTESTANTS[name](path)
        seconds.append(time.perf_counter() - start)
        peaks.append(peak())
        prints.append(result())
        del result
    print(json.dumps({
        # of the first plate: after it, the fingerprint has taken memory too
        "seconds": sum(seconds), "prints": prints, "loaded": before, "peak": peaks[0],
    }))  # fmt: skip


def alone(*words: object) -> str:
    """Run this script in a process of its own, and return what it prints."""
    command = [sys.executable, __file__, *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(name: str, paths: list[str]) -> dict[str, Any]:
    """Run a contestant in a process of its own."""
    return json.loads(alone("--task", name, *paths))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plates", type=int, default=3)
    parser.add_argument("--larvae", type=int, default=60)
    parser.add_argument("--frames", type=int, default=1800)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        run_task(given.task[0], given.task[1:])
        return
    if given.make:
        stamp = f"202001{given.seed % 28 + 1:02}_093000"
        make_file(plate(given.larvae, given.frames, stamp, given.seed), given.make)
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, str(number), "trx.mat")) for number in range(given.plates)]
        size = ("--larvae", given.larvae, "--frames", given.frames)
        for number, path in enumerate(paths):
            # a child's peak begins at its parent's, so that the parent stays small
            alone("--make", path, "--seed", given.seed + number, *size)
        compare(paths, given.turns, given.larvae, given.frames)


def compare(paths: list[str], turns: int, n_larvae: int, n_frames: int) -> None:
    """Print what every contestant takes."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    for _ in range(turns):
        for name, results in found.items():
            results.append(measure(name, paths))
    assert len({str(one["prints"]) for many in found.values() for one in many}) == 1
    with h5py.File(paths[0]) as file:
        n_fields = len(file["trx"])
    size = sum(os.stat(path).st_size for path in paths) / 2**20
    print(f"{len(paths)} plates of {n_larvae} larvae x {n_frames} frames, {n_fields} fields, "
          f"{size:.0f} MiB packed; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; "
          "same labels from all")  # fmt: skip
    print(f"{'contestant':22}{'median s':>10}{'ratio':>8}{'fastest s':>12}{'ratio':>8}"
          f"{'loaded':>10}{'peak MiB':>10}")  # fmt: skip
    own = [one["seconds"] for one in found["read"]]
    for name, results in found.items():
        seconds = [one["seconds"] for one in results]
        median, fastest = statistics.median(seconds), min(seconds)
        print(f"{name:22}{median:10.3f}{median / statistics.median(own):8.1f}{fastest:12.3f}"
              f"{fastest / min(own):8.1f}{results[0]['loaded']:10.0f}"
              f"{max(one['peak'] for one in results):10.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
