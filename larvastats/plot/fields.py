"""What the pictures read of a result: its fields, whatever its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class HasTransitions(Protocol):
    """A screen or a test with a table of transitions (line, control, difference)."""

    @property
    def transitions(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def design(self) -> Mapping[str, Any]: ...  # noqa: D102


class HasLines(Protocol):
    """A screen: one row per line."""

    @property
    def table(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def alpha(self) -> float: ...  # noqa: D102
    @property
    def design(self) -> Mapping[str, Any]: ...  # noqa: D102


class HasWindows(Protocol):
    """Transition matrices by genotype and window."""

    @property
    def table(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def states(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def design(self) -> Mapping[str, Any]: ...  # noqa: D102


class HasCurves(Protocol):
    """Curves over time by genotype, and where they differ from the control's."""

    @property
    def table(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def differences(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def design(self) -> Mapping[str, Any]: ...  # noqa: D102


class HasDensities(Protocol):
    """Densities by genotype and condition, with the assays behind them."""

    @property
    def table(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def units(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def tests(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def design(self) -> Mapping[str, Any]: ...  # noqa: D102


class HasBouts(Protocol):
    """An ethogram."""

    @property
    def states(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def larva_index(self) -> NDArray[np.int32]: ...  # noqa: D102
    @property
    def state(self) -> NDArray[np.int16]: ...  # noqa: D102
    @property
    def t_start(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def t_stop(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def larvae(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def assays(self) -> pd.DataFrame: ...  # noqa: D102


def numbers(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column as floats, NaN where it is missing or lacks a value; shape (row,)."""
    if column not in table.columns:
        return np.full(len(table), np.nan)
    values = pd.to_numeric(table[column], errors="coerce")
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def flags(table: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    """Return a column as booleans, false where it is missing or lacks a value; shape (row,)."""
    if column not in table.columns:
        return np.zeros(len(table), dtype=bool)
    return np.array([value is not pd.NA and bool(value == True) for value in table[column]])  # noqa: E712


def words(table: pd.DataFrame, column: str) -> list[str]:
    """Return a column as texts, empty where it is missing or lacks a value."""
    if column not in table.columns:
        return [""] * len(table)
    return ["" if pd.isna(value) else str(value) for value in table[column]]


def matrix(rows: pd.DataFrame, states: list[str], column: str) -> NDArray[np.float64]:
    """Arrange a column of cells as a matrix, shape (from, to); NaN where there is no row."""
    position = {state: k for k, state in enumerate(states)}
    grid = np.full((len(states), len(states)), np.nan)
    start = rows["from"].map(position).to_numpy(dtype=int)
    stop = rows["to"].map(position).to_numpy(dtype=int)
    grid[start, stop] = numbers(rows, column)
    return grid
