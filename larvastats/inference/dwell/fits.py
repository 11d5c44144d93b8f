"""One genotype, one window, one state: curve, distribution, and how sure one is of them.

Bouts of a larva, of a plate, of a day are alike; every error here comes from replicates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.design.replicates import (
    Replicates,
    jackknife_error,
    survival_band,
    t_quantile,
)
from larvastats.markov.dwell import Dwells
from larvastats.markov.lifetimes import (
    Grouped,
    Lifetime,
    best,
    fit_lifetimes,
    group_bouts,
    log_likelihoods,
)
from larvastats.markov.survival import (
    LifeTable,
    life_table,
    quantile,
    restricted_mean,
    value_at,
)

Array = NDArray[np.float64]

MOST_TIMES = 200
"""A curve is handed out at this many times at most."""

TAIL = 0.05
"""Mean durations are compared up to the time that this share of bouts outlasts."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A survival curve with its 95% band, all of shape (time,)."""

    time: Array
    survival: Array
    low: Array
    high: Array
    at_risk: Array


@dataclass(frozen=True, slots=True)
class Fitted:
    """A distribution with errors from replicates.

    Attributes
    ----------
    best : Lifetime or None
    fits : tuple of Lifetime
    shape_se, scale_se, mean_se : float
        Of the best one; NaN with fewer than two replicates.
    stable : bool or None
        Whether it stays the best whichever replicate is left out; None with fewer than two.
    """

    best: Lifetime | None
    fits: tuple[Lifetime, ...]
    shape_se: float = nan
    scale_se: float = nan
    mean_se: float = nan
    stable: bool | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a curve says in three numbers, s: median, mean up to the horizon and its limits.

    `reach` is the longest time at which a bout was still in view.
    """

    median: float
    mean: float
    low: float
    high: float
    reach: float


def horizon(bouts: Dwells) -> float:
    """Return the time up to which mean durations are compared, in s; NaN without an ended bout.

    Where :data:`TAIL` of the bouts are left; where that is never seen, the longest duration.
    """
    if not len(bouts) or not bouts.ended.any():
        return nan
    table = life_table(bouts.duration, bouts.ended, bouts.entry)
    reached = quantile(table.time, table.survival(), 1 - TAIL)[0]
    return float(table.time[-1] if np.isnan(reached) else reached)


def tabulate(bouts: Dwells, who: Replicates) -> LifeTable:
    """Return the life table of every replicate."""
    return life_table(bouts.duration, bouts.ended, bouts.entry, who.of(bouts.assay), who.n)


def curve(table: LifeTable) -> Curve:
    """Return the curve of all replicates together, its band by leaving each of them out."""
    total = table.pooled()
    survival = total.survival()
    n = len(table.events)
    left_out = 1.0 - np.eye(n)
    at = table.time[_spread(len(table.time), total.events[0] > 0)]
    error = jackknife_error(value_at(table.time, table.pooled(left_out).survival(), at))
    here = value_at(table.time, survival, at)[0]
    low, high = survival_band(here, error, n)
    risk = total.at_risk[0][np.searchsorted(table.time, at)]
    return Curve(at, here, low, high, risk)


def _spread(n: int, event: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Choose where to hand a curve out: at every event, or evenly among them; and at the end."""
    steps = np.flatnonzero(event)
    if len(steps) > MOST_TIMES:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, MOST_TIMES).astype(int))]
    return np.unique(np.append(steps, n - 1)) if n else steps


def summary(table: LifeTable, up_to: float) -> Summary:
    """Return median and mean; the mean's limits by leaving replicates out, on the log scale."""
    total = table.pooled()
    survival = total.survival()
    mean = float(restricted_mean(table.time, survival, up_to)[0])
    n = len(table.events)
    without = restricted_mean(table.time, table.pooled(1.0 - np.eye(n)).survival(), up_to)
    log_error = float(jackknife_error(np.log(without)))
    width = t_quantile(n) * log_error
    median = float(quantile(table.time, survival)[0])
    low, high = mean * np.exp(-width), mean * np.exp(width)
    reach = float(table.time[-1]) if survival[0, -1] > 0 else float("inf")
    return Summary(median, mean, float(low), float(high), reach)


