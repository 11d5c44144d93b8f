"""Do bouts of one genotype last longer than those of its control? Assay by assay, state by state.

Every bout carries what it adds to the restricted mean duration of line and control together
(:func:`larvastats.markov.survival.pseudo_values`), so that censored bouts say what they can and no
more; an assay is the mean of its bouts. All states and windows together are the profile of an
assay, tested as the screen tests transition profiles: studentised, by line x date where dates are
known. Inside that, each state has a z by the variance that an assay has from its number of bouts
and from the scatter of assays, both blind to labels, and the largest z is compared with the largest
of every relabelling (Westfall & Young 1993); a state's p is never below its line's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from larvastats.inference.design.blocks import Design, count_relabellings
from larvastats.inference.lines import linetest
from larvastats.inference.lines.linetest import LineData
from larvastats.inference.relabelling import resampling
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.significance import pvalues
from larvastats.markov.dwell import Dwells
from larvastats.markov.survival import pseudo_values

Array = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Cell:
    """One state in one window.

    Attributes
    ----------
    window, state : int
    horizon : float
        In s; the mean duration up to it is compared.
    """

    window: int
    state: int
    horizon: float


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What the assays of a comparison say about one cell.

    Attributes
    ----------
    x : ndarray, shape (unit,)
        By how much the assay's restricted mean exceeds that of all units together, s; NaN without
        a bout.
    n : ndarray of int, shape (unit,)
        Bouts.
    within : float
        Variance of what single bouts add, within assays.
    mean : float
        Restricted mean of all units together, s.
    """

    x: Array
    n: NDArray[np.int64]
    within: float
    mean: float


@dataclass(frozen=True, slots=True)
class CellTest:
    """What came out for one state in one window; NaN where nothing can be tested.

    Attributes
    ----------
    z : float
    difference, low, high : float
        Restricted mean duration, line minus control, in s, with its 95% interval (t on replicates).
    p_adjusted : float
        For all states and windows of the line together.
    reason : str
        Why there is no test.
    """

    z: float = NAN
    difference: float = NAN
    low: float = NAN
    high: float = NAN
    p_adjusted: float = NAN
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DwellTest:
    """One line against its control.

    Attributes
    ----------
    statistic : float
        Studentised squared distance of the profiles.
    p_value, p_exact, p_approx, p_floor : float
        As in a screen.
    null : str
        ``exact``, ``permutation`` or ``F``; empty without a test.
    n_resamples : int
    cells : tuple of CellTest
    reason : str
        Why there is no test.
    """

    statistic: float
    p_value: float
    p_exact: float
    p_approx: float
    p_floor: float
    null: str
    n_resamples: int
    cells: tuple[CellTest, ...]
    reason: str = ""


def assay_values(bouts: Dwells, cell: Cell, units: NDArray[np.int64]) -> Values:
    """Return what each assay says about a cell.

    Parameters
    ----------
    bouts : Dwells
        Of the cell's window.
    cell : Cell
    units : ndarray of int, shape (unit,)
        Rows of the assay table.
    """
    position = np.full(int(max(units.max(), np.max(bouts.assay, initial=0))) + 1, -1)
    position[units] = np.arange(len(units))
    own = bouts.take((position[bouts.assay] >= 0) & (bouts.state == cell.state))
    at = position[own.assay]
    n = np.bincount(at, minlength=len(units))
    if not len(own):
        return Values(np.full(len(units), NAN), n, NAN, NAN)
    mean, influence = pseudo_values(own.duration, own.ended, own.entry, cell.horizon)
    total = np.bincount(at, weights=influence, minlength=len(units))
    x = np.divide(total, n, out=np.full(len(units), NAN), where=n > 0)
    df = len(own) - int((n > 0).sum())
    within = float(((influence - x[at]) ** 2).sum() / df) if df > 0 else NAN
    return Values(x, n, within, mean)


def assay_variance(values: Values, block: NDArray[np.int64]) -> Array:
    """Return the variance of each assay's value, blind to labels, shape (unit,); inf without bouts.

    ``sigma^2 / n_a + tau^2``: bouts within assays, and by the method of moments what assays of a
    date differ beyond it (DerSimonian & Laird 1986, Control. Clin. Trials 7:177).
    """
    seen = values.n > 0
    sampling = np.full(len(seen), np.inf)
    sampling[seen] = np.nan_to_num(values.within) / values.n[seen]
    excess, df = 0.0, 0.0
    for b in np.unique(block[seen]):
        here = seen & (block == b)
        w = 1.0 / np.maximum(sampling[here], 1e-12)
        x = values.x[here]
        centre = (w @ x) / w.sum()
        excess += float(w @ (x - centre) ** 2) - (len(x) - 1)
        df += float(w.sum() - (w**2).sum() / w.sum())
    tau2 = max(0.0, excess / df) if df > 0 else 0.0
    return np.maximum(sampling + tau2, 1e-12)


