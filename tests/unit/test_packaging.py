"""What gets installed, what importing it costs, and what CI prints last."""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("larvastats", "generative")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        **{"capture_output": True, "text": True, "cwd": REPOSITORY, "timeout": 300, **options},
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("larvastats-*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_both_packages_the_pages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    source = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    pages = {path for path in (REPOSITORY / "reports").iterdir() if path.is_file()}
    assert inside == source | {f"larvastats/_reports/{path.name}" for path in pages}
    for path in pages:
        assert wheel.read(f"larvastats/_reports/{path.name}") == path.read_bytes()
    assert {"larvastats/py.typed", "generative/py.typed"} <= inside


def test_wheel_brings_its_commands_and_licence(wheel: zipfile.ZipFile) -> None:
    info = f"larvastats-{PROJECT['version']}.dist-info"
    entries = configparser.ConfigParser()
    entries.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    assert entries["console_scripts"]["larvastats"] == "larvastats.cli:main"
    assert entries["larvastats.commands"]["generate"] == "generative.cli:app"
    assert "BSD 3-Clause" in wheel.read(f"{info}/licenses/LICENSE").decode()


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_carry_the_version_of_the_project(package: str) -> None:
    assert importlib.import_module(package).__version__ == PROJECT["version"]


def pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parts = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in parts}


@pytest.mark.parametrize("extra", ["", "dev", "test", "generative", "r", "cluster", "report"])
def test_pins_satisfy_the_bounds_of_the_project(extra: str) -> None:
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    known = pins() | {"larvastats": PROJECT["version"]}
    for text in wanted:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in known, f"{name} has no pin in constraints.txt"
        assert requirement.specifier.contains(known[name]), f"{name} {known[name]} breaks {text}"


def test_import_contract_holds() -> None:
    done = run(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


# Says which modules were asked for, present or not: an optional library need not be installed
# for its import to be noticed.
WATCH = """
import sys
class Watch:
    asked = set()
    def find_spec(self, name, path=None, target=None):
        self.asked.add(name.partition('.')[0])
sys.meta_path.insert(0, Watch())
"""
OPTIONAL = {"torch", "rpy2", "dask", "distributed", "generative"}


@pytest.mark.parametrize(
    "code",
    [
        "from larvastats import *",  # its names load on first use
        "from larvastats.cli import main\nsys.argv = ['larvastats', '--help']\nmain()",
    ],
    ids=["import", "help"],
)
def test_neither_import_nor_help_asks_for_optional_libraries(code: str) -> None:
    report = f"print('asked', *sorted(Watch.asked & {OPTIONAL}))"
    done = run(
        sys.executable, "-c", f"{WATCH}import atexit\natexit.register(lambda: {report})\n{code}"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "asked"


@pytest.fixture
def ci(tmp_path: Path):
    """Run .ci/run with a `make` that prints a given output and ends with a given status."""

    def run_ci(output: str, status: int) -> tuple[list[str], int]:
        make = tmp_path / "make"
        make.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\nexit {status}\n")
        make.chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        done = run(REPOSITORY / ".ci" / "run", env={**os.environ, "PATH": path})
        return done.stdout.splitlines(), done.returncode

    return run_ci


def test_ci_ends_with_the_closing_line_of_pytest(ci) -> None:
    lines, status = ci("..F\nFAILED x\n1 failed, 2 passed in 0.10s\nmake: *** Error 1", 2)
    assert status == 2
    assert lines[-1] == "1 failed, 2 passed in 0.10s"


def test_ci_does_not_repeat_a_closing_line_that_is_last(ci) -> None:
    lines, status = ci("...\n3 passed, 1 skipped in 61.02s (0:01:01)", 0)
    assert status == 0
    assert lines == ["...", "3 passed, 1 skipped in 61.02s (0:01:01)"]


def test_ci_fails_when_pytest_gave_no_result(ci) -> None:
    lines, status = ci("nothing to do", 0)
    assert status == 1
    assert "before pytest gave a result" in lines[-1]


def test_changelog_describes_this_version() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(PROJECT['version'])}\b", text, re.MULTILINE)


def test_links_and_pictures_of_the_documents_lead_somewhere() -> None:
    folders = ("analyses", "larvastats", "generative", "reports", "tests")
    documents = [*REPOSITORY.glob("*.md")]
    for folder in folders:
        documents += (REPOSITORY / folder).rglob("*.md")
    assert REPOSITORY / "analyses" / "statistics.md" in documents
    for document in documents:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (document.parent / link).exists(), f"{document} points at {link}"
