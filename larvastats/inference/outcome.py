"""Everything that is computed about one line: a task that runs anywhere, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.inference import effects, linetest, pvalues, resampling
from larvastats.inference.design import Design
from larvastats.inference.intervals import bootstrap_intervals
from larvastats.inference.linetest import DIVERGENCES, LineData
from larvastats.markov.transitions import possible_cells

Array = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class LineTask:
    """One line against its control, with all that its outcome depends on.

    Attributes
    ----------
    genotype, control : str
    design : Design
    x : ndarray, shape (unit, cell)
        Profiles of the design's units.
    rows : ndarray, shape (unit, from, to), or None
        Imputed transition probabilities; None under a contrast, where divergences are undefined.
    counts : ndarray of int, shape (unit, from, to)
        In the (first) window.
    kind : {'jump', 'frame'}
    f1 : float
        Effective dimension of the profiles.
    weighting : {'uniform', 'occupancy'}
    resamples, bootstrap, seed : int
    """

    genotype: str
    control: str
    design: Design
    x: Array
    rows: Array | None
    counts: NDArray[np.int64]
    kind: str
    f1: float
    weighting: str
    resamples: int
    bootstrap: int
    seed: int


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """What came out; NaN wherever the design allows no answer.

    Attributes
    ----------
    statistic, p_relabel, floor : dict of str to float
        By statistic: ``welch``, ``hellinger``, ``js``, ``kl``.
    p_f : float
        F approximation, for ``welch``.
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


def analyse_line(task: LineTask) -> LineOutcome:
    """Test one line and describe its effect; the same result alone or in company."""
    possible = possible_cells(task.counts.shape[-1], task.kind)
    line = task.counts[task.design.is_line].astype(np.float64)
    control = task.counts[~task.design.is_line].astype(np.float64)
    names = ("welch",) if task.rows is None else ("welch", *DIVERGENCES)
    data = LineData(task.design, task.x, task.rows, task.counts.sum(axis=(0, 2)), possible)
    tested = _tests(task, data) if not task.design.reason else _no_tests(names)
    described = _describe(task, line, control, possible, tested[-1])
    empty = ((line.sum(axis=(0, 2)) == 0) | (control.sum(axis=(0, 2)) == 0)).sum()
    return LineOutcome(*tested[:-1], *described, effects.cell_scores(line, control), int(empty))


def _tests(task: LineTask, data: LineData):  # type: ignore[no-untyped-def]
    observed = linetest.statistics(task.design.is_line[None], data)
    plan = resampling.relabellings(
        task.design, task.resamples, resampling.seeded(task.seed, task.genotype, task.control)
    )
    null = resampling.null_distribution(plan, lambda labels: linetest.statistics(labels, data))
    exact = resampling.is_exact(task.design)
    statistic = {name: float(value[0]) for name, value in observed.items()}
    p = {name: pvalues.p_relabel(statistic[name], null[name], exact) for name in statistic}
    floor = {name: pvalues.floor_of(null[name], exact) for name in statistic}
    df = linetest.degrees_of_freedom(data)
    p_f = pvalues.p_f(statistic["welch"], task.f1, df)
    return statistic, p, floor, p_f, exact, len(null["welch"]), df


def _no_tests(names: tuple[str, ...]):  # type: ignore[no-untyped-def]
    blank = dict.fromkeys(names, NAN)
    return blank, dict(blank), dict(blank), NAN, False, 0, NAN


def _describe(task, line, control, possible, df):  # type: ignore[no-untyped-def]
    blank = dict.fromkeys(DIVERGENCES, NAN)
    if task.rows is None or not len(line) or not len(control):
        return blank, dict(blank), dict.fromkeys(DIVERGENCES, (NAN, NAN)), NAN
    plug_in = effects.plug_in(line.sum(axis=0), control.sum(axis=0), possible, task.weighting)
    adjusted = effects.adjusted(line, control, possible, task.weighting)
    counts = task.counts.astype(np.float64)
    rng = resampling.seeded(task.seed, task.genotype, task.control, "bootstrap")
    interval = bootstrap_intervals(
        task.design, counts, possible, task.weighting, df, task.bootstrap, rng
    )
    rng = resampling.seeded(task.seed, task.genotype, task.control, "pseudo-lines")
    pseudo = effects.pseudo_line_95(task.design, counts, task.weighting, rng)
    return {k: float(v) for k, v in plug_in.items()}, adjusted, interval, pseudo
