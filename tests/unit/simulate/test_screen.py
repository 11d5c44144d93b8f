import dataclasses

import numpy as np
import pytest
from scipy import stats

from larvastats.errors import UsageError
from larvastats.protocol import windows
from larvastats.simulate.design import ALWAYS_TRACKED, RandomEffects, ScreenDesign
from larvastats.simulate.effects import Effect
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import light_screen

MODEL = light_screen()


def jumps(ethogram, line, window):
    """Pooled transitions of a line in a window, shape (from, to)."""
    mine = (ethogram.assays["line"] == line).to_numpy()[ethogram.assay_index]
    t, after = ethogram.t_start, ethogram.follows
    inside = np.zeros(len(t), dtype=bool)
    for start, stop in window.intervals:
        inside |= (t >= start) & (t < stop)
    here = np.flatnonzero(mine & after & inside)
    out = np.zeros((ethogram.n_states, ethogram.n_states))
    np.add.at(out, (ethogram.state[here - 1], ethogram.state[here]), 1)
    return out


def occupancy(ethogram, intervals):
    part = ethogram.clip(intervals)
    time = np.bincount(part.state, part.t_stop - part.t_start, minlength=part.n_states)
    return time / time.sum()


def plates_of(ethogram, line):
    """Every plate of a line as its date and all its bouts; the time of day is left out."""
    out = set()
    for row in np.flatnonzero(ethogram.assays["line"] == line):
        here = ethogram.assay_index == row
        larva = ethogram.larvae["larva"].to_numpy()[ethogram.larva_index[here]]
        columns = (larva, ethogram.state[here], ethogram.t_start[here], ethogram.t_stop[here])
        bouts = tuple(zip(*(column.tolist() for column in columns), strict=True))
        out.add((ethogram.assays["date"].iloc[row], bouts))
    return out


