"""Text in pieces of whole rows, so that a file of any length passes through a few megabytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

LONGEST_ROW = 1 << 22
"""Bytes that a row may have; a text without line ends must not fill the memory."""

PIECE = 1 << 21
"""Bytes read at a time."""

_LF, _CR, _QUOTE = b'\n\r"'


class RowTooLong(Exception):
    """The row after the last piece has more than :data:`LONGEST_ROW` bytes."""


def pieces(
    file: IO[bytes], delimiter: bytes, size: int = PIECE, longest: int = LONGEST_ROW
) -> Iterator[bytes]:
    """Cut a text into pieces that end where a row ends.

    A line end between quotes ends no row.

    Parameters
    ----------
    file : binary file
        Stands at the beginning of a row.
    delimiter : bytes
        The byte that separates cells; a quote opens a cell only behind it or at a row's beginning.
    size : int
        Bytes to read at a time.
    longest : int
        Bytes that a row may have.

    Raises
    ------
    RowTooLong
        After the pieces before it.
    """
    rest = b""
    while more := file.read(size):
        block = rest + more
        end = _rows_end(block, delimiter)
        rest = block[end:]
        if end:
            yield block[:end]
        if len(rest) > longest:
            raise RowTooLong
    if rest:
        yield rest


def _rows_end(block: bytes, delimiter: bytes) -> int:
    """Position behind the last complete row; 0 if there is none."""
    if b'"' not in block:
        return _line_end(block, len(block))
    toggles = _toggles(block, delimiter)
    stop = len(block)
    while end := _line_end(block, stop):
        before = int(np.searchsorted(toggles, end - 1))
        if before % 2 == 0:
            return end
        stop = int(toggles[before - 1])  # within quotes: look before they open
    return 0


def _line_end(block: bytes, stop: int) -> int:
    """Position behind the last line end before `stop`; 0 if there is none."""
    found = block.rfind(b"\n", 0, stop)
    # a carriage return at the very end may be half of a line end
    return (found if found >= 0 else block.rfind(b"\r", 0, min(stop, len(block) - 1))) + 1


def _toggles(block: bytes, delimiter: bytes) -> np.ndarray:
    """Positions of the quotes that open or close a cell, in turn, shape (quote,)."""
    text = np.frombuffer(block, dtype=np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    # a doubled quote within a cell closes and opens it again, which is as good as neither
    opening = quotes[::2]
    before = text[np.maximum(opening - 1, 0)]
    usual = np.isin(before, (_LF, _CR, _QUOTE, delimiter[0])) | (opening == 0)
    return quotes if usual.all() else _toggles_one_by_one(block, quotes, delimiter)


def _toggles_one_by_one(block: bytes, quotes: np.ndarray, delimiter: bytes) -> np.ndarray:
    """As :func:`_toggles` where quotes also stand within cells, such as inches."""
    toggles: list[int] = []
    boundary = {_LF, _CR, delimiter[0]}
    escaped = -1
    for quote in quotes.tolist():
        if quote == escaped:
            continue
        if len(toggles) % 2:
            if block[quote + 1 : quote + 2] == b'"':
                escaped = quote + 1
            else:
                toggles.append(quote)
        elif quote == 0 or block[quote - 1] in boundary:
            toggles.append(quote)
    return np.array(toggles, dtype=np.int64)
