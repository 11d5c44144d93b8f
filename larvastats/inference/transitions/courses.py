"""Does genotype act on a time course? Score tests whose contributions are relabelled by assay.

Under the null hypothesis one model holds for both genotypes. Each assay contributes its part of
the score for what the formula gives to genotype: observed minus expected transitions, weighted by
the columns of the design. The contributions, scaled by the information, are profiles like those of
a screen, and are tested as such: studentised distance of the group means, assays relabelled within
dates, the date as replicate where there are dates. No relabelling needs a refit, and a destination
that one genotype never shows is no obstacle, since only the common model is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference.design.blocks import Design as Comparison
from larvastats.inference.design.blocks import make_design
from larvastats.inference.lines import linetest
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.lines.nulls import joint_null
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.screen.windows import MaxT
from larvastats.inference.significance import pvalues
from larvastats.markov.formula import Design
from larvastats.markov.logit import (
    Clustered,
    aliased,
    fit_logit,
    information,
    probabilities_of,
    scores,
)
from larvastats.markov.smooth import Jumps, Patterns

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NOTHING = 1e-8
"""Directions with less than this share of the largest information say nothing."""

LEVEL, COURSE = "genotype", "genotype:time"
"""The two questions: any difference; a difference in the shape of the course, whatever level."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Jumps out of one state (or of any), with their patterns and their design."""

    name: str
    jumps: Jumps
    patterns: Patterns
    design: Design


@dataclass(frozen=True, slots=True)
class CourseTest:
    """One genotype against its control, for one question.

    Attributes
    ----------
    term : str
        :data:`LEVEL` or :data:`COURSE`.
    origins : tuple of str
        ``all``, then each origin state.
    statistic, p, p_adjusted, p_f : ndarray, shape (origin,)
        ``p_adjusted`` holds for all origin states of the genotype together; NaN for ``all``.
    floor : float
    exact : bool
    n_resamples : int
    comparison : Comparison
    """

    term: str
    origins: tuple[str, ...]
    statistic: Array
    p: Array
    p_adjusted: Array
    p_f: Array
    floor: float
    exact: bool
    n_resamples: int
    comparison: Comparison


def contributions(
    origin: Origin, rows: Index, sides: tuple[str, str], term: str, prior: float
) -> Array:
    """Return every assay's scaled score for the difference of two genotypes.

    Parameters
    ----------
    origin : Origin
    rows : ndarray of int, shape (unit,)
        Rows of the assay table that take part.
    sides : (str, str)
        Genotype and control.
    term : str
    prior : float
        Prior counts per column.

    Returns
    -------
    ndarray, shape (unit, direction)
        No direction where the formula lets genotype have no such part.
    """
    unit = np.full(int(origin.jumps.assay.max(initial=0)) + 1, -1)
    unit[rows[rows < len(unit)]] = np.flatnonzero(rows < len(unit))
    used = np.flatnonzero(unit[origin.jumps.assay] >= 0)
    common, extra = _null_columns(origin, sides, term)
    if not len(used) or not extra.shape[1]:
        return np.zeros((len(rows), 0))
    jumps = origin.jumps.of(used)
    kept = np.flatnonzero(jumps.counts.sum(axis=0) > 0)
    order = np.argsort(unit[jumps.assay], kind="stable")
    data = Clustered(
        origin.patterns.row[used][order],
        unit[jumps.assay][order],
        jumps.counts[order][:, kept],
        len(rows),
    )
    allowed = None
    if origin.patterns.start[0] >= 0:
        allowed = np.asarray(origin.patterns.start[:, None] != kept[None, :], dtype=bool)
    counts = data.pooled(len(common))
    seen = counts.sum(axis=1) > 0
    common = common[:, ~aliased(common[seen])]
    extra = extra[:, ~aliased(extra[seen])]
    if len(kept) < 2 or not extra.shape[1]:
        return np.zeros((len(rows), 0))
    reference = int(counts.sum(axis=0).argmax())
    fit = fit_logit(common, counts, reference=reference, prior=prior * common.shape[1],
                    allowed=allowed)  # fmt: skip
    p = probabilities_of(common, fit.beta, allowed)
    return _scaled(extra, p, data, fit.free, term)


def _null_columns(origin: Origin, sides: tuple[str, str], term: str) -> tuple[Array, Array]:
    """Columns of the common model, and those that tell the genotypes apart, by pattern."""
    table = origin.patterns.table
    line, control = (_with_genotype(table, name) for name in sides)
    common = origin.design.columns(control)
    extra = origin.design.columns(line) - common
    if term == COURSE:
        is_line = (table["genotype"].astype("str") == sides[0]).to_numpy(np.float64)
        common = np.column_stack([common, is_line])
    return common, extra[:, np.abs(extra).max(axis=0) > 0]


