"""Distributions of dwell times, fitted to censored and left-truncated bouts by likelihood.

SciPy fits censored data too (``scipy.stats.CensoredData``), one term per bout and without
truncation; here equal durations share a term, so that ten million bouts cost what their distinct
durations cost, and leaving an assay out is a subtraction of counts. Parameters are SciPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Array = NDArray[np.float64]

MIN_EVENTS = 10
"""Fewer bouts whose end was seen do not tell distributions apart."""

FAR = 8.0
"""A logarithm of a shape beyond this means that the likelihood has no maximum."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Bouts of many groups as counts over distinct durations; groups add up.

    Attributes
    ----------
    time : ndarray, shape (time,)
        Distinct ages in s at which bouts left the view or came into it late.
    events, leaves, enters : ndarray, shape (group, time)
        Bouts that ended at that age, that left the view (ended or censored), that came into view.
    """

    time: Array
    events: Array
    leaves: Array
    enters: Array

    def sum(self, without: int | None = None) -> Grouped:
        """Add the groups up, all or all but one, keeping the times that are left."""
        totals = []
        for values in (self.events, self.leaves, self.enters):
            total = values.sum(axis=0)
            totals.append(total if without is None else total - values[without])
        some = (totals[1] > 0) | (totals[2] > 0)
        return Grouped(self.time[some], *(total[some][None] for total in totals))


def group_bouts(
    duration: Array,
    event: NDArray[np.bool_],
    entry: Array,
    group: NDArray[np.integer],
    n_groups: int,
) -> Grouped:
    """Count bouts by group and distinct duration; arguments have shape (bout,)."""
    late = entry > 0
    time = np.unique(np.concatenate([duration, entry[late]]))
    base, size = group * len(time), n_groups * len(time)
    leave = base + np.searchsorted(time, duration)
    enter = base[late] + np.searchsorted(time, entry[late])
    columns = leave[event], leave, enter
    counts = (np.bincount(c, minlength=size).reshape(n_groups, -1) for c in columns)
    return Grouped(time, *(c.astype(np.float64) for c in counts))


# Each family: log density and log survival at time t (s) for (shape, scale) as SciPy has them. They
# are apart, since the density is wanted where bouts ended, and the dearer survival where they were
# cut.


def _gamma_density(t: Array, shape: float, scale: float) -> Array:
    x = t / scale
    return (shape - 1) * np.log(x) - x - special.gammaln(shape) - np.log(scale)


def _gamma_survival(t: Array, shape: float, scale: float) -> Array:
    x = t / scale
    upper = special.gammaincc(shape, x)
    some = upper > 1e-290
    # Far out, where the integral is no number any more: its asymptotic series
    far = (shape - 1) * np.log(x) - x - special.gammaln(shape) + np.log1p((shape - 1) / x * (~some))
    return np.where(some, np.log(np.where(some, upper, 1.0)), far)


def _weibull_density(t: Array, shape: float, scale: float) -> Array:
    log = np.log(t / scale)
    return np.log(shape) - np.log(t) + shape * log - np.exp(shape * log)


def _lognormal_density(t: Array, shape: float, scale: float) -> Array:
    z = np.log(t / scale) / shape
    return -0.5 * z * z - np.log(shape * t * np.sqrt(2 * np.pi))


Function = Callable[[Array, float, float], Array]

FAMILIES: dict[str, tuple[Function, Function]] = {
    "exponential": (lambda t, _, scale: -np.log(scale) - t / scale, lambda t, _, scale: -t / scale),
    "weibull": (_weibull_density, lambda t, shape, scale: -((t / scale) ** shape)),
    "gamma": (_gamma_density, _gamma_survival),
    "lognormal": (
        _lognormal_density,
        lambda t, shape, scale: special.log_ndtr(-np.log(t / scale) / shape),
    ),
}
"""Distributions by name; the simplest first, so that it wins a tie."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A fitted distribution.

    Attributes
    ----------
    family : str
        Key of :data:`FAMILIES`.
    shape, scale : float
        SciPy's: ``expon(scale)`` (shape is NaN), ``weibull_min(shape, scale)``, ``gamma(shape,
        scale)``, ``lognorm(shape, scale)``, that is standard deviation of the logarithm and median.
        `scale` in s.
    loglik : float
    n_parameters : int
    """

    family: str
    shape: float
    scale: float
    loglik: float
    n_parameters: int

    @property
    def aic(self) -> float:
        """Akaike's criterion, ``2 k - 2 log L``."""
        return 2 * self.n_parameters - 2 * self.loglik

    @property
    def mean(self) -> float:
        """Mean duration in s."""
        return float(self.frozen().mean())

    def frozen(self):  # type: ignore[no-untyped-def]
        """Return SciPy's distribution with these parameters."""
        if self.family == "exponential":
            return stats.expon(scale=self.scale)
        kind = {"weibull": stats.weibull_min, "gamma": stats.gamma, "lognormal": stats.lognorm}
        return kind[self.family](self.shape, scale=self.scale)

    def survival(self, t: Array) -> Array:
        """Return the share of bouts that outlast `t` seconds, shape of `t`."""
        return np.asarray(self.frozen().sf(t), dtype=np.float64)


