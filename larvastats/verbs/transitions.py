"""Transition matrices by genotype and window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from larvastats.errors import DataError
from larvastats.inference.setting import find_genotype, make_setting
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
    windows: str | Sequence[str] | None = None,
    transitions: str = "jump",
    dt: float = 0.1,
    gap: str | None = None,
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
    windows : str or sequence of str, optional
        Window specifications; by default stimulus off and on: ``before`` and ``during``, or
        ``whole`` without a stimulus.
    transitions : {'jump', 'frame'}
    dt : float
        Step in s under ``frame``.
    gap : {'period', 'pause'}, optional
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
    opened = open_source(source, progress=progress, **load)
    setting = make_setting(opened.ethogram, protocol=protocol, gap=gap)
    larvae = setting.ethogram.larvae
    extent = float(larvae["t_from"].min()), float(larvae["t_to"].max())
    chosen = _windows(setting.protocol, windows, extent)
    ethogram = setting.ethogram
    if genotypes is not None:
        names = genotypes.split(",") if isinstance(genotypes, str) else list(genotypes)
        found = [find_genotype(ethogram.assays, name.strip()) for name in names]
        ethogram = ethogram.select(genotype=found)
    counts = count_transitions(ethogram, chosen, transitions, dt)
    if not counts.counts.any():
        raise DataError(
            f"no transition in {'; '.join(w.describe() for w in chosen)}; the recordings run from "
            f"{extent[0]:g} to {extent[1]:g} s: choose other windows."
        )
    table = _table(counts, ethogram.assays["genotype"], ethogram.larvae_per_assay)
    design = {
        "data_name": opened.name,
        "protocol": setting.protocol.raw or None,
        "stimuli": setting.protocol.describe(),
        "windows_text": {w.name: w.describe() for w in chosen},
        "transitions": transitions,
        "dt": counts.dt,
    }
    return TransitionsResult(table, counts.states, design, opened.notes)


def _windows(
    protocol: Protocol, specs: str | Sequence[str] | None, extent: tuple[float, float]
) -> tuple[Window, ...]:
    if specs is None:
        first_on = protocol.intervals[0][0] if protocol.has_stimulus else None
        specs = ["whole"] if first_on is None else ["before", "during"][first_on <= 0 :]
    names = specs.split(",") if isinstance(specs, str) else list(specs)
    return tuple(w for name in names for w in parse_windows(protocol, name, extent=extent))


def _table(counts: TransitionCounts, genotype: pd.Series, larvae: np.ndarray) -> pd.DataFrame:
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
            parts.append(part)
    return pd.concat(parts, ignore_index=True)
