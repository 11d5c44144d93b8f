"""Relabelling plans shared by all lines of one shape, stored as choices and not as labels.

A plan depends on the seed and on the sizes of the groups alone: the same line has the same plan,
and so the same p-value, alone or among a thousand others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.design.blocks import MAX_ENUMERATION, Design

Choice = NDArray[np.int32]

MAX_PER_DATE = 4096
"""Dates with more ways to choose the line's assays are not tabulated."""


MEMORY = 512
"""MiB for the tables of one batch of lines."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many relabellings to make, and when to make them all.

    Attributes
    ----------
    resamples : int
        Random relabellings of a design with too many.
    seed : int
    most : int
        Designs with at most this many relabellings are enumerated.
    tail : int
        How many of the smallest possible p-values of an enumerated design to report, for
        corrections over lines.
    memory : int
        MiB that the tables behind the relabellings of one batch of lines may take; results do not
        depend on it.
    """

    resamples: int = 10_000
    seed: int = 0
    most: int = MAX_ENUMERATION
    tail: int = 0
    memory: int = MEMORY

    def slices(self, total: int, numbers: int) -> Iterator[slice]:
        """Cut `total` relabellings, each of so many numbers, into pieces that fit in memory."""
        step = max(1, min(total, (self.memory << 20) // (8 * max(numbers, 1))))
        for start in range(0, total, step):
            yield slice(start, start + step)


@dataclass(frozen=True, slots=True, eq=False)
class FreePlan:
    """Ways to choose the smaller group among all units of an undated comparison.

    Attributes
    ----------
    chosen : ndarray of int32, shape (relabelling, smaller group)
        Positions of the units; the line's come first.
    n_line, n_control : int
    exact : bool
        Whether all ways are listed.
    """

    chosen: Choice
    n_line: int
    n_control: int
    exact: bool

    def part(self, some: slice) -> FreePlan:
        """Return some of the relabellings."""
        return FreePlan(self.chosen[some], self.n_line, self.n_control, self.exact)

    def labels(self) -> NDArray[np.bool_]:
        """Return the plan as labels, shape (relabelling, unit), True = line."""
        chosen = np.zeros((len(self.chosen), self.n_line + self.n_control), dtype=bool)
        np.put_along_axis(chosen, self.chosen.astype(np.int64), True, axis=1)
        return chosen if self.n_line <= self.n_control else ~chosen


@dataclass(frozen=True, slots=True, eq=False)
class DatedPlan:
    """Ways to choose the line's assays on each date.

    Attributes
    ----------
    sizes : tuple of (int, int)
        Assays (line, control) of each date.
    subsets : tuple of ndarray of bool, each of shape (way, unit of the date)
        All ways to choose on one date; the line's units come first.
    choice : ndarray of int32, shape (relabelling, date)
        Which way is taken on each date.
    exact : bool
    """

    sizes: tuple[tuple[int, int], ...]
    subsets: tuple[NDArray[np.bool_], ...]
    choice: Choice
    exact: bool

    def labels(self, members: list[NDArray[np.int64]]) -> NDArray[np.bool_]:
        """Return the plan as labels, shape (relabelling, unit).

        Parameters
        ----------
        members : list of ndarray of int
            Units of each date, the line's first.
        """
        out = np.zeros((len(self.choice), sum(len(m) for m in members)), dtype=bool)
        for d, (units, ways) in enumerate(zip(members, self.subsets, strict=True)):
            out[:, units] = ways[self.choice[:, d]]
        return out


@lru_cache(maxsize=64)
def free_plan(n_line: int, n_control: int, budget: Budget, stage: int = 0) -> FreePlan:
    """Return the plan of an undated comparison; later stages are further, independent draws."""
    n, k = n_line + n_control, min(n_line, n_control)
    if comb(n, k) <= budget.most:
        chosen = np.array(list(combinations(range(n), k)), dtype=np.int32).reshape(-1, k)
        return FreePlan(chosen, n_line, n_control, True)
    rng = np.random.default_rng([budget.seed, stage, n_line, n_control])
    return FreePlan(_subsets(n, k, budget.resamples, rng), n_line, n_control, False)


def _subsets(n: int, k: int, count: int, rng: np.random.Generator) -> Choice:
    """Draw random k-subsets of n by Floyd's algorithm, all at once, shape (count, k)."""
    out = np.empty((count, k), dtype=np.int32)
    for i, top in enumerate(range(n - k, n)):
        pick = rng.integers(0, top + 1, size=count, dtype=np.int32)
        taken = (out[:, :i] == pick[:, None]).any(axis=1)
        out[:, i] = np.where(taken, top, pick)
    return out


@lru_cache(maxsize=64)
def dated_plan(
    sizes: tuple[tuple[int, int], ...], budget: Budget, stage: int = 0
) -> DatedPlan | None:
    """Return the plan of a dated comparison; None where a date has too many ways to tabulate."""
    ways = [comb(m + c, m) for m, c in sizes]
    if max(ways) > MAX_PER_DATE:
        return None
    subsets = tuple(_ways(m, c) for m, c in sizes)
    total = prod(ways)
    if total <= budget.most:
        grid = np.indices(ways, dtype=np.int32).reshape(len(ways), -1).T
        return DatedPlan(sizes, subsets, np.ascontiguousarray(grid), True)
    rng = np.random.default_rng([budget.seed, stage, *(v for pair in sizes for v in pair)])
    choice = np.stack(
        [rng.integers(0, w, size=budget.resamples, dtype=np.int32) for w in ways], axis=1
    )
    return DatedPlan(sizes, subsets, choice, False)


def _ways(m: int, c: int) -> NDArray[np.bool_]:
    rows = np.array(list(combinations(range(m + c), m)), dtype=np.int64).reshape(-1, m)
    out = np.zeros((len(rows), m + c), dtype=bool)
    np.put_along_axis(out, rows, True, axis=1)
    return out


def date_members(design: Design) -> list[NDArray[np.int64]]:
    """Return the units of each date, the line's first."""
    members = []
    for b in range(design.n_blocks):
        here = design.block == b
        line, control = (
            np.flatnonzero(here & design.is_line),
            np.flatnonzero(here & ~design.is_line),
        )
        members.append(np.concatenate([line, control]))
    return members
