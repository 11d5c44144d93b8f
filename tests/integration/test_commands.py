"""Every command on good input: what it prints, what it writes, that it repeats."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from larvastats import Ethogram, screen
from larvastats.results import SCREEN_COLUMNS

from .conftest import CONTROL, PROTOCOL, REPOSITORY

BRIEF = ("--bootstrap", 20)
QUICK = (*BRIEF, "--no-calibrate")
TIMES = "red light LED100: 30–45, 60–75 s (gap read as period, start to start)"


def strongest(bouts: pd.DataFrame) -> str:
    """The line of the report, simulated to be strong."""
    return next(line for line in bouts["line"].unique() if line.startswith("GMR_72F11"))


# -- screen ---------------------------------------------------------------------------------------


def test_screen_prints_table_times_and_verdict(cli, simulated, bouts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = cli("screen", simulated, *QUICK)
    assert run.code == 0
    assert "Screen of 4 lines" in run.out and f"stimulus: {TIMES}" in run.out
    assert "window:   during: 30–45, 60–75 s" in run.out
    first = next(line for line in run.out.splitlines() if line.startswith("GMR_"))
    assert first.startswith(strongest(bouts))
    assert "can be said to differ from their control" in run.out
    assert "written into" not in run.out
    assert not list(tmp_path.iterdir()), "without --out nothing is written"


def test_screen_writes_what_it_prints(cli, simulated, tmp_path):
    out = tmp_path / "results" / "demo"
    run = cli("screen", simulated, "--protocol", "r_LED", "--out", out, "--seed", 7, *QUICK)
    assert run.code == 0
    with (out / "screen.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == SCREEN_COLUMNS and len(rows) == 4
    assert [float(row["p_value"]) for row in rows] == sorted(float(r["p_value"]) for r in rows)
    pictures = re.findall(r"^  (.+\.png)$", run.out, flags=re.MULTILINE)
    assert {Path(p).name for p in pictures} >= {"ranking.png", "volcano.png", "raster.png"}
    for picture in pictures:
        assert Path(picture).is_file() and Path(picture).with_suffix(".svg").is_file()
    provenance = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["seed"] == 7
    assert provenance["design"]["protocol"] == PROTOCOL
    assert provenance["checksum"] and provenance["command"].startswith("larvastats")
    assert "screen.csv" in provenance["files"]


def test_screen_is_the_verb(cli, simulated, bouts):
    rows = cli("screen", simulated, "--json", "--seed", 3, *QUICK).json["tidy"]
    table = screen(Ethogram.from_bouts(bouts), bootstrap=20, seed=3).tidy()
    assert [row["genotype"] for row in rows] == list(table["genotype"])
    for column in ("statistic", "p_value", "hellinger", "hellinger_low"):
        np.testing.assert_allclose([row[column] for row in rows], table[column], rtol=1e-9)


def test_one_json_document_and_nothing_else(shell, simulated, tmp_path):
    run = shell("screen", simulated, "--json", "--out", "out", "--no-figures", *QUICK)
    assert run.code == 0 and run.err == ""
    document = run.json
    assert set(document) >= {
        "command", "larvastats", "tidy", "glance", "design", "notes", "seed", "provenance",
        "files",
    }  # fmt: skip
    assert document["command"] == "screen" and document["glance"]["n_lines"] == 4
    assert all((tmp_path / name).is_file() for name in document["files"])


def test_any_number_of_jobs_gives_the_same_files(shell, simulated, bouts, tmp_path):
    # lines of unequal size are separate pieces of work, and so are the draws of the calibration
    gone = bouts.groupby("line")["assay"].first().tolist()[:2]
    (tmp_path / "exclude.txt").write_text("\n".join(gone))
    for jobs in (1, 2):
        words = ("screen", simulated, "--out", f"jobs{jobs}", "--jobs", jobs, "--no-figures")
        assert shell(*words, "--exclude", "exclude.txt", *BRIEF).code == 0
    names = {path.name for path in (tmp_path / "jobs1").iterdir()} - {"provenance.json"}
    assert {"screen.csv", "screen.parquet", "transitions.parquet", "calibration.csv"} <= names
    for name in names:
        one, two = (tmp_path / f"jobs{jobs}" / name for jobs in (1, 2))
        assert one.read_bytes() == two.read_bytes(), name


def test_a_screen_asks_its_controls(cli, simulated):
    run = cli("screen", simulated, *BRIEF)
    assert "\nCalibration: " in run.out and "pseudo-line" in run.out
    assert "Calibration" not in cli("screen", simulated, *QUICK).out


def test_the_seed_matters_and_only_for_what_is_drawn(cli, simulated):
    one, two = (cli("screen", simulated, "--json", "--seed", s, *QUICK).json for s in (1, 2))
    lows = [[row["hellinger_low"] for row in run["tidy"]] for run in (one, two)]
    highs = [[row["hellinger_high"] for row in run["tidy"]] for run in (one, two)]
    assert lows != lows[::-1] or highs != highs[::-1]
    hellinger = [[row["hellinger"] for row in run["tidy"]] for run in (one, two)]
    assert hellinger[0] == hellinger[1]


@pytest.mark.parametrize(
    ("words", "design"),
    [
        (("--contrast", "during-before"), {"contrast": "during-before"}),
        (("--window", "30:45"), {"window": "30:45"}),
        (("--transitions", "frame", "--dt", "0.5"), {"transitions": "frame", "dt": 0.5}),
        (("--statistic", "hellinger"), {"statistic": "hellinger"}),
        (("--block", "none"), {"block": "none"}),
        (("--unit", "larva", "--resamples", "99"), {"unit": "larva"}),
        (("--null", "F"), {"null": "F"}),
        (("--correction", "bonferroni"), {"correction": "bonferroni"}),
        (("--correction", "maxt"), {"correction": "maxt", "null": "relabel"}),
        (("--variance", "plate"), {"variance": "plate"}),
        (("--transitions", "ever-action"), {"transitions": "ever-action"}),
        (("--memory", "8"), {"unit": "assay", "variance": "date"}),
        (("--row-weights", "occupancy"), {"row_weights": "occupancy"}),
        (("--gap", "pause"), {"window_text": "during: 30–45, 75–90 s"}),
    ],
)
def test_options_of_screen_reach_its_design(cli, simulated, words, design):
    found = cli("screen", simulated, "--json", *words, *QUICK).json["design"]
    assert {name: found[name] for name in design} == design


def test_a_contrast_leaves_divergences_blank(cli, simulated):
    run = cli("screen", simulated, "--contrast", "during-before", *QUICK)
    assert "respond differently from their control" in run.out
    assert "hellinger" not in run.out


def test_excluded_assays_are_left_out_and_said(cli, simulated, bouts, tmp_path):
    gone = bouts.loc[bouts["line"] == strongest(bouts), "assay"].iloc[0]
    listed = tmp_path / "exclude.txt"
    listed.write_text(f"# a bad plate\n{gone}\n")
    document = cli("screen", simulated, "--exclude", listed, "--json", *QUICK).json
    row = next(r for r in document["tidy"] if r["line"] == strongest(bouts))
    assert row["n_assays"] == 3
    assert any("exclude" in note for note in document["notes"])


def test_a_protocol_may_be_left_out_or_shortened(cli, simulated):
    documents = [
        cli("screen", simulated, "--json", *words, *QUICK).json
        for words in ((), ("--protocol", "r_"), ("--protocol", PROTOCOL + "@100"))
    ]
    assert {document["design"]["protocol"] for document in documents} == {PROTOCOL}


# -- the built-in example -------------------------------------------------------------------------


def test_without_a_source_it_is_the_example_and_says_so(shell):
    started = time.monotonic()
    run = shell("screen", *QUICK)
    assert run.code == 0
    assert "data:     built-in example: a simulated light screen" in run.out
    assert run.err.count("\n") == 1 and "built-in example" in run.err
    assert "GMR_72F11" in next(line for line in run.out.splitlines() if line.startswith("GMR_"))
    assert time.monotonic() - started < 60


def test_the_example_in_json_keeps_stdout_clean(cli):
    run = cli("info", "--json")
    assert "built-in example" in run.json["source"]
    assert "built-in example" in run.err


# -- compare, transitions, info -------------------------------------------------------------------


def test_compare_prints_as_r_does(cli, simulated, bouts):
    run = cli("compare", simulated, strongest(bouts), CONTROL, *BRIEF)
    lines = run.out.splitlines()
    assert run.code == 0 and lines[0] == "" and lines[1].startswith("\tStudentised")
    assert any(line.startswith("data:  GMR_72F11") for line in lines)
    assert "p-value = " in run.out and f"stimulus: {TIMES}" in lines


def test_compare_is_the_row_of_the_screen(cli, simulated, bouts):
    line = strongest(bouts)
    words = ("--null", "relabel", "--json", *BRIEF)
    test = cli("compare", simulated, line, CONTROL, *words).json["tidy"][0]
    rows = cli("screen", simulated, "--no-calibrate", *words).json["tidy"]
    row = next(row for row in rows if row["line"] == line)
    assert test["statistic"] == pytest.approx(row["statistic"])
    assert test["p_value"] == pytest.approx(row["p_value"])


def test_compare_of_windows_is_paired(cli, simulated, bouts, tmp_path):
    line = strongest(bouts)
    words = (line, "--windows", "before,during", "--out", tmp_path / "out", "--null", "relabel")
    run = cli("compare", simulated, *words)
    assert run.code == 0 and "paired by assay" in run.out
    assert (tmp_path / "out" / "compare.json").is_file()
    row = pd.read_csv(tmp_path / "out" / "compare.csv").iloc[0]
    assert row["p_value"] >= 2 / 2**4  # four plates: sign flips reach no further


def test_compare_on_the_example_takes_two_names(cli):
    run = cli("compare", "GMR_72F11_AE_01", CONTROL, *BRIEF)
    assert run.code == 0 and "built-in example: a simulated light screen" in run.out


def test_transitions_show_light_off_and_on(cli, simulated, bouts, tmp_path):
    line = strongest(bouts)
    run = cli("transitions", simulated, "--genotypes", f"{line},{CONTROL}", "--out", tmp_path / "m")
    assert run.code == 0
    assert f"stimulus: {TIMES}" in run.out and "during: 30–45, 60–75 s" in run.out
    assert len(list((tmp_path / "m").glob("matrices_*.png"))) == 2
    table = pd.read_csv(tmp_path / "m" / "transitions.csv")
    assert set(table["window"]) == {"before", "during"}
    visited = table.groupby(["genotype", "window", "from"])["p"].sum(min_count=1).dropna()
    np.testing.assert_allclose(visited, 1.0)


def test_windows_slide(cli, simulated):
    document = cli("transitions", simulated, "--windows", "sliding:20:20:0:80", "--json").json
    assert {row["window"] for row in document["tidy"]} == {"0:20", "20:40", "40:60", "60:80"}


def test_transitions_by_window_draw_courses(cli, simulated, bouts, tmp_path):
    words = ("--genotypes", f"{strongest(bouts)},{CONTROL}", "--out", tmp_path / "w")
    run = cli("transitions", simulated, "--by", "window", *words)
    assert run.code == 0
    table = pd.read_parquet(tmp_path / "w" / "transitions.parquet")
    assert list(table["window"].unique()) == ["before", "during_1", "during_2", "after"]
    assert {"p", "p_low", "p_high", "n_replicates"} <= set(table)
    names = {path.name for path in (tmp_path / "w").iterdir()}
    assert len({n for n in names if n.startswith("courses_") and n.endswith(".png")}) == 2
    assert {"transitions.csv", "provenance.json"} <= names


def test_transitions_by_time_fit_a_smooth_model(cli, simulated, bouts, tmp_path):
    words = ("--genotypes", f"{strongest(bouts)},{CONTROL}", "--formula", "to ~ genotype * on",
             "--dt", 0.5, "--out", tmp_path / "t")  # fmt: skip
    run = cli("transitions", simulated, "--by", "time", *words)
    assert run.code == 0 and "formula: to ~ genotype * on" in run.out
    names = {path.name for path in (tmp_path / "t").iterdir()}
    assert names >= {"coefficients.csv", "tests.parquet", "predictions.csv", "units.csv",
                     "courses.png", "courses.svg", "provenance.json"}  # fmt: skip
    tests = pd.read_csv(tmp_path / "t" / "tests.csv")
    assert set(tests["term"]) == {"genotype", "genotype:time"}
    document = cli("transitions", simulated, "--by", "time", *words[:-2], "--json").json
    assert document["result"] == "TransitionModel" and document["glance"]["n_genotypes"] == 2


def test_a_screen_of_each_window(shell, simulated, tmp_path):
    for jobs in (1, 2):
        run = shell("screen", simulated, "--window", "each", "--jobs", jobs, "--out", f"jobs{jobs}",
                    "--bootstrap", 20, *(["--no-figures"] if jobs == 1 else []))  # fmt: skip
        assert run.code == 0 and "Bonferroni over 4 windows" in run.out, run.err
    for name in ("screen.csv", "windows.csv", "windows.parquet", "transitions.parquet"):
        one, two = (tmp_path / f"jobs{jobs}" / name for jobs in (1, 2))
        assert one.read_bytes() == two.read_bytes(), name
    table = pd.read_csv(tmp_path / "jobs2" / "windows.csv")
    assert list(table["window"][:4]) == ["before", "during_1", "during_2", "after"]
    assert len(table) == 16 and (tmp_path / "jobs2" / "windows.png").is_file()


def test_info_says_what_a_design_can_show(cli, simulated):
    run = cli("info", simulated)
    assert run.code == 0
    for words in (TIMES, "p_floor", f"{CONTROL}@", "Assays by date", "20150701"):
        assert words in run.out
    lines = cli("info", simulated, "--json").json["tidy"]
    # two dates of 2 plates against 3: (5 choose 2)^2 = 100 relabellings
    assert {row["p_floor"] for row in lines} == {0.01}
    assert {row["n_control_assays"] for row in lines} == {6}


def test_info_before_the_control_is_known(cli, table, bouts):
    path = table(bouts[bouts["line"] != CONTROL])
    run = cli("info", path)
    assert run.code == 0 and "name one with --control" in run.out


# -- simulate -------------------------------------------------------------------------------------


def test_simulate_says_where_the_truth_is(simulated):
    truth = json.loads((simulated / "truth.json").read_text(encoding="utf-8"))
    assert truth and (simulated / "bouts.parquet").is_file()


def test_simulate_writes_trx_that_screen_reads(cli, tmp_path):
    words = ("--lines", 2, "--assays-per-line", 2, "--dates", 1, "--larvae", 3)
    run = cli("simulate", tmp_path / "db", "--format", "trx", *words)
    assert run.code == 0 and "truth.json" in run.out
    assert len(list((tmp_path / "db").rglob("trx.mat"))) == 2 * 2 + 4
    document = cli("info", tmp_path / "db", "--json").json
    assert document["glance"]["n_assays"] == 8


def test_simulated_air_puffs(cli, tmp_path):
    words = ("--protocol", "airpuff", "--lines", 1, "--assays-per-line", 2, "--larvae", 3)
    assert cli("simulate", tmp_path / "puffs", *words, "--dates", 1).code == 0
    assert "air puff" in cli("info", tmp_path / "puffs").out


# -- the frame ------------------------------------------------------------------------------------


def test_help_is_quick_and_loads_nothing_heavy(shell):
    code = (
        "import sys; from larvastats.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'matplotlib', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("screen", "compare", "transitions", "info", "simulate"):
        assert name in done.stdout


@pytest.mark.parametrize("name", ["screen", "compare", "transitions", "info", "simulate"])
def test_every_command_has_examples_and_panels(cli, name):
    run = cli(name, "--help")
    assert run.code == 0
    assert "Examples" in run.out and f"$ larvastats {name}" in run.out


CONTRACT = {
    "screen": "protocol control statistic transitions window contrast gap exclude unit block null "
    "resamples correction alpha seed jobs out json format labels min-bout fps px-per-mm",
    "compare": "protocol windows window contrast statistic transitions gap exclude unit block null "
    "resamples seed out json format labels min-bout fps px-per-mm",
    "transitions": "protocol windows genotypes transitions gap exclude out json format labels "
    "min-bout fps px-per-mm",
    "info": "control gap exclude resamples json format labels min-bout fps px-per-mm",
    "simulate": "protocol lines assays-per-line larvae effects format seed",
}


@pytest.mark.parametrize("name", CONTRACT)
def test_options_have_the_names_that_scripts_rely_on(cli, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = cli(name, "--help").out
    for option in CONTRACT[name].split():
        assert re.search(rf"--{option}\b(?!-)", text), option


def test_version(cli):
    from larvastats import __version__

    assert cli("--version").out == f"larvastats {__version__}\n"


def on_terminal(words: list[object], columns: int, cwd: Path) -> str:
    """Run a command on a terminal of so many columns and return what stands on it."""
    main, other = pty.openpty()
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY), "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", "from larvastats.cli import main; main()", *map(str, words)],
        stdout=other, stderr=subprocess.DEVNULL, env=environment, cwd=cwd,
    )  # fmt: skip
    os.close(other)
    text = b""
    while select.select([main], [], [], 120)[0]:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not chunk:
            break
        text += chunk
    assert process.wait() == 0
    os.close(main)
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text.decode()).replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [80, 140])
def test_tables_fit_the_terminal(simulated, bouts, tmp_path, columns):
    text = on_terminal(["screen", simulated, *QUICK], columns, tmp_path)
    assert max(map(len, text.split("\n"))) <= columns
    assert "●" in text and strongest(bouts) in text
    assert ("95% interval" in text) == (columns == 140)
    text = on_terminal(["info", simulated], columns, tmp_path)
    assert max(map(len, text.split("\n"))) <= columns
    assert "p_floor" in text and strongest(bouts) in text
    words = ["transitions", simulated, "--genotypes", CONTROL]
    text = on_terminal(words, columns, tmp_path)
    assert max(map(len, text.split("\n"))) <= columns
    heads = [line for line in text.split("\n") if "from \\ to" in line]
    assert len(heads) == (2 if columns == 80 else 1), "windows side by side where they fit"
