"""Mean curves over time with bands, from one curve per assay.

The unit is the assay: larvae of a plate, and the bins of one curve, are not independent. A band is
*simultaneous* when the whole true curve lies in it with the stated probability; a *pointwise* one
holds at any one time only, and misses somewhere nearly always.

The critical value of the simultaneous band is the quantile of the largest studentised deviation
when the signs of whole residual curves are drawn at random (multiplier-t bootstrap with Rademacher
weights: Telschow & Schwartzman 2022, J. Stat. Plan. Inference 216:70). Drawing assays with
replacement instead gives bands more than twice as wide at eight assays, since a draw of few
distinct assays has next to no variance. Each bin's variance is moderated towards a variance that
all bins share (as in Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3:3), without which four assays,
three degrees of freedom in each of hundreds of bins, say next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PRIOR_DF = 8.0
"""Weight, in degrees of freedom, of the variance that all bins share.

With 4, 8 or 12 the bands of simulated plates cover alike; 8 gives the shortest that keep .95.
"""

SMOOTH = 60
"""Bins on either side over which the shared variance of a continuous feature is averaged.

Fewer follow the chance of eight assays: with 10 (of half a second) the limits of simulated speeds
hold .86 to .93 of the curves instead of .95, with 2 only .69.
"""

FEW = 5.0
"""Effective number of occurrences below which the variance of a bin says little."""

FEW_DF = 20
"""Up to so many degrees of freedom the critical value of a feature is that of Gaussian curves
at least; the exact limits of shares are wide enough without."""

FAR = 20
"""Bins apart at which only what an assay keeps throughout still correlates."""

NOTHING = 1e-12
"""Relative variance below which a response is constant."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A mean curve and its limits, each of shape (bin,).

    Attributes
    ----------
    mean : ndarray
    low, high : ndarray
        Simultaneous limits; NaN where there is no variance to speak of.
    point_low, point_high : ndarray
        Pointwise limits.
    critical : float
        Studentised deviation at which the simultaneous limits lie.
    df : int
        Degrees of freedom of the assays: their number less that of the strata.
    """

    mean: Array
    low: Array
    high: Array
    point_low: Array
    point_high: Array
    critical: float
    df: int


def curve_band(
    y: Array,
    stratum: Index,
    *,
    share: bool,
    draws: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Band:
    """Return the mean of assay curves with pointwise and simultaneous limits.

    Assays are exchanged within strata (the dates), so that with dates the limits hold for the mean
    on these dates; a date with a single assay is joined with the others of that kind.

    Parameters
    ----------
    y : ndarray, shape (assay, bin)
        Without NaN.
    stratum : ndarray of int, shape (assay,)
    share : bool
        Whether values are shares of time in [0, 1]. Limits are then those of Korn & Graubard
        (1998, Surv. Methodol. 24:193): exact binomial limits at the effective sample size, which
        hold where an action is rare and its limits far from symmetric.
    draws : int
        Sign patterns; all of them when there are no more.
    rng : Generator
    level : float

    Returns
    -------
    Band
        Limits are NaN with a single assay, and where nothing varies at all.
    """
    mean = y.mean(axis=0)
    strata = collapse(stratum)
    df = len(y) - len(np.unique(strata))
    nan = np.full_like(mean, np.nan)
    if df < 1:
        return Band(mean, nan, nan, nan, nan, float("nan"), 0)
    residual = scaled_residuals(y, strata)
    variance = (residual**2).mean(axis=0)
    profile = shared_variance(variance, mean, share)
    if not (profile > 0).any():
        return Band(mean, nan, nan, nan, nan, float("nan"), df)
    largest = sign_maxima(residual, profile, df, sign_patterns(len(y), draws, rng))
    critical = float(np.quantile(largest, level))
    if df <= FEW_DF and not share:
        known = profile > 0
        memory = curve_memory(residual[:, known] / np.sqrt(profile[known]))
        maxima = gaussian_maxima(int(known.sum()), *memory, df, draws, rng)
        critical = max(critical, float(np.quantile(maxima, level)))
    point = float(stats.t.ppf((1 + level) / 2, df + PRIOR_DF))
    moderate = moderated(variance, profile, df)
    limits = share_limits if share else symmetric_limits
    low, high = limits(mean, moderate, len(y), critical)
    point_low, point_high = limits(mean, moderate, len(y), point)
    return Band(mean, low, high, point_low, point_high, critical, df)


def collapse(stratum: Index) -> Index:
    """Join strata that hold one assay only, with each other or else with the smallest one."""
    _, code, size = np.unique(stratum, return_inverse=True, return_counts=True)
    single = np.flatnonzero(size == 1)
    if len(single) == 0 or len(size) == 1:
        return np.asarray(code, dtype=np.int64)
    into = int(single[0])
    joined = np.where(np.isin(code, single), into, code)
    if len(single) == 1:  # alone still: the smallest of the others takes it in
        others = np.where(np.arange(len(size)) == into, np.iinfo(np.int64).max, size)
        joined = np.where(joined == into, int(np.argmin(others)), joined)
    return np.asarray(joined, dtype=np.int64)


def scaled_residuals(y: Array, strata: Index) -> Array:
    """Return deviations from the mean of each stratum, scaled by ``sqrt(n / (n - 1))``.

    Their mean square is then an unbiased estimate of the variance of an assay.
    """
    out = np.empty_like(y)
    for s in np.unique(strata):
        here = strata == s
        n = int(here.sum())
        out[here] = (y[here] - y[here].mean(axis=0)) * np.sqrt(n / max(n - 1, 1))
    return out


def shared_variance(variance: Array, mean: Array, share: bool) -> Array:
    """Return the variance that a bin would have by what all bins say, shape (bin,).

    For shares ``phi p (1 - p)`` with one over-dispersion ``phi``; for others the average over the
    neighbouring bins. Zero where it says nothing.
    """
    if share:
        binomial = mean * (1 - mean)
        total = binomial.sum()
        return binomial * (variance.sum() / total) if total > 0 else np.zeros_like(mean)
    smooth = running_mean(variance, SMOOTH)
    return np.where(smooth > NOTHING * np.maximum(mean**2, NOTHING), smooth, 0.0)


def running_mean(values: Array, half: int) -> Array:
    """Average over up to `half` neighbours on either side, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    k = np.arange(len(values))
    left, right = np.maximum(k - half, 0), np.minimum(k + half + 1, len(values))
    return np.asarray((total[right] - total[left]) / (right - left))


