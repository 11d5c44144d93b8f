"""Confidence intervals of the divergences, by resampling replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats import divergence as dv
from larvastats.inference.design.blocks import Design
from larvastats.inference.effects.divergences import row_divergences
from larvastats.markov.transitions import probabilities

Array = NDArray[np.float64]

TOP = {"hellinger": 1.0, "js": 1.0, "kl": np.inf}
"""Largest possible value of each divergence."""

SAMPLED = 200
"""Draws behind the variance that independent transitions would give a row."""

PRIOR = 0.5
"""Transitions added to every possible cell before drawing (Jeffreys): a cell not seen may exist."""


def bootstrap_intervals(
    design: Design,
    counts: Array,
    possible: NDArray[np.bool_],
    weighting: str,
    df: float,
    resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Return t intervals with bootstrap bias and standard error.

    Replicates are drawn once, at one level: dates with both genotypes on them where there are
    dates (plates within them where the variance is that of plates), else assays within genotype. Of
    n replicates n - 1 are drawn and reweighted by n / (n - 1), so that few replicates do not
    understate the variance (Rao & Wu 1988, J. Am. Stat. Assoc. 83:231). The plug-in is biased
    upward and its percentiles doubly so: the interval is ``2 D - mean(D*) +- t SE``, cut at the
    range of the divergence.

    A row that is left five times in all looks the same in every resample of a few replicates, and
    its divergence more certain than it is. No row is therefore taken to vary less than independent
    transitions would (:func:`sampling_variance`); what that adds to the variance has degrees of
    freedom of its own, the row's visits, and t has Satterthwaite's number of both.

    Parameters
    ----------
    design : Design
        One in which a test is possible.
    counts : ndarray, shape (unit, from, to)
    possible : ndarray of bool, shape (from, to)
    weighting : {'uniform', 'occupancy'}
    df : float
        Degrees of freedom of the replicates.
    resamples : int
    rng : Generator
    level : float

    Returns
    -------
    dict of str to (low, high)
        NaN where no interval is possible.
    """
    if design.reason or resamples < 2 or not np.isfinite(df):
        return dict.fromkeys(TOP, (float("nan"), float("nan")))
    times = _times(design, resamples, rng)
    totals, draws = [], []
    for group in (design.is_line, ~design.is_line):
        own = counts[group]
        flat = own.reshape(len(own), -1)
        draws.append((times[:, group] @ flat).reshape(resamples, *counts.shape[1:]))
        totals.append(own.sum(axis=0))
    observed = row_divergences(totals[0], totals[1], possible)
    resampled = row_divergences(draws[0], draws[1], possible)
    least = sampling_variance(totals[0], totals[1], possible, rng)
    weight, weights = _weights(totals, weighting), _weights(draws, weighting)
    visits = harmonic_visits(totals[0], totals[1])
    out = {}
    for name, top in TOP.items():
        value = dv.average_rows(resampled[name], weights)
        rest = _understated(observed[name], resampled[name], least[name], weight)
        spread = _Spread(float(dv.average_rows(observed[name], weight)), value, df, rest, visits)
        out[name] = _interval(spread, level, top)
    return out


@dataclass(frozen=True, slots=True)
class _Spread:
    """One divergence: its value, its resampled values, and variance they leave out by row."""

    observed: float
    draws: Array
    df: float
    rest: Array
    visits: Array


def _interval(spread: _Spread, level: float, top: float) -> tuple[float, float]:
    draws = spread.draws[~np.isnan(spread.draws)]
    if len(draws) < 2 or np.isnan(spread.observed):
        return float("nan"), float("nan")
    replicates = float(draws.var(ddof=1))
    variance = replicates + float(spread.rest.sum())
    seen = spread.rest > 0
    shaky = replicates**2 / max(spread.df, 1.0)
    shaky += float((spread.rest[seen] ** 2 / spread.visits[seen]).sum())
    df = variance**2 / shaky if shaky > 0 else 1.0
    t = stats.t.ppf((1 + level) / 2, max(df, 1.0))
    centre, half = 2 * spread.observed - draws.mean(), t * np.sqrt(variance)
    low, high = np.clip([centre - half, centre + half], 0.0, top)
    return float(low), float(high)


