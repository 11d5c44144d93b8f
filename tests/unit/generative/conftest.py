"""Small larvae that move: six actions that look different, two genotypes that do them apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from larvastats.io.paths import make_identity
from larvastats.io.tracks import Tracks

ACTIONS = ("run", "cast", "stop", "hunch", "back", "roll")
PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"


def moving_larva(
    rng: np.random.Generator, action: np.ndarray, vigour: float = 1.0, fps: float = 10.0
) -> np.ndarray:
    """Midline of a larva, mm, shape (frame, 11, 2), for an action per frame.

    The body is an arc whose curvature and length follow what it does; the middle moves along the
    heading. All of it changes smoothly.
    """
    n = len(action)
    size = rng.uniform(3.0, 4.5)
    speed = np.choose(action, (0.9, 0.1, 0.0, 0.0, -0.5, 0.1)) * vigour  # body lengths / s
    phase = rng.uniform(0, 2 * np.pi) + np.cumsum(np.full(n, 2 * np.pi * 1.1 / fps))
    side = np.repeat(rng.choice((-1.0, 1.0), n // 15 + 1), 15)[:n]
    bend = np.choose(action, (0.15, 1.4 * vigour, 0.05, 0.1, 0.3, 2.2)) * side
    length = (
        1.0
        + np.choose(action, (0.06, 0.02, 0.0, -0.25, 0.05, -0.1))
        + 0.05 * np.sin(phase) * (np.isin(action, (0, 4)))
    )
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.5) ** 2)
    kernel /= kernel.sum()
    speed, bend, length = (
        np.convolve(np.pad(series, 6, mode="edge"), kernel, "valid")
        for series in (speed, bend, length)
    )
    turn = bend * np.clip(speed, 0.1, None) * 0.8 + 2.5 * (action == 5)
    heading = rng.uniform(-np.pi, np.pi) + np.cumsum(turn) / fps
    step = (speed * (1 + 0.5 * np.sin(phase)))[:, None] * np.stack(
        (np.cos(heading), np.sin(heading)), axis=1
    )
    middle = np.cumsum(step, axis=0) * size / fps + rng.uniform(-40, 40, 2)
    along = np.linspace(0.5, -0.5, 11)  # head first
    angle = heading[:, None] + bend[:, None] * along * np.where(along > 0, 1.0, 0.3)
    d = np.stack((np.cos(angle), np.sin(angle)), axis=2) * (size * length / 10)[:, None, None]
    body = np.concatenate((np.zeros((n, 1, 2)), np.cumsum(-(d[:, 1:] + d[:, :-1]) / 2, axis=1)), 1)
    noise = rng.normal(0, 0.004 * size, (n, 11, 2))
    return body - body[:, 5:6] + middle[:, None] + noise


def actions_of(rng: np.random.Generator, n: int) -> np.ndarray:
    """Bouts of about 2.5 s at 10 frames a second."""
    share = np.array([0.45, 0.33, 0.05, 0.06, 0.07, 0.04])
    bouts = rng.choice(6, size=n, p=share)
    return np.repeat(bouts, rng.integers(12, 40, n))[:n]


def tracks_of(
    rng: np.random.Generator, line: str, stamp: str, larvae: int = 6, frames: int = 900,
    vigour: float = 1.0,
) -> Tracks:  # fmt: skip
    """One assay."""
    midline, state = [], []
    for _ in range(larvae):
        action = actions_of(rng, frames)
        midline.append(moving_larva(rng, action, vigour))
        state.append(action)
    return Tracks.build(
        make_identity("t15", line, "UAS", PROTOCOL, stamp),
        [str(k + 1) for k in range(larvae)],
        np.repeat(np.arange(larvae), frames),
        np.tile(np.arange(frames) / 10.0, larvae),
        midline=np.concatenate(midline),
        states=ACTIONS,
        state=np.concatenate(state),
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def make_tracks() -> Callable[..., Tracks]:
    return tracks_of


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genotypes, four plates each, six larvae a plate, 90 s at 10 frames a second."""
    from larvastats.io import trx
    from larvastats.io.paths import database_path

    root = tmp_path_factory.mktemp("database")
    for k in range(8):
        tracks = tracks_of(
            np.random.default_rng([k, 1]), "AB"[k % 2], f"2024010{k // 2 + 1}_12000{k}",
            vigour=(1.0, 0.6)[k % 2],
        )  # fmt: skip
        path = root / database_path(tracks.identity, "trx.mat")
        path.parent.mkdir(parents=True)
        trx.write(tracks, path)
    return root


@pytest.fixture(scope="session")
def indexed(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Index of the database."""
    from generative.dataset.indexing import build_index

    path = tmp_path_factory.mktemp("index") / "index.h5"
    build_index(database, path)
    return path


@pytest.fixture(scope="session")
def sequences(indexed: Path, tmp_path_factory: pytest.TempPathFactory):
    """A training set of 320 sequences, 64 more held out."""
    from generative.dataset.build import Draw, build_sequences
    from generative.dataset.index import read_index

    path = tmp_path_factory.mktemp("set") / "sequences.h5"
    return build_sequences(read_index(indexed), path, Draw((320, 64, 0), "natural"))


@pytest.fixture(scope="session")
def alone():
    """One process, on the processor."""
    torch = pytest.importorskip("torch", reason="needs torch (extra generative)")
    from generative.distributed import Process

    torch.set_num_threads(1)
    return Process(0, 1, torch.device("cpu"))


@pytest.fixture(scope="session")
def trained(indexed: Path, alone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a short training of the default model, and its training set."""
    from generative.config import make_config
    from generative.dataset.build import Draw, build_sequences
    from generative.dataset.index import read_index
    from generative.training import train

    folder = tmp_path_factory.mktemp("trained")
    what = Draw((400, 120, 0), "natural")
    drawn = build_sequences(read_index(indexed), folder / "sequences.h5", what)
    config = make_config({
        "model": {"preset": "tiny"}, "training": {"epochs": 1, "learning_rate": 1e-4},
    })  # fmt: skip
    train(drawn, config, folder, alone)
    return folder
