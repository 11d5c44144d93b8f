"""Multinomial logits on counts: Newton's method, scores and information by cluster.

Statsmodels' ``MNLogit`` takes one row per transition and no weights. Transitions that agree in all
covariates are counted together here, which gives the same likelihood from a fraction of the rows;
the tests hold the two to the same coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_STEPS = 60
CONVERGED = 1e-10
"""Newton decrement below which the next step would change nothing that is read."""

MOST_REFITS = 12
NEAR = 1e-3
"""The same for the fits without one cluster, which scatter by far more."""

LEAST = 0.25
"""Information, in transitions, below which a direction of the linear predictor is unknown."""

MOVED = 0.25
"""A coefficient that moves by more than this, over its column's range, along such a direction."""

DEPENDENT = 1e-7
"""A column whose part outside of those before it is smaller than this, relatively, is aliased."""


@dataclass(frozen=True, slots=True)
class Logit:
    """A fitted multinomial logit ``log p_j / p_ref = x beta_j``.

    Attributes
    ----------
    beta : ndarray, shape (column, to)
        Zero in the column of the reference.
    reference : int
        Destination that the others are compared with.
    log_likelihood : float
        Of the data, prior counts left out.
    converged : bool
    """

    beta: Array
    reference: int
    log_likelihood: float
    converged: bool

    @property
    def free(self) -> Index:
        """Destinations with coefficients."""
        return np.delete(np.arange(self.beta.shape[1]), self.reference)


def aliased(x: Array) -> NDArray[np.bool_]:
    """Return which columns depend on those before them, shape (column,).

    A spline basis that sums to one beside an intercept has such a column; leaving it out leaves
    the model as it is.
    """
    if not x.shape[0]:
        return np.ones(x.shape[1], dtype=bool)
    out = np.zeros(x.shape[1], dtype=bool)
    basis = np.zeros((x.shape[0], 0))
    for k in range(x.shape[1]):
        column = x[:, k]
        # twice: one pass of Gram-Schmidt is not orthogonal to the last digits
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        out[k] = size <= DEPENDENT * max(float(np.linalg.norm(column)), 1e-300)
        if not out[k]:
            basis = np.column_stack([basis, rest / size])
    return out


def probabilities_of(x: Array, beta: Array, allowed: NDArray[np.bool_] | None = None) -> Array:
    """Return probabilities, shape (row, to).

    Parameters
    ----------
    x : ndarray, shape (row, column)
    beta : ndarray, shape (column, to)
    allowed : ndarray of bool, shape (row, to), optional
        Destinations that a row can have; all by default.
    """
    return np.exp(_log_probabilities(x, beta, allowed))


def _log_probabilities(x: Array, beta: Array, allowed: NDArray[np.bool_] | None) -> Array:
    eta = x @ beta
    if allowed is not None:
        eta = np.where(allowed, eta, -np.inf)
    eta = eta - eta.max(axis=1, keepdims=True)
    return eta - np.log(np.exp(eta).sum(axis=1, keepdims=True))


def with_prior(counts: Array, weight: float, allowed: NDArray[np.bool_] | None = None) -> Array:
    """Add prior counts that follow the pooled shares of the destinations, `weight` in all.

    They pull every coefficient a little towards no effect, and keep those finite whose destination
    some group never shows (Clogg et al. 1991, J. Am. Stat. Assoc. 86:68, who take one prior count
    per parameter of a destination).

    Parameters
    ----------
    counts : ndarray, shape (row, to)
    weight : float
        Prior counts in all; spread over rows in proportion to their counts.
    allowed : ndarray of bool, shape (row, to), optional
    """
    n = counts.sum(axis=1, keepdims=True)
    share = counts.sum(axis=0) / max(float(n.sum()), 1.0)
    if allowed is not None:
        share = np.where(allowed, share, 0.0)
        share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
    return counts + weight * n / max(float(n.sum()), 1.0) * share


def fit_logit(
    x: Array,
    counts: Array,
    *,
    reference: int = 0,
    prior: float = 0.0,
    allowed: NDArray[np.bool_] | None = None,
) -> Logit:
    """Fit a multinomial logit by Newton's method.

    Parameters
    ----------
    x : ndarray, shape (row, column)
        Columns independent of each other.
    counts : ndarray, shape (row, to)
        Transitions; each destination at least once.
    reference : int
    prior : float
        Prior counts in all, see :func:`with_prior`; 0 is maximum likelihood.
    allowed : ndarray of bool, shape (row, to), optional
        Destinations that a row can have.

    Returns
    -------
    Logit
        ``converged`` is false where the likelihood has no maximum: a destination is separated.
    """
    counts = np.asarray(counts, dtype=np.float64)
    weighted = with_prior(counts, prior, allowed) if prior > 0 else counts
    n = weighted.sum(axis=1)
    seen = n > 0
    # orthonormal columns: information of one scale in every direction
    r = linalg.qr(x[seen] * np.sqrt(n[seen])[:, None], mode="r")[0][: x.shape[1]]
    q = linalg.solve_triangular(r, x.T, trans="T").T
    beta = np.zeros((x.shape[1], counts.shape[1]))
    free = np.delete(np.arange(counts.shape[1]), reference)
    value, converged = _value(q, beta, weighted, allowed), False
    for _ in range(MOST_STEPS):
        step, decrement = _newton(q, beta, weighted, n, free, allowed)
        beta, value = _line_search(q, beta, step, weighted, value, allowed)
        if decrement < CONVERGED:
            converged = bool(np.abs(beta).max(initial=0.0) < np.inf)
            break
    beta = linalg.solve_triangular(r, beta)
    return Logit(beta, reference, _value(x, beta, counts, allowed), converged)


