"""The whole examination of a training, as one result; ``larvastats generate diagnose``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from generative.checkpoints import Description, load_model
from generative.dataset.sequences import FOLDS, Sequences, read_sequences
from generative.diagnostics.collapse import Collapse, measure_collapse
from generative.diagnostics.fidelity import FLOORS, Fidelity, measure_fidelity
from generative.diagnostics.gates import Gate, gates_of
from generative.diagnostics.permuted import Permuted, permuted
from generative.diagnostics.sets import Set
from generative.distributed import processes
from generative.sampling.kept import open_sampler
from generative.sampling.latents import batches_of, check_data, encode
from generative.sampling.prior import TEMPERATURE
from generative.sampling.sampler import MOST_ENCODED, Sampler
from generative.verbs import SEQUENCES_FILE
from larvastats import __version__
from larvastats.errors import DataError, UsageError
from larvastats.export.documents import jsonable
from larvastats.io.files import AnyPath
from larvastats.printing import table_text

Fold = Literal["test", "validation"]

FEWEST = 100
"""Held-out sequences, and training ones, that can be examined."""

MOST = 3000
"""Held-out sequences that are examined."""


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """What an examination found; print it, or write it with :mod:`larvastats.export.staging`.

    Attributes
    ----------
    gates : tuple of Gate
    collapse : Collapse
    fidelity : Fidelity
    held_out, synthetic : Set
        The sequences compared, under the same conditions row by row.
    description : Description
    design : dict
        What was examined.
    notes : tuple of str
    seed : int
    permuted : Permuted or None
        What was called after training on permuted genotypes; None where that was not asked for.
    """

    gates: tuple[Gate, ...]
    collapse: Collapse
    fidelity: Fidelity
    held_out: Set
    synthetic: Set
    description: Description
    design: dict[str, Any]
    notes: tuple[str, ...]
    seed: int
    permuted: Permuted | None = None

    @property
    def met(self) -> int:
        """Number of gates that are met."""
        return sum(gate.verdict == "met" for gate in self.gates)

    def tidy(self) -> pd.DataFrame:
        """Return one row per gate: ``gate value asked floor verdict note``."""
        return pd.DataFrame(
            [(g.name, g.value, g.asked, g.floor, g.verdict, g.note) for g in self.gates],
            columns=["gate", "value", "asked", "floor", "verdict", "note"],
        )

    def numbers(self) -> pd.DataFrame:
        """Return one row per number: ``number synthetic floor floor_sd``."""
        return pd.DataFrame(
            [(name, p.value, p.floor, p.floor_sd) for name, p in self.fidelity.numbers.items()],
            columns=["number", "synthetic", "floor", "floor_sd"],
        )

    def effects(self) -> pd.DataFrame:
        """Return one row per effect: ``genotype action measure real synthetic training``."""
        found = self.fidelity.effects
        table = pd.DataFrame(found.labels, columns=["genotype", "action", "measure"])
        return table.assign(real=found.real, synthetic=found.synthetic, training=found.floor)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the sequences, as JSON can hold it."""
        collapse = asdict(self.collapse)
        return {
            "version": __version__, "command": "generate diagnose",
            "gates": jsonable(self.tidy()), "met": self.met, "of": len(self.gates),
            "collapse": jsonable(collapse), "numbers": jsonable(self.numbers()),
            "effects": jsonable(self.effects()), "design": jsonable(self.design),
            "permuted": None if self.permuted is None else jsonable(self.permuted.tidy()),
            "notes": list(self.notes), "seed": self.seed,
        }  # fmt: skip

    def __str__(self) -> str:
        """Return the table of gates, and what stands beside it."""
        design = self.design
        extra = self.numbers()
        extra = extra[extra["number"].str.contains("c2st|spectrum|jerk|stretch|bend|swing")]
        lines = [
            f"Examination of {design['model']} {design['preset']}: {design['n_held_out']:,} "
            f"sequences of {design['n_assays']} held-out assays ({design['fold']})",
            "floor: real sequences of training assays in place of synthetic ones",
            "", table_text(self.tidy()), "",
            f"{self.met} of {len(self.gates)} gates are met.", "",
            "Without a gate", "", table_text(extra), *(["", *self.notes] if self.notes else []),
        ]  # fmt: skip
        return "\n".join(lines)


