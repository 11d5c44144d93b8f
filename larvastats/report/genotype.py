"""The page of one genotype: everything that a results directory says about it."""

from __future__ import annotations

import json
from functools import cached_property
from html import escape
from typing import Any

import pandas as pd

from larvastats.export import file_name
from larvastats.report import html, numbers
from larvastats.report.habituation import read_habituation, tau_text
from larvastats.report.html import Html
from larvastats.report.pages import Page, shared
from larvastats.report.screen import (
    drawn,
    matrices_alt,
    matrices_caption,
    matrices_svg,
    read_screen,
)
from larvastats.report.stored import PageError, Results, Stored
from larvastats.report.timecourse import verdicts
from larvastats.results import HabituationResult, ScreenResult, TransitionsResult

MOST_NAMED = 6


class GenotypePage(Page):
    """One genotype in all results of a directory; the best line of the screen by default."""

    kinds = ("screen", "comparison", "transitions", "habituation", "timecourse")

    def __init__(self, results: Results) -> None:
        super().__init__(results)
        self.genotype = ""

    def choose(self, genotype: str = "") -> None:
        """Choose a genotype by its name, its line, or a unique beginning of either.

        Raises
        ------
        PageError
            There is no such genotype, or several.
        """
        known = self._known()
        if not genotype:
            self.genotype = known[0] if known else ""
            return
        if not known:
            raise PageError(
                f"{self.results.root} names no genotype; expected a screen, a comparison, "
                f"transitions or habituation in it: run {self.suggestion('screen')}."
            )
        exact = [name for name in known if genotype in (name, name.partition("@")[0])]
        fits = exact or [name for name in known if name.startswith(genotype)]
        if len(fits) != 1:
            names = fits or known
            some = ", ".join(names[:MOST_NAMED])
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            what = "names several genotypes" if fits else "is no genotype of these results"
            raise PageError(f"--genotype {genotype} {what}; expected one of {some}{more}.")
        self.genotype = fits[0]

    def _known(self) -> list[str]:
        names: list[str] = []
        if self._screen is not None:
            names += map(str, self._screen[1].table["genotype"])
        names += [str(s.design["genotype"]) for s in self.results.every("comparison")
                  if s.design.get("genotype")]  # fmt: skip
        for kind in ("habituation", "transitions", "timecourse"):
            for stored in self.results.every(kind):
                names += map(str, stored.table(kind)["genotype"].unique())
        return list(dict.fromkeys(names))

    @cached_property
    def _screen(self) -> tuple[Stored, ScreenResult] | None:
        stored = self.results.first("screen")
        return None if stored is None else (stored, read_screen(stored))

    @property
    def _row(self) -> pd.Series | None:
        """Its row of the screen, if it was one of the lines."""
        if self._screen is None:
            return None
        rows = self._screen[1].table
        rows = rows[rows["genotype"] == self.genotype]
        return rows.iloc[0] if len(rows) else None

    def head(self) -> Html:
        """Return its name and what the screen says of it."""
        name = f"<b>{escape(self.genotype)}</b>" if self.genotype else "No genotype is named."
        title = html.paragraph(name, kind="title")
        row = self._row
        if self._screen is None:
            return title + self.missing("screen", "A screen is")
        if row is None:
            said = "The screen did not test it: it is a control, or was left out."
            return title + html.paragraph(said, kind="missing")
        stored, result = self._screen
        rank = list(result.table["genotype"]).index(self.genotype) + 1
        said = "No test was possible"
        if not numbers.missing(row["rejected"]):
            said = "Differs from" if bool(row["rejected"]) else "Cannot be said to differ from"
            said += " its control"
        alpha = result.alpha
        facts = {
            "rank": f"{rank} of {numbers.counted(len(result.table), 'line')}",
            "statistic": f"T = {numbers.fixed(row['statistic'])}",
            "p": f"{numbers.p_value(row['p_value'], alpha)} (adjusted: "
            f"{numbers.p_value(row['q_value'], alpha)})",
            "distance": f"H = {numbers.fixed(row['hellinger'])} "
            f"({numbers.interval(row['hellinger_low'], row['hellinger_high'])}), adjusted "
            f"{numbers.fixed(row['hellinger_adjusted'])}",
            "recordings": f"{numbers.counted(row['n_assays'], 'assay')}{_dates(row)}, "
            f"{numbers.counted(row['n_larvae'], 'larva', 'larvae')}, "
            f"{numbers.counted(row['n_transitions'], 'transition')}",
            "control": escape(str(row["control"])),
            "note": "" if numbers.missing(row["note"]) else escape(str(row["note"])),
        }  # fmt: skip
        lead = html.paragraph(
            f"{said} ({escape(str(result.design['correction_text'])).replace('&lt;=', '≤')} "
            f"{numbers.plain(alpha)}).", kind="verdict",
        )  # fmt: skip
        more = shared(stored, "stimuli", "window_text")
        return title + lead + html.facts(facts | more)

    def matrices(self) -> Html:
        """Return its matrices beside its control's."""
        row = self._row
        if self._screen is not None and row is not None:
            stored, result = self._screen
            if self.genotype in set(result.transitions["genotype"]):
                return html.figure(matrices_svg(stored, result, self.genotype),
                                   matrices_alt(self.genotype, row),
                                   matrices_caption(row, result.alpha))  # fmt: skip
        for stored in self._comparisons():
            svg = stored.picture("matrices")
            if svg is not None:
                alt = f"Matrices of {self.genotype} and of what it was compared with."
                return html.figure(svg, alt, "As compared directly.")
        return self.missing("screen", "Its matrices are")

    def cells(self) -> pd.DataFrame:
        """Return its transitions against the control's, the most certain difference first.

        Columns ``from to p_line p_control difference z p_adjusted``; empty without a screen or a
        comparison of it.
        """
        names = ["from", "to", "p_line", "p_control", "difference", "z", "p_adjusted"]
        tables = [] if self._screen is None else [self._screen[1].transitions]
        tables += [s.table("transitions") for s in self._comparisons()
                   if s.has("transitions.parquet")]  # fmt: skip
        for table in tables:
            rows = table[table["genotype"] == self.genotype]
            if len(rows):
                rows = rows[rows["window"] == rows["window"].iloc[0]]
                rows = rows[rows["from"] != rows["to"]]
                order = rows["z"].abs().sort_values(ascending=False, kind="stable").index
                return rows.loc[order, names].reset_index(drop=True)
        return pd.DataFrame(columns=names)

    def transitions(self) -> Html:
        """Return its transitions as a table."""
        cells = self.cells()
        if not len(cells):
            return self.missing("screen", "Its transitions are")
        arrows = [f"{escape(str(a))} → {escape(str(b))}"
                  for a, b in zip(cells["from"], cells["to"], strict=True)]  # fmt: skip
        columns = [
            html.Column("transition", arrows),
            html.number_column("here", cells["p_line"], _three, True),
            html.number_column("control", cells["p_control"], _three, True),
            html.number_column("difference", cells["difference"], _signed_three, True),
            html.number_column("z", cells["z"].where(cells["z"] != 0), numbers.signed, True),
            html.number_column("p adjusted", cells["p_adjusted"], numbers.p_value),
        ]  # fmt: skip
        shown = [c for c in columns if set(c.cells) != {numbers.MISSING}]
        legend = html.paragraph("z: difference over its standard error between assays; p adjusted "
                                "holds for all transitions together; –: too rare to be tested.",
                                kind="legend")  # fmt: skip
        caption = "Probability of each next action, the surest difference first."
        return html.Table(caption, shown, label="transition").html() + legend

    def compared(self) -> Html:
        """Return direct comparisons of it."""
        out = Html("")
        for stored in self._comparisons():
            out += _comparison(stored)
        return out if out.text else self.missing("comparison", "A direct comparison is")

    def off_and_on(self) -> Html:
        """Return its matrices window by window."""
        for stored in self.results.every("transitions"):
            table = stored.table("transitions")
            if self.genotype in set(table["genotype"]):
                svg = _windows_svg(stored, table, self.genotype)
                n = table.loc[table["genotype"] == self.genotype, "window"].nunique()
                alt = f"Transition matrices of {self.genotype} in {n} windows."
                return html.figure(svg, alt, "Transition probabilities by window.")
        return self.missing("transitions", "Its matrices by window are")

    def habituation(self) -> Html:
        """Return how its response wanes."""
        out = Html("")
        for stored in self.results.every("habituation"):
            result = read_habituation(stored)
            rows = result.table[result.table["genotype"] == self.genotype]
            if len(rows):
                out += _habituation(result, rows.iloc[0], self.genotype)
        return out if out.text else self.missing("habituation", "Its habituation is")

    def timecourse(self) -> Html:
        """Return when it differs from its control."""
        out = Html("")
        for stored in self.results.every("timecourse"):
            said = verdicts(stored, self.genotype)
            if said:
                what = escape(str(stored.design.get("response_text") or ""))
                out += html.paragraph(f"{what[:1].upper()}{what[1:]}:", *said)
        return out if out.text else self.missing("timecourse", "Its time course is")

    def _comparisons(self) -> list[Stored]:
        return [s for s in self.results.every("comparison")
                if s.design.get("genotype") == self.genotype]  # fmt: skip


