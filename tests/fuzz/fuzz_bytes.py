"""Damage that knows nothing of formats: bits, bytes, cuts, copies, tokens, lengths."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence

import numpy as np

MAX_BYTES = 1 << 16

TOKENS: tuple[bytes, ...] = (
    b"", b"\0", b"\xff", b"\0" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f",
    b"\x80" * 4, b"\n", b"\r\n", b"\r", b",", b";", b"\t", b" ", b'"', b"'", b"-1", b"1e999",
    b"nan", b"inf", b"9" * 30, b"\xef\xbb\xbf", b"\xff\xfe", b"\xe2\x80\xae", b"\xed\xa0\x80",
    b"\x1f\x8b\x08", b"\x1b[31m", b"..", b"/", b"\\", b"#", b"*", b"[", b"]", b"{", b"}",
)  # fmt: skip

Edit = Callable[[bytearray, np.random.Generator], None]


def pick(rng: np.random.Generator, options: Sequence):
    """One of several; `rng.choice` would turn them into an array."""
    return options[int(rng.integers(len(options)))]


def _place(data: bytearray, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data) + 1))


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    if data:
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))


def _byte(data: bytearray, rng: np.random.Generator) -> None:
    if data:
        data[int(rng.integers(len(data)))] = int(rng.integers(256))


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    at = _place(data, rng)
    del data[at : at + int(rng.geometric(0.1))]


def _end(data: bytearray, rng: np.random.Generator) -> None:
    del data[_place(data, rng) :]


def _copy(data: bytearray, rng: np.random.Generator) -> None:
    first, size, at = _place(data, rng), int(rng.geometric(0.05)), _place(data, rng)
    data[at:at] = bytes(data[first : first + size]) * int(rng.integers(1, 4))


def _number(data: bytearray, rng: np.random.Generator) -> None:
    """Overwrite what may be a length or an address."""
    width = int(pick(rng, (1, 2, 4, 8)))
    value = int(
        pick(rng, (0, 1, -1, 1 << 31, (1 << 63) - 1, len(data), int(rng.integers(1 << 32))))
    )
    at = _place(data, rng)
    order = pick(rng, ("little", "big"))
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


IN_PLACE: tuple[Edit, ...] = (_flip, _byte, _number)
EDITS: tuple[Edit, ...] = (_flip, _byte, _byte, _cut, _end, _copy, _number)


def havoc(
    data: bytes,
    rng: np.random.Generator,
    tokens: Sequence[bytes] = (),
    edits: int = 6,
    shifts: bool = True,
) -> bytes:
    """Return `data` with a few edits; tokens of the format are inserted or put in place.

    Without `shifts`, every byte stays where it is: a format of addresses is lost by any other edit.
    """
    out = bytearray(data)
    words = (*TOKENS, *tokens)
    for _ in range(int(rng.integers(1, edits + 1))):
        if rng.random() < 0.35:
            at, word = _place(out, rng), pick(rng, words)
            out[at : at + (int(rng.integers(0, 12)) if shifts else len(word))] = word
        else:
            pick(rng, EDITS if shifts else IN_PLACE)(out, rng)
    return bytes(out[:MAX_BYTES])


def packed(data: bytes, rng: np.random.Generator) -> bytes:
    """Return `data` as gzip: whole, cut off, damaged, in two members, or with a tail."""
    whole = gzip.compress(data, 1, mtime=0)
    how = int(rng.integers(5))
    if how == 0:
        return whole
    if how == 1:
        return whole[: int(rng.integers(len(whole)))]
    if how == 2:
        return havoc(whole, rng)
    if how == 3:
        half = len(data) // 2
        return gzip.compress(data[:half], 1, mtime=0) + gzip.compress(data[half:], 1, mtime=0)
    return whole + bytes(rng.integers(0, 256, int(rng.integers(1, 20)), dtype=np.uint8))


def inflated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return gzip of `data` with one of its bytes repeated millions of times."""
    at = _place(bytearray(data), rng)
    filler = pick(rng, (b"0", b" ", b"\n", b",", b"[", data[at : at + 1] or b"1"))
    return gzip.compress(data[:at] + filler * (1 << 22) + data[at:], 1, mtime=0)


def name(rng: np.random.Generator) -> str:
    """One of the names that somebody may give to a larva, a line or an assay."""
    return str(pick(rng, NAMES))


NAMES: tuple[str, ...] = (
    "1", "A", "a", "GMR_72F11_AE_01", "..", ".", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b",
    "C:\\x", "NUL", "nul", "a\0b", "a\nb", "a\r\nb", "\n", " ", "", "\t", "x" * 300, "y" * 10_000,
    "\u202eabc", "\u200b", "\ufeff", "\u2028", "ü", "u\u0308", "İ", "ß", "SS", "\x1b[2J", "%s%n",
    "{0}", "{name}", "$(id)", "`id`", "'", '"', "[bold]", "[/]", "-", "--help", "=1+1", "@", "a@b",
    "a@b@c", "#", "20200131_093000", "99999999_999999", "nan", "None", "null", "NA", "inf", "1e5",
    "01", "1.0", "١", "²", "\U0001f41b", "\ud7ff", "\uffff", "\x7f", "state_8", "(undefined)",
)  # fmt: skip
"""Names with separators, control characters, right-to-left marks, ten thousand characters."""