def diagnose(
    folder: AnyPath, *, data: AnyPath | None = None, kind: str = "mixture",
    temperature: float = TEMPERATURE, noise: float = 1.0, fold: Fold = "test", most: int = MOST,
    permutations: int = 0, seed: int = 0, progress: bool = False,
) -> Diagnosis:  # fmt: skip
    """Examine a training on held-out assays.

    Parameters
    ----------
    folder : path
        Of the training.
    data : path, optional
        Its training set, where that is not in the folder.
    kind : str
        Of prior, see :func:`generative.sampling.prior.fit_prior`.
    temperature, noise : float
        See :meth:`generative.sampling.sampler.Sampler.sample`.
    fold : {'test', 'validation'}
        Whose assays; validation where there is no test fold. To try settings, use validation.
    most : int
        Held-out sequences that are examined, at most.
    permutations : int
        Trainings on permuted genotypes, for the gate of false positives; each takes as long as
        the training itself.
    seed : int
    progress : bool

    Returns
    -------
    Diagnosis

    Raises
    ------
    UsageError
        There is no such training, or a number out of range.
    DataError
        A file is damaged or of another training, or there are too few sequences.
    """
    folder = Path(folder)
    if most < FEWEST:
        raise UsageError(f"--most must be at least {FEWEST}, but is {most}.")
    sampler = open_sampler(folder, kind=kind, seed=seed, progress=progress)
    path = folder / SEQUENCES_FILE if data is None else Path(data)
    sequences = read_sequences(path)
    check_data(sequences, sampler.description, str(path))
    used, rows = _held_out_rows(sequences, fold, most, seed)
    model, description = sampler.model, sampler.description
    encoded = encode(model, batches_of(sequences, description, rows))
    collapse = measure_collapse(model, encoded, seed)
    training = Set.of(encode(model, batches_of(sequences, description,
                                               _some(sequences.fold("train"), seed))))  # fmt: skip
    held_out = Set.of(encoded)
    _check_enough(held_out, training)

    def draw(conditions: NDArray[np.int64], own_seed: int) -> NDArray[np.float32]:
        return sampler.sample(conditions, temperature=temperature, noise=noise, seed=own_seed)

    null = None
    if permutations:
        with processes("auto") as process:
            null = permuted(folder, sequences, permutations, process, kind=kind,
                            temperature=temperature, noise=noise, seed=seed,
                            progress=progress)  # fmt: skip
    fidelity, synthetic = measure_fidelity(held_out, training, draw, description, seed=seed)
    notes = (
        ()
        if fold == "test"
        else ("There is no test fold: these assays also chose the epoch that is kept.",)
    )
    return Diagnosis(
        gates_of(collapse, fidelity, null), collapse, fidelity, held_out, synthetic, description,
        _design(sampler, sequences, rows, used, folder, len(training))
        | {"prior": kind, "temperature": temperature, "noise": noise}, notes, seed, null,
    )  # fmt: skip


def _held_out_rows(
    sequences: Sequences, fold: Fold, most: int, seed: int
) -> tuple[Fold, NDArray[np.int64]]:
    """Rows of a fold; of validation where there is no test fold."""
    there = (sequences.columns["fold"] == FOLDS.index(fold)).any()
    fold = fold if there else "validation"
    return fold, _some(sequences.fold(fold), seed, most)


def _some(rows: NDArray[np.int64], seed: int, most: int = MOST_ENCODED) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng([seed, 15]).permutation(rows)[:most])


def _check_enough(held_out: Set, training: Set) -> None:
    for name, found in (("held-out", held_out), ("training", training)):
        if len(found) < FEWEST:
            raise DataError(
                f"expected at least {FEWEST} {name} sequences of four frames or more for "
                f"densities, distances and classifiers, but there are {len(found)}; draw more "
                "with --sequences of generate train."
            )


def _design(
    sampler: Sampler, sequences: Sequences, rows: NDArray[np.int64], fold: str, folder: Path,
    n_training: int,
) -> dict[str, Any]:  # fmt: skip
    chosen = sampler.description.config.model
    assays = np.unique(sequences.columns["assay"][rows])
    return {
        "folder": str(folder), "model": chosen.name, "preset": chosen.preset,
        "options": dict(chosen.options), "fold": fold, "n_held_out": len(rows),
        "n_assays": len(assays), "n_training": n_training, "floors": FLOORS,
        "data": sequences.checksum, "genotypes": list(sampler.description.genotypes),
        "actions": list(sampler.description.actions),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """How well midlines come back.

    Attributes
    ----------
    n_sequences, n_larvae : int
    r2 : float
        Of normalised numbers, free-running.
    r2_shuffled : float
        With the latent of another sequence.
    error : float
        Root mean square distance of a point from where it was, in body lengths.
    """

    n_sequences: int
    n_larvae: int
    r2: float
    r2_shuffled: float
    error: float


def reconstruct(folder: AnyPath, midlines: list[NDArray[np.floating]]) -> Reconstruction:
    """Pass midlines from elsewhere through a trained model, without conditions.

    Parameters
    ----------
    folder : path
        Of the training.
    midlines : list of ndarray, each of shape (frame, point, 2)
        One per larva, head first, whole, at the frame rate that the model was trained at.

    Raises
    ------
    DataError
        No larva has as many frames as a sequence.
    """
    from generative.diagnostics.reconstruction import cut_midlines, scores

    model, description = load_model(folder)
    frames, larvae = cut_midlines(midlines, description)
    return Reconstruction(len(frames), larvae, *scores(model, description, frames))
