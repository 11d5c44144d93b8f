"""Differences between genotypes, in synthetic larvae against real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from generative.diagnostics.motion import NAMES

Array = NDArray[np.float64]

FEWEST = 20
"""Sequences of each of two genotypes that an effect is measured on."""

FEWEST_EFFECTS = 4
"""For a slope."""


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Standardised differences from the reference genotype.

    Attributes
    ----------
    labels : tuple of (str, str, str)
        Genotype, action, and what is measured.
    real, synthetic, floor : ndarray, shape (effect,)
        In held-out real sequences, in synthetic ones, in real ones of training assays; in standard
        deviations of the held-out real sequences of that action.
    """

    labels: tuple[tuple[str, str, str], ...]
    real: Array
    synthetic: Array
    floor: Array

    def agreement(self, floor: bool = False) -> tuple[float, float]:
        """Slope through the origin on the real effects, and Spearman's rank correlation.

        NaN where there are too few effects. Errors of the real effects make both smaller; those of
        training assays say by how much.
        """
        other = self.floor if floor else self.synthetic
        if len(self.labels) < FEWEST_EFFECTS or not (self.real**2).sum() > 0:
            return float("nan"), float("nan")
        slope = float((self.real * other).sum() / (self.real**2).sum())
        if np.ptp(other) == 0 or np.ptp(self.real) == 0:
            return slope, float("nan")
        return slope, float(stats.spearmanr(self.real, other).statistic)


def measure_effects(
    real: Array, synthetic: Array, floor: Array, conditions: NDArray[np.integer],
    actions: tuple[str, ...], genotypes: tuple[str, ...],
) -> Effects:  # fmt: skip
    """Measure effects on rows that have the same conditions in all three sets.

    Parameters
    ----------
    real, synthetic, floor : ndarray, shape (n, 7)
        As :func:`generative.diagnostics.motion.motion`.
    conditions : ndarray of int, shape (n, 3)
    actions, genotypes : tuple of str
        The reference is the genotype with most sequences, the first of several.
    """
    counts = np.bincount(conditions[:, 1], minlength=len(genotypes))
    reference = int(np.argmax(counts))
    labels, columns = [], []
    for action in np.unique(conditions[:, 0]):
        base = (conditions[:, 0] == action) & (conditions[:, 1] == reference)
        for genotype in np.unique(conditions[:, 1]):
            own = (conditions[:, 0] == action) & (conditions[:, 1] == genotype)
            if genotype == reference or min(base.sum(), own.sum()) < FEWEST:
                continue
            scale = np.sqrt((real[base].var(axis=0) + real[own].var(axis=0)) / 2)
            for k, name in enumerate(NAMES):
                if scale[k] > 0:
                    labels.append((genotypes[genotype], actions[action], name))
                    columns.append([(x[own, k].mean() - x[base, k].mean()) / scale[k]
                                    for x in (real, synthetic, floor)])  # fmt: skip
    table = np.array(columns, float).reshape(-1, 3)
    return Effects(tuple(labels), table[:, 0], table[:, 1], table[:, 2])