def _value(x: Array, beta: Array, counts: Array, allowed: NDArray[np.bool_] | None) -> float:
    log_p = _log_probabilities(x, beta, allowed)
    return float((counts * np.where(counts > 0, log_p, 0.0)).sum())


def _newton(  # type: ignore[no-untyped-def]
    q: Array, beta: Array, counts: Array, n: Array, free: Index, allowed
) -> tuple[Array, float]:
    p = probabilities_of(q, beta, allowed)
    gradient = q.T @ (counts - n[:, None] * p)[:, free]
    h = information(q, n, p[:, free])
    flat = gradient.T.ravel()
    # destinations that are about to vanish leave no information: a touch keeps it invertible
    h[np.diag_indices_from(h)] += 1e-12 * max(float(h.diagonal().max()), 1e-300)
    move = np.linalg.solve(h, flat)
    step = np.zeros_like(beta)
    step[:, free] = move.reshape(len(free), -1).T
    return step, float(flat @ move)


def _line_search(  # type: ignore[no-untyped-def]
    q: Array, beta: Array, step: Array, counts: Array, value: float, allowed
) -> tuple[Array, float]:
    """Take the step, or so much of it as does not lose likelihood."""
    for half in range(20):
        moved = beta + step / 2**half
        reached = _value(q, moved, counts, allowed)
        if reached >= value - 1e-12 * abs(value):
            return moved, reached
    return beta, value


def information(x: Array, n: Array, p: Array) -> Array:
    """Return the information of multinomial counts.

    Parameters
    ----------
    x : ndarray, shape (row, column)
    n : ndarray, shape (row,)
    p : ndarray, shape (row, to)
        Of the destinations that have coefficients.

    Returns
    -------
    ndarray, shape (to x column, to x column)
    """
    k, m = p.shape[1], x.shape[1]
    out = np.zeros((k, m, k, m))
    for i in range(k):
        for j in range(i, k):
            w = n * p[:, i] * ((i == j) - p[:, j])
            block = (x * w[:, None]).T @ x
            out[i, :, j], out[j, :, i] = block, block.T
    return out.reshape(k * m, k * m)


@dataclass(frozen=True, slots=True)
class Clustered:
    """Counts by pattern of covariates within clusters, sorted by cluster.

    Attributes
    ----------
    pattern : ndarray of int, shape (row,)
        Row of the design matrix.
    cluster : ndarray of int, shape (row,)
        Non-decreasing.
    counts : ndarray, shape (row, to)
    n_clusters : int
    """

    pattern: Index
    cluster: Index
    counts: Array
    n_clusters: int

    def __iter__(self) -> Iterator[tuple[Index, Array]]:
        """Yield patterns and counts, cluster by cluster."""
        edges = np.searchsorted(self.cluster, np.arange(self.n_clusters + 1))
        for start, stop in pairwise(edges):
            yield self.pattern[start:stop], self.counts[start:stop]

    def pooled(self, n_patterns: int) -> Array:
        """Return counts by pattern, shape (pattern, to)."""
        out = np.zeros((n_patterns, self.counts.shape[1]))
        np.add.at(out, self.pattern, self.counts)
        return out


def scores(x: Array, p: Array, data: Clustered, free: Index) -> Array:
    """Return each cluster's part of the score, shape (cluster, to, column).

    Parameters
    ----------
    x : ndarray, shape (pattern, column)
    p : ndarray, shape (pattern, to)
    data : Clustered
    free : ndarray of int
        Destinations with coefficients.
    """
    out = np.zeros((data.n_clusters, len(free), x.shape[1]))
    for c, (pattern, counts) in enumerate(data):
        away = counts - counts.sum(axis=1, keepdims=True) * p[pattern]
        out[c] = away[:, free].T @ x[pattern]
    return out


