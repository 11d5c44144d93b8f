"""Transition matrices of a line, its control and their difference; or of one line's windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.plot import style
from larvastats.plot.fields import HasTransitions, HasWindows, matrix, numbers, words
from larvastats.plot.panels import Panel, diverging, draw_panels, sequential

EVER = ("ever", "ever-action")
MOST_WINDOWS, WINDOWS_PER_ROW = 12, 4
NO_BREAK = "\N{NO-BREAK SPACE}"


@style.styled
def plot_matrices(
    result: HasTransitions, genotype: str | None = None, window: str | None = None
) -> Figure:
    """Draw the transition matrices of a line, of its control, and their difference.

    Line and control share one scale; the scale of the difference is centred at 0. Rows that were
    never visited are hatched, and the cell of the largest absolute z is framed.

    Parameters
    ----------
    result : ScreenResult or HTest
        Its ``transitions`` hold one row per line, window and cell.
    genotype : str, optional
        The best line of a screen by default.
    window : str, optional
        By default the window that a screen tested, else the first one.

    Returns
    -------
    Figure

    Raises
    ------
    UsageError
        If there is no such genotype or window in the result.
    """
    table = getattr(result, "table", pd.DataFrame())
    rows, summary = _choose(result, table, genotype, window)
    design = {**result.design, **summary}
    states = _states(rows, getattr(result, "states", ()))
    cells = _read_cells(rows, states, design)
    panels = _three(rows, design, cells, float(getattr(result, "alpha", 0.05)))
    title, below = _title(rows, design)
    return draw_panels(panels, states, title, below, columns=3)


@style.styled
def plot_windows(result: HasWindows, genotype: str | None = None) -> Figure:
    """Draw the transition matrices of one genotype, window by window (light off, light on).

    Parameters
    ----------
    result : TransitionsResult
    genotype : str, optional
        The first one by default.

    Returns
    -------
    Figure
        At most twelve windows; the text under the title says when there are more.

    Raises
    ------
    UsageError
        If the result has no such genotype.
    """
    table = result.table
    known = list(dict.fromkeys(table["genotype"]))
    name = known[0] if genotype is None else genotype
    if name not in known:
        raise UsageError(_unknown("genotype", name, known))
    rows = table[table["genotype"] == name]
    windows = list(dict.fromkeys(rows["window"]))
    states = list(result.states)
    cells = [rows[rows["window"] == window] for window in windows[:MOST_WINDOWS]]
    grids, empty = [], []
    for part in cells:
        p = matrix(part, states, "p")
        gone = _unvisited(p, matrix(part, states, "n"), result.design)
        blank = _blank_diagonal((p,), result.design)
        grids.append(_shown(p, gone, blank))
        empty.append(gone)
    scale = sequential(grids, _amount(result.design))
    panels = [
        Panel(grid, _window_text(result.design, window), _window_counts(part), scale,
              _never(gone), digits=_digits(result.design, blank=True))
        for grid, gone, window, part in zip(grids, empty, windows, cells, strict=False)
    ]  # fmt: skip
    below = [_joined(result.design.get("data_name"), _kind(result.design))]
    if len(windows) > MOST_WINDOWS:
        below.append(f"The first {MOST_WINDOWS} of {len(windows)} windows are shown.")
    return draw_panels(panels, states, name, below, columns=WINDOWS_PER_ROW)


def _choose(
    result: HasTransitions, table: pd.DataFrame, genotype: str | None, window: str | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of one genotype and window, and the row of the screen's table about it."""
    cells = result.transitions
    known = list(dict.fromkeys(cells["genotype"]))
    if not known:
        raise UsageError("This result has no transitions; there is no matrix to draw.")
    best = [g for g in words(table, "genotype") if g in set(known)]
    name = (best or known)[0] if genotype is None else genotype
    if name not in known:
        raise UsageError(_unknown("genotype", name, known))
    cells = cells[cells["genotype"] == name]
    summary: dict[str, Any] = {}
    if "genotype" in table.columns and (table["genotype"] == name).any():
        row = table[table["genotype"] == name].iloc[0]
        summary = {k: v for k, v in row.items() if k in ("n_assays", "n_control_assays", "q_value")}
        summary["tested_window"] = row.get("window")
    windows = list(dict.fromkeys(cells["window"]))
    tested = summary.get("tested_window")
    chosen = window if window is not None else tested if tested in windows else windows[0]
    if chosen not in windows:
        raise UsageError(_unknown("window", chosen, windows))
    return cells[cells["window"] == chosen], summary


