"""Continuous features, reduced per assay: sums per bin of time, histograms per condition.

What the statistics of features need of recordings, and all they need: the recordings pass by one
assay at a time and are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io.tracks import Tracks
from larvastats.protocol import Window

Array = NDArray[np.float64]

CELLS_PER_IQR = 24
"""Lattice cells in the interquartile range of a feature's first assay."""

TAIL = 5e-4
"""Share of the frames on either side that a histogram's range may leave out."""

MAX_BINS = 240
"""Most bins of a histogram; finer ones are joined."""

FLAT = 1e-12
"""Relative variance that is none: what rounding leaves of a constant."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBins:
    """Sums of a feature over all frames of an assay, per bin of time.

    Attributes
    ----------
    sum, n, sum_sq : ndarray, shape (assay, bin)
        Sum of the values, frames with a value, sum of the squares.
    name, unit : str
    edges : ndarray, shape (bin + 1,)
        Seconds, from the start of the recording or from the onset aligned to.
    """

    sum: Array
    n: Array
    sum_sq: Array
    name: str
    unit: str
    edges: Array

    @property
    def mean(self) -> Array:
        """Mean of every assay and bin; NaN where no larva was tracked."""
        return _divide(self.sum, self.n)

    @property
    def sd(self) -> Array:
        """Standard deviation over the frames of every assay and bin."""
        return _sd(self.sum, self.n, self.sum_sq)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureHistogram:
    """Histograms of a feature per assay and condition, with its exact moments.

    Attributes
    ----------
    counts : ndarray, shape (assay, condition, bin)
        Frames; those beyond the range are in the moments only.
    sum, n, sum_sq, mad : ndarray, shape (assay, condition)
        `mad`: median absolute deviation from the median.
    name, unit : str
    conditions : tuple of str
    edges : ndarray, shape (bin + 1,)
        In the feature's unit.
    larvae : DataFrame
        One row per larva and condition: ``assay larva condition n value``, its mean.
    """

    counts: Array
    sum: Array
    n: Array
    sum_sq: Array
    mad: Array
    name: str
    unit: str
    conditions: tuple[str, ...]
    edges: Array
    larvae: pd.DataFrame

    @property
    def mean(self) -> Array:
        """Mean over the frames of every assay and condition."""
        return _divide(self.sum, self.n)

    @property
    def sd(self) -> Array:
        """Standard deviation over the frames of every assay and condition."""
        return _sd(self.sum, self.n, self.sum_sq)


def bin_feature(
    tracks: Iterable[Tracks],
    name: str,
    assays: Sequence[str],
    edges: Array,
    onsets: Sequence[float] = (0.0,),
) -> FeatureBins:
    """Sum a feature over the frames of every assay and bin.

    Parameters
    ----------
    tracks : iterable of Tracks
        One per assay, with the feature.
    name : str
    assays : sequence of str
        Rows of the result; others are passed over.
    edges : ndarray, shape (bin + 1,)
        Increasing, in s, counted from every onset.
    onsets : sequence of float
        Zeros of time (s); with several their bins are added up.
    """
    row = {assay: k for k, assay in enumerate(assays)}
    edges = np.asarray(edges, dtype=np.float64)
    shape = len(assays), len(edges) - 1
    total, n, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    unit = ""
    for one in tracks:
        k = row.get(one.identity.assay)
        if k is None:
            continue
        unit = one.units.get(name, "") or unit
        for onset in onsets:
            t, x = one.t - onset, one.features[name]
            at = np.searchsorted(edges, t, side="right") - 1
            good = np.isfinite(x) & (at >= 0) & (t < edges[-1])
            at, x = at[good], x[good]
            n[k] += np.bincount(at, minlength=shape[1])
            total[k] += np.bincount(at, weights=x, minlength=shape[1])
            square[k] += np.bincount(at, weights=x**2, minlength=shape[1])
    return FeatureBins(total, n, square, name, unit, edges)


def histogram_feature(
    tracks: Iterable[Tracks], name: str, assays: Sequence[str], conditions: Sequence[Window]
) -> FeatureHistogram:
    """Count the values of a feature per assay and condition, in one pass.

    Values are counted on a lattice as fine as the first assay asks for; once all are counted,
    the range is cut to hold all but the outermost :data:`TAIL` on either side.

    Parameters
    ----------
    tracks : iterable of Tracks
    name : str
    assays : sequence of str
        Rows of the result; others are passed over.
    conditions : sequence of Window
        Such as stimulus off and on.

    Raises
    ------
    DataError
        No frame of these assays has a value.
    """
    row = {assay: k for k, assay in enumerate(assays)}
    shape = len(assays), len(conditions)
    total, n, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    mad = np.full(shape, np.nan)
    cells: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
    larvae: list[pd.DataFrame] = []
    unit, step = "", 0.0
    for one in tracks:
        k = row.get(one.identity.assay)
        if k is None:
            continue
        unit = one.units.get(name, "") or unit
        values = one.features[name]
        step = step or _lattice(values[np.isfinite(values)])
        for c, window in enumerate(conditions):
            good = np.isfinite(values) & _inside(one.t, window)
            x = values[good]
            n[k, c], total[k, c], square[k, c] = len(x), x.sum(), (x**2).sum()
            if len(x):
                mad[k, c] = np.median(np.abs(x - np.median(x)))
                cells[k, c] = np.unique(np.floor(x / step).astype(np.int64), return_counts=True)
                larvae.append(_larvae(one, good, x, window.name))
    if not cells:
        raise DataError(f"no frame of these assays has a value of {name}; name another feature.")
    counts, edges = _histograms(cells, shape, step)
    return FeatureHistogram(
        counts, total, n, square, mad, name, unit, tuple(w.name for w in conditions), edges,
        pd.concat(larvae, ignore_index=True),
    )  # fmt: skip


def _inside(t: Array, window: Window) -> NDArray[np.bool_]:
    out = np.zeros(len(t), dtype=bool)
    for start, stop in window.intervals:
        out |= (t >= start) & (t < stop)
    return out


def _larvae(one: Tracks, good: NDArray[np.bool_], x: Array, condition: str) -> pd.DataFrame:
    """Mean of every larva that was seen under a condition."""
    index = one.larva_index[good]
    n = np.bincount(index, minlength=len(one.larvae))
    total = np.bincount(index, weights=x, minlength=len(one.larvae))
    seen = np.flatnonzero(n)
    return pd.DataFrame({
        "assay": one.identity.assay, "larva": np.array(one.larvae, dtype=object)[seen],
        "condition": condition, "n": n[seen], "value": total[seen] / n[seen],
    })  # fmt: skip


def _lattice(values: Array) -> float:
    """Return a round step that resolves the middle half of the values."""
    if not len(values):
        return 0.0
    low, high = np.quantile(values, [0.25, 0.75])
    width = float(high - low) or float(values.std()) or 1.0
    raw = width / CELLS_PER_IQR
    power = 10.0 ** np.floor(np.log10(raw))
    return float(power * next(m for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * (1 - 1e-9)))


def _histograms(
    cells: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]],
    shape: tuple[int, int],
    step: float,
) -> tuple[Array, Array]:
    """Lay counted lattice cells into one range: counts (assay, condition, bin), edges."""
    at = np.concatenate([a for a, _ in cells.values()])
    count = np.concatenate([c for _, c in cells.values()])
    order = np.argsort(at, kind="stable")
    share = np.cumsum(count[order]) / count.sum()
    low = int(at[order][np.searchsorted(share, TAIL)])
    last = min(int(np.searchsorted(share, 1 - TAIL)), len(order) - 1)
    high = int(at[order][last]) + 1
    join = max(1, -(-(high - low) // MAX_BINS))
    low = low // join * join
    n_bins = -(-(high - low) // join)
    counts = np.zeros((*shape, n_bins))
    for (k, c), (a, number) in cells.items():
        bins = (a - low) // join
        good = (bins >= 0) & (bins < n_bins)
        counts[k, c] = np.bincount(bins[good], weights=number[good], minlength=n_bins)
    edges = (low + join * np.arange(n_bins + 1)) * step
    return counts, np.round(edges, 12)


def _divide(total: Array, n: Array) -> Array:
    return np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)


def _sd(total: Array, n: Array, square: Array) -> Array:
    mean = _divide(total, n)
    variance = _divide(square, n) - mean**2
    scale = np.where(np.isfinite(mean), mean**2, 0.0)
    variance = np.where(variance > FLAT * np.maximum(scale, FLAT), variance, 0.0)
    out = np.sqrt(variance * _divide(n, np.maximum(n - 1, 1)))
    return np.where(n > 1, out, np.nan)
