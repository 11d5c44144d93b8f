"""From values per assay and bin to the tables of a time course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.inference.curves.bands import NOTHING, curve_band
from larvastats.inference.curves.comparison import METHODS, CurveTest, compare_curves, responds
from larvastats.inference.design.blocks import Design, make_design
from larvastats.inference.relabelling.resampling import seeded
from larvastats.inference.significance.multiplicity import adjust

Array = NDArray[np.float64]

MOST_MISSING = 0.1
"""Share of the bins that an assay may lack; one that lacks more was cut short."""


@dataclass(frozen=True, slots=True)
class CourseOptions:
    """How time courses are estimated and tested.

    Attributes
    ----------
    method : {'maxt', 'cluster'} or None
    level, alpha : float
        Of limits, and of what is called different.
    draws, resamples : int
        Sign patterns behind bands, relabellings behind tests.
    seed : int
    """

    method: str | None = METHODS[0]
    level: float = 0.95
    alpha: float = 0.05
    draws: int = 1000
    resamples: int = 10_000
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Courses:
    """Values per assay and bin.

    Attributes
    ----------
    values : ndarray, shape (assay, bin)
        NaN where no larva was tracked.
    edges : ndarray, shape (bin + 1,)
        s.
    assays : DataFrame
        One row per assay, with ``assay genotype``.
    dates : ndarray of object, shape (assay,), or None
    share : bool
        Whether values are shares of time in [0, 1].
    """

    values: Array
    edges: Array
    assays: pd.DataFrame
    dates: NDArray[np.object_] | None
    share: bool

    def rows(self, genotype: str) -> NDArray[np.int64]:
        """Return the rows of one genotype."""
        return np.flatnonzero((self.assays["genotype"] == genotype).to_numpy(bool))

    def strata(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the dates of some assays as codes; one stratum without dates."""
        if self.dates is None:
            return np.zeros(len(rows), dtype=np.int64)
        return np.asarray(pd.factorize(self.dates[rows])[0], dtype=np.int64)

    def times(self) -> dict[str, Array]:
        """Return start, stop and middle of every bin."""
        start, stop = self.edges[:-1], self.edges[1:]
        return {"t_start": start, "t_stop": stop, "t": (start + stop) / 2}


def complete(courses: Courses) -> tuple[Courses, NDArray[np.bool_], tuple[str, ...]]:
    """Leave out assays that were cut short; tell which bins every other assay has.

    Returns
    -------
    courses : Courses
    usable : ndarray of bool, shape (bin,)
    notes : tuple of str
    """
    missing = np.isnan(courses.values)
    short = missing.mean(axis=1) > MOST_MISSING
    notes: tuple[str, ...] = ()
    if short.any() and not short.all():
        names = list(courses.assays["assay"][short])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        notes += (
            f"left out, since more than {MOST_MISSING:.0%} of the bins have no tracked larva: "
            f"{', '.join(names[:3])}{more}",
        )
        dates = None if courses.dates is None else courses.dates[~short]
        assays = courses.assays[~short].reset_index(drop=True)
        courses = Courses(courses.values[~short], courses.edges, assays, dates, courses.share)
        missing = missing[~short]
    usable = np.asarray(~missing.any(axis=0), dtype=bool)
    if not usable.all():
        notes += (
            f"{int((~usable).sum())} of {len(usable)} bins are blank: an assay has no tracked "
            "larva there",
        )
    return courses, usable, notes


