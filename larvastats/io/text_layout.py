"""How delimited text is laid out, as Excel, R, pandas and people write it: from its first lines."""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass, replace

from larvastats.errors import DataError
from larvastats.io.columns import NAMES, TIMES
from larvastats.io.files import HEAD_BYTES, AnyPath, read_head

DELIMITERS = (",", ";", "\t", "|")
MOST_COLUMNS = 4096
"""Columns that a table may have; each costs memory in every piece."""

LONGEST_HEADER = HEAD_BYTES - 8
"""Bytes that the header may have."""

_TEXT = (*NAMES, "genotype")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"-?\d*,\d+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text file is laid out.

    Attributes
    ----------
    delimiter, decimal : str
    names : tuple of str
        Of the columns; empty where one has none (an index, a trailing separator).
    offset : int
        Bytes before the first row.
    """

    delimiter: str
    decimal: str
    names: tuple[str, ...]
    offset: int


def read_header(path: AnyPath) -> tuple[str, ...]:
    """Return the column names of a delimited text file; columns without a name are left out.

    Raises
    ------
    UsageError, DataError
        As :func:`find_layout`.
    """
    return tuple(name for name in find_layout(path).names if name)


def find_layout(path: AnyPath) -> Layout:
    """Find out how a text file is laid out, from its first lines.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file cannot be read, is empty or not UTF-8, or has no header.
    """
    ends, lines = _head_lines(path)
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
    _check_width(path, len(header.encode()), len(names))
    sample = [_split(line, delimiter) for line in lines[skip + 1 : skip + 51]]
    times = [i for i, name in enumerate(names) if name in TIMES]
    comma = delimiter != "," and any(
        i < len(cells) and _DECIMAL_COMMA.fullmatch(cells[i]) for cells in sample for i in times
    )
    return Layout(delimiter, "," if comma else ".", names, ends[skip])


def other_decimal(layout: Layout) -> Layout | None:
    """Return the layout with the other decimal mark, where the separator leaves one."""
    if layout.delimiter == ",":
        return None
    return replace(layout, decimal="." if layout.decimal == "," else ",")


def _head_lines(path: AnyPath) -> tuple[list[int], list[str]]:
    """Return where the first lines of a UTF-8 text end (byte), and their text without that end."""
    head = read_head(path)
    if head.startswith(_UTF16):
        raise DataError(
            f"{path}: expected UTF-8 text, but it is UTF-16 ('Unicode text' of Excel); save it as "
            "'CSV UTF-8'."
        )
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError as error:
        raise not_utf8(path, error, 0) from error
    if not text.strip():
        raise DataError(f"{path}: expected a table, but the file is empty.")
    ends = [match.end() for match in _LINE_END.finditer(head)]
    return [*ends, len(head)], re.split(r"\r\n|\n|\r", text)


def _check_width(path: AnyPath, header: int, columns: int) -> None:
    cut = header >= LONGEST_HEADER  # all that was looked at
    if columns > MOST_COLUMNS or cut:
        found = f"more than {columns - 1}" if cut else f"{columns}"
        raise DataError(
            f"{path}: expected a header line of at most {MOST_COLUMNS} columns and "
            f"{LONGEST_HEADER} bytes, but found {found} columns; keep the columns that describe "
            "bouts or frames."
        )


def _split(line: str, delimiter: str) -> list[str]:
    """Cells of one line; a line that csv cannot split is one cell."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        cells = [line]
    return [cell.strip() for cell in cells]


def not_utf8(path: AnyPath, error: UnicodeDecodeError, position: int) -> DataError:
    """Say which byte of a text, of which `error` saw what follows `position`, is no UTF-8."""
    return DataError(
        f"{path}: expected UTF-8 text, but found bytes that are none (byte "
        f"{position + error.start + 1}); save it as 'CSV UTF-8', or give the right file."
    )
