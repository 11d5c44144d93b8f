"""Many windows, one error: null lines must be called rarely, whatever the number of windows."""

from __future__ import annotations

import numpy as np
import pytest

from larvastats import screen

QUICK = {"control": "control", "bootstrap": 0, "calibrate": False}
SIX = "sliding:10:10:0:60"


def null_screen(simulated, plan, base, lines, seed, **sizes):
    design = plan(lines=lines, **sizes)
    return simulated(design, seed, base, base, line_during=base, control_during=base)


def check(table, windows, rejected):
    """The largest of six T keeps the level; six levels of their own would not."""
    for p in ("p_exact", "p_approx"):
        assert rejected(table[p]).at_most(0.05), (p, rejected(table[p]))
    smallest = windows.groupby("genotype")["p_marginal"].min()
    assert rejected(smallest).value > 0.1, rejected(smallest)


def test_six_windows_keep_one_level(simulated, plan, rejected, base):
    """Three dates, 2 plates against 4 a date; plates shift all windows alike, SD .3, dates .2."""
    result = screen(null_screen(simulated, plan, base, 120, 31), window=SIX, **QUICK)
    check(result.table, result.windows, rejected)
    assert result.table["rejected"].sum() <= 1


def test_an_effect_in_one_window_is_found_there(simulated, plan, rejected, base):
    """And the window before it is called different no more often than it may be."""
    other = np.roll(base, 2, axis=1) * (1 - np.eye(6))
    other = 0.75 * base + 0.25 * other / other.sum(axis=1, keepdims=True)
    data = simulated(plan(lines=100), 32, base, base, line_during=other, control_during=base)
    result = screen(data, window="each", null="F", **QUICK)
    assert (result.table["window"] == "during_1").mean() > 0.9
    own = result.windows.pivot(index="genotype", columns="window", values="rejected")
    assert own["during_1"].mean() > 0.9
    assert rejected(1.0 - own["before"].astype(float), 0.5).at_most(0.05), own["before"].mean()


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [{}, {"dates": 2, "plates": 3, "controls": 6}], ids=str)
def test_six_windows_over_many_lines(simulated, plan, rejected, base, sizes):
    tables = [
        screen(null_screen(simulated, plan, base, 250, 310 + s, **sizes), window=SIX, **QUICK)
        for s in range(4)
    ]
    exact = np.concatenate([r.table["p_exact"] for r in tables])
    approximate = np.concatenate([r.table["p_approx"] for r in tables])
    assert np.mean(exact <= 0.05 + 1e-12) <= 0.07
    assert np.mean(approximate <= 0.05) <= 0.06
