"""Files of any result: its tables and pictures by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.export import pieces
from larvastats.export.staging import staged

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_tables(
    result: Any,
    directory: str | os.PathLike[str],
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, Callable[[], Figure]],
    *,
    command: str | None = None,
) -> list[Path]:
    """Write any result: each table as csv and parquet, each picture as png and svg, provenance.

    Parameters
    ----------
    result : result
        For the provenance.
    directory : path
    tables, pictures : mapping
        By name of the file, without ending.
    command : str, optional

    Returns and errors as in :func:`larvastats.export.write_screen`.
    """
    with staged(directory, result, command) as (stage, files):
        for name, table in tables.items():
            table.to_parquet(stage / f"{name}.parquet", index=False)
            pieces.csv(table, stage / f"{name}.csv")
        for name, draw in pictures.items():
            pieces.draw(draw(), stage / name)
    return files
