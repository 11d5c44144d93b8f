"""Fuzz the readers: ``python tests/fuzz/run.py --format all --inputs 100000``.

Every format runs in a process of its own, which this one starts again after a crash of the process
or a hang that Python cannot interrupt. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
HANG = 30.0
"""Seconds after which a process that does not get on is killed."""

ADDRESS_SPACE = 16 << 30
"""Bytes; beyond, allocations fail, so that a fault does not take the machine with it."""

COLUMNS = ("format", "inputs", "per second", "results", "refused", "faults", "slowest, s",
           "most, MiB", "edges")  # fmt: skip
SAVE_EVERY = 100
N_SEEDS = 60
MISSING = (
    "atheris is not installed: pip install 'larvastats[fuzz]', or give --engine plain, which makes "
    "the same inputs without looking at coverage."
)


def main(words: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--format", default="all", help="a format, several by commas, or all")
    parser.add_argument("--inputs", type=int, default=100_000, help="per format")
    parser.add_argument("--seconds", type=float, default=0, help="at most so long per format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("atheris", "plain"), default="atheris")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "results" / "fuzz")
    parser.add_argument("--seeds", type=Path, help="folder of real files to begin with")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.engine == "atheris" and importlib.util.find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 2
    if options.child:
        return child(options)
    return parent(options)


# -- the process that reads ------------------------------------------------------------------------


def child(options: argparse.Namespace) -> int:
    """Feed one format until its inputs are used up; the tally is in ``tally.json``."""
    warnings.simplefilter("error")
    faulthandler.enable()  # a crash of the process says in the log where it was
    allowed = resource.getrlimit(resource.RLIMIT_AS)[1]
    room = ADDRESS_SPACE if allowed == resource.RLIM_INFINITY else min(ADDRESS_SPACE, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path[:0] = [str(HERE), str(REPOSITORY)]
    if options.engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["larvastats"], enable_loader_override=False):
            from fuzz_watch import Watch
    else:
        from fuzz_watch import Watch
    watch = Watch(options.format, options.work / "file", options.out)
    write = Writer(watch, options.work / "tally.json")
    if options.engine == "plain":
        return plain(watch, write, options)
    return guided(watch, write, options)


class Writer:
    """Writes the tally now and then, and at the end."""

    def __init__(self, watch: Any, path: Path) -> None:
        self.watch, self.path = watch, path

    def feed(self, data: bytes) -> None:
        """Read one input."""
        kind = self.watch.feed(data)
        if kind.startswith("FAULT") or self.watch.tally.inputs % SAVE_EVERY == 0:
            self.save()

    def save(self) -> None:
        """Replace the file with what is known now."""
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(vars(self.watch.tally)))
        part.replace(self.path)


def plain(watch: Any, write: Writer, options: argparse.Namespace) -> int:
    """Feed inputs of the generators, each made of good inputs and of those before it."""
    import numpy as np

    rng = np.random.default_rng(options.seed)
    pool = begin(watch.target, options, rng)
    end = time.monotonic() + (options.seconds or float("inf"))
    while watch.tally.inputs < options.inputs and time.monotonic() < end:
        at = int(rng.integers(len(pool)))
        data = watch.target.mutate(pool[at], rng)
        if rng.random() < 0.02:
            pool[at] = data
        write.feed(data)
    write.save()
    return 0


def guided(watch: Any, write: Writer, options: argparse.Namespace) -> int:
    """Let libFuzzer choose which inputs to change further, by the lines they reach."""
    import atheris
    import numpy as np

    rng = np.random.default_rng(options.seed)
    corpus = options.work / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(begin(watch.target, options, rng)):
        (corpus / f"seed{number}").write_bytes(data)

    def change(data: bytes, most: int, seed: int) -> bytes:
        own = np.random.default_rng(seed)
        if own.random() < 0.15:
            return atheris.Mutate(data, most)
        return watch.target.mutate(data, own)[:most]

    def one(data: bytes) -> None:
        write.feed(data)
        if watch.tally.inputs >= options.inputs or time.monotonic() > end:
            write.save()
            os._exit(
                0
            )  # leaving libFuzzer in order waits for threads of pyarrow, at times for ever

    words = ["-runs=-1", f"-seed={options.seed}", "-max_len=65536",
             "-timeout=0", "-handle_alrm=0", "-rss_limit_mb=0", "-malloc_limit_mb=0",
             "-detect_leaks=0", "-len_control=0"]  # fmt: skip
    end = time.monotonic() + (options.seconds or float("inf"))
    atheris.Setup(["fuzz", *words, str(corpus)], one, custom_mutator=change)
    try:
        atheris.Fuzz()
    finally:
        write.save()
    return 0


def begin(target: Any, options: argparse.Namespace, rng: Any) -> list[bytes]:
    """Inputs to begin with: made by the grammar, and real files where there are any."""
    from fuzz_targets import seeds

    found = seeds(target, N_SEEDS, rng)
    if options.seeds is not None and target.file:
        endings = ENDINGS.get(Path(target.file).suffix, (Path(target.file).suffix or ".csv",))
        found += [_head(p) for p in sorted(options.seeds.rglob("*")) if _ends(p, endings)]
    return found


ENDINGS = {".label": (".label", ".labels", ".json", ".nyxlabel")}


def _ends(path: Path, endings: tuple[str, ...]) -> bool:
    return path.is_file() and path.name.removesuffix(".gz").endswith(endings)


def _head(path: Path) -> bytes:
    from larvastats.io.files import open_plain

    with open_plain(path) as file:
        return file.read(1 << 14)


# -- the process that watches ----------------------------------------------------------------------


def parent(options: argparse.Namespace) -> int:
    """Run the formats one after the other and print a table."""
    sys.path[:0] = [str(HERE), str(REPOSITORY)]
    from fuzz_targets import TARGETS

    names = list(TARGETS) if options.format == "all" else options.format.split(",")
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        print(f"Unknown format {unknown[0]!r}; there are: {', '.join(TARGETS)}.", file=sys.stderr)
        return 2
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|---|{'---:|' * (len(COLUMNS) - 1)}", flush=True)
    n_faults = 0
    for name in names:
        tally = one_format(name, options)
        n_faults += sum(tally["faults"].values())
        print(row(name, tally), flush=True)
        for fault, count in sorted(tally["faults"].items()):
            print(f"    {count} × {fault}", file=sys.stderr, flush=True)
    return int(n_faults > 0)


def row(name: str, tally: dict[str, Any]) -> str:
    """One line of the table."""
    kinds, n = tally["kinds"], tally["inputs"]
    refused = sum(count for kind, count in kinds.items() if kind != "result")
    rate = n / tally["wall"] if tally["wall"] else 0
    cells = (f"{n:,}", f"{rate:.0f}", f"{kinds.get('result', 0):,}", f"{refused:,}",
             f"{sum(tally['faults'].values())}", f"{tally['slowest']:.2f}",
             f"{tally['largest']:.0f}", str(tally["edges"] or "–"))  # fmt: skip
    return f"| {name} | {' | '.join(cells)} |"


def one_format(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one format to the end, in as many processes as it takes."""
    label = re.sub(r"[^A-Za-z]+", "_", name)
    kept = options.out / label
    shm = Path("/dev/shm")
    total: dict[str, Any] = {"inputs": 0, "kinds": {}, "faults": {}, "slowest": 0.0,
                             "largest": 0.0, "seconds": 0.0, "wall": 0.0, "edges": 0}  # fmt: skip
    start, seed = time.monotonic(), options.seed
    while total["inputs"] < options.inputs:
        left = options.seconds - (time.monotonic() - start) if options.seconds else 0
        if options.seconds and left < 1:
            break
        work = Path(tempfile.mkdtemp(prefix=f"fuzz-{label}-", dir=shm if shm.is_dir() else None))
        words = ["--format", name, "--inputs", str(options.inputs - total["inputs"]), "--seconds",
                 str(left), "--seed", str(seed), "--engine", options.engine, "--out", str(kept),
                 "--work", str(work), "--child"]  # fmt: skip
        words += ["--seeds", str(options.seeds)] if options.seeds else []
        before = total["inputs"]
        _supervised(words, work, kept, total)
        shutil.rmtree(work, ignore_errors=True)
        seed += 1
        if total["inputs"] == before and seed > options.seed + 3:
            break
    total["wall"] = time.monotonic() - start
    return total


