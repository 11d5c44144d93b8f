"""Is a chain of first order enough? Every run against its own shuffles.

A shuffle keeps the first state and every transition of a run
(:mod:`larvastats.markov.eulerian`). Under a first-order chain the run and its shuffles are equally
likely, whatever the chain: each larva may have its own, plates and dates may differ as they like.
The comparison is therefore exact where the pooled chi-square is not: larvae that differ make a
pooled chain look as if it remembered, for the action before last tells which larva this is.
What it does assume is one chain throughout a run: a chain that changes within the window, as in
habituation, looks like memory here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.design.replicates import t_quantile
from larvastats.inference.significance.pvalues import TIE
from larvastats.markov.eulerian import shuffles
from larvastats.markov.sequences import Sequences, count_triples, triple_codes

Array = NDArray[np.float64]

MIN_EXPECTED = 5.0
"""Triples expected fewer times than this have no z of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Shuffled:
    """Triples and returns, observed and in shuffles.

    Attributes
    ----------
    observed : ndarray of int, shape (triple,)
        K^3 triples, coded ``(a K + b) K + c``.
    drawn : ndarray of int, shape (shuffle, triple)
    by_assay : ndarray, shape (assay, triple)
        Observed less expected.
    returns, expected, variance, n : ndarray, shape (run,)
        Returns to the state before last, their mean and variance over the shuffles, and triples.
    """

    observed: NDArray[np.int64]
    drawn: NDArray[np.int64]
    by_assay: Array
    returns: NDArray[np.int64]
    expected: Array
    variance: Array
    n: NDArray[np.int64]


def shuffle_runs(
    runs: Sequences, resamples: int, assay: NDArray[np.int64], n_assays: int,
    rng: np.random.Generator,
) -> Shuffled:  # fmt: skip
    """Shuffle every run `resamples` times and count.

    Parameters
    ----------
    runs : Sequences
    resamples : int
    assay : ndarray of int, shape (run,)
        Which of `n_assays` assays a run belongs to.
    n_assays : int
    rng : Generator
    """
    k = runs.n_states
    cells = k**3
    code = triple_codes(runs.state, runs.first, k)
    n_runs = len(runs)
    run_of = np.repeat(np.arange(n_runs), runs.length)
    observed = np.bincount(code[code >= 0], minlength=cells)
    own_assay = assay[run_of]
    by_assay = np.bincount((own_assay * cells + code)[code >= 0], minlength=n_assays * cells)
    returns = _returns(code, run_of, k, n_runs)
    drawn = np.empty((resamples, cells), dtype=np.int64)
    total = np.zeros(n_assays * cells)
    first, second = np.zeros(n_runs), np.zeros(n_runs)
    done = 0
    for state, many, copies in shuffles(runs.state, runs.first, k, resamples, rng):
        code = triple_codes(state, many, k)
        seen = code >= 0
        block = np.repeat(np.arange(copies), len(runs.state))
        drawn[done : done + copies] = np.bincount(
            (block * cells + code)[seen], minlength=copies * cells
        ).reshape(copies, cells)
        place = np.tile(own_assay, copies) * cells + code
        total += np.bincount(place[seen], minlength=n_assays * cells)
        back = _returns(code, block * n_runs + np.tile(run_of, copies), k, copies * n_runs)
        back = back.reshape(copies, n_runs).astype(np.float64)
        first += back.sum(axis=0)
        second += (back**2).sum(axis=0)
        done += copies
    mean = first / resamples
    variance = np.maximum(second / resamples - mean**2, 0.0) * resamples / (resamples - 1)
    away = (by_assay - total / resamples).reshape(n_assays, cells)
    return Shuffled(observed, drawn, away, returns, mean, variance, runs.length - 2)


