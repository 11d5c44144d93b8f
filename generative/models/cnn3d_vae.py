"""A VAE of films: strided 3D convolutions over binary images.

After Tran et al. 2015 (Learning Spatiotemporal Features with 3D Convolutional Networks,
arXiv:1412.0767), with the group norm of Wu & He 2018 (arXiv:1803.08494). As the report built it,
this overflowed, collapsed and gave white images: at 8% foreground an all-background image is a
good guess for a cross-entropy that starts from even odds. Here the output starts at the odds of
the foreground, log variances are clamped, and losses work on logits.

The gated skip takes the second encoder block to the second-to-last decoder block, weighted by the
sigmoid of one learned number. At sampling time there is no encoder to take it from: :meth:`decode`
goes without, and ``skip_dropout`` makes training go without for that share of the films.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from generative.models.base import Batch, Conditions, Model, Posterior, Shape, Terms
from generative.models.blocks import ConditionEmbedding

SIDE = 128
"""Height and width of an image, pixels."""

_TIME = 32  # frames that the strides 2, 2, 2, 4 make one of
_CORNER = 8  # height and width of the smallest map


class CNN3DVAE(Model):
    """Four strided blocks down, a latent, four blocks up; logits of the foreground."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"channels": 4, "latent": 32},
        "small": {"channels": 8, "latent": 64},
        "base": {"channels": 16, "latent": 64},
    }
    IMAGES: ClassVar[bool] = True

    def __init__(self, shape: Shape, channels: int, latent: int, skip: bool = False,
                 skip_dropout: float = 0.0, foreground: float = 0.08) -> None:  # fmt: skip
        super().__init__(shape, latent)
        c, self.skip_dropout = channels, skip_dropout
        self.steps = math.ceil(shape.frames / _TIME)
        self.corner = (8 * c, self.steps, _CORNER, _CORNER)
        down = [(1, c, 2), (c, 2 * c, 2), (2 * c, 4 * c, 2), (4 * c, 8 * c, 4)]
        self.down = nn.ModuleList(_down(*block) for block in down)
        up = [(8 * c, 4 * c, 4), (4 * c, 2 * c, 2), (2 * c, c, 2)]
        self.up = nn.ModuleList(_up(*block) for block in up)
        self.image_out = nn.ConvTranspose3d(c, 1, 4, stride=2, padding=1)
        odds = math.log(foreground / (1 - foreground))
        nn.init.constant_(self.image_out.bias, odds)  # type: ignore[arg-type]
        self.to_posterior = nn.Linear(math.prod(self.corner), 2 * latent)
        self.conditions = ConditionEmbedding(shape, latent)
        self.from_latent = nn.Linear(latent, math.prod(self.corner))
        self.gate = nn.Parameter(torch.zeros(())) if skip else None

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
        mean, log_variance = self.to_posterior(h.flatten(1)).chunk(2, dim=-1)
        return Posterior.clamped(mean, log_variance), maps[1]

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
        return logits[:, : self.shape.frames if frames is None else frames]


def _down(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.Conv3d(inputs, outputs, (max(3, stride), 3, 3), (stride, 2, 2),
                     (1 if stride == 2 else 0, 1, 1))  # fmt: skip
    return nn.Sequential(conv, nn.GroupNorm(min(4, outputs), outputs), nn.ReLU())


def _up(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.ConvTranspose3d(inputs, outputs, 4, (stride, 2, 2), (1 if stride == 2 else 0, 1, 1))
    return nn.Sequential(conv, nn.GroupNorm(min(4, outputs), outputs), nn.ReLU())
