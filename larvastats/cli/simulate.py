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
    "larvastats simulate bodies --format trx --shapes contour --fault realistic --lines 2",
)

DESIGN = "Experiment"


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel=DESIGN, help=text, **more)


def _shape(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel="Shapes", help=text, **more)


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
    Literal["tidy", "frames", "trx", "choreography", "fimtrack"],
    _option(
        "--format",
        "One tidy table, of bouts or of frames, or a database directory: of trx.mat files, of "
        ".spine and .outline with labels, or of FIMTrack tables. All but bouts have length, speed "
        "and head angle.",
    ),
]
Shapes = Annotated[
    Literal["none", "midline", "contour"] | None,
    _shape(
        "--shapes",
        "Give the larvae bodies that move. By default none for trx, contour for choreography and "
        "fimtrack. What the larvae do stays the same.",
    ),
]
Fps = Annotated[float | None, _shape("--fps", "Frames per second of the shapes (10).", metavar="F")]
Points = Annotated[
    int | None, _shape("--contour-points", "Vertices of an outline (60).", metavar="N")
]
Faults = Annotated[
    list[str] | None,
    _shape(
        "--fault",
        "What the tracker does wrong, as NAME=RATE (share of frames): jitter, nan, points, flip, "
        "merge, lost, times; or realistic. May be repeated. truth_frames.h5 says where.",
        metavar="NAME=RATE",
    ),
]
PxPerMm = Annotated[
    float | None, _shape("--px-per-mm", "Pixels per mm of FIMTrack tables (10).", metavar="F")
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
    shapes: Shapes = None,
    fps: Fps = None,
    contour_points: Points = None,
    fault: Faults = None,
    px_per_mm: PxPerMm = None,
    seed: o.Seed = 0,
    jobs: o.Jobs = 1,
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
        shapes=shapes,
        fps=fps,
        contour_points=contour_points,
        faults=fault,
        px_per_mm=px_per_mm,
        jobs=jobs,
        progress=True,
    )
    typer.echo(f"simulated recordings in {path}; what is true of them in truth.json beside them")
    if format == "fimtrack":
        scale = f"--fps {fps or 10:g} --px-per-mm {px_per_mm or 10:g}"
        typer.echo(f"FIMTrack's tables know neither rate nor scale: read them with {scale}")
