"""Index and files of a store: order, rivals, columns, names, and damage said in a sentence."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import tidy
from larvastats.io.ingest import ingest
from larvastats.io.source import load
from larvastats.io.store import is_store, read_store, store_checksum
from larvastats.io.store_files import locked, make_store, safe_name, write_file
from larvastats.io.store_index import (
    OK,
    column_of,
    plain_value,
    read_index,
    read_state,
    settle,
    write_index,
    write_verdict,
)

BOUTS = pd.DataFrame(
    {
        "assay": ["p1", "p1", "p2"], "line": ["A", "A", "B"], "larva": ["1", "2", "1"],
        "state": ["run", "cast", "run"], "t_start": [0.0, 1, 2], "t_stop": [3.0, 4, 5],
        "date": ["20200131", "20200131", None], "food": ["agar", "agar", None],
        "warm": [True, True, False], "age": [96, 96, 120],
    }
)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    (tmp_path / "source").mkdir()
    BOUTS.to_parquet(tmp_path / "source" / "bouts.parquet")
    ingest(tmp_path / "source", tmp_path / "store")
    return tmp_path / "store"


def row(assay, source, status=OK):
    return {"assay": assay, "source": source, "status": status, "covariates": {}}


def state(*rows):
    grouped = {}
    for one in rows:
        grouped.setdefault(one["source"], []).append(one)
    return grouped


def owners(rows):
    return {one["assay"]: one["source"] for one in rows if one["status"] == OK}


# -- which assays count ---------------------------------------------------------------------------


def test_rows_are_ordered_as_directories_are_walked():
    given_ = state(row("3", "/d/b!"), row("2", "/d/b/x"), row("1", "/d/a"))
    assert [one["assay"] for one in settle(given_, lambda _: True)] == ["1", "2", "3"]


def test_the_first_recording_of_an_assay_has_it():
    rows = settle(state(row("x", "/b"), row("x", "/a"), row("y", "/b")), lambda _: True)
    assert owners(rows) == {"x": "/a"}
    assert "was read from /a already" in rows[1]["status"]  # a recording is refused as a whole


def test_a_recording_that_is_gone_yields():
    rows = settle(state(row("x", "/a"), row("x", "/b")), lambda source: source == "/b")
    assert owners(rows) == {"x": "/b"}


def test_only_rivals_are_looked_for_on_disk():
    asked = []
    settle(state(row("x", "/a"), row("y", "/b")), lambda source: asked.append(source) or True)
    assert asked == []


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc")), unique=True))
def test_every_assay_has_one_recording(pairs):
    rows = settle(state(*(row(assay, f"/{source}") for assay, source in pairs)), lambda _: True)
    good = [one["assay"] for one in rows if one["status"] == OK]
    assert len(good) == len(set(good)) and len(rows) == len(pairs)
    assert not pairs or good
    again = settle(state(*rows), lambda _: True)
    assert again == rows


# -- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None], pa.int64()),
        ([True, None], pa.bool_()),
        ([1, 2.5], pa.float64()),
        ([1, "a"], pa.string()),
        ([True, 1], pa.string()),
        ([2**70, 1], pa.string()),
    ],
)
def test_covariates_have_one_type(values, kind):
    column = column_of(values)
    assert column.type == kind and column.null_count == values.count(None)


def test_covariates_become_plain_values():
    values = [pd.Timestamp("2020-01-31"), float("nan"), pd.NA, True, pd.Series([3])[0]]
    assert [plain_value(value) for value in values] == ["2020-01-31 00:00:00", None, None, True, 3]


def test_identity_and_covariates_come_back(store):
    assays = load(store).assays
    assert assays["date"].tolist()[0] == "20200131" and pd.isna(assays["date"][1])
    assert assays["food"][0] == "agar" and pd.isna(assays["food"][1])
    assert assays["age"].tolist() == [96, 120] and assays["warm"].tolist() == [True, False]


@given(st.text(max_size=200))
def test_safe_names_stay_in_their_directory(assay):
    name = safe_name(assay)
    assert name and "/" not in name and not name.startswith(".") and len(name) <= 120
    assert name.isascii()


# -- reading --------------------------------------------------------------------------------------


def test_only_wanted_files_are_opened(store):
    rows = {one["assay"]: one for one in read_index(store)}
    os.unlink(store / rows["p1"]["bouts"])
    ethogram, _ = read_store(store, lambda one: one["assay"] == "p2")
    assert ethogram.assays["assay"].tolist() == ["p2"]
    with pytest.raises(DataError, match="damaged"):
        read_store(store)


def test_verdicts_count_before_the_index_has_them(store):
    rows = read_index(store)
    os.unlink(store / "assays.parquet")
    folder = store / ".pending-x"
    folder.mkdir()
    write_verdict(folder, "a", rows)
    (folder / "b.json").write_text("{")  # what a failing disk may leave
    assert read_state(store) == {rows[0]["source"]: rows}
    assert load(store).equals(Ethogram.from_bouts(BOUTS))


def test_the_checksum_depends_on_bouts_and_names_only(store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    tidy.write_bouts(Ethogram.from_bouts(BOUTS), tmp_path / "elsewhere" / "b.csv")
    ingest(tmp_path / "elsewhere", tmp_path / "twin")
    assert store_checksum(tmp_path / "twin") == store_checksum(store)
    BOUTS.assign(larva=["1", "3", "1"]).to_csv(tmp_path / "elsewhere" / "b.csv", index=False)
    ingest(tmp_path / "elsewhere", tmp_path / "twin")
    assert store_checksum(tmp_path / "twin") != store_checksum(store)


@pytest.mark.parametrize("keep", [0, 4, 100, 900])
def test_a_damaged_index_is_a_sentence(store, keep):
    path = store / "assays.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"assays\.parquet: the index of the store is damaged"):
        load(store)


def test_an_index_of_something_else_is_a_sentence(store):
    BOUTS.to_parquet(store / "assays.parquet")
    with pytest.raises(DataError, match="column effector is missing"):
        load(store)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"nonsense"])
def test_damaged_bouts_are_a_sentence(store, content):
    min((store / "bouts").iterdir()).write_bytes(content)
    with pytest.raises(DataError, match="the store is damaged"):
        load(store)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pristine")
    BOUTS.to_parquet(folder / "bouts.parquet")
    ingest(folder / "bouts.parquet", folder / "store")
    return folder / "store"


@given(st.integers(0, 2), st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1))
def test_flipped_bytes_are_a_sentence_or_do_no_harm(pristine, which, flips):
    with tempfile.TemporaryDirectory() as folder:
        mine = Path(shutil.copytree(pristine, Path(folder, "store")))
        path = [mine / "assays.parquet", *sorted((mine / "bouts").iterdir())][which]
        content = bytearray(path.read_bytes())
        for place, change in flips:
            content[int(place * (len(content) - 1))] ^= change
        path.write_bytes(content)
        try:
            ethogram = load(mine)
        except LarvastatsError as error:
            assert str(mine) in str(error)
        else:
            assert ethogram.n_bouts <= len(BOUTS)


def test_bouts_of_another_assay_are_a_sentence(store):
    one, two = sorted((store / "bouts").iterdir())
    one_bytes, two_bytes = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_bytes), two.write_bytes(one_bytes)
    ethogram = load(store)  # swapped files together still hold every bout
    assert ethogram.equals(Ethogram.from_bouts(BOUTS))
    one.write_bytes(one_bytes)
    with pytest.raises(DataError, match="the store is damaged"):
        load(store)


def test_an_empty_store_is_a_sentence(tmp_path):
    make_store(tmp_path / "store")
    assert is_store(tmp_path / "store") and not is_store(tmp_path)
    with pytest.raises(DataError, match="it is empty"):
        load(tmp_path / "store")


# -- writing --------------------------------------------------------------------------------------


def test_an_index_that_stays_the_same_is_not_written(store):
    path = store / "assays.parquet"
    before = path.stat()
    write_index(store, read_index(store))
    assert path.stat().st_ino == before.st_ino and path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_file(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_locks_is_a_sentence(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(DataError, match="cannot lock files"), locked(tmp_path):
        pass


def test_a_store_is_made_only_where_nothing_is(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="found a file"):
        make_store(tmp_path / "file")
    with pytest.raises(UsageError, match="'file'"):
        make_store(tmp_path)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / ".abc.part").write_text("")  # a kill right at the start
    make_store(tmp_path / "cut")
    assert json.loads((tmp_path / "cut" / "store.json").read_text())["version"] == 4
