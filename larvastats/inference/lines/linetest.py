"""Statistics of one line against its control, for many relabellings at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.divergence import (
    hellinger_rows,
    jensen_shannon_rows,
    kullback_leibler_rows,
)
from larvastats.inference.design.blocks import Design
from larvastats.inference.significance.pvalues import MIN_DF, effective_dimension
from larvastats.markov.transitions import PSEUDO_COUNT

Array = NDArray[np.float64]

DIVERGENCES = ("hellinger", "js", "kl")


@dataclass(frozen=True, slots=True)
class LineData:
    """What the statistics of one comparison need.

    Attributes
    ----------
    design : Design
    x : ndarray, shape (unit, cell)
        Profiles (:mod:`larvastats.inference.profiles.prepare`).
    rows : ndarray, shape (unit, from, to), or None
        Imputed transition probabilities; None where divergences make no sense.
    visits : ndarray, shape (from,)
        Departures from each state, pooled over the units.
    possible : ndarray of bool, shape (from, to)
        Cells that can occur.
    by_visits : bool
        Whether divergences weigh rows by their visits; uniformly otherwise.
    """

    design: Design
    x: Array
    rows: Array | None
    visits: Array
    possible: NDArray[np.bool_]
    by_visits: bool = False


def statistics(labels: NDArray[np.bool_], data: LineData) -> Mapping[str, Array]:
    """Return every studentised statistic for every relabelling.

    ``welch`` is ``|xbar_L - xbar_C|^2 / (s_L^2/m + s_C^2/M)`` without dates (the multivariate
    Welch statistic of Alekseyenko 2016, Bioinformatics 32:3552, whose studentisation keeps its size
    under unequal variances: Chung & Romano 2013, Ann. Stat. 41:484), and the date-level
    ``|Dbar|^2 / V`` with dates; V comes from the dates' differences or, on request, from plates
    within dates. ``hellinger``, ``js`` and ``kl`` put the squared divergence of the mean rows over
    the same variance.

    Parameters
    ----------
    labels : ndarray of bool, shape (relabelling, unit)
        True = line; each block keeps its numbers.
    data : LineData

    Returns
    -------
    mapping of str to ndarray, shape (relabelling,)
    """
    moments = _dated_moments if data.design.dated else _free_moments
    if data.design.by_plate:
        moments = _plate_moments
    distance, variance = moments(labels, data)
    out = {"welch": _ratio(distance, variance)}
    if data.rows is not None:
        for name, value in divergences(*_mean_rows(labels, data), data).items():
            out[name] = _ratio(value, variance)
    return out


def _ratio(value: Array, variance: Array) -> Array:
    """Divide; no variance and no difference is 0, no variance and a difference is infinite."""
    tiny = 1e-14
    some = np.where(value > tiny, np.inf, 0.0)
    return np.divide(value, variance, out=some, where=variance > tiny)


def _free_moments(labels: NDArray[np.bool_], data: LineData) -> tuple[Array, Array]:
    """Squared distance of the means and the Welch variance of their difference."""
    x = data.x - data.x.mean(axis=0)
    norms = (x**2).sum(axis=1)
    member = labels.astype(np.float64)
    m, c = data.design.n_line, data.design.n_control
    line = member @ x / m
    control = (x.sum(axis=0) - m * line) / c
    line_ss = member @ norms - m * (line**2).sum(axis=1)
    control_ss = norms.sum() - member @ norms - c * (control**2).sum(axis=1)
    variance = line_ss / ((m - 1) * m) + control_ss / ((c - 1) * c)
    return ((line - control) ** 2).sum(axis=1), variance


def _dated_moments(labels: NDArray[np.bool_], data: LineData) -> tuple[Array, Array]:
    """Squared weighted mean of the dates' differences and its variance from dates alone."""
    difference = np.stack(
        [line - control for line, control in _date_means(labels, data.x, data.design)], axis=1
    )
    w = date_weights(data.design)
    mean = np.einsum("d,rdx->rx", w, difference)
    away = ((difference - mean[:, None]) ** 2).sum(axis=2)
    n = data.design.n_blocks
    return (mean**2).sum(axis=1), n / (n - 1) * (away @ w**2)


