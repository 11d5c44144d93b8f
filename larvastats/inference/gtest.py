"""The likelihood-ratio test of equal transition probabilities, by relabelling assays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from larvastats.inference import pvalues, resampling
from larvastats.inference.design import Design

Array = NDArray[np.float64]


def g_statistic(line: Array, control: Array) -> Array:
    """Return ``G = 2 sum n log(p / pbar)`` of pooled counts, shape (...).

    Anderson & Goodman 1957, Ann. Math. Stat. 28:89. Its chi-square null is for independent
    transitions; assays are relabelled instead. It is not studentised: unequal numbers of larvae per
    assay inflate it.

    Parameters
    ----------
    line, control : ndarray, shape (..., from, to)
    """
    return _log_likelihood(line) + _log_likelihood(control) - _log_likelihood(line + control)


def _log_likelihood(counts: Array) -> Array:
    visits = counts.sum(axis=-1)
    return 2 * (xlogy(counts, counts).sum(axis=(-1, -2)) - xlogy(visits, visits).sum(axis=-1))


def test(
    design: Design, counts: NDArray[np.number], resamples: int, seed: int
) -> tuple[float, float, float, int]:
    """Return G, its p-value, the floor and the number of relabellings.

    Parameters
    ----------
    design : Design
    counts : ndarray, shape (unit, from, to)
    resamples, seed : int
    """
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    total, shape = flat.sum(axis=0), counts.shape[1:]

    def statistics(labels: NDArray[np.bool_]) -> dict[str, Array]:
        line = labels.astype(np.float64) @ flat
        pair = (side.reshape(-1, *shape) for side in (line, total - line))
        return {"g": np.maximum(g_statistic(*pair), 0.0)}

    exact = resampling.is_exact(design)
    rng = np.random.default_rng([seed, *(v for pair in design.sizes for v in pair)])
    null = resampling.null_distribution(
        resampling.relabellings(design, resamples, rng), statistics
    )["g"]
    observed = float(statistics(design.is_line[None])["g"][0])
    p = pvalues.p_relabel(observed, null, exact)
    return observed, p, pvalues.floor_of(null, exact), len(null)
