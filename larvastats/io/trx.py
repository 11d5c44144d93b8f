"""trx.mat, the tracker's output: MATLAB 7.3, one struct array ``trx`` with one element per larva.

:func:`read` reads the times, the labels and the identity, :func:`read_tracks` also shapes; no field
is touched that is not asked for. Which fields hold labels says :mod:`larvastats.io.trx_labels`.

Shapes, after dereferencing, one column per frame:

- ``x_spine``, ``y_spine`` (point, frame): the midline, head first, 11 points; where they are
  missing, the five vertebrae ``x_head``, ``y_head``, ... to ``y_tail`` are the midline;
- ``x_contour``, ``y_contour`` (vertex, frame): the outline, closed, padded with NaN;
- ``x_center``, ``y_center``: the centroid;
- every further series of numbers: features. The file says no units; those of positions are taken as
  millimetres, as the spine's, and those of all others are blank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.combine import concat, merge_short
from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.files import AnyPath
from larvastats.io.labelling import NoLabelsError
from larvastats.io.matlab import Struct, all_series, is_matlab73, open_struct
from larvastats.io.paths import AssayIdentity, identify
from larvastats.io.tracks import Tracks
from larvastats.io.trx_identity import assays, larva_names
from larvastats.io.trx_labels import (
    ALL_CODES,
    LARGE_CODES,
    STRONG_CODES,
    Labels,
    check_labels,
    has_labels,
    no_labels,
    read_codes,
)
from larvastats.io.trx_shapes import (
    Larvae,
    fields_of,
    read_centroid,
    read_contour,
    read_features,
    read_midline,
)
from larvastats.io.trx_write import write
from larvastats.vocabulary import LARVA_STATES

__all__ = [
    "ALL_CODES", "LARGE_CODES", "LARVA_STATES", "SHAPES", "STRONG_CODES", "Labels", "check_labels",
    "identities", "read", "read_tracks", "sniff", "write",
]  # fmt: skip

SHAPES = ("midline", "contour", "features")
"""What :func:`read_tracks` reads beside times and labels."""


def sniff(path: AnyPath) -> bool:
    """Whether the content is a MATLAB 7.3 file with a struct array ``trx``."""
    try:
        if not is_matlab73(path):
            return False
        with open_struct(path, "trx", "t"):
            return True
    except LarvastatsError:
        return False


def read(
    path: AnyPath,
    labels: str = "large",
    min_bout: float = 0.0,
    *,
    identity: AssayIdentity | None = None,
) -> Ethogram:
    """Read the labels of a trx.mat file.

    Parameters
    ----------
    path : path
    labels : {'large', 'all', 'strong'}
        ``large``: the actions and ``small_motion``, from ``global_state_large_state``, else
        ``global_state``, else the series ``run_large``, ... or ``run``, ...; ``all``: weak and
        strong actions as states of their own (``run_weak``, ``run_strong``, ...); ``strong``:
        strong actions, with every weak one as ``small_motion``.
    min_bout : float
        Shortest bout to keep, in s; see :func:`larvastats.combine.merge_short`.
    identity : AssayIdentity, optional
        Supplies what the file does not say itself; by default what the path says.

    Returns
    -------
    Ethogram
        One assay per ``id`` in the file, named as :class:`larvastats.io.paths.AssayIdentity`
        names them; where the file's ``id`` is no date and time, by that ``id``. A frame without
        label is a gap in tracking (see :meth:`larvastats.io.tracks.Tracks.to_ethogram`); an assay
        without any label is left out.

    Raises
    ------
    UsageError
        No such file, or no such choice of labels.
    DataError
        The file is damaged, is no trx.mat, or holds no labels of that kind.
    """
    chosen = check_labels(labels)
    with open_struct(path, "trx", "t") as struct:
        if not has_labels(struct, chosen):
            raise NoLabelsError(f"{path}: {no_labels(chosen)}; choose other --labels.")
        tracks = _tracks(struct, chosen, (), identity or identify(path))
    if not all(one.identity.line for one in tracks):
        raise DataError(
            f"{path}: expected the line in the field 'neuron' or in the folder "
            "<line>@<effector>, but neither names one; move the file into its database."
        )
    labelled = [one for one in tracks if one.state is not None and (one.state >= 0).any()]
    if not labelled:
        raise NoLabelsError(f"{path}: expected labelled frames, but no larva has one.")
    return merge_short(concat([one.to_ethogram() for one in labelled], str(path)), min_bout)


def read_tracks(
    path: AnyPath,
    labels: str | None = "large",
    *,
    shapes: Sequence[str] = SHAPES,
    features: Sequence[str] | None = None,
    identity: AssayIdentity | None = None,
) -> tuple[Tracks, ...]:
    """Read shapes, series and labels of a trx.mat file.

    Parameters
    ----------
    path : path
    labels : {'large', 'all', 'strong'} or None
        As :func:`read`; None reads no labels. Where the file has none, the frames have no states,
        and a note says so.
    shapes : sequence of {'midline', 'contour', 'features'}
        What to read; ``features`` brings the centroid too. Outlines are the bulk of such a file.
    features : sequence of str, optional
        Names of the series to read, as far as the file has them; by default all.
    identity : AssayIdentity, optional
        Supplies what the file does not say itself; by default what the path says.

    Returns
    -------
    tuple of Tracks
        One per ``id`` in the file that has a frame, in the file's order; larvae likewise.

    Raises
    ------
    UsageError
        No such file, no such choice of labels, or no such shape.
    DataError
        The file is damaged, is no trx.mat, or has no frame.
    """
    chosen = None if labels is None else check_labels(labels)
    wanted = (shapes,) if isinstance(shapes, str) else tuple(shapes)
    unknown = [shape for shape in wanted if shape not in SHAPES]
    if unknown:
        raise UsageError(f"Shapes are among {', '.join(SHAPES)}, but not {unknown[0]!r}.")
    with open_struct(path, "trx", "t") as struct:
        tracks = _tracks(struct, chosen, wanted, identity or identify(path), features)
    if not tracks:
        raise DataError(f"{path}: expected frames, but no larva has one.")
    return tracks


def identities(
    path: AnyPath, *, identity: AssayIdentity | None = None
) -> tuple[AssayIdentity, ...]:
    """Say who is in a file, without reading a series; parameters and errors as :func:`read`."""
    with open_struct(path, "trx", "t") as struct:
        return tuple(assays(struct, identity or identify(path))[1])


@dataclass(frozen=True, slots=True)
class _States:
    """Code of every frame of the file, what the codes mean, and where each larva's begin."""

    code: NDArray[np.int16] | None
    names: tuple[str, ...]
    start: NDArray[np.int64]

    def of(self, larvae: Larvae) -> NDArray[np.int16] | None:
        """Codes of the frames of some larvae."""
        if self.code is None:
            return None
        whole = (self.code[self.start[e] : self.start[e + 1]] for e in larvae.elements)
        return np.concatenate([own[t] for own, t in zip(whole, larvae.timed, strict=True)])


