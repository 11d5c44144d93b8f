"""R itself: its tests in testthat, scripts by ``larvastats r``, and sessions of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from larvastats.r.files import R_FILE, _read, _Writer, answer_folder
from larvastats.r.parts import parts
from larvastats.r.requests import value_of

TESTS = Path(__file__).resolve().parents[1] / "r"
COMMAND = Path(sys.executable).with_name("larvastats")


@pytest.mark.usefixtures("with_rpy2")
def test_testthat_passes_in_larvastats_r(program):
    done = program(COMMAND, "r", TESTS / "run.R", TESTS)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "FAIL 0" in done.stdout


@pytest.mark.usefixtures("with_r")
def test_testthat_passes_in_an_r_session_of_its_own(program):
    # every call starts a process: the rest is the same in both
    done = program("Rscript", TESTS / "run.R", TESTS, COMMAND, "htest|markov|screen")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "FAIL 0" in done.stdout


# -- larvastats r ---------------------------------------------------------------------------------


@pytest.fixture
def script(program, tmp_path: Path):
    """Run lines of R by ``larvastats r``."""

    def run_lines(lines: str, *words: object, **more: Any) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.R"
        path.write_text(lines, encoding="utf-8")
        return program(COMMAND, "r", path, *words, cwd=tmp_path, **more)

    return run_lines


@pytest.mark.usefixtures("with_rpy2")
def test_a_script_has_its_arguments_and_prints_as_rscript_does(script):
    lines = 'commandArgs(TRUE)\ninvisible(3)\nx <- 1:3 / 7\nx\ncat("ä\\n")\nwarning("hm")\n'
    done = script(lines, "ä", "--alpha", "0.1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        '[1] "ä"       "--alpha" "0.1"    \n[1] 0.1428571 0.2857143 0.4285714\nä\n'
    )
    assert "hm" in done.stderr


@pytest.mark.usefixtures("with_rpy2")
@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        ("larvastats$screen('nowhere.csv')", 2, "nowhere.csv: there is no such file"),
        ("library(notapackage)", 1, "needs the R package notapackage, which is not installed; in "
         "R: install.packages('notapackage')"),
        ("f <- function(x) stop('so what')\nf(1)", 1, "was ended by R in f(1): so what"),
    ],
    ids=["usage", "package", "error"],
)  # fmt: skip
def test_what_ends_a_script_is_one_sentence(script, lines, code, words):
    done = script(lines)
    assert done.returncode == code, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert words in error
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("with_rpy2")
def test_quit_leaves_with_its_status(script):
    done = script("cat('before\\n'); quit(status = 7); cat('after\\n')")
    assert (done.returncode, done.stdout) == (7, "before\n")


@pytest.mark.usefixtures("with_rpy2")
def test_an_error_of_r_inside_a_callback_is_a_sentence(program, tmp_path):
    code = (
        "from larvastats.r import bridge, requests\n"
        "def call(f):\n    '''Call.'''\n    return f(2)\n"
        "verbs = requests.verbs\n"
        "requests.verbs = lambda: verbs() | {'call': call}\n"
        "bridge.provide()\n"
        "import rpy2.rinterface as ri\n"
        "ri.evalr('''print(larvastats$call(function(x) x + 1))\n"
        'r <- tryCatch(larvastats$call(function(x) stop("no way")), error = identity)\n'
        "print(class(r)[1]); cat(conditionMessage(r))''')\n"
    )
    done = program(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert "[1] 3" in done.stdout and '"larva_data_error"' in done.stdout
    assert "the R function that was given failed" in done.stdout and "no way" in done.stdout


@pytest.mark.usefixtures("with_rpy2")
def test_a_verb_inside_of_boot(script):
    """A statistic of boot::boot that calls Python; boot's resamples are those of R alone."""
    done = script(
        "x <- cbind(c(3, 5, 2, 8), c(9, 9, 7, 11))\n"
        "ours <- function(d, i) unname(larvastats$proportion_test(colSums(d[i, ]),"
        " c(60, 60))$statistic)\n"
        "theirs <- function(d, i) unname(suppressWarnings(stats::prop.test(colSums(d[i, ]),"
        " c(60, 60), correct = FALSE))$statistic)\n"
        "set.seed(5); a <- boot::boot(x, ours, 20)\n"
        "set.seed(5); b <- boot::boot(x, theirs, 20)\n"
        "stopifnot(identical(boot::boot.array(a), boot::boot.array(b)))\n"
        "stopifnot(max(abs(a$t - b$t)) < 1e-10, a$t0 == b$t0 || abs(a$t0 - b$t0) < 1e-10)\n"
    )
    assert done.returncode == 0, done.stderr