def _unknown(what: str, name: object, known: Sequence[str]) -> str:
    listed = ", ".join(map(str, known[:8])) + (f" and {len(known) - 8} more" if known[8:] else "")
    return f"There is no {what} {name!r} in this result; expected one of: {listed}."


def _states(rows: pd.DataFrame, states: Sequence[str]) -> list[str]:
    """States of the result, or in the order in which the cells name them."""
    return list(states) or list(dict.fromkeys([*rows["from"], *rows["to"]]))


def _unvisited(
    p: NDArray[np.float64], n: NDArray[np.float64], design: Mapping[str, Any]
) -> NDArray[np.bool_]:
    """Whether a row has no transition at all, shape (from,)."""
    gone = np.asarray(~np.isfinite(p).any(axis=1), dtype=bool)
    if design.get("transitions") in EVER:
        return gone  # larvae that could have and never did are a 0, not a gap
    counted = np.isfinite(n).any(axis=1) & (np.nansum(n, axis=1) == 0)
    return np.logical_or(gone, counted)


def _blank_diagonal(grids: Sequence[NDArray[np.float64]], design: Mapping[str, Any]) -> bool:
    """Whether the diagonal is 0 by construction (transitions between bouts) or absent."""
    diagonals = np.concatenate([np.diag(grid) for grid in grids])
    return design.get("transitions") == "jump" or not np.nansum(np.abs(diagonals)) > 0


def _shown(grid: NDArray[np.float64], empty: NDArray[np.bool_], blank: bool) -> NDArray[np.float64]:
    """Take out what is not a number to read: rows never visited, the structural diagonal."""
    grid = np.where(empty[:, None], np.nan, grid)
    return np.where(np.eye(len(grid), dtype=bool), np.nan, grid) if blank else grid


@dataclass(frozen=True, slots=True)
class _Cells:
    """Matrices of one comparison, shape (from, to), with NaN where nothing is to be read.

    `gone` and `control_gone`, shape (from,), mark the rows without any transition.
    """

    states: Sequence[str]
    line: NDArray[np.float64]
    control: NDArray[np.float64]
    difference: NDArray[np.float64]
    z: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]
    gone: NDArray[np.bool_]
    control_gone: NDArray[np.bool_]
    blank: bool

    @property
    def peak(self) -> tuple[int, int] | None:
        """Cell of the largest absolute z that is shown, if there is one above 0."""
        size = np.where(np.isfinite(self.z) & np.isfinite(self.difference), np.abs(self.z), 0.0)
        if not size.max(initial=0.0) > 0:
            return None
        row, column = np.unravel_index(int(size.argmax()), size.shape)
        return int(row), int(column)


def _read_cells(rows: pd.DataFrame, states: list[str], design: Mapping[str, Any]) -> _Cells:
    columns = ("p_line", "p_control", "difference", "z", "p_adjusted", "n_line", "n_control")
    line, control, difference, z, p, n_line, n_control = (matrix(rows, states, c) for c in columns)
    gone, control_gone = (
        _unvisited(side, n, design) for side, n in ((line, n_line), (control, n_control))
    )
    blank = _blank_diagonal((line, control), design)
    return _Cells(
        states,
        _shown(line, gone, blank),
        _shown(control, control_gone, blank),
        _shown(difference, gone | control_gone, blank),
        z,
        p,
        gone,
        control_gone,
        blank,
    )


def _three(
    rows: pd.DataFrame, design: Mapping[str, Any], cells: _Cells, alpha: float
) -> list[Panel]:
    """Build the panels: line, control, difference."""
    names = [str(rows.iloc[0][column]) for column in ("genotype", "control")]
    counts = [_and(_counts(rows, design, *columns)) for columns in
              (("n_assays", "n_line"), ("n_control_assays", "n_control"))]  # fmt: skip
    scale = sequential((cells.line, cells.control), _amount(design))
    gap = diverging((cells.difference,), "difference, line − control")
    digits, peak, found = _digits(design, cells.blank), cells.peak, cells.p_adjusted <= alpha
    below = _difference_text(rows, design, cells, alpha)
    return [
        Panel(cells.line, names[0], f"line{counts[0]}", scale, _never(cells.gone), peak, digits),
        Panel(cells.control, names[1], f"control{counts[1]}", scale, _never(cells.control_gone),
              peak, digits),
        Panel(cells.difference, "difference", below, gap, _missing_rows(cells), peak, digits,
              found),
    ]  # fmt: skip


