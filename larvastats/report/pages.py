"""What the cells of ``reports/*.qmd`` call: one page object per kind of page."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Sequence
from datetime import date
from html import escape
from importlib import metadata
from typing import Any

from larvastats import __version__
from larvastats.report import html, numbers
from larvastats.report.html import Html
from larvastats.report.stored import COMMANDS, PageError, Results, Stored, find_results
from larvastats.report.stored import read_results as read_directory

SHOWN_WITH = ("pandas", "matplotlib", "ipykernel")


class Page:
    """What all pages share: missing parts, notes, methods, session."""

    kinds: tuple[str, ...] = ()
    """Kinds of result that a page shows; the first one is what it is about."""

    def __init__(self, results: Results) -> None:
        self.results = results

    def missing(self, kind: str, what: str) -> Html:
        """Say in one sentence which command adds what is not there."""
        return html.paragraph(
            f"{what} not in this directory; {html.code(self.suggestion(kind))} adds it.",
            kind="missing",
        )

    def suggestion(self, kind: str) -> str:
        """Return the command that adds a result to this directory."""
        words = ["larvastats", COMMANDS[kind]]
        words += _data_of(next(iter(self.results.found)))
        folder = self.results.root if kind == "screen" else self.results.root / COMMANDS[kind]
        return shlex.join([*words, "--out", os.path.normpath(_near(folder))])

    def notes(self) -> Html:
        """Return what the results of this page say about themselves, and what is odd on disk."""
        sentences = []
        for stored in self.results.every(*self.kinds):
            said = stored.provenance.get("notes")
            sentences += [html.prose(note) for note in (said if isinstance(said, list) else [])]
            sentences += self.more_notes(stored)
            for name in stored.changed():
                sentences.append(
                    f"{html.code(str(stored.folder.name) + '/' + name)} is not the file that the "
                    "command wrote: its checksum differs."
                )
        for name in self.results.foreign:
            sentences.append(f"{escape(name)} holds results of a kind that no page shows.")
        unique = [_sentence(s) for s in dict.fromkeys(sentences)]
        return html.items(unique) if unique else html.paragraph("There are none.")

    def more_notes(self, stored: Stored) -> list[str]:
        """Return what else is to be said of a result, in HTML."""
        return []

    def session(self) -> Html:
        """Return how the results came about, and what made this page."""
        shown = list(self.results.every(*self.kinds))
        rows = [(s.kind, s.command, s.provenance) for s in shown]
        checksums = [str(p.get("checksum") or "") for _, _, p in rows]
        commands = Html("")
        if rows:
            commands = html.Table(
                "How the results were made",
                [
                    html.Column("result", [escape(kind) for kind, _, _ in rows]),
                    html.Column("command", [html.code(command) for _, command, _ in rows]),
                    html.text_column("larvastats", [p.get("larvastats") for _, _, p in rows]),
                    html.text_column("seed", ["" if p.get("seed") is None else p["seed"]
                                              for _, _, p in rows]),
                ],
            ).html()  # fmt: skip
        checksum = next((c for c in checksums if c), "")
        pairs = {
            "data": html.code(checksum) + " (SHA-256)" if checksum else "",
            "directory": html.code(_near(self.results.root)),
            "this page": escape(_versions()),
        }
        return commands + html.facts(pairs)


def open_page(results: str | os.PathLike[str], kind: str) -> Any:
    """Read a results directory for a page.

    Parameters
    ----------
    results : path
    kind : {'screen', 'habituation', 'timecourse', 'genotype'}

    Raises
    ------
    PageError
        There is no such directory, or nothing in it to read.
    """
    from larvastats.report.genotype import GenotypePage
    from larvastats.report.habituation import HabituationPage
    from larvastats.report.screen import ScreenPage
    from larvastats.report.timecourse import TimecoursePage

    pages: dict[str, type[Page]] = {
        "screen": ScreenPage, "habituation": HabituationPage, "timecourse": TimecoursePage,
        "genotype": GenotypePage,
    }  # fmt: skip
    return pages[kind](read_directory(find_results(results)))


def shared(stored: Stored, *names: str) -> dict[str, str]:
    """Return what a design says under some names, as facts."""
    labels = {
        "data_name": "data", "stimuli": "stimulus", "window_text": "window", "unit_text": "unit",
        "null_text": "null", "stimulus_text": "looked at", "baseline_text": "baseline",
        "response_text": "response", "time_text": "time", "limits_text": "limits",
        "method_text": "test", "protocol": "protocol", "response": "response",
    }  # fmt: skip
    design = stored.design
    return {labels[n]: html.prose(design[n]) for n in names if design.get(n)}


def short_names(table: Any) -> list[str]:
    """Return the shortest names that tell the rows apart: lines, else genotypes."""
    lines = [str(name) for name in table["line"]] if "line" in table else []
    if lines and len(set(lines)) == len(lines):
        return lines
    return [str(name) for name in table["genotype"]]


def marked(names: Sequence[str], found: Sequence[bool], said: str) -> list[str]:
    """Write names of rows; those that were found get a mark, which is said aloud too."""
    mark = '<span class="mark" aria-hidden="true">●</span>'
    hidden = f'<span class="said"> ({said})</span>'
    return [
        f"{mark if f else ''}{soft(name)}{hidden if f else ''}"
        for name, f in zip(names, found, strict=True)
    ]


def soft(name: str) -> str:
    """Write a name that may break after ``_ @ /``."""
    return escape(name).replace("_", "_<wbr>").replace("@", "<wbr>@").replace("/", "/<wbr>")


def truths(values: Any) -> list[bool]:
    """Read a column of yes, no and unknown; unknown is no."""
    return [not numbers.missing(v) and bool(v) for v in values]


def _data_of(stored: Stored) -> list[str]:
    """Words of a command that say which data it read."""
    try:
        words = shlex.split(stored.command)[2:]
    except ValueError:
        return []
    kept = []
    if words and not words[0].startswith("-") and stored.kind != "comparison":
        kept.append(words[0])
    for flag in ("--protocol", "--control"):
        if flag in words[:-1]:
            kept += [flag, words[words.index(flag) + 1]]
    return kept if "…" not in kept else []


def _near(path: Any) -> str:
    """Write a path as seen from where the command was given, if that is shorter."""
    here = os.environ.get("LARVASTATS_CALLED_FROM") or os.getcwd()
    try:
        relative = os.path.relpath(path, here)
    except ValueError:  # another drive
        return str(path)
    return relative if not relative.startswith("..") else str(path)


def _sentence(text: str) -> str:
    text = text.strip()
    first = text[:1].upper() + text[1:] if text[:1].islower() and " " in text[:30] else text
    return first if first.endswith((".", "!", "?", ">")) else f"{first}."


def _versions() -> str:
    names = [f"{name} {metadata.version(name)}" for name in SHOWN_WITH if _has(name)]
    return (
        f"made on {date.today().isoformat()} by larvastats {__version__}, Python "
        f"{platform.python_version()}, {', '.join(names)}, on {platform.system()} "
        f"({platform.machine()})"
    )


def _has(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


__all__ = ["Page", "PageError", "marked", "open_page", "shared", "short_names", "soft", "truths"]
