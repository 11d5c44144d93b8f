"""Transition probabilities as smooth functions of time: one multinomial logit per origin state.

Transitions are counted in bins of time, within assays; everything else follows from these counts.
The replicate is a cluster of transitions (an assay, or all assays of a line on a date): bands and
standard errors come from leaving out one cluster at a time, never from the number of transitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.ethogram import Ethogram
from larvastats.markov.formula import Design
from larvastats.markov.logit import (
    Clustered,
    Logit,
    delete_one,
    fit_logit,
    model_variance,
    unsupported,
)
from larvastats.protocol import Protocol, Window

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Jumps:
    """Jumps between bouts, counted by origin, assay and bin of time; sorted in this order.

    Attributes
    ----------
    start, assay, bin : ndarray of int, shape (row,)
        Bin k covers ``[k dt, (k+1) dt)``.
    counts : ndarray, shape (row, to)
    dt : float
        Width of a bin, s.
    """

    start: Index
    assay: Index
    bin: Index
    counts: Array
    dt: float

    def of(self, rows: NDArray[np.bool_] | Index) -> Jumps:
        """Return some of the rows."""
        return Jumps(self.start[rows], self.assay[rows], self.bin[rows], self.counts[rows], self.dt)

    @property
    def t(self) -> Array:
        """Middle of each row's bin, s."""
        return np.asarray((self.bin + 0.5) * self.dt, dtype=np.float64)


