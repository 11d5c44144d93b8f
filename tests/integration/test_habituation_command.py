"""The command `habituation`, as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def puffs(tmp_path_factory) -> Path:
    """A simulated air-puff screen: a line that habituates five times as slowly, and a null."""
    from larvastats.verbs.simulate import simulate

    directory = tmp_path_factory.mktemp("puffs") / "screen"
    slow = [{"line": "slow", "kind": "habituation", "delta": 5.0}]
    simulate(directory, protocol="airpuff", lines=["slow", "plain"], assays_per_line=6, dates=2,
             control_assays_per_date=3, larvae=40, effects=slow, plate_sd=0.1, vial_sd=0,
             date_sd=0)  # fmt: skip
    return directory


def test_help_names_the_options(cli):
    run = cli("habituation", "--help")
    assert run.code == 0
    for word in ("--response", "--kind", "--stimulus", "--window", "Berne", "Examples"):
        assert word in run.out


def test_a_screen_of_lines(cli, puffs, tmp_path):
    out = tmp_path / "out"
    run = cli("habituation", puffs, "--response", "hunch", "--window", "46:75", "--out", out,
              "--resamples", 199)  # fmt: skip
    assert run.code == 0, run.err
    assert "Recovery of hunch during a long stimulus" in run.out and "46–75 s" in run.out
    assert "written into" in run.out and "habituation.png" in run.out
    names = {path.name for path in out.iterdir()}
    assert {"habituation.csv", "curves.csv", "assays.csv", "provenance.json", "tau.png"} <= names
    table = pd.read_csv(out / "habituation.csv").set_index("line")
    assert table.loc["slow", "tau"] > table.loc["plain", "tau"]


def test_json_alone(cli, puffs):
    run = cli("habituation", puffs, "--response", "hunch", "--kind", "pulses", "--json",
              "--resamples", 99, "--genotypes", "plain")  # fmt: skip
    assert run.code == 0, run.err
    assert run.json["command"] == "habituation" and run.json["design"]["kind"] == "pulses"
    assert [row["line"] for row in run.json["tidy"]] == ["plain", "FCF_attP2_1500062"]


def test_length_by_one_command(cli, tmp_path):
    from larvastats.verbs.simulate import simulate

    place, out = tmp_path / "puffs", tmp_path / "out"
    simulate(place, protocol="airpuff", lines=1, assays_per_line=3, dates=1, larvae=10,
             control_assays_per_date=3, format="trx")  # fmt: skip
    run = cli("habituation", place, "--response", "length", "--out", out, "--resamples", 99)
    assert run.code == 0, run.err
    assert "Recovery of larva length" in run.out and "tau.png" in run.out
    table = pd.read_csv(out / "habituation.csv")
    assert table["initial"].between(3, 5).all() and set(table["response"]) == {"length"}


def test_the_built_in_example(cli):
    run = cli("habituation", "--resamples", 99)
    assert run.code == 0, run.err
    assert "built-in example" in run.err and "30–45 s" in run.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--response", "jump"), 2, "no action or feature 'jump'"),
        (("--stimulus", 99), 2, "no stimulus 99; this protocol has 11"),
        (("--kind", "pulses", "--stimulus", 1), 2, "needs a train of 4 pulses"),
        (("--window", "190:300"), 1, "the recordings run from 0 to"),
        (("--window", "during"), 2, "not one stretch of time"),
        (("--bin", 20), 2, "divide the stimulus of 30 s into 2"),
        (("--gate", 2), 2, "gate must lie between 0 and 1"),
    ],
)
def test_refusals(cli, puffs, words, code, said):
    run = cli(
        "habituation", puffs, *(() if "--response" in words else ("--response", "run")), *words
    )
    assert run.code == code and said in run.error


def test_no_stimulus_and_no_larva_that_does_it(cli, bouts, tmp_path):
    path = tmp_path / "bouts.csv"
    bouts.assign(protocol="n#n#n#n").to_csv(path, index=False)
    run = cli("habituation", path)
    assert run.code == 2 and "no stimulus with times" in run.error
    calm = bouts.assign(state=bouts["state"].astype("str").replace("roll", "run"))
    calm = pd.concat([calm, calm.iloc[:1].assign(assay="x", state="roll", line="w")])
    calm.to_csv(path, index=False)
    run = cli("habituation", path, "--response", "roll")
    assert run.code == 1 and "never does roll during the stimulus" in run.error
