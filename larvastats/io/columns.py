"""Compact columns: arrow tables to pandas and back, ten million rows at a time.

Columns of names are dictionary-encoded all the way, so that a row costs a few bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from pyarrow.csv import CSVWriter, WriteOptions

from larvastats.errors import DataError
from larvastats.ethogram import BOUT_COLUMNS, Ethogram
from larvastats.io.files import AnyPath, reading
from larvastats.io.paths import AssayIdentity
from larvastats.tabular import IDENTITY

TIMES = ("t_start", "t_stop", "t")
"""Columns of seconds."""

_BATCH_ROWS = 1 << 20
_NAMES = ("assay", "line", "larva", "state", *IDENTITY)


def read_parquet(path: AnyPath) -> pd.DataFrame:
    """Read a parquet file; columns of text come as categoricals.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file is damaged or no parquet, or a column that is needed holds no plain values.
    """
    with reading(path):
        try:
            with parquet.ParquetFile(path) as file:
                schema = file.schema_arrow
                texts = [field.name for field in schema if _is_text(field.type)]
                wanted = [field.name for field in schema if _is_plain(field.type)]
            _refuse_nested(schema, str(path))
            with parquet.ParquetFile(path, read_dictionary=texts) as file:
                table = file.read(columns=wanted)
            return to_pandas(table, str(path))
        except (pa.ArrowException, ValueError, NotImplementedError) as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(
                f"{path}: expected a parquet table, but it is damaged or cut off ({message}); "
                "copy it again from its origin."
            ) from error


def to_pandas(table: pa.Table, source: str) -> pd.DataFrame:
    """Turn an arrow table into compact pandas columns; consumes the table's memory.

    Raises
    ------
    DataError
        Text that is not UTF-8.
    """
    names = table.column_names
    columns = [_compact(n, c, source) for n, c in zip(names, table.columns, strict=True)]
    table = pa.table(columns, names=names).unify_dictionaries()
    del columns
    return table.to_pandas(split_blocks=True, self_destruct=True, ignore_metadata=True)


def _compact(name: str, column: pa.ChunkedArray, source: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise DataError(
            f"{source}: expected UTF-8 text in column {name}, but found other bytes; save the "
            "table as UTF-8."
        )
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if name in _NAMES and pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        column = column.cast(pa.string())
    if _is_text(column.type) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_plain(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_null(kind))


def _refuse_nested(schema: pa.Schema, source: str) -> None:
    for field in schema:
        if field.name in {*_NAMES, *TIMES} and pa.types.is_nested(field.type):
            raise DataError(
                f"{source}: column {field.name} must hold plain values, but it holds {field.type}; "
                "write one value per row."
            )


def with_identity(table: pd.DataFrame, identity: AssayIdentity) -> pd.DataFrame:
    """Add the identity columns that a table lacks, one byte per row each."""
    known = {"assay": identity.assay} | {name: getattr(identity, name) for name in IDENTITY}
    lacking = {name: value for name, value in known.items() if name not in table and value}
    first = np.zeros(len(table), dtype=np.int8)
    return table.assign(
        **{name: pd.Categorical.from_codes(first, [value]) for name, value in lacking.items()}
    )


# -- writing ---------------------------------------------------------------------------------------


def write_parquet(ethogram: Ethogram, path: Path) -> None:
    """Write one row per bout as parquet (zstd)."""
    batches = _bout_batches(ethogram)
    first = next(batches)
    with parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for batch in batches:
            writer.write_table(batch)


def write_csv(ethogram: Ethogram, path: Path, delimiter: str, *, compress: bool) -> None:
    """Write one row per bout as delimited text, UTF-8, with a header."""
    options = WriteOptions(delimiter=delimiter)
    batches = _bout_batches(ethogram)
    first = next(batches)
    with (
        _opened(path, compress) as file,
        CSVWriter(file, first.schema, write_options=options) as writer,
    ):
        writer.write_table(first)
        for batch in batches:
            writer.write_table(batch)


@contextmanager
def _opened(path: Path, compress: bool) -> Iterator[IO[bytes]]:
    with open(path, "wb") as file:
        if not compress:
            yield file
            return
        # neither name nor time in the header: the same ethogram gives the same bytes
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _bout_batches(ethogram: Ethogram) -> Iterator[pa.Table]:
    """Yield tables of bouts; at least one, possibly empty."""
    assays = ethogram.assays.drop(columns="genotype").dropna(axis=1, how="all")
    per_assay = {name: pa.Array.from_pandas(assays[name]) for name in assays.columns}
    larvae = pa.array(ethogram.larvae["larva"].astype("str"), pa.string())
    states = pa.array(list(ethogram.states), pa.string())
    assay = ethogram.assay_index
    lead = [name for name in BOUT_COLUMNS if name not in ("larva", "state", "t_start", "t_stop")]
    rest = [name for name in per_assay if name not in lead]
    for start in range(0, max(ethogram.n_bouts, 1), _BATCH_ROWS):
        part = slice(start, start + _BATCH_ROWS)
        columns = {name: per_assay[name].take(pa.array(assay[part])) for name in lead}
        columns["larva"] = larvae.take(pa.array(ethogram.larva_index[part]))
        columns["state"] = states.take(pa.array(ethogram.state[part]))
        columns["t_start"] = pa.array(np.asarray(ethogram.t_start[part]))
        columns["t_stop"] = pa.array(np.asarray(ethogram.t_stop[part]))
        columns |= {name: per_assay[name].take(pa.array(assay[part])) for name in rest}
        yield pa.table(columns)
