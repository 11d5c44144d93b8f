"""Rows of numbers, byte by byte: a loop for numba to compile.

numba is optional. Where it is missing, :mod:`larvastats.io.text.fixed_point` does the same with
NumPy, several times slower. The loop is plain Python, so that tests run it without numba as well.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

MAX_DIGITS = 15
"""Most digits of a number; a float64 holds as many exactly."""

_POWERS = 10.0 ** np.arange(MAX_DIGITS + 1)  # exact, so that one division rounds correctly

Parser = Callable[..., tuple[int, int, int]]


def parse(
    text: NDArray[np.uint8],
    lead: int,
    powers: NDArray[np.float64],
    values: NDArray[np.float64],
    count: NDArray[np.int64],
    runs: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Parse rows of cells with one blank between them.

    Parameters
    ----------
    text : ndarray of uint8
        Whole rows, each with its line end.
    lead : int
        Cells at the start of a row that are no numbers.
    powers : ndarray of float64
        Powers of ten from 0 to :data:`MAX_DIGITS`.
    values : ndarray of float64, shape (>= bytes / 2,)
        Receives the numbers of all rows.
    count : ndarray of int64, shape (>= rows,)
        Receives the number of numbers in each row.
    runs : ndarray of int64, shape (>= rows, 3)
        Receives, for every row whose leading cells differ from those of the row before it, the row,
        and where these cells begin and end.

    Returns
    -------
    n_values, n_rows, n_runs : int
        `n_values` is -1 if anything is not of this form; digits and a point are, exponents, NaN
        and further blanks are not.
    """
    n, row, n_runs, at = 0, 0, 0, 0
    last_start, last_size = 0, -1
    while at < len(text):
        start = at
        for _ in range(lead):
            while text[at] > 32:
                at += 1
            if text[at] != 32:
                return -1, row, n_runs
            at += 1
        size = at - start
        same = size == last_size
        k = 0
        while same and k < size:
            same = text[start + k] == text[last_start + k]
            k += 1
        if not same:
            runs[n_runs, 0], runs[n_runs, 1], runs[n_runs, 2] = row, start, at
            n_runs += 1
        last_start, last_size = start, size
        first = n
        c = 32
        while c == 32:
            c = int(text[at])
            negative = c == 45
            if negative:
                at += 1
                c = int(text[at])
            begin = at
            digits = 0
            while 48 <= c <= 57:
                digits = digits * 10 + (c - 48)
                at += 1
                c = int(text[at])
            n_digits, n_decimals = at - begin, 0
            if c == 46:
                at += 1
                begin = at
                c = int(text[at])
                while 48 <= c <= 57:
                    digits = digits * 10 + (c - 48)
                    at += 1
                    c = int(text[at])
                n_decimals = at - begin
                n_digits += n_decimals
            if n_digits < 1 or n_digits > MAX_DIGITS:
                return -1, row, n_runs
            value = digits / powers[n_decimals]
            values[n] = -value if negative else value
            n += 1
            at += 1
        if c != 10:
            return -1, row, n_runs
        count[row] = n - first
        row += 1
    return n, row, n_runs


@cache
def compiled() -> Parser | None:
    """Return :func:`parse` as machine code; None where numba is not installed.

    The first call compiles, which takes seconds; numba keeps the result on disk where it may write.
    """
    try:
        numba = importlib.import_module("numba")
    except ImportError:
        return None
    decorate = partial(numba.njit, nogil=True, error_model="numpy")
    try:
        return decorate(cache=True)(parse)
    except RuntimeError:  # no folder to keep it in
        return decorate()(parse)


def parse_block(
    block: bytes, lead: int, parser: Parser = parse
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Parse whole rows.

    Parameters
    ----------
    block : bytes
        Ends with a line end.
    lead : int
        Cells at the start of a row that are no numbers.
    parser : callable
        :func:`parse`, compiled or not.

    Returns
    -------
    values : ndarray of float64, shape (number,)
    count : ndarray of int64, shape (row,)
    runs : ndarray of int64, shape (run, 3)
        As :func:`parse` fills them. None instead if a row is not of the usual form.
    """
    text = np.frombuffer(block, np.uint8)
    n_rows = int(np.count_nonzero(text == 10))
    values = np.empty(len(text) // 2 + 1)
    count = np.empty(n_rows, np.int64)
    runs = np.empty((n_rows, 3), np.int64)
    n_values, _, n_runs = parser(text, lead, _POWERS, values, count, runs)
    if n_values < 0:
        return None
    return values[:n_values], count, runs[:n_runs]