# -- interrupts -----------------------------------------------------------------------------------

BUSY = {
    "r": "cat('ready\\n'); repeat x <- 1",
    "verb": "cat('ready\\n'); larvastats$power(simulations = 100000)",
}


def interrupted(words: list[str], tmp_path: Path) -> tuple[int, str, float]:
    """Start, wait until it is ready and a little longer, send Ctrl-C; code, stderr, seconds."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=tmp_path) as process:  # fmt: skip
        assert process.stdout is not None
        while process.stdout.readline() not in ("ready\n", ""):
            pass
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, err = process.communicate(timeout=60)
    return process.returncode, err, time.monotonic() - start


@pytest.mark.usefixtures("with_rpy2")
@pytest.mark.parametrize("what", BUSY)
def test_a_stop_in_the_middle_of_a_script(tmp_path, what):
    path = tmp_path / "script.R"
    path.write_text(f"{BUSY[what]}\n")
    words = [sys.executable, "-u", str(COMMAND), "r", str(path)]
    code, err, seconds = interrupted(words, tmp_path)
    assert code == 130, err
    assert err.strip().endswith("error: interrupted.") and "Traceback" not in err
    assert seconds < 30


@pytest.mark.usefixtures("with_r")
def test_a_stop_in_the_middle_of_a_command_is_an_interrupt_of_r(tmp_path):
    path = tmp_path / "script.R"
    path.write_text(
        f"options(larvastats.command = '{COMMAND}')\nsource('{R_FILE}')\n"
        "cat('ready\\n')\n"
        "tryCatch(larvastats$power(simulations = 100000), interrupt = function(i) "
        "message('stopped as R stops'))\n"
    )
    code, err, _ = interrupted(["Rscript", str(path)], tmp_path)
    assert code == 0, err
    assert err == "stopped as R stops\n"


# -- R or rpy2 missing ----------------------------------------------------------------------------


def test_without_rpy2_the_extra_is_named(program, tmp_path):
    (tmp_path / "script.R").write_text("1")
    code = "import sys; sys.modules['rpy2'] = None\nfrom larvastats.cli import main; main()"
    done = program(sys.executable, "-c", code, "r", tmp_path / "script.R")
    assert done.returncode == 1
    assert "pip install 'larvastats[r]'" in done.stderr


@pytest.mark.usefixtures("with_rpy2")
def test_without_r_the_remedy_is_named(program, tmp_path):
    (tmp_path / "script.R").write_text("1")
    environment = {"PATH": str(tmp_path), "R_HOME": ""}
    done = program(sys.executable, COMMAND, "r", tmp_path / "script.R", env=environment)
    assert done.returncode == 1
    assert "R was not found; install R" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.usefixtures("with_r")
def test_without_the_command_r_says_where_to_get_it(program, tmp_path):
    lines = f"options(larvastats.command = '{tmp_path}/nothing')\nsource('{R_FILE}')"
    done = program("Rscript", "-e", lines)
    assert done.returncode != 0
    assert "options(larvastats.command" in done.stderr


@pytest.mark.usefixtures("with_r")
def test_without_jsonlite_r_says_how_to_get_it(program, tmp_path):
    hide = "requireNamespace <- function(...) FALSE"
    done = program("Rscript", "-e", f"{hide}; source('{R_FILE}')")
    assert done.returncode != 0
    assert 'install.packages("jsonlite")' in done.stderr


def test_a_folder_without_a_request_is_refused(cli, tmp_path):
    found = cli("r", "--answer", tmp_path)
    assert found.code == 2 and "holds no request of R" in found.error


def test_a_script_is_needed_and_must_be_there(cli, tmp_path):
    assert "expected a script of R" in cli("r").error
    assert cli("r", tmp_path / "no.R").error.endswith(
        "there is no such file; expected a script of R."
    )


def test_the_file_for_r_is_named(cli):
    assert Path(cli("r", "--file").out.strip()) == R_FILE
    assert R_FILE.is_file()


# -- tables in files ------------------------------------------------------------------------------

TABLE = """
table <- data.frame(
  n = c(1L, NA, -5L), x = c(pi, NA, Inf), truth = c(TRUE, NA, FALSE), text = c("a\\u00e4", NA, "b"),
  level = factor(c("u", NA, "v"), c("v", "u", "w")),
  rank = factor(c("low", "high", NA), c("low", "high"), ordered = TRUE),
  day = as.Date(c("2020-02-29", NA, "1969-12-31")),
  time = as.POSIXct(c("2020-02-29 12:00:00.25", NA, "1960-01-01 00:00:00"), tz = "Europe/Berlin"),
  span = as.difftime(c(1.5, NA, 3), units = "mins"), check.names = FALSE, stringsAsFactors = FALSE)
