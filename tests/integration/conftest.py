"""A small simulated database, and the command line as a user meets it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from larvastats.cli import app
from larvastats.example import example_path

REPOSITORY = Path(__file__).resolve().parents[2]
PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"
CONTROL = "FCF_attP2_1500062"


class Run:
    """What a command left: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> str:
        """The one sentence of a command that failed as it should."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err and self.out == ""
        return lines[0]

    @property
    def json(self) -> Any:
        """Stdout as JSON; NaN is no JSON."""
        return json.loads(self.out, parse_constant=pytest.fail)


@pytest.fixture
def cli() -> Callable[..., Run]:
    """Run a command in this process."""

    def run(*words: object) -> Run:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., Run]:
    """Run a command in a process of its own, in an empty directory."""

    def run(*words: object, **more: Any) -> Run:
        code = "from larvastats.cli import main; main()"
        options = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 300} | more
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "error"}
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            env=environment | options.pop("env", {}), check=False, **options,
        )  # fmt: skip
        return Run(done.returncode, done.stdout or "", done.stderr or "")

    return run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A light screen of four lines, four plates each on two dates, made by the command itself."""
    directory = tmp_path_factory.mktemp("data") / "screen"
    words = ["simulate", directory, "--lines", 4, "--assays-per-line", 4, "--dates", 2,
             "--control-assays-per-date", 3, "--larvae", 6]  # fmt: skip
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return directory


@pytest.fixture(scope="session")
def bouts(simulated: Path) -> pd.DataFrame:
    """The table of bouts of that screen."""
    return pd.read_parquet(simulated / "bouts.parquet")


@pytest.fixture
def table(bouts: pd.DataFrame, tmp_path: Path) -> Callable[..., Path]:
    """Write a changed copy of the table as csv and return its path."""

    def write(changed: pd.DataFrame | None = None, name: str = "bouts.csv", **how: Any) -> Path:
        path = tmp_path / name
        (bouts if changed is None else changed).to_csv(path, index=False, **how)
        return path

    return write


R_PACKAGES = ("boot", "broom", "ggplot2", "jsonlite", "markovchain", "testthat")


@pytest.fixture(scope="session")
def with_r() -> None:
    """Skip where R or a package of it is missing."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    code = "cat(sapply(commandArgs(TRUE), function(p) system.file(package = p) == ''))"
    done = subprocess.run(["Rscript", "-e", code, *R_PACKAGES], capture_output=True, text=True,
                          timeout=120, check=True)  # fmt: skip
    gone = [p for p, no in zip(R_PACKAGES, done.stdout.split(), strict=True) if no == "TRUE"]
    if gone:
        pytest.skip(f"R lacks the packages {', '.join(gone)}")


@pytest.fixture(scope="session")
def with_rpy2(with_r: None) -> None:
    """Skip where R or rpy2 is missing."""
    if importlib.util.find_spec("rpy2") is None:
        pytest.skip("rpy2 is not installed")


@pytest.fixture
def program() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run any program, with the place of the example in its environment, and R in English."""

    def run(*words: object, **more: Any) -> subprocess.CompletedProcess[str]:
        about = {"LANGUAGE": "en", "LARVASTATS_EXAMPLE": str(example_path())} | more.pop("env", {})
        return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300,
                              check=False, env=os.environ | about, **more)  # fmt: skip

    return run
