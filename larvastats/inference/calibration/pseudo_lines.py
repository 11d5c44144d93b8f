"""Pseudo-lines: controls that are treated as a line would be, so that nothing is there to find.

A random relabelling tested by the same relabelling is exact whatever the data, and proves nothing.
Pseudo-lines therefore look like the lines they stand for: the same dates, the same number of
plates, and larvae thinned to the line's number per plate. What is broken by unequal recordings
breaks here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from larvastats.inference.design.blocks import Design, make_design
from larvastats.inference.lines import pooled
from larvastats.inference.lines.linetest import DIVERGENCES, LineData
from larvastats.inference.lines.nulls import test_lines
from larvastats.inference.options import EVER, Options
from larvastats.inference.profiles.features import Sufficient, make_profiles
from larvastats.inference.relabelling.plans import Budget
from larvastats.markov.transitions import possible_cells

Array = NDArray[np.float64]

LEVELS = (0.05, 0.01, 0.001)


@dataclass(frozen=True, slots=True)
class Template:
    """What a line looks like.

    Attributes
    ----------
    genotype : str
    plates : tuple of (date or None, tuple of int)
        On each date, larvae of each of the line's plates.
    """

    genotype: str
    plates: tuple[tuple[str | None, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Controls:
    """The controls, larva by larva.

    Attributes
    ----------
    larvae : Sufficient
        Of every control larva.
    assay : ndarray of int, shape (larva,)
        Control assay of each larva, 0 ... n - 1.
    assays : Sufficient
        Of every control assay.
    dates : ndarray of object, shape (control assay,), or None
    cross : ndarray of object, shape (control assay,), or None
        Vial or cross of each assay, where known.
    pool : Sufficient
        One unit that sums every assay of the screen: centres and scales the profiles.
    """

    larvae: Sufficient
    assay: NDArray[np.int64]
    assays: Sufficient
    dates: NDArray[np.object_] | None
    cross: NDArray[np.object_] | None
    pool: Sufficient


@dataclass(frozen=True, slots=True)
class PseudoTest:
    """One tested pseudo-line.

    Attributes
    ----------
    template : str
    assays : tuple of int
        Control assays that it drew.
    p : dict of (statistic, null) to float
    """

    template: str
    assays: tuple[int, ...]
    p: dict[tuple[str, str], float]


def draw_assays(
    controls: Controls, template: Template, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Choose control assays for a pseudo-line, date by date, and its larvae per plate.

    Whole crosses are drawn where they are known. On each date at least one assay stays behind as
    control; a date of the line that has too few gives what it can, and a date without controls is
    replaced by one that has them.

    Returns
    -------
    tuple of two lists of equal length
        Control assays, and how many larvae each keeps. Empty when the controls are too few.
    """
    chosen: list[int] = []
    sizes: list[int] = []
    free = _by_date(controls)
    used: set[str | None] = set()
    for date, larvae in template.plates:
        day = date if len(free.get(date, [])) > 1 and date not in used else _other(free, used, rng)
        if day is _NOWHERE:
            continue
        used.add(day)
        take = min(len(larvae), len(free[day]) - 1)
        picked = _pick(free[day], take, controls.cross, rng)
        chosen += picked
        keep = rng.permutation(len(larvae))[: len(picked)]
        sizes += [larvae[i] for i in keep]
    return chosen, sizes


_NOWHERE = "\x00"


def _by_date(controls: Controls) -> dict[str | None, list[int]]:
    n = len(controls.assays.counts)
    days = [None] * n if controls.dates is None else list(controls.dates)
    out: dict[str | None, list[int]] = {}
    for assay, day in enumerate(days):
        if controls.dates is None or day is not None:
            out.setdefault(day, []).append(assay)
    return out


def _other(
    free: dict[str | None, list[int]], used: set[str | None], rng: np.random.Generator
) -> str | None:
    rest = sorted((d for d, a in free.items() if len(a) > 1 and d not in used), key=str)
    return rest[int(rng.integers(len(rest)))] if rest else _NOWHERE


def _pick(
    assays: list[int],
    take: int,
    cross: NDArray[np.object_] | None,
    rng: np.random.Generator,
) -> list[int]:
    """Draw assays, by whole crosses where they are known."""
    if cross is None:
        return [int(a) for a in rng.choice(assays, take, replace=False)]
    groups: dict[object, list[int]] = {}
    for a in assays:
        groups.setdefault(cross[a] if cross[a] is not None else ("assay", a), []).append(a)
    order = list(groups.values())
    rng.shuffle(order)
    picked: list[int] = []
    for group in order[: max(1, len(order) - 1)]:
        if len(picked) < take:
            picked += group[: take - len(picked)]
    return picked


def thin(
    controls: Controls, assays: Sequence[int], sizes: Sequence[int], rng: np.random.Generator
) -> Sufficient:
    """Return the chosen assays with only so many of their larvae."""
    keep, group = [], []
    for position, (assay, size) in enumerate(zip(assays, sizes, strict=True)):
        own = np.flatnonzero(controls.assay == assay)
        some = own if len(own) <= size else rng.choice(own, size, replace=False)
        keep.append(some)
        group.append(np.full(len(some), position))
    larvae = controls.larvae.take(np.concatenate(keep))
    return larvae.add_up(np.concatenate(group), len(assays))


