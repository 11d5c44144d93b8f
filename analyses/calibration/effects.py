"""How far off the divergences are, and how often their intervals hold the truth.

    python analyses/calibration/divergences.py --draws 400

The truth is the divergence between the expected matrices (pooled over 20,000 simulated plates).
Bias and root mean square error of plug-in and adjusted distance; coverage and width of the 95%
interval, as `screen` gives it (the lower limit is 0 where the divergence's own test does not
reject).
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
from chains import LARVA, World, draw_screen, lay_out

from larvastats.inference.effects import divergences
from larvastats.inference.effects.intervals import bootstrap_intervals
from larvastats.inference.lines import linetest
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.lines.nulls import test_lines
from larvastats.inference.relabelling.plans import Budget
from larvastats.markov.transitions import possible_cells

TOWARDS = np.array(
    [
        [0, 0.02, 0.28, 0.30, 0.35, 0.05],
        [0.03, 0, 0.62, 0.20, 0.10, 0.05],
        [0.02, 0.28, 0, 0.45, 0.20, 0.05],
        [0.02, 0.08, 0.70, 0, 0.20, 0],
        [0.05, 0.05, 0.60, 0.30, 0, 0],
        [0.05, 0.20, 0.75, 0, 0, 0],
    ]
)
POSSIBLE = possible_cells(6, "jump")


def shifted(share: float) -> np.ndarray:
    """Return the larva's chain moved towards another one."""
    return (1 - share) * LARVA + share * TOWARDS


def expected(world: World, p: np.ndarray, rng: np.random.Generator, plates: int = 20_000):
    """Return the expected pooled matrix of a genotype: what infinitely many plates would show."""
    sd = np.sqrt(world.plate_sd**2 + world.date_sd**2 + world.vial_sd**2)
    q = p * np.exp(rng.normal(0, sd, (plates, *p.shape)))
    return (q / q.sum(axis=-1, keepdims=True)).mean(axis=0)


def one(world: World, share: float, draws: int, seed: int) -> dict[str, object]:
    """Run one design and one true effect."""
    rng = np.random.default_rng(seed)
    p = shifted(share)
    truth = divergences.plug_in(
        1e9 * expected(world, p, rng), 1e9 * expected(world, LARVA, rng), POSSIBLE, "uniform"
    )
    rows: dict[str, list[float]] = {}
    for _ in range(draws):
        counts, line, dates = draw_screen(world, 1, rng, [p])
        design, made = lay_out(counts, line, dates, 0)
        u = design.units
        own = counts[u].astype(float)
        data = LineData(design, made.x[u], made.rows[u], own.sum(axis=(0, 2)), POSSIBLE)
        tested = test_lines([data], [(made.x[u],)], 5.0, Budget(399, 1, 2000))[0]
        df = linetest.degrees_of_freedom(data)
        plain = divergences.plug_in(
            own[design.is_line].sum(axis=0), own[~design.is_line].sum(axis=0), POSSIBLE, "uniform"
        )
        adjusted = divergences.adjusted(
            own[design.is_line], own[~design.is_line], POSSIBLE, "uniform"
        )
        limits = bootstrap_intervals(design, own, POSSIBLE, "uniform", df, 400, rng)
        for name in ("hellinger", "js", "kl"):
            low, high = limits[name]
            low = 0.0 if tested.p[name] > 0.05 else low
            rows.setdefault(f"{name} plug-in", []).append(float(plain[name]))
            rows.setdefault(f"{name} adjusted", []).append(adjusted[name])
            rows.setdefault(f"{name} covers", []).append(low <= truth[name] <= high)
            rows.setdefault(f"{name} width", []).append(high - low)
    out: dict[str, object] = {"design": world.name, "share": share}
    for name in ("hellinger", "js", "kl"):
        value = float(truth[name])
        out[f"{name} truth"] = value
        for kind in ("plug-in", "adjusted"):
            error = np.array(rows[f"{name} {kind}"]) - value
            out[f"{name} {kind} bias"] = error.mean()
            out[f"{name} {kind} rmse"] = np.sqrt((error**2).mean())
        out[f"{name} coverage"] = np.mean(rows[f"{name} covers"])
        out[f"{name} width"] = np.mean(rows[f"{name} width"])
    return out


def worlds() -> list[World]:
    """Return the designs: 4, 8, 16 replicates, with and without dates."""
    free = World("free", plate_sd=0.3)
    dated = World("dated", line_plates=2, control_plates=3, plate_sd=0.3, date_sd=0.2)
    out = [replace(free, name=f"{n} plates v 40", line_plates=n) for n in (4, 8, 16)]
    out += [replace(dated, name=f"{n} dates x 2 v 3", dates=n) for n in (4, 8, 16)]
    out += [replace(dated, name="8 dates x 2 v 3, vial SD .15", dates=8, vial_sd=0.15)]
    return out


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default=None)
    args = parser.parse_args()
    rows = []
    for i, world in enumerate(worlds()):
        for j, share in enumerate((0.0, 0.12, 0.5, 0.95)):
            if args.only in world.name:
                rows.append(one(world, share, args.draws, 1000 + 10 * i + j))
                short = {k: v for k, v in rows[-1].items() if not k.startswith(("js", "kl"))}
                text = pd.DataFrame([short]).to_string(index=False, header=len(rows) == 1,
                                                       float_format="%.3f")  # fmt: skip
                print(text, flush=True)
                if args.out:
                    pd.DataFrame(rows).to_csv(args.out, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
