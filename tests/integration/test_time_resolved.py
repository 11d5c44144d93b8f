"""``larvastats transitions --show``: dwell times, order and homogeneity as a user meets them."""

from __future__ import annotations

import pandas as pd
import pytest

CONTROL = "FCF_attP2_1500062"
LINE = "GMR_72F11_AE_01"


def test_dwell_times_of_the_example(cli, tmp_path):
    """A line that all but stops running under light: short runs, long casts and stops."""
    words = ("transitions", "--show", "dwell", "--genotypes", LINE, "--windows", "during")
    run = cli(*words, "--out", tmp_path / "d")
    assert run.code == 0 and "mean duration minus the control's" in run.out
    names = {path.name for path in (tmp_path / "d").iterdir()}
    assert {"dwell.csv", "fits.csv", "curves.csv", "tests.csv", "cells.csv", "units.csv",
            "provenance.json", "survival.png", "survival.svg"} <= names  # fmt: skip
    cells = pd.read_csv(tmp_path / "d" / "cells.csv").set_index("state")
    assert (cells.loc[["run", "cast", "stop"], "p_adjusted"] < 0.05).all()
    assert cells.loc["run", "difference"] < -1 < 0.5 < cells.loc["cast", "difference"]
    both = ("--windows", "before,during", "--out", tmp_path / "two")
    assert cli("transitions", "--show", "dwell", "--genotypes", LINE, *both).code == 0
    assert {p.name for p in (tmp_path / "two").glob("*.png")} == {
        "survival_before.png", "survival_during.png",
    }  # fmt: skip
    document = cli(*words, "--json").json
    assert len(document["tidy"]) == 2 * 6 and document["glance"]["n_rejected"] == 1


def test_order_and_homogeneity_of_the_example(cli, tmp_path):
    run = cli("transitions", "--show", "order", "--genotypes", CONTROL, "--windows", "during",
              "--out", tmp_path / "o")  # fmt: skip
    assert run.code == 0 and "returns to the action before last" in run.out
    assert (tmp_path / "o" / "triples.png").exists() and (tmp_path / "o" / "larvae.csv").exists()
    words = ("transitions", "--show", "homogeneity", "--genotypes", LINE)
    document = cli(*words, "--windows", "before,during", "--json").json
    assert document["glance"]["p_value"] == pytest.approx(2 / 64)
    assert len(document["design"]["by_window"]) == 2
    run = cli(*words, "--out", tmp_path / "h")
    assert run.code == 0 and (tmp_path / "h" / "homogeneity.csv").exists()


@pytest.mark.parametrize(("options", "code", "words"), [
    (("order",), 2, "genotype is missing"),
    (("order", "--genotypes", f"{LINE},{CONTROL}"), 2, "one genotype is tested at a time"),
    (("order", "--genotypes", LINE, "--control", CONTROL), 2, "leave --control out"),
    (("dwell", "--transitions", "frame"), 2, "looks at bouts"),
    (("dwell", "--windows", "500:600"), 1, "no bout begins in window 500–600 s"),
    (("matrices", "--control", CONTROL), 2, "belongs to a smooth model"),
    (("homogeneity", "--genotypes", LINE, "--windows", "during"), 2, "two windows or more"),
])  # fmt: skip
def test_refusals(cli, options, code, words):
    run = cli("transitions", "--show", *options)
    assert run.code == code and words in run.error


def test_the_same_seed_gives_the_same_document(cli):
    words = ("transitions", "--show", "order", "--genotypes", LINE, "--seed", "5", "--json")
    assert cli(*words).out == cli(*words).out
