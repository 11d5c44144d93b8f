"""Larvae that ever do something: counts of larvae, their fractions, and the field's chi-square."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import Ethogram, UsageError, calibrate, compare, proportion_test, screen
from larvastats.markov.time import ever_done
from larvastats.protocol import Window

ACTION = {"transitions": "ever-action"}


def test_actions_are_counted_once_a_larva_wherever_they_touch_the_window(small):
    ethogram = Ethogram.from_bouts(small)
    window = Window("during", ((30.0, 40.0), (50.0, 60.0)))
    done, larvae = ever_done(ethogram, (window,))
    bouts = ethogram.to_bouts()
    touches = ((bouts["t_start"] < 40) & (bouts["t_stop"] > 30)) | (
        (bouts["t_start"] < 60) & (bouts["t_stop"] > 50)
    )
    for a, name in enumerate(ethogram.assays["assay"]):
        own = bouts[touches & (bouts["assay"] == name)]
        assert larvae[a, 0] == own["larva"].nunique()
        for s, state in enumerate(ethogram.states):
            assert done[a, 0, s] == own.loc[own["state"] == state, "larva"].nunique()


def test_rollers_are_found_and_told_as_one_action(small, quick):
    result = screen(small, **ACTION, **quick)
    table, cells = result.table.set_index("line"), result.transitions
    assert table.index[0] == "A" and table["top_transition"].iloc[0] == "roll"
    assert table["hellinger"].isna().all() and "ever do an action" in str(result)
    own = cells[cells["line"] == "A"].set_index("from")
    assert list(own.index) == list(result.states)
    assert (own.index == own["to"]).all()
    larvae = small[small["line"] == "A"].groupby("assay")["larva"].nunique().sum()
    during = small[(small["t_start"] < 60) & (small["t_stop"] > 30)]
    rollers = during[(during["line"] == "A") & (during["state"] == "roll")]
    k = rollers.drop_duplicates(["assay", "larva"]).shape[0]
    assert own.loc["roll", "n_line"] == k
    assert own.loc["roll", "p_line"] == pytest.approx(k / larvae)
    assert result.plot("matrices") is not None


def test_a_contrast_and_compare_know_actions(small, quick):
    row = (
        screen(small, contrast="during-before", **ACTION, **quick).table.set_index("line").loc["A"]
    )
    test = compare(small, "A", contrast="during-before", null="relabel", bootstrap=0, **ACTION)
    assert test.statistic["T"] == pytest.approx(row["statistic"], rel=1e-12)
    assert test.alternative == "fractions of larvae differ"
    assert calibrate(small, draws=30, resamples=99, **ACTION).design["n_draws"] == 30


@pytest.mark.parametrize("statistic", ["hellinger", "kl", "g"])
def test_there_are_no_rows_of_probabilities_to_compare(small, statistic):
    with pytest.raises(UsageError, match="'ever-action' counts larvae; use welch"):
        screen(small, statistic=statistic, **ACTION)


def rollers(n, k, line):
    """N larvae on one plate, of which the first k roll for a moment."""
    rows = []
    for i in range(n):
        rows.append((f"{line}", line, str(i), "run", 0.0, 2.0))
        rows.append((f"{line}", line, str(i), "roll" if i < k else "cast", 2.0, 2.5))
        rows.append((f"{line}", line, str(i), "run", 2.5, 5.0))
    return rows


def test_published_chi_squares_from_ethograms(shared_data):
    """Counts of rollers that the screen counts itself give the papers' chi-squares."""
    table = pd.read_csv(shared_data / "papers" / "zhu2024_roll_counts_chi2.csv", comment="#")
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop"]
    for row in table.itertuples():
        rows = rollers(row.n1, row.k1, "one") + rollers(row.n2, row.k2, "two")
        test = compare(
            pd.DataFrame(rows, columns=columns), "one", "two", unit="larva", resamples=99,
            bootstrap=0, null="relabel", **ACTION,
        )  # fmt: skip
        cell = test.transitions.set_index("from").loc["roll"]
        assert (cell["n_line"], cell["n_control"]) == (row.k1, row.k2)
        n = [round(cell["n_line"] / cell["p_line"]), round(cell["n_control"] / cell["p_control"])]
        assert n == [row.n1, row.n2]
        found = proportion_test([cell["n_line"], cell["n_control"]], n)
        assert round(found.statistic["X-squared"], 4) == row.chi2_computed
        assert np.isclose(found.p_value, row.p_computed, atol=5e-7)
