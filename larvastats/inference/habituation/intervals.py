"""How sure a time constant is: profile, score and bootstrap-t intervals over assays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.habituation.fit import Fit, Grid, free_levels, gain, moments, peak
from larvastats.inference.habituation.scores import Scores, unit_directions

Array = NDArray[np.float64]
Limits = tuple[float, float]

NONE: Limits = (float("nan"), float("nan"))


def profile_interval(
    fit: Fit, scores: Scores, grid: Grid, df: float, level: float = 0.95
) -> Limits:
    """Return the time constants whose profile deviance does not rise above chance.

    The deviance is divided by how much the scatter of the assays exceeds the working variance, and
    compared with F(1, df) (Chandler & Bate 2007, Biometrika 94:167).

    Returns
    -------
    low, high : float
        0 or infinite where the grid ends first: the data do not bound tau on that side.
    """
    scale = scores.dispersion
    if not (np.isfinite(scale) and scale > 0):
        return NONE
    # its root is close to linear in log tau, so that points of the grid can be joined by lines
    rise = np.sqrt((grid_rss(fit) - fit.best) / scale)
    return _cross(rise, float(np.sqrt(stats.f.ppf(level, 1, df))), fit.tau, grid)


def grid_rss(fit: Fit) -> Array:
    """Residual sums of squares over the grid, never below the best, shape (tau,)."""
    return np.maximum(fit.rss, fit.best)


def score_interval(
    mean: Array, weight: Array, fit: Fit, grid: Grid, cluster: NDArray[np.int64],
    level: float = 0.95,
) -> Limits:  # fmt: skip
    """Return the time constants that a t test on the assays' scores does not reject.

    The connected set around the estimate: far from it, where the decline fits no curve, scores say
    little.
    """
    w = weight / fit.variance
    y = np.where(weight > 0, mean, 0.0)
    m = moments(w.sum(axis=0)[None], (w * y).sum(axis=0)[None], grid)
    floors, heights = free_levels(m, grid.shape.has_floor)
    curve = floors[0][:, grid.shape.block] + heights[0][:, grid.shape.block] * grid.decay
    direction = unit_directions(grid, w.sum(axis=0)) * heights[0][:, grid.shape.block]
    own = (w * y) @ direction.T - w @ (curve * direction).T
    n = int(cluster.max()) + 1
    value = np.zeros((n, len(grid.tau)))
    np.add.at(value, cluster, own)
    spread = value.std(axis=0, ddof=1) / np.sqrt(n)
    t = np.abs(value.mean(axis=0)) / np.where(spread > 0, spread, np.nan)
    return _cross(np.nan_to_num(t), float(stats.t.ppf((1 + level) / 2, n - 1)), fit.tau, grid)


def _cross(rise: Array, limit: float, tau: float, grid: Grid) -> Limits:
    """Walk from the estimate to where `rise`, shape (tau,), first exceeds the limit."""
    log = np.log(grid.tau)
    at = int(np.clip(np.searchsorted(log, np.log(tau)), 1, len(log) - 1))
    low = _walk(rise[:at][::-1], log[:at][::-1], limit, float(np.log(tau)))
    high = _walk(rise[at:], log[at:], limit, float(np.log(tau)))
    return (0.0 if low is None else float(np.exp(low)),
            float("inf") if high is None else float(np.exp(high)))  # fmt: skip


def _walk(rise: Array, log: Array, limit: float, origin: float) -> float | None:
    above = np.flatnonzero(rise > limit)
    if not len(above):
        return None
    k = int(above[0])
    before = (origin, 0.0) if k == 0 else (float(log[k - 1]), float(rise[k - 1]))
    share = (limit - before[1]) / (float(rise[k]) - before[1])
    return before[0] + share * (float(log[k]) - before[0])


def bootstrap_t_interval(
    mean: Array, weight: Array, fit: Fit, scores: Scores, grid: Grid,
    cluster: NDArray[np.int64], resamples: int, rng: np.random.Generator, level: float = 0.95,
) -> Limits:  # fmt: skip
    """Return the studentised bootstrap interval of log tau over replicates (Efron 1981).

    Every resample of the replicates is fitted anew and divided by its own standard error.
    """
    n = int(cluster.max()) + 1
    if n < 2 or not np.isfinite(scores.se):
        return NONE
    times = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    tau, se = refit(mean, weight, fit, grid, cluster, times)
    t = (np.log(tau) - np.log(fit.tau)) / np.where(se > 0, se, np.nan)
    t = t[np.isfinite(t)]
    if len(t) < resamples / 2:
        return NONE
    upper, lower = np.quantile(t, [(1 + level) / 2, (1 - level) / 2])
    low, high = np.log(fit.tau) - upper * scores.se, np.log(fit.tau) - lower * scores.se
    low, high = np.exp(np.clip([low, high], -50, 50))
    return (0.0 if low < grid.tau[0] else float(low),
            float("inf") if high > grid.tau[-1] else float(high))  # fmt: skip


def refit(
    mean: Array, weight: Array, fit: Fit, grid: Grid, cluster: NDArray[np.int64], times: Array
) -> tuple[Array, Array]:
    """Fit resamples, with their standard errors of log tau.

    Parameters
    ----------
    times : ndarray, shape (resample, cluster)
        How often each replicate was drawn.

    Returns
    -------
    tau, se : ndarray, shape (resample,)
    """
    w = weight / fit.variance
    wy = w * np.where(weight > 0, mean, 0.0)
    per_assay = times[:, cluster]
    m = moments(per_assay @ w, per_assay @ wy, grid)
    at, shift, _ = peak(gain(m, grid.shape.has_floor), grid.step)
    floors, heights = free_levels(m, grid.shape.has_floor)
    rows = np.arange(len(times))
    floor, height = floors[rows, at], heights[rows, at]
    direction = unit_directions(grid, w.sum(axis=0))
    value = np.zeros((len(times), len(times[0])))
    information = np.zeros(len(times))
    for p in range(grid.shape.n_blocks):
        own = grid.shape.block == p
        g, e = direction[:, own], grid.decay[:, own]
        seen = _by_cluster(wy[:, own] @ g.T, cluster)[:, at].T
        level = _by_cluster(w[:, own] @ g.T, cluster)[:, at].T
        decline = _by_cluster(w[:, own] @ (e * g).T, cluster)[:, at].T
        square = _by_cluster(w[:, own] @ (g**2).T, cluster)[:, at].T
        a, b = floor[:, p, None], height[:, p, None]
        value += b * (seen - a * level - b * decline)
        information += (b**2 * square * times).sum(axis=1)
    n = value.shape[1]
    centre = (times * value).sum(axis=1, keepdims=True) / n
    spread = (times * (value - centre) ** 2).sum(axis=1) * n / (n - 1)
    se = np.sqrt(spread) / np.where(information > 0, information, np.nan)
    return grid.tau[at] * np.exp(shift), se


def _by_cluster(values: Array, cluster: NDArray[np.int64]) -> Array:
    out = np.zeros((int(cluster.max()) + 1, values.shape[1]))
    np.add.at(out, cluster, values)
    return out
