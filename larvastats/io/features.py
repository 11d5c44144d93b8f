"""Continuous features of larvae, assay by assay, from wherever the frames are.

The thin place between recordings and the statistics of features: one function yields
:class:`~larvastats.io.tracks.Tracks` with the features asked for, one assay in memory at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import tidy, trx
from larvastats.io.columns import with_identity
from larvastats.io.frame_table import SAMPLE, column_names, read_columns
from larvastats.io.paths import AssayIdentity, identify, walk_database
from larvastats.io.store import is_store, store_rows
from larvastats.io.tracks import Tracks
from larvastats.io.trx_series import field_names, read_series_tracks
from larvastats.tabular import IDENTITY, levels, numeric

MAX_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature that larvastats knows by name.

    Attributes
    ----------
    name : str
    label : str
        For axes.
    unit : str
    fields : tuple of str
        What trx.mat calls it; the first one there is taken.
    """

    name: str
    label: str
    unit: str
    fields: tuple[str, ...] = ()


FEATURES = {
    feature.name: feature
    for feature in (
        Feature("length", "larva length", "mm", ("larva_length_smooth_5",)),
        Feature("speed", "speed", "mm/s", ("motion_velocity_norm_smooth_5",)),
        Feature("head_angle", "head angle", "rad", ("angle_upper_lower_smooth_5",)),
    )
}
"""Features with units and names in trx.mat; any other numeric column goes by its own name."""


def feature(name: str) -> Feature:
    """Return the feature of that name: a known one, or any series without a unit."""
    return FEATURES.get(name) or Feature(name, name.replace("_", " "), "", (name,))


def open_tracks(source: Any, assays: Collection[str] | None, name: str) -> Iterator[Tracks]:
    """Yield the assays of a source with one feature, one at a time.

    Parameters
    ----------
    source : DataFrame, iterable of Tracks, or path
        A tidy table of frames with a numeric column of that name; a trx.mat; a directory of
        either; or a store, whose recordings are read where they lie.
    assays : collection of str, or None
        Ids of the assays wanted; None for all.
    name : str
        The feature: a key of :data:`FEATURES`, a column, or a field of trx.mat.

    Yields
    ------
    Tracks
        With the one feature, by that name.

    Raises
    ------
    UsageError
        The source has no such feature; the sentence names those it has.
    DataError
        A recording is damaged.
    """
    asked, found = feature(name), False
    for tracks in _all_tracks(source, assays, asked):
        if assays is not None and tracks.identity.assay not in assays:
            continue
        own = next((f for f in (asked.name, *asked.fields) if f in tracks.features), None)
        if own is None:
            continue
        found = True
        unit = asked.unit or tracks.units.get(own, "")
        yield replace(tracks, features={name: tracks.features[own]}, units={name: unit})
    if not found:
        known = feature_names(source)
        shown = ", ".join(known[:MAX_SHOWN]) + (", …" if len(known) > MAX_SHOWN else "")
        raise UsageError(
            f"the source has no feature {name!r}; "
            + (f"it has {shown}." if known else "it has actions only, and no series of numbers.")
        )


def feature_names(source: Any) -> tuple[str, ...]:
    """Return the names of a source's features, as far as a look at its first recording tells."""
    if isinstance(source, pd.DataFrame):
        return _numeric_columns(source)
    if not isinstance(source, str | Path):
        return ()
    for path, _ in _files(source, None):
        if trx.sniff(path):
            fields = field_names(path)
            named = [f.name for f in FEATURES.values() if set(f.fields) & set(fields)]
            return tuple(named) or fields
        if tidy.sniff(path):
            return _numeric_columns(read_columns(path, column_names(path), SAMPLE))
    return ()


def _all_tracks(source: Any, assays: Collection[str] | None, asked: Feature) -> Iterator[Tracks]:
    if isinstance(source, pd.DataFrame):
        yield from _frames(source, asked, assays, "DataFrame")
    elif isinstance(source, str | Path):
        for path, identity in _files(source, assays):
            if trx.sniff(path):
                yield from read_series_tracks(path, asked.fields, identity=identity)
            elif tidy.sniff(path):
                columns = ("assay", "larva", "t", asked.name, *asked.fields)
                table = read_columns(path, columns)
                known = identity or identify(path)
                if known is not None:
                    table = with_identity(table, known)
                yield from _frames(table, asked, assays, str(path))
    elif not isinstance(source, Ethogram):
        yield from source


def _files(
    source: str | Path, assays: Collection[str] | None
) -> Iterator[tuple[Path, AssayIdentity | None]]:
    """List recordings; those whose path names an assay that is not wanted are left out."""
    if is_store(source):
        rows = store_rows(Path(source))
        wanted = [row["source"] for row in rows if assays is None or row["assay"] in assays]
        for place in dict.fromkeys(wanted):
            if not Path(place).exists():
                raise DataError(
                    f"{source}: features are read from the recordings themselves, but {place} is "
                    "gone; put it back, or name the directory where the recordings are."
                )
            yield Path(place), identify(place)
        return
    root = Path(source)
    for path in walk_database(root) if root.is_dir() else [root]:
        identity = identify(path, root if root.is_dir() else None)
        if identity is None or assays is None or identity.assay in assays:
            yield path, identity


def _numeric_columns(table: pd.DataFrame) -> tuple[str, ...]:
    if "t" not in table.columns:
        return ()
    other = {"assay", "larva", "state", "t", "genotype", *IDENTITY}
    return tuple(
        str(name) for name in table.columns
        if name not in other and pd.api.types.is_numeric_dtype(table[name])
    )  # fmt: skip


def _frames(
    table: pd.DataFrame, asked: Feature, assays: Collection[str] | None, source: str
) -> Iterator[Tracks]:
    """Yield the assays of a table of frames."""
    column = next((n for n in (asked.name, *asked.fields) if n in _numeric_columns(table)), None)
    if column is None:
        return
    codes, names = levels(table, "assay", source)
    larva, larvae = levels(table, "larva", source)
    t = numeric(table, "t", source)
    values = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for k, assay in enumerate(names):
        if assays is not None and assay not in assays:
            continue
        own = order[edges[k] : edges[k + 1]]
        who, index = np.unique(larva[own], return_inverse=True)
        yield Tracks.build(
            AssayIdentity("", "", "", "", None, None, assay), [larvae[i] for i in who], index,
            t[own], features={asked.name: values[own]}, source=source,
        )  # fmt: skip
