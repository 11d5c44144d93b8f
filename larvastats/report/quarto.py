"""Rendering by Quarto, where it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from larvastats.errors import DataError


def find_quarto() -> str | None:
    """Return the ``quarto`` on the PATH, if there is one."""
    return shutil.which("quarto")


def render_by_quarto(
    quarto: str, project: Path, pages: Sequence[str], parameters: Mapping[str, Any], to: str
) -> dict[str, str]:
    """Render pages of a project and return their HTML by name.

    Quarto writes into the project it renders, so it works on a copy. Its cells run under this
    Python (``QUARTO_PYTHON``).

    Raises
    ------
    DataError
        Quarto failed: the sentence of the cell that raised, else the end of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="larvastats-") as folder:
        work = Path(folder) / "reports"
        shutil.copytree(project, work, ignore=shutil.ignore_patterns("_output", ".*"))
        # JSON is YAML, and keeps names with colons and @ as they are
        values = Path(folder) / "parameters.yml"
        values.write_text(json.dumps(dict(parameters), ensure_ascii=False), encoding="utf-8")
        out = {}
        for page in pages:
            _call([quarto, "render", f"{page}.qmd", "--to", to, "--execute-params", str(values)],
                  work)  # fmt: skip
            out[page] = _page(work, page)
        return out


def _call(words: Sequence[str], work: Path) -> None:
    environment = os.environ | {
        "QUARTO_PYTHON": sys.executable,
        "LARVASTATS_CALLED_FROM": os.getcwd(),
    }
    try:
        done = subprocess.run(
            words, cwd=work, env=environment, capture_output=True, text=True, encoding="utf-8",
            errors="replace", check=False,
        )  # fmt: skip
    except OSError as error:
        raise DataError(f"quarto ({words[0]}) cannot be run: {error.strerror or error}.") from error
    if done.returncode:
        raise DataError(_reason(done.stdout + "\n" + done.stderr, words[2]))


def _reason(said: str, page: str) -> str:
    """Return the sentence of a cell of ours, else the last line that Quarto printed."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in said.splitlines()]
    ours = [line for line in lines if line.startswith("error: ")]
    if ours:
        return ours[-1].removeprefix("error: ")
    last = next((line for line in reversed(lines) if line), "it said nothing")
    return f"quarto could not render {page}: {last}"


def _page(work: Path, page: str) -> str:
    for folder in (work / "_output", work):
        path = folder / f"{page}.html"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise DataError(f"quarto rendered {page}.qmd but left no {page}.html.")
