"""The ethogram: which larva did what when, on which plate, of which line.

One columnar, immutable table of bouts; every analysis takes it and none changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.tabular import assay_table, levels, numeric, present, require_columns
from larvastats.vocabulary import order_states, rename_states

CONTIGUOUS = 1e-6
"""Bouts whose gap is at most this many seconds follow each other without loss of tracking."""

FRAME_GAP = 3.0
"""Frames at most this many median steps apart belong to the same stretch of tracking."""

GRID_SLACK = 1e-6
"""Relative slack (in steps) when a time is placed on a regular grid."""

BOUT_COLUMNS = ("assay", "line", "larva", "state", "t_start", "t_stop")
FRAME_COLUMNS = ("assay", "line", "larva", "t", "state")


@dataclass(frozen=True, slots=True, eq=False)
class Ethogram:
    """Bouts by larva, larvae by assay, assays by line.

    Build one with :meth:`from_bouts` or :meth:`from_frames`; :meth:`build` takes arrays.

    Attributes
    ----------
    states : tuple of str, length K
        The vocabulary; ``state`` indexes it.
    larva_index : ndarray of int32, shape (bout,)
        Row of `larvae`; sorted.
    state : ndarray of int16, shape (bout,)
    t_start, t_stop : ndarray of float64, shape (bout,)
        Seconds; half-open ``[t_start, t_stop)``, sorted within a larva, never overlapping. A
        pause between ``t_stop`` and the next ``t_start`` is lost tracking.
    larvae : DataFrame, one row per larva
        ``larva`` (id within its assay), ``assay_index`` (row of `assays`), ``t_from`` and
        ``t_to`` (s; first and last moment tracked).
    assays : DataFrame, one row per assay (one plate, one recording)
        ``assay line effector genotype protocol tracker date time`` and any covariates.
    """

    states: tuple[str, ...]
    larva_index: NDArray[np.int32]
    state: NDArray[np.int16]
    t_start: NDArray[np.float64]
    t_stop: NDArray[np.float64]
    larvae: pd.DataFrame
    assays: pd.DataFrame

    @classmethod
    def build(
        cls,
        states: Sequence[str],
        larva_index: NDArray[np.integer],
        state: NDArray[np.integer],
        t_start: NDArray[np.float64],
        t_stop: NDArray[np.float64],
        larvae: pd.DataFrame,
        assays: pd.DataFrame,
        source: str = "bouts",
    ) -> Ethogram:
        """Sort, check and merge bouts given as arrays.

        Parameters
        ----------
        states, larva_index, state, t_start, t_stop
            As the attributes of the same name, in any order of bouts.
        larvae : DataFrame
            ``larva`` and ``assay_index``.
        assays : DataFrame
            As the attribute; see :func:`larvastats.tabular.complete_assays`.
        source : str
            How errors name the input.

        Raises
        ------
        DataError
            Bouts that overlap, or do not last.
        """
        order = _time_order(np.asarray(larva_index), np.asarray(t_start))
        index, state, t_start, t_stop = (
            np.asarray(column)[order] for column in (larva_index, state, t_start, t_stop)
        )
        _check_bouts(index, t_start, t_stop, larvae, assays, source)
        joined = (np.diff(index) == 0) & (t_start[1:] - t_stop[:-1] <= CONTIGUOUS)
        merge = joined & (state[1:] == state[:-1])
        first = np.concatenate(([True], ~merge)) if len(index) else np.zeros(0, bool)
        last = np.concatenate((~merge, [True])) if len(index) else np.zeros(0, bool)
        bouts = index[first].astype(np.int32), state[first].astype(np.int16)
        t_start, t_stop = t_start[first].astype(np.float64), t_stop[last].astype(np.float64)
        larvae = larvae[["larva", "assay_index"]].reset_index(drop=True)
        larvae = larvae.assign(**_tracked(bouts[0], t_start, t_stop, len(larvae)))
        arrays = (*bouts, t_start, t_stop)
        for array in arrays:
            array.flags.writeable = False
        return cls(tuple(states), *arrays, larvae, assays.reset_index(drop=True))

    @classmethod
    def from_bouts(
        cls,
        table: pd.DataFrame,
        *,
        states: Sequence[str] | None = None,
        synonyms: Mapping[str, str] | None = None,
        source: str = "table",
    ) -> Ethogram:
        """Build an ethogram from one row per bout.

        Parameters
        ----------
        table : DataFrame
            ``assay line larva state t_start t_stop``; optional ``effector protocol tracker date
            time``; any further column that is constant within an assay becomes a covariate.
        states : sequence of str, optional
            The vocabulary, if it should hold more than the states that occur.
        synonyms : mapping of str to str, optional
            See :func:`larvastats.vocabulary.rename_states`.
        source : str
            How errors name the input.

        Returns
        -------
        Ethogram

        Raises
        ------
        DataError
            Missing columns, times that are not numbers, bouts that overlap or do not last.
        """
        require_columns(table, BOUT_COLUMNS, source)
        t_start, t_stop = numeric(table, "t_start", source), numeric(table, "t_stop", source)
        names, code = _states(table, states, synonyms, source)
        skip = ("state", "t_start", "t_stop")
        index, larvae, assays = _individuals(table, source, skip)
        return cls.build(names, index, code, t_start, t_stop, larvae, assays, source)

    @classmethod
    def from_frames(
        cls,
        table: pd.DataFrame,
        *,
        states: Sequence[str] | None = None,
        synonyms: Mapping[str, str] | None = None,
        source: str = "table",
    ) -> Ethogram:
        """Build an ethogram from one row per larva and video frame.

        A frame lasts until the next one of its larva, at most :data:`FRAME_GAP` median steps of
        its assay away; otherwise, and at the end of a track, one median step. Frames without a
        state (missing, empty) are not tracked.

        Parameters
        ----------
        table : DataFrame
            ``assay line larva t state`` and optional columns as in :meth:`from_bouts`.
        states, synonyms, source
            As in :meth:`from_bouts`.

        Returns
        -------
        Ethogram

        Raises
        ------
        DataError
            Missing columns, times that are not numbers, two frames of a larva at one time, no
            frame with a state.
        """
        require_columns(table, FRAME_COLUMNS, source)
        t = numeric(table, "t", source)
        skip = ("state", "t")
        index, larvae, assays = _individuals(table, source, skip)
        seen = present(table["state"])
        if not seen.any():
            raise DataError(
                f"{source}: column state is empty in every row; expected at least one frame with "
                "a state."
            )
        names, code = _states(table[["state"]][seen], states, synonyms, source)
        code = np.append(code, np.int16(-1))[np.where(seen, np.cumsum(seen) - 1, -1)]
        order = _time_order(index, t)
        index, t, code, seen = index[order], t[order], code[order], seen[order]
        _check_frames(index, t, larvae, assays, source)
        step = _median_steps(index, t, larvae["assay_index"].to_numpy(), len(assays))
        t_stop = _frame_ends(index[seen], t[seen], step)
        return cls.build(names, index[seen], code[seen], t[seen], t_stop, larvae, assays, source)

    # -- what is in it ------------------------------------------------------------------------

    @property
    def n_states(self) -> int:
        """Size K of the vocabulary."""
        return len(self.states)

    @property
    def n_bouts(self) -> int:
        """Number of bouts."""
        return len(self.state)

    @property
    def assay_index(self) -> NDArray[np.int64]:
        """Row of `assays` of every bout, shape (bout,)."""
        return self.larvae["assay_index"].to_numpy(np.int64)[self.larva_index]

    @property
    def follows(self) -> NDArray[np.bool_]:
        """Whether bout ``b`` follows bout ``b-1`` without loss of tracking, shape (bout,)."""
        out = np.zeros(self.n_bouts, dtype=bool)
        same = self.larva_index[1:] == self.larva_index[:-1]
        out[1:] = same & (self.t_start[1:] - self.t_stop[:-1] <= CONTIGUOUS)
        return out

    @property
    def larvae_per_assay(self) -> NDArray[np.int64]:
        """Number of larvae of every assay, shape (assay,)."""
        return np.bincount(self.larvae["assay_index"], minlength=len(self.assays))

    @property
    def genotypes(self) -> tuple[str, ...]:
        """Genotypes, sorted."""
        return tuple(sorted(self.assays["genotype"].unique()))

    @property
    def protocols(self) -> tuple[str, ...]:
        """Protocols, sorted; empty when the source names none."""
        return tuple(sorted(self.assays["protocol"].dropna().unique()))

    # -- slices ---------------------------------------------------------------------------------

    def subset(self, keep: NDArray[np.bool_] | Sequence[bool]) -> Ethogram:
        """Keep the assays for which `keep`, shape (assay,), is true; the vocabulary stays."""
        keep = np.asarray(keep, dtype=bool)
        larva_keep = keep[self.larvae["assay_index"].to_numpy()]
        bout_keep = larva_keep[self.larva_index]
        new_assay, new_larva = np.cumsum(keep) - 1, np.cumsum(larva_keep) - 1
        larvae = self.larvae[larva_keep].reset_index(drop=True)
        larvae["assay_index"] = new_assay[larvae["assay_index"].to_numpy()]
        return Ethogram(
            self.states,
            new_larva[self.larva_index[bout_keep]].astype(np.int32),
            self.state[bout_keep],
            self.t_start[bout_keep],
            self.t_stop[bout_keep],
            larvae,
            self.assays[keep].reset_index(drop=True),
        )

    def select(
        self,
        *,
        protocol: str | None = None,
        genotype: str | Sequence[str] | None = None,
        line: str | Sequence[str] | None = None,
    ) -> Ethogram:
        """Keep the assays of a protocol, of genotypes, of lines (exact names)."""
        keep = np.ones(len(self.assays), dtype=bool)
        if protocol is not None:
            keep &= (self.assays["protocol"] == protocol).to_numpy(bool)
        for column, wanted in (("genotype", genotype), ("line", line)):
            if wanted is not None:
                names = [wanted] if isinstance(wanted, str) else list(wanted)
                keep &= self.assays[column].isin(names).to_numpy(bool)
        return self.subset(keep)

    def clip(self, intervals: Sequence[tuple[float, float]]) -> Ethogram:
        """Cut the bouts to disjoint, ordered half-open intervals (s); other larvae disappear."""
        parts = []
        for start, stop in intervals:
            a, b = np.maximum(self.t_start, start), np.minimum(self.t_stop, stop)
            inside = np.flatnonzero(b > a)
            parts.append((inside, a[inside], b[inside]))
        bout = np.concatenate([p[0] for p in parts]) if parts else np.zeros(0, np.int64)
        t_start = np.concatenate([p[1] for p in parts]) if parts else np.zeros(0)
        t_stop = np.concatenate([p[2] for p in parts]) if parts else np.zeros(0)
        alive, index = np.unique(self.larva_index[bout], return_inverse=True)
        larvae = self.larvae.iloc[alive]
        return Ethogram.build(
            self.states, index, self.state[bout], t_start, t_stop, larvae, self.assays
        )

    # -- back to tables ---------------------------------------------------------------------------

    def to_bouts(self) -> pd.DataFrame:
        """Return one row per bout with the columns that :meth:`from_bouts` reads."""
        return self._table(
            np.arange(self.n_bouts), {"t_start": self.t_start, "t_stop": self.t_stop}
        )

    def to_frames(self, dt: float = 0.1) -> pd.DataFrame:
        """Return one row per larva and multiple of `dt` seconds, as :meth:`from_frames` reads.

        Parameters
        ----------
        dt : float
            Step of the regular time grid ``k * dt``, in s.
        """
        lo, hi = grid_range(self.t_start, dt), grid_range(self.t_stop, dt)
        n = hi - lo
        bout = np.repeat(np.arange(self.n_bouts), n)
        k = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + lo[bout]
        return self._table(bout, {"t": k * dt})

    def _table(self, bout: NDArray[np.integer], times: dict[str, NDArray]) -> pd.DataFrame:
        said = self.assays.notna().any() | self.assays.columns.isin(BOUT_COLUMNS)
        assays = self.assays.loc[:, said].drop(columns="genotype", errors="ignore")
        table = assays.iloc[self.assay_index[bout]].reset_index(drop=True)
        table["larva"] = self.larvae["larva"].to_numpy()[self.larva_index[bout]]
        table["state"] = pd.Categorical.from_codes(self.state[bout], list(self.states))
        return table.assign(**times)

    def equals(self, other: Ethogram, atol: float = 1e-9) -> bool:
        """Whether both hold the same bouts of the same larvae (times within `atol` s)."""
        if self.states != other.states or self.n_bouts != other.n_bouts:
            return False
        left, right = _comparable(self), _comparable(other)
        times = np.allclose(left[["t_start", "t_stop"]], right[["t_start", "t_stop"]], 0, atol)
        return times and left.drop(columns=["t_start", "t_stop"]).equals(
            right.drop(columns=["t_start", "t_stop"])
        )

    def __repr__(self) -> str:
        """Say in one line what is in it."""
        return (
            f"<Ethogram: {self.n_bouts} bouts of {len(self.larvae)} larvae, {len(self.assays)} "
            f"assays, {len(self.genotypes)} genotypes; states {', '.join(self.states)}>"
        )


def grid_range(t: NDArray[np.float64] | float, dt: float) -> NDArray[np.int64]:
    """Return the first k with ``k * dt >= t`` (up to rounding), shape of `t`."""
    return np.ceil(np.asarray(t) / dt - GRID_SLACK).astype(np.int64)


def _comparable(ethogram: Ethogram) -> pd.DataFrame:
    table = ethogram.to_bouts()
    table["state"] = table["state"].astype("str")
    order = ["assay", "larva", "t_start"]
    table = table.sort_values(order, ignore_index=True)
    return table[sorted(table.columns)]


def _states(table, states, synonyms, source):  # type: ignore[no-untyped-def]
    """Vocabulary and the code of every row."""
    raw, labels = levels(table, "state", source)
    renamed = rename_states(labels, synonyms)
    found = set(renamed.values())
    names = order_states(found) if states is None else tuple(states)
    unknown = sorted(found - set(names))
    if unknown:
        raise DataError(
            f"{source}: expected the states {', '.join(names)}, but found "
            f"{', '.join(map(repr, unknown))}; add them to `states` or map them by `synonyms`."
        )
    position = {name: code for code, name in enumerate(names)}
    codes = np.array([position[renamed[label]] for label in labels], dtype=np.int16)
    return names, codes[raw] if len(labels) else np.zeros(0, np.int16)


def _individuals(table, source, skip):  # type: ignore[no-untyped-def]
    """Larva of every row, and the tables of larvae and assays."""
    if not len(table):
        raise DataError(f"{source}: expected at least one row, but the table is empty.")
    assay, assay_names = levels(table, "assay", source)
    larva, larva_names = levels(table, "larva", source)
    levels(table, "line", source)  # every row names one
    index, individuals = pd.factorize(assay * np.int64(len(larva_names)) + larva, sort=True)
    larvae = pd.DataFrame(
        {
            "larva": np.asarray(larva_names)[individuals % len(larva_names)],
            "assay_index": individuals // len(larva_names),
        }
    )
    assays = assay_table(table, assay, assay_names, source, skip)
    return index, larvae, assays


def _time_order(index, t):  # type: ignore[no-untyped-def]
    """Order by larva and time; a slice that copies nothing where the rows are sorted already."""
    if _in_order(index, t):
        return slice(None)
    # rows mostly come in time order within a larva, and then half the sorting is enough
    order = np.argsort(index, kind="stable")
    return order if _in_order(index[order], t[order]) else np.lexsort((t, index))


def _in_order(index, t):  # type: ignore[no-untyped-def]
    later = (index[1:] > index[:-1]) | ((index[1:] == index[:-1]) & (t[1:] >= t[:-1]))
    return bool(later.all())


def _who(larva: int, larvae: pd.DataFrame, assays: pd.DataFrame) -> str:
    row = larvae.iloc[larva]
    return f"larva {row['larva']!r} of assay {assays['assay'].iloc[row['assay_index']]!r}"


def _check_bouts(index, t_start, t_stop, larvae, assays, source):  # type: ignore[no-untyped-def]
    short = t_stop <= t_start
    if short.any():
        b = int(np.flatnonzero(short)[0])
        raise DataError(
            f"{source}: a bout must end after it starts, but {int(short.sum())} do not (first: "
            f"{_who(index[b], larvae, assays)}, from {t_start[b]:g} to {t_stop[b]:g} s); correct "
            "or remove these rows."
        )
    overlap = (index[1:] == index[:-1]) & (t_start[1:] < t_stop[:-1] - CONTIGUOUS)
    if overlap.any():
        b = int(np.flatnonzero(overlap)[0])
        raise DataError(
            f"{source}: bouts of one larva must not overlap, but {int(overlap.sum())} do (first: "
            f"{_who(index[b], larvae, assays)}: one ends at {t_stop[b]:g} s, the next starts at "
            f"{t_start[b + 1]:g} s); correct the times, or give each larva its own id."
        )


def _check_frames(index, t, larvae, assays, source):  # type: ignore[no-untyped-def]
    twice = (index[1:] == index[:-1]) & (t[1:] == t[:-1])
    if twice.any():
        b = int(np.flatnonzero(twice)[0])
        raise DataError(
            f"{source}: a larva has one state per time, but {int(twice.sum())} frames come twice "
            f"(first: {_who(index[b], larvae, assays)} at {t[b]:g} s); remove the duplicates, or "
            "give each larva its own id within its assay."
        )


def _median_steps(index, t, larva_assay, n_assays):  # type: ignore[no-untyped-def]
    """Median frame step (s) of every larva's assay, shape (larva,)."""
    same = index[1:] == index[:-1]
    steps = pd.Series(np.diff(t)[same])
    assay = larva_assay[index[1:][same]]
    overall = float(steps.median()) if len(steps) else 1.0
    median = steps.groupby(assay).median().reindex(range(n_assays)).fillna(overall)
    return median.to_numpy()[larva_assay]


def _frame_ends(index, t, step):  # type: ignore[no-untyped-def]
    """End of every frame (s), shape (frame,)."""
    own = step[index]
    ends = t + own
    ahead = np.diff(t)
    near = (index[1:] == index[:-1]) & (ahead <= FRAME_GAP * own[:-1] * (1 + 1e-9))
    ends[:-1] = np.where(near, t[1:], ends[:-1])
    return ends


def _tracked(index, t_start, t_stop, n_larvae):  # type: ignore[no-untyped-def]
    """First and last moment of every larva, as columns of `larvae`."""
    t_from, t_to = np.full(n_larvae, np.nan), np.full(n_larvae, np.nan)
    first = np.flatnonzero(np.diff(index, prepend=-1) != 0)
    last = np.flatnonzero(np.diff(index, append=-1) != 0)
    t_from[index[first]], t_to[index[last]] = t_start[first], t_stop[last]
    return {"t_from": t_from, "t_to": t_to}
