"""The page of a screen: ranking, calibration, matrices of the top lines, power, methods."""

from __future__ import annotations

from functools import cached_property
from html import escape
from typing import Any

import pandas as pd

from larvastats import printing
from larvastats.export import file_name
from larvastats.report import html, methods, numbers
from larvastats.report.html import Html
from larvastats.report.pages import Page, marked, shared, short_names, truths
from larvastats.report.stored import Stored
from larvastats.results import CalibrationResult, PowerResult, ScreenResult

LEGEND = (
    "T: {statistic}; p: {null}; q: p after {correction}. H: Hellinger distance from the control, "
    "with its 95% interval; adj.: without the bias of small counts. Largest change: the "
    "transition whose {what} most from the control’s."
)


class ScreenPage(Page):
    """A screen, and beside it its calibration and power."""

    kinds = ("screen", "calibration", "power")

    @cached_property
    def stored(self) -> Stored | None:
        """Return where the screen lies, if there is one."""
        return self.results.first("screen")

    @cached_property
    def result(self) -> ScreenResult | None:
        """Return the screen as it was, but for what no file holds (its assays)."""
        return None if self.stored is None else read_screen(self.stored)

    def head(self) -> Html:
        """Return verdict and design."""
        if self.stored is None or self.result is None:
            return self.missing("screen", "A screen is")
        title = escape(printing.screen_title(self.result))
        controls = self.result.table["control"].dropna().unique()
        facts = shared(self.stored, "data_name", "stimuli", "window_text", "unit_text", "null_text")
        facts["control"] = ", ".join(escape(str(c)) for c in controls[:3]) + (
            f" and {len(controls) - 3} more" if len(controls) > 3 else ""
        )
        verdict = html.prose(printing.verdict(self.result, _named(self.result.table)))
        return (
            html.paragraph(f"{title}.", kind="title")
            + html.paragraph(verdict, kind="verdict")
            + html.facts(facts)
        )

    def ranking(self) -> Html:
        """Return all lines as a table, best first."""
        if self.result is None:
            return self.missing("screen", "A screen is")
        table, alpha = self.result.table, self.result.alpha
        found = truths(table["rejected"])

        def p(value: Any) -> str:
            return numbers.p_value(value, alpha)

        columns = [
            html.Column("line", marked(short_names(table), found, "differs")),
            *self._windows(table),
            html.number_column("T", table["statistic"], largest_first=True),
            html.number_column("p", table["p_value"], p),
            html.number_column("q", table["q_value"], p),
            html.number_column("H", table["hellinger"], largest_first=True),
            html.Column(
                "95% interval",
                [numbers.interval(a, b) for a, b in
                 zip(table["hellinger_low"], table["hellinger_high"], strict=True)],
                [float(v) for v in table["hellinger_low"]], True,
            ),
            html.number_column("H adj.", table["hellinger_adjusted"], largest_first=True),
            html.Column(
                "largest change", _changes(table), [abs(float(v)) for v in table["top_difference"]],
                True, True,
            ),
            html.number_column("dates", table["n_dates"], numbers.whole, True),
            html.number_column("assays", table["n_assays"], numbers.whole, True),
            html.number_column("larvae", table["n_larvae"], numbers.whole, True),
        ]  # fmt: skip
        caption = f"All {numbers.counted(len(table), 'line')}, best first."
        shown = [c for c in columns if set(c.cells) != {numbers.MISSING}]
        at = next((k for k, c in enumerate(shown) if c.head == "p"), None)
        return html.Table(caption, shown, at, found, "line").html() + self._legend()

    def _windows(self, table: pd.DataFrame) -> list[html.Column]:
        several = table["window"].nunique() > 1
        return [html.text_column("window", table["window"])] if several else []

    def _legend(self) -> Html:
        assert self.result is not None
        d = self.result.design
        text = LEGEND.format(
            statistic=d["statistic_text"], null=d["null_text"],
            correction=str(d["correction_text"]).removesuffix(" <=").removesuffix(" q"),
            what="change differs" if d.get("contrast") else "probability differs",
        )  # fmt: skip
        return html.paragraph(html.prose(text), kind="legend")

    def picture(self, kind: str) -> html.Svg | Html:
        """Return ``ranking`` or ``volcano``, as the command drew it or drawn from its table."""
        if self.stored is None or self.result is None:
            return self.missing("screen", "A screen is")
        return html.Svg(self.stored.picture(kind) or drawn(self.result.plot(kind)))

    def windows(self) -> Html:
        """Return lines by windows, where several were tested together."""
        if self.stored is None or not self.stored.has("windows.parquet"):
            return Html("")
        svg = self.stored.picture("windows")
        if svg is None:
            return Html("")
        return html.figure(svg, "Lines by windows: distance and evidence in each window.",
                           "Lines by the windows that were tested together.")  # fmt: skip

    def calibration(self) -> Html:
        """Return whether the screen keeps its error, and the shares it rests on."""
        stored = self.results.first("calibration")
        if stored is not None:
            table, verdict = stored.table("calibration"), stored.provenance.get("verdict")
            n = int(stored.design.get("n_draws", table["n"].max()))
        elif self.stored is not None and self.stored.has("calibration.csv"):
            table = pd.read_csv(self.stored.folder / "calibration.csv")
            verdict, n = self.stored.provenance.get("calibration"), int(table["n"].max())
        else:
            return self.missing("calibration", "A calibration is")
        lead = html.paragraph(html.prose(verdict or ""), kind="verdict")
        return lead + _shares(table, n) + self._more_draws(stored, n)

    def _more_draws(self, stored: Stored | None, n: int) -> Html:
        if stored is not None:
            return Html("")
        return html.paragraph(
            f"This is the screen’s own quick check on {n} pseudo-lines; "
            f"{html.code(self.suggestion('calibration'))} makes a longer one, for every statistic.",
            kind="missing",
        )

    def calibration_picture(self) -> html.Svg | Html:
        """Return observed against expected p-values of pseudo-lines."""
        stored = self.results.first("calibration")
        if stored is not None:
            return html.Svg(stored.picture("calibration") or drawn(read_calibration(stored).plot()))
        svg = None if self.stored is None else self.stored.picture("calibration")
        return Html("") if svg is None else html.Svg(svg)

    def matrices(self, lines: int) -> Html:
        """Return the transition matrices of the best lines, their control's and the difference."""
        if self.stored is None or self.result is None:
            return self.missing("screen", "A screen is")
        known = set(self.result.transitions["genotype"])
        best = [str(g) for g in self.result.table["genotype"] if g in known][: max(0, lines)]
        out = Html("")
        for name in best:
            row = self.result.table.set_index("genotype").loc[name]
            out += html.figure(
                matrices_svg(self.stored, self.result, name), matrices_alt(name, row),
                f"<b>{escape(name)}</b>: {matrices_caption(row, self.result.alpha)}",
            )  # fmt: skip
        return out

    def raster(self) -> html.Svg | Html:
        """Return what single larvae did, if the command drew it: the page has no recordings."""
        svg = None if self.stored is None else self.stored.picture("raster")
        if svg is None:
            return html.paragraph("The picture of single larvae is not in this directory; the "
                                  "screen draws it without <code>--no-figures</code>.",
                                  kind="missing")  # fmt: skip
        return html.Svg(svg)

    def power(self) -> Html:
        """Return what the screen could find."""
        stored = self.results.first("power")
        return self.missing("power", "Power is") if stored is None else power_tables(stored)

    def power_picture(self) -> html.Svg | Html:
        """Return power by larvae, plates and dates."""
        stored = self.results.first("power")
        if stored is None:
            return Html("")
        return html.Svg(stored.picture("power") or drawn(read_power(stored).plot()))

    def more_notes(self, stored: Stored) -> list[str]:
        """Return notes of single lines, gathered."""
        if stored.kind != "screen" or self.result is None:
            return []
        return [html.prose(note) for note in printing.line_notes(self.result.table)]

    def methods(self) -> Html:
        """Return the paragraph for a paper, and its references."""
        if self.stored is None or self.result is None:
            return self.missing("screen", "A screen is")
        tested = bool(self.result.transitions["p_adjusted"].notna().any())
        provenance = dict(self.stored.provenance) | {"alpha": self.result.alpha}
        return methods.screen_methods(self.result.table, provenance, tested)


