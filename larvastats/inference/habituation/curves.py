"""One curve per assay: the response in every bin, and before the stimulus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.habituation.model import Shape
from larvastats.inference.habituation.plan import Plan
from larvastats.inference.habituation.response import Response

Array = NDArray[np.float64]

TENTH = 10
"""The first and the last of so many parts are the initial and the final level."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Binned responses of assays.

    Attributes
    ----------
    mean, weight : ndarray, shape (assay, bin)
        Response and from how many larvae; NaN and 0 where nothing was tracked.
    before : ndarray, shape (assay,)
        Response before the onset; NaN where unknown.
    width : ndarray, shape (bin,)
        s; 1 (pulse) under ``pulses``.
    shape : Shape
    binomial : bool
    name : str
        Of the response.
    """

    mean: Array
    weight: Array
    before: Array
    width: Array
    shape: Shape
    binomial: bool
    name: str

    def take(self, rows: NDArray[np.integer]) -> Curves:
        """Keep some assays."""
        return Curves(
            self.mean[rows], self.weight[rows], self.before[rows], self.width, self.shape,
            self.binomial, self.name,
        )  # fmt: skip

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Assays with data early and late in the stimulus and in half of its bins, (assay,)."""
        seen = self.weight > 0
        third = max(1, seen.shape[1] // 3)
        early, late = seen[:, :third].any(axis=1), seen[:, -third:].any(axis=1)
        return np.asarray(early & late & (seen.mean(axis=1) >= 0.5), dtype=bool)

    @property
    def pooled(self) -> tuple[Array, Array]:
        """Mean over all larvae and their number, each (bin,)."""
        n = self.weight.sum(axis=0)
        total = np.where(self.weight > 0, self.weight * self.mean, 0.0).sum(axis=0)
        return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0), n

    @property
    def initial(self) -> Array:
        """Response in the first tenth of the (first) stimulus, shape (assay,)."""
        first = np.flatnonzero(self.shape.block == 0)
        return self._average(first[: (len(first) + TENTH - 1) // TENTH])

    @property
    def final(self) -> Array:
        """Response in the last tenth of the (last) stimulus, shape (assay,)."""
        last = np.flatnonzero(self.shape.block == self.shape.block.max())
        return self._average(last[len(last) - (len(last) + TENTH - 1) // TENTH :])

    @property
    def area(self) -> Array:
        """Area between curve and baseline (curve and 0 where there is none), shape (assay,).

        In seconds times the response (pulses times the response); bins without data count as the
        average of the others.
        """
        base = np.where(np.isnan(self.before), 0.0, self.before)
        seen = self.weight > 0
        height = np.where(seen, self.mean - base[:, None], 0.0)
        share = (seen * self.width).sum(axis=1) / self.width.sum()
        area = (height * self.width).sum(axis=1)
        return np.divide(area, share, out=np.full(len(area), np.nan), where=share > 0)

    def _average(self, bins: NDArray[np.integer]) -> Array:
        w, y = self.weight[:, bins], np.nan_to_num(self.mean[:, bins])
        total = w.sum(axis=1)
        out = np.full(len(total), np.nan)
        return np.divide((w * y).sum(axis=1), total, out=out, where=total > 0)


def make_curves(response: Response, plan: Plan) -> Curves:
    """Measure a response over the intervals of a plan."""
    mean, weight = response.over(plan.start, plan.stop)
    before = np.full(len(mean), np.nan)
    if plan.before is not None:
        low, high = (np.array([side]) for side in plan.before)
        before = response.over(low, high)[0][:, 0]
    pulses = plan.shape.kind == "pulses"
    width = np.ones(len(plan.start)) if pulses else plan.stop - plan.start
    return Curves(mean, weight, before, width, plan.shape, response.binomial, response.name)