def count_jumps(ethogram: Ethogram, window: Window, dt: float) -> Jumps:
    """Count the jumps of a window by origin, assay and bin of time.

    Parameters
    ----------
    ethogram : Ethogram
    window : Window
    dt : float
        Width of the bins, s.
    """
    after = np.flatnonzero(ethogram.follows)
    t = ethogram.t_start[after]
    inside = np.zeros(len(t), dtype=bool)
    for low, high in window.intervals:
        inside |= (t >= low) & (t < high)
    after, t = after[inside], t[inside]
    k, n = ethogram.n_states, len(ethogram.assays)
    # the slack keeps a jump at 0.3 s out of the bin that ends there
    time = np.floor(t / dt + 1e-6).astype(np.int64)
    low = int(time.min(initial=0))
    width = int(time.max(initial=0)) - low + 1
    start = ethogram.state[after - 1].astype(np.int64)
    key = (start * n + ethogram.assay_index[after]) * width + time - low
    found, row = np.unique(key, return_inverse=True)
    counts = np.zeros((len(found), k))
    np.add.at(counts, (row.ravel(), ethogram.state[after]), 1.0)
    rest, bins = np.divmod(found, width)
    return Jumps(rest // n, rest % n, bins + low, counts, dt)


def time_columns(t: Array, protocol: Protocol) -> dict[str, Array]:
    """Return the variables of time that a formula may use.

    Parameters
    ----------
    t : ndarray
        Seconds.
    protocol : Protocol

    Returns
    -------
    dict of ndarray
        ``t``; ``on``: 1 while any stimulus is on, else 0; ``since``: seconds since the last onset,
        0 before the first.
    """
    on, since = np.zeros(len(t)), np.full(len(t), np.inf)
    for low, high in protocol.intervals:
        on[(t >= low) & (t < high)] = 1.0
        since = np.where(t >= low, np.minimum(since, t - low), since)
    return {"t": t, "on": on, "since": np.where(np.isfinite(since), since, 0.0)}


@dataclass(frozen=True, slots=True)
class Patterns:
    """Combinations of covariates and time that occur.

    Attributes
    ----------
    table : DataFrame, one row per pattern
        Variables of the formula.
    row : ndarray of int, shape (jump row,)
        Pattern of each row of the jumps.
    start : ndarray of int, shape (pattern,)
        Origin; -1 where patterns do not depend on it.
    """

    table: pd.DataFrame
    row: Index
    start: Index


def make_patterns(
    jumps: Jumps,
    group: Index,
    groups: pd.DataFrame,
    protocol: Protocol,
    states: Sequence[str] | None,
) -> Patterns:
    """Find the patterns of covariates.

    Parameters
    ----------
    jumps : Jumps
    group : ndarray of int, shape (assay,)
        Row of `groups` of every assay.
    groups : DataFrame
        Combinations of the covariates of assays.
    protocol : Protocol
    states : sequence of str, optional
        Names of the origins, where the origin is a variable (``from``) itself.
    """
    low = int(jumps.bin.min(initial=0))
    width = int(jumps.bin.max(initial=0)) - low + 1
    start = jumps.start if states is not None else np.zeros(len(jumps.start), dtype=np.int64)
    key = (start * len(groups) + group[jumps.assay]) * width + jumps.bin - low
    found, row = np.unique(key, return_inverse=True)
    rest, bins = np.divmod(found, width)
    origin, which = np.divmod(rest, len(groups))
    table = groups.iloc[which].reset_index(drop=True)
    table = table.assign(**time_columns((bins + low + 0.5) * jumps.dt, protocol))
    if states is None:
        return Patterns(table, row.ravel(), np.full(len(found), -1))
    seen = [states[s] for s in sorted(set(origin.tolist()))]
    names = pd.Categorical([states[s] for s in origin], categories=seen)
    return Patterns(table.assign(**{"from": names}), row.ravel(), origin)


@dataclass(frozen=True, slots=True)
class OriginFit:
    """The fitted logit of one origin state (or of all of them together).

    Attributes
    ----------
    start : str
        Origin state; ``(any)`` where the origin is a variable of the formula.
    to : tuple of str
        Destinations that occur; others have no part in the model.
    never : tuple of str
        Destinations that are possible and never occur.
    logit : Logit
    deleted : ndarray, shape (cluster, column, to)
        Coefficients without each cluster.
    stratum : ndarray of int, shape (cluster,)
        Clusters with the same covariates.
    variance : ndarray, shape (to x column, to x column)
        Of independent transitions; tells only which numbers have nothing behind them.
    empty : ndarray of bool, shape (to - 1, column)
        Coefficients with next to no transition behind them.
    design : Design
    n : int
        Transitions.
    seen : tuple of str
        Genotypes with transitions; empty where the formula does not name genotype.
    """

    start: str
    to: tuple[str, ...]
    never: tuple[str, ...]
    logit: Logit
    deleted: Array
    stratum: Index
    variance: Array
    empty: NDArray[np.bool_]
    design: Design
    n: int
    seen: tuple[str, ...] = ()

    def allowed(self, table: pd.DataFrame) -> NDArray[np.bool_] | None:
        """Return which destinations rows of a table can have; None for all."""
        if "from" not in self.design.variables:
            return None
        start = table["from"].astype("str").to_numpy()
        return np.asarray(start[:, None] != np.array(self.to)[None, :], dtype=bool)


def fit_origin(
    jumps: Jumps,
    patterns: Patterns,
    design: Design,
    cluster: Index,
    stratum: Index,
    names: tuple[str, tuple[str, ...]],
    prior: float,
) -> OriginFit:
    """Fit one multinomial logit and its leave-one-cluster-out versions.

    Parameters
    ----------
    jumps : Jumps
        Those of one origin, or all.
    patterns : Patterns
        Of these jumps.
    design : Design
        Of these patterns.
    cluster : ndarray of int, shape (assay,)
    stratum : ndarray of int, shape (cluster,)
    names : (str, tuple of str)
        The origin and all states.
    prior : float
        Prior counts per column of the design.
    """
    start, states = names
    total = jumps.counts.sum(axis=0)
    kept = np.flatnonzero(total > 0)
    never = tuple(states[j] for j in np.flatnonzero(total == 0) if states[j] != start)
    x = design.columns(patterns.table)
    own = cluster[jumps.assay]
    present, code = np.unique(own, return_inverse=True)
    order = np.argsort(code.ravel(), kind="stable")
    data = Clustered(
        patterns.row[order], code.ravel()[order], jumps.counts[order][:, kept], len(present)
    )
    counts = data.pooled(len(x))
    to = tuple(states[j] for j in kept)
    allowed = None
    if patterns.start[0] >= 0:
        allowed = np.asarray(patterns.start[:, None] != kept[None, :], dtype=bool)
    weight = prior * x.shape[1]
    reference = int(counts.sum(axis=0).argmax())
    logit = fit_logit(x, counts, reference=reference, prior=weight, allowed=allowed)
    deleted = delete_one(logit, x, data, weight, allowed)
    variance = model_variance(logit, x, counts.sum(axis=1), weight, allowed)
    empty = unsupported(logit, x, counts.sum(axis=1), allowed)
    return OriginFit(
        start, to, never, logit, deleted, stratum[present], variance, empty, design,
        int(total.sum()), _genotypes(patterns.table, counts),
    )  # fmt: skip


def _genotypes(table: pd.DataFrame, counts: Array) -> tuple[str, ...]:
    if "genotype" not in table:
        return ()
    return tuple(sorted(set(table.loc[counts.sum(axis=1) > 0, "genotype"].astype("str"))))
