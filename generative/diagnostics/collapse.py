"""Whether the latent carries the sequence: held-out assays, nothing given but the latent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generative.measures import RSquared, latent_use
from generative.models import Model
from generative.sampling.latents import Encoded
from generative.sampling.sampler import decode


@dataclass(frozen=True, slots=True, eq=False)
class Collapse:
    """Use of the latent.

    Attributes
    ----------
    kl : ndarray, shape (Z,)
        Mean KL divergence from N(0, 1) per dimension, nats, largest first.
    nats : float
        Of all dimensions together.
    active_units, used_dimensions : int
        Dimensions whose posterior mean varies by more than 0.01; with more than 0.05 nats.
    r2 : float
        Free-running, from the posterior's mean.
    r2_shuffled : float
        With the latent of another sequence.
    r2_open : float
        Free-running, the decoder told no condition.
    """

    kl: NDArray[np.float64]
    nats: float
    active_units: int
    used_dimensions: int
    r2: float
    r2_shuffled: float
    r2_open: float


def measure_collapse(model: Model, held_out: Encoded, seed: int = 0) -> Collapse:
    """Measure the use of the latent on encoded sequences."""
    use = latent_use(held_out.mean, held_out.log_variance)
    order = np.random.default_rng([seed, 13]).permutation(len(held_out.x))
    conditions = held_out.conditions
    return Collapse(
        np.sort(use.kl)[::-1], use.nats, use.active_units, use.used_dimensions,
        _r2(model, held_out, held_out.mean, conditions),
        _r2(model, held_out, held_out.mean[order], conditions),
        _r2(model, held_out, held_out.mean, np.full_like(conditions, -1)),
    )  # fmt: skip


def _r2(
    model: Model, held_out: Encoded, z: NDArray[np.float32], conditions: NDArray[np.int64]
) -> float:
    score = RSquared(held_out.x.shape[2])
    score.add(decode(model, z, conditions), held_out.x, held_out.mask)
    return score.value
