"""Files of a screen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from larvastats.export import pieces
from larvastats.export.staging import staged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from larvastats.ethogram import Ethogram
    from larvastats.results import ScreenResult

BEST = 3
"""Lines of a screen whose matrices are drawn."""


def write_screen(
    result: ScreenResult,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    ethogram: Ethogram | None = None,
    command: str | None = None,
) -> list[Path]:
    """Write a screen: tables, provenance and pictures.

    ``screen.parquet`` and ``screen.csv`` (one row per line, best first), ``transitions.parquet``,
    ``windows.parquet`` and ``.csv`` (if several windows were tested), ``calibration.csv`` (if the
    screen was calibrated), ``provenance.json``; ``ranking``, ``volcano``, ``windows`` (if several),
    ``matrices_<genotype>`` of the best lines, ``raster`` and ``calibration``, each as png and svg.

    Parameters
    ----------
    result : ScreenResult
    directory : path
        Made if need be.
    figures : bool
        Whether to draw the pictures.
    ethogram : Ethogram, optional
        The recordings of the screen's protocol: without them there is no raster.
    command : str, optional
        The command line, for the provenance.

    Returns
    -------
    list of Path
        The files, in the order of writing.

    Raises
    ------
    UsageError
        `directory` cannot be written.
    DataError
        The disk is full or fails; the files that were there before are as they were.
    """
    with staged(directory, result, command) as (stage, files):
        result.table.to_parquet(stage / "screen.parquet", index=False)
        pieces.csv(result.table, stage / "screen.csv")
        result.transitions.to_parquet(stage / "transitions.parquet", index=False)
        if result.windows is not None:
            result.windows.to_parquet(stage / "windows.parquet", index=False)
            pieces.csv(result.windows, stage / "windows.csv")
        if result.calibration is not None:
            pieces.csv(result.calibration.tidy(), stage / "calibration.csv")
        if figures:
            best = [str(g) for g in result.table["genotype"].iloc[:BEST]]
            pieces.draw(result.plot("ranking"), stage / "ranking")
            pieces.draw(result.plot("volcano"), stage / "volcano")
            if result.windows is not None:
                pieces.draw(result.plot("windows"), stage / "windows")
            for genotype in _drawable(best, result.transitions):
                figure = result.plot("matrices", genotype=genotype)
                pieces.draw(figure, stage / f"matrices_{pieces.file_name(genotype)}")
            if ethogram is not None:
                pieces.draw(_raster(result, ethogram, best), stage / "raster")
            if result.calibration is not None:
                pieces.draw(result.calibration.plot(), stage / "calibration")
    return files


def _drawable(names: Sequence[str], transitions: pd.DataFrame) -> list[str]:
    """Those of the genotypes that have matrices (a line without a control has none)."""
    known = set(transitions["genotype"])
    return [name for name in names if name in known]


def _raster(result: ScreenResult, ethogram: Ethogram, best: Sequence[str]) -> Figure:
    from larvastats.plot.raster import plot_raster

    table = result.table.set_index("genotype")
    controls = [str(c) for c in table.loc[list(best), "control"].dropna().unique()]
    intervals = result.design.get("stimulus_intervals", ())
    names = list(dict.fromkeys([*best, *controls]))
    return plot_raster(ethogram, intervals=intervals, genotypes=names)
