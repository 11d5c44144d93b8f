"""What a training measures after every epoch, on held-out assays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from generative.batches import Batches
from generative.config import LossConfig
from generative.losses import compute_loss, final_beta
from generative.measures import RSquared, latent_use
from generative.models.base import Model

MOST_SEQUENCES, BATCH = 2000, 250
"""Held-out sequences that are measured, and how many at a time."""

MOST_FILMS, FILM_BATCH = 200, 8
"""The same of films, which are a thousand times larger."""


@torch.no_grad()
def evaluate(model: Model, data: Batches, loss: LossConfig, seed: int) -> dict[str, Any]:
    """Measure loss, reconstruction and use of the latent.

    Parameters
    ----------
    model : Model
    data : Batches
        Its first :data:`MOST_SEQUENCES` sequences (:data:`MOST_FILMS` films) are taken.
    loss : LossConfig
        The loss is that at the final beta, so that epochs can be compared.
    seed : int
        Of the latent noise and of the shuffling.

    Returns
    -------
    dict
        ``validation_loss``, ``r2`` (free-running, from the posterior's mean), ``r2_shuffled`` (the
        same with latents of other sequences), and for models with a posterior ``nats``,
        ``active_units``, ``used_dimensions``, ``kl_per_dimension``. For films ``r2`` is the
        intersection over union of larva pixels.
    """
    model.eval()
    chance = np.random.default_rng([seed, 4])
    losses, weights, means, spreads = [], [], [], []
    own, other = _scores(model, data), _scores(model, data)
    size, most = (FILM_BATCH, MOST_FILMS) if model.IMAGES else (BATCH, MOST_SEQUENCES)
    for batch in data.in_order(size, most):
        shape = model.noise_shape(len(batch.x), batch.x.shape[1])
        noise = torch.from_numpy(chance.standard_normal(shape, dtype=np.float32))
        terms = model.terms(batch, noise.to(batch.x.device))
        value = compute_loss(terms, loss, final_beta(loss), images=model.IMAGES)
        losses.append(float(value.total))
        weights.append(len(batch.x))
        posterior = model.encode(batch)
        if terms.posterior is not None:
            means.append(posterior.mean.cpu().numpy())
            spreads.append(posterior.log_variance.cpu().numpy())
        own.add(model.reconstruct(batch), batch.x, batch.mask)
        if terms.posterior is not None:
            order = torch.from_numpy(chance.permutation(len(batch.x))).to(batch.x.device)
            z = posterior.mean[order]
            other.add(model.decode(z, batch.conditions, batch.x.shape[1]), batch.x, batch.mask)
    found: dict[str, Any] = {"validation_loss": float(np.average(losses, weights=weights)),
                             "r2": own.value}  # fmt: skip
    if means:
        use = latent_use(np.concatenate(means), np.concatenate(spreads))
        found |= {
            "r2_shuffled": other.value, "nats": use.nats, "active_units": use.active_units,
            "used_dimensions": use.used_dimensions,
            "kl_per_dimension": [round(float(kl), 5) for kl in use.kl],
        }  # fmt: skip
    return found


class _FrameScore:
    """R² of frames."""

    def __init__(self, features: int) -> None:
        self._score = RSquared(features)

    def add(self, made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> None:
        self._score.add(made.cpu().numpy(), real.cpu().numpy(), mask.cpu().numpy())

    @property
    def value(self) -> float:
        return self._score.value


class _FilmScore:
    """Intersection over union of larva pixels."""

    def __init__(self) -> None:
        self._both = self._either = 0.0

    def add(self, made: torch.Tensor, real: torch.Tensor, mask: torch.Tensor) -> None:
        a, b = made[mask] > 0, real[mask] > 0.5  # logits above even odds
        self._both += float((a & b).sum())
        self._either += float((a | b).sum())

    @property
    def value(self) -> float:
        return self._both / self._either if self._either else float("nan")


def _scores(model: Model, data: Batches) -> _FrameScore | _FilmScore:
    return _FilmScore() if model.IMAGES else _FrameScore(data.sequences.features)
