"""Compact columns: arrow tables to pandas and back, ten million rows at a time.

Columns of names are dictionary-encoded all the way, so that a row costs a few bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pyarrow.csv import CSVWriter, WriteOptions

from larvastats.errors import DataError
from larvastats.ethogram import BOUT_COLUMNS, Ethogram
from larvastats.io.files import AnyPath, open_file, reading
from larvastats.io.paths import AssayIdentity
from larvastats.tabular import IDENTITY

TIMES = ("t_start", "t_stop", "t")
"""Columns of seconds."""

NAMES = ("assay", "line", "larva", "state", *IDENTITY)
"""Columns whose values are names, whatever they look like."""

_BATCH_ROWS = 1 << 20
_PIECE_ROWS = 1 << 16
_BUFFER = 1 << 20


def parquet_names(path: AnyPath) -> list[str]:
    """Return the names of a parquet file's columns of plain values.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file is damaged or no parquet, or a column that is needed holds no plain values.
    """
    with _parquet(path) as file:
        schema = file.schema_arrow
    _refuse_nested(schema, str(path))
    for field in schema:
        _refuse_bytes(field.name, field.type, str(path))
    return [field.name for field in schema if _is_plain(field.type)]


def parquet_pieces(
    path: AnyPath, dropped: Collection[str] = (), rows: int = _PIECE_ROWS
) -> Iterator[pa.Table]:
    """Read the columns of plain values of a parquet file in pieces.

    Parameters
    ----------
    path : path
    dropped : collection of str
        Columns that need not come; may grow while pieces are read.
    rows : int
        Rows of a piece.

    Raises
    ------
    UsageError, DataError
        As :func:`parquet_names`.
    """
    with _parquet(path) as file:
        schema = file.schema_arrow
    texts = [field.name for field in schema if _is_text(field.type)]
    # buffered: a row group may be as large as the file
    with _parquet(path, read_dictionary=texts, buffer_size=_BUFFER, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            wanted = [f.name for f in schema if _is_plain(f.type) and f.name not in dropped]
            for batch in file.iter_batches(rows, row_groups=[group], columns=wanted):
                batch.validate(full=True)  # text that is no UTF-8, codes without a value
                columns = [_compact(n, c) for n, c in zip(wanted, batch.columns, strict=True)]
                yield pa.table(columns, names=wanted)


@contextmanager
def _parquet(path: AnyPath, **options: Any) -> Iterator[parquet.ParquetFile]:
    """Open a parquet file; what is wrong with it becomes a sentence."""
    with reading(path), open_file(path) as plain:  # arrow takes no path that is not UTF-8
        try:
            with parquet.ParquetFile(plain, **options) as file:
                yield file
        except (pa.ArrowException, ValueError, NotImplementedError) as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(
                f"{path}: expected a parquet table, but it is damaged or cut off ({message}); "
                "copy it again from its origin."
            ) from error


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn an arrow table into compact pandas columns; text comes as categoricals."""
    columns = [_compact(n, c) for n, c in zip(table.column_names, table.columns, strict=True)]
    table = pa.table(columns, names=table.column_names).unify_dictionaries()
    return table.to_pandas(ignore_metadata=True)


def _compact(name: str, column: Any) -> Any:
    """Return an array, chunked or not, in the type in which the package looks at it."""
    kind = _value_type(column.type)
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_temporal(kind):
        _refuse_far_dates(name, column)
    if name in NAMES and pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        column = column.cast(pa.string())
    if _is_text(column.type) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column


def _refuse_far_dates(name: str, column: Any) -> None:
    """Refuse moments that Python cannot name; ValueError says that the table is damaged."""
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    try:
        pc.min_max(values).as_py()
    except (OverflowError, ValueError) as error:
        raise ValueError(f"column {name} has dates that no calendar has") from error


def _refuse_bytes(name: str, kind: pa.DataType, source: str) -> None:
    kind = _value_type(kind)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise DataError(
            f"{source}: expected UTF-8 text in column {name}, but found other bytes; save the "
            "table as UTF-8."
        )


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    kind = _value_type(kind)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_plain(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_null(kind))


def _refuse_nested(schema: pa.Schema, source: str) -> None:
    for field in schema:
        if field.name in {*NAMES, *TIMES} and pa.types.is_nested(field.type):
            raise DataError(
                f"{source}: column {field.name} must hold plain values, but it holds {field.type}; "
                "write one value per row."
            )


def lacking(names: Sequence[str], identity: AssayIdentity) -> dict[str, str]:
    """Return the identity columns that are not among `names`, with their values where known."""
    known = {"assay": identity.assay} | {name: getattr(identity, name) for name in IDENTITY}
    return {name: value for name, value in known.items() if name not in names and value}


def with_identity(table: pd.DataFrame, identity: AssayIdentity) -> pd.DataFrame:
    """Add the identity columns that a table lacks, one byte per row each."""
    added = lacking([str(name) for name in table.columns], identity)
    first = np.zeros(len(table), dtype=np.int8)
    return table.assign(
        **{name: pd.Categorical.from_codes(first, [value]) for name, value in added.items()}
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