def _plate_moments(labels: NDArray[np.bool_], data: LineData) -> tuple[Array, Array]:
    """Squared weighted mean of the dates' differences and its variance from plates within dates."""
    design, sizes = data.design, tuple(data.design.sizes)
    shift = np.zeros((len(labels), data.x.shape[1]))
    variance = np.zeros(len(labels))
    for b, (weight, factors) in enumerate(zip(date_weights(design), plate_factors(sizes),
                                              strict=True)):  # fmt: skip
        here = design.block == b
        x = data.x[here] - data.x[here].mean(axis=0)
        norms, means = (x**2).sum(axis=1), []
        for member, factor in zip((labels[:, here], ~labels[:, here]), factors, strict=True):
            side = member.astype(np.float64)
            n = side.sum(axis=1)
            mean = side @ x / n[:, None]
            means.append(mean)
            variance += factor * (side @ norms - n * (mean**2).sum(axis=1))
        shift += weight * (means[0] - means[1])
    return (shift**2).sum(axis=1), np.clip(variance, 0.0, None)


def plate_factors(sizes: Sequence[tuple[int, int]]) -> Array:
    """Return what sums of squares within dates count for in the variance, shape (date, side).

    ``V = sum_d w_d^2 (s_L,d^2 / m_d + s_C,d^2 / M_d)`` with ``s^2 = SS / (n - 1)``: Welch's
    variance within strata. A side with a single plate on a date has no variance there: it takes the
    one pooled over the other dates of that side, or of the other side if it has none anywhere. V is
    linear in the sums of squares for all that; these are its coefficients, the line first.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Plates (line, control) of every date; somewhere a side has two.
    """
    n = np.array(sizes, dtype=np.float64)
    w = n.prod(axis=1) / n.sum(axis=1)
    square = (w / w.sum()) ** 2
    spare = n - 1
    many = spare > 0
    factors = np.zeros(n.shape)
    np.divide(square[:, None], n * spare, out=factors, where=many)
    pooled = spare.sum(axis=0)
    for side in (0, 1):
        single = float(square[~many[:, side]].sum())
        lender = side if pooled[side] > 0 else 1 - side
        factors[many[:, lender], lender] += single / pooled[lender]
    return factors


def date_weights(design: Design) -> Array:
    """Return weights of the dates, ``m M / (m + M)`` scaled to sum one, shape (block,)."""
    w = np.array([m * c / (m + c) for m, c in design.sizes])
    return w / w.sum()


def _date_means(
    labels: NDArray[np.bool_], values: Array, design: Design
) -> list[tuple[Array, Array]]:
    """Means of line and control on each date, each of shape (relabelling, cell)."""
    means = []
    for b, (m, c) in enumerate(design.sizes):
        members = design.block == b
        line = labels[:, members].astype(np.float64) @ values[members]
        means.append((line / m, (values[members].sum(axis=0) - line) / c))
    return means


def _mean_rows(labels: NDArray[np.bool_], data: LineData) -> tuple[Array, Array]:
    """Weighted means over dates of the rows of line and control, each (relabelling, cell)."""
    rows = data.rows
    assert rows is not None
    means = _date_means(labels, rows.reshape(len(rows), -1), data.design)
    weights = date_weights(data.design)
    line, control = (
        sum(w * pair[side] for w, pair in zip(weights, means, strict=True)) for side in (0, 1)
    )
    return line, control


def divergences(line: Array, control: Array, data: LineData) -> dict[str, Array]:
    """Return row-averaged squared divergences of mean rows, shape (relabelling,).

    Squares, because near zero a distance grows like a root: its null distribution would be ruled
    by the rare rows (``kl`` is quadratic already).

    Parameters
    ----------
    line, control : ndarray, shape (relabelling, cell)
    data : LineData
    """
    shape = (len(line), *data.possible.shape)
    # rounding may leave -1e-17 where a probability is zero
    p, q = (np.clip(side, 0.0, None).reshape(shape) for side in (line, control))
    seen = data.visits > 0
    p, q = p[:, seen], q[:, seen]
    weight = data.visits[seen] if data.by_visits else np.ones(int(seen.sum()))
    weight = weight / weight.sum()
    return {
        "hellinger": hellinger_rows(p, q) ** 2 @ weight,
        "js": jensen_shannon_rows(p, q) ** 2 @ weight,
        "kl": kullback_leibler_rows(*_softened(p, q, data, seen)) @ weight,
    }


