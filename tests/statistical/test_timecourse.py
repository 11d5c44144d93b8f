"""Limits and tests of time courses: do they keep what they promise?

Plates come from larvastats' own simulator, in hundreds, so that their mean is the truth. The study
behind it, with more designs, is ``analyses/calibration/timecourse.py``.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from larvastats.inference.curves.bands import curve_band
from larvastats.inference.curves.comparison import compare_curves
from larvastats.inference.curves.scalars import compare_values
from larvastats.inference.design.blocks import make_design
from larvastats.inference.design.setting import larvae_as_units
from larvastats.markov.occupancy import action_bins
from larvastats.simulate.design import RandomEffects, ScreenDesign, line_names
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import airpuff_screen

MODEL = airpuff_screen()
EDGES = np.arange(0.0, MODEL.duration + 1e-9, 0.5)


def shape(seed, dates, plates, controls, vial_sd=0.1, plate_sd=0.25, larvae=(25, 35)):
    design = ScreenDesign(
        MODEL, line_names(1, False), dates=dates, assays_per_line=dates * plates,
        control_assays_per_date=controls, larvae=larvae,
        spread=RandomEffects(vial=vial_sd, plate=plate_sd),
    )  # fmt: skip
    return simulate_ethogram(design, seed)[0]


@functools.cache
def one_day():
    """Four hundred plates of one date: their mean is the truth of that date."""
    source = shape(11, 1, 1, 400)
    return action_bins(source, "run", EDGES).share[source.assays["line"] != line_names(1, False)[0]]


def held(x, n, experiments, seed, **limits):
    rng, truth, out = np.random.default_rng(seed), x.mean(axis=0), []
    for _ in range(experiments):
        rows = rng.choice(len(x), n, replace=False)
        band = curve_band(x[rows], np.zeros(n, int), share=True, draws=300, rng=rng)
        low, high = (getattr(band, limits.get(k, k)) for k in ("low", "high"))
        out.append(((truth >= low) & (truth <= high)).all())
    return int(np.sum(out))


def between(hits, n, low, high):
    """Whether a rate between `low` and `high` could give so many hits of n."""
    return stats.binom.ppf(0.005, n, low) <= hits <= stats.binom.ppf(0.995, n, high)


@pytest.mark.parametrize("plates", [4, 8])
def test_simultaneous_limits_hold_the_whole_curve(plates):
    hits = held(one_day(), plates, 120, plates)
    assert between(hits, 120, 0.94, 0.985), hits


def test_pointwise_limits_hold_no_whole_curve():
    assert held(one_day(), 8, 60, 1, low="point_low", high="point_high") <= 3


def test_limits_from_larvae_miss_the_truth_at_single_times_too():
    source = shape(3, 1, 1, 120, plate_sd=0.5)
    control = (source.assays["line"] != line_names(1, False)[0]).to_numpy(bool)
    source = source.subset(control)
    truth = action_bins(source, "run", EDGES).share.mean(axis=0)
    larvae = action_bins(larvae_as_units(source), "run", EDGES).share
    plate = source.larvae["assay_index"].to_numpy()
    plates = action_bins(source, "run", EDGES).share
    rng, by_larva, by_plate = np.random.default_rng(0), [], []
    for _ in range(60):
        rows = rng.choice(len(plates), 6, replace=False)
        y = larvae[np.isin(plate, rows)]
        n = (~np.isnan(y)).sum(axis=0)
        half = 1.96 * np.nanstd(y, axis=0, ddof=1) / np.sqrt(n)
        by_larva.append((np.abs(np.nanmean(y, axis=0) - truth) <= half).mean())
        band = curve_band(plates[rows], np.zeros(6, int), share=True, draws=99, rng=rng)
        by_plate.append(((band.point_low <= truth) & (truth <= band.point_high)).mean())
    assert np.mean(by_larva) < 0.88 and np.mean(by_plate) > 0.94, (
        np.mean(by_larva), np.mean(by_plate)
    )  # fmt: skip


@functools.cache
def days(vial_sd, width):
    """Eighty dates with three plates of a line without effect and four of the control."""
    source = shape(21, 80, 3, 4, vial_sd=vial_sd, larvae=(20, 30))
    share = action_bins(source, "run", np.arange(0.0, MODEL.duration, width)).share
    is_line = (source.assays["line"] == line_names(1, False)[0]).to_numpy(bool)
    return share, is_line, source.assays["date"].to_numpy(object)


def family_error(vial_sd, dates, m, c, method, experiments, seed, width=0.5):
    share, is_line, date = days(vial_sd, width)
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(experiments):
        chosen = rng.choice(np.unique(date), dates, replace=False)
        line, control = (
            np.concatenate([
                rng.choice(np.flatnonzero((date == d) & (is_line == who)), n, replace=False)
                for d in chosen
            ])
            for who, n in ((True, m), (False, c))
        )  # fmt: skip
        design = make_design(line, control, date)
        test = compare_curves(share[design.units], design, share=True, method=method,
                              resamples=199, rng=rng)  # fmt: skip
        hits += test.p_value <= 0.05 + 1e-12
    return hits


def test_the_family_error_holds_with_plates_vials_and_dates():
    hits = family_error(0.1, 3, 2, 4, "maxt", 120, 1, width=2.0)
    assert hits <= stats.binom.ppf(0.99, 120, 0.065), hits


@pytest.mark.slow
@pytest.mark.parametrize("method", ["maxt", "cluster"])
@pytest.mark.parametrize(("dates", "m", "c"), [(2, 2, 4), (3, 2, 4), (6, 1, 2), (6, 3, 4)])
def test_the_family_error_of_every_design(dates, m, c, method):
    hits = family_error(0.1, dates, m, c, method, 400, 2)
    assert hits <= stats.binom.ppf(0.99, 400, 0.065), hits


@pytest.mark.slow
@pytest.mark.parametrize("plates", [4, 6, 8, 12, 24])
def test_simultaneous_limits_at_every_number_of_plates(plates):
    hits = held(one_day(), plates, 500, plates)
    assert between(hits, 500, 0.94, 0.985), hits


def plate(rng, larvae, mean, log_width):
    """Mean and log SD over 200 frames of every larva: skewed, with memory."""
    kick = rng.standard_normal((larvae, 200)) * np.sqrt(0.19)
    x = np.exp(0.4 * lfilter([1.0], [1.0, -0.9], kick, axis=1))
    x = mean + np.exp(log_width) * (x + 0.1 * rng.standard_normal((larvae, 1)))
    return x.mean(), np.log(x.std(ddof=1))


def spread_error(larvae, m, c, experiments, seed):
    rng, spread, mean = np.random.default_rng(seed), 0, 0
    design = make_design(np.arange(m), np.arange(m, m + c), None)
    for _ in range(experiments):
        pairs = [
            plate(rng, larvae[int(k >= m)], 2.0 * (k < m) + rng.normal(0, 0.2), rng.normal(0, 0.1))
            for k in range(m + c)
        ]
        for k, x in enumerate(np.array(pairs).T):
            test = compare_values(x, design, resamples=199, alpha=0.05, rng=rng)
            if k:
                spread += test.p_value <= 0.05 + 1e-12
            else:
                mean += test.p_value <= 0.05 + 1e-12
    return spread, mean


def test_unequal_means_do_not_pass_for_unequal_spreads():
    spread, mean = spread_error((20, 20), 6, 6, 150, 1)
    assert mean == 150  # a difference of means that nobody could miss
    assert between(spread, 150, 0.03, 0.07), spread


@pytest.mark.slow
@pytest.mark.parametrize("larvae", [(30, 30), (10, 30)])
@pytest.mark.parametrize(("m", "c"), [(4, 4), (6, 12)])
def test_spread_keeps_its_size_with_unequal_means_and_plates(larvae, m, c):
    spread, _ = spread_error(larvae, m, c, 600, 2)
    assert spread <= stats.binom.ppf(0.99, 600, 0.075), spread
