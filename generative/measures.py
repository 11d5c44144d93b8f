"""Whether the latent is used, and how well sequences come back: numbers of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ACTIVE_VARIANCE = 0.01
"""A unit is active if its posterior mean varies by more (Burda 2016, arXiv:1509.00519)."""

USED_NATS = 0.05
"""A dimension is used if its mean KL divergence is larger, nats."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentUse:
    """How much of a latent carries something.

    Attributes
    ----------
    kl : ndarray, shape (Z,)
        Mean KL divergence from N(0, 1) per dimension, nats.
    variance : ndarray, shape (Z,)
        Variance of the posterior mean over sequences.
    """

    kl: NDArray[np.float64]
    variance: NDArray[np.float64]

    @property
    def active_units(self) -> int:
        """Dimensions whose posterior mean varies by more than :data:`ACTIVE_VARIANCE`."""
        return int((self.variance > ACTIVE_VARIANCE).sum())

    @property
    def used_dimensions(self) -> int:
        """Dimensions with more than :data:`USED_NATS` of KL divergence."""
        return int((self.kl > USED_NATS).sum())

    @property
    def nats(self) -> float:
        """KL divergence of all dimensions together."""
        return float(self.kl.sum())


def latent_use(mean: NDArray[np.floating], log_variance: NDArray[np.floating]) -> LatentUse:
    """Measure the use of a latent from posteriors of sequences, each of shape (n, Z)."""
    mean, log_variance = np.asarray(mean, np.float64), np.asarray(log_variance, np.float64)
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1.0 - log_variance)
    return LatentUse(kl.mean(axis=0), mean.var(axis=0))


class RSquared:
    """Share of the variance around each feature's mean that predictions explain; in pieces.

    Features count alike after normalisation; frames beyond the end of a sequence do not count.
    """

    def __init__(self, features: int) -> None:
        self._rest = 0.0
        self._n = 0
        self._sum, self._squares = np.zeros(features), np.zeros(features)

    def add(
        self,
        prediction: NDArray[np.floating],
        target: NDArray[np.floating],
        mask: NDArray[np.bool_],
    ) -> None:
        """Take sequences; prediction, target (n, T, N), mask (n, T)."""
        p, y = (np.asarray(a[mask], np.float64) for a in (prediction, target))
        self._rest += float(((p - y) ** 2).sum())
        self._n += len(y)
        self._sum += y.sum(axis=0)
        self._squares += (y**2).sum(axis=0)

    @property
    def value(self) -> float:
        """1 for perfect predictions, 0 for the mean, below 0 for worse; NaN without variance."""
        around = float((self._squares - self._sum**2 / max(self._n, 1)).sum())
        return 1.0 - self._rest / around if around > 0 else float("nan")