def _with_genotype(table: pd.DataFrame, name: str) -> pd.DataFrame:
    kind = table["genotype"].dtype
    return table.assign(genotype=pd.Series([name] * len(table), index=table.index).astype(kind))


def _scaled(extra: Array, p: Array, data: Clustered, free: Index, term: str) -> Array:
    """Mean scores per transition in units of their information; of a course without its level.

    Means and not sums: what the common model misses is missed for both genotypes alike, however
    many transitions each of their assays has.
    """
    x = extra if term == LEVEL else np.column_stack([np.ones(len(extra)), extra])
    raw = scores(x, p, data, free)  # (unit, to, column)
    flat = raw[:, :, x.shape[1] - extra.shape[1] :].reshape(len(raw), -1)
    n = np.zeros(len(raw))
    total = np.zeros((flat.shape[1], flat.shape[1]))
    largest = 1e-300
    for c, (pattern, counts) in enumerate(data):
        n[c] = counts.sum()
        if not n[c]:
            continue
        own = information(x[pattern], counts.sum(axis=1), p[pattern][:, free])
        largest += float(own.diagonal().max(initial=0.0))
        if term == LEVEL:
            total += own
            continue
        # what the assay's own constant shift would explain, to first order
        level = np.zeros(own.shape[0], dtype=bool)
        level[:: x.shape[1]] = True
        across = own[np.ix_(~level, level)]
        gain = np.linalg.lstsq(own[np.ix_(level, level)], across.T, rcond=None)[0]
        flat[c] -= raw[c, :, 0] @ gain
        total += own[np.ix_(~level, ~level)] - across @ gain
    value, vector = np.linalg.eigh((total + total.T) / 2)
    # against the information before levels were taken out: what is then left of a constant is none
    strong = value > NOTHING * largest
    scaled = flat @ (vector[:, strong] / np.sqrt(value[strong]))
    size = np.where(n > 0, n.mean() / np.maximum(n, 1.0), 0.0)
    return np.asarray(scaled * size[:, None], dtype=np.float64)


def test_course(
    origins: Sequence[Origin],
    rows: tuple[Index, Index],
    sides: tuple[str, str],
    dates: NDArray[np.object_] | None,
    term: str,
    prior: float,
    budget: Budget,
) -> CourseTest | None:
    """Test one genotype against its control; None where the formula has no such term.

    Parameters
    ----------
    origins : sequence of Origin
    rows : (ndarray of int, ndarray of int)
        Assays of the genotype and of the control.
    sides : (str, str)
        Their names.
    dates : ndarray of object, shape (assay,), or None
    term : str
    prior : float
    budget : Budget
    """
    comparison = make_design(*rows, dates)
    parts = [contributions(o, comparison.units, sides, term, prior) for o in origins]
    told = [(o.name, x) for o, x in zip(origins, parts, strict=True) if x.shape[1]]
    if not told:
        return None
    names = ("all", *(name for name, _ in told))
    features = [np.concatenate([x for _, x in told], axis=1), *(x for _, x in told)]
    if comparison.reason:
        blank = np.full(len(names), np.nan)
        return CourseTest(term, names, blank, blank, blank, blank, float("nan"), False, 0,
                          comparison)  # fmt: skip
    data = [LineData(comparison, x, None, np.zeros(0), np.zeros((0, 0), bool)) for x in features]
    label = comparison.is_line[None]
    observed = np.array([linetest.statistics(label, d)["welch"][0] for d in data])
    alone, together = MaxT(observed[:1]), MaxT(observed[1:])
    each = [MaxT(observed[k : k + 1]) for k in range(1, len(names))]
    exact, null = _null(data, features, budget)
    alone.add(null[:, :1])
    together.add(null[:, 1:])
    for k, one in enumerate(each, start=1):
        one.add(null[:, k : k + 1])
    p = np.concatenate([one.single_step(exact) for one in (alone, *each)])
    adjusted = np.append(np.nan, together.step_down(exact))
    p_f = np.array([_p_f(d, float(t)) for d, t in zip(data, observed, strict=True)])
    return CourseTest(
        term, names, observed, p, adjusted, p_f, alone.floor(exact), exact, alone.total, comparison
    )


def _null(
    data: Sequence[LineData], features: Sequence[Array], budget: Budget
) -> tuple[bool, Array]:
    """Return the relabelled statistics of all origins on one plan, (relabelling, origin)."""
    parts = [
        joint_null([d], [(x,)], budget, 0, "main") for d, x in zip(data, features, strict=True)
    ]
    return parts[0][0], np.stack([null[0] for _, null, _ in parts], axis=1)


def _p_f(data: LineData, statistic: float) -> float:
    """F approximation, its dimension from the scatter within genotypes (and dates)."""
    d = data.design
    groups = (d.block * 2 + d.is_line).astype(np.int64)
    f1 = linetest.dimension(data.x, groups, ~d.is_line)
    return pvalues.p_f(statistic, f1, linetest.degrees_of_freedom(data))
