"""Survival curves, censored fits and shuffles: against statsmodels, SciPy and a plain loop.

    python analyses/benchmarks/bench_dwell.py [--bouts 100000] [--repeats 3]

Same data, same run, same result asserted. Durations are whole milliseconds, a fifth censored;
shuffles are those of 200 larvae with 50 bouts, by Altschul & Erickson's algorithm in Python lists.
The machine may be busy: compare the ratios of medians, not the seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import numpy as np
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from larvastats.markov.eulerian import shuffles
from larvastats.markov.lifetimes import fit_lifetime, group_bouts
from larvastats.markov.survival import life_table, value_at


def timed(work: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Return the median seconds and the last result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return median(seconds), result


def report(what: str, ours: float, theirs: float, peer: str) -> None:
    """Print one line."""
    print(f"{what:34s} {ours:9.4f} s   {peer} {theirs:9.4f} s   {theirs / ours:7.1f} times")


def curves(duration: np.ndarray, event: np.ndarray, repeats: int) -> None:
    """Kaplan-Meier."""

    def ours() -> tuple[np.ndarray, np.ndarray]:
        table = life_table(duration, event)
        return table.time, table.survival()

    mine, (t, s) = timed(ours, repeats)
    theirs, peer = timed(lambda: SurvfuncRight(duration, event.astype(int)), repeats)
    np.testing.assert_allclose(value_at(t, s, peer.surv_times)[0], peer.surv_prob, atol=1e-10)
    report("Kaplan-Meier", mine, theirs, "statsmodels")


def fits(duration: np.ndarray, event: np.ndarray, repeats: int) -> None:
    """Maximum likelihood with censoring."""
    nobody = np.zeros(len(duration), np.int64)
    data = stats.CensoredData(uncensored=duration[event], right=duration[~event])
    kinds = {"weibull": stats.weibull_min, "gamma": stats.gamma, "lognormal": stats.lognorm}
    for name, kind in kinds.items():

        def ours(name: str = name) -> object:
            grouped = group_bouts(duration, event, np.zeros(len(duration)), nobody, 1)
            return fit_lifetime(name, grouped)

        mine, found = timed(ours, repeats)
        theirs, peer = timed(lambda kind=kind: kind.fit(data, floc=0), max(1, repeats // 2))
        np.testing.assert_allclose((found.shape, found.scale), (peer[0], peer[2]), rtol=1e-3)
        report(f"fit of {name}", mine, theirs, "SciPy")


def plain_shuffle(state: list[int], rng: np.random.Generator) -> list[int]:
    """Shuffle one sequence as Altschul & Erickson do: last exits at random until they lead home."""
    exits: dict[int, list[int]] = {}
    for a, b in pairwise(state):
        exits.setdefault(a, []).append(b)
    end = state[-1]
    while True:
        last = {a: to[rng.integers(len(to))] for a, to in exits.items() if a != end}
        if all(_reaches(a, last, end) for a in last):
            break
    order = {}
    for a, to in exits.items():
        rest = list(to)
        if a != end:
            rest.remove(last[a])
        rest = [rest[i] for i in rng.permutation(len(rest))]
        order[a] = iter([*rest, last[a]] if a != end else rest)
    out = [state[0]]
    for _ in range(len(state) - 1):
        out.append(next(order[out[-1]]))
    return out


def _reaches(a: int, last: dict[int, int], end: int) -> bool:
    seen = set()
    while a != end:
        if a in seen:
            return False
        seen.add(a)
        a = last[a]
    return True


def shuffled(repeats: int, larvae: int = 200, bouts: int = 50, copies: int = 20) -> None:
    """Shuffles that keep every transition."""
    rng = np.random.default_rng(1)
    state = (rng.integers(1, 6, (larvae, bouts)).cumsum(axis=1) % 6).astype(np.int64)
    first = np.arange(larvae + 1) * bouts
    mine, found = timed(
        lambda: [s for s, _, _ in shuffles(state.ravel(), first, 6, copies, rng)], repeats
    )
    rows = [row.tolist() for row in state]
    theirs, peer = timed(
        lambda: [plain_shuffle(row, rng) for _ in range(copies) for row in rows], repeats
    )
    pairs = [np.sort(x[:, :-1] * 6 + x[:, 1:], axis=1) for x in
             (np.concatenate(found).reshape(-1, bouts), np.array(peer))]  # fmt: skip
    np.testing.assert_array_equal(*pairs)
    report(f"{copies} shuffles of {larvae} x {bouts} bouts", mine, theirs, "lists")


def main() -> None:
    """Run all contests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bouts", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    truth, limit = rng.gamma(1.6, 1.2, args.bouts), rng.exponential(8.0, args.bouts)
    duration = np.round(np.minimum(truth, limit), 3) + 0.001
    event = truth <= limit
    curves(duration, event, args.repeats)
    fits(duration, event, args.repeats)
    shuffled(args.repeats)


if __name__ == "__main__":
    main()
