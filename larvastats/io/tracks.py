"""Shapes of larvae over time, as readers hand them on: one assay, flat arrays over frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from larvastats.combine import merge_short
from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.contours import Contours
from larvastats.io.identity import checked_name
from larvastats.io.labelling import frames_to_ethogram, same_assay, states_at
from larvastats.io.paths import AssayIdentity
from larvastats.io.track_checks import check_shapes, check_times, check_values

Shape = Literal["midline", "contour", "features"]
"""Kinds of what a recording may hold of a larva's shape; the centroid is a feature."""

MAX_VALUES = 1 << 29
"""Most numbers that one recording may hold; beyond, a file is damaged or no recording."""

LENGTH_UNITS = ("mm", "px")

MIN_VERTICES = 3
"""Fewest vertices of an outline that encloses anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Larvae of one assay, frame by frame. Build one with :meth:`build`, which checks and sorts.

    Attributes
    ----------
    identity : AssayIdentity
        ``line`` is empty where nothing names it.
    larvae : tuple of str
        Ids of the larvae within the assay.
    larva_index : ndarray of int32, shape (frame,)
        Position in `larvae`; sorted.
    t : ndarray of float64, shape (frame,)
        Seconds; increasing within a larva.
    midline : ndarray of float64, shape (frame, point, 2), or None
        In `length_unit`, head first; NaN where the tracker found none.
    contour : Contours or None
        In `length_unit`; any number of vertices per frame.
    centroid : ndarray of float64, shape (frame, 2), or None
        In `length_unit`.
    features : mapping of str to ndarray of float64, shape (frame,)
        Further series of the tracker; NaN where it has none.
    units : mapping of str to str
        Unit of every feature; ``""`` where nobody says it, ``"1"`` for numbers without one.
    states : tuple of str
        Vocabulary of `state`; empty where the recording has no labels.
    state : ndarray of int16, shape (frame,), or None
        Index into `states`; -1 where the frame has none.
    notes : tuple of str
        What the reader left out or decided, one sentence each.
    length_unit : {'mm', 'px'}
        Unit of all coordinates: millimetres, or pixels where nobody knows their size.
    """

    identity: AssayIdentity
    larvae: tuple[str, ...]
    larva_index: NDArray[np.int32]
    t: NDArray[np.float64]
    midline: NDArray[np.float64] | None = None
    contour: Contours | None = None
    centroid: NDArray[np.float64] | None = None
    features: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    state: NDArray[np.int16] | None = None
    notes: tuple[str, ...] = ()
    length_unit: str = "mm"

    @classmethod
    def build(
        cls,
        identity: AssayIdentity,
        larvae: Sequence[str],
        larva_index: ArrayLike,
        t: ArrayLike,
        *,
        midline: ArrayLike | None = None,
        contour: Contours | None = None,
        centroid: ArrayLike | None = None,
        features: Mapping[str, ArrayLike] | None = None,
        units: Mapping[str, str] | None = None,
        states: Sequence[str] = (),
        state: ArrayLike | None = None,
        notes: Sequence[str] = (),
        length_unit: str = "mm",
        rows: NDArray[np.integer] | None = None,
        source: str = "tracks",
    ) -> Tracks:
        """Check frames given in any order, sort them by larva and time, and freeze them.

        Parameters
        ----------
        identity, larvae, larva_index, t, midline, contour, centroid, features, units, states,
        state, notes, length_unit
            As the attributes of the same name; larvae without a frame are dropped.
        rows : ndarray of int, shape (frame,), optional
            Row of the source that each frame comes from, for errors.
        source : str
            How errors name the input.

        Raises
        ------
        DataError
            No frame, two frames of a larva at one time, times or coordinates that are not finite
            or beyond any recording, an id that is no name, or arrays that do not fit together.
        UsageError
            Another unit of length.
        """
        if length_unit not in LENGTH_UNITS:
            raise UsageError(
                f"The unit of length must be one of {', '.join(LENGTH_UNITS)}, but is "
                f"{length_unit!r}."
            )
        t, index = np.asarray(t, np.float64), np.asarray(larva_index, np.int32)
        tracks = cls(
            identity,
            tuple(checked_name(larva, "larva id", source) for larva in larvae),
            index,
            t,
            None if midline is None else np.asarray(midline, np.float64),
            contour,
            None if centroid is None else np.asarray(centroid, np.float64),
            {name: np.asarray(x, np.float64) for name, x in (features or {}).items()},
            MappingProxyType(dict(units or {})),
            tuple(states),
            None if state is None else np.asarray(state, np.int16),
            tuple(notes),
            length_unit,
        )
        check_shapes(tracks, source)
        check_values(tracks, rows, source)
        order = _order(index, t)
        if order is not None:
            tracks, rows = tracks.take(order), None if rows is None else rows[order]
        check_times(tracks, rows, source)
        return _frozen(_without_unused(tracks))

    @property
    def n_frames(self) -> int:
        """Number of frames of all larvae together."""
        return len(self.t)

    def take(self, frames: NDArray[np.integer] | NDArray[np.bool_]) -> Tracks:
        """Return some frames, by position or mask; the list of larvae stays as it is."""
        return replace(
            self,
            larva_index=self.larva_index[frames],
            t=self.t[frames],
            midline=None if self.midline is None else self.midline[frames],
            contour=None if self.contour is None else self.contour.take(frames),
            centroid=None if self.centroid is None else self.centroid[frames],
            features={name: series[frames] for name, series in self.features.items()},
            state=None if self.state is None else self.state[frames],
        )

    def has(self, kind: Shape) -> bool:
        """Whether there is anything of a kind of shape."""
        if kind == "features":
            return self.centroid is not None or bool(self.features)
        return (self.midline if kind == "midline" else self.contour) is not None

    def only(self, shapes: Sequence[Shape]) -> Tracks:
        """Return the tracks without the kinds of shape that are not named.

        The centroid goes with the features.
        """
        features = "features" in shapes
        return replace(
            self,
            midline=self.midline if "midline" in shapes else None,
            contour=self.contour if "contour" in shapes else None,
            centroid=self.centroid if features else None,
            features=self.features if features else MappingProxyType({}),
            units=self.units if features else {},
        )

    def bad_frames(self) -> NDArray[np.bool_]:
        """Frames in which the tracker saw the larva but found no usable shape, shape (frame,).

        Where the recording has midlines: a midline with a NaN. Else, where it has outlines: fewer
        than three vertices. A recording without either has no bad frames. Only what is missing
        counts: FIMTrack draws midlines through coiled larvae, the Schleyer group's tracker through
        larvae that touch, and these frames are not bad.
        """
        if self.midline is not None:
            return np.asarray(np.isnan(self.midline).any(axis=(1, 2)))
        if self.contour is not None:
            return self.contour.counts < MIN_VERTICES
        return np.zeros(self.n_frames, dtype=bool)

    def with_states(self, labels: Ethogram) -> Tracks:
        """Label every frame with what its larva does at that time.

        Parameters
        ----------
        labels : Ethogram
            From a label file or a table; of several assays the one of this name counts. Times may
            differ by half a millisecond.

        Raises
        ------
        DataError
            The labels are of other assays, or of none of the larvae.
        """
        labels = same_assay(labels, self.identity.assay)
        code = states_at(labels, self.larvae, self.larva_index, self.t)
        known = set(labels.larvae["larva"])
        unknown = [larva for larva in self.larvae if larva not in known]
        if len(unknown) == len(self.larvae):
            raise DataError(
                f"Assay {self.identity.assay!r}: expected labels of the larvae "
                f"{', '.join(self.larvae[:5])}, but they are of {', '.join(sorted(known)[:5])}; "
                "give the labels of this recording."
            )
        notes = self.notes
        if unknown:
            notes += (
                f"Assay {self.identity.assay!r}: {len(unknown)} of {len(self.larvae)} larvae have "
                f"no labels (first: {unknown[0]!r}).",
            )
        return replace(self, states=labels.states, state=code, notes=notes)

    def to_ethogram(
        self, *, synonyms: Mapping[str, str] | None = None, min_bout: float = 0.0
    ) -> Ethogram:
        """Turn the states of the frames into bouts.

        Frames last as :meth:`larvastats.ethogram.Ethogram.from_frames` says; a frame without a
        state is a gap in tracking, however short.

        Raises
        ------
        DataError
            The frames have no states, or nothing names the line.
        """
        if self.state is None:
            raise DataError(
                f"Assay {self.identity.assay!r}: the recording holds shapes but no states; give "
                "labels in a label file beside it or in a table."
            )
        frames = pd.DataFrame(
            {
                "larva": pd.Categorical.from_codes(self.larva_index, list(self.larvae)),
                "t": self.t,
                "state": pd.Categorical.from_codes(self.state, list(self.states)),
            }
        )
        source = f"Assay {self.identity.assay!r}"
        ethogram = frames_to_ethogram(frames, self.identity, synonyms=synonyms, source=source)
        return merge_short(ethogram, min_bout)


