"""From gathered rows to the ethogram, some assays at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from larvastats.bouts import (
    Bouts,
    Fault,
    Frames,
    check_any_state,
    check_bouts,
    check_frames,
    frames_to_bouts,
    median_steps,
    merge,
    sort_frames,
    steps,
    tracked,
    usual_step,
)
from larvastats.ethogram import Ethogram
from larvastats.io.columns import to_pandas
from larvastats.io.gather import Gathered, Packed, Piece
from larvastats.io.levels import Levels
from larvastats.tabular import IDENTITY, assay_table, individuals, no_names, no_rows, no_times
from larvastats.vocabulary import state_codes

GROUP_ROWS = 1 << 18
"""Rows that are sorted at once, at least, unless the table has fewer."""

MOST_GROUPS = 24
"""Each group looks through all rows where those of different assays alternate."""

Typed = Callable[[Sequence[str | None]], pa.Array]
"""Text to what all of a column is; see :func:`larvastats.io.delimited.typed`."""


def assemble(
    gathered: Gathered,
    *,
    states: Sequence[str] | None,
    synonyms: Mapping[str, str] | None,
    source: str,
    typed: Typed | None = None,
) -> Ethogram:
    """Build the ethogram, as :class:`larvastats.ethogram.Ethogram` does from a whole table.

    Parameters
    ----------
    gathered : Gathered
        All rows of bouts (two columns of times) or frames (one); emptied on the way.
    states, synonyms, source
        As :meth:`larvastats.ethogram.Ethogram.from_bouts`.
    typed : callable, optional
        Types the columns that came as text although they need not be.

    Raises
    ------
    DataError
        As :meth:`larvastats.ethogram.Ethogram.from_bouts` and `from_frames`; of several things that
        are wrong, the same one.
    """
    bouts = len(gathered.times) > 1
    _check_times(gathered, source)
    if bouts:
        _check_names(gathered, ("state",), source)
        names, codes = state_codes(gathered.states.texts(), states, synonyms, source)
    if not gathered.rows:
        raise no_rows(source)
    _check_names(gathered, ("assay", "larva", "line"), source)
    assay_rank, assay_names = _rank(gathered.assays)
    assays = _assays(gathered, assay_rank, assay_names, source, typed)
    if not bouts:
        check_any_state(len(gathered.states) > 0, source)
        names, codes = state_codes(gathered.states.texts(), states, synonyms, source)
    rows = Groups(gathered, assay_rank, np.append(codes, np.int16(-1)))
    result, twice = _of_bouts(rows) if bouts else _of_frames(rows)
    check_frames(twice, rows.larvae, assays, source)
    check_bouts(result.short, result.overlap, rows.larvae, assays, source)
    larvae = rows.larvae.assign(**result.tracked)
    return Ethogram.of_bouts(names, result.bouts(), larvae, assays)


# -- checks ----------------------------------------------------------------------------------------


def _check_times(gathered: Gathered, source: str) -> None:
    for name, bad in gathered.bad.items():
        if bad.count:
            raise no_times(name, bad.count, gathered.rows, bad.value, bad.row, source)


def _check_names(gathered: Gathered, columns: Sequence[str], source: str) -> None:
    for name in columns:
        missing = gathered.missing[name]
        if missing.count:
            raise no_names(name, missing.count, gathered.rows, missing.row, source)


def _assays(
    gathered: Gathered,
    rank: NDArray[np.int64],
    names: Sequence[str],
    source: str,
    typed: Typed | None,
) -> pd.DataFrame:
    """Table of assays, from a table with one row per assay and spelling of a value in it."""
    codes = {}
    for name, constant in gathered.constants.items():
        if not constant.varies:
            codes[name] = constant.spellings(len(rank))
        elif name in IDENTITY:
            raise constant.change(gathered.assays.texts(), source)
    width = max(len(spellings) for column in codes.values() for spellings in column)
    columns = {}
    for name, column in codes.items():
        filled = [code for one in column for code in one + one[:1] * (width - len(one))]
        values = gathered.constants[name].values(filled)
        if typed is not None and name not in IDENTITY and pa.types.is_string(values.type):
            values = typed(values.to_pylist())
        columns[name] = values
    table = to_pandas(pa.table(columns))
    return assay_table(table, np.repeat(rank, width), names, source)


# -- rows ------------------------------------------------------------------------------------------


class Groups:
    """Gathered rows, numbered as an ethogram numbers them, by groups of whole assays.

    Attributes
    ----------
    pieces : list of Piece
    larvae : DataFrame
        As an ethogram's, without the moments tracked.
    larva_assay : ndarray of int, shape (larva,)
    group : ndarray of int, shape (larva,)
        Group of every larva; assays are grouped in order of appearance, for those that appear
        together stand in the same pieces.
    """

    def __init__(
        self, gathered: Gathered, assay_rank: NDArray[np.int64], codes: NDArray[np.int16]
    ) -> None:
        self.pieces: list[Piece | None] = list(gathered.pieces)
        gathered.pieces.clear()
        larva_rank, larva_names = _rank(gathered.larvae)
        pieces = [piece for piece in self.pieces if piece is not None]
        index, keys = pd.factorize(np.concatenate([piece.keys for piece in pieces]))
        pair = assay_rank[keys >> 32], larva_rank[keys & 0xFFFFFFFF]
        larva, self.larvae = individuals(*pair, larva_names)
        larva = larva.astype(np.int32)[index]
        ends = np.cumsum([len(piece.keys) for piece in pieces])
        self._larva = np.split(larva, ends[:-1])  # of every piece's individuals
        self._codes = codes
        self.larva_assay = self.larvae["assay_index"].to_numpy()
        counts = np.concatenate([piece.counts for piece in pieces])
        rows = np.bincount(larva, counts, len(self.larvae)).astype(np.int64)
        self.group = _groups(assay_rank, self.larva_assay, rows)

    def __len__(self) -> int:
        """Return how many groups there are."""
        return int(self.group.max()) + 1

    def columns(self, group: int) -> tuple[NDArray, ...]:
        """Larva, state and times of a group's rows, each of the shape (row,)."""
        parts = []
        for piece, larva in zip(self.pieces, self._larva, strict=True):
            if piece is None:
                continue
            mine = self.group[larva] == group
            if not mine.any():
                continue
            individual = piece.individual.array()
            rows = slice(None) if mine.all() else mine[individual]
            state = self._codes[piece.state.array()[rows]]
            times = (column.array()[rows] for column in piece.times)
            parts.append((larva[individual[rows]], state, *times))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def forget(self, group: int) -> None:
        """Let go of the pieces of which no later group has rows."""
        for position, larva in enumerate(self._larva):
            if self.group[larva].max() <= group:
                self.pieces[position] = None


