"""Fit a decline to curves: levels in closed form, one search over the time constant.

Variable projection (Golub & Pereyra 1973, SIAM J. Numer. Anal. 10:413). Weights are those of a
quasi-binomial likelihood, ``larvae / [p (1 - p)]``, iterated with the fit, so that its equations
are those of the binomial likelihood of the pooled curve; the scatter of the assays, not the
binomial variance, says later how sure the fit is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.habituation.model import Shape, decay, decay_slope, tau_grid

Array = NDArray[np.float64]

LEAST_P = 0.02
"""Bins in which (almost) nobody responds are not weighted as if they were known exactly."""

ROUNDS = 5
ZOOMS, FINE = 3, 17
"""How often, and with how many points, the search is refined between the neighbours of the best."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Declines with every time constant that is tried.

    Attributes
    ----------
    shape : Shape
    tau : ndarray, shape (tau,)
        Evenly spaced logarithms.
    decay, slope : ndarray, shape (tau, bin)
        The decline and its derivative by log tau.
    """

    shape: Shape
    tau: Array
    decay: Array
    slope: Array

    @property
    def step(self) -> float:
        """Distance of two neighbours in log tau."""
        return float(np.log(self.tau[1] / self.tau[0]))


def make_grid(shape: Shape, tau: Array | None = None) -> Grid:
    """Tabulate a shape; by default over :func:`~.model.tau_grid`."""
    tau = tau_grid(shape) if tau is None else tau
    return Grid(shape, tau, decay(tau, shape), decay_slope(tau, shape))


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Weighted sums of pooled curves against every decline of a grid.

    With C curves, J time constants and P blocks: ``s0, t0`` (C, P); ``s1, s2, t1`` (C, J, P); the
    sums over bins of w, w y; w e, w e², w y e.
    """

    s0: Array
    t0: Array
    s1: Array
    s2: Array
    t1: Array


def moments(weight: Array, weighted: Array, grid: Grid) -> Moments:
    """Sum weights and weighted values of curves, each (curve, bin)."""
    parts = []
    for p in range(grid.shape.n_blocks):
        own = grid.shape.block == p
        w, y, e = weight[:, own], weighted[:, own], grid.decay[:, own].T
        parts.append((w.sum(axis=1), y.sum(axis=1), w @ e, w @ e**2, y @ e))
    s0, t0, s1, s2, t1 = (np.stack(part, axis=-1) for part in zip(*parts, strict=True))
    return Moments(s0, t0, s1, s2, t1)


def gain(m: Moments, has_floor: bool) -> Array:
    """Return the sum of squares that the decline explains, shape (curve, tau).

    Beyond a constant where there is a floor, beyond zero where there is none.
    """
    _, height = free_levels(m, has_floor)
    if not has_floor:
        return np.asarray((height * m.t1).sum(axis=2), dtype=np.float64)
    cross = m.t1 - m.s1 * _ratio(m.t0, m.s0)[:, None]
    return np.asarray((height * cross).sum(axis=2), dtype=np.float64)


def free_levels(m: Moments, has_floor: bool) -> tuple[Array, Array]:
    """Return floor and height of the decline, unconstrained, each (curve, tau, block)."""
    if not has_floor:
        height = _ratio(m.t1, m.s2)
        return np.zeros_like(height), height
    mean = _ratio(m.t0, m.s0)[:, None]
    share = m.s1 * _ratio(np.ones_like(m.s0), m.s0)[:, None]
    height = _ratio(m.t1 - m.s1 * mean, m.s2 - m.s1 * share)
    return mean - height * share, height


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; 0 where there is nothing to divide by (a pulse that nobody saw)."""
    shape = np.broadcast_shapes(part.shape, whole.shape)
    out = np.zeros(shape)
    return np.divide(part, whole, out=out, where=np.broadcast_to(whole > 1e-12, shape))


def peak(values: Array, step: float) -> tuple[Array, Array, Array]:
    """Find the largest value of each row by a parabola through three points.

    Returns
    -------
    index : ndarray of int, shape (row,)
    shift : ndarray, shape (row,)
        How far, in units of log tau, the top lies from that point; 0 at an edge.
    top : ndarray, shape (row,)
        Height of the parabola.
    """
    at = values.argmax(axis=1)
    rows = np.arange(len(values))
    inner = np.clip(at, 1, values.shape[1] - 2)
    left, mid, right = (values[rows, inner + d] for d in (-1, 0, 1))
    bend = left - 2 * mid + right
    usable = (at == inner) & (bend < 0)
    safe = np.where(usable, bend, -1.0)
    offset = np.where(usable, (left - right) / (2 * safe), 0.0)
    top = np.where(usable, mid - (left - right) * offset / 4, values[rows, at])
    return at, offset * step, top


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One fitted curve.

    Attributes
    ----------
    tau : float
    floor : float
        Level that is left in the end; 0 without a floor.
    height : ndarray, shape (block,)
        What declines.
    expected, variance : ndarray, shape (bin,)
        Fitted curve; working variance per larva.
    rss : ndarray, shape (tau of the grid,)
        Weighted residual sum of squares with the levels fitted at each time constant.
    best : float
        The same at `tau`.
    bound : tuple of str
        Levels that lie at a limit of [0, 1]: ``floor``, ``start``.
    edge : int
        -1 or 1 when no time constant is too short or too long; else 0.
    """

    tau: float
    floor: float
    height: Array
    expected: Array
    variance: Array
    rss: Array
    best: float
    bound: tuple[str, ...]
    edge: int

    @property
    def start(self) -> Array:
        """Level at the onset of each block, shape (block,)."""
        return np.asarray(self.floor + self.height, dtype=np.float64)


