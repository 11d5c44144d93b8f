"""The spectral filter: shares of energy, faults, sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from larvastats.errors import UsageError
from larvastats.io import schleyer
from larvastats.io.contours import Contours
from larvastats.shape.contour import N_POINTS, flatten, resample
from larvastats.shape.kinematics import kinematics
from larvastats.shape.quality import (
    Fault,
    Filter,
    drop,
    high_share,
    judge,
    sequences,
)
from larvastats.shape.spectrum import amplitudes, choose_threshold, spectra


def jagged(outlines: np.ndarray, size: float, seed: int = 0) -> np.ndarray:
    return outlines + np.random.default_rng(seed).normal(0, size, outlines.shape)


def test_the_share_is_parseval_s(larvae):
    points = resample(*flatten(jagged(larvae[1], 0.05))).astype(float)
    full = np.abs(np.fft.fft(points[..., 0] + 1j * points[..., 1], axis=1)) ** 2
    k = np.abs(np.fft.fftfreq(N_POINTS, 1 / N_POINTS))
    expected = full[:, k > 7].sum(axis=1) / full[:, k > 0].sum(axis=1)
    np.testing.assert_allclose(high_share(points), expected, rtol=1e-6)
    size = np.sqrt(full)
    largest = size[:, k > 7].max(axis=1) / size[:, k > 0].max(axis=1)
    np.testing.assert_allclose(high_share(points, 7, "amplitude"), largest, rtol=1e-9)
    by_harmonic = amplitudes(points)
    assert by_harmonic.shape == (400, N_POINTS // 2 - 1)
    high = (by_harmonic[:, 7:] ** 2).sum(axis=1)
    np.testing.assert_allclose(high, expected, rtol=0.05)  # all but harmonic N_POINTS // 2


def test_the_share_does_not_mind_place_size_and_direction(larvae):
    points = resample(*flatten(jagged(larvae[1], 0.05))).astype(float)
    turn = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    moved = 3 * points @ turn + [70, -20]
    np.testing.assert_allclose(high_share(moved), high_share(points), rtol=1e-6)
    np.testing.assert_allclose(high_share(points[:, ::-1]), high_share(points), rtol=1e-6)


def test_smooth_larvae_are_good_and_torn_ones_bad(larvae):
    midline, outline = larvae
    t, larva = np.arange(400) / 10, np.zeros(400, int)
    good = judge(larva, t, outline=flatten(outline), midline=midline)
    assert not good.bad.any() and not good.dropped.any()
    torn = judge(larva, t, outline=flatten(jagged(outline, 0.12)), midline=midline)
    assert torn.bad.mean() > 0.99 and torn.dropped.all()
    assert set(torn.fault[torn.bad]) <= {Fault.SPECTRUM, Fault.CROSSING}


def test_without_outlines_the_midline_is_judged(larvae):
    midline, _ = larvae
    t, larva = np.arange(400) / 10, np.zeros(400, int)
    assert not judge(larva, t, midline=midline).bad.any()
    torn = judge(larva, t, midline=jagged(midline, 0.3))
    assert (torn.fault == Fault.SPECTRUM).mean() > 0.8
    lower = judge(larva, t, midline=midline, chosen=Filter(midline=3e-4))
    assert lower.bad.any()
    few = judge(larva, t, midline=midline[:, ::5])  # no harmonic above the cut-off in 4 vertices
    assert np.isnan(few.high).all() and not few.bad.any()


def test_every_fault_is_named(larvae):
    outline = larvae[1][:10].copy()
    angle = 2 * np.pi * np.arange(90) / 90
    outline[1] = np.stack((np.sin(angle), np.sin(2 * angle)), -1)
    outline[2] = 7.0
    outline[3, 2:] = np.nan
    outline[4] = jagged(outline[4:5], 0.07)[0]
    midline = larvae[0][:10].copy()
    midline[5, 3] = np.nan
    midline[6, 0] = midline[6, -1]
    midline[7] = 1.0
    t = np.arange(10) / 10
    t[8] = t[7]
    quality = judge(np.zeros(10, int), t, outline=flatten(outline), midline=midline)
    none, missing, flat = Fault.NONE, Fault.MISSING, Fault.DEGENERATE
    assert quality.fault.tolist() == [
        none, Fault.CROSSING, flat, missing, Fault.SPECTRUM, missing, flat, flat, Fault.TIME, none,
    ]  # fmt: skip
    assert quality.counts() == {
        "none": 2, "missing": 2, "degenerate": 3, "crossing": 1, "time": 1, "spectrum": 1
    }  # fmt: skip
    assert quality.dropped.all()  # one sequence, 8 of 10 frames bad


def test_sequences_end_with_the_larva_a_gap_or_their_length():
    t = np.concatenate((np.arange(6), np.arange(7), 20 + np.arange(3))).astype(float)
    larva = np.repeat([0, 1], [6, 10])
    found = sequences(larva, t, 4)
    assert found.tolist() == [0] * 4 + [1] * 2 + [2] * 4 + [3] * 3 + [4] * 3


def test_a_sequence_is_dropped_beyond_the_share():
    sequence = np.repeat([0, 1, 2], 10)
    bad = np.zeros(30, bool)
    bad[:2] = bad[10:13] = True
    assert np.unique(sequence[drop(bad, sequence, 0.2)]).tolist() == [1]
    assert not drop(bad, sequence, 1.0).any()
    assert np.unique(sequence[drop(bad, sequence, 0.0)]).tolist() == [0, 1]


def test_filters_are_written_and_read():
    chosen = Filter.parse("threshold=0.002, share=0.1,measure=amplitude,length=20,midline=0.01")
    assert chosen == Filter(0.002, share=0.1, measure="amplitude", length=20, midline=0.01)
    assert Filter.parse(str(chosen)) == chosen
    assert Filter.parse("default") == Filter()


@pytest.mark.parametrize(
    "text, words",
    [
        ("loud=1", "'loud=1' is none"), ("threshold", "'threshold' is none"),
        ("cutoff=x", "'cutoff=x' is none"), ("", "'' is none"),
        ("threshold=2", "threshold must be a share"), ("share=nan", "share must be a share"),
        ("cutoff=0", "cutoff must be a harmonic from 1 to 49"), ("length=0", "at least 1 frame"),
        ("measure=height", "one of energy, amplitude"),
    ],
)  # fmt: skip
def test_other_filters_are_refused(text: str, words: str):
    with pytest.raises(UsageError, match=words):
        Filter.parse(text)


def test_a_threshold_from_the_data_parts_good_and_bad(larvae):
    outline = larvae[1] + np.random.default_rng(0).normal(0, 0.005, larvae[1].shape)
    some = np.random.default_rng(1).choice(400, 40, replace=False)
    outline[some] = jagged(outline[some], 0.1)
    high = high_share(resample(*flatten(outline)))
    bad = np.zeros(400, bool)
    bad[some] = True
    threshold = choose_threshold(high)
    assert high[~bad].max() < threshold < high[bad].min()
    with pytest.raises(UsageError, match="there are none"):
        choose_threshold([np.nan])


def test_spectra_of_good_and_bad_sequences(larvae):
    outline = larvae[1].copy()
    outline[100:150] = jagged(outline[100:150], 0.1)
    t, larva = np.arange(400) / 10, np.zeros(400, int)
    quality = judge(larva, t, outline=flatten(outline))
    found = spectra(*flatten(outline), quality)
    assert (found.n_good, found.n_bad) == (7, 1)
    assert (len(found.high_good), len(found.high_bad)) == (350, 50)
    np.testing.assert_allclose(found.good[0], 1, atol=0.1)
    assert (found.bad[10:] > 2 * found.good[10:]).all()
    assert found.high_good.max() < found.chosen < np.quantile(found.high_bad, 0.1)
    none = spectra(*flatten(larvae[1]), judge(larva, t, outline=flatten(larvae[1])))
    assert none.n_bad == 0 and np.isnan(none.bad).all() and not len(none.high_bad)


def test_blocks_change_nothing(larvae, monkeypatch):
    outline = flatten(jagged(larvae[1], 0.03))
    t, larva = np.arange(400) / 10, np.zeros(400, int)
    whole = judge(larva, t, outline=outline)
    monkeypatch.setattr("larvastats.shape.quality._BLOCK", 7)
    parts = judge(larva, t, outline=outline)
    np.testing.assert_array_equal(whole.fault, parts.fault)
    np.testing.assert_allclose(whole.high, parts.high, rtol=1e-6)


def test_real_larvae_that_touch_are_found(shared_data: Path):
    tracks = schleyer.read(shared_data / "schleyer")
    assert isinstance(tracks.contour, Contours)
    quality = judge(
        tracks.larva_index, tracks.t, midline=tracks.midline,
        outline=(tracks.contour.vertices, tracks.contour.start),
    )  # fmt: skip
    touching = tracks.features["collision_flag"] == 2
    seen = quality.fault >= Fault.CROSSING
    # the tracker marks 970 frames in which larvae touch; most of these outlines are whole
    assert seen.sum() > 300 and touching[seen].all()
    assert quality.counts()["missing"] == 2
    assert 0.01 < quality.dropped.mean() < 0.03
    assert np.nanmedian(quality.high) < Filter().threshold / 4
    bent = np.abs(kinematics(tracks.larva_index, tracks.t, tracks.midline)["body_angle"]) > 1.5
    midlines = judge(tracks.larva_index, tracks.t, midline=tracks.midline)
    assert (bent & ~touching).sum() > 1000 and not midlines.bad[bent & ~touching].any()
