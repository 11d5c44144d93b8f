"""The page of habituation: how a response wanes and comes back, and in which lines differently."""

from __future__ import annotations

from functools import cached_property
from html import escape
from typing import Any

import pandas as pd

from larvastats.report import html, methods, numbers
from larvastats.report.html import Html
from larvastats.report.pages import Page, marked, shared, short_names, truths
from larvastats.report.screen import drawn
from larvastats.report.stored import Stored
from larvastats.results import HabituationResult
from larvastats.results.habituation import TITLES, verdict

WHAT = "An analysis of habituation is"


class HabituationPage(Page):
    """All analyses of habituation in a directory, one below the other."""

    kinds = ("habituation",)

    @cached_property
    def all(self) -> list[tuple[Stored, HabituationResult]]:
        """Return the analyses and where they lie."""
        return [(s, read_habituation(s)) for s in self.results.every("habituation")]

    def head(self) -> Html:
        """Return titles, verdicts and designs."""
        out = Html("") if self.all else self.missing("habituation", WHAT)
        for stored, result in self.all:
            d = result.design
            title = TITLES[d["kind"]].format(response=d["response"])
            facts = shared(stored, "data_name", "stimuli", "stimulus_text", "baseline_text",
                           "unit_text", "null_text")  # fmt: skip
            out += html.paragraph(f"{escape(title)}.", kind="title")
            out += html.paragraph(*map(html.prose, verdict(result)), kind="verdict")
            out += html.facts(facts)
        return out

    def table(self) -> Html:
        """Return one row per genotype."""
        out = Html("") if self.all else self.missing("habituation", WHAT)
        for _, result in self.all:
            out += _levels(result) + _tests(result)
        return out

    def pictures(self, kind: str) -> Html:
        """Return ``curves`` or ``tau``, as the command drew them or drawn from the tables."""
        out = Html("") if self.all else self.missing("habituation", WHAT)
        for stored, result in self.all:
            file = {"curves": "habituation", "tau": "tau"}[kind]
            svg = stored.picture(file) or drawn(result.plot(kind))
            out += html.figure(svg, _alt(result, kind), CAPTIONS[kind])
        return out

    def pulses(self) -> Html:
        """Return levels and time constants by pulse, where the analysis has them."""
        out = Html("")
        for _, result in self.all:
            if len(result.pulses):
                out += _pulses(result.pulses)
        return out

    def methods(self) -> Html:
        """Return the paragraph for a paper, and its references."""
        out = Html("") if self.all else self.missing("habituation", WHAT)
        for stored, result in self.all:
            out += _methods(stored, result)
        return out


CAPTIONS = {
    "curves": "Mean over assays with its 95% t limits (points and band), the fit (line) and the "
    "level before the stimulus (dashed); the control is grey.",
    "tau": "Time constants with their 95% intervals.",
}


def read_habituation(stored: Stored) -> HabituationResult:
    """Make an analysis from its files."""
    pulses = stored.table("pulses") if stored.has("pulses.parquet") else pd.DataFrame()
    return HabituationResult(
        table=stored.table("habituation"), curves=stored.table("curves"), units=pd.DataFrame(),
        pulses=pulses, alpha=float(stored.provenance.get("alpha", 0.05)), design=stored.design,
        seed=int(stored.provenance.get("seed") or 0),
    )  # fmt: skip


def tau_text(row: Any, digits: int = 2) -> str:
    """Write a time constant with its interval, or what is known of it."""
    if not numbers.missing(row.tau):
        limits = numbers.interval(row.tau_low, row.tau_high, digits)
        return f"{numbers.fixed(row.tau, digits)} <small>({limits})</small>"
    text = "" if numbers.missing(row.tau_text) else str(row.tau_text)
    return html.prose(text) or numbers.MISSING


def _levels(result: HabituationResult) -> Html:
    """Levels before, at the begin and at the end, and whether the response changes at all."""
    table = result.table
    gate = float(result.design.get("gate", 0.05))
    unit = escape(str(result.design.get("time_unit") or ""))
    wanes = [_said(direction) == "habituation" for direction in table["direction"]]
    rows = list(table.itertuples())
    columns = [
        html.Column("genotype", marked(short_names(table), wanes, "habituates")),
        html.number_column("assays", table["n_assays"], numbers.whole, True),
        html.number_column("before", table["baseline"], largest_first=True),
        html.number_column("first", table["initial"], largest_first=True),
        html.number_column("last", table["final"], largest_first=True),
        html.number_column("recovered", table["recovered_fraction"], largest_first=True),
        html.text_column("direction", [_said(v) for v in table["direction"]]),
        html.number_column("p changes", table["gate_p"], lambda p: numbers.p_value(p, gate)),
        html.Column(f"τ ({unit})" if unit else "τ", [tau_text(r) for r in rows],
                    [float("nan") if numbers.missing(v) else float(v) for v in table["tau"]]),
    ]  # fmt: skip
    caption = f"Levels of {escape(str(result.design.get('response')))}, and time constants."
    legend = html.paragraph(
        f"● habituates: changes during the stimulus at p ≤ {numbers.plain(gate)}, towards the "
        "level before; a time constant τ is given there only. Recovered: the part of the way back.",
        kind="legend",
    )  # fmt: skip
    return html.Table(caption, columns, label="genotype").html() + legend


