"""``larvastats transitions``."""

from __future__ import annotations

from typing import Annotated

import typer

from larvastats.cli import options as o
from larvastats.cli import time_resolved
from larvastats.errors import UsageError

EXAMPLES = (
    "larvastats transitions --genotypes GMR_72F11,FCF_attP2_1500062",
    "larvastats transitions my_database --windows before,during_1,during_2,after",
    "larvastats transitions my_database --windows sliding:10:5 --out results/matrices",
    *time_resolved.EXAMPLES,
)

Genotypes = Annotated[
    str | None,
    typer.Option(
        "--genotypes",
        rich_help_panel=o.DATA,
        metavar="A,B,…",
        help="Genotypes or lines; by default all.",
    ),
]
Windows = Annotated[
    str | None,
    typer.Option(
        "--windows",
        rich_help_panel=o.TEST,
        metavar="W1,W2,…",
        help="Windows as in screen --window, each, or sliding:WIDTH:STEP. By default stimulus off "
        "and on: before,during; whole without a stimulus.",
    ),
]


def transitions(
    source: o.Source = None,
    protocol: o.Protocol = None,
    genotypes: Genotypes = None,
    gap: o.Gap = None,
    exclude: o.Exclude = None,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    windows: Windows = None,
    transitions: o.Stepping = "jump",
    dt: o.Dt = 0.1,
    show_: time_resolved.Show = "matrices",
    control: o.Control = None,
    seed: o.Seed = 0,
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
) -> None:
    """Show transition matrices by genotype and window (stimulus off and on), or dwell times."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.verbs import transitions as verb

    if out is not None:
        export.check_writable(out)
    show.announce(source)
    loading = o.loading(format, labels, min_bout, fps, px_per_mm, exclude)
    if show_ != "matrices":
        time_resolved.run(
            show_, source, protocol=protocol, genotypes=genotypes, windows=windows, gap=gap,
            control=control, transitions=transitions, dt=dt, seed=seed, out=out,
            figures=not no_figures, json=json, **loading,
        )  # fmt: skip
        return
    if control is not None:
        raise UsageError("matrices have no control; add --show dwell, or name it in --genotypes.")
    result = verb.transitions(
        source,
        protocol=protocol,
        genotypes=genotypes,
        windows=windows,
        transitions=transitions,
        dt=dt,
        gap=gap,
        **loading,
    )
    files = []
    if out is not None:
        files = export.write_transitions(result, out, not no_figures, command=o.command_line())
    if json:
        show.json_document("transitions", result, files)
    else:
        show.transitions(result)
        show.files(files)
