"""The baseline of the report: real pieces, joined by straight lines and noise.

Nothing is learned but the size of the noise: the residual of real frames around the line between
the frames ``SPAN - 1`` apart. Frames are interpolated coordinate by coordinate, so a larva that
turns shrinks on the way.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from generative.models.base import Batch, Conditions, Model, Posterior, Shape, Terms
from generative.models.transition_ae import SPAN, check_span


class Interpolate(Model):
    """The latent is the two ends themselves."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"tiny": {}, "small": {}, "base": {}}
    TRAINED: ClassVar[bool] = False

    noise: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, 2 * shape.features)
        check_span(shape)
        self.register_buffer("noise", torch.zeros(shape.features))

    def fit(self, batch: Batch) -> None:
        """Take the size of the noise from real sequences."""
        lines = self.terms(batch, torch.empty(0))
        rest = (lines.prediction - lines.target)[lines.mask]
        if len(rest):
            self.noise.copy_(rest.std(dim=0, unbiased=False))

    def encode(self, batch: Batch) -> Posterior:
        first, last = batch.x[:, 0], batch.x[:, min(SPAN, batch.x.shape[1]) - 1]
        z = torch.cat((first, last), dim=-1)  # (B, 2 N)
        return Posterior(z, torch.full_like(z, -torch.inf))  # a point

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        start, end = z.chunk(2, dim=-1)
        return self.transition(start, end, frames or SPAN)

    def terms(self, batch: Batch, noise: Tensor) -> Terms:
        _, t, n = batch.x.shape
        stretches = batch.x[:, : t - t % SPAN].reshape(-1, SPAN, n)
        whole = batch.mask[:, : t - t % SPAN].reshape(-1, SPAN)
        made = self.transition(stretches[:, 0], stretches[:, -1], SPAN)
        return Terms(made, stretches, whole & whole.all(dim=1, keepdim=True), None)

    def reconstruct(self, batch: Batch) -> Tensor:
        b, t, n = batch.x.shape
        stretches = batch.x[:, : t - t % SPAN].reshape(-1, SPAN, n)
        made = self.transition(stretches[:, 0], stretches[:, -1], SPAN).reshape(b, -1, n)
        return torch.cat((made, batch.x[:, made.shape[1] :]), dim=1)

    def transition(
        self, start: Tensor, end: Tensor, frames: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return frames on the line between two; start, end (B, N); shape (B, frames, N).

        With a generator, Gaussian noise of the fitted size is added.
        """
        a = torch.linspace(0, 1, frames, device=start.device)[None, :, None]
        line = (1 - a) * start[:, None] + a * end[:, None]
        if generator is None:
            return line
        return line + self.noise * torch.randn(line.shape, generator=generator).to(line)
