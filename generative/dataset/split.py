"""Folds: by assay within genotype, so that no plate is in two of them.

Sequences of one plate are alike for reasons that have nothing to do with behaviour (agar, density,
camera); a model that has seen the plate has seen its test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from generative.dataset.index import Index
from generative.dataset.sequences import FOLDS
from larvastats.errors import DataError, UsageError

By = Literal["assay", "larva"]

SHARES = (0.7, 0.15, 0.15)
"""Of assays for training, validation and test."""

_MOST_NAMED = 3


def split_index(
    index: Index, seed: int, *, by: By = "assay", shares: Sequence[float] = SHARES
) -> NDArray[np.int8]:
    """Assign every sequence to a fold.

    Parameters
    ----------
    index : Index
    seed : int
    by : {'assay', 'larva'}
        What stays together. ``larva`` is for recordings of a single plate: it says nothing about
        other plates.
    shares : (float, float, float)
        Of training, validation and test; at least one assay of every genotype goes to each that
        is above 0.

    Returns
    -------
    ndarray of int8, shape (sequence,)
        Position in ``("train", "validation", "test")``.

    Raises
    ------
    UsageError
        Shares that are none.
    DataError
        A genotype has fewer assays (or larvae) with sequences than there are folds.
    """
    parts = np.asarray(shares, float)
    if parts.shape != (3,) or not (
        np.isfinite(parts).all() and (parts >= 0).all() and parts[0] > 0
    ):
        raise UsageError(
            "Shares of training, validation and test must be three numbers from 0 up, the first "
            f"above 0, but are {list(shares)}."
        )
    assay_genotype = index.tables["assay_genotype"]
    if by == "assay":
        unit, genotype_of = index.rows["assay"], assay_genotype
    else:
        unit, genotype_of = index.rows["larva"], assay_genotype[index.tables["larva_assay"]]
    used = np.unique(unit)
    fold = np.full(len(genotype_of), -1, np.int8)
    rng = np.random.default_rng([seed, 5])
    few = []
    for genotype in range(len(index.names["genotypes"])):
        own = rng.permutation(used[genotype_of[used] == genotype])
        if 0 < len(own) < (parts > 0).sum():
            few.append((index.names["genotypes"][genotype], len(own)))
        elif len(own):
            fold[own] = _folds(len(own), parts / parts.sum())
    if few:
        raise _too_few(few, by, int((parts > 0).sum()))
    return fold[unit]


def _folds(n: int, shares: NDArray[np.float64]) -> NDArray[np.int8]:
    """Folds of `n` units, at least one for every share above 0, the rest for training."""
    counts = [max(1, round(n * share)) if share > 0 else 0 for share in shares[1:]]
    while sum(counts) > n - 1 and max(counts) > 1:
        counts[int(np.argmax(counts))] -= 1
    return np.repeat(np.arange(3, dtype=np.int8), [n - sum(counts), *counts])


def _too_few(few: Sequence[tuple[str, int]], by: By, needed: int) -> DataError:
    units = "assays" if by == "assay" else "larvae"
    named = ", ".join(f"{name!r} has {n}" for name, n in few[:_MOST_NAMED])
    more = f" and {len(few) - _MOST_NAMED} more genotypes as few" if len(few) > _MOST_NAMED else ""
    folds = ", ".join(FOLDS[:needed])
    advice = "leave such genotypes out by --genotypes, or record more plates of them"
    if by == "assay":
        advice += "; --split larva is for what is only about these plates"
    return DataError(
        f"Expected at least {needed} {units} of every genotype, one for each of {folds}, but "
        f"{named}{more}; {advice}."
    )
