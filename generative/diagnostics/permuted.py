"""False positives: what tests call between genotypes that were dealt out at random.

Genotypes are permuted between training assays, the model is trained anew on them, and what it draws
is tested. Whatever is called is a false positive. Every permutation is a training: a model that was
not trained again has seen the true genotypes (Decruyenaere et al. 2024, arXiv:2312.07837, on tests
that take synthetic rows for observations).

Three tests of a genotype against the reference, of means of assays:

- ``real``: Welch's t on the real training assays under the permuted genotypes; the floor;
- ``drawn``: the same on synthetic assays, as if they had been filmed. The model has learned the
  difference of a few real assays with its error, and every synthetic assay repeats it: the more are
  drawn, the surer a test is of an error;
- ``rests on real``: the difference in synthetic assays over ``sqrt(s_real^2 + s_drawn^2)``, the
  standard errors of both, with Welch and Satterthwaite's degrees of freedom. What a model says of a
  genotype is as uncertain as the assays that it learned it from.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from generative.checkpoints import MODEL_FILE, load_model
from generative.dataset.sequences import Sequences
from generative.diagnostics.motion import NAMES, motion
from generative.diagnostics.sets import SHORTEST
from generative.distributed import Process
from generative.sampling.kept import LAYOUT
from generative.sampling.prior import TEMPERATURE
from generative.sampling.sampler import MOST_ENCODED, fit_sampler
from generative.training import train
from larvastats.compute import track
from larvastats.errors import DataError, UsageError
from larvastats.io.files import replacing, sha256

Array = NDArray[np.float64]
TESTS = ("real", "drawn", "rests_on_real")
ALPHA = 0.05

FEWEST_ASSAYS = 3
"""Of a genotype, for a test."""

FEWEST_SEQUENCES = 3
"""Of an action in an assay, for a mean."""

FOLDER = "permuted"
"""In the folder of a training; keeps what every permutation gave, so that more can be added."""


@dataclass(frozen=True, slots=True, eq=False)
class Permuted:
    """What was called under permuted genotypes.

    Attributes
    ----------
    p : ndarray, shape (permutation, test, comparison)
        NaN where a permutation left too few assays for a comparison. Tests as :data:`TESTS`.
    labels : tuple of (str, str, str)
        Genotype, action and measure of every comparison.
    assays : int
        Real training assays.
    """

    p: Array
    labels: tuple[tuple[str, str, str], ...]
    assays: int

    def called(self, test: str, alpha: float = ALPHA) -> tuple[float, float]:
        """Share of tests with p of at most alpha, and its standard error over permutations."""
        p = self.p[:, TESTS.index(test)]
        share = np.array([np.mean(row[np.isfinite(row)] <= alpha) for row in p
                          if np.isfinite(row).any()])  # fmt: skip
        if not len(share):
            return math.nan, math.nan
        error = share.std(ddof=1) / math.sqrt(len(share)) if len(share) > 1 else math.nan
        return float(share.mean()), float(error)

    def tidy(self) -> pd.DataFrame:
        """One row per test: ``permutation genotype action measure real drawn rests_on_real``."""
        n = len(self.p)
        table = pd.DataFrame(list(self.labels) * n, columns=["genotype", "action", "measure"])
        table.insert(0, "permutation", np.repeat(np.arange(n), len(self.labels)))
        return table.assign(**{name: self.p[:, k].ravel() for k, name in enumerate(TESTS)})


def permuted(
    folder: Path, sequences: Sequences, permutations: int, process: Process, *,
    kind: str = "mixture", temperature: float = TEMPERATURE, noise: float = 1.0, seed: int = 0,
    progress: bool = False,
) -> Permuted:  # fmt: skip
    """Train on permuted genotypes, draw, test.

    Parameters
    ----------
    folder : Path
        Of a training; its configuration is used again, and finished permutations are kept in
        its folder ``permuted``.
    sequences : Sequences
        Its training set.
    permutations : int
    process : Process
    kind, temperature, noise
        As samples are drawn.
    seed : int
    progress : bool

    Raises
    ------
    UsageError
        Fewer than two permutations.
    DataError
        Fewer assays of a genotype than a test needs, or a training that diverges.
    """
    if permutations < 2:
        raise UsageError(f"--permutations must be 0, or at least 2, but is {permutations}.")
    measured = _Measured(folder, sequences)
    said = {"model": sha256(folder / MODEL_FILE), "layout": LAYOUT, "kind": kind,
            "temperature": temperature, "noise": noise, "seed": seed}  # fmt: skip
    found = []
    for k in track(range(permutations), "retraining", permutations, progress):
        kept = folder / FOLDER / f"{k}.json"
        p = _kept(kept, said, len(measured.labels))
        if p is None:
            p = measured.permutation(k, process, kind, temperature, noise, seed)
            kept.parent.mkdir(exist_ok=True)
            with replacing(kept) as path:
                values = [[None if math.isnan(v) else v for v in row] for row in p.tolist()]
                path.write_text(json.dumps({"of": said, "p": values}))
        found.append(p)
    return Permuted(np.stack(found), measured.labels, len(measured.assays))


def _kept(path: Path, said: dict[str, Any], comparisons: int) -> Array | None:
    """P-values of a finished permutation of the same model; None where there is none."""
    try:
        document = json.loads(path.read_text())
        p = np.array(document["p"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = document.get("of") == said and p.shape == (len(TESTS), comparisons)
    return p if same else None


class _Measured:
    """Motion of the training sequences, and the comparisons that are made of it."""

    def __init__(self, folder: Path, sequences: Sequences) -> None:
        self.sequences = sequences
        self.description = load_model(folder)[1]
        rows = sequences.fold("train")
        # of every assay, whether or not a sequence of it is among those that are measured
        self.assays, first = np.unique(sequences.columns["assay"][rows], return_index=True)
        self.genotype = sequences.genotype[rows][first]  # (assay,)
        rows = np.sort(np.random.default_rng(19).permutation(rows)[:MOST_ENCODED])
        self.rows = rows[sequences.length[rows] >= SHORTEST]
        self.assay = self.place_of(self.rows)
        self.mask = np.arange(sequences.frames.shape[1]) < sequences.length[self.rows, None]
        frames = np.asarray(sequences.frames[self.rows], np.float64)
        self.real = motion(frames, self.mask, self.description.dt)
        counts = np.bincount(self.genotype, minlength=len(sequences.names["genotypes"]))
        if counts[counts > 0].min() < FEWEST_ASSAYS or (counts > 0).sum() < 2:
            raise DataError(
                f"expected two genotypes or more of at least {FEWEST_ASSAYS} training assays each "
                f"to permute them, but their numbers are {counts[counts > 0].tolist()}; draw a "
                "training set of more assays."
            )
        self.reference = int(np.argmax(counts))
        self.others = [int(g) for g in np.flatnonzero(counts) if g != self.reference]
        self.action = np.asarray(sequences.action[self.rows], np.int64)
        self.shown = [int(a) for a in np.unique(self.action)]
        self.labels = tuple(
            (sequences.names["genotypes"][g], sequences.actions[a], name)
            for a in self.shown for g in self.others for name in NAMES
        )  # fmt: skip

    def place_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place of the assay of sequences among the training assays."""
        return np.searchsorted(self.assays, self.sequences.columns["assay"][rows])

    def permutation(
        self, k: int, process: Process, kind: str, temperature: float, noise: float, seed: int
    ) -> Array:
        """P-values of one permutation, shape (test, comparison)."""
        dealt = np.random.default_rng([seed, 18, k]).permutation(self.genotype)  # (assay,)
        columns = dict(self.sequences.columns)
        genotype = columns["genotype"].copy()
        rows = self.sequences.fold("train")
        genotype[rows] = dealt[self.place_of(rows)]
        columns["genotype"] = genotype
        sequences = replace(self.sequences, columns=columns)
        config = self.description.config
        with tempfile.TemporaryDirectory() as own:
            train(sequences, config, Path(own), process)
            model, description = load_model(own)
        sampler = fit_sampler(model, description, sequences, kind=kind, seed=seed)
        conditions = np.stack([columns[name][self.rows].astype(np.int64)
                               for name in ("action", "genotype", "stimulus")], axis=1)  # fmt: skip
        made = sampler.sample(conditions, temperature=temperature, noise=noise, seed=seed + k)
        norm = description.normaliser
        assert norm is not None
        drawn = motion(norm.invert(made), self.mask, description.dt)
        return self.tested(dealt, drawn)

    def tested(self, genotype: NDArray[np.integer], drawn: Array) -> Array:
        """Test synthetic sequences that stand row by row for real ones."""
        out = []
        for action in self.shown:
            real, made = (self._means(x, action) for x in (self.real, drawn))
            for other in self.others:
                groups = [genotype == other, genotype == self.reference]
                out += list(p_values([real[g] for g in groups], [made[g] for g in groups]))
        return np.array(out).T

    def _means(self, values: Array, action: int) -> Array:
        """Means of assays, shape (assay, measure); NaN where an assay shows the action rarely."""
        own = self.action == action
        assay, n = self.assay[own], len(self.assays)
        count = np.bincount(assay, minlength=n)
        sums = np.stack([np.bincount(assay, weights=column, minlength=n)
                         for column in values[own].T], axis=1)  # fmt: skip
        mean = sums / np.maximum(count, 1)[:, None]
        mean[count < FEWEST_SEQUENCES] = np.nan
        return mean