def _never(gone: NDArray[np.bool_]) -> dict[int, str]:
    return {int(k): "never visited" for k in np.flatnonzero(gone)}


def _missing_rows(cells: _Cells) -> dict[int, str]:
    """Rows without a difference, and which side lacks them."""
    return {
        int(k): "not in either" if cells.gone[k] and cells.control_gone[k]
        else "not in the line" if cells.gone[k] else "not in the control"
        for k in np.flatnonzero(cells.gone | cells.control_gone)
    }  # fmt: skip


def _difference_text(
    rows: pd.DataFrame, design: Mapping[str, Any], cells: _Cells, alpha: float
) -> str:
    """Say what is framed and what is bold."""
    if cells.peak is None:
        return "line − control"
    row, column = cells.peak
    tested = _tested_otherwise(rows, design)
    of = f" of the change {tested}" if tested else ""
    z = style.signed(float(cells.z[row, column]), 1)
    name = f"{cells.states[row]} → {cells.states[column]}"
    if design.get("transitions") == "ever-action":
        name = cells.states[row]
    cell = f"{name}, z = {z}".replace(" ", NO_BREAK)
    text = f"framed: largest |z|{of}, {cell}"
    if (cells.p_adjusted <= alpha).any():
        text += f"; bold: p ≤ {alpha:g} adjusted for all cells"
    return text


def _tested_otherwise(rows: pd.DataFrame, design: Mapping[str, Any]) -> str:
    """Name of the contrast of windows that was tested, if it was one."""
    tested = design.get("window") or ""
    return str(tested) if "-" in str(tested) and tested != rows.iloc[0]["window"] else ""


def _counts(rows: pd.DataFrame, design: Mapping[str, Any], assays: str, cells: str) -> str:
    """Say how many assays and transitions a matrix rests on, as far as the result tells."""
    parts = []
    number = design.get(assays)
    if number is not None and not pd.isna(number):
        parts.append(style.plural(int(number), "assay"))
    if design.get("transitions") not in EVER and np.isfinite(numbers(rows, cells)).any():
        parts.append(style.plural(round(float(np.nansum(numbers(rows, cells)))), "transition"))
    return ", ".join(parts)


def _title(rows: pd.DataFrame, design: Mapping[str, Any]) -> tuple[str, list[str]]:
    first = rows.iloc[0]
    window = str(first["window"])
    text = design.get("window_text") if window == design.get("window") else None
    protocol = first.get("protocol")
    said = "" if protocol is None or pd.isna(protocol) else str(protocol)
    tested = _tested_otherwise(rows, design)
    test = f"tested: the change {tested}" if tested else ""
    below = _joined(said, f"window {text or window}", test, _kind(design))
    return f"{first['genotype']} against {first['control']}", [below]


def _kind(design: Mapping[str, Any]) -> str:
    kind = design.get("transitions")
    known = {"jump": "transitions between bouts", "frame": "transitions per frame",
             "ever": "larvae that do it at least once",
             "ever-action": "larvae that do it at least once, by action"}  # fmt: skip
    return known.get(str(kind), "")


def _amount(design: Mapping[str, Any]) -> str:
    return "fraction of larvae" if design.get("transitions") in EVER else "transition probability"


def _digits(design: Mapping[str, Any], blank: bool) -> int:
    """Decimals: from frame to frame nearly everything stays, and the rest is small."""
    return 3 if design.get("transitions") == "frame" or not blank else 2


def _window_text(design: Mapping[str, Any], window: str) -> str:
    return str(design.get("windows_text", {}).get(window, window))


def _window_counts(part: pd.DataFrame) -> str:
    said = [_counts(part, {"n": part["n_assays"].iloc[0]}, "n", "n")] if "n_assays" in part else []
    if "n_larvae" in part and pd.notna(part["n_larvae"].iloc[0]):
        said.append(style.plural(int(part["n_larvae"].iloc[0]), "larva"))
    return ", ".join(said)


def _and(text: str) -> str:
    return f": {text}" if text else ""


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part)
