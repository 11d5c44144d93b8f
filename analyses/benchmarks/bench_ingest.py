"""A store against the directory it was made of: rate and memory of ingest, time to a first count.

    python analyses/benchmarks/bench_ingest.py --assays 10 100 1000
    python analyses/benchmarks/bench_ingest.py --assays 4 16 --vertices 100 500

For each number of assays a screen is simulated as a directory of trx.mat files: plates of ten
larvae, ten frames a second, with labels, 11-point spines and three series. Every measurement runs
in a process of its own, so that memory is its own peak; times leave out the imports. The counts
must be the same from both.

With ``--vertices`` plates are filmed instead, with outlines of so many vertices and realistic
faults: processor time per million frames and peak memory of ingest with the filter and kinematics,
of ingest that judges nothing (``--filter none``, which reads no outlines), and of reading the
outlines alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from larvastats.io import trx
from larvastats.io.source import load
from larvastats.io.tracks import Tracks
from larvastats.markov.counts import count_transitions
from larvastats.protocol import default_window, parse_protocol
from larvastats.verbs.ingest import ingest
from larvastats.verbs.simulate import simulate

PLATES = 10
LARVAE = 10
SERIES = ("larva_length_smooth_5", "S_smooth_5", "motion_velocity_norm_smooth_5")


def first_count(source: str) -> int:
    """Open a source and count its transitions while the first stimulus is on."""
    ethogram = load(source)
    windows = [default_window(parse_protocol(ethogram.protocols[0]))]
    return int(count_transitions(ethogram, windows).counts.sum())


def fill(source: str, store: str) -> int:
    """Ingest and return the number of recordings read."""
    return ingest(source, store, keep="midline").n_read


def shaped(source: str, store: str, filter: str) -> int:
    """Ingest films and return the number of frames."""
    ingest(source, store, filter=filter)
    return int(pq.read_table(Path(store, "assays.parquet"))["n_frames"].to_numpy().sum())


def filmed(source: str, assays: str, vertices: str) -> int:
    """Film plates; in a process of its own, for its memory would count as that of its children."""
    n = int(assays)
    simulate(
        source, lines=1, assays_per_line=-(-n // 2), dates=1, control_assays_per_date=n // 2,
        larvae=LARVAE, format="trx", shapes="contour", contour_points=int(vertices),
        faults="realistic",
    )  # fmt: skip
    return n


def outlines(source: str) -> int:
    """Read the outlines of films and return the number of frames."""
    paths = sorted(Path(source).rglob("*.mat"))
    return sum(t.n_frames for p in paths for t in trx.read_tracks(p, shapes=("contour",)))


def make(folder: Path, n: int) -> None:
    """Simulate a screen of `n` assays, and give its larvae shapes."""
    bare, source = folder / "bare", folder / "database"
    lines = n // PLATES - 1
    simulate(
        bare, lines=max(lines, 1), assays_per_line=PLATES if lines else n // 2, dates=5,
        control_assays_per_date=2 if lines else 1, larvae=LARVAE, effects=(), format="trx",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for path in sorted(bare.rglob("*.mat")):
        (plain,) = trx.read_tracks(path)
        shape = (plain.n_frames, 11, 2)
        one = Tracks.build(
            plain.identity, plain.larvae, plain.larva_index, plain.t,
            midline=rng.normal(size=shape).cumsum(axis=1).round(3),
            features={name: rng.normal(size=plain.n_frames).round(4) for name in SERIES},
            states=plain.states, state=plain.state,
        )  # fmt: skip
        target = source / path.relative_to(bare)
        target.parent.mkdir(parents=True)
        trx.write(one, target)
    shutil.rmtree(bare)


TASKS = {"count": first_count, "ingest": fill, "shaped": shaped,
         "film": filmed, "outlines": outlines}  # fmt: skip


def measure(task: str, *words: str) -> dict[str, Any]:
    """Run a task in a process of its own."""
    command = [sys.executable, __file__, "--task", task, *words]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def run_task(task: str, *words: str) -> None:
    """Run a task here and print what it took."""
    start, busy = time.perf_counter(), time.process_time()
    result = TASKS[task](*words)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(json.dumps({"result": result, "seconds": seconds, "busy": busy, "peak": peak}))


def size(folder: Path) -> float:
    """Size of all files of a folder, in MiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def compare(assays: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, store = Path(folder, "database"), Path(folder, "store")
        make(Path(folder), assays)
        n = sum(1 for _ in source.rglob("*.mat"))
        filled = measure("ingest", str(source), str(store))
        again = measure("ingest", str(source), str(store))
        assert (filled["result"], again["result"]) == (n, 0)
        raw = [measure("count", str(source)) for _ in range(repeats)]
        kept = [measure("count", str(store)) for _ in range(repeats)]
        assert len({one["result"] for one in raw + kept}) == 1
        from_raw, from_store = (min(one["seconds"] for one in many) for many in (raw, kept))
        print(
            f"{n} assays, {size(source):.1f} MiB of trx.mat, store {size(store):.1f} MiB\n"
            f"  ingest       {filled['seconds']:8.2f} s ({n / filled['seconds']:.0f} assays/s), "
            f"peak {filled['peak']:.0f} MiB\n"
            f"  again        {again['seconds']:8.2f} s, nothing read\n"
            f"  first count  {from_raw:8.2f} s from the directory, {from_store:.3f} s from the "
            f"store: {from_raw / from_store:.1f} times faster",
            flush=True,
        )


def film(assays: int, vertices: int, repeats: int) -> None:
    """Ingest films with and without the filter, and read their outlines alone."""
    with tempfile.TemporaryDirectory() as folder:
        source, store = str(Path(folder, "films")), Path(folder, "store")
        measure("film", source, str(assays), str(vertices))
        said = []
        for what, words in (
            ("filter", ["shaped", source, str(store), "default"]),
            ("no filter", ["shaped", source, str(store), "none"]),
            ("outlines alone", ["outlines", source]),
        ):
            tries = []
            for _ in range(repeats):
                shutil.rmtree(store, ignore_errors=True)
                tries.append(measure(*words))
            best = min(tries, key=lambda one: one["busy"])
            said.append(f"{what} {best['busy'] / best['result'] * 1e6:.1f} s, "
                        f"peak {best['peak']:.0f} MiB")  # fmt: skip
        print(f"{assays} assays, {tries[0]['result']} frames, outlines of {vertices} vertices; "
              f"per million frames: {'; '.join(said)}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--assays", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--vertices", type=int, nargs="+", default=[])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        run_task(*given.task)
        return
    for assays, vertices in product(given.assays, given.vertices):
        film(assays, vertices, given.repeats)
    for assays in [] if given.vertices else given.assays:
        compare(assays, given.repeats)


if __name__ == "__main__":
    main()
