"""How much of the response is back at every pulse: resensitisation after Berne et al. 2023."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.fit import Fit
from larvastats.inference.habituation.model import decay, resensitisation

Array = NDArray[np.float64]

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class PulseLevel:
    """One pulse.

    Attributes
    ----------
    number : int
        From 1.
    level : float
        Response at its onset.
    ratio, ratio_low, ratio_high : float
        Over the level of the first pulse, with 95% limits; NaN at the first.
    tau_res, tau_res_low, tau_res_high : float
        Time constant (s) of the resensitisation in the pause before it; NaN where the ratio is not
        between 0 and 1, limits 0 or infinite where one of the ratio is not.
    """

    number: int
    level: float
    ratio: float = NAN
    ratio_low: float = NAN
    ratio_high: float = NAN
    tau_res: float = NAN
    tau_res_low: float = NAN
    tau_res_high: float = NAN


def pulse_levels(curves: Curves, fit: Fit, level: float = 0.95) -> tuple[PulseLevel, ...]:
    """Return the level of every pulse and the resensitisation before it.

    Limits of the ratio are Fieller's over assays (1954, J. R. Stat. Soc. B 16:175): those ratios r
    for which a t test finds no mean of ``level of the pulse - r level of the first`` in the assays.
    """
    own = assay_levels(curves, fit)
    out = [PulseLevel(1, float(fit.height[0]))]
    for k in range(1, curves.shape.n_blocks):
        ratio = float(fit.height[k] / fit.height[0]) if fit.height[0] > 0 else NAN
        low, high = fieller(own[:, k], own[:, 0], level)
        tau, upper, lower = resensitisation(np.array([ratio, low, high]), curves.shape.t_off)
        tau = tau if 0 < ratio < 1 else NAN
        out.append(
            PulseLevel(
                k + 1,
                float(fit.height[k]),
                ratio,
                low,
                high,
                float(tau),
                float(lower),
                float(upper),
            )
        )
    return tuple(out)


def assay_levels(curves: Curves, fit: Fit) -> Array:
    """Return what every assay adds to the level of every pulse, shape (assay, pulse).

    Weighted sums of its bins with the weights of the fit: their totals over assays are the levels
    of the fit, whatever the number of larvae.
    """
    shape = curves.shape
    e = decay(np.array([fit.tau]), shape)[0]
    w = curves.weight / fit.variance
    y = np.where(curves.weight > 0, curves.mean, 0.0)
    out = np.zeros((len(y), shape.n_blocks))
    for k in range(shape.n_blocks):
        at = shape.block == k
        square = (w[:, at] @ e[at] ** 2).sum()
        out[:, k] = (w[:, at] * y[:, at]) @ e[at] / (square if square > 0 else np.nan) * len(y)
    return out


def compare_ratios(curves: Curves, fit: Fit, other: Curves, other_fit: Fit) -> float:
    """Return the p-value of an equal resensitisation before the second pulse.

    With equal pauses, equal tau_res is an equal ratio of the second to the first level, whatever
    the levels: Welch's t on what every assay adds to its genotype's ratio.
    """
    ratios, values = [], []
    for c, f in ((curves, fit), (other, other_fit)):
        first, second = assay_levels(c, f)[:, :2].T
        if len(first) < 2 or not first.mean() > 0:
            return NAN
        ratios.append(second.mean() / first.mean())
        values.append((second - ratios[-1] * first) / first.mean())
    parts = [v.var(ddof=1) / len(v) for v in values]
    if not sum(parts) > 0:
        return NAN
    df = sum(parts) ** 2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, values, strict=True))
    return float(2 * stats.t.sf(abs(ratios[0] - ratios[1]) / np.sqrt(sum(parts)), df))


def fieller(x: Array, y: Array, level: float = 0.95) -> tuple[float, float]:
    """Return limits of mean(x) / mean(y) from pairs; infinite where y may be zero."""
    n = len(x)
    if n < 2:
        return NAN, NAN
    q = float(stats.t.ppf((1 + level) / 2, n - 1)) ** 2 / n
    cov = np.cov(x, y, ddof=1)
    a = y.mean() ** 2 - q * cov[1, 1]
    b = x.mean() * y.mean() - q * cov[0, 1]
    c = x.mean() ** 2 - q * cov[0, 0]
    root = b**2 - a * c
    if a <= 0 or root < 0:
        return float("-inf"), float("inf")
    return float((b - np.sqrt(root)) / a), float((b + np.sqrt(root)) / a)
