"""From a setting to tasks: windows counted, profiles made, one task per line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.blocks import Design, make_design
from larvastats.inference.design.crosses import vial_component
from larvastats.inference.design.quality import quality_notes, recording_quality
from larvastats.inference.design.setting import Setting
from larvastats.inference.lines import linetest
from larvastats.inference.options import NO_VIAL, Options
from larvastats.inference.profiles.covariates import covariate_matrix, without_covariates
from larvastats.inference.profiles.features import Made, Sufficient, count_units, make_profiles
from larvastats.inference.relabelling.plans import Budget
from larvastats.inference.screen.outcome import LineTask
from larvastats.protocol import Window, default_window, windows
from larvastats.protocol import contrast as parse_contrast

TAIL = 1000
"""Smallest possible p-values that a line keeps for a correction over lines."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A setting with its windows counted and its profiles made.

    Attributes
    ----------
    setting : Setting
    windows : tuple of Window
        One, or the two of a contrast.
    units : Sufficient
        Of every assay.
    made : Made
        Profiles of every assay.
    usable : ndarray of bool, shape (assay,)
        Assays with at least one trial in every window.
    """

    setting: Setting
    windows: tuple[Window, ...]
    units: Sufficient
    made: Made
    usable: NDArray[np.bool_]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Counts, shape (assay, window, from, to)."""
        return self.units.counts

    @property
    def states(self) -> tuple[str, ...]:
        """The vocabulary."""
        return self.setting.ethogram.states

    @property
    def is_contrast(self) -> bool:
        """Whether two windows are contrasted."""
        return len(self.windows) == 2

    @property
    def window_name(self) -> str:
        """Name of the window or contrast."""
        return "-".join(w.name for w in self.windows)


def count(setting: Setting, options: Options, window: str | None, contrast: str | None) -> Counted:
    """Count the windows and make the profiles."""
    if window is not None and contrast is not None:
        raise UsageError("give either window or contrast, not both.")
    if contrast is not None:
        if options.statistic in (*linetest.DIVERGENCES, "g"):
            raise UsageError(
                f"the statistic {options.statistic!r} compares probabilities, not their change; "
                "use welch, occupancy, dwell or combined with a contrast."
            )
        chosen: tuple[Window, ...] = parse_contrast(setting.protocol, contrast)
    elif window is None:
        chosen = (default_window(setting.protocol),)
    else:
        chosen = windows(setting.protocol, window, extent=extent(setting))
        if len(chosen) != 1:
            raise UsageError(
                f"window {window!r} names {len(chosen)} windows, and one is tested here; name one "
                "of them, test all together with screen, or see them with transitions."
            )
    return count_chosen(setting, options, chosen)


def count_chosen(setting: Setting, options: Options, chosen: tuple[Window, ...]) -> Counted:
    """Count one window, or the two of a contrast, and make the profiles."""
    units = count_units(setting.ethogram, chosen, options)
    happened = units.counts.sum(axis=(2, 3)) > 0
    for w, one in enumerate(chosen):
        if not happened[:, w].any():
            raise DataError(_empty_window(setting, one))
    usable = (units.trials.sum(axis=2) > 0).all(axis=1)
    return Counted(setting, chosen, units, make_profiles(units, units, options), usable)


def extent(setting: Setting) -> tuple[float, float]:
    """Return the first and the last moment that any larva was tracked, s."""
    larvae = setting.ethogram.larvae
    return float(larvae["t_from"].min()), float(larvae["t_to"].max())


def _empty_window(setting: Setting, window: Window) -> str:
    low, high = extent(setting)
    return (
        f"window {window.describe()} holds no transition in any assay of protocol "
        f"{setting.protocol.raw or '(none)'!r}; the recordings run from {low:g} to {high:g} s: "
        "choose a window within them, or check the stimulus times (--gap)."
    )


def lay_out(
    counted: Counted, pairs: Mapping[str, str | None], options: Options
) -> tuple[list[LineTask], list[dict[str, Any]]]:
    """Make one task per line that has a control, and the describing columns of every line."""
    made, setting = counted.made, counted.setting
    quality = recording_quality(setting.ethogram)
    z = covariate_matrix(setting.ethogram.assays, options.covariates)
    dimension = dimensions(counted, {c for c in pairs.values() if c is not None})
    tail = TAIL if options.correction == "maxt" else 0
    budget = Budget(options.resamples, options.seed, tail=tail, memory=options.memory)
    tasks, rows = [], []
    for genotype, control in pairs.items():
        row = _identity(counted, genotype, control)
        rows.append(row)
        if control is None:
            row["note"] = f"no control with the effector {row['effector']}"
            continue
        design, unused = _design(counted, genotype, control, options.variance)
        row |= _sizes(counted, design)
        row["note"] = _design_note(design, unused, quality_notes(quality, design))
        if design.by_plate and not design.reason:
            row["note"] = "; ".join(part for part in (NO_VIAL, row["note"]) if part)
        u = design.units
        features = tuple(x[u] for x in made.features)
        if options.covariates and not design.reason:
            features = tuple(without_covariates(x, z[u], design) for x in features)
        rows_of = None if made.rows is None or options.covariates else made.rows[u]
        task = LineTask(
            genotype,
            control,
            design,
            features,
            rows_of,
            counted.counts[u, 0],
            counted.units.trials[u, 0],
            options.transitions,
            dimension[control],
            options.row_weights,
            budget,
            options.bootstrap,
            options.statistic == "g",
        )
        tasks.append(task)
    return tasks, rows


