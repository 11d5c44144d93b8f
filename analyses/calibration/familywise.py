"""Family-wise error of `--correction maxt` over lines that share controls.

    python analyses/calibration/familywise.py --screens 1000

Screens of 50 lines, without any effect, and with five lines whose cast->run is 0.3 lower. FWER:
share of screens in which some line without an effect has an adjusted p at or below .05; found:
share of the lines with an effect that have. *common draws* (first 100 screens) is what maxt is not:
the same relabelling of the shared controls for every line, smallest p of every draw, which is
Westfall & Young's algorithm taken literally.
"""

from __future__ import annotations

import argparse
from functools import lru_cache

import numpy as np
import pandas as pd
from chains import World, draw_screen
from scipy.stats import rankdata

from larvastats.inference.calibration.components import with_effect
from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines.engine import DatedGeometry, SharedControls, ratio
from larvastats.inference.lines.linetest import LineData, statistics
from larvastats.inference.profiles.prepare import profiles
from larvastats.inference.relabelling.plans import (
    Budget,
    DatedPlan,
    date_members,
    dated_plan,
    free_plan,
)
from larvastats.inference.significance import pvalues
from larvastats.inference.significance.multiplicity import adjust
from larvastats.markov.transitions import possible_cells

LINES, EFFECTS, RESAMPLES, COMMON = 50, 5, 5000, 100
WORLDS = (
    World("4 plates v 40"),
    World("4 plates v 8", control_plates=8),
    World("4 dates x 2 v 3", dates=4, line_plates=2, control_plates=3, date_sd=0.2),
    World("4 dates x 1-2 v 2-3", dates=4, line_plates=(1, 2), control_plates=(2, 3), date_sd=0.2),
)


def null_statistics(lines: list[LineData], seed: int) -> list[tuple[np.ndarray, bool]]:
    """Relabelled statistics of every line, and whether they are all there are."""
    budget, first = Budget(RESAMPLES, seed, 20_000), lines[0].design
    if not first.dated:
        plan = free_plan(first.n_line, first.n_control, budget)
        shared = SharedControls(plan, lines[0].x[~first.is_line])
        own = np.stack([line.x[line.design.is_line] for line in lines])
        return [(null, plan.exact) for null in shared.null(own)]
    out = []
    for line in lines:
        plan = dated_plan(tuple(line.design.sizes), budget)
        members = date_members(line.design)
        out.append((ratio(*geometry(plan).null([line.x[m] for m in members])), plan.exact))
    return out


@lru_cache(maxsize=32)
def geometry(plan: DatedPlan) -> DatedGeometry:
    """Keep what lines of one plan share."""
    return DatedGeometry(plan)


def draw_by_draw(p: np.ndarray, null: list[np.ndarray]) -> np.ndarray:
    """Step-down min-P with draw b of one line beside draw b of the others."""
    order = np.argsort(p)
    smallest, out = np.ones(len(null[0])), np.empty(len(p))
    for i in order[::-1]:
        own = rankdata(-null[i], method="max") / len(null[i])
        smallest = np.minimum(smallest, own)
        out[i] = (smallest <= p[i] * (1 + 1e-9)).mean()
    out[order] = np.maximum.accumulate(out[order])
    return out


def one(world: World, n_effects: int, seed: int, common: bool) -> dict[str, np.ndarray]:
    """Adjust the p-values of one screen by every correction."""
    rng = np.random.default_rng([19, seed])
    changed = with_effect(world.chain, 1, 0, -0.3)
    chains = [changed if who < n_effects else world.chain for who in range(LINES)]
    counts, line, dates = draw_screen(world, LINES, rng, chains)
    made = profiles(counts)
    lines = []
    for who in range(LINES):
        design = make_design(np.flatnonzero(line == who), np.flatnonzero(line == -1), dates)
        u = design.units
        possible = possible_cells(6, "jump")
        lines.append(LineData(design, made.x[u], None, counts[u].sum((0, 2)), possible))
    p, tails, nulls = [], [], []
    for data, (null, exact) in zip(lines, null_statistics(lines, seed), strict=True):
        observed = float(statistics(data.design.is_line[None], data)["welch"][0])
        p.append(pvalues.p_relabel(observed, null, exact))
        tails.append(pvalues.smallest_p(null, len(null)) if exact else np.zeros(0))
        nulls.append(null)
    p = np.array(p)
    out = {"maxt": adjust(p, "maxt", tails), "bonferroni": adjust(p, "bonferroni")}
    if common and len({len(n) for n in nulls}) == 1:
        out["common draws"] = draw_by_draw(p, nulls)
    return out


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--screens", type=int, default=1000)
    args = parser.parse_args()
    rows = []
    for world in WORLDS:
        for n_effects in (0, EFFECTS):
            row: dict[str, object] = {"design": world.name, "effects": n_effects}
            screens = [one(world, n_effects, s, s < COMMON) for s in range(args.screens)]
            for name in ("maxt", "bonferroni", "common draws"):
                q = np.array([s[name] for s in screens if name in s])
                if len(q):
                    row[f"{name} FWER"] = (q[:, n_effects:].min(axis=1) <= 0.05).mean()
                if n_effects and len(q):
                    row[f"{name} found"] = (q[:, :n_effects] <= 0.05).mean()
            rows.append(row)
            print(pd.DataFrame(rows[-1:]).to_string(index=False, float_format="%.3f"), flush=True)


if __name__ == "__main__":
    main()
