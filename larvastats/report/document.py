"""A Quarto document as text and cells, as far as the built-in renderer understands it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from larvastats.errors import DataError

FENCE = re.compile(r"^(`{3,})\s*\{(\w+)[^}]*\}\s*$")
PLAIN_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")

OPTIONS = {
    "echo", "eval", "output", "warning", "include", "error", "label", "tags", "fig-cap", "fig-alt",
    "fig-width", "fig-height",
}  # fmt: skip
"""Options of cells (``#| name: value``) that the built-in renderer honours."""

CANNOT = {
    "cross-references": re.compile(r"(?<![\w\\])@(?:fig|tbl|sec|eq|lst|thm)-[\w-]+"),
    "callouts": re.compile(r"^:{3,}\s*\{[^}]*\.callout-", re.MULTILINE),
    "shortcodes": re.compile(r"\{\{<.*?>\}\}"),
    "code within a sentence": re.compile(r"`\{\w+\}[^`]*`"),
    "tabs": re.compile(r"^:{3,}\s*\{[^}]*\.panel-tabset", re.MULTILINE),
    "layouts": re.compile(r"^:{3,}\s*\{[^}]*\blayout(?:-ncol|-nrow)?\s*=", re.MULTILINE),
}
"""What Quarto can do with text and the built-in renderer cannot."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown between cells."""

    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """Code to run, with its options."""

    code: str
    options: Mapping[str, Any]
    line: int

    @property
    def label(self) -> str:
        """Return its label, else where it stands."""
        return str(self.options.get("label") or f"line {self.line}")

    @property
    def is_parameters(self) -> bool:
        """Whether it holds the parameters' defaults."""
        tags = self.options.get("tags") or ()
        return "parameters" in (tags if isinstance(tags, list) else str(tags).split(","))


@dataclass(frozen=True, slots=True)
class Document:
    """Front matter, parts in order, and what the built-in renderer cannot do with them."""

    path: Path
    meta: Mapping[str, Any]
    parts: Sequence[Prose | Cell]
    limits: Sequence[str] = field(default_factory=tuple)

    @property
    def cells(self) -> list[Cell]:
        """Return the cells in order."""
        return [part for part in self.parts if isinstance(part, Cell)]


def read_document(path: Path) -> Document:
    """Read a ``.qmd`` file, with what ``_quarto.yml`` beside it says for all.

    Raises
    ------
    DataError
        It cannot be read, or its YAML is broken.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the page {path} ({error}).") from error
    meta, body, offset = _front_matter(path, text)
    found: list[str] = []
    parts = list(_parts(path, body, offset, found))
    prose = "\n".join(_without_code(p.text) for p in parts if isinstance(p, Prose))
    found += [name for name, pattern in CANNOT.items() if pattern.search(prose)]
    project = path.with_name("_quarto.yml")
    shared = _yaml(project, project.read_text(encoding="utf-8")) if project.is_file() else {}
    merged = _merged(shared, meta)
    return Document(path, merged, tuple(parts), tuple(dict.fromkeys(found)))


def cell_options(document: Document, cell: Cell) -> dict[str, Any]:
    """Return the options of a cell, those of the document (``execute``, ``format``) below them."""
    defaults = {"echo": True, "eval": True, "output": True, "warning": True, "include": True,
                "error": False}  # fmt: skip
    html = (document.meta.get("format") or {}).get("html")
    sizes = {k: v for k, v in (html if isinstance(html, dict) else {}).items()
             if k in ("fig-width", "fig-height")}  # fmt: skip
    return {**defaults, **sizes, **(document.meta.get("execute") or {}), **cell.options}


def _front_matter(path: Path, text: str) -> tuple[dict[str, Any], str, int]:
    if not text.startswith("---\n"):
        return {}, text, 0
    head, mark, body = text[4:].partition("\n---\n")
    if not mark:
        raise DataError(f"the page {path} has front matter that does not end; expected a line ---.")
    return _yaml(path, head), body, head.count("\n") + 3


def _yaml(path: Path, text: str) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise DataError(f"the page {path} has YAML that cannot be read: {where}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise DataError(f"the page {path} has YAML without names; expected lines name: value.")
    return content


def _parts(path: Path, body: str, offset: int, found: list[str]) -> Iterator[Prose | Cell]:
    """Yield prose and cells; cells of other languages become a note in `found` and are left out."""
    lines, prose = body.split("\n"), list[str]()
    at = 0
    while at < len(lines):
        match = FENCE.match(lines[at])
        if match is None:
            stop = _plain_block(lines, at)
            prose += lines[at:stop]
            at = stop
            continue
        end = _closing(lines, at, match[1])
        yield Prose("\n".join(prose))
        prose = []
        if match[2] == "python":
            yield _cell(path, lines[at + 1 : end], offset + at + 1, found)
        else:
            found.append(f"cells of the language {match[2]}")
        at = end + 1
    yield Prose("\n".join(prose))


def _plain_block(lines: Sequence[str], at: int) -> int:
    """Return where a block of plain code that begins here ends, else the next line."""
    match = PLAIN_FENCE.match(lines[at])
    if match is None:
        return at + 1
    return min(_closing(lines, at, match[1]) + 1, len(lines))


def _closing(lines: Sequence[str], at: int, fence: str) -> int:
    for k in range(at + 1, len(lines)):
        text = lines[k].strip()
        if text.startswith(fence) and not text.strip(fence[0]):
            return k
    return len(lines)


def _cell(path: Path, lines: Sequence[str], line: int, found: list[str]) -> Cell:
    n = next((k for k, text in enumerate(lines) if not text.startswith("#|")), len(lines))
    options = _yaml(path, "\n".join(text[2:].removeprefix(" ") for text in lines[:n]))
    found += [f"the option {name} of cells" for name in options if name not in OPTIONS]
    return Cell("\n".join(lines[n:]).strip("\n"), options, line)


def _without_code(text: str) -> str:
    return re.sub(r"^(`{3,}|~{3,}).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings, deeply; `above` wins."""
    out = dict(below)
    for name, value in above.items():
        old = out.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        out[name] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return out