def working_variance(p: Array, binomial: bool) -> Array:
    """Return the variance of one larva, shape of `p`; 1 for a continuous response."""
    if not binomial:
        return np.ones_like(p)
    inside = np.clip(p, LEAST_P, 1 - LEAST_P)
    return np.asarray(inside * (1 - inside), dtype=np.float64)


def fit_curve(y: Array, n: Array, grid: Grid, binomial: bool) -> Fit:
    """Fit one pooled curve.

    Parameters
    ----------
    y, n : ndarray, shape (bin,)
        Mean and weight (larvae); a weight of 0 is a bin without data.
    grid : Grid
    binomial : bool
        Whether `y` is a share in [0, 1].
    """
    y = np.where(n > 0, y, 0.0)
    p = np.full(len(y), float((n * y).sum() / n.sum()))
    for _ in range(ROUNDS):
        variance = working_variance(p, binomial)
        weight = n / variance
        rss, floor, height = _solve(y, weight, grid, binomial)
        j = int(rss.argmin())
        p = _curve(grid, j, floor[j], height[j])
    fine, k = grid, j
    for _ in range(ZOOMS):
        fine, rss_fine, floor, height = _refine(y, weight, fine, k, binomial)
        k = int(rss_fine.argmin())
    expected = _curve(fine, k, floor[k], height[k])
    edge = int(j == len(grid.tau) - 1) - int(j == 0)
    return Fit(
        float(fine.tau[k]), float(floor[k]), height[k], expected, variance, rss,
        float(rss_fine[k]), _bound(floor[k], height[k], grid, binomial), edge,
    )  # fmt: skip


def _refine(y: Array, weight: Array, grid: Grid, j: int, binomial: bool):  # type: ignore[no-untyped-def]
    """Search once more between the neighbours of the best point."""
    low, high = max(j - 1, 0), min(j + 1, len(grid.tau) - 1)
    fine = make_grid(grid.shape, np.geomspace(grid.tau[low], grid.tau[high], FINE))
    return (fine, *_solve(y, weight, fine, binomial))


def _curve(grid: Grid, j: int, floor: float, height: Array) -> Array:
    return np.asarray(floor + height[grid.shape.block] * grid.decay[j], dtype=np.float64)


def _solve(y: Array, weight: Array, grid: Grid, binomial: bool) -> tuple[Array, Array, Array]:
    """Return rss (tau,), floor (tau,) and height (tau, block), levels kept within [0, 1]."""
    m = moments(weight[None], (weight * y)[None], grid)
    total = float((weight * y**2).sum())
    floors, heights = free_levels(m, grid.shape.has_floor)
    if not grid.shape.has_floor:
        height = np.clip(heights[0], 0.0, 1.0) if binomial else heights[0]
        rss = total - (2 * height * m.t1[0] - height**2 * m.s2[0]).sum(axis=1)
        return rss, np.zeros(len(rss)), height
    options = [(floors[0, :, 0], heights[0, :, 0])]
    if binomial:
        options += _at_limits(m)
    sums = [_residual(total, m, a, b) for a, b in options]
    if binomial:
        outside = (floors[0] < 0) | (floors[0] > 1)
        outside |= (floors + heights)[0] < 0
        outside |= (floors + heights)[0] > 1
        sums[0] = np.where(outside[:, 0], np.inf, sums[0])
    pick = np.argmin(sums, axis=0)
    rows = np.arange(len(pick))
    floor = np.stack([a for a, _ in options])[pick, rows]
    height = np.stack([b for _, b in options])[pick, rows]
    return np.stack(sums)[pick, rows], floor, height[:, None]


def _residual(total: float, m: Moments, a: Array, b: Array) -> Array:
    s0, t0, s1, s2, t1 = m.s0[0], m.t0[0], m.s1[0, :, 0], m.s2[0, :, 0], m.t1[0, :, 0]
    return total - 2 * (a * t0 + b * t1) + a**2 * s0 + 2 * a * b * s1 + b**2 * s2


def _at_limits(m: Moments) -> list[tuple[Array, Array]]:
    """Floor and height with the floor, or the start, held at 0 or 1."""
    s0, t0, s1, s2, t1 = m.s0[0], m.t0[0], m.s1[0, :, 0], m.s2[0, :, 0], m.t1[0, :, 0]
    out = []
    for limit in (0.0, 1.0):
        b = (t1 - limit * s1) / s2
        out.append((np.full_like(b, limit), np.clip(b, -limit, 1 - limit)))
        # start = limit: floor (1 - e) + limit e
        a = ((t0 - t1) - limit * (s1 - s2)) / (s0 - 2 * s1 + s2)
        a = np.clip(a, 0.0, 1.0)
        out.append((a, limit - a))
    return out


def _bound(floor: float, height: Array, grid: Grid, binomial: bool) -> tuple[str, ...]:
    if not binomial:
        return ()
    levels = {"start": floor + height} | ({"floor": floor} if grid.shape.has_floor else {})
    near = {k: bool(np.any(np.minimum(v, 1 - np.asarray(v)) < 1e-9)) for k, v in levels.items()}
    return tuple(name for name, at_limit in near.items() if at_limit)
