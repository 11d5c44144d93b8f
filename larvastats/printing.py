"""Numbers and tables as R prints them."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

R_EPSILON = 2.220446049250313e-16
"""``.Machine$double.eps``: R prints smaller p-values as ``< 2.2e-16``."""

MAX_ROWS = 20
"""Lines of a screen that are printed; the table holds them all."""

MAX_NAMED = 6
"""Lines named in one note; the others are counted."""

PRINTED = (
    "genotype", "n_assays", "n_dates", "statistic", "p_value", "q_value", "rejected",
    "hellinger", "hellinger_adjusted", "top_transition", "top_difference",
)  # fmt: skip
"""Columns of a screen that are printed."""


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


def together(values: Sequence[float], digits: int) -> list[str]:
    """Format numbers that stand side by side with the same decimals, as R's ``format`` does.

    As many decimals as it takes to show every number to `digits` significant digits, less zeros
    at the end that all have; padded to one width; scientific where that is shorter.

    Parameters
    ----------
    values : sequence of float
    digits : int

    Returns
    -------
    list of str
    """
    out = [significant(v, digits) for v in values]  # NA and Inf stay as they are
    finite = [i for i, v in enumerate(values) if v is not None and np.isfinite(v)]
    if finite:
        numbers = [float(values[i]) for i in finite]
        fixed, scientific = _all_fixed(numbers, digits), _all_scientific(numbers, digits)
        shorter = max(map(len, fixed)) <= max(map(len, scientific))
        for i, text in zip(finite, fixed if shorter else scientific, strict=True):
            out[i] = text
    width = max(map(len, out), default=0)
    return [text.rjust(width) for text in out]


def _all_fixed(numbers: Sequence[float], digits: int) -> list[str]:
    decimals = max(0, *(kept - 1 - exponent for kept, exponent in _kept(numbers, digits)))
    return [f"{number:.{decimals}f}" for number in numbers]


def _all_scientific(numbers: Sequence[float], digits: int) -> list[str]:
    most = max(kept for kept, _ in _kept(numbers, digits))
    return [f"{number:.{most - 1}e}" for number in numbers]


def _kept(numbers: Sequence[float], digits: int) -> list[tuple[int, int]]:
    """Significant digits that are left without zeros at the end, and exponent, of every number."""
    parts = [f"{number:.{digits - 1}e}".lstrip("-").split("e") for number in numbers]
    return [(len(m.replace(".", "").rstrip("0")) or 1, int(e)) for m, e in parts]


def p_text(p: float, digits: int = 4) -> str:
    """Format a p-value with its relation, as ``print.htest`` does: ``= 0.01234``, ``< 2.2e-16``."""
    if p is None or np.isnan(p):
        return "= NA"
    if p < R_EPSILON:
        return f"< {significant(R_EPSILON, 2)}"
    return f"= {significant(p, digits)}"


def named_vector(values: Mapping[str, float], digits: int = 7, width: int = 80) -> str:
    """Print a named numeric vector in right-aligned columns, names above numbers."""
    cells = list(zip(values, together(list(values.values()), digits), strict=True))
    column = max(max(len(name), len(number)) for name, number in cells)
    per_row = max(1, width // (column + 1))
    lines = []
    for start in range(0, len(cells), per_row):
        row = cells[start : start + per_row]
        lines.append(" ".join(name.rjust(column) for name, _ in row) + " ")
        lines.append(" ".join(number.rjust(column) for _, number in row) + " ")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class TextColumn:
    """One column of a table, ready to print: its cells, and whether they hold numbers."""

    name: str
    cells: list[str]
    is_number: bool

    @property
    def width(self) -> int:
        """Characters that the widest of cells and name needs."""
        return max(map(len, [self.name, *self.cells]))


def text_columns(table: pd.DataFrame, digits: int = 3) -> list[TextColumn]:
    """Format every column of a table: blanks for NA, ``yes`` for true.

    Numbers of one column share their decimals, so that they can be compared by eye; p- and
    q-values keep their own, since their order of magnitude is what is read.
    """
    return [_text_column(str(name), table[name], digits) for name in table.columns]


def _text_column(name: str, values: pd.Series, digits: int) -> TextColumn:
    kind = pd.api.types
    if kind.is_bool_dtype(values) or set(values.dropna().map(type)) <= {bool, np.bool_}:
        cells = ["yes" if not pd.isna(v) and bool(v) else "" for v in values]
        return TextColumn(name, cells, False)
    if kind.is_float_dtype(values):
        numbers = [float("nan") if pd.isna(v) else float(v) for v in values]
        return TextColumn(name, _numbers(name, numbers, digits), True)
    cells = ["" if pd.isna(v) else str(v) for v in values]
    return TextColumn(name, cells, kind.is_numeric_dtype(values))


def _numbers(name: str, values: Sequence[float], digits: int) -> list[str]:
    finite = [abs(v) for v in values if np.isfinite(v)]
    largest = max(finite, default=0.0)
    is_p = name in ("p", "q", "p_floor", "p_exact", "p_approx", "p_adjusted") or name.endswith(
        "_value"
    )
    # beyond these bounds shared decimals would be all zeros or all noise
    if is_p or not 1e-2 <= largest < 1e6:
        return ["" if np.isnan(v) else significant(v, digits) for v in values]
    decimals = max(2, digits - 1 - math.floor(math.log10(largest)))
    if all(v == round(v) for v in finite):
        decimals = 0
    return [_fixed(v, decimals) for v in values]


def _fixed(value: float, decimals: int) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.{decimals}f}" if np.isfinite(value) else significant(value, 1)


def table_text(table: pd.DataFrame, digits: int = 3) -> str:
    """Print a table without its index: words to the left, numbers to the right, blanks for NA."""
    columns = text_columns(table, digits)
    lines = []
    for row in range(-1, len(table)):
        cells = (_padded(c.name if row < 0 else c.cells[row], c) for c in columns)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _padded(cell: str, column: TextColumn) -> str:
    return cell.rjust(column.width) if column.is_number else cell.ljust(column.width)


def screen_design(result: Any) -> dict[str, str]:
    """Return what was tested, in words: data, stimulus, window, unit, null."""
    d = result.design
    stimuli = d.get("stimuli")
    return {
        "data": d["data_name"],
        **({"stimulus": stimuli} if stimuli else {}),
        "window": d["window_text"],
        "unit": d["unit_text"],
        "null": d["null_text"],
    }


def screen_title(result: Any) -> str:
    """Return the title of a ``ScreenResult``: how many lines, and what measures them."""
    n = len(result.table)
    return f"Screen of {counted(n, 'line')}: {result.design['statistic_text']}"


def verdict(result: Any, name: str = "genotype") -> str:
    """Say in one sentence how many lines differ from their control, and which.

    `name` is the column that names them.
    """
    one = result.glance().iloc[0]
    tested, found = int(one["n_tested"]), int(one["n_rejected"])
    if tested == 0:
        return "No line could be tested."
    differ = "respond differently from" if result.design.get("contrast") else "differ from"
    table = result.table
    names = list(table.loc[table["rejected"].fillna(False).astype(bool), name])
    some = ", ".join(names[:MAX_NAMED])
    more = f" and {found - MAX_NAMED} more" if found > MAX_NAMED else ""
    return (
        f"{found or 'None'} of {counted(tested, 'tested line')} can be said to {differ} "
        f"{'its' if tested == 1 else 'their'} control, at {result.design['correction_text']} "
        f"{result.alpha:g}{': ' if names else ''}{some}{more}."
    )


def calibration_text(result: Any) -> list[str]:
    """Return what the controls of a ``ScreenResult`` say about its error; nothing if not asked."""
    found = getattr(result, "calibration", None)
    return [] if found is None else [f"Calibration: {found.verdict}"]


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 line``, ``12 lines``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def screen_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Choose what a screen prints of its table: the columns of :data:`PRINTED` with any content."""
    names = list(PRINTED)
    if table["window"].nunique() > 1:  # several were tested: which was the strongest
        names.insert(1, "window")
    shown = table[names]
    filled = [bool((shown[c].notna() & (shown[c].astype("str") != "")).any()) for c in names]
    return shown.loc[:, filled]


