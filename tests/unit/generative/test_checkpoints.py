"""Checkpoints: whole, damaged, foreign, of another model; and never a pickle."""

from __future__ import annotations

import ast
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from safetensors import safe_open
from safetensors.torch import load_file, save_file

import generative
from generative.checkpoints import (
    FORMAT,
    Description,
    load_model,
    read_checkpoint,
    write_checkpoint,
)
from generative.config import make_config
from generative.frames import Normaliser
from generative.models import Shape
from larvastats.errors import DataError, UsageError


def describe(name: str = "lstm_vae") -> Description:
    config = make_config({"model": {"name": name, "preset": "tiny"}})
    norm = Normaliser(np.arange(24.0), np.ones(24))
    return Description(config, Shape(24, 50, 6, 2, 4), tuple("abcdef"), ("A", "B"),
                       ("none", "during"), norm, 11, 0.1, 3.7, "data")  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, describe().build().state_dict(), describe(), {"epoch": 3})
    return path


def test_round_trip(checkpoint: Path) -> None:
    model, found = load_model(checkpoint.parent)
    tensors, _, state = read_checkpoint(checkpoint)
    assert state == {"epoch": 3}
    assert found.config == describe().config and found.shape == describe().shape
    np.testing.assert_array_equal(found.normaliser.mean, np.arange(24.0))
    assert all(torch.equal(value, tensors[name]) for name, value in model.state_dict().items())
    assert not model.training


@pytest.mark.parametrize(("options", "latent", "body"), [
    ({}, 32, False), ({"latent": 48, "body": True}, 48, True), ({"body": False}, 32, False),
])  # fmt: skip
def test_a_model_of_version_1_is_what_it_was(
    options: dict, latent: int, body: bool, tmp_path: Path
) -> None:
    """Its presets were the plain transformer, ``tiny`` with 32 latents, and its beta rose."""
    meant = {"latent": latent, "body": body}
    now = make_config({"model": {"preset": "tiny", "options": meant}})
    model = replace(describe(), config=now).build()
    then = make_config({"model": {"preset": "tiny", "options": options},
                        "loss": {"beta_warmup": 0.3}})  # fmt: skip
    write_checkpoint(tmp_path / "new.safetensors", model.state_dict(),
                     replace(describe(), config=then))  # fmt: skip
    with safe_open(tmp_path / "new.safetensors", framework="pt") as file:
        header = file.metadata()
    save_file(load_file(tmp_path / "new.safetensors"), tmp_path / "old.safetensors",
              {**header, "version": "1"})  # fmt: skip
    back, found = load_model(tmp_path / "old.safetensors")
    assert (back.latent, back.body, found.config.loss.beta_warmup) == (latent, body, 0.3)
    assert all(torch.equal(value, back.state_dict()[name])
               for name, value in model.state_dict().items())  # fmt: skip


def test_a_film_model_of_version_2_is_the_plain_network(tmp_path: Path) -> None:
    config = make_config({"model": {"name": "cnn3d_vae", "preset": "tiny"}})
    shape = Shape(128 * 128, 30, 6, 2, 4)
    then = replace(describe(), config=config, shape=shape, normaliser=None)
    meant = make_config({"model": {"name": "cnn3d_vae", "preset": "tiny",
                                   "options": {"distance": False}}})  # fmt: skip
    model = replace(then, config=meant).build()
    write_checkpoint(tmp_path / "new.safetensors", model.state_dict(), then)
    with safe_open(tmp_path / "new.safetensors", framework="pt") as file:
        header = file.metadata()
    save_file(load_file(tmp_path / "new.safetensors"), tmp_path / "old.safetensors",
              {**header, "version": "2"})  # fmt: skip
    back, _ = load_model(tmp_path / "old.safetensors")
    assert not back.distance
    assert all(torch.equal(value, back.state_dict()[name])
               for name, value in model.state_dict().items())  # fmt: skip
    with pytest.raises(DataError, match="weights of CNN3DVAE"):
        load_model(tmp_path / "new.safetensors")


@pytest.mark.parametrize("kept", [0, 7, 100, 5000, -1])
def test_a_file_that_was_cut_off_is_a_sentence(checkpoint: Path, kept: int) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"model\.safetensors: expected a checkpoint"):
        load_model(checkpoint)


def test_one_wrong_bit_is_noticed(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[-5] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(DataError, match="not those that were written"):
        load_model(checkpoint)


def test_weights_from_elsewhere_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file(load_file(checkpoint), other)
    with pytest.raises(DataError, match="weights from elsewhere"):
        load_model(other)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    for name, content in (("a.pt", pickle.dumps(Trap())), ("b.safetensors", pickle.dumps(Trap()))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="expected a checkpoint in safetensors"):
            load_model(tmp_path / name)
    torch.save({"weight": torch.ones(3)}, tmp_path / "c.safetensors")
    with pytest.raises(DataError, match="expected a checkpoint in safetensors"):
        load_model(tmp_path / "c.safetensors")
    assert not (tmp_path / "sprung").exists()


def test_no_code_loads_a_pickle() -> None:
    """``torch.load``, ``pickle`` and NumPy's object arrays occur nowhere in the package."""
    for path in Path(generative.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not {"pickle", "joblib", "dill", "cloudpickle"} & set(names), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = getattr(node.func.value, "id", "")
                assert (owner, node.func.attr) != ("torch", "load"), path
                if (owner, node.func.attr) == ("np", "load"):
                    given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
                    assert given.get("allow_pickle") is False, path


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, describe("frame_ae").build().state_dict(), describe("lstm_vae"))
    with pytest.raises(DataError, match=r"weights of LSTMVAE, but .* train anew"):
        load_model(path)


def test_a_description_that_makes_no_sense_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    with safe_open(checkpoint, "pt") as file:
        header = file.metadata()
    tensors = load_file(checkpoint)
    for change, words in (
        ({"version": "99"}, "of version '99'"),
        ({"description": "{}"}, "what it says of itself"),
        ({"description": "[" * 2000}, "what it says of itself"),
        ({"description": json.dumps({**json.loads(header["description"]), "shape": 3})},
         "what it says of itself"),
    ):  # fmt: skip
        save_file(tensors, tmp_path / "odd.safetensors", {**header, **change})
        with pytest.raises(DataError, match=words):
            load_model(tmp_path / "odd.safetensors")
    assert header["format"] == FORMAT


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_model(tmp_path)


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_checkpoint(
            tmp_path / "missing" / "model.safetensors", {"a": torch.ones(1)}, describe()
        )
    assert not list(tmp_path.iterdir())