def _supervised(words: list[str], work: Path, kept: Path, total: dict[str, Any]) -> None:
    """Run one process; when it dies or stands still, keep the input that it was reading."""
    log = open(work / "log", "wb")  # noqa: SIM115
    with log:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "run.py"), *words], stdout=log, stderr=log,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        hung = False
        while process.poll() is None:
            time.sleep(0.2)
            current = work / "file" / "current"
            age = time.time() - current.stat().st_mtime if current.exists() else 0
            if age > HANG:
                hung = True
                process.kill()
                process.wait()
    if (work / "tally.json").exists():
        add(total, json.loads((work / "tally.json").read_text()))
    text = (work / "log").read_text("utf-8", "replace")
    edges = [int(n) for n in re.findall(r"cov: (\d+)", text)]
    total["edges"] = max([total["edges"], *edges])
    if hung or process.returncode != 0:
        how = "hang" if hung else _died(process.returncode)
        total["faults"][how] = total["faults"].get(how, 0) + 1
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{how}-{total['faults'][how]}.txt").write_text(text[-8000:])
        if (work / "file" / "current").exists():
            shutil.copy(work / "file" / "current", kept / f"{how}-{total['faults'][how]}")


def _died(code: int) -> str:
    return f"process ended by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def add(total: dict[str, Any], tally: dict[str, Any]) -> None:
    """Add the tally of one process."""
    for key in ("inputs", "seconds"):
        total[key] += tally[key]
    for key in ("kinds", "faults"):
        for name, count in tally[key].items():
            total[key][name] = total[key].get(name, 0) + count
    for key in ("slowest", "largest"):
        total[key] = max(total[key], tally[key])


if __name__ == "__main__":
    sys.exit(main())
