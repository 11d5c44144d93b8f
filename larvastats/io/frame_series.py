"""Series of numbers in a tidy table of frames: the columns beside who, when and what.

The table itself is read and checked by :mod:`larvastats.io.tidy`; this takes one more look at it,
by the same parsers, for single columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from larvastats.errors import DataError
from larvastats.io.columns import parquet_names, parquet_pieces, to_pandas, with_identity
from larvastats.io.delimited import NoTimeError, read_pieces, typed
from larvastats.io.files import AnyPath
from larvastats.io.paths import AssayIdentity
from larvastats.io.text_layout import find_layout, other_decimal
from larvastats.io.tidy import is_parquet
from larvastats.io.tracks import Tracks
from larvastats.tabular import IDENTITY, levels, numeric

_WHO_AND_WHEN = ("assay", "larva", "t")
_NO_SERIES = {*_WHO_AND_WHEN, "state", "genotype", *IDENTITY}
_SAMPLE = 1 << 16
"""Bytes of a text that show which of its columns hold numbers."""


def series_names(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of a table's columns of numbers; none where it holds no frames."""
    if "t" not in table.columns:
        return ()
    return tuple(
        str(name)
        for name in table.columns
        if name not in _NO_SERIES and pd.api.types.is_numeric_dtype(table[name])
    )


def series_names_of(path: AnyPath) -> tuple[str, ...]:
    """Return the names of the columns of numbers of a file, as far as its first rows tell."""
    if is_parquet(path):
        return series_names(to_pandas(next(parquet_pieces(path), pa.table({}))))
    layout = find_layout(path)
    names = [name for name in layout.names if name]
    if "t" not in names:
        return ()
    texts = {name: set[str | None]() for name in names if name not in _NO_SERIES}
    for decimal in (layout, other_decimal(layout)):
        try:
            for table in read_pieces(path, decimal or layout, (), _SAMPLE):
                for name, own in texts.items():
                    own |= set(table[name].combine_chunks().dictionary.to_pylist())
                kinds = {name: typed(sorted(filter(None, own)), (decimal or layout).decimal).type
                         for name, own in texts.items()}  # fmt: skip
                return tuple(n for n, k in kinds.items()
                             if pa.types.is_integer(k) or pa.types.is_floating(k))  # fmt: skip
        except NoTimeError:
            continue
    return ()


def read_frames(
    path: AnyPath, names: Sequence[str], identity: AssayIdentity | None = None
) -> Iterator[Tracks]:
    """Yield the assays of a file with some of its series, those that it has.

    Parameters
    ----------
    path : path
        Csv (also gzipped) or parquet.
    names : sequence of str
    identity : AssayIdentity, optional
        Supplies the assay where the table does not name it.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is damaged, or a column holds something else than numbers.
    """
    table = _read_parquet(path, names) if is_parquet(path) else _read_csv(path, names)
    if identity is not None:
        table = with_identity(table, identity)
    yield from from_frames(table, names, str(path))


def from_frames(table: pd.DataFrame, names: Sequence[str], source: str) -> Iterator[Tracks]:
    """Yield the assays of a table of frames with some of its series, those that it has.

    Raises
    ------
    DataError
        A name or a time is missing.
    """
    taken = [name for name in names if name in series_names(table)]
    if not taken or not len(table):
        return
    codes, assays = levels(table, "assay", source)
    larva, larvae = levels(table, "larva", source)
    t = numeric(table, "t", source)
    series = {n: table[n].to_numpy(dtype=np.float64, na_value=np.nan) for n in taken}
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(assays) + 1))
    for k, assay in enumerate(assays):
        own = order[edges[k] : edges[k + 1]]
        who, index = np.unique(larva[own], return_inverse=True)
        yield Tracks.build(
            AssayIdentity("", "", "", "", None, None, assay), [larvae[i] for i in who], index,
            t[own], features={name: values[own] for name, values in series.items()},
            source=source,
        )  # fmt: skip


def _read_parquet(path: AnyPath, names: Sequence[str]) -> pd.DataFrame:
    wanted = [name for name in parquet_names(path) if name in {*_WHO_AND_WHEN, *names}]
    dropped = set(parquet_names(path)) - set(wanted)
    return _joined(list(parquet_pieces(path, dropped)), wanted)


def _read_csv(path: AnyPath, names: Sequence[str]) -> pd.DataFrame:
    """Read some columns; where they are no numbers, try the other decimal mark."""
    layout = find_layout(path)
    wanted = [name for name in layout.names if name in {*_WHO_AND_WHEN, *names}]
    numbers = [name for name in wanted if name not in _NO_SERIES]
    for one in (layout, other_decimal(layout)):
        if one is None:
            break
        dropped = set(layout.names) - set(wanted)
        try:
            return _joined(list(read_pieces(path, one, dropped, numbers=numbers)), wanted)
        except NoTimeError:
            continue
    raise DataError(
        f"{path}: expected numbers in the column{'s' * (len(numbers) > 1)} {', '.join(numbers)}, "
        "but a cell holds none; correct it, leave it empty, or name another feature."
    )


def _joined(pieces: Sequence[pa.Table], wanted: Sequence[str]) -> pd.DataFrame:
    if not pieces:
        return pd.DataFrame(columns=list(wanted))
    return to_pandas(pa.concat_tables([piece.select(list(wanted)) for piece in pieces]))
