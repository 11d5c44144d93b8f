"""What the decoder leaves out, put back with the spectrum it has in real larvae.

A calibrated decoder is the mean of a Gaussian; a sample of the model is that mean plus noise. White
noise makes larvae tremble, for what is left out is smooth. Residuals of training sequences, in body
coordinates (:mod:`generative.body`: noise then bends bodies and does not stretch them), are rotated
to their principal components across numbers of a frame, and every component gets noise with its
own autocorrelation over frames; every action has its own.

How large residuals are differs from sequence to sequence: larvae that bend much are harder to
describe. Their level (log of the root mean square) is regressed on the squares of the latent and on
the conditions, and a drawn sequence gets a level of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz

Array = NDArray[np.float64]

FEWEST = 100
"""Sequences of an action with noise of its own; others take that of all."""

RIDGE = 10.0
"""Added to the diagonal of the regression of levels, in sequences."""


@dataclass(frozen=True, slots=True, eq=False)
class ResidualNoise:
    """Gaussian noise, stationary over frames.

    Attributes
    ----------
    axes : ndarray, shape (1 + action, N, N)
        Columns are principal components of residuals of unit level; of all sequences first, then
        of every action.
    root : ndarray, shape (1 + action, N, T, T)
        Lower factors of the covariance over frames, by component.
    weight : ndarray, shape (1 + Z + conditions,)
        Of the regression of log levels.
    spread : float
        Standard deviation of log levels around it.
    sizes : ndarray of int, shape (3,)
        Numbers of actions, genotypes, stimuli.
    """

    axes: Array
    root: Array
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
        out = rng.standard_normal((len(z), frames, self.axes.shape[1]))
        for action in np.unique(conditions[:, 0]):
            own = conditions[:, 0] == action
            root = self.root[action + 1, :, :frames, :frames]  # an open action, -1, is all
            out[own] = np.einsum("kts,nsk->ntk", root, out[own]) @ self.axes[action + 1].T
        return np.asarray(level[:, None, None] * out, np.float32)


def fit_noise(
    residual: NDArray[np.floating], mask: NDArray[np.bool_], z: NDArray[np.floating],
    conditions: NDArray[np.integer], sizes: tuple[int, int, int],
) -> ResidualNoise:  # fmt: skip
    """Fit noise to residuals.

    Parameters
    ----------
    residual : ndarray, shape (n, T, N)
        What the decoder leaves out of every number.
    mask : ndarray of bool, shape (n, T)
    z : ndarray, shape (n, Z)
        Latents that were decoded.
    conditions : ndarray of int, shape (n, 3)
    sizes : (int, int, int)
        Numbers of actions, genotypes, stimuli.

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
    rest /= level[:, None, None]
    groups = [np.ones(len(rest), bool), *(conditions[:, 0] == k for k in range(sizes[0]))]
    whole = _coloured(rest, mask)
    parts = [_coloured(rest[g], mask[g]) if g.sum() >= FEWEST else whole for g in groups]
    axes, root = (np.stack(column) for column in zip(*parts, strict=True))
    return ResidualNoise(axes, root, weight, spread, np.array(sizes, np.int64))


def _coloured(rest: Array, mask: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Principal components, and factors of their covariances over frames."""
    axes = np.linalg.eigh(rest[mask].T @ rest[mask])[1]
    return axes, np.stack([_factor(row) for row in _autocovariance(rest @ axes, mask).T])


def _described(
    z: NDArray[np.floating], conditions: NDArray[np.integer], sizes: NDArray[np.integer]
) -> Array:
    """Return what levels are regressed on, shape (n, 1 + Z + conditions)."""
    marks = [conditions[:, k, None] == np.arange(n) for k, n in enumerate(sizes)]
    # a latent far out should not make a level that no larva has
    squares = np.minimum(np.asarray(z, np.float64) ** 2, 9.0)
    return np.hstack((np.ones((len(z), 1)), squares, *marks)).astype(np.float64)


def _autocovariance(series: Array, mask: NDArray[np.bool_]) -> Array:
    """Covariance of every component with itself some frames later, shape (T, N)."""
    frames = series.shape[1]
    size = 2 * frames  # zeros, so that the ends do not meet
    there = np.fft.rfft(mask.astype(np.float64), n=size, axis=1)
    pairs = np.fft.irfft((np.abs(there) ** 2).sum(axis=0), n=size)[:frames]
    power = (np.abs(np.fft.rfft(series, n=size, axis=1)) ** 2).sum(axis=0)
    products = np.fft.irfft(power, n=size, axis=0)[:frames]
    return np.asarray(products / np.maximum(pairs, 1.0)[:, None])


def _factor(autocovariance: Array) -> Array:
    """Lower factor of the nearest covariance with this diagonal; shape (T, T)."""
    matrix = toeplitz(autocovariance)
    values, vectors = np.linalg.eigh(matrix)
    matrix = (vectors * np.maximum(values, 0.0)) @ vectors.T
    variance = max(float(autocovariance[0]), 0.0)
    scale = np.sqrt(variance / np.maximum(np.diag(matrix), 1e-30))
    matrix = matrix * scale[:, None] * scale[None, :]
    return np.linalg.cholesky(matrix + (1e-9 * variance + 1e-15) * np.eye(len(matrix)))
