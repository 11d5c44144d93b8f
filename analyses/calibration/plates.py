"""The variance of plates within dates (`--variance plate`) beside the default.

    python analyses/calibration/plates.py --lines 10000

Size over the dated nulls of `size.py`, with and without effects of the vial, and power (cast->run
-.12 and -.25) on few dates; share of p at or below .05 by relabelling (999, or all), and at .05,
.01 and .001 by the F approximation.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from chains import World, draw_screen, screen_tests
from size import PER_SCREEN, worlds

from larvastats.inference.calibration.components import with_effect

CAST, RUN = 1, 0


def studies() -> Iterator[tuple[World, float]]:
    """Yield the dated nulls, then designs of few dates with an effect."""
    nulls = [w for w in worlds() if w.dates and w.control_crosses == 1]
    small = next(w for w in nulls if w.name.startswith("2 dates x 2 v 3, date"))
    one = replace(small, name="1 date x 4 v 6", dates=1, line_plates=4, control_plates=6)
    three = replace(small, name="3 dates x 1 v 3", dates=3, line_plates=1)
    yield from ((world, 0.0) for world in (*nulls, one, three))
    quiet = replace(small, name="2 dates x 2 v 3", plate_sd=0.15)
    for effect in (-0.12, -0.25):
        for dates in (2, 3, 4):
            yield replace(quiet, name=f"{dates} dates x 2 v 3", dates=dates), effect


def one(world: World, effect: float, lines: int, seed: int) -> dict[str, object]:
    """Run one design by both variances."""
    chain = with_effect(world.chain, CAST, RUN, effect)
    p: dict[str, list[float]] = {}
    for screen in range(max(1, lines // PER_SCREEN)):
        rng = np.random.default_rng([seed, screen])
        drawn = draw_screen(world, PER_SCREEN, rng, [chain] * PER_SCREEN)
        for variance in ("date", "plate"):
            for tested, _ in screen_tests(*drawn, variance=variance):
                p.setdefault(f"{variance} relabel", []).append(tested.p["main"])
                p.setdefault(f"{variance} F", []).append(tested.p_f)
    row: dict[str, object] = {"design": world.name, "cast->run": effect}
    for variance in ("date", "plate"):
        for kind, levels in (("relabel", (0.05,)), ("F", (0.05, 0.01, 0.001))):
            values = np.array(p.get(f"{variance} {kind}", [np.nan]))
            for level in levels:
                share = np.mean(values <= level + 1e-12) if len(values) > 1 else np.nan
                row[f"{variance} {kind} {level}"] = share
    return row


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    first = True
    for i, (world, effect) in enumerate(studies()):
        if args.only in world.name:
            row = pd.DataFrame([one(world, effect, args.lines, 500 + i)])
            print(row.to_string(index=False, header=first, float_format="%.4f"), flush=True)
            first = False


if __name__ == "__main__":
    main()
