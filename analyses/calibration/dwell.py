"""Do dwell times differ that do not? Size, power, and coverage of what `dwell` says.

    python analyses/calibration/dwell.py --lines 1000

Lines against a control: 2 and 4 plates of 20 larvae on each date, bouts that begin in a window of
15 s, plates of SD .3 (half of it on log dwell times), tracks lost at a rate of 1 in 200 s.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import CensoredData, logrank
from walks import DWELL, Walks, walk

from larvastats.ethogram import Ethogram
from larvastats.inference.design.blocks import make_design
from larvastats.inference.design.replicates import replicates
from larvastats.inference.dwell import fits
from larvastats.inference.dwell.comparison import Cell, compare_dwells
from larvastats.inference.relabelling.plans import Budget
from larvastats.markov.dwell import Dwells, dwell_times
from larvastats.markov.survival import life_table, restricted_mean
from larvastats.protocol import Window

WINDOW = Window("15:30", ((15.0, 30.0),))
CAST = 1


def worlds() -> list[tuple[str, Walks, bool, str]]:
    """Return every study: name, world, whether dates are used, entry."""
    base = Walks()
    return [
        ("3 dates x 2 v 4", base, True, "onset"),
        ("6 v 12 plates, dates unused", replace(base, date_sd=0.0, vial_sd=0.0), False, "onset"),
        ("2 dates x 2 v 4", replace(base, dates=2), True, "onset"),
        ("6 dates x 2 v 4", replace(base, dates=6), True, "onset"),
        ("8 v 40 larvae per plate", replace(base, larvae=8, control_larvae=40), True, "onset"),
        ("vial SD .3", replace(base, vial_sd=0.3), True, "onset"),
        ("line loses tracks at .05/s", replace(base, lost=0.05, control_lost=0.0), True, "onset"),
        ("bouts in progress too", base, True, "delayed"),
        ("casts 1.3 times as long", replace(base, effect=1.3), True, "onset"),
        ("casts 1.6 times as long", replace(base, effect=1.6), True, "onset"),
    ]


def ask(data: Ethogram, dated: bool, entry: str) -> tuple[Dwells, list[Cell], object]:
    """Return bouts, cells and design of one comparison, as the verb lays them out."""
    bouts = dwell_times(data, WINDOW, entry)
    horizons = [fits.horizon(bouts.take(bouts.state == s)) for s in range(data.n_states)]
    cells = [Cell(0, s, h) for s, h in enumerate(horizons) if not np.isnan(h)]
    rows = [np.flatnonzero((data.assays["line"] == name).to_numpy()) for name in
            ("line", "control")]  # fmt: skip
    dates = data.assays["date"].to_numpy(object) if dated else None
    return bouts, cells, make_design(rows[0], rows[1], dates)


def by_bout(bouts: Dwells, data: Ethogram, dated: bool) -> float:
    """Return the log-rank p of casts with every bout independent: what not to do."""
    line = (data.assays["line"] == "line").to_numpy()[bouts.assay]
    own = bouts.state == CAST
    sides = [own & line, own & ~line]
    x, y = (CensoredData(uncensored=bouts.duration[s & bouts.ended],
                         right=bouts.duration[s & ~bouts.ended]) for s in sides)  # fmt: skip
    return float(logrank(x, y).pvalue)


def one(name: str, world: Walks, dated: bool, entry: str, lines: int, seed: int) -> dict:
    """Run one study."""
    p_line, p_f, p_cast, p_any, naive = [], [], [], [], []
    for i in range(lines):
        data = walk(world, np.random.default_rng([seed, i]))
        bouts, cells, design = ask(data, dated, entry)
        test = compare_dwells([bouts], cells, design, ("line", "control"), data.states,
                              Budget(399, 0, 4000))  # fmt: skip
        p = {c.state: t.p_adjusted for c, t in zip(cells, test.cells, strict=True)}
        p_line.append(test.p_value)
        p_f.append(test.p_approx)
        p_cast.append(p[CAST])
        p_any.append(np.nanmin(list(p.values())))
        if entry == "onset":
            naive.append(by_bout(bouts, data, dated))
    row: dict[str, object] = {"study": name, "lines": lines}
    for what, values in (("line", p_line), ("F", p_f), ("any state", p_any), ("cast", p_cast),
                         ("bouts independent", naive)):  # fmt: skip
        row[what] = float(np.mean(np.array(values) <= 0.05 + 1e-12)) if values else np.nan
    row["line .01"] = float(np.mean(np.array(p_line) <= 0.01 + 1e-12))
    return row


def coverage(runs: int, seed: int, dates: int) -> dict[str, object]:
    """Return how often 95% intervals of casts hold what very many plates say."""
    world = Walks(dates=dates, plates=0, controls=2)
    many = [_casts(walk(replace(world, dates=40, lost=0.0), np.random.default_rng([seed, 9, i]),
                        False)) for i in range(15)]  # fmt: skip
    duration = np.concatenate([b.duration for b in many])
    ended = np.concatenate([b.ended for b in many])
    table = life_table(duration, ended)
    truth = float(restricted_mean(table.time, table.survival(), 5.0)[0])
    at = 2.0
    share = float(table.survival()[0, np.searchsorted(table.time, at, side="right") - 1])
    mean, curve = [], []
    for i in range(runs):
        data = walk(world, np.random.default_rng([seed, i]), False)
        bouts = _casts(data)
        who = replicates(np.arange(len(data.assays)), data.assays["date"].to_numpy(object))
        own = fits.tabulate(bouts, who)
        found = fits.summary(own, 5.0)
        mean.append(found.low <= truth <= found.high)
        steps = fits.curve(own)
        here = np.searchsorted(steps.time, at, side="right") - 1
        curve.append(steps.low[here] <= share <= steps.high[here])
    return {"dates": dates, "runs": runs, "restricted mean": np.mean(mean),
            "survival at 2 s": np.mean(curve)}  # fmt: skip


def _casts(data: Ethogram) -> Dwells:
    bouts = dwell_times(data, Window("15:30", ((15.0, 30.0),)))
    return bouts.take(bouts.state == CAST)


def shortened() -> pd.DataFrame:
    """Return mean casts and runs three ways in recordings of windows of 5, 15, 45 s."""
    data = walk(Walks(dates=30, plate_sd=0.0, vial_sd=0.0, date_sd=0.0, duration=60.0, lost=0.0),
                np.random.default_rng(5), False)  # fmt: skip
    rows = []
    for width in (5.0, 15.0, 45.0):
        window = Window("w", ((10.0, 10.0 + width),))
        for state, name in ((0, "run"), (1, "cast")):
            bouts = dwell_times(data, window)
            own = bouts.take(bouts.state == state)
            grouped = fits.group_bouts(own.duration, own.ended, own.entry,
                                           np.zeros(len(own), int), 1)  # fmt: skip
            fitted = fits.fit_lifetimes(grouped.sum())
            inside = (data.state == state) & (data.t_start < window.intervals[0][1])
            inside &= data.t_stop > window.intervals[0][0]
            cut = data.clip(window.intervals)
            rows.append({"window": f"{width:g} s", "state": name, "truth": DWELL[state],
                         "fitted": fits.best(fitted).mean,
                         "bouts cut at the window": np.diff(
                             [cut.t_start, cut.t_stop], axis=0)[0][cut.state == state].mean(),
                         "ended bouts only": own.duration[own.ended].mean(),
                         "bouts met": (data.t_stop - data.t_start)[inside].mean()})  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    """Print the studies, and write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--out", help="csv")
    args = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", 20, "display.precision", 3)
    print(shortened().to_string(index=False), "\n", flush=True)
    rows = []
    for name, world, dated, entry in worlds():
        rows.append(one(name, world, dated, entry, args.lines, args.seed))
        print(rows[-1], flush=True)
    print("\n" + pd.DataFrame(rows).to_string(index=False), flush=True)
    cover = [coverage(args.lines, args.seed, dates) for dates in (3, 6, 12)]
    print("\n" + pd.DataFrame(cover).to_string(index=False))
    if args.out:
        pd.DataFrame(rows).to_csv(args.out, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