def dimensions(counted: Counted, controls: set[str]) -> dict[str, float]:
    """Estimate the effective dimension of the profiles, for each control.

    With dates from the scatter of line x date means; without, or where too few are left, from the
    scatter of each control's assays.
    """
    setting, seen = counted.setting, counted.usable
    x, groups = counted.made.features[0][seen], _groups(setting)
    if setting.dates is not None:
        known = np.array([d is not None for d in setting.dates]) & seen
        genotype = pd.factorize(setting.ethogram.assays["genotype"])[0]
        date = pd.factorize(np.array([str(d) for d in setting.dates]))[0]
        shared = linetest.interaction_dimension(
            counted.made.features[0][known], genotype[known], date[known]
        )
        if not np.isnan(shared):
            return dict.fromkeys(sorted(controls), shared)
    out = {}
    for control in sorted(controls):
        is_control = np.zeros(len(groups), dtype=bool)
        is_control[setting.rows(control)] = True
        out[control] = linetest.dimension(x, groups[seen], is_control[seen])
    return out


def vial_note(counted: Counted, options: Options, kind: str) -> str:
    """Say where the assays show effects of the vial that the test takes for none.

    Parameters
    ----------
    counted : Counted
    options : Options
    kind : {'relabel', 'F'}
        The p-value that ranks.
    """
    setting, by_plate = counted.setting, options.variance == "plate"
    exposed = setting.unit == "assay" and (by_plate or kind == "relabel")
    if setting.dates is None or not exposed:
        return ""
    known = np.array([d is not None for d in setting.dates]) & counted.usable
    if not known.any():
        return ""
    genotype = pd.factorize(setting.ethogram.assays["genotype"])[0][known]
    date = pd.factorize(np.array([str(d) for d in setting.dates]))[0][known]
    return vial_component(counted.made.features[0][known], genotype, date).sentence(by_plate)


def _groups(setting: Setting) -> NDArray[np.int64]:
    """Genotype (x date) of every assay: within these, assays are replicates."""
    key = setting.ethogram.assays["genotype"].astype("str")
    if setting.dates is not None:
        key = key + "\x1f" + pd.Series([str(d) for d in setting.dates])
    return pd.factorize(key)[0].astype(np.int64)


def _design(counted: Counted, genotype: str, control: str, variance: str) -> tuple[Design, int]:
    """Lay out one comparison; where it allows no test, keep all assays to be described."""
    line, other = counted.setting.rows(genotype), counted.setting.rows(control)
    unused = int((~counted.usable[line]).sum())
    line, other = line[counted.usable[line]], other[counted.usable[other]]
    design = make_design(line, other, counted.setting.dates, variance)
    if design.reason:
        everyone = make_design(line, other, None)
        design = replace(everyone, reason=design.reason, dated=design.dated)
    return design, unused


def _identity(counted: Counted, genotype: str, control: str | None) -> dict[str, Any]:
    assays = counted.setting.ethogram.assays
    first = assays.iloc[counted.setting.rows(genotype)[0]]
    return {
        "genotype": genotype,
        "line": first["line"],
        "effector": first["effector"],
        "control": control,
        "protocol": counted.setting.protocol.raw or None,
        "window": counted.window_name,
        "note": "",
    }


def _sizes(counted: Counted, design: Design) -> dict[str, Any]:
    line, control = design.units[design.is_line], design.units[~design.is_line]
    dates = counted.setting.dates
    n_dates = None
    if dates is not None:
        n_dates = len({dates[a] for a in line} & {dates[a] for a in control} - {None})
    return {
        "n_dates": n_dates,
        "n_assays": len(line),
        "n_control_assays": len(control),
        "n_larvae": int(counted.setting.ethogram.larvae_per_assay[line].sum()),
        "n_transitions": int(counted.counts[line, 0].sum()),
    }


def _design_note(design: Design, unused: int, quality: Sequence[str]) -> str:
    parts = [design.reason] if design.reason else []
    line, control = design.n_dropped
    if line:
        parts.append(f"{_counted(line, 'assay')} on dates without control left out")
    if control:
        parts.append(f"{_counted(control, 'control assay')} on dates without the line left out")
    if unused:
        parts.append(f"{_counted(unused, 'assay')} without a transition in the window left out")
    return "; ".join([*parts, *quality])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
