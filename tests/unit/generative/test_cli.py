"""``larvastats generate index`` and ``train``, as a user calls them; the configuration file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.config import Config, make_config, read_config, report_config
from larvastats.cli import app
from larvastats.errors import DataError, UsageError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


def test_index_prints_the_table_and_train_writes_a_model(database: Path, tmp_path: Path) -> None:
    result = run("index", database, tmp_path / "index.h5")
    assert result.exit_code == 0, result.output
    assert "sequences of 48 larvae in 8 assays; 8 of 8 recordings read now" in result.stdout
    assert "action" in result.stdout and "100.00%" in result.stdout
    counts = json.loads(run("index", database, tmp_path / "index.h5", "--json").stdout)
    assert counts["n_sequences"] == sum(counts["sequences"].values())
    config = tmp_path / "config.toml"
    config.write_text(
        '[model]\nname = "transformer_vae"\npreset = "tiny"\n'
        "[model.options]\nwidth = 16\nlayers = 1\nheads = 2\n[training]\nepochs = 2\n"
    )
    out = tmp_path / "run"
    command = ("train", tmp_path / "index.h5", "--out", out, "--config", config, "--sequences",
               "128,32,32", "--mix", "natural")  # fmt: skip
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "128 train, 32 validation, 32 test" in result.stdout
    again = json.loads(run(*command, "--json").stdout)  # nothing is left to do
    assert again["epochs"] == 2
    assert again["sequences"]["train"]["run"] > 20
    assert (out / "model.safetensors").is_file()


@pytest.mark.parametrize(("arguments", "words", "code"), [
    (("--mix", "roll=1", "--sequences", "5000,10,10"), "of 'roll' for train, but there are", 1),
    (("--model", "gan"), "The model must be one of", 2),
    (("--sequences", "many"), "three whole numbers", 2),
    (("--model", "cnn3d_vae"), "index made with --images", 1),
    (("--genotypes", "C"), "no genotype 'C'", 2),
])  # fmt: skip
def test_refusals_write_nothing(
    arguments: tuple[str, ...], words: str, code: int, indexed: Path, tmp_path: Path
) -> None:
    result = run("train", indexed, "--out", tmp_path / "run", *arguments)
    error = result.exception
    assert isinstance(error, DataError | UsageError | SystemExit)
    said = str(error) if not isinstance(error, SystemExit) else result.stderr
    assert words in " ".join(said.split())
    assert result.exit_code == code or error.exit_code == code
    assert not (tmp_path / "run" / "sequences.h5").exists()
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_defaults_and_the_report_are_configurations(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    assert read_config(path) == Config()
    own = report_config("report_warmup", "mean")
    assert own.training.optimizer == "adam" and own.training.patience == 10
    assert own.training.weight_decay == 1e-5 and own.loss.velocity_weight == 0.0
    assert Config().loss.velocity_weight == 0.1


@pytest.mark.parametrize(("text", "words"), [
    ("[training]\nepoch = 3", "training.epoch: extra inputs"),
    ("[training]\nepochs = 0", "training.epochs: input should be greater"),
    ('[loss]\nname = "mse"', "loss.name: input should be 'calibrated'"),
    ('[loss]\nkl = "mean"', "kl must be 'sum' in the calibrated loss"),
    ("[loss]\nbeta = nan", "loss.beta"),
])  # fmt: skip
def test_wrong_configurations_name_the_key(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml") as error:
        read_config(path)
    assert words in str(error.value)


def test_what_is_no_toml_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("model: x")
    with pytest.raises(DataError, match="expected TOML"):
        read_config(path)
    with pytest.raises(UsageError, match="2 more are wrong"):
        make_config({"training": {"a": 1, "b": 2, "c": 3}})
