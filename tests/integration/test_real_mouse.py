"""Three mouse strains, for real: states from intervals, exact enumeration, days that are no units.

Known numbers were measured on mousestyles' files; pandas, scipy and the published features check
what they can.
"""

import runpy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

SCRIPT = Path(__file__).resolve().parents[2] / "analyses" / "01_mouse_strains.py"


@pytest.fixture(scope="module")
def analysis():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "mousestyles"


@pytest.fixture(scope="module")
def bouts(analysis, folder):
    return analysis["bout_table"](folder)


@pytest.fixture(scope="module")
def mice(analysis, bouts):
    return analysis["ethogram"](bouts)


@pytest.fixture(scope="module")
def tests_by_mouse(analysis, mice):
    return {view: analysis["compare_strains"](mice, view) for view in analysis["VIEWS"]}


def test_every_moment_of_a_day_has_one_state_and_no_transition_joins_two_days(mice):
    assert (len(mice.genotypes), len(mice.assays), len(mice.larvae)) == (3, 12, 137)
    assert mice.n_bouts == 2_072_475
    assert mice.states == ("active", "feeding", "drinking", "inactive")
    # a mouse-day is one stretch: only its first bout follows nothing
    assert np.count_nonzero(~mice.follows) == 137


def test_time_in_each_state_is_that_of_the_files(analysis, folder, bouts):
    seconds = (bouts["t_stop"] - bouts["t_start"]).groupby(bouts["state"], observed=True).sum()
    days = analysis["read_intervals"](folder).values()
    told = {kind: sum(np.diff(day[kind]).sum() for day in days) for kind in analysis["KINDS"]}
    assert seconds["drinking"] == pytest.approx(told["W"], abs=1e-3)
    # 39 sips, 1.091 s in all, lie inside one feeder contact; the inner interval wins
    assert seconds["feeding"] == pytest.approx(told["F"] - 1.091, abs=1e-3)
    assert seconds["inactive"] == pytest.approx(told["IS"], abs=1e-3)
    assert seconds.drop("inactive").sum() == pytest.approx(told["AS"], abs=1e-3)


def test_active_shares_are_the_published_features(analysis, mice, folder):
    found = analysis["against_features"](mice, folder)
    assert len(found) == 137
    assert found["difference"].max() < 1e-9
    for _, own in found.groupby("assay"):  # days in order, none twice, numbered as published
        days = own.sort_values("larva")["feature_day"].tolist()
        assert all(a < b for a, b in pairwise(days)) and {*days} <= {*range(5, 17)}


def test_joined_contacts_keep_the_time_covered(analysis):
    contacts = np.array([[0.0, 1.0], [1.5, 2.0], [5.0, 6.0]])
    joined = analysis["join_contacts"](contacts, 0.5)
    assert joined.tolist() == [[0.0, 2.0], [5.0, 6.0]]
    assert analysis["join_contacts"](contacts, 0.4).tolist() == contacts.tolist()


def test_matrices_are_row_stochastic(analysis, mice):
    result = analysis["ls"].transitions(mice)
    for strain in mice.genotypes:
        matrix = result.matrix(strain).to_numpy()
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
        assert (np.diag(matrix) == 0).all()
    assert result.matrix("strain 1").loc["active", "feeding"] == pytest.approx(0.7289, abs=1e-4)


def test_four_against_four_is_enumerated_and_cannot_go_below_2_in_70(tests_by_mouse):
    for tests in tests_by_mouse.values():
        for test in tests:
            assert test.n_resamples == 70 and test.seed is None
            assert "exact relabelling" in test.method
            assert test.design["p_floor"] == pytest.approx(2 / 70)
            assert np.isfinite(test.p_value) and test.p_value >= 2 / 70 - 1e-12
    shares = {
        view: [round(70 * t.p_value) for t in tests] for view, tests in tests_by_mouse.items()
    }
    assert shares == {"jump": [4, 16, 8], "frame, 1 s": [2, 2, 48]}


