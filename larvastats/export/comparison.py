"""Files of one comparison."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from larvastats.export import pieces
from larvastats.export.documents import document, write_json
from larvastats.export.staging import staged

if TYPE_CHECKING:
    from larvastats.results import HTest


def write_test(
    result: HTest,
    directory: str | os.PathLike[str],
    figures: bool = True,
    *,
    command: str | None = None,
) -> list[Path]:
    """Write one comparison.

    ``compare.csv`` (the tidy row), ``compare.json`` (everything), ``units.csv``,
    ``transitions.parquet`` and ``.csv``, ``provenance.json`` and ``matrices`` as png and svg.

    Parameters, returns and errors as in :func:`larvastats.export.write_screen`.
    """
    with staged(directory, result, command) as (stage, files):
        pieces.csv(result.tidy(), stage / "compare.csv")
        write_json(document(result), stage / "compare.json")
        pieces.csv(result.augment(), stage / "units.csv")
        if not result.transitions.empty:
            result.transitions.to_parquet(stage / "transitions.parquet", index=False)
            pieces.csv(result.transitions, stage / "transitions.csv")
            if figures:
                pieces.draw(result.plot(), stage / "matrices")
    return files
