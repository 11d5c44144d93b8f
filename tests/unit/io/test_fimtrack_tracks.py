"""Shapes of FIMTrack tables: made here, and the real ones beside the repository."""

import re

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.io import fimtrack
from larvastats.io.fimtrack import table as fimtrack_table

POINTS = ("head", "spinepoint_1", "spinepoint_2", "tail")
GROUPS = (1, 2, 3, 4)


def features(n=3, start=0.0):
    """Features of one larva: every value tells feature and frame apart."""
    names = ["mom_x", "mom_y", "mom_dst", "area", "bending"]
    names += [f"{name}_{axis}" for name in POINTS for axis in "xy"]
    names += ["radius_1", "velocity", "acceleration", "dist_to_area", "is_in_area", "odour"]
    values = {name: start + 10 * k + np.arange(n) for k, name in enumerate(names, 1)}
    flags = {"is_coiled": [0] * n, "left_bended": [0] * n, "right_bended": [0] * n}
    return values | flags | {"go_phase": [1] * n}


def text(*larvae, without=()):
    lines = ["," + ",".join(f"larva({3 * k})" for k in range(len(larvae)))]
    for name in larvae[0]:
        if name not in without:
            for frame in range(len(larvae[0][name])):
                cells = [
                    "" if one[name][frame] is None else f"{one[name][frame]}" for one in larvae
                ]
                lines.append(",".join([f"{name}({frame})", *cells]))
    return "\n".join(lines) + "\n"


def reads(tmp_path, content, **options):
    path = tmp_path / "group_1.csv"
    path.write_text(content)
    return fimtrack.read_tracks(path, **{"fps": 10} | options)


def test_columns_find_their_places_in_pixels(tmp_path):
    one, two = features(), features(start=500)
    tracks = reads(tmp_path, text(one, two), line="A@B")
    assert tracks.larvae == ("0", "3")
    assert (tracks.identity.genotype, tracks.length_unit, tracks.notes) == ("A@B", "px", ())
    np.testing.assert_allclose(tracks.t, [0, 0.1, 0.2] * 2)
    for k, name in enumerate(POINTS):  # head first
        for axis in (0, 1):
            own = np.concatenate([larva[f"{name}_{'xy'[axis]}"] for larva in (one, two)])
            np.testing.assert_array_equal(tracks.midline[:, k, axis], own)
    np.testing.assert_array_equal(tracks.centroid[3:, 1], two["mom_y"])
    np.testing.assert_array_equal(tracks.features["mom_dst"][:3], one["mom_dst"])
    np.testing.assert_allclose(tracks.features["velocity"][:3], 10 * one["velocity"])
    np.testing.assert_allclose(tracks.features["acceleration"][3:], 100 * two["acceleration"])
    assert [tracks.states[code] for code in tracks.state] == ["run"] * 6
    assert tracks.contour is None


SCALES = {
    "mom_dst": (1 / 8, "mm"), "area": (1 / 64, "mm2"), "bending": (1, "deg"),
    "radius_1": (1 / 8, "mm"), "velocity": (10 / 8, "mm/s"), "acceleration": (100 / 8, "mm/s2"),
    "dist_to_area": (1 / 8, "mm"), "is_in_area": (1, "1"), "odour": (1, ""), "is_coiled": (1, "1"),
    "left_bended": (1, "1"), "right_bended": (1, "1"), "go_phase": (1, "1"),
}  # fmt: skip


def test_a_scale_makes_millimetres(tmp_path):
    one = features()
    tracks = reads(tmp_path, text(one), px_per_mm=8)
    assert tracks.length_unit == "mm"
    np.testing.assert_allclose(tracks.midline[:, 3, 1], one["tail_y"] / 8)
    np.testing.assert_allclose(tracks.centroid[:, 0], one["mom_x"] / 8)
    assert set(tracks.features) == set(SCALES)
    for name, (factor, unit) in SCALES.items():
        np.testing.assert_allclose(tracks.features[name], factor * np.array(one[name]))
        assert tracks.units[name] == unit
        pixels = unit.replace("mm", "px")
        assert fimtrack.unit_of(name, "px") == pixels


