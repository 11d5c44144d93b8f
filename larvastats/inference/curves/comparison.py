"""When do two genotypes differ? Tests over all bins of a curve together, by relabelling assays.

The largest studentised difference over all bins (max-T: Westfall & Young 1993), or the mass of
runs of neighbouring bins that differ (Maris & Oostenveld 2007, J. Neurosci. Methods 164:177), is
compared with what it becomes when assays are relabelled within dates. With dates the replicate is
line x date: the variance is that of the differences between dates, so that what plates of one
cross share does not pass for a difference between genotypes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.curves.bands import (
    PRIOR_DF,
    moderated,
    scaled_residuals,
    shared_variance,
    studentised,
)
from larvastats.inference.design.blocks import Design
from larvastats.inference.relabelling import resampling
from larvastats.inference.significance.pvalues import TIE, floor_of, p_relabel

Array = NDArray[np.float64]

METHODS = ("maxt", "cluster")
"""Tests over time; see :func:`compare_curves`."""

CHUNK = 512
"""Relabellings handled at a time: bins are many, and memory stays flat."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A run of neighbouring bins in which the studentised difference is large.

    Attributes
    ----------
    first, last : int
        Bins, both inside.
    mass : float
        Sum of the studentised differences.
    p_value : float
        Share of relabellings with as heavy a run anywhere; NaN under max-T.
    """

    first: int
    last: int
    mass: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class CurveTest:
    """Line minus control over time.

    Attributes
    ----------
    difference, statistic : ndarray, shape (bin,)
        Statistic: the studentised difference.
    low, high : ndarray, shape (bin,)
        Simultaneous limits of the difference, from the max-T distribution.
    p_bin : ndarray, shape (bin,)
        Adjusted for all bins; under ``cluster`` that of the bin's run, 1 outside runs.
    p_value : float
        Of no difference at any time.
    p_floor : float
        Smallest p-value the design can give.
    exact : bool
    n_resamples : int
    clusters : tuple of Cluster
        Under ``cluster``, all runs above the threshold.
    """

    difference: Array
    statistic: Array
    low: Array
    high: Array
    p_bin: Array
    p_value: float
    p_floor: float
    exact: bool
    n_resamples: int
    clusters: tuple[Cluster, ...] = ()


def compare_curves(
    y: Array,
    design: Design,
    *,
    share: bool,
    method: str = "maxt",
    resamples: int = 10_000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> CurveTest:
    """Test where the mean curves of line and control differ.

    Parameters
    ----------
    y : ndarray, shape (unit, bin)
        Curves of the design's units, without NaN.
    design : Design
        One in which a test is possible.
    share : bool
        Whether values are shares of time, whose variance follows their mean.
    method : {'maxt', 'cluster'}
    resamples : int
        Random relabellings where there are too many to list.
    rng : Generator
    level : float
        Of the simultaneous limits.

    Returns
    -------
    CurveTest
    """
    statistic = _Statistic(y, design, share)
    observed, se = statistic(design.is_line[None])
    threshold = float(stats.t.ppf(0.975, statistic.df + PRIOR_DF))
    largest, heaviest = [], []
    for labels in _pieces(resampling.relabellings(design, resamples, rng)):
        t, _ = statistic(labels)
        largest.append(np.abs(t).max(axis=1))
        if method == "cluster":
            heaviest.append(heaviest_run(t, threshold))
    exact = resampling.is_exact(design)
    null = np.concatenate(largest)
    critical = float(np.quantile(null, level, method="higher"))
    difference = observed[0] * se[0]
    runs: tuple[Cluster, ...] = ()
    if method == "cluster":
        masses = np.concatenate(heaviest)
        runs = tuple(
            Cluster(a, b, mass, p_relabel(abs(mass), masses, exact))
            for a, b, mass in runs_above(observed[0], threshold)
        )
        p_bin = np.ones(y.shape[1])
        for run in runs:
            p_bin[run.first : run.last + 1] = run.p_value
        floor = floor_of(masses, exact)
    else:
        p_bin = adjusted_p(np.abs(observed[0]), null, exact)
        floor = floor_of(null, exact)
    half = np.where(se[0] > 0, critical * se[0], np.nan)
    return CurveTest(
        difference, observed[0], difference - half, difference + half, p_bin,
        float(p_bin.min(initial=1.0)), floor, exact, len(null), runs,
    )  # fmt: skip


class _Statistic:
    """The studentised difference of every relabelling and bin."""

    def __init__(self, y: Array, design: Design, share: bool) -> None:
        self.design = design
        blocks = [np.flatnonzero(design.block == b) for b in range(design.n_blocks)]
        self.blocks, self.sizes = blocks, design.sizes
        # the same under every relabelling: variance within dates, whoever is who
        residual = scaled_residuals(y, design.block)
        self.profile = shared_variance((residual**2).mean(axis=0), y.mean(axis=0), share)
        self.y = y - y.mean(axis=0)
        m, c = design.n_line, design.n_control
        self.df = design.n_blocks - 1 if design.dated else m + c - 2

    def __call__(self, labels: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return statistics and standard errors, each of shape (relabelling, bin)."""
        pair = self._dated(labels) if self.design.dated else self._free(labels)
        difference, variance = pair
        variance = moderated(np.maximum(variance, 0.0), self.profile, self.df)
        return studentised(difference, variance), np.sqrt(variance)

    def _free(self, labels: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Welch: each group brings its own variance."""
        line = labels.astype(np.float64)
        m, c = self.design.n_line, self.design.n_control
        total, square = self.y.sum(axis=0), (self.y**2).sum(axis=0)
        s, q = line @ self.y, line @ self.y**2
        mean_l, mean_c = s / m, (total - s) / c
        variance = (q / m - mean_l**2) / (m - 1) + ((square - q) / c - mean_c**2) / (c - 1)
        return mean_l - mean_c, variance

    def _dated(self, labels: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Differences within dates, and how they scatter between dates."""
        w = np.array([m * c / (m + c) for m, c in self.sizes])
        w /= w.sum()
        shape = len(labels), self.y.shape[1]
        mean, cross, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for weight, units, (m, c) in zip(w, self.blocks, self.sizes, strict=True):
            line = labels[:, units].astype(np.float64) @ self.y[units]
            d = line / m - (self.y[units].sum(axis=0) - line) / c
            mean += weight * d
            cross += weight**2 * d
            square += weight**2 * d**2
        n = len(w)
        variance = square - 2 * mean * cross + mean**2 * (w**2).sum()
        return mean, variance * n / (n - 1)


def _pieces(plan: Iterator[NDArray[np.bool_]]) -> Iterator[NDArray[np.bool_]]:
    for labels in plan:
        for start in range(0, len(labels), CHUNK):
            yield labels[start : start + CHUNK]


def adjusted_p(observed: Array, null: Array, exact: bool) -> Array:
    """Return for every bin the share of relabellings whose maximum reaches it; never zero."""
    ordered = np.sort(null)
    reached = len(null) - np.searchsorted(ordered, observed * (1 - TIE), side="left")
    p = reached / len(null) if exact else (1 + reached) / (1 + len(null))
    return np.asarray(np.where(observed > 0, p, 1.0), dtype=np.float64)


def runs_above(t: Array, threshold: float) -> list[tuple[int, int, float]]:
    """List runs of one sign above a threshold: first bin, last bin, sum; shape of t (bin,)."""
    sign = np.where(np.abs(t) >= threshold, np.sign(t), 0.0)
    edges = np.flatnonzero(np.diff(sign, prepend=0.0, append=0.0))
    return [(int(a), int(b) - 1, float(t[a:b].sum())) for a, b in pairwise(edges) if sign[a] != 0]


def heaviest_run(t: Array, threshold: float) -> Array:
    """Return the largest absolute sum of a run of every relabelling, shape (relabelling,)."""
    best, mass, before = np.zeros(len(t)), np.zeros(len(t)), np.zeros(len(t))
    for column in np.ascontiguousarray(t.T):
        sign = np.where(np.abs(column) >= threshold, np.sign(column), 0.0)
        mass = np.where(sign == before, mass, 0.0) + np.abs(column) * (sign != 0)
        before = sign
        np.maximum(best, mass, out=best)
    return best


def responds(
    change: Array, *, resamples: int, rng: np.random.Generator
) -> tuple[Array, Array, bool, float]:
    """Test when one genotype departs from its own baseline: signs of whole assays are flipped.

    Parameters
    ----------
    change : ndarray, shape (assay, bin)
        Curves minus each assay's own baseline, without NaN.
    resamples : int
    rng : Generator

    Returns
    -------
    statistic : ndarray, shape (bin,)
        Studentised mean change.
    p_bin : ndarray, shape (bin,)
        Adjusted for all bins.
    exact : bool
    floor : float
        Smallest possible p-value.
    """
    m = len(change)
    square = (change**2).sum(axis=0)
    centred = change - change.mean(axis=0)
    profile = shared_variance((centred**2).sum(axis=0) / (m - 1), change.mean(axis=0), False)

    def statistic(signs: Array) -> Array:
        mean = signs @ change / m
        variance = np.maximum(square - m * mean**2, 0.0) / (m - 1)
        return studentised(mean, moderated(variance, profile, m - 1) / m)

    observed = statistic(np.ones((1, m)))[0]
    parts = []
    for signs in resampling.sign_flips(m, resamples, rng):
        for start in range(0, len(signs), CHUNK):
            parts.append(np.abs(statistic(signs[start : start + CHUNK])).max(axis=1))
    null, exact = np.concatenate(parts), resampling.flips_are_exact(m)
    return observed, adjusted_p(np.abs(observed), null, exact), exact, floor_of(null, exact)
