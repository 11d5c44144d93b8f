"""Null distributions of the default statistic, without ever forming a relabelled data set.

A sum over relabelled assays is a sum over controls, which all lines of a screen share, plus a sum
over the few assays of the line that were drawn again; the statistics need only its inner products.
:mod:`larvastats.inference.lines.linetest` states the same statistics plainly and is the oracle of
this module.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from larvastats.inference.relabelling.plans import Budget, DatedPlan, FreePlan

Array = NDArray[np.float64]

TINY = 1e-14
"""Variances below this are none: the assays agree to the last digit."""

SLICE = 2048
"""Relabellings handled at a time: what belongs together stays in the processor's cache."""


class SharedControls:
    """What every undated line of one shape shares: sums over the controls that a plan draws.

    Parameters
    ----------
    plan : FreePlan
    x : ndarray, shape (control, cell)
        Profiles of the controls.
    """

    __slots__ = ("again", "centre", "drawn", "norm", "sizes", "square", "sums", "total")

    def __init__(self, plan: FreePlan, x: Array) -> None:
        self.sizes = plan.chosen.shape[1], plan.n_line + plan.n_control - plan.chosen.shape[1]
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

        With s the sum over the drawn group of size k, g the sum over all units, r = n - k and norms
        of single profiles summed alike, numerator and denominator of T are linear in ``|s|^2``,
        ``s.g`` and the drawn norms; where no assay of the line was drawn, only ``s.g`` depends on
        the line.

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
        everything = lines.sum(axis=1) + sums_c
        norms = (lines**2).sum(axis=(1, 2)) + norm_c
        k, r = self.sizes
        a, u, v = 1 / k + 1 / r, 1 / (k * (k - 1)), 1 / (r * (r - 1))
        grand = (everything**2).sum(axis=1)
        add = (grand / r**2)[:, None], (norms * v - grand * v / r)[:, None]
        weights = (a * a, -2 * a / r), (u - v, -u / k - v / r, 2 * v / r)
        out = np.empty((len(lines), len(self.square)))
        for start in range(0, out.shape[1], SLICE):
            part = slice(start, start + SLICE)
            cross = everything @ self.sums[part].T
            pieces = self.square[part], self.norm[part]
            out[:, part] = _assemble(cross, *pieces, add, weights)
        if len(self.again):
            cross, square, norm = self._drawn_again(lines, everything)
            out[:, self.again] = _assemble(cross, square, norm, add, weights)
        return out

    def _drawn_again(self, lines: Array, everything: Array) -> tuple[Array, Array, Array]:
        """Inner products where assays of the line were drawn, each (line, relabelling)."""
        n_lines, m, cells = lines.shape
        drawn, sums = self.drawn, self.sums[self.again]
        products = (lines.reshape(-1, cells) @ sums.T).reshape(n_lines, m, -1)
        gram = lines @ lines.transpose(0, 2, 1)
        own = (lines @ everything[:, :, None])[:, :, 0]
        cross = everything @ sums.T + own @ drawn.T
        norm = self.norm[self.again] + np.einsum("laa->la", gram) @ drawn.T
        pairs = ((drawn @ gram) * drawn).sum(axis=2)
        square = self.square[self.again] + pairs
        square += 2 * np.einsum("lab,ba->lb", products, drawn)
        return cross, square, norm


def _assemble(
    cross: Array,
    square: Array,
    norm: Array,
    add: tuple[Array, Array],
    weights: tuple[tuple[float, float], tuple[float, float, float]],
) -> Array:
    """Put numerator and denominator together; `cross` is used up."""
    (n_square, n_cross), (d_norm, d_square, d_cross) = weights
    distance = cross * n_cross
    distance += n_square * square
    distance += add[0]
    cross *= d_cross
    cross += d_norm * norm + d_square * square
    cross += add[1]
    return ratio(distance, cross)


def ratio(distance: Array, variance: Array) -> Array:
    """Divide, using up `distance`; without variance, no difference is 0, a difference infinite."""
    if variance.min(initial=np.inf) > TINY:
        return np.divide(distance, variance, out=distance)
    sound = variance > TINY
    nothing = np.where(distance > TINY, np.inf, 0.0)
    return np.divide(distance, variance, out=nothing, where=sound)


class DatedGeometry:
    """What every line with the same numbers of assays on its dates shares.

    Parameters
    ----------
    plan : DatedPlan
    factors : ndarray, shape (date, side), optional
        What sums of squares of plates count for in the variance
        (:func:`larvastats.inference.lines.linetest.plate_factors`); by default the variance is that
        of the dates' differences.
    budget : Budget
        Its memory says whether all products of two dates' differences are tabulated, or differences
        gathered relabelling by relabelling.
    """

    __slots__ = ("at", "budget", "factors", "pairs", "plan", "scale", "weights")

    def __init__(
        self, plan: DatedPlan, factors: Array | None = None, budget: Budget | None = None
    ) -> None:
        self.plan, self.factors = plan, factors
        self.budget = Budget() if budget is None else budget
        w = np.array([m * c / (m + c) for m, c in plan.sizes])
        self.weights = w / w.sum()
        n = len(w)
        ways = [len(s) for s in plan.subsets]
        offset = np.concatenate([[0], np.cumsum(ways)])[:-1]
        at = plan.choice.astype(np.int64) + offset
        size = int(sum(ways))
        self.at, self.pairs = at, []
        if size**2 + len(at) * n * (n + 1) / 2 <= (self.budget.memory << 20) / 8:
            self.pairs = [(d, e, at[:, d] * size + at[:, e]) for d in range(n) for e in range(d, n)]
        self.scale = n / max(n - 1, 1)

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
        mean, variance = (self._tabulated if self.pairs else self._gathered)(difference)
        return mean, variance if self.factors is None else self.scatter(x_by_date)

    def _gathered(self, difference: Array) -> tuple[Array, Array]:
        """Squared distance and variance from the differences themselves, a few at a time."""
        total, n = self.at.shape
        w = self.weights
        mean, variance = np.empty(total), np.empty(total)
        for some in self.budget.slices(total, 2 * n * difference.shape[1]):
            own = difference[self.at[some]]
            centre = np.einsum("d,rdx->rx", w, own)
            mean[some] = (centre**2).sum(axis=1)
            own -= centre[:, None]
            variance[some] = self.scale * (np.einsum("rdx,rdx->rd", own, own) @ w**2)
        return mean, variance

    def _tabulated(self, difference: Array) -> tuple[Array, Array]:
        """Squared distance and variance from all products of two differences."""
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

    def scatter(self, x_by_date: list[Array]) -> Array:
        """Return the variance from plates within dates, shape (relabelling,).

        It is a sum over dates of what depends on the way chosen there alone.
        """
        assert self.factors is not None
        variance = np.zeros(len(self.plan.choice))
        parts = zip(self.plan.sizes, self.plan.subsets, x_by_date, self.factors, strict=True)
        for d, ((m, c), ways, x, (own, other)) in enumerate(parts):
            x = x - x.mean(axis=0)
            norms, member = (x**2).sum(axis=1), ways.astype(np.float64)
            # the rest sums to minus the line's: one sum serves both sides
            square, norm = ((member @ x) ** 2).sum(axis=1), member @ norms
            way = own * (norm - square / m) + other * (norms.sum() - norm - square / c)
            variance += np.clip(way, 0.0, None)[self.plan.choice[:, d]]
        return variance
