"""The page of time courses: mean curves, when genotypes differ, distributions off and on."""

from __future__ import annotations

from functools import cached_property
from html import escape
from typing import Any

import pandas as pd

from larvastats.report import html, numbers
from larvastats.report.html import Html
from larvastats.report.methods import Cited, software
from larvastats.report.pages import Page, marked, shared, soft
from larvastats.report.stored import Stored

WHAT = "A time course is"
CAPTIONS = {
    "overlay": "All curves in one frame, and below it the times at which a genotype differs from "
    "its control.",
    "timecourse": "Mean over assays and its limits, genotype by genotype.",
    "densities": "Distributions without and with the stimulus; each assay’s mean and spread.",
}


class TimecoursePage(Page):
    """All time courses and distributions in a directory, one below the other."""

    kinds = ("timecourse", "distribution")

    @cached_property
    def all(self) -> list[Stored]:
        """Return where they lie."""
        return list(self.results.every(*self.kinds))

    def head(self) -> Html:
        """Return titles, verdicts and designs."""
        out = Html("") if self.all else self.missing("timecourse", WHAT)
        for stored in self.all:
            out += html.paragraph(f"{escape(str(stored.design.get('title', '')))}.", kind="title")
            if stored.kind == "timecourse":
                out += html.paragraph(*verdicts(stored), kind="verdict")
            out += html.facts(shared(stored, "data_name", "response_text", "stimuli", "time_text",
                                     "unit_text", "limits_text", "method_text"))  # fmt: skip
        return out

    def pictures(self) -> Html:
        """Return the pictures that the command drew."""
        out = Html("") if self.all else self.missing("timecourse", WHAT)
        for stored in self.all:
            names = ("overlay", "timecourse") if stored.kind == "timecourse" else ("densities",)
            shown = [(name, stored.picture(name)) for name in names]
            for name, svg in shown:
                if svg is not None:
                    out += html.figure(svg, _alt(stored, name), CAPTIONS[name])
            if not any(svg for _, svg in shown):
                command = html.code(stored.command.replace(" --no-figures", ""))
                out += html.paragraph(f"Its pictures are not in this directory; {command} draws "
                                      "them.", kind="missing")  # fmt: skip
        return out

    def tests(self) -> Html:
        """Return genotypes against their control, and stretches of time in which they differ."""
        out = Html("") if self.all else self.missing("timecourse", WHAT)
        for stored in self.all:
            level = float(stored.design.get("alpha", 0.05))
            tests = _optional(stored, "tests")
            if stored.kind == "distribution":
                out += _measures(tests, level) + _mixed(stored)
                continue
            out += course_tests(tests, level) + course_periods(_optional(stored, "periods"))
            out += _responses(_optional(stored, "responses"), level, stored)
        return out

    def methods(self) -> Html:
        """Return the paragraph for a paper."""
        out = Html("") if self.all else self.missing("timecourse", WHAT)
        for stored in self.all:
            out += _methods(stored)
        return out


def verdicts(stored: Stored, genotype: str | None = None) -> list[str]:
    """Say in sentences when genotypes differ from their controls; HTML."""
    tests, periods = _optional(stored, "tests"), _optional(stored, "periods")
    level = float(stored.design.get("alpha", 0.05))
    unit = escape(str(stored.design.get("unit") or ""))
    out = []
    for row in tests.itertuples() if len(tests) else ():
        if genotype is not None and row.genotype != genotype:
            continue
        p = numbers.p_value(row.p_value, level)
        own = periods[periods["genotype"] == row.genotype] if len(periods) else periods
        name = escape(str(row.genotype))
        if numbers.missing(row.p_value):
            out.append(f"{name} could not be tested.")
        elif not len(own):
            out.append(f"{name} cannot be said to differ from its control at any time (p = {p}).")
        else:
            times = [f"{t.t_start:g}–{t.t_stop:g} s ({escape(str(t.direction))} by up to "
                     f"{numbers.fixed(abs(t.largest_difference))}{' ' + unit if unit else ''})"
                     for t in own.itertuples()]  # fmt: skip
            more = f" and {len(times) - 6} more" if len(times) > 6 else ""
            out.append(
                f"{name} differs from its control at {', '.join(times[:6])}{more} (p = {p})."
            )
    return out


def course_tests(table: pd.DataFrame, level: float) -> Html:
    """Return the tests of curves as a table; nothing of nothing."""
    if not len(table):
        return Html("")

    def p(value: Any) -> str:
        return numbers.p_value(value, level)

    found = [not numbers.missing(v) and float(v) <= level for v in table["q_value"]]
    columns = [
        html.Column("genotype", marked(list(map(str, table["genotype"])), found, "differs")),
        html.number_column("largest difference", table["largest_difference"], numbers.signed, True),
        html.number_column("at (s)", table["t_largest"], numbers.plain),
        html.number_column("differs for (s)", table["seconds_different"], numbers.plain, True),
        html.number_column("p", table["p_value"], p),
        html.number_column("q", table["q_value"], p),
        html.number_column("assays", table["n_assays"], numbers.whole, True),
        html.number_column("control assays", table["n_control_assays"], numbers.whole, True),
        html.number_column("dates", table["n_dates"], numbers.whole, True),
    ]
    legend = html.paragraph("p holds for all times of a genotype together, q for all genotypes.",
                            kind="legend")  # fmt: skip
    caption = "Genotypes against their control, over all times."
    return html.Table(caption, columns, label="genotype").html() + legend


