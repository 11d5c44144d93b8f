"""Labels and frames: from states of frames to bouts, and from bouts to the states of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError
from larvastats.ethogram import Ethogram
from larvastats.io.paths import AssayIdentity
from larvastats.io.text.columns import with_identity

CLOCK_SLACK = 5e-4
"""Seconds by which two files may print one moment differently: half a millisecond."""

_UNDEFINED = "(undefined)"


class NoLabelsError(DataError):
    """A recording that is whole, but does not say what its larvae do."""


def frames_to_ethogram(
    frames: pd.DataFrame,
    identity: AssayIdentity,
    *,
    synonyms: Mapping[str, str] | None = None,
    source: str = "frames",
) -> Ethogram:
    """Build the ethogram of one assay from frames, some of which have no state.

    Frames last as :meth:`larvastats.ethogram.Ethogram.from_frames` says, with one difference: a
    frame without a state is a gap in tracking, however short. The tracker saw the larva there, and
    whoever labelled it left it open.

    Parameters
    ----------
    frames : DataFrame
        ``larva``, ``t`` (s) and ``state`` (categorical; missing where undefined).
    identity : AssayIdentity
    synonyms, source
        As :meth:`larvastats.ethogram.Ethogram.from_frames`.

    Raises
    ------
    DataError
        No frame has a state, nothing names the line, a state is named as undefined frames are, or
        the frames are none (times that are not finite, two at one time).
    """
    if not identity.line:
        raise DataError(
            f"{source}: expected the line in the file or in the folder <line>@<effector>, but "
            "neither names one; move the file into its database, or name the line."
        )
    state = frames["state"]
    if _UNDEFINED in state.cat.categories:
        raise DataError(f"{source}: {_UNDEFINED!r} cannot name a state; rename it.")
    if state.isna().all():
        raise DataError(f"{source}: expected labelled frames, but no larva has one.")
    state = state.cat.add_categories([_UNDEFINED]).fillna(_UNDEFINED)
    table = with_identity(frames.assign(state=state), identity)
    return _without_undefined(Ethogram.from_frames(table, synonyms=synonyms, source=source), source)


def _without_undefined(whole: Ethogram, source: str) -> Ethogram:
    """Turn the bouts of undefined frames into gaps."""
    if _UNDEFINED not in whole.states:
        return whole
    states = tuple(name for name in whole.states if name != _UNDEFINED)
    position = np.array([states.index(s) if s in states else -1 for s in whole.states], np.int16)
    code = position[whole.state]
    keep = code >= 0
    return Ethogram.build(
        states, whole.larva_index[keep], code[keep], whole.t_start[keep], whole.t_stop[keep],
        whole.larvae, whole.assays, source,
    )  # fmt: skip


def same_assay(labels: Ethogram, assay: str) -> Ethogram:
    """Return the labels of one assay: the only one there is, or the one of that name.

    Raises
    ------
    DataError
        The labels are of several others.
    """
    if len(labels.assays) == 1:
        return labels
    keep = (labels.assays["assay"] == assay).to_numpy(bool)
    if not keep.any():
        raise DataError(
            f"Assay {assay!r}: expected its labels, but found those of "
            f"{', '.join(map(repr, labels.assays['assay'][:3]))}; give the labels of this "
            "recording."
        )
    return labels.subset(keep)


def states_at(
    labels: Ethogram,
    larvae: Sequence[str],
    larva_index: NDArray[np.integer],
    t: NDArray[np.float64],
) -> NDArray[np.int16]:
    """State of larvae at given times, shape (frame,); -1 where they have none.

    Parameters
    ----------
    labels : Ethogram
        One assay.
    larvae : sequence of str
        Ids.
    larva_index : ndarray of int, shape (frame,)
        Position in `larvae`.
    t : ndarray, shape (frame,)
        Seconds; a frame up to :data:`CLOCK_SLACK` before a bout belongs to it.
    """
    row = {larva: position for position, larva in enumerate(labels.larvae["larva"])}
    own = np.array([row.get(larva, -1) for larva in larvae], dtype=np.int64)[larva_index]
    moment = t + CLOCK_SLACK
    begun = _last_begun(labels, own, moment)
    code = np.full(len(t), -1, dtype=np.int16)
    hit = np.flatnonzero(begun >= 0)
    hit = hit[moment[hit] < labels.t_stop[begun[hit]]]
    code[hit] = labels.state[begun[hit]]
    return code


def _last_begun(
    labels: Ethogram, larva: NDArray[np.int64], moment: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Last bout of a larva (-1: unknown larva) begun by a moment, shape (frame,); -1 if none."""
    n = labels.n_bouts
    start = np.concatenate((labels.t_start, moment))
    who = np.concatenate((labels.larva_index, larva))
    is_frame = np.arange(len(start)) >= n
    order = np.lexsort((is_frame, start, who))
    bout = np.maximum.accumulate(np.where(is_frame[order], -1, order))
    out = np.full(len(moment), -1, dtype=np.int64)
    out[order[is_frame[order]] - n] = bout[is_frame[order]]
    own = out >= 0
    own[own] = labels.larva_index[out[own]] == larva[own]
    return np.where(own, out, -1)
