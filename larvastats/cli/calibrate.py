"""``larvastats calibrate``."""

from __future__ import annotations

from typing import Annotated

import typer

from larvastats.cli import options as o

EXAMPLES = (
    "larvastats calibrate",
    "larvastats calibrate my_database --protocol r_LED100 --draws 2000 --jobs 2",
    "larvastats calibrate my_database --contrast during-before --out results/calibration",
)

Draws = Annotated[
    int,
    typer.Option(
        "--draws", rich_help_panel=o.TEST, metavar="N", help="Control pseudo-lines to test."
    ),
]


def calibrate(
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
    statistic: o.Statistic = "welch",
    transitions: o.Counting = "jump",
    dt: o.Dt = 0.1,
    window: o.Window = None,
    contrast: o.Contrast = None,
    block: o.Block = "date",
    variance: o.Variance = "date",
    resamples: o.Resamples = 2000,
    draws: Draws = 1000,
    seed: o.Seed = 0,
    jobs: o.Jobs = 1,
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
) -> None:
    """Ask the controls whether a screen keeps its error."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.verbs.calibrate import calibrate as verb

    if out is not None:
        export.check_writable(out)
    show.announce(source)
    result = verb(
        source,
        protocol=protocol,
        control=control,
        statistic=statistic,
        transitions=transitions,
        dt=dt,
        window=window,
        contrast=contrast,
        gap=gap,
        block=block,
        variance=variance,
        resamples=resamples,
        draws=draws,
        seed=seed,
        jobs=jobs,
        **o.loading(format, labels, min_bout, fps, px_per_mm, exclude),
    )
    files = []
    if out is not None:
        tables = {"calibration": result.table, "p_values": result.p_values}
        pictures = {} if no_figures else {"calibration": result.plot}
        files = export.write_tables(result, out, tables, pictures, command=o.command_line())
    show.plain("calibrate", result, files, json)
