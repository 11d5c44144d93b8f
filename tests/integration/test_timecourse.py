"""``larvastats timecourse`` as a user meets it: the field's two figures by one command each."""

from __future__ import annotations

import pandas as pd
import pytest
from typer.testing import CliRunner

from larvastats import UsageError, ingest, timecourse
from larvastats.cli import app
from larvastats.io import trx

PROTOCOL = "p_8_45s1x30s0s#p_8_105s10x2s10s"
SETTINGS = ["--lines", 1, "--assays-per-line", 4, "--dates", 2, "--control-assays-per-date", 2,
            "--larvae", 8]  # fmt: skip
QUICK = ["--bootstrap", 99, "--resamples", 199]
LINE = "GMR_11E02_AE_01"


@pytest.fixture(scope="module")
def puffs(tmp_path_factory):
    """An air-puff screen as trx.mat: control and one mutant."""
    folder = tmp_path_factory.mktemp("puffs") / "database"
    words = ["simulate", folder, "--protocol", PROTOCOL, "--format", "trx", *SETTINGS]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return folder


def test_length_over_time_by_one_command(cli, puffs, tmp_path):
    out = tmp_path / "length"
    run = cli(
        "timecourse", puffs, "--genotypes", LINE, "--response", "length", "--out", out, *QUICK
    )
    assert run.code == 0
    assert "larva length (mm)" in run.out and "timecourse.png" in run.out
    table = pd.read_csv(out / "timecourse.csv")
    assert table["genotype"].nunique() == 2 and table["mean"].between(3, 5).all()
    assert (out / "timecourse.svg").exists() and (out / "overlay.png").exists()
    # length dips at the puff
    control = table[table["genotype"].str.startswith("FCF")].set_index("t")["mean"]
    assert control[45.5:48].min() < control[30:45].min()
    for name in ("timecourse", "differences", "tests", "periods", "responses", "assays"):
        assert len(pd.read_parquet(out / f"{name}.parquet").columns) > 3
    assert len(pd.read_csv(out / "assays.csv")) == 8 * 440


@pytest.fixture(scope="module")
def places(puffs, tmp_path_factory):
    """The same recordings as every kind of source."""
    folder = tmp_path_factory.mktemp("places")
    words = ["simulate", folder / "frames", "--protocol", PROTOCOL, "--format", "frames", *SETTINGS]
    assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 0
    ingest(puffs, folder / "store")
    frames = folder / "frames" / "frames.parquet"
    table = pd.read_parquet(frames)
    table.to_csv(folder / "frames.csv", index=False, sep=";", decimal=",")
    return {"database": puffs, "store": folder / "store", "parquet": frames,
            "csv": folder / "frames.csv", "DataFrame": table}  # fmt: skip


@pytest.mark.parametrize("response", ["length", "head_angle", "run"])
def test_every_source_gives_the_same_curves(places, response):
    quick = {"bootstrap": 99, "resamples": 99, "bin": 1.0, "test": None}
    found = {n: timecourse(place, response=response, **quick) for n, place in places.items()}
    first = found.pop("database").augment().sort_values(["assay", "t"], ignore_index=True)
    assert len(first) == 8 * 220 and first["value"].notna().all()
    for name, result in found.items():
        own = result.augment().sort_values(["assay", "t"], ignore_index=True)
        pd.testing.assert_frame_equal(own, first, rtol=1e-5, atol=1e-6, obj=name)
        assert result.design["unit"] == {"length": "mm", "head_angle": "rad", "run": ""}[response]


def test_a_single_recording_has_a_curve_and_no_limits(cli, puffs, tmp_path):
    path = next(puffs.rglob("trx.mat"))
    out = tmp_path / "out"
    run = cli("timecourse", path, "--response", "length", "--out", out, *QUICK)
    assert run.code == 0 and "has one assay: its curve has no limits" in run.out
    assert (out / "timecourse.png").exists()


