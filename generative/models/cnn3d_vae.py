"""A VAE of films: strided 3D convolutions over binary images.

After Tran et al. 2015 (Learning Spatiotemporal Features with 3D Convolutional Networks,
arXiv:1412.0767), with the group norm of Wu & He 2018 (arXiv:1803.08494). As the report built it,
this overflowed, collapsed and gave white images: at 8% foreground an all-background image is a
good guess for a cross-entropy that starts from even odds. Here log variances are clamped, losses
work on logits, and the output starts at the odds of the foreground in the training films.

With ``distance``, the default, a linear map runs beside the encoder and another beside the decoder,
between the latent and a film's directions and distances from the larva's edge
(:mod:`generative.distance`). These are probabilistic PCA of training films (Tipping & Bishop 1999),
and stay it; the convolutions, which begin silent, learn what is left. ``distance = false`` is the
plain network.

The gated skip takes the second encoder block to the second-to-last decoder block, weighted by the
sigmoid of one learned number. At sampling time there is no encoder to take it from: :meth:`decode`
goes without, and ``skip_dropout`` makes training go without for that share of the films.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from generative.distance import CELL, from_distance, to_distance, turn_metric
from generative.models.base import Batch, Conditions, Model, Posterior, Shape, Terms
from generative.models.blocks import ConditionEmbedding, start_as_pca

SIDE = 128
"""Height and width of an image, pixels."""

_TIME = 32  # frames that the strides 2, 2, 2, 4 make one of
_CORNER = 8  # height and width of the smallest map
_ROUNDS = 3  # of the search for principal components


class CNN3DVAE(Model):
    """Four strided blocks down, a latent, four blocks up; logits of the foreground."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"channels": 4, "latent": 32},
        "small": {"channels": 8, "latent": 64},
        "base": {"channels": 16, "latent": 64},
    }
    IMAGES: ClassVar[bool] = True

    turn: Tensor

    def __init__(self, shape: Shape, channels: int, latent: int, distance: bool = True,
                 skip: bool = False, skip_dropout: float = 0.0,
                 foreground: float | None = None) -> None:  # fmt: skip
        super().__init__(shape, latent)
        _check(skip_dropout, foreground, distance)
        c, self.skip_dropout, self.foreground = channels, skip_dropout, foreground
        self.steps = math.ceil(shape.frames / _TIME)
        self.corner = (8 * c, self.steps, _CORNER, _CORNER)
        down = [(1, c, 2), (c, 2 * c, 2), (2 * c, 4 * c, 2), (4 * c, 8 * c, 4)]
        self.down = nn.ModuleList(_down(*block) for block in down)
        up = [(8 * c, 4 * c, 4), (4 * c, 2 * c, 2), (2 * c, c, 2)]
        self.up = nn.ModuleList(_up(*block) for block in up)
        self.image_out = nn.ConvTranspose3d(c, 1, 4, stride=2, padding=1)
        self.to_posterior = nn.Linear(math.prod(self.corner), 2 * latent)
        self.conditions = ConditionEmbedding(shape, latent)
        self.from_latent = nn.Linear(latent, math.prod(self.corner))
        self.gate = nn.Parameter(torch.zeros(())) if skip else None
        self.distance = distance
        if distance:
            # it begins with a latent that is used
            self.beta_warmup = 0.0
            flat = shape.frames * (1 + (SIDE // CELL) ** 2)
            self.linear_in, self.linear_out = nn.Linear(flat, latent), nn.Linear(latent, flat)
            self.linear_in.requires_grad_(False)  # a step of Adam in 30,000 inputs ends it
            self.linear_out.requires_grad_(False)
            self.register_buffer("turn", torch.ones(()))  # pixels per rad
            self.sharpness = nn.Parameter(torch.ones(()))  # logits per pixel from the edge
        elif foreground is not None:
            self._start_at(foreground)

    @torch.no_grad()
    def begin_films(self, films: Iterable[Batch]) -> None:
        if self.distance:
            angles, maps = map(torch.cat, zip(*(to_distance(b.x, b.mask) for b in films),
                                              strict=True))  # fmt: skip
            self.turn.fill_(turn_metric(maps.mean(0)))
            self._begin_distance(self._joined(angles, maps))
        elif self.foreground is None:
            sums = [(float(batch.x[batch.mask].sum()), int(batch.mask.sum())) for batch in films]
            larva, frames = (sum(column) for column in zip(*sums, strict=True))
            share = larva / max(frames * SIDE * SIDE, 1)
            self._start_at(min(max(share, 1e-4), 1 - 1e-4))

    def _start_at(self, foreground: float) -> None:
        odds = math.log(foreground / (1 - foreground))
        nn.init.constant_(self.image_out.bias, odds)  # type: ignore[arg-type]

    def _begin_distance(self, films: Tensor) -> None:
        """Take both linear maps from training films, shape (n, T * (1 + h * w))."""
        center = films.mean(0)
        around = films - center
        total = float(around.square().sum()) / len(films)
        k = min(self.latent, len(films) - 1)
        with torch.random.fork_rng(devices=[]):  # the same in every process
            torch.manual_seed(0)
            _, size, axes = torch.svd_lowrank(around, min(k + 16, len(films)), _ROUNDS)
        variance, axes = size[:k].square() / len(films), axes[:, :k]
        rest = max(total - float(variance.sum()), 0.0) / (films.shape[1] - k)
        nn.init.zeros_(self.image_out.weight)
        nn.init.zeros_(self.image_out.bias)  # type: ignore[arg-type]
        start_as_pca(self.linear_in, self.linear_out, self.to_posterior, axes.T, variance, rest,
                     center)  # fmt: skip

    def encode(self, batch: Batch) -> Posterior:
        return self._encoded(batch)[0]

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        return self._decoded(z, conditions, None, frames)

    def terms(self, batch: Batch, noise: Tensor) -> Terms:
        posterior, second = self._encoded(batch)
        skipped = None
        if self.gate is not None:
            # which films go without follows from the noise: the same seed, the same films
            kept = torch.special.ndtr(noise[:, 0]) >= self.skip_dropout
            skipped = torch.sigmoid(self.gate) * second * kept[:, None, None, None, None]
        z = posterior.sample(noise)
        made = self._decoded(z, batch.conditions, skipped, batch.x.shape[1])
        return Terms(made, batch.x, batch.mask, posterior)

    def _encoded(self, batch: Batch) -> tuple[Posterior, Tensor]:
        h = functional.pad(batch.x, (0, 0, 0, 0, 0, self.steps * _TIME - batch.x.shape[1]))
        h = h[:, None]  # (B, 1, 32, 128, 128)
        maps = []
        for block in self.down:
            h = block(h)
            maps.append(h)
        # maps: (B, C, 16, 64, 64), (B, 2C, 8, 32, 32), (B, 4C, 4, 16, 16), (B, 8C, 1, 8, 8)
        h = h.flatten(1)
        if self.distance:  # so that all inputs together move the posterior by as much as one would
            h = h / math.sqrt(h.shape[1])
        mean, log_variance = self.to_posterior(h).chunk(2, dim=-1)
        if self.distance:
            mean = mean + self.linear_in(self._flat(batch))
        return Posterior.clamped(mean, log_variance), maps[1]

    def _flat(self, batch: Batch) -> Tensor:
        """Films of the training's length as vectors; the last frame is repeated."""
        angle, maps = to_distance(batch.x, batch.mask)
        place = torch.arange(self.shape.frames, device=maps.device).clamp(max=maps.shape[1] - 1)
        return self._joined(angle[:, place], maps[:, place])

    def _joined(self, angle: Tensor, maps: Tensor) -> Tensor:
        """Directions and distances in the same unit, (B, T * (1 + h * w))."""
        return torch.cat((angle * self.turn, maps.flatten(1)), dim=1)

    def _decoded(
        self, z: Tensor, conditions: Conditions, skipped: Tensor | None, frames: int | None
    ) -> Tensor:
        h = self.from_latent(z + self.conditions(conditions)).view(-1, *self.corner)
        for block in self.up[:-1]:
            h = block(h)
        if skipped is not None:
            h = h + skipped  # (B, 2C, 8, 32, 32)
        h = self.up[-1](h)
        logits = self.image_out(h)[:, 0].float()  # (B, 32, 128, 128)
        t = self.shape.frames if frames is None else frames
        if not self.distance:
            return logits[:, :t]
        side, frames = SIDE // CELL, self.shape.frames
        line = self.linear_out(z).float()
        angle, maps = line[:, :frames] / self.turn, line[:, frames:].view(-1, frames, side, side)
        logits = logits[:, : min(t, frames)]
        t = logits.shape[1]
        return logits + self.sharpness * from_distance(angle[:, :t], maps[:, :t])


def _check(skip_dropout: float, foreground: float | None, distance: bool) -> None:
    """Refuse options that cannot be; the caller's sentence names them all."""
    if not 0 <= skip_dropout <= 1:
        raise ValueError("skip_dropout must be from 0 to 1")
    if foreground is not None and not 0 < foreground < 1:
        raise ValueError("foreground must be above 0 and below 1")
    if foreground is not None and distance:
        raise ValueError("foreground needs distance = false; distances start at the mean film")


def _down(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.Conv3d(inputs, outputs, (max(3, stride), 3, 3), (stride, 2, 2),
                     (1 if stride == 2 else 0, 1, 1))  # fmt: skip
    return nn.Sequential(conv, nn.GroupNorm(min(4, outputs), outputs), nn.ReLU())


def _up(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.ConvTranspose3d(inputs, outputs, 4, (stride, 2, 2), (1 if stride == 2 else 0, 1, 1))
    return nn.Sequential(conv, nn.GroupNorm(min(4, outputs), outputs), nn.ReLU())
