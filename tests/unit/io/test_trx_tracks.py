"""Shapes in trx.mat files made here value by value, as MATLAB lays them out."""

import re

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import trx
from larvastats.io.paths import make_identity
from larvastats.io.trx import shapes as trx_shapes

HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Fri Jan 31 2020 HDF5 schema 1.00 ."
IDENTITY = make_identity("t15", "GMR_1", "UAS_X", "r_LED100_30s2x15s30s#n#n#n", "20200131_093000")
N = 4
VERTEBRAE = ("head", "neck_top", "neck", "neck_down", "tail")


def craft(path, larvae, *, direct=False):
    """Write a struct array: every larva a dict of values as they lie in HDF5."""
    with h5py.File(path, "w", userblock_size=512) as file:
        group, refs = file.create_group("trx"), file.create_group("#refs#")
        for field in larvae[0]:
            values = [np.asarray(larva[field]) for larva in larvae]
            if direct:
                group[field] = values[0]
                continue
            targets = [refs.create_dataset(f"{field}{i}", data=v) for i, v in enumerate(values)]
            references = np.array([[target.ref for target in targets]], dtype=h5py.ref_dtype)
            group.create_dataset(field, data=references)
    with open(path, "r+b") as raw:
        raw.write(HEADER)
    return path


def text(words):
    return np.array([[ord(character)] for character in words], dtype=np.uint16)


def larva(number=1, n=N, **fields):
    """One larva; every number tells larva, point, axis and frame apart."""
    base = 100 * number + 0.01 * np.arange(n)
    known = {
        "t": 0.1 * np.arange(n)[np.newaxis], "numero_larva_num": [[float(number)]],
        "id": text("20200131_093000"), "neuron": text("GMR_1"), "stimuli": text("UAS_X"),
        "protocol": text(IDENTITY.protocol), "pipeline": text("t15"),
        "global_state_large_state": np.resize([1.0, 1, 2, np.nan], n)[np.newaxis],
        "x_spine": base + np.arange(11)[:, np.newaxis],
        "y_spine": -base - np.arange(11)[:, np.newaxis],
        "x_contour": outline(base), "y_contour": -outline(base),
        "x_center": (base + 5)[np.newaxis], "y_center": (-base - 5)[np.newaxis],
        "S_smooth_5": np.linspace(0, number, n)[np.newaxis],
    }  # fmt: skip
    return known | fields


def outline(base, width=500):
    """In frame k the k + 2 first vertices, closed, and NaN; frame 0 has none."""
    x = np.full((width, len(base)), np.nan)
    for k in range(1, len(base)):
        x[: k + 2, k] = base[k] + np.arange(k + 2)
        x[k + 2, k] = x[0, k]
    return x


def reads(tmp_path, larvae, direct=False, **options):
    (tracks,) = trx.read_tracks(craft(tmp_path / "trx.mat", larvae, direct=direct), **options)
    return tracks


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_larvae", [1, 2])
def test_values_find_their_places(tmp_path, n_larvae):
    larvae = [larva(k + 1) for k in range(n_larvae)]
    tracks = reads(tmp_path, larvae, direct=n_larvae == 1)
    assert tracks.identity == IDENTITY
    assert tracks.larvae == ("1", "2")[:n_larvae]
    assert tracks.larva_index.tolist() == np.repeat(np.arange(n_larvae), N).tolist()
    assert (tracks.length_unit, tracks.notes) == ("mm", ())
    for k, own in enumerate(larvae):
        frames = slice(k * N, (k + 1) * N)
        np.testing.assert_array_equal(tracks.t[frames], own["t"][0])
        np.testing.assert_array_equal(tracks.midline[frames, :, 0], own["x_spine"].T)
        np.testing.assert_array_equal(tracks.midline[frames, 0, 1], own["y_spine"][0])  # the head
        np.testing.assert_array_equal(tracks.centroid[frames, 0], own["x_center"][0])
        np.testing.assert_array_equal(tracks.features["S_smooth_5"][frames], own["S_smooth_5"][0])
    assert set(tracks.features) == {"S_smooth_5"}
    assert [tracks.states[code] if code >= 0 else None for code in tracks.state[:N]] == [
        "run", "run", "cast", None,
    ]  # fmt: skip


