"""The report's LSTM VAE.

After Bowman et al. 2016 (Generating Sentences from a Continuous Space, arXiv:1511.06349): the last
hidden state of an LSTM gives the latent, another LSTM makes the frames one after the other, each
from the latent and the frame before. Its own small errors feed back: run on beyond the length of
its training sequences it drifts away (analyses/generative.md measures how far).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from generative.models.base import Batch, Conditions, Model, Posterior, Shape, Terms
from generative.models.blocks import ConditionEmbedding, last_valid


class LSTMVAE(Model):
    """LSTM, latent, LSTM; true frames as the decoder's input in training."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 64, "latent": 32},
        "small": {"width": 256, "latent": 64},
        "base": {"width": 512, "latent": 64},
    }

    def __init__(self, shape: Shape, width: int, latent: int, conditional: bool = True) -> None:
        super().__init__(shape, latent)
        self.encoder = nn.LSTM(shape.features, width, batch_first=True)
        self.to_posterior = nn.Linear(width, 2 * latent)
        self.conditions = ConditionEmbedding(shape, latent) if conditional else None
        self.to_state = nn.Linear(latent, 2 * width)
        self.decoder = nn.LSTM(shape.features + latent, width, batch_first=True)
        self.frame_out = nn.Linear(width, shape.features)

    def encode(self, batch: Batch) -> Posterior:
        hidden, _ = self.encoder(batch.x)  # (B, T, W)
        ends = self.to_posterior(last_valid(hidden, batch.mask))  # (B, 2 Z)
        return Posterior.clamped(*ends.chunk(2, dim=-1))

    def terms(self, batch: Batch, noise: Tensor) -> Terms:
        posterior = self.encode(batch)
        z = self._conditioned(posterior.sample(noise), batch.conditions)
        before = nn.functional.pad(batch.x[:, :-1], (0, 0, 1, 0))  # (B, T, N)
        latent = z[:, None].expand(-1, before.shape[1], -1)
        hidden, _ = self.decoder(torch.cat((before, latent), dim=-1), self._state(z))
        return Terms(self.frame_out(hidden).float(), batch.x, batch.mask, posterior)

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        z = self._conditioned(z, conditions)
        state, own = self._state(z), z.new_zeros(len(z), 1, self.shape.features)
        made = []
        for _ in range(self.shape.frames if frames is None else frames):
            hidden, state = self.decoder(torch.cat((own, z[:, None]), dim=-1), state)
            own = self.frame_out(hidden).to(z.dtype)  # (B, 1, N)
            made.append(own)
        return torch.cat(made, dim=1).float()

    def _conditioned(self, z: Tensor, conditions: Conditions) -> Tensor:
        return z if self.conditions is None else z + self.conditions(conditions)

    def _state(self, z: Tensor) -> tuple[Tensor, Tensor]:
        hidden, cell = self.to_state(z).chunk(2, dim=-1)  # (B, W) each
        return torch.tanh(hidden)[None].contiguous(), cell[None].contiguous()