def p_values(real: list[Array], made: list[Array]) -> Iterator[tuple[float, ...]]:
    """P-values of all measures; two groups of shape (assay, measure), real and made."""
    for k in range(real[0].shape[1]):
        columns = [[x[np.isfinite(x[:, k]), k] for x in groups] for groups in (real, made)]
        if min(len(x) for groups in columns for x in groups) < FEWEST_ASSAYS:
            yield (math.nan,) * len(TESTS)
            continue
        shift = [a.mean() - b.mean() for a, b in columns]
        parts = [np.array([x.var(ddof=1) / len(x) for x in groups]) for groups in columns]
        df = [np.array([len(x) - 1 for x in groups]) for groups in columns]
        yield (
            _welch(shift[0], parts[0], df[0]),
            _welch(shift[1], parts[1], df[1]),
            _welch(shift[1], np.concatenate(parts), np.concatenate(df)),
        )


def _welch(shift: float, variance: Array, df: NDArray[np.integer]) -> float:
    """P-value of a difference whose variance has several parts (Satterthwaite 1946)."""
    whole = float(variance.sum())
    if not whole > 0:
        return math.nan
    freedom = whole**2 / float((variance**2 / df).sum())
    return float(2 * stats.t.sf(abs(shift) / math.sqrt(whole), freedom))