def test_outlines_are_open_and_unpadded(tmp_path):
    tracks = reads(tmp_path, [larva(1), larva(2)])
    assert tracks.contour.counts.tolist() == [0, 3, 4, 5] * 2
    own = tracks.contour.padded()[N + 2, :4]
    expected = 200.02 + np.arange(4)
    np.testing.assert_allclose(own, np.stack((expected, -expected), axis=1), rtol=1e-6)
    assert tracks.contour.vertices.dtype == np.float32


def test_an_outline_that_is_not_closed_keeps_its_last_vertex(tmp_path):
    x = np.array([[0.0, 5], [1, 5], [1, np.nan], [np.nan, np.nan]])
    y = np.array([[0.0, 6], [0, 6], [1, np.nan], [7, np.nan]])
    tracks = reads(tmp_path, [larva(n=2, x_contour=x, y_contour=y)])
    assert tracks.contour.counts.tolist() == [3, 1]
    np.testing.assert_array_equal(tracks.contour.vertices, [[0, 0], [1, 0], [1, 1], [5, 6]])


def vertebrae():
    return {
        f"{axis}_{name}": np.full((1, N), 10.0 * k + (axis == "y"))
        for k, name in enumerate(VERTEBRAE)
        for axis in "xy"
    }


def without(one, *names):
    return {name: value for name, value in one.items() if name not in names}


def test_vertebrae_stand_in_for_a_spine(tmp_path):
    one = without(larva(), "x_spine") | vertebrae()
    tracks = reads(tmp_path, [one])
    np.testing.assert_array_equal(tracks.midline[2], [[10 * k, 10 * k + 1] for k in range(5)])
    assert "no spine; its five vertebrae are the midline" in tracks.notes[0]
    assert set(tracks.features) == {"S_smooth_5"}
    only_series = reads(tmp_path, [one], shapes=["features"])
    assert only_series.midline is None
    assert only_series.units["x_neck_down"] == "mm"


def test_beside_a_spine_vertebrae_are_features(tmp_path):
    tracks = reads(tmp_path, [larva() | vertebrae()])
    assert tracks.midline.shape == (N, 11, 2)
    assert set(tracks.features) == {"S_smooth_5", *vertebrae()}
    assert (tracks.units["y_tail"], tracks.units["S_smooth_5"]) == ("mm", "")


def test_what_is_absent_is_none(tmp_path):
    names = ("x_contour", "y_spine", "x_center", "S_smooth_5", "global_state_large_state")
    tracks = reads(tmp_path, [without(larva() | vertebrae(), *names, "y_tail")])
    found = (tracks.midline, tracks.contour, tracks.centroid, tracks.state, tracks.states)
    assert found == (None, None, None, None, ())
    assert {"y_center", "x_head"} <= set(tracks.features)
    assert len(tracks.notes) == 1 and "its frames have no states" in tracks.notes[0]
    assert not tracks.bad_frames().any()
    with pytest.raises(DataError, match="shapes but no states"):
        tracks.to_ethogram()


def test_labels_may_be_left_out(tmp_path):
    tracks = reads(tmp_path, [larva()], labels=None)
    assert (tracks.state, tracks.states, tracks.notes) == (None, (), ())
    strong = reads(tmp_path, [larva()], labels="strong")
    assert strong.state is None
    assert "expected labels in global_state_small_large_state" in strong.notes[0]


def test_series_are_told_from_other_fields(tmp_path):
    others = {
        "eig_deriv_smooth_5": np.ones((1, N)), "own_series": np.ones((N, 1)),
        "run_large": np.ones((1, N)), "small_motion": np.ones((1, N)),
        "n_duration": np.ones((1, N + 3)), "proba_global_state": np.ones((7, N)),
        "marks": np.ones((1, N), np.uint16), "first": [[3.0]], "none": np.zeros((0, 0)),
    }  # fmt: skip
    tracks = reads(tmp_path, [larva(1) | others, larva(2) | others])
    assert set(tracks.features) == {"S_smooth_5", "eig_deriv_smooth_5", "own_series"}
    assert set(tracks.units) == set(tracks.features)


