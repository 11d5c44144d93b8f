"""``larvastats transitions``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from larvastats.cli import options as o
from larvastats.cli import time_resolved
from larvastats.errors import UsageError

EXAMPLES = (
    "larvastats transitions --genotypes GMR_72F11,FCF_attP2_1500062",
    "larvastats transitions my_database --windows before,during_1,during_2,after",
    "larvastats transitions my_database --windows sliding:10:5 --out results/matrices",
    "larvastats transitions my_database --by window --out results/windows",
    "larvastats transitions my_database --by time --genotypes A,B --out results/courses",
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
By = Annotated[
    Literal["window", "time"] | None,
    typer.Option(
        "--by",
        rich_help_panel=o.TEST,
        help="window: every window of the protocol, drawn as courses. time: smooth courses by "
        "multinomial logits, with tests against the control.",
    ),
]
Formula = Annotated[
    str | None,
    typer.Option(
        "--formula",
        rich_help_panel=o.TEST,
        metavar="F",
        help="Of --by time: 'to ~ …' of t, on, since (the last onset), genotype and columns of the "
        "assays. By default to ~ genotype * cr(t, df=6).",
    ),
]
Control = Annotated[
    str | None,
    typer.Option(
        "--control",
        rich_help_panel=o.DATA,
        metavar="LINE|GENOTYPE",
        help="Of --by time: with which the others are compared; by default the usual control.",
    ),
]
Bootstrap = Annotated[
    int,
    typer.Option(
        "--bootstrap",
        rich_help_panel=o.TEST,
        metavar="N",
        help="Resamples behind the bands; 0: none.",
    ),
]


def transitions(
    source: o.Source = None,
    protocol: o.Protocol = None,
    genotypes: Genotypes = None,
    control: Control = None,
    gap: o.Gap = None,
    exclude: o.Exclude = None,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    by: By = None,
    windows: Windows = None,
    formula: Formula = None,
    transitions: o.Stepping = "jump",
    dt: o.Dt = 0.1,
    block: o.Block = "date",
    bootstrap: Bootstrap = 1000,
    show_: time_resolved.Show = "matrices",
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
    seed: o.Seed = 0,
) -> None:
    """Show transition matrices by genotype and window (stimulus off and on), or dwell times."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.verbs import transitions as verb

    if show_ == "matrices":
        _agree(by, formula, control)
    if out is not None:
        export.check_writable(out)
    show.announce(source)
    load = o.loading(format, labels, min_bout, fps, px_per_mm, exclude)
    if show_ != "matrices":
        time_resolved.run(
            show_, source, protocol=protocol, genotypes=genotypes, windows=windows, gap=gap,
            control=control, transitions=transitions, dt=dt, seed=seed, out=out,
            figures=not no_figures, json=json, **load,
        )  # fmt: skip
        return
    if by == "time":
        common = {"protocol": protocol, "genotypes": genotypes, "control": control, "gap": gap}
        more = {"window": windows or "whole", "transitions": transitions, "dt": dt}
        _smooth(source, formula, out, no_figures, json, block=block, seed=seed, **common, **more,
                **load)  # fmt: skip
        return
    result = verb.transitions(
        source,
        protocol=protocol,
        genotypes=genotypes,
        by=by,
        windows=windows,
        transitions=transitions,
        dt=dt,
        gap=gap,
        block=block,
        bootstrap=bootstrap,
        seed=seed,
        **load,
    )
    files = []
    if out is not None:
        files = export.write_transitions(result, out, not no_figures, command=o.command_line())
    if json:
        show.json_document("transitions", result, files)
    else:
        show.transitions(result)
        show.files(files)


def _agree(by: str | None, formula: str | None, control: str | None) -> None:
    """Refuse options of a smooth model where none is asked for."""
    for name, value in (("--formula", formula), ("--control", control)):
        if value is not None and by != "time":
            raise UsageError(f"{name} belongs to a smooth model; add --by time.")


def _smooth(
    source: str | None,
    formula: str | None,
    out: Path | None,
    no_figures: bool,
    json: bool,
    **options: Any,
) -> None:
    """Fit, write and print a smooth model."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.verbs import transition_model as verb

    result = verb.transition_model(formula or verb.DEFAULT, source, **options)
    files: list[Path] = []
    if out is not None:
        tables = {"coefficients": result.table, "tests": result.tests,
                  "predictions": result.predictions, "units": result.units}  # fmt: skip
        drawn = {} if no_figures or not verb.has_time(result) else {"courses": result.plot}
        files = export.write_tables(result, out, tables, drawn, command=o.command_line())
    show.plain("transitions", result, files, json)
