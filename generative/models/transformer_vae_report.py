"""The report's transformer VAE, as it was: an autoregressive decoder that is given the truth.

Layers of Vaswani et al. 2017 (Attention Is All You Need, arXiv:1706.03762), a Gaussian latent after
Kingma & Welling 2014 (arXiv:1312.6114). The decoder attends to a memory of one token: softmax over
one element is 1 whatever it is compared with, so the query and key weights of that attention get
no gradient and its map means nothing. With true frames as input the decoder copies the last one;
its latent is not needed, and the report's loss then switches it off (posterior collapse).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from generative.models.base import Batch, Conditions, Model, Posterior, Shape, Terms
from generative.models.blocks import masked_mean, sinusoids


class TransformerVAEReport(Model):
    """Linear, sinusoidal positions, encoder, mean, latent, masked decoder; no conditions."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 64, "heads": 4, "layers": 2, "latent": 32},
        "small": {"width": 128, "heads": 4, "layers": 4, "latent": 64},
        "base": {"width": 256, "heads": 8, "layers": 5, "latent": 64},
    }

    def __init__(self, shape: Shape, width: int, heads: int, layers: int, latent: int,
                 dropout: float = 0.1, feedforward: int = 8) -> None:  # fmt: skip
        super().__init__(shape, latent)
        self.width = width
        self.frame_in = nn.Linear(shape.features, width)
        options: dict[str, Any] = {
            "dim_feedforward": feedforward * width,
            "dropout": dropout,
            "batch_first": True,
        }
        self.encoder = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, **options) for _ in range(layers)
        )
        self.to_posterior = nn.Linear(width, 2 * latent)
        self.from_latent = nn.Linear(latent, width)
        self.decoder_in = nn.Linear(shape.features, width)
        self.decoder = nn.ModuleList(
            nn.TransformerDecoderLayer(width, heads, **options) for _ in range(layers)
        )
        self.frame_out = nn.Linear(width, shape.features)

    def encode(self, batch: Batch) -> Posterior:
        h = self.frame_in(batch.x) + sinusoids(batch.x.shape[1], self.width).to(batch.x)
        for layer in self.encoder:
            h = layer(h, src_key_padding_mask=~batch.mask)  # (B, T, W)
        mean, log_variance = self.to_posterior(masked_mean(h, batch.mask)).chunk(2, dim=-1)
        return Posterior.clamped(mean, log_variance)  # (B, Z)

    def terms(self, batch: Batch, noise: Tensor) -> Terms:
        posterior = self.encode(batch)
        # teacher forcing: frame k is made from the true frames before it
        given = nn.functional.pad(batch.x[:, :-1], (0, 0, 1, 0))  # (B, T, N), zeros first
        prediction = self._decoded(given, self.from_latent(posterior.sample(noise)))
        return Terms(prediction.float(), batch.x, batch.mask, posterior)

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        memory = self.from_latent(z)  # (B, W)
        own = z.new_zeros(len(z), 1, self.shape.features)
        for _ in range(self.shape.frames if frames is None else frames):
            newest = self._decoded(own, memory)[:, -1:]
            own = torch.cat((own, newest.to(own.dtype)), dim=1)
        return own[:, 1:].float()  # (B, T, N)

    def _decoded(self, given: Tensor, memory: Tensor) -> Tensor:
        t = given.shape[1]
        h = self.decoder_in(given) + sinusoids(t, self.width).to(given)
        causal = nn.Transformer.generate_square_subsequent_mask(t, device=given.device)
        for layer in self.decoder:
            h = layer(h, memory[:, None], tgt_mask=causal, tgt_is_causal=True)
        return self.frame_out(h)
