"""What cells of a page show: HTML tables, sentences, definitions, pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import quote

from larvastats.report import numbers

LONG = 40
"""Rows from which on a table scrolls in a window of its own."""

UNRESERVED = " !'()*+,-./:;=?@_~$&"
"""What a data URI between double quotes may hold as it is."""


@dataclass(frozen=True, slots=True)
class Html:
    """A piece of a page; Jupyter, Quarto and our renderer take it as HTML."""

    text: str

    def _repr_html_(self) -> str:
        return self.text

    def __add__(self, other: Html) -> Html:
        """Put two pieces below each other."""
        return Html(f"{self.text}\n{other.text}")


@dataclass(frozen=True, slots=True)
class Svg:
    """A picture whose caption and alternative text stand in the cell (``fig-cap``, ``fig-alt``)."""

    text: str

    def _repr_svg_(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    head : str
        HTML.
    cells : sequence of str
        HTML, one per row.
    keys : sequence of float, optional
        What numbers are sorted by; text sorts by itself.
    largest_first : bool
        Whether the first sort puts the largest on top.
    is_text : bool
        Whether it reads as text, from the left, although it sorts by keys.
    """

    head: str
    cells: Sequence[str]
    keys: Sequence[float] | None = None
    largest_first: bool = False
    is_text: bool = False

    @property
    def kind(self) -> str:
        """Return the class of its cells: ``number`` from the right, ``keyed`` sorts by keys too."""
        return "" if self.keys is None else "keyed" if self.is_text else "number"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, the first of which names the rows; with a caption and, if long, a window of its own.

    Attributes
    ----------
    sorted_by : int, optional
        Column by which rows come sorted, ascending (a p-value, say).
    strong : sequence of bool
        Rows to set off.
    """

    caption: str
    columns: Sequence[Column]
    sorted_by: int | None = None
    strong: Sequence[bool] = field(default_factory=tuple)
    label: str = ""

    def html(self) -> Html:
        """Return the table."""
        n = len(self.columns[0].cells)
        kind = "table-window long" if n >= LONG else "table-window"
        heads = "".join(self._head(k, c) for k, c in enumerate(self.columns))
        rows = "\n".join(self._row(i) for i in range(n))
        name = re.sub(r"<[^>]+>", "", self.caption).rstrip(".").replace('"', "&quot;")
        data = f' data-label="{escape(self.label, quote=True)}"' if self.label else ""
        return Html(
            f'<p class="caption">{self.caption}</p>\n'
            f'<div class="{kind}" role="region" tabindex="0" aria-label="{name}">\n'
            f'<table class="sortable" aria-label="{name}" '
            f'data-quarto-disable-processing="true"{data}>\n<thead><tr>{heads}</tr></thead>\n'
            f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
        )

    def _head(self, k: int, column: Column) -> str:
        kind = "keyed" if k == 0 and column.kind else column.kind
        kind = f' class="{kind}"' if kind else ""
        order = ' data-first="descending"' if column.largest_first else ""
        now = ' aria-sort="ascending"' if k == self.sorted_by else ""
        return f'<th scope="col"{kind}{order}{now}>{column.head}</th>'

    def _row(self, i: int) -> str:
        strong = ' class="strong"' if self.strong and self.strong[i] else ""
        first = self.columns[0]
        cells = [f'<th scope="row"{_key(first, i)}>{first.cells[i]}</th>']
        for column in self.columns[1:]:
            kind = f' class="{column.kind}"' if column.kind else ""
            cells.append(f"<td{kind}{_key(column, i)}>{column.cells[i]}</td>")
        return f"<tr{strong}>{''.join(cells)}</tr>"


def _key(column: Column, i: int) -> str:
    """Return the attribute that a cell is sorted by."""
    if column.keys is None:
        return ""
    value = column.keys[i]
    return ' data-key=""' if numbers.missing(value) else f' data-key="{float(value):.8g}"'


def number_column(
    head: str, values: Iterable[Any], write: Any = numbers.fixed, largest_first: bool = False
) -> Column:
    """Make a column of numbers written by `write`."""
    values = list(values)
    keys = [float("nan") if numbers.missing(v) else float(v) for v in values]
    return Column(head, [write(v) for v in values], keys, largest_first)


def text_column(head: str, values: Iterable[Any]) -> Column:
    """Make a column of words."""
    return Column(head, ["" if numbers.missing(v) else escape(str(v)) for v in values])


def paragraph(*sentences: str, kind: str = "") -> Html:
    """Make a paragraph of sentences that are HTML already."""
    attribute = f' class="{kind}"' if kind else ""
    return Html(f"<p{attribute}>{' '.join(s for s in sentences if s)}</p>")


def items(sentences: Sequence[str], kind: str = "notes") -> Html:
    """Make a list; nothing of nothing."""
    if not sentences:
        return Html("")
    return Html(f'<ul class="{kind}">{"".join(f"<li>{s}</li>" for s in sentences)}</ul>')


def facts(pairs: Mapping[str, str]) -> Html:
    """Make a list of names and what they are; values are HTML, empty ones are left out."""
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{text}</dd></div>" for name, text in pairs.items() if text
    )
    return Html(f'<dl class="facts">{rows}</dl>')


def prose(text: Any) -> str:
    """Set what a command says for a terminal as a page does: ``<=``, ``->``, ranges, times."""
    out = str(text).replace("<=", "≤").replace(">=", "≥").replace("->", "→")
    out = re.sub(r"(?<![\w.-])(\d*\.?\d+)-(\d*\.?\d+)(?![\w-])", r"\1–\2", out)
    out = re.sub(r"(?<![\w.])-(?=\.?\d)", "−", out)
    return escape(re.sub(r"(?<=\w) x (?=\w)", " × ", out), quote=False)


def code(text: str) -> str:
    """Set a command or a name in code."""
    return f"<code>{escape(text)}</code>"


def figure(svg: str, alt: str, caption: str = "", wide: bool = True) -> Html:
    """Make a figure of its own, for pictures whose caption depends on the data.

    The picture is an image, not inline markup: names inside it meet no others, and scripts in it
    do not run.
    """
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    kind = ' class="wide"' if wide else ""
    return Html(
        f'<figure{kind}><div class="picture"><img alt="{escape(alt, quote=True)}" '
        f'src="{data_uri(svg)}"></div>{below}</figure>'
    )


def data_uri(svg: str) -> str:
    """Write a picture into its address: text, which is shorter than base64."""
    return "data:image/svg+xml," + quote(" ".join(svg.split()), safe=UNRESERVED)


def slim(svg: str) -> str:
    """Round the coordinates of paths to hundredths of a point, which no eye can see."""

    def rounded(match: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d{3,}", lambda n: f"{float(n[0]):.2f}", match[0])

    return re.sub(r'\sd="[^"]*"', rounded, svg)
