"""A trained model with what it takes to draw from it; kept beside the model.

``prior.safetensors`` in the folder of a training holds the fitted prior, the residual noise, the
lengths of larvae and how frequent conditions are, so that a model can be sampled without its
training set. It is made anew when the model or the kind of prior is another.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generative.body import from_body, to_body
from generative.checkpoints import (
    MODEL_FILE,
    Description,
    load_model,
    read_checkpoint,
    write_checkpoint,
)
from generative.dataset.sequences import Sequences, read_sequences
from generative.frames import mirrored_names
from generative.models import Conditions, Model
from generative.sampling.latents import BATCH, batches_of, check_data, encode, mirrored
from generative.sampling.noise import ResidualNoise, fit_noise
from generative.sampling.prior import TEMPERATURE, Density, FittedPrior, fit_prior
from generative.verbs import SEQUENCES_FILE
from larvastats.errors import DataError, UsageError
from larvastats.io.files import AnyPath, sha256

PRIOR_FILE = "prior.safetensors"
MOST_ENCODED = 20_000
QUANTILES = 101
HOTTEST = 2.0

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Who the training sequences are of.

    Attributes
    ----------
    conditions : ndarray of int64, shape (cell, 3)
        Actions, genotypes and stimuli that occur together.
    share : ndarray, shape (cell,)
        How frequent they are in the recordings.
    lengths : ndarray, shape (genotype, quantile)
        Of body lengths, in the unit of the midlines.
    protocols : tuple of str
        The most frequent one of every genotype.
    assays : tuple of int
        Training assays of every genotype: what anything drawn from the model rests on.
    length_unit : str
    """

    conditions: NDArray[np.int64]
    share: Array
    lengths: Array
    protocols: tuple[str, ...]
    assays: tuple[int, ...]
    length_unit: str


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """Draws sequences; build one with :func:`open_sampler` or :func:`fit_sampler`."""

    model: Model
    description: Description
    prior: FittedPrior
    noise: ResidualNoise
    population: Population

    def sample(
        self, conditions: NDArray[np.integer], *, temperature: float = TEMPERATURE, noise: float = 1.0,
        seed: int = 0,
    ) -> NDArray[np.float32]:  # fmt: skip
        """Draw normalised sequences.

        Parameters
        ----------
        conditions : ndarray of int, shape (n, 3)
            Action, genotype, stimulus; -1 leaves one open.
        temperature : float
            Scales the deviations of latents within a component of the prior; 0 to 2.
        noise : float
            Scales the residual noise; 0 draws the means of the decoder.
        seed : int

        Returns
        -------
        ndarray of float32, shape (n, T, N)
            Possible frames: points around their mean, no displacement in the first.

        Raises
        ------
        UsageError
            A condition that the model does not know, or numbers out of range.
        DataError
            What comes out is not finite.
        """
        conditions = np.asarray(conditions, np.int64)
        _check_request(conditions, self.description, temperature, noise)
        rng = np.random.default_rng([seed, 8])
        z = self.prior.draw(conditions, temperature, rng)
        x = decode(self.model, z, conditions)
        if noise > 0:
            body = bodies(self.description, x, np.ones(x.shape[:2], bool))
            body += noise * self.noise.draw(z, conditions, x.shape[1], rng)
            x = frames_of(self.description, body)
        if not np.isfinite(x).all():
            raise DataError(
                "expected finite sequences from the model, but it gave others; lower "
                "--temperature, or train anew."
            )
        norm = self.description.normaliser
        assert norm is not None
        return norm.apply(possible(norm.invert(x)))


