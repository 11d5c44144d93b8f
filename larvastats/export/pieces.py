"""What every written result is made of: tables as csv, pictures, names of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def file_name(genotype: str) -> str:
    """Turn a genotype into a part of a file name that every system takes."""
    return "".join(c if c.isalnum() or c in "@._-+" else "_" for c in genotype)


def csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as csv, the same bytes on every system."""
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def draw(figure: Figure, stem: Path) -> None:
    """Write a picture as png and svg."""
    from larvastats.plot.save import save_figure

    save_figure(figure, stem)
