"""Does this screen keep its error? Ask its own controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats import compute
from larvastats.errors import DataError
from larvastats.inference.calibration import pseudo_lines as cal
from larvastats.inference.design.setting import find_controls, larvae_as_units, make_setting
from larvastats.inference.options import NO_VIAL, Options
from larvastats.inference.profiles.features import count_units
from larvastats.inference.relabelling import resampling
from larvastats.inference.screen.layout import Counted, count, dimensions
from larvastats.results import CalibrationResult
from larvastats.verbs._open import open_source

QUICK_DRAWS = 200
QUICK_RESAMPLES = 999
WIDE = 2.0
"""An interval that reaches this many times the level does not tell."""


def calibrate(
    source: Any = None,
    *,
    protocol: str | None = None,
    control: str | None = None,
    statistic: str = "welch",
    transitions: str = "jump",
    dt: float = 0.1,
    window: str | None = None,
    contrast: str | None = None,
    gap: str | None = None,
    block: str = "date",
    variance: str = "date",
    resamples: int = 2000,
    draws: int = 1000,
    seed: int = 0,
    jobs: int = 1,
    progress: bool = False,
    **load: Any,
) -> CalibrationResult:
    """Test control pseudo-lines that look like the lines of a screen.

    Each pseudo-line borrows a line's dates, its number of plates and its larvae per plate, is drawn
    from the line's controls (by whole ``cross`` where that column is known) and tested against the
    remaining ones, as the screen would test it.

    Parameters
    ----------
    source, protocol, control, statistic, transitions, dt, window, contrast, gap, block, \
