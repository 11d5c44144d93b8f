"""Results on the screen: tables that fit a terminal, R's plain print everywhere else."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from larvastats import printing
from larvastats.printing import TextColumn
from larvastats.results import HTest, ScreenResult, SourceInfo, TransitionsResult

REJECTED = "●"
MOST_LINES = 60
MOST_MATRICES = 8

# what goes first where the terminal is narrow
DROPPED_FIRST = ("larvae", "dates", "95% interval", "assays", "H adj.", "top transition", "H")


def announce(source: object) -> None:
    """Say on stderr that no source was named, so that nobody takes the example for data."""
    if source is None:
        typer.echo(
            "larvastats: no SOURCE named: this is the built-in example, a simulated light screen.",
            err=True,
        )


def json_document(command: str, result: Any, files: Sequence[Path]) -> None:
    """Print one JSON document."""
    from larvastats import export

    document = {"command": command, **export.document(result)}
    if files:
        document["files"] = [str(path) for path in files]
    typer.echo(json_module.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def files(paths: Sequence[Path]) -> None:
    """Say what was written: the pictures one by one, the rest in one line."""
    if not paths:
        return
    tables = [path for path in paths if path.suffix not in (".png", ".svg")]
    pictures = [path for path in paths if path.suffix == ".png"]
    if sys.stdout.isatty():
        typer.echo()
    typer.echo(f"written into {tables[0].parent}: {', '.join(path.name for path in tables)}")
    if pictures:
        typer.echo("pictures (each also as .svg):")
    for path in pictures:
        typer.echo(f"  {path}")


def screen(result: ScreenResult, where: str) -> None:
    """Print a screen: design, its best lines, notes, verdict."""
    if not sys.stdout.isatty():
        typer.echo(printing.screen_text(result, where=where))
        return
    console = _console()
    shown = result.table.iloc[: printing.MAX_ROWS]
    design = printing.screen_design(result) | _common(result.table, "control")
    notes = [*printing.line_notes(result.table), *result.notes]
    who = "line" if result.table["effector"].nunique(dropna=False) == 1 else "genotype"
    console.print(
        _title(printing.screen_title(result)),
        _pairs(design.items()),
        "",
        _fitting(_screen_columns(shown, who), console, _row_styles(shown)),
        *printing.more_lines(len(result.table), printing.MAX_ROWS, where),
        "",
        Text(_legend(result), style="dim"),
        *_notes(notes),
        "",
        Text.assemble((f"{REJECTED} ", "bold green"), (printing.verdict(result, who), "bold")),
        *printing.calibration_text(result),
        sep="\n",
    )


def plain(command: str, result: Any, written: Sequence[Path], as_json: bool) -> None:
    """Print a result as it prints itself, or as JSON, and what was written."""
    if as_json:
        json_document(command, result, written)
        return
    typer.echo(repr(result))
    files(written)


def htest(result: HTest) -> None:
    """Print a test as R does, and the times of the stimulus."""
    stimuli = result.design.get("stimuli")
    body = repr(replace(result, notes=())).rstrip("\n")
    if sys.stdout.isatty():
        body = body.split(result.method, 1)[1].lstrip("\n")
        grid = _pairs([("stimulus", stimuli)] if stimuli else [])
        parts = [_title(result.method), Text(body), grid, *_notes(result.notes)]
        _console().print(*parts, sep="\n")
        return
    times = [f"stimulus: {stimuli}"] if stimuli else []
    typer.echo(
        "\n".join(
            [body, *times, *(f"note: {note}" for note in printing.told_once(result.notes)), ""]
        )
    )


def transitions(result: TransitionsResult) -> None:
    """Print matrices by genotype, its windows side by side where the terminal is wide enough."""
    stimuli = result.design.get("stimuli")
    if not sys.stdout.isatty():
        text = repr(result).rstrip("\n")
        typer.echo("\n".join([text, *([f"stimulus: {stimuli}"] if stimuli else []), ""]))
        return
    console = _console()
    kind = "between bouts" if result.design["transitions"] == "jump" else "from frame to frame"
    names = list(result.table["genotype"].unique())
    pairs = {"data": result.design["data_name"], **({"stimulus": stimuli} if stimuli else {})}
    console.print(_title(f"Transition probabilities {kind}"), _pairs(pairs.items()), sep="\n")
    for name in names[:MOST_MATRICES]:
        console.print("", _genotype(result, name, console.width), sep="\n")
    rest = printing.more_lines(len(names), MOST_MATRICES, "name them with --genotypes, or --out")
    for part in (*rest, *_notes(result.notes)):
        console.print(part)


def info(result: SourceInfo) -> None:
    """Print what a source holds and what its design can show."""
    if not sys.stdout.isatty():
        by_date = printing.table_text(_by_date(result))
        typer.echo(f"{repr(result).rstrip()}\n\nAssays by date\n{by_date}\n")
        return
    console = _console()
    console.print(_title(result.source))
    pairs = [("holds", result.size_text), ("states", ", ".join(result.totals["states"]) or "none")]
    if result.shapes_text:
        pairs.append(("shapes", result.shapes_text))
    console.print(_pairs(pairs))
    for row in result.protocols.itertuples():
        console.print("", *_protocol(result, row, console), sep="\n")
    for part in _notes(result.notes):
        console.print(part)


# -- pieces ---------------------------------------------------------------------------------------


def _console() -> Console:
    return Console(highlight=False, emoji=False, markup=False)


def _title(text: str) -> Text:
    return Text(f"\n{text}\n", style="bold")


def _pairs(pairs: Iterable[tuple[str, str]]) -> Table:
    """Names and sentences in two columns; long sentences wrap inside theirs."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, text in pairs:
        grid.add_row(name, Text(text))
    return grid


