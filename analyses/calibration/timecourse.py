"""Do the limits and tests of time courses keep their promises? Coverage and error by simulation.

    python analyses/calibration/timecourse.py --reps 400 --out analyses/calibration/timecourse.csv

Plates are drawn from large simulated air-puff screens, whose means are the truth:

- *limits*: share of experiments in which the whole true curve lies within the simultaneous limits
  (and, for comparison, the share of times at which pointwise limits hold it, with the assay and
  with the larva as the unit);
- *difference*: share of experiments without any difference in which max-T, or the cluster mass,
  finds one at .05, with dates, plates and vials (line x date) that differ by chance; and the same
  for Student's t of the larvae at every time;
- *spread*: share of experiments with equal spread and unequal means in which the spread test
  rejects at .05.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from larvastats.features import bin_feature
from larvastats.inference.curves.bands import curve_band
from larvastats.inference.curves.comparison import compare_curves
from larvastats.inference.curves.scalars import compare_values
from larvastats.inference.design.blocks import make_design
from larvastats.inference.design.setting import larvae_as_units
from larvastats.io.paths import AssayIdentity
from larvastats.io.tracks import Tracks
from larvastats.markov.occupancy import action_bins
from larvastats.simulate.design import RandomEffects, ScreenDesign, line_names
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.series import SERIES, frame_series
from larvastats.simulate.states import airpuff_screen

Array = NDArray[np.float64]

WIDTH = 0.5
DESIGNS = ((1, 4), (1, 8), (1, 16), (2, 2), (3, 2), (2, 4), (3, 4))
"""Dates, and plates of one genotype on each."""


@dataclass(frozen=True)
class Pool:
    """Plates to draw from: values (plate, bin) by response, date and genotype of each."""

    values: dict[str, Array]
    date: NDArray[np.int64]
    is_line: NDArray[np.bool_]
    larvae: Array | None = None
    plate_of_larva: NDArray[np.int64] | None = None


def make_pool(
    dates: int, plates: int, controls: int, seed: int, vial_sd: float = 0.1, plate_sd: float = 0.25,
    series: bool = False, larvae: bool = False,
) -> Pool:  # fmt: skip
    """Simulate a screen of one line without effect and its control."""
    model = airpuff_screen()
    design = ScreenDesign(
        model, line_names(1, False), dates=dates, assays_per_line=dates * plates,
        control_assays_per_date=controls, spread=RandomEffects(vial=vial_sd, plate=plate_sd),
    )  # fmt: skip
    ethogram, _ = simulate_ethogram(design, seed)
    edges = np.arange(0.0, model.duration + 1e-9, WIDTH)
    values = {name: action_bins(ethogram, name, edges).share for name in ("run", "hunch")}
    if series:
        n = len(ethogram.assays)
        parts = (ethogram.subset(np.arange(n) == k) for k in range(n))
        tracks = [_tracks(frame_series(one, model, (), seed)) for one in parts]
        names = list(ethogram.assays["assay"])
        values |= {s: bin_feature(tracks, s, names, edges).mean for s in SERIES}
    assays = ethogram.assays
    units = larvae_as_units(ethogram) if larvae else None
    return Pool(
        values, pd.factorize(assays["date"])[0],
        assays["line"].isin(design.lines).to_numpy(bool),
        None if units is None else action_bins(units, "run", edges).share,
        None if units is None else ethogram.larvae["assay_index"].to_numpy(np.int64),
    )  # fmt: skip


def _tracks(frames: pd.DataFrame) -> Tracks:
    index, larvae = pd.factorize(frames["larva"])
    assay = AssayIdentity("", "", "", "", None, None, str(frames["assay"].iloc[0]))
    features = {name: frames[name].to_numpy() for name in SERIES}
    return Tracks.build(assay, [str(x) for x in larvae], index, frames["t"], features=features)


def limits(
    pool: Pool, name: str, dates: int, plates: int, reps: int, seed: int
) -> dict[str, float]:
    """Coverage of the limits of one genotype's mean on its dates."""
    x, date = pool.values[name], np.where(pool.is_line, -1, pool.date)
    days = np.unique(date[date >= 0])
    truth = np.array([x[date == d].mean(axis=0) for d in days])
    size = int((date >= 0).sum()) / len(days)
    rng = np.random.default_rng([seed, dates, plates])
    whole, point, width = [], [], []
    for _ in range(reps):
        on = rng.choice(len(days), dates, replace=False)
        rows = np.concatenate([rng.choice(np.flatnonzero(date == days[d]), plates, replace=False)
                               for d in on])  # fmt: skip
        # plates of the pool are nearer to its mean than plates that might have been filmed
        off = (truth[on].mean(axis=0) - x[rows].mean(axis=0)) / np.sqrt(1 - plates / size)
        mu = x[rows].mean(axis=0) + off
        band = curve_band(x[rows], date[rows], share=name not in SERIES, draws=400, rng=rng)
        whole.append(((mu >= band.low) & (mu <= band.high)).all())
        point.append(((mu >= band.point_low) & (mu <= band.point_high)).mean())
        width.append(np.median(band.high - band.low))
    return {"rate": np.mean(whole), "pointwise": np.mean(point), "width": np.median(width)}


