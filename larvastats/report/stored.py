"""What lies in a results directory: which results, their tables, designs and pictures."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from larvastats import __version__
from larvastats.errors import DataError
from larvastats.export import PROVENANCE
from larvastats.report import html

TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "screen": {
        "screen": ("genotype", "line", "effector", "control", "window", "n_dates", "n_assays",
                   "n_control_assays", "n_larvae", "n_transitions", "statistic", "p_value", "null",
                   "q_value", "rejected", "hellinger", "hellinger_adjusted", "hellinger_low",
                   "hellinger_high", "top_transition", "top_difference", "note"),
        "transitions": ("genotype", "control", "window", "from", "to", "p_line", "p_control",
                        "difference", "z", "p_adjusted"),
    },
    "calibration": {
        "calibration": ("statistic", "null", "level", "share", "low", "high", "n"),
        "p_values": ("draw", "statistic", "null", "p"),
    },
    "power": {
        "power": ("plates", "larvae", "power", "low", "high", "n"),
        "components": ("level", "sd_logit", "share", "n"),
        "smallest": ("alpha", "delta", "power"),
    },
    "habituation": {
        "habituation": ("genotype", "line", "effector", "n_assays", "baseline", "initial", "final",
                        "recovered_fraction", "gate_p", "tau_text", "p_value", "q_value",
                        "rejected", "decline_p_value", "decline_q_value", "note"),
        "curves": ("genotype", "pulse", "x", "mean", "low", "high", "fitted"),
    },
    "timecourse": {
        "timecourse": ("genotype", "t", "mean", "low", "high", "n_assays"),
        "tests": (),
        "periods": (),
        "responses": (),
    },
    "distribution": {"densities": ("genotype", "condition", "density"), "tests": ()},
    "transitions": {"transitions": ("genotype", "window", "from", "to", "n", "p", "n_assays")},
    "comparison": {},
}  # fmt: skip
"""Tables of each kind of result that a page reads, with the columns it needs of them."""

CLASSES = {
    "ScreenResult": "screen", "CalibrationResult": "calibration", "PowerResult": "power",
    "HabituationResult": "habituation", "TimecourseResult": "timecourse",
    "DistributionResult": "distribution", "TransitionsResult": "transitions",
    "HTest": "comparison",
}  # fmt: skip

MARKS = {
    "screen.parquet": "screen", "power.parquet": "power", "habituation.parquet": "habituation",
    "timecourse.parquet": "timecourse", "densities.parquet": "distribution",
    "compare.json": "comparison", "p_values.parquet": "calibration",
    "transitions.parquet": "transitions",
}  # fmt: skip
"""Files that tell the kind of a result whose provenance does not; the first one counts."""

COMMANDS = {
    "screen": "screen", "calibration": "calibrate", "power": "power", "habituation": "habituation",
    "timecourse": "timecourse", "distribution": "timecourse", "transitions": "transitions",
    "comparison": "compare",
}  # fmt: skip


class PageError(DataError):
    """A page cannot be made; a notebook shows the sentence and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"error: {self}"]


@dataclass(frozen=True, slots=True)
class Stored:
    """One result in a directory.

    Attributes
    ----------
    kind : str
        A key of :data:`TABLES`.
    folder : Path
    provenance : mapping
        What ``provenance.json`` says.
    """

    kind: str
    folder: Path
    provenance: Mapping[str, Any]

    @property
    def design(self) -> Mapping[str, Any]:
        """Return the design, which is empty in a damaged provenance only."""
        design = self.provenance.get("design")
        return design if isinstance(design, dict) else {}

    @property
    def command(self) -> str:
        """Return the command that wrote it, or its name."""
        return str(self.provenance.get("command") or f"larvastats {COMMANDS[self.kind]} …")

    def table(self, name: str) -> pd.DataFrame:
        """Read a table; the sentence of a damaged one says how to make it again."""
        path = self.folder / f"{name}.parquet"
        try:
            table = pd.read_parquet(path)
        except Exception as error:  # Arrow raises many kinds on damaged files
            why = "it is missing" if not path.is_file() else _short(error)
            raise PageError(
                f"cannot read {path} ({why}); expected the file that {self.command!r} wrote: run "
                "that command again."
            ) from error
        lost = [c for c in TABLES[self.kind].get(name, ()) if c not in table.columns]
        if lost:
            raise PageError(
                f"{path} lacks the column {lost[0]}; expected the table that {self.command!r} "
                "writes: run that command again."
            )
        return table

    def has(self, name: str) -> bool:
        """Say whether there is such a file."""
        return (self.folder / name).is_file()

    def picture(self, name: str) -> str | None:
        """Return the picture that the command drew, as SVG; None if it drew none."""
        path = self.folder / f"{name}.svg"
        if not path.is_file():
            return None
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PageError(_damaged_picture(path)) from error
        if "<svg" not in text or "</svg>" not in text[-200:]:
            raise PageError(_damaged_picture(path))
        return html.slim(text)

    def changed(self) -> list[str]:
        """Return files that are not what the command wrote, by their checksums."""
        sums = self.provenance.get("files")
        found = []
        for name, wanted in (sums if isinstance(sums, dict) else {}).items():
            path = self.folder / Path(str(name)).name
            read = path.suffix in (".parquet", ".json", ".csv") and path.is_file()
            if read and hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
                found.append(path.name)
        return found


