"""From a statistic to p-values: by relabelling, and by an F approximation where floors are high."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

TIE = 1e-9
"""Relative tolerance: relabelled statistics this close to the observed one tie with it."""

MIN_DF = 10
"""Fewer degrees of freedom than this do not estimate the shape of a covariance."""


def p_relabel(observed: float, null: NDArray[np.float64], exact: bool) -> float:
    """Return the share of relabellings at least as extreme as the observed labels; never zero.

    ``(1 + #{T* >= T}) / (1 + B)`` for B random relabellings, ``#{T* >= T} / N`` for an enumeration,
    which holds the observed labels itself (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol.
    9:39). Ties count as extreme.

    Parameters
    ----------
    observed : float
        Non-negative statistic; NaN gives NaN.
    null : ndarray, shape (relabelling,)
    exact : bool
        Whether `null` is the whole enumeration.
    """
    if np.isnan(observed):
        return float("nan")
    extreme = int((null >= observed * (1 - TIE)).sum())
    return extreme / len(null) if exact else (1 + extreme) / (1 + len(null))


def floor_of(null: NDArray[np.float64], exact: bool) -> float:
    """Return the smallest p-value the plan can give: its own maximum's."""
    if exact:
        return p_relabel(float(null.max()), null, exact)
    return 1 / (1 + len(null))


def smallest_p(largest: NDArray[np.float64], total: int) -> NDArray[np.float64]:
    """Return the p-values that an enumeration can give, from its largest statistics; ascending.

    Parameters
    ----------
    largest : ndarray
        The largest of the `total` statistics, in any order; ties that may go on below them are left
        out.
    total : int
    """
    value = np.sort(largest)[::-1]
    # the last of a run of ties has their p-value; statistics this close are one
    ends = np.flatnonzero(value[1:] < value[:-1] * (1 - TIE)) + 1
    if len(value) == total and total:
        ends = np.append(ends, total)
    return np.asarray(ends / total, dtype=np.float64)


def effective_dimension(residuals: NDArray[np.float64], df: int) -> float:
    """Estimate ``f1 = tr(Sigma)^2 / tr(Sigma^2)`` without bias in numerator and denominator.

    The number of equal, independent directions that would scatter as the profiles do; it turns a
    sum of squares into an F statistic (Box 1954, Ann. Math. Stat. 25:290). Under normality
    ``[(df+1) a - 2b] / [df (b - a/df)]`` with ``a = tr(S)^2``, ``b = tr(S^2)``.

    Parameters
    ----------
    residuals : ndarray, shape (assay, cell)
        Deviations from the means of their groups.
    df : int
        Degrees of freedom left in them.

    Returns
    -------
    float
        At least 1; NaN when `df` is below two or nothing varies.
    """
    if df < 2:
        return float("nan")
    # both products have the same traces; the smaller one fits in memory for any number of assays
    wide = residuals if len(residuals) <= residuals.shape[1] else residuals.T
    gram = wide @ wide.T / df
    a, b = np.trace(gram) ** 2, float((gram**2).sum())
    if a <= 0:
        return float("nan")
    spread = b - a / df
    largest = residuals.shape[1]
    if spread <= 0:
        return float(largest)
    return float(np.clip(((df + 1) * a - 2 * b) / (df * spread), 1.0, largest))


def p_f(statistic: float, f1: float, df: float) -> float:
    """Return ``P(F(f1, f1 * df) >= statistic)``; NaN when anything is missing."""
    if not (np.isfinite(f1) and np.isfinite(df)) or np.isnan(statistic):
        return float("nan")
    return float(stats.f.sf(statistic, f1, f1 * df))


def choose_null(floors: NDArray[np.float64], alpha: float, requested: str, has_f: bool) -> str:
    """Choose one kind of p-value for a whole screen: ``relabel`` or ``F``.

    Relabelling when every line's floor leaves room for a correction over all lines
    (``floor <= alpha / (10 * lines)``); else F, without which no line of a large screen could ever
    be found.

    Parameters
    ----------
    floors : ndarray, shape (line,)
        NaN for lines without a test.
    alpha : float
    requested : {'auto', 'relabel', 'F'}
    has_f : bool
        Whether the statistic has an F approximation.
    """
    if requested != "auto":
        return requested
    tested = floors[~np.isnan(floors)]
    enough = len(tested) == 0 or bool((tested <= alpha / (10 * len(tested))).all())
    return "relabel" if enough or not has_f else "F"