def test_frames_without_any_value_are_not_tracked(tmp_path):
    one, two = features(5), features(5, start=500)
    for name in two:
        two[name] = [None, None, *list(two[name])[2:4], None]
    one["tail_x"] = [None, *list(one["tail_x"])[1:]]
    tracks = reads(tmp_path, text(one, two))
    assert tracks.larva_index.tolist() == [0] * 5 + [1] * 2
    np.testing.assert_allclose(tracks.t[5:], [0.2, 0.3])
    assert tracks.bad_frames().tolist() == [True] + [False] * 6


def test_incomplete_midlines_and_centroids_remain_features(tmp_path):
    tracks = reads(tmp_path, text(features(), without=["tail_x", "mom_y"]), px_per_mm=2)
    assert tracks.midline is None
    assert tracks.centroid is None
    np.testing.assert_allclose(tracks.features["mom_x"], features()["mom_x"] / 2)
    assert tracks.units["spinepoint_1_y"] == "mm"
    gap = reads(tmp_path, text(features(), without=["spinepoint_1_x"]))
    assert gap.midline.shape == (3, 2, 2)
    assert {"spinepoint_1_y", "spinepoint_2_x"} <= set(gap.features)


def test_frames_without_states(tmp_path):
    none = features() | {"go_phase": [None] * 3}
    tracks = reads(tmp_path, text(none))
    assert (tracks.state, tracks.states) == (None, ())
    assert tracks.notes[0].endswith(
        "no frame fits a rule of the mapping; its frames have no states."
    )
    lacking = reads(tmp_path, text(features(), without=["is_coiled"]))
    assert lacking.state is None
    assert "the table has no rows of is_coiled" in lacking.notes[0]
    with pytest.raises(DataError, match="there is none of is_coiled"):
        fimtrack.read(tmp_path / "group_1.csv", fps=10)


def test_own_rules_see_the_values_of_the_table(tmp_path):
    rules = [("fast", {"velocity": features()["velocity"][1]}), ("slow", {"is_coiled": 0})]
    tracks = reads(tmp_path, text(features()), mapping=rules, px_per_mm=3)
    assert [tracks.states[code] for code in tracks.state] == ["slow", "fast", "slow"]