def read_screen(stored: Stored) -> ScreenResult:
    """Make a screen from its files."""
    table, cells = stored.table("screen"), stored.table("transitions")
    states = stored.provenance.get("states") or list(dict.fromkeys(cells["from"]))
    return ScreenResult(
        table=table, transitions=cells, units=pd.DataFrame(), states=tuple(map(str, states)),
        alpha=float(stored.provenance.get("alpha", 0.05)), design=stored.design,
        seed=int(stored.provenance.get("seed") or 0),
    )  # fmt: skip


def read_calibration(stored: Stored) -> CalibrationResult:
    """Make a calibration from its files."""
    return CalibrationResult(
        table=stored.table("calibration"), p_values=stored.table("p_values"),
        verdict=str(stored.provenance.get("verdict", "")), design=stored.design,
        seed=int(stored.provenance.get("seed") or 0),
    )  # fmt: skip


def read_power(stored: Stored) -> PowerResult:
    """Make a power analysis from its files."""
    return PowerResult(
        table=stored.table("power"), components=stored.table("components"),
        smallest=stored.table("smallest"), design=stored.design,
        seed=int(stored.provenance.get("seed") or 0),
    )  # fmt: skip


def drawn(figure: Any) -> str:
    """Write a matplotlib figure as SVG, the same text for the same figure."""
    import io

    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "larvastats", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Creator": "larvastats", "Date": None})
    return html.slim(out.getvalue())


def matrices_svg(stored: Stored, result: ScreenResult, genotype: str) -> str:
    """Return the matrices of a line, as the command drew them or drawn from its table."""
    found = stored.picture(f"matrices_{file_name(genotype)}")
    return found or drawn(result.plot("matrices", genotype=genotype))


