"""Delimited text, as Excel, R, pandas and people write it, in pieces of compact columns."""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from larvastats.errors import DataError
from larvastats.io.columns import TIMES
from larvastats.io.files import AnyPath, open_plain, reading
from larvastats.io.rows import LONGEST_ROW, PIECE, RowTooLong, pieces
from larvastats.io.text_layout import Layout, not_utf8
from larvastats.tabular import no_times

NULLS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")
"""Cells that mean a missing value."""

_WORKERS = 2
_LEVELS = pa.dictionary(pa.int32(), pa.string())


class NoTimeError(Exception):
    """A cell of a column of times is no number with the decimal mark of the layout."""


def read_pieces(
    path: AnyPath,
    layout: Layout,
    dropped: Collection[str] = (),
    size: int = PIECE,
    *,
    numbers: Collection[str] = (),
) -> Iterator[pa.Table]:
    """Read the rows of a delimited text file, whose columns have different names, in pieces.

    Columns of times and of numbers come as float64, all others as dictionaries of text; rows
    without any value are left out. Two threads parse ahead: four or five pieces are in memory.

    Parameters
    ----------
    path : path
    layout : Layout
    dropped : collection of str
        Columns that need not come; may grow while pieces are read.
    size : int
        Bytes to read at a time.
    numbers : collection of str
        Further columns of numbers; an empty cell of theirs is a missing one.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file cannot be read, is not UTF-8, or has rows that do not fit its header or are too
        long.
    NoTimeError
        A time is no number, or a cell of `numbers` is none.
    """
    types = dict.fromkeys((*TIMES, *numbers), pa.float64())
    yield from _read(path, layout, dropped, size, types)


def _read(
    path: AnyPath,
    layout: Layout,
    dropped: Collection[str],
    size: int,
    kinds: Mapping[str, pa.DataType],
) -> Iterator[pa.Table]:
    def parse(text: bytes, position: int) -> pa.Table:
        try:
            text.isascii() or text.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(path, error, position) from error
        table = _arrow(path, layout, text, kinds, dropped)
        blank = _blank_rows(table)
        if blank.any() and table.num_columns < sum(map(bool, layout.names)):
            table = _arrow(path, layout, text, kinds, ())  # the dropped cells may not be blank
            blank = _blank_rows(table)
        return table.filter(pa.array(~blank)) if blank.any() else table

    rows = 0
    with reading(path), open_plain(path) as file, ThreadPoolExecutor(_WORKERS) as pool:
        texts = _positions(pieces(file, layout.delimiter.encode(), size), file, layout.offset)
        try:
            for table in _in_turn(pool, parse, texts):
                rows += table.num_rows
                if table.num_rows:
                    yield table
        except RowTooLong as error:
            raise DataError(
                f"{path}: expected rows of at most {LONGEST_ROW:,} bytes, but row {rows + 1} is "
                "longer; end every row with a line end, and close every quote."
            ) from error


def _positions(texts: Iterator[bytes], file: IO[bytes], start: int) -> Iterator[tuple[bytes, int]]:
    """Yield every piece of the text from `start` on, and where it begins (byte)."""
    file.seek(start)
    for text in texts:
        yield text, start
        start += len(text)


def _in_turn(
    pool: ThreadPoolExecutor, task: Callable[..., pa.Table], items: Iterator[tuple]
) -> Iterator[pa.Table]:
    """Yield results in order while the next ones are made.

    What goes wrong with an item comes after the results of those before it, so that the first
    mistake in a file is the one that is told.
    """
    waiting: deque[Future[pa.Table]] = deque()
    late: Exception | None = None
    while late is None:
        try:
            item = next(items)
        except StopIteration:
            break
        except Exception as error:
            late = error
            break
        waiting.append(pool.submit(task, *item))
        if len(waiting) > _WORKERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
    if late is not None:
        raise late


