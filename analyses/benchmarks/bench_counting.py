"""Counting transitions: larvastats against pandas, same data, same run, same result asserted.

    python analyses/benchmarks/bench_counting.py [--bouts 10000000] [--larvae 300000] [--repeats 5]

Bouts of larvae on plates are counted into ``(assay, window, from, to)`` over three windows, one of
them a union. Every contestant runs in a process of its own, so that its peak memory is its own.
The machine may be busy: compare the ratio of medians, not the seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from larvastats.ethogram import CONTIGUOUS, Ethogram
from larvastats.markov.counts import count_transitions
from larvastats.protocol import Window

STATES = ("run", "cast", "stop", "hunch", "back", "roll")
K = len(STATES)
LARVAE_PER_ASSAY = 30
WINDOWS = (
    Window("before", ((-np.inf, 30.0),)),
    Window("during", ((30.0, 45.0), (60.0, 75.0))),
    Window("after", ((75.0, np.inf),)),
)


def make_bouts(folder: Path, bouts: int, larvae: int, seed: int = 0) -> None:
    """Write bouts of larvae that change state at every bout, some after a gap of tracking."""
    rng = np.random.default_rng(seed)
    larva = np.sort(rng.integers(0, larvae, bouts)).astype(np.int32)
    state = (rng.integers(1, K, bouts).cumsum() % K).astype(np.int16)  # never twice the same
    length = rng.gamma(2.0, 1.5, bouts)
    gap = np.where(rng.random(bouts) < 0.02, 1.0, 0.0)
    stop = (length + gap).cumsum()
    start = stop - length
    first = np.flatnonzero(np.diff(larva, prepend=-1))
    origin = np.repeat(start[first], np.diff(np.append(first, bouts)))
    # a bout starts where the last one stopped, to the last digit
    start, stop = start - origin, stop - origin
    follows = np.append(False, (gap[1:] == 0) & (larva[1:] == larva[:-1]))
    start[follows] = stop[np.flatnonzero(follows) - 1]
    for name, values in (("larva", larva), ("state", state), ("start", start), ("stop", stop)):
        np.save(folder / f"{name}.npy", values)


def load(folder: Path) -> dict[str, np.ndarray]:
    return {name: np.load(folder / f"{name}.npy") for name in ("larva", "state", "start", "stop")}


def by_larvastats(data: dict[str, np.ndarray], larvae: int):
    """Return what counts an ethogram; building it is not timed."""
    assay = np.arange(larvae) // LARVAE_PER_ASSAY
    individuals = pd.DataFrame({"larva": np.arange(larvae).astype(str), "assay_index": assay})
    names = [f"assay{a}" for a in range(int(assay.max()) + 1)]
    assays = pd.DataFrame({"assay": names, "line": "line", "genotype": "line"})
    ethogram = Ethogram.build(
        STATES, data["larva"], data["state"], data["start"], data["stop"], individuals, assays
    )
    assert ethogram.n_bouts == len(data["larva"])
    return lambda: count_transitions(ethogram, WINDOWS).counts


def by_pandas(data: dict[str, np.ndarray], larvae: int):
    """Shift within larvae, label the window, cross-tabulate."""
    table = pd.DataFrame(data)
    table["assay"] = table["larva"] // LARVAE_PER_ASSAY

    def count() -> np.ndarray:
        groups = table.groupby("larva", sort=False)
        gap = table["start"] - groups["stop"].shift()
        jumps = table.assign(origin=groups["state"].shift())[gap <= CONTIGUOUS]
        edges = [-np.inf, 30, 45, 60, 75, np.inf]
        names = ["before", "during", None, "during", "after"]
        part = pd.cut(jumps["start"], edges, right=False, labels=False)
        window = part.map(dict(enumerate(names)))
        cells = pd.crosstab([jumps["assay"], window], [jumps["origin"], jumps["state"]])
        return _dense(cells, larvae)

    return count


def by_pandas_sizes(data: dict[str, np.ndarray], larvae: int):
    """Group integers instead of cross-tabulating: the same count, pandas at its quickest."""
    table = pd.DataFrame(data)
    table["assay"] = table["larva"] // LARVAE_PER_ASSAY

    def count() -> np.ndarray:
        last = table.shift()
        follows = (table["larva"] == last["larva"]) & (table["start"] - last["stop"] <= CONTIGUOUS)
        jumps = table.assign(origin=last["state"])[follows].astype({"origin": np.int16})
        out = np.zeros((-(-larvae // LARVAE_PER_ASSAY), len(WINDOWS), K, K), dtype=np.int64)
        for w, window in enumerate(WINDOWS):
            t = jumps["start"]
            inside = np.logical_or.reduce(
                [(t >= low) & (t < high) for low, high in window.intervals]
            )
            sizes = jumps[inside].groupby(["assay", "origin", "state"], sort=False).size()
            a, i, j = (sizes.index.get_level_values(level).to_numpy() for level in range(3))
            out[a, w, i, j] = sizes.to_numpy()
        return out

    return count


def _dense(cells: pd.DataFrame, larvae: int) -> np.ndarray:
    """Put a cross-tabulation into an array (assay, window, from, to)."""
    out = np.zeros((-(-larvae // LARVAE_PER_ASSAY), len(WINDOWS), K, K), dtype=np.int64)
    assay = cells.index.get_level_values(0).to_numpy()
    order = {window.name: w for w, window in enumerate(WINDOWS)}
    window = cells.index.get_level_values(1).map(order).to_numpy()
    origin, target = (cells.columns.get_level_values(i).to_numpy(int) for i in (0, 1))
    out[assay[:, None], window[:, None], origin, target] = cells.to_numpy()
    return out


CONTESTANTS = {
    "larvastats": by_larvastats,
    "pandas crosstab": by_pandas,
    "pandas groupby size": by_pandas_sizes,
}


def peak_mb() -> float:
    """Peak resident memory of this process so far (Linux counts in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def run_child(name: str, folder: Path, larvae: int, repeats: int) -> None:
    """Run one contestant; write its counts and print its numbers."""
    count = CONTESTANTS[name](load(folder), larvae)
    before, seconds = peak_mb(), []
    for _ in range(repeats):
        start = time.perf_counter()
        counts = count()
        seconds.append(time.perf_counter() - start)
    np.save(folder / "counts.npy", counts)
    print(json.dumps({"seconds": seconds, "loaded_mb": before, "peak_mb": peak_mb()}))


def run(name: str, folder: Path, larvae: int, repeats: int) -> tuple[dict, np.ndarray]:
    """Start a contestant in its own process."""
    command = [sys.executable, __file__, "--child", name, "--folder", str(folder),
               "--larvae", str(larvae), "--repeats", str(repeats)]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout), np.load(folder / "counts.npy")


