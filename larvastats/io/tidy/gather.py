"""A table that comes in pieces, gathered into a few bytes per row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from larvastats.io.tidy.levels import MISSING, Constant, Count, Levels, Same
from larvastats.tabular import no_time, seconds

_NEVER_CONSTANT = ("assay", "larva", "genotype", "state")
_CODEC = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, slots=True)
class Packed:
    """An array, compressed: successive rows of a table are alike."""

    content: bytes
    dtype: np.dtype
    size: int

    @classmethod
    def of(cls, array: NDArray) -> Packed:
        """Compress an array of one axis."""
        array = np.ascontiguousarray(array)
        # a copy, for the codec's own buffer has room for what could not be compressed
        return cls(_CODEC.compress(array).to_pybytes(), array.dtype, array.nbytes)

    def array(self) -> NDArray:
        """Return the array; it cannot be written to."""
        if not self.size:  # nothing is compressed to something that does not come back
            return np.zeros(0, dtype=self.dtype)
        return np.frombuffer(_CODEC.decompress(self.content, self.size), dtype=self.dtype)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that came together.

    Attributes
    ----------
    keys : ndarray of int64, shape (individual,)
        Those that occur: code of the assay times 2**32, plus code of the larva.
    counts : ndarray of int64, shape (individual,)
        Rows of each.
    individual : Packed, shape (row,)
        Position in `keys`.
    state : Packed, shape (row,)
        Codes; -1 where there is none.
    times : tuple of Packed, shape (row,)
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    individual: Packed
    state: Packed
    times: tuple[Packed, ...]


class Gathered:
    """What has come of a table so far.

    Parameters
    ----------
    times : sequence of str
        Columns of seconds.
    supplied : dict of str to str
        Columns that the table lacks, and the value of every row.
    same : callable, optional
        See :class:`larvastats.io.tidy.levels.Constant`.

    Attributes
    ----------
    rows : int
        Rows that have come.
    assays, larvae, states : Levels
        Names; pieces speak of them by code.
    pieces : list of Piece
        Empty once there is something wrong that forbids an ethogram.
    missing : dict of str to Count
        Rows without a name, by column: ``assay larva line state``.
    bad : dict of str to Count
        Rows without a time, by column.
    constants : dict of str to Constant
        The other columns, in their order.
    dropped : set of str
        Columns that need not come any more.
    """

    def __init__(
        self, times: Sequence[str], supplied: dict[str, str], same: Same | None = None
    ) -> None:
        self.rows = 0
        self.times = tuple(times)
        self.assays, self.larvae, self.states = Levels(), Levels(), Levels()
        self.pieces: list[Piece] = []
        self.missing = {name: Count() for name in ("assay", "larva", "line", "state")}
        self.bad = {name: Count() for name in times}
        self.constants: dict[str, Constant] = {}
        self.dropped = {"genotype"}
        self._supplied = supplied
        self._same = same
        self._lines = Levels()

    @property
    def hopeless(self) -> bool:
        """Whether something is wrong that forbids an ethogram."""
        wrong = [self.missing[name].count for name in ("assay", "larva", "line")]
        if len(self.times) > 1:  # a frame may be without a state, a bout may not
            wrong.append(self.missing["state"].count)
        return any(wrong) or any(count.count for count in self.bad.values())

    def take(self, tables: Iterable[pa.Table], source: str) -> None:
        """Take tables of arrow columns, which have the same columns except for dropped ones."""
        for table in tables:
            columns = {n: _one(c) for n, c in zip(table.column_names, table.columns, strict=True)}
            for name, value in self._supplied.items():
                index = pa.array(np.zeros(table.num_rows, dtype=np.int8))
                columns[name] = pa.DictionaryArray.from_arrays(index, pa.array([value]))
            self._take(columns, source)
            self.rows += table.num_rows

    def _take(self, columns: dict[str, pa.Array], source: str) -> None:
        times = [self._seconds(name, columns[name], source) for name in self.times]
        state = self._codes("state", self.states, columns["state"])
        assay = self._codes("assay", self.assays, columns["assay"])
        larva = self._codes("larva", self.larvae, columns["larva"])
        self._codes("line", self._lines, columns["line"])
        self._describe(columns, assay)
        if self.hopeless:
            self.pieces.clear()
            return
        individual, keys = pd.factorize(assay.astype(np.int64) << 32 | larva)
        state_type = np.int16 if len(self.states) < np.iinfo(np.int16).max else np.int32
        self.pieces.append(
            Piece(
                keys,
                np.bincount(individual, minlength=len(keys)),
                Packed.of(individual.astype(np.min_scalar_type(len(keys)))),
                Packed.of(state.astype(state_type)),
                tuple(Packed.of(t) for t in times),
            )
        )

    def _seconds(self, name: str, column: pa.Array, source: str) -> NDArray[np.float64]:
        if pa.types.is_float64(column.type):
            numbers = column.to_numpy(zero_copy_only=False)
        else:
            numbers = seconds(pd.Series(column.to_pandas(), name=name), source)
        self.bad[name].add(no_time(numbers), self.rows, lambda row: column[row].as_py())
        return numbers

    def _codes(self, name: str, levels: Levels, column: pa.Array) -> NDArray[np.int32]:
        codes = levels.encode(column)
        self.missing[name].add(codes == MISSING, self.rows, lambda _: None)
        return codes

    def _describe(self, columns: dict[str, pa.Array], assay: NDArray[np.int32]) -> None:
        """Look whether the other columns are still constant within every assay."""
        if self.missing["assay"].count:
            return
        for name, column in columns.items():
            if name in self.dropped or name in _NEVER_CONSTANT or name in self.times:
                continue
            if name not in self.constants:
                # times have a type of their own already
                same = self._same if pa.types.is_dictionary(column.type) else None
                self.constants[name] = Constant(name, same)
            constant = self.constants[name]
            if constant.varies:
                continue
            constant.add(column, assay, len(self.assays), self.rows)
            if constant.varies and name != "line":
                self.dropped.add(name)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """Return the one array of a piece's column."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()
