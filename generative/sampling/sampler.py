"""A trained model with what it takes to draw from it: prior, residual noise, population."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from generative.body import from_body, to_body
from generative.checkpoints import (
    Description,
)
from generative.dataset.sequences import Sequences
from generative.distances import squared_distances
from generative.models import Conditions, Model
from generative.sampling.latents import BATCH, Encoded, batches_of, check_data, encode, mirrored
from generative.sampling.noise import ResidualNoise, fit_noise
from generative.sampling.prior import TEMPERATURE, FittedPrior, fit_prior
from larvastats.errors import DataError, UsageError

MOST_ENCODED = 50_000
"""Training sequences that a prior is fitted to; kept beside the model, for it takes minutes."""
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
    latents : ndarray of float32, shape (n, Z)
        Of training sequences.
    doing : ndarray of int64, shape (n, 3)
        Their conditions.
    courses : ndarray of int8, shape (n, T)
        Their action in every frame.
    """

    conditions: NDArray[np.int64]
    share: Array
    lengths: Array
    protocols: tuple[str, ...]
    assays: tuple[int, ...]
    length_unit: str
    latents: NDArray[np.float32]
    doing: NDArray[np.int64]
    courses: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """Draws sequences; build one with :func:`fit_sampler`, or open a training."""

    model: Model
    description: Description
    prior: FittedPrior
    noise: ResidualNoise
    population: Population

    def sample(
        self, conditions: NDArray[np.integer], *, temperature: float = TEMPERATURE,
        noise: float = 1.0, seed: int = 0,
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
        return self.sample_courses(conditions, temperature=temperature, noise=noise, seed=seed)[0]

    def sample_courses(
        self, conditions: NDArray[np.integer], *, temperature: float = TEMPERATURE,
        noise: float = 1.0, seed: int = 0,
    ) -> tuple[NDArray[np.float32], NDArray[np.int8]]:  # fmt: skip
        """Draw as :meth:`sample`, with the action of every frame, shape (n, T).

        Actions are those of the training sequence of the same conditions whose latent is nearest.
        """
        asked = np.asarray(conditions, np.int64)
        _check_request(asked, self.description, temperature, noise)
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
        return norm.apply(possible(norm.invert(x))), self._courses(z, asked)

    def _courses(self, z: NDArray[np.float32], conditions: NDArray[np.int64]) -> NDArray[np.int8]:
        known, out = self.population, np.empty((len(z), self.population.courses.shape[1]), np.int8)
        white = self.prior.whitened(known.latents)
        cells, cell = np.unique(conditions[:, :2], axis=0, return_inverse=True)
        for number, wanted in enumerate(cells):
            own = np.flatnonzero(cell.ravel() == number)
            same = (known.doing[:, :2] == wanted) | (wanted < 0)
            there = np.flatnonzero(same.all(axis=1))
            there = there if len(there) else np.flatnonzero(same[:, 0])
            there = there if len(there) else np.arange(len(known.doing))
            for start in range(0, len(own), BATCH):
                part = own[start : start + BATCH]
                far = squared_distances(self.prior.whitened(z[part]), white[there])
                out[part] = known.courses[there[far.argmin(axis=1)]]
        return out


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
    seed: int = 0, progress: bool = False,
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
    progress : bool

    Raises
    ------
    UsageError, DataError
        As :func:`generative.sampling.prior.fit_prior`; or sequences of another training.
    """
    check_data(sequences, description, "the sequences")
    rows = sequences.fold("train")
    rng = np.random.default_rng([seed, 9])
    some = np.sort(rng.permutation(rows)[:MOST_ENCODED])
    encoded = encode(model, batches_of(sequences, description, some), progress=progress)
    z = encoded.drawn(rng)
    alike = description.has_twins
    twins = mirrored(model, encoded, progress=progress).drawn(rng) if alike else None
    prior = fit_prior(z, encoded.conditions, twins=twins, kind=kind, seed=seed, progress=progress)
    made = decode(model, z, encoded.conditions)
    left = bodies(description, encoded.x, encoded.mask) - bodies(description, made, encoded.mask)
    n = (left.shape[2] - 2) // 2
    left[..., :n] -= 2 * np.pi * np.round(left[..., :n] / (2 * np.pi))  # whole turns are none
    sizes = (description.shape.actions, description.shape.genotypes, description.shape.stimuli)
    noise = fit_noise(left, encoded.mask, z, encoded.conditions, sizes, twins=alike)
    return Sampler(model, description, prior, noise, _population(sequences, rows, some, encoded))


def _population(
    sequences: Sequences, rows: NDArray[np.int64], some: NDArray[np.int64], encoded: Encoded
) -> Population:
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
                      tuple(assays), sequences.length_unit, encoded.mean, encoded.conditions,
                      _whole(np.asarray(sequences.columns["frame_action"][some]),
                             encoded.mask))  # fmt: skip


def _whole(courses: NDArray[np.int8], mask: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Let the last action of a short sequence go on."""
    last = mask.sum(axis=1, keepdims=True) - 1
    place = np.minimum(np.arange(courses.shape[1]), last)
    return np.take_along_axis(courses, place, axis=1)


def _protocol(assay: str) -> str:
    """Protocol in the id of an assay, ``tracker/genotype/protocol/stamp``; else none."""
    parts = assay.split("/")
    return parts[-2] if len(parts) >= 3 and parts[-2].count("#") == 3 else "n#n#n#n"
