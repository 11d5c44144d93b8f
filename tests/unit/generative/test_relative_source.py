"""An index of recordings named by a relative path serves from any folder."""

from pathlib import Path

import pytest

from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import read_index
from generative.dataset.indexing import build_index


def test_an_index_serves_from_another_folder(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(database.parent)
    build_index(database.name, tmp_path / "index.h5")
    monkeypatch.chdir(tmp_path)
    drawn = build_sequences(read_index(tmp_path / "index.h5"), tmp_path / "set.h5",
                            Draw((20, 8, 0), "natural"))  # fmt: skip
    assert len(drawn) == 28
