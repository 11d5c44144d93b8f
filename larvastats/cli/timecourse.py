"""``larvastats timecourse``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from larvastats.cli import options as o
from larvastats.errors import UsageError

EXAMPLES = (
    "larvastats timecourse my_puffs --genotypes GMR_11E02_AE_01 --response run --out results/run",
    "larvastats timecourse my_puffs --genotypes GMR_11E02_AE_01 --response length --baseline 10",
    "larvastats timecourse my_puffs --response hunch --align 2-11 --test cluster",
    "larvastats timecourse my_puffs --response head_angle --histogram "
    '--mixed "value ~ genotype * led + (1 | assay)"',
)

SHOW, DISTRIBUTION = "What to follow", "Distribution, stimulus off and on"


def _option(flag: str, panel: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel=panel, help=text, **more)


Align = Annotated[
    str,
    _option("--align", SHOW, "Zero of time: start of the recording, the K-th onset of a stimulus, "
            "or the mean over onsets K to L.", metavar="start|K|K-L"),
]  # fmt: skip
Bin = Annotated[float, _option("--bin", SHOW, "Width of the bins of time.", metavar="S")]
Span = Annotated[
    str | None,
    _option("--span", SHOW, "Times to show, in seconds; by default all.", metavar="START:STOP"),
]
Baseline = Annotated[
    float | None,
    _option("--baseline", SHOW, "Follow the change from each assay's own mean in this many seconds "
            "before the first onset.", metavar="S"),
]  # fmt: skip
Limits = Annotated[
    Literal["simultaneous", "pointwise"],
    _option("--limits", SHOW, "Limits in pictures: of the whole curve, or of one time only."),
]
Test = Annotated[
    Literal["maxt", "cluster", "none"],
    _option("--test", o.TEST, "Where genotypes differ: the largest difference over all times, or "
            "the heaviest run of differences."),
]  # fmt: skip
Draws = Annotated[
    int, _option("--bootstrap", o.TEST, "Sign patterns behind the limits.", metavar="N")
]
Histogram = Annotated[
    bool,
    _option("--histogram", DISTRIBUTION, "Compare the distribution of a feature, its mean and its "
            "spread, instead of its course."),
]  # fmt: skip
Off = Annotated[
    str | None,
    _option("--off", DISTRIBUTION, "Window without the stimulus; by default before.",
            metavar="NAME|START:STOP"),
]  # fmt: skip
On = Annotated[
    str | None,
    _option("--on", DISTRIBUTION, "Window with the stimulus; by default during.",
            metavar="NAME|START:STOP"),
]  # fmt: skip
Spread = Annotated[
    Literal["sd", "mad"] | None,
    _option("--spread", DISTRIBUTION, "What measures spread: the standard deviation (sd), or the "
            "median absolute deviation (mad)."),
]  # fmt: skip
Mixed = Annotated[
    str | None,
    _option("--mixed", DISTRIBUTION, "Also fit a mixed model of the larvae's means, such as "
            "'value ~ genotype * led + (1 | assay)'.", metavar="FORMULA"),
]  # fmt: skip


def timecourse(
    source: o.Source = None,
    protocol: o.Protocol = None,
    genotypes: o.Genotypes = None,
    control: o.Control = None,
    gap: o.Gap = None,
    exclude: o.Exclude = None,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    response: o.Response = "run",
    align: Align = "start",
    bin: Bin = 0.5,
    span: Span = None,
    baseline: Baseline = None,
    limits: Limits = "simultaneous",
    test: Test = "maxt",
    block: o.Block = "date",
    alpha: o.Alpha = 0.05,
    resamples: o.Resamples = 10_000,
    bootstrap: Draws = 1000,
    histogram: Histogram = False,
    off: Off = None,
    on: On = None,
    spread: Spread = None,
    mixed: Mixed = None,
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
    seed: o.Seed = 0,
) -> None:
    """Follow an action or a feature over time by genotype, and see when genotypes differ."""
    from larvastats import export
    from larvastats.cli import show

    course: dict[str, Any] = {"align": align, "bin": bin, "span": span, "baseline": baseline,
              "simultaneous": limits == "simultaneous", "test": test}  # fmt: skip
    shape: dict[str, Any] = {"off": off, "on": on, "spread": spread, "mixed": mixed}
    _check(histogram, course, shape)
    if out is not None:
        export.check_writable(out)
    show.announce(source)
    common: dict[str, Any] = {
        "protocol": protocol, "genotypes": genotypes, "control": control, "response": response,
        "gap": gap, "block": block, "alpha": alpha, "resamples": resamples,
        "bootstrap": bootstrap, "seed": seed,
        **o.loading(format, labels, min_bout, fps, px_per_mm, exclude),
    }  # fmt: skip
    if histogram:
        from larvastats.verbs.distribution import distribution

        given = {name: value for name, value in shape.items() if value is not None}
        _finish(distribution(source, **common, **given), out, not no_figures, json)
    else:
        from larvastats.verbs.timecourse import timecourse as verb

        _finish(verb(source, **common, **course), out, not no_figures, json)


def _check(histogram: bool, course: dict[str, Any], shape: dict[str, Any]) -> None:
    """Refuse options that do not belong to what is asked for, rather than pass over them."""
    if not histogram:
        given = [name for name, value in shape.items() if value is not None]
        if given:
            raise UsageError(f"--{given[0]} belongs to --histogram; add that, or leave it out.")
        return
    usual = {"align": "start", "bin": 0.5, "span": None, "baseline": None, "simultaneous": True,
             "test": "maxt"}  # fmt: skip
    flags = {"simultaneous": "limits"}
    given = [flags.get(name, name) for name, value in course.items() if value != usual[name]]
    if given:
        raise UsageError(f"--{given[0]} belongs to curves over time; leave it or --histogram out.")


def _finish(result: Any, out: Path | None, figures: bool, json: bool) -> None:
    """Write and print."""
    from larvastats import export
    from larvastats.cli import show

    files: Sequence[Path] = []
    if out is not None:
        files = export.write_timecourse(result, out, figures, command=o.command_line())
    show.plain("timecourse", result, files, json)
