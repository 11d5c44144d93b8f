"""Bad input, each with its sentence and its exit code; never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from .conftest import CONTROL, PROTOCOL, REPOSITORY

QUICK = ("--bootstrap", 0, "--no-calibrate")


def refused(run, code: int, *words: str) -> None:
    """Check the exit code and the important words of the sentence, in any order."""
    assert run.code == code, run.err
    for word in words:
        assert word in run.error, run.error


# -- tables ---------------------------------------------------------------------------------------


def test_missing_columns(cli, table, bouts):
    path = table(bouts.rename(columns={"t_start": "begin"}))
    refused(cli("screen", path), 1, "t_start", "begin", str(path.name))


def test_times_that_are_no_numbers(cli, table, bouts):
    changed = bouts.astype({"t_start": object})
    changed.loc[4, "t_start"] = "soon"
    refused(cli("screen", table(changed)), 1, "t_start", "soon", "seconds")


def test_bouts_that_do_not_last(cli, table, bouts):
    changed = bouts.copy()
    changed.loc[3, "t_stop"] = changed.loc[3, "t_start"] - 1
    refused(cli("screen", table(changed)), 1, "bout", "end after it starts")


def test_bouts_that_overlap(cli, table, bouts):
    changed = bouts.copy()
    changed.loc[0, "t_stop"] = changed.loc[1, "t_stop"] + 1
    refused(cli("screen", table(changed)), 1, "overlap")


def test_states_of_lines_and_controls_without_a_common_name(cli, table, bouts):
    own = bouts["line"] != CONTROL
    changed = bouts.assign(state=bouts["state"].astype("str"))
    changed.loc[own, "state"] = "x_" + changed.loc[own, "state"]
    refused(cli("screen", table(changed)), 1, "no name in common", "vocabulary")


def test_a_state_never_seen_in_the_control_is_a_note(cli, table, bouts):
    changed = bouts.assign(state=bouts["state"].astype("str"))
    own = changed.index[changed["line"] != CONTROL][:40:8]
    changed.loc[own, "state"] = "Rune"
    run = cli("screen", table(changed), "--json", *QUICK)
    assert run.code == 0
    assert any("never seen in a control" in note and "une" in note for note in run.json["notes"])


def test_an_empty_file(cli, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    refused(cli("screen", tmp_path / "empty.csv"), 1, "empty.csv")


def test_a_table_without_rows(cli, table, bouts):
    refused(cli("screen", table(bouts.iloc[:0])), 1, "row")


@pytest.mark.parametrize(
    "how",
    [{"encoding": "utf-8-sig"}, {"sep": ";"}, {"sep": "\t"}, {"sep": ";", "decimal": ","}],
)
def test_a_spreadsheets_own_csv_is_read_all_the_same(cli, table, simulated, how):
    run = cli("screen", table(**how), "--json", *QUICK)
    assert run.code == 0
    same = cli("screen", simulated, "--json", *QUICK).json["tidy"]
    assert [r["p_value"] for r in run.json["tidy"]] == pytest.approx([r["p_value"] for r in same])


# -- sources --------------------------------------------------------------------------------------


def test_no_such_source(cli):
    refused(cli("screen", "nowhere/at_all"), 2, "nowhere/at_all")


def test_a_directory_that_is_no_database(cli, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    refused(cli("screen", tmp_path / "photos"), 1, "photos")


def test_an_empty_directory(cli, tmp_path):
    refused(cli("info", tmp_path), 1, str(tmp_path.name))


@pytest.fixture(scope="module")
def trx(tmp_path_factory) -> Path:
    """One simulated recording as trx.mat."""
    from larvastats.verbs.simulate import simulate

    directory = tmp_path_factory.mktemp("trx") / "db"
    simulate(directory, lines=1, assays_per_line=2, dates=1, larvae=2,
             control_assays_per_date=2, format="trx")  # fmt: skip
    return directory


@pytest.mark.parametrize("size", [0, 19, 600, 5000])
def test_a_truncated_trx(cli, trx, tmp_path, size):
    path = tmp_path / "trx.mat"
    path.write_bytes(sorted(trx.rglob("trx.mat"))[0].read_bytes()[:size])
    refused(cli("screen", path), 1, "trx.mat")


def test_a_foreign_mat(cli, tmp_path):
    (tmp_path / "trx.mat").write_bytes(b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(200))
    refused(cli("screen", tmp_path / "trx.mat"), 1, "trx.mat")


def test_one_bad_recording_does_not_stop_the_others(cli, trx, tmp_path):
    import shutil

    database = tmp_path / "db"
    shutil.copytree(trx, database)
    broken = sorted(database.rglob("trx.mat"))[0]
    broken.write_bytes(broken.read_bytes()[:3000])
    run = cli("info", database, "--json")
    assert run.code == 0 and run.json["glance"]["n_assays"] == 3
    assert any("trx.mat" in note for note in run.json["notes"])


# -- protocols, windows, controls -----------------------------------------------------------------


@pytest.fixture
def two_protocols(table, bouts) -> Path:
    other = bouts.assign(protocol="r_LED100_45s1x30s0s#n#n#n", assay=bouts["assay"] + "b")
    return table(pd.concat([bouts, other]))


def test_an_unknown_protocol(cli, simulated):
    refused(cli("screen", simulated, "--protocol", "p_8"), 2, "p_8", "unknown", PROTOCOL)


def test_an_ambiguous_protocol(cli, two_protocols):
    refused(cli("screen", two_protocols, "--protocol", "r_LED"), 2, "ambiguous", PROTOCOL, "45s1x")


def test_a_protocol_must_be_chosen_among_several(cli, two_protocols):
    refused(cli("screen", two_protocols), 2, "--protocol", PROTOCOL, "45s1x")
    assert cli("screen", two_protocols, "--protocol", "r_LED100_30", *QUICK).code == 0


def test_a_control_that_is_not_there(cli, simulated):
    refused(cli("screen", simulated, "--control", "w1118"), 2, "w1118", "neither")


def test_no_usual_control(cli, table, bouts):
    path = table(bouts[bouts["line"] != CONTROL])
    refused(cli("screen", path), 2, "--control", "GMR_72F11", CONTROL)


def test_an_ambiguous_control(cli, simulated):
    refused(cli("screen", simulated, "--control", "GMR"), 2, "ambiguous", "GMR_72F11")


def test_no_line_left(cli, table, bouts):
    path = table(bouts[bouts["line"] == CONTROL])
    refused(cli("screen", path), 1, "no line is left", "control")


def test_everything_excluded(cli, simulated, tmp_path):
    (tmp_path / "all.txt").write_text("*\n")
    refused(cli("screen", simulated, "--exclude", tmp_path / "all.txt"), 1, "exclu")


def test_an_exclusion_list_that_is_not_there(cli, simulated):
    refused(cli("screen", simulated, "--exclude", "nowhere.txt"), 2, "nowhere.txt")


def test_a_line_with_one_assay_is_described_not_tested(cli, table, bouts):
    line = next(name for name in bouts["line"].unique() if name != CONTROL)
    keep = bouts.loc[bouts["line"] == line, "assay"].iloc[0]
    run = cli("screen", table(bouts[(bouts["line"] != line) | (bouts["assay"] == keep)]),
              "--json", *QUICK)  # fmt: skip
    assert run.code == 0
    row = run.json["tidy"][-1]
    assert row["line"] == line and row["p_value"] is None and row["rejected"] is None
    assert row["hellinger"] is not None and row["n_assays"] == 1
    assert "one assay of the line" in row["note"]


def test_an_empty_window(cli, simulated):
    refused(cli("screen", simulated, "--window", "5000:6000"), 1, "5000", "no transition", "--gap")


@pytest.mark.parametrize("window", ["durring", "60:30", "during_9", "a:b"])
def test_a_window_that_is_none(cli, simulated, window):
    refused(cli("screen", simulated, "--window", window), 2, window)


def test_window_and_contrast_exclude_each_other(cli, simulated):
    words = ("--window", "during", "--contrast", "during-before")
    refused(cli("screen", simulated, *words), 2, "window", "contrast")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--alpha", "2"), "alpha"),
        (("--resamples", "3"), "resamples"),
        (("--seed", "-1"), "seed"),
        (("--statistic", "js", "--null", "F"), "welch"),
        (("--dt", "0", "--transitions", "frame"), "dt"),
    ],
)
def test_numbers_out_of_range(cli, simulated, words, said):
    refused(cli("screen", simulated, *words), 2, said)


@pytest.mark.parametrize(
    "words",
    [
        ("screen", "--statistic", "t"),
        ("screen", "--jobs", "0"),
        ("screen", "--no-such-option"),
        ("screen", "--alpha", "much"),
        ("compare",),
        ("nonsense",),
        ("simulate",),
    ],
)
def test_wrong_options_are_usage(cli, words):
    run = cli(*words)
    assert run.code == 2 and run.out == ""
    assert "Usage" in run.err


# -- compare, transitions -------------------------------------------------------------------------


def test_names_of_compare(cli, simulated, bouts):
    line = "GMR_72F11_AE_01"
    refused(cli("compare", line), 2, "one name only", "--windows")
    refused(cli("compare", simulated, line), 2, "source", "control", "--windows")
    refused(cli("compare", "a", "b", "c", "d"), 2, "4 names")
    refused(cli("compare", simulated, "GMR", CONTROL), 2, "GMR", "neither a genotype nor a line")
    refused(cli("compare", simulated, CONTROL, CONTROL), 2, "with itself")
    refused(cli("compare", simulated, line, "--windows", "during"), 2, "windows", "during,before")


def test_options_of_a_smooth_model(cli, simulated):
    for words in (("--formula", "to ~ t"), ("--control", CONTROL)):
        refused(cli("transitions", simulated, *words), 2, "add --by time")
    time = ("transitions", simulated, "--by", "time")
    refused(cli(*time, "--formula", "to ~ humidity"), 2, "names humidity; there are t, on, since")
    refused(cli(*time, "--transitions", "frame"), 2, "transitions must be jump here")


def test_genotypes_of_transitions(cli, simulated):
    refused(cli("transitions", simulated, "--genotypes", "GMR_72F11_AE_1"), 2, "did you mean")


# -- simulate -------------------------------------------------------------------------------------


def test_simulate_keeps_off_other_peoples_directories(cli, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    run = cli("simulate", tmp_path)
    refused(run, run.code, str(tmp_path.name))
    assert run.code in (1, 2) and (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("words", [("--lines", "0"), ("--larvae", "0"), ("--dates", "0")])
def test_simulate_of_nothing(cli, tmp_path, words):
    refused(cli("simulate", tmp_path / "new", *words), 2, words[0].strip("-"))
    assert not (tmp_path / "new").exists()


def test_simulated_effects_that_cannot_be(cli, tmp_path):
    (tmp_path / "effects.toml").write_text("[[effect]]\nline = 3\n")
    refused(cli("simulate", tmp_path / "new", "--effects", tmp_path / "effects.toml"), 2, "effect")


# -- output ---------------------------------------------------------------------------------------


def test_no_place_to_write_is_said_before_anything_is_read(cli, tmp_path):
    (tmp_path / "file").write_text("mine")
    for command in (("screen", "nowhere"), ("compare", "nowhere", "a", "b"),
                    ("transitions", "nowhere")):  # fmt: skip
        refused(cli(*command, "--out", tmp_path / "file" / "x"), 2, "cannot write into", "--out")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="there is no /proc")
def test_no_permission_to_write(cli, simulated):
    refused(cli("screen", simulated, "--out", "/proc/out"), 2, "cannot write into /proc/out")


def limit_files() -> None:
    """Make every write beyond 5 kB of a file fail, as on a full disk."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))


