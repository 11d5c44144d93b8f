"""The examples of analyses/r.md, run as they stand there."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from larvastats.example import example_path

COMMAND = Path(sys.executable).with_name("larvastats")
PAGE = Path(__file__).resolve().parents[2] / "analyses" / "r.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.M)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``bouts.csv``."""
    pd.read_parquet(example_path()).to_csv(tmp_path / "bouts.csv", index=False)
    return tmp_path


@pytest.mark.usefixtures("with_rpy2")
def test_from_a_data_frame_to_a_picture(program, folder):
    _, *examples = blocks("r")
    assert len(examples) == 3
    (folder / "page.R").write_text("\n".join(examples), "utf-8")
    done = program(COMMAND, "r", "page.R", cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    printed = blocks("text")[0]
    for line in printed.splitlines():
        assert line in done.stdout.splitlines(), line
    assert (folder / "lines.png").stat().st_size > 5000
    assert "to ~ genotype * cr(t, knots=[" in done.stdout


@pytest.mark.usefixtures("with_r")
def test_rstudio_finds_the_command(program, folder):
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    done = program("Rscript", "-e", blocks("r")[0], env={"PATH": path}, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "$transition_model" in done.stdout


@pytest.mark.usefixtures("with_rpy2")
@pytest.mark.skipif(importlib.util.find_spec("IPython") is None, reason="no IPython")
def test_cells_of_a_notebook(folder):
    (cell,) = blocks("python")
    (r_cell,) = blocks("ipython")
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        f"shell.run_cell({cell!r}).raise_error()\n"
        f"shell.run_cell({r_cell!r}).raise_error()\n"
        "assert type(shell.user_ns['tidied']).__name__ == 'DataFrame'\n"
        "print('p', shell.user_ns['tidied']['p.value'][0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder,
                          timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "p-value = 0.001779" in done.stdout and "p 0.00177" in done.stdout
    assert "<IPython.core.display.Image object>" in done.stdout  # the picture
