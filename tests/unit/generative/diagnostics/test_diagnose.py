import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.checkpoints import load_model
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.sequences import read_sequences
from generative.diagnostics.collapse import measure_collapse
from generative.diagnostics.diagnose import diagnose, reconstruct
from generative.diagnostics.fidelity import measure_fidelity
from generative.diagnostics.gates import Gate, gates_of
from generative.diagnostics.motion import NAMES, motion, spectra
from generative.diagnostics.sets import Set, matched
from generative.diagnostics.write import write_diagnosis
from generative.frames import to_frames
from generative.sampling.latents import batches_of, encode
from larvastats.errors import DataError, UsageError

from ..conftest import actions_of, moving_larva


@pytest.fixture(scope="module")
def found(trained):
    return diagnose(trained, fold="validation")


def test_every_gate_has_a_number_and_a_verdict(found):
    table = found.tidy()
    assert len(table) == 17
    missing = table.loc[table["verdict"] == "not measured", "gate"]
    assert "false positives at .05" in set(missing)
    assert found.met == (table["verdict"] == "met").sum() >= 5
    said = str(found)
    assert "of 17 gates are met" in said and "validation" in said
    json.dumps(found.to_json(), allow_nan=False)


def test_a_model_that_uses_its_latent_meets_those_gates(found):
    verdict = {gate.name: gate.verdict for gate in found.gates}
    assert verdict["R² with another's latent"] == verdict["active units"] == "met"


def test_files_all_of_them(found, tmp_path):
    files = write_diagnosis(found, tmp_path / "out", "test")
    names = {path.name for path in files}
    assert {"diagnosis.json", "gates.csv", "numbers.csv", "effects.csv", "page.png", "strips.png",
            "larvae.gif", "provenance.json"} <= names  # fmt: skip
    with Image.open(tmp_path / "out" / "larvae.gif") as film:
        assert film.n_frames > 25 and film.info["duration"] == 100
    with pytest.raises(UsageError, match="cannot write into"):
        write_diagnosis(found, tmp_path / "out" / "page.png" / "x")


@pytest.fixture(scope="module")
def sets(trained):
    sequences = read_sequences(trained / "sequences.h5")
    model, description = load_model(trained)
    parts = [encode(model, batches_of(sequences, description, sequences.fold(name)))
             for name in ("validation", "train")]  # fmt: skip
    return model, description, *parts


def test_real_sequences_in_place_of_synthetic_ones_pass(sets):
    """The examination itself: real larvae of other assays meet the gates of fidelity."""
    _, description, held_out, training = sets
    held, pool = Set.of(held_out), Set.of(training)

    def draw(conditions, seed):
        n = len(conditions)
        like = Set(np.zeros((n, 1, 1), np.float32), np.ones((n, 1), bool), conditions)
        return matched(like, pool, np.random.default_rng(seed)).x

    fidelity, _ = measure_fidelity(held, pool, draw, description)
    pair = fidelity.numbers
    assert pair["coverage"].value > 0.85 and 0.8 < pair["density"].value < 1.2
    assert pair["fid"].value < 2 * pair["fid"].floor
    assert pair["c2st"].value < 0.65
    assert pair["copying"].value < 0.5  # they are training sequences, and that is seen


def test_trembling_larvae_do_not_pass(sets):
    _, description, held_out, training = sets
    held, pool = Set.of(held_out), Set.of(training)

    def draw(conditions, seed):
        rng = np.random.default_rng(seed)
        return rng.normal(size=(len(conditions), 50, 24)).astype(np.float32)

    fidelity, _ = measure_fidelity(held, pool, draw, description)
    pair = fidelity.numbers
    assert pair["coverage"].value < 0.3 and pair["c2st"].value > 0.95
    assert pair["jerk_ratio"].value > 3
    assert pair["fid"].value > 10 * pair["fid"].floor


def test_a_collapsed_model_is_called_so(sets):
    model, _, held_out, _ = sets
    dead = replace(held_out, mean=0 * held_out.mean, log_variance=0 * held_out.log_variance)
    found = measure_collapse(model, dead)
    assert found.active_units == found.used_dimensions == 0 and found.nats == 0
    assert found.r2 == found.r2_shuffled < 0.8


