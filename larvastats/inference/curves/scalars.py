"""One number per assay, two genotypes or two conditions: means and spreads compared.

The spread of a feature within an assay is a number too: its log standard deviation. Genotypes
compared by it differ in spread, whatever their means do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.curves.bands import NOTHING
from larvastats.inference.curves.comparison import compare_curves, responds
from larvastats.inference.design.blocks import Design
from larvastats.inference.significance.pvalues import choose_null

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScalarTest:
    """A difference of one number between groups of assays, or its change within assays.

    Attributes
    ----------
    estimate, low, high : float
        Difference or change, and its t limits.
    statistic, df : float
    p_value : float
        `p_exact` where relabelling can reach far enough, else `p_approx`.
    null : str
        ``exact``, ``permutation`` or ``t``.
    p_exact, p_floor, p_approx : float
    hedges_g, g_low, g_high : float
        Effect size in standard deviations between assays, with limits (pingouin).
    n, n_control, n_dates : int
        Assays; for a change `n_control` is 0. `n_dates` is 0 without dates.
    note : str
        Why there is no test.
    """

    estimate: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    statistic: float = float("nan")
    df: float = float("nan")
    p_value: float = float("nan")
    null: str = ""
    p_exact: float = float("nan")
    p_floor: float = float("nan")
    p_approx: float = float("nan")
    hedges_g: float = float("nan")
    g_low: float = float("nan")
    g_high: float = float("nan")
    n: int = 0
    n_control: int = 0
    n_dates: int = 0
    note: str = ""


def compare_values(
    x: Array, design: Design, *, resamples: int, alpha: float, rng: np.random.Generator
) -> ScalarTest:
    """Compare line and control by one number per assay.

    Welch's t without dates; with dates the mean difference within dates over its scatter between
    dates. Relabelled within dates; where that cannot reach ``alpha / 10``, Student's t.

    Parameters
    ----------
    x : ndarray, shape (unit,)
        In the order of the design's units.
    design : Design
    resamples : int
    alpha : float
    rng : Generator
    """
    sizes: dict[str, Any] = {"n": design.n_line, "n_control": design.n_control,
             "n_dates": design.n_blocks if design.dated else 0}  # fmt: skip
    if design.reason:
        return ScalarTest(**sizes, note=design.reason)
    if np.std(x) <= NOTHING * max(abs(float(np.mean(x))), NOTHING):
        return ScalarTest(**sizes, note="the same number in every assay: no variance, no test")
    test = compare_curves(x[:, None], design, share=False, resamples=resamples, rng=rng)
    difference, t = float(test.difference[0]), float(test.statistic[0])
    line, control = x[design.is_line], x[~design.is_line]
    df = float(design.n_blocks - 1) if design.dated else _welch_df(line, control)
    found = _finish(difference, t, df, float(test.p_bin[0]), test.p_floor, test.exact, alpha)
    g, g_low, g_high = hedges(line, control)
    return ScalarTest(**found, **sizes, hedges_g=g, g_low=g_low, g_high=g_high)


def change_of_values(
    change: Array, *, resamples: int, alpha: float, rng: np.random.Generator
) -> ScalarTest:
    """Test whether one number changes within assays, by flipping signs.

    Parameters
    ----------
    change : ndarray, shape (assay,)
    """
    m = len(change)
    if m < 2:
        return ScalarTest(n=m, note="one assay: no variance, no test" if m else "no assay")
    if change.std() <= NOTHING:
        return ScalarTest(n=m, note="the same change in every assay: no variance, no test")
    t, p, exact, floor = responds(change[:, None], resamples=resamples, rng=rng)
    found = _finish(float(change.mean()), float(t[0]), m - 1.0, float(p[0]), floor, exact, alpha)
    g, g_low, g_high = hedges_paired(change)
    return ScalarTest(**found, n=m, hedges_g=g, g_low=g_low, g_high=g_high)


def _welch_df(x: Array, y: Array) -> float:
    a, b = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    total = a**2 / (len(x) - 1) + b**2 / (len(y) - 1)
    return float((a + b) ** 2 / total) if total > 0 else float("nan")


def _finish(
    estimate: float, t: float, df: float, p_exact: float, floor: float, exact: bool, alpha: float
) -> dict[str, Any]:
    p_approx = float(2 * stats.t.sf(abs(t), df))
    kind = choose_null(np.array([floor]), alpha, "auto", not np.isnan(p_approx))
    half = abs(estimate / t) * float(stats.t.ppf(0.975, df)) if t else float("nan")
    relabelled = kind == "relabel"
    return {
        "estimate": estimate, "low": estimate - half, "high": estimate + half, "statistic": t,
        "df": df, "p_value": p_exact if relabelled else p_approx,
        "null": ("exact" if exact else "permutation") if relabelled else "t",
        "p_exact": p_exact, "p_floor": floor, "p_approx": p_approx,
    }  # fmt: skip


def hedges(x: Array, y: Array) -> tuple[float, float, float]:
    """Return Hedges' g of x against y with 95% limits; NaN without variance."""
    if len(x) < 2 or len(y) < 2 or x.var() + y.var() <= 0:
        return float("nan"), float("nan"), float("nan")
    import pingouin  # slow to load, and not every verb needs it

    g = float(pingouin.compute_effsize(x, y, eftype="hedges"))
    low, high = pingouin.compute_esci(stat=g, nx=len(x), ny=len(y), eftype="hedges", decimals=6)
    return g, float(low), float(high)


def hedges_paired(change: Array) -> tuple[float, float, float]:
    """Return the mean change in its own standard deviations (g_z), with 95% limits."""
    m, sd = len(change), change.std(ddof=1)
    if m < 2 or sd <= 0:
        return float("nan"), float("nan"), float("nan")
    import pingouin

    d = float(change.mean() / sd)
    g = float(pingouin.convert_effsize(d, "cohen", "hedges", nx=m, ny=m))
    low, high = pingouin.compute_esci(stat=g, nx=m, ny=m, paired=True, decimals=6)
    return g, float(low), float(high)
