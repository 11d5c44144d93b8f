"""What each assay says about the time constant: scores that carry an assay's own scatter.

Larvae of an assay, and neighbouring bins of a larva, are correlated; the sum over an assay is not
correlated with that of another. All uncertainty is taken from how these sums differ (the sandwich
of Liang & Zeger 1986, Biometrika 73:13), with the levels projected out, so that an assay that
merely responds more or less than others adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.habituation.fit import Fit, Grid, make_grid

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores for log tau at a fit.

    Attributes
    ----------
    value : ndarray, shape (cluster,)
        Sum to zero but for assays' missing bins.
    information : float
        What the working variances alone would give: 1 / variance of log tau.
    """

    value: Array
    information: float

    @property
    def spread(self) -> float:
        """Variance of the sum of the scores, from their scatter."""
        m = len(self.value)
        if m < 2:
            return float("nan")
        return float(((self.value - self.value.mean()) ** 2).sum() * m / (m - 1))

    @property
    def se(self) -> float:
        """Standard error of log tau."""
        if not self.information > 0:
            return float("inf")
        return float(np.sqrt(self.spread) / self.information)

    @property
    def dispersion(self) -> float:
        """How many times the variance exceeds that of independent larvae and bins."""
        return self.spread / self.information if self.information > 0 else float("nan")


def scores(mean: Array, weight: Array, fit: Fit, grid: Grid, cluster: NDArray[np.int64]) -> Scores:
    """Compute the scores of assays at a fit.

    Parameters
    ----------
    mean, weight : ndarray, shape (assay, bin)
    fit : Fit
    grid : Grid
        Of the same shape.
    cluster : ndarray of int, shape (assay,)
        Replicate of every assay: itself, or its date.
    """
    at = make_grid(grid.shape, np.array([fit.tau, fit.tau * 2]))
    w = weight / fit.variance
    direction = fit.height[grid.shape.block] * at.slope[0]
    direction = project(direction, w.sum(axis=0), _free(fit, at.decay[0], grid))
    away = np.where(weight > 0, mean, 0.0) - np.where(weight > 0, fit.expected, 0.0)
    own = (w * away) @ direction
    value = np.bincount(cluster, weights=own, minlength=int(cluster.max()) + 1)
    return Scores(np.asarray(value, dtype=np.float64), float((w.sum(axis=0) * direction**2).sum()))


def _free(fit: Fit, decay: Array, grid: Grid) -> Array:
    """Directions in which the levels can move, shape (direction, bin)."""
    if not grid.shape.has_floor:
        own = np.arange(grid.shape.n_blocks)[:, None] == grid.shape.block
        return np.asarray(own * decay, dtype=np.float64)
    if fit.bound == ():
        return np.stack([np.ones_like(decay), decay])
    if len(fit.bound) == 2:
        return np.zeros((0, len(decay)))
    return decay[None] if fit.bound == ("floor",) else (1 - decay)[None]


def project(direction: Array, weight: Array, basis: Array) -> Array:
    """Take the weighted projection on a basis (direction, bin) out of a direction (..., bin)."""
    if not len(basis):
        return direction
    weighted = basis * weight
    gram = weighted @ basis.T
    along = np.linalg.lstsq(gram, weighted @ direction.T, rcond=None)[0]
    return np.asarray(direction - (basis.T @ along).T, dtype=np.float64)


def unit_directions(grid: Grid, weight: Array) -> Array:
    """Directions of log tau for a height of 1, levels projected out, shape (tau, bin).

    Parameters
    ----------
    grid : Grid
    weight : ndarray, shape (bin,)
        Pooled.
    """
    out = np.empty_like(grid.slope)
    for p in range(grid.shape.n_blocks):
        own = grid.shape.block == p
        w, e, g = weight[own], grid.decay[:, own], grid.slope[:, own]
        if grid.shape.has_floor:
            total = w.sum() or 1.0
            e = e - (e @ w / total)[:, None]
            g = g - (g @ w / total)[:, None]
        square = e**2 @ w
        share = np.divide((g * e) @ w, square, out=np.zeros_like(square), where=square > 0)
        out[:, own] = g - share[:, None] * e
    return out
