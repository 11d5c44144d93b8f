"""The documented ways to open a store with other tools, run as they stand in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from larvastats.io import trx
from larvastats.io.paths import database_path, make_identity
from larvastats.io.source import load
from larvastats.io.store.index import SCHEMA
from larvastats.io.tracks import Tracks
from larvastats.verbs.ingest import ingest

PAGE = Path(__file__).resolve().parents[2] / "analyses" / "store.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``my_store``: two assays with shapes, and one recording that is damaged."""
    root = tmp_path_factory.mktemp("elsewhere")
    rng = np.random.default_rng(0)
    for line in "AB":
        who = make_identity("t5", line, "E", "p_8_45s1x30s0s#n#n#n", "20200131_093000")
        n = 50
        one = Tracks.build(
            who, ("1", "2"), np.repeat([0, 1], n), np.tile(np.arange(n) * 0.1, 2),
            midline=rng.normal(size=(2 * n, 11, 2)), features={"speed": rng.random(2 * n)},
            states=("run", "roll"), state=np.repeat(rng.integers(0, 2, 20), 5),
        )  # fmt: skip
        path = root / "my_database" / database_path(who, "trx.mat")
        path.parent.mkdir(parents=True)
        trx.write(one, path)
    (path.parent / "damaged.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    report = ingest(root / "my_database", root / "my_store")
    assert (report.n_ok, report.n_failed) == (2, 1)
    return root


def example(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_pandas_and_h5py(folder: Path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    names: dict = {}
    for code in example("python"):
        exec(compile(code, "store.md", "exec"), names)
    assert "status" in capsys.readouterr().out
    assert (names["assays"]["status"] != "ok").sum() == 1
    ethogram = load(folder / "my_store")
    assert len(names["bouts"]) == ethogram.n_bouts
    assert set(names["bouts"]["assay"]) == set(ethogram.assays["assay"])
    assert len(names["speed"]) == len(names["t"]) == 100


def test_duckdb(folder: Path, monkeypatch):
    monkeypatch.chdir(folder)
    (query,) = example("sql")
    found = duckdb.connect().sql(query).df()
    bouts = load(folder / "my_store").to_bouts()
    duration = (bouts["t_stop"] - bouts["t_start"]).groupby(
        [bouts["line"] + "@" + bouts["effector"], bouts["state"].astype(str)]
    )
    expected = pd.DataFrame({"bouts": duration.size(), "mean_s": duration.mean()}).reset_index()
    assert found["bouts"].tolist() == expected["bouts"].tolist()
    np.testing.assert_allclose(found["mean_s"], expected["mean_s"])


def test_every_column_is_documented(folder: Path):
    page = PAGE.read_text()
    words = set(re.findall(r"[a-z_]+", page))
    assert set(SCHEMA.names) <= words
    assert set(pd.read_parquet(folder / "my_store" / "assays.parquet").columns) <= words