def moderated(variance: Array, profile: Array, df: float) -> Array:
    """Draw variances towards the shared profile, shape (..., bin); zero where that is zero.

    The ratio of each variance to the profile is averaged with the mean ratio over all bins, with
    weights `df` and :data:`PRIOR_DF`.
    """
    known = profile > 0
    if not known.any():
        return np.zeros_like(variance)
    ratio = variance[..., known] / profile[known]
    common = ratio.mean(axis=-1, keepdims=True)
    out = np.zeros_like(variance)
    out[..., known] = profile[known] * (ratio * df + common * PRIOR_DF) / (df + PRIOR_DF)
    return out


def studentised(difference: Array, variance: Array) -> Array:
    """Divide by standard errors; 0 where there is no variance."""
    out = np.zeros_like(difference)
    return np.divide(difference, np.sqrt(variance, where=variance > 0, out=np.ones_like(variance)),
                     out=out, where=variance > 0)  # fmt: skip


def sign_patterns(n: int, draws: int, rng: np.random.Generator) -> Array:
    """Return sign vectors, shape (pattern, assay): all with a first plus if few, else random."""
    if n <= 16 and 2 ** (n - 1) <= draws:
        bits = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1
        return np.asarray(1.0 - 2.0 * bits)
    return np.asarray(rng.integers(0, 2, size=(draws, n)) * 2.0 - 1.0)


