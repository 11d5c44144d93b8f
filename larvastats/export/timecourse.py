"""Files of ``timecourse``: tidy tables and pictures of curves, or of distributions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from larvastats.export.tables import write_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from larvastats.results import DistributionResult, TimecourseResult


def write_timecourse(
    result: TimecourseResult | DistributionResult,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    command: str | None = None,
) -> list[Path]:
    """Write a time course or a distribution: each table as csv and parquet, pictures, provenance.

    Of a time course ``timecourse`` (per genotype and bin), ``differences``, ``tests``,
    ``periods``, ``responses`` and ``assays`` (per assay and bin), pictures ``timecourse`` and
    ``overlay``; of a distribution ``densities``, ``tests``, ``assays`` (per assay and condition),
    ``mixed`` and ``variances``, picture ``densities``. Tables that do not apply are left out.

    Parameters, returns and errors as in :func:`larvastats.export.write_screen`; `figures` says
    whether to draw.
    """
    names = _tables(result)
    tables = {name: table for name, table in names.items() if len(table.columns)}
    pictures: dict[str, Callable[[], Figure]] = {}
    if figures and hasattr(result, "periods"):
        pictures = {"timecourse": lambda: result.plot("panels"),
                    "overlay": lambda: result.plot("overlay")}  # fmt: skip
    elif figures:
        pictures = {"densities": result.plot}
    return write_tables(result, directory, tables, pictures, command=command)


def _tables(result: Any) -> dict[str, Any]:
    """Return the tables of a result by the names of their files."""
    if hasattr(result, "periods"):
        return {
            "timecourse": result.table, "differences": result.differences, "tests": result.tests,
            "periods": result.periods, "responses": result.responses, "assays": result.values,
        }  # fmt: skip
    return {
        "densities": result.table, "tests": result.tests, "assays": result.units,
        "mixed": result.mixed, "variances": result.variances,
    }  # fmt: skip
