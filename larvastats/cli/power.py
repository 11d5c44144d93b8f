"""``larvastats power``."""

from __future__ import annotations

from typing import Annotated

import typer

from larvastats.cli import options as o
from larvastats.errors import UsageError

EXAMPLES = (
    "larvastats power --effect 'cast->run:-0.12'",
    "larvastats power my_database --dates 2,4,8 --plates 1,2 --larvae 10,30,60 --jobs 2",
)


def _option(flag: str, text: str, metavar: str = "N,N,…") -> object:
    return typer.Option(flag, rich_help_panel=o.TEST, metavar=metavar, help=text)


Effect = Annotated[
    str | None,
    _option("--effect", "A change of one transition probability; by default the commonest "
            "transition, -0.1.", "FROM->TO:DELTA"),
]  # fmt: skip
Dates = Annotated[str, _option("--dates", "Numbers of dates to try.")]
Plates = Annotated[
    str, _option("--plates", "Plates of the line per date to try (in all, without dates).")
]
Larvae = Annotated[str, _option("--larvae", "Larvae per plate to try.")]
ControlPlates = Annotated[
    int | None,
    _option("--control-plates", "Control plates per date; by default as in the data.", "N"),
]
Simulations = Annotated[int, _option("--simulations", "Simulated lines per design.", "N")]


def power(
    source: o.Source = None,
    protocol: o.Protocol = None,
    control: o.Control = None,
    gap: o.Gap = None,
    exclude: o.Exclude = None,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    effect: Effect = None,
    transitions: o.Stepping = "jump",
    dt: o.Dt = 0.1,
    window: o.Window = None,
    block: o.Block = "date",
    dates: Dates = "2,4,8",
    plates: Plates = "1,2,4",
    larvae: Larvae = "10,30,60",
    control_plates: ControlPlates = None,
    alpha: o.Alpha = 0.05,
    simulations: Simulations = 300,
    seed: o.Seed = 0,
    jobs: o.Jobs = 1,
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
) -> None:
    """Say what a screen could find, from how much its controls vary."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.verbs.power import power as verb

    if out is not None:
        export.check_writable(out)
    show.announce(source)
    result = verb(
        source,
        effect=effect,
        protocol=protocol,
        control=control,
        transitions=transitions,
        dt=dt,
        window=window,
        gap=gap,
        block=block,
        dates=_numbers("--dates", dates),
        plates=_numbers("--plates", plates),
        larvae=_numbers("--larvae", larvae),
        control_plates=control_plates,
        alpha=alpha,
        simulations=simulations,
        seed=seed,
        jobs=jobs,
        **o.loading(format, labels, min_bout, fps, px_per_mm, exclude),
    )
    files = []
    if out is not None:
        tables = {"power": result.table, "components": result.components}
        tables["smallest"] = result.smallest
        pictures = {} if no_figures else {"power": result.plot}
        files = export.write_tables(result, out, tables, pictures, command=o.command_line())
    show.plain("power", result, files, json)


def _numbers(flag: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"{flag} must be whole numbers joined by commas such as 2,4,8, but is {text!r}."
        ) from None
