"""Series of movement and bending: known larvae, and the columns that real trackers bring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from larvastats.errors import UsageError
from larvastats.io import fimtrack, schleyer
from larvastats.shape.contour import area, perimeter
from larvastats.shape.frames import gaps, median_step, starts
from larvastats.shape.kinematics import UNITS, kinematics, units
from larvastats.shape.quality import judge

BODY = np.stack((np.linspace(2, -2, 11), np.zeros(11)), axis=1)  # 4 mm, head at positive x


def turned(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack((c * points[..., 0] - s * points[..., 1],
                     s * points[..., 0] + c * points[..., 1]), -1)  # fmt: skip


@pytest.mark.parametrize("smooth", [0.0, 0.25, 1.0])
def test_a_larva_that_goes_straight_at_irregular_times(smooth: float):
    t = np.cumsum(np.random.default_rng(0).uniform(0.04, 0.1, 200))
    place = 1.5 * t[:, np.newaxis] * [0.6, 0.8]
    midline = turned(BODY, np.full(1, np.arctan2(0.8, 0.6)))[np.newaxis] + place[:, np.newaxis]
    found = kinematics(np.zeros(200, int), t, midline.reshape(200, 11, 2), smooth=smooth)
    inner = slice(1, -1)
    for name in ("speed", "head_speed", "tail_speed", "forward_speed"):
        np.testing.assert_allclose(found[name][inner], 1.5, rtol=1e-9)
        assert np.isnan(found[name][[0, -1]]).all()
    np.testing.assert_allclose(found["run_direction"][inner], np.arctan2(0.8, 0.6))
    np.testing.assert_allclose(found["orientation"], np.arctan2(0.8, 0.6))
    np.testing.assert_allclose(found["length"], 4)
    for name in ("head_angle", "body_angle", "curvature"):
        np.testing.assert_allclose(found[name], 0, atol=1e-9)
    np.testing.assert_allclose(found["angular_speed"][inner], 0, atol=1e-9)


def test_crawling_backwards_is_negative():
    t = np.arange(20) / 10
    midline = BODY - t[:, np.newaxis, np.newaxis] * [2.0, 0]
    found = kinematics(np.zeros(20, int), t, midline)
    np.testing.assert_allclose(found["forward_speed"][1:-1], -2)
    np.testing.assert_allclose(np.abs(found["run_direction"][1:-1]), np.pi)


@pytest.mark.parametrize("rate", [2.0, -7.0])
def test_turning_on_the_spot_goes_round_and_round(rate: float):
    t = np.arange(100) / 20
    midline = turned(BODY[np.newaxis], (rate * t)[:, np.newaxis])
    found = kinematics(np.zeros(100, int), t, midline, smooth=0)
    np.testing.assert_allclose(found["angular_speed"][1:-1], rate, rtol=1e-9)
    assert np.isnan(found["run_direction"]).all()  # it goes nowhere
    expected = 2 * np.sin(abs(rate) / 20) * 20  # a chord for an arc
    np.testing.assert_allclose(found["head_speed"][1:-1], expected)


def test_bends_have_sign_and_size():
    turn = np.array([0.5, -1.0, 2.5, 4.0])
    heading = turn[:, np.newaxis] * np.linspace(-0.5, 0.5, 10)
    step = np.stack((np.cos(heading), np.sin(heading)), -1) * 0.4
    midline = np.concatenate((np.zeros((4, 1, 2)), np.cumsum(step, axis=1)), axis=1)[:, ::-1]
    found = kinematics(np.zeros(4, int), np.arange(4.0), midline)
    np.testing.assert_allclose(found["body_angle"], turn)
    np.testing.assert_allclose(found["curvature"], turn / 4)
    # the chords of two halves of an arc of n steps meet at half of its turn, and half a step
    np.testing.assert_allclose(found["head_angle"][:3], turn[:3] * 5 / 9, rtol=1e-9)


def test_slopes_are_those_of_numpy():
    rng = np.random.default_rng(1)
    t = np.cumsum(rng.uniform(0.05, 0.1, 60))
    midline = BODY + rng.normal(0, 0.3, (60, 1, 2))
    found = kinematics(np.zeros(60, int), t, midline, smooth=0.5)
    center = midline.mean(axis=1)
    for frame in (1, 10, 30, 58):
        near = np.abs(t - t[frame]) <= 0.25
        slope = np.polyfit(t[near], center[near], 1)[0]
        assert found["speed"][frame] == pytest.approx(np.hypot(*slope), rel=1e-9)


def test_larvae_gaps_and_lost_frames_are_not_bridged():
    t = np.concatenate((np.arange(20), 50 + np.arange(20), np.arange(10))) / 10
    larva = np.repeat([0, 1], [40, 10])
    midline = BODY + np.stack((t, 0 * t), -1)[:, np.newaxis]
    midline[40:] += 100
    midline[7, 4] = np.nan
    unusable = np.arange(50) == 30
    found = kinematics(larva, t, midline, unusable=unusable, smooth=0)
    lost = np.isin(np.arange(50), (7, 30))
    ends = np.isin(np.arange(50), (0, 19, 20, 39, 40, 49))
    beside = np.isin(np.arange(50), (6, 8, 29, 31))
    np.testing.assert_array_equal(np.isnan(found["length"]), lost)
    np.testing.assert_array_equal(np.isnan(found["speed"]), lost | ends | beside)
    np.testing.assert_allclose(found["speed"][~(lost | ends | beside)], 1)
    # a wider window sees beyond a lost frame, but never beyond a gap
    wide = kinematics(larva, t, midline, unusable=unusable, smooth=0.5)
    assert np.isnan(wide["speed"][ends]).all()
    np.testing.assert_allclose(wide["speed"][~(lost | ends | beside)], 1)


def test_the_centroid_may_come_from_elsewhere():
    t = np.arange(10) / 10
    found = kinematics(
        np.zeros(10, int), t, np.tile(BODY, (10, 1, 1)), centroid=np.stack((3 * t, 0 * t), 1)
    )
    np.testing.assert_allclose(found["speed"][1:-1], 3)
    np.testing.assert_allclose(found["head_speed"][1:-1], 0, atol=1e-12)


def test_names_and_units():
    found = kinematics([0, 0, 0], [0.0, 1, 2], np.tile(BODY, (3, 1, 1)))
    assert list(found) == list(UNITS) == list(units("px"))
    assert units("px")["curvature"] == "rad/px" and units()["speed"] == "mm/s"
    with pytest.raises(UsageError, match="3 or more points"):
        kinematics([0], [0.0], BODY[np.newaxis, :2])
    with pytest.raises(UsageError, match="0 s or more"):
        kinematics([0], [0.0], BODY[np.newaxis], smooth=-1)


def test_steps_and_gaps_of_larvae():
    larva = np.array([0, 0, 0, 0, 1, 2, 2])
    t = np.array([0, 1, 2, 9, 5, 0, 0.5])
    assert starts(larva).tolist() == [True, False, False, False, True, True, False]
    np.testing.assert_array_equal(median_step(larva, t), [1, 1, 1, 1, np.nan, 0.5, 0.5])
    assert np.flatnonzero(gaps(larva, t)).tolist() == [3]
    assert len(median_step([], [])) == 0 and len(gaps([], [])) == 0


# -- real trackers ---------------------------------------------------------------------------------


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    there = np.isfinite(one) & np.isfinite(two)
    return float(np.corrcoef(one[there], two[there])[0, 1])


def test_the_schleyer_group_s_columns(shared_data: Path):
    tracks = schleyer.read(shared_data / "schleyer")
    contour, own = tracks.contour, tracks.features
    outline = contour.vertices, contour.start
    quality = judge(tracks.larva_index, tracks.t, outline=outline, midline=tracks.midline)
    found = kinematics(tracks.larva_index, tracks.t, tracks.midline, unusable=quality.unusable)
    assert correlation(found["length"], own["raw_spinelength"]) > 0.9995
    ratio = found["length"] / own["raw_spinelength"]
    assert np.nanmedian(ratio) == pytest.approx(0.0817, abs=1e-4)  # mm per px
    assert correlation(perimeter(*outline), own["perimeter"]) > 0.98
    assert correlation(area(*outline), own["area"]) > 0.985
    axis = np.abs((found["orientation"] - own["blob_orientation"] + np.pi / 2) % np.pi - np.pi / 2)
    assert np.nanmedian(axis) < 0.07
    other = kinematics(tracks.larva_index, tracks.t, tracks.midline, centroid=tracks.centroid)
    assert correlation(found["speed"], other["speed"]) > 0.97


def test_fimtrack_s_columns(shared_data: Path):
    tracks = fimtrack.read_tracks(shared_data / "fimtrack" / "group_1.csv.gz", fps=10)
    own, larva = tracks.features, tracks.larva_index
    found = kinematics(larva, tracks.t, tracks.midline, centroid=tracks.centroid, smooth=1.0)
    assert correlation(found["length"], own["spine_length"]) > 0.99
    apart = own["is_coiled"] == 0
    bend = 180 - own["bending"] - np.degrees(found["head_angle"])
    assert np.nanmedian(np.abs(bend[apart])) < 5  # it takes the angle between finer points
    # its velocity is that of the tail over the last second, half a second before ours
    ahead, behind = found["tail_speed"][:-5], own["velocity"][5:]
    same = larva[:-5] == larva[5:]
    assert correlation(ahead[same], behind[same]) > 0.9
    step = np.concatenate(([np.nan], np.hypot(*np.diff(tracks.centroid, axis=0).T)))
    step[starts(larva)] = np.nan
    np.testing.assert_allclose(np.nan_to_num(step - own["mom_dst"]), 0, atol=1e-5)
    neighbours = kinematics(larva, tracks.t, tracks.midline, centroid=tracks.centroid, smooth=0)
    path = (step[1:-1] + step[2:]) / 2 * 10  # along the path, never shorter than the chord
    there = np.isfinite(neighbours["speed"][1:-1])
    assert (neighbours["speed"][1:-1][there] <= path[there] + 1e-6).all()