def pseudo_test(
    controls: Controls,
    template: Template,
    options: Options,
    f1: float,
    everything: bool,
    rng: np.random.Generator,
) -> PseudoTest | None:
    """Draw, thin and test one pseudo-line; None when the controls do not allow it.

    Parameters
    ----------
    controls : Controls
    template : Template
    options : Options
    f1 : float
        Effective dimension, as in the screen.
    everything : bool
        Also test the divergences, and the unstudentised Hellinger distance to show what it
        does.
    rng : Generator
    """
    chosen, sizes = draw_assays(controls, template, rng)
    rest = np.setdiff1d(np.arange(len(controls.assays.counts)), chosen)
    if len(chosen) < 2 or len(rest) < 2:
        return None
    line = thin(controls, chosen, sizes, rng)
    others = controls.assays.take(rest)
    units = _stack(line, others)
    dates = None
    if controls.dates is not None:
        dates = np.concatenate([controls.dates[chosen], controls.dates[rest]])
    m = len(chosen)
    alive = units.trials.sum(axis=2).min(axis=1) > 0
    design = make_design(
        np.flatnonzero(alive[:m]), m + np.flatnonzero(alive[m:]), dates, options.variance
    )
    if design.reason:
        return None
    p = _p_values(design, units.take(design.units), controls.pool, options, f1, everything)
    return PseudoTest(template.genotype, tuple(chosen), p)


def _stack(first: Sufficient, second: Sufficient) -> Sufficient:
    return Sufficient(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])
            for name in ("counts", "trials", "seconds", "exits")
        )
    )


def _p_values(
    design: Design,
    units: Sufficient,
    pool: Sufficient,
    options: Options,
    f1: float,
    everything: bool,
) -> dict[tuple[str, str], float]:
    made = make_profiles(units, pool, options)
    counts = units.counts[:, 0]
    possible = possible_cells(counts.shape[-1], options.transitions)
    rows = made.rows if everything or options.statistic in DIVERGENCES else None
    data = LineData(design, made.features[0], rows, counts.sum(axis=(0, 2)), possible)
    # sampled even where an enumeration would do: a thousand pseudo-lines are tested, not one
    budget = Budget(options.resamples, options.seed, options.resamples)
    tested = test_lines([data], [made.features], f1, budget)[0]
    main = "welch" if options.statistic in (*DIVERGENCES, "g") else options.statistic
    out = {(main, "relabel"): tested.p["main"]}
    if not np.isnan(tested.p_f):
        out[(main, "F")] = tested.p_f
    for name in DIVERGENCES:
        if name in tested.p:
            out[(name, "relabel")] = tested.p[name]
    if options.statistic == "g":
        out[("g", "relabel")] = pooled.test("g", design, counts, budget).p
    if everything and options.transitions not in EVER and made.rows is not None:
        plain = pooled.test("hellinger", design, counts, budget)
        out[("hellinger, unstudentised", "relabel")] = plain.p
    return out


def shares(
    tests: Sequence[PseudoTest], controls: Controls, disjoint: int
) -> list[dict[str, object]]:
    """Return the share of pseudo-lines below each level, with an interval.

    Pseudo-lines overlap, so their number says little. The variance of the share is that of its
    projection on control dates (assays, without dates): the spread of the dates' own shares
    (Hajek 1968, Ann. Math. Stat. 39:325). Where pseudo-lines take most of the dates no projection
    is left, and the number of disjoint pseudo-lines bounds it (Hoeffding 1963, J. Am. Stat. Assoc.
    58:13, section 5). The interval is Wilson's with that effective number.

    Returns
    -------
    list of dict
        ``statistic null level share low high n``.
    """
    member = _membership(tests, controls)
    rows: list[dict[str, object]] = []
    for key in tests[0].p:
        p = np.array([t.p[key] for t in tests])
        for level in LEVELS:
            hit = (p <= level * (1 + 1e-9)).astype(np.float64)
            n = _effective(hit, member, level, disjoint)
            interval = proportion_confint(hit.mean() * n, n, method="wilson")
            low, high = (float(v) for v in interval)
            rows.append(
                {"statistic": key[0], "null": key[1], "level": level, "share": float(hit.mean()),
                 "low": low, "high": high, "n": len(p)}
            )  # fmt: skip
    return rows


def _membership(tests: Sequence[PseudoTest], controls: Controls) -> Array:
    """Whether a pseudo-line drew from a date (an assay, without dates), shape (draw, cluster)."""
    cluster = np.arange(len(controls.assays.counts))
    if controls.dates is not None:
        cluster = np.unique(controls.dates.astype(str), return_inverse=True)[1]
    member = np.zeros((len(tests), int(cluster.max()) + 1))
    for row, one in zip(member, tests, strict=True):
        row[cluster[list(one.assays)]] = 1.0
    return member


def _effective(hit: Array, member: Array, level: float, disjoint: int) -> float:
    """Effective number of independent pseudo-lines behind a share."""
    per_draw, n_clusters = float(member.sum(axis=1).mean()), member.shape[1]
    if per_draw > n_clusters / 3:
        return float(max(disjoint, 1))
    times = member.sum(axis=0)
    own = np.divide(hit @ member, times, out=np.full(n_clusters, hit.mean()), where=times > 0)
    variance = (per_draw / n_clusters) ** 2 * ((own - hit.mean()) ** 2).sum()
    share = max(float(hit.mean()), level)
    n = share * (1 - share) / variance if variance > 0 else float(len(hit))
    return float(np.clip(n, max(disjoint, 1), len(hit)))


def n_disjoint(controls: Controls, templates: Sequence[Template]) -> int:
    """Return how many pseudo-lines of the usual size could be drawn without sharing a plate."""
    plates = int(np.median([sum(len(larvae) for _, larvae in t.plates) for t in templates]))
    usable = sum(len(a) - 1 for a in _by_date(controls).values() if len(a) > 1)
    return usable // max(plates, 1)