variance, seed, jobs, progress, **load
        As in :func:`~larvastats.verbs.screen.screen`.
    resamples : int
        Relabellings of each pseudo-line where there are too many to enumerate.
    draws : int
        Pseudo-lines.

    Returns
    -------
    CalibrationResult

    Raises
    ------
    DataError
        Too few controls to make one pseudo-line.
    """
    options = Options(statistic, transitions, dt, "auto", resamples, "none", 0.05, "uniform", 0,
                      seed, variance=variance)  # fmt: skip
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, unit="auto", block=block)
    pairs = find_controls(setting.ethogram.assays, control)
    counted = count(setting, options, window, contrast)
    result = calibrate_counted(counted, pairs, options, draws, True, jobs, progress, opened.name)
    if result is None:
        raise DataError(
            "no pseudo-line can be made: on no two dates (or, without dates, nowhere) are there "
            "enough control assays to split off as many as a line has; calibrate needs more "
            "control plates per date."
        )
    return result


@dataclass(frozen=True, slots=True)
class _Work:
    """Pseudo-lines for one worker: everything they depend on."""

    controls: cal.Controls
    templates: tuple[cal.Template, ...]
    draws: tuple[int, ...]
    options: Options
    f1: float
    everything: bool
    name: str


def calibrate_quickly(
    counted: Counted,
    pairs: Mapping[str, str | None],
    options: Options,
    jobs: int,
    progress: bool,
    data_name: str,
) -> CalibrationResult | None:
    """Calibrate a screen in passing: fewer pseudo-lines, fewer relabellings."""
    options = replace(options, resamples=min(options.resamples, QUICK_RESAMPLES))
    return calibrate_counted(counted, pairs, options, QUICK_DRAWS, False, jobs, progress, data_name)


def calibrate_counted(
    counted: Counted,
    pairs: Mapping[str, str | None],
    options: Options,
    draws: int,
    everything: bool,
    jobs: int,
    progress: bool,
    data_name: str,
) -> CalibrationResult | None:
    """Calibrate what a screen has counted already; None when the controls are too few."""
    control = usual_control(pairs)
    if control is None:
        return None
    templates = line_templates(counted, [g for g, c in pairs.items() if c == control])
    if not templates:  # no line can be tested, so there is nothing to imitate
        return None
    controls = control_larvae(counted, control, options)
    f1 = dimensions(counted, {control})[control]
    blocks = [tuple(range(s, min(s + 25, draws))) for s in range(0, draws, 25)]
    work = [_Work(controls, templates, block, options, f1, everything, control) for block in blocks]
    done = compute.run(_draw, work, jobs=jobs, description="calibration", progress=progress)
    tests = [t for part in done for t in part]
    if len(tests) < 20:
        return None
    disjoint = cal.n_disjoint(controls, templates)
    table = pd.DataFrame(cal.shares(tests, controls, disjoint))
    has_cross = controls.cross is not None
    return CalibrationResult(
        table=table,
        p_values=_long(tests),
        verdict=_verdict(table, options, disjoint),
        design={
            "data_name": data_name,
            "protocol": counted.setting.protocol.raw or None,
            "window": counted.window_name,
            "control": control,
            "n_draws": len(tests),
            "n_disjoint": disjoint,
            "n_control_assays": len(controls.assays.counts),
            "n_dates": None if controls.dates is None else len(set(controls.dates)),
            "larvae_per_plate": int(
                np.median([n for t in templates for _, plates in t.plates for n in plates])
            ),
        },
        seed=options.seed,
        notes=_notes(has_cross, controls.dates is not None and options.variance == "plate"),
    )  # fmt: skip


def _notes(has_cross: bool, by_plate: bool) -> tuple[str, ...]:
    notes = [NO_VIAL] if by_plate else []
    if not has_cross:
        notes.append(
            "no column 'cross': effects of the vial on all plates of a line and date cannot be "
            "seen in controls"
        )
    return tuple(notes)


def usual_control(pairs: Mapping[str, str | None]) -> str | None:
    """Return the control of most lines; None where no line has one."""
    named = [c for c in pairs.values() if c is not None]
    return max(sorted(set(named)), key=named.count) if named else None


def line_templates(counted: Counted, genotypes: Sequence[str]) -> tuple[cal.Template, ...]:
    """Say what each line looks like: its dates, plates and larvae per plate."""
    setting = counted.setting
    larvae = setting.ethogram.larvae_per_assay
    templates = []
    for genotype in genotypes:
        rows = setting.rows(genotype)
        rows = rows[counted.usable[rows]]
        plates: dict[str | None, list[int]] = {}
        for a in rows:
            day = None if setting.dates is None else setting.dates[a]
            if setting.dates is None or day is not None:
                plates.setdefault(day, []).append(int(larvae[a]))
        if sum(len(p) for p in plates.values()) >= 2:
            pattern = tuple((day, tuple(p)) for day, p in sorted(plates.items(), key=str))
            templates.append(cal.Template(genotype, pattern))
    return tuple(templates)


def control_larvae(counted: Counted, control: str, options: Options) -> cal.Controls:
    """Count the controls larva by larva."""
    setting = counted.setting
    rows = setting.rows(control)
    rows = rows[counted.usable[rows]]
    keep = np.zeros(len(setting.ethogram.assays), dtype=bool)
    keep[rows] = True
    part = setting.ethogram.subset(keep)
    larvae = count_units(larvae_as_units(part), counted.windows, options)
    everything = counted.units.add_up(np.zeros(len(counted.units.counts), dtype=np.int64), 1)
    return cal.Controls(
        larvae=larvae,
        assay=part.larvae["assay_index"].to_numpy(np.int64),
        assays=counted.units.take(rows),
        dates=None if setting.dates is None else setting.dates[rows],
        cross=_crosses(setting.ethogram.assays, rows),
        pool=everything,
    )


def _crosses(assays: pd.DataFrame, rows: NDArray[np.int64]) -> NDArray[np.object_] | None:
    if "cross" not in assays:
        return None
    cross = assays["cross"].iloc[rows].astype(object)
    return cross.where(cross.notna(), None).to_numpy(dtype=object)


def _draw(work: _Work) -> list[cal.PseudoTest]:
    tests = []
    for draw in work.draws:
        rng = resampling.seeded(work.options.seed, work.name, f"pseudo-line {draw}")
        template = work.templates[draw % len(work.templates)]
        one = cal.pseudo_test(work.controls, template, work.options, work.f1, work.everything, rng)
        if one is not None:
            tests.append(one)
    return tests


def _long(tests: Sequence[cal.PseudoTest]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"draw": i, "statistic": s, "null": n, "p": p, "template": t.template}
            for i, t in enumerate(tests)
            for (s, n), p in t.p.items()
        ]
    )


def _verdict(table: pd.DataFrame, options: Options, disjoint: int) -> str:
    """Say in one sentence whether the error is kept."""
    rows = table[table["level"] == options.alpha] if options.alpha in cal.LEVELS else table
    own = rows[rows["statistic"] == options.statistic]
    main = (own if len(own) else rows).iloc[0]
    share = f"{main['share']:.3f} (95% {main['low']:.3f}-{main['high']:.3f})"
    said = f"of control pseudo-lines {share} have p <= {main['level']:g}"
    if main["low"] > main["level"]:
        return f"This screen finds too much: {said}."
    if main["high"] < main["level"]:
        return f"This screen is careful: {said}."
    if main["high"] > WIDE * main["level"]:
        lines = "pseudo-line" if disjoint == 1 else "pseudo-lines"
        return (
            f"Too few controls to tell: {said}, and no more than {disjoint} {lines} can be drawn "
            "without sharing a plate."
        )
    return f"This screen keeps its error: {said}."