@pytest.mark.skipif(os.name == "nt", reason="limits of file size are a thing of Unix")
def test_a_full_disk_leaves_the_old_output_as_it_was(shell, simulated, tmp_path):
    words = ("screen", simulated, "--out", "out", "--no-figures", *QUICK)
    assert shell(*words).code == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    run = shell(*words, "--seed", 5, preexec_fn=limit_files)
    refused(run, 1, "could not be written into out", "File too large", "as they were")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_behind_stdout(shell, simulated):
    with open("/dev/full", "w") as full:
        run = shell("info", simulated, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert run.code == 1 and "No space left" in run.error


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise")
def test_a_reader_who_leaves(simulated):
    command = [sys.executable, "-c", "from larvastats.cli import main; main()", "info",
               str(simulated), "--json"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 1
    assert err.startswith("error: the output was cut off") and "Traceback" not in err


@pytest.mark.parametrize(
    ("exception", "code", "words"),
    [
        (MemoryError(), 1, "not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(5, "Input/output error", "a file"), 1, "Input/output error (a file)"),
    ],
)
def test_what_befalls_the_machine_is_a_sentence_too(cli, monkeypatch, exception, code, words):
    def fail(*args: object, **kwargs: object) -> None:
        raise exception

    monkeypatch.setattr("larvastats.verbs.info.info", fail)
    refused(cli("info", "x"), code, words)


def test_a_bug_is_a_traceback_not_a_sentence(cli, monkeypatch):
    def bug(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("larvastats.verbs.info.info", bug)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        cli("info", "x")
