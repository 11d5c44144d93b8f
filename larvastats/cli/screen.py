"""``larvastats screen``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from larvastats.cli import options as o

EXAMPLES = (
    "larvastats screen",
    "larvastats screen my_database --protocol r_LED100 --out results/light",
    "larvastats screen bouts.csv --control w1118 --contrast during-before",
    "larvastats screen my_database --window each --out results/when",
)

Correction = Annotated[
    Literal["bh", "by", "bonferroni", "maxt", "none"],
    typer.Option("--correction", rich_help_panel=o.TEST, help="For testing many lines at once."),
]

Windows = Annotated[
    str | None,
    typer.Option(
        "--window",
        rich_help_panel=o.TEST,
        metavar="NAME|START:STOP|each",
        help="When to look: before, during, during_2, after, whole, or START:STOP in seconds. By "
        "default during; whole without a stimulus. each (every presentation, before and after), "
        "sliding:WIDTH:STEP or W1,W2,… test several together, with one error for all.",
    ),
]

NoCalibrate = Annotated[
    bool,
    typer.Option(
        "--no-calibrate",
        rich_help_panel=o.TEST,
        help="Do not ask the controls whether this screen keeps its error.",
    ),
]


def screen(
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
    window: Windows = None,
    contrast: o.Contrast = None,
    statistic: o.Statistic = "welch",
    transitions: o.Counting = "jump",
    dt: o.Dt = 0.1,
    unit: o.Unit = "auto",
    block: o.Block = "date",
    variance: o.Variance = "date",
    null: o.Null = "auto",
    resamples: o.Resamples = 10_000,
    correction: Correction = "bh",
    alpha: o.Alpha = 0.05,
    sesoi: o.Sesoi = None,
    covariates: o.Covariates = "",
    row_weights: o.RowWeights = "uniform",
    bootstrap: o.Bootstrap = 1000,
    no_calibrate: NoCalibrate = False,
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
    seed: o.Seed = 0,
    jobs: o.Jobs = 1,
    memory: o.Memory = 512,
) -> None:
    """Rank all lines by how surely they differ from their control."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.inference.design.setting import choose_protocol
    from larvastats.verbs import screen as verb
    from larvastats.verbs._open import open_source

    if out is not None:
        export.check_writable(out)
    show.announce(source)
    load = o.loading(format, labels, min_bout, fps, px_per_mm, exclude)
    opened = open_source(source, **load)
    result = verb.screen(
        opened,
        protocol=protocol,
        control=control,
        statistic=statistic,
        transitions=transitions,
        dt=dt,
        window=window,
        contrast=contrast,
        gap=gap,
        unit=unit,
        block=block,
        variance=variance,
        null=null,
        resamples=resamples,
        correction=correction,
        alpha=alpha,
        sesoi=sesoi,
        covariates=covariates,
        row_weights=row_weights,
        bootstrap=bootstrap,
        calibrate=not no_calibrate,
        seed=seed,
        jobs=jobs,
        memory=memory,
        progress=True,
    )
    files = []
    if out is not None:
        ethogram, _ = choose_protocol(opened.ethogram, protocol)
        files = export.write_screen(
            result, out, not no_figures, ethogram=ethogram, command=o.command_line()
        )
    if json:
        show.json_document("screen", result, files)
    else:
        show.screen(result, "see screen.csv" if files else "write them all with --out DIR")
        show.files(files)
