"""Which transitions changed? One z per cell, and a family-wise p-value by max |z|."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.design.blocks import Design
from larvastats.inference.relabelling import resampling
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance.pvalues import TIE

Array = NDArray[np.float64]

MIN_EXPECTED = 5.0
"""A cell in which the line is expected to show fewer transitions is not judged."""


def scores(
    line: Array,
    control: Array,
    line_trials: NDArray[np.number] | None = None,
    control_trials: NDArray[np.number] | None = None,
) -> Array:
    """Return z of every cell's difference, shape (from, to).

    ``z = (p_L - p_C) / sqrt[pbar (1 - pbar) (1/N_L + 1/N_C) + tau2 (sum n_a^2 / N_L^2 +
    sum n_a^2 / N_C^2)]`` on pooled counts; ``tau2`` is the between-assay variance by the method of
    moments over all assays, line or control, so that relabelling leaves it alone. Cells in which
    the line is expected to have fewer than five transitions score zero: too few to judge.

    Parameters
    ----------
    line, control : ndarray, shape (assay, from, to)
    line_trials, control_trials : ndarray, shape (assay, from), optional
        What the counts are out of; row sums by default.
    """
    if not len(line) or not len(control):
        return np.zeros(np.shape(line)[1:])
    n_line = line.sum(axis=-1) if line_trials is None else line_trials
    n_control = control.sum(axis=-1) if control_trials is None else control_trials
    both = np.concatenate([line, control]).astype(np.float64)
    trials = np.concatenate([n_line, n_control]).astype(np.float64)
    label = (np.arange(len(both)) < len(line))[None]
    return relabelled_scores(label, both, trials)[0]


def relabelled_scores(labels: NDArray[np.bool_], counts: Array, trials: Array) -> Array:
    """Return z for every relabelling, shape (relabelling, from, to).

    Parameters
    ----------
    labels : ndarray of bool, shape (relabelling, unit)
    counts : ndarray, shape (unit, from, to)
    trials : ndarray, shape (unit, from)
    """
    total, n = counts.sum(axis=0), trials.sum(axis=0)
    p_bar = _divide(total, n[:, None])
    binomial = p_bar * (1 - p_bar)
    tau2 = _between_variance(counts, trials, p_bar, binomial)
    member = labels.astype(np.float64)
    flat = counts.reshape(len(counts), -1)
    made = (member @ flat).reshape(-1, *total.shape)
    size, squares = member @ trials, member @ trials**2
    rest, rest_squares = n - size, (trials**2).sum(axis=0) - squares
    sampling = _divide(1.0, size) + _divide(1.0, rest)
    between = _divide(squares, size**2) + _divide(rest_squares, rest**2)
    variance = binomial * sampling[..., None] + tau2 * between[..., None]
    difference = _divide(made, size[..., None]) - _divide(total - made, rest[..., None])
    judged = (size[..., None] * p_bar >= MIN_EXPECTED) & (rest > 0)[..., None] & (variance > 0)
    return _divide(difference, np.sqrt(variance), judged)


def adjusted_p(z: Array, design: Design, counts: Array, trials: Array, budget: Budget) -> Array:
    """Return p-values of the cells, adjusted for all cells by max |z|, shape (from, to).

    Single-step Westfall & Young 1993: the share of relabellings whose largest |z| reaches the
    cell's. NaN in cells that are not judged.

    Parameters
    ----------
    z : ndarray, shape (from, to)
    design : Design
    counts, trials
        As in :func:`relabelled_scores`.
    budget : Budget
    """
    exact = resampling.is_exact(design, budget.most)
    rng = np.random.default_rng([budget.seed, *(v for pair in design.sizes for v in pair)])
    size, extreme = 0, np.zeros(z.shape)
    for labels in resampling.relabellings(design, budget.resamples, rng, budget.most):
        top = np.abs(relabelled_scores(labels, counts, trials)).max(axis=(1, 2))
        extreme += (top[:, None, None] >= np.abs(z) * (1 - TIE)).sum(axis=0)
        size += len(labels)
    p = extreme / size if exact else (1 + extreme) / (1 + size)
    return np.where(z == 0, np.nan, p)


def _between_variance(counts: Array, trials: Array, p_bar: Array, binomial: Array) -> Array:
    n = trials[..., None]
    q = (n * (_divide(counts, n) - p_bar) ** 2).sum(axis=0)
    total = n.sum(axis=0)
    groups = (n > 0).sum(axis=0)
    room = total - _divide((n**2).sum(axis=0), total)
    return np.clip(_divide(q - (groups - 1) * binomial, room), 0.0, None)


def _divide(a: Array | float, b: Array, where: NDArray[np.bool_] | None = None) -> Array:
    """Divide where there is something to divide by; zero elsewhere."""
    where = b > 0 if where is None else where
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    return np.divide(a, b, out=np.zeros(shape), where=np.broadcast_to(where, shape))
