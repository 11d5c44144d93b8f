"""Numbers as a statistician writes them, in HTML."""

from __future__ import annotations

import math
from typing import Any

MISSING = "–"
MINUS = "−"


def missing(value: Any) -> bool:
    """Say whether there is no number: None, NA or NaN."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def p_value(value: Any, level: float | None = None) -> str:
    """Write a p- or q-value with two significant digits; a dash when there is none.

    Below 10⁻⁴ as a power of ten, from 0.1 on with two decimals, never as 0. A value that rounding
    would carry across `level` keeps as many digits as it takes to stay on its side.
    """
    if missing(value):
        return MISSING
    p = float(value)
    if p < 1e-300:
        return "&lt; 10<sup>−300</sup>"
    for digits in range(2, 17):
        text = _digits(p, digits)
        if level is None or (float(text) <= level) == (p <= level):
            break
    if float(text) < 1e-4:
        mantissa, exponent = f"{p:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10<sup>{MINUS}{abs(int(exponent))}</sup>"
    return text


def _digits(p: float, digits: int) -> str:
    """Write p with that many significant digits and no exponent, two decimals at least."""
    exponent = math.floor(math.log10(float(f"{p:.{digits - 1}e}")))
    return f"{p:.{max(2, digits - 1 - exponent)}f}" if exponent < -1 else f"{p:.{digits}f}"


def fixed(value: Any, digits: int = 2) -> str:
    """Write a number with that many decimals and a true minus."""
    if missing(value):
        return MISSING
    if math.isinf(float(value)):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{float(value):,.{digits}f}"
    zero = float(text.replace(",", "")) == 0
    return (text.lstrip("-") if zero else text).replace("-", MINUS)


def signed(value: Any, digits: int = 2) -> str:
    """Write a number with its sign."""
    text = fixed(value, digits)
    bare = text == MISSING or text.startswith(MINUS) or not text.strip("0.")
    return text if bare else f"+{text}"


def whole(value: Any) -> str:
    """Write a count, thousands apart."""
    return MISSING if missing(value) else f"{round(float(value)):,}"


def plain(value: Any, digits: int = 3) -> str:
    """Write a number with that many significant digits, without zeros at its end."""
    if missing(value):
        return MISSING
    return f"{float(value):.{digits}g}".replace("-", MINUS)


def interval(low: Any, high: Any, digits: int = 2) -> str:
    """Write two limits, joined by a dash (by ``to`` where one is negative)."""
    if missing(low) or missing(high):
        return MISSING
    joint = " to " if float(low) < 0 or float(high) < 0 else "–"
    return f"{fixed(low, digits)}{joint}{fixed(high, digits)}"


def counted(number: Any, noun: str, many: str | None = None) -> str:
    """Write ``1 line``, ``1,234 lines``."""
    return f"{whole(number)} {noun if round(float(number)) == 1 else many or noun + 's'}"


def listed(names: list[str]) -> str:
    """Join words as a sentence does: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def between(low: Any, high: Any) -> str:
    """Write ``4`` or ``4–6``: the smallest and the largest of some counts."""
    same = missing(low) or missing(high) or low == high
    return whole(low) if same else f"{whole(low)}–{whole(high)}"
