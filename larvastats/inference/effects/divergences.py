"""Effect sizes: how far a line's transition matrix lies from its control's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from larvastats import divergence as dv
from larvastats.inference.design.blocks import Design
from larvastats.markov.transitions import PSEUDO_COUNT, probabilities

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def plug_in(line: Array, control: Array, possible: Mask, weighting: str) -> dict[str, Array]:
    """Return ``hellinger``, ``js`` and ``kl`` between pooled counts.

    Parameters
    ----------
    line, control : ndarray, shape (..., from, to)
        Pooled counts of each genotype.
    possible : ndarray of bool, shape (from, to)
        Cells that can occur (Kullback-Leibler smooths them).
    weighting : {'uniform', 'occupancy'}
        Row weights.

    Returns
    -------
    dict of str to ndarray, shape (...)
    """
    weights = dv.occupancy_weights(line, control) if weighting == "occupancy" else None
    rows = row_divergences(line, control, possible)
    return {name: dv.average_rows(value, weights) for name, value in rows.items()}


def row_divergences(line: Array, control: Array, possible: Mask) -> dict[str, Array]:
    """Return ``hellinger``, ``js`` and ``kl`` of every row, shape (..., from), NaN if unvisited."""
    p, q = probabilities(line), probabilities(control)
    return {
        "hellinger": dv.hellinger_rows(p, q),
        "js": dv.jensen_shannon_rows(p, q),
        "kl": dv.kullback_leibler_rows(_smooth(line, possible), _smooth(control, possible)),
    }


def _smooth(counts: Array, possible: Mask) -> Array:
    visited = np.asarray(counts).sum(axis=-1, keepdims=True) > 0
    return probabilities(np.where(visited, counts + PSEUDO_COUNT * possible, 0.0))


def adjusted(line: Array, control: Array, possible: Mask, weighting: str) -> dict[str, float]:
    """Return the divergences with their small-sample bias removed by jackknife over assays.

    Plug-in divergences of identical chains are positive: sampling alone pushes two estimates apart.
    Hellinger: each genotype's square-root probabilities are jackknifed, their product sums to the
    affinity. Jensen-Shannon and Kullback-Leibler: the squared (resp. plain) row divergence is
    jackknifed over the assays of each side. Negative estimates become zero.

    Parameters
    ----------
    line, control : ndarray, shape (assay, from, to)
    possible, weighting
        As in :func:`plug_in`.

    Returns
    -------
    dict of str to float
        NaN when a side has fewer than two assays.
    """
    if len(line) < 2 or len(control) < 2:
        return dict.fromkeys(("hellinger", "js", "kl"), float("nan"))
    totals = line.sum(axis=0), control.sum(axis=0)
    weights = dv.occupancy_weights(*totals) if weighting == "occupancy" else None
    affinity = (_jackknifed_roots(line) * _jackknifed_roots(control)).sum(axis=-1)
    hellinger = np.sqrt(np.clip(1 - affinity, 0.0, 1.0))
    js = _jackknifed_rows(line, control, lambda a, b: row_divergences(a, b, possible)["js"] ** 2)
    kl = _jackknifed_rows(line, control, lambda a, b: row_divergences(a, b, possible)["kl"])
    rows = {"hellinger": hellinger, "js": np.sqrt(np.clip(js, 0, 1)), "kl": np.clip(kl, 0, None)}
    return {name: float(dv.average_rows(value, weights)) for name, value in rows.items()}


def _jackknifed_roots(counts: Array) -> Array:
    """``m sqrt(p) - (m-1) mean_a sqrt(p without a)``; (..., assay, from, to) to (..., from, to)."""
    total = counts.sum(axis=-3, keepdims=True)
    root = np.sqrt(probabilities(total))
    without = np.sqrt(probabilities(total - counts))
    # an assay that alone visited a row leaves nothing to compare: it changes nothing
    without = np.where(np.isnan(without), root, without)
    m = counts.shape[-3]
    return m * root[..., 0, :, :] - (m - 1) * without.mean(axis=-3)


def _jackknifed_rows(line: Array, control: Array, rows: Callable[[Array, Array], Array]) -> Array:
    """Jackknife row divergences over the assays of both sides, shape (from,)."""
    a, b = line.sum(axis=0), control.sum(axis=0)
    value = rows(a, b)
    out = value.copy()
    for counts, without in ((line, rows(a - line, b)), (control, rows(a, b - control))):
        without = np.where(np.isnan(without), value, without)
        out -= (len(counts) - 1) * (without.mean(axis=0) - value)
    return out


def pseudo_line_95(
    design: Design, counts: Array, weighting: str, rng: np.random.Generator, draws: int = 100
) -> float:
    """Return the 95th percentile of ``hellinger_adjusted`` among control pseudo-lines.

    Controls are split at random, date by date, into a pseudo-line of the line's size and a rest:
    what the divergence looks like where there is no effect.

    Parameters
    ----------
    design : Design
    counts : ndarray, shape (unit, from, to)
    weighting
        As in :func:`plug_in`.
    rng : Generator
    draws : int

    Returns
    -------
    float
        NaN when the controls are too few to be split so.
    """
    sizes = design.sizes
    if design.reason or any(c <= m for m, c in sizes) or sum(m for m, _ in sizes) < 2:
        return float("nan")
    control = np.flatnonzero(~design.is_line)
    if len(control) - sum(m for m, _ in sizes) < 2:
        return float("nan")
    chosen = np.zeros((draws, len(design.units)), dtype=bool)
    for b, (m, c) in enumerate(sizes):
        here = control[design.block[control] == b]
        drawn = rng.random((draws, c)).argsort(axis=1)[:, :m]
        np.put_along_axis(chosen, here[drawn], True, axis=1)
    rest = ~chosen & ~design.is_line
    line, other = (counts[np.nonzero(side)[1].reshape(draws, -1)] for side in (chosen, rest))
    return float(np.nanquantile(_adjusted_hellinger(line, other, weighting), 0.95))


def _adjusted_hellinger(line: Array, control: Array, weighting: str) -> Array:
    """Return adjusted Hellinger distances; (..., assay, from, to) to (...)."""
    affinity = (_jackknifed_roots(line) * _jackknifed_roots(control)).sum(axis=-1)
    weights = None
    if weighting == "occupancy":
        weights = dv.occupancy_weights(line.sum(axis=-3), control.sum(axis=-3))
    return dv.average_rows(np.sqrt(np.clip(1 - affinity, 0.0, 1.0)), weights)
