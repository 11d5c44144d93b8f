"""Numbers and tables as R prints them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

R_EPSILON = 2.220446049250313e-16
"""``.Machine$double.eps``: R prints smaller p-values as ``< 2.2e-16``."""


def significant(value: float, digits: int) -> str:
    """Format one number with at most `digits` significant digits, as R's ``format`` does."""
    if value is None or np.isnan(value):
        return "NA"
    if np.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = int(np.floor(np.log10(abs(rounded))))
    decimals = max(0, digits - 1 - exponent)
    fixed = f"{value:.{decimals}f}"  # R keeps every digit before the point
    fixed = fixed.rstrip("0").rstrip(".") if "." in fixed else fixed
    mantissa = f"{rounded / 10.0**exponent:.{digits - 1}f}".rstrip("0").rstrip(".")
    scientific = f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return fixed if len(fixed) <= len(scientific) else scientific


def p_text(p: float, digits: int = 4) -> str:
    """Format a p-value with its relation, as ``print.htest`` does: ``= 0.01234``, ``< 2.2e-16``."""
    if p is None or np.isnan(p):
        return "= NA"
    if p < R_EPSILON:
        return f"< {significant(R_EPSILON, 2)}"
    return f"= {significant(p, digits)}"


def named_vector(values: Mapping[str, float], digits: int = 7, width: int = 80) -> str:
    """Print a named numeric vector in right-aligned columns, names above numbers."""
    cells = [(name, significant(value, digits)) for name, value in values.items()]
    column = max(max(len(name), len(number)) for name, number in cells)
    per_row = max(1, width // (column + 1))
    lines = []
    for start in range(0, len(cells), per_row):
        row = cells[start : start + per_row]
        lines.append(" ".join(name.rjust(column) for name, _ in row) + " ")
        lines.append(" ".join(number.rjust(column) for _, number in row) + " ")
    return "\n".join(lines)


def table_text(table: pd.DataFrame, digits: int = 3) -> str:
    """Print a table without its index: numbers to `digits` significant digits, blanks for NA."""
    shown = pd.DataFrame(index=table.index)
    for column in table.columns:
        values = table[column]
        if pd.api.types.is_bool_dtype(values):
            shown[column] = ["yes" if v is True or v == True else "" for v in values]  # noqa: E712
        elif pd.api.types.is_float_dtype(values):
            shown[column] = ["" if pd.isna(v) else significant(v, digits) for v in values]
        else:
            shown[column] = ["" if pd.isna(v) else str(v) for v in values]
    return shown.to_string(index=False)