@torch.no_grad()
def decode(
    model: Model, z: NDArray[np.floating], conditions: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Decode latents, shape (n, Z), under conditions, shape (n, 3); shape (n, T, N)."""
    model.eval()
    out = []
    for start in range(0, len(z), BATCH):
        part = slice(start, start + BATCH)
        code = torch.from_numpy(np.ascontiguousarray(conditions[part].T, np.int64))
        latent = torch.from_numpy(np.ascontiguousarray(z[part], np.float32))
        out.append(model.decode(latent, Conditions(*code)).numpy())
    return np.concatenate(out)


def bodies(
    description: Description, x: NDArray[np.floating], mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Turn normalised frames, shape (n, T, N), into body coordinates, shape (n, T, N - 2)."""
    assert description.normaliser is not None
    frames = torch.from_numpy(description.normaliser.invert(x))
    return np.asarray(to_body(frames, torch.from_numpy(mask)).numpy())


def frames_of(description: Description, body: NDArray[np.float64]) -> NDArray[np.float32]:
    """Turn body coordinates, shape (n, T, N - 2), into normalised frames."""
    assert description.normaliser is not None
    return description.normaliser.apply(from_body(torch.from_numpy(body)).numpy())


def possible(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return frames that a larva can have: points centred, the first frame where it starts.

    Parameters
    ----------
    frames : ndarray, shape (n, T, N)
        In body lengths.
    """
    out = np.array(frames)
    for axis in (0, 1):
        out[..., axis:-2:2] -= out[..., axis:-2:2].mean(axis=-1, keepdims=True)
    out[:, 0, -2:] = 0.0
    return out


def _check_request(
    conditions: NDArray[np.int64], description: Description, temperature: float, noise: float
) -> None:
    for name, value in (("temperature", temperature), ("noise", noise)):
        if not 0 <= value <= HOTTEST:
            raise UsageError(f"--{name} must be a number from 0 to {HOTTEST:g}, but is {value}.")
    sizes = (len(description.actions), len(description.genotypes), len(description.stimuli))
    kinds = ("action", "genotype", "state of the stimulus")
    if conditions.ndim != 2 or conditions.shape[1] != 3 or not len(conditions):
        raise UsageError(
            f"expected conditions of shape (n, 3), but their shape is {conditions.shape}."
        )
    for column, size, kind in zip(conditions.T, sizes, kinds, strict=True):
        if column.min() < -1 or column.max() >= size:
            raise UsageError(
                f"The model knows {size} conditions of the kind {kind}, numbered from 0, but was "
                f"asked for number {int(column.max() if column.max() >= size else column.min())}."
            )


def code_of(name: str, names: tuple[str, ...], kind: str) -> int:
    """Return the number of a condition.

    Raises
    ------
    UsageError
        The model knows none of that name.
    """
    if name not in names:
        listed = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
        raise UsageError(f"The model knows no {kind} {name!r}; choose among {listed}.")
    return names.index(name)


# -- fitted to a training --------------------------------------------------------------------------


def fit_sampler(
    model: Model, description: Description, sequences: Sequences, *, kind: str = "mixture",
    seed: int = 0,
) -> Sampler:  # fmt: skip
    """Fit prior and residual noise to the training assays.

    Parameters
    ----------
    model : Model
    description : Description
    sequences : Sequences
        The model's own.
    kind : str
        See :func:`generative.sampling.prior.fit_prior`.
    seed : int

    Raises
    ------
    UsageError, DataError
        As :func:`generative.sampling.prior.fit_prior`; or sequences of another training.
    """
    check_data(sequences, description, "the sequences")
    rows = sequences.fold("train")
    rng = np.random.default_rng([seed, 9])
    some = np.sort(rng.permutation(rows)[:MOST_ENCODED])
    encoded = encode(model, batches_of(sequences, description, some))
    z = encoded.drawn(rng)
    # where left and right are different actions, or no sequence was mirrored, there are no twins
    lateral = mirrored_names(description.actions) != tuple(range(len(description.actions)))
    alike = description.config.training.reflect and not lateral
    twins = mirrored(model, encoded).drawn(rng) if alike else None
    prior = fit_prior(z, encoded.conditions, twins=twins, kind=kind, seed=seed)
    made = decode(model, z, encoded.conditions)
    left = bodies(description, encoded.x, encoded.mask) - bodies(description, made, encoded.mask)
    n = (left.shape[2] - 2) // 2
    left[..., :n] -= 2 * np.pi * np.round(left[..., :n] / (2 * np.pi))  # whole turns are none
    sizes = (description.shape.actions, description.shape.genotypes, description.shape.stimuli)
    noise = fit_noise(left, encoded.mask, z, encoded.conditions, sizes)
    return Sampler(model, description, prior, noise, _population(sequences, rows))


def _population(sequences: Sequences, rows: NDArray[np.int64]) -> Population:
    columns = {name: np.asarray(column[rows]) for name, column in sequences.columns.items()}
    codes = np.stack([columns[name] for name in ("action", "genotype", "stimulus")], axis=1)
    cells, cell = np.unique(codes.astype(np.int64), axis=0, return_inverse=True)
    share = np.bincount(cell.ravel(), weights=columns["weight"])
    quantiles = np.linspace(0, 1, QUANTILES)
    lengths, protocols, assays = [], [], []
    for genotype in range(len(sequences.names["genotypes"])):
        own = columns["genotype"] == genotype
        own = own if own.any() else np.ones(len(rows), bool)  # a genotype that was not drawn
        _, first = np.unique(columns["larva"][own], return_index=True)
        lengths.append(np.quantile(columns["body_length"][own][first], quantiles))
        names = [sequences.names["assays"][k] for k in np.unique(columns["assay"][own])]
        protocols.append(Counter(map(_protocol, names)).most_common(1)[0][0])
        assays.append(len(names))
    return Population(cells, share / share.sum(), np.stack(lengths), tuple(protocols),
                      tuple(assays), sequences.length_unit)  # fmt: skip


def _protocol(assay: str) -> str:
    """Protocol in the id of an assay, ``tracker/genotype/protocol/stamp``; else none."""
    parts = assay.split("/")
    return parts[-2] if len(parts) >= 3 and parts[-2].count("#") == 3 else "n#n#n#n"


# -- kept ------------------------------------------------------------------------------------------


def open_sampler(folder: AnyPath, *, kind: str = "mixture", seed: int = 0) -> Sampler:
    """Open a training for sampling; its prior is fitted at the first time, and kept.

    Parameters
    ----------
    folder : path
        Of a training.
    kind : str
    seed : int

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
    said = {"model": sha256(folder / MODEL_FILE), "kind": kind, "seed": seed}
    kept = folder / PRIOR_FILE
    if kept.is_file():
        tensors, _, state = read_checkpoint(kept)
        if isinstance(state, dict) and state.get("of") == said:
            return _unpacked(kept, model, description, tensors, state)
    sampler = fit_sampler(model, description, read_sequences(folder / SEQUENCES_FILE), kind=kind,
                          seed=seed)  # fmt: skip
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
        "axes": sampler.noise.axes, "noise": sampler.noise.root,
        "levels": sampler.noise.weight, "sizes": sampler.noise.sizes,
        "conditions": population.conditions, "share": population.share,
        "lengths": population.lengths,
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
            tuple(state["assays"]), state["length_unit"],
        )  # fmt: skip
        noise = ResidualNoise(
            arrays["axes"],
            arrays["noise"],
            arrays["levels"],
            float(state["spread"]),
            arrays["sizes"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: the fitted prior is damaged ({error}); remove this file, and it is fitted "
            "anew."
        ) from error
    return Sampler(model, description, prior, noise, population)


def fingerprint(values: Mapping[str, Any]) -> str:
    """Return twelve digits that stand for how something was drawn."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