"""


@pytest.mark.usefixtures("with_r")
def test_a_table_crosses_in_files_and_comes_back_the_same(program, tmp_path):
    load = (
        "larvastats_engine <- function(request) list(value = list(version = '0', verbs = list()))\n"
        f"source('{R_FILE}', local = TRUE)\ninside <- environment(larvastats$help)\n{TABLE}\n"
        f"folder <- '{tmp_path}'\n"
    )
    ask = (
        "asked <- inside$as_file(list(verb = 'x', arguments = list(x = inside$give(table), "
        "third = 1/3, f = inside$give(table[0, ]), one = inside$give(table[2, ]))), folder)\n"
        "writeLines(jsonlite::toJSON(asked, auto_unbox = TRUE, null = 'null', na = 'null'), "
        "file.path(folder, 'request.json'), useBytes = TRUE)\n"
    )
    done = program("Rscript", "-e", load + ask)
    assert done.returncode == 0, done.stderr
    asked = _read(json.loads((tmp_path / "request.json").read_text("utf-8")), tmp_path, tmp_path)
    found = {name: value_of(part) for name, part in asked["arguments"].items()}
    table = found["x"]
    assert found["third"] == 1 / 3
    assert len(found["f"]) == 0 and list(found["f"].columns) == list(table.columns)
    assert found["one"].iloc[0].isna().sum() == len(table.columns) - 1  # rank is not missing
    assert list(table["level"].cat.categories) == ["v", "u", "w"] and table["rank"].cat.ordered
    assert str(table["day"].iloc[0]) == "2020-02-29" and table["day"].isna().tolist()[1]
    assert table["time"].iloc[0] == pd.Timestamp("2020-02-29 12:00:00.25", tz="Europe/Berlin")
    assert table["span"].iloc[0] == pd.Timedelta(90, "s")
    assert np.isinf(table["x"].iloc[2])
    writer = _Writer(tmp_path, tmp_path)
    (tmp_path / "answer.json").write_text(json.dumps(writer.plain(parts(table))), "utf-8")
    check = (
        "answer <- jsonlite::fromJSON(file.path(folder, 'answer.json'), simplifyVector = FALSE)\n"
        "back <- inside$take(inside$from_file(answer, folder))\nunits(table$span) <- 'secs'\n"
        "for (name in names(table)) if (!identical(back[[name]], table[[name]])) { print(name); "
        "str(back[[name]]); str(table[[name]]) }\n"
        "stopifnot(identical(back, table), is.na(back$x[2]) && !is.nan(back$x[2]))\n"
    )
    done = program("Rscript", "-e", load + check)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_result_of_another_session_is_known_as_such(tmp_path):
    request = {"verb": "plot", "arguments": {"x": {".handle": "/gone/away.pickle"}}}
    (tmp_path / "request.json").write_text(json.dumps(request | {"keep": str(tmp_path)}))
    answer_folder(tmp_path)
    found = json.loads((tmp_path / "answer.json").read_text())
    assert found["error"]["kind"] == "data"
    assert "made in another R session" in found["error"]["message"]
