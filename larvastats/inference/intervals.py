"""Confidence intervals of the divergences, by resampling replicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.design import Design
from larvastats.inference.effects import plug_in

Array = NDArray[np.float64]

TOP = {"hellinger": 1.0, "js": 1.0, "kl": np.inf}
"""Largest possible value of each divergence."""


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
    dates, else assays within genotype. Of n replicates n - 1 are drawn and reweighted by
    n / (n - 1), so that few replicates do not understate the variance (Rao & Wu 1988, J. Am. Stat.
    Assoc. 83:231).
    The plug-in is biased upward and its percentiles doubly so: the interval is ``2 D - mean(D*) +-
    t_df SE(D*)``, cut at the range of the divergence.

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
    times = _dates(design, resamples, rng) if design.dated else _assays(design, resamples, rng)
    sides = []
    for group in (design.is_line, ~design.is_line):
        flat = counts[group].reshape(int(group.sum()), -1)
        sides.append((times[:, group] @ flat).reshape(resamples, *counts.shape[1:]))
    observed = plug_in(
        counts[design.is_line].sum(axis=0), counts[~design.is_line].sum(axis=0), possible, weighting
    )
    draws = plug_in(sides[0], sides[1], possible, weighting)
    t = stats.t.ppf((1 + level) / 2, max(df, 1.0))
    return {name: _interval(observed[name], draws[name], t, TOP[name]) for name in TOP}


def _interval(observed: Array, draws: Array, t: float, top: float) -> tuple[float, float]:
    draws = draws[~np.isnan(draws)]
    if len(draws) < 2 or np.isnan(observed):
        return float("nan"), float("nan")
    centre, half = 2 * observed - draws.mean(), t * draws.std(ddof=1)
    low, high = np.clip([centre - half, centre + half], 0.0, top)
    return float(low), float(high)


def _dates(design: Design, resamples: int, rng: np.random.Generator) -> Array:
    """Weight of every unit in every resample of the dates, shape (resample, unit)."""
    return _rao_wu(design.n_blocks, resamples, rng)[:, design.block]


def _assays(design: Design, resamples: int, rng: np.random.Generator) -> Array:
    """Weight of every unit in every resample of the assays, shape (resample, unit)."""
    times = np.ones((resamples, len(design.units)))
    for group in (design.is_line, ~design.is_line):
        times[:, group] = _rao_wu(int(group.sum()), resamples, rng)
    return times


def _rao_wu(n: int, resamples: int, rng: np.random.Generator) -> Array:
    times = rng.multinomial(n - 1, np.full(n, 1 / n), size=resamples)
    return np.asarray(times * (n / (n - 1)), dtype=np.float64)
