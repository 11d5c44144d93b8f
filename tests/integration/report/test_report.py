"""Pages as a user gets them: by the built-in renderer, by Quarto, from a wheel."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from larvastats.report import numbers
from larvastats.report.make import reports_folder

pytest.importorskip("nbclient", reason="the extra report is not installed")

REPOSITORY = Path(__file__).resolve().parents[3]
LINE = "GMR_72F11_AE_01@UAS_CsChrimson_X_0028"

# Records how it was called, and writes what Quarto would.
FAKE_QUARTO = """\
#!{python}
import json, os, sys
from pathlib import Path
import yaml
words = sys.argv[1:]
values = yaml.safe_load(Path(words[words.index("--execute-params") + 1]).read_text())
with open({log!r}, "a") as log:
    log.write(json.dumps([words, values, os.getcwd(), os.environ["QUARTO_PYTHON"]]) + "\\n")
print("Executing", file=sys.stderr)
{then}
out = Path("_output")
out.mkdir(exist_ok=True)
(out / words[1].replace(".qmd", ".html")).write_text("by a fake quarto")
"""


def text_of(path: Path) -> str:
    """What a page says, without tags."""
    page = path.read_text(encoding="utf-8")
    page = re.sub(r"<(style|script).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture(scope="module")
def pages(full: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All pages of the full results, made once."""
    from larvastats.report.make import make_report

    out = tmp_path_factory.mktemp("pages")
    made = make_report(full, out=out, renderer="builtin")
    made_too = make_report(full, out=out, renderer="builtin", genotype="GMR_72F11")
    assert made.notes == made_too.notes == ()
    return {path.stem: path for path in (*made.files, *made_too.files)}


def test_results_of_the_demo_make_one_page(cli: Callable[..., Any], demo: Path, tmp_path) -> None:
    done = cli("report", demo, "--out", tmp_path, "--json", "--renderer", "builtin")
    assert done.code == 0, done.err
    assert done.json == {
        "command": "report", "files": [str(tmp_path / "screen.html")], "renderer": "builtin",
        "notes": [],
    }  # fmt: skip
    text = text_of(tmp_path / "screen.html")
    assert "3 of 12 tested lines can be said to differ from their control" in text
    assert "larvastats power --protocol r_LED100_30s2x15s30s --out" in text  # adds what is missing
    assert "larvastats calibrate --protocol r_LED100_30s2x15s30s --out" in text
    assert "Too few controls to tell" in text
    assert [p.name for p in tmp_path.iterdir()] == ["screen.html"]


def test_numbers_of_the_ranking_are_those_of_the_results(pages, full: Path) -> None:
    page = pages["screen"].read_text(encoding="utf-8")
    body = re.search(r'data-label="line">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    rows = re.findall(r"<tr.*?</tr>", body[1], re.DOTALL)
    table = pd.read_parquet(full / "screen.parquet")
    assert len(rows) == len(table) == 12
    for row, line in zip(rows, table.itertuples(), strict=True):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        keys = re.findall(r'data-key="([^"]*)"', row)
        assert line.line in re.sub("<[^>]+>", "", row)
        assert cells[1] == numbers.p_value(line.p_value, 0.05)
        assert cells[2] == numbers.p_value(line.q_value, 0.05)
        assert float(keys[1]) == pytest.approx(line.p_value, rel=1e-7)
        assert ("strong" in row.split(">")[0]) == bool(line.rejected)


def test_a_page_has_all_its_parts(pages) -> None:
    text = text_of(pages["screen"])
    for part in ("Share of 40 control pseudo-lines", "The smallest change of run→cast",
                 "Recordings of 12 lines", "Alekseyenko 2016", "Benjamini Y, Hochberg Y (1995)",
                 "seed 0", "SHA-256", "larvastats screen"):  # fmt: skip
        assert part in text, part
    assert "adds it" not in text
    page = pages["screen"].read_text(encoding="utf-8")
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 3 + 5  # three lines; ranking, volcano, calibration, larvae, power
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)
    assert all('src="data:image/svg+xml,' in image for image in images)


def test_every_kind_of_page_is_made(pages) -> None:
    assert set(pages) == {"screen", "habituation", "timecourse", "genotype_GMR_72F11"}
    habituation = text_of(pages["habituation"])
    assert "3 of 13 genotypes habituate" in habituation and "Chandler" in habituation
    assert "Berne" not in habituation  # whose formulas were not used
    course = text_of(pages["timecourse"])
    assert f"{LINE} differs from its control at 30.5–45.5 s (below by up to 0.72)" in course
    assert "other cannot be said to differ from its control at any time (p = 0.54)" in course
    assert "A note of the time course." in course
    one = text_of(pages["genotype_GMR_72F11"])
    for part in (LINE, "1 of 12 lines", "run → stop", "Compared directly", "0.76 before",
                 "Transition probabilities by window", "30.5–45.5 s"):  # fmt: skip
        assert part in one, part
    assert "adds it" not in one


