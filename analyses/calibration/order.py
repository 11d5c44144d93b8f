"""Memory that is none, and time courses that are none: size and power of two tests.

    python analyses/calibration/order.py --runs 1000

`order`: is a first-order chain enough? Against the textbook chi-square of pooled triples.
`homogeneity`: is the chain the same in three windows of 15 s? Against the chi-square of pooled
transitions. One genotype of 6 plates of 20 larvae on three dates, plates of SD .3.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats
from walks import Walks, walk

from larvastats.ethogram import Ethogram
from larvastats.inference.order import homogeneity, shuffles
from larvastats.markov.counts import count_transitions
from larvastats.markov.sequences import count_triples, order_chi_square, sequences
from larvastats.protocol import Window

PLATES = {"plates": 0, "controls": 2}


def order_worlds() -> list[tuple[str, Walks]]:
    """Return the studies of order."""
    base = Walks(**PLATES)
    return [
        ("plates alike", replace(base, plate_sd=0.0, vial_sd=0.0, date_sd=0.0)),
        ("plates SD .3", base),
        ("plates SD .6", replace(base, plate_sd=0.6)),
        ("larvae SD .5", replace(base, larva_sd=0.5)),
        ("larvae SD 1", replace(base, larva_sd=1.0)),
        ("larvae SD 1, tracks lost at .05/s", replace(base, larva_sd=1.0, lost=0.05)),
        ("odds of returning x 1.2", replace(base, memory=1.2)),
        ("odds of returning x 1.5", replace(base, memory=1.5)),
        ("x 1.5, larvae SD 1", replace(base, memory=1.5, larva_sd=1.0)),
        ("x 1.5, recordings of 90 s", replace(base, memory=1.5, duration=90.0)),
    ]


def order(name: str, world: Walks, runs: int, seed: int, resamples: int = 99) -> dict:
    """Run one study of order."""
    p, p_return, p_triple, naive, held = [], [], [], [], []
    whole = Window("whole", ((-np.inf, np.inf),))
    for i in range(runs):
        data = walk(world, np.random.default_rng([seed, i]), False)
        own = sequences(data, whole)
        found = shuffles.shuffle_runs(own, resamples, own.assay, len(data.assays),
                                       np.random.default_rng([seed, i, 1]))  # fmt: skip
        test = shuffles.order_statistics(found)
        back = shuffles.recurrence(found, own.assay, len(data.assays))
        p.append(test.p_value)
        p_triple.append(np.nanmin(test.p_adjusted))
        p_return.append(back.p_value)
        held.append(back.low <= 0 <= back.high)
        x2, df = order_chi_square(count_triples(own)[0])
        naive.append(stats.chi2.sf(x2, df))
    share = {"all triples": p, "any triple": p_triple, "returns": p_return, "chi-square": naive}
    row = {k: np.mean(np.array(v) <= 0.05 + 1e-12) for k, v in share.items()}
    return {"order": name, "runs": runs, **row, "interval of returns holds 0": np.mean(held)}


def homogeneity_worlds() -> list[tuple[str, Walks, tuple[float, ...]]]:
    """Return the studies of homogeneity: name, world, edges of the windows."""
    base = Walks(**PLATES)
    thirds, unequal = (0.0, 15.0, 30.0, 45.0), (0.0, 5.0, 15.0, 45.0)
    drift = replace(base, drift_sd=0.3)
    return [
        ("plates alike", replace(base, plate_sd=0.0, vial_sd=0.0, date_sd=0.0), thirds),
        ("plates SD .3", base, thirds),
        ("plates SD .6, larvae SD 1", replace(base, plate_sd=0.6, larva_sd=1.0), thirds),
        ("each plate drifts, SD .3", drift, thirds),
        ("each plate drifts, SD .6", replace(base, drift_sd=0.6), thirds),
        ("drift SD .3, 12 plates", replace(drift, controls=4), thirds),
        ("drift SD .3, windows of 5, 10, 30 s", drift, unequal),
        ("the same, 12 plates", replace(drift, controls=4), unequal),
        ("two windows of 10 and 35 s, 12 plates", replace(drift, controls=4), (0.0, 10.0, 45.0)),
    ]


def homogeneous(name: str, world: Walks, edges: tuple[float, ...], runs: int, seed: int,
                change: float = 0.0) -> dict:  # fmt: skip
    """Run one study of homogeneity; `change` tilts the odds of run to stop from 15 s on."""
    windows = [Window(f"{a:g}:{b:g}", ((a, b),)) for a, b in pairwise(edges)]
    p = {"exchange": [], "flip": []}
    any_window, naive, floor = [], [], []
    for i in range(runs):
        rng = np.random.default_rng([seed, i])
        data = _changed(walk(world, rng, False), world, change, rng) if change else walk(
            world, rng, False)  # fmt: skip
        counts = count_transitions(data, windows).counts
        scores = homogeneity.window_scores(counts)
        for kind in p:
            found = homogeneity.homogeneity(scores, kind == "exchange", 499, rng)
            p[kind].append(found.p_value)
            if kind == "exchange":
                any_window.append(found.p_adjusted.min())
        floor.append(found.p_floor)
        naive.append(homogeneity.chi_square(counts.sum(axis=0))[2])
    share = {**p, "any window": any_window, "chi-square": naive}
    row = {k: np.mean(np.array(v) <= 0.05 + 1e-12) for k, v in share.items()}
    return {"homogeneity": name, "runs": runs, **row, "floor of flips": np.mean(floor)}


def _changed(data: Ethogram, world: Walks, change: float, rng: np.random.Generator) -> Ethogram:
    """Give the second third of the recording the walks of another chain."""
    chain = world.chain.copy()
    chain[0, 2] *= np.exp(change)
    other = walk(replace(world, chain=chain), rng, False)
    first, second = data.clip([(0.0, 15.0), (30.0, 45.0)]), other.clip([(15.0, 30.0)])
    table = pd.concat([first.to_bouts(), second.to_bouts()])
    return Ethogram.from_bouts(table, states=data.states)


def main() -> None:
    """Print the studies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=12)
    args = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", 20, "display.precision", 3)
    for i, (name, world) in enumerate(order_worlds()):
        _print(order(name, world, args.runs, args.seed), i == 0)
    print()
    for i, world in enumerate(homogeneity_worlds()):
        _print(homogeneous(*world, args.runs, args.seed), i == 0)
    for change in (0.5, 1.0):
        name = f"odds of run to stop x {np.exp(change):.1f}, 2nd window"
        thirds = (0.0, 15.0, 30.0, 45.0)
        row = homogeneous(name, Walks(**PLATES), thirds, args.runs, args.seed, change)
        _print(row, False)


def _print(row: dict, header: bool) -> None:
    """Print one row of a table as soon as it is known."""
    if header:
        print("  ".join(f"{name:>10s}" for name in row))
    cells = (f"{v:>10.3f}" if isinstance(v, float) else f"{v!s:>10s}" for v in row.values())
    print("  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
