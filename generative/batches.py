"""Batches of a training set: from memory or the device where it fits, else from the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generative.dataset.sequences import Sequences
from generative.frames import Normaliser, mirrored_names
from generative.images import unpack_images
from generative.models.base import Batch, Conditions

MEMORY = 4 << 30
"""Bytes of frames that are held in memory; what is larger is read from the file."""

CARD_SHARE = 0.5
"""Share of a graphics card's free memory that may hold frames."""

BEGIN_FILMS, FILMS = 600, 20
"""Films that a model may choose its start from, at most, and how many at a time."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What chance does to a batch; shapes (B,) and (B, 3)."""

    mirrored: NDArray[np.bool_]
    dropped: NDArray[np.bool_]


class Batches:
    """Normalised batches of some sequences of a training set.

    Parameters
    ----------
    sequences : Sequences
    rows : ndarray of int
        Which of them.
    normaliser : Normaliser or None
        None for films.
    device : torch.device
    memory : int
        Bytes of frames that may be held.
    """

    def __init__(
        self,
        sequences: Sequences,
        rows: NDArray[np.int64],
        normaliser: Normaliser | None,
        device: torch.device,
        memory: int = MEMORY,
    ) -> None:
        self.sequences, self.rows, self.device = sequences, rows, device
        self.normaliser = normaliser
        one = sequences.frames[:1]
        size = one.nbytes * len(rows)
        if device.type == "cuda":
            memory = int(CARD_SHARE * torch.cuda.mem_get_info(device)[0])
        self._held = self._all() if size <= memory else None
        self._labels = torch.from_numpy(
            np.stack([np.asarray(a)[rows].astype(np.int64) for a in (
                sequences.action, sequences.genotype, sequences.stimulus, sequences.length)])
        ).to(device)  # fmt: skip
        self._sign = torch.ones(sequences.features, device=device)
        self._sign[1::2] = -1
        self._mirror = torch.tensor(mirrored_names(sequences.actions), device=device)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.rows)

    def take(self, places: NDArray[np.int64], change: Augmentation | None = None) -> Batch:
        """Return the sequences at some places, 0 to ``len(self) - 1``, changed or as they are."""
        index = torch.from_numpy(places).to(self.device)
        x = self._read(places) if self._held is None else self._float(self._held[index])
        action, genotype, stimulus, length = self._labels[:, index]
        mask = torch.arange(x.shape[1], device=self.device) < length[:, None]
        if self.sequences.images and not bool(mask.all()):
            x = x * mask[:, :, None, None]  # no larva beyond the end; bytes of 0 would be all larva
        if change is not None:
            flip = torch.from_numpy(change.mirrored).to(self.device)
            x, action = self._mirrored(x, flip), torch.where(flip, self._mirror[action], action)
        conditions = Conditions(action, genotype, stimulus)
        if change is not None:
            conditions = conditions.dropped(torch.from_numpy(change.dropped).to(self.device))
        return Batch(x, mask, conditions)

    def in_order(self, size: int, most: int | None = None) -> Iterator[Batch]:
        """Yield batches of the first `most` sequences, unchanged."""
        n = len(self) if most is None else min(most, len(self))
        for start in range(0, n, size):
            yield self.take(np.arange(start, min(start + size, n)))

    def _mirrored(self, x: Tensor, flip: Tensor) -> Tensor:
        if self.sequences.images:
            return torch.where(flip[:, None, None, None], x.flip(2), x)
        return torch.where(flip[:, None, None], x * self._sign, x)

    def _all(self) -> Tensor:
        """All sequences, on the device; normalised frames, or packed films."""
        if self.sequences.images:
            return torch.from_numpy(np.asarray(self.sequences.frames[self.rows])).to(self.device)
        return torch.from_numpy(self._normalised(self.rows)).to(self.device)

    def _read(self, places: NDArray[np.int64]) -> Tensor:
        """Sequences from the file; in the file's order, which reads it forward."""
        order = np.argsort(places, kind="stable")
        rows = self.rows[places[order]]
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        if self.sequences.images:
            films = torch.from_numpy(np.asarray(self.sequences.frames[rows])[back])
            return self._float(films.to(self.device))
        return torch.from_numpy(self._normalised(rows)[back]).to(self.device)

    def _normalised(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self.normaliser is not None
        mean, scale = (a.astype(np.float32) for a in (self.normaliser.mean, self.normaliser.scale))
        out = np.empty((len(rows), *self.sequences.frames.shape[1:]), np.float32)
        for start in range(0, len(rows), 4096):  # the copies stay small
            part = slice(start, start + 4096)
            np.subtract(self.sequences.frames[rows[part]], mean, out=out[part])
            out[part] /= scale
        beyond = np.arange(out.shape[1]) >= np.asarray(self.sequences.length)[rows][:, None]
        out[beyond] = 0.0
        return out

    def _float(self, values: Tensor) -> Tensor:
        return unpack_images(values) if self.sequences.images else values


def begin_films(data: Batches, reflect: bool) -> Iterator[Batch]:
    """Yield films at equal steps through all, and their mirror images where training mirrors."""
    n = min(len(data), BEGIN_FILMS)
    places = np.arange(n) * len(data) // max(n, 1)
    for start in range(0, n, FILMS):
        part = places[start : start + FILMS]
        yield data.take(part)
        if reflect:
            unchanged = np.zeros((len(part), 3), bool)
            yield data.take(part, Augmentation(np.ones(len(part), bool), unchanged))
