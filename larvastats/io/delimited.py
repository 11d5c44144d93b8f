"""Delimited text, as Excel, R, pandas and people write it, to a table of compact columns."""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from larvastats.errors import DataError
from larvastats.io.columns import TIMES, to_pandas
from larvastats.io.files import AnyPath, is_gzip, read_head, reading
from larvastats.tabular import IDENTITY, numeric

DELIMITERS = (",", ";", "\t", "|")
NULLS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")
"""Cells that mean a missing value."""

_TEXT = ("assay", "line", "larva", "state", "genotype", *IDENTITY)
_BLOCK_BYTES = 1 << 22
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"-?\d*,\d+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a text file is laid out: separator, decimal mark, column names, lines before the data."""

    delimiter: str
    decimal: str
    names: tuple[str, ...]
    skip: int


def read_header(path: AnyPath) -> tuple[str, ...]:
    """Return the column names of a delimited text file; columns without a name are left out.

    Raises
    ------
    UsageError, DataError
        As :func:`read_delimited`.
    """
    return tuple(name for name in _layout(path).names if name)


def read_delimited(path: AnyPath) -> pd.DataFrame:
    """Read a delimited text file, whose columns have different names.

    Columns of names come as categoricals, columns of times as float64; rows without any value are
    left out.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file cannot be read, is empty, is not UTF-8, or has rows that do not fit its header or
        times that are no numbers.
    """
    layout = _layout(path)
    table = _parse(path, layout)
    if not table.num_rows:
        raise DataError(f"{path}: expected rows below the header, but there is none.")
    return to_pandas(_without_blank_rows(table), str(path))


def _layout(path: AnyPath) -> _Layout:
    lines = _head_lines(path)
    skip = next(i for i, line in enumerate(lines) if line.strip())
    declared = _SEPARATOR_LINE.fullmatch(lines[skip].strip('\r\n "'))
    if declared:
        skip += 1
    if skip >= len(lines) or not lines[skip].strip():
        raise DataError(f"{path}: expected a header line with column names, but there is none.")
    header = lines[skip]
    splits = {d: _split(header, d) for d in ([declared[1]] if declared else DELIMITERS)}
    delimiter = max(splits, key=lambda d: (len(set(splits[d]) & {*_TEXT, *TIMES}), len(splits[d])))
    names = tuple(splits[delimiter])
    sample = [_split(line, delimiter) for line in lines[skip + 1 : skip + 51]]
    times = [i for i, name in enumerate(names) if name in TIMES]
    comma = delimiter != "," and any(
        i < len(cells) and _DECIMAL_COMMA.fullmatch(cells[i]) for cells in sample for i in times
    )
    return _Layout(delimiter, "," if comma else ".", names, skip + 1)


def _head_lines(path: AnyPath) -> list[str]:
    """Return the first lines of a UTF-8 text, without byte-order mark and line ends."""
    head = read_head(path)
    if head.startswith(_UTF16):
        raise DataError(
            f"{path}: expected UTF-8 text, but it is UTF-16 ('Unicode text' of Excel); save it as "
            "'CSV UTF-8'."
        )
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    if not text.strip():
        raise DataError(f"{path}: expected a table, but the file is empty.")
    return re.split(r"\r\n|\n|\r", text)


