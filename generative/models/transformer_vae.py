"""The default: a conditional, non-autoregressive transformer VAE.

After ACTOR (Petrovich, Black & Varol 2021, Action-Conditioned 3D Human Motion Synthesis with
Transformer VAE, arXiv:2104.05670). The decoder sees the latent at every frame and never a true
frame: it cannot copy, so the latent has to carry the sequence.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from generative.models.base import Batch, Conditions, Model, Posterior, Shape
from generative.models.blocks import ConditionEmbedding, masked_mean, sinusoids, stack


class TransformerVAE(Model):
    """Encoder, mean over frames, latent; decoder with the latent and the conditions everywhere."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 64, "heads": 4, "layers": 2, "latent": 32},
        "small": {"width": 128, "heads": 4, "layers": 4, "latent": 64},
        "base": {"width": 256, "heads": 8, "layers": 5, "latent": 64},
    }

    positions: Tensor

    def __init__(self, shape: Shape, width: int, heads: int, layers: int, latent: int,
                 dropout: float = 0.0) -> None:  # fmt: skip
        super().__init__(shape, latent)
        self.width = width
        self.frame_in = nn.Linear(shape.features, width)
        self.encoder = stack(width, heads, layers, dropout)
        self.encoder_norm = nn.LayerNorm(width)
        self.encoder_conditions = ConditionEmbedding(shape, width)
        self.to_posterior = nn.Linear(width, 2 * latent)
        self.from_latent = nn.Linear(latent, width)
        self.queries = nn.Parameter(sinusoids(shape.frames, width))
        self.decoder_conditions = ConditionEmbedding(shape, width)
        self.decoder = stack(width, heads, layers, dropout)
        self.decoder_norm = nn.LayerNorm(width)
        self.frame_out = nn.Linear(width, shape.features)
        self.register_buffer("positions", sinusoids(shape.frames, width), persistent=False)

    def encode(self, batch: Batch) -> Posterior:
        t = batch.x.shape[1]
        mask = None if bool(batch.mask.all()) else batch.mask
        h = self.frame_in(batch.x) + self._positions(t)  # (B, T, W)
        h = h + self.encoder_conditions(batch.conditions)[:, None]
        for block in self.encoder:
            h = block(h, mask)
        pooled = masked_mean(self.encoder_norm(h), batch.mask)  # (B, W)
        mean, log_variance = self.to_posterior(pooled).chunk(2, dim=-1)  # (B, Z) each
        return Posterior.clamped(mean, log_variance)

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        t = self.shape.frames if frames is None else frames
        given = self.from_latent(z) + self.decoder_conditions(conditions)  # (B, W)
        h = self._queries(t) + given[:, None]  # (B, T, W)
        for block in self.decoder:
            h = block(h)
        return self.frame_out(self.decoder_norm(h)).float()  # (B, T, N)

    def _positions(self, frames: int) -> Tensor:
        if frames <= self.shape.frames:
            return self.positions[:frames]
        return sinusoids(frames, self.width).to(self.queries)

    def _queries(self, frames: int) -> Tensor:
        """Learned positions; beyond the length of training their sinusoids go on."""
        if frames <= self.shape.frames:
            return self.queries[:frames]
        beyond = sinusoids(frames, self.width).to(self.queries)[self.shape.frames :]
        return torch.cat((self.queries, beyond))