def join(left: Tracks, right: Tracks) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frames that two files of one assay have in common, by larva id and exact time.

    Returns
    -------
    left_frames, right_frames : ndarray of int, shape (common,)

    Raises
    ------
    DataError
        The coordinates of the two are in different units.
    """
    if left.length_unit != right.length_unit:
        raise DataError(
            f"Assay {left.identity.assay!r}: expected both parts in one unit of length, but they "
            f"are in {left.length_unit} and {right.length_unit}; give the size of a pixel."
        )
    ids = {larva: position for position, larva in enumerate(left.larvae)}
    own = [ids.get(larva, len(ids) + i) for i, larva in enumerate(right.larvae)]
    larva = np.concatenate((left.larva_index, np.array(own, dtype=np.int64)[right.larva_index]))
    t = np.concatenate((left.t, right.t))
    order = np.lexsort((t, larva))  # stable: of equals the left one comes first
    first, second = order[:-1], order[1:]
    twin = (larva[first] == larva[second]) & (t[first] == t[second])
    pairs = np.sort(np.stack((first[twin], second[twin])), axis=0)
    return pairs[0], pairs[1] - left.n_frames


def _order(index: NDArray[np.int32], t: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Order by larva and time; None where the frames are in it already."""
    same = index[1:] == index[:-1]
    if bool(((index[1:] > index[:-1]) | (same & (t[1:] >= t[:-1]))).all()):
        return None
    return np.lexsort((t, index))


def _without_unused(tracks: Tracks) -> Tracks:
    used = np.bincount(tracks.larva_index, minlength=len(tracks.larvae)) > 0
    if used.all():
        return tracks
    larvae = tuple(larva for larva, keep in zip(tracks.larvae, used, strict=True) if keep)
    index = (np.cumsum(used) - 1).astype(np.int32)[tracks.larva_index]
    return replace(tracks, larvae=larvae, larva_index=index)


def _frozen(tracks: Tracks) -> Tracks:
    return replace(
        tracks,
        larva_index=_read_only(tracks.larva_index),
        t=_read_only(tracks.t),
        midline=None if tracks.midline is None else _read_only(tracks.midline),
        centroid=None if tracks.centroid is None else _read_only(tracks.centroid),
        state=None if tracks.state is None else _read_only(tracks.state),
        features=MappingProxyType({n: _read_only(x) for n, x in tracks.features.items()}),
    )


def _read_only(array: NDArray) -> NDArray:
    view = array.view()  # the caller may go on writing to its own array
    view.flags.writeable = False
    return view
