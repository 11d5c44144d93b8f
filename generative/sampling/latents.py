"""Sequences of a training set as a model sees them: latents, and what they leave unexplained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from generative.batches import Batches
from generative.checkpoints import Description
from generative.dataset.sequences import Sequences
from generative.frames import reflect
from generative.models import Batch, Conditions, Model
from larvastats.compute import track
from larvastats.errors import DataError

BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Sequences and their posteriors; rows are sequences.

    Attributes
    ----------
    x : ndarray of float32, shape (n, T, N)
        Normalised frames, 0 beyond the end.
    mask : ndarray of bool, shape (n, T)
    conditions : ndarray of int64, shape (n, 3)
        Action, genotype, stimulus.
    mean, log_variance : ndarray of float32, shape (n, Z)
    """

    x: NDArray[np.float32]
    mask: NDArray[np.bool_]
    conditions: NDArray[np.int64]
    mean: NDArray[np.float32]
    log_variance: NDArray[np.float32]

    def drawn(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw one latent from every posterior, shape (n, Z)."""
        noise = rng.standard_normal(self.mean.shape, dtype=np.float32)
        return np.asarray(self.mean + np.exp(0.5 * self.log_variance) * noise)


def mirrored(model: Model, encoded: Encoded, *, progress: bool = False) -> Encoded:
    """Return the mirror images of sequences, encoded under the same conditions."""
    x = np.asarray(reflect(encoded.x), np.float32)
    means, spreads = [], []
    starts = range(0, len(x), BATCH)
    for start in track(starts, "encoding mirror images", len(starts), progress):
        part = slice(start, start + BATCH)
        code = torch.from_numpy(np.ascontiguousarray(encoded.conditions[part].T))
        batch = Batch(torch.from_numpy(x[part]), torch.from_numpy(encoded.mask[part]),
                      Conditions(*code))  # fmt: skip
        with torch.no_grad():
            posterior = model.encode(batch)
        means.append(posterior.mean.numpy())
        spreads.append(posterior.log_variance.numpy())
    return Encoded(x, encoded.mask, encoded.conditions, np.concatenate(means),
                   np.concatenate(spreads))  # fmt: skip


@torch.no_grad()
def encode(model: Model, data: Batches, *, progress: bool = False) -> Encoded:
    """Encode all sequences of some batches.

    Raises
    ------
    DataError
        The model has no latent per sequence with a spread.
    """
    parts: list[tuple[NDArray, ...]] = []
    model.eval()
    batches = -(-len(data) // BATCH)
    for batch in track(data.in_order(BATCH), "encoding", batches, progress):
        posterior = model.encode(batch)
        if posterior.mean.ndim != 2 or not bool(torch.isfinite(posterior.log_variance).all()):
            raise DataError(
                f"expected a model with a probabilistic latent per sequence, but "
                f"{type(model).__name__} has none, so that nothing can be drawn from it; train "
                "transformer_vae, transformer_vae_report or lstm_vae."
            )
        c = batch.conditions
        parts.append((
            batch.x.cpu().numpy(), batch.mask.cpu().numpy(),
            torch.stack((c.action, c.genotype, c.stimulus), dim=1).cpu().numpy(),
            posterior.mean.cpu().numpy(), posterior.log_variance.cpu().numpy(),
        ))  # fmt: skip
    return Encoded(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def check_data(sequences: Sequences, description: Description, where: str) -> None:
    """Refuse sequences that a model was not trained on.

    Raises
    ------
    DataError
        Films, another number of points or frames, other conditions, or other sequences: the
        model's normalisation is not theirs.
    """
    shape = description.shape
    if sequences.images or description.normaliser is None:
        films = "the sequences" if sequences.images else "the model"
        raise DataError(
            f"{where}: expected midlines, but {films} are of films; what is drawn and measured "
            "here needs midlines."
        )
    found = (sequences.features, sequences.frames.shape[1])
    if found != (shape.features, shape.frames):
        raise DataError(
            f"{where}: expected sequences of {shape.frames} frames of {shape.features} numbers, "
            f"as the model was trained on, but they have {found[1]} of {found[0]}; give the "
            "sequences.h5 of the same training."
        )
    if sequences.checksum != description.data:
        raise DataError(
            f"{where}: expected the sequences that the model was trained on (checksum "
            f"{description.data[:12]}), but these are others ({sequences.checksum[:12]}), whose "
            "normalisation, conditions and folds are not the model's; give the sequences.h5 of "
            "the same training."
        )


def batches_of(sequences: Sequences, description: Description, rows: NDArray[np.int64]) -> Batches:
    """Return normalised batches of some rows, on the processor."""
    return Batches(sequences, rows, description.normaliser, torch.device("cpu"))