def _notes(notes: Iterable[str]) -> list[RenderableType]:
    notes = printing.told_once(notes)
    return ["", _pairs(("note", note) for note in notes)] if notes else []


def _common(table: pd.DataFrame, column: str) -> dict[str, str]:
    """Return the one value that all rows share; nothing if they do not."""
    values = table[column].dropna().unique()
    return {column: str(values[0])} if len(values) == 1 else {}


def _screen_columns(table: pd.DataFrame, who: str) -> list[TextColumn]:
    """Choose columns for people: short names, effect with interval, one word for the change."""
    rejected = table["rejected"].fillna(False).astype(bool)
    columns = {
        "": [REJECTED if r else "" for r in rejected],
        who: table[who],
        **({"window": table["window"]} if table["window"].nunique() > 1 else {}),
        "T": table["statistic"],
        "p": table["p_value"],
        "q": table["q_value"],
        "H": table["hellinger"],
        "95% interval": _intervals(table),
        "H adj.": table["hellinger_adjusted"],
        "top transition": _changes(table),
        "assays": table["n_assays"],
        "dates": table["n_dates"],
        "larvae": table["n_larvae"],
    }
    texts = printing.text_columns(pd.DataFrame({name: list(v) for name, v in columns.items()}))
    return [c for c in texts if any(c.cells) or c.name == who]


def _legend(result: ScreenResult) -> str:
    """Explain the short names of the columns that are there."""
    parts = [f"T: {result.design['statistic_text']}."]
    if result.table["hellinger"].notna().any():
        parts.append("H: Hellinger distance from the control, adj.: without its small-sample bias.")
    if result.table["top_difference"].notna().any():
        what = "change differs" if result.design.get("contrast") else "probability differs"
        parts.append(f"Top transition: the one whose {what} most from the control's.")
    return " ".join(parts)


def _intervals(table: pd.DataFrame) -> list[str]:
    limits = zip(table["hellinger_low"], table["hellinger_high"], strict=True)
    return ["" if pd.isna(low) else f"{low:.2f}–{high:.2f}" for low, high in limits]


def _changes(table: pd.DataFrame) -> list[str]:
    cells = zip(table["top_transition"], table["top_difference"], strict=True)
    return ["" if pd.isna(d) else f"{name.replace('->', '→')} {d:+.2f}" for name, d in cells]


def _row_styles(table: pd.DataFrame) -> list[str]:
    found = table["rejected"].fillna(False).astype(bool)
    tested = table["p_value"].notna()
    return ["bold" if f else "" if t else "dim" for f, t in zip(found, tested, strict=True)]


def _fitting(columns: list[TextColumn], console: Console, styles: Sequence[str]) -> Table:
    """Draw a table; on a narrow terminal without the columns that matter least."""
    for name in (None, *DROPPED_FIRST):
        columns = [c for c in columns if c.name != name]
        table = _table(columns, styles)
        if _width(table, console) <= console.width:
            break
    return table


