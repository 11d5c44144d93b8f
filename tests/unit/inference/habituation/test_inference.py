"""Gate, intervals, comparison, resensitisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from larvastats import UsageError
from larvastats.inference.habituation import intervals
from larvastats.inference.habituation.compare import Group, compare_tau
from larvastats.inference.habituation.curves import Curves
from larvastats.inference.habituation.fit import fit_curve, make_grid
from larvastats.inference.habituation.gate import contrasts, gate
from larvastats.inference.habituation.model import berne_shape, pulse_shape, recovery_shape
from larvastats.inference.habituation.pulses import compare_ratios, fieller, pulse_levels
from larvastats.inference.habituation.scores import project, scores
from larvastats.inference.habituation.study import (
    INTERVALS,
    Choices,
    Task,
    clusters,
    one_sample,
    pair_up,
    study,
    t_limits,
    welch,
)
from larvastats.inference.habituation.table import describe

RECOVERY = recovery_shape(np.arange(0, 31.0))
BERNE = berne_shape(np.arange(0, 11.0), 4, 5.0)


def fitted(curves):
    y, n = curves.pooled
    grid = make_grid(curves.shape)
    fit = fit_curve(y, n, grid, curves.binomial)
    own = np.arange(len(curves.mean))
    return grid, fit, scores(curves.mean, curves.weight, fit, grid, own), own


# -- gate ------------------------------------------------------------------------------------------


def test_the_gate_is_a_t_test_of_contrasts(curves_around):
    curves = curves_around(RECOVERY, 5.0, 0.2, [0.05], sd=0.08, seed=4)
    found = gate(curves, 99, np.random.default_rng(0))
    assert found.p_value == pytest.approx(stats.ttest_1samp(contrasts(curves), 0).pvalue)
    assert found.null == "t over assays" and found.contrast > 0


def test_contrasts_do_not_see_levels_and_see_direction(curves_around):
    curves = curves_around(RECOVERY, 5.0, 0.2, [0.4], sd=0.0)
    up = replace(curves, mean=0.1 + 0.5 * curves.mean)
    np.testing.assert_allclose(contrasts(up), 0.5 * contrasts(curves))
    np.testing.assert_allclose(contrasts(replace(curves, mean=1 - curves.mean)), -contrasts(curves))


def test_pulses_are_permuted_within_assays(curves_around):
    flat = curves_around(pulse_shape(10), 2.0, 0.4, [0.0], sd=0.05, seed=1)
    falls = curves_around(pulse_shape(10), 2.0, 0.2, [0.3], sd=0.05, seed=1)
    found = gate(falls, 499, np.random.default_rng(0))
    assert found.p_value == 1 / 500 and "permuted" in found.null
    assert 0.05 < gate(flat, 499, np.random.default_rng(0)).p_value <= 1


# -- scores and intervals --------------------------------------------------------------------------


def test_scores_sum_to_zero_and_ignore_levels(curves_around):
    _, _, own, _ = fitted(curves_around(RECOVERY, 6.0, 0.15, [0.5]))
    assert abs(own.value.sum()) < 2e-3 * np.abs(own.value).sum()
    # plates that only differ in their level agree about tau: next to nothing is left
    _, _, exact, _ = fitted(curves_around(RECOVERY, 6.0, 0.0, [0.5], sd=0.0))
    assert exact.se < 0.02 * own.se


def test_standard_error_is_that_of_the_simulated_scatter(curves_around):
    found = [fitted(curves_around(RECOVERY, 6.0, 0.15, [0.5], seed=s, assays=30))
             for s in range(60)]  # fmt: skip
    log_tau = np.log([fit.tau for _, fit, _, _ in found])
    mean_se = np.mean([own.se for _, _, own, _ in found])
    assert log_tau.std(ddof=1) == pytest.approx(mean_se, rel=0.25)


def test_projection_is_orthogonal():
    rng = np.random.default_rng(0)
    basis, w, x = rng.normal(size=(2, 9)), rng.uniform(1, 2, 9), rng.normal(size=9)
    np.testing.assert_allclose((basis * w) @ project(x, w, basis), 0, atol=1e-12)


@pytest.mark.parametrize("shape", [RECOVERY, BERNE])
def test_all_intervals_hold_the_estimate_and_agree_in_size(curves_around, shape):
    height = [0.5] if shape is RECOVERY else [0.6, 0.4, 0.4, 0.3]
    curves = curves_around(shape, 6.0, 0.15 if shape is RECOVERY else 0.0, height, assays=12)
    grid, fit, own, cluster = fitted(curves)
    arrays = curves.mean, curves.weight, fit
    found = {
        "profile": intervals.profile_interval(fit, own, grid, 11),
        "score": intervals.score_interval(*arrays, grid, cluster),
        "boot": intervals.bootstrap_t_interval(*arrays, own, grid, cluster, 499,
                                               np.random.default_rng(0)),
    }  # fmt: skip
    half = stats.t.ppf(0.975, 11) * own.se
    for name, (low, high) in found.items():
        assert low < fit.tau < high, name
        assert np.log(high / low) == pytest.approx(2 * half, rel=0.35), name


def test_the_observed_resample_gives_the_estimate_back(curves_around):
    grid, fit, own, cluster = fitted(curves_around(RECOVERY, 6.0, 0.15, [0.5]))
    curves = curves_around(RECOVERY, 6.0, 0.15, [0.5])
    tau, se = intervals.refit(curves.mean, curves.weight, fit, grid, cluster, np.ones((1, 6)))
    assert tau[0] == pytest.approx(fit.tau, rel=0.01)
    assert se[0] == pytest.approx(own.se, rel=0.05)


def test_a_slow_decline_has_no_upper_limit(curves_around):
    curves = curves_around(RECOVERY, 80.0, 0.0, [0.7], sd=0.05)
    grid, fit, _, cluster = fitted(curves)
    low, high = intervals.score_interval(curves.mean, curves.weight, fit, grid, cluster)
    assert high > RECOVERY.longest and low > 3


# -- comparison ------------------------------------------------------------------------------------


def groups(curves_around, taus=(5.0, 5.0), seed=0, levels=((0.3, 0.4), (0.4, 0.1))):
    out = []
    for k, (tau, (floor, height)) in enumerate(zip(taus, levels, strict=True)):
        c = curves_around(RECOVERY, tau, floor, [height], seed=seed + 100 * k)
        out.append(Group(c.mean, c.weight, np.arange(len(c.mean))))
    return out


def test_different_time_constants_are_found_and_equal_ones_not(curves_around):
    rng = np.random.default_rng(0)
    grid = make_grid(RECOVERY)
    line, control = groups(curves_around, (3.0, 12.0), levels=((0.2, 0.5), (0.2, 0.5)))
    found = compare_tau(line, control, grid, True, False, 999, rng)
    assert found.p_wild <= 0.01 and found.p_approx < 0.001
    assert 3 < found.common < 12
    same = compare_tau(*groups(curves_around), grid, True, False, 999, rng)
    assert same.p_wild > 0.05 and same.p_approx > 0.05


def test_line_and_control_may_swap_names(curves_around):
    grid = make_grid(RECOVERY)
    a, b = groups(curves_around, (4.0, 7.0), seed=5)
    there = compare_tau(a, b, grid, True, False, 99, np.random.default_rng(0))
    back = compare_tau(b, a, grid, True, False, 99, np.random.default_rng(0))
    assert there.deviance == pytest.approx(back.deviance)
    assert there.p_approx == pytest.approx(back.p_approx)


def test_few_assays_try_all_signs(curves_around):
    a, b = groups(curves_around, (4.0, 9.0), seed=2)
    small = [Group(g.mean[:3], g.weight[:3], np.arange(3)) for g in (a, b)]
    found = compare_tau(*small, make_grid(RECOVERY), True, False, 99, np.random.default_rng(0))
    assert found.p_floor == 1 / 64
    assert (found.p_wild * 64) == pytest.approx(round(found.p_wild * 64))


def test_shared_dates_are_the_replicates(curves_around):
    a, b = groups(curves_around, (4.0, 9.0), seed=3)
    dates = np.repeat(np.arange(3), 2)
    pair = [Group(g.mean, g.weight, dates) for g in (a, b)]
    found = compare_tau(*pair, make_grid(RECOVERY), True, True, 99, np.random.default_rng(0))
    assert found.p_floor == 1 / 8 and found.df == pytest.approx(2)


# -- resensitisation -------------------------------------------------------------------------------


def test_levels_of_pulses_and_time_constants(curves_around):
    ratio = 1 - np.exp(-5 / 5.3)
    curves = curves_around(BERNE, 9.0, 0.0, [0.6, 0.6 * ratio, 0.3, 0.0], sd=0.01)
    _, fit, _, _ = fitted(curves)
    first, second, _, last = pulse_levels(curves, fit)
    assert np.isnan(first.tau_res) and first.number == 1
    assert second.tau_res == pytest.approx(5.3, rel=0.1)
    assert second.tau_res_low < 5.3 < second.tau_res_high
    assert second.ratio_low < ratio < second.ratio_high
    assert last.tau_res_low > 100


def test_equal_and_unequal_resensitisation(curves_around):
    def fits(ratio, seed):
        c = curves_around(BERNE, 9.0, 0.0, [0.6, 0.6 * ratio, 0.3, 0.1], seed=seed)
        return c, fitted(c)[1]

    (a, fa), (b, fb), (c, fc) = fits(0.5, 0), fits(0.5, 70), fits(0.75, 140)
    assert compare_ratios(a, fa, b, fb) > 0.05
    assert compare_ratios(a, fa, c, fc) < 0.001
    # twice the level of everything changes nothing: a ratio is compared
    double = replace(c, mean=c.mean * 0.5)
    again = compare_ratios(a, fa, double, fit_curve(*double.pooled, make_grid(BERNE), True))
    assert again == pytest.approx(compare_ratios(a, fa, c, fc), rel=0.5)
    assert compare_ratios(b, fb, a, fa) == pytest.approx(compare_ratios(a, fa, b, fb))


def test_fieller_is_the_inverted_t_test():
    rng = np.random.default_rng(0)
    x, y = rng.normal(2, 0.3, 7), rng.normal(4, 0.3, 7)
    for limit in fieller(x, y):
        assert stats.ttest_1samp(x - limit * y, 0).pvalue == pytest.approx(0.05, abs=1e-9)
    assert fieller(x, rng.normal(0, 1, 7)) == (-np.inf, np.inf)


# -- one genotype ----------------------------------------------------------------------------------


def test_a_habituating_genotype_against_its_control(curves_around):
    line, control = (curves_around(RECOVERY, tau, 0.15, [0.5], seed=s, before=0.1)
                     for tau, s in ((3.0, 0), (12.0, 50)))  # fmt: skip
    fit = study(Task("C", control, None, Choices())).fit
    out = study(Task("A", line, None, Choices(), control, None, fit))
    assert out.direction == "habituation" and out.limits[0] < 3 < out.limits[1]
    assert out.comparison.p_wild <= 0.01
    same = study(Task("A", line, None, Choices(), control, None, fit))
    assert same.comparison == out.comparison and same.limits == out.limits
    other = study(Task("A", line, None, Choices(), control, None, None))
    assert other.comparison is None and "no time constant to compare" in other.notes[0]


def test_a_response_that_grows_gets_no_time_constant(curves_around):
    curves = curves_around(RECOVERY, 5.0, 0.6, [-0.3], before=0.1)
    out = study(Task("A", curves, None, Choices()))
    assert out.direction == "sensitisation" and out.fit is None
    back = study(Task("A", replace(curves, before=np.full(6, 0.7)), None, Choices()))
    assert back.direction == "habituation" and back.fit is not None
    unknown = study(Task("A", replace(curves, before=np.full(6, np.nan)), None, Choices()))
    assert unknown.direction == "change" and unknown.fit is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: replace(c, mean=0 * c.mean), "never does roll"),
        (lambda c: replace(c, mean=0 * c.mean + 0.3), r"constant \(0.3 in every bin\)"),
        (lambda c: c.take(np.array([2])), "one assay: no scatter"),
        (lambda c: c.take(np.array([], dtype=int)), "no assay was tracked"),
    ],
)
def test_reasons_in_words(curves_around, change, words):
    out = study(Task("A", change(curves_around(RECOVERY, 5.0, 0.1, [0.5])), None, Choices()))
    assert out.fit is None and out.gate is None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(out.reason)


def test_identical_assays_have_no_test(curves_around):
    curves = curves_around(RECOVERY, 5.0, 0.1, [0.5])
    twins = replace(curves, mean=np.broadcast_to(curves.mean[0], curves.mean.shape))
    out = study(Task("A", twins, None, Choices()))
    assert np.isnan(out.gate.p_value) and out.fit is None


def test_continuous_responses(curves_around):
    curves = curves_around(RECOVERY, 6.0, 0.15, [0.5])
    speed = replace(curves, mean=2 - 3 * curves.mean, before=np.full(6, 2.0), binomial=False)
    out = study(Task("A", speed, None, Choices()))
    assert out.fit.tau == pytest.approx(6.0, rel=0.25)
    assert out.fit.floor == pytest.approx(2 - 3 * 0.15, abs=0.15)
    doubled = replace(speed, mean=2 * speed.mean, before=2 * speed.before)
    again = study(Task("A", doubled, None, Choices()))
    np.testing.assert_allclose(again.limits, out.limits)


@given(st.integers(0, 10_000), st.sampled_from(["recovery", "pulses", "berne"]), st.booleans())
def test_whatever_the_curves_numbers_mean_something(seed, kind, binomial):
    """Holes, few assays, flat or noisy curves: no warning, and p-values and limits in range."""
    rng = np.random.default_rng(seed)
    shape = {"recovery": RECOVERY, "pulses": pulse_shape(8), "berne": BERNE}[kind]
    n, bins = int(rng.integers(2, 7)), len(shape.start)
    weight = rng.integers(0, 30, (n, bins)) * (rng.random((n, bins)) > rng.choice([0.0, 0.4]))
    mean = rng.choice([0.0, 0.2, 1.0]) + rng.choice([0.0, 0.3]) * rng.standard_normal((n, bins))
    mean = np.clip(mean, 0, 1) if binomial else mean
    mean = np.where(weight > 0, np.round(mean, 3), np.nan)
    before = np.where(rng.random(n) > 0.3, rng.random(n), np.nan)
    curves = Curves(mean, weight.astype(float), before, np.ones(bins), shape, binomial, "roll")
    curves = curves.take(np.flatnonzero(curves.usable))
    control = curves.take(np.arange(len(curves.mean))[::-1])
    choices = Choices(gate=0.99, resamples=99, interval=str(rng.choice(INTERVALS)))
    fit = study(Task("C", control, None, choices)).fit
    out = study(Task("A", curves, None, choices, control, None, fit))
    assert bool(out.reason) == (out.gate is None)
    if out.fit is not None:
        row = describe(curves, out)
        low, high = row["tau_low"], row["tau_high"]
        assert np.isnan(low) or 0 <= low <= high
        assert row["censored"] or shape.shortest < row["tau"] < shape.longest
        if binomial:
            assert (out.fit.start >= -1e-9).all() and (out.fit.start <= 1 + 1e-9).all()
    if out.comparison is not None and np.isfinite(out.comparison.p_wild):
        assert 0 < out.comparison.p_wild <= 1 and 0 <= out.comparison.p_approx <= 1


def test_replicates(curves_around):
    dates = np.array(["a", "a", "b", "b", "c", "c"], dtype=object)
    np.testing.assert_array_equal(clusters(dates, 6), np.arange(6))
    many = np.array(list("aabcde"), dtype=object)
    np.testing.assert_array_equal(clusters(many, 6), [0, 0, 1, 2, 3, 4])
    np.testing.assert_array_equal(clusters(None, 3), [0, 1, 2])
    curves = curves_around(RECOVERY, 5.0, 0.1, [0.5])
    other = np.array(list("aabcdf"), dtype=object)
    line, control, paired, note = pair_up(Task("A", curves, many, Choices(), curves, other))
    assert not paired and len(line.mean) == 5 and "1 assay on dates without control" in note
    other = np.array(list("abcdef"), dtype=object)
    line, control, paired, note = pair_up(Task("A", curves, many, Choices(), curves, other))
    assert paired and len(control.mean) == 5 and note == ""
    none = np.array(list("xxyyzz"), dtype=object)
    *_, note = pair_up(Task("A", curves, many, Choices(), curves, none))
    assert note == "line and control share no date: no comparison"


def test_small_tests_against_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, 6), rng.normal(1, 3, 9)
    assert welch(x, y) == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue)
    assert one_sample(x) == pytest.approx(stats.ttest_1samp(x, 0).pvalue)
    np.testing.assert_allclose(t_limits(x), stats.ttest_1samp(x, 0).confidence_interval(0.95))
    assert np.isnan(welch(x, y[:1])) and np.isnan(one_sample(np.ones(4)))
    assert np.isnan(t_limits(x[:1])).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gate": 0.0}, "gate must lie between 0 and 1"),
        ({"interval": "wald"}, "interval must be one of profile, score, bootstrap-t"),
        ({"resamples": 10}, "resamples must be at least 99"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_refused_choices(change, words):
    with pytest.raises(UsageError, match=words):
        Choices(**change)
