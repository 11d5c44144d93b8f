"""The optimiser that a configuration asks for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from generative.config import Config


def make_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Return Adam, or AdamW (Loshchilov & Hutter 2019), over the parameters of a model."""
    settings = config.training
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    if settings.optimizer == "adam":
        return kind(
            model.parameters(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
    # matrices decay; biases, norms and embeddings of positions do not
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    return kind(groups, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
