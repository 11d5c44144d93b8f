"""Rows of numbers separated by blanks, as Choreography writes them, block by block.

A row is ``t x y x y ...`` or, in one file for all larvae, ``date_time id t x y x y ...``. Memory
holds some blocks of the file and what the caller keeps of them. Blocks as Choreography writes them
go through machine code (:mod:`larvastats.io.compiled_rows`) or, without numba, through NumPy
(:mod:`larvastats.io.fixed_point`), several at a time; any other block (tabs, several blanks, NaN)
goes through a slower parser, which also says what is wrong.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.io import fixed_point
from larvastats.io.compiled_rows import Parser, compiled, parse_block
from larvastats.io.files import AnyPath, open_plain, reading

BLOCK_BYTES = 1 << 20
"""Bytes read at a time."""

PIECE_BYTES = 1 << 18
"""Bytes parsed at a time; larger pieces leave the processor's cache and are slower."""

MAX_ROW_BYTES = 1 << 20
"""Longest row; an outline of fifty thousand points would fit."""

COMPILE_FROM = 1 << 23
"""Bytes of a file from which on machine code is loaded, if it is not yet."""

THREADS = min(4, os.cpu_count() or 1)
"""Blocks parsed at the same time."""

STAMP = re.compile(rb"[0-9]{8}_[0-9]{6}")
_NUMBER = re.compile(rb"[0-9]{1,15}")
_NOT_BLANK = re.compile(rb"[^\s][^\n]*")  # from the first character that is not blank
_LEAD = 2  # cells before the time: date_time and id
_MAX_LEAD_BYTES = 32  # date, time and a blank take 16 of them

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one block.

    Attributes
    ----------
    row : ndarray of int64, shape (row,)
        Their places in the file, from 1.
    larva : ndarray of int64, shape (row,), or None
        Numbers of the larvae, where the rows name them.
    count : ndarray of int64, shape (row,)
        Numbers in each row, the time included.
    values : ndarray of float64, shape (number,)
        All numbers of all rows, in order.
    n_lines : int
        Lines of the block; more than rows where some are blank.
    """

    row: NDArray[np.int64]
    larva: NDArray[np.int64] | None
    count: NDArray[np.int64]
    values: NDArray[np.float64]
    n_lines: int


def read_rows(path: AnyPath, stamp: str | None) -> Iterator[Rows]:
    """Yield the rows of a file, block by block.

    Parameters
    ----------
    path : path
        Plain or gzipped.
    stamp : str or None
        The ``YYYYMMDD_HHMMSS`` that every row starts with, followed by a larva's number; None
        where rows start with the time.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file cannot be read, is cut off, or a row is none of those described.
    """
    expected = None if stamp is None else stamp.encode()
    next_row = 1
    with reading(path), open_plain(path) as file:
        for block, parsed in _parsed(whole_rows(file), expected, _parser(path)):
            check_finished(block, path, next_row)
            rows = parsed or _careful(block, path, expected, next_row)
            yield replace(rows, row=rows.row + next_row)
            next_row += rows.n_lines
    if next_row == 1:
        raise DataError(f"{path}: expected rows of points, but the file is empty.")


def whole_rows(file: IO[bytes]) -> Iterator[bytes]:
    """Cut a file into blocks of whole rows; what follows the last whole row comes by itself.

    :func:`check_finished` refuses that rest, and a row longer than :data:`MAX_ROW_BYTES`.
    """
    rest = b""
    while len(rest) <= MAX_ROW_BYTES and (piece := file.read(BLOCK_BYTES)):
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
    if rest.strip():
        yield rest


def check_finished(block: bytes, path: AnyPath, row: int) -> None:
    """Refuse what no row end follows.

    Parameters
    ----------
    block : bytes
        From :func:`whole_rows`.
    path : path
    row : int
        Place of its first row in the file.

    Raises
    ------
    DataError
        The row is far too long, or the file ends within it.
    """
    if block.endswith(b"\n"):
        return
    if len(block) > MAX_ROW_BYTES:
        raise DataError(
            f"{path}: expected rows of numbers, but row {row} is longer than "
            f"{MAX_ROW_BYTES >> 20} MiB; the file is damaged or of another kind."
        )
    raise DataError(
        f"{path}: row {row}, the last one, has no end ({block[-30:]!r}): the file is cut off; copy "
        "it again, or, if the row is complete, end it with a line break."
    )


def _parsed(
    blocks: Iterator[bytes], stamp: bytes | None, parser: Parser | None
) -> Iterator[tuple[bytes, Rows | None]]:
    """Parse blocks in order, in threads: NumPy and machine code let go of the interpreter."""
    start = list(islice(blocks, 2))
    if len(start) < 2:  # not worth a thread
        yield from ((block, _fast(block, stamp, parser)) for block in start)
        return
    blocks = chain(start, blocks)
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[tuple[bytes, Future[Rows | None]]] = deque()
        for block in blocks:
            waiting.append((block, pool.submit(_fast, block, stamp, parser)))
            if len(waiting) > 2 * THREADS:
                block, future = waiting.popleft()
                yield block, future.result()
        for block, future in waiting:
            yield block, future.result()


def _parser(path: AnyPath) -> Parser | None:
    """Machine code, where it is there and the file is worth the seconds it takes to load."""
    worth = os.path.getsize(path) >= COMPILE_FROM or compiled.cache_info().currsize > 0
    return compiled() if worth else None


def _fast(block: bytes, stamp: bytes | None, parser: Parser | None) -> Rows | None:
    """Parse a block in which all is as usual; None where it is not."""
    if not block.endswith(b"\n"):
        return None
    if parser is not None:
        return _by_bytes(block, stamp, parser)
    parts, start = [], 0
    while start < len(block):
        stop = block.rfind(b"\n", start, start + PIECE_BYTES) + 1 or block.find(b"\n", start) + 1
        part = _by_words(block[start:stop], stamp)
        if part is None:
            return None
        parts.append(part)
        start = stop
    larva = None if stamp is None else np.concatenate([part.larva for part in parts])
    count = np.concatenate([part.count for part in parts])
    values = np.concatenate([part.values for part in parts])
    return Rows(np.arange(len(count)), larva, count, values, len(count))


def _by_bytes(block: bytes, stamp: bytes | None, parser: Parser) -> Rows | None:
    """Parse rows byte by byte, in machine code."""
    parsed = parse_block(block, 0 if stamp is None else _LEAD, parser)
    if parsed is None:
        return None
    values, count, runs = parsed
    larva = None
    if stamp is not None:
        numbers = _lead_numbers(block, runs[:, 1], runs[:, 2] - 1, stamp)
        if numbers is None:
            return None
        larva = np.repeat(numbers, np.diff(runs[:, 0], append=len(count)))
    return Rows(np.arange(len(count)), larva, count, values, len(count))


def _by_words(piece: bytes, stamp: bytes | None) -> Rows | None:
    """Parse some rows many numbers at a time, by NumPy."""
    text = fixed_point.padded(piece)
    characters = np.frombuffer(text, np.uint8)
    is_end = characters == ord("\n")
    between = characters == ord(" ")
    between |= is_end
    gaps = np.flatnonzero(between)
    count = _cells_per_row(gaps, is_end)
    lead = 0 if stamp is None else _LEAD
    if count.min() <= lead:
        return None
    first = np.cumsum(count) - count
    larva = None
    if stamp is not None:
        larva = _larvae(text, gaps[first] + 1, gaps[first + lead], stamp)
        if larva is None:
            return None
    leading = np.concatenate([first + cell for cell in range(lead)] or [first[:0]])
    values = fixed_point.decimals(text, gaps, leading)
    if values is None:
        return None
    if (count == count[0]).all():  # a slice is much faster than a mask
        values = values.reshape(len(count), -1)[:, lead:].ravel()
    elif lead:
        values = np.delete(values, leading)
    return Rows(first, larva, count - lead, values, len(count))


def _cells_per_row(gaps: Positions, is_end: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Cells in each row, shape (row,), from the gaps around cells and which of them end rows."""
    n_rows = int(np.count_nonzero(is_end))
    per_row, rest = divmod(len(gaps) - 1, n_rows)
    if per_row and not rest and is_end[gaps[per_row::per_row]].all():
        return np.full(n_rows, per_row)
    return np.diff(np.searchsorted(gaps, np.flatnonzero(is_end)), prepend=0)