@dataclass(frozen=True, slots=True)
class Results:
    """A results directory: its own result first, then those of its subdirectories by name.

    Attributes
    ----------
    root : Path
    found : tuple of Stored
    foreign : tuple of str
        Subdirectories with results that no page shows.
    """

    root: Path
    found: tuple[Stored, ...]
    foreign: tuple[str, ...] = ()

    def first(self, kind: str) -> Stored | None:
        """Return the first result of a kind."""
        return next(self.every(kind), None)

    def every(self, *kinds: str) -> Iterator[Stored]:
        """Return all results of some kinds."""
        return (stored for stored in self.found if stored.kind in kinds)


def find_results(name: str | os.PathLike[str]) -> Path:
    """Return the directory that a page was asked to read.

    A relative name is taken from where the command was given: here, else in the shell that called
    Quarto (which runs the cells in the directory of the page), else beside ``reports``.

    Raises
    ------
    PageError
        It is no directory.
    """
    path = Path(name).expanduser()
    places = [Path.cwd(), Path(os.environ.get("PWD", ".")), Path.cwd().parent]
    for place in places:
        if (place / path).is_dir():
            return place / path
    what = "is a file" if any((place / path).is_file() for place in places) else "does not exist"
    raise PageError(
        f"the results directory {path} {what}; expected one that a command wrote with --out, such "
        f"as larvastats screen --out {path if what != 'is a file' else 'results/demo'}."
    )


def read_results(root: str | os.PathLike[str]) -> Results:
    """Find all results in a directory and in its subdirectories (one level).

    Raises
    ------
    PageError
        There are none, none that a page shows, or some of a newer version.
    """
    root = Path(root)
    try:
        below = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise PageError(f"cannot look into {root} ({error.strerror or error}).") from error
    found, foreign, kinds = [], [], []
    for folder in (root, *below):
        provenance = _provenance(folder)
        if provenance is None:
            continue
        kind = _kind(folder, provenance)
        if kind is None:
            foreign.append("this directory itself" if folder == root else folder.name)
            kinds.append(str(provenance.get("result") or "unnamed"))
        else:
            found.append(Stored(kind, folder, provenance))
    if found:
        return Results(root, tuple(found), tuple(foreign))
    if foreign:
        raise PageError(
            f"{root} holds results of a kind that no page shows ({', '.join(kinds)}); expected "
            f"those of larvastats {', '.join(dict.fromkeys(COMMANDS.values()))}."
        )
    raise PageError(
        f"{root} holds no results; expected a directory that a command wrote with --out, itself or "
        f"in a subdirectory: run larvastats screen SOURCE --out {root}."
    )


def _provenance(folder: Path) -> dict[str, Any] | None:
    """Read who wrote a directory; None if it was not larvastats."""
    path = folder / PROVENANCE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PageError(
            f"cannot read {path} ({_short(error)}): it is damaged; run the command that wrote "
            f"{folder} again."
        ) from error
    if not isinstance(content, dict) or "larvastats" not in content:
        return None
    _refuse_newer(path, str(content["larvastats"]))
    return content


def _refuse_newer(path: Path, version: str) -> None:
    if _release(version) > _release(__version__):
        raise PageError(
            f"{path.parent} was written by larvastats {version}, which is newer than this one "
            f"({__version__}): update larvastats, or run the command again with this version."
        )


def _release(version: str) -> tuple[int, ...]:
    """Return major and minor version: patches change no files."""
    parts = version.split(".")[:2]
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts)


def _kind(folder: Path, provenance: Mapping[str, Any]) -> str | None:
    if "result" in provenance:
        return CLASSES.get(str(provenance["result"]))
    return next((kind for name, kind in MARKS.items() if (folder / name).is_file()), None)


def _damaged_picture(path: Path) -> str:
    return f"the picture {path} is damaged; run the command that drew it again."


def _short(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0][:160].rstrip(".")