WRONG = {
    "no frame rate": (dict(fps=None), "frame numbers but no frame rate"),
    "a frame rate of 0": (dict(fps=0), "--fps must be a positive"),
    "a scale of 0": (dict(px_per_mm=0), "--px-per-mm must be a positive number of pixels"),
    "an infinite scale": (dict(px_per_mm=np.inf), "--px-per-mm must be a positive"),
    "no rules": (dict(mapping=[]), "Every rule of a FIMTrack mapping"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls(tmp_path, case):
    options, words = WRONG[case]
    with pytest.raises(UsageError, match=words):
        reads(tmp_path, text(features()), **options)


BAD = {
    "another table": ("assay,line\n", "expected a FIMTrack table"),
    "no rows": (",larva(0)\n", "expected rows of features, but there is none"),
    "no values": (",larva(0)\narea(0),\n", "expected values, but every cell is empty"),
    "twice": (",larva(0)\narea(0),1\narea(0),2\n", r"row area\(0\) occurs twice"),
    "no number": (",larva(0)\narea(0),x\n", r"expected numbers in row area\(0\)"),
    "far away": (",larva(0)\nmom_x(0),1e9\nmom_y(0),1\n", "coordinates of the centroid in px"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused_in_a_sentence(tmp_path, case):
    content, words = BAD[case]
    with pytest.raises(DataError, match=words) as caught:
        reads(tmp_path, content)
    path = re.escape(str(tmp_path / "group_1.csv"))
    assert re.fullmatch(path + r": .*\.", str(caught.value))


def test_many_features_in_frames_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(fimtrack_table, "MAX_VALUES", 10)
    content = ",larva(0)\n" + "".join(f"f_{k}({k}),1\n" for k in range(4))
    with pytest.raises(DataError, match="4 features in 4 frames of 1 larvae are more than any"):
        reads(tmp_path, content)


# -- real larvae -----------------------------------------------------------------------------------


def real(shared_data, group, **options):
    path = shared_data / "fimtrack" / f"group_{group}.csv.gz"
    return path, fimtrack.read_tracks(path, fps=10, **options)


def cells_of(path):
    """The same table by another way: pandas, one row per larva and frame."""
    wide = pd.read_csv(path, index_col=0)
    name = wide.index.str.extract(r"^(.*)\((\d+)\)$")
    wide.index = pd.MultiIndex.from_arrays([name[0], name[1].astype(int)])
    return {feature: wide.loc[feature] for feature in dict.fromkeys(name[0])}


@pytest.mark.parametrize("group", GROUPS)
def test_real_larvae_are_read_as_pandas_reads_them(shared_data, group):
    path, tracks = real(shared_data, group)
    cells = cells_of(path)
    seen = cells["mom_x"].notna().to_numpy().T
    for name, series in {"x": tracks.centroid[:, 0], **tracks.features}.items():
        expected = cells["mom_x" if name == "x" else name].to_numpy().T[seen]
        factor = {"velocity": 10, "acceleration": 100}.get(name, 1)
        np.testing.assert_allclose(series, factor * expected)
    order = ["head", "spinepoint_1", "spinepoint_2", "spinepoint_3", "tail"]
    for k, name in enumerate(order):
        np.testing.assert_array_equal(
            tracks.midline[:, k, 1], cells[f"{name}_y"].to_numpy().T[seen]
        )
    assert len(tracks.features) == 30 - 2 - 10
    assert (tracks.state >= 0).sum() == tracks.n_frames - {1: 67, 2: 40, 3: 59, 4: 23}[group]


@pytest.mark.parametrize("group", GROUPS)
def test_what_the_documentation_says_of_real_larvae_is_so(shared_data, group):
    _, tracks = real(shared_data, group)
    assert not tracks.bad_frames().any()  # coiled larvae have midlines too
    lag = 10
    same = tracks.larva_index[lag:] == tracks.larva_index[:-lag]
    same &= np.isclose(tracks.t[lag:] - tracks.t[:-lag], 1)
    tail = np.linalg.norm(tracks.midline[lag:, -1] - tracks.midline[:-lag, -1], axis=1)
    speed = tracks.features["velocity"]
    np.testing.assert_allclose(speed[lag:][same], tail[same], atol=1e-3)
    next_one = tracks.larva_index[1:] == tracks.larva_index[:-1]
    gain = 10 * np.diff(speed)[next_one]
    np.testing.assert_allclose(tracks.features["acceleration"][:-1][next_one], gain, atol=0.02)
    for larva in range(len(tracks.larvae)):
        assert not speed[tracks.larva_index == larva][:lag].any()
    # head first: larvae that go go that way
    ahead = tracks.midline[:-lag, 0] - tracks.midline[:-lag, -1]
    going = same & (tracks.features["go_phase"][lag:] == 1)
    motion = tracks.centroid[lag:] - tracks.centroid[:-lag]
    assert np.mean((motion * ahead).sum(axis=1)[going] > 0) > 0.9
    # y points down: a bend to the left turns clockwise in the numbers
    front = tracks.midline[:, 0] - tracks.midline[:, 2]
    back = tracks.midline[:, 2] - tracks.midline[:, -1]
    turn = back[:, 0] * front[:, 1] - back[:, 1] * front[:, 0]
    assert (turn[tracks.features["left_bended"] == 1] < 0).all()
    assert (turn[tracks.features["right_bended"] == 1] > 0).all()


def test_a_scale_changes_nothing_but_lengths(shared_data):
    _, pixels = real(shared_data, 4)
    _, mm = real(shared_data, 4, px_per_mm=9.5)
    np.testing.assert_allclose(mm.midline, pixels.midline / 9.5)
    np.testing.assert_allclose(mm.features["area"], pixels.features["area"] / 9.5**2)
    np.testing.assert_array_equal(mm.state, pixels.state)
    length = np.linalg.norm(np.diff(mm.midline, axis=1), axis=2).sum(axis=1)
    assert np.median(np.abs(mm.features["spine_length"] / length - 1)) < 0.05