def log_likelihoods(family: str, bouts: Grouped, shape: float, scale: float) -> Array:
    """Return the log likelihood of every group of bouts, shape (group,).

    ``sum log f(ended) + sum log S(censored) - sum log S(entry)``.
    """
    return _evaluate(family, _split(bouts), shape, scale)


def _split(bouts: Grouped) -> tuple[Array, Array, Array, Array]:
    """Return when bouts ended and how many, when they were cut or came in late and how many."""
    cut = bouts.leaves - bouts.events - bouts.enters
    ends, cuts = (bouts.events > 0).any(axis=0), (cut != 0).any(axis=0)
    return bouts.time[ends], bouts.events[:, ends], bouts.time[cuts], cut[:, cuts]


def _evaluate(
    family: str, parts: tuple[Array, Array, Array, Array], shape: float, scale: float
) -> Array:
    density, survival = FAMILIES[family]
    ended, d, cut, c = parts
    return d @ density(ended, shape, scale) + c @ survival(cut, shape, scale)


def fit_lifetime(family: str, bouts: Grouped, start: Lifetime | None = None) -> Lifetime | None:
    """Fit one distribution by maximum likelihood.

    Parameters
    ----------
    family : str
    bouts : Grouped
        One group.
    start : Lifetime, optional
        A fit to nearly the same bouts, from which to start.

    Returns
    -------
    Lifetime or None
        None where fewer than :data:`MIN_EVENTS` bouts ended, all alike, or the likelihood has no
        maximum.
    """
    d, t = bouts.events[0], bouts.time
    n = float(d.sum())
    if n < MIN_EVENTS or (d > 0).sum() < 2:
        return None
    lasted = float(bouts.leaves[0] @ t - bouts.enters[0] @ t)
    if family == "exponential":
        scale = lasted / n
        value = float(log_likelihoods(family, bouts, 1.0, scale).sum())
        return Lifetime(family, float("nan"), scale, value, 1)
    if start is None:
        begin = _first_guess(family, bouts, lasted / n)
    else:
        begin = np.log([start.shape, start.scale])
    objective = _objective(family, bouts)
    found = optimize.minimize(
        objective, begin, method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 2000,
                 "initial_simplex": begin + 0.05 * np.array([[0, 0], [1, 0], [0, 1]])},
    )  # fmt: skip
    if not found.success or abs(found.x[0]) > FAR or not np.isfinite(found.fun):
        return None
    shape, scale = np.exp(found.x)
    return Lifetime(family, float(shape), float(scale), -float(found.fun), 2)


def _objective(family: str, bouts: Grouped) -> Callable[[Array], float]:
    """Return minus the log likelihood as a function of the logarithms of shape and scale."""
    far, parts = 2 * FAR, _split(bouts)

    def objective(logs: Array) -> float:
        if np.abs(logs).max() > far:
            return np.inf
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value = -float(_evaluate(family, parts, *np.exp(logs)).sum())
        return value if np.isfinite(value) else np.inf

    return objective


def _first_guess(family: str, bouts: Grouped, mean: float) -> Array:
    """Logarithms of shape and scale to start from: censored bouts taken as they are."""
    n = float(bouts.events[0].sum())
    log = np.log(bouts.time)
    centre = float(bouts.events[0] @ log / n)
    spread = float(np.sqrt(bouts.events[0] @ (log - centre) ** 2 / n))
    spread = min(max(spread, 0.05), 3.0)
    if family == "lognormal":
        return np.array([np.log(spread), centre])
    shape = min(max(1.2 / spread, 0.2), 20.0)
    if family == "gamma":
        return np.array([np.log(shape), np.log(mean / shape)])
    return np.array([np.log(shape), np.log(mean)])


def fit_lifetimes(bouts: Grouped, start: dict[str, Lifetime] | None = None) -> list[Lifetime]:
    """Fit every distribution to one group of bouts; those without a maximum are missing."""
    before = start or {}
    fits = (fit_lifetime(family, bouts, before.get(family)) for family in FAMILIES)
    return [fit for fit in fits if fit is not None]


def best(fits: list[Lifetime]) -> Lifetime | None:
    """Return the fit with the smallest AIC, the simpler one of equals; None where there is none."""
    return min(fits, key=lambda fit: fit.aic) if fits else None