def _tracks(
    struct: Struct,
    labels: Labels | None,
    shapes: Sequence[str],
    by_path: AssayIdentity | None,
    series: Sequence[str] | None = None,
) -> tuple[Tracks, ...]:
    """Read every assay that has a frame."""
    times = all_series(struct, "t")
    length = [len(series) for series in times]
    code: NDArray[np.int16] | None = None
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if labels is not None and has_labels(struct, labels):
        code, names = read_codes(struct, labels, length)
    elif labels is not None:
        notes = (f"{struct.path}: {no_labels(labels)}; its frames have no states.",)
    states = _States(code, names, np.concatenate(([0], np.cumsum(length, dtype=np.int64))))
    own_names = larva_names(struct)
    of_assay, known = assays(struct, by_path)
    found = []
    for larvae, number in _assays_with_frames(struct, times, of_assay, len(known)):
        t = np.concatenate(
            [times[e][m] for e, m in zip(larvae.elements, larvae.timed, strict=True)]
        )
        index, ids = _individuals([own_names[e] for e in larvae.elements], larvae)
        read, remarks = _shapes(larvae, shapes, series)
        found.append(
            Tracks.build(
                known[number], ids, index, t, states=names, state=states.of(larvae),
                notes=notes + remarks, source=str(struct.path), **read,
            )
        )  # fmt: skip
    return tuple(found)


def _assays_with_frames(
    struct: Struct,
    times: Sequence[NDArray[np.float64]],
    of_assay: NDArray[np.int64],
    n_assays: int,
) -> Iterator[tuple[Larvae, int]]:
    """Yield the larvae of every assay that have a frame with a time."""
    timed = [np.isfinite(series) for series in times]
    seen = np.array([bool(mask.any()) for mask in timed], dtype=bool)
    order = np.argsort(of_assay, kind="stable")
    edges = np.searchsorted(of_assay[order], np.arange(n_assays + 1))
    for number in range(n_assays):
        members = order[edges[number] : edges[number + 1]]
        elements = tuple(int(element) for element in members[seen[members]])
        if elements:
            length = tuple(len(times[e]) for e in elements)
            yield Larvae(struct, elements, length, tuple(timed[e] for e in elements)), number


def _individuals(names: Sequence[str], larvae: Larvae) -> tuple[NDArray[np.int64], list[str]]:
    """Larva of every frame, and the ids; elements of one name are one larva."""
    position, ids = pd.factorize(np.array(names, dtype=object))
    return np.repeat(position, [int(timed.sum()) for timed in larvae.timed]), list(ids)


def _shapes(
    larvae: Larvae, wanted: Sequence[str], series: Sequence[str] | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read the shapes asked for, as arguments of :meth:`Tracks.build`; and the notes."""
    found: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    if "midline" in wanted:
        found["midline"], remarks = read_midline(larvae)
        notes += remarks
    if "contour" in wanted:
        found["contour"], remarks = read_contour(larvae)
        notes += remarks
    if "features" in wanted:
        taken = fields_of(wanted, larvae.struct)
        found["features"], found["units"], remarks = read_features(larvae, taken, series)
        found["centroid"] = read_centroid(larvae)
        notes += remarks
    return found, notes
