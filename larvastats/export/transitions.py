"""Files of transition matrices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from larvastats.export import pieces
from larvastats.export.staging import staged

if TYPE_CHECKING:
    from larvastats.results import TransitionsResult

MOST_PICTURES = 12
"""Genotypes whose matrices are drawn; the table holds them all."""


def write_transitions(
    result: TransitionsResult,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    command: str | None = None,
) -> list[Path]:
    """Write transition matrices.

    ``transitions.parquet`` and ``.csv``, ``provenance.json`` and, of the first twelve genotypes,
    ``matrices_<genotype>`` and (by window) ``courses_<genotype>`` as png and svg.

    Parameters, returns and errors as in :func:`larvastats.export.write_screen`.
    """
    with staged(directory, result, command) as (stage, files):
        result.table.to_parquet(stage / "transitions.parquet", index=False)
        pieces.csv(result.table, stage / "transitions.csv")
        names = [str(g) for g in result.table["genotype"].unique()]
        for genotype in names[: MOST_PICTURES if figures else 0]:
            name = pieces.file_name(genotype)
            pieces.draw(result.plot(genotype=genotype), stage / f"matrices_{name}")
            if result.design.get("by"):
                figure = result.plot(genotype=genotype, kind="courses")
                pieces.draw(figure, stage / f"courses_{name}")
    return files