def _rank(levels: Levels) -> tuple[NDArray[np.int64], list[str]]:
    """Position of every name among the sorted ones, and those."""
    texts = levels.texts()
    names = sorted(set(texts))
    position = {name: rank for rank, name in enumerate(names)}
    return np.array([position[text] for text in texts], dtype=np.int64), names


def _groups(
    assay_rank: NDArray[np.int64], larva_assay: NDArray[np.integer], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Group of every larva, shape (larva,), so that groups have about equally many rows.

    Parameters
    ----------
    assay_rank : ndarray of int, shape (assay code,)
        Assay of every code; codes are in order of appearance.
    larva_assay, rows : ndarray of int, shape (larva,)
        Assay of every larva, and its number of rows.
    """
    per_code = np.bincount(larva_assay, rows).astype(np.int64)[assay_rank]
    target = max(GROUP_ROWS, int(rows.sum()) // MOST_GROUPS)
    # an assay begins a group where the rows before it reach the next multiple of the target
    before = np.cumsum(per_code) - per_code
    group = np.empty(len(assay_rank), dtype=np.int64)
    group[assay_rank] = np.cumsum(np.diff(before // target, prepend=0) > 0)
    return group[larva_assay]


# -- bouts -----------------------------------------------------------------------------------------


class Result:
    """Bouts of one group after the other, packed until all are known."""

    def __init__(self, n_larvae: int) -> None:
        self.short, self.overlap = Fault(), Fault()
        self.tracked = {name: np.full(n_larvae, np.nan) for name in ("t_from", "t_to")}
        self._bouts = np.zeros(n_larvae, dtype=np.int64)  # of every larva
        self._parts: list[tuple[Packed, ...]] = []

    def add(self, bouts: Bouts) -> None:
        """Take the bouts of larvae that no other group has."""
        self.short, self.overlap = self.short.join(bouts.short), self.overlap.join(bouts.overlap)
        for name, times in tracked(bouts, len(self._bouts)).items():
            known = ~np.isnan(times)
            self.tracked[name][known] = times[known]
        self._bouts += np.bincount(bouts.larva, minlength=len(self._bouts))
        columns = bouts.larva, bouts.state, bouts.t_start, bouts.t_stop
        self._parts.append(tuple(Packed.of(column) for column in columns))

    def bouts(self) -> Bouts:
        """Return all bouts in order of larva and time; what was packed is gone."""
        n = int(self._bouts.sum())
        larva, state = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int16)
        t_start, t_stop = np.empty(n), np.empty(n)
        begins = np.cumsum(self._bouts) - self._bouts  # first bout of every larva
        while self._parts:
            columns = [packed.array() for packed in self._parts.pop(0)]
            place = _places(columns[0], begins)
            larva[place], state[place], t_start[place], t_stop[place] = columns
        return Bouts(larva, state, t_start, t_stop, self.short, self.overlap)


def _places(larva: NDArray[np.int32], begins: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Where the bouts of sorted larvae belong, whose first ones belong to `begins`."""
    first = np.flatnonzero(np.diff(larva, prepend=np.int32(-1)))
    shift = begins[larva[first]] - first
    if len(first) and (shift == shift[0]).all():  # all side by side
        return slice(int(shift[0]), int(shift[0]) + len(larva))
    return np.arange(len(larva)) + np.repeat(shift, np.diff(np.append(first, len(larva))))


def _of_bouts(rows: Groups) -> tuple[Result, Fault]:
    """Bouts of every group from rows that are bouts."""
    result = Result(len(rows.larvae))
    for group in range(len(rows)):
        result.add(merge(*rows.columns(group)))
        rows.forget(group)
    return result, Fault()


def _of_frames(rows: Groups) -> tuple[Result, Fault]:
    """Bouts of every group from rows that are frames, and frames that come twice."""

    def frames_of(group: int) -> Frames:
        larva, state, t = rows.columns(group)
        return sort_frames(larva, t, state)

    @cache
    def usual() -> float:  # rarely needed: it takes all steps of all assays
        return usual_step(np.concatenate([steps(frames_of(g))[0] for g in range(len(rows))]))

    n_assays = int(rows.larva_assay[-1]) + 1
    result, twice = Result(len(rows.larvae)), Fault()
    for group in range(len(rows)):
        frames = frames_of(group)
        twice = twice.join(frames.twice)
        step = median_steps(frames, rows.larva_assay, n_assays)[rows.larva_assay]
        if np.isnan(step[rows.group == group]).any():
            step = np.where(np.isnan(step), usual(), step)
        result.add(frames_to_bouts(frames, step))
    rows.pieces.clear()
    return result, twice
