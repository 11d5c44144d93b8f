"""So many sequences of each action, drawn at random, and no frame twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from generative.dataset.index import Index
from generative.dataset.proportions import exact_counts
from larvastats.errors import DataError


def draw(
    index: Index, rows: NDArray[np.int64], mix: Mapping[str, float], n: int, seed: int,
    what: str = "",
) -> NDArray[np.int64]:  # fmt: skip
    """Draw sequences in given proportions.

    Parameters
    ----------
    index : Index
    rows : ndarray of int
        Rows to draw from, such as those of a fold.
    mix : mapping of str to float
        Proportions of actions; they sum to 1.
    n : int
        Exactly so many are drawn.
    seed : int
    what : str
        Names the fold in errors.

    Returns
    -------
    ndarray of int64, shape (n,)
        In random order. No two share a frame, also where the index has overlapping sequences.

    Raises
    ------
    DataError
        There are not enough of an action.
    """
    rng = np.random.default_rng([seed, 6])
    counts = exact_counts(mix, n)
    taken = _Frames(index) if index.overlapping else None
    chosen: list[NDArray[np.int64]] = []
    actions = index.names["actions"]
    # the rarest first: where frames are shared, they are rather missed by the frequent ones
    for action in sorted(counts, key=lambda name: (counts[name], name)):
        own = rng.permutation(rows[index.rows["action"][rows] == actions.index(action)])
        kept = own[: counts[action]] if taken is None else taken.claim(own, counts[action])
        if len(kept) < counts[action]:
            raise _not_enough(action, len(kept), counts[action], n, what)
        chosen.append(kept)
    return rng.permutation(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


def natural_weights(
    index: Index, rows: NDArray[np.int64], drawn: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weights that make drawn sequences as frequent by action as they are among `rows`.

    Parameters
    ----------
    index : Index
    rows : ndarray of int
        What was drawn from.
    drawn : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        Their mean is 1. Actions that were not drawn at all have no weight.
    """
    k = len(index.names["actions"])
    action = index.rows["action"]
    natural = np.bincount(action[rows], minlength=k)
    own = np.bincount(action[drawn], minlength=k)
    ratio = np.divide(natural, own, out=np.zeros(k), where=own > 0)
    weights = ratio[action[drawn]]
    return weights / weights.mean() if len(weights) else weights


class _Frames:
    """Which frames of all larvae are taken."""

    def __init__(self, index: Index) -> None:
        frames = index.tables["larva_frames"].astype(np.int64)
        before = np.concatenate(([0], np.cumsum(frames)))
        self.first = before[index.rows["larva"]] + index.rows["start"]
        self.last = before[index.rows["larva"]] + index.rows["end"]
        self.taken = np.zeros(int(before[-1]), bool)

    def claim(self, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """Take sequences in this order, as long as their frames are free."""
        kept: list[int] = []
        for row in rows:
            if len(kept) == most:
                break
            own = slice(self.first[row], self.last[row])
            if not self.taken[own].any():
                self.taken[own] = True
                kept.append(int(row))
        return np.array(kept, np.int64)


def _not_enough(action: str, there: int, wanted: int, n: int, what: str) -> DataError:
    place = f" for {what}" if what else ""
    most = n * there // wanted
    return DataError(
        f"Expected {wanted:,} sequences of {action!r}{place}, but there are {there:,}; draw at "
        f"most {most:,} in this mix, choose another (--mix), or give more recordings."
    )
