"""What latents are drawn from: the aggregate posterior of every condition, fitted.

The posteriors of a trained model do not fill N(0, I), and the decoder has only seen where they
are. Drawing from a density fitted to them afterwards mends samples at no cost to the training
(Ghosh et al. 2020, From Variational to Deterministic Autoencoders, arXiv:1903.12436, section 4).

Every action has a Gaussian mixture with full covariances, by scikit-learn. Latents are whitened by
their common covariance first: what scikit-learn adds to the diagonal then shrinks every component
towards it. The number of components is the one with the best likelihood of sequences left out.

A genotype of an action has too few sequences for as many components. It takes those of the action,
with weights, means and covariances moved as far as its own sequences carry (maximum a posteriori
adaptation of a background model: Reynolds, Quatieri & Dunn 2000, Digital Signal Processing 10,
section 3.3); a state of the stimulus of a genotype takes those of the genotype in the same way.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from larvastats.compute import track
from larvastats.errors import DataError, UsageError

Array = NDArray[np.float64]
Key = tuple[int, int, int]
"""Action, genotype, stimulus; -1 for any."""

COMPONENTS = (1, 2, 4, 8, 16, 32)
"""Numbers of components that are tried."""

FEWEST = 60
"""Sequences that an action needs for a mixture of its own."""

PER_COMPONENT = 60
"""Sequences that every component must have on average."""

RELEVANCE = 16.0
"""Sequences that weigh as much as the background in an adapted mean (Reynolds 2000)."""

RELEVANCE_COVARIANCE = 64.0
"""The same for an adapted covariance, which has more numbers."""

SHRINKAGE = 0.05
"""Share of the common covariance added to every component's."""

LEFT_OUT = 0.2
MOST_FITTED = 40_000
"""Latents of an action that a mixture is fitted to, mirrored ones counted."""

STEPS_TO_CHOOSE, STEPS = 15, 50
"""Of expectation and maximisation, to choose the number of components and in the end."""

TEMPERATURE = 0.95
"""Usual one. Gaussians have thicker middles than what larvae do: at 1, larvae are too fast."""

KINDS = ("mixture", "gaussian", "standard")


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """A Gaussian mixture of whitened latents.

    Attributes
    ----------
    weight : ndarray, shape (component,)
    mean : ndarray, shape (component, Z)
    root : ndarray, shape (component, Z, Z)
        Lower Cholesky factors of the covariances.
    """

    weight: Array
    mean: Array
    root: Array

    def log_parts(self, white: Array) -> Array:
        """Log of weight times density of every component, shape (n, component)."""
        out = np.empty((len(white), len(self.weight)))
        for k, (mean, root) in enumerate(zip(self.mean, self.root, strict=True)):
            rest = solve_triangular(root, (white - mean).T, lower=True)
            size = np.log(np.diag(root)).sum() + 0.5 * len(mean) * np.log(2 * np.pi)
            out[:, k] = np.log(self.weight[k]) - 0.5 * (rest**2).sum(axis=0) - size
        return out

    def responsibility(self, white: Array) -> Array:
        """Share of every component in latents, shape (n, component)."""
        return np.asarray(softmax(self.log_parts(white), axis=1))

    def draw(self, n: int, temperature: float, rng: np.random.Generator) -> Array:
        """Draw, shape (n, Z); `temperature` scales the deviations within a component."""
        component = rng.choice(len(self.weight), size=n, p=self.weight)
        noise = rng.standard_normal((n, self.mean.shape[1])) * temperature
        return self.mean[component] + np.einsum("nij,nj->ni", self.root[component], noise)


