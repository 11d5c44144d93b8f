"""What is in a source, and what its design can show, before anyone tests anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.inference.design.blocks import make_design, p_floor
from larvastats.inference.design.setting import find_controls, make_setting
from larvastats.io.store import is_store, store_rows
from larvastats.io.store_index import OK
from larvastats.protocol import canonical_protocol, parse_protocol
from larvastats.results import SourceInfo
from larvastats.verbs._open import open_source


def info(
    source: Any = None,
    *,
    control: str | None = None,
    gap: str | None = None,
    resamples: int = 10_000,
    progress: bool = False,
    **load: Any,
) -> SourceInfo:
    """Describe a source: protocols with resolved times, lines, controls, floors.

    Parameters
    ----------
    source : Ethogram, DataFrame or path, optional
        The built-in example when left out.
    control : str, optional
        A genotype or line, as in :func:`~larvastats.verbs.screen.screen`.
    gap : {'period', 'pause'}, optional
    resamples : int
        Relabellings where there are too many to enumerate: they limit the floor.
    progress : bool
    **load
        Passed on to :func:`larvastats.io.source.load`.

    Returns
    -------
    SourceInfo
    """
    opened = open_source(source, progress=progress, unlabelled=True, **load)
    ethogram = opened.ethogram
    names = sorted({canonical_protocol(p) for p in ethogram.protocols}) or [""]
    protocols, lines, notes = [], [], list(opened.notes)
    for name in names:
        setting = make_setting(ethogram, protocol=name or None, gap=gap)
        part = setting.ethogram
        exchanged = make_setting(ethogram, protocol=name or None, gap=gap, unit="auto")
        protocols.append(
            {
                "protocol": name,
                "n_assays": len(part.assays),
                "n_larvae": len(part.larvae),
                "stimuli": parse_protocol(name, gap=gap).describe(),  # type: ignore[arg-type]
            }
        )
        try:
            pairs = find_controls(part.assays, control)
        except UsageError as error:
            notes.append(f"{name or 'this source'}: {error}")
            pairs = dict.fromkeys(part.genotypes)
        notes += [n for n in exchanged.notes if n not in notes]
        lines += [_line(setting, exchanged, name, g, c, resamples) for g, c in pairs.items()]
    return SourceInfo(
        source=opened.name,
        protocols=pd.DataFrame(protocols),
        lines=pd.DataFrame(lines, columns=LINE_COLUMNS).astype({"n_control_assays": "Int64"}),
        dates=_dates(ethogram),
        totals=_totals(ethogram) | _shapes(source, ethogram),
        notes=tuple(notes),
    )


LINE_COLUMNS = [
    "protocol", "genotype", "n_assays", "n_dates", "n_larvae", "control", "n_control_assays",
    "n_shared_dates", "p_floor", "note",
]  # fmt: skip


def _line(setting, exchanged, protocol, genotype, control, resamples):  # type: ignore[no-untyped-def]
    line = setting.rows(genotype)
    dates = setting.dates
    row = {
        "protocol": protocol,
        "genotype": genotype,
        "n_assays": len(line),
        "n_dates": None if dates is None else len({dates[a] for a in line} - {None}),
        "n_larvae": int(setting.ethogram.larvae_per_assay[line].sum()),
        "control": control,
        "p_floor": float("nan"),
        "note": "no control" if control is None else "",
    }
    if control is not None:
        other = setting.rows(control)
        units = exchanged.rows(genotype), exchanged.rows(control)
        design = make_design(*units, exchanged.dates)
        row["n_control_assays"] = len(other)
        row["n_shared_dates"] = None if dates is None else design.n_blocks
        row["p_floor"] = p_floor(design, resamples)
        row["note"] = design.reason
    return row


def _dates(ethogram: Ethogram) -> pd.DataFrame:
    columns = ["protocol", "genotype", "date"]
    counted = ethogram.assays.groupby(columns, dropna=False).size()
    return counted.rename("n_assays").reset_index()


def _totals(ethogram: Ethogram) -> dict[str, Any]:
    n = len(ethogram.assays)
    return {
        "n_assays": n,
        "n_larvae": len(ethogram.larvae),
        "n_bouts": ethogram.n_bouts,
        "hours": float(np.sum(ethogram.t_stop - ethogram.t_start)) / 3600,
        "states": list(ethogram.states),
        "n_unlabelled": int((np.bincount(ethogram.assay_index, minlength=n) == 0).sum()),
    }


def _shapes(source: Any, ethogram: Ethogram) -> dict[str, Any]:
    """Say what a store keeps beside bouts; nothing for other sources."""
    if not isinstance(source, str | Path) or not is_store(source):
        return {}
    rows = store_rows(Path(source))
    shown = set(ethogram.assays["assay"])
    good = [row for row in rows if row["status"] == OK and row["assay"] in shown]
    tracked = [row for row in good if row["n_frames"] is not None]
    return {
        "n_failed": len({row["source"] for row in rows if row["status"] != OK}),
        "n_frames": sum(row["n_frames"] for row in tracked),
        "n_bad_frames": sum(row["n_bad_frames"] for row in tracked),
        "n_dropped_frames": sum(row["n_dropped_frames"] or 0 for row in tracked),
        "features": sorted({name for row in good for name in row["features"] or ()}),
    }
