"""The formulas: an exponential decline, seen through bins of time or pulses.

``recovery``
    ``p(t) = p_inf + (p_0 - p_inf) exp(-t/tau)`` while a long stimulus lasts.
``pulses``
    The same with the number of the pulse in the place of time.
``berne``
    ``F_0 sum_n [1 - exp(-T_OFF/tau_res(n-1))] exp(-(t - nT)/tau_des)`` while the n-th pulse lasts
    (Berne et al. 2023, eLife 12:e69205, CC BY 4.0): every pulse starts at a level of its own and
    falls towards 0 with one time constant.

For a given time constant all levels are linear: the fit only has to search one number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KINDS = ("recovery", "pulses", "berne")
GRID = 64
"""Time constants that are tried before the search is refined."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """When the bins of a curve lie, and which decline runs through them.

    Attributes
    ----------
    kind : {'recovery', 'pulses', 'berne'}
    start, stop : ndarray, shape (bin,)
        Seconds since the onset of the bin's own pulse; both the pulse's number, from 0, under
        ``pulses``.
    block : ndarray of int, shape (bin,)
        Pulse of every bin under ``berne``; 0 otherwise.
    shortest, longest : float
        Time constants outside say no more than that they are outside: the width of a bin and the
        length of the stimulus.
    t_off : float
        Pause between two pulses, s; NaN where there is none.
    """

    kind: str
    start: Array
    stop: Array
    block: NDArray[np.int64]
    shortest: float
    longest: float
    t_off: float = float("nan")

    @property
    def n_blocks(self) -> int:
        """Number of declines with a level of their own."""
        return int(self.block.max()) + 1

    @property
    def has_floor(self) -> bool:
        """Whether the response may level off above 0; Berne's formula says that it does not."""
        return self.kind != "berne"

    @property
    def unit(self) -> str:
        """Unit of the time constant."""
        return "pulses" if self.kind == "pulses" else "s"

    @property
    def middle(self) -> Array:
        """Middles of the bins, shape (bin,)."""
        return (self.start + self.stop) / 2


def recovery_shape(edges: Array) -> Shape:
    """Return the shape of one long stimulus, from the edges of its bins (s since onset)."""
    edges = np.asarray(edges, dtype=np.float64)
    width, length = float(np.diff(edges).min()), float(edges[-1] - edges[0])
    block = np.zeros(len(edges) - 1, dtype=np.int64)
    return Shape("recovery", edges[:-1] - edges[0], edges[1:] - edges[0], block, width, length)


def pulse_shape(n_pulses: int) -> Shape:
    """Return the shape of a train of pulses with one number for each."""
    number = np.arange(n_pulses, dtype=np.float64)
    # a response gone after one pulse has exp(-1/tau) < .05 left
    return Shape("pulses", number, number, np.zeros(n_pulses, np.int64), 1 / 3, n_pulses - 1.0)


def berne_shape(edges: Array, n_pulses: int, t_off: float) -> Shape:
    """Return the shape of pulses that are seen bin by bin.

    Parameters
    ----------
    edges : ndarray, shape (bin of a pulse + 1,)
        s since the onset of each pulse.
    n_pulses : int
    t_off : float
        From the end of a pulse to the start of the next, s.
    """
    edges = np.asarray(edges, dtype=np.float64)
    start, stop = np.tile(edges[:-1], n_pulses), np.tile(edges[1:], n_pulses)
    block = np.repeat(np.arange(n_pulses), len(edges) - 1)
    width, length = float(np.diff(edges).min()), float(edges[-1] - edges[0])
    return Shape("berne", start, stop, block, width, n_pulses * length, t_off)


def decay(tau: Array, shape: Shape) -> Array:
    """Return ``exp(-t/tau)`` averaged over every bin, shape (tau, bin).

    Averaged, not taken at the middle, so that the width of the bins does not bias the time
    constant.
    """
    tau = np.asarray(tau, dtype=np.float64)[:, None]
    width = shape.stop - shape.start
    begin = np.exp(-shape.start / tau)
    share = np.divide(-np.expm1(-width / tau) * tau, width, out=np.ones(begin.shape),
                      where=np.broadcast_to(width > 0, begin.shape))  # fmt: skip
    return np.asarray(begin * share, dtype=np.float64)


def decay_slope(tau: Array, shape: Shape) -> Array:
    """Return the derivative of :func:`decay` by log tau, shape (tau, bin)."""
    column = np.asarray(tau, dtype=np.float64)[:, None]
    width = shape.stop - shape.start
    ends = shape.start * np.exp(-shape.start / column) - shape.stop * np.exp(-shape.stop / column)
    wide = np.broadcast_to(width > 0, ends.shape)
    at_point = shape.start / column * np.exp(-shape.start / column)
    inner = np.divide(ends, width, out=np.zeros(ends.shape), where=wide)
    return np.asarray(np.where(wide, decay(tau, shape) + inner, at_point), dtype=np.float64)


def tau_grid(shape: Shape, points: int = GRID) -> Array:
    """Return time constants to try, beyond both limits of what the bins can tell."""
    return np.geomspace(shape.shortest / 3, shape.longest * 6, points)


def resensitisation(ratio: Array | float, t_off: float) -> Array:
    """Return tau_res from the level of a pulse over that of the first.

    Solves ``ratio = 1 - exp(-t_off/tau_res)``; 0 where the response is back in full (ratio 1 or
    above), infinite where nothing is back.
    """
    ratio = np.clip(np.asarray(ratio, dtype=np.float64), 0.0, 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(-t_off / np.log1p(-ratio), dtype=np.float64)
