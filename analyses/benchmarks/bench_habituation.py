"""Habituation of a whole screen: larvastats against a loop of scipy.optimize.curve_fit, in one run.

    python analyses/benchmarks/bench_habituation.py

600 lines of 6 plates and a control of 36, 20 larvae each, 30 s of stimulus and ten pulses. Every
line gets its gate, time constant, bootstrap-t interval and wild bootstrap against the control, with
1,000 resamples each. The peer fits the same resampled mean curves one by one by least squares: one
fit per resample for the interval, three for the comparison (line, control, common); on a few lines,
per line.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from scipy.optimize import OptimizeWarning, curve_fit
from threadpoolctl import threadpool_limits

from larvastats import Ethogram, habituation
from larvastats.inference.habituation.response import ActionResponse

CONTROL = "FCF_attP2_1500062"
PROTOCOL = "p_8_45s1x30s0s#p_8_105s10x2s10s#n#n"
STEP = 0.5


def recordings(lines: int, plates: int, controls: int, larvae: int, seed: int) -> Ethogram:
    """Simulate a screen whose larvae hunch with a probability that wanes, in steps of 0.5 s."""
    rng = np.random.default_rng(seed)
    names = [f"line_{k:03d}" for k in range(lines) for _ in range(plates)] + [CONTROL] * controls
    n, t = len(names), np.arange(35, 200, STEP)
    start = 0.5 * np.exp(rng.normal(0, 0.15, (n, 1)))
    p = np.full((n, len(t)), 0.05)
    p[:, (t >= 45) & (t < 75)] += start * np.exp(-(t[(t >= 45) & (t < 75)] - 45) / 6)
    for k in range(10):
        on = (t >= 105 + 10 * k) & (t < 107 + 10 * k)
        p[:, on] += start * (0.3 + 0.7 * np.exp(-k / 2))
    state = np.empty((n, larvae, len(t)), dtype=np.int16)
    state[..., 0] = rng.random((n, larvae)) < p[:, :1]
    for i in range(1, len(t)):
        fresh = rng.random((n, larvae)) < 0.4
        drawn = rng.random((n, larvae)) < p[:, i : i + 1]
        state[..., i] = np.where(fresh, drawn, state[..., i - 1])
    assays = pd.DataFrame({"assay": [f"a{i:05d}" for i in range(n)], "line": names})
    assays = assays.assign(effector="U", genotype=assays["line"] + "@U", protocol=PROTOCOL,
                           tracker="t5", date=None, time=None)  # fmt: skip
    larva = pd.DataFrame({"larva": np.tile(np.arange(larvae), n).astype(str),
                          "assay_index": np.repeat(np.arange(n), larvae)})  # fmt: skip
    index = np.repeat(np.arange(n * larvae), len(t))
    begin = np.tile(t, n * larvae)
    return Ethogram.build(
        ["run", "hunch"], index, state.reshape(-1), begin, begin + STEP, larva, assays
    )


def decline(t, floor, start, tau):
    """Exponential decline."""
    return floor + (start - floor) * np.exp(-t / tau)


def both(t, floor, start, other_floor, other_start, tau):
    """Two declines with one time constant, one after the other."""
    half = len(t) // 2
    return np.concatenate(
        [decline(t[:half], floor, start, tau), decline(t[half:], other_floor, other_start, tau)]
    )


def fit(model, x: np.ndarray, curve: np.ndarray, first: list[float]) -> None:
    """Fit one curve; those that do not converge have cost their time too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (OptimizeWarning, RuntimeWarning))
        try:
            curve_fit(model, x, curve, first)
        except RuntimeError:
            return


def peer_seconds(ethogram: Ethogram, lines: int, resamples: int) -> float:
    """Fit the resampled curves of some lines with curve_fit; return processor seconds per line."""
    edges = np.arange(45, 76.0)
    mean, _ = ActionResponse(ethogram, "hunch").over(edges[:-1], edges[1:])
    x, rng = edges[:-1] + 0.5 - 45, np.random.default_rng(0)
    names = ethogram.assays["line"]
    control = mean[(names == CONTROL).to_numpy(bool)]
    begin = time.process_time()
    for k in range(lines):
        own = mean[(names == f"line_{k:03d}").to_numpy(bool)]
        for _ in range(resamples):
            fit(decline, x, own[rng.integers(0, len(own), len(own))].mean(axis=0), [0.1, 0.5, 5.0])
            curves = []
            for group in (own, control):
                signs = 1 - 2 * rng.integers(0, 2, (len(group), 1))
                curves.append(group.mean(axis=0) + (signs * (group - group.mean(axis=0))).mean(0))
                fit(decline, x, curves[-1], [0.1, 0.5, 5.0])
            fit(both, np.tile(x, 2), np.concatenate(curves), [0.1, 0.5, 0.1, 0.5, 5.0])
    return (time.process_time() - begin) / lines


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=600)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--peer-lines", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    ethogram = recordings(args.lines, 6, 36, 20, 0)
    print(f"{ethogram!r}")
    for kind in ("recovery", "pulses"):
        wall = time.perf_counter()
        result = habituation(ethogram, response="hunch", kind=kind, interval="bootstrap-t",
                             resamples=args.resamples, jobs=args.jobs)  # fmt: skip
        wall = time.perf_counter() - wall
        tested = int(result.table["p_value"].notna().sum())
        print(f"{kind}: {wall:.0f} s on {args.jobs} processes ({tested} lines compared)")
    with threadpool_limits(1, user_api="blas"):
        cpu = time.process_time()
        habituation(ethogram, response="hunch", kind="recovery", interval="bootstrap-t",
                    resamples=args.resamples)  # fmt: skip
        ours = (time.process_time() - cpu) / args.lines
        peer = peer_seconds(ethogram, args.peer_lines, args.resamples)
    print(f"processor time per line: larvastats {1000 * ours:.0f} ms; curve_fit {peer:.2f} s")
    print(f"curve_fit takes x {peer / ours:.0f}; {peer * args.lines / 60:.0f} min for the screen")


if __name__ == "__main__":
    main()
