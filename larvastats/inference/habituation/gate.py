"""Is there any habituation? Asked before anyone speaks of its time constant.

One contrast of early against late per assay. Nothing happens during the stimulus under the null,
whatever the levels of plates and dates, so that assays are the replicates here even where dates are
known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.model import decay

Array = NDArray[np.float64]

FIFTH = 5.0


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the response changes during the stimulus.

    Attributes
    ----------
    contrast : float
        Mean over assays of the fall from onset to end; negative where the response rises.
    p_value : float
        Two-sided; NaN where nothing varies.
    null : str
        Where it comes from.
    """

    contrast: float
    p_value: float
    null: str


def contrasts(curves: Curves) -> Array:
    """Return how far the response falls in every assay, shape (assay,).

    The weighted regression of an assay's curve on an exponential with a fifth of the stimulus as
    its time constant (within pulses under ``berne``), on the scale of the response.
    """
    return _slopes(curves.mean, curves.weight, _decline(curves), curves.shape.block)


def _decline(curves: Curves) -> Array:
    shape = curves.shape
    length = (shape.stop - shape.start).sum() / shape.n_blocks or float(shape.stop[-1])
    return np.asarray(decay(np.array([length / FIFTH]), shape)[0], dtype=np.float64)


def _slopes(mean: Array, weight: Array, x: Array, block: NDArray[np.int64]) -> Array:
    """Weighted slope on x with an intercept per block; the last axis is the bin."""
    y = np.where(weight > 0, mean, 0.0)
    cross, square = np.zeros((2, *weight.shape[:-1]))
    for p in range(int(block.max()) + 1):
        w, v, e = weight[..., block == p], y[..., block == p], x[block == p]
        total = w.sum(axis=-1, keepdims=True)
        total = np.where(total > 0, total, 1.0)
        centred = e - (w * e).sum(axis=-1, keepdims=True) / total
        cross += (w * centred * v).sum(axis=-1)
        square += (w * centred**2).sum(axis=-1)
    return np.divide(cross, square, out=np.full(cross.shape, np.nan), where=square > 0)


def gate(curves: Curves, resamples: int, rng: np.random.Generator) -> Gate:
    """Test whether the response changes.

    A t test over assays for stimuli seen in bins, whose neighbours depend on each other; for pulses
    their order is permuted within every assay, with the larvae of an assay kept together.

    Parameters
    ----------
    curves : Curves
        Two assays at least.
    resamples : int
        Permutations.
    rng : Generator
    """
    own = contrasts(curves)
    own = own[~np.isnan(own)]
    mean = float(own.mean()) if len(own) else float("nan")
    if curves.shape.kind == "pulses":
        return Gate(mean, _permuted(curves, resamples, rng), "pulses permuted within assays")
    if len(own) < 2 or not own.std(ddof=1) > 1e-12:
        return Gate(mean, float("nan"), "none")
    t = mean / (own.std(ddof=1) / np.sqrt(len(own)))
    return Gate(mean, float(2 * stats.t.sf(abs(t), len(own) - 1)), "t over assays")


def _permuted(curves: Curves, resamples: int, rng: np.random.Generator) -> float:
    x, block = _decline(curves), curves.shape.block
    observed = abs(np.nansum(_slopes(curves.mean, curves.weight, x, block)))
    total = np.zeros(resamples)
    for mean, weight in zip(curves.mean, curves.weight, strict=True):
        order = rng.random((resamples, len(mean))).argsort(axis=1)
        total += np.nan_to_num(_slopes(mean[order], weight[order], x, block))
    extreme = int((np.abs(total) >= observed * (1 - 1e-9)).sum())
    return (1 + extreme) / (1 + resamples)