def larva_limits(pool: Pool, plates: int, reps: int, seed: int) -> dict[str, float]:
    """Coverage of limits that take larvae for the unit, as pictures often do."""
    assert pool.larvae is not None and pool.plate_of_larva is not None
    rng = np.random.default_rng([seed, plates])
    whole, point = [], []
    for _ in range(reps):
        day = rng.choice(np.unique(pool.date))
        on = np.flatnonzero((pool.date == day) & ~pool.is_line)
        truth = pool.values["run"][on].mean(axis=0)
        own = np.isin(pool.plate_of_larva, rng.choice(on, plates, replace=False))
        y = pool.larvae[own]
        n = (~np.isnan(y)).sum(axis=0)
        half = 1.96 * np.nanstd(y, axis=0, ddof=1) / np.sqrt(n)
        off = (np.nanmean(y, axis=0) - truth) / np.sqrt(1 - plates / len(on))
        held = np.abs(off) <= half
        whole.append(held.all())
        point.append(held.mean())
    return {"rate": np.mean(whole), "pointwise": np.mean(point)}


def difference(
    pool: Pool, name: str, dates: int, m: int, c: int, method: str, reps: int, seed: int
) -> dict[str, float]:
    """Family error of a test over time where nothing differs."""
    x, rng, p = pool.values[name], np.random.default_rng([seed, dates, m, c]), []
    days = np.unique(pool.date)
    for _ in range(reps):
        rows = []
        for d in rng.choice(days, dates, replace=False):
            for is_line, n in ((True, m), (False, c)):
                here = np.flatnonzero((pool.date == d) & (pool.is_line == is_line))
                rows.append(rng.choice(here, n, replace=False))
        line, control = np.concatenate(rows[::2]), np.concatenate(rows[1::2])
        design = make_design(line, control, pool.date.astype(str).astype(object))
        test = compare_curves(x[design.units], design, share=name not in SERIES, method=method,
                              resamples=499, rng=rng)  # fmt: skip
        p.append(test.p_value)
    return {f"p<={a}": np.mean(np.array(p) <= a + 1e-12) for a in (0.05, 0.01)} | {
        "rate": np.mean(np.array(p) <= 0.05 + 1e-12)
    }


def larva_difference(pool: Pool, m: int, c: int, reps: int, seed: int) -> dict[str, float]:
    """How often Student's t of the larvae finds a difference at some time."""
    assert pool.larvae is not None and pool.plate_of_larva is not None
    rng, found, share = np.random.default_rng([seed, m, c]), [], []
    for _ in range(reps):
        day = rng.choice(np.unique(pool.date))
        on = rng.choice(np.flatnonzero((pool.date == day) & ~pool.is_line), m + c, replace=False)
        y, z = (pool.larvae[np.isin(pool.plate_of_larva, part)] for part in (on[:m], on[m:]))
        p = stats.ttest_ind(y, z, axis=0, equal_var=False, nan_policy="omit").pvalue
        found.append(np.nanmin(p) * y.shape[1] <= 0.05)
        share.append(np.nanmean(np.asarray(p) <= 0.05))
    return {"rate": np.mean(found), "pointwise": np.mean(share)}