def test_the_enumeration_is_that_of_scipy(bouts, tests_by_mouse):
    """Counts by pandas, the statistic written out, all relabellings by scipy."""
    state, same = bouts["state"].astype("str"), bouts["larva"].eq(bouts["larva"].shift())
    same &= bouts["assay"].eq(bouts["assay"].shift())
    pair = (state.shift() + ">" + state)[same & state.ne(state.shift())]
    table = pd.crosstab(bouts["assay"][pair.index], pair)
    start = pd.Series([name.split(">")[0] for name in table.columns], index=table.columns)
    visits = table.T.groupby(start).transform("sum").T
    pooled, pooled_visits = table.sum(), visits.sum()
    p_bar, weight = pooled / pooled_visits, pooled_visits / table.to_numpy().sum()
    x = ((table / visits - p_bar) * np.sqrt(weight / p_bar)).fillna(0.0)
    strain = x.index.str.startswith

    def welch(one, other):
        one, other = profile[one], profile[other]
        noise = sum(group.var(axis=0, ddof=1).sum() / len(group) for group in (one, other))
        return ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum() / noise

    for test in tests_by_mouse["jump"]:
        names = test.design["genotype"], test.design["control"]
        profile = np.concatenate([x[strain(name)] for name in names])
        oracle = stats.permutation_test(
            (np.arange(4), np.arange(4, 8)), welch, n_resamples=np.inf, alternative="greater"
        )
        assert test.statistic["T"] == pytest.approx(oracle.statistic, rel=1e-9)
        assert test.p_value == pytest.approx(oracle.pvalue, abs=1e-12)


def test_days_taken_as_units_find_differences_everywhere(analysis, mice, tests_by_mouse):
    by_day = analysis["compare_strains"](mice, "jump", unit="larva")
    for honest, wrong in zip(tests_by_mouse["jump"], by_day, strict=True):
        assert honest.p_value > 0.05 and wrong.p_value < 0.01
        assert "unit is the larva" in wrong.notes[0]


def test_days_taken_as_units_tell_a_strain_from_itself(analysis, folder):
    splits = analysis["split_table"](analysis["bout_table"](folder, gap=4.0))  # the fast one
    by_day, by_mouse = splits[splits["unit"] != "mouse"], splits[splits["unit"] == "mouse"]
    assert len(by_day) == len(by_mouse) == 9
    # two against two: the smallest possible p is 1/3
    np.testing.assert_allclose(by_mouse["p_floor"], 1 / 3)
    assert (by_mouse["p_value"] > 0.05).all()
    # 6 were found; were the nine independent, 5 or more would come by chance once in 30,000 times
    assert (by_day["p_value"] <= 0.05).sum() >= 5


def test_old_and_new_numbers_agree_in_sign_and_their_order_is_told(analysis, mice):
    for view, by_h, by_t in (("jump", [2, 3, 1], [1, 3, 2]), ("frame, 1 s", [2, 1, 3], [2, 1, 3])):
        table = analysis["old_and_new"](mice, view)
        assert (np.sign(table["pooled"]) == np.sign(table["mean_of_mice"])).all()
        assert (table["rank_H"].tolist(), table["rank_T"].tolist()) == (by_h, by_t)
        # the more a pair differs from itself, the less a distance between pooled counts says
        assert (table.loc[table["p_value"] < 0.3, "same"] > 0.99).all()


def test_recordings_of_one_round_are_recognised(analysis, mice):
    rounds = analysis["recording_rounds"](mice)
    assert [rounds[f"strain {s} mouse {m}"] for s in range(3) for m in range(4)] == [
        1, 1, 2, 3, 1, 1, 2, 2, 1, 1, 2, 2,
    ]  # fmt: skip


def test_the_script_prints_and_saves(analysis, folder, tmp_path, capsys):
    small, out = tmp_path / "data", tmp_path / "results"
    small.mkdir()
    _two_days(folder, small)
    analysis["main"]([str(small), "--out", str(out), "--join", "4"])
    said = capsys.readouterr().out
    assert "smallest possible p 2/70" in said
    assert "exact relabelling" in said
    names = {path.name for path in out.iterdir()}
    assert {
        "strains.csv",
        "splits.csv",
        "days_are_not_units.png",
        "one_day.png",
        "old_and_new.csv",
    } <= names
    strains = pd.read_csv(out / "strains.csv")
    assert set(strains.loc[strains["unit"] == "mouse", "floor_as_share"]) == {"2/70"}


def _two_days(folder, small):
    """Copy the first two days of every mouse."""
    name = "intervals_3strains_AS_F_IS_W.npz"
    with np.load(folder / name) as file:
        parts = {}
        for kind in ("AS", "IS", "F", "W"):
            first = file[f"{kind}_key"][:, 2] < 2
            parts |= {f"{kind}_key": file[f"{kind}_key"][first], kind: file[kind][first]}
    np.savez(small / name, **parts)
    name = "all_features_mousedays_11bins.npy"
    np.save(small / name, np.load(folder / name))
