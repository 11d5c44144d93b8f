"""Filming plates: the same actions as without bodies, faults, and their truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import UsageError
from larvastats.simulate.design import ScreenDesign, plan
from larvastats.simulate.effects import Effect
from larvastats.simulate.faults import FAULTS, REALISTIC, draw_mask, read_faults, stretches
from larvastats.simulate.recording import Camera, check_size, film_plate
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import airpuff_screen, with_duration

SEED = 4
MODEL = with_duration(airpuff_screen(), 60)
DESIGN = ScreenDesign(
    MODEL, ("A",), dates=1, assays_per_line=1, control_assays_per_date=1, larvae=12,
    effects=(Effect("A", "speed", 0.7),),
)  # fmt: skip
PLATES = plan(DESIGN)


@pytest.fixture(scope="module")
def clean():
    return film_plate(DESIGN, SEED, PLATES[0], Camera(contour_points=30))


def filmed(**rates):
    return film_plate(DESIGN, SEED, PLATES[0], Camera(contour_points=30, faults=read_faults(rates)))


def rows(tracks):
    """Position of every frame by larva and time."""
    names = np.array(tracks.larvae)[tracks.larva_index]
    return pd.MultiIndex.from_arrays([names, np.round(tracks.t, 4)])


def test_bodies_do_what_the_ethogram_says(clean):
    ethogram, _ = simulate_ethogram(DESIGN, SEED)
    own = ethogram.subset(ethogram.assays["assay"].eq(PLATES[0].identity.assay).to_numpy())
    expected, tracks = own.to_frames(0.1), clean[0]
    assert len(expected) == tracks.n_frames
    assert (expected["larva"].astype(str).to_numpy() == np.array(tracks.larvae)[
        tracks.larva_index]).all()  # fmt: skip
    np.testing.assert_allclose(expected["t"], tracks.t, atol=1e-9)
    assert (np.array(tracks.states)[tracks.state] == expected["state"].astype(str)).all()


def test_without_faults_everything_is_whole(clean):
    tracks, truth = clean
    assert truth.faults == {} and truth.lost == 0
    assert np.isfinite(tracks.midline).all() and (tracks.contour.counts == 30).all()
    assert not tracks.bad_frames().any()
    # a larva that is found under a new number keeps its body
    assert len(truth.bodies) == 12 <= len(tracks.larvae)
    frame = pd.DataFrame({"larva": truth.larva, "true": truth.true_larva})
    assert (frame.groupby("larva")["true"].nunique() == 1).all()
    length = tracks.features["larva_length_smooth_5"]
    by_larva = pd.Series(length).groupby(truth.true_larva).median()
    np.testing.assert_allclose(by_larva, truth.bodies.length[by_larva.index - 1], rtol=0.1)


def test_derived_series_are_those_of_the_shapes(clean):
    tracks, _ = clean
    steps = np.linalg.norm(np.diff(tracks.midline, axis=1), axis=2).sum(axis=1)
    length = tracks.features["larva_length_smooth_5"]
    inside = (tracks.larva_index[4:] == tracks.larva_index[:-4]).nonzero()[0] + 2
    mean = np.mean([steps[inside + k] for k in range(-2, 3)], axis=0)
    np.testing.assert_allclose(length[inside], mean, rtol=1e-9)
    speed = tracks.features["motion_velocity_norm_smooth_5"]
    run = tracks.state == tracks.states.index("run")
    assert 0.8 < np.nanmedian(speed[run]) < 1.8
    assert np.nanmedian(speed[tracks.state == tracks.states.index("stop")]) < 0.6


def test_frames_of_another_rate_show_the_same_bodies(clean):
    fast, _ = film_plate(DESIGN, SEED, PLATES[0], Camera(fps=20, contour_points=30))
    where = rows(fast).get_indexer(rows(clean[0]))
    assert (where >= 0).all()
    np.testing.assert_allclose(fast.midline[where], clean[0].midline, atol=1e-9)


@pytest.mark.parametrize("name", ["jitter", "nan", "points", "flip"])
def test_a_fault_spoils_its_own_frames_and_no_others(clean, name):
    tracks, truth = filmed(**{name: 0.1})
    mark = truth.faults[name]
    assert list(truth.faults) == [name]
    assert 0.05 < mark.mean() < 0.16
    assert (tracks.t == clean[0].t).all()
    same = (tracks.midline == clean[0].midline).all(axis=(1, 2))
    assert (same == ~mark).all()
    outlines = (tracks.contour.padded(30), clean[0].contour.padded(30))
    moved = (outlines[0] != outlines[1]) & ~(np.isnan(outlines[0]) & np.isnan(outlines[1]))
    assert (moved.any(axis=(1, 2)) == (mark & (name != "flip"))).all()


def test_flips_turn_midlines_around(clean):
    tracks, truth = filmed(flip=0.1)
    mark = truth.faults["flip"]
    np.testing.assert_array_equal(tracks.midline[mark], clean[0].midline[mark][:, ::-1])


def test_missing_shapes_are_bad_frames(clean):
    tracks, truth = filmed(nan=0.05, points=0.05)
    assert (tracks.bad_frames() == (truth.faults["nan"] | truth.faults["points"])).all()
    assert (tracks.contour.counts[truth.faults["nan"]] == 0).all()
    part = truth.faults["points"] & ~truth.faults["nan"]
    assert ((tracks.contour.counts[part] < 28) & (tracks.contour.counts[part] > 14)).all()


def test_merged_larvae_are_one_longer_blob_and_the_other_is_lost(clean):
    tracks, truth = filmed(merge=0.08)
    mark = truth.faults["merge"]
    assert mark.sum() == truth.lost > 50
    assert tracks.n_frames == clean[0].n_frames - truth.lost
    where = rows(clean[0]).get_indexer(rows(tracks))
    whole = clean[0].take(where)

    def area(contour):
        ring = contour[..., 0].astype(float) + 1j * contour[..., 1]
        ring -= ring.mean(axis=1, keepdims=True)
        return np.abs((np.conj(ring) * np.roll(ring, -1, axis=1)).imag.sum(axis=1)) / 2

    ratio = area(tracks.contour.padded(30)) / area(whole.contour.padded(30))
    assert (ratio[~mark] == 1).all() and np.median(ratio[mark]) > 1.3
    assert (tracks.midline[~mark] == whole.midline[~mark]).all()


def test_lost_larvae_come_back_half_of_them_under_new_numbers(clean):
    tracks, truth = filmed(lost=0.1)
    assert truth.lost == clean[0].n_frames - tracks.n_frames > 0.05 * clean[0].n_frames
    before = {int(name) for name in clean[0].larvae}
    new = {int(name) for name in tracks.larvae} - before
    assert new and min(new) == max(before) + 1
    assert set(np.unique(truth.true_larva)) <= set(range(1, 13))
    # in the order in which they are found
    first = pd.Series(truth.t).groupby(truth.larva).min()
    assert first[sorted(new)].is_monotonic_increasing


def test_irregular_times_show_bodies_where_they_then_are():
    tracks, _ = filmed(times=0.8)
    steps = np.diff(tracks.t)[np.diff(tracks.larva_index) == 0]
    near = steps[steps < 0.19]
    assert near.min() < 0.06 and near.max() > 0.14 and near.min() > 0.015
    assert (np.round(tracks.t, 3) == tracks.t).all()
    speed = np.linalg.norm(np.diff(tracks.midline, axis=0), axis=2).max(axis=1)
    assert (speed[np.diff(tracks.larva_index) == 0] / steps < 35).all()


def test_faults_do_not_depend_on_each_other():
    alone, both = filmed(jitter=0.05)[1], filmed(jitter=0.05, nan=0.05)[1]
    assert (alone.faults["jitter"] == both.faults["jitter"]).all()


def test_stretches_have_the_rate_and_the_length_asked_for():
    rng = np.random.default_rng(1)
    track = np.repeat(np.arange(200), 1000)
    mask = draw_mask(rng, track, 0.1, 6.0)
    found = stretches(mask, track)
    assert mask.mean() == pytest.approx(0.1, abs=0.005)
    assert all(track[part.start] == track[part.stop - 1] for part in found)
    assert sum(part.stop - part.start for part in found) == mask.sum()
    assert np.mean([part.stop - part.start for part in found]) == pytest.approx(6.2, abs=0.4)


def test_faults_are_named_in_three_ways():
    assert read_faults(None) == {} == read_faults([]) == read_faults({"nan": 0})
    assert read_faults("realistic") == dict(REALISTIC)
    assert read_faults(["nan=.1,flip=0.2", "jitter=0.3"]) == {
        "jitter": 0.3,
        "nan": 0.1,
        "flip": 0.2,
    }
    assert read_faults(["realistic", "nan=0"]) == {k: v for k, v in REALISTIC.items() if k != "nan"}
    assert set(REALISTIC) == set(FAULTS)


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"jiter": 0.1}, "one is named 'jiter'; did you mean 'jitter'"),
        ("noise=0.1", "Faults are jitter, nan, .* but one is named 'noise'"),
        ("nan", "A fault needs its rate, such as nan=0.02"),
        ("nan=much", "rate of fault 'nan' is a share of frames from 0 to 0.9, but is 'much'"),
        ({"nan": 1.5}, "share of frames from 0 to 0.9, but is 1.5"),
        ({"nan": -0.1}, "share of frames"),
        ({"nan": True}, "share of frames"),
        ({"nan": float("nan")}, "share of frames"),
    ],
)
def test_bad_faults_are_one_sentence(faults, words):
    with pytest.raises(UsageError, match=words):
        read_faults(faults)


def test_files_beyond_sense_are_refused():
    with pytest.raises(
        UsageError, match=r"about 16.6 billion frames .* lower fps, larvae or lines"
    ):
        check_size(replace(DESIGN, assays_per_line=2_300_000), 10)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"fps": 1}, "fps must be a number from 5"), ({"contour_points": 5}, "from 8 to 2000")],
)
def test_bad_cameras_are_one_sentence(settings, words):
    with pytest.raises(UsageError, match=words):
        Camera(**settings)
