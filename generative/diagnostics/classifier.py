"""What a sequence shows: a small network, trained on real sequences of training assays only.

Its hidden layer is the feature space in which distributions are compared, as Inception's is for
images (Heusel 2017) and a gait recogniser's for motion (Guo 2020, Action2Motion).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

EPOCHS = 8
BATCH = 64
WIDTH, FEATURES = 32, 24
RATE = 3e-3


class _Network(nn.Module):
    """Convolutions over frames, mean and maximum over time, features, actions."""

    def __init__(self, inputs: int, actions: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs + 1, WIDTH, 5, padding=2)
        self.second = nn.Conv1d(WIDTH, WIDTH, 5, stride=2, padding=2)
        self.third = nn.Conv1d(WIDTH, WIDTH, 5, stride=2, padding=2)
        self.features = nn.Linear(2 * WIDTH, FEATURES)
        self.out = nn.Linear(FEATURES, actions)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, F) and logits (B, A); x (B, T, N), mask (B, T)."""
        there = mask[:, :, None].to(x.dtype)
        h = torch.cat((x * there, there), dim=2).transpose(1, 2)  # (B, N + 1, T)
        for layer in (self.first, self.second, self.third):
            h = functional.gelu(layer(h))
        pooled = torch.cat((h.mean(2), h.amax(2)), dim=1)
        features = self.features(pooled)
        return features, self.out(functional.gelu(features))


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A trained network; build one with :func:`train_classifier`."""

    network: nn.Module

    @torch.no_grad()
    def look(
        self, x: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return features, shape (n, F), and the number of the likeliest action, shape (n,)."""
        features, actions = [], []
        for start in range(0, len(x), 1024):
            part = slice(start, start + 1024)
            seen = self.network(torch.from_numpy(x[part]), torch.from_numpy(mask[part]))
            features.append(seen[0].numpy().astype(np.float64))
            actions.append(seen[1].argmax(1).numpy())
        return np.concatenate(features), np.concatenate(actions)

    def accuracy(
        self, x: NDArray[np.float32], mask: NDArray[np.bool_], action: NDArray[np.integer]
    ) -> float:
        """Share of sequences that show what they are labelled as."""
        return float((self.look(x, mask)[1] == action).mean())


def train_classifier(
    x: NDArray[np.float32], mask: NDArray[np.bool_], action: NDArray[np.integer], actions: int,
    mirrored: NDArray[np.integer], *, epochs: int = EPOCHS, seed: int = 0,
) -> Classifier:  # fmt: skip
    """Train on sequences.

    Parameters
    ----------
    x : ndarray of float32, shape (n, T, N)
        Normalised.
    mask : ndarray of bool, shape (n, T)
    action : ndarray of int, shape (n,)
    actions : int
    mirrored : ndarray of int, shape (actions,)
        What each becomes in a mirror; half of the sequences are mirrored anew in every epoch.
    epochs, seed : int
    """
    rng = np.random.default_rng([seed, 12])
    sign = np.ones(x.shape[2], np.float32)
    sign[1::2] = -1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(1 << 31)))
        network = _Network(x.shape[2], actions)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    batch = min(BATCH, len(x))
    steps = epochs * (len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(steps, 2))
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for k in range(len(x) // batch):
            own = order[k * batch : (k + 1) * batch]
            flip = rng.random(batch) < 0.5
            seen = np.where(flip[:, None, None], x[own] * sign, x[own])
            label = np.where(flip, mirrored[action[own]], action[own]).astype(np.int64)
            logits = network(torch.from_numpy(seen), torch.from_numpy(mask[own]))[1]
            loss = functional.cross_entropy(logits, torch.from_numpy(label))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    return Classifier(network.eval())
