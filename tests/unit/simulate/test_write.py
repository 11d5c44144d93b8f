import errno
import json
import os
from pathlib import Path

import pytest

from larvastats.errors import DataError, UsageError
from larvastats.simulate.design import ScreenDesign
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import light_screen
from larvastats.simulate.write import replaced, write_screen


@pytest.fixture(scope="module")
def small():
    design = ScreenDesign(light_screen(), ("A",), dates=1, assays_per_line=1, larvae=3,
                          control_assays_per_date=1)  # fmt: skip
    return simulate_ethogram(design, 0)


def names(directory):
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())


def test_an_earlier_simulation_is_replaced_as_a_whole(small, tmp_path):
    target = tmp_path / "deep" / "screen"
    write_screen(*small, target, "trx")
    assert len(names(target)) == 3
    write_screen(*small, target, "tidy")
    assert names(target) == ["bouts.parquet", "truth.json"]
    assert os.listdir(target.parent) == ["screen"]
    assert json.loads((target / "truth.json").read_text())["program"] == "larvastats simulate"


def test_an_empty_directory_and_a_link_to_one_are_used(small, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    write_screen(*small, tmp_path / "link", "tidy")
    assert names(tmp_path / "empty") == ["bouts.parquet", "truth.json"]
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"notes.txt": "mine"}, r"it holds notes\.txt"),
        ({"truth.json": "{}"}, r"it holds truth\.json"),
        ({"truth.json": "not json"}, r"it holds truth\.json"),
        ({"truth.json": '{"program": "larvastats simulate"}', "sub/a.csv": "x"},
         r"it holds sub/a\.csv"),
    ],
)  # fmt: skip
def test_what_is_no_simulation_is_left_alone(small, tmp_path, files, words):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=words):
        write_screen(*small, tmp_path, "tidy")
    assert names(tmp_path) == sorted(files)


def test_a_file_in_the_way_is_one_sentence(small, tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(UsageError, match="expected a directory to write to, found a file"):
        write_screen(*small, tmp_path / "taken", "tidy")


def test_a_full_disk_leaves_the_old_simulation_whole(small, tmp_path, monkeypatch):
    target = tmp_path / "screen"
    write_screen(*small, target, "tidy")
    old = (target / "bouts.parquet").read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match=r"screen: the simulation cannot be written \(No space"):
        write_screen(*small, target, "tidy")
    assert (target / "bouts.parquet").read_bytes() == old
    assert os.listdir(tmp_path) == ["screen"]


def test_the_sentence_never_names_the_temporary_directory(small, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("larvastats.io.tidy.reader.write_parquet", full)
    with pytest.raises(DataError, match=r"screen/bouts\.parquet.*No space") as caught:
        write_screen(*small, tmp_path / "screen", "tidy")
    assert ".part" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_hold_a_directory_is_one_sentence(small, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        write_screen(*small, tmp_path / "file" / "screen", "tidy")


def test_an_interruption_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt), replaced(tmp_path / "screen") as folder:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_failed_swap_brings_the_old_simulation_back(small, tmp_path, monkeypatch):
    target = tmp_path / "screen"
    write_screen(*small, target, "tidy")
    rename = Path.rename

    def refuse(path, to):
        if path.name.endswith(".part"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        write_screen(*small, target, "trx")
    assert names(target) == ["bouts.parquet", "truth.json"]
    assert os.listdir(tmp_path) == ["screen"]
