"""How a response goes over time, by genotype, and when genotypes differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.inference.curves import tables as c
from larvastats.inference.curves.comparison import METHODS
from larvastats.inference.design.setting import Setting, make_setting
from larvastats.protocol import Interval
from larvastats.results import TimecourseResult
from larvastats.verbs._clock import Clock, make_clock
from larvastats.verbs._open import Source
from larvastats.verbs._response import (
    Response,
    check_values,
    choose_genotypes,
    measure,
    open_response,
    recorded,
)

Array = NDArray[np.float64]


def timecourse(
    source: Any = None,
    *,
    protocol: str | None = None,
    genotypes: str | Sequence[str] | None = None,
    control: str | None = None,
    response: str = "run",
    align: str | int = "start",
    bin: float = 0.5,
    span: str | Interval | None = None,
    baseline: float | None = None,
    simultaneous: bool = True,
    test: str | None = "maxt",
    level: float = 0.95,
    alpha: float = 0.05,
    resamples: int = 10_000,
    bootstrap: int = 1000,
    gap: str | None = None,
    unit: str = "assay",
    block: str = "date",
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> TimecourseResult:
    """Follow a response over time: its mean over assays with limits, and where genotypes differ.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out. Features need frames: a tidy table of frames with the
        feature as a column, trx.mat, a directory of either, or a store made of them.
    protocol : str, optional
        Name or unique beginning.
    genotypes : str or sequence of str, optional
        Genotypes or lines (a string may list them with commas); all by default.
    control : str, optional
        As in :func:`~larvastats.verbs.screen.screen`.
    response : str
        An action (``run`` or ``p(run)``): the share of the tracked time spent in it; or a feature:
        ``length`` (mm), ``speed`` (mm/s), ``head_angle`` (rad), or any other series by its name.
    align : 'start', int or text
        The recording's clock; the k-th onset of a stimulus; or ``'k-l'``, the mean over onsets.
    bin : float
        Width of the bins, s.
    span : 'START:STOP' or (float, float), optional
        Times to show, on the chosen clock.
    baseline : float, optional
        Show the change from each assay's own mean in this many seconds before the first onset.
    simultaneous : bool
        Which limits pictures show: those of the whole curve, or those of one time. Tables have
        both.
    test : {'maxt', 'cluster'} or None
        Of every genotype against its control, over all bins together.
    level, alpha : float
        Of the limits; family error of what is called different.
    resamples, bootstrap : int
        Relabellings where there are too many to list; sign patterns behind the limits.
    gap, unit, block, seed, progress
        As in :func:`~larvastats.verbs.screen.screen`.
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    TimecourseResult

    Raises
    ------
    UsageError, DataError
    """
    method = None if test in (None, "none") else test
    options = _options(method, level, alpha, bootstrap, resamples, seed)
    opened, what = open_response(source, response, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, unit=unit, block=block)
    if unit == "larva" and not what.is_action:
        raise UsageError("unit='larva' is for actions; features are averaged by assay.")
    names, pairs, said = choose_genotypes(setting, genotypes, control)
    rows = np.flatnonzero(setting.ethogram.assays["genotype"].isin(names).to_numpy(bool))
    clock, remarks = make_clock(setting.protocol, align, bin, span, recorded(setting, rows))
    values, what = measure(opened, setting, what, clock.edges, clock.onsets)
    check_values(values[rows], what, dict.fromkeys(names), clock)
    before = _baseline(opened, setting, what, clock, clock.quiet if baseline is None else baseline)
    if baseline is not None:
        if before is None:
            raise UsageError("baseline needs a stimulus, and time before it; leave it out.")
        values = values - before[:, None]
    dates = None if setting.dates is None else setting.dates[rows]
    own = setting.ethogram.assays.iloc[rows].reset_index(drop=True)
    share = what.is_action and baseline is None
    data = c.Courses(values[rows], clock.edges, own, dates, share)
    origin = None if before is None else (before - before * (baseline is not None))[rows]
    pieces = _analyse(data, origin, clock, names, pairs if method else {}, options)
    notes = (*opened.notes, *setting.notes, *said, *remarks, *pieces.pop("notes"))
    design = _design(opened, setting, what, clock, options, baseline, simultaneous, align,
                      names, bin)  # fmt: skip
    return TimecourseResult(**pieces, design=design, seed=seed, notes=notes,
                            provenance=opened.provenance)  # fmt: skip


def _options(
    method: str | None, level: float, alpha: float, bootstrap: int, resamples: int, seed: int
) -> c.CourseOptions:
    if method is not None and method not in METHODS:
        raise UsageError(f"test must be {', '.join(METHODS)} or none, but is {method!r}.")
    for name, value in (("level", level), ("alpha", alpha)):
        if not 0 < value < 1:
            raise UsageError(f"{name} must lie between 0 and 1, but is {value!r}.")
    for name, count in (("bootstrap", bootstrap), ("resamples", resamples)):
        if not (isinstance(count, int) and count >= 99):
            raise UsageError(f"{name} must be a whole number of at least 99, but is {count!r}.")
    return c.CourseOptions(method, level, alpha, bootstrap, resamples, seed)


def _baseline(
    opened: Source, setting: Setting, what: Response, clock: Clock, seconds: float
) -> Array | None:
    """Return every assay's own mean before the onset, shape (assay,); None where there is none."""
    if not seconds > 0:
        raise UsageError(f"baseline must be a positive number of seconds, but is {seconds!r}.")
    if clock.onset is None:
        return None
    edges = np.array([clock.onset - seconds, clock.onset])
    if clock.onset + min(clock.onsets) <= 0:
        return None
    values, _ = measure(opened, setting, what, edges, clock.onsets)
    return np.asarray(values[:, 0])


