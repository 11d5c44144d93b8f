"""Dwell times: is a difference found where there is none, and where there is one?

Larvae walk as in ``analyses/calibration/walks.py``: gamma dwell times that plates (SD .15), vials
(.05) and dates (.1) shift, bouts cut by a window of 15 s and by lost tracks.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from larvastats.inference.design.replicates import replicates
from larvastats.inference.dwell import fits
from larvastats.markov.dwell import dwell_times
from larvastats.markov.lifetimes import best, fit_lifetimes, group_bouts
from larvastats.protocol import Window

CALIBRATION = Path(__file__).resolve().parents[2] / "analyses" / "calibration"


@pytest.fixture(scope="module")
def study():
    """The study's own functions: the simulator, one comparison, the naive test."""
    sys.path.insert(0, str(CALIBRATION))
    try:
        import dwell
        import walks
    finally:
        sys.path.remove(str(CALIBRATION))
    return dwell, walks


def shares(study, lines, seed, **changes):
    """Shares of p <= .05 over lines, by name."""
    module, walks = study
    row = module.one("", replace(walks.Walks(), **changes), True, "onset", lines, seed)
    return row


def hits(row, name, rejected):
    return rejected(pd.Series([0.0] * round(row[name] * row["lines"])
                              + [1.0] * round((1 - row[name]) * row["lines"])))  # fmt: skip


def test_null_lines_are_rarely_called_where_bouts_as_units_are(study, rejected):
    row = shares(study, 60, 1)
    assert hits(row, "line", rejected).at_most(0.05)
    assert hits(row, "any state", rejected).at_most(0.05)
    assert row["bouts independent"] > 0.12


def test_longer_casts_are_found(study, rejected):
    row = shares(study, 25, 2, effect=2.0, dates=5)
    assert row["cast"] > 0.6 and row["cast"] <= row["line"]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [
    {}, {"dates": 2}, {"larvae": 8, "control_larvae": 40}, {"lost": 0.05, "control_lost": 0.0},
    {"vial_sd": 0.3},
], ids=["3 dates", "2 dates", "8 v 40 larvae", "line loses tracks", "vials"])  # fmt: skip
def test_size(study, rejected, changes):
    row = shares(study, 400, 3, **changes)
    for name in ("line", "F", "any state"):
        assert hits(row, name, rejected).at_most(0.05), (name, row)
    assert row["line"] > 0.015 and row["bouts independent"] > 0.1


@pytest.mark.slow
def test_coverage_of_means_and_curves(study):
    module, _ = study
    for dates in (3, 8):
        row = module.coverage(300, 4, dates)
        assert row["restricted mean"] >= 0.90 and row["survival at 2 s"] >= 0.90, row


def test_short_windows_do_not_shorten_bouts(study):
    """Runs last 4 s on average, in windows of 5 s; every shortcut is far off, to either side."""
    table = study[0].shortened().set_index(["window", "state"])
    row = table.loc[("5 s", "run")]
    assert row["fitted"] == pytest.approx(row["truth"], rel=0.06)
    assert row["bouts cut at the window"] < 0.65 * row["truth"]
    assert row["ended bouts only"] < 0.5 * row["truth"]
    assert row["bouts met"] > 1.2 * row["truth"]


def test_bouts_in_progress_give_the_same_answer_when_they_may(study):
    """Delayed entry: the same distribution, from more bouts, where hazards depend on age alone."""
    _, walks = study
    plain = {"plate_sd": 0.0, "vial_sd": 0.0, "date_sd": 0.0, "lost": 0.02}
    world = walks.Walks(dates=25, plates=0, **plain)
    data = walks.walk(world, np.random.default_rng(6), False)
    fits = {}
    for entry in ("onset", "delayed"):
        bouts = dwell_times(data, Window("15:30", ((15.0, 30.0),)), entry)
        own = bouts.take(bouts.state == 0)
        nobody = np.zeros(len(own), np.int64)
        grouped = group_bouts(own.duration, own.ended, own.entry, nobody, 1)
        fits[entry] = len(own), best(fit_lifetimes(grouped.sum()))
    assert fits["delayed"][0] > 1.2 * fits["onset"][0]
    for _, one in fits.values():
        assert one.family == "gamma" and one.mean == pytest.approx(walks.DWELL[0], rel=0.06)
        assert one.shape == pytest.approx(walks.SHAPE[0], rel=0.1)


def test_losing_rolls_biases_the_mean_between_its_bounds(study):
    """Tracks get lost while rolling, more the longer: the truth lies between the bounds."""
    _, walks = study
    chain = walks.LARVA.copy()
    chain[:5, 5] += 0.15
    world = walks.Walks(dates=20, plates=0, plate_sd=0.0, vial_sd=0.0, date_sd=0.0, chain=chain,
                        lost=0.4, lost_in=(5,))  # fmt: skip
    data = walks.walk(world, np.random.default_rng(7), False)
    bouts = dwell_times(data, Window("0:40", ((0.0, 40.0),)))
    rolls = bouts.take(bouts.state == 5)
    who = replicates(np.arange(len(data.assays)), None)
    means = {
        rule: fits.summary(fits.tabulate(rolls.with_lost(rule), who), 2.5).mean
        for rule in ("censored", "ended", "stayed")
    }
    truth = float(np.minimum(np.random.default_rng(0).gamma(3, 0.4, 200_000), 2.5).mean())
    assert means["ended"] < truth - 0.1 and truth + 0.1 < means["stayed"]
    # lost at a rate that does not depend on the age: censoring is then right
    assert means["censored"] == pytest.approx(truth, abs=0.05)
