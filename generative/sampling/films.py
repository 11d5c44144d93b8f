"""Films drawn from a trained model, and what to look at in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from generative.batches import Batches
from generative.checkpoints import Description
from generative.dataset.sequences import Sequences
from generative.models import Conditions, Model
from generative.sampling.prior import fit_prior
from larvastats.errors import DataError

BATCH = 10
"""Films that are encoded and decoded at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class FilmLatents:
    """Latents drawn from the posteriors of training films; rows are films.

    Attributes
    ----------
    z : ndarray of float32, shape (n, Z)
    twins : ndarray of float32, shape (n, Z), or None
        Of the mirrored films, where the training mirrored and they show the same action.
    conditions : ndarray of int64, shape (n, 3)
        Action, genotype, stimulus.
    """

    z: NDArray[np.float32]
    twins: NDArray[np.float32] | None
    conditions: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FilmShapes:
    """Shapes in every image, each of shape (n, T).

    Attributes
    ----------
    area : ndarray of int64
        Larva pixels.
    pieces : ndarray of int64
        Connected components of them, pixels side by side.
    """

    area: NDArray[np.int64]
    pieces: NDArray[np.int64]

    @property
    def white(self) -> float:
        """Share of images without a larva."""
        return float((self.area == 0).mean())

    @property
    def whole(self) -> float:
        """Share of images with exactly one connected component."""
        return float((self.pieces == 1).mean())


def film_shapes(films: NDArray[np.bool_]) -> FilmShapes:
    """Measure the shapes in films, true on the larva, shape (n, T, H, W)."""
    pieces = [[ndimage.label(image)[1] for image in film] for film in films]
    return FilmShapes(films.sum(axis=(2, 3)), np.array(pieces, np.int64))


@torch.no_grad()
def film_latents(
    model: Model, description: Description, sequences: Sequences, seed: int = 0
) -> FilmLatents:
    """Draw one latent from the posterior of every training film.

    Raises
    ------
    DataError
        The model or the sequences are of midlines.
    """
    if not (model.IMAGES and sequences.images):
        what = "the training set" if model.IMAGES else "the model"
        raise DataError(f"expected films, but {what} is of midlines; train cnn3d_vae on films.")
    rng = np.random.default_rng([seed, 8])
    data = Batches(sequences, sequences.fold("train"), None, torch.device("cpu"))
    parts: list[tuple[NDArray, NDArray, NDArray]] = []
    model.eval()

    def drawn(batch) -> NDArray[np.float32]:  # type: ignore[no-untyped-def]
        posterior = model.encode(batch)
        noise = rng.standard_normal(posterior.mean.shape, dtype=np.float32)
        return posterior.sample(torch.from_numpy(noise)).numpy()

    for batch in data.in_order(BATCH):
        c = batch.conditions
        code = torch.stack((c.action, c.genotype, c.stimulus), dim=1).numpy()
        parts.append((drawn(batch), drawn(replace(batch, x=batch.x.flip(2))), code))
    z, twins, conditions = (np.concatenate(column) for column in zip(*parts, strict=True))
    return FilmLatents(z, twins if description.has_twins else None, conditions)


@torch.no_grad()
def draw_films(
    model: Model,
    latents: FilmLatents,
    conditions: NDArray[np.integer],
    *,
    kind: str = "mixture",
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Draw films under conditions.

    Parameters
    ----------
    model : Model
    latents : FilmLatents
        What the prior is fitted to.
    conditions : ndarray of int, shape (n, 3)
        Action, genotype, stimulus of every film.
    kind : {'mixture', 'gaussian', 'standard'}
        See :func:`generative.sampling.prior.fit_prior`.
    seed : int

    Returns
    -------
    ndarray of bool, shape (n, T, 128, 128)
        True on the larva, where that is likelier than not.

    Raises
    ------
    DataError
        Fewer training films than a prior needs.
    """
    prior = fit_prior(
        latents.z, latents.conditions, twins=latents.twins, kind=kind, seed=seed
    )  # fmt: skip
    z = prior.draw(np.asarray(conditions), 1.0, np.random.default_rng([seed, 9]))
    model.eval()
    films = []
    for start in range(0, len(z), BATCH):
        part = slice(start, start + BATCH)
        code = torch.from_numpy(np.ascontiguousarray(np.asarray(conditions, np.int64)[part].T))
        logits = model.decode(torch.from_numpy(z[part]), Conditions(*code))
        films.append((logits > 0).numpy())
    return np.concatenate(films)
