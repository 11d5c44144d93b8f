"""A screen of published size: 569 lines, about 280,000 larvae and 10 million bouts, in one command.

    python analyses/benchmarks/bench_published_size.py FOLDER

Simulates the recordings once into FOLDER (minutes; kept for a second run), then runs
``larvastats screen`` on the parquet table, from disk to written results with intervals and quick
calibration, and prints its seconds and its largest memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from larvastats.io.tidy import write_bouts
from larvastats.simulate.design import ScreenDesign, line_names
from larvastats.simulate.effects import default_effects
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import light_screen

LINES, DATES = 569, 100


def make(path: Path) -> None:
    """Simulate the screen: 4 plates of each line on 4 dates, 3 control plates on each date."""
    model, names = light_screen(), line_names(LINES)
    design = ScreenDesign(
        model=model,
        lines=names,
        dates=DATES,
        assays_per_line=6,
        dates_per_line=4,
        control_assays_per_date=3,
        larvae=(60, 84),
        effects=default_effects(model, names[:28]),
    )
    ethogram, _ = simulate_ethogram(design, seed=1, progress=True)
    print(f"{len(ethogram.larvae)} tracks, {ethogram.n_bouts} bouts, {len(ethogram.assays)} assays")
    write_bouts(ethogram, path)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", default="2")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    table = args.folder / "published.parquet"
    if not table.exists():
        make(table)
    command = [
        str(Path(sys.executable).parent / "larvastats"), "screen", str(table), "--jobs", args.jobs,
        "--out", str(args.folder / "results"), "--no-figures",
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{wall:.0f} s of wall time, {used.ru_utime + used.ru_stime:.0f} s of processor time, "
        f"{used.ru_maxrss / 2**20:.2f} GiB in the largest process"
    )


if __name__ == "__main__":
    main()
