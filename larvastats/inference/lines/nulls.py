"""Tests of many lines of one shape: observed statistics, null distributions, p-values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.design.blocks import REFINE_FROM, REFINED, Design
from larvastats.inference.lines import linetest
from larvastats.inference.lines.engine import DatedGeometry, SharedControls, ratio
from larvastats.inference.lines.linetest import DIVERGENCES, LineData, date_weights
from larvastats.inference.relabelling import plans, resampling
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance import pvalues

Array = NDArray[np.float64]
NAN = float("nan")

REFINE_BELOW = 1e-3
"""Sampled p-values below this are refined with further relabellings."""

STAGE = 100_000
"""Relabellings of one refining stage."""

SLICE = 10_000
"""Relabellings whose divergences are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The tests of one line.

    Attributes
    ----------
    statistic, p, floor : dict of str to float
        By name: the main statistic (``main``) and the divergences.
    p_f : float
        F approximation of the main statistic.
    df : float
        Degrees of freedom of the replicates.
    exact : bool
        Whether the relabellings were enumerated.
    n_resamples : int
        Relabellings behind the main p-value.
    attainable : dict of str to ndarray
        The smallest p-values that the line could have had (`Budget.tail` of them), by statistic;
        empty where its relabellings were sampled.
    """

    statistic: dict[str, float]
    p: dict[str, float]
    floor: dict[str, float]
    p_f: float
    df: float
    exact: bool
    n_resamples: int
    attainable: dict[str, Array] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """How many relabellings were at least as extreme, of how many; and the `keep` largest."""

    observed: float
    keep: int = 0
    extreme: int = 0
    total: int = 0
    top: float = -np.inf
    tops: int = 0
    largest: Array = field(default_factory=lambda: np.zeros(0))

    def add(self, null: Array) -> None:
        """Count a block of relabelled statistics."""
        self.extreme += int((null >= self.observed * (1 - pvalues.TIE)).sum())
        self.total += len(null)
        top = float(null.max())
        if top > self.top:
            # earlier maxima within the tolerance of the new one still tie with it
            self.tops = self.tops if self.top >= top * (1 - pvalues.TIE) else 0
            self.top = top
        self.tops += int((null >= self.top * (1 - pvalues.TIE)).sum())
        if self.keep:
            both = np.concatenate([self.largest, null])
            self.largest = np.partition(both, max(len(both) - self.keep, 0))[-self.keep :]

    def p(self, exact: bool) -> float:
        """Return the p-value (Phipson & Smyth 2010)."""
        if np.isnan(self.observed):
            return NAN
        return self.extreme / self.total if exact else (1 + self.extreme) / (1 + self.total)

    def floor(self, exact: bool) -> float:
        """Return the smallest p-value that the plan can give."""
        return self.tops / self.total if exact else 1 / (1 + self.total)

    def attainable(self, exact: bool) -> Array:
        """Return the smallest p-values that an enumerated plan can give."""
        return pvalues.smallest_p(self.largest, self.total) if exact else np.zeros(0)


def test_lines(
    lines: Sequence[LineData], features: Sequence[Sequence[Array]], f1: float, budget: Budget
) -> list[Tested]:
    """Test lines of one shape against their controls.

    Parameters
    ----------
    lines : sequence of LineData
        Same sizes; without dates also the same controls.
    features : sequence of sequence of ndarray, shape (unit, cell)
        Profiles of each line; two or more are combined as ``sum of T / mean(T*)``.
    f1 : float
        Effective dimension of the first profile, for the F approximation.
    budget : Budget

    Returns
    -------
    list of Tested
    """
    tallies, exact = _main(lines, features, budget)
    out = []
    for data, tally, own in zip(lines, tallies, features, strict=True):
        df = linetest.degrees_of_freedom(data)
        p_f = pvalues.p_f(tally.observed, f1, df) if len(own) == 1 else NAN
        statistic = {"main": tally.observed}
        p, floor = {"main": tally.p(exact)}, {"main": tally.floor(exact)}
        attainable = {"main": tally.attainable(exact)}
        if data.rows is not None:
            for name, one in _divergence_tallies(data, budget).items():
                statistic[name] = one.observed
                p[name], floor[name] = one.p(exact), one.floor(exact)
                attainable[name] = one.attainable(exact)
        out.append(Tested(statistic, p, floor, p_f, df, exact, tally.total, attainable))
    return out


def _main(
    lines: Sequence[LineData], features: Sequence[Sequence[Array]], budget: Budget
) -> tuple[list[Tally], bool]:
    """Tallies of the main statistic, refined where small."""
    exact, null = _null_of(lines, features, budget, 0)
    scales = [[float(part.mean()) or 1.0 for part in parts] for parts in null]
    tallies = []
    for data, own, parts, scale in zip(lines, features, null, scales, strict=True):
        tally = Tally(_observed(data, own, scale), budget.tail)
        tally.add(_joined(parts, scale))
        tallies.append(tally)
    if exact or budget.resamples < REFINE_FROM:
        return tallies, exact
    small = [i for i, t in enumerate(tallies) if t.p(False) < REFINE_BELOW]
    for stage in range(1, (REFINED - budget.resamples) // STAGE + 1):
        for i in small:  # one by one: memory stays bounded
            _, more = _null_of([lines[i]], [features[i]], replace(budget, resamples=STAGE), stage)
            tallies[i].add(_joined(more[0], scales[i]))
    return tallies, exact


def _observed(data: LineData, features: Sequence[Array], scale: Sequence[float]) -> float:
    """Observed statistic by the plain formula; several profiles are scaled and summed."""
    label = data.design.is_line[None]
    parts = []
    for x in features:
        plain = LineData(data.design, x, None, data.visits, data.possible)
        parts.append(float(linetest.statistics(label, plain)["welch"][0]))
    if len(parts) == 1:
        return parts[0]
    return float(sum(part / s for part, s in zip(parts, scale, strict=True)))


def _joined(parts: Sequence[Array], scale: Sequence[float]) -> Array:
    if len(parts) == 1:
        return parts[0]
    return np.sum([part / s for part, s in zip(parts, scale, strict=True)], axis=0)


def _null_of(
    lines: Sequence[LineData], features: Sequence[Sequence[Array]], budget: Budget,
    stage: int,
) -> tuple[bool, list[list[Array]]]:  # fmt: skip
    """Null statistics, by line and profile, each of shape (relabelling,)."""
    if not lines[0].design.dated:
        return _free_null(lines, features, budget, stage)
    return _dated_null(lines, features, budget, stage)


def _free_null(lines, features, budget, stage):  # type: ignore[no-untyped-def]
    design = lines[0].design
    plan = plans.free_plan(design.n_line, design.n_control, budget, stage)
    by_feature = []
    for f in range(len(features[0])):
        controls = features[0][f][~design.is_line]
        own = np.stack([x[f][d.design.is_line] for x, d in zip(features, lines, strict=True)])
        numbers = controls.shape[1] + 3 * plan.chosen.shape[1] + len(lines)
        parts = [
            SharedControls(plan.part(some), controls).null(own)
            for some in budget.slices(len(plan.chosen), numbers)
        ]
        by_feature.append(np.concatenate(parts, axis=1))
    return plan.exact, [[part[i] for part in by_feature] for i in range(len(lines))]


def _dated_null(lines, features, budget, stage):  # type: ignore[no-untyped-def]
    sizes = tuple(lines[0].design.sizes)
    plan = plans.dated_plan(sizes, budget, stage)
    if plan is None:
        return False, [
            [_plain_null(data, x, budget, stage) for x in own]
            for data, own in zip(lines, features, strict=True)
        ]
    geometry = _geometry(sizes, budget, stage, lines[0].design.by_plate)
    out = []
    for data, own in zip(lines, features, strict=True):
        members = plans.date_members(data.design)
        out.append([ratio(*geometry.null([x[m] for m in members])) for x in own])
    return plan.exact, out


@lru_cache(maxsize=4)
def _geometry(
    sizes: tuple[tuple[int, int], ...], budget: Budget, stage: int, by_plate: bool
) -> DatedGeometry:
    """Keep the index arrays of the latest plans: lines of one shape share them."""
    plan = plans.dated_plan(sizes, budget, stage)
    assert plan is not None
    return DatedGeometry(plan, linetest.plate_factors(sizes) if by_plate else None, budget)


def _plain_labels(design: Design, budget: Budget, stage: int) -> Iterator[NDArray[np.bool_]]:
    """Yield labels where a date has too many ways to be tabulated."""
    rng = np.random.default_rng([budget.seed, stage, *(v for pair in design.sizes for v in pair)])
    return resampling.relabellings(design, budget.resamples, rng, budget.most)


def _plain_null(data: LineData, x: Array, budget: Budget, stage: int) -> Array:
    plain = LineData(data.design, x, None, data.visits, data.possible)
    labels = _plain_labels(data.design, budget, stage)
    return resampling.null_distribution(labels, lambda one: linetest.statistics(one, plain))[
        "welch"
    ]


def _divergence_tallies(data: LineData, budget: Budget) -> dict[str, Tally]:
    """Tallies of the studentised divergences on the same plan."""
    observed = linetest.statistics(data.design.is_line[None], data)
    tallies = {name: Tally(float(observed[name][0]), budget.tail) for name in DIVERGENCES}
    if data.design.dated and plans.dated_plan(tuple(data.design.sizes), budget) is None:
        for labels in _plain_labels(data.design, budget, 0):
            null = linetest.statistics(labels, data)
            for name, tally in tallies.items():
                tally.add(null[name])
        return tallies
    for p, q, variance in _mean_rows(data, budget):
        for name, value in linetest.divergences(p, q, data).items():
            tallies[name].add(ratio(value, variance))
    return tallies


def _mean_rows(data: LineData, budget: Budget) -> Iterator[tuple[Array, Array, Array]]:
    """Yield mean rows of line and control, and the variance, by slices of the plan."""
    if not data.design.dated:
        yield from _free_rows(data, budget)
    else:
        yield from _dated_rows(data, budget)


def _free_rows(data: LineData, budget: Budget) -> Iterator[tuple[Array, Array, Array]]:
    design = data.design
    plan = plans.free_plan(design.n_line, design.n_control, budget)
    order = np.concatenate([np.flatnonzero(design.is_line), np.flatnonzero(~design.is_line)])
    rows = data.rows[order].reshape(len(order), -1)  # type: ignore[index]
    x = data.x[order] - data.x.mean(axis=0)
    norms, grand = (x**2).sum(axis=1), rows.sum(axis=0)
    k, r = plan.chosen.shape[1], len(order) - plan.chosen.shape[1]
    for some in _some(budget, len(plan.chosen), k * (rows.shape[1] + x.shape[1])):
        chosen = plan.chosen[some]
        drawn, sums, norm = (v[chosen].sum(axis=1) for v in (rows, x, norms))
        square = (sums**2).sum(axis=1)
        # the profiles sum to zero over all units, so the rest sums to minus the drawn
        variance = (norm - square / k) / (k * (k - 1))
        variance += (norms.sum() - norm - square / r) / (r * (r - 1))
        pair = drawn / k, (grand - drawn) / r
        p, q = pair if design.n_line <= design.n_control else pair[::-1]
        yield p, q, variance


def _dated_rows(data: LineData, budget: Budget) -> Iterator[tuple[Array, Array, Array]]:
    design = data.design
    plan = plans.dated_plan(tuple(design.sizes), budget)
    assert plan is not None
    members = plans.date_members(design)
    rows = data.rows.reshape(len(design.units), -1)  # type: ignore[union-attr]
    geometry = _geometry(plan.sizes, budget, 0, design.by_plate)
    _, variance = geometry.null([data.x[m] for m in members])
    weights = date_weights(design)
    tables = []
    for (m, c), ways, units in zip(plan.sizes, plan.subsets, members, strict=True):
        line = ways.astype(np.float64) @ rows[units]
        tables.append((line / m, (rows[units].sum(axis=0) - line) / c))
    for some in _some(budget, len(plan.choice), 4 * rows.shape[1]):
        choice = plan.choice[some]
        p, q = (
            sum(weights[d] * tables[d][side][choice[:, d]] for d in range(len(tables)))
            for side in (0, 1)
        )
        yield p, q, variance[some]


def _some(budget: Budget, total: int, numbers: int) -> Iterator[slice]:
    """Cut a plan so that a piece fits in memory, and in any case into pieces of SLICE."""
    for piece in budget.slices(total, numbers):
        for start in range(piece.start, min(piece.stop, total), SLICE):
            yield slice(start, min(start + SLICE, piece.stop))


def joint_null(
    lines: Sequence[LineData],
    features: Sequence[Sequence[Array]],
    budget: Budget,
    stage: int,
    name: str,
    scales: Sequence[Sequence[float]] | None = None,
) -> tuple[bool, list[Array], list[list[float]]]:
    """Return one statistic of every relabelling of a plan, for use with those of other windows.

    Parameters
    ----------
    lines, features, budget
        As in :func:`test_lines`.
    stage : int
        Which part of the plan: 0, and further ones to refine small p-values of ``main``.
    name : str
        ``main`` or a divergence.
    scales : sequence, optional
        Null means of the profiles, from stage 0: several profiles are divided by them and summed.

    Returns
    -------
    exact : bool
        Whether the plan is an enumeration.
    null : list of ndarray, shape (relabelling,)
        By line, in the order of the plan, which windows share.
    scales : list of list of float
    """
    if name != "main":
        found = [_divergence_null(data, budget, name) for data in lines]
        return found[0][0], [null for _, null in found], [[1.0] for _ in lines]
    exact, parts = _null_of(lines, features, budget, stage)
    if scales is None:
        scales = [[float(part.mean()) or 1.0 for part in own] for own in parts]
    joined = [_joined(own, scale) for own, scale in zip(parts, scales, strict=True)]
    return exact, joined, [list(scale) for scale in scales]


def _divergence_null(data: LineData, budget: Budget, name: str) -> tuple[bool, Array]:
    """Whether the plan is exact, and one studentised divergence of every relabelling of it."""
    if data.design.dated:
        plan = plans.dated_plan(tuple(data.design.sizes), budget)
        if plan is None:
            labels = _plain_labels(data.design, budget, 0)
            null = resampling.null_distribution(labels, lambda one: linetest.statistics(one, data))
            return False, null[name]
        exact = plan.exact
    else:
        exact = plans.free_plan(data.design.n_line, data.design.n_control, budget).exact
    parts = [ratio(linetest.divergences(p, q, data)[name], variance)
             for p, q, variance in _mean_rows(data, budget)]  # fmt: skip
    return exact, np.concatenate(parts)
