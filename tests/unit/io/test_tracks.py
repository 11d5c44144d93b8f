"""Shapes in memory: what fits together, what is refused, and the way to and from states."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.contours import Contours
from larvastats.io.identity import checked_name, settle
from larvastats.io.labelling import states_at
from larvastats.io.paths import AssayIdentity, make_identity
from larvastats.io.tracks import Tracks, join

IDENTITY = make_identity("t5", "A", "B", "p_8_45s1x30s0s#n#n#n", "20150701_105504")


def tracks(t=(0, 0.1, 0.2, 0, 0.1), index=(0, 0, 0, 1, 1), larvae=("7", "12"), **more):
    return Tracks.build(IDENTITY, larvae, index, t, source="x.spine", **more)


def shapes(n):
    """Every kind of array of a recording, with values that tell the frames apart."""
    frame = np.arange(n, dtype=float)
    midline = np.stack((frame[:, np.newaxis] + np.arange(11), np.ones((n, 11))), axis=2)
    counts = np.arange(n) % 4
    vertices = np.repeat(frame, counts)[:, np.newaxis] * [1, 2]
    return {
        "midline": midline,
        "contour": Contours.from_counts(vertices, counts),
        "centroid": midline[:, 5],
        "features": {"area": frame},
        "units": {"area": "mm2"},
        "states": ("run", "cast"),
        "state": frame % 2,
    }


def test_frames_in_any_order_are_sorted_with_all_their_shapes():
    whole = tracks(**shapes(5))
    order = np.array([3, 1, 4, 0, 2])
    mixed = shapes(5)
    for name in ("midline", "centroid", "state"):
        mixed[name] = mixed[name][order]
    mixed["contour"] = mixed["contour"].take(order)
    mixed["features"] = {"area": mixed["features"]["area"][order]}
    t, index = np.array([0, 0.1, 0.2, 0, 0.1])[order], np.array([0, 0, 0, 1, 1])[order]
    again = tracks(t, index, **mixed)
    for name in ("larva_index", "t", "midline", "centroid", "state"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    np.testing.assert_array_equal(again.contour.vertices, whole.contour.vertices)
    np.testing.assert_array_equal(again.features["area"], whole.features["area"])


def test_larvae_without_frames_are_dropped():
    found = tracks(larvae=("7", "9", "12"), index=(0, 0, 0, 2, 2))
    assert found.larvae == ("7", "12")
    assert found.larva_index.tolist() == [0, 0, 0, 1, 1]


def test_arrays_cannot_be_written_to_but_the_callers_can():
    t = np.arange(5.0)
    found = tracks(t, **shapes(5))
    with pytest.raises(ValueError, match="read-only"):
        found.t[0] = 9
    with pytest.raises(ValueError, match="read-only"):
        found.features["area"][0] = 9
    t[0] = -1


REFUSED = {
    "no frame": (dict(t=(), index=()), "at least one frame"),
    "lengths": (dict(t=(0, 1)), r"expected 2 frames of larva_index.*\(5,\)"),
    "midline": (dict(midline=np.zeros((5, 22))), r"5 frames of midline.*\(5, 22\)"),
    "points in space": (dict(midline=np.zeros((5, 11, 3))), r"midline.*\(5, 11, 3\)"),
    "feature": (dict(features={"area": np.zeros(4)}), "5 frames of feature area"),
    "contours": (dict(contour=Contours.from_counts(np.zeros((3, 2)), [3])), "5 contours"),
    "larva": (dict(index=(0, 0, 0, 1, 2)), "every frame needs a larva"),
    "twins": (dict(larvae=("7", "7")), "its own id"),
    "state": (dict(states=("run",), state=np.ones(5)), "that the vocabulary lacks"),
    "no time": (
        dict(t=(0, np.nan, 0.2, 0, 0.1)), r"a time in seconds.*1 of 5.*larva '7' at nan s",
    ),
    "twice": (dict(t=(0, 0.1, 0.1, 0, 0.1)), r"1 frames come twice.*larva '7' at 0.1 s"),
    "far away": (
        dict(midline=np.full((5, 11, 2), 2e6)), "coordinates of the midline in mm.*5 of 5",
    ),
    "infinite": (
        dict(contour=Contours.from_counts(np.full((5, 2), 1e300), np.ones(5, int))),
        "coordinates of the contour",
    ),
    "path": (dict(larvae=("7", "../12")), r"larva id .*without / and .*'\.\./12'"),
    "dots": (dict(larvae=("7", "..")), r"larva id"),
    "blank": (dict(larvae=("7", " ")), "1 to 255 printable characters"),
    "lone surrogate": (dict(larvae=("7", "\ud800")), r"'\\ud800'"),
    "line break": (dict(larvae=("7", "a\nb")), "printable"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    arguments, words = REFUSED[case]
    with pytest.raises(DataError, match=words) as caught:
        tracks(**arguments)
    assert str(caught.value).startswith("x.spine: ")


def test_errors_name_the_row_of_the_file():
    rows = np.array([11, 12, 13, 14, 15])
    with pytest.raises(DataError, match=r"larva '12' at 0 s, row 15"):
        tracks((0, 0.1, 0.2, 0, 0), rows=rows)
    with pytest.raises(DataError, match=r"larva '7' at inf s, row 12"):
        tracks((0, np.inf, 0.2, 0, 0.1), rows=rows)


def test_nan_is_a_shape_that_was_lost():
    lost = np.full((5, 11, 2), np.nan)
    found = tracks(midline=lost, centroid=lost[:, 0])
    assert np.isnan(found.midline).all()


# Bad frames and units.


def test_a_midline_with_a_nan_is_a_bad_frame():
    midline = np.zeros((5, 11, 2))
    midline[1, 4, 0] = np.nan
    midline[3] = np.nan
    contour = Contours.from_counts(np.zeros((0, 2)), np.zeros(5, int))
    found = tracks(midline=midline, contour=contour)
    assert found.bad_frames().tolist() == [False, True, False, True, False]
    assert found.take(np.array([3, 4])).bad_frames().tolist() == [True, False]


def test_without_midlines_outlines_decide():
    contour = Contours.from_counts(np.zeros((13, 2)), np.array([4, 3, 2, 0, 4]))
    assert tracks(contour=contour).bad_frames().tolist() == [False, False, True, True, False]
    plain = tracks(features={"area": np.full(5, np.nan)})
    assert plain.bad_frames().tolist() == [False] * 5
    assert plain.bad_frames().dtype == bool


def test_the_unit_of_length_is_kept():
    found = tracks((0.1, 0, 0.2, 0, 0.1), length_unit="px", centroid=np.zeros((5, 2)))
    assert found.length_unit == "px"
    assert found.take(np.array([0])).length_unit == "px"
    assert found.with_states(Ethogram.from_bouts(bouts())).length_unit == "px"
    assert tracks().length_unit == "mm"
    left, right = join(found, tracks(length_unit="px"))
    assert len(left) == len(right) == 5
    with pytest.raises(DataError, match=r"one unit of length, but they are in px and mm"):
        join(found, tracks())


def test_units_of_length_that_there_are_not():
    with pytest.raises(UsageError, match=r"one of mm, px, but is 'cm'"):
        tracks(length_unit="cm")
    with pytest.raises(DataError, match=r"coordinates of the centroid in px"):
        tracks(length_unit="px", centroid=np.full((5, 2), 1e7))


# Contours.


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.data())
def test_contours_go_to_padded_arrays_and_back(counts, data):
    vertices = np.arange(2 * sum(counts), dtype=float).reshape(-1, 2)
    contours = Contours.from_counts(vertices, np.array(counts))
    again = Contours.from_padded(contours.padded())
    np.testing.assert_array_equal(again.vertices, vertices)
    assert again.counts.tolist() == counts
    frames = data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=8))
    part = contours.take(np.array(frames, dtype=int))
    assert part.counts.tolist() == [counts[f] for f in frames]
    for at, f in enumerate(frames):
        own = part.vertices[part.start[at] : part.start[at + 1]]
        np.testing.assert_array_equal(own, vertices[contours.start[f] : contours.start[f + 1]])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 11.0, -11.0])
def test_vertices_beyond_a_limit(wrong):
    contours = Contours.from_counts(
        np.array([[10, 0], [0, wrong], [-10, 1.0]]), np.array([1, 0, 2])
    )
    assert contours.beyond(10).tolist() == [False, False, True]
    assert contours.beyond(10).dtype == bool
    assert not contours.take(np.array([0, 1])).beyond(10).any()
    assert not contours.take(np.array([1])).beyond(10).any()


def test_padding_to_a_width_cuts_off():
    contours = Contours.from_counts(np.arange(10.0).reshape(-1, 2), np.array([2, 0, 3]))
    assert contours.padded().shape == (3, 3, 2)
    assert contours.padded(2)[2].tolist() == [[4, 5], [6, 7]]
    assert np.isnan(contours.padded(2)[1]).all()
    keep = np.array([False, False, True])
    np.testing.assert_array_equal(contours.take(keep).vertices, [[4, 5], [6, 7], [8, 9]])


# Two files of one recording.


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, unique=True),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, unique=True),
)
def test_join_finds_the_common_frames(left, right):
    def some(frames):
        index, t = np.array(frames).T
        return tracks(t / 10, index, larvae=["3", "1", "4", "15"])

    a, b = some(left), some(right)
    i, j = join(a, b)
    assert (a.t[i] == b.t[j]).all()
    found = {(a.larvae[a.larva_index[k]], round(a.t[k] * 10)) for k in i}
    assert found == {(b.larvae[b.larva_index[k]], round(b.t[k] * 10)) for k in j}
    ids = ["3", "1", "4", "15"]
    assert found == {(ids[k], t) for k, t in set(left) & set(right)}
    assert len(i) == len(found)


# States.


def labelled(**more):
    state = np.array([0, 0, 1, -1, 1])
    return tracks(states=("crawl", "cast"), state=state, **more)


def test_states_become_bouts_of_this_assay():
    ethogram = labelled().to_ethogram()
    assert ethogram.assays["assay"].tolist() == [IDENTITY.assay]
    assert ethogram.assays[["line", "effector", "date"]].iloc[0].tolist() == ["A", "B", "20150701"]
    table = ethogram.to_bouts().sort_values(["larva", "t_start"], ascending=[False, True])
    assert table["larva"].tolist() == ["7", "7", "12"]
    assert table["state"].astype(str).tolist() == ["run", "cast", "cast"]  # crawl is run
    np.testing.assert_allclose(table["t_start"], [0, 0.2, 0.1])
    np.testing.assert_allclose(table["t_stop"], [0.2, 0.3, 0.2])


def test_one_undefined_frame_is_a_gap():
    state = [0, 0, -1, 0, 0]
    found = tracks(np.arange(5) / 10, np.zeros(5, int), ("7",), states=("run",), state=state)
    ethogram = found.to_ethogram()
    np.testing.assert_allclose(ethogram.t_start, [0, 0.3])
    np.testing.assert_allclose(ethogram.t_stop, [0.2, 0.5])
    assert not ethogram.follows.any()


def test_short_bouts_may_be_absorbed():
    state = [0, 0, 1, 0, 0]
    found = tracks(np.arange(5) / 10, np.zeros(5, int), ("7",), states=("run", "cast"), state=state)
    assert found.to_ethogram().n_bouts == 3
    assert found.to_ethogram(min_bout=0.15).n_bouts == 1


def test_without_states_or_line_there_is_no_ethogram():
    with pytest.raises(DataError, match="shapes but no states; give labels"):
        tracks().to_ethogram()
    nobody = AssayIdentity("", "", "", "", None, None, "x")
    plain = Tracks.build(nobody, ["1"], [0], [0.0], states=("run",), state=[0])
    with pytest.raises(DataError, match="expected the line in the file or in the folder"):
        plain.to_ethogram()
    with pytest.raises(DataError, match="expected labelled frames, but no larva has one"):
        tracks(states=("run",), state=[-1] * 5).to_ethogram()
    with pytest.raises(DataError, match="cannot name a state"):
        tracks(states=("(undefined)",), state=[0] * 5).to_ethogram()


def bouts(**more):
    table = {"assay": "p", "line": "A", "larva": ["7", "7", "12"], "state": ["run", "cast", "run"]}
    return pd.DataFrame(table | {"t_start": [0, 0.1, 0.05], "t_stop": [0.1, 0.2, 0.2]} | more)


def test_labels_from_a_table_reach_the_frames():
    found = tracks().with_states(Ethogram.from_bouts(bouts()))
    assert found.states == ("run", "cast")
    assert found.state.tolist() == [0, 1, -1, -1, 0]
    assert found.notes == ()


def test_times_may_differ_by_rounding():
    found = tracks((0.0004, 0.0996, 0.1996, 0, 0.0496))
    found = found.with_states(Ethogram.from_bouts(bouts()))
    assert found.state.tolist() == [0, 1, -1, -1, 0]


def test_larvae_without_labels_are_counted():
    found = tracks().with_states(Ethogram.from_bouts(bouts(larva=["7", "7", "99"])))
    assert found.state.tolist() == [0, 1, -1, -1, -1]
    assert "1 of 2 larvae have no labels (first: '12')" in found.notes[0]


def test_labels_of_others_are_refused():
    with pytest.raises(DataError, match=r"labels of the larvae 7, 12, but they are of 1, 2"):
        tracks().with_states(Ethogram.from_bouts(bouts(larva=["1", "1", "2"])))
    several = Ethogram.from_bouts(bouts(assay=["p", "p", "q"]))
    with pytest.raises(DataError, match=r"20150701_105504': expected its labels.*'p', 'q'"):
        tracks().with_states(several)
    mine = Ethogram.from_bouts(bouts(assay=["x", "x", IDENTITY.assay]))
    assert tracks().with_states(mine).state.tolist() == [-1, -1, -1, -1, 0]


@given(st.lists(st.integers(-1, 2), min_size=2, max_size=30).filter(lambda s: max(s) >= 0))
def test_states_survive_the_way_through_bouts(states):
    n = len(states)
    t = np.arange(n) / 10
    found = tracks(t, np.zeros(n, int), ("7",), states=("run", "cast", "stop"), state=states)
    ethogram = found.to_ethogram()
    code = states_at(ethogram, found.larvae, found.larva_index, found.t)
    names = [ethogram.states[c] if c >= 0 else None for c in code]
    assert names == [("run", "cast", "stop")[s] if s >= 0 else None for s in states]


# Who was recorded.


def test_identity_comes_from_caller_path_and_file(tmp_path):
    path = tmp_path / "t5" / "A@B" / "p_8" / "20150701_105504" / "x.spine"
    known, notes = settle(path, None, None, "20150701_105504")
    assert (known.line, known.effector, notes) == ("A", "B", ())
    known, notes = settle(path, None, "C@D", "x")
    assert (known.line, known.effector, known.assay) == ("C", "D", "t5/A@B/p_8/20150701_105504")
    known, notes = settle(path, None, None, "20160101_000000")
    assert known.assay == "t5/A@B/p_8/20160101_000000"
    assert "recorded at 20160101_000000, its path says 20150701_105504" in notes[0]
    known, notes = settle("x.spine", None, None, "20160101_000000", own_line="E")
    assert (known.assay, known.date, known.line) == ("20160101_000000", "20160101", "E")
    digits = settle("x.spine", None, None, "9" * 40)[0]
    assert (digits.assay, digits.date) == ("9" * 40, None)
    known, _ = settle(path, IDENTITY, None, "dish")
    assert known == IDENTITY


def test_an_id_that_leads_out_is_refused():
    for text in ("../x", "a/b", "a\\b", "..", "\0", "x" * 300):
        with pytest.raises(DataError, match="expected a recording of 1 to 255"):
            checked_name(text, "recording", "x.label")
    assert checked_name("+/+ ; w", "line", "x.label", path_part=False) == "+/+ ; w"
    with pytest.raises(DataError, match="expected a line"):
        checked_name("", "line", "x.label", path_part=False)