def _arrow(
    path: AnyPath,
    layout: Layout,
    text: bytes,
    kinds: Mapping[str, pa.DataType],
    dropped: Collection[str],
) -> pa.Table:
    """Run the parser once; unnamed columns (an index, a trailing separator) are left out.

    Columns that `kinds` does not name come as dictionaries of text.
    """
    wrong: list[arrow_csv.InvalidRow] = []

    def keep_wrong(row: arrow_csv.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    # names that no table has, for columns without one
    names = [name or f"\0{position}" for position, name in enumerate(layout.names)]
    wanted = [name for name in layout.names if name and name not in dropped]
    types = {name: kinds.get(name, _LEVELS) for name in wanted}
    if text.startswith(codecs.BOM_UTF8):
        text = b"\n" + text  # a cell that begins so; only the file's own mark is none
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(text),
            # one thread and one block: a row is numbered, a column has one dictionary
            arrow_csv.ReadOptions(column_names=names, block_size=len(text) + 1, use_threads=False),
            arrow_csv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=keep_wrong),
            _convert_options(layout.decimal, types, wanted),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return pa.table({name: pa.array([], kind) for name, kind in types.items()})
        if wrong:
            raise _wrong_row(path, wrong[0]) from error
        if "conversion error to double" in str(error):
            raise NoTimeError from error
        raise DataError(
            f"{path}: cannot be read as a table ({str(error).splitlines()[0]}); check it in a text "
            "editor."
        ) from error


def _convert_options(
    decimal: str, types: dict[str, pa.DataType], wanted: Sequence[str]
) -> arrow_csv.ConvertOptions:
    return arrow_csv.ConvertOptions(
        check_utf8=False,
        column_types=types,
        null_values=list(NULLS),
        strings_can_be_null=True,
        auto_dict_encode=True,
        auto_dict_max_cardinality=10_000,
        decimal_point=decimal,
        include_columns=list(wanted),
    )


def _blank_rows(table: pa.Table) -> np.ndarray:
    """Rows in which every cell is empty, as spreadsheets leave them at the end, shape (row,)."""
    if not table.num_columns or any(column.null_count == 0 for column in table.columns):
        return np.zeros(table.num_rows, dtype=bool)
    blank = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        blank &= column.is_null().to_numpy()
    return blank


def typed(texts: Sequence[str | None], decimal: str) -> pa.Array:
    """Return the texts of a column as what all of them are: numbers, dates, truth values, or text.

    Parameters
    ----------
    texts : sequence of str or None
        The distinct ones are enough.
    decimal : str
        The decimal mark.
    """
    rows = io.StringIO()
    # two columns, for a row with nothing in it would count for none
    csv.writer(rows, quoting=csv.QUOTE_ALL).writerows(("", text or "") for text in texts)
    content = rows.getvalue().encode()
    table = arrow_csv.read_csv(
        pa.BufferReader(content),
        arrow_csv.ReadOptions(column_names=["", "text"], block_size=len(content) + 1),
        arrow_csv.ParseOptions(newlines_in_values=True),
        _convert_options(decimal, {}, ["text"]),
    )
    return table["text"].combine_chunks()


def could_be_one(texts: Sequence[str | None], decimal: str) -> bool:
    """Whether texts can turn out to be one value, such as 3.5 and 3.50, in a longer column.

    What differs as the narrowest type that fits these also differs as any wider one, but for whole
    numbers that are too large for a float.
    """
    values = typed(texts, decimal)
    if pa.types.is_integer(values.type):
        values = values.cast(pa.float64(), safe=False)
    return len(pd.factorize(values.to_pandas(), use_na_sentinel=False)[1]) == 1


# -- what is wrong ---------------------------------------------------------------------------------


def no_time(path: AnyPath, layout: Layout, size: int = PIECE) -> DataError:
    """Read the columns of times as text and say which cell is no time."""
    names = [name for name in layout.names if name in TIMES]
    bad, firsts = dict.fromkeys(names, 0), dict[str, tuple[object, int]]()
    rows = 0
    for table in _read(path, layout, (), size, {}):
        for name in names:
            cells = table[name].combine_chunks()
            # what is a number under either decimal mark is not what to complain about
            flags = [_is_no_number(cell, layout) for cell in cells.dictionary.to_pylist()]
            wrong = np.array([*flags, True])[cells.indices.fill_null(-1).to_numpy()]
            bad[name] += int(wrong.sum())
            if wrong.any() and name not in firsts:
                row = int(np.argmax(wrong))
                firsts[name] = cells[row].as_py(), rows + row
        rows += table.num_rows
    for name in names:
        if bad[name]:
            return no_times(name, bad[name], rows, *firsts[name], str(path))
    return DataError(
        f"{path}: expected one decimal mark in the columns of times, but some cells have a point "
        "and some a comma; write them alike."
    )


def _is_no_number(cell: str, layout: Layout) -> bool:
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