def _width(table: Table, console: Console) -> int:
    """Columns of text that a table needs, however many the terminal has."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum


def _table(columns: Sequence[TextColumn], styles: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    for c in columns:
        table.add_column(
            c.name,
            justify="right" if c.is_number else "left",
            style="green" if c.name == "" else "",
            no_wrap=c.name not in ("line", "genotype", "note"),
            overflow="fold",
        )
    for k, row in enumerate(zip(*(c.cells for c in columns), strict=True)):
        table.add_row(*map(Text, row), style=styles[k] if styles else "")
    return table


def _genotype(result: TransitionsResult, name: str, width: int) -> RenderableType:
    """Matrices of one genotype: windows side by side where they fit, else below each other."""
    rows = result.table[result.table["genotype"] == name]
    size = result.augment().set_index(["genotype", "window"]).loc[name].iloc[0]
    head = Text.assemble((name, "bold"), (
        f"  {printing.counted(int(size['n_assays']), 'assay')}, "
        f"{printing.counted(int(size['n_larvae']), 'larva').replace('larvas', 'larvae')}", "dim",
    ))  # fmt: skip
    panels = []
    for window in rows["window"].unique():
        n = int(rows.loc[rows["window"] == window, "n"].sum())
        caption = f"{result.design['windows_text'].get(window, window)}; {n} transitions"
        panels.append(Group(Text(caption, style="dim"), _matrix(result.matrix(name, window))))
    one = max(10, *(len(s) for s in result.states)) + sum(max(5, len(s)) + 2 for s in result.states)
    across = max(1, width // (one + 3))
    grid = Table.grid(padding=(0, 3))
    for start in range(0, len(panels), across):
        grid.add_row(*panels[start : start + across])
    return Group(head, grid)


def _matrix(matrix: pd.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("from \\ to", style="dim", no_wrap=True)
    for name in matrix.columns:
        table.add_column(str(name), justify="right", no_wrap=True, min_width=5)
    for name, row in matrix.iterrows():
        cells = ["" if pd.isna(p) else f"{p:.3f}" if p > 0 else "0" for p in row]
        styles = ["bold" if not pd.isna(p) and p >= 0.5 else "" for p in row]
        texts = [Text(c, style=s) for c, s in zip(cells, styles, strict=True)]
        table.add_row(Text(str(name)), *texts)
    return table


def _protocol(result: SourceInfo, row: Any, console: Console) -> list[RenderableType]:
    """One protocol: its times, its lines with controls and floors, its assays by date."""
    lines = result.lines[result.lines["protocol"] == row.protocol]
    shown = lines.iloc[:MOST_LINES]
    common = _common(lines, "control") if lines["control"].notna().all() else {}
    wide = _by_date(result, row.protocol)
    shorten = wide["genotype"].str.partition("@")[2].nunique() == 1
    columns = {
        **_who(shown["genotype"], shorten),
        "assays": shown["n_assays"],
        "dates": shown["n_dates"],
        "larvae": shown["n_larvae"],
        **({} if common else {"control": shown["control"]}),
        "control assays": shown["n_control_assays"],
        "shared dates": shown["n_shared_dates"],
        "p_floor": shown["p_floor"],
        "note": shown["note"],
    }
    texts = printing.text_columns(pd.DataFrame({name: list(v) for name, v in columns.items()}))
    size = f"{printing.counted(row.n_assays, 'assay')}, {row.n_larvae} larvae"
    head = Text.assemble((row.protocol or "(no protocol)", "bold"), (f"  {size}", "dim"))
    table = _table([c for c in texts if any(c.cells)])
    more = printing.more_lines(len(lines), MOST_LINES, "all of them with --json")
    times = _pairs([("stimulus", row.stimuli), *common.items()])
    floor = Text("p_floor: smallest p-value that relabelling can give with this design",
                 style="dim")  # fmt: skip
    by_date = pd.DataFrame(_who(wide["genotype"], shorten) | dict(wide.iloc[:, 1:].items()))
    return [head, times, "", table, *more, "", floor, *_dates(by_date, console)]


def _who(genotypes: pd.Series, shorten: bool) -> dict[str, Any]:
    """Name genotypes by their line where all have one effector."""
    return {"line": genotypes.str.partition("@")[0]} if shorten else {"genotype": genotypes}


def _by_date(result: SourceInfo, protocol: str | None = None) -> pd.DataFrame:
    """Assays per genotype and date, dates as columns, blank where there are none."""
    dates = result.dates.assign(date=result.dates["date"].fillna("no date"))
    dates = dates.assign(protocol=dates["protocol"].fillna(""))
    if protocol is not None:
        dates = dates[dates["protocol"] == protocol]
    index = ["genotype"] if protocol is not None else ["protocol", "genotype"]
    wide = dates.pivot_table(index=index, columns="date", values="n_assays", aggfunc="sum")
    return wide.astype("Int64").reset_index()


def _dates(wide: pd.DataFrame, console: Console) -> list[RenderableType]:
    if list(wide.columns[1:]) == ["no date"]:
        return []
    table = _table(printing.text_columns(wide.iloc[:MOST_LINES]))
    more = printing.more_lines(len(wide), MOST_LINES, "all of them with --json")
    if _width(table, console) > console.width:
        dates = printing.counted(len(wide.columns) - 1, "date")
        return [Text(f"assays by date: {dates}, too wide for this terminal; see --json")]
    return ["", Text("Assays by date", style="bold"), table, *more]
