"""Join recordings into one ethogram, and remove flicker from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.vocabulary import order_states


def concat(ethograms: Sequence[Ethogram], source: str = "recordings") -> Ethogram:
    """Join ethograms of different assays.

    Parameters
    ----------
    ethograms : sequence of Ethogram
        At least one; no assay id may occur twice.
    source : str
        How errors name the input.

    Returns
    -------
    Ethogram
        Assays in the order given. The vocabulary is the common one where all agree, else the
        union in standard order (:func:`larvastats.vocabulary.order_states`). A covariate that a
        recording lacks is missing (NA) for its assays.

    Raises
    ------
    UsageError
        Nothing to join.
    DataError
        An assay id that occurs twice.
    """
    parts = list(ethograms)
    if not parts:
        raise UsageError(f"{source}: expected at least one recording to join, but got none.")
    _check_unique([assay for part in parts for assay in part.assays["assay"]], source)
    if len(parts) == 1:
        return parts[0]
    states = parts[0].states
    if any(part.states != states for part in parts):
        states = order_states(name for part in parts for name in part.states)
    n_larvae = np.cumsum([0, *(len(part.larvae) for part in parts)])
    n_assays = np.cumsum([0, *(len(part.assays) for part in parts)])
    larvae = [
        part.larvae.assign(assay_index=part.larvae["assay_index"] + offset)
        for part, offset in zip(parts, n_assays, strict=False)
    ]
    arrays = (
        np.concatenate(
            [p.larva_index + np.int32(n) for p, n in zip(parts, n_larvae, strict=False)]
        ),
        np.concatenate([_recode(part, states) for part in parts]),
        np.concatenate([part.t_start for part in parts]),
        np.concatenate([part.t_stop for part in parts]),
    )
    for array in arrays:
        array.flags.writeable = False
    assays = pd.concat([part.assays for part in parts], ignore_index=True)
    return Ethogram(states, *arrays, pd.concat(larvae, ignore_index=True), assays)


def merge_short(ethogram: Ethogram, min_bout: float) -> Ethogram:
    """Absorb bouts shorter than `min_bout` seconds into their neighbours.

    Within a stretch of unbroken tracking, a short bout takes the state of the last bout before it
    that is long enough; short bouts at the head of a stretch take the state of the first long
    bout after them. A stretch without any long bout stays as it is, since nothing in it is more
    trustworthy than the rest. The time tracked does not change, and a second pass changes nothing.

    Parameters
    ----------
    ethogram : Ethogram
    min_bout : float
        Shortest bout to keep, in s; 0 changes nothing.

    Returns
    -------
    Ethogram

    Raises
    ------
    UsageError
        `min_bout` is negative or no finite number.
    """
    check_min_bout(min_bout)
    if min_bout == 0 or not ethogram.n_bouts:
        return ethogram
    # a bout of exactly min_bout is long enough, whatever its times lost to rounding
    long = ethogram.t_stop - ethogram.t_start >= min_bout * (1 - 1e-9)
    donor = _nearest_long(long, ~ethogram.follows)
    return Ethogram.build(
        ethogram.states,
        ethogram.larva_index,
        ethogram.state[donor],
        ethogram.t_start,
        ethogram.t_stop,
        ethogram.larvae,
        ethogram.assays,
    )


def check_min_bout(min_bout: float) -> None:
    """Refuse a shortest bout that is no duration.

    Raises
    ------
    UsageError
    """
    if not (np.isfinite(min_bout) and min_bout >= 0):
        raise UsageError(f"--min-bout must be a duration in s of at least 0, but is {min_bout}.")


def _nearest_long(long: NDArray[np.bool_], opens: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the bout whose state each bout takes, shape (bout,).

    Parameters
    ----------
    long : ndarray of bool, shape (bout,)
        Whether a bout is long enough to keep its state.
    opens : ndarray of bool, shape (bout,)
        Whether a bout opens a stretch of unbroken tracking.
    """
    n = len(long)
    bout = np.arange(n)
    stretch = np.cumsum(opens) - 1
    before = np.maximum.accumulate(np.where(long, bout, -1))
    after = np.minimum.accumulate(np.where(long, bout, n)[::-1])[::-1]
    inside_before = (before >= 0) & (stretch[before] == stretch)
    inside_after = (after < n) & (stretch[np.minimum(after, n - 1)] == stretch)
    return np.where(inside_before, before, np.where(inside_after, after, bout))


def _recode(ethogram: Ethogram, states: tuple[str, ...]) -> NDArray[np.int16]:
    """State codes of an ethogram in a wider vocabulary, shape (bout,)."""
    if ethogram.states == states:
        return ethogram.state
    codes = np.array([states.index(name) for name in ethogram.states], dtype=np.int16)
    return codes[ethogram.state] if len(codes) else ethogram.state


def _check_unique(assays: Sequence[str], source: str) -> None:
    counts = pd.Series(assays).value_counts()
    twice = sorted(counts.index[counts > 1])
    if twice:
        more = f" and {len(twice) - 3} more" if len(twice) > 3 else ""
        raise DataError(
            f"{source}: every assay must come from one recording, but "
            f"{', '.join(map(repr, twice[:3]))}{more} occur{'s' if len(twice) == 1 else ''} more "
            "than once; give each recording its own assay id or remove the copies."
        )