def _larvae(
    text: bytes, start: Positions, stop: Positions, stamp: bytes
) -> NDArray[np.int64] | None:
    """Return the larva of every row from its first two cells; None where they are not as usual.

    Rows of one larva mostly follow each other: only where a row begins differently from the one
    before it, its cells are looked at.
    """
    size = stop - start
    width = int(size.max())
    if width > _MAX_LEAD_BYTES or int(start[-1]) + width > len(text):
        return None
    windows: NDArray[np.bytes_] = np.ndarray((len(text) - width + 1,), f"S{width}", text, 0, (1,))
    leads = windows[start]
    differs = np.ones(len(start), dtype=bool)
    np.not_equal(leads[1:], leads[:-1], out=differs[1:])
    differs[1:] |= size[1:] != size[:-1]
    runs = np.flatnonzero(differs)
    numbers = _lead_numbers(text, start[runs], stop[runs], stamp)
    return None if numbers is None else np.repeat(numbers, np.diff(runs, append=len(start)))


def _lead_numbers(
    text: bytes, start: Positions, stop: Positions, stamp: bytes
) -> NDArray[np.int64] | None:
    """Return the larvae's numbers from cells ``date_time id``; None where one is not as usual."""
    numbers = np.empty(len(start), dtype=np.int64)
    for i, (a, b) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
        own_stamp, _, digits = text[a:b].partition(b" ")
        if own_stamp != stamp or not _NUMBER.fullmatch(digits):
            return None
        numbers[i] = int(digits)
    return numbers