def z_scores(labels: NDArray[np.bool_], x: Array, variance: Array, block: NDArray) -> Array:
    """Return z of line against control for many relabellings, shape (relabelling,).

    Assays weigh by their precision; on each date the two sides' totals A and B weigh as
    ``A B / (A + B)``. A date on which one side has no bout has no weight.

    Parameters
    ----------
    labels : ndarray of bool, shape (relabelling, unit)
    x, variance : ndarray, shape (unit,)
        Values (anything where the variance is infinite) and their variances.
    block : ndarray of int, shape (unit,)
    """
    top, bottom = np.zeros(len(labels)), np.zeros(len(labels))
    for _, weight, difference in _by_date(labels, x, variance, block):
        top += weight * difference
        bottom += weight
    return np.divide(top, np.sqrt(bottom), out=np.zeros(len(labels)), where=bottom > 0)


def _by_date(
    labels: NDArray[np.bool_], x: Array, variance: Array, block: NDArray
) -> list[tuple[int, Array, Array]]:
    """Weight and difference of every date, each of shape (relabelling,)."""
    precision = 1.0 / variance
    value = np.where(np.isfinite(variance), x, 0.0)
    out = []
    for b in range(int(block.max()) + 1):
        here = block == b
        member = labels[:, here].astype(np.float64)
        p, px = precision[here], (precision * value)[here]
        line, control = member @ p, p.sum() - member @ p
        both = (line > 1e-12) & (control > 1e-12)
        safe_line, safe_control = np.where(both, line, 1.0), np.where(both, control, 1.0)
        difference = (member @ px) / safe_line - (px.sum() - member @ px) / safe_control
        weight = np.where(both, line * control / (safe_line + safe_control), 0.0)
        out.append((b, weight, np.where(both, difference, 0.0)))
    return out


def untestable(values: Values, design: Design, names: tuple[str, str], state: str) -> str:
    """Say why a state cannot be tested; empty when it can."""
    seen = values.n > 0
    for side, name in ((design.is_line, names[0]), (~design.is_line, names[1])):
        if not (seen & side).any():
            return f"{name} never begins a bout of {state} here: there is nothing to compare"
        if (seen & side).sum() < 2:
            return f"only one assay of {name} has a bout of {state} here: no variance, no test"
    days = [set(design.block[seen & side]) for side in (design.is_line, ~design.is_line)]
    if design.dated and len(days[0] & days[1]) < 2:
        return (
            f"{names[0]} and {names[1]} share fewer than two dates with a bout of {state}: no test "
            "across dates"
        )
    if not values.within > 0:
        return f"all bouts of {state} last equally long within their assays: nothing to compare"
    return ""


def compare_dwells(
    bouts: Sequence[Dwells],
    cells: Sequence[Cell],
    design: Design,
    names: tuple[str, str],
    states: Sequence[str],
    budget: Budget,
    null: str = "auto",
    level: float = 0.05,
) -> DwellTest:
    """Compare a line with its control in every state and window.

    Parameters
    ----------
    bouts : sequence of Dwells, one per window
    cells : sequence of Cell
    design : Design
    names : (str, str)
        Line and control, for reasons.
    states : sequence of str
    budget : Budget
    null : {'auto', 'relabel', 'F'}
    level : float
        ``auto`` relabels where the smallest possible p is at most this, and where F has no
        answer.

    Returns
    -------
    DwellTest
    """
    if design.reason:
        return _nothing([CellTest(reason=design.reason) for _ in cells], design.reason)
    values = [assay_values(bouts[cell.window], cell, design.units) for cell in cells]
    out = [
        CellTest(reason=untestable(v, design, names, states[cell.state]))
        for v, cell in zip(values, cells, strict=True)
    ]
    tested = [i for i, one in enumerate(out) if not one.reason]
    if not tested:
        return _nothing(out, "no state that both begin in two assays at least: no test")
    variances = {i: assay_variance(values[i], design.block) for i in tested}
    line = _line_test([values[i] for i in tested], list(variances.values()), design, names,
                      budget, null, level)  # fmt: skip
    scores, p = _cell_scores([values[i] for i in tested], list(variances.values()), design, names,
                             budget)  # fmt: skip
    for i, z, p_cell in zip(tested, scores, p, strict=True):
        one = replace(_interval(values[i], variances[i], design), z=float(z))
        if line.null == "F":  # relabelling cannot reach far enough: Bonferroni on the interval's t
            p_cell = min(1.0, len(tested) * one.p_adjusted)
        out[i] = replace(one, p_adjusted=max(float(p_cell), line.p_value))
    return replace(line, cells=tuple(out))