def _analyse(
    data: c.Courses, baseline: Array | None, clock: Clock, names: Sequence[str],
    pairs: dict[str, str], options: c.CourseOptions,
) -> dict[str, Any]:  # fmt: skip
    """Put all tables of a result together."""
    before = dict(zip(data.assays["assay"], baseline, strict=True)) if baseline is not None else {}
    data, usable, notes = c.complete(data)
    present = set(data.assays["genotype"])
    names = [n for n in names if n in present]
    pairs = {g: k for g, k in pairs.items() if g in present and k in present}
    table, more = c.curve_table(data, usable, names, options)
    found = c.compare(data, usable, pairs, options)
    differences = c.difference_table(data, usable, found, options.alpha)
    responses = pd.DataFrame()
    if before and clock.onset is not None and clock.edges[-1] > clock.onset:
        own = np.array([before[a] for a in data.assays["assay"]])
        responses = c.response_table(data, usable, names, own, clock.onset, options)
        more += c.response_notes(responses, options.alpha)
    times = data.times()["t"]
    n = len(times)
    values = data.assays[["assay", "genotype", "date"]].loc[np.repeat(data.assays.index, n)]
    values = values.reset_index(drop=True)
    values = values.assign(t=np.tile(times, len(data.assays)), value=data.values.ravel())
    return {
        "table": table, "differences": differences, "periods": c.period_table(differences),
        "tests": c.comparison_table(found, differences, data, options.method or ""),
        "responses": responses, "values": values, "notes": (*notes, *more),
    }  # fmt: skip


def _design(
    opened: Source, setting: Setting, what: Response, clock: Clock, options: c.CourseOptions,
    baseline: float | None, simultaneous: bool, align: str | int, names: Sequence[str],
    width: float,
) -> dict[str, Any]:  # fmt: skip
    dated = setting.dates is not None
    label = what.label if baseline is None else f"change of {what.label}"
    how = {"maxt": "max-T over all bins", "cluster": "cluster mass", None: "no test"}
    within = " within dates" if dated else ""
    limits = f"{options.level:.0%}, " + (
        "of the whole curve at once" if simultaneous else "pointwise: of one time, not of all"
    )
    return {
        "title": f"Time course of {label}: {len(names)} genotype{'s' * (len(names) > 1)}",
        "data_name": opened.name,
        "protocol": setting.protocol.raw or None,
        "stimuli": setting.protocol.describe(),
        "intervals": [list(pair) for pair in clock.intervals],
        "response": what.name,
        "response_text": (f"{label}, share of the tracked time" if what.is_action else
                          f"{label}, mean over the frames of an assay"),
        "label": label,
        "unit": what.unit,
        "align": align,
        "bin": width,
        "edges": [float(clock.edges[0]), float(clock.edges[-1])],
        "baseline": baseline,
        "baseline_text": f"{baseline or clock.quiet:g} s before the onset",
        "time_text": clock.text,
        "unit_text": "assay, assays exchanged within dates" if dated else "assay",
        "limits_text": limits + (" (on these dates)" if dated else ""),
        "band": "simultaneous" if simultaneous else "pointwise",
        "method": options.method,
        "method_text": f"{how[options.method]}, assays relabelled{within}"
        if options.method else "no test",
        "level": options.level,
        "alpha": options.alpha,
        "genotypes": list(names),
    }  # fmt: skip
