"""Larvae lost and found: what the tracker saw of the bouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.simulate.chain import Bouts, PlateDraw
from larvastats.simulate.design import Tracking
from larvastats.simulate.states import ScreenModel

MAX_STRETCHES = 6
"""Stretches in which one larva can be seen; it is not lost in the last of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Times during which larvae are seen.

    Attributes
    ----------
    larva : ndarray of int, shape (stretch,)
        As in the bouts.
    order : ndarray of int, shape (stretch,)
        0 for the first stretch of its larva.
    start, stop : ndarray, shape (stretch,)
        Seconds, whole milliseconds.
    new : ndarray of bool, shape (stretch,)
        Whether the larva has a new number from here on.
    """

    larva: NDArray[np.int64]
    order: NDArray[np.int64]
    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    new: NDArray[np.bool_]


def watch(
    model: ScreenModel, tracking: Tracking, bouts: Bouts, plates: Sequence[PlateDraw]
) -> Stretches:
    """Draw when each larva is seen; each plate draws from its own generator."""
    sizes = np.array([len(plate.odds) for plate in plates])
    n = int(sizes.sum())
    per_plate = np.split(bouts.larva, np.searchsorted(bouts.larva, np.cumsum(sizes)[:-1]))
    waits = np.concatenate(
        [plate.rng.standard_exponential(len(b)) for plate, b in zip(plates, per_plate, strict=True)]
    )
    chance = np.concatenate(
        [plate.rng.random((len(plate.odds), MAX_STRETCHES, 3)) for plate in plates]
    )
    losses = _Losses(model, tracking, bouts, waits, n)
    late = chance[:, -1, 0] < tracking.late
    start = np.where(late, _ms(chance[:, -1, 1] * model.duration / 2), 0.0)
    who, new = np.arange(n), np.zeros(n, dtype=bool)
    parts = []
    for k in range(MAX_STRETCHES):
        final = k == MAX_STRETCHES - 1
        stop = np.full(len(who), model.duration) if final else losses.after(who, start)
        parts.append((who, np.full(len(who), k), start, stop, new))
        if final:
            break
        again = chance[who, k]
        back = _ms(stop + tracking.shortest_gap - tracking.mean_extra_gap * np.log1p(-again[:, 1]))
        seen = (stop < model.duration) & (again[:, 0] < tracking.found) & (back < model.duration)
        who, start, new = who[seen], back[seen], again[seen, 2] >= tracking.same_number
    return Stretches(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def cut(bouts: Bouts, stretches: Stretches) -> tuple[Bouts, NDArray[np.int64]]:
    """Keep of the bouts what was seen.

    Returns
    -------
    bouts : Bouts
        Sorted by time within each larva, now with gaps.
    stretch : ndarray of int, shape (bout,)
        The stretch in which each was seen.
    """
    pieces = []
    for k in range(int(stretches.order.max()) + 1):
        rows = np.flatnonzero(stretches.order == k)
        stretch = np.full(int(bouts.larva[-1]) + 1, -1)
        stretch[stretches.larva[rows]] = rows
        stretch = stretch[bouts.larva]
        near = np.flatnonzero(stretch >= 0)
        here = stretch[near]
        a = np.maximum(bouts.t_start[near], stretches.start[here])
        b = np.minimum(bouts.t_stop[near], stretches.stop[here])
        seen = b - a > 5e-4  # times are whole milliseconds
        pieces.append((near[seen], a[seen], b[seen], here[seen]))
    bout, a, b, stretch = (np.concatenate(column) for column in zip(*pieces, strict=True))
    # One key, few runs: a stable sort merges them much faster than lexsort sorts two keys.
    order = np.argsort(bouts.larva[bout] * (2 * bouts.t_stop.max()) + a, kind="stable")
    bout, a, b, stretch = bout[order], a[order], b[order], stretch[order]
    return Bouts(bouts.larva[bout], bouts.state[bout], a, b), stretch


def number_tracks(
    stretches: Stretches, plate_of_larva: NDArray[np.int64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give every track (what the tracker takes for one larva) its number on its plate.

    Parameters
    ----------
    stretches : Stretches
    plate_of_larva : ndarray of int, shape (larva,)
    offsets : ndarray of int, shape (plate + 1,)
        First larva of every plate.

    Returns
    -------
    track : ndarray of int, shape (stretch,)
        Tracks of all plates, numbered on by plate, then by number.
    plate, number : ndarray of int, shape (track,)
        Larvae seen from their first moment keep 1 ... n; those found as new ones follow, in the
        order in which they appear.
    """
    order = np.lexsort((stretches.order, stretches.larva))
    starts = (stretches.order == 0) | stretches.new
    piece = np.empty(len(order), dtype=np.int64)
    piece[order] = np.cumsum(starts[order]) - 1
    first = order[starts[order]]
    plate = plate_of_larva[stretches.larva[first]]
    original = stretches.order[first] == 0
    local = stretches.larva[first] - offsets[plate]
    rank = np.lexsort((local, stretches.start[first] * ~original, ~original, plate))
    position = np.empty(len(rank), dtype=np.int64)
    position[rank] = np.arange(len(rank))
    plate = plate[rank]
    begin = np.searchsorted(plate, np.arange(len(offsets) - 1))
    return position[piece], plate, np.arange(len(plate)) - begin[plate] + 1


class _Losses:
    """When each larva would be lost, if it were seen."""

    def __init__(
        self, model: ScreenModel, tracking: Tracking, bouts: Bouts,
        waits: NDArray[np.float64], n_larvae: int,
    ) -> None:  # fmt: skip
        rate = model.loss_rate[bouts.state] * tracking.loss
        delay = np.divide(waits, rate, out=np.full(len(waits), np.inf), where=rate > 0)
        lost = np.flatnonzero(bouts.t_start + delay < bouts.t_stop)
        self.duration = model.duration
        self.t = _ms(bouts.t_start[lost] + delay[lost])
        # One sorted key for larva and time: times stay below one stride.
        self.stride = 2.0 * model.duration
        self.key = bouts.larva[lost] * self.stride + self.t
        self.larva = bouts.larva[lost]

    def after(self, who: NDArray[np.int64], start: NDArray[np.float64]) -> NDArray[np.float64]:
        """First loss of each larva after `start`; the end of the recording if there is none."""
        at = np.searchsorted(self.key, who * self.stride + start + 5e-4)
        none = at == len(self.key)
        at = np.where(none, 0, at)
        if len(self.key) == 0:
            return np.full(len(who), self.duration)
        same = ~none & (self.larva[at] == who)
        return np.where(same, np.minimum(self.t[at], self.duration), self.duration)


def _ms(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(t * 1000.0) / 1000.0