@dataclass(frozen=True, slots=True, eq=False)
class FittedPrior:
    """Densities by condition.

    Attributes
    ----------
    center : ndarray, shape (Z,)
    unwhiten : ndarray, shape (Z, Z)
        Latents are ``center + unwhiten @ whitened``.
    densities : mapping of Key to Density
    """

    center: Array
    unwhiten: Array
    densities: Mapping[Key, Density]

    def whitened(self, z: NDArray[np.floating]) -> Array:
        """Return latents in the coordinates of the densities, shape (n, Z)."""
        rest = np.asarray(z, np.float64) - self.center
        return np.asarray(solve_triangular(self.unwhiten, rest.T, lower=True).T)

    def key_for(self, action: int, genotype: int, stimulus: int) -> Key:
        """Return the narrowest condition with a density."""
        for key in ((action, genotype, stimulus), (action, genotype, -1), (action, -1, -1)):
            if key in self.densities:
                return key
        return (-1, -1, -1)

    def draw(
        self, conditions: NDArray[np.integer], temperature: float, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Draw latents for conditions of shape (n, 3); shape (n, Z)."""
        out = np.empty((len(conditions), len(self.center)))
        cells, cell = np.unique(conditions, axis=0, return_inverse=True)
        for number, condition in enumerate(cells):
            own = np.flatnonzero(cell.ravel() == number)
            density = self.densities[self.key_for(*(int(c) for c in condition))]
            out[own] = density.draw(len(own), temperature, rng)
        return np.asarray(self.center + out @ self.unwhiten.T).astype(np.float32)


def fit_prior(
    z: NDArray[np.floating], conditions: NDArray[np.integer], *,
    twins: NDArray[np.floating] | None = None, kind: str = "mixture", seed: int = 0,
    progress: bool = False,
) -> FittedPrior:  # fmt: skip
    """Fit a prior to latents drawn from the posteriors of training sequences.

    Parameters
    ----------
    z : ndarray, shape (n, Z)
    conditions : ndarray of int, shape (n, 3)
        Action, genotype, stimulus.
    twins : ndarray, shape (n, Z), optional
        Latents of the mirrored sequences; they do the same, so that there are twice as many.
    kind : {'mixture', 'gaussian', 'standard'}
        ``gaussian`` has one component everywhere, ``standard`` is N(0, I), for comparison.
    seed : int
    progress : bool

    Raises
    ------
    UsageError
        No such kind.
    DataError
        Fewer sequences than a density needs.
    """
    if kind not in KINDS:
        raise UsageError(f"The prior must be one of {', '.join(KINDS)}, but is {kind!r}.")
    z = np.asarray(z, np.float64)
    n, width = z.shape
    if kind == "standard":
        whole = Density(np.ones(1), np.zeros((1, width)), np.eye(width)[None])
        return FittedPrior(np.zeros(width), np.eye(width), {(-1, -1, -1): whole})
    if n < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} training sequences to fit a prior to, but there are {n}; "
            "draw more."
        )
    pairs = z[:, None] if twins is None else np.stack((z, np.asarray(twins, np.float64)), axis=1)
    flat = pairs.reshape(-1, width)
    center = flat.mean(axis=0)
    unwhiten = _root(np.cov(flat, rowvar=False) + 1e-9 * np.eye(width))
    white = np.linalg.solve(unwhiten, (flat - center).T).T.reshape(pairs.shape)
    most = 1 if kind == "gaussian" else max(COMPONENTS)
    densities = _densities(white, np.asarray(conditions), most, seed, progress)
    return FittedPrior(center, unwhiten, densities)


def _densities(
    white: Array, conditions: NDArray[np.integer], most: int, seed: int, progress: bool
) -> dict[Key, Density]:
    """Densities of all conditions that occur; white of shape (n, twin, Z)."""
    out: dict[Key, Density] = {}
    keys = _keys(conditions)
    for number, key in enumerate(track(keys, "fitting the prior", len(keys), progress)):
        own = np.all([(c == k) | (k == -1) for c, k in zip(conditions.T, key, strict=True)], axis=0)
        wider = _wider(key)
        if key[1] >= 0:
            if wider in out:
                out[key] = _adapted(out[wider], white[own].reshape(-1, white.shape[2]))
        elif own.sum() >= FEWEST:
            out[key] = _fit(white[own], most, np.random.default_rng([seed, 7, number]))
    return out


def _keys(conditions: NDArray[np.integer]) -> list[Key]:
    """All conditions that occur, and the wider ones; wider ones first."""
    keys: dict[Key, None] = {(-1, -1, -1): None}
    for action, genotype, stimulus in np.unique(conditions, axis=0).tolist():
        keys |= dict.fromkeys(((action, -1, -1), (action, genotype, -1),
                               (action, genotype, stimulus)))  # fmt: skip
    return list(keys)


def _wider(key: Key) -> Key:
    return (key[0], key[1], -1) if key[2] >= 0 else (key[0], -1, -1)


def _root(covariance: Array) -> Array:
    return np.asarray(np.linalg.cholesky(covariance), np.float64)


def _fit(white: Array, most: int, rng: np.random.Generator) -> Density:
    """Fit mixtures of several numbers of components, and keep the best; white (n, twin, Z)."""
    n, twins, width = white.shape
    white = white[rng.permutation(n)[: MOST_FITTED // twins]]
    held = max(1, int(LEFT_OUT * len(white)))  # twins stay together
    out, rest = white[:held].reshape(-1, width), white[held:].reshape(-1, width)
    tried = [k for k in COMPONENTS if k <= most and (k == 1 or k * PER_COMPONENT <= len(rest))]
    seed = int(rng.integers(1 << 31))
    best = tried[0]
    if len(tried) > 1:
        scores = [_mixture(rest, k, seed, STEPS_TO_CHOOSE).score(out) for k in tried]
        best = tried[int(np.argmax(scores))]
    model = _mixture(white.reshape(-1, width), best, seed, STEPS)
    return Density(model.weights_ / model.weights_.sum(), model.means_,
                   np.stack([_root(c) for c in model.covariances_]))  # fmt: skip


def _adapted(background: Density, white: Array) -> Density:
    """Move weights, means and covariances towards latents of shape (n, Z)."""
    share = background.responsibility(white)  # (n, component)
    count = share.sum(axis=0)
    own = (share.T @ white) / np.maximum(count, 1e-12)[:, None]
    trust = (count / (count + RELEVANCE))[:, None]
    weight = (count + RELEVANCE * background.weight) / (len(white) + RELEVANCE)
    mean = trust * own + (1 - trust) * background.mean
    root = np.empty_like(background.root)
    for k in range(len(count)):
        rest = white - mean[k]
        seen = (rest.T * share[:, k]) @ rest / max(count[k], 1e-12)
        alpha = count[k] / (count[k] + RELEVANCE_COVARIANCE)
        moved = mean[k] - background.mean[k]
        before = background.root[k] @ background.root[k].T + np.outer(moved, moved)
        root[k] = _root(alpha * seen + (1 - alpha) * before)
    return Density(weight / weight.sum(), mean, root)


def _mixture(white: Array, components: int, seed: int, steps: int):  # type: ignore[no-untyped-def]
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(components, reg_covar=SHRINKAGE, max_iter=steps, tol=1e-2,
                            init_params="k-means++", random_state=seed)  # fmt: skip
    # one thread: the same sums in the same order everywhere
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # these steps are near enough
        return model.fit(white)
