"""LarvaTagger's label files: every variant met so far, round trips, and damage."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import larvatagger
from larvastats.io.larvatagger import parse as larvatagger_parse
from larvastats.io.paths import make_identity
from larvastats.io.tracks import Tracks

STAMP = "20150701_105504"
FOLDERS = f"t5/A@B/p_8_45s1x30s0s#n#n#n/{STAMP}"
NAMES = ["crawl", "bend", "stop"]


def document(labels=(1, 2, 3), t=(0, 0.1, 0.2), **more):
    """A label file of one larva."""
    track = {"id": "512", "t": list(t), "labels": list(labels)}
    metadata = {"id": STAMP, "genotype": "A", "effector": "B"}
    return {
        "metadata": metadata, "units": {"t": "s"}, "labels": {"names": NAMES}, "data": [track],
    } | more  # fmt: skip


def saved(tmp_path, content, name="predicted.label"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def states_of(tmp_path, content):
    """States of the first track, frame by frame."""
    run = larvatagger.load(saved(tmp_path, content)).runs[0]
    return [run.states[code] if code >= 0 else None for code in run.tracks[0].state]


# Labels.

SAME = {
    "positions": document(),
    "names": document(["crawl", "bend", "stop"]),
    "lists": document([[1], ["bend"], [3]]),
    "nested lists": document([[[1]], [[], ["bend", []]], [[3, "edited"]]]),
    "a list of names": document(labels=NAMES) | {"data": document()["data"]},
    "names with colours": document() | {"labels": {"names": NAMES, "colors": ["#000"] * 3}},
    "no list at all": {k: v for k, v in document(NAMES).items() if k != "labels"},
    "edited": document([[1, "edited"], ["edited", 2], 3]),
    "listed tags": document([[1, 4], [5, 2], 3]) | {"secondarylabels": ["edited", "unsure"]},
    "tags among the labels": document([1, 3, 4]) | {"labels": ["crawl", "edited", "bend", "stop"]},
    "whole floats": document([1.0, 2.0, 3.0]),
    "identity on top": document() | {"metadata": {"id": STAMP}, "genotype": "A", "effector": "B"},
    "one dependency": document() | {"dependencies": {"filename": "x.spine", "sha1": "0"}},
    "legacy": {"runs": {STAMP: document() | {"metadata": {"genotype": "A@B"}}}},
    "units outside": {
        "units": {"t": "s"},
        "labels": NAMES,
        "runs": {STAMP: {"genotype": "A", "effector": "B", "data": document()["data"]}},
    },
    "tracks by id": document() | {"data": {"512": {"t": [0, 0.1, 0.2], "labels": [1, 2, 3]}}},
    "a number as id": document() | {"data": [{"id": 512, "t": [0, 0.1, 0.2], "labels": [1, 2, 3]}]},
    "leading zeros": document()
    | {"data": [{"id": "00512", "t": [0, 0.1, 0.2], "labels": [1, 2, 3]}]},
    "no units": {k: v for k, v in document().items() if k != "units"},
}


@pytest.mark.parametrize("variant", SAME)
def test_variants_say_the_same(tmp_path, variant):
    path = saved(tmp_path, SAME[variant])
    assert larvatagger.sniff(path)
    assert states_of(tmp_path, SAME[variant]) == ["crawl", "bend", "stop"]
    ethogram = larvatagger.read(path)
    assert ethogram.states == ("run", "cast", "stop")
    assert ethogram.larvae["larva"].tolist() == ["512"]
    assay = ethogram.assays.iloc[0]
    assert assay[["assay", "genotype", "date", "time"]].tolist() == [
        STAMP, "A@B", "20150701", "105504",
    ]  # fmt: skip
    np.testing.assert_allclose(ethogram.t_start, [0, 0.1, 0.2])
    np.testing.assert_allclose(ethogram.t_stop, [0.1, 0.2, 0.3])


def test_undefined_frames_are_gaps(tmp_path):
    labels = [1, [], 1, None, "", ["edited"], 2]
    content = document(labels, t=np.arange(7) / 10)
    assert states_of(tmp_path, content) == ["crawl", None, "crawl", None, None, None, "bend"]
    ethogram = larvatagger.read(saved(tmp_path, content))
    np.testing.assert_allclose(ethogram.t_start, [0, 0.2, 0.6])
    np.testing.assert_allclose(ethogram.t_stop, [0.1, 0.3, 0.7])


def test_of_several_labels_the_first_that_is_no_tag_counts(tmp_path):
    file = larvatagger.load(saved(tmp_path, document([[1, 3], ["edited", 2, 1], [1, 1]])))
    assert [file.runs[0].states[c] for c in file.runs[0].tracks[0].state] == [
        "crawl", "bend", "crawl",
    ]  # fmt: skip
    assert "2 frames have several labels" in file.notes[0]


def test_labels_that_no_list_names_are_taken_and_said(tmp_path):
    file = larvatagger.load(saved(tmp_path, document(["crawl", "dance", "dance"])))
    assert file.runs[0].states == ("crawl", "bend", "stop", "dance")
    assert "the labels 'dance' occur" in file.notes[0]


def test_synonyms_and_short_bouts(tmp_path):
    path = saved(tmp_path, document([1, 1, 2, 1], t=[0, 1, 2, 3]))
    assert larvatagger.read(path, synonyms={}).states == ("bend", "crawl")
    assert larvatagger.read(path, synonyms={"crawl": "walk"}).states == ("bend", "walk")
    assert larvatagger.read(path, min_bout=1.5).n_bouts == 1


def test_several_runs_are_several_assays(tmp_path):
    one = document() | {"metadata": {"genotype": "A"}}
    ethogram = larvatagger.read(saved(tmp_path, {"runs": {STAMP: one, "20150701_120000": one}}))
    assert ethogram.assays["assay"].tolist() == [STAMP, "20150701_120000"]


# Who was recorded.


def test_the_path_fills_the_blanks(tmp_path):
    bare = document() | {"metadata": {"id": STAMP}}
    path = saved(tmp_path, bare, f"{FOLDERS}/predicted.label")
    assay = larvatagger.read(path).assays.iloc[0]
    assert assay["assay"] == FOLDERS
    assert assay["genotype"] == "A@B"
    nameless = saved(tmp_path, document() | {"metadata": {}}, f"{FOLDERS}/other.label")
    assert larvatagger.read(nameless).assays["assay"].tolist() == [FOLDERS]


def test_the_file_goes_before_the_path(tmp_path):
    path = saved(tmp_path, document() | {"metadata": {"id": STAMP, "genotype": "C@D"}},
                 f"{FOLDERS}/predicted.label")  # fmt: skip
    assert larvatagger.read(path).genotypes == ("C@D",)
    assert larvatagger.read(path, line="E@F").genotypes == ("E@F",)
    given = make_identity("t7", "G", "H", "p", STAMP)
    assert larvatagger.read(path, identity=given).assays["tracker"].tolist() == ["t7"]


def test_without_a_line_the_sentence_says_what_to_do(tmp_path):
    path = saved(tmp_path, document() | {"metadata": {"id": STAMP}})
    with pytest.raises(DataError, match="expected the line in the file or in the folder"):
        larvatagger.read(path)
    assert larvatagger.read(path, line="A").genotypes == ("A",)


# Files.


def test_content_decides_not_the_name(tmp_path):
    assert larvatagger.sniff(saved(tmp_path, document(), "x.txt"))
    assert larvatagger.sniff(saved(tmp_path, b"\xef\xbb\xbf \n" + json.dumps(document()).encode()))
    packed = saved(tmp_path, gzip.compress(json.dumps(document()).encode()), "x.label.gz")
    assert larvatagger.sniff(packed)
    assert larvatagger.read(packed).n_bouts == 3
    for other in (b"", b"[1]", b'{"a": {"labels": 1}}', b'{"metadata": 1}', b"assay,line\n"):
        assert not larvatagger.sniff(saved(tmp_path, other))
    assert not larvatagger.sniff(tmp_path / "nothing")


def test_label_files_beside_a_recording(tmp_path):
    for name in ("groundtruth.label", "a.json", "b.labels", "predicted.labels", "c.nyxlabel"):
        saved(tmp_path, document(), name)
    saved(tmp_path, {"lines": 3}, "truth.json")
    saved(tmp_path, document(), ".hidden.label")
    found = larvatagger.beside(tmp_path / "x.spine")
    assert [path.name for path in found] == [
        "predicted.labels", "groundtruth.label", "a.json", "b.labels", "c.nyxlabel",
    ]  # fmt: skip
    assert larvatagger.beside(tmp_path) == found
    with pytest.raises(UsageError, match="no such file"):
        larvatagger.beside(tmp_path / "nowhere" / "x.spine")


# Round trips.


def test_the_example_survives(shared_data, tmp_path):
    path = shared_data / "larvatagger_labels_example.json"
    file = larvatagger.load(path)
    larvatagger.write(file, tmp_path / "predicted.label")
    again = json.loads((tmp_path / "predicted.label").read_text())
    assert again == json.loads(path.read_text())
    ethogram = larvatagger.read(path, line="A")
    assert ethogram.to_bouts()["state"].astype(str).tolist() == ["run", "stop", "run"]
    np.testing.assert_allclose(ethogram.t_start, [66.675, 66.949, 67.039])


@pytest.mark.parametrize("variant", SAME)
def test_variants_and_unknown_keys_are_written_as_they_were(tmp_path, variant):
    content = SAME[variant] | {"new": {"key": [1, 2.5, None, "é", True]}, "software": "tagger"}
    path = saved(tmp_path, content)
    larvatagger.write(larvatagger.load(path), tmp_path / "again.label")
    assert json.loads((tmp_path / "again.label").read_text()) == content


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip


@given(extra=st.dictionaries(st.text(min_size=1).map(lambda k: f"x{k}"), JSON, max_size=4))
@settings(max_examples=40)
def test_any_extra_keys_survive(tmp_path_factory, extra):
    path = tmp_path_factory.mktemp("extra") / "x.label"
    path.write_text(json.dumps(document() | extra))
    larvatagger.write(larvatagger.load(path), path)
    assert json.loads(path.read_text()) == document() | extra


def recording(n=20, step=0.1):
    """Two larvae, with frames that are not quite regular."""
    rng = np.random.default_rng(3)
    t = np.round(np.arange(n) * step + rng.uniform(0, step / 3, n), 3)
    identity = make_identity("t5", "A", "B", "p_8_45s1x30s0s#n#n#n", STAMP)
    state = rng.integers(-1, 3, 2 * n)
    return Tracks.build(
        identity, ["7", "12"], np.repeat([0, 1], n), np.tile(t, 2), states=("run", "cast", "stop"),
        state=state,
    )  # fmt: skip


def test_tracks_are_written_frame_by_frame(tmp_path):
    tracks = recording()
    path = tmp_path / "predicted.label"
    larvatagger.write(tracks, path, colors=["#000000", "#111111", "#222222"])
    assert path.read_text().startswith('{"metadata":{"id":"20150701_105504","genotype":"A"')
    assert larvatagger.read(path).equals(tracks.to_ethogram()) is False  # the assay has its id
    run = larvatagger.load(path).runs[0]
    assert run.said == {
        "line": "A", "effector": "B", "tracker": "t5", "protocol": "p_8_45s1x30s0s#n#n#n",
    }  # fmt: skip
    np.testing.assert_array_equal(np.concatenate([x.state for x in run.tracks]), tracks.state)
    np.testing.assert_array_equal(np.concatenate([x.t for x in run.tracks]), tracks.t)
    again = larvatagger.read(path, identity=tracks.identity)
    assert again.equals(tracks.to_ethogram())


@given(
    st.lists(st.integers(-1, 2), min_size=3, max_size=40).filter(lambda s: max(s) >= 0),
    st.booleans(),
)
@settings(max_examples=40)
def test_an_ethogram_survives(tmp_path_factory, states, with_tracks):
    n = len(states)
    identity = make_identity("t5", "A", "B", "p", STAMP)
    tracks = Tracks.build(
        identity, ["7"], np.zeros(n, int), np.round(np.arange(n) * 0.1, 3),
        states=("run", "cast", "stop"), state=states,
    )  # fmt: skip
    ethogram = tracks.to_ethogram()
    path = tmp_path_factory.mktemp("ethogram") / "x.label"
    larvatagger.write(ethogram, path, dt=0.1, tracks=tracks if with_tracks else None)
    assert larvatagger.read(path, identity=identity).equals(ethogram)


def test_labels_reach_the_frames_of_a_recording(tmp_path):
    tracks = recording()
    larvatagger.write(tracks, tmp_path / "predicted.label")
    bare = Tracks.build(tracks.identity, tracks.larvae, tracks.larva_index, tracks.t)
    labelled = bare.with_states(larvatagger.read(tmp_path / "predicted.label"))
    np.testing.assert_array_equal(labelled.state, tracks.state)


def test_dependencies_have_checksums(tmp_path):
    (tmp_path / "x.spine").write_bytes(b"abc")
    larvatagger.write(recording(), tmp_path / "x.label", dependencies=[tmp_path / "x.spine"])
    assert json.loads((tmp_path / "x.label").read_text())["dependencies"] == [
        {"filename": "x.spine", "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d"}
    ]


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / "x.label"
    tracks = recording()
    bare = Tracks.build(tracks.identity, ["7"], [0], [0.0])
    two = pd.DataFrame(
        {"assay": ["p", "q"], "line": "A", "larva": "1", "state": "run", "t_start": 0.0,
         "t_stop": 1.0}
    )  # fmt: skip
    ethogram = Ethogram.from_bouts(two)
    with pytest.raises(UsageError, match="expected tracks with states"):
        larvatagger.write(bare, path)
    with pytest.raises(UsageError, match="holds one assay, but the ethogram has 2"):
        larvatagger.write(ethogram, path)
    with pytest.raises(UsageError, match="step must be a positive time in s, but is 0"):
        larvatagger.write(ethogram.select().subset([True, False]), path, dt=0)
    with pytest.raises(UsageError, match=r"one colour for each of the states run, cast, stop"):
        larvatagger.write(tracks, path, colors=["#000000"])
    with pytest.raises(UsageError, match="no such file"):
        larvatagger.write(tracks, path, dependencies=[tmp_path / "nothing"])
    file = larvatagger.load(saved(tmp_path, document(), "y.label"))
    with pytest.raises(UsageError, match="written as it is"):
        larvatagger.write(file, path, colors=["#000000"])
    huge = larvatagger.load(
        saved(tmp_path, json.dumps(document()).encode()[:-1] + b', "x": 1e999}')
    )
    with pytest.raises(DataError, match="cannot be written as JSON"):
        larvatagger.write(huge, path)
    assert not path.exists()


# What is refused.


def broken(**track):
    return document() | {"data": [{"id": "512", "t": [0, 1], "labels": [1, 2]} | track]}


REFUSED = {
    "empty": (b"", "expected the JSON of a label file"),
    "cut off": (json.dumps(document()).encode()[:-20], "damaged or cut off"),
    "no json": (b"larva,t\n1,2\n", "expected the JSON"),
    "not utf-8": (json.dumps(document()).encode() + b"\xff", r"UTF-8 text.*byte \d+"),
    "nan": (b'{"data": [{"id": "1", "t": [NaN], "labels": [1]}]}', "NaN is no number"),
    "deep": (b"[" * 100_000, "expected the JSON of a label file"),
    "long number": (b'{"data": ' + b"9" * 5000 + b"}", "expected the JSON"),
    "a list": ([], "but found a JSON list"),
    "a text": ("x", "but found a JSON text"),
    "runs": ({"runs": [1]}, "recordings by their ids under 'runs', but found a list of 1"),
    "no runs": ({"runs": {}}, "recordings by their ids"),
    "run": ({"runs": {"a": 3}}, "the labels of run 'a', but found 3"),
    "metadata": (document() | {"metadata": [1]}, "names and values in 'metadata'"),
    "no data": ({"labels": NAMES}, "expected a list of tracks in 'data', but found nothing"),
    "data": (document() | {"data": "x"}, "expected a list of tracks in 'data', but found 'x'"),
    "minutes": (document() | {"units": {"t": "min"}}, "expected times in seconds.*'min'"),
    "names": (document() | {"labels": {"names": [1]}}, "expected a list of names in 'labels'"),
    "same names": (document() | {"labels": ["a", "a"]}, "every label needs its own name"),
    "tags": (document() | {"secondarylabels": 1}, "list of names in 'secondarylabels'"),
    "no labels": (
        document() | {"data": [{"id": "1", "t": [0]}]}, "id, t and labels in track number 1",
    ),
    "track": (document() | {"data": [3]}, "in track number 1, but found 3"),
    "id": (broken(id=None), "expected an id of track number 1, but found nothing"),
    "truth as id": (broken(id=True), "an id of track number 1, but found True"),
    "path as id": (broken(id="../../x"), r"track id .*without / and .*'\.\./\.\./x'"),
    "path as run": (document() | {"metadata": {"id": "../x"}}, "id of the recording"),
    "fewer labels": (broken(labels=[1]), "expected 2 labels in track '512'.*found 1"),
    "labels": (broken(labels="x"), "expected 2 labels in track '512'.*found 'x'"),
    "time": (broken(t=[0, "1"]), "a time in seconds in frame 2 of track '512', but found '1'"),
    "no time": (broken(t=[0, None]), "frame 2 of track '512', but found nothing"),
    "truth as time": (broken(t=[0, True]), "frame 2 of track '512', but found True"),
    "endless time": (broken(t=[0, 10**400]), "frame 2 of track '512'"),
    "zero": (broken(labels=[1, 0]), "from 1 to 3 in frame 2 of track '512', but found 0"),
    "beyond": (broken(labels=[1, [4]]), "from 1 to 3 in frame 2 of track '512', but found 4"),
    "half": (broken(labels=[1, 1.5]), "frame 2 of track '512', but found 1.5"),
    "truth": (broken(labels=[1, True]), "frame 2 of track '512', but found True"),
    "object": (broken(labels=[1, {"a": 1}]), "frame 2 of track '512', but found an object"),
    "in a list": (broken(labels=[1, [{"a": 1}]]), "frame 2 of track '512', but found an object"),
    "surrogate": (broken(labels=[1, "\ud800"]), "expected a label of 1 to 255 printable"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_damaged_files_are_refused(tmp_path, case):
    content, words = REFUSED[case]
    path = saved(tmp_path, content)
    with pytest.raises(DataError, match=words) as caught:
        larvatagger.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_without_labels_have_no_ethogram(tmp_path):
    for labels, t in (([[], []], [0, 1]), ([], [])):
        path = saved(tmp_path, broken(labels=labels, t=t) | {"genotype": "A"})
        with pytest.raises(DataError, match="expected labelled frames"):
            larvatagger.read(path)
    path = saved(tmp_path, broken(t=[1, 1]) | {"genotype": "A"})
    with pytest.raises(DataError, match="frames come twice"):
        larvatagger.read(path)


def test_sizes_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(larvatagger.reader, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="larger than"):
        larvatagger.load(saved(tmp_path, document()))
    monkeypatch.undo()
    monkeypatch.setattr(larvatagger_parse, "MAX_STATES", 4)
    many = document([f"label {i}" for i in range(9)], t=range(9))
    with pytest.raises(DataError, match="more than 4 different ones by frame 2"):
        larvatagger.load(saved(tmp_path, many))


def test_one_frame_need_not_be_a_list(tmp_path):
    assert states_of(tmp_path, broken(t=0, labels=2)) == ["bend"]
    assert states_of(tmp_path, broken(t=0, labels=[2, "edited"])) == ["bend"]
    assert states_of(tmp_path, broken(t=[0], labels=2)) == ["bend"]
