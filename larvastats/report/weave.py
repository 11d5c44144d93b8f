"""Text, code and outputs as one Markdown document for pandoc."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from larvastats.report import html
from larvastats.report.document import Cell, Document, Prose, cell_options

IMAGES = {"image/png": "png", "image/jpeg": "jpeg"}


def weave(document: Document, outputs: Mapping[int, Sequence[Mapping[str, Any]]]) -> str:
    """Put prose and the outputs of cells together, as their options say."""
    pieces, position = list[str](), 0
    for part in document.parts:
        if isinstance(part, Prose):
            pieces.append(part.text)
            continue
        options = cell_options(document, part)
        if options["include"]:
            pieces += _cell(part, options, outputs.get(position, ()))
        position += 1
    return "\n\n".join(pieces) + "\n"


def _cell(
    cell: Cell, options: Mapping[str, Any], outputs: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    if options["echo"]:
        yield _fenced(cell.code, "python")
    if options["output"] is False:
        return
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            if output["name"] == "stderr" and not options["warning"]:
                continue
            asis = options["output"] == "asis" and output["name"] == "stdout"
            yield str(output["text"]) if asis else _fenced(str(output["text"]).rstrip(), "")
        elif kind == "error":
            yield _fenced(f"{output['ename']}: {output['evalue']}", "")
        else:
            yield _shown(output["data"], cell, options)


def _shown(data: Mapping[str, Any], cell: Cell, options: Mapping[str, Any]) -> str:
    """Return the richest form of an output that a page can hold."""
    if "text/html" in data:
        return _raw(_text(data["text/html"]))
    if "text/markdown" in data:
        return _text(data["text/markdown"])
    if "image/svg+xml" in data:
        source = html.data_uri(html.slim(_text(data["image/svg+xml"])))
        return _image(source, cell, options)
    for kind in IMAGES:
        if kind in data:
            text = "".join(_text(data[kind]).split())
            base64.b64decode(text, validate=True)
            return _image(f"data:{kind};base64,{text}", cell, options)
    return _fenced(_text(data.get("text/plain", "")), "")


def _image(source: str, cell: Cell, options: Mapping[str, Any]) -> str:
    """Write a figure: its caption is Markdown, its alternative text plain."""
    caption = str(options.get("fig-cap") or "")
    alt = str(options.get("fig-alt") or caption)
    label = cell.options.get("label")
    name = f' id="{escape(str(label), quote=True)}"' if label else ""
    head = (
        f'<figure class="wide"{name}><div class="picture"><img alt="{escape(alt, quote=True)}" '
        f'src="{source}"></div>'
    )
    if not caption:
        return _raw(f"{head}</figure>")
    return f"{_raw(head + '<figcaption>')}\n\n{caption}\n\n{_raw('</figcaption></figure>')}"


def _raw(text: str) -> str:
    fence = _fence(text)
    return f"{fence}{{=html}}\n{text}\n{fence}"


def _fenced(text: str, language: str) -> str:
    fence = _fence(text)
    return f"{fence}{{.{language or 'output'}}}\n{text}\n{fence}"


def _fence(text: str) -> str:
    """Return more backticks than the text has side by side anywhere."""
    return "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)