def test_pages_ask_for_nothing_from_elsewhere(pages) -> None:
    for path in pages.values():
        page = path.read_text(encoding="utf-8")
        loads = re.findall(r'(?:src|href|srcset|action)="([^"]*)"', page)
        assert all(a.startswith(("data:", "#")) for a in loads), path
        assert not re.search(r"@import|url\((?!data:|%23)", page)
        assert "default-src 'none'" in html.unescape(page)
        assert path.stat().st_size < 2e6


def test_one_page_shows_a_time_course_that_the_command_made(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    if cli("timecourse", "--help").code != 0:
        pytest.skip("this version has no command timecourse")
    folder = tmp_path / "run"
    done = cli("timecourse", "--protocol", "r_LED100_30s2x15s30s", "--genotypes",
               "GMR_72F11_AE_01", "--response", "run", "--out", folder)  # fmt: skip
    assert done.code == 0, done.err
    done = cli("report", folder, "--renderer", "builtin")
    assert done.code == 0, done.err
    assert "differs from its control at" in text_of(folder / "timecourse.html")


@pytest.fixture
def quarto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a fake quarto on the PATH; return its log."""

    def put(then: str = "") -> Path:
        log, folder = tmp_path / "log", tmp_path / "bin"
        folder.mkdir()
        fake = folder / "quarto"
        fake.write_text(FAKE_QUARTO.format(python=sys.executable, log=str(log), then=then))
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return log

    return put


def test_quarto_on_the_path_renders(cli, quarto, full: Path, tmp_path: Path) -> None:
    log = quarto()
    out = tmp_path / "out"
    done = cli("report", full, "--out", out, "--lines", 5, "--json")
    assert done.code == 0, done.err
    assert done.json["renderer"] == "quarto"
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert [words[:4] for words, *_ in calls] == [
        ["render", f"{page}.qmd", "--to", "html"]
        for page in ("screen", "habituation", "timecourse")
    ]
    for _, values, folder, python in calls:
        assert values == {"results": str(full), "lines": 5, "genotype": ""}
        assert Path(folder) != reports_folder()  # Quarto writes where it works
        assert python == sys.executable
    assert (out / "screen.html").read_text() == "by a fake quarto"


def test_quarto_is_given_names_as_they_are(cli, quarto, full: Path, tmp_path: Path) -> None:
    log = quarto()
    done = cli("report", full, "--genotype", "a: [b]@c", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert json.loads(log.read_text())[1]["genotype"] == "a: [b]@c"
    assert (tmp_path / "out" / "genotype_a___b_@c.html").is_file()


@pytest.mark.parametrize(
    ("then", "sentence"),
    [
        ("print('error: the screen is damaged', file=sys.stderr); sys.exit(1)",
         "error: the screen is damaged"),
        ("print('No Jupyter here', file=sys.stderr); sys.exit(1)",
         "error: quarto could not render screen.qmd: No Jupyter here"),
        ("sys.exit(0)", "error: quarto rendered screen.qmd but left no screen.html."),
    ],
)  # fmt: skip
def test_quarto_that_fails_is_a_sentence(
    cli, quarto, demo: Path, tmp_path: Path, then: str, sentence: str
) -> None:
    quarto(then)
    done = cli("report", demo, "--out", tmp_path / "out")
    assert done.code == 1 and done.error == sentence
    assert not (tmp_path / "out").exists()


def test_project_is_what_quarto_documents() -> None:
    project = yaml.safe_load((reports_folder() / "_quarto.yml").read_text(encoding="utf-8"))
    assert project["project"] == {"type": "default", "output-dir": "_output", "render": ["*.qmd"]}
    assert project["jupyter"] == "python3"
    options = project["format"]["html"]
    assert options["embed-resources"] is True and options["fig-format"] == "svg"
    for name in (options["css"], options["include-after-body"]):
        assert (reports_folder() / name).is_file()


def test_cells_run_in_the_folder_of_the_pages_and_find_results_from_the_shell(
    demo: Path, tmp_path: Path
) -> None:
    """`quarto render reports -P results:DIR` leaves the shell's folder in PWD only."""
    shell, work = demo.parent, tmp_path / "reports"
    work.mkdir()
    code = (
        "from larvastats.report.pages import open_page as o; print(o({!r}, 'screen').head().text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.format(demo.name)], cwd=work,
        env=os.environ | {"PWD": str(shell)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "3 of 12" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_wheel_has_its_pages(demo: Path, tmp_path: Path) -> None:
    """What is installed renders without the checkout; the contents are tested with the packages."""
    run = {"capture_output": True, "text": True, "timeout": 600, "check": False}
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    assert subprocess.run(build, cwd=REPOSITORY, **run).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "from larvastats.report.make import make_report, reports_folder; "
        f"print(reports_folder()); make_report({str(demo)!r}, out='out', renderer='builtin')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)},
        **run,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == site / "larvastats" / "_reports"
    assert "3 of 12" in text_of(tmp_path / "out" / "screen.html")