def sign_maxima(residual: Array, profile: Array, df: int, signs: Array) -> Array:
    """Return the largest studentised mean of every sign pattern, shape (pattern,).

    Residuals of all strata count as one sample: in a stratum of two, signs would leave either no
    mean or no variance.
    """
    m = len(residual)
    mean = signs @ residual / m
    variance = np.maximum((residual**2).sum(axis=0) - m * mean**2, 0.0) / (m - 1)
    t = studentised(mean, moderated(variance, profile, df) / m)
    return np.asarray(np.abs(t).max(axis=1))


def curve_memory(z: Array) -> tuple[float, float]:
    """Return the share of the variance that an assay keeps throughout, and the rest's memory.

    Parameters
    ----------
    z : ndarray, shape (assay, bin)
        Standardised residuals.
    """
    n_bins = z.shape[1]
    if n_bins < 3:
        return 1.0, 0.0
    whole = float((z**2).mean())
    near = float((z[:, 1:] * z[:, :-1]).mean()) / whole
    far_lags = range(min(FAR, n_bins // 2), n_bins, max(1, n_bins // 50))
    products = [float((z[:, k:] * z[:, :-k]).mean()) for k in far_lags if k]
    kept = float(np.clip(np.mean(products) / whole if products else 0.0, 0.0, 0.99))
    return kept, float(np.clip((near - kept) / (1 - kept), 0.0, 0.99))


def gaussian_maxima(
    n_bins: int, kept: float, memory: float, df: int, draws: int, rng: np.random.Generator
) -> Array:
    """Return the largest studentised mean of simulated Gaussian curves, shape (draw,).

    Each of ``df + 1`` curves is a constant (share `kept` of the variance) plus noise of lag-1
    correlation `memory`. Signs of three or four residuals make so few patterns that their quantile
    is too small; these make as many as are drawn.
    """
    out = []
    profile = np.ones(n_bins)
    for start in range(0, draws, 100):
        size = min(100, draws - start), df + 1
        kick = rng.standard_normal((*size, n_bins)) * np.sqrt(1 - memory**2)
        kick[..., 0] /= np.sqrt(1 - memory**2)
        curves = lfilter([1.0], [1.0, -memory], kick, axis=-1) * np.sqrt(1 - kept)
        curves += rng.standard_normal((*size, 1)) * np.sqrt(kept)
        mean, variance = curves.mean(axis=1), curves.var(axis=1, ddof=1)
        t = studentised(mean, moderated(variance, profile, df) / (df + 1))
        out.append(np.abs(t).max(axis=1))
    return np.concatenate(out)


def symmetric_limits(mean: Array, variance: Array, m: int, critical: float) -> tuple[Array, Array]:
    """Return ``mean +- critical * SE``; NaN without variance."""
    half = critical * np.sqrt(variance / m)
    half = np.where(variance > 0, half, np.nan)
    return mean - half, mean + half


def share_limits(mean: Array, variance: Array, m: int, critical: float) -> tuple[Array, Array]:
    """Return exact binomial limits of shares at their effective sample size, within [0, 1].

    The size is ``m p (1 - p) / variance``; where nobody (or everybody) does it, that of the other
    bins.
    """
    binomial = mean * (1 - mean)
    known = variance > 0
    phi = float(variance[known].sum() / binomial[known].sum())
    size = np.full_like(mean, m / phi)
    own = m * binomial[known] / variance[known]
    # a bin with a few bouts cannot know that its variance is smaller than that of the others
    rare = np.minimum(mean, 1 - mean)[known] * m / phi < FEW
    size[known] = np.where(rare, np.minimum(own, m / phi), own)
    tail = float(stats.norm.sf(critical))
    hits = np.clip(size * mean, 0.0, size)
    misses = size - hits
    low, high = np.zeros_like(mean), np.ones_like(mean)
    some, not_all = hits > 0, misses > 0
    low[some] = stats.beta.ppf(tail, hits[some], misses[some] + 1)
    high[not_all] = stats.beta.isf(tail, hits[not_all] + 1, misses[not_all])
    return np.minimum(low, mean), np.maximum(high, mean)
