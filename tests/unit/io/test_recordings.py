"""Which files belong together."""

from pathlib import Path

import pytest

from larvastats.errors import UsageError
from larvastats.io.formats import recording_of, recordings_in
from larvastats.io.recordings import still_there

LABELS = '{"metadata":{"id":"x"},"labels":["run"],"data":[]}'
SPINE = "20200131_093000 1 0.1 " + " ".join(["1.0"] * 22) + "\n"
SCHLEYER = ", ".join(["1"] * 78) + "\n"


@pytest.fixture
def folder(tmp_path):
    def make(**files):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        return tmp_path

    return lambda files: make(**files)


def found(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {
        r.path.name: ([f.name for f in r.files], [f.name for f in r.labels])
        for r in recordings_in(files)
    }


def test_most_files_are_a_recording_of_their_own(folder):
    files = folder({"a.csv": "x", "b.mat": "x", "c.txt": "x"})
    assert found(files) == {name: ([name], []) for name in ("a.csv", "b.mat", "c.txt")}


def test_spine_and_outline_are_one_and_the_spine_names_it(folder):
    files = folder({"p.outline": SPINE, "p.spine": SPINE, "q.spine": SPINE, "p.dat": "0 1\n"})
    assert found(files) == {
        "p.dat": (["p.dat"], []),
        "p.spine": (["p.spine", "p.outline"], []),
        "q.spine": (["q.spine"], []),
    }


def test_one_file_per_larva(folder):
    names = [f"p.{n:05d}.{kind}" for kind in ("spine", "outline") for n in (1, 2)]
    files = folder(dict.fromkeys(names, SPINE))
    assert found(files) == {"p.*.spine": (names, [])}


def test_a_dish_of_larvae_but_not_every_table_with_such_a_name(folder):
    files = folder({"d_2.csv": SCHLEYER, "d_10.csv": SCHLEYER, "d_3.csv": "assay,line\n"})
    assert found(files) == {"d_*.csv": (["d_10.csv", "d_2.csv"], []), "d_3.csv": (["d_3.csv"], [])}


def test_labels_belong_to_the_recordings_beside_them_the_most_useful_first(folder):
    files = folder(
        {"p.spine": SPINE, "a.label": LABELS, "groundtruth.label": LABELS, "notes.csv": "x",
         "predicted.labels": LABELS, "other.json": "{}"}
    )  # fmt: skip
    labels = ["predicted.labels", "groundtruth.label", "a.label"]
    assert found(files)["p.spine"] == (["p.spine"], labels)
    assert found(files)["notes.csv"] == (["notes.csv"], [])
    assert set(found(files)) == {"p.spine", "notes.csv", "other.json"}


def test_labels_alone_are_recordings(folder, tmp_path):
    files = folder({"a.label": LABELS, "b.label": LABELS})
    assert found(files) == {"a.label": (["a.label"], []), "b.label": (["b.label"], [])}


def test_in_a_database_a_folder_of_labels_is_one_assay(tmp_path):
    place = tmp_path / "t5" / "A@E" / "p_8_45s1x30s0s#n#n#n" / "20200131_093000"
    place.mkdir(parents=True)
    for name in ("groundtruth.label", "predicted.label"):
        (place / name).write_text(LABELS)
    assert found(place) == {"predicted.label": (["predicted.label"], [])}


def test_a_file_opens_its_recording(folder):
    files = folder({"p.outline": SPINE, "p.spine": SPINE, "predicted.label": LABELS})
    recording = recording_of(files / "p.outline")
    assert recording.path.name == "p.spine"
    assert [file.name for file in recording.labels] == ["predicted.label"]
    assert recording_of(files / "predicted.label").files == (files / "predicted.label",)


def test_recordings_of_other_folders_stay_apart(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.spine").write_text(SPINE)
    (tmp_path / "a" / "predicted.label").write_text(LABELS)
    one, two = recordings_in(sorted(tmp_path.rglob("*.*")))
    assert (one.path.parent.name, len(one.labels)) == ("a", 1)
    assert (two.path.parent.name, len(two.labels)) == ("b", 0)


def test_size_time_and_checksum_see_every_file(folder):
    files = folder({"p.outline": SPINE, "p.spine": SPINE})
    alone = recording_of(files / "p.spine")
    before, checksum = alone.size_and_time(), alone.checksum()
    (files / "p.outline").write_text(SPINE * 2)
    assert alone.size_and_time()[0] == before[0] + len(SPINE)
    assert alone.checksum() != checksum


def test_what_is_gone_is_said_in_a_sentence(folder):
    files = folder({"p.spine": SPINE})
    recording = recording_of(files / "p.spine")
    (files / "p.spine").unlink()
    with pytest.raises(UsageError, match="no such file"):
        recording.size_and_time()


def test_a_recording_is_there_as_long_as_a_file_of_it_is(folder):
    files = folder({"p.00001.spine": SPINE, "p.00002.spine": SPINE})
    assert still_there(str(files / "p.*.spine"))
    (files / "p.00001.spine").unlink()
    assert still_there(str(files / "p.*.spine"))
    (files / "p.00002.spine").unlink()
    assert not still_there(str(files / "p.*.spine"))
    assert not still_there(str(files / "gone" / "p.*.spine"))
    assert not still_there(str(files / "p.spine"))
