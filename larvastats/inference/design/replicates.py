"""Standard errors by leaving out replicates: line x date where dates are known, else assays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


MOST = 40
"""More replicates than this are left out in this many groups (Kott 2001, J. Off. Stat. 17:521)."""


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """Which replicate of its genotype an assay belongs to.

    Attributes
    ----------
    assays : ndarray of int, shape (assay,)
        Rows of the assay table.
    code : ndarray of int, shape (assay,)
        Replicate of each, 0 ... n - 1.
    n : int
        At most :data:`MOST`.
    what : str
        ``date`` or ``assay``.
    """

    assays: NDArray[np.int64]
    code: NDArray[np.int64]
    n: int
    what: str

    def of(self, assay: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the replicate of every bout, given its assay; -1 for other genotypes' assays."""
        size = int(max(self.assays.max(initial=-1), np.max(assay, initial=-1))) + 1
        table = np.full(size, -1, dtype=np.int64)
        table[self.assays] = self.code
        return table[assay]


def replicates(rows: NDArray[np.integer], dates: NDArray[np.object_] | None) -> Replicates:
    """Find the replicates of one genotype.

    Plates of one cross on one day share the vial and the day: with two dates or more these are the
    replicates, and an assay without a date is one of its own. On a single date, or without dates,
    assays are all there is.

    Parameters
    ----------
    rows : ndarray of int, shape (assay,)
        The genotype's rows of the assay table.
    dates : ndarray of object, shape (assay of the table,), or None
    """
    own = rows.astype(np.int64)
    if dates is not None:
        day = [str(d) if d is not None else f"\x1f{i}" for i, d in enumerate(dates[own])]
        code, known = pd.factorize(np.array(day, dtype=object), sort=True)
        if len({d for d in dates[own] if d is not None}) > 1:
            return _grouped(own, code.astype(np.int64), len(known), "date")
    return _grouped(own, np.arange(len(own)), len(own), "assay")


def _grouped(rows: NDArray[np.int64], code: NDArray[np.int64], n: int, what: str) -> Replicates:
    """Make groups of many replicates: leaving groups out estimates the same error, faster."""
    return Replicates(rows, code % MOST, min(n, MOST), what)


def jackknife_error(without: Array) -> Array:
    """Return the standard error from estimates that each leave one replicate out.

    ``sqrt((n-1)/n sum (theta_(-i) - mean)^2)`` (Tukey 1958); NaN where an estimate is missing or
    there are fewer than two replicates.

    Parameters
    ----------
    without : ndarray, shape (replicate, ...)
    """
    n = len(without)
    if n < 2:
        return np.full(without.shape[1:], np.nan)
    away = without - without.mean(axis=0)
    return np.sqrt((n - 1) / n * (away**2).sum(axis=0))


def t_quantile(n: int, level: float = 0.95) -> float:
    """Return the two-sided quantile of t on n - 1 degrees of freedom; NaN below two replicates."""
    return float(stats.t.ppf((1 + level) / 2, n - 1)) if n > 1 else float("nan")


def survival_band(
    survival: Array, error: Array, n: int, level: float = 0.95
) -> tuple[Array, Array]:
    """Return limits of survival curves, symmetric for ``log(-log S)`` and so within [0, 1].

    Parameters
    ----------
    survival : ndarray, shape (time,)
    error : ndarray, shape (time,)
        Standard error of S.
    n : int
        Replicates behind it.
    level : float
    """
    inside = (survival > 0) & (survival < 1) & np.isfinite(error)
    s = np.where(inside, survival, 0.5)
    log = np.log(s)
    width = t_quantile(n, level) * np.where(inside, error, np.nan) / np.abs(s * log)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = s ** np.exp(width), s ** np.exp(-width)
    # a curve that no bout has left, or all have, has no error of its own
    flat = np.isfinite(error) & ~inside
    return np.where(flat, survival, low), np.where(flat, survival, high)
