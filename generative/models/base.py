"""What every model is: numbers in, numbers out, with a latent in between.

A model file holds one class, a subclass of :class:`Model`, its ``PRESETS`` and nothing else.
Everything outside (training, sampling, diagnostics) uses only what stands here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

LOG_VARIANCE = (-10.0, 4.0)
"""Limits of a posterior's log variance: beyond, its exponential overflows in half precision."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes that come from the data.

    Attributes
    ----------
    features : int
        Numbers per frame (N).
    frames : int
        Frames per sequence (T).
    actions, genotypes, stimuli : int
        Numbers of conditions of each kind.
    """

    features: int
    frames: int
    actions: int
    genotypes: int
    stimuli: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a sequence is to show, each int64, shape (B,); -1 where it is left open."""

    action: Tensor
    genotype: Tensor
    stimulus: Tensor

    def to(self, device: torch.device | str) -> Conditions:
        """Move to a device."""
        parts = (self.action, self.genotype, self.stimulus)
        return Conditions(*(part.to(device, non_blocking=True) for part in parts))

    def dropped(self, drop: Tensor) -> Conditions:
        """Leave conditions open where `drop`, bool, shape (B, 3), says so."""
        parts = (self.action, self.genotype, self.stimulus)
        return Conditions(*(p.masked_fill(drop[:, k], -1) for k, p in enumerate(parts)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Normalised sequences.

    Attributes
    ----------
    x : Tensor of float32, shape (B, T, N); or (B, T, H, W) of images
        0 beyond the end of a sequence.
    mask : Tensor of bool, shape (B, T)
        Whether the frame is there.
    conditions : Conditions
    """

    x: Tensor
    mask: Tensor
    conditions: Conditions

    def to(self, device: torch.device | str) -> Batch:
        """Move to a device."""
        return Batch(self.x.to(device, non_blocking=True), self.mask.to(device, non_blocking=True),
                     self.conditions.to(device))  # fmt: skip

    def with_conditions(self, conditions: Conditions) -> Batch:
        """Return the same sequences under other conditions."""
        return replace(self, conditions=conditions)


@dataclass(frozen=True, slots=True)
class Posterior:
    """Diagonal Gaussian over the latent; shapes (B, Z), or (B, T, Z) for models of frames."""

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def clamped(cls, mean: Tensor, log_variance: Tensor) -> Posterior:
        """Build with the log variance within limits, in single precision."""
        return cls(mean.float(), log_variance.float().clamp(*LOG_VARIANCE))

    def sample(self, noise: Tensor) -> Tensor:
        """Draw by reparameterisation (Kingma & Welling 2014, section 2.4); noise like the mean."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl(self) -> Tensor:
        """KL divergence from N(0, I) in nats, one number per dimension, shape (B, Z)."""
        each = 0.5 * (self.mean.square() + self.log_variance.exp() - 1.0 - self.log_variance)
        return each if each.ndim == 2 else each.mean(dim=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What losses are made of.

    Attributes
    ----------
    prediction, target : Tensor, shape (B, T, N), or (B, T, H, W) of logits and images
    mask : Tensor of bool, shape (B, T)
    posterior : Posterior or None
        None for models without a probabilistic latent.
    """

    prediction: Tensor
    target: Tensor
    mask: Tensor
    posterior: Posterior | None


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent Gaussians from which latents are drawn, shapes (Z,)."""

    mean: Tensor
    scale: Tensor

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw latents, shape (n, Z)."""
        noise = torch.randn(n, len(self.mean), generator=generator)
        return self.mean + self.scale * noise


class Model(nn.Module):
    """A generative model of sequences.

    Attributes
    ----------
    shape : Shape
    latent : int
        Dimensions of the latent (Z).
    beta_warmup : float
        Share of all steps over which beta rises from 0, where the configuration leaves it open.
    PRESETS : mapping of str to mapping
        Hyperparameters of ``tiny`` (tests), ``small`` (a laptop's processor) and ``base``.
    IMAGES : bool
        Whether frames are images.
    TRAINED : bool
        Whether there are weights to train.
    """

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    IMAGES: ClassVar[bool] = False
    TRAINED: ClassVar[bool] = True

    shape: Shape
    latent: int
    beta_warmup: float

    def __init__(self, shape: Shape, latent: int) -> None:
        super().__init__()
        self.shape, self.latent = shape, latent
        self.beta_warmup = 0.3

    def encode(self, batch: Batch) -> Posterior:
        """Return where sequences lie in the latent."""
        raise NotImplementedError

    def decode(self, z: Tensor, conditions: Conditions, frames: int | None = None) -> Tensor:
        """Return sequences, shape (B, T, N), from latents alone: free-running, nothing is given.

        Parameters
        ----------
        z : Tensor, shape (B, Z); (B, T, Z) for models of frames
        conditions : Conditions
        frames : int, optional
            Length; by default that of the training sequences.
        """
        raise NotImplementedError

    def terms(self, batch: Batch, noise: Tensor) -> Terms:
        """Return what the loss is made of, as in training: decoders may be given the truth.

        Parameters
        ----------
        batch : Batch
        noise : Tensor, shape as :meth:`noise_shape` says
            Standard normal; zeros to take the posterior's mean.
        """
        posterior = self.encode(batch)
        prediction = self.decode(posterior.sample(noise), batch.conditions, batch.x.shape[1])
        return Terms(prediction, batch.x, batch.mask, posterior)

    def reconstruct(self, batch: Batch) -> Tensor:
        """Return free-running reconstructions from the posterior's mean, shape of ``batch.x``."""
        return self.decode(self.encode(batch).mean, batch.conditions, batch.x.shape[1])

    def begin(self, batch: Batch, mean: Tensor, scale: Tensor) -> None:
        """Choose where to start; by default the weights stay as drawn.

        Parameters
        ----------
        batch : Batch
            Training sequences.
        mean, scale : Tensor, shape (N,)
            What they were normalised by.
        """

    def begin_films(self, films: Iterable[Batch]) -> None:
        """Choose where to start; by default the weights stay as drawn.

        Parameters
        ----------
        films : iterable of Batch
            Training films, some at a time.
        """

    def noise_shape(self, batch: int, frames: int) -> tuple[int, ...]:
        """Shape of the noise that :meth:`terms` takes."""
        return (batch, self.latent)

    def prior(self) -> Prior:
        """Return N(0, I); what is fitted to the aggregate posterior replaces it in sampling."""
        return Prior(torch.zeros(self.latent), torch.ones(self.latent))

    def forward(self, batch: Batch, noise: Tensor) -> Terms:
        """Do :meth:`terms`, so that wrappers for several devices see the call."""
        return self.terms(batch, noise)