def fit(bouts: Dwells, who: Replicates) -> Fitted:
    """Fit every distribution, choose by AIC, and take errors from the replicates' scores."""
    grouped = group_bouts(bouts.duration, bouts.ended, bouts.entry, who.of(bouts.assay), who.n)
    fits = fit_lifetimes(grouped.sum())
    chosen = best(fits)
    if chosen is None:
        return Fitted(None, ())
    shape_se, scale_se, mean_se = _errors(chosen, grouped)
    stable = _always(chosen, fits, grouped) if who.n > 1 else None
    return Fitted(chosen, tuple(fits), shape_se, scale_se, mean_se, stable)


def _by_replicate(one: Lifetime, grouped: Grouped, logs: Array) -> Array:
    """Log likelihood of every replicate at given logarithms of shape and scale."""
    shape, scale = np.exp(logs)
    return log_likelihoods(one.family, grouped, float(shape), float(scale))


def _errors(one: Lifetime, grouped: Grouped) -> tuple[float, float, float]:
    """Return standard errors of shape, scale and mean: the sandwich of the replicates' scores.

    To first order what leaving replicates out gives (Liang & Zeger 1986, Biometrika 73:13), with
    the factor n / (n - 1).
    """
    n = len(grouped.events)
    if n < 2:
        return nan, nan, nan
    at = np.log([1.0 if one.family == "exponential" else one.shape, one.scale])
    free = [1] if one.family == "exponential" else [0, 1]

    def likelihood(step: Array) -> Array:
        return _by_replicate(one, grouped, at + _padded(step, free))

    scores, bend = _derivatives(likelihood, len(free))
    try:
        inverse = np.linalg.inv(bend)
    except np.linalg.LinAlgError:
        return nan, nan, nan
    covariance = n / (n - 1) * inverse @ (scores.T @ scores) @ inverse
    slope = _slopes(one, at, free)
    error = np.sqrt(np.diag(covariance).clip(0))
    mean_se = float(np.sqrt(np.clip(slope @ covariance @ slope, 0.0, None)))
    shape_se = nan if len(free) == 1 else float(error[0] * one.shape)
    return shape_se, float(error[-1] * one.scale), mean_se


def _padded(step: Array, free: list[int]) -> Array:
    out = np.zeros(2)
    out[free] = step
    return out


def _derivatives(f: Callable[[Array], Array], k: int) -> tuple[Array, Array]:
    """Scores of every replicate, shape (replicate, k), and the second derivatives of the sum."""
    small, wide = 1e-5, 1e-3
    unit = np.eye(k)
    scores = np.stack([(f(small * e) - f(-small * e)) / (2 * small) for e in unit], axis=1)
    bend = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            a, b = wide * unit[i], wide * unit[j]
            bend[i, j] = (f(a + b) - f(a - b) - f(b - a) + f(-a - b)).sum() / (4 * wide**2)
    return scores, bend


def _slopes(one: Lifetime, at: Array, free: list[int]) -> Array:
    """Change of the mean with each free logarithm."""
    small = 1e-5

    def mean(logs: Array) -> float:
        shape, scale = np.exp(logs)
        return Lifetime(one.family, float(shape), float(scale), 0.0, 0).mean

    steps = [_padded(small * e, free) for e in np.eye(len(free))]
    return np.array([(mean(at + s) - mean(at - s)) / (2 * small) for s in steps])


def _always(chosen: Lifetime, fits: list[Lifetime], grouped: Grouped) -> bool:
    """Whether the choice survives the loss of any replicate.

    At its maximum a likelihood without one replicate is, to first order, the whole less that
    replicate's share.
    """
    criteria = []
    for one in fits:
        shape = 1.0 if one.family == "exponential" else one.shape
        share = _by_replicate(one, grouped, np.log([shape, one.scale]))
        criteria.append(2 * one.n_parameters - 2 * (one.loglik - share))
    winner = np.argmin(np.array(criteria), axis=0)
    return bool((winner == fits.index(chosen)).all())