@pytest.mark.parametrize("kind", ["database", "file", "store"])
def test_a_feature_needs_no_actions(puffs, tmp_path, kind):
    """Recordings that nobody labelled have lengths, and no actions."""
    paths = sorted(puffs.rglob("trx.mat"))[: 1 if kind == "file" else 3]
    for path in paths:
        (tracks,) = trx.read_tracks(path, None)
        target = tmp_path / "database" / path.relative_to(puffs)
        target.parent.mkdir(parents=True)
        trx.write(tracks, target)
    place = tmp_path / "database"
    if kind == "store":
        ingest(place, tmp_path / "store")
        place = tmp_path / "store"
    elif kind == "file":
        place = next(place.rglob("trx.mat"))
    quick = {"bootstrap": 99, "resamples": 99, "bin": 1.0, "test": None, "response": "length"}
    found = timecourse(place, **quick).augment()
    whole = timecourse(puffs, **quick).augment()
    both = found.merge(whole, on=["assay", "t"])
    assert len(both) == len(found) >= len(paths) * 200
    assert both["value_x"].to_numpy() == pytest.approx(both["value_y"].to_numpy(), rel=1e-5)
    with pytest.raises(UsageError, match=r"no feature 'run'; it has length, speed, head_angle"):
        timecourse(place, response="run")


def test_assays_without_actions_are_left_out_of_the_course_of_an_action(puffs, tmp_path):
    database = tmp_path / "database"
    for k, path in enumerate(sorted(puffs.rglob("trx.mat"))):
        target = database / path.relative_to(puffs)
        target.parent.mkdir(parents=True)
        (tracks,) = trx.read_tracks(path, None if k == 0 else "large", shapes=("features",))
        trx.write(tracks, target)
    quick = {"bootstrap": 99, "resamples": 99, "test": None}
    running = timecourse(database, response="run", **quick)
    assert running.augment()["assay"].nunique() == 7
    assert any("1 assays have shapes but no actions" in note for note in running.notes)
    assert timecourse(database, response="length", **quick).augment()["assay"].nunique() == 8


def test_running_over_time_with_all_puffs(cli, puffs):
    run = cli("timecourse", puffs, "--genotypes", LINE, "--response", "p(run)", "--json", *QUICK)
    assert run.code == 0
    document = run.json
    assert len(document["design"]["intervals"]) == 11
    assert document["design"]["intervals"][0] == [45.0, 75.0]
    assert document["design"]["intervals"][-1] == [195.0, 197.0]
    own = pd.DataFrame(document["responses"])
    assert (own["peak_change"] < -0.1).all()
    assert document["tests"][0]["n_dates"] == 2


def test_head_angle_off_and_on(cli, puffs, tmp_path):
    out = tmp_path / "angle"
    run = cli("timecourse", puffs, "--response", "head_angle", "--histogram", "--mixed",
              "value ~ genotype * led + (1 | assay)", "--out", out, *QUICK)  # fmt: skip
    assert run.code == 0
    assert "Mixed model" in run.out and (out / "densities.png").exists()
    tests = pd.read_csv(out / "tests.csv")
    change = tests[tests["condition"] == "on − off"].set_index(["measure", "comparison"])
    spread = change.loc["spread"].filter(like=LINE, axis=0)["estimate"]
    assert (spread > 0.2).all()  # the simulated mutant's spread grows by a half more
    assert change.loc["mean"]["estimate"].abs().max() < 0.06
    assert len(pd.read_csv(out / "mixed.csv")) == 4


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ["--response", "width"],
            2,
            "no action or feature 'width'; it has length, speed, head_angle",
        ),
        (["--mixed", "value ~ led + (1 | assay)"], 2, "--mixed belongs to --histogram"),
        (["--histogram", "--response", "length", "--bin", 1], 2, "--bin belongs to curves"),
        (["--histogram", "--response", "length", "--limits", "pointwise"], 2, "--limits belongs"),
        (["--histogram"], 2, "'run' is an action"),
        (["--align", 30], 2, "asks for a presentation that the protocol lacks"),
        (["--span", "300:310"], 1, "is tracked from 300 to 310 s"),
    ],
)
def test_what_cannot_be_is_one_sentence(cli, puffs, words, code, sentence):
    run = cli("timecourse", puffs, *words, *QUICK)
    assert run.code == code and sentence in run.error


def test_the_example_is_followed_without_a_source(cli):
    run = cli("timecourse", "--genotypes", "GMR_72F11_AE_01", "--no-figures", *QUICK)
    assert run.code == 0 and "GMR_72F11" in run.out and "differs from" in run.out
    assert "built-in example" in run.err
    run = cli("timecourse", "--response", "length", *QUICK)
    assert run.code == 2 and "it has actions only" in run.err
