"""Tables, pictures and lists as HTML."""

from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree

from larvastats.report import html


def parsed(piece: html.Html) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{piece.text}</div>")


def small_table() -> html.Html:
    return html.Table(
        "Two lines.",
        [
            html.text_column("line", ["a<b", "c"]),
            html.number_column("p", [0.02, float("nan")], largest_first=True),
        ],
        sorted_by=1,
        strong=[True, False],
        label="line",
    ).html()


def test_table_is_named_scoped_and_sortable() -> None:
    root = parsed(small_table())
    window, table = root.find("div"), root.find("div/table")
    assert window.attrib == {
        "class": "table-window", "role": "region", "tabindex": "0", "aria-label": "Two lines",
    }  # fmt: skip
    assert table.attrib["aria-label"] == "Two lines"
    heads = table.findall("thead/tr/th")
    assert [h.attrib["scope"] for h in heads] == ["col", "col"]
    assert heads[1].attrib["aria-sort"] == "ascending"
    assert heads[1].attrib["data-first"] == "descending"
    rows = table.findall("tbody/tr")
    assert rows[0].attrib == {"class": "strong"} and rows[1].attrib == {}
    assert rows[0].find("th").text == "a<b" and rows[0].find("th").attrib["scope"] == "row"
    assert [row.find("td").attrib["data-key"] for row in rows] == ["0.02", ""]


def test_long_tables_have_a_window_of_their_own() -> None:
    column = html.text_column("n", range(html.LONG))
    assert 'class="table-window long"' in html.Table("Many.", [column]).html().text


def test_picture_address_holds_the_picture() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg">\n<path d="M 1 2"/><!-- 50% #1 --></svg>'
    address = html.data_uri(svg)
    assert not set('"<>#\n') & set(address)
    assert unquote(address).partition(",")[2] == svg.replace("\n", " ")
    figure = html.figure(svg, 'a "quoted" picture', "Below.")
    assert 'alt="a &quot;quoted&quot; picture"' in figure.text


def test_slim_rounds_paths_and_nothing_else() -> None:
    svg = '<g transform="scale(0.015625)"><path d="M 1.23456 -2.00049 L 3 4.5"/></g>'
    assert html.slim(svg) == ('<g transform="scale(0.015625)"><path d="M 1.23 -2.00 L 3 4.5"/></g>')


def test_nothing_becomes_nothing() -> None:
    assert html.items([]).text == ""
    assert "stimulus" not in html.facts({"data": "x", "stimulus": ""}).text