def matrices_alt(name: str, row: pd.Series) -> str:
    """Describe the picture of a line's matrices to those who do not see it."""
    change = str(row["top_transition"]).replace("->", " to ")
    return (
        f"Three matrices of transition probabilities, from rows to columns: {name}, its control "
        f"and their difference. The largest difference is {change}, "
        f"{numbers.signed(row['top_difference'])}."
    )


def matrices_caption(row: pd.Series, alpha: float) -> str:
    """Say how far a line lies from its control."""
    change = escape(str(row["top_transition"]).replace("->", " → "))
    return (
        f"{change} {numbers.signed(row['top_difference'])}; H "
        f"{numbers.fixed(row['hellinger'])} "
        f"({numbers.interval(row['hellinger_low'], row['hellinger_high'])}), "
        f"q = {numbers.p_value(row['q_value'], alpha)}."
    )  # fmt: skip


def power_tables(stored: Stored) -> Html:
    """Return the smallest effect, power by design, and what controls vary by."""
    design, smallest = stored.design, stored.table("smallest")
    transition = str(design.get("effect", "")).rpartition(" ")[0]
    usual = design.get("usual_design") or {}
    names = {"dates": "dates", "plates": "plates per date", "larvae": "larvae per plate"}
    by = ", ".join(f"{n} {names.get(noun, noun)}" for noun, n in usual.items())
    least = " and ".join(
        f"{numbers.signed(d)} at α = {numbers.plain(a, 2)}"
        for a, d in zip(smallest["alpha"], smallest["delta"], strict=True)
    )
    lead = html.paragraph(
        f"The smallest change of {html.prose(transition)} that the usual design of this screen "
        f"({escape(by)}) finds 8 times in 10 is {least}.",
        kind="verdict",
    )
    return lead + _power_table(stored) + _components(stored.table("components"))


def _power_table(stored: Stored) -> Html:
    """Return power with its interval: rows by dates and plates, columns by larvae."""
    table, design = stored.table("power"), stored.design
    by = [name for name in ("dates", "plates") if name in table]
    groups = list(dict.fromkeys(table[by].itertuples(index=False, name=None)))
    columns = [
        html.Column(by[0] if by[0] == "dates" else "plates", [str(g[0]) for g in groups],
                    [float(g[0]) for g in groups]),
        *([html.number_column("plates", [g[1] for g in groups], numbers.whole)]
          if len(by) == 2 else []),
    ]  # fmt: skip
    for larvae in sorted(table["larvae"].unique()):
        own = table[table["larvae"] == larvae].set_index(by)
        rows = [own.loc[g if len(by) == 2 else g[0]] for g in groups]
        cells = [
            f"{numbers.fixed(r['power'])} <small>({numbers.interval(r['low'], r['high'])})</small>"
            for r in rows
        ]
        columns.append(html.Column(f"{larvae} larvae", cells, [float(r["power"]) for r in rows]))
    n = numbers.between(table["n"].min(), table["n"].max())
    caption = (
        f"Power to find {html.prose(design.get('effect', ''))} by dates, plates per date and "
        f"larvae per plate, from {n} simulated lines each, at α = "
        f"{numbers.plain(design.get('alpha', 0.05))}."
    )
    return html.Table(caption, columns).html()


def _components(parts: pd.DataFrame) -> Html:
    return html.Table(
        "What the controls vary by.",
        [
            html.text_column("level", parts["level"]),
            html.number_column("SD (logit)", parts["sd_logit"], largest_first=True),
            html.number_column("share", parts["share"], largest_first=True),
            html.number_column("units", parts["n"], numbers.whole, True),
        ],
    ).html()


def _shares(table: pd.DataFrame, n: int) -> Html:
    """Return the shares of pseudo-lines called different, a row per statistic and null."""
    levels = sorted(table["level"].unique(), reverse=True)
    groups = list(dict.fromkeys(zip(table["statistic"], table["null"], strict=True)))
    of = {(r.statistic, r.null, r.level): r for r in table.itertuples()}
    columns = [
        html.text_column("statistic", [statistic for statistic, _ in groups]),
        html.text_column("null", [null for _, null in groups]),
    ]
    for level in levels:
        rows = [of[(*g, level)] for g in groups]
        limits = [numbers.interval(r.low, r.high, 3) for r in rows]
        cells = [f"{numbers.fixed(r.share, 3)} <small>({limit})</small>"
                 for r, limit in zip(rows, limits, strict=True)]  # fmt: skip
        columns.append(html.Column(f"p ≤ {level:g}", cells, [float(r.share) for r in rows], True))
    caption = (
        f"Share of {numbers.counted(n, 'control pseudo-line')} called different at each level, "
        "with 95% intervals."
    )
    return html.Table(caption, columns).html()


def _named(table: pd.DataFrame) -> str:
    return "line" if table["line"].nunique() == len(table) else "genotype"


def _changes(table: pd.DataFrame) -> list[str]:
    return [
        numbers.MISSING if numbers.missing(d)
        else f"{escape(str(name)).replace('-&gt;', '→')} {numbers.signed(d)}"
        for name, d in zip(table["top_transition"], table["top_difference"], strict=True)
    ]  # fmt: skip
