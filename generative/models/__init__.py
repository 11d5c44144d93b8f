"""Generative models by name; one file each, all of them a :class:`~generative.models.base.Model`.

A further model is one more file and one more entry in :data:`MODELS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generative.models.base import Batch, Conditions, Model, Posterior, Prior, Shape, Terms
from generative.models.cnn3d_vae import CNN3DVAE
from generative.models.frame_ae import FrameAE
from generative.models.interpolate import Interpolate
from generative.models.lstm_vae import LSTMVAE
from generative.models.transformer_vae import TransformerVAE
from generative.models.transformer_vae_report import TransformerVAEReport
from generative.models.transition_ae import TransitionAE
from larvastats.errors import UsageError

__all__ = [
    "DEFAULT", "MODELS", "PRESETS", "Batch", "Conditions", "Model", "Posterior", "Prior", "Shape",
    "Terms", "build_model", "hyperparameters",
]  # fmt: skip

MODELS: dict[str, type[Model]] = {
    "interpolate": Interpolate,
    "frame_ae": FrameAE,
    "transition_ae": TransitionAE,
    "lstm_vae": LSTMVAE,
    "transformer_vae_report": TransformerVAEReport,
    "transformer_vae": TransformerVAE,
    "cnn3d_vae": CNN3DVAE,
}
"""Models by name."""

DEFAULT = "transformer_vae"

PRESETS = ("tiny", "small", "base")
"""Sizes that every model comes in: for tests, a laptop's processor, and the report's own."""


def hyperparameters(name: str, preset: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's hyperparameters: those of the preset, changed by `options`.

    Raises
    ------
    UsageError
        No such model, or no such preset.
    """
    if name not in MODELS:
        raise UsageError(f"The model must be one of {', '.join(MODELS)}, but is {name!r}.")
    if preset not in MODELS[name].PRESETS:
        raise UsageError(f"The preset must be one of {', '.join(PRESETS)}, but is {preset!r}.")
    return {**MODELS[name].PRESETS[preset], **options}


def build_model(name: str, shape: Shape, values: Mapping[str, Any]) -> Model:
    """Build a model from hyperparameters.

    Raises
    ------
    UsageError
        No such model, or it has no such hyperparameter, or no such value.
    """
    if name not in MODELS:
        raise UsageError(f"The model must be one of {', '.join(MODELS)}, but is {name!r}.")
    try:
        return MODELS[name](shape, **values)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise UsageError(
            f"The model {name} cannot be built with "
            f"{', '.join(f'{k}={v!r}' for k, v in values.items())}: {error}."
        ) from error
