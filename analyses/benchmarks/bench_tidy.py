"""Reading tidy csv tables: peak memory and seconds against pandas, from file to ethogram.

    python analyses/benchmarks/bench_tidy.py --size 200

Frames in order of time (the larvae of a plate interleaved) and of larva, and bouts, are simulated
into csv files of `--size` MB each. Every contestant reads the file in a process of its own; memory
is the peak of that process less what its imports took, seconds (elapsed, and of the processors)
leave out the imports. All must
arrive at the same ethogram.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from larvastats.ethogram import Ethogram
from larvastats.io import tidy

STATES = ("run", "cast", "stop", "hunch", "back", "roll")
LARVAE, SECONDS, STEP = 30, 90.0, 0.05
DWELL = 2.0
MEGABYTE = 1_000_000


# -- tables ----------------------------------------------------------------------------------------


def names_of(plate: int) -> tuple[str, str]:
    """Assay id and line of a plate."""
    return f"2020{plate % 12 + 1:02}{plate % 28 + 1:02}_{plate:06}", f"GMR_{plate // 8 % 99:02}A01"


def bouts_of(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Larva, state and start (s) of the bouts of one plate, without a gap."""
    larva, state, start = [], [], []
    for one in range(LARVAE):
        t = np.cumsum(rng.exponential(DWELL, int(4 * SECONDS / DWELL))).round(2)
        t = np.concatenate(([0.0], np.unique(t[(t > 0) & (t < SECONDS)])))
        larva.append(np.full(len(t), one))
        state.append(np.cumsum(rng.integers(1, len(STATES), len(t))) % len(STATES))
        start.append(t)
    return np.concatenate(larva), np.concatenate(state), np.concatenate(start)


def frames(rng: np.random.Generator, by_time: bool) -> Iterator[dict[str, Any]]:
    """Columns of frames, plate by plate."""
    grid = np.arange(0, SECONDS, STEP)
    while True:
        larva, state, start = bouts_of(rng)
        offset = larva * 2 * SECONDS
        t = np.tile(grid, LARVAE) + rng.normal(0, STEP / 20, grid.size * LARVAE)
        t = np.maximum(t, 0).round(3)
        of = np.repeat(np.arange(LARVAE), grid.size)
        code = state[np.searchsorted(start + offset, t + of * 2 * SECONDS, side="right") - 1]
        order = np.argsort(np.tile(np.arange(grid.size), LARVAE), kind="stable")
        rows = order if by_time else np.arange(t.size)
        yield {"larva": of[rows], "t": t[rows], "state": np.array(STATES)[code[rows]]}


def bouts(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Columns of bouts, plate by plate."""
    while True:
        larva, state, start = bouts_of(rng)
        stop = np.append(start[1:], SECONDS)
        stop[np.append(np.diff(larva) > 0, False)] = SECONDS
        yield {"larva": larva, "state": np.array(STATES)[state], "t_start": start, "t_stop": stop}


TABLES: dict[str, Callable[[np.random.Generator], Iterator[dict[str, Any]]]] = {
    "frames by time": lambda rng: frames(rng, by_time=True),
    "frames by larva": lambda rng: frames(rng, by_time=False),
    "bouts": bouts,
}


def write(path: Path, kind: str, size: float) -> int:
    """Write plates until the file has `size` MB; return the number of rows."""
    options = arrow_csv.WriteOptions(quoting_style="none")
    rows = 0
    with open(path, "wb") as file:
        for plate, columns in enumerate(TABLES[kind](np.random.default_rng(1))):
            n = len(columns["larva"])
            assay, line = names_of(plate)
            table = pa.table({"assay": [assay] * n, "line": [line] * n, **columns})
            options.include_header = plate == 0
            arrow_csv.write_csv(table, file, options)
            rows += n
            if file.tell() >= size * MEGABYTE:
                return rows
    raise AssertionError("unreachable: plates never end")


# -- contestants -----------------------------------------------------------------------------------


def through_larvastats(path: str) -> Ethogram:
    return tidy.read(path)


def through_pandas(path: str) -> Ethogram:
    table = pd.read_csv(path)
    build = Ethogram.from_frames if "t" in table else Ethogram.from_bouts
    return build(table)


def pandas_alone(path: str) -> int:
    return len(pd.read_csv(path))


CONTESTANTS: dict[str, Callable[[str], Any]] = {
    "larvastats, `tidy.read`": through_larvastats,
    "`pandas.read_csv`, then `Ethogram`": through_pandas,
    "`pandas.read_csv` alone": pandas_alone,
}


def digest(result: Ethogram | int) -> str:
    """Fingerprint of an ethogram, its times to the microsecond; a number of rows as it is."""
    if isinstance(result, int):
        return str(result)
    parts = [np.round(t * 1e6).astype(np.int64) for t in (result.t_start, result.t_stop)]
    tables = (result.larvae[["larva", "assay_index"]], result.assays)
    text = repr(result.states) + "".join(table.to_csv() for table in tables)
    mark = hashlib.sha256(text.encode())
    for array in (result.larva_index, result.state, *parts):
        mark.update(array.tobytes())
    return mark.hexdigest()


def peak() -> float:
    """Largest memory this process has had, in MB."""
    try:  # what getrusage says includes the process that started this one
        said = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        said = None
    kib = int(said[1]) if said else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib * 1024 / MEGABYTE


def run_task(name: str, path: str) -> None:
    """Let one contestant read the file here and print what it took."""
    before, start, worked = peak(), time.perf_counter(), time.process_time()
    result = CONTESTANTS[name](path)
    seconds, work = time.perf_counter() - start, time.process_time() - worked
    taken = {"seconds": seconds, "work": work, "peak": peak() - before}
    print(json.dumps({"digest": digest(result), **taken}))


def measure(name: str, path: Path) -> dict[str, Any]:
    """Run a contestant in a process of its own."""
    command = [sys.executable, __file__, "--task", name, str(path)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def compare(kind: str, size: float, repeats: int, folder: Path) -> None:
    """Let all read one file, in turns; print medians and ratios."""
    path = folder / "table.csv"
    rows = write(path, kind, size)
    runs = {name: [measure(name, path) for _ in range(repeats)] for name in CONTESTANTS}
    digests = {one["digest"] for name in list(CONTESTANTS)[:2] for one in runs[name]}
    assert len(digests) == 1, f"{kind}: the ethograms differ"
    megabytes = path.stat().st_size / MEGABYTE
    print(f"\n{kind}: {rows:,} rows, {megabytes:.0f} MB\n")
    print("| contestant | s | ratio | processor s | ratio | peak MB | per MB of csv |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    medians = {
        name: [median(one[what] for one in many) for what in ("seconds", "work", "peak")]
        for name, many in runs.items()
    }
    seconds_1, work_1, _ = next(iter(medians.values()))
    for name, (seconds, work, top) in medians.items():
        print(
            f"| {name} | {seconds:.1f} | {seconds / seconds_1:.2f} | {work:.1f} | "
            f"{work / work_1:.2f} | {top:.0f} | {top / megabytes:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=200, help="MB of each csv")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--task", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        run_task(*options.task)
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.tables:
            compare(kind, options.size, options.repeats, Path(folder))


if __name__ == "__main__":
    main()
