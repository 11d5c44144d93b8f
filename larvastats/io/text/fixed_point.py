"""Numbers with three decimals out of text, thousands at a time.

Choreography prints every number with three decimals. A number then ends in its last eight bytes,
whose digits one 64-bit word holds, and a handful of operations on arrays of words turn all the
numbers of a block into values. The digits of a word are added in pairs, then in fours: the scheme
of D. Lemire and others ("SWAR", https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-
digits/), here with the point between the fourth and the third digit from the end, so that the two
halves of the word are the integer part and the thousandths.

What does not have this form makes a function return None; a slower parser then has its turn, and
tells right from wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Positions = NDArray[np.int64]

PAD = b"0000000 "
"""What must come before the first number, so that every number has eight bytes before its end."""

_DIGITS_AND_POINT = np.uint64(0x3030302E30303030)  # the point is the fifth byte of eight
_HEADROOM = np.uint64(0x0606060F06060606)  # lifts digits above 9, and any point but 0, to 16
_HIGH = np.uint64(0xF0F0F0F0F0F0F0F0)
_PAIRS, _PAIRS_MASK = np.uint64(10 << 8 | 1), np.uint64(0x00FF00FF00FF00FF)
_FOURS, _FOURS_MASK = np.uint64(100 << 16 | 1), np.uint64(0x0000FFFF0000FFFF)
_HALVES = np.uint64(1000 << 32 | 1)
_MINUS = ord("-")


def padded(block: bytes) -> bytes:
    """Return a block of text as :func:`decimals` takes it.

    Its length is a multiple of eight, and a whole word follows the last number.
    """
    return PAD + block + bytes(16 - len(block) % 8)


def decimals(text: bytes, gaps: Positions, others: Positions) -> NDArray[np.float64] | None:
    """Values of numbers such as ``-12.345``; exactly those that ``float`` gives.

    Parameters
    ----------
    text : bytes
        From :func:`padded`.
    gaps : ndarray of int, shape (number + 1,)
        Positions in `text` of the blanks before, between and after the numbers.
    others : ndarray of int
        Which of the cells between the blanks are no numbers; their values are 0.

    Returns
    -------
    ndarray of float64, shape (number,), or None
        None unless every number has a point, three decimals, and one to four digits before them.
    """
    size = gaps[1:] - gaps[:-1]  # one more than the number of characters
    negative = None
    if b"-" in text:
        negative = np.frombuffer(text, np.uint8)[gaps[:-1] + 1] == _MINUS
        size -= negative
    size[others] = 6
    if not len(size) or size.min() < 6 or size.max() > 9:
        return None
    words = _last_bytes(text, gaps[1:])
    words ^= _DIGITS_AND_POINT
    _blank(words, size)
    words[others] = 0
    if not _is_form(words):
        return None
    values = _sum(words).view(np.int64).astype(np.float64)
    values /= 1000
    if negative is not None:
        np.negative(values, out=values, where=negative)
    return values


def _last_bytes(text: bytes, end: Positions) -> Words:
    """Return the eight bytes before each position, the last one highest."""
    aligned = np.frombuffer(text, "<u8")
    first = end - 8
    shift = (first & 7).view(np.uint64)
    shift <<= np.uint64(3)
    first >>= 3
    words = aligned.take(first)
    first += 1
    rest = aligned.take(first)
    words >>= shift
    np.subtract(np.uint64(64), shift, out=shift)
    rest <<= shift  # by 64 bits: NumPy gives 0
    words |= rest
    return words


def _blank(words: Words, size: Positions) -> None:
    """Set the bytes before each number to zero, in place; `size` is used up."""
    np.subtract(9, size, out=size)
    size <<= 3
    shift = size.view(np.uint64)
    words >>= shift
    words <<= shift


def _is_form(words: Words) -> bool:
    """Whether every byte is a digit from 0 to 9, or a 0 where the point was."""
    lifted = words + _HEADROOM
    lifted |= words
    return not np.bitwise_or.reduce(lifted) & _HIGH


def _sum(words: Words) -> Words:
    """Add up the digits of each word, in place."""
    words *= _PAIRS
    words >>= np.uint64(8)
    words &= _PAIRS_MASK
    words *= _FOURS
    words >>= np.uint64(16)
    words &= _FOURS_MASK
    words *= _HALVES
    words >>= np.uint64(32)
    return words