def course_periods(table: pd.DataFrame) -> Html:
    """Return the stretches of time in which genotypes differ; nothing of nothing."""
    if not len(table):
        return Html("")
    columns = [
        html.Column("genotype", [soft(str(g)) for g in table["genotype"]]),
        html.number_column("from (s)", table["t_start"], numbers.plain),
        html.number_column("to (s)", table["t_stop"], numbers.plain),
        html.text_column("the genotype lies", table["direction"]),
        html.number_column("largest difference", table["largest_difference"], numbers.signed, True),
        html.number_column("p", table["p_value"], numbers.p_value),
    ]
    return html.Table("When they differ.", columns, label="genotype").html()


def _responses(table: pd.DataFrame, level: float, stored: Stored) -> Html:
    if not len(table):
        return Html("")
    before = escape(str(stored.design.get("baseline_text") or "its own baseline"))
    columns = [
        html.Column("genotype", [soft(str(g)) for g in table["genotype"]]),
        html.number_column("baseline", table["baseline"], largest_first=True),
        html.number_column("largest change", table["peak_change"], numbers.signed, True),
        html.number_column("at (s)", table["t_peak"], numbers.plain),
        html.number_column("begins (s)", table["t_first"], numbers.plain),
        html.number_column("p", table["p_value"], lambda p: numbers.p_value(p, level)),
        html.number_column("smallest possible p", table["p_floor"], numbers.p_value),
        html.number_column("assays", table["n_assays"], numbers.whole, True),
    ]
    return html.Table(f"Change from the level before ({before}).", columns, label="genotype").html()


def _measures(table: pd.DataFrame, level: float) -> Html:
    if not len(table):
        return Html("")
    columns = [
        html.text_column("comparison", table["comparison"]),
        html.text_column("measure", table["measure"]),
        html.text_column("condition", table["condition"]),
        html.number_column("estimate", table["estimate"], lambda v: numbers.signed(v, 3), True),
        html.number_column("p", table["p_value"], lambda p: numbers.p_value(p, level)),
        html.number_column("p adjusted", table["p_adjusted"], lambda p: numbers.p_value(p, level)),
        html.Column("Hedges’ g", [
            f"{numbers.signed(r.hedges_g)} <small>({numbers.interval(r.g_low, r.g_high)})</small>"
            for r in table.itertuples()
        ], [float(v) for v in table["hedges_g"]], True),
    ]  # fmt: skip
    return html.Table("Means and spreads of assays.", columns).html()


def _mixed(stored: Stored) -> Html:
    table = _optional(stored, "mixed")
    if not len(table):
        return Html("")
    columns = [html.text_column(str(table.columns[0]), table.iloc[:, 0])]
    for name in table.columns[1:]:
        numeric = pd.api.types.is_numeric_dtype(table[name])
        how = numbers.p_value if str(name).startswith("p_") else numbers.plain
        columns.append(
            html.number_column(str(name).replace("_", " "), table[name], how)
            if numeric else html.text_column(str(name).replace("_", " "), table[name])
        )  # fmt: skip
    formula = escape(str(stored.design.get("formula", "")))
    return html.Table(f"Mixed model {formula}.", columns).html()


def _optional(stored: Stored, name: str) -> pd.DataFrame:
    """Read a table that a command leaves out where it does not apply."""
    return stored.table(name) if stored.has(f"{name}.parquet") else pd.DataFrame()


def _alt(stored: Stored, name: str) -> str:
    n = len(stored.design.get("genotypes") or ())
    what = str(stored.design.get("label") or stored.design.get("response"))
    if name == "densities":
        return f"Distributions of {what} by genotype, without and with the stimulus."
    how = "in one frame" if name == "overlay" else "in a panel of its own"
    return (
        f"Curves of {what} over time of {n} genotypes, each {how}; the times of difference stand "
        "in the table below."
    )


def _methods(stored: Stored) -> Html:
    d, cite = stored.design, Cited()
    text = [
        f"{escape(str(d.get('response_text') or d.get('response')))} was followed over time "
        f"({escape(str(d.get('time_text') or ''))}; {escape(str(d.get('stimuli') or ''))}); curves "
        "are means over assays.",
        f"Limits: {escape(str(d['limits_text']))}." if d.get("limits_text") else "",
        f"Genotypes were compared with their control by {escape(str(d['method_text']))}; the "
        f"family error of all times is {numbers.plain(d.get('alpha', 0.05))}, and q-values "
        f"{cite('benjamini1995')} hold for all genotypes." if d.get("method_text") else "",
        software(stored.provenance),
    ]  # fmt: skip
    return html.paragraph(*text, kind="methods") + cite.list()
