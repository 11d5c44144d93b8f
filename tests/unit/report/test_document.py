"""Quarto documents as text and cells, and their outputs put back among the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from larvastats.errors import DataError
from larvastats.report.document import Document, Prose, cell_options, read_document
from larvastats.report.make import reports_folder
from larvastats.report.weave import weave

yaml = pytest.importorskip("yaml", reason="the extra report is not installed")

TEXT = """---
title: A page
execute:
  echo: false
---

Before `code`.

```{python}
#| label: one
#| tags: [parameters]
#| fig-cap: "A *caption*"
x = "```"
```

````markdown
```{python}
not a cell
```
````

```{python}
#| eval: false
raise SystemExit
```

After.
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, project: str | None = None) -> Document:
        (tmp_path / "page.qmd").write_text(text, encoding="utf-8")
        if project is not None:
            (tmp_path / "_quarto.yml").write_text(project, encoding="utf-8")
        return read_document(tmp_path / "page.qmd")

    return write


def test_cells_and_text_are_told_apart(write) -> None:
    document = write(TEXT)
    one, two = document.cells
    assert (one.label, one.code, one.line) == ("one", 'x = "```"', 9)
    assert one.is_parameters and not two.is_parameters
    assert two.options == {"eval": False}
    prose = "\n".join(p.text for p in document.parts if isinstance(p, Prose))
    assert "Before" in prose and "not a cell" in prose and "After." in prose
    assert document.limits == ()


def test_options_of_a_cell_win_over_the_page_and_the_page_over_the_project(write) -> None:
    document = write(TEXT, "execute:\n  echo: true\n  warning: false\nformat:\n  html:\n"
                           "    fig-width: 4\n")  # fmt: skip
    options = cell_options(document, document.cells[0])
    assert options["echo"] is False and options["warning"] is False
    assert options["eval"] is True and options["fig-width"] == 4
    assert cell_options(document, document.cells[1])["eval"] is False


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("See @fig-one.", "cross-references"),
        ("::: {.callout-note}\nx\n:::", "callouts"),
        ("{{< include x.qmd >}}", "shortcodes"),
        ("It is `{python} x`.", "code within a sentence"),
        ("::: {.panel-tabset}\n:::", "tabs"),
        ("::: {layout-ncol=2}\n:::", "layouts"),
        ("```{r}\nplot(1)\n```", "cells of the language r"),
        ("```{python}\n#| code-fold: true\nx = 1\n```", "the option code-fold of cells"),
    ],
)
def test_what_cannot_be_rendered_is_said(write, text: str, limit: str) -> None:
    assert write(text).limits == (limit,)


def test_addresses_and_code_are_no_cross_references(write) -> None:
    text = "Write to me@fig-tree.org.\n\n```\n@fig-one {{< x >}}\n```\n"
    assert write(text).limits == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\ntitle: [\n---\n", "YAML that cannot be read"),
        ("---\ntitle: x\n", "front matter that does not end"),
        ("```{python}\n#| label: [\n```\n", "YAML that cannot be read"),
        ("---\n- a\n---\n", "YAML without names"),
    ],
)
def test_broken_pages_are_a_sentence(write, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        write(text)


def test_a_page_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "page.qmd").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot read the page"):
        read_document(tmp_path / "page.qmd")


def shown(data: dict[str, str]) -> dict[str, object]:
    return {"output_type": "display_data", "data": data}


def woven(write, options: str, *outputs: dict[str, object]) -> str:
    return weave(write(f"```{{python}}\n{options}\nx = 1\n```\n"), {0: outputs})


def test_richest_form_of_an_output_is_shown(write) -> None:
    out = woven(write, "#| echo: false", shown({"text/html": "<b>1</b>", "text/plain": "1"}))
    assert "```{=html}\n<b>1</b>\n```" in out and "x = 1" not in out
    assert "*a*" in woven(write, "#| echo: false", shown({"text/markdown": "*a*"}))


def test_pictures_get_caption_alternative_text_and_label(write) -> None:
    options = '#| label: p\n#| fig-cap: "A *b*"\n#| fig-alt: "An \\"x\\""'
    out = woven(write, options, shown({"image/svg+xml": "<svg>#</svg>"}))
    assert '<figure class="wide" id="p">' in out
    assert 'alt="An &quot;x&quot;" src="data:image/svg+xml,%3Csvg%3E%23' in out
    assert "\n\nA *b*\n\n" in out
    assert 'alt="A *b*"' in woven(write, '#| fig-cap: "A *b*"', shown({"image/png": "aGFsbG8="}))


@pytest.mark.parametrize(
    ("options", "said", "silent"),
    [
        ("#| echo: true", ["x = 1", "out", "err"], []),
        ("#| echo: false", ["out", "err"], ["x = 1"]),
        ("#| warning: false", ["x = 1", "out"], ["err"]),
        ("#| output: false", ["x = 1"], ["out", "err"]),
        ("#| include: false", [], ["x = 1", "out", "err"]),
    ],
)
def test_options_say_what_is_shown(write, options: str, said: list[str], silent: list[str]) -> None:
    streams = [
        {"output_type": "stream", "name": "stdout", "text": "out"},
        {"output_type": "stream", "name": "stderr", "text": "err"},
    ]
    out = woven(write, options, *streams)
    assert all(word in out for word in said) and not any(word in out for word in silent)


def test_output_asis_is_markdown(write) -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": "# Head"}
    assert "\n# Head\n" in woven(write, "#| echo: false\n#| output: asis", stream)


def test_output_with_backticks_stays_inside_its_fence(write) -> None:
    out = woven(write, "#| echo: false", shown({"text/plain": "a ```` b"}))
    assert "`````{.output}\na ```` b\n`````" in out


@pytest.mark.parametrize("page", sorted(reports_folder().glob("*.qmd")), ids=lambda p: p.stem)
def test_our_own_pages_need_nothing_that_cannot_be_rendered(page: Path) -> None:
    document = read_document(page)
    assert document.limits == ()
    parameters = [cell for cell in document.cells if cell.is_parameters]
    assert len(parameters) == 1 and 'results = "results/demo"' in parameters[0].code
    labels = [cell.options["label"] for cell in document.cells if "label" in cell.options]
    assert len(set(labels)) == len(labels)
    for cell in document.cells:  # IPython wants a magic on the first line, options included
        assert not ("%%" in cell.code and cell.options)
    assert all("fig-alt" in c.options for c in document.cells if "fig-cap" in c.options)
    assert document.meta["format"]["html"]["embed-resources"] is True
