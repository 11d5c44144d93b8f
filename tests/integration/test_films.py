"""``simulate`` with bodies, as a user meets it: written, read, kept, and refused."""

import json

import pytest

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
