"""Statistics of pooled counts, not studentised: for comparison, and to show what they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from larvastats.divergence import hellinger
from larvastats.inference.design.blocks import Design
from larvastats.inference.relabelling import resampling
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance import pvalues
from larvastats.markov.transitions import probabilities

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PooledTest:
    """A statistic of pooled counts: p-value, floor, relabellings, smallest possible p-values."""

    statistic: float
    p: float
    floor: float
    n: int
    attainable: Array


def g_statistic(line: Array, control: Array) -> Array:
    """Return ``G = 2 sum n log(p / pbar)`` of pooled counts, shape (...).

    Anderson & Goodman 1957, Ann. Math. Stat. 28:89. Its chi-square null is for independent
    transitions; assays are relabelled instead. Unequal numbers of larvae per assay inflate it.

    Parameters
    ----------
    line, control : ndarray, shape (..., from, to)
    """
    g = _log_likelihood(line) + _log_likelihood(control) - _log_likelihood(line + control)
    return np.maximum(g, 0.0)


def plain_hellinger(line: Array, control: Array) -> Array:
    """Return the row-averaged Hellinger distance of pooled counts, shape (...).

    The plug-in number that the field reports. Fewer larvae make it larger: as a test statistic it
    finds lines that were merely recorded less.
    """
    return hellinger(probabilities(line), probabilities(control))


STATISTICS = {"g": g_statistic, "hellinger": plain_hellinger}


def test(name: str, design: Design, counts: NDArray[np.number], budget: Budget) -> PooledTest:
    """Test one line by relabelling its pooled counts.

    Parameters
    ----------
    name : {'g', 'hellinger'}
    design : Design
    counts : ndarray, shape (unit, from, to)
    budget : Budget
    """
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    total, shape = flat.sum(axis=0), counts.shape[1:]

    def statistics(labels: NDArray[np.bool_]) -> dict[str, Array]:
        line = labels.astype(np.float64) @ flat
        pair = (side.reshape(-1, *shape) for side in (line, total - line))
        return {name: np.nan_to_num(STATISTICS[name](*pair))}

    exact = resampling.is_exact(design, budget.most)
    rng = np.random.default_rng([budget.seed, *(v for pair in design.sizes for v in pair)])
    plan = resampling.relabellings(design, budget.resamples, rng, budget.most)
    null = resampling.null_distribution(plan, statistics)[name]
    observed = float(statistics(design.is_line[None])[name][0])
    p = pvalues.p_relabel(observed, null, exact)
    tail = pvalues.smallest_p(null, len(null))[: budget.tail] if exact else np.zeros(0)
    return PooledTest(observed, p, pvalues.floor_of(null, exact), len(null), tail)


def _log_likelihood(counts: Array) -> Array:
    visits = counts.sum(axis=-1)
    return 2 * (xlogy(counts, counts).sum(axis=(-1, -2)) - xlogy(visits, visits).sum(axis=-1))