def test_a_series_of_some_larvae_only_is_left_out(tmp_path):
    larvae = [larva(1, own=np.ones((1, 2))), larva(2, n=9, own=np.ones((1, 9)))]
    tracks = reads(tmp_path, larvae)
    assert "own" not in tracks.features
    assert "field 'own' is a series of some larvae only" in tracks.notes[0]


def test_fields_of_any_kind_are_passed_by(tmp_path):
    path = craft(tmp_path / "trx.mat", [larva(1), larva(2)])
    with h5py.File(path, "r+") as file:
        file["trx"].create_group("options")
        lost = np.array([[h5py.Reference()] * 2], dtype=h5py.ref_dtype)
        file["trx"].create_dataset("lost", data=lost)
        inner = file["#refs#"].create_dataset("cell", data=lost)
        cells = np.array([[inner.ref] * 2], dtype=h5py.ref_dtype)
        file["trx"].create_dataset("cells", data=cells)
    assert set(trx.read_tracks(path)[0].features) == {"S_smooth_5"}


def test_frames_without_time_are_left_out_everywhere(tmp_path):
    t = 0.1 * np.arange(N)
    t[1] = np.nan
    one = larva(t=t[np.newaxis])
    tracks = reads(tmp_path, [one, larva(2)])
    whole = reads(tmp_path, [larva(), larva(2)])
    keep = np.array([True, False, True, True] + [True] * N)
    for name in ("t", "midline", "centroid", "state", "larva_index"):
        np.testing.assert_array_equal(getattr(tracks, name), getattr(whole, name)[keep])
    np.testing.assert_array_equal(tracks.contour.vertices, whole.contour.take(keep).vertices)
    np.testing.assert_array_equal(tracks.features["S_smooth_5"], whole.features["S_smooth_5"][keep])


def test_only_the_fields_asked_for_are_touched(tmp_path):
    path = craft(tmp_path / "trx.mat", [larva(1), larva(2)])
    with h5py.File(path, "r+") as file:
        for name in ("x_contour", "S_smooth_5", "global_state_large_state"):
            del file["trx"][name]
            file["trx"][name] = h5py.SoftLink("/nowhere")
    (tracks,) = trx.read_tracks(path, None, shapes=["midline"])
    assert tracks.midline.shape == (2 * N, 11, 2)
    assert (tracks.contour, tracks.centroid, dict(tracks.features)) == (None, None, {})
    with pytest.raises(DataError, match="found a link"):
        trx.read_tracks(path, None)


def test_one_recording_per_assay(tmp_path):
    day = {"id": text("20200201_093000")}
    larvae = [larva(1), larva(1, n=2, **day), larva(2), larva(3, n=0, id=text("lost")),
              larva(2, n=3, **day)]  # fmt: skip
    first, second = trx.read_tracks(craft(tmp_path / "trx.mat", larvae))
    assert (first.identity.date, second.identity.date) == ("20200131", "20200201")
    assert (first.larvae, second.larvae) == (("1", "2"), ("1", "2"))
    assert second.larva_index.tolist() == [0, 0, 1, 1, 1]
    np.testing.assert_array_equal(second.midline[3, :, 0], larvae[4]["x_spine"][:, 1])
    np.testing.assert_array_equal(first.midline[N + 1, :, 0], larvae[2]["x_spine"][:, 1])
    assert second.contour.counts.tolist() == [0, 3, 0, 3, 4]


def test_one_larva_in_two_elements(tmp_path):
    later = larva(1, t=0.1 * np.arange(10, 10 + N)[np.newaxis], S_smooth_5=np.full((1, N), 7.0))
    tracks = reads(tmp_path, [later, larva(2), larva(1)])
    assert tracks.larvae == ("1", "2")
    assert tracks.features["S_smooth_5"][:N].tolist() == larva(1)["S_smooth_5"][0].tolist()
    assert tracks.features["S_smooth_5"][N : 2 * N].tolist() == [7] * N
    with pytest.raises(DataError, match="frames come twice"):
        reads(tmp_path, [larva(1), larva(1)])


