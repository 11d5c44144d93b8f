"""The default: a conditional, non-autoregressive transformer VAE.

After ACTOR (Petrovich, Black & Varol 2021, Action-Conditioned 3D Human Motion Synthesis with
Transformer VAE, arXiv:2104.05670). The decoder sees the latent at every frame and never a true
frame: it cannot copy, so the latent has to carry the sequence.

With ``body``, the default, frames are made in the coordinates of :mod:`generative.body`, angles and
lengths, so that every output is a body; and a linear map runs beside the encoder and another beside
the decoder. These are probabilistic PCA of training sequences in body coordinates, which is what a
linear VAE ends as (Tipping & Bishop 1999; Lucas et al. 2019, arXiv:1911.02469), and stay it; the
transformers learn what is left. On two processor cores they would need hours to find what PCA
finds in a second. ``body = false`` is the plain transformer, on normalised coordinates.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from generative.body import from_body, metric, to_body
from generative.models.base import Batch, Conditions, Model, Posterior, Shape
from generative.models.blocks import (
    ConditionEmbedding,
    masked_mean,
    sinusoids,
    stack,
    start_as_pca,
)


class TransformerVAE(Model):
    """Encoder, mean over frames, latent; decoder with the latent and the conditions everywhere."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 64, "heads": 4, "layers": 2, "latent": 64},
        "small": {"width": 128, "heads": 4, "layers": 4, "latent": 64},
        "base": {"width": 256, "heads": 8, "layers": 5, "latent": 64},
    }

    positions: Tensor
    frame_mean: Tensor
    frame_scale: Tensor
    inward: Tensor
    outward: Tensor

    def __init__(self, shape: Shape, width: int, heads: int, layers: int, latent: int,
                 dropout: float = 0.0, body: bool = True) -> None:  # fmt: skip
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
        self.body = body
        if body:
            # it begins with a latent that is used; without the divergence it would widen first
            self.beta_warmup = 0.0
            self._add_body(shape, width, latent)

    def _add_body(self, shape: Shape, width: int, latent: int) -> None:
        """Add what frames in body coordinates need; :meth:`begin` gives it values."""
        numbers = shape.features - 2
        flat = shape.frames * numbers
        self.frame_out = nn.Linear(width, numbers)
        self.linear_in, self.linear_out = nn.Linear(flat, latent), nn.Linear(latent, flat)
        self.linear_in.requires_grad_(False)
        self.linear_out.requires_grad_(False)
        for name in ("mean", "scale"):
            self.register_buffer(f"frame_{name}", torch.ones(shape.features))
        self.register_buffer("inward", torch.eye(numbers))  # body coordinates to errors of frames
        self.register_buffer("outward", torch.eye(numbers))

    @torch.no_grad()
    def begin(self, batch: Batch, mean: Tensor, scale: Tensor) -> None:
        if not self.body:
            return
        self.frame_mean.copy_(mean)
        self.frame_scale.copy_(scale)
        errors = metric((self.shape.features - 2) // 2, float(scale[0]), float(scale[-1]))
        self.inward.copy_(errors)
        self.outward.copy_(torch.linalg.inv(errors))
        x = self._flat(batch.x, batch.mask).double()
        center = x.mean(0)
        _, size, axes = torch.linalg.svd(x - center, full_matrices=False)
        variance = size.square() / len(x)
        k = min(self.latent, len(variance))
        rest = (variance.sum() - variance[:k].sum()) / max(1, x.shape[1] - k)
        nn.init.zeros_(self.frame_out.weight)
        nn.init.zeros_(self.frame_out.bias)
        start_as_pca(self.linear_in, self.linear_out, self.to_posterior, axes[:k], variance[:k],
                     rest, center)  # fmt: skip

    def encode(self, batch: Batch) -> Posterior:
        t = batch.x.shape[1]
        mask = None if bool(batch.mask.all()) else batch.mask
        h = self.frame_in(batch.x) + self._positions(t)  # (B, T, W)
        h = h + self.encoder_conditions(batch.conditions)[:, None]
        for block in self.encoder:
            h = block(h, mask)
        pooled = masked_mean(self.encoder_norm(h), batch.mask)  # (B, W)
        mean, log_variance = self.to_posterior(pooled).chunk(2, dim=-1)  # (B, Z) each
        if self.body:
            mean = mean + self.linear_in(self._flat(batch.x, batch.mask))
        return Posterior.clamped(mean, log_variance)

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        t = self.shape.frames if frames is None else frames
        given = self.from_latent(z) + self.decoder_conditions(conditions)  # (B, W)
        h = self._queries(t) + given[:, None]  # (B, T, W)
        for block in self.decoder:
            h = block(h)
        out = self.frame_out(self.decoder_norm(h)).float()  # (B, T, N), or N - 2 of the body
        if not self.body:
            return out
        line = self.linear_out(z).float().unflatten(1, (self.shape.frames, -1))
        place = torch.arange(t, device=z.device).clamp(max=self.shape.frames - 1)
        body = (out + line[:, place]) @ self.outward.T  # beyond the end, the last of the line
        return (from_body(body) - self.frame_mean) / self.frame_scale

    def _flat(self, x: Tensor, mask: Tensor) -> Tensor:
        """Body coordinates of the training's length, in units of errors, as vectors (B, T * N)."""
        t = self.shape.frames
        if x.shape[1] < t:  # the last frame that is there is repeated
            x = functional.pad(x, (0, 0, 0, t - x.shape[1]))
            mask = functional.pad(mask, (0, t - mask.shape[1]))
        frames = x[:, :t] * self.frame_scale + self.frame_mean
        return (to_body(frames, mask[:, :t]) @ self.inward.T).flatten(1)

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
