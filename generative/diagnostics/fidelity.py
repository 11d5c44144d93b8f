"""Synthetic against held-out real sequences, and real ones of training assays against the same.

The second comparison is the floor: what two sets of real larvae differ by when their plates do. All
sets have the same conditions, row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generative.checkpoints import Description
from generative.diagnostics.classifier import Classifier, train_classifier
from generative.diagnostics.effects import Effects, measure_effects
from generative.diagnostics.motion import NAMES, SERIES, spectra, spectral_distance
from generative.diagnostics.sets import Set, like, matched
from generative.distances import (
    copying_ratio,
    density_coverage,
    frechet_distance,
    kernel_distance,
)
from generative.frames import mirrored_names

FLOORS = 5
"""Draws of real sequences that the floor is the mean of."""

MOST_TRAINED = 6000
"""Sequences that a classifier is trained on."""

FOLDS = 5

Draw = Callable[[NDArray[np.int64], int], NDArray[np.float32]]
"""Draws sequences for conditions of shape (n, 3), with a seed."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A number for synthetic sequences, and for real ones in their place."""

    value: float
    floor: float
    floor_sd: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Fidelity:
    """How like real sequences synthetic ones are.

    Attributes
    ----------
    numbers : dict of str to Pair
        ``behaviour_accuracy fid kid density coverage copying c2st tstr``, ``<name>_ratio`` for
        every name of motion, ``spectrum_<series>``.
    effects : Effects
    frequency : ndarray, shape (f,)
    power : dict of str to ndarray, shape (series, f)
        ``held out``, ``synthetic``, ``training``.
    motion : dict of str to ndarray, shape (n, 7)
        The same three.
    """

    numbers: dict[str, Pair]
    effects: Effects
    frequency: Array
    power: dict[str, Array]
    motion: dict[str, Array]


def measure_fidelity(
    held_out: Set, training: Set, draw: Draw, description: Description, *, seed: int = 0
) -> tuple[Fidelity, Set]:
    """Compare.

    Parameters
    ----------
    held_out : Set
        Real, of assays that nothing was trained on.
    training : Set
        Real, of training assays.
    draw : callable
        See :data:`Draw`.
    description : Description
    seed : int

    Returns
    -------
    fidelity : Fidelity
    synthetic : Set
        Row by row under the conditions of `held_out`.
    """
    rng = np.random.default_rng([seed, 14])
    synthetic = like(held_out, draw(held_out.conditions, seed))
    floors = [matched(held_out, training, rng) for _ in range(FLOORS)]
    learned = training.take(rng.permutation(len(training))[:MOST_TRAINED])
    classifier = _classifier(learned, description, seed)
    numbers = _in_features(classifier, held_out, synthetic, floors)
    moves = {"held out": held_out.motion(description), "synthetic": synthetic.motion(description)}
    floor_moves = [floor.motion(description) for floor in floors]
    moves["training"] = floor_moves[0]
    numbers |= _ratios(moves["held out"], moves["synthetic"], floor_moves)
    frequency, power, spectral = _spectra(held_out, synthetic, floors, description)
    numbers |= spectral
    numbers["copying"] = Pair(
        copying_ratio(synthetic.flat(), held_out.flat(), training.flat()), 1.0
    )
    numbers["c2st"] = _two_sample(classifier, held_out, synthetic, floors[0], moves, seed)
    numbers["tstr"] = _train_on_synthetic(classifier, held_out, learned, draw, description, seed)
    effects = measure_effects(
        moves["held out"], moves["synthetic"], moves["training"], held_out.conditions,
        description.actions, description.genotypes,
    )  # fmt: skip
    return Fidelity(numbers, effects, frequency, power, moves), synthetic


def _classifier(learned: Set, description: Description, seed: int) -> Classifier:
    mirrored = np.array(mirrored_names(description.actions))
    return train_classifier(learned.x, learned.mask, learned.action, len(description.actions),
                            mirrored, seed=seed)  # fmt: skip


def _over(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1))