def _split(line: str, delimiter: str) -> list[str]:
    """Cells of one line; a line that csv cannot split is one cell."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        cells = [line]
    return [cell.strip() for cell in cells]


def _parse(path: AnyPath, layout: _Layout) -> pa.Table:
    """Parse the file; where times are no numbers, try the other decimal mark, then complain."""
    text = pa.dictionary(pa.int32(), pa.string())
    types = {name: pa.float64() for name in TIMES} | {name: text for name in _TEXT}
    try:
        return _arrow(path, layout, types)
    except pa.ArrowInvalid as error:
        if "conversion error to double" not in str(error):
            raise _explained(path, error) from error
        first = error
    other = replace(layout, decimal="." if layout.decimal == "," else ",")
    try:
        if layout.delimiter != ",":
            return _arrow(path, other, types)
    except pa.ArrowInvalid:
        pass  # the first complaint is the one to explain
    _complain_about_times(path, layout)
    raise DataError(
        f"{path}: expected one decimal mark in the columns of times, but some cells have a point "
        "and some a comma; write them alike."
    ) from first


def _arrow(path: AnyPath, layout: _Layout, types: dict[str, pa.DataType]) -> pa.Table:
    """Run the parser once; unnamed columns (an index, a trailing separator) are left out."""
    wrong: list[arrow_csv.InvalidRow] = []

    def keep_wrong(row: arrow_csv.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    # names that no table has, for columns without one
    names = [name or f"\0{position}" for position, name in enumerate(layout.names)]
    read = arrow_csv.ReadOptions(column_names=names, skip_rows=layout.skip, block_size=_BLOCK_BYTES)
    parse = arrow_csv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=keep_wrong)
    convert = arrow_csv.ConvertOptions(
        column_types={name: types[name] for name in names if name in types},
        null_values=list(NULLS),
        strings_can_be_null=True,
        auto_dict_encode=True,
        auto_dict_max_cardinality=10_000,
        decimal_point=layout.decimal,
        include_columns=[n for n in names if not n.startswith("\0")],
    )
    with reading(path):
        compression = "gzip" if is_gzip(path) else None
        with pa.input_stream(str(path), compression=compression) as stream:
            try:
                return arrow_csv.read_csv(stream, read, parse, convert)
            except pa.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    return pa.table({name: pa.array([], pa.string()) for name in names})
                if wrong:
                    raise _wrong_row(path, wrong[0]) from error
                raise


def _without_blank_rows(table: pa.Table) -> pa.Table:
    """Drop rows in which every cell is empty, as spreadsheets leave them at the end."""
    if not table.num_columns or any(column.null_count == 0 for column in table.columns):
        return table
    blank = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        blank &= column.is_null().to_numpy()
    return table.filter(pa.array(~blank))


def _complain_about_times(path: AnyPath, layout: _Layout) -> None:
    """Read the columns of times as text and say which cell is no time."""
    text = {name: pa.dictionary(pa.int32(), pa.string()) for name in TIMES}
    times = [name for name in layout.names if name in TIMES]
    only = replace(layout, names=tuple(n if n in times else "" for n in layout.names))
    table = _without_blank_rows(_arrow(path, only, text)).unify_dictionaries().to_pandas()
    for name in times:
        # what is a number under either decimal mark is not what to complain about
        cells = [
            level if _is_no_number(level, layout) else "0" for level in table[name].cat.categories
        ]
        codes = table[name].cat.codes.to_numpy()
        numeric(
            pd.DataFrame({name: np.array([*cells, None], dtype=object)[codes]}), name, str(path)
        )


def _is_no_number(cell: str, layout: _Layout) -> bool:
    try:
        float(cell if layout.delimiter == "," else cell.replace(",", "."))
    except ValueError:
        return True
    return False


def _wrong_row(path: AnyPath, row: arrow_csv.InvalidRow) -> DataError:
    text = row.text if len(row.text) <= 80 else row.text[:77] + "..."
    return DataError(
        f"{path}: expected {row.expected_columns} cells in every row, as in the header, but found "
        f"{row.actual_columns} in {text!r}; correct that row, or quote cells that contain the "
        "separator."
    )


def _explained(path: AnyPath, error: pa.ArrowInvalid) -> DataError:
    message = str(error).splitlines()[0]
    if "utf8" in message.casefold().replace("-", ""):
        return _not_utf8(path, error)
    return DataError(f"{path}: cannot be read as a table ({message}); check it in a text editor.")


def _not_utf8(path: AnyPath, error: Exception) -> DataError:
    where = f" (byte {error.start + 1})" if isinstance(error, UnicodeDecodeError) else ""
    return DataError(
        f"{path}: expected UTF-8 text, but found bytes that are none{where}; save it as "
        "'CSV UTF-8', or give the right file."
    )
