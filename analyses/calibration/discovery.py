"""A whole screen: how many of its finds are false, and how many effects does it find.

    python analyses/calibration/discovery.py --screens 20

569 lines on 4 of 100 dates each (1 or 2 plates per date, 3 controls per date), 5% of them with a
true effect; Benjamini-Hochberg at .05 on the default p-values (F here, because relabelling cannot
reach far enough) and on relabelling alone.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from chains import LARVA, World, _plates

from larvastats.inference.calibration.components import with_effect
from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines import linetest
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.lines.nulls import test_lines
from larvastats.inference.profiles.prepare import profiles
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance.multiplicity import adjust
from larvastats.markov.transitions import possible_cells

WORLD = World("screen", plate_sd=0.3, date_sd=0.2, vial_sd=0.15)


def draw(rng: np.random.Generator, n_lines: int, n_dates: int, delta: float):
    """Draw one screen; return counts, line of each assay (-1 control), dates, truth."""
    effect = rng.random(n_lines) < 0.05
    noise = rng.normal(0, WORLD.date_sd, (n_dates, 6, 6))
    counts, line, dates = [], [], []

    def add(who: int, day: int, n: int, p: np.ndarray) -> None:
        vial = noise[day] + rng.normal(0, WORLD.vial_sd, (6, 6))
        counts.append(_plates(WORLD, p, vial, n, 30, None, rng))
        line.extend([who] * n)
        dates.extend([f"d{day:03d}"] * n)

    for day in range(n_dates):
        add(-1, day, 3, LARVA)
    for who in range(n_lines):
        p = with_effect(LARVA, 1, 0, -delta) if effect[who] else LARVA
        for day in rng.choice(n_dates, 4, replace=False):
            add(who, int(day), int(rng.integers(1, 3)), p)
    return np.concatenate(counts), np.array(line), np.array(dates, dtype=object), effect


def p_values(counts, line, dates, n_lines):
    """Return p by F and by relabelling, each shape (line,)."""
    made = profiles(counts)
    day = np.unique(dates.astype(str), return_inverse=True)[1]
    f1 = linetest.interaction_dimension(made.x, line, day)
    possible = possible_cells(6, "jump")
    by_f, by_relabelling = [], []
    for who in range(n_lines):
        design = make_design(np.flatnonzero(line == who), np.flatnonzero(line == -1), dates)
        u = design.units
        data = LineData(design, made.x[u], None, counts[u].sum(axis=(0, 2)), possible)
        tested = test_lines([data], [(made.x[u],)], f1, Budget(9999, 1))[0]
        by_f.append(tested.p_f)
        by_relabelling.append(tested.p["main"])
    return np.array(by_f), np.array(by_relabelling)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--screens", type=int, default=20)
    parser.add_argument("--lines", type=int, default=569)
    parser.add_argument("--delta", type=float, default=0.25)
    args = parser.parse_args()
    rows = []
    for screen in range(args.screens):
        rng = np.random.default_rng([7, screen])
        counts, line, dates, effect = draw(rng, args.lines, 100, args.delta)
        both = p_values(counts, line, dates, args.lines)
        for name, p in zip(("F (default)", "relabelling only"), both, strict=True):
            found = adjust(p, "bh") <= 0.05
            false = (found & ~effect).sum() / max(found.sum(), 1)
            row = {"p": name, "true effects": effect.sum(), "found": found.sum()}
            rows.append(row | {"found and true": (found & effect).sum(), "false share": false})
    table = pd.DataFrame(rows).groupby("p").agg(["mean", "std"])
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
