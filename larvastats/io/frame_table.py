"""Single columns of a table of frames, without those that nobody asked for.

The table itself has been read and checked by :mod:`larvastats.io.tidy`; this takes one more look at
it, for series of numbers.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from larvastats.errors import DataError
from larvastats.io.files import AnyPath, open_plain, read_head, reading
from larvastats.io.tidy import is_parquet

DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 200
"""Rows of a csv that show which columns hold numbers."""

_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"-?\d*,\d+(?:[eE][-+]?\d+)?")
_NAMES = ("assay", "larva", "line", "state")


def column_names(path: AnyPath) -> tuple[str, ...]:
    """Return the names of all columns."""
    if is_parquet(path):
        with reading(path):
            return tuple(parquet.read_schema(path).names)
    return tuple(_layout(path)[2])


def read_columns(path: AnyPath, columns: Sequence[str], rows: int | None = None) -> pd.DataFrame:
    """Read those of the columns that a table has; names come as text.

    Parameters
    ----------
    path : path
        Csv (also gzipped) or parquet.
    columns : sequence of str
    rows : int, optional
        Of a csv, the first so many.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is damaged.
    """
    wanted = [name for name in columns if name in column_names(path)]
    try:
        with reading(path):
            if is_parquet(path):
                return parquet.read_table(path, columns=wanted).to_pandas(ignore_metadata=True)
            delimiter, decimal, _, skip = _layout(path)
            with open_plain(path) as file:
                return pd.read_csv(
                    file, sep=delimiter, decimal=decimal, skiprows=skip, usecols=wanted,
                    nrows=rows, dtype={n: "str" for n in _NAMES if n in wanted},
                    encoding="utf-8-sig", skipinitialspace=True,
                )  # fmt: skip
    except (pa.ArrowException, pd.errors.ParserError, ValueError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path}: the columns {', '.join(wanted)} cannot be read ({message}); correct the "
            "table, or write it as parquet."
        ) from error


def _layout(path: AnyPath) -> tuple[str, str, list[str], int]:
    """Return delimiter, decimal mark, names of columns, and lines before these."""
    lines = read_head(path).decode("utf-8-sig", "replace").splitlines()
    skip = next((k for k, line in enumerate(lines) if line.strip()), 0)
    declared = _SEPARATOR_LINE.fullmatch(lines[skip].strip(' "')) if lines else None
    skip += declared is not None
    if skip >= len(lines):
        raise DataError(f"{path}: expected a header line with column names, but there is none.")
    candidates = [declared[1]] if declared else DELIMITERS
    delimiter = max(candidates, key=lambda d: len(_cells(lines[skip], d)))
    sample = [cell for line in lines[skip + 1 : skip + 51] for cell in _cells(line, delimiter)]
    comma = delimiter != "," and any(_DECIMAL_COMMA.fullmatch(cell) for cell in sample)
    return delimiter, "," if comma else ".", _cells(lines[skip], delimiter), skip


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
