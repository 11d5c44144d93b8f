"""``larvastats ingest``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from larvastats.cli import options as o

if TYPE_CHECKING:
    from larvastats.io.store.ingest import IngestReport

EXAMPLES = (
    "larvastats ingest my_database my_store --jobs 4",
    "larvastats screen my_store --protocol r_LED100",
)

MOST_REASONS = 12
MOST_NOTES = 8

Recordings = Annotated[
    Path,
    typer.Argument(
        metavar="SRC", help="A database directory, or one recording.", show_default=False
    ),
]
Store = Annotated[
    Path,
    typer.Argument(
        metavar="STORE",
        help="Where to put them: a store, or a directory that is new or empty.",
        show_default=False,
    ),
]
Keep = Annotated[
    Literal["bouts", "features", "midline", "contour"],
    typer.Option(
        "--keep",
        rich_help_panel=o.DATA,
        help="What to keep of a recording: its bouts; also speed, length and other series; also "
        "midlines; also outlines (by far the largest).",
    ),
]
Filter = Annotated[
    str,
    typer.Option(
        "--filter",
        rich_help_panel=o.DATA,
        metavar="TEXT",
        help="Which frames are bad: default, what differs from it, such as "
        "threshold=0.002,share=0.1, or none (then outlines need not be read).",
    ),
]
Smooth = Annotated[
    float,
    typer.Option(
        "--smooth",
        rich_help_panel=o.DATA,
        metavar="S",
        help="Seconds of the window from which speeds are taken; 0: neighbouring frames.",
    ),
]


def ingest(
    source: Recordings,
    store: Store,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    keep: Keep = "features",
    filter: Filter = "default",
    smooth: Smooth = 0.25,
    exclude: o.Exclude = None,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    jobs: o.Jobs = 1,
    json: o.Json = False,
) -> None:
    """Read recordings into a store, from which every command then starts at once.

    Interrupted, the same command goes on from there; run again, it reads what is new or changed.
    """
    from larvastats.errors import DataError
    from larvastats.verbs.ingest import ingest as verb

    report = verb(
        source,
        store,
        keep=keep,
        filter=filter,
        smooth=smooth,
        jobs=jobs,
        **o.loading(format, labels, min_bout, fps, px_per_mm, exclude),
    )
    if json:
        _print_json(report)
    else:
        typer.echo("\n".join(_text(report)))
    if not report.n_ok:
        raise DataError(_nothing(source, report))


def _print_json(report: IngestReport) -> None:
    import json
    from dataclasses import asdict

    from larvastats import __version__

    document = {"command": "ingest", "version": __version__, **asdict(report)}
    document["failures"] = [{"source": s, "reason": r} for s, r in report.failures]
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _text(report: IngestReport) -> Iterable[str]:
    """Lines that say what was done and what the store holds."""
    unread = report.n_recordings - report.n_read
    yield (
        f"{report.n_recordings} recordings: {report.n_read} read, {unread} in the store already; "
        f"{report.n_ok} assays ok, {report.n_failed} recordings failed"
        f"{f', {report.n_others} files of other kinds' if report.n_others else ''}"
    )
    yield (
        f"store {report.store}: {report.n_assays} assays, {report.n_larvae} larvae, "
        f"{report.n_bouts} bouts, {report.hours:.1f} larva hours"
    )
    groups = _grouped(report.failures)
    if groups:
        yield "failed:"
    for reasons in groups[:MOST_REASONS]:
        yield f"  {len(reasons)} × {reasons[0]}"
    if len(groups) > MOST_REASONS:
        yield f"  and {len(groups) - MOST_REASONS} more reasons; all are in the store's index"
    notes = _grouped(("", note) for note in report.notes)
    for group in notes[:MOST_NOTES]:
        yield f"note: {f'{len(group)} × ' if len(group) > 1 else ''}{group[0]}"
    if len(notes) > MOST_NOTES:
        yield f"and {len(notes) - MOST_NOTES} more notes, in column note of the index"


def _grouped(said: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Group what differs only in names and numbers, the most frequent first."""
    from larvastats.printing import alike

    return sorted(alike(said), key=len, reverse=True)


def _nothing(source: Path, report: IngestReport) -> str:
    if report.n_failed:
        found = f"none of {report.n_failed} could be read; the first: {report.failures[0][1]}"
    else:
        found = "there is none of a format that is read, or all are to be left out"
    return f"{source}: expected recordings, but {found}"
