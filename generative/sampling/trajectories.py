"""Samples as recordings: trajectories in mm and s, in a store that every command reads."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generative.checkpoints import MODEL_FILE
from generative.dataset.windows import STIMULI
from generative.frames import Pose, from_frames
from generative.sampling.kept import open_sampler
from generative.sampling.prior import TEMPERATURE
from generative.sampling.sampler import Sampler, code_of
from larvastats import __version__
from larvastats.compute import track
from larvastats.errors import DataError, UsageError
from larvastats.export.staging import check_writable
from larvastats.io.files import AnyPath, sha256
from larvastats.io.formats import Content
from larvastats.io.paths import AssayIdentity
from larvastats.io.store.assay_parts import parts_of
from larvastats.io.store.files import make_store, write_part
from larvastats.io.store.index import SCHEMA, Row, write_index
from larvastats.io.store.shape_series import Shaping
from larvastats.io.tracks import Tracks
from larvastats.protocol import merge_intervals, parse_protocol
from larvastats.shape.kinematics import SMOOTH
from larvastats.shape.midline import N_VERTEBRAE, from_vertebrae

TRACKER = "synthetic"
PLATE = 40.0
"""Side of the square, mm, in which samples start."""

AFTERWARDS = 30.0
"""Seconds after the last stimulus in which samples of ``after`` lie."""

MOST_LARVAE = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to draw.

    Attributes
    ----------
    assays, larvae : int
        Assays of every genotype, and larvae of every assay; a larva is one sequence.
    genotypes, actions : tuple of str
        Only these; all that were trained on where it is empty.
    stimulus : str
        State of the stimulus; as frequent as in the recordings where it is empty.
    kind : str
        Of prior.
    temperature, noise : float
        See :meth:`generative.sampling.sampler.Sampler.sample`.
    seed : int
    """

    assays: int = 6
    larvae: int = 100
    genotypes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    stimulus: str = ""
    kind: str = "mixture"
    temperature: float = TEMPERATURE
    noise: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What was written.

    Attributes
    ----------
    path : str
    n_assays, n_larvae : int
    seconds : float
        That a larva is followed.
    real_assays : dict of str to int
        Training assays of every genotype.
    actions : dict of str to int
        Sequences of each.
    """

    path: str
    n_assays: int
    n_larvae: int
    seconds: float
    real_assays: dict[str, int]
    actions: dict[str, int]

    def __str__(self) -> str:
        """Say what is there, and on how much it rests."""
        done = ", ".join(f"{n:,} {action}" for action, n in self.actions.items())
        rest = ", ".join(f"{name} {n}" for name, n in self.real_assays.items())
        return (
            f"{self.path}: {self.n_larvae:,} synthetic larvae of {self.seconds:g} s on "
            f"{self.n_assays} assays ({done})\n"
            f"they rest on these real assays and are no further evidence: {rest}"
        )


def sample_store(
    folder: AnyPath, store: AnyPath, request: Request | None = None, *, progress: bool = False
) -> SampleReport:
    """Draw trajectories from a training and write them as a store.

    Midlines have 11 points; those of a model of five vertebrae lie on a spline through these
    (:func:`larvastats.shape.midline.from_vertebrae`). A larva is one sequence; it starts at a time
    at which the protocol has the state of the stimulus that the sequence was drawn for. Its
    actions, frame by frame, are those of the nearest training sequence in the latent
    (:meth:`generative.sampling.sampler.Sampler.sample_courses`).

    Parameters
    ----------
    folder : path
        Of a training.
    store : path
        New or empty.
    request : Request, optional
    progress : bool

    Raises
    ------
    UsageError
        No such training, condition or number; the store is not new, or cannot be written.
    DataError
        A file of the training is damaged; the disk is full. Nothing is left of the store then.
    """
    request, store = request or Request(), Path(store)
    _check(request, store)
    sampler = open_sampler(folder, kind=request.kind, seed=request.seed, progress=progress)
    plans = _plans(sampler, request)
    source = {"model": sha256(Path(folder) / MODEL_FILE), **asdict(request)}
    store.absolute().parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{store.name}.", dir=store.absolute().parent))
    try:
        os.chmod(part, 0o755)
        make_store(part)
        for folder_of in ("bouts", "tracks"):
            (part / folder_of).mkdir()
        todo = list(enumerate(plans))
        rows = [_written(part, sampler, request, number, plan, source)
                for number, plan in track(todo, "sampling", len(todo), progress)]  # fmt: skip
        write_index(part, rows)
        os.replace(part, store)
    except OSError as error:
        raise DataError(
            f"{store}: the store cannot be written ({error.strerror or error}); free space, or "
            "choose another folder. Nothing is left of it."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return _report(store, sampler, request, plans)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """One assay: genotype, number, and conditions of shape (larva, 3)."""

    genotype: int
    number: int
    conditions: NDArray[np.int64]


def _check(request: Request, store: Path) -> None:
    for name, value in (("assays", request.assays), ("larvae", request.larvae)):
        if not 1 <= value <= MOST_LARVAE:
            raise UsageError(f"--{name} must be from 1 to {MOST_LARVAE:,}, but is {value}.")
    if store.exists() and (not store.is_dir() or any(store.iterdir())):
        raise UsageError(
            f"{store}: expected a store that is new, but something is there; choose another path."
        )
    check_writable(store.absolute().parent)


def _plans(sampler: Sampler, request: Request) -> list[_Plan]:
    """Draw the conditions of every assay, as frequent as in the recordings."""
    names, population = sampler.description, sampler.population
    genotypes = [code_of(name, names.genotypes, "genotype") for name in request.genotypes]
    actions = [code_of(name, names.actions, "action") for name in request.actions]
    stimulus = -1
    if request.stimulus:
        stimulus = code_of(request.stimulus, names.stimuli, "state of the stimulus")
    there = np.unique(population.conditions[:, 1])
    plans = []
    for genotype in genotypes or there.tolist():
        cells = population.conditions
        use = cells[:, 1] == genotype
        use &= np.isin(cells[:, 0], actions) if actions else True
        use &= (cells[:, 2] == stimulus) | (stimulus < 0)
        weight = np.where(use, population.share, 0.0)
        if not weight.sum() > 0:
            raise DataError(
                f"expected training sequences of genotype {names.genotypes[genotype]!r} for "
                f"{', '.join(request.actions) or 'any action'} and stimulus "
                f"{request.stimulus or 'in any state'}, but there is none; ask for another "
                "combination."
            )
        for number in range(request.assays):
            rng = np.random.default_rng([request.seed, 10, genotype, number])
            cell = rng.choice(len(cells), size=request.larvae, p=weight / weight.sum())
            plans.append(_Plan(genotype, number, cells[cell]))
    return plans


def _written(
    store: Path, sampler: Sampler, request: Request, number: int, plan: _Plan,
    source: dict[str, object],
) -> Row:  # fmt: skip
    """Draw an assay, write its files, and return its row of the index."""
    tracks = _tracks(sampler, request, plan)
    ethogram = tracks.to_ethogram()
    rests_on = sampler.population.assays[plan.genotype]
    about = ethogram.assays.assign(synthetic=True, real_assays=rests_on)
    content = Content(replace(ethogram, assays=about), (tracks,))
    blank: Row = dict.fromkeys(SCHEMA.names)
    blank |= {
        "source": f"larvastats generate sample, {tracks.identity.assay}", "files": [],
        "size": 0, "modified": 0, "checksum": str(source["model"]), "format": TRACKER,
        "options": f"drawn={_fingerprint(source)}", "version": __version__, "covariates": {},
    }  # fmt: skip
    (part,) = parts_of(content, blank, "midline", Shaping(None, SMOOTH))
    row = dict(part.row) | {"position": 0}
    for folder, data in part.files.items():
        name, checksum = write_part(store, folder, row["assay"], data)
        row |= {folder: name, f"{folder}_size": len(data), f"{folder}_checksum": checksum}
    return row


def _tracks(sampler: Sampler, request: Request, plan: _Plan) -> Tracks:
    description, population = sampler.description, sampler.population
    seeds = np.random.SeedSequence([request.seed, 11, plan.genotype, plan.number])
    rng = np.random.default_rng(seeds)
    x, course = sampler.sample_courses(
        plan.conditions,
        temperature=request.temperature,
        noise=request.noise,
        seed=int(seeds.generate_state(1)[0]),
    )
    assert description.normaliser is not None
    frames = description.normaliser.invert(x)
    n, t = frames.shape[:2]
    quantile = np.linspace(0, 1, population.lengths.shape[1])
    length = np.asarray(
        np.interp(rng.random(n), quantile, population.lengths[plan.genotype]), np.float64
    )
    pose = Pose(
        rng.uniform(-PLATE / 2, PLATE / 2, (n, 2)),
        np.asarray(rng.uniform(-np.pi, np.pi, n)),
        length,
    )
    midline = from_frames(frames, pose)
    if description.points == N_VERTEBRAE:  # samples have the tracker's 11 points, whatever is drawn
        midline = from_vertebrae(midline)
    protocol = population.protocols[plan.genotype]
    dt = round(description.dt, 6)  # kept in single precision
    duration = t * dt
    start = np.array([_start(protocol, description.stimuli[s], duration, rng)
                      for s in plan.conditions[:, 2]])  # fmt: skip
    # times of a camera, so that larvae seen at one time share it
    start = np.round(start / dt) * dt
    genotype = description.genotypes[plan.genotype]
    line, _, effector = genotype.partition("@")
    assay = f"{TRACKER}/{genotype}/{protocol}/{plan.number + 1:04d}"
    return Tracks.build(
        AssayIdentity(TRACKER, line, effector, protocol, None, None, assay),
        [str(k + 1) for k in range(n)],
        np.repeat(np.arange(n), t),
        np.round(start[:, None] + np.arange(t) * dt, 9).ravel(),
        midline=midline.reshape(n * t, -1, 2),
        states=description.actions,
        state=course.ravel(),
        length_unit=population.length_unit,
    )


def _start(protocol: str, stimulus: str, duration: float, rng: np.random.Generator) -> float:
    """Draw a time at which the stimulus is in a state for so many seconds, if it ever is."""
    on = merge_intervals(parse_protocol(protocol).intervals)
    last = (on[-1][1] if on else 0.0) + AFTERWARDS
    edges = [0.0, *(edge for interval in on for edge in interval), last]
    spans = list(pairwise(edges))
    place = STIMULI.index(stimulus) if on else 0
    own = {0: spans[:1], 1: spans[:1], 2: spans[1::2], 3: spans[2::2]}[place]
    room = np.array([max(stop - start - duration, 1e-9) for start, stop in own])
    start, stop = own[rng.choice(len(own), p=room / room.sum())]
    if stop - start < duration:  # most of it, then
        return max(0.0, (start + stop - duration) / 2)
    return float(rng.uniform(start, stop - duration))


def _fingerprint(values: Mapping[str, Any]) -> str:
    """Return twelve digits that stand for how something was drawn."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _report(store: Path, sampler: Sampler, request: Request, plans: list[_Plan]) -> SampleReport:
    names, population = sampler.description, sampler.population
    counts = np.bincount(np.concatenate([plan.conditions[:, 0] for plan in plans]),
                         minlength=len(names.actions))  # fmt: skip
    used = dict.fromkeys(plan.genotype for plan in plans)
    return SampleReport(
        str(store), len(plans), int(counts.sum()), round(names.shape.frames * names.dt, 6),
        {names.genotypes[g]: population.assays[g] for g in used},
        {names.actions[k]: int(n) for k, n in enumerate(counts) if n},
    )  # fmt: skip