def _softened(p: Array, q: Array, data: LineData, seen: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Add Jeffreys' pseudo-counts in proportion to each side's share of the visits."""
    share = data.design.n_line / len(data.design.units)
    out = []
    for side, part in ((p, share), (q, 1 - share)):
        extra = PSEUDO_COUNT * data.possible[seen] / (data.visits[seen] * part)[:, None]
        out.append((side + extra) / (1 + extra.sum(axis=-1, keepdims=True)))
    return out[0], out[1]


def degrees_of_freedom(data: LineData) -> float:
    """Return the replicates' degrees of freedom behind the variance of the observed statistic.

    With dates, ``1 / sum w^2 - 1``: dates minus one where they weigh the same. Without, and with
    the variance of plates within dates, Welch and Satterthwaite's number from the traces.
    """
    if data.design.by_plate:
        return _plate_df(data)
    if data.design.dated:
        return float(1 / (date_weights(data.design) ** 2).sum() - 1)
    parts = []
    for group in (data.design.is_line, ~data.design.is_line):
        x = data.x[group]
        parts.append((((x - x.mean(axis=0)) ** 2).sum() / (len(x) - 1) / len(x), len(x) - 1))
    total = sum(v for v, _ in parts)
    if total <= 0:
        return float("nan")
    return float(total**2 / sum(v**2 / df for v, df in parts))


def _plate_df(data: LineData) -> float:
    """Welch and Satterthwaite's number for a sum over dates and sides."""
    design = data.design
    total = shaky = 0.0
    for b, factors in enumerate(plate_factors(tuple(design.sizes))):
        here = design.block == b
        for group, factor in zip((here & design.is_line, here & ~design.is_line), factors,
                                 strict=True):  # fmt: skip
            x, df = data.x[group], int(group.sum()) - 1
            if df > 0:
                part = float(factor * ((x - x.mean(axis=0)) ** 2).sum())
                total, shaky = total + part, shaky + part**2 / df
    return total**2 / shaky if shaky > 0 else float("nan")


def dimension(x: Array, groups: NDArray[np.int64], controls: NDArray[np.bool_]) -> float:
    """Estimate the effective dimension of profiles from the scatter within groups.

    From the controls where they leave enough degrees of freedom, else from all assays.

    Parameters
    ----------
    x : ndarray, shape (assay, cell)
    groups : ndarray of int, shape (assay,)
        Genotype (x date) of every assay.
    controls : ndarray of bool, shape (assay,)
    """
    for chosen in (controls, np.ones_like(controls)):
        residuals, df = _within(x[chosen], groups[chosen])
        if df >= MIN_DF:
            break
    return effective_dimension(residuals, df)


def interaction_dimension(
    x: Array, genotype: NDArray[np.integer], date: NDArray[np.integer]
) -> float:
    """Estimate the effective dimension of what varies between line x date means.

    The replicate of a dated screen is line x date: its means scatter around the sum of a line's and
    a date's level by plates, by larvae and by the vial. That scatter, pooled over all lines, has
    the shape of the variance that the statistic is divided by; the scatter of plates within a date
    has not where vials matter.

    Parameters
    ----------
    x : ndarray, shape (assay, cell)
    genotype, date : ndarray of int, shape (assay,)

    Returns
    -------
    float
        NaN when too few degrees of freedom are left.
    """
    pairs, code = np.unique(np.stack([genotype, date]), axis=1, return_inverse=True)
    code = code.ravel()
    size = np.bincount(code)
    mean = np.zeros((len(size), x.shape[1]))
    np.add.at(mean, code, x)
    mean /= size[:, None]
    rows, columns = (np.unique(side, return_inverse=True)[1] for side in pairs)
    design = np.zeros((len(size), rows.max() + columns.max() + 2))
    design[np.arange(len(size)), rows] = 1.0
    design[np.arange(len(size)), rows.max() + 1 + columns] = 1.0
    fitted, _, rank, _ = np.linalg.lstsq(design, mean, rcond=None)
    df = len(size) - int(rank)
    if df < MIN_DF:
        return float("nan")
    return effective_dimension(mean - design @ fitted, df)


def _within(x: Array, groups: NDArray[np.int64]) -> tuple[Array, int]:
    levels, code = np.unique(groups, return_inverse=True)
    size = np.bincount(code, minlength=len(levels))
    sums = np.zeros((len(levels), x.shape[1]))
    np.add.at(sums, code, x)
    return x - (sums / np.maximum(size, 1)[:, None])[code], len(x) - len(levels)
