"""Reading a `.spine` file: larvastats against pandas, in the same run on the same file.

    python analyses/benchmarks/bench_spine.py
    python analyses/benchmarks/bench_spine.py --file path/to/some.spine

larvastats makes checked tracks (sorted, float64, one larva after the other), pandas a table of
columns as they stand. Contestants take turns, so that what else the machine does hits all of them;
medians and fastest turns are printed, and the ratio to each of pandas' two ways of splitting at
blanks. Values must be the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from larvastats.io import choreography
from larvastats.io.paths import make_identity
from larvastats.io.tracks import Tracks

POINTS = 11


def make_file(path: Path, n_larvae: int, n_frames: int, seed: int) -> None:
    """Write larvae of 4 mm that wander over a dish of 240 mm."""
    rng = np.random.default_rng(seed)
    n = n_larvae * n_frames
    t = np.cumsum(rng.uniform(0.04, 0.1, (n_larvae, n_frames)), axis=1)
    heading = np.cumsum(rng.normal(0, 0.1, (n_larvae, n_frames)), axis=1)
    steps = 0.07 * np.stack((np.cos(heading), np.sin(heading)), axis=2)
    head = rng.uniform(20, 220, (n_larvae, 1, 2)) + np.cumsum(steps, axis=1)
    body = np.linspace(0, 4, POINTS)[:, np.newaxis] * steps[:, :, np.newaxis] / 0.07
    midline = head[:, :, np.newaxis] - body + rng.normal(0, 0.02, (n_larvae, n_frames, POINTS, 2))
    tracks = Tracks.build(
        make_identity("t5", "A", "B", "p", "20150701_105504"),
        [str(i + 1) for i in range(n_larvae)],
        np.repeat(np.arange(n_larvae), n_frames),
        t.ravel(),
        midline=midline.reshape(n, POINTS, 2),
    )
    choreography.write_spine(tracks, path)


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--file", type=Path, help="a .spine file for all larvae of a recording")
    parser.add_argument("--larvae", type=int, default=80)
    parser.add_argument("--frames", type=int, default=2500)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder, "20150701_105504.spine")
        if not options.file:
            make_file(path, options.larvae, options.frames, options.seed)
        compare(path, options.turns)


def compare(path: Path, turns: int) -> None:
    """Print what every contestant takes."""
    contestants: dict[str, Callable[[], object]] = {
        "larvastats": lambda: choreography.read(path),
        "pandas, sep=' '": lambda: pd.read_csv(path, sep=" ", header=None),
        "pandas, sep=r'\\s+'": lambda: pd.read_csv(path, sep=r"\s+", header=None),
    }
    tracks, table = choreography.read(path), pd.read_csv(path, sep=" ", header=None)
    found = np.sort(tracks.midline, axis=None)
    assert np.array_equal(found, np.sort(table.iloc[:, 3:].to_numpy(), axis=None))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(turns):
        for name, function in contestants.items():
            times[name].append(seconds(function))
    size = path.stat().st_size / 1e6
    print(f"{size:.1f} MB, {tracks.n_frames:,} rows, {len(tracks.larvae)} larvae; "
          f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"{'contestant':24}{'median s':>10}{'MB/s':>8}{'ratio':>8}{'fastest s':>12}{'ratio':>8}")
    own = times["larvastats"]
    for name, measured in times.items():
        median, fastest = statistics.median(measured), min(measured)
        print(f"{name:24}{median:10.3f}{size / median:8.0f}{median / statistics.median(own):8.2f}"
              f"{fastest:12.3f}{fastest / min(own):8.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
