"""How often is a line called different that is not? The default screen over many kinds of null.

    python analyses/calibration/size.py --lines 10000 --out analyses/calibration/size.csv

Each null is drawn as screens of 20 lines that share their controls; the share of p at or below .05,
.01 and .001 is printed for the F approximation, for relabelling (999 or all), and for the one that
a screen of 20 lines would choose by itself. SE is the standard error of its share at .05: lines of
one screen share controls, dates and luck, so screens are its replicates, and not lines. *vials
noted* is the share of screens whose plates say that vials matter.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd
from chains import World, big_chain, by_vial, choose, draw_vials, rare_roll, screen_tests

from larvastats.inference.design.crosses import vial_component
from larvastats.inference.profiles.prepare import profiles

PER_SCREEN = 20


def worlds() -> list[World]:
    """Return every null of the study."""
    balanced = World("balanced, 4 plates v 40")
    out = [
        balanced,
        replace(balanced, name="2 plates v 40", line_plates=2),
        replace(balanced, name="8 plates v 40", line_plates=8),
        replace(balanced, name="8 v 40 larvae per plate", larvae=8, control_larvae=40),
        replace(balanced, name="60 v 20 larvae per plate", larvae=60, control_larvae=20),
        replace(balanced, name="line's plates twice as variable", dirichlet=(60.0, 14.25)),
        replace(balanced, name="plate SD .15", plate_sd=0.15),
        replace(balanced, name="plate SD .5", plate_sd=0.5),
        replace(balanced, name="5 controls", control_plates=5),
        replace(balanced, name="500 controls", control_plates=500),
    ]
    p, share = rare_roll()
    out.append(replace(balanced, name="roll 50 times rarer", chain=p, departures=share))
    p, share = big_chain(25)
    out.append(replace(balanced, name="25 states", chain=p, departures=share, bouts=12.0))
    dated = World("dated", dates=4, line_plates=2, control_plates=3, date_sd=0.2)
    for n in (2, 4, 8):
        for sd in (0.2, 0.4):
            out.append(replace(dated, name=f"{n} dates x 2 v 3, date SD {sd}", dates=n, date_sd=sd))
    vials = replace(dated, control_plates=6, control_crosses=3, vial_sd=0.3)
    out += [
        replace(dated, name="4 dates x 1 v 2", line_plates=1, control_plates=2),
        replace(dated, name="4 dates x 4 v 3", line_plates=4),
        replace(dated, name="4 dates x 1-4 v 2-3", line_plates=(1, 4), control_plates=(2, 3)),
        replace(dated, name="2 dates x 4 v 3", dates=2, line_plates=4),
        replace(dated, name="4 dates x 2 v 3, vial SD .15", vial_sd=0.15),
        replace(dated, name="4 dates x 2 v 3, vial SD .3", vial_sd=0.3),
        replace(dated, name="2 dates x 2 v 3, vial SD .3", dates=2, vial_sd=0.3),
        replace(vials, name="4 dates x 2 v 6 of 3 vials, vial SD .3"),
        replace(vials, name="4 dates x 2 v 6 of 3 vials, crosses known", crosses_known=True),
        replace(
            vials, name="8 dates x 2 v 6 of 3 vials, crosses known", dates=8, crosses_known=True
        ),
        replace(dated, name="4 dates x 2 v 3, 8 v 40 larvae", larvae=8, control_larvae=40),
        replace(dated, name="4 dates x 2 v 3, 60 v 20 larvae", larvae=60, control_larvae=20),
    ]
    return out


def vials_noted(counts, line, dates) -> bool:
    """Whether a screen that relabels these plates would warn of vials."""
    if dates is None:
        return False
    day = np.unique(dates.astype(str), return_inverse=True)[1]
    return bool(vial_component(profiles(counts).x, line, day).sentence(by_plate=False))


def one(world: World, lines: int, seed: int) -> dict[str, object]:
    """Run one null."""
    p_f, p_r, p_d, by_screen, noted = [], [], [], [], []
    start = time.process_time()
    kinds = set()
    for screen in range(max(1, lines // PER_SCREEN)):
        rng = np.random.default_rng([seed, screen])
        drawn = draw_vials(world, PER_SCREEN, rng)
        noted.append(vials_noted(*drawn[:3]))
        tested = screen_tests(*(by_vial(*drawn) if world.crosses_known else drawn[:3]))
        p_f += [t.p_f for t, _ in tested]
        p_r += [t.p["main"] for t, _ in tested]
        p, kind = choose(tested)
        p_d += list(p)
        by_screen.append(np.mean(p <= 0.05 + 1e-12))
        kinds.add(kind)
    row: dict[str, object] = {"null": world.name, "lines": len(p_f)}
    row["default"] = "/".join(sorted(kinds))
    for name, values in (("default", p_d), ("F", p_f), ("relabel", p_r)):
        p = np.array(values)
        row |= {f"{name} {level}": np.mean(p <= level + 1e-12) for level in (0.05, 0.01, 0.001)}
    row["SE"] = (
        np.std(by_screen, ddof=1) / np.sqrt(len(by_screen)) if len(by_screen) > 1 else np.nan
    )
    row["vials noted"] = np.mean(noted)
    row["cpu_s"] = round(time.process_time() - start, 1)
    return row


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default=None)
    args = parser.parse_args()
    rows = []
    for i, world in enumerate(worlds()):
        if args.only in world.name:
            rows.append(one(world, args.lines, 100 + i))
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
            if args.out:
                pd.DataFrame(rows).to_csv(args.out, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
