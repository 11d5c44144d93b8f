"""Everything about one genotype: levels, gate, time constant, comparison with its control."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.errors import UsageError
from larvastats.inference.habituation import intervals
from larvastats.inference.habituation.compare import Comparison, Group, compare_tau
from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.fit import Fit, Grid, fit_curve, make_grid
from larvastats.inference.habituation.gate import Gate, contrasts, gate
from larvastats.inference.habituation.pulses import PulseLevel, compare_ratios, pulse_levels
from larvastats.inference.habituation.scores import Scores, scores
from larvastats.inference.relabelling.resampling import seeded

Array = NDArray[np.float64]

INTERVALS = ("profile", "score", "bootstrap-t")
LEAST_DATES = 5
"""Dates that make line x date the replicate of tau; with fewer it is the assay.

The levels of plates, vials and dates are projected out of the scores, so that only a tau that
itself differs between vials is shared by their plates. Up to an SD of .2 of log tau intervals by
assay hold (.936-.966 at 2 to 5 dates of 2 plates; .924-.946 at .3); those by date are 2.6 times as
wide at 2 dates, 1.6 times at 3 and 1.3 times at 5.
"""

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Choices:
    """How time constants are tested.

    Attributes
    ----------
    gate : float
        Level that the gate has to pass before a time constant is given.
    interval : {'profile', 'score', 'bootstrap-t'}
    resamples : int
        Permutations, signs and bootstrap draws.
    seed : int
    """

    gate: float = 0.05
    interval: str = "profile"
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not 0 < self.gate < 1:
            raise UsageError(f"gate must lie between 0 and 1, but is {self.gate!r}.")
        if self.interval not in INTERVALS:
            raise UsageError(
                f"interval must be one of {', '.join(INTERVALS)}, but is {self.interval!r}."
            )
        if self.resamples < 99:
            raise UsageError(f"resamples must be at least 99, but is {self.resamples!r}.")
        if self.seed < 0:
            raise UsageError(f"seed must be a whole number from 0 up, but is {self.seed!r}.")


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One genotype, and the control to compare it with.

    Attributes
    ----------
    genotype : str
    curves : Curves
        Usable assays of the genotype.
    dates : ndarray of object, shape (assay,), or None
    choices : Choices
    control : Curves or None
    control_dates : ndarray of object, shape (assay,), or None
    control_fit : Fit or None
        The control's own fit, where it has a time constant to compare with.
    """

    genotype: str
    curves: Curves
    dates: NDArray[np.object_] | None
    choices: Choices
    control: Curves | None = None
    control_dates: NDArray[np.object_] | None = None
    control_fit: Fit | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came out for one genotype.

    Attributes
    ----------
    reason : str
        Why there is no analysis; empty when there is one.
    gate : Gate or None
    direction : {'', 'habituation', 'sensitisation', 'change'}
        Past the gate: back towards the baseline, away from it, or unknown for want of a baseline.
    fit, scores : or None
        Where the gate was passed towards the baseline.
    limits : (float, float)
        95% interval of tau.
    pulses : tuple of PulseLevel
        Under ``berne``.
    comparison : Comparison or None
    decline_p, resensitisation_p : float
        Of an equal fall in genotype and control; under ``berne`` of an equal tau_res.
    notes : tuple of str
    """

    reason: str = ""
    gate: Gate | None = None
    direction: str = ""
    fit: Fit | None = None
    scores: Scores | None = None
    limits: tuple[float, float] = (NAN, NAN)
    pulses: tuple[PulseLevel, ...] = ()
    comparison: Comparison | None = None
    decline_p: float = NAN
    resensitisation_p: float = NAN
    notes: tuple[str, ...] = field(default=())


def study(task: Task) -> Outcome:
    """Analyse one genotype."""
    curves, choices = task.curves, task.choices
    reason = no_analysis(curves)
    if reason:
        return Outcome(reason=reason)
    rng = seeded(choices.seed, "habituation", task.genotype)
    found = gate(curves, choices.resamples, rng)
    direction = _direction(curves, found) if found.p_value <= choices.gate else ""
    compared = task.control is not None and not no_analysis(task.control)
    out = Outcome("", found, direction, decline_p=_decline_p(task) if compared else NAN)
    return out if direction in ("", "sensitisation") else _with_tau(task, out, rng)


def _with_tau(task: Task, out: Outcome, rng: np.random.Generator) -> Outcome:
    """Add the time constant, its interval and its comparison."""
    curves = task.curves
    grid = make_grid(curves.shape)
    y, n = curves.pooled
    fit = fit_curve(np.nan_to_num(y), n, grid, curves.binomial)
    cluster = clusters(task.dates, len(curves.mean))
    own = scores(curves.mean, curves.weight, fit, grid, cluster)
    limits = _limits(curves, fit, own, grid, cluster, task.choices, rng)
    levels = pulse_levels(curves, fit) if curves.shape.kind == "berne" else ()
    comparison, note = _compare(task, grid, rng)
    again = NAN
    if levels and task.control is not None and task.control_fit is not None:
        again = compare_ratios(curves, fit, task.control, task.control_fit)
    return replace(
        out, fit=fit, scores=own, limits=limits, pulses=levels, comparison=comparison,
        resensitisation_p=again, notes=(note,) if note else (),
    )  # fmt: skip


def no_analysis(curves: Curves) -> str:
    """Say why these assays allow no analysis; empty when they do."""
    n = len(curves.mean)
    if n == 0:
        return "no assay was tracked through the stimulus"
    seen = curves.mean[curves.weight > 0]
    if curves.binomial and seen.max() <= 0:
        return f"never does {curves.name} during the stimulus: nothing to describe"
    if np.ptp(seen) <= 1e-12:
        return f"the response is constant ({seen[0]:g} in every bin): nothing habituates"
    if n == 1:
        return "one assay: no scatter between assays, hence no test and no interval"
    return ""


def _direction(curves: Curves, found: Gate) -> str:
    """Say whether the change leads back towards the baseline."""
    if not np.isfinite(found.contrast) or found.contrast == 0:
        return ""
    before = curves.before[~np.isnan(curves.before)]
    first = curves.initial[~np.isnan(curves.initial)]
    if not len(before) or not len(first):
        return "change"
    response = first.mean() - before.mean()
    return "habituation" if response * found.contrast > 0 else "sensitisation"


def clusters(dates: NDArray[np.object_] | None, n: int) -> NDArray[np.int64]:
    """Return the replicate of every assay: itself, or its date where there are enough, (assay,)."""
    if dates is None:
        return np.arange(n)
    days, code = np.unique([str(d) for d in dates], return_inverse=True)
    return code.astype(np.int64) if len(days) >= LEAST_DATES else np.arange(n)


def _limits(
    curves: Curves, fit: Fit, own: Scores, grid: Grid, cluster: NDArray[np.int64],
    choices: Choices, rng: np.random.Generator,
) -> tuple[float, float]:  # fmt: skip
    df = int(cluster.max())
    if choices.interval == "score":
        return intervals.score_interval(curves.mean, curves.weight, fit, grid, cluster)
    if choices.interval == "bootstrap-t":
        return intervals.bootstrap_t_interval(
            curves.mean, curves.weight, fit, own, grid, cluster, choices.resamples, rng
        )
    return intervals.profile_interval(fit, own, grid, df)


def _compare(task: Task, grid: Grid, rng: np.random.Generator) -> tuple[Comparison | None, str]:
    """Compare with the control, where that habituates too."""
    if task.control is None:
        return None, ""
    if task.control_fit is None:
        return None, "the control has no time constant to compare with"
    line, control, paired, note = pair_up(task)
    if min(len(line.mean), len(control.mean)) < 2:
        return None, note
    binomial, resamples = task.curves.binomial, task.choices.resamples
    return compare_tau(line, control, grid, binomial, paired, resamples, rng), note


def pair_up(task: Task) -> tuple[Group, Group, bool, str]:
    """Keep the assays on shared dates; these are the replicates where they are enough."""
    assert task.control is not None
    sides = (task.curves, task.control)
    if task.dates is None or task.control_dates is None:
        line, control = (Group(c.mean, c.weight, np.arange(len(c.mean))) for c in sides)
        return line, control, False, ""
    days = [np.array([str(d) for d in dates]) for dates in (task.dates, task.control_dates)]
    shared = sorted(set(days[0]) & set(days[1]))
    keep = [np.flatnonzero(np.isin(day, shared)) for day in days]
    paired = len(shared) >= LEAST_DATES
    groups = []
    for c, day, rows in zip(sides, days, keep, strict=True):
        code = np.searchsorted(shared, day[rows]) if paired else np.arange(len(rows))
        groups.append(Group(c.mean[rows], c.weight[rows], code.astype(np.int64)))
    return groups[0], groups[1], paired, _left_out(days, keep, shared)


def _left_out(
    days: list[NDArray[np.str_]], keep: list[NDArray[np.int64]], shared: list[str]
) -> str:
    if not shared:
        return "line and control share no date: no comparison"
    lost = len(days[0]) - len(keep[0])
    many = "1 assay" if lost == 1 else f"{lost} assays"
    return f"{many} on dates without control left out of the comparison" if lost else ""


def _decline_p(task: Task) -> float:
    """Compare how far the response falls: Welch's t over assays, or a paired t over dates."""
    assert task.control is not None
    line, control, paired, _ = pair_up(task)
    falls = []
    for group, curves in ((line, task.curves), (control, task.control)):
        whole = Curves(group.mean, group.weight, np.full(len(group.mean), NAN), curves.width,
                       curves.shape, curves.binomial, curves.name)  # fmt: skip
        value = contrasts(whole)
        good = ~np.isnan(value)
        falls.append((value[good], group.cluster[good]))
    if not paired:
        return welch(falls[0][0], falls[1][0])
    days = np.intersect1d(falls[0][1], falls[1][1])
    means = [np.array([v[c == d].mean() for d in days]) for v, c in falls]
    return one_sample(means[0] - means[1])


def welch(x: Array, y: Array) -> float:
    """Return the p-value of Welch's t test; NaN where it cannot be."""
    if min(len(x), len(y)) < 2:
        return NAN
    parts = [v.var(ddof=1) / len(v) for v in (x, y)]
    total = sum(parts)
    if not total > 0:
        return NAN
    df = total**2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, (x, y), strict=True))
    return float(2 * stats.t.sf(abs(x.mean() - y.mean()) / np.sqrt(total), df))


def one_sample(x: Array) -> float:
    """Return the p-value of a t test of mean 0; NaN where it cannot be."""
    if len(x) < 2 or not x.std(ddof=1) > 0:
        return NAN
    return float(2 * stats.t.sf(abs(x.mean()) / (x.std(ddof=1) / np.sqrt(len(x))), len(x) - 1))


def t_limits(x: Array, level: float = 0.95) -> tuple[float, float]:
    """Return the t interval of a mean over assays; NaN where it cannot be."""
    x = x[~np.isnan(x)]
    if len(x) < 2:
        return NAN, NAN
    half = stats.t.ppf((1 + level) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return float(x.mean() - half), float(x.mean() + half)