def alike(said: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Group sentences that differ in names, paths and numbers alone, in order of appearance.

    Parameters
    ----------
    said : iterable of (str, str)
        Whom each sentence is about, as it is named in it, and the sentence.
    """
    groups: dict[str, list[str]] = {}
    for name, sentence in said:
        kind = re.sub(r"'[^']*'|\S*/\S*|[0-9.]+", "…", sentence.replace(name, ""))
        groups.setdefault(kind, []).append(sentence)
    return list(groups.values())


def told_once(notes: Iterable[str]) -> list[str]:
    """Write notes for printing: what is said of many files is told of the first, and counted."""
    groups: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        file = note.split(": ")[0]
        about = re.sub(r"[0-9.]+", "…", note.removeprefix(file)) if "/" in file else note
        groups.setdefault(about, []).append(note)
    return [f"{len(g)} × {g[0]}" if len(g) > 1 else g[0] for g in groups.values()]


def line_notes(table: pd.DataFrame) -> list[str]:
    """Gather the notes of a screen's lines: one sentence for each kind of note.

    Notes that differ in their numbers alone are one kind, told with the range of the numbers. A few
    lines are named, many counted; the column `note` has what is said of each.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, note in zip(table["genotype"], table["note"].fillna(""), strict=True):
        for part in filter(None, str(note).split("; ")):
            kinds.setdefault(_kind(part), []).append((str(name), part))
    return [_kind_sentence(said, len(table)) for said in kinds.values()]


_NUMBER = re.compile(r"(?<![\w.@/-])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w@/])")
"""A number that stands alone, not one in the name of a line or an effector."""


def _kind(note: str) -> str:
    """Return a note without its numbers, and without their grammar."""
    return re.sub(r"\bassay\b", "assays", _NUMBER.sub("#", note))


def _kind_sentence(said: Sequence[tuple[str, str]], n_lines: int) -> str:
    names = list(dict.fromkeys(name for name, _ in said))
    if len(names) <= MAX_NAMED:
        who = ", ".join(names)
    else:
        who = (
            f"all {n_lines} lines" if len(names) == n_lines else f"{len(names)} of {n_lines} lines"
        )
    texts = [text for _, text in said]
    if len(set(texts)) == 1:
        return f"{who}: {texts[0]}"
    return f"{who}: {_ranges(texts)} (by line in the column note)"


def _ranges(texts: Sequence[str]) -> str:
    """Write notes of one kind as one, with the smallest and the largest of each number."""
    numbers = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    spans = []
    for values in numbers:
        low, high = min(values, key=float), max(values, key=float)
        spans.append(low if float(low) == float(high) else f"{low}–{high}")
    pieces = _kind(texts[0]).split("#")
    return "".join(piece + span for piece, span in zip(pieces, [*spans, ""], strict=True))


def more_lines(total: int, rows: int, where: str) -> list[str]:
    """Say how many lines are not printed, and where they are."""
    return [f"... and {counted(total - rows, 'more line')}: {where}"] if total > rows else []


def screen_text(result: Any, rows: int = MAX_ROWS, where: str = "see tidy()") -> str:
    """Print a ``ScreenResult``: title, design, its best `rows` lines, notes, verdict.

    Parameters
    ----------
    result : ScreenResult
    rows : int
        Lines printed at most.
    where : str
        Where the others are.
    """
    design = [f"{name + ':':<10}{text}" for name, text in screen_design(result).items()]
    body = table_text(screen_columns(result.table.iloc[:rows]))
    more = more_lines(len(result.table), rows, where)
    notes = [f"note: {note}" for note in [*line_notes(result.table), *told_once(result.notes)]]
    head = ["", f"\t{screen_title(result)}", "", *design, ""]
    said = [verdict(result), *calibration_text(result)]
    return "\n".join([*head, body, *more, "", *notes, *said, ""])


def model_text(result: Any) -> str:
    """Print a ``TransitionModel``: formula, data, tests, notes."""
    d = result.design
    stimuli = [f"stimulus: {d['stimuli']}"] if d.get("stimuli") else []
    lines = [
        "", "\tSmooth transition probabilities: a multinomial logit per state left", "",
        f"formula: {d['formula']}",
        f"data:  {d['data_name']}", *stimuli,
        f"window: {d['window_text']}",
        f"{counted(d['n_transitions'], 'transition')} of {counted(d['n_assays'], 'assay')}, "
        f"{counted(d['n_genotypes'], 'genotype')}; replicate: {d['replicate']} "
        f"({d['n_replicates']}); log-likelihood {significant(d['log_likelihood'], 7)}",
    ]  # fmt: skip
    if len(result.tests):
        shown = result.tests[["genotype", "term", "from", "statistic", "p_value", "p_adjusted"]]
        lines += ["", f"score tests against {d['control']}:", table_text(shown)]
    lines += [f"note: {note}" for note in told_once(result.notes)]
    return "\n".join([*lines, ""])
