"""Pages in a real browser: layout, sorting by mouse and keyboard, print, no request, no complaint.

``reference/`` holds the layout and a coarse picture; remake them with
``python tests/integration/report/test_browser.py`` after looking at the page.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("nbclient", reason="the extra report is not installed")
pytest.importorskip("websocket", reason="websocket-client is not installed")
from browser import Page, browser, find_chromium
from PIL import Image

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

REFERENCE = Path(__file__).with_name("reference")
DESKTOP, PHONE = 1280, 390
COARSE = 20
"""CSS pixels per pixel of the reference picture."""

BOXES = """
[...document.querySelectorAll("h1, h2, nav#TOC, p.verdict, dl.facts, .table-window, figure img, "
                              + "p.methods")]
  .map(e => {
    const r = e.getBoundingClientRect();
    return [e.tagName.toLowerCase(), Math.round(r.left + scrollX), Math.round(r.top + scrollY),
            Math.round(r.width), Math.round(r.height)];
  })
"""
FIRST = (
    "[...document.querySelector('[data-label=line] tbody').rows].map(r => r.cells[%d].dataset.key)"
)


def write_page(results: Path, folder: Path, lines: int = 3) -> Path:
    """Render the page of a screen, and no other."""
    from larvastats.report.make import render_page, reports_folder

    values = {"results": str(results), "lines": lines}
    page, limits = render_page(reports_folder() / "screen.qmd", values)
    assert limits == ()
    (folder / "screen.html").write_text(page, encoding="utf-8")
    return folder / "screen.html"


@pytest.fixture(scope="module")
def screen_page(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(full, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def tab(screen_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page in a window of a desktop, in the font of the tests."""
    assert CHROMIUM is not None
    with browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as page:
        page.open(screen_page.as_uri(), DESKTOP)
        page.same_font()
        yield page


def layout(page: Page) -> dict[str, Any]:
    """Return boxes of the main parts: tag, left, top, width, height in CSS pixels."""
    boxes = page.run(BOXES)
    last = max(k for k, box in enumerate(boxes) if box[0] == "p")  # below methods are paths
    return {"height": boxes[last][2] + boxes[last][4], "boxes": boxes[: last + 1]}


