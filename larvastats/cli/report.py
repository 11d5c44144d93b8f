"""``larvastats report``."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Literal

import typer

from larvastats.cli import options as o

EXAMPLES = (
    "larvastats report results/demo",
    "larvastats report results/light --genotype GMR_72F11",
    "larvastats report results/light --lines 10 --out pages",
)

PAGE = "Page"

ResultsDirectory = Annotated[
    Path,
    typer.Argument(
        metavar="RESULTS_DIR",
        help="What commands wrote with --out: a screen, say, with calibrate, power, habituation in "
        "subdirectories.",
        show_default=False,
    ),
]
To = Annotated[
    Literal["html"], typer.Option("--to", rich_help_panel=PAGE, help="Format of the pages.")
]
Genotype = Annotated[
    str | None,
    typer.Option(
        "--genotype",
        rich_help_panel=PAGE,
        metavar="NAME",
        help="Make the page of this genotype, or line, or unique beginning of its name, and no "
        "other.",
    ),
]
Lines = Annotated[
    int,
    typer.Option(
        "--lines",
        rich_help_panel=PAGE,
        metavar="N",
        min=0,
        help="Lines of a screen whose matrices are shown.",
    ),
]
Renderer = Annotated[
    Literal["auto", "quarto", "builtin"],
    typer.Option(
        "--renderer",
        rich_help_panel=PAGE,
        help="Quarto where it is installed, else a small renderer of our own (extra report).",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        rich_help_panel=o.OUTPUT,
        metavar="DIR",
        help="Where the pages go; into RESULTS_DIR by default.",
    ),
]


def report(
    results: ResultsDirectory,
    to: To = "html",
    genotype: Genotype = None,
    lines: Lines = 3,
    renderer: Renderer = "auto",
    out: Out = None,
    json: o.Json = False,
) -> None:
    """Make pages to read, to print and to send from a results directory."""
    from larvastats.report.make import make_report

    made = make_report(results, to=to, genotype=genotype, lines=lines, renderer=renderer, out=out)
    if json:
        document = {
            "command": "report",
            "files": [str(path) for path in made.files],
            "renderer": made.renderer,
            "notes": list(made.notes),
        }
        typer.echo(json_module.dumps(document, indent=2, ensure_ascii=False))
        return
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    how = "Quarto" if made.renderer == "quarto" else "the built-in renderer"
    typer.echo(f"written by {how}:")
    for path in made.files:
        typer.echo(f"  {path} ({path.stat().st_size / 1e6:.1f} MB)")
