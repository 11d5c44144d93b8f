"""The page with ``%%R`` cells, where R is and where it is not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from larvastats.report.rcells import enable_r

pytest.importorskip("nbclient", reason="the extra report is not installed")


class Shell:
    """Stands in for IPython's shell: knows which magics were registered."""

    def __init__(self) -> None:
        self.magics: dict[str, object] = {}

    def run_line_magic(self, name: str, line: str) -> None:
        raise OSError("R_HOME is nowhere\nand more")

    def register_magic_function(self, function: object, magic_kind: str, magic_name: str) -> None:
        self.magics[magic_name] = function


@pytest.mark.parametrize("installed", [True, False])
def test_cells_do_nothing_without_r(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    import sys
    import types

    package = types.ModuleType("rpy2")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "rpy2", package if installed else None)
    monkeypatch.setitem(sys.modules, "rpy2.ipython", types.ModuleType("x") if installed else None)
    shell = Shell()
    reason = enable_r(shell, ["ggplot2"])
    assert reason == (
        "rpy2 does not work with this R (R_HOME is nowhere)"
        if installed
        else "rpy2 is not installed (pip install 'larvastats[r]')"
    )
    assert shell.magics["R"]("-i cells", "library(none)") is None


def test_ggplot2_draws_where_r_is(demo: Path, tmp_path: Path) -> None:
    pytest.importorskip("rpy2", reason="the extra r is not installed")
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    from larvastats.report.make import make_report

    made = make_report(demo, out=tmp_path, renderer="builtin", genotype="GMR_72F11")
    page = made.files[0].read_text(encoding="utf-8")
    if "R has no package ggplot2" in page:
        pytest.skip("R has no package ggplot2")
    assert re.search(r'<figure class="wide" id="r-picture">.{,600}src="data:image/svg\+xml,', page,
                     re.DOTALL)  # fmt: skip
    assert "Warning" not in page
