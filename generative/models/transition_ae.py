"""Transitions: ten frames from the first and the last of them.

A conditional regression in the spirit of in-betweening networks (Harvey et al. 2020, Robust Motion
In-Betweening, arXiv:2102.04942), as small as the report's: learned on real stretches, so what lies
between two frames is what larvae did between such frames.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from generative.models.base import Batch, Conditions, Model, Posterior, Shape, Terms
from generative.models.blocks import mlp

SPAN = 10
"""Frames of a transition, both ends included."""


def check_span(shape: Shape) -> None:
    """Raise ValueError where no sequence is as long as a transition."""
    if shape.frames < SPAN:
        raise ValueError(f"transitions take {SPAN} frames, but sequences have {shape.frames}")


class TransitionAE(Model):
    """Perceptron from two frames to a latent, perceptron from it to the frames between."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 64, "layers": 2, "latent": 16},
        "small": {"width": 256, "layers": 2, "latent": 32},
        "base": {"width": 512, "layers": 3, "latent": 64},
    }

    def __init__(self, shape: Shape, width: int, layers: int, latent: int) -> None:
        super().__init__(shape, latent)
        check_span(shape)
        self.encoder = mlp(2 * shape.features, width, latent, layers)
        self.decoder = mlp(latent, width, SPAN * shape.features, layers)

    def encode(self, batch: Batch) -> Posterior:
        first, last = batch.x[:, 0], batch.x[:, min(SPAN, batch.x.shape[1]) - 1]
        z = self._latent(first, last).float()  # (B, Z)
        return Posterior(z, torch.full_like(z, -torch.inf))  # a point

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        made = self.decoder(z).view(len(z), SPAN, self.shape.features)
        return made[:, :frames].float()  # (B, 10, N)

    def terms(self, batch: Batch, noise: Tensor) -> Terms:
        """Cut every sequence into stretches of ten frames; each is a sample."""
        _, t, n = batch.x.shape
        stretches = batch.x[:, : t - t % SPAN].reshape(-1, SPAN, n)  # (B * T / 10, 10, N)
        whole = batch.mask[:, : t - t % SPAN].reshape(-1, SPAN)
        mask = whole & whole.all(dim=1, keepdim=True)
        made = self.transition(stretches[:, 0], stretches[:, -1])
        return Terms(made, stretches, mask, None)

    def reconstruct(self, batch: Batch) -> Tensor:
        """Return all stretches of ten frames, joined; what is left at the end stays as it was."""
        b, t, n = batch.x.shape
        stretches = batch.x[:, : t - t % SPAN].reshape(-1, SPAN, n)
        made = self.transition(stretches[:, 0], stretches[:, -1]).reshape(b, -1, n)
        return torch.cat((made, batch.x[:, made.shape[1] :]), dim=1)

    def transition(self, start: Tensor, end: Tensor) -> Tensor:
        """Return ten frames from the first and the last; start, end (B, N); (B, 10, N)."""
        made = self.decoder(self._latent(start, end))
        return made.view(len(start), SPAN, self.shape.features).float()

    def _latent(self, start: Tensor, end: Tensor) -> Tensor:
        return self.encoder(torch.cat((start, end), dim=-1))
