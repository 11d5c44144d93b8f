"""Is the chain the same in every window? Windows exchanged within assays.

Each assay is held against its own chain, all windows together: what a window shows beyond it,
``u_w,ij = n_w,ij - n_w,i. n_.,ij / n_.,i.``, has expectation zero under homogeneity, whatever the
assay's chain, its number of larvae, and the length of the window. Plates, vials and dates that
differ therefore cancel, and the scatter of u between assays is what a mean is judged by:
``T_w = |mean u_w|^2 / (s_w^2 / m)``, one sum over all windows, one maximum to say which.

Its null distribution comes from exchanging window labels, all larvae of an assay together. With
two windows that is a sign flip, good for any lengths. With more it needs windows that are alike
under the null: of one length and apart. Where they overlap or differ in length, whole assays have
their signs flipped instead (the wild bootstrap of scores, Kline & Santos 2012, J. Econom. Methods
1:23), which keeps what windows of an assay have in common, but needs more assays: 2^(m-1) patterns
count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations, product
from math import factorial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.design.blocks import MAX_ENUMERATION
from larvastats.inference.significance import pvalues
from larvastats.markov.transitions import probabilities
from larvastats.protocol import Window

Array = NDArray[np.float64]

CHUNK = 1024
"""Relabellings handled at a time."""

SAME_LENGTH = 0.01
"""Windows whose lengths differ by less than this share are of one length."""


@dataclass(frozen=True, slots=True, eq=False)
class Homogeneity:
    """What came out.

    Attributes
    ----------
    statistic : float
        Sum of the windows' statistics.
    p_value, p_floor : float
    by_window, p_adjusted : ndarray, shape (window,)
        Statistic of every window, and its p among the largest of every relabelling.
    n_resamples : int
    exact : bool
    """

    statistic: float
    p_value: float
    p_floor: float
    by_window: Array
    p_adjusted: Array
    n_resamples: int
    exact: bool


def window_scores(counts: NDArray[np.number]) -> Array:
    """Return what each window shows beyond its assay's own chain, shape (assay, window, cell).

    Cells are scaled by the root of their expected counts, so that each has the variance that
    sampling gives it.

    Parameters
    ----------
    counts : ndarray, shape (assay, window, from, to)
    """
    n = np.asarray(counts, dtype=np.float64)
    chain = np.nan_to_num(probabilities(n.sum(axis=1)))
    visits = n.sum(axis=3, keepdims=True)
    u = n - visits * chain[:, None]
    expected = n.sum(axis=(0, 1))
    scale = np.zeros(expected.shape)
    np.divide(1.0, np.sqrt(expected), out=scale, where=expected > 0)
    return (u * scale).reshape(*n.shape[:2], -1)


def statistics(mean: Array, square: Array, m: int) -> Array:
    """Return ``|mean|^2 / (s^2 / m)`` of every window, shape (..., window).

    Parameters
    ----------
    mean : ndarray, shape (..., window, cell)
    square : ndarray, shape (..., window)
        Sum over assays of squared lengths.
    m : int
        Assays.
    """
    distance = (mean**2).sum(axis=-1)
    variance = np.maximum(square - m * distance, 0.0) / ((m - 1) * m)
    some = np.where(distance > 1e-14, np.inf, 0.0)
    return np.divide(distance, variance, out=some, where=variance > 1e-14)


def alike(windows: Sequence[Window]) -> bool:
    """Whether windows are of one length and apart, so that their labels may be exchanged."""
    lengths = [w.duration for w in windows]
    longest = max(lengths)
    if not np.isfinite(longest) or longest - min(lengths) > SAME_LENGTH * longest:
        return False
    pieces = sorted(interval for w in windows for interval in w.intervals)
    return all(a[1] <= b[0] + 1e-9 for a, b in pairwise(pieces))


def exchange_labels(m: int, k: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray]:
    """Yield which window stands in each window's place, shape (relabelling, assay, window).

    All ways, when there are few; the first assay keeps its labels, since exchanging all alike
    changes nothing.
    """
    ways = np.array(list(permutations(range(k)))) if k <= 8 else None
    if labels_are_exact(m, k):
        assert ways is not None
        block = []
        for rest in product(range(len(ways)), repeat=m - 1):
            block.append((0, *rest))
            if len(block) == CHUNK:
                yield ways[np.array(block)]
                block = []
        if block:
            yield ways[np.array(block)]
        return
    for start in range(0, resamples, CHUNK):
        n = min(CHUNK, resamples - start)
        yield rng.random((n, m, k)).argsort(axis=2)


def labels_are_exact(m: int, k: int) -> bool:
    """Whether :func:`exchange_labels` lists all ways."""
    return k <= 8 and factorial(k) ** (m - 1) <= MAX_ENUMERATION


def flip_signs(m: int, resamples: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield signs of assays, shape (flip, assay): all when there are few; the first stays."""
    if flips_are_exact(m):
        for start in range(0, 2 ** (m - 1), CHUNK):
            code = np.arange(start, min(start + CHUNK, 2 ** (m - 1))) << 1
            yield np.asarray(1.0 - 2.0 * ((code[:, None] >> np.arange(m)) & 1), dtype=np.float64)
        return
    for start in range(0, resamples, CHUNK):
        yield rng.choice([-1.0, 1.0], size=(min(CHUNK, resamples - start), m))


