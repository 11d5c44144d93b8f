"""Training: the loop, its schedule, its end.

Everything that chance decides in a step follows from the seed and the number of the step, for the
whole batch of all processes: a training that was killed goes on to the same bits, and one on
several processes does what one process does, up to the order of sums.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generative.batches import Augmentation, Batches, begin_films
from generative.checkpoints import (
    MODEL_FILE,
    STATE_FILE,
    Description,
    put_weights,
    read_checkpoint,
    write_checkpoint,
)
from generative.config import Config
from generative.dataset.sequences import Sequences
from generative.distributed import Process
from generative.evaluation import evaluate
from generative.frames import Normaliser
from generative.images import SIDE
from generative.logbook import Logbook
from generative.losses import beta_at, compute_loss
from generative.models import Interpolate, Model, Shape
from generative.optimizer import make_optimizer
from larvastats.errors import DataError

NORMALISER_SEQUENCES = 20_000
"""Sequences that the normaliser is fitted to, at most."""

BEGIN_SEQUENCES = 6000
"""Sequences that a model may choose its start from, at most."""

CHECK_EVERY = 20
"""Steps between looks at the loss."""


@dataclass(slots=True)
class Progress:
    """How far a training has come; kept in its checkpoint.

    Attributes
    ----------
    epoch, step : int
        Finished ones.
    best : float
        Lowest validation loss at fixed beta.
    waiting : int
        Epochs since, as far as they count.
    stopped : bool
        Whether patience has ended it.
    rows : list of dict
        One per epoch, as the log has them.
    """

    epoch: int = 0
    step: int = 0
    best: float = math.inf
    waiting: int = 0
    stopped: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)


def describe(sequences: Sequences, config: Config) -> Description:
    """Return what a model of these sequences has to know; its normaliser from training assays.

    Raises
    ------
    DataError
        A fold is empty, frames are not finite, or the model wants films and these are none.
    """
    rows = sequences.fold("train")
    n = sequences.features
    stimuli = sequences.names["stimuli"]
    shape = Shape(
        SIDE * SIDE if sequences.images else n, sequences.frames.shape[1],
        len(sequences.actions), len(sequences.names["genotypes"]), len(stimuli),
    )  # fmt: skip
    some = np.sort(np.random.default_rng(0).permutation(rows)[:NORMALISER_SEQUENCES])
    normaliser = None
    if not sequences.images:
        frames = np.asarray(sequences.frames[some])
        there = np.arange(shape.frames) < sequences.length[some][:, None]
        if not np.isfinite(frames).all():
            raise DataError(
                "expected frames of finite numbers, but the training set has others; draw it anew "
                "from the index, which cuts sequences at gaps."
            )
        normaliser = Normaliser.fit(frames, there)
    return Description(
        config, shape, sequences.actions, sequences.names["genotypes"], stimuli, normaliser,
        0 if sequences.images else (n - 2) // 2,
        float(np.median(sequences.columns["dt"][rows])),
        float(sequences.columns["body_length"][rows].mean()), sequences.checksum,
    )  # fmt: skip


def train(
    sequences: Sequences,
    config: Config,
    folder: Path,
    process: Process,
    *,
    progress: bool = False,
    until: int | None = None,
) -> Progress:
    """Train a model, or go on with a training that was interrupted.

    Parameters
    ----------
    sequences : Sequences
    config : Config
    folder : Path
        Gets ``model.safetensors``, ``last.safetensors``, ``log.csv``, ``log.json``, ``losses.png``.
    process : Process
    progress : bool
        Draw a progress bar on stderr.
    until : int, optional
        Epoch to stop at for now; the same call goes on later.

    Returns
    -------
    Progress

    Raises
    ------
    DataError
        The loss diverges, the folder holds a training of other data or another configuration, or
        a fold is empty.
    """
    description = describe(sequences, config)
    torch.manual_seed(config.training.seed)
    model = description.build()
    if sequences.images != model.IMAGES:
        raise DataError(
            f"expected {'films' if model.IMAGES else 'midlines'} for the model "
            f"{config.model.name}, but the training set holds "
            f"{'films' if sequences.images else 'midlines'}; draw another one."
        )
    trainer = _Trainer(model.to(process.device), description, sequences, folder, process)
    if not model.TRAINED:
        return trainer.fit_once()
    if not trainer.resume():
        trainer.begin()
    with Logbook(folder, config.training.epochs, progress and process.first) as logbook:
        state = trainer.state
        last = config.training.epochs if until is None else min(until, config.training.epochs)
        while state.epoch < last and not state.stopped:
            trainer.epoch(logbook)
    return trainer.state


class _Trainer:
    """Model, optimiser and data of one training."""

    def __init__(
        self,
        model: Model,
        description: Description,
        sequences: Sequences,
        folder: Path,
        process: Process,
    ) -> None:
        self.model, self.description, self.folder = model, description, folder
        self.process, self.settings = process, description.config.training
        norm, device = description.normaliser, process.device
        self.data = Batches(sequences, sequences.fold("train"), norm, device)
        self.held_out = Batches(sequences, sequences.fold("validation"), norm, device)
        self.batch = min(self.settings.batch_size, len(self.data))
        if self.batch < process.count:
            raise DataError(
                f"expected at least one sequence of a batch for each of {process.count} processes, "
                f"but a batch has {self.batch}; start fewer, or draw more sequences."
            )
        self.steps_per_epoch = len(self.data) // self.batch
        self.steps = self.steps_per_epoch * self.settings.epochs
        self.state = Progress()
        if model.TRAINED:
            self.optimizer = make_optimizer(model, description.config)
            self.wrapped = _wrapped(model, process)

    def begin(self) -> None:
        """Let the model choose its start from training sequences; the same in every process."""
        norm = self.description.normaliser
        if norm is None:
            self.model.begin_films(begin_films(self.data, self.settings.reflect))
            return
        some = self.data.take(np.arange(min(len(self.data), BEGIN_SEQUENCES)))
        self.model.begin(some, *(torch.from_numpy(a).to(some.x) for a in (norm.mean, norm.scale)))

    # -- one epoch ---------------------------------------------------------------------------------

    def epoch(self, logbook: Logbook) -> None:
        """Train for one epoch, measure, write a checkpoint and the log."""
        state, began = self.state, time.monotonic()
        order = np.random.default_rng([self.settings.seed, 1, state.epoch])
        shuffled = order.permutation(len(self.data))
        sums: dict[str, Tensor] = {}
        self.model.train()
        logbook.begin(state.epoch, self.steps_per_epoch)
        for k in range(self.steps_per_epoch):
            parts = self._step(shuffled[k * self.batch : (k + 1) * self.batch])
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            last = k == self.steps_per_epoch - 1
            if last or state.step % CHECK_EVERY == 0:
                self._check(sums)
                logbook.advance(k + 1, {name: float(v) / (k + 1) for name, v in sums.items()})
        seconds = time.monotonic() - began
        row = {name: float(value) / self.steps_per_epoch for name, value in sums.items()}
        row["sequences_per_second"] = self.steps_per_epoch * self.batch / seconds
        self._finish(row, logbook)

    def _step(self, places: NDArray[np.int64]) -> dict[str, Tensor]:
        settings, process, state = self.settings, self.process, self.state
        chance = np.random.default_rng([settings.seed, 2, state.step])
        n = len(places)
        mirrored = (chance.random(n) < 0.5) & settings.reflect
        dropped = chance.random((n, 3)) < settings.drop_conditions
        noise = chance.standard_normal(
            self.model.noise_shape(n, self.description.shape.frames), dtype=np.float32
        )
        own = slice(process.rank, None, process.count)
        batch = self.data.take(places[own], Augmentation(mirrored[own], dropped[own]))
        own_noise = torch.from_numpy(np.ascontiguousarray(noise[own])).to(process.device)
        beta = beta_at(self.description.config.loss, state.step, self.steps, state.epoch,
                       self.model.beta_warmup)  # fmt: skip
        with self._chance(), self._precision():
            terms = self.wrapped(batch, own_noise)
        loss = compute_loss(
            terms, self.description.config.loss, beta, images=self.model.IMAGES,
            total=process.total, processes=process.count,
        )  # fmt: skip
        self.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()
        if settings.clip > 0:
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        rate = settings.learning_rate * self._rate(state.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        state.step += 1
        return loss.parts

    def _rate(self, step: int) -> float:
        """Share of the learning rate: up in a line, down in a cosine (Loshchilov & Hutter 2017)."""
        ramp = int(self.settings.warmup * self.steps)
        if step < ramp:
            return (step + 1) / ramp
        if self.settings.schedule == "constant":
            return 1.0
        return 0.5 * (1.0 + math.cos(math.pi * (step - ramp) / max(1, self.steps - ramp)))

    @contextmanager
    def _chance(self) -> Iterator[None]:
        """Make dropout follow from the seed, the step and the process."""
        devices = [self.process.device] if self.process.device.type == "cuda" else []
        seed = np.random.SeedSequence([self.settings.seed, 3, self.state.step, self.process.rank])
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
            yield

    def _precision(self) -> AbstractContextManager[Any]:
        half = self.settings.precision == "bfloat16" or (
            self.settings.precision == "auto" and self.process.device.type == "cuda"
        )
        if not half:
            return nullcontext()
        return torch.autocast(self.process.device.type, dtype=torch.bfloat16)

    def _check(self, sums: Mapping[str, Tensor]) -> None:
        if math.isfinite(float(sums["loss"])):
            return
        done = self.state.epoch
        left = f"{self.folder} holds epoch {done}, whole" if done else "nothing was written"
        raise DataError(
            f"The loss is not finite any more by step {self.state.step}, in epoch {done + 1}: the "
            f"training diverges; lower learning_rate (it is {self.settings.learning_rate:g}) or "
            f"set clip. Of this training {left}."
        )

    # -- after an epoch ----------------------------------------------------------------------------

    def _finish(self, row: dict[str, Any], logbook: Logbook) -> None:
        state, config = self.state, self.description.config
        state.epoch += 1
        measured = evaluate(self.model, self.held_out, config.loss, self.settings.seed)
        row = {"epoch": state.epoch, "step": state.step, **row, **measured}
        state.rows.append(row)
        better = row["validation_loss"] < state.best
        if better:
            state.best, state.waiting = row["validation_loss"], 0
        elif self.settings.patience and state.epoch > self.settings.patience_from:
            state.waiting += 1
            state.stopped = state.waiting >= self.settings.patience
        if self.process.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            if better:
                weights = self.model.state_dict()
                write_checkpoint(self.folder / MODEL_FILE, weights, self.description, row)
            self._save()
            logbook.write(state.rows, self.description)
        self.process.wait()

    def _save(self) -> None:
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for key, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{key}.{name}": torch.as_tensor(v) for name, v in values.items()}
        state = {
            "epoch": self.state.epoch, "step": self.state.step, "best": self.state.best,
            "waiting": self.state.waiting, "stopped": self.state.stopped, "rows": self.state.rows,
        }  # fmt: skip
        write_checkpoint(self.folder / STATE_FILE, tensors, self.description, state)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where it has none."""
        path = self.folder / STATE_FILE
        if not path.is_file():
            return False
        tensors, found, state = read_checkpoint(path)
        self._check_same(path, found)
        weights: dict[str, Tensor] = {}
        moments: dict[str, Tensor] = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            (weights if kind == "model" else moments)[rest] = value
        put_weights(self.model, weights, path)
        own = self.optimizer.state_dict()
        for name, value in moments.items():
            key, _, what = name.partition(".")
            own["state"].setdefault(int(key), {})[what] = value
        try:
            self.optimizer.load_state_dict(own)
            self.state = Progress(**state)
        except (TypeError, ValueError, KeyError) as error:
            raise DataError(
                f"{path}: the checkpoint cannot go on ({error}); train into another folder."
            ) from error
        return True

    def _check_same(self, path: Path, found: Description) -> None:
        own = self.description
        if found.data != own.data:
            raise DataError(
                f"{path}: this training was begun with other sequences (checksum "
                f"{found.data[:12]}, now {own.data[:12]}); train into another folder."
            )
        if found.config != own.config:
            before, now = found.config.model_dump(), own.config.model_dump()
            changes = [
                f"{table}.{key} was {before[table][key]!r}, now {now[table][key]!r}"
                for table in now for key in now[table] if before[table][key] != now[table][key]
            ]  # fmt: skip
            raise DataError(
                f"{path}: this training was begun with another configuration "
                f"({'; '.join(changes)}); train into another folder, or change it back."
            )

    def fit_once(self) -> Progress:
        """Fit a model without weights to train, and write it."""
        assert isinstance(self.model, Interpolate)
        self.model.fit(self.data.take(np.arange(min(len(self.data), NORMALISER_SEQUENCES))))
        row = evaluate(self.model, self.held_out, self.description.config.loss, self.settings.seed)
        if self.process.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            weights = self.model.state_dict()
            write_checkpoint(self.folder / MODEL_FILE, weights, self.description, row)
        return Progress(rows=[row])


def _wrapped(model: Model, process: Process) -> nn.Module:
    if process.count == 1:
        return model
    devices = [process.device.index] if process.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, devices)
