"""What every verb does first: open its source and say what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from larvastats.ethogram import Ethogram

EXAMPLE_NAME = "built-in example: a simulated light screen"
READING = ("format", "fps", "px_per_mm")


@dataclass(frozen=True, slots=True)
class Source:
    """Opened recordings.

    Attributes
    ----------
    ethogram : Ethogram
    name : str
        How results call it.
    notes : tuple of str
        What was left out on the way.
    provenance : mapping
        ``source`` and ``checksum``.
    place : Ethogram, DataFrame or path
        Where features are read from, which no ethogram holds.
    reading : mapping
        How: ``format fps px_per_mm``, as far as they were given.
    """

    ethogram: Ethogram
    name: str
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]
    place: Any = None
    reading: Mapping[str, Any] = field(default_factory=dict)


def open_source(source: Any, *, progress: bool = False, **load: Any) -> Source:
    """Open a store, database directory, table file, DataFrame or ethogram.

    Parameters
    ----------
    source : Source, Ethogram, DataFrame, path or None
        None is the built-in example; what is open already stays as it is.
    progress : bool
        Draw a progress bar while reading many files.
    **load
        Passed on to :func:`larvastats.io.source.load_with_report`.
    """
    if isinstance(source, Source):
        return source
    from larvastats.example import example_path
    from larvastats.io.source import checksum, load_with_report

    place = example_path() if source is None else source
    ethogram, notes = load_with_report(place, progress=progress, **load)
    if source is None:
        name = EXAMPLE_NAME
    elif isinstance(source, Ethogram | pd.DataFrame):
        name = f"{type(source).__name__} in memory"
    else:
        name = str(Path(source))
    reading: dict[str, Any] = {key: value for key, value in load.items() if key in READING}
    said = {"source": name, "checksum": checksum(place)}
    return Source(ethogram, name, notes, said, place, reading)
