"""The ethogram: which larva did what when, on which plate, of which line.

One columnar, immutable table of bouts; every analysis takes it and none changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.bouts import (
    CONTIGUOUS,
    FRAME_GAP,
    Bouts,
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
from larvastats.tabular import (
    assay_table,
    individuals,
    levels,
    no_rows,
    numeric,
    present,
    require_columns,
)
from larvastats.vocabulary import state_codes

__all__ = ["BOUT_COLUMNS", "CONTIGUOUS", "FRAME_COLUMNS", "FRAME_GAP", "Ethogram", "grid_range"]

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
        columns = (np.asarray(column) for column in (larva_index, state, t_start, t_stop))
        bouts = merge(*columns)
        check_bouts(bouts.short, bouts.overlap, larvae, assays, source)
        larvae = larvae[["larva", "assay_index"]].reset_index(drop=True)
        larvae = larvae.assign(**tracked(bouts, len(larvae)))
        return cls.of_bouts(states, bouts, larvae, assays)

    @classmethod
    def of_bouts(
        cls, states: Sequence[str], bouts: Bouts, larvae: pd.DataFrame, assays: pd.DataFrame
    ) -> Ethogram:
        """Take bouts that are sorted, checked and merged, with complete tables of larvae, assays.

        The arrays are taken as they are, and can no longer be written to.
        """
        arrays = bouts.larva, bouts.state, bouts.t_start, bouts.t_stop
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
        check_any_state(bool(seen.any()), source)
        names, known = _states(table[["state"]][seen], states, synonyms, source)
        code = np.full(len(seen), -1, dtype=np.int16)
        code[seen] = known
        frames = sort_frames(index, t, code)
        check_frames(frames.twice, larvae, assays, source)
        larva_assay = larvae["assay_index"].to_numpy()
        step = median_steps(frames, larva_assay, len(assays))
        step = np.where(np.isnan(step), usual_step(steps(frames)[0]), step)
        bouts = frames_to_bouts(frames, step[larva_assay])
        check_bouts(bouts.short, bouts.overlap, larvae, assays, source)
        return cls.of_bouts(names, bouts, larvae.assign(**tracked(bouts, len(larvae))), assays)

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
    names, codes = state_codes(labels, states, synonyms, source)
    return names, codes[raw] if len(labels) else np.zeros(0, np.int16)


def _individuals(table, source, skip):  # type: ignore[no-untyped-def]
    """Larva of every row, and the tables of larvae and assays."""
    if not len(table):
        raise no_rows(source)
    assay, assay_names = levels(table, "assay", source)
    larva, larva_names = levels(table, "larva", source)
    levels(table, "line", source)  # every row names one
    index, larvae = individuals(assay, larva, larva_names)
    assays = assay_table(table, assay, assay_names, source, skip)
    return index, larvae, assays
