"""Configuration of a training: checked by pydantic, written in TOML.

A file has up to three tables, and every key a default::

    [model]
    name = "transformer_vae"
    preset = "small"

    [loss]
    name = "calibrated"
    beta = 1.0

    [training]
    epochs = 30
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from larvastats.errors import DataError, UsageError
from larvastats.io.files import AnyPath, read_head

LossName = Literal["calibrated", "report_plain", "report_warmup"]

MOST_TEXT = 1 << 20
"""Bytes of a configuration that are read."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelConfig(_Strict):
    """Which model, of which size."""

    name: str = "transformer_vae"
    preset: str = "small"
    options: dict[str, int | float | bool] = Field(default_factory=dict)
    """Hyperparameters that differ from the preset, such as ``width = 96`` or ``body = false``."""


class LossConfig(_Strict):
    """What is minimised; see :mod:`generative.losses`."""

    name: LossName = "calibrated"
    kl: Literal["sum", "mean"] = "sum"
    beta: float = Field(default=1.0, ge=0)
    beta_warmup: float | None = Field(default=None, ge=0, le=1)
    """Share of all steps; by default 0.3, and 0 for models that begin with PCA."""
    velocity: float | None = Field(default=None, ge=0)
    """By default 0.1 in the calibrated loss; the report's have no such term."""
    acceleration: float = Field(default=0.0, ge=0)
    free_bits: float = Field(default=0.0, ge=0)
    positive_weight: float = Field(default=1.0, gt=0)
    """Of larva pixels in the cross-entropy of films."""
    dice: float | None = Field(default=None, ge=0)
    """Of films; by default 1 in the calibrated loss; the report's have no such term."""

    @property
    def velocity_weight(self) -> float:
        """Weight of the error of velocities, the default resolved."""
        if self.velocity is not None:
            return self.velocity
        return 0.1 if self.name == "calibrated" else 0.0

    @property
    def dice_weight(self) -> float:
        """Weight of 1 - Dice, the default resolved."""
        if self.dice is not None:
            return self.dice
        return 1.0 if self.name == "calibrated" else 0.0

    @model_validator(mode="after")
    def _one_reading(self) -> LossConfig:
        if self.name == "calibrated" and self.kl != "sum":
            raise ValueError("kl must be 'sum' in the calibrated loss, which is a likelihood")
        return self


class TrainingConfig(_Strict):
    """How it is minimised."""

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=64, ge=1)
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, le=1)
    """Share of all steps in which the learning rate rises from 0."""
    clip: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    drop_conditions: float = Field(default=0.1, ge=0, le=1)
    reflect: bool = True
    """Mirror half of the sequences, anew in every epoch; never for lateralised assays."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    patience: int = Field(default=0, ge=0)
    """Epochs without a better validation loss, at fixed beta, before the end; 0 never stops."""
    patience_from: int = Field(default=20, ge=0)
    """First epoch that counts."""
    seed: int = Field(default=0, ge=0)


class Config(_Strict):
    """A whole training."""

    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()


REPORT_TRAINING: dict[str, Any] = {
    "epochs": 100, "optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 1e-5,
    "schedule": "constant", "warmup": 0.0, "clip": 0.0, "drop_conditions": 0.0, "patience": 10,
    "patience_from": 20,
}  # fmt: skip
"""The report's schedule."""


def report_config(
    loss: LossName, kl: Literal["sum", "mean"] = "sum", preset: str = "base", **training: Any
) -> Config:
    """Return the report's own training: its transformer, one of its losses, its schedule."""
    return make_config(
        {
            "model": {"name": "transformer_vae_report", "preset": preset},
            "loss": {"name": loss, "kl": kl},
            "training": {**REPORT_TRAINING, **training},
        }
    )


def make_config(values: dict[str, Any], source: str = "the configuration") -> Config:
    """Check a configuration.

    Raises
    ------
    UsageError
        A key or value that is none; the sentence names the first and counts the others.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UsageError(_sentence(error, source)) from error


def read_config(path: AnyPath) -> Config:
    """Read a configuration from TOML.

    Raises
    ------
    UsageError
        There is no such file, or a key or value that is none.
    DataError
        The file is no TOML.
    """
    try:
        values = tomllib.loads(read_head(path, MOST_TEXT).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"{path}: expected TOML, but {error}; see analyses/generative.md."
        ) from error
    return make_config(values, str(Path(path)))


def changed(config: Config, table: str, values: dict[str, Any]) -> Config:
    """Return a configuration in which some values of a table differ; None leaves one as it is."""
    whole = config.model_dump()
    whole[table] |= {key: value for key, value in values.items() if value is not None}
    return make_config(whole, "the options")


def _sentence(error: ValidationError, source: str) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "it"
    reason = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] in ("value_error", "missing") else f", but it is {first['input']!r}"
    more = f" ({error.error_count() - 1} more are wrong)" if error.error_count() > 1 else ""
    return f"{source}: {place}: {reason[:1].lower()}{reason[1:]}{found}{more}; change it."
