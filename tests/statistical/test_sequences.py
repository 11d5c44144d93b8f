"""Order and homogeneity of chains: errors under larvae and plates that differ, and power.

Larvae walk as in ``analyses/calibration/walks.py``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

CALIBRATION = Path(__file__).resolve().parents[2] / "analyses" / "calibration"


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(CALIBRATION))
    try:
        import order
        import walks
    finally:
        sys.path.remove(str(CALIBRATION))
    return order, walks.Walks(plates=0, controls=2)


def hits(row, name, rejected):
    n = round(row[name] * row["runs"])
    return rejected(pd.Series([0.0] * n + [1.0] * (row["runs"] - n)))


THIRDS = (0.0, 15.0, 30.0, 45.0)


def test_larvae_that_differ_have_no_memory(study, rejected):
    """Larvae of SD 1: shuffles keep the level, the pooled chi-square calls half of them."""
    module, world = study
    row = module.order("", replace(world, larva_sd=1.0), 60, 1, resamples=99)
    for name in ("all triples", "any triple", "returns"):
        assert hits(row, name, rejected).at_most(0.05), (name, row)
    assert row["chi-square"] > 0.4


def test_memory_is_found_although_larvae_differ(study):
    module, world = study
    row = module.order("", replace(world, memory=2.0, larva_sd=1.0), 15, 2, resamples=99)
    assert row["returns"] > 0.8 and row["all triples"] > 0.6
    assert row["interval of returns holds 0"] < 0.4


def test_plates_that_drift_have_no_common_time_course(study, rejected):
    """Each plate drifts on its own, SD .6: exchange keeps the level, the chi-square does not."""
    module, world = study
    row = module.homogeneous("", replace(world, drift_sd=0.6), THIRDS, 60, 3)
    for name in ("exchange", "flip", "any window"):
        assert hits(row, name, rejected).at_most(0.05), (name, row)
    assert row["chi-square"] > 0.5


def test_a_common_time_course_is_found(study):
    module, world = study
    row = module.homogeneous("", replace(world, controls=4), THIRDS, 15, 4, change=1.2)
    assert row["exchange"] > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("changes", [
    {"plate_sd": 0.0, "vial_sd": 0.0, "date_sd": 0.0}, {"plate_sd": 0.6}, {"larva_sd": 1.0},
    {"larva_sd": 1.0, "lost": 0.05},
], ids=["alike", "plates SD .6", "larvae SD 1", "lost tracks"])  # fmt: skip
def test_size_of_order(study, rejected, changes):
    module, world = study
    row = module.order("", replace(world, **changes), 400, 5, resamples=199)
    for name in ("all triples", "any triple", "returns"):
        assert hits(row, name, rejected).at_most(0.05), (name, row)
    assert row["all triples"] > 0.02 and row["interval of returns holds 0"] > 0.91


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "edges"), [
    ({}, THIRDS), ({"drift_sd": 0.3}, THIRDS), ({"drift_sd": 0.6}, THIRDS),
    ({"drift_sd": 0.3, "controls": 4}, (0.0, 10.0, 45.0)),
], ids=["plates", "drift .3", "drift .6", "two unequal windows"])  # fmt: skip
def test_size_of_homogeneity(study, rejected, changes, edges):
    module, world = study
    row = module.homogeneous("", replace(world, **changes), edges, 500, 6)
    for name in ("exchange", "flip", "any window"):
        assert hits(row, name, rejected).at_most(0.065), (name, row)
    assert row["exchange"] > 0.02
