"""Several windows of one screen: when does a line differ, with one error for all windows.

Every window has its own profiles and its own studentised statistic T; all are computed for the
same relabellings, so that the largest T over the windows has a null distribution of its own
(Westfall & Young 1993, *Resampling-Based Multiple Testing*). T is studentised within its window.
Its raw maximum treats windows of 15 and of 180 transitions per plate alike, and found more than
min-p did, which cannot reject at all on coarse plans (4 plates against 4: .00 against .16).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.blocks import REFINE_FROM, REFINED
from larvastats.inference.design.setting import Setting
from larvastats.inference.lines.nulls import REFINE_BELOW, STAGE, joint_null
from larvastats.inference.options import Options
from larvastats.inference.profiles.features import count_units, make_profiles
from larvastats.inference.screen.layout import Counted, extent, lay_out
from larvastats.inference.screen.outcome import (
    BATCH,
    LineOutcome,
    LineTask,
    analyse_batch,
    line_data,
)
from larvastats.inference.screen.tables import main_name
from larvastats.inference.significance.pvalues import TIE
from larvastats.protocol import Window, windows

Array = NDArray[np.float64]

MOST = 200
"""Windows of one screen."""

FEW = 0.5
"""A window in which fewer than this share of all assays has a transition is left out."""


def is_family(window: str | None) -> bool:
    """Whether a window specification may name several windows."""
    return window is not None and (
        "," in window or window.strip() == "each" or window.strip().startswith("sliding")
    )


def family(setting: Setting, window: str) -> tuple[Window, ...]:
    """Return the windows of ``each``, ``sliding:…`` or ``W1,W2,…``, in the order given.

    Raises
    ------
    UsageError
        ``each`` without a stimulus, a window named twice, or too many.
    """
    if window.strip() == "each" and not setting.protocol.has_stimulus:
        raise UsageError(
            f"protocol {setting.protocol.raw or '(none)'!r} has no stimulus with times, hence no "
            "windows to test each of; use window whole, START:STOP or sliding:WIDTH:STEP."
        )
    reach = extent(setting)
    parts = [windows(setting.protocol, part, extent=reach) for part in window.split(",")]
    chosen = tuple(w for part in parts for w in part)
    if len({w.intervals for w in chosen}) < len(chosen):
        raise UsageError(f"window {window!r} names a window twice; name each once.")
    if len(chosen) > MOST:
        raise UsageError(
            f"window {window!r} makes {len(chosen)} windows, and a screen tests at most {MOST} "
            "together; take a longer step."
        )
    return chosen


def count_family(
    setting: Setting, options: Options, window: str
) -> tuple[list[Counted], tuple[str, ...]]:
    """Count every window; all windows share the assays that have a transition in each.

    Returns
    -------
    list of Counted
        One per window that enough assays have a transition in.
    tuple of str
        A note on the windows that were left out.

    Raises
    ------
    UsageError, DataError
        Windows that cannot be, or all of them empty.
    """
    chosen = family(setting, window)
    units = count_units(setting.ethogram, chosen, options)
    tried = units.trials.sum(axis=2) > 0  # (assay, window)
    happened = units.counts.sum(axis=(2, 3)).any(axis=0)
    kept = np.flatnonzero((tried.mean(axis=0) >= FEW) & happened)
    if not len(kept):
        raise DataError(
            f"none of the windows {'; '.join(w.describe() for w in chosen[:6])} holds a transition "
            f"in half of the assays of protocol {setting.protocol.raw or '(none)'!r}; choose "
            "windows within the recordings, or check the stimulus times (--gap)."
        )
    notes = tuple(
        f"window {chosen[w].describe()} left out: {int(tried[:, w].sum())} of {len(tried)} assays "
        "have a transition in it"
        for w in range(len(chosen))
        if w not in kept
    )
    usable = tried[:, kept].all(axis=1)
    parts = []
    for w in kept:
        own = units.window(int(w))
        made = make_profiles(own, own, options)
        parts.append(Counted(setting, (chosen[w],), own, made, usable))
    return parts, notes


def lay_out_family(
    parts: Sequence[Counted], pairs: Mapping[str, str | None], options: Options
) -> tuple[list[tuple[LineTask, ...]], list[list[dict[str, Any]]]]:
    """Make the tasks of every line, window by window, and the describing columns of every window.

    Returns
    -------
    tasks : list of tuple of LineTask
        By line, then window. Intervals cover for all windows together (Bonferroni).
    rows : list of list of dict
        By window, then line.
    """
    level = 1 - 0.05 / len(parts)
    laid = [lay_out(counted, pairs, options) for counted in parts]
    by_line = zip(*([replace(t, level=level) for t in tasks] for tasks, _ in laid), strict=True)
    return list(by_line), [rows for _, rows in laid]


@dataclass(frozen=True, slots=True)
class FamilyTask:
    """Lines of one shape in all windows, by line and window, and the statistic that ranks them."""

    lines: tuple[tuple[LineTask, ...], ...]
    statistic: str


@dataclass(frozen=True, slots=True)
class FamilyOutcome:
    """One line in all windows; arrays of shape (window,), NaN where no test is possible.

    Attributes
    ----------
    outcomes : tuple of LineOutcome
        Of each window alone.
    single_step : ndarray
        Share of relabellings whose largest T over all windows reaches that of the window.
    step_down : ndarray
        The same over the windows that are no stronger, made monotone: never larger.
    floor : float
        Smallest p-value of the largest T.
    exact : bool
    n_resamples : int
    """

    outcomes: tuple[LineOutcome, ...]
    single_step: Array
    step_down: Array
    floor: float
    exact: bool
    n_resamples: int


def family_batches(tasks: Sequence[tuple[LineTask, ...]]) -> list[list[int]]:
    """Group lines that have one shape in every window, few at a time: each holds all windows."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, windows_of in enumerate(tasks):
        groups.setdefault(tuple(t.shape for t in windows_of), []).append(i)
    size = max(1, BATCH // max(len(tasks[0]), 1)) if tasks else 1
    return [g[s : s + size] for g in groups.values() for s in range(0, len(g), size)]


def analyse_family(task: FamilyTask) -> list[FamilyOutcome]:
    """Test lines of one shape in every window, and in all windows together."""
    n_windows = len(task.lines[0])
    alone = [analyse_batch([line[w] for line in task.lines]) for w in range(n_windows)]
    by_line = [tuple(alone[w][i] for w in range(n_windows)) for i in range(len(task.lines))]
    if task.lines[0][0].design.reason:
        blank = np.full(n_windows, np.nan)
        return [FamilyOutcome(o, blank, blank, float("nan"), False, 0) for o in by_line]
    tallies, exact = _joint(task, by_line)
    return [
        FamilyOutcome(o, t.single_step(exact), t.step_down(exact), t.floor(exact), exact, t.total)
        for o, t in zip(by_line, tallies, strict=True)
    ]


class MaxT:
    """Relabellings whose largest statistic reaches the observed ones, counted block by block.

    Parameters
    ----------
    observed : ndarray, shape (window,)
    """

    __slots__ = ("observed", "order", "single", "step", "top", "tops", "total")

    def __init__(self, observed: Array) -> None:
        self.observed = observed
        self.order = np.argsort(-observed, kind="stable")
        self.single, self.step = np.zeros((2, len(observed)), dtype=np.int64)
        self.total, self.top, self.tops = 0, -np.inf, 0

    def add(self, null: Array) -> None:
        """Count a block of relabelled statistics, shape (relabelling, window)."""
        limit = self.observed * (1 - TIE)
        weakest_first = np.maximum.accumulate(null[:, self.order[::-1]], axis=1)
        largest = weakest_first[:, -1]
        self.single += (largest[:, None] >= limit).sum(axis=0)
        self.step[self.order] += (weakest_first[:, ::-1] >= limit[self.order]).sum(axis=0)
        self.total += len(null)
        top = float(largest.max())
        if top > self.top:
            # earlier maxima within the tolerance of the new one still tie with it
            self.tops = self.tops if self.top >= top * (1 - TIE) else 0
            self.top = top
        self.tops += int((largest >= self.top * (1 - TIE)).sum())

    def single_step(self, exact: bool) -> Array:
        """Return adjusted p-values, shape (window,)."""
        return self._share(self.single, exact)

    def step_down(self, exact: bool) -> Array:
        """Return step-down adjusted p-values, shape (window,)."""
        out = np.empty(len(self.order))
        out[self.order] = np.maximum.accumulate(self._share(self.step, exact)[self.order])
        return out

    def floor(self, exact: bool) -> float:
        """Return the smallest p-value that the plan can give."""
        return self.tops / self.total if exact else 1 / (1 + self.total)

    def _share(self, extreme: NDArray[np.int64], exact: bool) -> Array:
        share = extreme / self.total if exact else (1 + extreme) / (1 + self.total)
        return np.asarray(share, dtype=np.float64)


def _joint(task: FamilyTask, by_line: Sequence[tuple[LineOutcome, ...]]) -> tuple[list[MaxT], bool]:
    """Tallies of the largest statistic over the windows, refined where small."""
    name, budget = main_name(task.statistic), task.lines[0][0].budget
    tallies = [MaxT(np.array([o.statistic[name] for o in line])) for line in by_line]
    everyone = range(len(task.lines))
    exact, null, scales = _windows_null(task, everyone, budget.resamples, 0, name, None)
    for tally, block in zip(tallies, null, strict=True):
        tally.add(block)
    if exact or budget.resamples < REFINE_FROM or name != "main":
        return tallies, exact
    small = [i for i in everyone if tallies[i].single_step(False).min() < REFINE_BELOW]
    for i in small:
        own = [[scale[i]] for scale in scales]
        for stage in range(1, (REFINED - budget.resamples) // STAGE + 1):
            tallies[i].add(_windows_null(task, [i], STAGE, stage, name, own)[1][0])
    return tallies, exact


def _windows_null(  # type: ignore[no-untyped-def]
    task: FamilyTask, lines: Sequence[int], resamples: int, stage: int, name: str, scales
):
    """Null statistics of some lines, each of shape (relabelling, window), on one plan."""
    budget = replace(task.lines[0][0].budget, resamples=resamples)
    columns, found = [], []
    for w in range(len(task.lines[0])):
        own = [task.lines[i][w] for i in lines]
        data, features = [line_data(t) for t in own], [t.features for t in own]
        scale = None if scales is None else scales[w]
        exact, null, used = joint_null(data, features, budget, stage, name, scale)
        columns.append(null)
        found.append(used)
    stacked = [np.stack([c[i] for c in columns], axis=1) for i in range(len(lines))]
    return exact, stacked, found
