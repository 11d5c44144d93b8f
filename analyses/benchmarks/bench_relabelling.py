"""Relabelling a whole screen: larvastats' engine against scipy and a plain NumPy loop, in one run.

    python analyses/benchmarks/bench_relabelling.py

Without dates: 1,000 lines of 5 assays, 200 shared controls, 10,000 relabellings each. With dates:
1,000 lines, each on 4 of 100 dates with 1 or 2 plates, 3 controls per date. K = 6 states. The peers
run on a few lines and are scaled up; the statistics are the same and checked against each other.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from larvastats.inference.lines import engine
from larvastats.inference.relabelling import plans
from larvastats.inference.relabelling.plans import Budget

CELLS = 36


def welch(x: np.ndarray, y: np.ndarray) -> float:
    """Studentised squared distance of two samples of profiles, each (assay, cell)."""
    distance = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    return distance / (x.var(axis=0, ddof=1).sum() / len(x) + y.var(axis=0, ddof=1).sum() / len(y))


def free_ours(lines: np.ndarray, controls: np.ndarray, resamples: int) -> np.ndarray:
    """Null statistics of all lines, summed per line so that nothing is optimised away."""
    plan = plans.free_plan(lines.shape[1], len(controls), Budget(resamples, 1, 0))
    shared = engine.SharedControls(plan, controls)
    totals = [shared.null(lines[i : i + 24]).sum(axis=1) for i in range(0, len(lines), 24)]
    return np.concatenate(totals)


def free_numpy(line: np.ndarray, controls: np.ndarray, resamples: int) -> float:
    """Relabel one line in a plain loop."""
    rng = np.random.default_rng(0)
    both, m = np.concatenate([line, controls]), len(line)
    total = 0.0
    for _ in range(resamples):
        order = rng.permutation(len(both))
        total += welch(both[order[:m]], both[order[m:]])
    return total


def free_scipy(line: np.ndarray, controls: np.ndarray, resamples: int) -> float:
    """Relabel one line with scipy.stats.permutation_test on positions, vectorised."""
    both, m = np.concatenate([line, controls]), len(line)

    def statistic(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        x, y = both[a.astype(int)], both[b.astype(int)]
        distance = ((x.mean(axis=-2) - y.mean(axis=-2)) ** 2).sum(axis=-1)
        variance = x.var(axis=-2, ddof=1).sum(axis=-1) / m
        return distance / (variance + y.var(axis=-2, ddof=1).sum(axis=-1) / (len(both) - m))

    at = np.arange(len(both), dtype=float)
    result = stats.permutation_test(
        (at[:m], at[m:]), statistic, n_resamples=resamples, vectorized=True, batch=200,
        alternative="greater", rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(result.null_distribution.sum())


def dated_t(days: list[np.ndarray], sizes: list[tuple[int, int]]) -> float:
    """Date-level statistic of one labelling; `days` hold the profiles, the line's first."""
    w = np.array([m * c / (m + c) for m, c in sizes])
    w /= w.sum()
    d = np.stack(
        [x[:m].mean(axis=0) - x[m:].mean(axis=0) for x, (m, _) in zip(days, sizes, strict=True)]
    )
    mean = w @ d
    n = len(sizes)
    return (mean**2).sum() / (n / (n - 1) * (w**2 @ ((d - mean) ** 2).sum(axis=1)))


def dated_ours(lines: list[list[np.ndarray]], sizes: list, resamples: int) -> float:
    """Null statistics of all lines, summed."""
    total, geometry = 0.0, {}
    for days, shape in zip(lines, sizes, strict=True):
        key = tuple(shape)
        if key not in geometry:
            plan = plans.dated_plan(key, Budget(resamples, 1, 0))
            geometry[key] = engine.DatedGeometry(plan)
        distance, variance = geometry[key].null(days)
        total += float(engine.ratio(distance, variance).sum())
    return total


def seconds(function, *arguments) -> float:
    """Processor time of one call: a busy machine does not change it much."""
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def median(function, repeats: int, *arguments) -> float:
    """Median processor time."""
    return float(np.median([seconds(function, *arguments) for _ in range(repeats)]))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--scipy-lines", type=int, default=20)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    controls = rng.normal(size=(200, CELLS))
    lines = rng.normal(size=(args.lines, 5, CELLS))
    ours = median(free_ours, 3, lines, controls, args.resamples)
    few = args.scipy_lines
    scipy_s = sum(seconds(free_scipy, lines[i], controls, args.resamples) for i in range(few))
    numpy_s = sum(seconds(free_numpy, lines[i], controls, args.resamples) for i in range(3))
    scale = args.lines
    print(f"no dates: {scale} lines x {args.resamples}: {ours:.2f} s")
    print(f"  scipy.stats.permutation_test (vectorised): x {scipy_s / few * scale / ours:,.0f}")
    print(f"  NumPy loop:                                x {numpy_s / 3 * scale / ours:,.0f}")
    sizes = [[(int(rng.integers(1, 3)), 3) for _ in range(4)] for _ in range(args.lines)]
    days = [[rng.normal(size=(m + c, CELLS)) for m, c in shape] for shape in sizes]
    ours = median(dated_ours, 3, days, sizes, args.resamples)
    peer = sum(seconds(dated_loop, days[i], sizes[i], args.resamples) for i in range(3))
    print(f"dates: {scale} lines x {args.resamples}: {ours:.2f} s")
    print(f"  scipy's permutations in its loop, within dates: x {peer / 3 * scale / ours:,.0f}")


def dated_loop(days: list[np.ndarray], sizes: list[tuple[int, int]], resamples: int) -> float:
    """Relabel within dates: scipy's test on a bijection of positions, refused across dates.

    scipy has no blocks; its loop (``vectorized=False``) calls the statistic once per relabelling.
    The statistic permutes each date with a generator seeded by the call, which is the cheapest way
    to keep the restriction.
    """
    inner = np.random.default_rng(0)

    def statistic(a: np.ndarray, b: np.ndarray) -> float:
        shuffled = [x[inner.permutation(len(x))] for x in days]
        return dated_t(shuffled, sizes)

    at = np.arange(30.0)
    result = stats.permutation_test(
        (at[:15], at[15:]), statistic, n_resamples=resamples, vectorized=False,
        alternative="greater", rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(result.null_distribution.sum())


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):  # for all contestants, as in a screen
        main()
