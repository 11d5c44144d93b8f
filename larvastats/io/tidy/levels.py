"""Columns of a table that comes in pieces: their distinct values, and what describes assays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.tabular import IDENTITY, not_constant, texts

UNSEEN = -2
"""Code of an assay of which no row has come yet."""

MISSING = -1
"""Code of a missing value."""

Same = Callable[[Sequence[str | None]], bool]
"""Whether texts could be one value, such as 3.5 and 3.50."""


class Levels:
    """The distinct values of a column, in order of appearance, each with a code.

    Parameters
    ----------
    names : bool
        The values are names: blanks around them do not count, and a blank one is missing.
    """

    def __init__(self, names: bool = True) -> None:
        self._names = names
        self._codes: dict[object, int] = {}
        self._parts: list[pa.Array] = []

    def __len__(self) -> int:
        """Return how many distinct values there have been."""
        return len(self._codes)

    def encode(self, column: pa.Array) -> NDArray[np.int32]:
        """Return the code of every row of the next piece, shape (row,)."""
        if not pa.types.is_dictionary(column.type):
            if pa.types.is_floating(column.type):  # NaN is missing, and equals no other NaN
                column = pc.if_else(pc.is_nan(column), None, column)
            column = column.dictionary_encode()
        indices = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        used = np.bincount(indices + 1, minlength=len(column.dictionary) + 1)[1:] > 0
        codes = self._register(column.dictionary, np.flatnonzero(used))
        return np.append(codes, np.int32(MISSING))[indices]

    def values(self) -> pa.Array:
        """Return the distinct values by code."""
        return pa.concat_arrays(self._parts) if self._parts else pa.array([], pa.string())

    def texts(self) -> list[str]:
        """Return the distinct values by code, as text."""
        return texts(self.values().to_pandas())

    def _register(self, values: pa.Array, used: NDArray[np.int64]) -> NDArray[np.int32]:
        """Code of every value of a piece's dictionary, shape (value,)."""
        codes = np.full(len(values), MISSING, dtype=np.int32)
        new = []
        for position, value in zip(
            used.tolist(), values.take(pa.array(used)).to_pylist(), strict=True
        ):
            key = value.strip() if self._names and isinstance(value, str) else value
            if key is None or (self._names and key == ""):
                continue
            if key not in self._codes:
                self._codes[key] = len(self._codes)
                new.append(position)
            codes[position] = self._codes[key]
        if new:
            self._parts.append(values.take(pa.array(new)))
        return codes


class Count:
    """How many rows of a column are wrong, and which is the first."""

    def __init__(self) -> None:
        self.count = 0
        self.row = 0
        self.value: object = None

    def add(self, wrong: NDArray[np.bool_], row: int, value: Callable[[int], object]) -> None:
        """Count the wrong rows of a piece that begins at `row`; keep the value of the first."""
        if not wrong.any():
            return
        if not self.count:
            first = int(np.argmax(wrong))
            self.row, self.value = row + first, value(first)
        self.count += int(np.count_nonzero(wrong))


class Constant:
    """A column that describes assays as long as it has one value in each.

    Parameters
    ----------
    name : str
    same : callable, optional
        Tells whether different texts could be one value once the whole column is known.
    """

    def __init__(self, name: str, same: Same | None) -> None:
        self.name = name
        self.varies = False
        self.levels = Levels(names=False)
        self._same = None if name in IDENTITY else same
        self._first = np.zeros(0, dtype=np.int32)  # (assay,)
        self._others: dict[int, list[int]] = {}
        self._change: tuple[int, int, list[object]] | None = None

    def add(self, column: pa.Array, assay: NDArray[np.integer], n_assays: int, row: int) -> None:
        """Take the next piece, whose rows, from `row` on, belong to the assays `assay`."""
        codes = self.levels.encode(column)
        known = self._firsts(codes, assay, n_assays)
        differs = np.flatnonzero(codes != known)
        if not len(differs):
            return
        first = differs[0]
        if not self._may_be_same([known[first], codes[first]]):
            self.varies = True
            values = self.values([known[first], codes[first]]).to_pandas().tolist()
            self._change = int(assay[first]), row + int(first), values
        else:
            self._keep(assay[differs], codes[differs])

    def change(self, assays: Sequence[str], source: str) -> DataError:
        """Say where an identity column has changed within an assay."""
        assert self._change is not None
        assay, row, values = self._change
        return not_constant(self.name, assays[assay], values, row, source)

    def spellings(self, n_assays: int) -> list[list[int]]:
        """Codes of every assay; more than one where texts differ but may be one value."""
        return [[int(self._first[a]), *self._others.get(a, ())] for a in range(n_assays)]

    def values(self, codes: Sequence[int]) -> pa.Array:
        """Values of codes; a missing one is null."""
        return self.levels.values().take(
            pa.array([c if c >= 0 else None for c in codes], pa.int64())
        )

    def _firsts(
        self, codes: NDArray[np.int32], assay: NDArray[np.integer], n_assays: int
    ) -> NDArray[np.int32]:
        """Code of the first row of every row's assay, shape (row,)."""
        grown = np.full(n_assays - len(self._first), UNSEEN, dtype=np.int32)
        self._first = np.concatenate((self._first, grown))
        known = self._first[assay]
        unseen = known == UNSEEN
        if unseen.any():
            fresh, where = np.unique(assay[unseen], return_index=True)
            self._first[fresh] = codes[unseen][where]
            known = self._first[assay]
        return known

    def _keep(self, assay: NDArray[np.integer], codes: NDArray[np.int32]) -> None:
        for pair in np.unique(np.stack((assay, codes), axis=1), axis=0).tolist():
            others = self._others.setdefault(pair[0], [])
            if pair[1] not in others:
                others.append(pair[1])
                if not self._may_be_same([int(self._first[pair[0]]), *others]):
                    self.varies = True
                    return

    def _may_be_same(self, codes: Sequence[int]) -> bool:
        return self._same is not None and self._same(self.values(codes).to_pylist())
