"""From an index to a trained model: what ``larvastats generate train`` does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generative.config import Config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.proportions import Proportions
from generative.dataset.sequences import FOLDS, Sequences, read_sequences
from generative.distributed import processes
from generative.logbook import summary
from generative.models import MODELS, hyperparameters
from generative.training import Progress, train
from larvastats.errors import DataError
from larvastats.export.staging import check_writable
from larvastats.io.files import AnyPath

SEQUENCES_FILE = "sequences.h5"
"""The training set, in the folder of the training."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainReport:
    """What a training came to.

    Attributes
    ----------
    folder : str
    config : Config
    folds : dict of str to Proportions
        Drawn sequences.
    epochs : int
        Finished ones.
    stopped : bool
        Whether patience ended it early.
    rows : tuple of dict
        What was measured after each.
    """

    folder: str
    config: Config
    folds: dict[str, Proportions]
    epochs: int
    stopped: bool
    rows: tuple[dict[str, Any], ...]

    @property
    def best(self) -> dict[str, Any]:
        """The epoch whose model is kept."""
        return min(self.rows, key=lambda row: row["validation_loss"])

    def __str__(self) -> str:
        """Say what was learned, from how many."""
        drawn = ", ".join(f"{sum(p.counts):,} {name}" for name, p in self.folds.items())
        model = self.config.model
        best = self.best
        when = f"epoch {best['epoch']} of {self.epochs}" if self.epochs else "fitted"
        early = ", stopped early" if self.stopped else ""
        return (
            f"{model.name} {model.preset}, loss {self.config.loss.name}; sequences: {drawn}\n"
            f"kept: {when}{early}; held out: {summary(best)}\n"
            f"written into {self.folder}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return numbers for machines."""
        return {
            "folder": self.folder, "config": self.config.model_dump(), "epochs": self.epochs,
            "stopped": self.stopped,
            "sequences": {name: dict(zip(p.actions, p.counts, strict=True))
                          for name, p in self.folds.items()},
            "kept": {name: None if isinstance(value, float) and not math.isfinite(value) else value
                     for name, value in self.best.items()},
        }  # fmt: skip


def train_index(
    index: AnyPath,
    folder: AnyPath,
    config: Config,
    what: Draw,
    *,
    device: str = "auto",
    jobs: int = 1,
    progress: bool = False,
) -> TrainReport | None:
    """Draw a training set from an index, and train on it.

    Parameters
    ----------
    index : path
    folder : path
        Of the training: the set, checkpoints, log.
    config : Config
    what : Draw
    device : {'auto', 'cpu', 'cuda'}
    jobs : int
        Processes that cut sequences from recordings.
    progress : bool

    Returns
    -------
    TrainReport or None
        None in all but the first of several processes.

    Raises
    ------
    UsageError
        No such model, preset or mix.
    DataError
        The index is damaged, too small, or has too few assays; the training diverges.
    """
    folder = Path(folder)
    hyperparameters(config.model.name, config.model.preset, config.model.options)
    check_writable(folder)
    found = read_index(index)
    if found.cutting.images != MODELS[config.model.name].IMAGES:
        kind = "with" if MODELS[config.model.name].IMAGES else "without"
        raise DataError(
            f"{index}: the model {config.model.name} needs an index made {kind} --images; index "
            "the recordings once more."
        )
    with processes(device) as process:
        path = folder / SEQUENCES_FILE
        if process.first:
            build_sequences(found, path, what, jobs=jobs, progress=progress)
        process.wait()
        sequences = read_sequences(path)
        state = train(sequences, config, folder, process, progress=progress)
        return _report(folder, config, sequences, state) if process.first else None


def _report(folder: Path, config: Config, sequences: Sequences, state: Progress) -> TrainReport:
    fold, actions = sequences.columns["fold"], sequences.actions
    folds = {
        name: Proportions.of(actions, sequences.action[fold == number])
        for number, name in enumerate(FOLDS)
        if (fold == number).any()
    }
    return TrainReport(str(folder), config, folds, state.epoch, state.stopped, tuple(state.rows))