def same(one, two):
    assert one.states == two.states
    for name in ("larva_index", "state", "t_start", "t_stop"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.larvae.equals(two.larvae)


@pytest.mark.parametrize("window", ["before", "during", "during_2", "after"])
@pytest.mark.parametrize("line", ["FCF_attP2_1500062", "A", "B", "C"])
def test_transitions_are_those_of_the_truth(certain_light, line, window):
    ethogram, truth = certain_light
    counts = jumps(ethogram, line, windows(MODEL.timing, window)[0])
    expected = truth.transitions(line, window) * counts.sum(axis=1, keepdims=True)
    usual = expected > 5
    np.fill_diagonal(usual, False)
    chi2 = ((counts - expected)[usual] ** 2 / expected[usual]).sum()
    assert usual.sum() >= 12
    assert stats.chi2.sf(chi2, usual.sum() - 3) > 1e-4


@pytest.mark.parametrize("line", ["FCF_attP2_1500062", "A", "B", "C"])
def test_occupancy_is_that_of_the_truth(certain_light, line):
    ethogram, truth = certain_light
    mine = ethogram.select(line=line)
    for window in ("before", "during"):
        found = occupancy(mine, windows(MODEL.timing, window)[0].intervals)
        np.testing.assert_allclose(found, truth.occupancy(line, window), atol=0.015)


def test_the_effects_asked_for_are_the_effects_found(certain_light):
    ethogram, truth = certain_light
    during = windows(MODEL.timing, "during")[0]
    rows = {line: jumps(ethogram, line, during)[0] for line in ("A", truth.design.control)}
    share = {line: row[2] / row.sum() for line, row in rows.items()}
    assert share["A"] - share[truth.design.control] == pytest.approx(0.2, abs=0.03)
    done = truth.realised()
    assert [(e["line"], e["kind"], e["delta_realised"]) for e in done] == [
        ("A", "transition", 0.2), ("B", "dwell", 2.0), ("C", "habituation", 10.0)
    ]  # fmt: skip


def test_a_line_that_does_not_habituate_responds_longer(certain_light):
    ethogram, truth = certain_light
    late = [(40.0, 45.0)]
    run = {
        line: occupancy(ethogram.select(line=line), late)[0] for line in ("C", truth.design.control)
    }
    assert run["C"] < run[truth.design.control] - 0.05


def test_a_null_line_and_the_control_are_exchangeable():
    # Under exchanged names the same plates come out: nothing but the name tells them apart.
    values = {"dates": 3, "assays_per_line": 12, "control_assays_per_date": 4}
    one, _ = simulate_ethogram(ScreenDesign(MODEL, ("B",), control="A", **values), 3)
    two, _ = simulate_ethogram(ScreenDesign(MODEL, ("A",), control="B", **values), 3)
    for line in "AB":
        assert plates_of(one, line) == plates_of(two, line)


def test_null_plates_are_distributed_as_control_plates():
    design = ScreenDesign(
        MODEL, tuple(f"N{k}" for k in range(30)), dates=4, assays_per_line=4,
        control_assays_per_date=30, larvae=(10, 20), spread=RandomEffects(vial=0),
    )  # fmt: skip
    ethogram, truth = simulate_ethogram(design, 17)
    assert truth.null_lines == design.lines
    clipped = ethogram.clip([(30.0, 45.0)])
    key = clipped.assay_index * 6 + clipped.state
    time = np.bincount(key, clipped.t_stop - clipped.t_start, minlength=6 * len(ethogram.assays))
    share = time.reshape(-1, 6) / time.reshape(-1, 6).sum(axis=1, keepdims=True)
    control = (ethogram.assays["line"] == design.control).to_numpy()
    for state in range(5):
        assert stats.ks_2samp(share[control, state], share[~control, state]).pvalue > 1e-3
    tracks = ethogram.larvae_per_assay
    assert stats.ks_2samp(tracks[control], tracks[~control]).pvalue > 1e-3


def test_base_rates_of_the_air_puff_screen(usual_airpuff):
    ethogram, _ = usual_airpuff
    assert 0.0006 < occupancy(ethogram, [(35.0, 45.0)])[3] < 0.0016
    found = occupancy(ethogram, [(45.0, 47.0)])
    published = [0.551, 0.287, 0.039, 0.070, 0.053]
    # 100 plates whose log odds differ by about .3: each rate varies by some percent of itself.
    np.testing.assert_allclose(found[:5], published, rtol=0.15, atol=0.004)
    assert found[5] < 0.001


def test_responses_decline_over_repeated_puffs(usual_airpuff):
    ethogram, _ = usual_airpuff
    hunch = [occupancy(ethogram, [(t, t + 2.0)])[3] for t in (45.0, 105.0, 195.0)]
    assert hunch[0] > 1.1 * hunch[1] > 1.3 * hunch[2]


def test_larvae_get_lost_and_found(usual_airpuff):
    ethogram, truth = usual_airpuff
    same_larva = np.diff(ethogram.larva_index) == 0
    gaps = (ethogram.t_start[1:] - ethogram.t_stop[:-1])[same_larva]
    assert (gaps[gaps > 1e-6] >= truth.design.tracking.shortest_gap - 1e-9).all()
    assert (gaps > 1e-6).sum() > 100
    larvae = ethogram.larvae
    assert (larvae["t_from"] > 0).mean() > 0.1
    assert (larvae["t_to"] < 220).mean() > 0.1
    assert ethogram.larvae_per_assay.max() > truth.design.larvae[1]  # found as new ones


def test_the_same_seed_gives_the_same_ethogram_and_another_another():
    design = ScreenDesign(MODEL, ("A",), assays_per_line=2, dates=2, larvae=5)
    one, two, three = (simulate_ethogram(design, seed)[0] for seed in (4, 4, 5))
    same(one, two)
    assert one.n_bouts != three.n_bouts or not np.array_equal(one.t_start, three.t_start)


def test_more_lines_plates_and_effects_leave_the_others_as_they_were():
    small = ScreenDesign(MODEL, ("B",), assays_per_line=4, dates=2, larvae=6)
    large = dataclasses.replace(
        small, lines=("A", "B", "C"), assays_per_line=8, control_assays_per_date=7,
        effects=(Effect("A", "dwell", 3.0, "run"),),
    )  # fmt: skip
    one, _ = simulate_ethogram(small, 9)
    two, _ = simulate_ethogram(large, 9)
    for line in ("B", small.control):
        assert plates_of(one, line) <= plates_of(two, line)
    assert len(plates_of(two, "B")) == 8


def test_single_lines_may_have_other_numbers_of_larvae():
    design = ScreenDesign(MODEL, ("A", "B"), dates=1, assays_per_line=3, larvae=12,
                          larvae_of={"A": 4, "B": (5, 6)}, tracking=ALWAYS_TRACKED)  # fmt: skip
    ethogram, _ = simulate_ethogram(design, 0)
    per_line = {
        line: set(ethogram.larvae_per_assay[(ethogram.assays["line"] == line).to_numpy()])
        for line in ("A", "B", design.control)
    }
    assert per_line["A"] == {4}
    assert per_line["B"] <= {5, 6}
    assert per_line[design.control] == {12}


def test_more_spread_between_plates_shows():
    quiet = ScreenDesign(MODEL, ("A",), dates=1, assays_per_line=30, larvae=20,
                         spread=RandomEffects(0, 0, 0, 0))  # fmt: skip
    loud = dataclasses.replace(quiet, spread=RandomEffects(0, 0, 1.0, 0))
    sds = []
    for design in (quiet, loud):
        ethogram = simulate_ethogram(design, 2)[0]
        key = ethogram.assay_index * 6 + ethogram.state
        time = np.bincount(key, ethogram.t_stop - ethogram.t_start).reshape(-1, 6)
        sds.append((time[:, 0] / time.sum(axis=1)).std())
    assert sds[1] > 2 * sds[0]


def test_truth_is_plain_data():
    design = ScreenDesign(MODEL, ("A", "B"), dates=1, assays_per_line=1, larvae=1,
                          effects=(Effect("A", "dwell", 2.0, "hunch"),))  # fmt: skip
    truth = simulate_ethogram(design, 1)[1]
    plain = truth.as_dict()
    assert plain["null_lines"] == ["B"]
    assert [chain["lines"] for chain in plain["chains"]] == [[design.control, "B"], ["A"]]
    matrix = plain["chains"][0]["windows"]["during"]["transitions"]
    np.testing.assert_allclose(np.sum(matrix, axis=1), 1, atol=1e-5)
    assert plain["design"]["standard_deviations"]["vial"] == 0.1


@pytest.mark.parametrize("seed", [-1, 1.5, True, "x"])
def test_a_bad_seed_is_one_sentence(seed):
    with pytest.raises(UsageError, match="seed must be a whole number from 0 on"):
        simulate_ethogram(ScreenDesign(MODEL, ("A",)), seed)


def test_an_effect_of_a_missing_line_is_one_sentence():
    design = ScreenDesign(MODEL, ("A",), effects=(Effect("Z", "dwell", 2.0, "run"),))
    with pytest.raises(UsageError, match="line 'Z', which is not among the 1 lines"):
        simulate_ethogram(design, 0)


def test_truth_of_a_missing_line_or_of_many_windows_is_one_sentence(certain_light):
    truth = certain_light[1]
    with pytest.raises(UsageError, match="Line 'Z' is not in the design"):
        truth.transitions("Z")
    with pytest.raises(UsageError, match="'each' is many windows"):
        truth.transitions("A", "each")
