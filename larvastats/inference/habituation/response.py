"""What is measured: the share of larvae in an action, or any feature that was binned before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.markov.occupancy import time_in_bins

Array = NDArray[np.float64]

MEASURES = ("time", "ever")


class Response(Protocol):
    """Anything that has a mean and a weight per assay over any stretch of time."""

    @property
    def name(self) -> str:
        """How results call it."""

    @property
    def binomial(self) -> bool:
        """Whether it is a share of larvae."""

    @property
    def n_assays(self) -> int:
        """Number of assays."""

    def over(self, start: Array, stop: Array) -> tuple[Array, Array]:
        """Return mean and weight, each (assay, interval), over intervals that do not overlap."""


@dataclass(frozen=True, slots=True, eq=False)
class ActionResponse:
    """The share of larvae in an action.

    Attributes
    ----------
    ethogram : Ethogram
    action : str
        One of its states.
    measure : {'time', 'ever'}
        Share of the tracked time that is spent in the action (the share of larvae at a moment,
        averaged over the bin), or of the larvae that do it at any moment of the bin.
    """

    ethogram: Ethogram
    action: str
    measure: str = "time"

    def __post_init__(self) -> None:
        """Check the names."""
        if self.measure not in MEASURES:
            raise UsageError(f"measure must be time or ever, but is {self.measure!r}.")
        if self.action not in self.ethogram.states:
            raise UsageError(
                f"there is no action {self.action!r} in this source; it has "
                f"{', '.join(self.ethogram.states)}."
            )

    @property
    def name(self) -> str:
        """The action."""
        return self.action

    @property
    def binomial(self) -> bool:
        """A share of larvae is."""
        return True

    @property
    def n_assays(self) -> int:
        """Number of assays."""
        return len(self.ethogram.assays)

    def over(self, start: Array, stop: Array) -> tuple[Array, Array]:
        """Return the share and the number of larvae, each (assay, interval)."""
        start, stop = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
        ethogram = self.ethogram
        near = (ethogram.t_stop > start.min()) & (ethogram.t_start < stop.max())
        own = ethogram.state[near] == ethogram.states.index(self.action)
        bouts = (ethogram.t_start[near], ethogram.t_stop[near])
        if self.measure == "ever":
            return self._ever(bouts, ethogram.larva_index[near], own, start, stop)
        assay = ethogram.assay_index[near]
        edges = np.unique(np.concatenate([start, stop]))
        at = np.searchsorted(edges, start)
        tracked = time_in_bins(*bouts, assay, self.n_assays, edges)[:, at]
        active = time_in_bins(bouts[0][own], bouts[1][own], assay[own], self.n_assays, edges)[:, at]
        tracked[tracked < 1e-9] = 0.0  # what rounding left of nothing
        return _ratio(np.clip(active, 0.0, tracked), tracked), tracked / (stop - start)

    def _ever(
        self, bouts: tuple[Array, Array], larva: NDArray[np.int32], own: NDArray[np.bool_],
        start: Array, stop: Array,
    ) -> tuple[Array, Array]:  # fmt: skip
        home = self.ethogram.larvae["assay_index"].to_numpy(np.int64)
        done, seen = np.zeros((2, self.n_assays, len(start)))
        for k, (low, high) in enumerate(zip(start, stop, strict=True)):
            inside = (bouts[1] > low) & (bouts[0] < high)
            for out, which in ((seen, inside), (done, inside & own)):
                one = np.zeros(len(home), dtype=bool)
                one[larva[which]] = True
                out[:, k] = np.bincount(home[one], minlength=self.n_assays)
        return _ratio(done, seen), seen


@dataclass(frozen=True, slots=True, eq=False)
class BinnedResponse:
    """A feature that was averaged over bins of the recording before: speed, length, any other.

    Attributes
    ----------
    name : str
    mean, weight : ndarray, shape (assay, bin)
        Mean over the larvae of an assay, and from how many larvae (or frames); a weight of 0 is a
        bin without data.
    edges : ndarray, shape (bin + 1,)
        s, increasing.
    binomial : bool
        Whether the mean is a share of larvae.
    """

    name: str
    mean: Array
    weight: Array
    edges: Array
    binomial: bool = False

    def __post_init__(self) -> None:
        """Check shapes and numbers."""
        shape = np.shape(self.mean)
        if len(shape) != 2 or np.shape(self.weight) != shape or len(self.edges) != shape[1] + 1:
            raise UsageError(
                f"the response {self.name!r} needs mean and weight of shape (assay, bin) and one "
                f"edge more than bins, but they are {shape}, {np.shape(self.weight)} and "
                f"{len(self.edges)} edges."
            )
        if (np.diff(self.edges) <= 0).any():
            raise UsageError(f"the edges of the response {self.name!r} must increase.")
        used = np.asarray(self.mean)[np.asarray(self.weight) > 0]
        if not np.isfinite(used).all() or (self.binomial and ((used < 0) | (used > 1)).any()):
            what = "shares between 0 and 1" if self.binomial else "finite numbers"
            raise DataError(
                f"the response {self.name!r} must hold {what} wherever its weight is positive."
            )

    @property
    def n_assays(self) -> int:
        """Number of assays."""
        return len(self.mean)

    def over(self, start: Array, stop: Array) -> tuple[Array, Array]:
        """Return mean and weight, each (assay, interval); bins count by their overlap."""
        overlap = np.minimum(self.edges[1:, None], stop) - np.maximum(self.edges[:-1, None], start)
        share = np.clip(overlap, 0.0, None) / np.diff(self.edges)[:, None]
        weight = self.weight @ share
        filled = np.where(self.weight > 0, self.mean, 0.0)
        return _ratio((self.weight * filled) @ share, weight), weight


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
