"""Null distributions of the default statistic, without ever forming a relabelled data set.

A sum over relabelled assays is a sum over controls, which all lines of a screen share, plus a sum
over the few assays of the line that were drawn again; the statistics need only its inner products.
:mod:`larvastats.inference.linetest` states the same statistics plainly and is the oracle of this
module.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from larvastats.inference.plans import DatedPlan, FreePlan

Array = NDArray[np.float64]

TINY = 1e-14
"""Variances below this are none: the assays agree to the last digit."""


class SharedControls:
    """What every undated line of one shape shares: sums over the controls that a plan draws.

    Parameters
    ----------
    plan : FreePlan
    x : ndarray, shape (control, cell)
        Profiles of the controls.
    """

    __slots__ = ("again", "centre", "drawn", "norm", "plan", "square", "sums", "total")

    def __init__(self, plan: FreePlan, x: Array) -> None:
        self.plan = plan
        self.centre = x.mean(axis=0)
        x = x - self.centre
        m = plan.n_line
        b, k = plan.chosen.shape
        is_control = plan.chosen >= m
        rows = np.repeat(np.arange(b), k)[is_control.ravel()]
        columns = plan.chosen[is_control] - m
        member = csr_array((np.ones(len(rows)), (rows, columns)), shape=(b, plan.n_control))
        self.sums = np.asarray(member @ x)  # (relabelling, cell)
        self.square = (self.sums**2).sum(axis=1)
        self.norm = np.asarray(member @ (x**2).sum(axis=1))
        self.total = x.sum(axis=0), float((x**2).sum())
        # relabellings that draw the line's own assays again, and which
        self.again = np.flatnonzero(~is_control.all(axis=1))
        drawn = np.zeros((len(self.again), m))
        where, slot = np.nonzero(~is_control[self.again])
        drawn[where, plan.chosen[self.again][where, slot]] = 1.0
        self.drawn = drawn

    def null(self, lines: Array) -> Array:
        """Return the Welch statistic of every relabelling of every line.

        Parameters
        ----------
        lines : ndarray, shape (line, assay, cell)
            Profiles of lines of the plan's shape.

        Returns
        -------
        ndarray, shape (line, relabelling)
        """
        lines = lines - self.centre
        sums_c, norm_c = self.total
        own = lines.sum(axis=1)
        everything = own + sums_c
        own_norm = (lines**2).sum(axis=(1, 2))
        # inner products with the grand sum, its norm, and the sums of squares of the drawn group
        cross = everything @ self.sums.T
        square = np.broadcast_to(self.square, cross.shape)
        norm = np.broadcast_to(self.norm, cross.shape)
        if len(self.again):
            square, norm = square.copy(), norm.copy()
            self._draw_again(lines, everything, cross, square, norm)
        grand = (everything**2).sum(axis=1)[:, None]
        return _welch(cross, square, norm, grand, (own_norm + norm_c)[:, None], self.plan)

    def _draw_again(
        self, lines: Array, everything: Array, cross: Array, square: Array, norm: Array
    ) -> None:
        """Add the line's own assays to the relabellings that draw them; in place."""
        n_lines, m, cells = lines.shape
        again, drawn = self.again, self.drawn
        products = (lines.reshape(-1, cells) @ self.sums[again].T).reshape(n_lines, m, -1)
        gram = lines @ lines.transpose(0, 2, 1)
        cross[:, again] += np.einsum("la,ba->lb", np.einsum("lac,lc->la", lines, everything), drawn)
        norm[:, again] += np.einsum("laa,ba->lb", gram, drawn)
        pairs = np.einsum("ba,lae,be->lb", drawn, gram, drawn, optimize=True)
        square[:, again] += 2 * np.einsum("lab,ba->lb", products, drawn) + pairs


def _welch(
    cross: Array, square: Array, norm: Array, grand: Array, norms: Array, plan: FreePlan
) -> Array:
    """Assemble T from inner products: s = sum over the drawn group, g = grand sum."""
    k = min(plan.n_line, plan.n_control)
    r = max(plan.n_line, plan.n_control)
    a = 1 / k + 1 / r
    distance = a * a * square - (2 * a / r) * cross + grand / (r * r)
    drawn_ss = norm - square / k
    rest_ss = norms - norm - (grand - 2 * cross + square) / r
    variance = drawn_ss / (k * (k - 1)) + rest_ss / (r * (r - 1))
    return ratio(distance, variance)


def ratio(distance: Array, variance: Array) -> Array:
    """Divide; no variance and no difference is 0, no variance and a difference is infinite."""
    sound = variance > TINY
    if sound.all():
        return distance / variance
    nothing = np.where(distance > TINY, np.inf, 0.0)
    return np.divide(distance, variance, out=nothing, where=sound)


class DatedGeometry:
    """What every line with the same numbers of assays on its dates shares.

    Parameters
    ----------
    plan : DatedPlan
    """

    __slots__ = ("pairs", "plan", "scale", "weights")

    def __init__(self, plan: DatedPlan) -> None:
        self.plan = plan
        w = np.array([m * c / (m + c) for m, c in plan.sizes])
        self.weights = w / w.sum()
        n = len(w)
        ways = [len(s) for s in plan.subsets]
        offset = np.concatenate([[0], np.cumsum(ways)])[:-1]
        at = plan.choice.astype(np.int64) + offset
        size = int(sum(ways))
        self.pairs = [(d, e, at[:, d] * size + at[:, e]) for d in range(n) for e in range(d, n)]
        self.scale = n / (n - 1)

    def differences(self, x_by_date: list[Array]) -> Array:
        """Return line minus control for every way to choose on every date, shape (way, cell)."""
        parts = []
        for (m, c), ways, x in zip(self.plan.sizes, self.plan.subsets, x_by_date, strict=True):
            line = ways.astype(np.float64) @ x
            parts.append(line / m - (x.sum(axis=0) - line) / c)
        return np.concatenate(parts)

    def null(self, x_by_date: list[Array]) -> tuple[Array, Array]:
        """Return squared distance and variance of every relabelling of one line.

        Parameters
        ----------
        x_by_date : list of ndarray, each of shape (unit of the date, cell)
            Profiles, the line's first.

        Returns
        -------
        tuple of ndarray, each of shape (relabelling,)
        """
        difference = self.differences(x_by_date)
        gram = (difference @ difference.T).ravel()
        w = self.weights
        n_relabellings = len(self.plan.choice)
        diagonal, mean, cross = (np.zeros(n_relabellings) for _ in range(3))
        for d, e, at in self.pairs:
            value = gram.take(at)
            if d == e:
                diagonal += w[d] ** 2 * value
                cross += w[d] ** 3 * value
            else:
                mean += 2 * w[d] * w[e] * value
                cross += w[d] * w[e] * (w[d] + w[e]) * value
        mean += diagonal
        variance = self.scale * (diagonal - 2 * cross + mean * (w**2).sum())
        return mean, variance
