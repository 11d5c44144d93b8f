"""A store against the directory it was made of: rate and memory of ingest, time to a first count.

    python analyses/benchmarks/bench_ingest.py --lines 1 31

For each number of lines a screen is simulated as a directory of trx.mat files (8 plates a line and
8 of the control, about 10 larvae each). Every measurement runs in a process of its own, so that
memory is its own peak; times leave out the imports. The counts must be the same from both.
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
from typing import Any

from larvastats.io.source import load
from larvastats.markov.counts import count_transitions
from larvastats.protocol import default_window, parse_protocol
from larvastats.verbs.ingest import ingest
from larvastats.verbs.simulate import simulate

PLATES = 8


def first_count(source: str) -> int:
    """Open a source and count its transitions while the first stimulus is on."""
    ethogram = load(source)
    windows = [default_window(parse_protocol(ethogram.protocols[0]))]
    return int(count_transitions(ethogram, windows).counts.sum())


def fill(source: str, store: str) -> int:
    """Ingest and return the number of recordings read."""
    return ingest(source, store).n_read


TASKS = {"count": first_count, "ingest": fill}


def measure(task: str, *words: str) -> dict[str, Any]:
    """Run a task in a process of its own."""
    command = [sys.executable, __file__, "--task", task, *words]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def run_task(task: str, *words: str) -> None:
    """Run a task here and print what it took."""
    start = time.perf_counter()
    result = TASKS[task](*words)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(json.dumps({"result": result, "seconds": seconds, "peak": peak}))


def size(folder: Path) -> float:
    """Size of all files of a folder, in MiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def compare(lines: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, store = Path(folder, "database"), Path(folder, "store")
        simulate(
            source, lines=lines, assays_per_line=PLATES, dates=4, control_assays_per_date=2,
            larvae=10, effects=(), format="trx",
        )  # fmt: skip
        n = PLATES * (lines + 1)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, nargs="+", default=[1, 124])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        run_task(*given.task)
        return
    for lines in given.lines:
        compare(lines, given.repeats)


if __name__ == "__main__":
    main()
