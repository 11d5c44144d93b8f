"""A few hundred inputs per format in every run of the tests; ``run.py`` feeds as many as asked."""

from __future__ import annotations

import importlib.util
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fuzz_targets
import fuzz_watch
import numpy as np
import pytest
import run
from fuzz_bytes import havoc
from fuzz_targets import TARGETS
from fuzz_watch import Watch

from larvastats.io.files import read_head

INPUTS = 200
SLOW = (
    "tidy parquet",
    "trx.mat",
    "trx.mat shapes",
    "store",
    "store with shapes",
    "any source",
    "labels from a file",
    "labels beside",
)  # to make or to read
SLOWEST = ("folder to store",)
SEED = 20260101

# pyarrow hands a wrong row to our callback as text; where its bytes are no UTF-8 the decoding fails
# inside pyarrow, which reports it as unraisable and goes on to the error that we do catch
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Allow a loaded machine its time, and give the alarm back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGPROF)}
    monkeypatch.setattr(fuzz_watch, "TIMEOUT", 60.0)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def fed(watch: Watch, pool: list[bytes], n: int, rng: np.random.Generator) -> list[str]:
    """Feed damaged inputs; return the faults."""
    kinds = [watch.feed(watch.target.mutate(pool[i % len(pool)], rng)) for i in range(n)]
    return [kind for kind in kinds if kind.startswith("FAULT")]


@pytest.mark.parametrize("name", TARGETS)
def test_a_result_or_one_sentence(name: str, tmp_path: Path):
    watch = Watch(name, tmp_path / "file", tmp_path / "kept")
    rng = np.random.default_rng(SEED)
    pool = fuzz_targets.seeds(watch.target, 20, rng)
    n = INPUTS // (2 if name in SLOW else 5 if name in SLOWEST else 1)
    assert fed(watch, pool, n, rng) == []
    kinds = watch.tally.kinds
    assert kinds["result"] >= n / 50  # else nothing behind the first check was reached
    assert kinds.total() - kinds["result"] >= n / 50 or not watch.target.names_file


REAL = {
    "FIMTrack csv": "fimtrack/*.csv*",
    "Schleyer csv": "schleyer/*.csv*",
    "LarvaTagger labels": "larvatagger_labels_example.json",
    "any source": "fimtrack/*.csv*",
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_damaged(name: str, shared_data: Path, tmp_path: Path):
    files = sorted(shared_data.glob(REAL[name]))
    assert files
    pool = [read_head(path, 1 << 14) for path in files[:4]]
    watch = Watch(name, tmp_path / "file", tmp_path / "kept")
    rng = np.random.default_rng(SEED)
    kinds = [watch.feed(havoc(pool[i % len(pool)], rng)) for i in range(40)]
    assert [kind for kind in kinds if kind.startswith("FAULT")] == []


def test_real_paths_damaged(shared_data: Path, tmp_path: Path):
    lines = (shared_data / "paths.txt").read_bytes().splitlines()
    watch = Watch("database path", tmp_path / "file", tmp_path / "kept")
    rng = np.random.default_rng(SEED)
    kinds = [watch.feed(havoc(lines[i % len(lines)], rng)) for i in range(300)]
    assert [kind for kind in kinds if kind.startswith("FAULT")] == []


# -- the watch itself ------------------------------------------------------------------------------


def fault_of(read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the watch says of a reader."""
    broken = replace(TARGETS["exclusion list"], read=read)
    monkeypatch.setitem(TARGETS, "broken", broken)
    watch = Watch("broken", tmp_path / "file", tmp_path / "kept")
    kind = watch.feed(b"x")
    assert watch.tally.faults and not watch.tally.kinds
    assert any(path.read_bytes() == b"x" for path in (tmp_path / "kept").glob("fault-*-1"))
    return kind


def test_other_errors_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert "KeyError" in fault_of(lambda path: {}[path], tmp_path, monkeypatch)


def test_a_hang_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fuzz_watch, "TIMEOUT", 0.1)
    assert "TooSlow" in fault_of(lambda path: time.sleep(20), tmp_path, monkeypatch)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_much_memory_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fuzz_watch, "MEMORY", 20)
    assert "memory" in fault_of(lambda path: np.ones(10_000_000).sum(), tmp_path, monkeypatch)


@pytest.mark.parametrize("sentence", ["no full stop", "another file.", "{path}: " + "x " * 5000])
def test_bad_sentences_are_faults(sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path) -> None:
        raise fuzz_targets.UsageError(sentence.format(path=path))

    assert "sentence" in fault_of(refuse, tmp_path, monkeypatch)


# -- the command -----------------------------------------------------------------------------------


def test_the_command_feeds_a_process_and_prints_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--engine", "plain", "--format", "exclusion list", "--inputs", "60"]
    assert run.main([*words, "--out", str(tmp_path)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("| exclusion list | 60 | ")
    assert line.split(" | ")[5] == "0"  # faults
    assert run.main(["--engine", "plain", "--format", "nothing"]) == 2
    assert "Unknown format 'nothing'" in capsys.readouterr().err


def test_without_atheris_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run.main(["--format", "all"]) == 2
    assert "pip install 'larvastats[fuzz]'" in capsys.readouterr().err
