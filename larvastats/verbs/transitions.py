"""Transition matrices by genotype and window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.inference.design.setting import Setting, find_genotype, make_setting
from larvastats.inference.relabelling import resampling
from larvastats.inference.transitions import bands
from larvastats.markov.counts import TransitionCounts, count_transitions
from larvastats.markov.transitions import probabilities
from larvastats.protocol import Protocol, Window
from larvastats.protocol import windows as parse_windows
from larvastats.results import TransitionsResult
from larvastats.verbs._open import open_source


def transitions(
    source: Any = None,
    *,
    protocol: str | None = None,
    genotypes: str | Sequence[str] | None = None,
    by: str | None = None,
    windows: str | Sequence[str] | None = None,
    transitions: str = "jump",
    dt: float = 0.1,
    gap: str | None = None,
    block: str = "date",
    bootstrap: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = False,
    **load: Any,
) -> TransitionsResult:
    """Estimate transition matrices from the pooled counts of each genotype.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out.
    protocol : str, optional
        Name or unique beginning.
    genotypes : str or sequence of str, optional
        Genotypes or lines (a string may list them with commas); all by default.
    by : {'window'}, optional
        ``window``: every window of the protocol (before, each presentation, after), to see the
        probabilities change; pictures are then courses, not matrices.
    windows : str or sequence of str, optional
        Window specifications; by default stimulus off and on: ``before`` and ``during``, or
        ``whole`` without a stimulus.
    transitions : {'jump', 'frame'}
    dt : float
        Step in s under ``frame``.
    gap : {'period', 'pause'}, optional
    block : {'date', 'none'}
        With dates the replicate is line x date, else the assay; it is what the bands resample.
    bootstrap : int
        Resamples behind the bands; 0 switches them off.
    level : float
        Coverage of the bands, pointwise.
    seed : int
    progress : bool
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    TransitionsResult

    Raises
    ------
    UsageError, DataError
    """
    _check(by, bootstrap, level, seed)
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap, block=block)
    larvae = setting.ethogram.larvae
    extent = float(larvae["t_from"].min()), float(larvae["t_to"].max())
    chosen = _windows(setting.protocol, _by_window(setting, by, windows), extent)
    setting = _select(setting, genotypes)
    counts = count_transitions(setting.ethogram, chosen, transitions, dt)
    if not counts.counts.any():
        raise DataError(
            f"no transition in {'; '.join(w.describe() for w in chosen)}; the recordings run from "
            f"{extent[0]:g} to {extent[1]:g} s: choose other windows."
        )
    limits = _limits(counts, setting, bootstrap, level, seed)
    table = _table(counts, setting.ethogram.assays["genotype"], setting.ethogram.larvae_per_assay,
                   limits)  # fmt: skip
    design = {
        "data_name": opened.name,
        "protocol": setting.protocol.raw or None,
        "stimuli": setting.protocol.describe(),
        "stimulus_intervals": [list(i) for i in setting.protocol.intervals],
        "windows_text": {w.name: w.describe() for w in chosen},
        "windows_intervals": {w.name: _finite(w, extent) for w in chosen},
        "by": by,
        "transitions": transitions,
        "dt": counts.dt,
        "replicate": "line x date" if setting.dates is not None else "assay",
        "bootstrap": bootstrap,
        "level": level,
    }
    notes = (*opened.notes, *_notes(counts, setting, bootstrap))
    return TransitionsResult(table, counts.states, design, notes, seed, opened.provenance)


def _check(by: str | None, bootstrap: int, level: float, seed: int) -> None:
    if by not in (None, "window"):
        raise UsageError(f"by must be window, but is {by!r}.")
    if bootstrap < 0:
        raise UsageError(f"bootstrap must not be negative, but is {bootstrap!r}.")
    if not 0 < level < 1:
        raise UsageError(f"level must lie between 0 and 1, but is {level!r}.")
    if seed < 0:
        raise UsageError(f"seed must be a whole number from 0 up, but is {seed!r}.")


def _by_window(
    setting: Setting, by: str | None, windows: str | Sequence[str] | None
) -> str | Sequence[str] | None:
    """Choose every window of the protocol, if asked for and none is named."""
    if by is None or windows is not None:
        return windows
    if not setting.protocol.has_stimulus:
        raise UsageError(
            f"protocol {setting.protocol.raw or '(none)'!r} has no stimulus with times, hence no "
            "windows to go by; name some, such as windows sliding:10:5."
        )
    return "each"


def _select(setting: Setting, genotypes: str | Sequence[str] | None) -> Setting:
    """Keep the assays of some genotypes."""
    if genotypes is None:
        return setting
    assays = setting.ethogram.assays
    names = genotypes.split(",") if isinstance(genotypes, str) else list(genotypes)
    found = [find_genotype(assays, name.strip()) for name in names]
    keep = assays["genotype"].isin(found).to_numpy(bool)
    dates = None if setting.dates is None else setting.dates[keep]
    return replace(setting, ethogram=setting.ethogram.subset(keep), dates=dates)


def _finite(window: Window, extent: tuple[float, float]) -> list[list[float]]:
    """Intervals of a window, open ends closed where the recordings end."""
    return [[max(low, extent[0]), min(high, extent[1])] for low, high in window.intervals]


def _limits(
    counts: TransitionCounts, setting: Setting, bootstrap: int, level: float, seed: int
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64], int]]:
    """Limits of every genotype, each of shape (window, from, to), and its replicates."""
    genotype = setting.ethogram.assays["genotype"].to_numpy(dtype=object)
    replicate = bands.replicates(genotype, setting.dates)
    out = {}
    for name in sorted(set(genotype)):
        own = genotype == name
        summed = bands.add_up(counts.counts[own], replicate[own])
        rng = resampling.seeded(seed, str(name), "transitions")
        out[str(name)] = (*bands.probability_bands(summed, bootstrap, rng, level), len(summed))
    return out


def _notes(counts: TransitionCounts, setting: Setting, bootstrap: int) -> list[str]:
    """Name windows without transitions, and genotypes without bands."""
    genotype = setting.ethogram.assays["genotype"].to_numpy(dtype=object)
    empty = [w.describe() for w, n in zip(counts.windows, counts.counts.sum(axis=(0, 2, 3)),
                                          strict=True) if not n]  # fmt: skip
    notes = [f"no transition at all in window {'; '.join(empty)}"] if empty else []
    replicate = bands.replicates(genotype, setting.dates)
    one = [g for g in sorted(set(genotype)) if len(set(replicate[genotype == g])) < 2]
    if one and bootstrap:
        what = "date" if setting.dates is not None else "assay"
        more = "; block='none' takes its assays as replicates" if what == "date" else ""
        shown = ", ".join(one[:6]) + (f" and {len(one) - 6} more" if len(one) > 6 else "")
        notes.append(f"{shown}: one {what} only, no bands{more}")
    return notes


def _windows(
    protocol: Protocol, specs: str | Sequence[str] | None, extent: tuple[float, float]
) -> tuple[Window, ...]:
    if specs is None:
        first_on = protocol.intervals[0][0] if protocol.has_stimulus else None
        specs = ["whole"] if first_on is None else ["before", "during"][first_on <= 0 :]
    names = specs.split(",") if isinstance(specs, str) else list(specs)
    return tuple(w for name in names for w in parse_windows(protocol, name, extent=extent))


def _table(
    counts: TransitionCounts,
    genotype: pd.Series,
    larvae: NDArray[np.int64],
    limits: dict[str, tuple[NDArray[np.float64], NDArray[np.float64], int]],
) -> pd.DataFrame:
    """One row per genotype, window and cell."""
    k = len(counts.states)
    start, end = np.repeat(counts.states, k), np.tile(counts.states, k)
    parts = []
    for name in sorted(genotype.unique()):
        own = (genotype == name).to_numpy(bool)
        for w, window in enumerate(counts.windows):
            total = counts.counts[own, w].sum(axis=0)
            part = pd.DataFrame({"genotype": name, "window": window.name, "from": start, "to": end})
            part["n"], part["p"] = total.ravel(), probabilities(total).ravel()
            part["n_assays"], part["n_larvae"] = int(own.sum()), int(larvae[own].sum())
            low, high, n = limits[name]
            part["p_low"], part["p_high"], part["n_replicates"] = low[w].ravel(), high[w].ravel(), n
            parts.append(part)
    return pd.concat(parts, ignore_index=True)
