"""Series of simulated larvae: what actions and effects do to them, and that they come back."""

import numpy as np
import pandas as pd
import pytest

from larvastats.io.features import open_tracks
from larvastats.simulate.design import ScreenDesign
from larvastats.simulate.effects import Effect
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.series import SERIES, frame_series
from larvastats.simulate.states import airpuff_screen
from larvastats.simulate.timecourse import body_factors
from larvastats.verbs.simulate import simulate

MODEL = airpuff_screen()
SPREAD = (Effect("", "spread", 2.0),)


@pytest.fixture(scope="module")
def assay():
    design = ScreenDesign(MODEL, ("A",), dates=1, assays_per_line=1, control_assays_per_date=1,
                          larvae=40)  # fmt: skip
    ethogram, _ = simulate_ethogram(design, 3)
    return ethogram.subset([True, False])


@pytest.fixture(scope="module")
def frames(assay):
    return frame_series(assay, MODEL, (), 3)


def test_there_is_one_value_per_frame(assay, frames):
    plain = assay.to_frames(0.1)
    pd.testing.assert_frame_equal(frames[list(plain.columns)], plain)
    assert np.isfinite(frames[list(SERIES)].to_numpy()).all()


def test_actions_have_the_bodies_they_are_defined_by(frames):
    mean = frames.groupby("state", observed=True)[["length", "speed"]].mean()
    assert mean["speed"]["run"] > 1.1 > 0.4 > mean["speed"]["stop"] > 0
    bent = frames.groupby("state", observed=True)["head_angle"].std()
    assert bent["cast"] > 3 * bent["run"]
    # hunches shorten a larva, whatever its size
    own = frames.groupby(["larva", "state"], observed=True)["length"].mean().unstack()
    assert (own["hunch"] / own["run"]).mean() == pytest.approx(0.88, abs=0.05)
    assert 4.0 < mean["length"]["run"] < 4.4
    between = own["run"].std()
    assert between == pytest.approx(0.41, abs=0.15)


def test_noise_has_memory_and_larvae_are_independent(frames):
    run = frames[frames["larva"] == frames["larva"].iloc[0]]["head_angle"].to_numpy()
    assert np.corrcoef(run[1:], run[:-1])[0, 1] > 0.6


def test_the_same_seed_gives_the_same_series_and_another_one_others(assay, frames):
    again = frame_series(assay, MODEL, (), 3)
    pd.testing.assert_frame_equal(frames, again)
    assert not np.allclose(frames["length"], frame_series(assay, MODEL, (), 4)["length"])


def test_spread_widens_the_head_angle_in_its_window_and_nothing_else(assay, frames):
    wide = frame_series(assay, MODEL, SPREAD, 3)
    t = frames["t"].to_numpy()
    factor = body_factors(t, MODEL, SPREAD)["spread"]
    assert set(factor[(t >= 46) & (t < 74)]) == {2.0} and set(factor[t < 44]) == {1.0}
    pd.testing.assert_frame_equal(
        wide.drop(columns="head_angle"), frames.drop(columns="head_angle")
    )
    on, off = factor == 2.0, factor == 1.0
    np.testing.assert_allclose(wide["head_angle"][off], frames["head_angle"][off])
    assert wide["head_angle"][on].std() > 1.6 * frames["head_angle"][on].std()
    assert abs(wide["head_angle"][on].mean()) < 0.05


@pytest.mark.parametrize(("kind", "series"), [("speed", "speed"), ("length", "length")])
def test_pace_and_size_change_by_their_factor_in_their_window(assay, frames, kind, series):
    effects = (Effect("", kind, 0.5),)
    changed = frame_series(assay, MODEL, effects, 3)
    on = body_factors(frames["t"].to_numpy(), MODEL, effects)[kind] == 0.5
    ratio = changed[series][on].mean() / frames[series][on].mean()
    assert ratio == pytest.approx(0.5, abs=0.05)
    pd.testing.assert_frame_equal(changed[~on], frames[~on])


def test_trx_and_frames_hold_the_same_series(tmp_path):
    settings = {"protocol": "airpuff", "lines": 1, "assays_per_line": 1, "dates": 1,
                "control_assays_per_date": 1, "larvae": 4, "seed": 5}  # fmt: skip
    simulate(tmp_path / "trx", format="trx", **settings)
    simulate(tmp_path / "frames", format="frames", **settings)
    for name, unit in SERIES.items():
        one = {t.identity.assay: t for t in open_tracks(tmp_path / "trx", None, name)}
        two = {t.identity.assay: t for t in open_tracks(tmp_path / "frames", None, name)}
        assert set(one) == set(two) and len(one) == 2
        for assay, tracks in one.items():
            assert tracks.units[name] == unit
            table = pd.DataFrame({"larva": np.array(tracks.larvae)[tracks.larva_index],
                                  "t": tracks.t, "x": tracks.features[name]})  # fmt: skip
            other = two[assay]
            second = pd.DataFrame({"larva": np.array(other.larvae)[other.larva_index],
                                   "t": other.t, "x": other.features[name]})  # fmt: skip
            keys = ["larva", "t"]
            left = table.round(6).sort_values(keys, ignore_index=True)
            right = second.round(6).sort_values(keys, ignore_index=True)
            pd.testing.assert_frame_equal(left, right)
