"""``simulate`` with bodies, as a user meets it: written, read, kept, and refused."""

import json

import numpy as np
import pandas as pd
import pytest

from larvastats.shape.kinematics import UNITS

TINY = ("--lines", 1, "--assays-per-line", 1, "--dates", 1, "--control-assays-per-date", 1,
        "--larvae", 3)  # fmt: skip


@pytest.mark.parametrize("name", ["trx", "choreography", "fimtrack"])
def test_films_are_written_and_read_back(cli, tmp_path, name):
    target, store = tmp_path / "films", tmp_path / "store"
    run = cli("simulate", target, *TINY, "--format", name, "--shapes", "midline", "--seed", 2,
              "--fault", "nan=0.1", "--fault", "flip=0.05")  # fmt: skip
    assert run.code == 0, run.err
    scale = ()
    if name == "fimtrack":
        assert "read them with --fps 10 --px-per-mm 10" in run.out
        scale = ("--fps", 10, "--px-per-mm", 10)
    content = json.loads((target / "truth.json").read_text())
    assert content["film"]["fault_rates"] == {"nan": 0.1, "flip": 0.05}
    assert content["film"]["contour_points"] == 0
    run = cli("ingest", target, store, "--keep", "midline", *scale)
    assert run.code == 0, run.err
    assert cli("info", store, "--json").code == 0


SHORT = """
[[effect]]
line = "GMR_11E02_AE_01"
kind = "length"
delta = 0.8
window = "whole"
"""


def test_length_over_time_of_films_whose_files_hold_no_series(cli, tmp_path):
    """Spines and outlines go in; the length that the simulation gave its larvae comes out."""
    films, store, out = tmp_path / "films", tmp_path / "store", tmp_path / "out"
    (tmp_path / "effects.toml").write_text(SHORT)
    run = cli("simulate", films, "--protocol", "p_8_45s1x30s0s#n#n#n", "--lines", 1,
              "--assays-per-line", 2, "--dates", 1, "--control-assays-per-date", 2, "--larvae", 5,
              "--format", "choreography", "--contour-points", 24, "--fault", "realistic",
              "--effects", tmp_path / "effects.toml", "--seed", 3)  # fmt: skip
    assert run.code == 0, run.err
    assert {path.suffix for path in films.rglob("*.*") if path.is_file()} == {
        ".spine", ".outline", ".label", ".json", ".h5"
    }  # fmt: skip
    assert cli("ingest", films, store).code == 0
    totals = cli("info", store, "--json").json["totals"]
    assert set(totals["features"]) >= set(UNITS)
    assert 0 < totals["n_bad_frames"] < 0.05 * totals["n_frames"]
    assert 0 < totals["n_dropped_frames"] < 0.09 * totals["n_frames"]

    run = cli("timecourse", store, "--response", "length", "--bootstrap", 99, "--resamples", 199,
              "--out", out)  # fmt: skip
    assert run.code == 0 and "larva length (mm)" in run.out
    course = pd.read_csv(out / "timecourse.csv")
    course["line"] = course["genotype"].str.partition("@")[0]
    quiet = course[course["t"].between(20, 44)].groupby("line")["mean"].mean()
    assert quiet["GMR_11E02_AE_01"] / quiet["FCF_attP2_1500062"] == pytest.approx(0.8, abs=0.07)
    assert np.isfinite(course["mean"]).mean() > 0.95
    # the control hunches at the puff
    control = course[course["line"].str.startswith("FCF")].set_index("t")["mean"]
    assert control[45.5:48].min() < 0.97 * control[30:45].mean()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fault", "jiter=0.1"), "did you mean 'jitter'"),
        (("--fault", "jitter=2"), "share of frames from 0 to 0.9"),
        (("--fps", 2), "fps must be a number from 5"),
        (("--contour-points", 4), "contour_points must be a whole number from 8 to 2000"),
        (("--larvae", 0), "larvae must be a whole number of at least 1"),
        (("--fps", 200, "--lines", 8000, "--assays-per-line", 90, "--dates", 90), "billion frames"),
    ],
)
def test_what_cannot_be_filmed_is_wrong_usage(cli, tmp_path, words, said):
    run = cli("simulate", tmp_path / "x", *TINY, "--format", "choreography", *words)
    assert run.code == 2 and said in run.error
    assert not (tmp_path / "x").exists()
