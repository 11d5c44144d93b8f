"""Properties of the ethogram, and its complaints about tables."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from larvastats.combine import concat, merge_short
from larvastats.errors import DataError
from larvastats.ethogram import BOUT_COLUMNS, FRAME_COLUMNS, Ethogram, grid_range

STEP = 0.1
STATES = ("run", "cast", "stop", "groom")


@st.composite
def tracks(draw, lasting=1):
    """Bouts of one larva on a grid: start, stop (in steps) and state; gaps exceed three steps."""
    n = draw(st.integers(1, 5))
    k, bouts = draw(st.integers(0, 20)), []
    for _ in range(n):
        k += draw(st.just(0) | st.integers(5, 12))
        duration = draw(st.integers(lasting, 15))
        bouts.append((k, k + duration, draw(st.sampled_from(STATES))))
        k += duration
    return bouts


@st.composite
def tables(draw, lasting=1):
    """Tables of bouts of up to three assays of up to two larvae."""
    rows = []
    for assay in range(draw(st.integers(1, 3))):
        line = draw(st.sampled_from(["A", "B"]))
        temperature = draw(st.floats(18, 30))
        for larva in range(draw(st.integers(1, 2))):
            for start, stop, state in draw(tracks(lasting)):
                rows.append(
                    (f"p{assay}", line, "E", f"{larva}", state, start * STEP, stop * STEP,
                     f"2020010{assay + 1}", temperature)
                )  # fmt: skip
    columns = "assay line effector larva state t_start t_stop date temperature"
    return pd.DataFrame(rows, columns=columns.split())


def ethograms(lasting=1):
    return tables(lasting).map(lambda table: Ethogram.from_bouts(table, states=STATES))


def time_per_larva(ethogram):
    return np.bincount(
        ethogram.larva_index,
        ethogram.t_stop - ethogram.t_start,
        minlength=len(ethogram.larvae),
    )


def edges(ethogram):
    """Where tracking begins and ends, per larva."""
    opens = ~ethogram.follows
    closes = np.append(opens[1:], True)
    return ethogram.larva_index[opens], ethogram.t_start[opens], ethogram.t_stop[closes]


# -- round trips -----------------------------------------------------------------------------------


@given(ethograms())
def test_bouts_to_table_to_bouts_is_exact(ethogram):
    again = Ethogram.from_bouts(ethogram.to_bouts(), states=STATES)
    assert again.equals(ethogram, atol=0)
    pd.testing.assert_frame_equal(again.assays, ethogram.assays)
    pd.testing.assert_frame_equal(again.larvae, ethogram.larvae)


@given(ethograms(lasting=3))
def test_frames_round_trip_when_edges_lie_on_the_grid(ethogram):
    again = Ethogram.from_frames(ethogram.to_frames(STEP), states=STATES)
    assert again.equals(ethogram, atol=1e-9)


@given(tables(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(table, random):
    rows = list(range(len(table)))
    random.shuffle(rows)
    one, two = (Ethogram.from_bouts(t, states=STATES) for t in (table, table.iloc[rows]))
    assert two.equals(one, atol=0)
    assert (two.larva_index == one.larva_index).all()


@given(tables())
def test_categoricals_and_text_give_the_same(table):
    compact = table.astype({name: "category" for name in ("assay", "line", "larva", "state")})
    one, two = Ethogram.from_bouts(table), Ethogram.from_bouts(compact)
    assert one.equals(two, atol=0)
    assert (one.assays.dtypes == two.assays.dtypes).all()


@given(ethograms(lasting=3), st.integers(1, 40))
def test_every_frame_lies_in_its_bout(ethogram, centi):
    dt = centi / 100
    frames = ethogram.to_frames(dt)
    n = grid_range(ethogram.t_stop, dt) - grid_range(ethogram.t_start, dt)
    assert len(frames) == n.sum()
    inside = ethogram.t_stop - ethogram.t_start
    assert np.all(np.abs(n - inside / dt) < 1 + 1e-6)


# -- invariants ------------------------------------------------------------------------------------


@given(ethograms())
def test_bouts_are_sorted_disjoint_and_merged(ethogram):
    same = ethogram.larva_index[1:] == ethogram.larva_index[:-1]
    assert (np.diff(ethogram.larva_index) >= 0).all()
    assert (ethogram.t_start[1:][same] >= ethogram.t_stop[:-1][same] - 1e-9).all()
    assert (ethogram.t_stop > ethogram.t_start).all()
    changes = ethogram.state[1:] != ethogram.state[:-1]
    assert changes[ethogram.follows[1:]].all()
    with pytest.raises(ValueError, match="read-only"):
        ethogram.state[0] = 1


@given(tables())
def test_splitting_a_bout_changes_nothing(table):
    middle = (table["t_start"] + table["t_stop"]) / 2
    halves = pd.concat([table.assign(t_stop=middle), table.assign(t_start=middle)])
    assert Ethogram.from_bouts(halves).equals(Ethogram.from_bouts(table), atol=0)


@given(ethograms(), st.data())
def test_subset_splits_without_loss(ethogram, data):
    n = len(ethogram.assays)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    kept, rest = ethogram.subset(keep), ethogram.subset(~keep)
    assert kept.n_bouts + rest.n_bouts == ethogram.n_bouts
    assert len(kept.larvae) + len(rest.larvae) == len(ethogram.larvae)
    assert list(kept.assays["assay"]) == list(ethogram.assays["assay"][keep])
    assert kept.states == ethogram.states
    whole = set(ethogram.assays["assay"].to_numpy()[kept.assay_index[:0]])
    assert whole | set(kept.assays["assay"].to_numpy()[kept.assay_index]) == set(
        ethogram.assays["assay"][keep]
    )


@given(ethograms(), st.lists(st.integers(0, 150), min_size=3, max_size=3, unique=True))
def test_clip_preserves_total_time(ethogram, cuts):
    a, b, c = (cut * 0.07 for cut in sorted(cuts))
    parts = [ethogram.clip([(a, b)]), ethogram.clip([(b, c)])]
    both, joined = ethogram.clip([(a, b), (b, c)]), ethogram.clip([(a, c)])
    total = sum(time_per_larva(part).sum() for part in parts)
    assert total == pytest.approx(time_per_larva(joined).sum())
    assert both.equals(joined)
    inside = np.minimum(ethogram.t_stop, c) - np.maximum(ethogram.t_start, a)
    assert total == pytest.approx(np.maximum(inside, 0).sum())


@given(ethograms())
def test_clip_to_everything_changes_nothing(ethogram):
    assert ethogram.clip([(-1.0, 1e6)]).equals(ethogram, atol=0)
    assert ethogram.clip([(1e6, 2e6)]).n_bouts == 0


@given(ethograms())
def test_concat_of_the_assays_is_the_whole(ethogram):
    n = len(ethogram.assays)
    parts = [ethogram.subset(np.arange(n) == row) for row in range(n)]
    whole = concat(parts)
    assert whole.equals(ethogram, atol=0)
    pd.testing.assert_frame_equal(whole.assays, ethogram.assays)
    assert concat(parts[::-1]).equals(ethogram, atol=0)


@given(ethograms(), st.integers(0, 18))
def test_merging_flicker_keeps_time_and_tracking(ethogram, steps):
    merged = merge_short(ethogram, steps * STEP)
    np.testing.assert_allclose(time_per_larva(merged), time_per_larva(ethogram), atol=1e-9)
    for one, two in zip(edges(merged), edges(ethogram), strict=True):
        np.testing.assert_array_equal(one, two)
    assert merge_short(merged, steps * STEP).equals(merged, atol=0)


@given(ethograms(), st.integers(1, 18))
def test_after_merging_short_bouts_have_only_short_neighbours(ethogram, steps):
    merged = merge_short(ethogram, steps * STEP)
    stretch = np.cumsum(~merged.follows)
    short = merged.t_stop - merged.t_start < steps * STEP - 1e-9
    assert set(stretch[short]).isdisjoint(stretch[~short])


@given(ethograms())
def test_equals_sees_every_difference(ethogram):
    assume(ethogram.n_bouts > 1)
    table = ethogram.to_bouts()
    moved = table.assign(t_stop=table["t_stop"].where(table.index > 0, table["t_stop"] - 0.01))
    renamed = table.assign(larva=table["larva"] + "x")
    for other in (moved, renamed, table.iloc[1:]):
        assert not Ethogram.from_bouts(other, states=STATES).equals(ethogram)


# -- examples --------------------------------------------------------------------------------------


def bouts(**changes):
    table = pd.DataFrame(
        {
            "assay": ["p", "p", "p", "q"],
            "line": ["A", "A", "A", "B"],
            "larva": ["1", "1", "2", "1"],
            "state": ["run", "cast", "run", "stop"],
            "t_start": [0.0, 2.0, 0.0, 1.0],
            "t_stop": [2.0, 3.0, 4.0, 2.5],
        }
    )
    return table.assign(**changes)


def frames(**changes):
    n = 6
    table = pd.DataFrame(
        {
            "assay": "p",
            "line": "A",
            "larva": "1",
            "t": np.arange(n) * STEP,
            "state": ["run"] * 3 + ["cast"] * 3,
        }
    )
    return table.assign(**changes)


def test_a_larva_is_the_pair_of_assay_and_larva():
    ethogram = Ethogram.from_bouts(bouts())
    assert list(ethogram.larvae["larva"]) == ["1", "2", "1"]
    assert list(ethogram.larvae["assay_index"]) == [0, 0, 1]
    assert list(ethogram.larvae["t_from"]) == [0, 0, 1]
    assert list(ethogram.larvae["t_to"]) == [3, 4, 2.5]
    assert list(ethogram.larvae_per_assay) == [2, 1]


def test_genotype_is_line_at_effector_and_covariates_stay():
    table = bouts(effector=["E", "E", "E", None], wind=[1, 1, 1, 2], frame=[1, 2, 3, 4])
    assays = Ethogram.from_bouts(table).assays
    assert list(assays["genotype"]) == ["A@E", "B"]
    assert list(assays["wind"]) == [1, 2]
    assert "frame" not in assays


def test_numbers_as_names_are_written_without_decimals():
    table = bouts(larva=[1.0, 1.0, 2.0, 1.0], date=[20200131.0] * 4, line=["A", "A", "A", "B"])
    ethogram = Ethogram.from_bouts(table)
    assert list(ethogram.larvae["larva"]) == ["1", "2", "1"]
    assert list(ethogram.assays["date"]) == ["20200131", "20200131"]


def test_a_frame_lasts_until_the_next_and_the_last_one_for_a_step():
    ethogram = Ethogram.from_frames(frames())
    np.testing.assert_allclose(ethogram.t_start, [0, 0.3])
    np.testing.assert_allclose(ethogram.t_stop, [0.3, 0.6])


@pytest.mark.parametrize(("lost", "n_stretches"), [(2, 1), (3, 2)])
def test_up_to_three_steps_are_no_gap(lost, n_stretches):
    t = np.arange(20) * STEP
    table = pd.DataFrame({"t": t, "state": "run", "assay": "p", "line": "A", "larva": "1"})
    ethogram = Ethogram.from_frames(table.drop(index=range(5, 5 + lost)))
    assert ethogram.n_bouts == n_stretches


def test_frames_without_a_state_are_not_tracked():
    states = ["run", "run", None, "", " ", "nan", "run", "run"]
    table = pd.DataFrame(
        {"t": np.arange(8) * STEP, "state": states, "assay": "p", "line": "A", "larva": "1"}
    )
    ethogram = Ethogram.from_frames(table.replace("nan", np.nan))
    np.testing.assert_allclose(ethogram.t_start, [0, 0.6])
    np.testing.assert_allclose(ethogram.t_stop, [0.2, 0.8])


def test_select_takes_exact_names():
    ethogram = Ethogram.from_bouts(bouts(protocol=["x", "x", "x", "y"]))
    assert ethogram.select(protocol="y").genotypes == ("B",)
    assert ethogram.select(line="A").protocols == ("x",)
    assert ethogram.select(genotype=["A", "B"]).n_bouts == 4
    assert ethogram.select(genotype="nobody").n_bouts == 0
    assert "4 bouts of 3 larvae, 2 assays" in repr(ethogram)


def without(column):
    return bouts().drop(columns=column)


BAD_BOUTS = {
    "missing": (without("t_stop"), "t_stop is missing"),
    "two missing": (without(["larva", "line"]), "line, larva are missing"),
    "misspelt": (without("t_start").assign(t_strat=0.0), "'t_strat' the t_start?"),
    "other word": (without("state").assign(behaviour="run"), "'behaviour' the state?"),
    "case": (without("larva").assign(Larva="1"), "'Larva' the larva?"),
    "twice": (pd.concat([bouts(), bouts()[["state"]]], axis=1), "'state' occurs more than once"),
    "unparsable": (bouts(t_start=[0, "soon", 0, 1]), "t_start.*seconds.*1 of 4.*'soon' in row 2"),
    "infinite": (bouts(t_stop=[2, 3, np.inf, 2.5]), "not finite numbers.*inf in row 3"),
    "no time": (bouts(t_stop=[2, 3, None, 2.5]), "an empty cell in row 3"),
    "time stamps": (bouts(t_start=pd.Timestamp("2020-01-31")), "seconds as numbers.*datetime64"),
    "durations": (bouts(t_start=pd.Timedelta("1s")), "seconds as numbers.*timedelta64"),
    "truth values": (bouts(t_start=False), "seconds as numbers.*bool"),
    "lists": (bouts(t_start=[[0], 2, 0, 1]), "not finite numbers"),
    "negative": (bouts(t_stop=[2, 1, 4, 2.5]), "end after it starts.*1 do not.*larva '1' of.*'p'"),
    "empty bout": (bouts(t_stop=[2, 2, 4, 2.5]), "end after it starts"),
    "overlap": (bouts(t_start=[0, 1.5, 0, 1]), "overlap.*ends at 2 s.*starts at 1.5 s"),
    "no state": (bouts(state=["run", None, "run", "stop"]), "state is empty in 1 of 4.*row 2"),
    "blank state": (bouts(state=["run", "  ", "run", "stop"]), "state is empty in 1 of 4.*row 2"),
    "no assay": (bouts(assay=["p", "p", "p", np.nan]), "assay is empty in 1 of 4 rows.*row 4"),
    "no line": (bouts(line=None), "line is empty in 4 of 4"),
    "objects": (bouts(larva=[[1], [1], [2], [1]]), "larva must hold names or numbers.*list"),
    "two lines": (bouts(line=["A", "B", "A", "B"]), "assay 'p' must have one line.*'A' and 'B'"),
    "two dates": (bouts(date=["1", "1", "2", "1"]), "one date.*'1' and '2'.*row 3"),
    "empty": (bouts().iloc[:0], "at least one row"),
}


@pytest.mark.parametrize("name", BAD_BOUTS)
def test_bad_bouts_are_refused_in_a_sentence(name):
    table, words = BAD_BOUTS[name]
    with pytest.raises(DataError, match=words) as caught:
        Ethogram.from_bouts(table, source="my.csv")
    assert re.fullmatch(r"my\.csv: .*\.", str(caught.value))


BAD_FRAMES = {
    "missing": (frames().drop(columns="t"), "t is missing"),
    "other word": (frames().rename(columns={"t": "time"}), "'time' the t?"),
    "unparsable": (frames(t=["0", "1", "2", "3", "4", "x"]), "'x' in row 6"),
    "twice": (frames(t=[0, 1, 1, 2, 3, 4]), "1 frames come twice.*larva '1'.*at 1 s"),
    "no state at all": (frames(state=None), "state is empty in every row"),
    "empty": (frames().iloc[:0], "at least one row"),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frames_are_refused_in_a_sentence(name):
    table, words = BAD_FRAMES[name]
    with pytest.raises(DataError, match=words):
        Ethogram.from_frames(table, source="my.csv")


def test_a_vocabulary_that_lacks_a_state_is_refused():
    with pytest.raises(DataError, match="expected the states run, cast, but found 'stop'"):
        Ethogram.from_bouts(bouts(), states=("run", "cast"))


def test_the_columns_are_named_once():
    assert set(bouts().columns) == set(BOUT_COLUMNS)
    assert set(frames().columns) == set(FRAME_COLUMNS)