def _in_features(
    classifier: Classifier, held_out: Set, synthetic: Set, floors: list[Set]
) -> dict[str, Pair]:
    """Measure what is measured in the features of the classifier, scaled to unit variance."""
    real, shown = classifier.look(held_out.x, held_out.mask)
    center, scale = real.mean(axis=0), real.std(axis=0) + 1e-9

    def scaled(some: Set) -> Array:
        return np.asarray((classifier.look(some.x, some.mask)[0] - center) / scale)

    real = (real - center) / scale
    fake, others = scaled(synthetic), [scaled(floor) for floor in floors]
    density, coverage = density_coverage(real, fake)
    floor_pairs = [density_coverage(real, other) for other in others]
    return {
        "behaviour_accuracy": Pair(
            classifier.accuracy(synthetic.x, synthetic.mask, synthetic.action),
            float((shown == held_out.action).mean()),
        ),
        "fid": Pair(frechet_distance(real, fake),
                    *_over([frechet_distance(real, other) for other in others])),
        "kid": Pair(kernel_distance(real, fake),
                    *_over([kernel_distance(real, other) for other in others])),
        "density": Pair(density, *_over([pair[0] for pair in floor_pairs])),
        "coverage": Pair(coverage, *_over([pair[1] for pair in floor_pairs])),
    }  # fmt: skip


def _ratios(real: Array, synthetic: Array, floors: list[Array]) -> dict[str, Pair]:
    """Means of motion, as ratios to those of held-out sequences."""
    mean = real.mean(axis=0)
    return {
        f"{name}_ratio": Pair(
            float(synthetic[:, k].mean() / mean[k]),
            *_over([float(floor[:, k].mean() / mean[k]) for floor in floors]),
        )
        for k, name in enumerate(NAMES)
    }


def _spectra(
    held_out: Set, synthetic: Set, floors: list[Set], description: Description
) -> tuple[Array, dict[str, Array], dict[str, Pair]]:
    def of(some: Set) -> tuple[Array, Array]:
        return spectra(some.frames(description), some.mask, description.dt)

    frequency, real = of(held_out)
    fake, others = of(synthetic)[1], [of(floor)[1] for floor in floors]
    far = spectral_distance(fake, real)
    floor_far = [spectral_distance(other, real) for other in others]
    numbers = {
        f"spectrum_{name}": Pair(float(far[k]), *_over([float(f[k]) for f in floor_far]))
        for k, name in enumerate(SERIES)
    }
    power = {"held out": real, "synthetic": fake, "training": others[0]}
    return frequency, power, numbers


def _two_sample(
    classifier: Classifier, held_out: Set, synthetic: Set, floor: Set, moves: dict[str, Array],
    seed: int,
) -> Pair:  # fmt: skip
    """Accuracy of telling two sets apart, cross-validated (Lopez-Paz & Oquab 2017); 1/2: alike."""

    def described(some: Set, name: str) -> Array:
        return np.hstack((classifier.look(some.x, some.mask)[0], np.log(moves[name] + 1e-9)))

    real = described(held_out, "held out")
    return Pair(_told_apart(real, described(synthetic, "synthetic"), seed),
                _told_apart(real, described(floor, "training"), seed))  # fmt: skip


def _told_apart(a: Array, b: Array, seed: int) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    both, label = np.vstack((a, b)), np.repeat((0, 1), (len(a), len(b)))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(model, both, label, cv=folds).mean())


def _train_on_synthetic(
    classifier: Classifier, held_out: Set, learned: Set, draw: Draw, description: Description,
    seed: int,
) -> Pair:  # fmt: skip
    """Accuracy on held-out real sequences of a classifier that has seen synthetic ones only."""
    made = like(learned, draw(learned.conditions, seed + 1))
    other = _classifier(made, description, seed)
    return Pair(other.accuracy(held_out.x, held_out.mask, held_out.action),
                classifier.accuracy(held_out.x, held_out.mask, held_out.action))  # fmt: skip