def main() -> None:
    """Run every contestant on the same bouts and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bouts", type=int, default=10_000_000)
    parser.add_argument("--larvae", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run_child(given.child, given.folder, given.larvae, given.repeats)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_bouts(folder, given.bouts, given.larvae)
        results = {}
        for contestant in CONTESTANTS:
            repeats = given.repeats if contestant == "larvastats" else max(1, given.repeats // 2)
            results[contestant] = run(contestant, folder, given.larvae, repeats)
    ours, counts = results["larvastats"]
    print(f"{given.bouts:,} bouts of {given.larvae:,} larvae, {counts.sum():,} jumps counted")
    print(f"{'':<22}{'median s':>10}{'ratio':>8}{'loaded MB':>11}{'peak MB':>9}")
    for contestant, (numbers, theirs) in results.items():
        assert np.array_equal(theirs, counts), f"{contestant} counts otherwise"
        median = float(np.median(numbers["seconds"]))
        ratio = median / float(np.median(ours["seconds"]))
        print(f"{contestant:<22}{median:>10.2f}{ratio:>8.1f}{numbers['loaded_mb']:>11.0f}"
              f"{numbers['peak_mb']:>9.0f}")  # fmt: skip
    print("every contestant counted the same")


if __name__ == "__main__":
    main()
