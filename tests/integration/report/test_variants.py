"""Every cell of every page, on results of many kinds: words for what is missing, never NaN."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from larvastats.report.document import read_document
from larvastats.report.make import reports_folder

pytest.importorskip("yaml", reason="the extra report is not installed")

QUICK = ("--resamples", 99, "--no-figures")
POWER = ("--simulations", 20, "--larvae", "10", "--no-figures")


def run_page(page: str, folder: Path) -> str:
    """Run the Python cells of a page here, without a kernel; return what they show."""
    shown, names = [], dict[str, Any]()
    for cell in read_document(reports_folder() / f"{page}.qmd").cells:
        if "get_ipython" in cell.code or "%%R" in cell.code or "picture)" in cell.code:
            continue  # R has tests of its own
        *lines, last = cell.code.split("\n")
        if last.startswith("page.") and "choose" not in last:
            exec("\n".join(lines), names)
            shown.append(eval(last, names).text)
        else:
            exec(cell.code, names)
        if cell.is_parameters:
            names["results"] = str(folder)
    return "\n".join(shown)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("screen", "--contrast", "during-before", *QUICK), "respond differently from"),
        (("screen", "--block", "none", *QUICK), "4 assays per line and 6 control assays"),
        (("screen", "--unit", "larva", "--covariates", "time", *QUICK), "larva"),
        (("screen", "--transitions", "ever-action", *QUICK), "did an action at least once"),
        (("screen", "--window", "each", *QUICK), "window"),
        (("screen", "--statistic", "combined", "--correction", "none", *QUICK), "without a"),
        (("screen", "--null", "F", "--bootstrap", 0, "--no-calibrate", *QUICK), "Box 1954"),
        (("habituation", "--no-figures"), "Recovery of run"),
        (("habituation", "--kind", "berne", "--no-figures"), "Desensitisation"),
        (("power", "--block", "none", "--plates", "2,4", *POWER), "The smallest change of"),
        (("calibrate", "--draws", 20, *QUICK), "control pseudo-lines"),
        (("transitions", "--no-figures"), "Transition probabilities by window"),
    ],
    ids=lambda value: "-".join(map(str, value[:3])) if isinstance(value, tuple) else "",
)
def test_every_cell_shows_something_sensible(
    cli: Callable[..., Any], simulated: Path, tmp_path: Path, words: tuple[Any, ...], part: str
) -> None:
    folder = tmp_path / "results"
    done = cli(words[0], simulated, *words[1:], "--out", folder)
    assert done.code == 0, done.err
    shown = {page: run_page(page, folder)
             for page in ("screen", "habituation", "timecourse", "genotype")}  # fmt: skip
    text = re.sub(r'src="[^"]*"|<svg.*?</svg>', "", "\n".join(shown.values()), flags=re.DOTALL)
    assert part in text
    assert not re.search(r"\bnan\b|&lt;NA&gt;|\bNone\b(?! of)|\bNaT\b", text)
    for page, its in shown.items():  # what is missing, with the command that adds it
        commands = re.findall(r"<code>(larvastats \w+ [^<]*--out [^<]*)</code>", its)
        assert commands or page == words[0], page