def _said(value: Any) -> str:
    return "" if numbers.missing(value) else str(value)


def _tests(result: HabituationResult) -> Html:
    """Genotypes against their control: decline and, where both have one, time constant."""
    table = result.table[result.table["control"].notna()]
    table = table[(table["p_value"].notna()) | (table["decline_p_value"].notna())]
    if not len(table):
        return Html("")

    def p(value: Any) -> str:
        return numbers.p_value(value, result.alpha)

    columns = [
        html.Column("genotype", marked(short_names(table), truths(table["rejected"]), "differs")),
        html.number_column("decline", table["decline"], numbers.signed, True),
        html.number_column("p decline", table["decline_p_value"], p),
        html.number_column("q decline", table["decline_q_value"], p),
        html.number_column("p τ", table["p_value"], p),
        html.number_column("q τ", table["q_value"], p),
    ]
    shown = [c for c in columns if set(c.cells) != {numbers.MISSING}]
    caption = "Genotypes against their control: how much the response declines, and how fast."
    return html.Table(caption, shown, label="genotype").html()


def _pulses(table: pd.DataFrame) -> Html:
    columns = [
        html.text_column("genotype", table["genotype"]),
        html.number_column("pulse", table["pulse"], numbers.whole),
        html.number_column("level", table["level"], largest_first=True),
        html.number_column("ratio", table["ratio"], largest_first=True),
        html.number_column("τ back", table["tau_res"], largest_first=True),
    ]
    return html.Table("Level and time constant of the return, by pulse.", columns).html()


def _alt(result: HabituationResult, kind: str) -> str:
    n = len(result.table)
    response = str(result.design.get("response"))
    if kind == "tau":
        known = int(result.table["tau"].notna().sum())
        return f"Time constants of {known} of {n} genotypes with their intervals."
    return (
        f"Curves of {response} over the stimulus, a panel per genotype ({min(n, 12)} of {n}), each "
        "with its fit; the numbers stand in the table of levels."
    )


def _methods(stored: Stored, result: HabituationResult) -> Html:
    d, cite = result.design, methods.Cited()
    table = result.table
    n = numbers.between(table["n_assays"].min(), table["n_assays"].max())
    models = {
        "recovery": "p(t) = p<sub>∞</sub> + (p<sub>0</sub> − p<sub>∞</sub>) "
        "exp(−(t − t<sub>0</sub>)/τ)",
        "pulses": "the same exponential with the number of the pulse in the place of time",
    }
    model = models.get(str(d["kind"]), "")
    if not model:
        model = f"desensitisation and resensitisation {cite('berne')}"
    gate = numbers.plain(d.get("gate"))
    text = [
        f"The response {escape(str(d['response']))} was followed over "
        f"{escape(str(d['stimulus_text']))} in {numbers.counted(len(table), 'genotype')} of {n} "
        f"assays each ({escape(str(d.get('stimuli') or ''))}).",
        f"Model: {model}, fitted by the binomial likelihood of the pooled curve, its "
        "variance taken from the scores of assays.",
        "Time constants are given where the assays show that the response wanes during the "
        f"stimulus (p ≤ {gate}); their 95% limits come from the profile deviance over its "
        f"dispersion {cite('chandler')}.",
        f"Genotypes were compared by {escape(str(d['null_text']))} "
        f"({numbers.whole(d.get('n_resamples'))} resamples) {cite('cameron')}.",
    ]  # fmt: skip
    words, work, symbol = methods.CORRECTIONS[str(d.get("correction"))]
    if words:
        source = f" {cite(work)}" if work else ""
        text.append(f"P-values were adjusted {words.replace('lines', 'genotypes')}{source}; level "
                    f"of {symbol}: {numbers.plain(result.alpha)}.")  # fmt: skip
    text.append(methods.software(stored.provenance))
    return html.paragraph(*text, kind="methods") + cite.list()