def _dates(row: pd.Series) -> str:
    n = row["n_dates"]
    return "" if numbers.missing(n) else f" on {numbers.counted(n, 'date')}"


def _three(value: Any) -> str:
    return numbers.fixed(value, 3)


def _signed_three(value: Any) -> str:
    return numbers.signed(value, 3)


def _comparison(stored: Stored) -> Html:
    path = stored.folder / "compare.json"
    try:
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["tidy"][0]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PageError(
            f"cannot read {path}: it is damaged; run {stored.command!r} again."
        ) from error
    limits = numbers.interval(row.get("conf_low"), row.get("conf_high"))
    h = row.get("estimate_hellinger_distance")
    facts = {
        "against": escape(str(stored.design.get("control", ""))),
        "test": escape(str(row.get("method", ""))),
        "statistic": f"T = {numbers.fixed(row.get('statistic'))}",
        "p": numbers.p_value(row.get("p_value")),
        "distance": "" if h is None else f"H = {numbers.fixed(h)} ({limits})",
    }
    return html.facts(facts)


def _windows_svg(stored: Stored, table: pd.DataFrame, genotype: str) -> str:
    found = stored.picture(f"matrices_{file_name(genotype)}")
    if found is not None:
        return found
    states = stored.provenance.get("states") or list(dict.fromkeys(table["from"]))
    result = TransitionsResult(table=table, states=tuple(map(str, states)), design=stored.design)
    return drawn(result.plot(genotype=genotype))


def _habituation(result: HabituationResult, row: pd.Series, genotype: str) -> Html:
    gate = float(result.design.get("gate", 0.05))
    facts = {
        "response": f"{escape(str(result.design['response']))}, "
        f"{escape(str(result.design['stimulus_text']))}",
        "levels": f"{numbers.fixed(row['baseline'])} before, {numbers.fixed(row['initial'])} at "
        f"first, {numbers.fixed(row['final'])} at last",
        "changes": f"p = {numbers.p_value(row['gate_p'], gate)}",
        "time constant": tau_text(row),
        "against control": "" if numbers.missing(row["p_value"])
        else f"p = {numbers.p_value(row['p_value'], result.alpha)}",
    }  # fmt: skip
    alt = f"Curve of {result.design['response']} of {genotype} during the stimulus, with its fit."
    caption = "Mean over assays with 95% limits and the fit; the control in grey."
    return html.facts(facts) + html.figure(drawn(result.plot(genotype=genotype)), alt, caption,
                                           wide=False)  # fmt: skip