def _weights(sides: Sequence[Array], weighting: str) -> Array | None:
    return dv.occupancy_weights(sides[0], sides[1]) if weighting == "occupancy" else None


def _understated(observed: Array, resampled: Array, least: Array, weight: Array | None) -> Array:
    """Variance of the average that resampling leaves out, by row, shape (from,)."""
    seen = ~np.isnan(observed)
    share = np.where(seen, 1.0 if weight is None else weight, 0.0)
    share = share / share.sum() if share.sum() > 0 else share
    found = ~np.isnan(resampled)
    n = found.sum(axis=0)
    mean = np.where(found, resampled, 0.0).sum(axis=0) / np.maximum(n, 1)
    square = np.where(found, resampled - mean, 0.0) ** 2
    variance = square.sum(axis=0) / np.maximum(n - 1, 1)
    return np.where(seen, share**2 * np.clip(least - variance, 0.0, None), 0.0)


def harmonic_visits(line: Array, control: Array) -> Array:
    """Return ``n m / (n + m)`` of the visits of both sides, at least 1, shape (from,)."""
    return np.maximum(dv.occupancy_weights(line, control), 1.0)


def sampling_variance(
    line: Array,
    control: Array,
    possible: NDArray[np.bool_],
    rng: np.random.Generator,
    draws: int = SAMPLED,
) -> dict[str, Array]:
    """Return the variance of row divergences if transitions were independent, shape (from,).

    Counts are drawn around the pooled ones, to each possible cell of which half a transition is
    added: Poisson, because how often a row is left varies too.

    Parameters
    ----------
    line, control : ndarray, shape (from, to)
        Pooled counts.
    possible : ndarray of bool, shape (from, to)
    rng : Generator
    draws : int
    """
    sides = []
    for counts in (line, control):
        visits = counts.sum(axis=-1, keepdims=True)
        mean = np.nan_to_num(probabilities(counts + PRIOR * possible)) * visits
        sides.append(rng.poisson(mean, size=(draws, *mean.shape)).astype(np.float64))
    out = {}
    for name, value in row_divergences(sides[0], sides[1], possible).items():
        found = ~np.isnan(value)
        n = np.maximum(found.sum(axis=0), 1)
        mean = np.where(found, value, 0.0).sum(axis=0) / n
        out[name] = (np.where(found, value - mean, 0.0) ** 2).sum(axis=0) / np.maximum(n - 1, 1)
    return out


def _times(design: Design, resamples: int, rng: np.random.Generator) -> Array:
    if design.by_plate:
        return _plates(design, resamples, rng)
    return _dates(design, resamples, rng) if design.dated else _assays(design, resamples, rng)


def _dates(design: Design, resamples: int, rng: np.random.Generator) -> Array:
    """Weight of every unit in every resample of the dates, shape (resample, unit)."""
    return _rao_wu(design.n_blocks, resamples, rng)[:, design.block]


def _assays(design: Design, resamples: int, rng: np.random.Generator) -> Array:
    """Weight of every unit in every resample of the assays, shape (resample, unit)."""
    times = np.ones((resamples, len(design.units)))
    for group in (design.is_line, ~design.is_line):
        times[:, group] = _rao_wu(int(group.sum()), resamples, rng)
    return times


def _plates(design: Design, resamples: int, rng: np.random.Generator) -> Array:
    """Weight of every unit in every resample of the plates within dates, shape (resample, unit).

    Plates that are alone on their date are drawn together, over dates (collapsed strata: Cochran
    1977, Sampling Techniques, section 5A.12): dates then add to the variance.
    """
    times = np.ones((resamples, len(design.units)))
    for group in (design.is_line, ~design.is_line):
        alone = (
            group & (np.bincount(design.block[group], minlength=design.n_blocks) == 1)[design.block]
        )
        strata = [group & (design.block == b) & ~alone for b in range(design.n_blocks)]
        for members in (*strata, alone):
            if members.sum() > 1:
                times[:, members] = _rao_wu(int(members.sum()), resamples, rng)
    return times


def _rao_wu(n: int, resamples: int, rng: np.random.Generator) -> Array:
    times = rng.multinomial(n - 1, np.full(n, 1 / n), size=resamples)
    return np.asarray(times * (n / (n - 1)), dtype=np.float64)
