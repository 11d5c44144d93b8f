"""What the decoder leaves out, put back as real larvae have it.

A calibrated decoder is the mean of a Gaussian; a sample of the model is that mean plus noise. White
noise makes larvae tremble, for what is left out is smooth, and runs along the body in waves. So
noise has the whole covariance of residuals of training sequences, of every number in every frame
with every other, in body coordinates (:mod:`generative.body`: noise then bends bodies and does not
stretch them). Every action has its own, shrunk towards that of all. Noise that was stationary, and
independent between principal components of a frame, doubled the jerk of what is left out.

How large residuals are differs from sequence to sequence: larvae that bend much are harder to
describe. Their level (log of the root mean square) is regressed on the squares of the latent and on
the conditions, and a drawn sequence gets a level of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Array = NDArray[np.float64]

MOST_FITTED = 8000
"""Sequences that covariances are of."""

SHRINKAGE = 500.0
"""Sequences that weigh as much as the covariance of all actions in that of one."""

MOST_COMPONENTS = 1200
"""Directions that are kept, at most; sequences of 50 frames of 22 numbers have 1,100."""

RIDGE = 10.0
"""Added to the diagonal of the regression of levels, in sequences."""


@dataclass(frozen=True, slots=True, eq=False)
class ResidualNoise:
    """Gaussian noise with a covariance over frames and numbers.

    Attributes
    ----------
    root : ndarray of float32, shape (1 + action, K, T, N)
        Rows are orthogonal directions, as long as noise of unit level is wide along them; of all
        sequences first, then of every action.
    weight : ndarray, shape (1 + Z + conditions,)
        Of the regression of log levels.
    spread : float
        Standard deviation of log levels around it.
    sizes : ndarray of int, shape (3,)
        Numbers of actions, genotypes, stimuli.
    """

    root: NDArray[np.float32]
    weight: Array
    spread: float
    sizes: NDArray[np.int64]

    def draw(
        self, z: NDArray[np.floating], conditions: NDArray[np.integer], frames: int,
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:  # fmt: skip
        """Draw noise for latents, shape (n, Z), under conditions, shape (n, 3).

        Returns
        -------
        ndarray of float32, shape (n, frames, N)
            `frames` up to the T of the fit.
        """
        log_level = _described(z, conditions, self.sizes) @ self.weight
        level = np.exp(log_level + self.spread * rng.standard_normal(len(z)))
        size, numbers = self.root.shape[1], self.root.shape[3]
        along = rng.standard_normal((len(z), size), np.float32) * level[:, None]
        out = np.empty((len(z), frames, numbers), np.float32)
        for action in np.unique(conditions[:, 0]):
            own = conditions[:, 0] == action
            root = self.root[action + 1, :, :frames].reshape(size, -1)  # an open action, -1, is all
            out[own] = (along[own].astype(np.float32) @ root).reshape(-1, frames, numbers)
        return out


def fit_noise(
    residual: NDArray[np.floating], mask: NDArray[np.bool_], z: NDArray[np.floating],
    conditions: NDArray[np.integer], sizes: tuple[int, int, int], *, twins: bool = False,
) -> ResidualNoise:  # fmt: skip
    """Fit noise to residuals.

    Parameters
    ----------
    residual : ndarray, shape (n, T, N)
        What the decoder leaves out of every number, in body coordinates.
    mask : ndarray of bool, shape (n, T)
    z : ndarray, shape (n, Z)
        Latents that were decoded.
    conditions : ndarray of int, shape (n, 3)
    sizes : (int, int, int)
        Numbers of actions, genotypes, stimuli.
    twins : bool
        Whether mirrored larvae do the same: noise to the left is then as to the right.

    Returns
    -------
    ResidualNoise
    """
    rest = np.asarray(residual, np.float64) * mask[:, :, None]
    numbers = np.maximum(mask.sum(axis=1) * rest.shape[2], 1)
    level = np.sqrt((rest**2).sum(axis=(1, 2)) / numbers) + 1e-9
    said = _described(z, conditions, np.array(sizes))
    gram = said.T @ said + RIDGE * np.eye(said.shape[1])
    middle = np.log(level).mean()
    weight = np.linalg.solve(gram, said.T @ (np.log(level) - middle))
    weight[0] += middle
    spread = float(np.std(np.log(level) - said @ weight))
    some = np.random.default_rng(17).permutation(len(rest))[:MOST_FITTED]
    unit = (rest[some] / level[some, None, None]).astype(np.float32)
    roots = _roots(unit, mask[some], conditions[some, 0], sizes[0], twins)
    return ResidualNoise(roots, weight, spread, np.array(sizes, np.int64))


def _roots(
    unit: NDArray[np.float32], mask: NDArray[np.bool_], action: NDArray[np.integer], actions: int,
    twins: bool,
) -> NDArray[np.float32]:  # fmt: skip
    """Directions of residuals of unit level: of all, then of every action."""
    side = np.ones(unit.shape[2], np.float32)
    side[: (unit.shape[2] - 2) // 2] = side[-1] = -1.0  # angles, and the way to the left
    mirror = np.tile(side, unit.shape[1])
    whole = _covariance(unit, mask)
    found: list[NDArray[np.floating]] = [whole]
    for k in range(actions):
        own = action == k
        n = float(own.sum())
        one = _covariance(unit[own], mask[own]) if n else whole
        found.append((n * one + SHRINKAGE * whole) / (n + SHRINKAGE))
    if twins:
        found = [(c + mirror[:, None] * c * mirror) / 2 for c in found]
    return np.stack([_directions(c) for c in found]).reshape(len(found), -1, *unit.shape[1:])


def _covariance(unit: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Second moments around 0, shape (T * N, T * N), from the frames that are there."""
    flat = unit.reshape(len(unit), -1)
    there = mask.astype(np.float32)
    pairs = np.maximum(there.T @ there, 1.0)  # (T, T)
    n = unit.shape[2]
    return np.asarray(flat.T @ flat / np.repeat(np.repeat(pairs, n, axis=0), n, axis=1))


def _directions(covariance: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows that draw a covariance: root of an eigenvalue times its vector, the widest first."""
    with threadpool_limits(1):  # the same signs everywhere
        values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    kept = slice(None, -1 - min(MOST_COMPONENTS, len(values)), -1)
    scaled = vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0.0))
    return np.ascontiguousarray(scaled.T, np.float32)


def _described(
    z: NDArray[np.floating], conditions: NDArray[np.integer], sizes: NDArray[np.integer]
) -> Array:
    """Return what levels are regressed on, shape (n, 1 + Z + conditions)."""
    marks = [conditions[:, k, None] == np.arange(n) for k, n in enumerate(sizes)]
    # a latent far out should not make a level that no larva has
    squares = np.minimum(np.asarray(z, np.float64) ** 2, 9.0)
    return np.hstack((np.ones((len(z), 1)), squares, *marks)).astype(np.float64)