def coarse(page: Page) -> Image.Image:
    """Return the page in grey, one pixel per square of 20 CSS pixels."""
    whole = Image.open(io.BytesIO(page.screenshot())).convert("L")
    return whole.resize((whole.width // COARSE, whole.height // COARSE), Image.Resampling.BOX)


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_layout_is_the_one_that_was_looked_at(tab: Page, width: int) -> None:
    tab.resize(width)
    found = layout(tab)
    wanted = json.loads((REFERENCE / f"layout_{width}.json").read_text())
    assert [b[0] for b in found["boxes"]] == [b[0] for b in wanted["boxes"]]
    assert found["height"] == pytest.approx(wanted["height"], rel=0.05)
    for box, reference in zip(found["boxes"], wanted["boxes"], strict=True):
        assert box[1] == pytest.approx(reference[1], abs=6), (box, reference)
        assert box[2] == pytest.approx(reference[2], rel=0.05, abs=20), (box, reference)
        assert box[3] == pytest.approx(reference[3], rel=0.05, abs=12), (box, reference)
        assert box[4] == pytest.approx(reference[4], rel=0.08, abs=12), (box, reference)
    picture, reference = coarse(tab), Image.open(REFERENCE / f"page_{width}.png")
    high = min(picture.height, reference.height)
    a, b = (np.asarray(p, dtype=float)[:high] for p in (picture, reference))
    blurred = [p[: high // 8 * 8].reshape(high // 8, 8, -1).mean(axis=1) for p in (a, b)]
    assert np.abs(blurred[0] - blurred[1]).mean() < 6  # of 255


@pytest.mark.parametrize("width", [PHONE, 800, DESKTOP, 1920])
def test_nothing_runs_over_at_any_width(tab: Page, width: int) -> None:
    tab.resize(width)
    assert tab.run("document.documentElement.scrollWidth") <= width
    measure = tab.run("""
      (() => { const p = document.querySelector("p.methods"), s = getComputedStyle(p);
               return p.clientWidth / parseFloat(s.fontSize); })()""")
    assert measure <= 42  # rem-like; some 75 characters a line
    over = tab.run("""
      [...document.querySelectorAll("main p, main li, main dd, main h2")].filter(
        e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.textContent.slice(0, 60))
    """)
    assert over == []


def test_table_sorts_by_mouse(tab: Page) -> None:
    tab.resize(DESKTOP)
    heads = "document.querySelectorAll('[data-label=line] thead th')"
    assert tab.run(f"{heads}[2].getAttribute('aria-sort')") == "ascending"  # comes sorted by p
    tab.run(f"{heads}[1].querySelector('button').click()")  # T: the largest first
    largest = [float(v) for v in tab.run(FIRST % 1)]
    assert largest == sorted(largest, reverse=True)
    assert tab.run(f"{heads}[1].getAttribute('aria-sort')") == "descending"
    assert tab.run(f"{heads}[2].getAttribute('aria-sort')") is None
    tab.run(f"{heads}[1].querySelector('button').click()")
    smallest = [float(v) for v in tab.run(FIRST % 1)]
    assert smallest == sorted(largest)
    tab.run(f"{heads}[0].querySelector('button').click()")  # names as words
    names = tab.run("[...document.querySelector('[data-label=line] tbody').rows]"
                    ".map(r => r.cells[0].textContent.match(/GMR_\\w+/)[0])")  # fmt: skip
    assert names == sorted(names)
    said = tab.run("document.querySelector('.heard').textContent")
    assert said == "sorted by line, ascending"


def test_table_sorts_by_keyboard(tab: Page) -> None:
    tab.run("document.querySelectorAll('[data-label=line] thead button')[3].focus()")
    tab.key("Enter", 13, "\r")
    q = [float(v) for v in tab.run(FIRST % 3)]
    assert q == sorted(q)
    tab.key("Tab", 9)
    assert tab.run("document.activeElement.textContent") == "H"
    tab.key(" ", 32, " ")
    head = "document.querySelectorAll('[data-label=line] thead th')[4].getAttribute('aria-sort')"
    assert tab.run(head) == "descending"


def test_pictures_are_there_and_described(tab: Page) -> None:
    images = tab.run("[...document.images].map(i => [i.complete, i.naturalWidth, i.alt.length])")
    assert len(images) == 8
    assert all(complete and width > 300 and alt > 20 for complete, width, alt in images)


def test_page_prints_on_its_own_paper_without_controls(tab: Page) -> None:
    pdf = tab.pdf()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", _inflated(pdf))
    assert boxes and all(abs(float(w) - 595) < 2 and abs(float(h) - 842) < 2 for w, h in boxes), (
        boxes
    )  # A4
    tab.call("Emulation.setEmulatedMedia", media="print")
    hidden = tab.run("getComputedStyle(document.querySelector('nav#TOC')).display")
    window = tab.run("getComputedStyle(document.querySelector('.table-window')).overflow")
    tab.call("Emulation.setEmulatedMedia", media="")
    assert (hidden, window) == ("none", "visible")


def test_browser_has_nothing_to_complain_of_and_asks_nobody(tab: Page, screen_page: Path) -> None:
    assert tab.complaints() == []
    assert tab.requests() == [screen_page.as_uri()]


def test_its_own_policy_forbids_requests(tmp_path: Path, screen_page: Path) -> None:
    """Without the font of the tests: the policy of the page is in force and breaks nothing."""
    page = screen_page.read_text(encoding="utf-8")
    probe = tmp_path / "probe.html"
    probe.write_text(page.replace("<main>", '<main><img src="http://127.0.0.1:9/x.png" alt="">'))
    with browser(str(CHROMIUM), tmp_path / "profile") as tab:
        tab.open(probe.as_uri(), DESKTOP, policy=True)
        assert any("Content Security Policy" in c for c in tab.complaints())
        assert tab.run("document.querySelectorAll('thead button').length") > 20  # script ran
        assert tab.run("getComputedStyle(document.body).maxWidth") == "1120px"  # style holds


def test_six_hundred_lines_stay_small_and_can_be_searched(demo: Path, tmp_path: Path) -> None:
    """The demo's lines fifty times over, under other names."""
    folder = tmp_path / "large"
    shutil.copytree(demo, folder)
    table = pd.read_parquet(folder / "screen.parquet")
    many = pd.concat([table] * 50, ignore_index=True)
    number = np.arange(len(many)).astype(str)
    for column in ("genotype", "line"):
        many[column] = many[column].str.slice(0, 9) + number + many[column].str.slice(9)
    many.to_parquet(folder / "screen.parquet", index=False)
    (folder / "ranking.svg").unlink()  # drawn anew, forty of them
    page = write_page(folder, tmp_path)
    size = page.stat().st_size
    assert size < 5e6, size
    with browser(str(CHROMIUM), tmp_path / "profile") as tab:
        tab.open(page.as_uri(), DESKTOP)
        assert tab.run("document.querySelector('.table-window').clientHeight") < 700  # a window
        tab.run("document.querySelector('.finder input').focus()")
        tab.call("Input.insertText", text="72f11")
        shown = tab.run("[...document.querySelector('[data-label=line] tbody').rows]"
                        ".filter(r => !r.hidden).length")  # fmt: skip
        wanted = int(many["line"].str.contains("72F11").sum())
        assert shown == wanted
        said = tab.run("document.querySelector('.finder span').textContent")
        assert said == f"{wanted} of 600"


def _inflated(pdf: bytes) -> bytes:
    """Return a PDF with its compressed objects laid open."""
    out = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            out.append(zlib.decompressobj().decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(out)


def _remake() -> None:
    """Write the references anew, from results like those of the tests."""
    import tempfile

    from conftest import make_demo, make_full

    REFERENCE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_demo(folder / "demo")
        make_full(folder / "demo", folder / "full")
        page = write_page(folder / "full", folder)
        with browser(str(CHROMIUM), folder / "profile") as tab:
            tab.open(page.as_uri(), DESKTOP)
            tab.same_font()
            for width in (DESKTOP, PHONE):
                tab.resize(width)
                found = layout(tab)
                rows = ",\n".join(json.dumps(box) for box in found["boxes"])
                text = f'{{"height": {found["height"]}, "boxes": [\n{rows}\n]}}\n'
                (REFERENCE / f"layout_{width}.json").write_text(text)
                coarse(tab).save(REFERENCE / f"page_{width}.png", optimize=True)


if __name__ == "__main__":
    _remake()
