"""Smooth transition model of 10^6 transitions, against statsmodels' MNLogit on single transitions.

    python analyses/benchmarks/bench_smooth.py

60 plates of two genotypes, six states, 120 s; `to ~ genotype * cr(t, df=6)`, a logit per state that
is left, time in bins of 0.1 s. The model is timed whole: fits, errors of the replicates (leaving
out each plate in turn), bands, score tests by relabelling. MNLogit only fits, on a share of the
rows, and is scaled up linearly; both give the same coefficients on that share.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
import statsmodels.api as sm
from formulaic import model_matrix

from larvastats import Ethogram, transition_model
from larvastats.markov.logit import aliased, fit_logit
from larvastats.tabular import complete_assays
from larvastats.vocabulary import LARVA_STATES

PLATES, SPAN, STEP = 60, 120.0, 1.0
BASE = np.array([
    [0.000, 0.720, 0.170, 0.050, 0.055, 0.005],
    [0.700, 0.000, 0.200, 0.040, 0.055, 0.005],
    [0.450, 0.450, 0.000, 0.050, 0.045, 0.005],
    [0.300, 0.500, 0.148, 0.000, 0.050, 0.002],
    [0.600, 0.298, 0.060, 0.040, 0.000, 0.002],
    [0.400, 0.500, 0.098, 0.001, 0.001, 0.000],
])  # fmt: skip
FORMULA = "to ~ genotype * cr(t, df=6)"


def recordings(transitions: int, rng: np.random.Generator) -> Ethogram:
    """Chains of bouts of about one second; plates differ by .3 on the logit scale."""
    bouts = int(SPAN / STEP)
    larvae = transitions // (PLATES * bouts) + 1
    shift = rng.normal(0, 0.3, (PLATES, 6, 6))
    plate = np.repeat(np.arange(PLATES), larvae)
    state = rng.integers(0, 3, len(plate))
    states, times = [state], [np.zeros(len(plate))]
    for b in range(bouts):
        wave = np.zeros((6, 6))
        wave[0, 1], wave[1, 2] = 0.6 * np.sin(b / 10), 0.5 * np.cos(b / 15)
        p = BASE * np.exp(shift + wave)
        edges = np.cumsum(p / p.sum(axis=-1, keepdims=True), axis=-1)
        drawn = (rng.random(len(plate))[:, None] >= edges[plate, state]).sum(axis=1)
        state = np.minimum(drawn, 5)
        states.append(state)
        times.append(np.round((b + rng.uniform(0.05, 0.95, len(plate))) * STEP, 3))
    t = np.array(times).T
    stop = np.concatenate([t[:, 1:], np.full((len(plate), 1), SPAN + 1)], axis=1)
    names = ["line" if a % 2 else "control" for a in range(PLATES)]
    assays = pd.DataFrame({"assay": [f"plate{a:02d}" for a in range(PLATES)], "line": names})
    index = pd.Series(np.arange(len(plate))).astype("str")
    return Ethogram.build(
        LARVA_STATES, np.repeat(np.arange(len(plate)), bouts + 1), np.array(states).T.ravel(),
        t.ravel(), stop.ravel(), pd.DataFrame({"larva": index, "assay_index": plate}),
        complete_assays(assays),
    )  # fmt: skip


def single_rows(ethogram: Ethogram, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw transitions out of the first state, one per row, times at the middles of bins."""
    after = np.flatnonzero(ethogram.follows)
    after = after[ethogram.state[after - 1] == 0]
    after = rng.choice(after, min(n, len(after)), replace=False)
    bins = np.floor(ethogram.t_start[after] / 0.1 + 1e-6)
    genotype = ethogram.assays["genotype"].to_numpy()[ethogram.assay_index[after]]
    return pd.DataFrame({
        "t": (bins + 0.5) * 0.1,
        "genotype": pd.Categorical(genotype, ["control", "line"]),
        "to": ethogram.state[after].astype(np.int64),
    })  # fmt: skip


def mnlogit(rows: pd.DataFrame, x: np.ndarray) -> np.ndarray:
    """Fit statsmodels' multinomial logit, a row per transition."""
    return np.asarray(sm.MNLogit(rows["to"], x).fit(method="newton", disp=0, tol=1e-12).params)


def counted(rows: pd.DataFrame, x: np.ndarray) -> np.ndarray:
    """Count rows that agree, and fit the counts."""
    unique, at = np.unique(x, axis=0, return_inverse=True)
    seen, to = np.unique(rows["to"], return_inverse=True)
    counts = np.zeros((len(unique), len(seen)))
    np.add.at(counts, (at.ravel(), to), 1.0)
    return fit_logit(unique, counts).beta[:, 1:]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--transitions", type=int, default=1_000_000)
    parser.add_argument("--share", type=int, default=20_000)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    ethogram = recordings(args.transitions, rng)
    rows = single_rows(ethogram, args.share, rng)
    x = np.asarray(model_matrix(FORMULA.split("~")[1], rows), dtype=float)
    x = x[:, ~aliased(x)]
    start = time.process_time()
    theirs = mnlogit(rows, x)
    peer = time.process_time() - start
    start = time.process_time()
    ours = counted(rows, x)
    own = time.process_time() - start
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7)
    start, wall = time.process_time(), time.perf_counter()
    model = transition_model(FORMULA, ethogram, control="control")
    whole, wall = time.process_time() - start, time.perf_counter() - wall
    n = model.design["n_transitions"]
    print(f"{n:,} transitions, {model.design['n_coefficients']} coefficients")
    print(f"  transition_model, all of it: {whole:.1f} s processor time ({wall:.1f} s passed)")
    print(f"  MNLogit, the fits alone, scaled up from {len(rows):,} rows: "
          f"{peer / len(rows) * n:.0f} s, x {peer / len(rows) * n / whole:.1f}")  # fmt: skip
    print(f"  MNLogit refitted without each of {PLATES} plates, for errors as above: "
          f"x {peer / len(rows) * n * (PLATES + 1) / whole:.0f}")  # fmt: skip
    print(f"  the same share of one state: counted {own:.2f} s, MNLogit {peer:.2f} s, "
          f"x {peer / own:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
