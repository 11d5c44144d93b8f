"""Pieces that several models are made of."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from generative.models.base import Conditions, Shape


class ConditionEmbedding(nn.Module):
    """Sum of the embeddings of action, genotype and stimulus; an open condition has its own."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        sizes = (shape.actions, shape.genotypes, shape.stimuli)
        tables = [nn.Embedding(n + 1, width) for n in sizes]
        for table in tables:
            nn.init.normal_(table.weight, std=0.02)
        self.tables = nn.ModuleList(tables)

    def forward(self, conditions: Conditions) -> Tensor:
        """Return the embedding, shape (B, W)."""
        parts = (conditions.action, conditions.genotype, conditions.stimulus)
        # -1, an open condition, is row 0
        return torch.stack([t(p + 1) for t, p in zip(self.tables, parts, strict=True)]).sum(0)


class Block(nn.Module):
    """Pre-norm self-attention and MLP (Xiong 2020), as in nanoGPT without the causal mask."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Mix frames; x (B, T, W), mask (B, T) of the frames that are there, or None for all."""
        b, t, w = x.shape
        q, k, v = (
            self.qkv(self.norm_1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )  # (B, H, T, W/H) each
        attended = functional.scaled_dot_product_attention(
            q, k, v,
            attn_mask=None if mask is None else mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )  # fmt: skip
        x = x + self.out(attended.transpose(1, 2).reshape(b, t, w))
        hidden = functional.gelu(self.up(self.norm_2(x)), approximate="tanh")
        return x + functional.dropout(self.down(hidden), self.dropout, self.training)


def stack(width: int, heads: int, layers: int, dropout: float) -> nn.ModuleList:
    """Return blocks whose last layers start small, so that a deep stack starts near identity."""
    blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
    for block in blocks:
        for name in ("out", "down"):
            nn.init.normal_(getattr(block, name).weight, std=0.02 / math.sqrt(2 * layers))
    return blocks


def sinusoids(frames: int, width: int) -> Tensor:
    """Positions as sines and cosines (Vaswani 2017, section 3.5), shape (T, W)."""
    position = torch.arange(frames)[:, None]
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    table = torch.zeros(frames, width)
    table[:, 0::2], table[:, 1::2] = torch.sin(position * rate), torch.cos(position * rate)
    return table


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the frames that are there; x (B, T, W), mask (B, T); shape (B, W)."""
    weight = mask[:, :, None].to(x.dtype)
    return (x * weight).sum(1) / weight.sum(1).clamp(min=1)


def last_valid(x: Tensor, mask: Tensor) -> Tensor:
    """Frame at the end of every sequence; x (B, T, W), shape (B, W)."""
    last = (mask.sum(1) - 1).clamp(min=0)
    return x[torch.arange(len(x), device=x.device), last]


def mlp(inputs: int, width: int, outputs: int, layers: int) -> nn.Sequential:
    """Return a multilayer perceptron with GELU."""
    sizes = [inputs] + [width] * layers
    parts: list[nn.Module] = []
    for a, b in pairwise(sizes):
        parts += [nn.Linear(a, b), nn.GELU(approximate="tanh")]
    return nn.Sequential(*parts, nn.Linear(sizes[-1], outputs))


@torch.no_grad()
def start_as_pca(
    inward: nn.Linear, outward: nn.Linear, posterior: nn.Linear, axes: Tensor, variance: Tensor,
    rest: Tensor | float, center: Tensor,
) -> None:  # fmt: skip
    """Make two linear maps probabilistic PCA, and what is added to the first nearly silent.

    Tipping & Bishop 1999, Journal of the Royal Statistical Society B 61, 611-622, equations 7 and
    8, in the rotation whose latents are independent.

    Parameters
    ----------
    inward, outward : nn.Linear
        From D numbers to Z latents, and back.
    posterior : nn.Linear
        Gives the 2 Z means and log variances; its means are added to those of `inward`.
    axes : Tensor, shape (K, D)
        Principal axes, K up to Z.
    variance : Tensor, shape (K,)
        Along them.
    rest : Tensor or float
        Variance along every other axis.
    center : Tensor, shape (D,)
    """
    k, latent = len(variance), inward.out_features
    scales = (variance - rest).clamp(min=1e-6).sqrt()  # (K,), of one unit of the latent
    to_latent = axes * (scales / (scales.square() + rest))[:, None]
    for layer in (inward, outward):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    inward.weight[:k] = to_latent.float()
    inward.bias[:k] = -(to_latent @ center).float()
    outward.weight[:, :k] = (axes * scales[:, None]).T.float()
    outward.bias[:] = center.float()
    posterior.weight *= 0.01
    nn.init.zeros_(posterior.bias)
    narrow = (rest / (scales.square() + rest)).clamp(min=1e-6).log()
    posterior.bias[latent : latent + k] = narrow.float()
