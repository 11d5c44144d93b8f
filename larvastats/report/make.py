"""``larvastats report``: choose pages, render them, put all of them into place or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from larvastats.errors import DataError, UsageError
from larvastats.export import check_writable, file_name
from larvastats.report.quarto import find_quarto, render_by_quarto
from larvastats.report.stored import PageError, Results, find_results, read_results

PAGES: dict[str, tuple[str, ...]] = {
    "screen": ("screen", "calibration", "power"),
    "habituation": ("habituation",),
    "timecourse": ("timecourse", "distribution"),
    "genotype": ("comparison", "transitions"),
}
"""Pages, and the kinds of result that ask for each."""

RENDERERS = ("auto", "quarto", "builtin")


@dataclass(frozen=True, slots=True)
class Report:
    """Pages that were written.

    Attributes
    ----------
    files : tuple of Path
    renderer : str
        ``quarto`` or ``builtin``.
    notes : tuple of str
        What the built-in renderer could not do.
    """

    files: tuple[Path, ...]
    renderer: str
    notes: tuple[str, ...] = ()


def make_report(
    results: str | os.PathLike[str],
    *,
    to: str = "html",
    genotype: str | None = None,
    lines: int = 3,
    out: str | os.PathLike[str] | None = None,
    renderer: str = "auto",
    project: str | os.PathLike[str] | None = None,
) -> Report:
    """Render pages about what a results directory holds.

    Parameters
    ----------
    results : path
        A directory that commands wrote with ``--out``: a result of its own, others in its
        subdirectories.
    to : {'html'}
    genotype : str, optional
        Make the page of this genotype (a unique beginning will do) and no other. Without it the
        pages that the results ask for.
    lines : int
        Lines of a screen whose matrices are shown.
    out : path, optional
        Where the pages go; into `results` by default.
    renderer : {'auto', 'quarto', 'builtin'}
        Quarto where it is on the PATH, else the renderer of this package.
    project : path, optional
        Directory of the pages; by default those of larvastats.

    Returns
    -------
    Report

    Raises
    ------
    UsageError
        `results` is no directory, `out` cannot be written, or a choice is unknown.
    DataError
        There is nothing to show, a file is damaged, a tool is missing, or a cell raised. Nothing
        is then written.
    """
    _check(to, renderer, lines)
    try:
        root = find_results(results).resolve()
    except PageError as error:
        raise UsageError(str(error)) from error
    target = root if out is None else Path(out)
    check_writable(target)
    found = read_results(root)
    pages = ["genotype"] if genotype is not None else _pages(found)
    source = reports_folder() if project is None else Path(project)
    quarto = None if renderer == "builtin" else find_quarto()
    if renderer == "quarto" and quarto is None:
        raise DataError("quarto was not found on the PATH: install it, or leave --renderer out.")
    values = {"results": str(root), "lines": lines, "genotype": genotype or ""}
    notes: tuple[str, ...] = ()
    if quarto is not None:
        made = render_by_quarto(quarto, source, pages, values, to)
    else:
        made, notes = _built_in(source, pages, values)
    names = {page: f"{_file(page, genotype, found)}.{to}" for page in pages}
    files = _place({names[page]: text for page, text in made.items()}, target)
    return Report(tuple(files), "builtin" if quarto is None else "quarto", notes)


def reports_folder() -> Path:
    """Return where the pages lie: in an installed package, or in a checkout beside it."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_reports", package.parent / "reports"):
        if (folder / "_quarto.yml").is_file():
            return folder
    raise DataError("the pages of larvastats are missing: reinstall it (pip install larvastats).")


def render_page(source: Path, values: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """Render one ``.qmd`` by the built-in renderer; its HTML, and what it could not do."""
    from larvastats.report.document import read_document
    from larvastats.report.execute import needed, run_cells
    from larvastats.report.pandoc import find_pandoc, to_html
    from larvastats.report.weave import weave

    needed("yaml")
    find_pandoc()  # before cells run
    document = read_document(source)
    markdown = weave(document, run_cells(document, values))
    return to_html(markdown, document.meta, source.parent), document.limits


def _built_in(
    source: Path, pages: Sequence[str], values: Mapping[str, Any]
) -> tuple[dict[str, str], tuple[str, ...]]:
    made, notes = {}, list[str]()
    for page in pages:
        made[page], limits = render_page(source / f"{page}.qmd", values)
        notes += [
            f"{page}.qmd: the built-in renderer leaves out {limit}; Quarto does not."
            for limit in limits
        ]
    return made, tuple(notes)


def _pages(found: Results) -> list[str]:
    kinds = {stored.kind for stored in found.found}
    pages = [page for page, wanted in PAGES.items() if kinds & set(wanted)]
    return [p for p in pages if p != "genotype"] or pages


def _file(page: str, genotype: str | None, found: Results) -> str:
    return page if page != "genotype" or not genotype else f"genotype_{file_name(genotype)}"


def _check(to: str, renderer: str, lines: int) -> None:
    if to != "html":
        raise UsageError(f"to must be html, but is {to!r}.")
    if renderer not in RENDERERS:
        raise UsageError(f"renderer must be one of {', '.join(RENDERERS)}, but is {renderer!r}.")
    if lines < 0:
        raise UsageError(f"lines must not be negative, but is {lines!r}.")


def _place(pages: Mapping[str, str], target: Path) -> list[Path]:
    """Write all pages aside, then rename each into place."""
    stage: Path | None = None
    try:
        target.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".larvastats-", dir=target))
        for name, text in pages.items():
            (stage / name).write_text(text, encoding="utf-8", newline="\n")
            if (target / name).is_dir():
                raise IsADirectoryError(f"{target / name} is a directory")
        for name in pages:
            os.replace(stage / name, target / name)
        return [target / name for name in pages]
    except OSError as error:
        raise DataError(
            f"the report could not be written into {target} ({error.strerror or error}); free some "
            "room, or choose another directory with --out."
        ) from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
