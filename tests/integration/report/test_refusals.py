"""What goes wrong with a report is one sentence, and leaves nothing behind."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from larvastats.errors import DataError
from larvastats.report import make, pandoc
from larvastats.report.make import make_report, render_page, reports_folder

pytest.importorskip("nbclient", reason="the extra report is not installed")

BUILT_IN = ("--renderer", "builtin")


@pytest.fixture
def refused(cli: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """Run `report`, expect a refusal with that exit code, and nothing written."""

    def run(code: int, folder: Path, *words: object) -> str:
        out = tmp_path / "out"
        done = cli("report", folder, "--out", out, *BUILT_IN, *words)
        assert done.code == code, done.err
        assert not out.exists()
        assert len(done.error) < 700
        return done.error

    return run


@pytest.mark.parametrize(
    ("name", "words"), [("none", "none does not exist"), ("file", "file is a file")]
)
def test_no_directory(refused, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("x")
    sentence = refused(2, tmp_path / name)
    assert words in sentence and "--out" in sentence


def test_empty_directory(refused, tmp_path: Path) -> None:
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    sentence = refused(1, tmp_path / "empty")
    assert "holds no results" in sentence and "larvastats screen" in sentence


def test_results_of_an_unknown_kind(refused, copy: Path, change) -> None:
    change(copy, result="ShapeResult")
    sentence = refused(1, copy)
    assert "a kind that no page shows (ShapeResult)" in sentence


@pytest.mark.parametrize("version", ["9.0.0", "0.10.0", "1.0.0rc1"])
def test_results_of_a_newer_version(refused, copy: Path, change, version: str) -> None:
    change(copy, larvastats=version)
    assert f"larvastats {version}, which is newer than this one" in refused(1, copy)


def test_results_of_an_older_version_tell_their_kind_by_their_files(
    copy: Path, change, tmp_path: Path
) -> None:
    path = copy / "provenance.json"
    content = json.loads(path.read_text())
    for name in ("result", "alpha", "states"):
        del content[name]
    path.write_text(json.dumps(content))
    made = make_report(copy, out=tmp_path / "out", renderer="builtin")
    assert [p.name for p in made.files] == ["screen.html"]


@pytest.mark.parametrize("name", ["screen.parquet", "transitions.parquet"])
@pytest.mark.parametrize("how", ["cut", "gone", "other"])
def test_damaged_tables(copy: Path, name: str, how: str) -> None:
    from larvastats.report.pages import open_page

    path = copy / name
    if how == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    elif how == "gone":
        path.unlink()
    else:
        pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(DataError) as caught:
        open_page(copy, "screen").head()
    assert name in str(caught.value) and "run that command again" in str(caught.value)


def test_damaged_table_on_the_command_line(refused, copy: Path) -> None:
    (copy / "screen.parquet").write_bytes(b"PAR1 no")
    sentence = refused(1, copy)
    assert "screen.parquet" in sentence and "larvastats screen --protocol" in sentence


@pytest.mark.parametrize("content", ["{", '{"larvastats": "0.1.0"', "\x00"])
def test_damaged_provenance(refused, copy: Path, content: str) -> None:
    (copy / "provenance.json").write_text(content)
    assert "provenance.json" in refused(1, copy)


def test_damaged_picture(copy: Path) -> None:
    from larvastats.report.pages import open_page

    (copy / "ranking.svg").write_text("<svg")
    with pytest.raises(DataError, match=r"ranking\.svg is damaged"):
        open_page(copy, "screen").picture("ranking")


def test_a_file_that_was_changed_is_noted(copy: Path) -> None:
    from larvastats.report.pages import open_page

    table = pd.read_parquet(copy / "screen.parquet")
    table.assign(note="mine").to_parquet(copy / "screen.parquet", index=False)
    assert "its checksum differs" in open_page(copy, "screen").notes().text


def test_pictures_that_were_not_drawn_are_drawn_from_the_tables(copy: Path) -> None:
    from larvastats.report.pages import open_page

    for path in copy.glob("*.svg"):
        path.unlink()
    page = open_page(copy, "screen")
    assert "<svg" in page.picture("ranking").text
    assert page.matrices(2).text.count("<figure") == 2
    assert "--no-figures" in page.raster().text


def test_names_in_results_are_text_on_the_page(copy: Path) -> None:
    from larvastats.report.pages import open_page

    table = pd.read_parquet(copy / "screen.parquet")
    table.loc[0, "line"] = table.loc[0, "genotype"] = "<script>alert(1)</script>"
    table.to_parquet(copy / "screen.parquet", index=False)
    page = open_page(copy, "screen")
    for piece in (page.head(), page.ranking(), page.notes(), page.methods()):
        assert "<script" not in piece.text


def test_unwritable_target(cli, demo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = cli("report", demo, "--out", tmp_path / "file", *BUILT_IN)
    assert done.code == 2 and "cannot write into" in done.error
    assert (tmp_path / "file").read_text() == "x"


def test_target_that_fails_at_the_end_keeps_the_earlier_page(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "screen.html").write_text("earlier")
    monkeypatch.setattr(make, "_built_in", lambda *_: ({"screen": "new"}, ()))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        make_report(demo, out=tmp_path, renderer="builtin")
    assert [p.name for p in tmp_path.iterdir()] == ["screen.html"]
    assert (tmp_path / "screen.html").read_text() == "earlier"


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make imports of some libraries fail."""
    real = builtins.__import__

    def fail(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] in names:
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **more)

    for name in [n for n in sys.modules if n.partition(".")[0] in names]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", fail)
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_pandoc_is_missing(refused, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "pypandoc")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    sentence = refused(1, demo)
    assert "needs pandoc" in sentence and "larvastats[report]" in sentence


