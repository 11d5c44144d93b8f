"""Markdown to one self-contained HTML page, by pandoc."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from larvastats.errors import DataError

TIMEOUT_S = 300
SAID = ("subtitle", "author", "date")

# What the page may load: what it holds itself. A browser then asks no network for anything.
HEAD = """\
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<link rel="icon" href="data:,">
<style>
{style}
</style>
"""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="$lang$">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="larvastats and pandoc">
<title>$pagetitle$</title>
$for(header-includes)$
$header-includes$
$endfor$
</head>
<body>
<header id="title-block-header">
<h1 class="title">$title$</h1>
$if(subtitle)$<p class="subtitle">$subtitle$</p>$endif$
$for(author)$<p class="author">$author$</p>$endfor$
$if(date)$<p class="date">$date$</p>$endif$
</header>
$if(toc)$
<nav id="TOC" role="doc-toc" aria-label="$toc-title$">
<h2 id="toc-title">$toc-title$</h2>
$table-of-contents$
</nav>
$endif$
<main>
$body$
</main>
$for(include-after)$
$include-after$
$endfor$
</body>
</html>
"""


def find_pandoc() -> str:
    """Return pandoc: the one that the extra `report` brings, else one on the PATH.

    Raises
    ------
    DataError
        There is none.
    """
    try:
        import pypandoc

        own = Path(pypandoc.__file__).parent / "files"
        for name in ("pandoc", "pandoc.exe"):
            if (own / name).is_file():
                return str(own / name)
    except ImportError:
        pass
    found = shutil.which("pandoc")
    if found is None:
        raise DataError(
            "the built-in renderer needs pandoc, which was not found: pip install "
            "'larvastats[report]' brings it, and so does apt-get install pandoc; or install Quarto."
        )
    return found


def to_html(markdown: str, meta: Mapping[str, Any], folder: Path) -> str:
    """Turn Markdown into a page.

    Parameters
    ----------
    markdown : str
    meta : mapping
        Title, language, ``format: html:`` with ``toc``, ``css`` and ``include-after-body``.
    folder : Path
        Where those files and images of the text are.

    Raises
    ------
    DataError
        There is no pandoc, or it failed.
    """
    pandoc = find_pandoc()
    html = meta.get("format", {}).get("html")
    options = html if isinstance(html, dict) else {}
    style = "\n".join(_files(folder, options.get("css")))
    after = "\n".join(_files(folder, options.get("include-after-body")))
    with tempfile.TemporaryDirectory(prefix="larvastats-") as name:
        work = Path(name)
        (work / "page.md").write_text(markdown, encoding="utf-8")
        (work / "head.html").write_text(HEAD.format(style=style), encoding="utf-8")
        (work / "after.html").write_text(after, encoding="utf-8")
        (work / "template.html").write_text(TEMPLATE, encoding="utf-8")
        title = str(meta.get("title") or "Report")
        words = [
            pandoc, str(work / "page.md"), "--from=markdown", "--to=html5", "--standalone",
            f"--template={work / 'template.html'}", f"--include-in-header={work / 'head.html'}",
            f"--include-after-body={work / 'after.html'}", f"--output={work / 'page.html'}",
            "--section-divs", "--wrap=none", f"--resource-path={folder}",
            f"--metadata=title:{title}", f"--metadata=pagetitle:{title} · larvastats",
            f"--metadata=lang:{meta.get('lang') or 'en'}", _embedding(pandoc),
        ]  # fmt: skip
        words += [f"--metadata={name}:{meta[name]}" for name in SAID if meta.get(name)]
        if options.get("toc"):
            words += ["--toc", f"--toc-depth={options.get('toc-depth', 3)}",
                      f"--metadata=toc-title:{options.get('toc-title', 'Contents')}"]  # fmt: skip
        _run(words)
        return (work / "page.html").read_text(encoding="utf-8")


def _run(words: list[str]) -> None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, encoding="utf-8", errors="replace",
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except OSError as error:
        raise DataError(f"pandoc ({words[0]}) cannot be run: {error.strerror or error}.") from error
    except subprocess.TimeoutExpired as error:
        raise DataError(f"pandoc took longer than {TIMEOUT_S} s and was stopped.") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[-400:] or f"it ended with status {done.returncode}"
        raise DataError(f"pandoc could not make the page: {said}")


def _embedding(pandoc: str) -> str:
    """Return the flag that puts images into the page; its name changed with pandoc 2.19."""
    done = subprocess.run([pandoc, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)\.(\d+)", done.stdout)
    new = match is None or (int(match[1]), int(match[2])) >= (2, 19)
    return "--embed-resources" if new else "--self-contained"


def _files(folder: Path, names: Any) -> list[str]:
    """Read the files that an option names."""
    wanted = [names] if isinstance(names, str) else list(names or ())
    out = []
    for name in wanted:
        try:
            out.append((folder / str(name)).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {folder / str(name)}, which the page names.") from error
    return out