def _returns(code: NDArray, run: NDArray, k: int, n_runs: int) -> NDArray[np.int64]:
    """Triples that end where they began, per run."""
    back = (code >= 0) & (code // (k * k) == code % k)
    return np.bincount(run[back], minlength=n_runs)


@dataclass(frozen=True, slots=True, eq=False)
class OrderTest:
    """First order against memory.

    Attributes
    ----------
    statistic : float
        Sum of squared z over the scored triples.
    p_value : float
    z, expected, p_adjusted, t_assays : ndarray, shape (triple,)
        NaN in triples that are not scored. `p_adjusted` by the largest |z| of every shuffle;
        `t_assays`: mean excess over assays by its standard error, degrees of freedom assays - 1.
    n_scored : int
    threshold : float
        A triple whose |z| exceeds this has `p_adjusted` of at most alpha.
    """

    statistic: float
    p_value: float
    z: Array
    expected: Array
    p_adjusted: Array
    t_assays: Array
    n_scored: int
    threshold: float


def order_statistics(found: Shuffled, alpha: float = 0.05) -> OrderTest:
    """Score triples and test them together.

    For p-values mean and standard deviation are those of the observed runs and all their shuffles
    together, so that each of them is treated alike and the test is exact; what is reported is held
    against the shuffles alone. The one is an increasing function of the other (:func:`_apart`).
    """
    everything = np.concatenate([found.observed[None], found.drawn]).astype(np.float64)
    mean, sd = everything.mean(axis=0), everything.std(axis=0, ddof=1)
    scored = (mean >= MIN_EXPECTED) & (sd > 0)
    cells = len(mean)
    blank = np.full(cells, nan)
    if not scored.any():
        return OrderTest(nan, nan, blank, mean, blank, blank, 0, nan)
    z = (everything[:, scored] - mean[scored]) / sd[scored]
    omnibus, largest = (z**2).sum(axis=1), np.abs(z).max(axis=1)
    p = float((omnibus >= omnibus[0] * (1 - TIE)).mean())
    out_z, out_p = blank.copy(), blank.copy()
    size = len(found.drawn)
    out_z[scored] = _apart(z[0], size)
    ranked = np.sort(largest)
    out_p[scored] = 1 - np.searchsorted(ranked, np.abs(z[0]) * (1 - TIE)) / len(ranked)
    out_t = np.where(scored, _by_assay(found.by_assay), nan)
    expected = found.drawn.mean(axis=0)
    threshold = float(ranked[max(len(ranked) - int(alpha * len(ranked)) - 1, 0)])
    return OrderTest(
        float((out_z[scored] ** 2).sum()), p, out_z, expected, out_p, out_t, int(scored.sum()),
        float(_apart(np.array([threshold]), size)[0]),
    )  # fmt: skip


def _apart(z: Array, size: int) -> Array:
    """Turn z against observed and shuffles together into z against the `size` shuffles alone.

    With c = B/(B+1), ``z_all^2 = c^2 B z^2 / (B - 1 + c z^2)``, which never exceeds cB.
    """
    c = size / (size + 1)
    room = np.maximum(c * c * size - c * z * z, 1e-12)
    return z * np.sqrt((size - 1) / room)


def _by_assay(away: Array) -> Array:
    """Studentise the mean excess of assays, shape (triple,); NaN below two assays."""
    m = len(away)
    if m < 2:
        return np.full(away.shape[1], nan)
    error = away.std(axis=0, ddof=1) / np.sqrt(m)
    return np.divide(away.mean(axis=0), error, out=np.full(len(error), nan), where=error > 1e-12)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Returns to the action before last, against what the larvae's chains say.

    Attributes
    ----------
    share, expected : float
        Share of triples that return, observed and in shuffles.
    low, high : float
        95% interval of observed minus expected, by t on replicates; NaN below two.
    z, p_value : float
        Of the whole, against the shuffles; two-sided.
    n : int
        Triples.
    """

    share: float
    expected: float
    low: float
    high: float
    z: float
    p_value: float
    n: int


def recurrence(found: Shuffled, replicate: NDArray[np.int64], n_replicates: int) -> Recurrence:
    """Test the returns of all runs together.

    Parameters
    ----------
    found : Shuffled
    replicate : ndarray of int, shape (run,)
    n_replicates : int
    """
    k = round(len(found.observed) ** (1 / 3))
    code = np.arange(k**3)
    back = code // (k * k) == code % k
    counts = np.append(found.observed[back].sum(), found.drawn[:, back].sum(axis=1)).astype(float)
    n = int(found.n.sum())
    mean, sd = counts.mean(), counts.std(ddof=1)
    away = np.abs(counts - mean)
    p = float((away >= away[0] * (1 - TIE)).mean()) if sd > 0 else nan
    excess = np.bincount(replicate, found.returns - found.expected, minlength=n_replicates)
    trials = np.bincount(replicate, found.n, minlength=n_replicates)
    ratio = excess.sum() / n
    # a ratio of sums: its error from what each replicate adds beyond the ratio
    rest = excess - ratio * trials
    m = n_replicates
    error = np.sqrt(m / (m - 1) * (rest**2).sum()) / n if m > 1 else nan
    width = t_quantile(m) * error
    z = float(_apart((counts[:1] - mean) / sd, len(found.drawn))[0]) if sd > 0 else nan
    expected = float(found.expected.sum()) / n
    return Recurrence(counts[0] / n, expected, ratio - width, ratio + width, z, p, n)


def pooled_triples(runs: Sequences) -> NDArray[np.int64]:
    """Return all triples together, shape (first, middle, last)."""
    return count_triples(runs)[0]