def test_gates_are_told_apart():
    inf = float("inf")
    assert Gate("a", 0.9, 0.9, 1.1).verdict == "met"
    assert Gate("a", 1.2, 0.9, 1.1).verdict == "missed"
    assert Gate("a", float("nan"), 0.9, inf).verdict == "not measured"
    assert Gate("a", 1, 0.9, inf).asked == ">= 0.9" and Gate("a", 1, -inf, 10).asked == "<= 10"


def test_distances_are_in_units_of_their_floor(found):
    gate = next(g for g in gates_of(found.collapse, found.fidelity) if g.name == "FID / floor")
    pair = found.fidelity.numbers["fid"]
    assert gate.value == pytest.approx(pair.value / max(pair.floor, pair.floor_sd))


def test_motion_of_a_known_larva():
    t = np.arange(50) / 10
    body = np.stack((np.linspace(0.5, -0.5, 11), np.zeros(11)), axis=1)
    midline = body[None] + np.stack((0.4 * t, 0 * t), axis=1)[:, None]
    frames, _ = to_frames(midline[None], 1.0)
    found = dict(zip(NAMES, motion(frames, np.ones((1, 50), bool), 0.1)[0], strict=True))
    assert found["speed"] == pytest.approx(0.4) and found["path"] == pytest.approx(0.4 * 4.9)
    assert found["length"] == pytest.approx(1) and found["bend"] == pytest.approx(0, abs=1e-9)
    assert found["jerk"] == pytest.approx(0, abs=1e-6)


def test_spectra_find_the_frequency_of_waves():
    t = np.arange(50) / 10
    body = np.stack((np.linspace(0.5, -0.5, 11), np.zeros(11)), axis=1)
    x = 0.4 * t + 0.05 * np.sin(2 * np.pi * 1.5 * t)
    frames, _ = to_frames((body[None] + np.stack((x, 0 * t), axis=1)[:, None])[None], 1.0)
    frequency, power = spectra(frames, np.ones((1, 50), bool), 0.1)
    assert frequency[power[0].argmax()] == pytest.approx(1.5, abs=0.15)


def test_matched_sets_have_the_same_conditions(rng):
    conditions = rng.integers(0, 3, (200, 3))
    x, mask = np.zeros((200, 4, 4), np.float32), np.ones((200, 4), bool)
    pool = Set(x, mask, conditions)
    wanted = Set(x[:50], mask[:50], conditions[rng.permutation(200)[:50]])
    assert np.array_equal(matched(wanted, pool, rng).conditions, wanted.conditions)


def test_too_few_sequences(indexed, trained, alone, tmp_path):
    from generative.training import train

    drawn = build_sequences(read_index(indexed), tmp_path / "sequences.h5",
                            Draw((120, 20, 0), "natural"))  # fmt: skip
    _, description = load_model(trained)
    train(drawn, description.config, tmp_path, alone)
    with pytest.raises(DataError, match="at least 100 held-out sequences"):
        diagnose(tmp_path)
    with pytest.raises(UsageError, match="--most must be at least 100"):
        diagnose(tmp_path, most=5)


def test_sequences_of_another_training(sequences, trained, tmp_path):
    other = tmp_path / "other.h5"
    build = trained / "sequences.h5"
    shutil.copy(build, other)
    path = next(p for p in [sequences.frames.filename] if p)
    with pytest.raises(DataError, match="normalisation, conditions and folds are not the model's"):
        diagnose(trained, data=path)
    with pytest.raises(UsageError, match="nothing"):
        diagnose(trained, data=tmp_path / "nothing.h5")


def test_midlines_from_elsewhere_come_back(trained, rng):
    midline = [moving_larva(rng, actions_of(rng, 160)) for _ in range(6)]
    found = reconstruct(trained, midline)
    assert found.n_sequences == 18 and found.n_larvae == 6
    assert found.r2 > 0.8 > 0.2 > found.r2_shuffled and found.error < 0.2
    with pytest.raises(DataError, match="50 frames without a gap"):
        reconstruct(trained, [midline[0][:20]])


def test_the_command_prints_one_document(trained):
    from typer.testing import CliRunner

    from larvastats.cli import app

    result = CliRunner().invoke(app, ["generate", "diagnose", str(trained), "--json"])
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["gates"]) == 17
