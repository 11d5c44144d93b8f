"""Trained models on disk: one safetensors file each, with what it is as JSON in its header.

Nothing else is read or written: no pickle, whose loading runs whatever it holds. Files appear by a
rename, whole or not at all, and carry a checksum of their numbers and one of the data they were
trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from generative.config import Config, make_config
from generative.frames import Normaliser, mirrored_names
from generative.models import Model, Shape, build_model, hyperparameters
from larvastats.errors import DataError, UsageError
from larvastats.io.files import AnyPath, read_head, replacing

FORMAT = "larvastats generative checkpoint"
VERSION = 3

EARLIER_OPTIONS: dict[str, dict[str, dict[str, dict[str, Any]]]] = {
    "1": {
        "transformer_vae": {
            "tiny": {"latent": 32, "body": False},
            "small": {"body": False},
            "base": {"body": False},
        }
    },
    "2": {
        "cnn3d_vae": {preset: {"distance": False} for preset in ("tiny", "small", "base")},
    },
}
"""What presets meant up to a version, where they mean something else from the next one on."""

MODEL_FILE = "model.safetensors"
"""The model to use: the best of a training by its validation loss."""

STATE_FILE = "last.safetensors"
"""Where a training goes on."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What a checkpoint says of itself.

    Attributes
    ----------
    config : Config
    shape : Shape
    actions, genotypes, stimuli : tuple of str
        Names of the conditions, in the order of their numbers.
    normaliser : Normaliser or None
        None for models of films.
    points : int
        Midline points per frame; 0 for films.
    dt : float
        Seconds between frames of the training sequences (median).
    body_length : float
        Mean length of a larva of the training set, in the unit of its midlines.
    data : str
        Checksum of the training set.
    """

    config: Config
    shape: Shape
    actions: tuple[str, ...]
    genotypes: tuple[str, ...]
    stimuli: tuple[str, ...]
    normaliser: Normaliser | None
    points: int
    dt: float
    body_length: float
    data: str

    @property
    def has_twins(self) -> bool:
        """Whether mirror images do the same: training mirrored, and no action has a side."""
        sides = mirrored_names(self.actions) != tuple(range(len(self.actions)))
        return self.config.training.reflect and not sides

    def build(self) -> Model:
        """Build the model, without its weights."""
        chosen = self.config.model
        values = hyperparameters(chosen.name, chosen.preset, chosen.options)
        return build_model(chosen.name, self.shape, values)

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` takes."""
        norm = self.normaliser
        return {
            "config": self.config.model_dump(), "shape": asdict(self.shape),
            "actions": self.actions, "genotypes": self.genotypes, "stimuli": self.stimuli,
            "normaliser": None if norm is None else [norm.mean.tolist(), norm.scale.tolist()],
            "points": self.points, "dt": self.dt, "body_length": self.body_length,
            "data": self.data,
        }  # fmt: skip

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Description:
        """Build from what was read; raises KeyError, TypeError, ValueError or UsageError."""
        norm = values["normaliser"]
        return cls(
            make_config(values["config"]),
            Shape(**{key: int(value) for key, value in values["shape"].items()}),
            tuple(map(str, values["actions"])), tuple(map(str, values["genotypes"])),
            tuple(map(str, values["stimuli"])),
            None if norm is None else Normaliser(np.array(norm[0], np.float64),
                                                 np.array(norm[1], np.float64)),
            int(values["points"]), float(values["dt"]), float(values["body_length"]),
            str(values["data"]),
        )  # fmt: skip


def write_checkpoint(
    path: AnyPath, tensors: Mapping[str, Tensor], description: Description, state: Any = None
) -> None:
    """Write tensors and what they are, whole or not at all.

    Parameters
    ----------
    path : path
    tensors : mapping of str to Tensor
    description : Description
    state : JSON, optional
        Of a training that goes on.

    Raises
    ------
    DataError
        The disk is full, or the folder may not be written.
    """
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {
        "format": FORMAT,
        "version": str(VERSION),
        "checksum": _checksum(own),
        "description": json.dumps(description.to_json()),
        "state": json.dumps(state),
    }
    with replacing(path) as part:
        try:
            save_file(own, part, header)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def read_checkpoint(path: AnyPath) -> tuple[dict[str, Tensor], Description, Any]:
    """Read what :func:`write_checkpoint` wrote.

    Returns
    -------
    tensors : dict of str to Tensor
    description : Description
    state : JSON

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is damaged, no checkpoint of larvastats, or one of another version.
    """
    read_head(path, 8)  # a missing or forbidden file gets its own sentence
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(
            f"{path}: expected a checkpoint in safetensors, but the file is damaged, cut off or "
            f"something else ({error}); copy it again, or train anew."
        ) from error
    if header.get("format") != FORMAT:
        raise DataError(
            f"{path}: expected a checkpoint of `larvastats generate train`, but these are weights "
            "from elsewhere; give the model.safetensors of a training."
        )
    if header.get("version") not in (*EARLIER_OPTIONS, str(VERSION)):
        raise DataError(
            f"{path}: expected a checkpoint of version 1 to {VERSION}, but it is of version "
            f"{header.get('version')!r}; use the larvastats that made it, or train anew."
        )
    if header.get("checksum") != _checksum(tensors):
        raise DataError(
            f"{path}: the checkpoint is damaged: its numbers are not those that were written; "
            "copy it again, or train anew."
        )
    try:
        values = json.loads(header["description"])
        values["config"]["model"] = _meant(values["config"]["model"], header["version"])
        description = Description.from_json(values)
        return tensors, description, json.loads(header["state"])
    except (KeyError, TypeError, ValueError, AttributeError, UsageError, RecursionError) as error:
        raise DataError(
            f"{path}: the checkpoint is damaged: what it says of itself cannot be read ({error}); "
            "copy it again, or train anew."
        ) from error


def _meant(model: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Say in options what a preset of an earlier version meant."""
    later = [changes for until, changes in EARLIER_OPTIONS.items() if version <= until]
    options = dict(model["options"])
    for changes in reversed(later):
        options = {**changes.get(model["name"], {}).get(model["preset"], {}), **options}
    return {**model, "options": options}


def load_model(path: AnyPath) -> tuple[Model, Description]:
    """Load a trained model, ready to use.

    Parameters
    ----------
    path : path
        A file, or the folder of a training.

    Returns
    -------
    model : Model
        In evaluation mode, on the processor.
    description : Description

    Raises
    ------
    UsageError, DataError
        As :func:`read_checkpoint`; also where weights and description do not fit together.
    """
    path = Path(path)
    path = path / MODEL_FILE if path.is_dir() else path
    tensors, description, _ = read_checkpoint(path)
    model = description.build()
    put_weights(model, tensors, path)
    return model.eval(), description


def put_weights(model: Model, tensors: Mapping[str, Tensor], path: AnyPath) -> None:
    """Give a model its weights.

    Raises
    ------
    DataError
        They are those of another model.
    """
    own = model.state_dict()
    wrong = sorted(own.keys() ^ tensors.keys()) or sorted(
        name for name in own if own[name].shape != tensors[name].shape
    )
    if wrong:
        raise DataError(
            f"{path}: expected the weights of {type(model).__name__}, but {wrong[0]!r} "
            f"{'does' if len(wrong) == 1 else f'and {len(wrong) - 1} more do'} not fit; the file "
            "belongs to another model: train anew, or into another folder."
        )
    model.load_state_dict(dict(tensors))


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, kinds, shapes and numbers."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
