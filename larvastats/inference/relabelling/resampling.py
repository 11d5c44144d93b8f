"""Relabellings of assays within dates, and sign flips: the plans behind every exact p-value.

Written to be read: a plan is an iterator over blocks of relabellings, a statistic takes such a
block, and the null distribution is what comes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from larvastats.inference.design.blocks import MAX_ENUMERATION, Design, count_relabellings

Labels = NDArray[np.bool_]
Plan = TypeVar("Plan")

CHUNK = 2048
"""Relabellings handled at a time."""


def seeded(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on the seed and on names alone.

    A line's random plan is therefore the same alone or among a thousand lines, in one process or
    in many.
    """
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    words = np.frombuffer(digest[:16], dtype=np.uint32)
    return np.random.default_rng([seed, *(int(word) for word in words)])


def relabellings(
    design: Design, resamples: int, rng: np.random.Generator, most: int = MAX_ENUMERATION
) -> Iterator[Labels]:
    """Yield relabellings within blocks, shape (relabelling, unit), True = line.

    All of them, the observed one included, when there are at most `most`; else `resamples` random
    ones.
    """
    total = count_relabellings(design)
    if total <= most:
        yield from _enumerate(design, total)
    else:
        yield from _sample(design, resamples, rng)


def is_exact(design: Design, most: int = MAX_ENUMERATION) -> bool:
    """Whether :func:`relabellings` enumerates."""
    return count_relabellings(design) <= most


def _enumerate(design: Design, total: int) -> Iterator[Labels]:
    choices = []
    for (m, c), members in zip(design.sizes, _members(design), strict=True):
        chosen = np.zeros((0, len(members)), dtype=bool)
        rows = np.array(list(combinations(range(m + c), m)), dtype=np.int64).reshape(-1, m)
        chosen = np.zeros((len(rows), m + c), dtype=bool)
        np.put_along_axis(chosen, rows, True, axis=1)
        choices.append((members, chosen))
    for start in range(0, total, CHUNK):
        index = np.arange(start, min(start + CHUNK, total))
        labels = np.zeros((len(index), len(design.units)), dtype=bool)
        for members, chosen in choices:
            index, digit = np.divmod(index, len(chosen))
            labels[:, members] = chosen[digit]
        yield labels


def _sample(design: Design, resamples: int, rng: np.random.Generator) -> Iterator[Labels]:
    members = _members(design)
    for start in range(0, resamples, CHUNK):
        n = min(CHUNK, resamples - start)
        labels = np.zeros((n, len(design.units)), dtype=bool)
        for (m, _), block in zip(design.sizes, members, strict=True):
            order = rng.random((n, len(block))).argsort(axis=1)
            np.put_along_axis(labels, block[order[:, :m]], True, axis=1)
        yield labels


def _members(design: Design) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(design.block == b) for b in range(design.n_blocks)]


def sign_flips(n: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield sign vectors, shape (flip, unit): all ``2**n`` when few enough, else random ones."""
    total, exact = 2**n, flips_are_exact(n)
    for start in range(0, total if exact else resamples, CHUNK):
        if exact:
            code = np.arange(start, min(start + CHUNK, total))
            bits = (code[:, None] >> np.arange(n)) & 1
        else:
            bits = rng.integers(0, 2, size=(min(CHUNK, resamples - start), n))
        yield np.asarray(1.0 - 2.0 * bits, dtype=np.float64)


def flips_are_exact(n: int) -> bool:
    """Whether :func:`sign_flips` enumerates."""
    return 2**n <= MAX_ENUMERATION


def null_distribution(
    plan: Iterator[Plan], statistics: Callable[[Plan], Mapping[str, NDArray[np.float64]]]
) -> dict[str, NDArray[np.float64]]:
    """Apply the statistics to every relabelling of a plan.

    Parameters
    ----------
    plan : iterator of ndarray, shape (relabelling, unit)
    statistics : callable
        Takes such a block and returns named arrays of shape (relabelling,).

    Returns
    -------
    dict of str to ndarray, shape (relabelling,)
    """
    parts: dict[str, list[NDArray[np.float64]]] = {}
    for labels in plan:
        for name, values in statistics(labels).items():
            parts.setdefault(name, []).append(np.asarray(values))
    return {name: np.concatenate(values) for name, values in parts.items()}
