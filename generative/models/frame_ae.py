"""An auto-encoder of single frames (Hinton & Salakhutdinov 2006, Science 313:504).

A transition between two frames is a straight line in the latent, ``z = (1 - a) z_start + a z_end``,
``a = k / m``. Nothing in the loss asks the points between to be larvae, and the earlier study saw
aberrant ones. Among simulated larvae they stay larvae, but the line knows nothing of time:
:mod:`~generative.models.transition_ae` is half as wrong (analyses/generative.md).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from generative.models.base import Batch, Conditions, Model, Posterior, Shape, Terms
from generative.models.blocks import mlp


class FrameAE(Model):
    """Two perceptrons; one latent per frame and no posterior."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 64, "layers": 2, "latent": 8},
        "small": {"width": 256, "layers": 2, "latent": 8},
        "base": {"width": 512, "layers": 3, "latent": 8},
    }

    def __init__(self, shape: Shape, width: int, layers: int, latent: int) -> None:
        super().__init__(shape, latent)
        self.encoder = mlp(shape.features, width, latent, layers)
        self.decoder = mlp(latent, width, shape.features, layers)

    def encode(self, batch: Batch) -> Posterior:
        z = self.encoder(batch.x).float()  # (B, T, Z)
        return Posterior(z, torch.full_like(z, -torch.inf))  # a point

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        return self.decoder(z).float()  # (B, T, N)

    def terms(self, batch: Batch, noise: Tensor) -> Terms:
        return Terms(self.decoder(self.encoder(batch.x)).float(), batch.x, batch.mask, None)

    def noise_shape(self, batch: int, frames: int) -> tuple[int, ...]:
        return (batch, frames, self.latent)

    def transition(self, start: Tensor, end: Tensor, frames: int) -> Tensor:
        """Return frames between two, by a line in the latent.

        Parameters
        ----------
        start, end : Tensor, shape (B, N)
        frames : int
            How many, both ends included.

        Returns
        -------
        Tensor, shape (B, frames, N)
        """
        a = torch.linspace(0, 1, frames, device=start.device)[None, :, None]
        z = (1 - a) * self.encoder(start)[:, None] + a * self.encoder(end)[:, None]
        return self.decoder(z).float()
