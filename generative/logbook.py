"""The record of a training: a bar while it runs, a table, a document and a picture after."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from generative.checkpoints import Description
from generative.plot import draw_losses
from larvastats.io.files import replacing

Row = Mapping[str, Any]


class Logbook:
    """Shows and writes what a training measures.

    Parameters
    ----------
    folder : Path
        Gets ``log.csv``, ``log.json`` and ``losses.png``.
    epochs : int
    progress : bool
        Draw a bar on stderr, if that is a terminal.
    """

    def __init__(self, folder: Path, epochs: int, progress: bool) -> None:
        self.folder, self.epochs = folder, epochs
        self._measured = ""
        self._bar: Progress | None = None
        if progress and sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                       TimeRemainingColumn(), TextColumn("{task.fields[shown]}"))  # fmt: skip
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("training", shown="")

    def __enter__(self) -> Logbook:
        """Show the bar."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    def begin(self, epoch: int, steps: int) -> None:
        """Start an epoch, from 0."""
        if self._bar is not None:
            name = f"epoch {epoch + 1}/{self.epochs}"
            self._bar.reset(self._task, total=steps, description=name, shown=self._measured)

    def advance(self, step: int, means: Mapping[str, float]) -> None:
        """Show the means of the losses so far."""
        if self._bar is not None:
            shown = " ".join(f"{name} {value:.4g}" for name, value in means.items())
            self._bar.update(self._task, completed=step, shown=f"{shown} {self._measured}")

    def write(self, rows: Sequence[Row], description: Description) -> None:
        """Write table, document and picture of all epochs so far."""
        self._measured = summary(rows[-1])
        with replacing(self.folder / "log.csv") as part:
            part.write_text(_table(rows), encoding="utf-8")
        document = {"config": description.config.model_dump(), "data": description.data,
                    "epochs": [_plain(row) for row in rows]}  # fmt: skip
        with replacing(self.folder / "log.json") as part:
            part.write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
        with replacing(self.folder / "losses.png") as part:
            draw_losses(rows).savefig(part, format="png", dpi=120)


def summary(row: Row) -> str:
    """Say in one line what an epoch measured on held-out assays."""
    said = [f"R² {row['r2']:.3f}"]
    if "nats" in row:
        said.append(f"(shuffled {row['r2_shuffled']:.3f})")
        kl = sorted(row["kl_per_dimension"], reverse=True)
        said.append(
            f"KL {row['nats']:.1f} nats in {row['used_dimensions']} of {len(kl)} dimensions "
            f"(largest {kl[0]:.2f}), {row['active_units']} active"
        )
    return " ".join(said)


def _table(rows: Sequence[Row]) -> str:
    """One line per epoch; numbers per dimension are in the document."""
    names = [name for name in rows[-1] if not isinstance(rows[-1][name], list)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _plain(row: Row) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()}  # fmt: skip
