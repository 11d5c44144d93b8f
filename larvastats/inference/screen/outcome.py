"""Everything that is computed about one line: a task that runs anywhere, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.design.blocks import Design
from larvastats.inference.effects import divergences
from larvastats.inference.effects.intervals import bootstrap_intervals
from larvastats.inference.lines import cells, pooled
from larvastats.inference.lines.linetest import DIVERGENCES, LineData
from larvastats.inference.lines.nulls import Tested, test_lines
from larvastats.inference.relabelling import resampling
from larvastats.inference.relabelling.plans import Budget
from larvastats.markov.transitions import possible_cells

Array = NDArray[np.float64]
NAN = float("nan")

BATCH = 24
"""Lines handled together: enough to share the controls' sums, few enough for the cache."""


@dataclass(frozen=True, slots=True)
class LineTask:
    """One line against its control, with all that its outcome depends on.

    Attributes
    ----------
    genotype, control : str
    design : Design
    features : tuple of ndarray, shape (unit, cell)
        Profiles of the design's units; several are combined.
    rows : ndarray, shape (unit, from, to), or None
        Imputed transition probabilities; None where divergences are undefined.
    counts : ndarray of int, shape (unit, from, to)
        In the (first) window.
    trials : ndarray of int, shape (unit, from)
        What each count is out of: departures, or larvae under ``ever``.
    kind : {'jump', 'frame', 'ever', 'ever-action'}
    f1 : float
        Effective dimension of the first profile.
    weighting : {'uniform', 'occupancy'}
    budget : Budget
        Relabellings, and the seed of all that is random.
    bootstrap : int
    want_g : bool
        Whether the statistic is G.
    level : float
        Coverage of the intervals of the divergences.
    """

    genotype: str
    control: str
    design: Design
    features: tuple[Array, ...]
    rows: Array | None
    counts: NDArray[np.int64]
    trials: NDArray[np.int64]
    kind: str
    f1: float
    weighting: str
    budget: Budget
    bootstrap: int
    want_g: bool = False
    level: float = 0.95

    @property
    def x(self) -> Array:
        """First profile, shape (unit, cell)."""
        return self.features[0]

    @property
    def shape(self) -> tuple[object, ...]:
        """What lines must have in common to be tested together."""
        if self.design.reason:
            return ("untested",)
        if self.design.dated:
            return ("dated", self.f1, *self.design.sizes)
        controls = self.design.units[~self.design.is_line]
        return ("free", self.f1, self.design.n_line, controls.tobytes())


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """What came out; NaN wherever the design allows no answer.

    Attributes
    ----------
    statistic, p_relabel, floor : dict of str to float
        By name: ``main``, ``hellinger``, ``js``, ``kl``.
    p_f : float
        F approximation of the main statistic.
    exact : bool
        Whether the relabellings were enumerated.
    n_resamples : int
    plug_in, adjusted : dict of str to float
        Divergences.
    interval : dict of str to (float, float)
    pseudo_95 : float
    z : ndarray, shape (from, to)
    empty_rows : int
        States that one side or both never left.
    attainable : dict of str to ndarray
        Smallest possible p-values by statistic, where they were asked for.
    """

    statistic: dict[str, float]
    p_relabel: dict[str, float]
    floor: dict[str, float]
    p_f: float
    exact: bool
    n_resamples: int
    plug_in: dict[str, float]
    adjusted: dict[str, float]
    interval: dict[str, tuple[float, float]]
    pseudo_95: float
    z: Array
    empty_rows: int
    attainable: dict[str, Array]


