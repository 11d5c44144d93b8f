"""Several windows on one relabelling plan, against the definition written out slowly."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from larvastats import DataError, UsageError, screen
from larvastats.inference.screen.window_tables import holm
from larvastats.inference.screen.windows import MaxT

PROTOCOL = "r_LED100_6s2x4s8s#n#n#n"  # on 6-10, 14-18
WINDOWS = {"before": (-np.inf, 6), "during_1": (6, 10), "during_2": (14, 18), "after": (18, np.inf)}
STATES = ("run", "cast", "stop")
QUICK = {"control": "wild", "window": "each", "bootstrap": 0}


def bouts(sizes, seed, dated, strength=0.0):
    """A table of bouts; `sizes` are (mutant, wild) plates of each date, beside two of a third."""
    rng = np.random.default_rng(seed)
    rows = []
    for d, pair in enumerate(sizes):
        for name, n in zip(("mutant", "wild", "other"), (*pair, 2), strict=True):
            for k in range(n):
                p = rng.dirichlet(np.full(3, 4.0), size=3) * (1 - np.eye(3))
                for larva in range(4):
                    t, s = 0.0, int(rng.integers(3))
                    while t < 22:
                        stop = t + round(float(rng.gamma(2, 0.2)), 2) + 0.05
                        rows.append((f"{name}{d}{k}", name, larva, STATES[s], t, stop, f"d{d}"))
                        row = p[s].copy()
                        if name == "mutant" and 14 <= stop < 18:
                            row[(s + 1) % 3] *= np.exp(strength)
                        t, s = stop, int(rng.choice(3, p=row / row.sum()))
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop", "date"]
    table = pd.DataFrame(rows, columns=columns).assign(protocol=PROTOCOL)
    return table if dated else table.drop(columns="date")


def counts_of(table):
    """Jumps by assay and window, row by row; assays in the order of their names."""
    names = sorted(table["assay"].unique())
    out = np.zeros((len(names), len(WINDOWS), 3, 3), dtype=int)
    previous = None
    for one in table.sort_values(["assay", "larva", "t_start"]).itertuples():
        if previous and (previous.assay, previous.larva) == (one.assay, one.larva):
            for w, (low, high) in enumerate(WINDOWS.values()):
                if low <= one.t_start < high and previous.state != one.state:
                    cell = STATES.index(previous.state), STATES.index(one.state)
                    out[names.index(one.assay), w][cell] += 1
        previous = one
    return names, out


def labellings(is_line, date):
    members = [np.flatnonzero(date == d) for d in sorted(set(date))]
    sizes = [int(is_line[m].sum()) for m in members]
    for chosen in product(*(combinations(m, n) for m, n in zip(members, sizes, strict=True))):
        yield np.isin(np.arange(len(date)), np.concatenate(chosen))


def slow_family(table, naive, dated):
    """T of every window, and adjusted p-values by the definitions of Westfall & Young."""
    names, counts = counts_of(table)
    of = np.array([n.rstrip("0123456789") for n in names])
    keep = of != "other"
    is_line = of[keep] == "mutant"
    date = np.array([n[-2] for n in names])[keep] if dated else np.zeros(keep.sum())
    x = [naive.profiles(counts[:, w])[keep] for w in range(len(WINDOWS))]
    statistic = naive.dated if dated else (lambda a, b, _: naive.welch(a, b))
    observed = np.array([statistic(one, is_line, date) for one in x])
    null = np.array([[statistic(one, lab, date) for one in x] for lab in labellings(is_line, date)])
    single = [(null.max(axis=1) >= t * (1 - 1e-9)).mean() for t in observed]
    step, largest = {}, 0.0
    for w in np.argsort(-observed):
        weaker = observed <= observed[w]
        p = (null[:, weaker].max(axis=1) >= observed[w] * (1 - 1e-9)).mean()
        largest = max(largest, p)
        step[w] = largest
    return observed, np.array(single), np.array([step[w] for w in range(len(observed))])


@pytest.mark.parametrize(
    ("sizes", "dated", "seed"),
    [([(4, 4)], False, 1), ([(3, 5)], False, 2), ([(2, 2), (2, 3)], True, 3)],
)
def test_all_windows_together_are_what_the_definition_says(naive, sizes, dated, seed):
    table = bouts(sizes, seed, dated, strength=1.0)
    observed, single, step = slow_family(table, naive, dated)
    result = screen(table, null="relabel", **QUICK)
    own = result.windows[result.windows["line"] == "mutant"].set_index("window")
    assert list(own.index) == list(WINDOWS)
    np.testing.assert_allclose(own["statistic"], observed, rtol=1e-9)
    np.testing.assert_allclose(own["p_single_step"], single, atol=1e-12)
    np.testing.assert_allclose(own["p_adjusted"], step, atol=1e-12)
    one = result.table.set_index("line").loc["mutant"]
    assert one["window"] == list(WINDOWS)[int(observed.argmax())]
    assert one["p_value"] == one["p_exact"] == pytest.approx(single.min())
    assert (own["p_marginal"] <= own["p_adjusted"] + 1e-12).all()
    assert (own["p_adjusted"] <= own["p_single_step"] + 1e-12).all()


def test_each_window_alone_is_the_screen_of_that_window():
    """Every assay has a transition in every window here, so designs are the same."""
    table = bouts([(2, 3), (3, 2)], 4, True)
    family = screen(table, null="relabel", **QUICK).windows
    for window, own in family.groupby("window"):
        alone = screen(table, control="wild", window=window, null="relabel", bootstrap=0,
                       calibrate=False).table.set_index("line")  # fmt: skip
        own = own.set_index("line")
        for column in ("statistic", "hellinger", "top_difference"):
            np.testing.assert_allclose(own[column], alone[column].loc[own.index], rtol=1e-12)
        np.testing.assert_allclose(own["p_marginal"], alone["p_value"].loc[own.index], rtol=1e-12)


@pytest.mark.parametrize("statistic", ["hellinger", "combined", "dwell", "occupancy"])
def test_other_statistics_are_adjusted_too(statistic):
    table = bouts([(4, 5)], 5, False, strength=2.0)
    result = screen(table, statistic=statistic, null="relabel", **QUICK)
    own = result.windows
    assert (own["p_adjusted"] >= own["p_marginal"] - 1e-12).all()
    # the line as a whole: the share of relabellings whose largest statistic reaches the largest
    assert result.table["p_value"].between(result.table["p_floor"], 1).all()


def test_f_takes_bonferroni_and_holm_over_windows():
    table = bouts([(2, 3), (3, 2), (2, 2)], 6, True)
    result = screen(table, null="F", **QUICK)
    own = result.windows[result.windows["line"] == "mutant"]
    np.testing.assert_allclose(own["p_single_step"], np.minimum(1, 4 * own["p_marginal"]))
    one = result.table.set_index("line").loc["mutant"]
    assert one["p_value"] == pytest.approx(min(1, 4 * own["p_marginal"].min()))
    assert "Bonferroni over 4 windows" in result.design["null_text"]


def test_windows_may_slide_or_be_listed():
    table = bouts([(4, 4)], 7, False)
    sliding = screen(table, control="wild", window="sliding:6:3:0:18", bootstrap=0)
    assert list(dict.fromkeys(sliding.windows["window"])) == ["0:6", "3:9", "6:12", "9:15", "12:18"]
    listed = screen(table, control="wild", window="before,during", bootstrap=0)
    assert set(listed.windows["window"]) == {"before", "during"}
    assert listed.design["n_windows"] == 2


def test_a_window_beyond_the_recordings_is_left_out_and_named():
    table = bouts([(4, 4)], 8, False)
    result = screen(table[table["t_stop"] < 17.9], **QUICK)
    assert set(result.windows["window"]) == {"before", "during_1", "during_2"}
    assert any("window after: from 18 s left out: 0 of 10 assays" in n for n in result.notes)


def test_a_line_of_one_assay_has_no_p_value():
    result = screen(bouts([(1, 4)], 9, False), **QUICK)
    one = result.table.set_index("line").loc["mutant"]
    assert np.isnan(one["p_value"]) and "one assay of the line" in one["note"]
    own = result.windows[result.windows["line"] == "mutant"]
    assert own[["p_marginal", "p_adjusted", "p_single_step"]].isna().all(axis=None)
    assert own["rejected"].isna().all()


def test_refusals():
    table = bouts([(3, 3)], 10, False)
    with pytest.raises(UsageError, match="has no stimulus with times, hence no windows to test"):
        screen(table.drop(columns="protocol"), **QUICK)
    with pytest.raises(UsageError, match="names a window twice"):
        screen(table, control="wild", window="before,:6,during,before")
    with pytest.raises(UsageError, match="tests at most 200 together"):
        screen(table, control="wild", window="sliding:1:0.05")
    with pytest.raises(UsageError, match="'g' is not studentised"):
        screen(table, statistic="g", **QUICK)
    with pytest.raises(DataError, match="holds a transition in half of the assays"):
        screen(table, control="wild", window="100:110,110:120")
    with pytest.raises(UsageError, match="either window or contrast"):
        screen(table, contrast="during-before", **QUICK)


@given(
    hnp.arrays(float, (30, 4), elements=st.floats(0, 50)),
    st.integers(1, 29),
)
def test_max_t_in_blocks_is_max_t_at_once(null, cut):
    """Adjusted p-values are ordered as the statistics, never below the marginal ones."""
    observed = null[0]
    whole, parts = MaxT(observed), MaxT(observed)
    whole.add(null)
    parts.add(null[:cut])
    parts.add(null[cut:])
    for exact in (True, False):
        np.testing.assert_array_equal(whole.step_down(exact), parts.step_down(exact))
        assert whole.floor(exact) == parts.floor(exact)
    step, single = whole.step_down(True), whole.single_step(True)
    marginal = (null >= observed * (1 - 1e-9)).mean(axis=0)
    assert (step <= single + 1e-12).all() and (step >= marginal - 1e-12).all()
    assert (np.diff(step[np.argsort(-observed, kind="stable")]) >= 0).all()
    assert (step > 0).all() and whole.single_step(True).min() >= whole.floor(True) - 1e-12


def test_holm_by_hand():
    single, step = holm(np.array([0.01, 0.04, 0.03]))
    np.testing.assert_allclose(single, [0.03, 0.12, 0.09])
    np.testing.assert_allclose(step, [0.03, 0.06, 0.06])