def spread(
    larvae: tuple[int, int], m: int, c: int, dates: int, reps: int, seed: int
) -> dict[str, float]:
    """Size of the spread test where means differ and spreads do not."""
    rng, p, p_mean = np.random.default_rng([seed, *larvae, m, c, dates]), [], []
    day = np.concatenate([np.tile(np.arange(dates), m), np.tile(np.arange(dates), c)])
    line = np.arange(m * dates)
    control = np.arange(m * dates, (m + c) * dates)
    known = None if dates == 1 else day.astype(str).astype(object)
    design = make_design(line, control, known)
    for _ in range(reps):
        width, level = rng.normal(0, 0.1, len(day)), rng.normal(0, 0.1, len(day))
        width += rng.normal(0, 0.1, dates)[day]
        pairs = [
            _plate(larvae[int(k >= m * dates)], 3.0 * (k < m * dates) + level[k], width[k], rng)
            for k in range(len(day))
        ]
        mean, logged = np.array(pairs).T
        for x, out in ((logged, p), (mean, p_mean)):
            test = compare_values(x[design.units], design, resamples=499, alpha=0.05, rng=rng)
            out.append(test.p_value)
    rate = np.mean(np.array(p) <= 0.05 + 1e-12)
    return {"rate": rate, "power of the mean": np.mean(np.array(p_mean) <= 0.05 + 1e-12)}


def _plate(
    larvae: int, mean: float, log_width: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Mean and log SD of 300 frames of every larva: skewed, with memory, larvae of own levels."""
    kick = rng.standard_normal((larvae, 300)) * np.sqrt(1 - 0.81)
    noise = lfilter([1.0], [1.0, -0.9], kick, axis=1)
    x = np.exp(0.4 * noise) - np.exp(0.08) + 0.1 * rng.standard_normal((larvae, 1))
    x = mean + np.exp(log_width) * x
    return float(x.mean()), float(np.log(x.std(ddof=1)))


def study(reps: int) -> pd.DataFrame:
    """Run everything."""
    rows: list[dict[str, object]] = []

    def add(what: str, case: str, unit: str, numbers: dict[str, float], start: float) -> None:
        seconds = round(time.process_time() - start, 1)
        rows.append({"what": what, "case": case, "unit": unit, "experiments": reps, **numbers,
                     "cpu_s": seconds})  # fmt: skip
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=False), flush=True)

    pool = make_pool(12, 2, 100, seed=5, series=True, larvae=True)
    for name in ("run", "hunch", "length", "speed"):
        for dates, plates in DESIGNS:
            start = time.process_time()
            found = limits(pool, name, dates, plates, reps, 1)
            add("limits", f"{name}, {dates} dates x {plates} plates", "assay", found, start)
    uneven = make_pool(3, 2, 100, seed=6, plate_sd=0.5, larvae=True)
    for sd, own in ((0.25, pool), (0.5, uneven)):
        for plates in (4, 8):
            start = time.process_time()
            case = f"run, {plates} plates, plate SD {sd}"
            add("limits", case, "larva", larva_limits(own, plates, reps, 1), start)
        start = time.process_time()
        case = f"run, 4 v 8 plates, plate SD {sd}"
        add("difference", case, "larva", larva_difference(own, 4, 8, reps, 2), start)
    for vial in (0.1, 0.3):
        many = make_pool(150, 3, 4, seed=7, vial_sd=vial)
        for name in ("run", "hunch"):
            for dates, m, c in ((2, 2, 4), (3, 2, 4), (6, 1, 2), (6, 3, 4)):
                for method in ("maxt", "cluster"):
                    start = time.process_time()
                    found = difference(many, name, dates, m, c, method, reps, 2)
                    case = f"{name}, {dates} dates x {m} v {c}, vial SD {vial}, {method}"
                    add("difference", case, "assay", found, start)
    for larvae in ((30, 30), (10, 30)):
        for m, c, dates in ((6, 12, 1), (4, 4, 1), (2, 4, 4)):
            start = time.process_time()
            found = spread(larvae, m, c, dates, reps, 3)
            case = f"{larvae[0]} v {larvae[1]} larvae, {dates} dates x {m} v {c}"
            add("spread", case, "assay", found, start)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reps", type=int, default=400, help="experiments of each kind")
    parser.add_argument("--out", help="csv file")
    options = parser.parse_args()
    table = study(options.reps)
    if options.out:
        table.to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
