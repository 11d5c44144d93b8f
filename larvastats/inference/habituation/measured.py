"""A source with one curve per assay, ready to be studied genotype by genotype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats import compute
from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.inference.design.setting import (
    DEFAULT_CONTROL,
    Setting,
    find_controls,
    find_genotype,
)
from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.plan import Plan
from larvastats.inference.habituation.response import Response
from larvastats.inference.habituation.study import LEAST_DATES, Choices, Outcome, Task, study
from larvastats.inference.options import name_list

LATE = 1.25
"""A response that grows by more than this factor after its first bin peaks late."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A setting with one curve per assay.

    Attributes
    ----------
    setting : Setting
    plan : Plan
    curves : Curves
        Of every assay.
    used : ndarray of bool, shape (assay,)
        Whether an assay was tracked through the stimulus.
    """

    setting: Setting
    plan: Plan
    curves: Curves
    used: NDArray[np.bool_]

    def rows(self, genotype: str) -> NDArray[np.int64]:
        """Rows of a genotype's assays that can be used."""
        rows = self.setting.rows(genotype)
        return rows[self.used[rows]]

    def dates(self, rows: NDArray[np.int64]) -> NDArray[np.object_] | None:
        """Dates of assays; None where they do not count."""
        dates = self.setting.dates
        if dates is None or any(d is None for d in dates[rows]):
            return None
        return dates[rows]


@dataclass(frozen=True, slots=True)
class RowsOf:
    """Some assays of a response."""

    whole: Response
    keep: NDArray[np.int64]

    @property
    def name(self) -> str:
        """Name of the response."""
        return self.whole.name

    @property
    def binomial(self) -> bool:
        """Whether it is a share of larvae."""
        return self.whole.binomial

    @property
    def n_assays(self) -> int:
        """Number of assays kept."""
        return len(self.keep)

    def over(
        self, start: NDArray[np.float64], stop: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and weight, each (assay, interval)."""
        mean, weight = self.whole.over(start, stop)
        return mean[self.keep], weight[self.keep]


def rows_of(response: Response, whole: Ethogram, setting: Setting) -> Response:
    """Return the assays of the protocol of a response that was measured for a whole source.

    Raises
    ------
    UsageError
        It has more or fewer assays than the source.
    """
    known, chosen = (e.assays["assay"] for e in (whole, setting.ethogram))
    if response.n_assays != len(known):
        raise UsageError(
            f"the response {response.name!r} has {response.n_assays} assays, but the source has "
            f"{len(known)}; give one row per assay, in the order of the source."
        )
    return RowsOf(response, np.flatnonzero(known.isin(chosen).to_numpy(bool)))


def extent(setting: Setting) -> tuple[float, float]:
    """Return when the recordings start and end, s."""
    larvae = setting.ethogram.larvae
    if larvae.empty:
        raise DataError("no larva was tracked in this protocol: nothing to analyse.")
    return float(larvae["t_from"].min()), float(larvae["t_to"].max())


def choose_pairs(
    setting: Setting, control: str | None, genotypes: str | Sequence[str] | None
) -> tuple[dict[str, str | None], list[str]]:
    """Return the control of every genotype (None for controls themselves), and notes."""
    assays = setting.ethogram.assays
    notes: list[str] = []
    if control is None and not (assays["line"] == DEFAULT_CONTROL).any():
        pairs: dict[str, str | None] = dict.fromkeys(sorted(assays["genotype"].unique()))
        if len(pairs) > 1:
            notes.append("no control named: time constants are not compared (--control)")
    else:
        pairs = find_controls(assays, control)
        alone = [g for g, c in pairs.items() if c is None]
        if alone:
            more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
            notes.append(
                f"not compared, no control with its effector: {', '.join(alone[:3])}{more}"
            )
    if genotypes is not None:
        wanted = {find_genotype(assays, name) for name in name_list(genotypes)}
        controls = {c for g, c in pairs.items() if g in wanted and c is not None}
        pairs = {g: c for g, c in pairs.items() if g in wanted}
        pairs |= dict.fromkeys(sorted((wanted | controls) - set(pairs)))
    for name in sorted({c for c in pairs.values() if c is not None}):
        pairs.setdefault(name, None)
    return pairs, notes


def study_all(
    measured: Measured, pairs: Mapping[str, str | None], choices: Choices, jobs: int,
    progress: bool,
) -> dict[str, Outcome]:  # fmt: skip
    """Analyse the genotypes without a control first: they may be the controls of the others."""

    def task(genotype: str) -> Task:
        rows = measured.rows(genotype)
        return Task(genotype, measured.curves.take(rows), measured.dates(rows), choices)

    first = [task(g) for g, c in pairs.items() if c is None]
    done = {t.genotype: o for t, o in zip(first, compute.run(study, first, jobs=jobs), strict=True)}
    second = []
    for genotype, control in pairs.items():
        if control is None:
            continue
        own, rows = task(genotype), measured.rows(control)
        second.append(
            Task(
                genotype,
                own.curves,
                own.dates,
                choices,
                measured.curves.take(rows),
                measured.dates(rows),
                done[control].fit,
            )
        )
    found = compute.run(study, second, jobs=jobs, description="lines", progress=progress)
    done |= {t.genotype: o for t, o in zip(second, found, strict=True)}
    return {g: done[g] for g in pairs}


def late_peak(measured: Measured) -> list[str]:
    """Hint at a response that takes a while to build up; choosing the peak itself would bias."""
    plan, curves = measured.plan, measured.curves.take(np.flatnonzero(measured.used))
    before = curves.before[~np.isnan(curves.before)]
    if plan.shape.kind != "recovery" or not len(before):
        return []
    height = np.abs(curves.pooled[0] - before.mean())
    early = height[: max(2, len(height) // 4)]
    peak = int(np.argmax(early))
    if peak == 0 or not early[peak] > LATE * early[0]:
        return []
    start, stop = float(plan.start[peak]), float(plan.stop[-1])
    return [
        f"the response is largest {start - plan.start[0]:g} s after the onset: a decline from "
        f"there on is fitted with --window {start:g}:{stop:g}"
    ]


def few_dates(measured: Measured) -> list[str]:
    """Say what too few dates to be replicates mean."""
    dates = measured.setting.dates
    if dates is None or len({d for d in dates if d is not None}) >= LEAST_DATES:
        return []
    return [
        f"fewer than {LEAST_DATES} dates: tau has the assay as replicate, which holds unless tau "
        "itself differs much between vials"
    ]


def nothing(response: str, outcomes: Mapping[str, Outcome]) -> str:
    """Say why no genotype can be analysed."""
    reasons: dict[str, list[str]] = {}
    for genotype, outcome in outcomes.items():
        reasons.setdefault(outcome.reason, []).append(genotype)
    parts = []
    for reason, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        parts.append(f"{', '.join(names[:3])}{more}: {reason}")
    return (
        f"nothing can be said about the habituation of {response!r}; {'; '.join(parts)}; choose "
        "another response, stimulus or protocol, or record more assays."
    )
