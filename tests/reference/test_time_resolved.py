"""Survival curves, censored fits, order and homogeneity: against R, SciPy, statsmodels."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from larvastats.inference.order.homogeneity import chi_square, g_statistic
from larvastats.markov import lifetimes, survival
from larvastats.markov.sequences import Sequences, count_triples, order_chi_square
from larvastats.markov.transitions import probabilities

HERE = Path(__file__).parent
SCRIPTS = {
    "make_survival.R": ["survival_lung.csv", "survival_curves.csv", "survival_fits.csv"],
    "make_order.R": ["order.csv"],
}


def stored(name):
    return pd.read_csv(HERE / name, comment="#")


def bouts(name):
    """Entry, duration and event of one set."""
    table = stored("survival_lung.csv" if name == "lung" else "survival_data.csv")
    own = table[table["set"] == name]
    return own["entry"].to_numpy(float), own["time"].to_numpy(float), own["event"].to_numpy(bool)


SETS = ["lung", "ties", "weibull", "lognormal", "delayed"]


# survival::survfit


@pytest.mark.parametrize("name", SETS)
def test_curves_are_those_of_survfit(name):
    entry, duration, event = bouts(name)
    expected = stored("survival_curves.csv").query("set == @name")
    table = survival.life_table(duration, event, entry)
    curve = table.survival()
    at = table.events[0] > 0
    np.testing.assert_allclose(table.time[at], expected["time"], rtol=1e-12)
    np.testing.assert_array_equal(table.at_risk[0, at], expected["at_risk"])
    np.testing.assert_allclose(curve[0, at], expected["survival"], rtol=1e-10, atol=1e-14)
    if name == "delayed":
        return
    horizon, mean, median = expected.iloc[0][["horizon", "rmean", "median"]]
    assert survival.restricted_mean(table.time, curve, horizon)[0] == pytest.approx(mean, rel=1e-10)
    assert survival.quantile(table.time, curve)[0] == pytest.approx(median)


@pytest.mark.parametrize("name", SETS)
def test_curves_are_those_of_statsmodels(name):
    entry, duration, event = bouts(name)
    table = survival.life_table(duration, event, entry)
    peer = SurvfuncRight(duration, event.astype(int), entry=entry if name == "delayed" else None)
    found = survival.value_at(table.time, table.survival(), peer.surv_times)[0]
    np.testing.assert_allclose(found, peer.surv_prob, rtol=1e-10, atol=1e-14)


# survival::survreg, and optim on R's own distribution functions


@pytest.mark.parametrize("row", [*stored("survival_fits.csv").itertuples()],
                         ids=lambda r: f"{r.set} {r.family} {r.by}")  # fmt: skip
def test_fits_are_those_of_r(row):
    entry, duration, event = bouts(row.set)
    nobody = np.zeros(len(duration), np.int64)
    grouped = lifetimes.group_bouts(duration, event, entry, nobody, 1)
    found = lifetimes.fit_lifetime(row.family, grouped)
    assert found.loglik == pytest.approx(row.loglik, abs=1e-8)
    assert found.scale == pytest.approx(row.scale, rel=1e-6)
    if row.family == "exponential":
        assert np.isnan(found.shape)
    else:
        assert found.shape == pytest.approx(row.shape, rel=1e-6)


@pytest.mark.parametrize("family", ["weibull", "gamma", "lognormal"])
@pytest.mark.parametrize("name", ["lung", "ties"])
def test_fits_are_those_of_scipy(family, name):
    _, duration, event = bouts(name)
    grouped = lifetimes.group_bouts(
        duration, event, np.zeros(len(duration)), np.zeros(len(duration), int), 1
    )
    found = lifetimes.fit_lifetime(family, grouped)
    data = stats.CensoredData(uncensored=duration[event], right=duration[~event])
    kind = {"weibull": stats.weibull_min, "gamma": stats.gamma, "lognormal": stats.lognorm}[family]
    shape, _, scale = kind.fit(data, floc=0)
    assert (found.shape, found.scale) == pytest.approx((shape, scale), rel=1e-3)
    # and ours is the higher maximum, by SciPy's own likelihood
    ours, theirs = (_nnlf(kind, a, b, duration, event)
                    for a, b in ((found.shape, found.scale), (shape, scale)))  # fmt: skip
    assert ours <= theirs + 1e-9
    assert ours == pytest.approx(-found.loglik, rel=1e-10)


def _nnlf(kind, shape, scale, duration, event):
    one = kind(shape, scale=scale)
    return -(one.logpdf(duration[event]).sum() + one.logsf(duration[~event]).sum())


# markovchain


ORDER = stored("order_data.csv")
CHAINS = list(ORDER["set"].unique())


def runs_of(name):
    state = pd.factorize(ORDER.loc[ORDER["set"] == name, "state"], sort=True)[0].astype(np.int64)
    one = np.zeros(1, np.int64)
    return Sequences(state, np.array([0, len(state)]), one, one, int(state.max()) + 1)


def r_says(name, what):
    row = stored("order.csv").query("set == @name and what == @what").iloc[0]
    return float(row["statistic"]), row["df"]


@pytest.mark.parametrize("name", CHAINS)
def test_order_statistic_is_that_of_assess_order(name):
    statistic, _ = order_chi_square(count_triples(runs_of(name))[0])
    assert statistic == pytest.approx(r_says(name, "assessOrder")[0], rel=1e-10)


@pytest.mark.parametrize("name", CHAINS)
def test_triples_against_the_fitted_chain_are_those_of_verify_markov_property(name):
    """R expects ``N_ij p_jk`` with p from every transition, over the triples that occur."""
    runs = runs_of(name)
    k = runs.n_states
    n = count_triples(runs)[0].astype(float)
    pairs = np.bincount(runs.state[:-1] * k + runs.state[1:], minlength=k * k).reshape(k, k)
    expected = n.sum(axis=2)[:, :, None] * probabilities(pairs)[None]
    seen = n > 0
    statistic = ((n - expected)[seen] ** 2 / expected[seen]).sum()
    assert statistic == pytest.approx(r_says(name, "verifyMarkovProperty")[0], rel=1e-10)


def thirds(name):
    runs = runs_of(name)
    k = runs.n_states
    parts = np.split(runs.state, 3)
    return np.stack([np.bincount(s[:-1] * k + s[1:], minlength=k * k).reshape(k, k) for s in parts])


@pytest.mark.parametrize("name", CHAINS)
def test_homogeneity_statistic_is_the_sum_of_chisq_test_by_row(name):
    statistic, df, p = chi_square(thirds(name))
    expected, df_r = r_says(name, "chisq.test by row")
    assert statistic == pytest.approx(expected, rel=1e-10)
    assert df == df_r and p == pytest.approx(stats.chi2.sf(expected, df_r), rel=1e-10)


@pytest.mark.parametrize("name", CHAINS)
def test_likelihood_ratio_and_departures_make_verify_homogeneity(name):
    """R tests the joint distribution of pairs: the chain's part, and how often states are left."""
    counts = thirds(name)
    g, df = g_statistic(counts)
    left = stats.chi2_contingency(counts.sum(axis=2), correction=False, lambda_="log-likelihood")
    expected, df_r = r_says(name, "verifyHomogeneity")
    assert g + left.statistic == pytest.approx(expected, rel=1e-9)
    assert df + left.dof == df_r


# R itself


@pytest.mark.parametrize("script", SCRIPTS)
def test_stored_values_are_what_r_says_today(script, tmp_path):
    package = {"make_survival.R": "survival", "make_order.R": "markovchain"}[script]
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed: the stored values were compared, R was not asked")
    code = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    if subprocess.run(["Rscript", "-e", code], capture_output=True, timeout=120).returncode:
        pytest.skip(f"R lacks the package {package}: the stored values were compared")
    done = subprocess.run(
        ["Rscript", str(HERE / script), str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in SCRIPTS[script]:
        today = pd.read_csv(tmp_path / name, comment="#")
        # optimisers stop a little apart on other machines
        pd.testing.assert_frame_equal(today, stored(name), rtol=1e-6, atol=1e-300)