def delete_one(
    fit: Logit, x: Array, data: Clustered, prior: float, allowed: NDArray[np.bool_] | None = None
) -> Array:
    """Return the coefficients without each cluster in turn, shape (cluster, column, to).

    Newton steps from the fit to all clusters. The first takes the information of the clusters that
    stay, and is all that most need (MacKinnon, Nielsen & Webb 2023, J. Appl. Econometrics 38:671,
    stop there); where a cluster held most of a destination, it leads astray, and further ones
    follow.

    Parameters
    ----------
    fit : Logit
    x : ndarray, shape (pattern, column)
    data : Clustered
    prior : float
        As in :func:`fit_logit`.
    allowed : ndarray of bool, shape (pattern, to), optional
    """
    free, p = fit.free, probabilities_of(x, fit.beta, allowed)
    pooled = data.pooled(len(x))
    pooled = with_prior(pooled, prior, allowed) if prior > 0 else pooled
    whole = information(x, pooled.sum(axis=1), p[:, free])
    out = np.empty((data.n_clusters, *fit.beta.shape))
    for c, (pattern, counts) in enumerate(data):
        own = information(x[pattern], counts.sum(axis=1), p[pattern][:, free])
        rest = pooled.copy()
        np.subtract.at(rest, pattern, counts)
        h = _invertible(whole - own, whole)
        out[c] = _refit(x, fit.beta, np.maximum(rest, 0.0), h, free, allowed)
    return out


def _invertible(h: Array, whole: Array) -> Array:
    """Keep a little of the whole information where nothing is left."""
    diagonal = whole.diagonal()
    h[np.diag_indices_from(h)] += 1e-6 * diagonal + 1e-9 * max(float(diagonal.max()), 1e-300)
    return h


def _refit(  # type: ignore[no-untyped-def]
    x: Array, beta: Array, counts: Array, h: Array, free: Index, allowed
) -> Array:
    """Maximise the likelihood of what is left from a start nearby, information `h` at first."""
    n = counts.sum(axis=1)
    value, whole = _value(x, beta, counts, allowed), h
    for turn in range(MOST_REFITS):
        p = probabilities_of(x, beta, allowed)
        if turn > 1 and turn % 2 == 0:  # the old information serves twice
            h = _invertible(information(x, n, p[:, free]), whole)
        flat = (x.T @ (counts - n[:, None] * p)[:, free]).T.ravel()
        move = np.linalg.solve(h, flat)
        step = np.zeros_like(beta)
        step[:, free] = move.reshape(len(free), -1).T
        beta, value = _line_search(x, beta, step, counts, value, allowed)
        if float(flat @ move) < NEAR:
            break
    return beta


def model_variance(
    fit: Logit, x: Array, n: Array, prior: float, allowed: NDArray[np.bool_] | None = None
) -> Array:
    """Return the variance that independent transitions would give, (to x column)².

    It is too small wherever transitions share a larva or a plate, and serves only to tell which
    numbers have next to no transition behind them.
    """
    p = probabilities_of(x, fit.beta, allowed)
    h = information(x, n * (1 + prior / max(float(n.sum()), 1.0)), p[:, fit.free])
    scale = np.sqrt(np.maximum(h.diagonal(), 1e-300))
    # where nothing is known the variance is large, not infinite
    h = h / np.outer(scale, scale) + 1e-8 * np.eye(len(h))
    return np.asarray(np.linalg.inv(h) / np.outer(scale, scale), dtype=np.float64)


def unsupported(
    fit: Logit, x: Array, n: Array, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return which coefficients have next to no transition behind them, shape (to, column).

    A destination that a group of rows (almost) never shows leaves directions of the linear
    predictor without information: its coefficients there are those of the prior counts, or
    nowhere. Columns that are merely alike, such as powers of time, are no such case.

    Parameters
    ----------
    fit : Logit
    x : ndarray, shape (row, column)
    n : ndarray, shape (row,)
        Transitions.
    allowed : ndarray of bool, shape (row, to), optional
    """
    p, seen = probabilities_of(x, fit.beta, allowed), n > 0
    r = linalg.qr(x[seen] * np.sqrt(n[seen])[:, None], mode="r")[0][: x.shape[1]]
    back = linalg.solve_triangular(r, np.eye(len(r)))
    q = x @ back
    span = np.where(np.ptp(x, axis=0) > 0, np.ptp(x, axis=0), np.abs(x).max(axis=0))
    out = np.zeros((len(fit.free), x.shape[1]), dtype=bool)
    for k, j in enumerate(fit.free):
        weight = n * p[:, j] * (1 - p[:, j])
        value, vector = np.linalg.eigh((q * weight[:, None]).T @ q)
        reach = np.abs(q[seen] @ vector).max(axis=0)
        weak = value / reach**2 < LEAST
        moved = np.abs(back @ vector / reach) * span[:, None]
        out[k] = (moved[:, weak] > MOVED).any(axis=1)
    return out
