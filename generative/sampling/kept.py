"""A sampler on disk, beside its model, so that a model can be sampled without its training set.

``prior.safetensors`` in the folder of a training holds the fitted prior, the residual noise, the
lengths of larvae, and what training sequences do. It is made anew when the model or the kind of
prior is another.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generative.checkpoints import (
    MODEL_FILE,
    Description,
    load_model,
    read_checkpoint,
    write_checkpoint,
)
from generative.dataset.sequences import read_sequences
from generative.models import Model
from generative.sampling.noise import ResidualNoise
from generative.sampling.prior import Density, FittedPrior
from generative.sampling.sampler import Population, Sampler, fit_sampler
from generative.verbs import SEQUENCES_FILE
from larvastats.errors import DataError, UsageError
from larvastats.io.files import AnyPath, sha256

PRIOR_FILE = "prior.safetensors"
LAYOUT = 3
"""Of the file, and of how priors and noise are fitted: what was kept by another is made anew."""


def open_sampler(
    folder: AnyPath, *, kind: str = "mixture", seed: int = 0, progress: bool = False
) -> Sampler:
    """Open a training for sampling; its prior is fitted at the first time, and kept.

    Parameters
    ----------
    folder : path
        Of a training.
    kind : str
    seed : int
    progress : bool

    Raises
    ------
    UsageError
        There is no such training, or no such kind of prior.
    DataError
        A file is damaged, foreign, or of another training.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: expected the folder of a training, but there is none; give what --out of "
            "`larvastats generate train` named."
        )
    model, description = load_model(folder)
    said = {"layout": LAYOUT, "model": sha256(folder / MODEL_FILE), "kind": kind, "seed": seed}
    kept = folder / PRIOR_FILE
    if kept.is_file():
        tensors, _, state = read_checkpoint(kept)
        if isinstance(state, dict) and state.get("of") == said:
            return _unpacked(kept, model, description, tensors, state)
    sampler = fit_sampler(model, description, read_sequences(folder / SEQUENCES_FILE), kind=kind,
                          seed=seed, progress=progress)  # fmt: skip
    with suppress(DataError):  # a folder that may not be written to: it is fitted every time
        tensors, state = _packed(sampler)
        write_checkpoint(kept, tensors, description, {"of": said, **state})
    return sampler


def _packed(sampler: Sampler) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    prior, population = sampler.prior, sampler.population
    parts = list(prior.densities.values())
    arrays = {
        "center": prior.center, "unwhiten": prior.unwhiten,
        "weight": np.concatenate([d.weight for d in parts]),
        "mean": np.concatenate([d.mean for d in parts]),
        "root": np.concatenate([d.root for d in parts]),
        "noise": sampler.noise.root,
        "levels": sampler.noise.weight, "sizes": sampler.noise.sizes,
        "conditions": population.conditions, "share": population.share,
        "lengths": population.lengths,
        "latents": population.latents, "doing": population.doing, "courses": population.courses,
    }  # fmt: skip
    state = {
        "keys": [list(key) for key in prior.densities],
        "components": [len(d.weight) for d in parts], "protocols": list(population.protocols),
        "spread": sampler.noise.spread, "assays": list(population.assays),
        "length_unit": population.length_unit,
    }  # fmt: skip
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}, state


def _unpacked(
    path: Path, model: Model, description: Description, tensors: Mapping[str, torch.Tensor],
    state: Mapping[str, Any],
) -> Sampler:  # fmt: skip
    try:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        edges = np.cumsum(state["components"])[:-1]
        parts = zip(*(np.split(arrays[name], edges) for name in ("weight", "mean", "root")),
                    strict=True)  # fmt: skip
        keys = [tuple(int(k) for k in key) for key in state["keys"]]
        densities = {key: Density(*part) for key, part in zip(keys, parts, strict=True)}
        prior = FittedPrior(arrays["center"], arrays["unwhiten"], densities)  # type: ignore[arg-type]
        population = Population(
            arrays["conditions"], arrays["share"], arrays["lengths"], tuple(state["protocols"]),
            tuple(state["assays"]), state["length_unit"], arrays["latents"], arrays["doing"],
            arrays["courses"],
        )  # fmt: skip
        noise = ResidualNoise(
            arrays["noise"], arrays["levels"], float(state["spread"]), arrays["sizes"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: the fitted prior is damaged ({error}); remove this file, and it is fitted "
            "anew."
        ) from error
    return Sampler(model, description, prior, noise, population)
