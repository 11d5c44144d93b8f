"""Files of a habituation analysis."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from larvastats.export.tables import write_tables

if TYPE_CHECKING:
    from larvastats.results import HabituationResult


def write_habituation(
    result: HabituationResult,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    command: str | None = None,
) -> list[Path]:
    """Write a habituation analysis.

    ``habituation`` (one row per genotype), ``curves`` (per genotype and bin), ``assays`` and, under
    ``berne``, ``pulses``, each as csv and parquet; ``provenance.json``; pictures ``habituation``
    and ``tau`` as png and svg.

    Parameters, returns and errors as in :func:`larvastats.export.write_screen`.
    """
    tables = {"habituation": result.table, "curves": result.curves, "assays": result.units}
    if len(result.pulses):
        tables["pulses"] = result.pulses
    pictures = {"habituation": result.plot, "tau": lambda: result.plot("tau")} if figures else {}
    return write_tables(result, directory, tables, pictures, command=command)
