import json
import os
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from safetensors.torch import save_file

import larvastats as ls
from generative.config import make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index
from generative.dataset.windows import Cutting
from generative.frames import body_length
from generative.sampling.kept import PRIOR_FILE, open_sampler
from generative.sampling.sampler import possible
from generative.sampling.trajectories import Request, sample_store
from generative.training import train
from larvastats.errors import DataError, UsageError
from larvastats.io.store import read_store, store_rows, store_tracks
from larvastats.shape.vertebrae import five_vertebrae


@pytest.fixture(scope="module")
def store(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("sampled") / "store"
    report = sample_store(trained, path, Request(assays=3, larvae=12, seed=4))
    return path, report


def test_samples_are_recordings_in_mm_and_s(store):
    path, report = store
    assert report.n_assays == 6 and report.n_larvae == 72 and report.seconds == pytest.approx(5)
    tracks = list(store_tracks(path, shapes=("midline", "features")))
    assert {t.identity.genotype for t in tracks} == {"A@UAS", "B@UAS"}
    for t in tracks:
        assert t.length_unit == "mm" and t.midline.shape == (12 * 50, 11, 2)
        length = np.linalg.norm(np.diff(t.midline, axis=1), axis=2).sum(axis=1)
        assert 1.5 < np.median(length) < 6  # larvae of 3 to 4.5 mm
        assert np.diff(t.t[:50]) == pytest.approx(0.1)


def test_what_they_do_and_rest_on_is_said(store):
    path, _ = store
    ethogram, _ = read_store(path)
    assert ethogram.n_bouts > 72
    larvae = ethogram.larvae
    assert (larvae["t_to"] - larvae["t_from"]).to_numpy() == pytest.approx(5)
    assert ethogram.assays["synthetic"].all() and (ethogram.assays["real_assays"] == 3).all()


def test_every_command_reads_them(store):
    path, _ = store
    assert "6 assays" in str(ls.info(path)) or "A@UAS" in str(ls.info(path))
    course = ls.timecourse(path, response="speed", test=None, bootstrap=99)
    assert np.isfinite(course.tidy()["mean"]).any()
    found = ls.screen(path, control="A", window="whole", block="none", resamples=200)
    assert len(found.tidy()) == 1


def test_the_same_seed_writes_the_same(trained, store, tmp_path):
    again = sample_store(trained, tmp_path / "again", Request(assays=3, larvae=12, seed=4))
    sums = [[row["tracks_checksum"] for row in store_rows(p)]
            for p in (store[0], tmp_path / "again")]  # fmt: skip
    assert sums[0] == sums[1] and again.actions == store[1].actions


def test_conditions_can_be_chosen(trained, tmp_path):
    asked = Request(2, 5, ("B@UAS",), ("cast",), "during")
    sample_store(trained, tmp_path / "s", asked)
    ethogram, _ = read_store(tmp_path / "s")
    assert set(ethogram.assays["genotype"]) == {"B@UAS"}
    seconds = np.bincount(ethogram.state, ethogram.t_stop - ethogram.t_start,
                          len(ethogram.states))  # fmt: skip
    assert ethogram.states[seconds.argmax()] == "cast"
    inside = [any(a <= t and u <= b + 1e-6 for a, b in ((30, 45), (60, 75)))
              for t, u in ethogram.larvae[["t_from", "t_to"]].itertuples(index=False)]  # fmt: skip
    assert all(inside)


def test_samples_of_vertebrae_have_eleven_points(database, alone, tmp_path):
    build_index(database, tmp_path / "index.h5", Cutting(points=5))
    what = Draw((300, 60, 0), "natural")
    drawn = build_sequences(read_index(tmp_path / "index.h5"), tmp_path / "run/sequences.h5", what)
    config = make_config({"model": {"preset": "tiny"}, "training": {"epochs": 1}})
    train(drawn, config, tmp_path / "run", alone)
    sample_store(tmp_path / "run", tmp_path / "s", Request(1, 8, seed=2))
    for t in store_tracks(tmp_path / "s", shapes=("midline",)):
        assert t.midline.shape == (8 * 50, 11, 2)
        length = body_length(t.midline)
        assert 2 < np.median(length) < 6  # larvae of 3 to 4.5 mm
        assert (length >= body_length(five_vertebrae(t.midline)) - 1e-6).mean() > 0.9  # curved


def test_the_prior_is_kept_and_belongs_to_its_model(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    (folder / PRIOR_FILE).unlink(missing_ok=True)
    first = open_sampler(folder)
    (folder / "sequences.h5").unlink()
    second = open_sampler(folder)
    condition = np.zeros((3, 3), int)
    assert np.array_equal(first.sample(condition), second.sample(condition))
    with pytest.raises(UsageError, match="sequences"):
        open_sampler(folder, kind="gaussian")  # another has to be fitted


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Request(actions=("fly",)), "no action 'fly'; choose among"),
        (Request(genotypes=("C@UAS",)), "no genotype 'C@UAS'; choose among A@UAS, B@UAS"),
        (Request(stimulus="later"), "no state of the stimulus 'later'"),
        (Request(assays=0), "--assays must be from 1"),
        (Request(temperature=3.0), "--temperature must be a number from 0 to 2"),
        (Request(noise=float("nan")), "--noise must be"),
        (Request(kind="flow"), "prior must be one of"),
    ],
)
def test_what_cannot_be_asked(trained, tmp_path, asked, words):
    with pytest.raises(UsageError, match=words):
        sample_store(trained, tmp_path / "s", asked)
    assert not list(tmp_path.iterdir())


def test_a_condition_that_never_occurs(trained, tmp_path):
    with pytest.raises(DataError, match="there is none; ask for another"):
        sample_store(trained, tmp_path / "s", Request(actions=("stop",)))


def test_places_that_cannot_be_written(trained, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")
    with pytest.raises(UsageError, match="expected a store that is new"):
        sample_store(trained, tmp_path / "full")
    with pytest.raises(UsageError, match="cannot write into"):
        sample_store(trained, tmp_path / "full" / "a.txt" / "store")
    assert os.listdir(tmp_path) == ["full"]


def test_checkpoints_that_are_none(trained, tmp_path):
    with pytest.raises(UsageError, match="folder of a training"):
        open_sampler(tmp_path / "nowhere")
    model = tmp_path / "model.safetensors"
    content = (trained / "model.safetensors").read_bytes()
    model.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged, cut off"):
        sample_store(tmp_path, tmp_path / "s")
    save_file({"w": torch.zeros(2)}, model)
    with pytest.raises(DataError, match="weights from elsewhere"):
        sample_store(tmp_path, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_damaged_prior_is_told(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    open_sampler(folder)
    (folder / PRIOR_FILE).write_bytes(b"0" * 100)
    with pytest.raises(DataError, match="prior"):
        open_sampler(folder)


def test_possible_frames():
    x = np.random.default_rng(0).normal(size=(2, 5, 24))
    out = possible(x)
    assert np.abs(out[..., :-2].reshape(2, 5, 11, 2).mean(axis=2)).max() < 1e-12
    assert not out[:, 0, -2:].any() and np.array_equal(out[:, 1:, -2:], x[:, 1:, -2:])


def test_the_command_prints_one_document(trained, tmp_path):
    from typer.testing import CliRunner

    from larvastats.cli import app

    asked = ["generate", "sample", str(trained), str(tmp_path / "s"), "--assays", "1", "--larvae",
             "3", "--json"]  # fmt: skip
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["n_larvae"] == 6 and said["command"] == "generate sample"