def test_without_a_line_there_are_shapes_all_the_same(tmp_path):
    one = larva(neuron=text(" "))
    assert reads(tmp_path, [one]).identity.line == ""
    path = craft(tmp_path / "trx.mat", [one])
    with pytest.raises(DataError, match="expected the line in the field 'neuron'"):
        trx.read(path)
    (tracks,) = trx.read_tracks(path, identity=make_identity("t5", "Z", "E", "p", "20190101_0"))
    assert tracks.identity.line == "Z"


# -- read and read_tracks --------------------------------------------------------------------------


@st.composite
def recordings(draw):
    """Larvae of up to two assays with lost frames and frames that nobody labelled."""
    frame = st.tuples(st.integers(1, 5), st.sampled_from([1.0, 1.0, 2.0, 7.0, 0.0, np.nan]))
    assay = st.sampled_from(["20200131_093000", "plate"])
    larva = st.tuples(assay, st.lists(frame, min_size=1, max_size=12), st.integers(0, 20))
    return draw(st.lists(larva, min_size=1, max_size=4))


def laid_out(number, assay, frames, lost):
    """Larva as it lies in a file; frame `lost`, where there is one, has no time."""
    steps, codes = np.array(frames).T
    t = np.cumsum(steps) * 0.1
    t[lost : lost + 1] = np.nan
    labels = {"global_state_large_state": codes[np.newaxis]}
    return larva(number, n=len(t), t=t[np.newaxis], id=text(assay), **labels)


def bouts_of(larvae):
    """The same ethogram by another way: unlabelled frames as a state that is dropped at the end."""
    rows = [
        {"assay": IDENTITY.assay if len(one["id"]) > 5 else "plate", "line": "GMR_1", "larva": k,
         "t": t, "state": {1.0: "run", 2.0: "cast", 7.0: "small_motion"}.get(code, "open")}
        for k, one in enumerate(larvae, 1)
        for t, code in zip(one["t"][0], one["global_state_large_state"][0], strict=True)
        if np.isfinite(t)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["assay", "line", "larva", "t", "state"])
    table = table[(table["state"] != "open").groupby(table["assay"]).transform("any")]
    if not len(table):
        return None
    parts = [Ethogram.from_frames(own.astype({"larva": str})) for _, own in table.groupby("assay")]
    bouts = pd.concat([plain(part) for part in parts])
    return bouts[bouts["state"] != "open"].reset_index(drop=True)


def plain(ethogram):
    """Bouts in order, in columns without categories."""
    bouts = ethogram.to_bouts()[["assay", "larva", "state", "t_start", "t_stop"]]
    bouts = bouts.astype({"assay": str, "larva": str, "state": str})
    return bouts.sort_values(["assay", "larva", "t_start"], ignore_index=True)


@given(recordings())
def test_read_is_the_ethogram_of_the_tracks(tmp_path_factory, drawn):
    larvae = [laid_out(number, *one) for number, one in enumerate(drawn, 1)]
    path = craft(tmp_path_factory.mktemp("trx") / "trx.mat", larvae)
    expected = bouts_of(larvae)
    if expected is None:
        with pytest.raises(DataError, match="no larva has one"):
            trx.read(path)
        return
    ethogram = trx.read(path)
    pd.testing.assert_frame_equal(plain(ethogram), expected)
    for one in trx.read_tracks(path):
        if (one.state >= 0).any():
            keep = (ethogram.assays["assay"] == one.identity.assay).to_numpy()
            pd.testing.assert_frame_equal(plain(one.to_ethogram()), plain(ethogram.subset(keep)))


# -- what is wrong ---------------------------------------------------------------------------------


def wide(name, shape):
    return {name: np.ones(shape)}


