"""What the spectral filter sees: amplitudes by harmonic of good and bad sequences, and a threshold.

A picture of :class:`Spectra` is :func:`larvastats.plot.spectrum.plot_spectrum`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larvastats.errors import UsageError
from larvastats.shape.contour import N_POINTS, coefficients, resample
from larvastats.shape.quality import Quality

MOST_FRAMES = 20_000
"""Frames whose amplitudes are averaged; of more, every second, third, ... is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Good and bad sequences, side by side.

    Attributes
    ----------
    harmonic : ndarray of int, shape (harmonic,)
    good, bad : ndarray, shape (harmonic,)
        Mean amplitude over the frames of sequences that stay and of those that are dropped; NaN
        where there are none.
    n_good, n_bad : int
        Sequences.
    high_good, high_bad : ndarray, shape (frame,)
        Share above the cut-off, of the frames of either kind that have a spectrum.
    cutoff : int
    threshold, chosen : float
        The filter's, and that of :func:`choose_threshold`.
    """

    harmonic: NDArray[np.int64]
    good: NDArray[np.float64]
    bad: NDArray[np.float64]
    n_good: int
    n_bad: int
    high_good: NDArray[np.float64]
    high_bad: NDArray[np.float64]
    cutoff: int
    threshold: float
    chosen: float


def spectra(vertices: ArrayLike, start: ArrayLike, quality: Quality) -> Spectra:
    """Average the amplitudes of good and of bad sequences.

    Parameters
    ----------
    vertices, start
        As :func:`larvastats.shape.contour.resample` takes them.
    quality : Quality
        Verdicts on the same frames.

    Raises
    ------
    UsageError
        No frame has a spectrum.
    """
    every = max(1, len(quality.fault) // MOST_FRAMES)
    size = amplitudes(resample(vertices, start)[::every])
    known = np.isfinite(size).all(axis=1) & np.isfinite(quality.high[::every])
    dropped = quality.dropped
    means = []
    for kind in (False, True):
        own = size[known & (dropped[::every] == kind)]
        means.append(own.mean(axis=0) if len(own) else np.full(size.shape[1], np.nan))
    numbers = [len(np.unique(quality.sequence[dropped == kind])) for kind in (False, True)]
    judged = np.isfinite(quality.high)
    return Spectra(
        np.arange(1, size.shape[1] + 1), means[0], means[1], numbers[0], numbers[1],
        quality.high[judged & ~dropped], quality.high[judged & dropped],
        quality.filter.cutoff, quality.filter.threshold, choose_threshold(quality.high),
    )  # fmt: skip


def amplitudes(points: ArrayLike, n: int = N_POINTS // 2 - 1) -> NDArray[np.float64]:
    """Amplitude of outlines by harmonic, as a share of the root of all energy.

    Returns
    -------
    ndarray, shape (frame, n)
        Harmonics 1 to n; harmonics k and -k together, ``sqrt(|c_k|^2 + |c_-k|^2)``.
    """
    c = np.abs(coefficients(np.asarray(points, np.float64), n)) ** 2
    energy = c[:, n + 1 :] + c[:, n - 1 :: -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(energy / energy.sum(axis=1, keepdims=True))


def choose_threshold(high: ArrayLike, spreads: float = 8.0) -> float:
    """Choose a threshold from the data: far above what is usual among them.

    The median of ``log(high)`` plus `spreads` times the spread of its upper half, which is the
    distance from the median to the upper quartile, over that of a Gaussian's. It stands while fewer
    than a quarter of the frames are bad.

    Parameters
    ----------
    high : array-like, shape (frame,)
        Of :class:`Quality`; NaN do not count.
    spreads : float

    Raises
    ------
    UsageError
        There is no frame with a spectrum.
    """
    known = np.asarray(high, np.float64)
    known = known[known > 0]
    if not len(known):
        raise UsageError("A threshold is chosen from frames with a spectrum, but there are none.")
    middle, upper = np.quantile(np.log(known), [0.5, 0.75])
    return float(min(np.exp(middle + spreads * (upper - middle) / 0.6744897501960817), 1.0))
