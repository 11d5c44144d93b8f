"""From counts to transition probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PSEUDO_COUNT = 0.5
"""Jeffreys' prior count, added to every possible cell before a Kullback-Leibler divergence."""


def probabilities(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Return row-stochastic matrices; a row that was never visited is NaN.

    Parameters
    ----------
    counts : ndarray, shape (..., from, to)

    Returns
    -------
    ndarray of float64, shape (..., from, to)
        Maximum-likelihood estimates (Anderson & Goodman 1957, Ann. Math. Stat. 28:89).
    """
    counts = np.asarray(counts, dtype=np.float64)
    visits = counts.sum(axis=-1, keepdims=True)
    out = np.full(counts.shape, np.nan)
    return np.divide(counts, visits, out=out, where=visits > 0)


def possible_cells(n_states: int, kind: str) -> NDArray[np.bool_]:
    """Return which cells can occur, shape (from, to): under ``jump`` all but the diagonal.

    ``ever-action`` counts single actions, in the diagonal.
    """
    if kind == "ever-action":
        return np.eye(n_states, dtype=bool)
    possible = np.ones((n_states, n_states), dtype=bool)
    if kind == "jump":
        np.fill_diagonal(possible, False)
    return possible


def smoothed(
    counts: NDArray[np.number], possible: NDArray[np.bool_], pseudo: float = PSEUDO_COUNT
) -> NDArray[np.float64]:
    """Return probabilities with `pseudo` added to every possible cell of a visited row.

    Parameters
    ----------
    counts : ndarray, shape (..., from, to)
    possible : ndarray of bool, shape (from, to)
    pseudo : float

    Returns
    -------
    ndarray of float64, shape (..., from, to)
        NaN in rows that were never visited.
    """
    counts = np.asarray(counts, dtype=np.float64)
    visited = counts.sum(axis=-1, keepdims=True) > 0
    return probabilities(np.where(visited, counts + pseudo * possible, 0.0))
