"""``larvastats compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from larvastats.cli import options as o
from larvastats.errors import UsageError

EXAMPLES = (
    "larvastats compare GMR_72F11 FCF_attP2_1500062",
    "larvastats compare my_database R61D08 w1118 --contrast during-before",
    "larvastats compare my_database GMR_72F11 --windows during,before",
)

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAMES",
        help="Genotypes, or lines that have one effector. Without CONTROL, --windows compares the "
        "genotype with itself. Without SOURCE: the built-in example.",
        show_default=False,
    ),
]
Windows = Annotated[
    str | None,
    typer.Option(
        "--windows",
        rich_help_panel=o.TEST,
        metavar="W1,W2",
        help="The change from W2 to W1; without CONTROL within one genotype, paired by assay.",
    ),
]


class CompareCommand(TyperCommand):
    """A command whose usage line says which names may be left out."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the pieces of the usage line."""
        return ["[OPTIONS]", "[SOURCE] GENOTYPE [CONTROL]"]


def compare(
    names: Names,
    protocol: o.Protocol = None,
    gap: o.Gap = None,
    exclude: o.Exclude = None,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    window: o.Window = None,
    windows: Windows = None,
    contrast: o.Contrast = None,
    statistic: o.Statistic = "welch",
    transitions: o.Counting = "jump",
    dt: o.Dt = 0.1,
    unit: o.Unit = "auto",
    block: o.Block = "date",
    variance: o.Variance = "date",
    null: o.Null = "auto",
    resamples: o.Resamples = 10_000,
    alpha: o.Alpha = 0.05,
    sesoi: o.Sesoi = None,
    covariates: o.Covariates = "",
    row_weights: o.RowWeights = "uniform",
    bootstrap: o.Bootstrap = 1000,
    out: o.Out = None,
    no_figures: o.NoFigures = False,
    json: o.Json = False,
    seed: o.Seed = 0,
) -> None:
    """Test two genotypes against each other, or one genotype in two windows."""
    from larvastats import export
    from larvastats.cli import show
    from larvastats.verbs import compare as verb

    source, genotype, control = resolve(names, windows)
    if out is not None:
        export.check_writable(out)
    show.announce(source)
    result = verb.compare(
        source,
        genotype,
        control,
        protocol=protocol,
        window=window,
        windows=windows,
        contrast=contrast,
        statistic=statistic,
        transitions=transitions,
        dt=dt,
        gap=gap,
        unit=unit,
        block=block,
        variance=variance,
        null=null,
        resamples=resamples,
        alpha=alpha,
        sesoi=sesoi,
        covariates=covariates,
        row_weights=row_weights,
        bootstrap=bootstrap,
        seed=seed,
        **o.loading(format, labels, min_bout, fps, px_per_mm, exclude),
    )
    files = []
    if out is not None:
        files = export.write_test(result, out, not no_figures, command=o.command_line())
    if json:
        show.json_document("compare", result, files)
    else:
        show.htest(result)
        show.files(files)


def resolve(names: list[str], windows: str | None) -> tuple[str | None, str, str | None]:
    """Tell source, genotype and control apart by their number.

    Raises
    ------
    UsageError
        A number of names that does not say who is compared with whom.
    """
    if len(names) == 3:
        return names[0], names[1], names[2]
    if len(names) == 2:
        first_is_path = Path(names[0]).exists()
        if first_is_path and windows is not None:
            return names[0], names[1], None
        if first_is_path:
            raise UsageError(
                f"{names[0]} is a source and {names[1]} one genotype; expected a control as third "
                "name, or --windows W1,W2 to compare the genotype with itself."
            )
        return None, names[0], names[1]
    if len(names) == 1 and windows is not None:
        return None, names[0], None
    if len(names) == 1:
        raise UsageError(
            f"{names[0]} is one name only; expected GENOTYPE CONTROL, or --windows W1,W2 to "
            "compare a genotype with itself."
        )
    raise UsageError(
        f"expected [SOURCE] GENOTYPE [CONTROL], but found {len(names)} names: {', '.join(names)}; "
        "put quotes around a name with blanks."
    )
