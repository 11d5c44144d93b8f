"""Sets of sequences that are compared: held out, synthetic, and a real floor, row by row alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from generative.checkpoints import Description
from generative.diagnostics.motion import motion
from generative.sampling.latents import Encoded

SHORTEST = 4
"""Frames of a sequence that motion can be measured on."""


@dataclass(frozen=True, slots=True, eq=False)
class Set:
    """Sequences.

    Attributes
    ----------
    x : ndarray of float32, shape (n, T, N)
        Normalised, 0 beyond the end.
    mask : ndarray of bool, shape (n, T)
    conditions : ndarray of int64, shape (n, 3)
    """

    x: NDArray[np.float32]
    mask: NDArray[np.bool_]
    conditions: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.x)

    @classmethod
    def of(cls, encoded: Encoded) -> Set:
        """Take encoded sequences that are long enough."""
        long = encoded.mask.sum(axis=1) >= SHORTEST
        return cls(encoded.x[long], encoded.mask[long], encoded.conditions[long])

    @property
    def action(self) -> NDArray[np.int64]:
        """Number of the action of every sequence."""
        return self.conditions[:, 0]

    def take(self, rows: NDArray[np.integer]) -> Set:
        """Return some sequences."""
        return Set(self.x[rows], self.mask[rows], self.conditions[rows])

    def frames(self, description: Description) -> NDArray[np.float64]:
        """Frames in body lengths, shape (n, T, N)."""
        assert description.normaliser is not None
        return description.normaliser.invert(self.x)

    def motion(self, description: Description) -> NDArray[np.float64]:
        """Numbers of :func:`generative.diagnostics.motion.motion`, shape (n, 7)."""
        return motion(self.frames(description), self.mask, description.dt)

    def flat(self) -> NDArray[np.float64]:
        """Sequences as vectors, shape (n, T * N)."""
        return self.x.reshape(len(self.x), -1).astype(np.float64)


def like(wanted: Set, x: NDArray[np.float32]) -> Set:
    """Return drawn sequences as a set with the conditions and lengths of another."""
    cut = np.where(wanted.mask[:, :, None], x, 0.0).astype(np.float32)
    return replace(wanted, x=cut)


def matched(wanted: Set, pool: Set, rng: np.random.Generator) -> Set:
    """Draw real sequences of the same conditions, one for each of `wanted`.

    Without replacement as far as there are enough; where a condition does not occur in the pool,
    of the same action and genotype, else action. Lengths stay as they are.
    """
    rows = np.full(len(wanted), -1, np.int64)
    for width in (3, 2, 1):
        open_rows = np.flatnonzero(rows < 0)
        if not len(open_rows):
            break
        cells, cell = np.unique(wanted.conditions[open_rows, :width], axis=0, return_inverse=True)
        for number, condition in enumerate(cells):
            there = np.flatnonzero((pool.conditions[:, :width] == condition).all(axis=1))
            own = open_rows[cell.ravel() == number]
            if len(there):
                repeated = np.concatenate([rng.permutation(there)
                                           for _ in range(-(-len(own) // len(there)))])  # fmt: skip
                rows[own] = repeated[: len(own)]
    left = rows < 0
    rows[left] = rng.integers(0, len(pool), left.sum())
    return pool.take(rows)
