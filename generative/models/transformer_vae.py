"""The default: a conditional, non-autoregressive transformer VAE.

After ACTOR (Petrovich, Black & Varol 2021, Action-Conditioned 3D Human Motion Synthesis with
Transformer VAE, arXiv:2104.05670). The decoder sees the latent at every frame and never a true
frame: it cannot copy, so the latent has to carry the sequence.

With ``linear``, a linear map of all frames runs beside the encoder and one of the latent beside the
decoder. They are probabilistic PCA of training sequences, which is what a linear VAE ends as
(Tipping & Bishop 1999; Lucas et al. 2019, arXiv:1911.02469), and stay it; the transformers learn
what is left. On two processor cores these would need hours to find what PCA finds in a second.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

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
                 dropout: float = 0.0, linear: bool = False) -> None:  # fmt: skip
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
        self.linear = linear
        if linear:
            flat = shape.frames * shape.features
            self.linear_in = nn.Linear(flat, latent)
            self.linear_out = nn.Linear(latent, flat)
            self.linear_in.requires_grad_(False)
            self.linear_out.requires_grad_(False)

    @torch.no_grad()
    def begin(self, batch: Batch) -> None:
        """Make the linear maps probabilistic PCA of a batch, and the transformers nearly 0."""
        if not self.linear:
            return
        x = self._flat(batch.x).double()
        center = x.mean(0)
        _, size, axes = torch.linalg.svd(x - center, full_matrices=False)
        variance = size.square() / len(x)
        k = min(self.latent, len(variance))
        rest = (variance.sum() - variance[:k].sum()) / max(1, x.shape[1] - k)
        scale = (variance[:k] - rest).clamp(min=1e-6).sqrt()  # (k,), of one unit of the latent
        inward = axes[:k] * (scale / (scale.square() + rest))[:, None]
        for layer in (self.linear_in, self.linear_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.linear_in.weight[:k] = inward
        self.linear_in.bias[:k] = -inward @ center
        self.linear_out.weight[:, :k] = (axes[:k] * scale[:, None]).T
        self.linear_out.bias[:] = center
        for layer in (self.to_posterior, self.frame_out):
            layer.weight *= 0.01
            nn.init.zeros_(layer.bias)
        narrow = (rest / (scale.square() + rest)).clamp(min=1e-6).log()
        self.to_posterior.bias[self.latent : self.latent + k] = narrow

    def encode(self, batch: Batch) -> Posterior:
        t = batch.x.shape[1]
        mask = None if bool(batch.mask.all()) else batch.mask
        h = self.frame_in(batch.x) + self._positions(t)  # (B, T, W)
        h = h + self.encoder_conditions(batch.conditions)[:, None]
        for block in self.encoder:
            h = block(h, mask)
        pooled = masked_mean(self.encoder_norm(h), batch.mask)  # (B, W)
        mean, log_variance = self.to_posterior(pooled).chunk(2, dim=-1)  # (B, Z) each
        if self.linear:
            mean = mean + self.linear_in(self._flat(batch.x))
        return Posterior.clamped(mean, log_variance)

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        t = self.shape.frames if frames is None else frames
        given = self.from_latent(z) + self.decoder_conditions(conditions)  # (B, W)
        h = self._queries(t) + given[:, None]  # (B, T, W)
        for block in self.decoder:
            h = block(h)
        out = self.frame_out(self.decoder_norm(h)).float()  # (B, T, N)
        if not self.linear:
            return out
        line = self.linear_out(z).float().unflatten(1, (self.shape.frames, self.shape.features))
        n = min(t, self.shape.frames)  # beyond, there is no line
        return out + functional.pad(line[:, :n], (0, 0, 0, t - n))

    def _flat(self, x: Tensor) -> Tensor:
        """Sequences of the training's length as vectors, shape (B, T * N)."""
        x = x[:, : self.shape.frames]
        return functional.pad(x, (0, 0, 0, self.shape.frames - x.shape[1])).flatten(1)

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