def _nothing(cells: Sequence[CellTest], reason: str) -> DwellTest:
    return DwellTest(NAN, NAN, NAN, NAN, NAN, "", 0, tuple(cells), reason)


def _line_test(
    values: Sequence[Values], variances: Sequence[Array], design: Design,
    names: tuple[str, str], budget: Budget, null: str, level: float,
) -> DwellTest:  # fmt: skip
    """Test the profiles: every cell in units of its typical standard error."""
    columns = []
    for value, variance in zip(values, variances, strict=True):
        typical = np.sqrt(np.mean(variance[np.isfinite(variance)]))
        columns.append(np.where(value.n > 0, value.x, 0.0) / typical)
    x = np.stack(columns, axis=1)
    data = LineData(design, x, None, np.zeros(0), np.zeros((0, 0), dtype=bool))
    rng = resampling.seeded(budget.seed, *names, "dwell")
    plan = resampling.relabellings(design, budget.resamples, rng, budget.most)
    relabelled = resampling.null_distribution(
        plan, lambda labels: {"T": linetest.statistics(labels, data)["welch"]}
    )["T"]
    observed = float(linetest.statistics(design.is_line[None], data)["welch"][0])
    exact = count_relabellings(design) <= budget.most
    p_exact = pvalues.p_relabel(observed, relabelled, exact)
    floor = pvalues.floor_of(relabelled, exact)
    p_f = pvalues.p_f(observed, _dimension(x, design), linetest.degrees_of_freedom(data))
    relabel = null == "relabel" or (null == "auto" and (floor <= level or np.isnan(p_f)))
    kind = ("exact" if exact else "permutation") if relabel else "F"
    p = p_exact if relabel else p_f
    return DwellTest(observed, p, p_exact, p_f, floor, kind, len(relabelled), ())


def _dimension(x: Array, design: Design) -> float:
    """Effective dimension of the profiles from the scatter of assays within line x date."""
    groups = design.block * 2 + design.is_line
    return linetest.dimension(x, groups, ~design.is_line)


def _cell_scores(
    values: Sequence[Values], variances: Sequence[Array], design: Design,
    names: tuple[str, str], budget: Budget,
) -> tuple[Array, Array]:  # fmt: skip
    """Return z of every cell and its p among the largest |z| of every relabelling."""

    def scores(labels: NDArray[np.bool_]) -> Array:
        return np.stack(
            [z_scores(labels, v.x, s, design.block) for v, s in zip(values, variances, strict=True)]
        )

    rng = resampling.seeded(budget.seed, *names, "dwell")
    plan = resampling.relabellings(design, budget.resamples, rng, budget.most)

    def largest(labels: NDArray[np.bool_]) -> Mapping[str, Array]:
        return {"z": np.abs(scores(labels)).max(axis=0)}

    top = resampling.null_distribution(plan, largest)["z"]
    observed = scores(design.is_line[None])[:, 0]
    exact = count_relabellings(design) <= budget.most
    return observed, np.array([pvalues.p_relabel(abs(z), top, exact) for z in observed])


def _interval(values: Values, variance: Array, design: Design) -> CellTest:
    """Difference, its interval and (in `p_adjusted`) its p by t on the replicates."""
    label = design.is_line[None]
    if design.dated:
        parts = [(float(w[0]), float(d[0])) for _, w, d in
                 _by_date(label, values.x, variance, design.block)]  # fmt: skip
        w, d = (np.array(side) for side in zip(*[p for p in parts if p[0] > 0], strict=True))
        w = w / w.sum()
        difference, n = float(w @ d), len(w)
        spread, df = n / (n - 1) * float(w**2 @ (d - difference) ** 2), float(1 / (w @ w) - 1)
    else:
        sides = [_mean_and_error(values.x, variance, side)
                 for side in (design.is_line, ~design.is_line)]  # fmt: skip
        difference = sides[0][0] - sides[1][0]
        spread = sides[0][1] + sides[1][1]
        df = spread**2 / sum(v**2 / k for _, v, k in sides) if spread > 0 else NAN
    if not spread > 0:
        return CellTest(difference=difference, p_adjusted=NAN)
    error = float(np.sqrt(spread))
    width = float(stats.t.ppf(0.975, df)) * error
    p = float(2 * stats.t.sf(abs(difference) / error, df))
    return CellTest(NAN, difference, difference - width, difference + width, p)


def _mean_and_error(x: Array, variance: Array, side: NDArray[np.bool_]) -> tuple[float, float, int]:
    """Weighted mean of a side's assays, its variance from their scatter, degrees of freedom."""
    use = side & np.isfinite(variance)
    w = 1 / variance[use]
    w = w / w.sum()
    mean, n = float(w @ x[use]), int(use.sum())
    return mean, n / (n - 1) * float(w**2 @ (x[use] - mean) ** 2), n - 1