def batches(tasks: Sequence[LineTask]) -> list[list[int]]:
    """Group the tasks' positions by shape, a few at a time."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, task in enumerate(tasks):
        groups.setdefault(task.shape, []).append(i)
    return [g[s : s + BATCH] for g in groups.values() for s in range(0, len(g), BATCH)]


def analyse_line(task: LineTask) -> LineOutcome:
    """Test one line and describe its effect; the same result alone or in company."""
    return analyse_batch([task])[0]


def analyse_batch(tasks: Sequence[LineTask]) -> list[LineOutcome]:
    """Test lines of one shape and describe their effects."""
    first = tasks[0]
    if first.design.reason:
        tested = [_untested(t) for t in tasks]
    else:
        lines = [line_data(t) for t in tasks]
        features = [t.features for t in tasks]
        tested = test_lines(lines, features, first.f1, first.budget)
        if first.want_g:
            tested = [_with_g(t, one) for t, one in zip(tasks, tested, strict=True)]
    return [_outcome(task, one) for task, one in zip(tasks, tested, strict=True)]


def _with_g(task: LineTask, tested: Tested) -> Tested:
    """Put the likelihood-ratio G in the main statistic's place."""
    g = pooled.test("g", task.design, task.counts, task.budget)
    return replace(
        tested,
        statistic=tested.statistic | {"main": g.statistic},
        p=tested.p | {"main": g.p},
        floor=tested.floor | {"main": g.floor},
        p_f=NAN,
        n_resamples=g.n,
        attainable=tested.attainable | {"main": g.attainable},
    )


def cell_p(task: LineTask) -> Array:
    """Return family-wise p-values of one line's cells, shape (from, to)."""
    counts, trials = task.counts.astype(np.float64), task.trials.astype(np.float64)
    label = task.design.is_line[None]
    z = cells.relabelled_scores(label, counts, trials)[0]
    return cells.adjusted_p(z, task.design, counts, trials, task.budget)


def line_data(task: LineTask) -> LineData:
    """Return what the statistics of a task need."""
    possible = possible_cells(task.counts.shape[-1], task.kind)
    visits = task.counts.sum(axis=(0, 2))
    by_visits = task.weighting == "occupancy"
    return LineData(task.design, task.x, task.rows, visits, possible, by_visits)


def _untested(task: LineTask) -> Tested:
    names = ("main",) if task.rows is None else ("main", *DIVERGENCES)
    blank = dict.fromkeys(names, NAN)
    return Tested(blank, dict(blank), dict(blank), NAN, NAN, False, 0)


def _outcome(task: LineTask, tested: Tested) -> LineOutcome:
    is_line = task.design.is_line
    line = task.counts[is_line].astype(np.float64)
    control = task.counts[~is_line].astype(np.float64)
    z = cells.scores(line, control, task.trials[is_line], task.trials[~is_line])
    empty = ((line.sum(axis=(0, 2)) == 0) | (control.sum(axis=(0, 2)) == 0)).sum()
    return LineOutcome(
        tested.statistic,
        tested.p,
        tested.floor,
        tested.p_f,
        tested.exact,
        tested.n_resamples,
        *_described(task, line, control, tested.df),
        z,
        int(empty),
        tested.attainable,
    )


def _described(
    task: LineTask, line: Array, control: Array, df: float
) -> tuple[dict[str, float], dict[str, float], dict[str, tuple[float, float]], float]:
    """Plug-in and adjusted divergences, their intervals, the pseudo-lines' 95th percentile."""
    blank = dict.fromkeys(DIVERGENCES, NAN)
    if task.rows is None or not len(line) or not len(control):
        return blank, dict(blank), dict.fromkeys(DIVERGENCES, (NAN, NAN)), NAN
    possible = possible_cells(line.shape[-1], task.kind)
    plug_in = divergences.plug_in(line.sum(axis=0), control.sum(axis=0), possible, task.weighting)
    adjusted = divergences.adjusted(line, control, possible, task.weighting)
    counts = task.counts.astype(np.float64)
    rng = resampling.seeded(task.budget.seed, task.genotype, task.control, "bootstrap")
    interval = bootstrap_intervals(
        task.design, counts, possible, task.weighting, df, task.bootstrap, rng, task.level
    )
    rng = resampling.seeded(task.budget.seed, task.genotype, task.control, "pseudo-lines")
    pseudo = divergences.pseudo_line_95(task.design, counts, task.weighting, rng)
    return {k: float(v) for k, v in plug_in.items()}, adjusted, interval, pseudo