# -- the slow way, with complaints -----------------------------------------------------------------


def _careful(block: bytes, path: AnyPath, stamp: bytes | None, next_row: int) -> Rows:
    """Parse a block row by row; blank lines are no rows, and a million of them cost nothing."""
    row, cells, at, n_lines = [], [], 0, 0
    for match in _NOT_BLANK.finditer(block):
        n_lines += block.count(b"\n", at, match.start())
        at = match.start()
        row.append(n_lines)
        cells.append(match[0].split())
    lead = 0 if stamp is None else _LEAD
    larva = np.zeros(len(row), np.int64)
    for position, (i, own) in enumerate(zip(row, cells, strict=True)):
        if len(own) <= lead:
            raise DataError(
                f"{path}: expected 'date_time id t x y ...' in row {next_row + i}, but found "
                f"{b' '.join(own)[:40]!r}; the file is damaged or not Choreography's."
            )
        if stamp is not None:
            larva[position] = _larva(path, next_row + i, own, stamp)
    count = np.array([len(own) - lead for own in cells], dtype=np.int64)
    values = _numbers([cell for own in cells for cell in own[lead:]])
    if values is None:
        named = [(next_row + i, own[lead:]) for i, own in zip(row, cells, strict=True)]
        raise _not_a_number(path, named)
    rows = np.array(row, dtype=np.int64)
    return Rows(rows, None if stamp is None else larva, count, values, block.count(b"\n"))


def _larva(path: AnyPath, row: int, cells: Sequence[bytes], stamp: bytes) -> int:
    """Return the larva's number in a row, once its first cell is right."""
    if cells[0] != stamp:
        what = "another recording" if STAMP.fullmatch(cells[0]) else "no date and time"
        raise DataError(
            f"{path}: expected {stamp.decode()} at the start of row {row}, as in the first row, "
            f"but found {cells[0][:30]!r}, which is {what}; one file holds one recording."
        )
    if not _NUMBER.fullmatch(cells[1]):
        raise DataError(
            f"{path}: expected the number of a larva in the second cell of row {row}, but found "
            f"{cells[1][:30]!r}; the file is damaged or not Choreography's."
        )
    return int(cells[1])


def _numbers(cells: Sequence[bytes]) -> NDArray[np.float64] | None:
    """Values of numbers however they are written, NaN included; None where one is none."""
    try:
        texts = pa.array(cells, pa.binary()).cast(pa.string())
        return np.asarray(texts.cast(pa.float64()))
    except pa.ArrowInvalid:
        return None


def _not_a_number(path: AnyPath, rows: Sequence[tuple[int, Sequence[bytes]]]) -> DataError:
    row, cells = next(((row, cells) for row, cells in rows if _numbers(cells) is None), rows[0])
    wrong = next((cell for cell in cells if _numbers([cell]) is None), cells[0])
    return DataError(
        f"{path}: expected numbers in row {row}, but found {wrong[:30]!r}; the file is damaged or "
        "not Choreography's."
    )
