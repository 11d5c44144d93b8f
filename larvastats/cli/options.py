"""Options that several commands share; their names are a contract with people's scripts."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

DATA, TEST, OUTPUT = "Data", "Test", "Output and running"

GapRule = Literal["period", "pause"]

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="A store, a database directory, or a tidy table (csv, parquet). "
        "Left out: the built-in example, a simulated light screen.",
        show_default=False,
    ),
]


def _option(flag: str, panel: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel=panel, help=text, **more)


Protocol = Annotated[
    str | None,
    _option("--protocol", DATA, "Stimulus protocol, or a unique beginning of its name. "
            "Not needed where the data have one or none."),
]  # fmt: skip
Control = Annotated[
    str | None,
    _option("--control", DATA, "Control genotype, or control line (taken with each line's own "
            "effector). By default FCF_attP2_1500062.", metavar="LINE|GENOTYPE"),
]  # fmt: skip
Genotypes = Annotated[
    str | None,
    _option("--genotypes", DATA, "Only these genotypes or lines, and their controls; by default "
            "all.", metavar="A,B,…"),
]  # fmt: skip
Gap = Annotated[
    GapRule | None,
    _option("--gap", DATA, "How to read the last number of a stimulus: from start to start, or "
            "from stop to start. By default as its kind is usually written."),
]  # fmt: skip
Format = Annotated[
    str,
    _option("--format", DATA, "Read only files of this format (trx, fimtrack, choreography, "
            "schleyer, larvatagger, tidy); by default their content decides."),
]  # fmt: skip
Labels = Annotated[
    str,
    _option("--labels", DATA, "Where actions come from: large, all or strong labels of trx.mat; a "
            "table or label file of many recordings; or the name of label files beside them.",
            metavar="large|all|strong|FILE"),
]  # fmt: skip
MinBout = Annotated[
    float,
    _option("--min-bout", DATA, "Absorb bouts shorter than this many seconds into their "
            "neighbours.", metavar="S"),
]  # fmt: skip
Fps = Annotated[
    float | None,
    _option("--fps", DATA, "Frames per second of FIMTrack tables, which do not say.", metavar="F"),
]
PxPerMm = Annotated[
    float | None,
    _option(
        "--px-per-mm",
        DATA,
        "Scale of FIMTrack tables: lengths and speeds are then in mm, else in pixels. Actions need "
        "none.",
        metavar="F",
    ),
]
Exclude = Annotated[
    Path | None,
    _option("--exclude", DATA, "A text file of assays to leave out, one per line: id, "
            "YYYYMMDD_HHMMSS, or a pattern with * of either.", metavar="FILE"),
]  # fmt: skip

Response = Annotated[
    str,
    _option("--response", TEST, "What to follow. An action, such as run: the share of time spent "
            "in it. Or a feature of larvae: length, speed, head_angle, or the name of a column or "
            "series.", metavar="NAME"),
]  # fmt: skip
Window = Annotated[
    str | None,
    _option("--window", TEST, "When to look: before, during, during_2, after, whole, or "
            "START:STOP in seconds. By default during; whole without a stimulus.",
            metavar="NAME|START:STOP"),
]  # fmt: skip
Contrast = Annotated[
    str | None,
    _option("--contrast", TEST, "Test the change between two windows, such as during-before: who "
            "responds differently, not who is different.", metavar="W1-W2"),
]  # fmt: skip
Statistic = Annotated[
    Literal["welch", "hellinger", "js", "kl", "g", "occupancy", "dwell", "combined"],
    _option("--statistic", TEST, "What measures the difference: of transition profiles (welch), "
            "of transition rows (hellinger, js, kl), of pooled counts (g), of time budgets, of "
            "dwell times, or of transitions and dwell times together."),
]  # fmt: skip
Counting = Annotated[
    Literal["jump", "frame", "ever", "ever-action"],
    _option("--transitions", TEST, "Count transitions between bouts, steps of --dt seconds, or "
            "larvae that ever make a transition, or ever do an action."),
]  # fmt: skip
Stepping = Annotated[
    Literal["jump", "frame"],
    _option("--transitions", TEST, "Count transitions between bouts, or steps of --dt seconds."),
]
Dt = Annotated[
    float, _option("--dt", TEST, "Step of --transitions frame, in seconds.", metavar="S")
]
Unit = Annotated[
    Literal["auto", "assay", "cross", "larva"],
    _option("--unit", TEST, "What is relabelled: assays (plates), or crosses, where a column "
            "'cross' says which plates share a vial. larva is for recordings without plates."),
]  # fmt: skip
Block = Annotated[
    Literal["date", "none"],
    _option("--block", TEST, "Compare within dates (the replicate is then line × date), or not."),
]
Variance = Annotated[
    Literal["date", "plate"],
    _option("--variance", TEST, "With dates: replicates are dates, or plates within them. plate "
            "finds more on two or three dates, and assumes no vial effect."),
]  # fmt: skip
Null = Annotated[
    Literal["auto", "relabel", "F"],
    _option("--null", TEST, "Where the p-value comes from; auto relabels wherever that can reach "
            "a small enough p."),
]  # fmt: skip
Resamples = Annotated[
    int,
    _option("--resamples", TEST, "Relabellings where there are too many to try them all.",
            metavar="N"),
]  # fmt: skip
RowWeights = Annotated[
    Literal["uniform", "occupancy"],
    _option("--row-weights", TEST, "How divergences average over the states left."),
]
Bootstrap = Annotated[
    int,
    _option("--bootstrap", TEST, "Resamples behind the intervals of divergences; 0: none.",
            metavar="N"),
]  # fmt: skip
Alpha = Annotated[float, _option("--alpha", TEST, "Level of the verdict.", metavar="A")]

Sesoi = Annotated[
    float | None,
    _option("--sesoi", TEST, "Smallest effect size of interest, a Hellinger distance: notes say "
            "which lines lie above or below it.", metavar="H"),
]  # fmt: skip
Covariates = Annotated[
    str,
    _option("--covariates", TEST, "Assay columns to take out of the profiles, such as "
            "temperature,time (the hour of the day).", metavar="A,B,…"),
]  # fmt: skip

Seed = Annotated[
    int, _option("--seed", OUTPUT, "Same seed, same output, whatever --jobs.", metavar="S")
]
Jobs = Annotated[
    int, _option("--jobs", OUTPUT, "Processes that share the work.", min=1, metavar="N")
]
Memory = Annotated[
    int,
    _option("--memory", OUTPUT, "MiB that the relabellings of each process may take; the result "
            "is the same.", min=1, metavar="MIB"),
]  # fmt: skip
Json = Annotated[
    bool, _option("--json", OUTPUT, "Print one JSON document, for machines, and nothing else.")
]
Out = Annotated[
    Path | None,
    _option("--out", OUTPUT, "Write tables, pictures and provenance into this directory, all or "
            "nothing. Without it nothing is written.", metavar="DIR"),
]  # fmt: skip
NoFigures = Annotated[
    bool, _option("--no-figures", OUTPUT, "With --out: write the tables only, draw nothing.")
]


def loading(
    format: str,
    labels: str,
    min_bout: float,
    fps: float | None,
    px_per_mm: float | None,
    exclude: Path | None,
) -> dict[str, Any]:
    """Gather the options of reading, as the verbs take them."""
    return {
        "format": format,
        "labels": labels,
        "min_bout": min_bout,
        "fps": fps,
        "px_per_mm": px_per_mm,
        "exclude": exclude,
        "progress": True,
    }


def command_line() -> str:
    """Return the command as it was typed, for the provenance."""
    return shlex.join(["larvastats", *sys.argv[1:]])