def flips_are_exact(m: int) -> bool:
    """Whether :func:`flip_signs` lists all ways."""
    return 2 ** (m - 1) <= MAX_ENUMERATION


def homogeneity(
    scores: Array, exchange: bool, resamples: int, rng: np.random.Generator
) -> Homogeneity:
    """Test whether the scores of all windows have mean zero.

    Parameters
    ----------
    scores : ndarray, shape (assay, window, cell)
        See :func:`window_scores`; two assays at least.
    exchange : bool
        Exchange window labels within assays; else flip the signs of whole assays.
    resamples : int
    rng : Generator
    """
    m, k, _ = scores.shape
    norms = (scores**2).sum(axis=2)
    observed = statistics(scores.mean(axis=0), norms.sum(axis=0), m)
    null = []
    if exchange or k == 2:
        exact = labels_are_exact(m, k)
        for label in exchange_labels(m, k, resamples, rng):
            mean, square = np.zeros((len(label), *scores.shape[1:])), np.zeros((len(label), k))
            for a in range(m):
                mean += scores[a][label[:, a]] / m
                square += norms[a][label[:, a]]
            null.append(statistics(mean, square, m))
    else:
        exact = flips_are_exact(m)
        flat = scores.reshape(m, -1)
        for signs in flip_signs(m, resamples, rng):
            mean = (signs @ flat / m).reshape(len(signs), k, -1)
            null.append(statistics(mean, np.broadcast_to(norms.sum(axis=0), (len(signs), k)), m))
    everything = np.concatenate(null)
    total, largest = everything.sum(axis=1), everything.max(axis=1)
    return Homogeneity(
        float(observed.sum()),
        pvalues.p_relabel(float(observed.sum()), total, exact),
        pvalues.floor_of(total, exact),
        observed,
        np.array([pvalues.p_relabel(float(t), largest, exact) for t in observed]),
        len(total),
        exact,
    )


def chi_square(counts: NDArray[np.number]) -> tuple[float, int, float]:
    """Return Pearson's statistic of equal chains, degrees of freedom and naive p-value.

    Anderson & Goodman 1957 (Ann. Math. Stat. 28:89), as if all transitions were independent: for
    comparison only.

    Parameters
    ----------
    counts : ndarray, shape (window, from, to)
    """
    statistic, _, df = _independence(counts)
    return statistic, df, float(stats.chi2.sf(statistic, df)) if df else float("nan")


def g_statistic(counts: NDArray[np.number]) -> tuple[float, int]:
    """Return the likelihood-ratio statistic of equal chains, and its degrees of freedom."""
    _, g, df = _independence(counts)
    return g, df


def _independence(counts: NDArray[np.number]) -> tuple[float, float, int]:
    """Pearson's and the likelihood-ratio statistic of windows x to, added over from."""
    n = np.asarray(counts, dtype=np.float64)
    visits = n.sum(axis=2, keepdims=True)
    total = n.sum(axis=0, keepdims=True)
    all_visits = visits.sum(axis=0, keepdims=True)
    expected = visits * total / np.where(all_visits > 0, all_visits, 1.0)
    some = expected > 0
    x2 = float(((n - expected)[some] ** 2 / expected[some]).sum())
    seen = n > 0
    g = float(2 * (n[seen] * np.log(n[seen] / expected[seen])).sum())
    rows = (visits[:, :, 0] > 0).sum(axis=0) - 1
    columns = (total[0] > 0).sum(axis=1) - 1
    return x2, g, int((rows.clip(0) * columns.clip(0)).sum())
