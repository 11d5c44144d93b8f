"""``larvastats simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from larvastats.cli import options as o

EXAMPLES = (
    "larvastats simulate my_screen --lines 24 --assays-per-line 6",
    "larvastats simulate puffs --protocol p_8_45s1x30s0s#p_8_105s10x2s10s#n#n --format trx",
    "larvastats simulate known --effects effects.toml --seed 7",
)

DESIGN = "Experiment"


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel=DESIGN, help=text, **more)


Directory = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="Where to write: new, empty, or an earlier simulation, which is then replaced.",
    ),
]
Protocol = Annotated[
    str | None,
    _option("--protocol", "light (the default), airpuff, or a protocol of either kind."),
]
Lines = Annotated[int, _option("--lines", "Lines beside the control.", metavar="N")]
Assays = Annotated[
    int, _option("--assays-per-line", "Plates of each line, spread over the dates.", metavar="N")
]
Dates = Annotated[int, _option("--dates", "Dates of filming.", metavar="N")]
Controls = Annotated[
    int, _option("--control-assays-per-date", "Plates of the control on each date.", metavar="N")
]
Larvae = Annotated[int, _option("--larvae", "Larvae per plate, about.", metavar="N")]
Effects = Annotated[
    Path | None,
    _option(
        "--effects",
        "Known effects: a TOML file of effect tables with line, kind, from, to, window, delta. "
        "By default a built-in set; about half of the lines have none.",
        metavar="FILE",
    ),
]
Format = Annotated[
    Literal["tidy", "trx", "frames"],
    _option(
        "--format",
        "One tidy table of bouts; a database directory of trx.mat files; or one "
        "tidy table of frames. Frames also have length, speed and head angle.",
    ),
]


def simulate(
    directory: Directory,
    protocol: Protocol = None,
    lines: Lines = 12,
    assays_per_line: Assays = 6,
    dates: Dates = 3,
    control_assays_per_date: Controls = 4,
    larvae: Larvae = 30,
    effects: Effects = None,
    format: Format = "tidy",
    seed: o.Seed = 0,
) -> None:
    """Make recordings with known effects, and truth.json that says which."""
    from larvastats.verbs import simulate as verb

    path = verb.simulate(
        directory,
        protocol=protocol,
        lines=lines,
        assays_per_line=assays_per_line,
        dates=dates,
        control_assays_per_date=control_assays_per_date,
        larvae=larvae,
        effects=effects,
        format=format,
        seed=seed,
        progress=True,
    )
    typer.echo(f"simulated recordings in {path}; what is true of them in truth.json beside them")