def curve_table(
    courses: Courses, usable: NDArray[np.bool_], genotypes: Sequence[str], options: CourseOptions
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return mean and limits per genotype and bin, and what there is to say about them."""
    parts, notes = [], []
    for name in genotypes:
        rows = courses.rows(name)
        y = courses.values[np.ix_(rows, np.flatnonzero(usable))]
        rng = seeded(options.seed, name, "band")
        band = curve_band(y, courses.strata(rows), share=courses.share, draws=options.draws,
                          rng=rng, level=options.level)  # fmt: skip
        columns = {
            "mean": band.mean, "low": band.low, "high": band.high, "point_low": band.point_low,
            "point_high": band.point_high,
        }  # fmt: skip
        part = pd.DataFrame({"genotype": name, **courses.times()})
        parts.append(part.assign(**_spread(columns, usable), n_assays=len(rows)))
        if len(rows) == 1:
            notes.append(f"{name} has one assay: its curve has no limits and is in no test")
        elif band.df < 1:
            notes.append(f"{name} has too few assays for limits of its curve")
        elif np.isnan(band.critical):
            what = "never does it" if courses.share and not y.any() else "does not vary at all"
            notes.append(f"{name} {what} between {courses.edges[0]:g} and {courses.edges[-1]:g} s: "
                         "its curve has no limits")  # fmt: skip
    return pd.concat(parts, ignore_index=True), tuple(notes)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One genotype against its control over time: the design, and the test if one is possible."""

    genotype: str
    control: str
    design: Design
    test: CurveTest | None
    note: str = ""


def compare(
    courses: Courses,
    usable: NDArray[np.bool_],
    pairs: Mapping[str, str],
    options: CourseOptions,
) -> list[Comparison]:
    """Test every genotype against its control."""
    out = []
    for name, control in pairs.items():
        design = make_design(courses.rows(name), courses.rows(control), courses.dates)
        test, note = None, design.reason
        if not note:
            y = courses.values[np.ix_(design.units, np.flatnonzero(usable))]
            if y.std(axis=0).max() <= NOTHING:
                note = "the response is the same in every assay: no variance, no test"
            else:
                test = compare_curves(
                    y, design, share=courses.share, method=options.method or METHODS[0],
                    resamples=options.resamples, level=options.level,
                    rng=seeded(options.seed, name, control, "curves"),
                )  # fmt: skip
                if test.p_floor > options.alpha:
                    note = (f"this design cannot reject at {options.alpha:g}: its smallest "
                            f"possible p is {test.p_floor:.3g}")  # fmt: skip
        out.append(Comparison(name, control, design, test, note))
    return out


def difference_table(
    courses: Courses, usable: NDArray[np.bool_], found: Sequence[Comparison], alpha: float
) -> pd.DataFrame:
    """Return difference, limits and adjusted p per comparison and bin."""
    parts = []
    for one in found:
        if one.test is None:
            continue
        t = one.test
        columns = {"difference": t.difference, "low": t.low, "high": t.high,
                   "statistic": t.statistic, "p_adjusted": t.p_bin}  # fmt: skip
        part = pd.DataFrame({"genotype": one.genotype, "control": one.control, **courses.times()})
        part = part.assign(**_spread(columns, usable))
        parts.append(part.assign(differs=(part["p_adjusted"] <= alpha).fillna(False)))
    names = ["genotype", "control", "t_start", "t_stop", "t", "difference", "low", "high",
             "statistic", "p_adjusted", "differs"]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def period_table(differences: pd.DataFrame) -> pd.DataFrame:
    """Return one row per stretch of time in which a genotype differs from its control."""
    rows = []
    for (name, control), part in differences.groupby(["genotype", "control"], sort=False):
        sign = np.where(part["differs"], np.sign(part["difference"].fillna(0)), 0).astype(int)
        edges = np.flatnonzero(np.diff(sign, prepend=0, append=0))
        for a, b in pairwise(edges):
            if not sign[a]:
                continue
            run = part.iloc[a:b]
            at = run["difference"].abs().idxmax()
            rows.append({
                "genotype": name, "control": control, "t_start": run["t_start"].iloc[0],
                "t_stop": run["t_stop"].iloc[-1],
                "direction": "above" if sign[a] > 0 else "below",
                "largest_difference": part.loc[at, "difference"], "t_largest": part.loc[at, "t"],
                "p_value": float(run["p_adjusted"].min()),
            })  # fmt: skip
    names = ["genotype", "control", "t_start", "t_stop", "direction", "largest_difference",
             "t_largest", "p_value"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def comparison_table(
    found: Sequence[Comparison], differences: pd.DataFrame, courses: Courses, method: str
) -> pd.DataFrame:
    """Return one row per comparison; `q_value` is Benjamini-Hochberg's over the genotypes."""
    rows = []
    for one in found:
        d, t = one.design, one.test
        own = differences[differences["genotype"] == one.genotype]
        seconds = float((own["t_stop"] - own["t_start"])[own["differs"].astype(bool)].sum())
        first = own.loc[own["differs"].astype(bool), "t_start"].min() if len(own) else np.nan
        row = {
            "genotype": one.genotype, "control": one.control, "method": method,
            "n_dates": d.n_blocks if d.dated else None, "n_assays": d.n_line,
            "n_control_assays": d.n_control,
            "p_value": t.p_value if t else np.nan, "p_floor": t.p_floor if t else np.nan,
            "null": ("exact" if t.exact else "permutation") if t else "",
            "n_resamples": t.n_resamples if t else 0,
            "seconds_different": seconds if t else np.nan, "t_first": first,
        }  # fmt: skip
        peak = own.loc[own["difference"].abs().idxmax()] if t and len(own) else None
        row["largest_difference"] = np.nan if peak is None else peak["difference"]
        row["t_largest"] = np.nan if peak is None else peak["t"]
        row["note"] = one.note
        rows.append(row)
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows).astype({"n_dates": "Int64"})
    q = adjust(table["p_value"].to_numpy(float), "bh")
    table.insert(table.columns.get_loc("p_value") + 1, "q_value", q)
    return table


def response_table(
    courses: Courses, usable: NDArray[np.bool_], genotypes: Sequence[str], baseline: Array,
    onset: float, options: CourseOptions,
) -> pd.DataFrame:  # fmt: skip
    """Return when each genotype departs from its own baseline after an onset, by sign flips.

    Parameters
    ----------
    baseline : ndarray, shape (assay,)
        Each assay's own value before the onset.
    onset : float
        Bins from here on count.
    """
    after = usable & (courses.edges[:-1] >= onset - 1e-9)
    rows = []
    for name in genotypes:
        own = courses.rows(name)
        own = own[~np.isnan(baseline[own])]
        change = courses.values[np.ix_(own, np.flatnonzero(after))] - baseline[own, None]
        nothing = ("baseline", "peak_change", "t_peak", "t_first", "p_value", "p_floor")
        row = {"genotype": name, "n_assays": len(own)} | dict.fromkeys(nothing, np.nan)
        if len(own) >= 2 and change.size and change.std(axis=0).max() > NOTHING:
            rng = seeded(options.seed, name, "own baseline")
            _, p_bin, _, floor = responds(change, resamples=options.resamples, rng=rng)
            mean, t = change.mean(axis=0), courses.times()["t"][after]
            start = courses.edges[:-1][after][p_bin <= options.alpha]
            k = int(np.abs(mean).argmax())
            row |= {"baseline": float(baseline[own].mean()), "peak_change": float(mean[k]),
                    "t_peak": float(t[k]), "t_first": float(start[0]) if len(start) else np.nan,
                    "p_value": float(p_bin.min()), "p_floor": floor}  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)


def response_notes(responses: pd.DataFrame, alpha: float) -> tuple[str, ...]:
    """Say which genotypes have too few assays for signs to show a response, by their number."""
    weak = responses[responses["p_floor"] > alpha]
    return tuple(
        f"{', '.join(part['genotype'].iloc[:4])}: signs of {n} assays give no p below "
        f"{part['p_floor'].iloc[0]:.3g}, so that no change from the own baseline can be shown"
        for n, part in weak.groupby("n_assays")
    )


def _spread(columns: Mapping[str, Array], usable: NDArray[np.bool_]) -> dict[str, Array]:
    """Put values of the usable bins back among all, NaN elsewhere."""
    out = {}
    for name, values in columns.items():
        full = np.full(len(usable), np.nan)
        full[usable] = values
        out[name] = full
    return out
