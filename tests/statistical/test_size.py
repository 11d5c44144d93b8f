"""A/A: lines that differ from their control in nothing but chance must be called rarely.

Every line has a control, and dates, of its own, so that the tests of a screen are independent and
their share of p <= .05 is binomial. Shares are deterministic: all seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest

from larvastats import screen

QUICK = {"control": "control", "bootstrap": 0, "calibrate": False}
UNDATED = {"dates": 1, "dated": False, "vial_sd": 0.0}
DIVERGENCES = ("hellinger", "js", "kl")


def check_divergences(table, rejected):
    """They err on the safe side: dates are few, and their variance is that of whole profiles."""
    for name in DIVERGENCES:
        found = rejected(table[f"{name}_p_value"])
        assert found.at_most(0.05), (name, found)


def test_equal_designs_keep_their_level(simulated, plan, rejected):
    """300 null lines on three dates, 2 plates of 30 larvae a date, against 4 like them."""
    table = screen(simulated(plan(lines=300), seed=1), **QUICK).table
    assert set(table["null"]) == {"F"}  # 1/3375 leaves no room for 300 lines
    for p in ("p_value", "p_exact"):
        assert rejected(table[p]).within(0.05), (p, rejected(table[p]))
        assert rejected(table[p], 0.01).at_most(0.01), (p, rejected(table[p], 0.01))
    check_divergences(table, rejected)
    assert table["rejected"].sum() <= 1  # after the correction for 300 lines


def test_eight_larvae_against_forty_keep_their_level(simulated, plan, rejected):
    """The same with 8 larvae on a plate of the line against 40 of the control."""
    data = simulated(plan(lines=300, larvae=8, control_larvae=40), seed=2)
    table = screen(data, **QUICK).table
    for p in ("p_value", "p_exact"):
        assert rejected(table[p]).value <= 0.08, (p, rejected(table[p]))
    check_divergences(table, rejected)
    assert table["rejected"].sum() <= 1


def test_two_dates_of_two_plates_cannot_reject_by_relabelling(simulated, plan, rejected):
    data = simulated(plan(lines=200, dates=2, controls=2), seed=3)
    exact = screen(data, null="relabel", **QUICK).table
    assert exact["p_exact"].min() >= 2 / 36 - 1e-12 and not exact["rejected"].any()
    assert rejected(exact["p_approx"]).at_most(0.05)


def test_four_plates_against_four_without_dates(simulated, plan, rejected):
    data = simulated(plan(lines=300, plates=4, controls=4, **UNDATED), seed=4)
    table = screen(data, **QUICK).table
    assert table["p_floor"].to_numpy() == pytest.approx(2 / 70)
    for p in ("p_exact", "p_approx", *(f"{name}_p_value" for name in DIVERGENCES)):
        assert rejected(table[p]).at_most(0.05), (p, rejected(table[p]))


def test_unequal_larvae_without_dates(simulated, plan, rejected):
    sizes = {"plates": 4, "controls": 8, "larvae": 8, "control_larvae": 40}
    table = screen(simulated(plan(lines=300, **sizes, **UNDATED), seed=5), **QUICK).table
    for p in ("p_exact", "p_approx"):
        assert rejected(table[p]).value <= 0.09, (p, rejected(table[p]))


# Why the unit and the block are what they are


def test_larvae_as_units_call_null_lines_different(simulated, plan, rejected):
    """Larvae of a plate share its effect: relabelling them takes plates for genotypes."""
    null = plan(lines=120, plates=4, controls=4, larvae=30, control_larvae=30, **UNDATED)
    data = simulated(null, seed=6)
    larvae = screen(data, unit="larva", resamples=199, **QUICK)
    assert any("larvae of one plate share its conditions" in note for note in larvae.notes)
    for p in ("p_exact", "p_approx"):
        assert rejected(larvae.table[p]).value > 0.15, (p, rejected(larvae.table[p]))
    plates = screen(data, **QUICK).table
    assert rejected(plates["p_exact"]).at_most(0.05)


def test_plates_as_units_mistake_the_vial_and_dates_do_not(simulated, plan, rejected):
    """Plates of one cross on one date share a vial; only other dates tell it from the line."""
    vials = plan(lines=200, plates=2, controls=2, vial_sd=0.4, plate_sd=0.15)
    data = simulated(vials, seed=7)
    by_plate = screen(data, block="none", null="F", **QUICK).table
    by_date = screen(data, null="F", **QUICK).table
    assert rejected(by_plate["p_value"]).value > 0.12, rejected(by_plate["p_value"])
    assert rejected(by_date["p_value"]).at_most(0.05), rejected(by_date["p_value"])


# Response, not baseline

OTHER = np.array([
    [0.00, 0.30, 0.25, 0.20, 0.20, 0.05],
    [0.35, 0.00, 0.35, 0.15, 0.10, 0.05],
    [0.25, 0.25, 0.00, 0.25, 0.20, 0.05],
    [0.20, 0.20, 0.35, 0.00, 0.20, 0.05],
    [0.25, 0.25, 0.25, 0.20, 0.00, 0.05],
    [0.30, 0.30, 0.30, 0.05, 0.05, 0.00],
])  # fmt: skip


def shifted(base, other):
    """A line that starts half way to `other`, and the change that light makes in everybody."""
    line = 0.5 * base + 0.5 * other
    change = 0.2 * (np.roll(base, 2, axis=1) * (1 - np.eye(6)))
    change = 0.2 * (change / change.sum(axis=1, keepdims=True) - base)
    return line, change


@pytest.mark.parametrize("responds", [False, True])
def test_a_line_that_differs_from_the_start_is_no_responder(
    simulated, plan, rejected, base, responds
):
    """Line and control change alike, or not at all, from different starts."""
    line, change = shifted(base, OTHER)
    change = change * responds
    data = simulated(
        plan(lines=150, larvae=15, additive=True), seed=8 + responds,
        line_before=line, control_before=base,
        line_during=line + change, control_during=base + change,
    )  # fmt: skip
    contrast = screen(data, contrast="during-before", **QUICK).table
    for p in ("p_value", "p_exact"):
        assert rejected(contrast[p]).at_most(0.05), (p, rejected(contrast[p]))
    window = screen(data, null="F", **QUICK).table  # the lines do differ
    assert rejected(window["p_value"]).value > 0.9


def test_a_line_that_responds_more_is_found_by_the_contrast(simulated, plan, rejected, base):
    _, change = shifted(base, OTHER)
    data = simulated(
        plan(lines=60, additive=True), seed=10,
        line_before=base, control_before=base,
        line_during=base + 2.5 * change, control_during=base + 0.5 * change,
    )  # fmt: skip
    table = screen(data, contrast="during-before", null="F", **QUICK).table
    assert rejected(table["p_value"]).value > 0.9


# The same with more lines and more levels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "exact", "approx"),
    [
        ({}, 0.07, 0.07),
        ({"larvae": 8, "control_larvae": 40}, 0.08, 0.08),
        ({"dates": 4, "controls": 2}, 0.07, 0.07),
        ({"dates": 2, "plates": 3, "controls": 6}, 0.07, 0.07),
        # vials that scatter twice as much as plates: plates of a date are then no longer
        # exchangeable, and relabelling them errs where the F of the dates does not
        ({"vial_sd": 0.3, "plate_sd": 0.15}, 0.1, 0.065),
        ({"plates": 4, "controls": 4, **UNDATED}, 0.05, 0.065),
        ({"plates": 4, "controls": 8, "larvae": 8, "control_larvae": 40, **UNDATED}, 0.08, 0.09),
    ],
    ids=str,
)
def test_sizes_over_many_lines(simulated, plan, sizes, exact, approx):
    tables = [screen(simulated(plan(lines=500, **sizes), seed=100 + s), **QUICK).table
              for s in range(4)]  # fmt: skip
    for p, highest in (("p_exact", exact), ("p_approx", approx)):
        values = np.concatenate([t[p] for t in tables])
        shares = [np.mean(values <= level + 1e-12) for level in (0.05, 0.01)]
        assert shares[0] <= highest and shares[1] <= 0.03, (p, shares)


# The variance of plates within dates, on request


def test_plates_as_replicates_keep_their_level_without_vials_and_lose_it_with_them(
    simulated, plan, rejected
):
    quiet = plan(lines=200, dates=2, controls=3, vial_sd=0.0)
    table = screen(simulated(quiet, seed=12), variance="plate", **QUICK).table
    for p in ("p_exact", "p_approx"):
        assert rejected(table[p]).within(0.05), (p, rejected(table[p]))
    vials = plan(lines=80, dates=4, controls=3, vial_sd=0.4, plate_sd=0.15)
    loud = screen(simulated(vials, seed=13), variance="plate", **QUICK)
    assert rejected(loud.table["p_approx"]).value > 0.2
    assert any("variance='plate' assumes that they do not" in note for note in loud.notes)
