"""``larvastats habituation``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from larvastats.cli import options as o
from larvastats.cli.screen import Correction

EXAMPLES = (
    "larvastats habituation --response run",
    "larvastats habituation my_database --protocol p_8 --response hunch --window 46:75",
    "larvastats habituation my_database --response hunch --kind pulses --out results/hunch",
    "larvastats habituation my_database --protocol p_8 --response length --out results/length",
)

Kind = Annotated[
    Literal["auto", "recovery", "pulses", "berne"],
    typer.Option("--kind", rich_help_panel=o.TEST,
                 help="Recovery during one long stimulus; decline over repeated pulses; "
                 "desensitisation and resensitisation after Berne et al. 2023. By default as the "
                 "stimulus allows."),
]  # fmt: skip
Stimulus = Annotated[
    int | None,
    typer.Option("--stimulus", rich_help_panel=o.TEST, metavar="K",
                 help="Which presentation, from 1; by default the longest, or the longest train."),
]  # fmt: skip
Window = Annotated[
    str | None,
    typer.Option("--window", rich_help_panel=o.TEST, metavar="START:STOP",
                 help="The stretch to fit, such as from the peak of the response on; or the pulses "
                 "to use. Stands in for the stimulus where the protocol names none."),
]  # fmt: skip
Bin = Annotated[
    float | None,
    typer.Option("--bin", rich_help_panel=o.TEST, metavar="S",
                 help="Width of the bins; by default a 30th of a long stimulus, a tenth of a "
                 "pulse."),
]  # fmt: skip
Measure = Annotated[
    Literal["time", "ever"],
    typer.Option("--measure", rich_help_panel=o.TEST,
                 help="Of an action: share of the time spent in it, or of larvae that do it at any "
                 "moment of the bin."),
]  # fmt: skip
GateLevel = Annotated[
    float,
    typer.Option("--gate", rich_help_panel=o.TEST, metavar="A",
                 help="Level at which the response has to change before it gets a time constant."),
]  # fmt: skip
Interval = Annotated[
    Literal["profile", "score", "bootstrap-t"],
    typer.Option("--interval", rich_help_panel=o.TEST,
                 help="How the interval of the time constant is made."),
]  # fmt: skip
Null = Annotated[
    Literal["auto", "wild", "F"],
    typer.Option("--null", rich_help_panel=o.TEST,
                 help="Where the p-value of a difference comes from: a wild bootstrap of the "
                 "assays' curves, or an F approximation; auto takes the first wherever it can "
                 "reach a small enough p."),
]  # fmt: skip
Resamples = Annotated[
    int,
    typer.Option("--resamples", rich_help_panel=o.TEST, metavar="N",
                 help="Permutations, sign vectors and bootstrap draws."),
]  # fmt: skip


def habituation(
    source: o.Source = None,
    protocol: o.Protocol = None,
    control: o.Control = None,
    genotypes: o.Genotypes = None,
    gap: o.Gap = None,
    exclude: o.Exclude = None,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    response: o.Response = "run",
    kind: Kind = "auto",
    stimulus: Stimulus = None,
    window: Window = None,
    bin: Bin = None,
    measure: Measure = "time",
    block: o.Block = "date",
    gate: GateLevel = 0.05,
    interval: Interval = "profile",
    null: Null = "auto",
    resamples: Resamples = 1000,
    correction: Correction = "bh",
    alpha: o.Alpha = 0.05,
    seed: o.Seed = 0,
    jobs: o.Jobs = 1,
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
) -> None:
    """Say how fast a response wanes and comes back, and in which lines differently."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.verbs.habituation import habituation as verb

    if out is not None:
        export.check_writable(out)
    show.announce(source)
    result = verb(
        source,
        response=response,
        protocol=protocol,
        control=control,
        genotypes=genotypes,
        kind=kind,
        stimulus=stimulus,
        window=window,
        bin=bin,
        measure=measure,
        gap=gap,
        block=block,
        gate=gate,
        interval=interval,
        null=null,
        resamples=resamples,
        correction=correction,
        alpha=alpha,
        seed=seed,
        jobs=jobs,
        **o.loading(format, labels, min_bout, fps, px_per_mm, exclude),
    )
    files = []
    if out is not None:
        files = export.write_habituation(result, out, not no_figures, command=o.command_line())
    show.plain("habituation", result, files, json)