WRONG = {
    "spine of another length": (wide("x_spine", (11, 3)), r"4 frames.*'x_spine'.*\(11, 3\)"),
    "spine upside down": (wide("y_spine", (N, 11)), r"\(point, frame\).*'y_spine'.*\(4, 11\)"),
    "spine of no point": (wide("x_spine", (0, N)), r"'x_spine', but its shape is \(0, 4\)"),
    "spine as a series": (wide("x_spine", (N,)), r"'x_spine', but its shape is \(4,\)"),
    "other points in y": (wide("y_spine", (5, N)), "11 points per spine.*found 5.*'y_spine'"),
    "text for a spine": ({"x_spine": np.array([[b"abc"] * N] * 11)}, "numbers in field 'x_spine'"),
    "outlines of another length": (wide("x_contour", (500, 5)), r"'x_contour'.*\(500, 5\)"),
    "y of other outlines": (
        wide("y_contour", (400, N)), "as many vertices in y_contour.*found 400 and 500",
    ),
    "centroid of another length": (
        wide("x_center", (1, 3)), "4 values in field 'x_center' of larva number 2.*found 3",
    ),
    "a kinematic series of another length": (
        wide("S_smooth_5", (1, 3)), "expected 4 values in field 'S_smooth_5' of larva number 2",
    ),
    "a matrix for a series": (wide("S_smooth_5", (2, N)), r"a series.*'S_smooth_5'.*\(2, 4\)"),
    "far away": ({"x_spine": np.full((11, N), 1e9)}, "coordinates of the midline in mm"),
    "infinite": ({"x_contour": np.full((500, N), np.inf)}, "coordinates of the contour in mm"),
    "unknown label": ({"global_state_large_state": np.full((1, N), 77.0)}, "label .first: 77"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_shapes_are_refused_in_a_sentence(tmp_path, case):
    fields, words = WRONG[case]
    path = craft(tmp_path / "trx.mat", [larva(1), larva(2) | fields])
    with pytest.raises(DataError, match=words) as caught:
        trx.read_tracks(path)
    assert re.fullmatch(re.escape(str(path)) + r": .*\.", str(caught.value))


@pytest.mark.parametrize("name", ["x_spine", "y_contour", "x_center", "S_smooth_5"])
@pytest.mark.parametrize("how", ["null", "group", "count", "huge"])
def test_wrong_references_are_refused_in_a_sentence(tmp_path, name, how):
    path = craft(tmp_path / "trx.mat", [larva(1), larva(2)])
    with h5py.File(path, "r+") as file:
        good, count = file["trx"][name][0, 0], 3 if how == "count" else 2
        bad = {"null": h5py.Reference(), "group": file["trx"].ref}.get(how, good)
        if how == "huge":
            rows = 1 if name in ("x_center", "S_smooth_5") else 11
            bad = file["#refs#"].create_dataset("huge", (rows, 10**12), "f8", chunks=(1, 10**6)).ref
        del file["trx"][name]
        file["trx"].create_dataset(name, data=np.array([[bad] * count], dtype=h5py.ref_dtype))
    words = {"count": "expected 2 references.*found 3", "huge": "shape is|declares more than"}
    with pytest.raises(DataError, match=words.get(how, f"field '{name}' leads nowhere")):
        trx.read_tracks(path)


def test_more_points_than_any_recording_has(tmp_path, monkeypatch):
    path = craft(tmp_path / "trx.mat", [larva(1), larva(2)])
    monkeypatch.setattr(trx_shapes, "MAX_VALUES", 20)
    for shape, words in (
        ("midline", "8 spines of 11 points are more"),
        ("contour", "the outlines have more than 20 coordinates"),
    ):
        with pytest.raises(DataError, match=words):
            trx.read_tracks(path, shapes=[shape])
    monkeypatch.setattr(trx_shapes, "MAX_VALUES", 2)
    with pytest.raises(DataError, match="its series have more than 2 values"):
        trx.read_tracks(path, shapes=["features"])


def test_wrong_calls(tmp_path):
    path = craft(tmp_path / "trx.mat", [larva()])
    with pytest.raises(
        UsageError, match="Shapes are among midline, contour, features, but not 'spine'"
    ):
        trx.read_tracks(path, shapes=["spine"])
    with pytest.raises(UsageError, match="--labels must be one of"):
        trx.read_tracks(path, "small")
    with pytest.raises(DataError, match="expected frames, but no larva has one"):
        trx.read_tracks(craft(tmp_path / "empty.mat", [larva(n=0)]))
