"""Formulas and fits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize

from larvastats.inference.habituation.fit import (
    fit_curve,
    free_levels,
    gain,
    make_grid,
    moments,
    peak,
    working_variance,
)
from larvastats.inference.habituation.model import (
    berne_shape,
    decay,
    decay_slope,
    pulse_shape,
    recovery_shape,
    resensitisation,
)

RECOVERY = recovery_shape(np.arange(0, 31.0))
BERNE = berne_shape(np.arange(0, 11.0), 4, 20.0)


@pytest.mark.parametrize("tau", [0.3, 4.0, 200.0])
def test_decay_is_the_average_over_a_bin(tau):
    shape = recovery_shape(np.array([0.0, 0.5, 2.0, 7.0, 7.1]))
    exact = [quad(lambda t: np.exp(-t / tau), a, b)[0] / (b - a)
             for a, b in zip(shape.start, shape.stop, strict=True)]  # fmt: skip
    np.testing.assert_allclose(decay(np.array([tau]), shape)[0], exact, rtol=1e-9)
    number = np.arange(6)
    np.testing.assert_allclose(decay(np.array([tau]), pulse_shape(6))[0], np.exp(-number / tau))


@pytest.mark.parametrize("shape", [RECOVERY, BERNE, pulse_shape(8)])
def test_slope_is_the_derivative_by_log_tau(shape):
    tau, h = np.array([0.8, 5.0, 40.0]), 1e-5
    numeric = (decay(tau * np.exp(h), shape) - decay(tau * np.exp(-h), shape)) / (2 * h)
    np.testing.assert_allclose(decay_slope(tau, shape), numeric, atol=1e-8)


def test_resensitisation_inverts_the_formula():
    tau = np.array([2.0, 5.3, 80.0])
    np.testing.assert_allclose(resensitisation(1 - np.exp(-20 / tau), 20.0), tau)
    assert resensitisation(1.0, 5.0) == 0 and resensitisation(1.4, 5.0) == 0
    assert np.isinf(resensitisation(0.0, 5.0)) and np.isinf(resensitisation(-0.2, 5.0))


@pytest.mark.parametrize("binomial", [True, False])
@pytest.mark.parametrize("tau", [1.6, 5.2, 18.9])
def test_an_exact_curve_is_recovered(tau, binomial):
    expected = 0.15 + 0.5 * decay(np.array([tau]), RECOVERY)[0]
    fit = fit_curve(expected, np.full(30, 20.0), make_grid(RECOVERY), binomial)
    assert fit.tau == pytest.approx(tau, rel=0.01)
    assert fit.floor == pytest.approx(0.15, abs=0.004)
    assert fit.start[0] == pytest.approx(0.65, abs=0.004)
    assert fit.edge == 0 and fit.bound == ()
    np.testing.assert_allclose(fit.expected, expected, atol=1e-3)


def test_berne_levels_are_recovered_pulse_by_pulse():
    levels = np.array([0.6, 0.5, 0.4, 0.2])
    expected = levels[BERNE.block] * decay(np.array([18.9]), BERNE)[0]
    fit = fit_curve(expected, np.full(40, 20.0), make_grid(BERNE), True)
    assert fit.tau == pytest.approx(18.9, rel=0.01)
    np.testing.assert_allclose(fit.height, levels, atol=2e-3)
    assert fit.floor == 0


def test_the_fit_maximises_the_binomial_likelihood():
    rng = np.random.default_rng(3)
    p = 0.2 + 0.5 * decay(np.array([6.0]), RECOVERY)[0]
    n = rng.integers(60, 140, 30).astype(float)
    y = rng.binomial(n.astype(int), p) / n

    def minus_log_likelihood(x):
        q = np.clip(x[1] + (x[2] - x[1]) * decay(np.exp(x[:1]), RECOVERY)[0], 1e-9, 1 - 1e-9)
        return -(n * (y * np.log(q) + (1 - y) * np.log(1 - q))).sum()

    best = minimize(minus_log_likelihood, [np.log(5), 0.2, 0.6], method="Nelder-Mead",
                    options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000})  # fmt: skip
    fit = fit_curve(y, n, make_grid(RECOVERY), True)
    found = minus_log_likelihood(np.array([np.log(fit.tau), fit.floor, fit.start[0]]))
    assert found == pytest.approx(best.fun, abs=1e-3)
    assert fit.tau == pytest.approx(np.exp(best.x[0]), rel=0.01)


def test_levels_stay_between_0_and_1():
    t = RECOVERY.middle
    fit = fit_curve(np.clip(0.5 - t / 58, 0, 1), np.full(30, 20.0), make_grid(RECOVERY), True)
    assert 0 <= fit.floor <= 1 and 0 <= fit.start[0] <= 1
    assert fit.bound == ("floor",)
    free = fit_curve(0.5 - t / 58, np.full(30, 20.0), make_grid(RECOVERY), False)
    assert free.floor < -0.1 and free.edge == 1


def test_a_straight_line_has_no_time_constant_and_a_step_none_either():
    grid = make_grid(RECOVERY)
    line = fit_curve(0.9 - 0.01 * RECOVERY.middle, np.full(30, 20.0), grid, False)
    assert line.edge == 1 or line.tau > RECOVERY.longest
    step = np.where(np.arange(30) == 0, 0.9, 0.3)
    assert fit_curve(step, np.full(30, 20.0), grid, True).tau < RECOVERY.shortest


def test_bins_without_data_do_not_count():
    expected = 0.1 + 0.6 * decay(np.array([5.0]), RECOVERY)[0]
    n = np.full(30, 20.0)
    n[[0, 7, 8]] = 0
    holes = np.where(n > 0, expected, np.nan)
    assert fit_curve(holes, n, make_grid(RECOVERY), True).tau == pytest.approx(5.0, rel=0.01)


@given(st.floats(0.0, 1.0), st.integers(0, 1000))
def test_gain_is_what_least_squares_explains(shift, seed):
    rng = np.random.default_rng(seed)
    grid = make_grid(RECOVERY, np.array([2.0, 5.0, 12.0]))
    y, w = rng.normal(shift, 1, (2, 30)), rng.uniform(0.5, 2, (2, 30))
    m = moments(w, w * y, grid)
    floor, height = free_levels(m, True)
    for c in range(2):
        for j in range(3):
            x = np.column_stack([np.ones(30), grid.decay[j]])
            root = np.sqrt(w[c])
            best, rss, *_ = np.linalg.lstsq(x * root[:, None], y[c] * root, rcond=None)
            around = (w[c] * (y[c] - (w[c] * y[c]).sum() / w[c].sum()) ** 2).sum()
            np.testing.assert_allclose(gain(m, True)[c, j], around - rss[0], rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose([floor[c, j, 0], height[c, j, 0]], best, rtol=1e-6)


def test_peak_of_a_parabola_lies_between_the_points():
    x = np.linspace(-1, 1, 21)
    at, shift, top = peak(np.stack([3 - (x - 0.234) ** 2, x]), 0.1)
    assert x[at[0]] + shift[0] == pytest.approx(0.234)
    assert top[0] == pytest.approx(3)
    assert at[1] == 20 and shift[1] == 0 and top[1] == 1


def test_working_variance():
    np.testing.assert_allclose(working_variance(np.array([0.5, 0.0, 1.0]), True),
                               [0.25, 0.0196, 0.0196])  # fmt: skip
    assert (working_variance(np.array([0.5, -3.0]), False) == 1).all()
