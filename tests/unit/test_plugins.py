"""The loader of commands from entry points, against installed packages made up on sys.path."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from larvastats.errors import DataError
from larvastats.plugins import GROUP, load_commands

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a distribution with a command and a package, first on sys.path, larvastats' too."""

    def make(
        distribution: str,
        *,
        command: str = "",
        target: str = "",
        files: dict[str, str] | None = None,
    ) -> Path:
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        if command:
            (info / "entry_points.txt").write_text(f"[{GROUP}]\n{command} = {target}\n")
        for name, text in (files or {}).items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)
        (info / "RECORD").write_text("".join(f"{name},,\n" for name in files or {}))
        monkeypatch.syspath_prepend(site)
        return site

    make("larvastats", command="generate", target="generative.cli:app")
    for name in [name for name in sys.modules if name.partition(".")[0] == "generative"]:
        monkeypatch.delitem(sys.modules, name)
    return make


def run(*args: str) -> Result:
    app = typer.Typer(add_completion=False)

    @app.callback()
    def top() -> None:
        """Stand in for larvastats."""

    for name, command in load_commands().items():
        app.add_typer(command, name=name)
    return CliRunner().invoke(app, list(args))


def refusal(*args: str) -> str:
    error = run(*args).exception
    assert isinstance(error, DataError), repr(error)
    assert error.exit_code == 1
    return str(error)


def test_our_command_lists_its_commands(install: Install) -> None:
    result = run("generate")
    assert result.exit_code == 2  # a command is missing
    assert "index" in result.output and "train" in result.output


def test_help_comes_from_the_command_itself(install: Install) -> None:
    assert "Generative models of larva trajectories" in run("--help").stdout
    result = run("generate", "--help")
    assert result.exit_code == 0
    assert "Learn how larvae move" in result.stdout
    assert "generate [OPTIONS]" in result.stdout


def test_without_the_extra_our_command_names_it(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    sentence = refusal("generate", "train", "index.h5", "--out", "run")
    assert "needs torch" in sentence
    assert "pip install 'larvastats[generative]'" in sentence


def test_unknown_subcommand_is_wrong_usage(install: Install) -> None:
    result = run("generate", "poems")
    assert result.exit_code == 2
    assert "poems" in result.stderr


def test_finding_and_listing_commands_imports_none_of_them(install: Install) -> None:
    site = install("other", command="other", target="other.cli:app", files={"other/cli.py": "1/0"})
    code = (
        f"import sys; sys.path[:0] = [{str(site)!r}, {str(site.parent / 'larvastats')!r}]\n"
        "import typer; from typer.testing import CliRunner\n"
        "from larvastats.plugins import load_commands\n"
        "app = typer.Typer()\n"
        "for name, command in load_commands().items(): app.add_typer(command, name=name)\n"
        "print(CliRunner().invoke(app, ['--help']).stdout)\n"
        "print('loaded', {'generative', 'other', 'torch'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert "generate" in done.stdout
    assert "Added by other." in done.stdout
    assert "loaded set()" in done.stdout


@pytest.mark.parametrize("arguments", [("generate",), ("generate", "--help")])
def test_foreign_package_names_what_to_uninstall(
    install: Install, arguments: tuple[str, ...]
) -> None:
    site = install(
        "generative-poetry",
        files={"generative/__init__.py": "raise RuntimeError('imported')\n"},
    )
    sentence = refusal(*arguments)
    assert "pip uninstall generative-poetry" in sentence
    assert "then reinstall larvastats" in sentence
    assert str(site / "generative") in sentence
    assert "generate" in run("--help").stdout


def test_command_line_turns_the_refusal_into_a_sentence(install: Install) -> None:
    site = install("generative-poetry", files={"generative/__init__.py": ""})
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", "from larvastats.cli import main; main()", "generate"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [site, site.parent / "larvastats", repository])),
        },
        cwd=site,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "pip uninstall generative-poetry" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_foreign_module_that_is_no_package_is_told_apart(install: Install) -> None:
    site = install("generative-poetry", files={"generative.py": "raise RuntimeError('imported')\n"})
    sentence = refusal("generate")
    assert "pip uninstall generative-poetry" in sentence
    assert str(site / "generative.py") in sentence


def test_foreign_package_of_no_distribution_is_to_be_renamed(install: Install) -> None:
    site = install("stray")
    (site / "generative").mkdir()
    (site / "generative" / "__init__.py").write_text("")
    sentence = refusal("generate")
    assert "no installed distribution" in sentence
    assert "rename or remove" in sentence
    assert "pip uninstall" not in sentence


def test_own_package_that_is_missing_asks_for_a_reinstall(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("larvastats.plugins.find_spec", lambda name: None)
    assert "not installed: reinstall larvastats" in refusal("generate")


APP = """
import typer
app = typer.Typer(add_completion=False)

@app.callback()
def top():
    "Nested."

@app.command()
def add(a: int, b: int, times: int = 1):
    print((a + b) * times)
"""


def test_command_of_another_package_gets_its_arguments(install: Install) -> None:
    install("adder", command="sum", target="adder:app", files={"adder.py": APP})
    result = run("sum", "add", "2", "3", "--times", "2")
    assert result.exit_code == 0
    assert result.stdout.strip() == "10"
    assert list(load_commands()) == ["generate", "sum"]


def test_own_command_wins_over_another_of_its_name(install: Install) -> None:
    install("aaa", command="generate", target="adder:app", files={"adder.py": APP})
    assert "Learn how larvae move" in run("generate", "--help").stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import a_module_that_is_not_there", "cannot be imported"),
        ("", "cannot be imported"),
        ("app = 3", "must name a typer.Typer"),
    ],
)
def test_broken_command_of_another_package_is_named(
    install: Install, text: str, words: str
) -> None:
    install("breaks", command="breaks", target="breaks:app", files={"breaks.py": text})
    sys.modules.pop("breaks", None)
    sentence = refusal("breaks")
    assert words in sentence
    assert "distribution breaks" in sentence
    assert run("--help").exit_code == 0
