import pandas as pd
import pytest

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.source import checksum


@pytest.fixture
def folder(tmp_path):
    for name in ("a/one.csv", "b/two.csv"):
        path = tmp_path / "db" / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    return tmp_path / "db"


def table(**changes):
    columns = {
        "assay": "p", "line": "A", "larva": ["1", "1", "2"], "state": ["run", "cast", "run"],
        "t_start": [0.0, 2, 0], "t_stop": [2.0, 3, 4],
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def test_a_directory_by_content_and_relative_names_not_by_place(folder, tmp_path):
    before = checksum(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    assert checksum(moved) == checksum(str(moved)) == before
    (moved / "a" / "one.csv").write_text("changed")
    assert checksum(moved) != before
    (moved / "a" / "one.csv").write_text("a/one.csv")
    assert checksum(moved) == before
    (moved / "a" / "one.csv").rename(moved / "a" / "other.csv")
    assert checksum(moved) != before


@pytest.mark.parametrize(
    "change",
    [
        {"line": "B"},
        {"larva": ["1", "1", "3"]},
        {"state": ["run", "stop", "run"]},
        {"state": ["run", "cast", "cast"]},
        {"t_stop": [2.0, 3, 4.01]},
        {"wind": 1.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_in_memory_by_its_values(change):
    one, two = (Ethogram.from_bouts(t) for t in (table(), table(**change)))
    assert checksum(one) == checksum(Ethogram.from_bouts(table()))
    assert checksum(one) != checksum(two)
    assert checksum(table()) == checksum(table())
    assert checksum(table()) != checksum(table(**change))


def test_a_file_by_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert checksum(tmp_path / "x") == expected


@pytest.mark.parametrize(("source", "words"), [("y", "no such file"), (5, "no checksum of a int")])
def test_what_is_no_source(source, words):
    with pytest.raises(UsageError, match=words):
        checksum(source)