@pytest.mark.parametrize("library", ["nbclient", "nbformat", "yaml", "ipykernel"])
def test_extra_is_missing(
    refused, demo: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    without(monkeypatch, library)
    sentence = refused(1, demo)
    assert f"needs {library}" in sentence and "pip install 'larvastats[report]'" in sentence


def test_quarto_is_asked_for_and_missing(
    cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = cli("report", demo, "--renderer", "quarto")
    assert done.code == 1 and "quarto was not found on the PATH" in done.error


def test_pandoc_that_fails_is_a_sentence(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "pandoc"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr(pandoc, "find_pandoc", lambda: str(fake))
    with pytest.raises(DataError, match="pandoc could not make the page: broken"):
        pandoc.to_html("x", {"format": {"html": {}}}, tmp_path)


def test_genotype_that_is_not_there(refused, demo: Path) -> None:
    sentence = refused(1, demo, "--genotype", "GMR_00")
    assert "GMR_00 is no genotype of these results" in sentence and "GMR_72F11" in sentence
    assert "and 6 more" in sentence


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """A project with one page of that text, and the style of ours."""

    def write(text: str) -> Path:
        folder = tmp_path / "project"
        shutil.copytree(reports_folder(), folder)
        (folder / "screen.qmd").write_text(text, encoding="utf-8")
        return folder

    return write


PARTS = """---
title: "Parts: some"
subtitle: of a page
author: A. Larva
---

```{python}
#| label: quiet
#| warning: false
import sys
print("to be seen")
print("not to be seen", file=sys.stderr)
```

```{python}
#| eval: false
#| echo: true
raise SystemExit("never run")
```

```{python}
#| label: curve
#| fig-cap: "A *curve*"
#| fig-alt: "Up, then down"
#| fig-width: 3
#| fig-height: 2
import matplotlib.pyplot as plt
plt.plot([0, 1, 0]);
```

```{python}
#| label: fails
#| error: true
1 / 0
```

```{python}
#| output: asis
print(f"**{lines}** lines of", results)
```

See @fig-curve.
"""


def test_options_of_cells_are_honoured_and_limits_said(project, demo: Path, tmp_path) -> None:
    made = make_report(demo, out=tmp_path / "out", renderer="builtin", project=project(PARTS),
                       lines=7)  # fmt: skip
    page = made.files[0].read_text(encoding="utf-8")
    assert '<h1 class="title">Parts: some</h1>' in page
    assert ">of a page</p>" in page and ">A. Larva</p>" in page
    assert "to be seen" in page and "not to be seen" not in page
    assert "never run" in page  # its code is shown
    assert "ZeroDivisionError: division by zero" in page
    assert f"<strong>7</strong> lines of {demo}" in page
    assert 'alt="Up, then down" src="data:image/svg+xml,' in page
    assert "A <em>curve</em>" in page
    assert "width=%22216" in page or "width=%2221" in page  # 3 inches in points, cut to its ink
    assert made.notes == (
        "screen.qmd: the built-in renderer leaves out cross-references; Quarto does not.",
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1 / 0", ["'bad'", "ZeroDivisionError: division by zero", "screen.qmd"]),
        ("raise SystemExit(3)", ["screen.qmd"]),
        ("import os; os._exit(1)", ["Python stopped"]),
        ("this is no Python", ["'bad'", "SyntaxError"]),
    ],
)
def test_a_cell_that_raises_is_a_sentence(
    project, demo: Path, tmp_path: Path, code: str, words: list[str]
) -> None:
    text = f"---\ntitle: x\n---\n\n```{{python}}\n#| label: bad\n{code}\n```\n"
    with pytest.raises(DataError) as caught:
        make_report(demo, out=tmp_path / "out", renderer="builtin", project=project(text))
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_notebook_shows_the_sentence_and_no_traceback(project, demo: Path) -> None:
    """What Quarto prints of a directory that is not there: its cell, and this."""
    from larvastats.report.document import read_document
    from larvastats.report.execute import run_cells

    text = (reports_folder() / "screen.qmd").read_text(encoding="utf-8")
    text = text.replace("#| label: read", "#| label: read\n#| error: true").partition("## R")[0]
    document = read_document(project(text.replace("page.head()", "1")) / "screen.qmd")
    outputs = run_cells(document, {"results": "nowhere/at/all"})
    (error,) = [out for out in outputs[1] if out["output_type"] == "error"]
    (line,) = error["traceback"]
    assert line.startswith("error: the results directory nowhere/at/all does not exist")


def test_an_interrupt_ends_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import Future
    from threading import Event
    from types import SimpleNamespace

    from larvastats.report.execute import _interruptible

    killed = Event()
    manager = SimpleNamespace(provisioner=SimpleNamespace(process=SimpleNamespace(kill=killed.set)))

    def interrupt(self: Future[object], timeout: object = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _interruptible(lambda: killed.wait(60), manager)
    assert killed.is_set()


def test_a_page_without_parameters_gets_them_first(project, demo: Path) -> None:
    folder = project("---\ntitle: x\n---\n\n```{python}\n#| echo: false\nprint(results)\n```\n")
    page, limits = render_page(folder / "screen.qmd", {"results": "here"})
    assert "here" in page and limits == ()
