"""What ranking and volcano read of a screen's table: the effect, its name, the lines' names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.plot import style
from larvastats.plot.fields import HasLines, flags, numbers, words

MEASURES = {
    "hellinger_adjusted": "Hellinger distance to the control, adjusted for counts",
    "hellinger": "Hellinger distance to the control, plug-in (biased upward at small counts)",
    "statistic": "test statistic",
}
"""Effects, the best one first: a screen may lack the first ones (no assays, ``ever``)."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Columns of a screen's table as arrays, shape (line,).

    Attributes
    ----------
    names : tuple of str
        Line where all share one effector, else genotype.
    effect, plug_in, low, high, pseudo_95, p, q, p_floor : ndarray
        NaN where missing.
    rejected : ndarray of bool
    measure : str
        Column of `effect`.
    label : str
        Name of `effect`, for an axis.
    shared : str
        What all lines have in common: effector, control; may be empty.
    """

    names: tuple[str, ...]
    effect: NDArray[np.float64]
    plug_in: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    pseudo_95: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    p_floor: NDArray[np.float64]
    rejected: NDArray[np.bool_]
    measure: str
    label: str
    shared: str

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.names)

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Whether a line has a p-value, shape (line,)."""
        return np.isfinite(self.p)

    @property
    def n_tested(self) -> int:
        """Number of lines with a p-value."""
        return int(self.tested.sum())

    @property
    def n_rejected(self) -> int:
        """Number of rejected lines."""
        return int(self.rejected.sum())


def read_lines(table: pd.DataFrame) -> Lines:
    """Read a screen's table."""
    columns = {name: numbers(table, name) for name in MEASURES}
    found = [name for name, values in columns.items() if np.isfinite(values).any()]
    measure = found[0] if found else "hellinger_adjusted"
    adjusted = measure == "hellinger_adjusted"
    nothing = np.full(len(table), np.nan)
    names, shared = _names(table)
    return Lines(
        names=names,
        effect=columns[measure],
        plug_in=columns["hellinger"] if adjusted else nothing,
        low=nothing if measure == "statistic" else numbers(table, "hellinger_low"),
        high=nothing if measure == "statistic" else numbers(table, "hellinger_high"),
        pseudo_95=numbers(table, "hellinger_pseudo_95") if adjusted else nothing,
        p=numbers(table, "p_value"),
        q=numbers(table, "q_value"),
        p_floor=numbers(table, "p_floor"),
        rejected=flags(table, "rejected"),
        measure=measure,
        label=_label(table, measure),
        shared=shared,
    )


def _label(table: pd.DataFrame, measure: str) -> str:
    names = sorted(set(words(table, "statistic_name")) - {""})
    if measure == "statistic" and len(names) == 1:
        return f"{MEASURES[measure]} ({names[0]})"
    return MEASURES[measure]


def _names(table: pd.DataFrame) -> tuple[tuple[str, ...], str]:
    """Short names of the lines, and what was left out of them because all share it."""
    lines, effectors = words(table, "line"), set(words(table, "effector"))
    controls = set(words(table, "control"))
    one = len(controls) == 1 and "" not in controls
    shared = [f"control {next(iter(controls))}"] if one else []
    if len(effectors) == 1 and len(set(lines)) == len(lines) and "" not in lines:
        effector = next(iter(effectors))
        known = f"effector {effector}" if effector else ""
        return tuple(lines), " · ".join([*([known] if known else []), *shared])
    return tuple(words(table, "genotype")), " · ".join(shared)


def titles(result: HasLines, lines: Lines, extra: str = "") -> tuple[str, list[str]]:
    """Title of a screen's picture and the lines below it."""
    design = result.design
    statistic = design.get("statistic_text") or design.get("statistic") or ""
    title = f"Screen of {style.plural(len(lines), 'line')}"
    title += f": {statistic}" if statistic else ""
    window = design.get("window_text") or design.get("window")
    data = " · ".join(
        str(part) for part in (design.get("data_name"), window and f"window {window}") if part
    )
    return title, [text for text in (data, lines.shared, verdict(result, lines), extra) if text]


def verdict(result: HasLines, lines: Lines) -> str:
    """Say how many lines were tested and rejected."""
    if lines.n_tested == 0:
        return "No line was tested: there are no p-values."
    how = str(result.design.get("correction_text") or "corrected p ≤").replace("<=", "≤")
    untested = len(lines) - lines.n_tested
    more = f"; {style.plural(untested, 'line')} not tested" if untested else ""
    tested = style.plural(lines.n_tested, "tested line")
    return f"{lines.n_rejected} of {tested} rejected, {how} {result.alpha:g}{more}."
