"""Vials: pooling the plates of a cross, and the variance that plates of a vial share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import Ethogram
from larvastats.inference.design.crosses import (
    cross_of_assay,
    crosses_as_units,
    has_crosses,
    vial_component,
)
from larvastats.markov.counts import count_transitions
from larvastats.protocol import Window


def recordings(crosses):
    """Plates p0, p1, ... of two larvae, in pairs on dates; `crosses` names each plate's vial."""
    rows = []
    for a, cross in enumerate(crosses):
        for larva in range(2):
            for b, state in enumerate(["run", "cast", "stop"][: 2 + (a + larva) % 2]):
                rows.append((f"p{a}", "A", str(larva), state, b, b + 1, f"2020010{1 + a // 4}",
                             cross, 20.0 + a))  # fmt: skip
    columns = ["assay", "line", "larva", "state", "t_start", "t_stop", "date", "cross",
               "temperature"]  # fmt: skip
    return Ethogram.from_bouts(pd.DataFrame(rows, columns=columns))


def test_plates_of_one_cross_and_date_are_one_unit():
    plates = recordings(["x", "x", "y", None, "x", "x", None, None])
    assert list(cross_of_assay(plates.assays)) == [0, 0, 1, 2, 3, 3, 4, 5]
    pooled = crosses_as_units(plates)
    assert list(pooled.larvae_per_assay) == [4, 2, 2, 4, 2, 2]
    assert list(pooled.assays["date"]) == ["20200101"] * 3 + ["20200102"] * 3
    np.testing.assert_allclose(pooled.assays["temperature"], [20.5, 22, 23, 24.5, 26, 27])
    assert pooled.assays["assay"].is_unique and list(pooled.assays["assay"])[1] == "p2"
    assert not pooled.larvae.duplicated(["larva", "assay_index"]).any()


def test_counts_of_a_cross_are_the_sum_of_its_plates():
    plates = recordings(["x", "y", "x", "y", "z", "z", "z", "u"])
    whole = (Window("whole", ((0.0, 10.0),)),)
    own = count_transitions(plates, whole, "jump").counts
    pooled = count_transitions(crosses_as_units(plates), whole, "jump").counts
    code = cross_of_assay(plates.assays)
    expected = [own[code == c].sum(axis=0) for c in range(code.max() + 1)]
    np.testing.assert_array_equal(pooled, expected)


@pytest.mark.parametrize(
    ("crosses", "expected"),
    [(["x", "x", "y", "y"], True), (["x", "y", "z", "u"], False), ([None] * 4, False)],
)
def test_crosses_are_known_where_one_has_several_plates(crosses, expected):
    assert has_crosses(recordings(crosses)) is expected


def table(lines, dates, plates, vial_sd, seed, cells=8):
    """Profiles of plates: line + date + vial + plate, unbalanced here and there."""
    rng = np.random.default_rng(seed)
    x, genotype, date = [], [], []
    for g in range(lines):
        own = rng.normal(0, 2, cells)
        for d in range(dates):
            if (g + d) % 5 == 4:
                continue
            vial = rng.normal(0, vial_sd, cells)
            for _ in range(plates + (g + d) % 2):
                x.append(own + 3 * np.cos(d + np.arange(cells)) + vial + rng.normal(0, 1, cells))
                genotype.append(g)
                date.append(d)
    return np.array(x), np.array(genotype), np.array(date)


@pytest.mark.parametrize("vial_sd", [0.0, 0.7, 1.0])
def test_the_component_is_recovered_whatever_lines_and_dates_do(vial_sd):
    found = [vial_component(*table(8, 6, 2, vial_sd, s)).ratio for s in range(40)]
    assert np.mean(found) == pytest.approx(vial_sd**2, abs=0.05)


def test_vials_that_are_not_there_are_rarely_seen():
    seen = [vial_component(*table(8, 6, 2, 0.0, s)).visible for s in range(200)]
    assert sum(seen) <= 7  # 1 % of 200, binomial 99.9th percentile
    there = [vial_component(*table(8, 6, 2, 0.8, s)) for s in range(20)]
    assert all(v.visible and "vials vary" in v.sentence(False) for v in there)


def test_balanced_means_give_the_ratio_of_an_analysis_of_variance():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(5, 4, 2, 3))
    mean = x.mean(axis=2)
    both = mean - mean.mean(1, keepdims=True) - mean.mean(0, keepdims=True) + mean.mean((0, 1))
    between = 2 * (both**2).sum() / 12
    within = ((x - mean[:, :, None]) ** 2).sum() / 20
    genotype, date = (np.repeat(v.ravel(), 2) for v in np.indices((5, 4)))
    found = vial_component(x.reshape(-1, 3), genotype, date)
    assert found.df == (12, 20)
    assert found.ratio == pytest.approx((between / within - 1) / 2)


def test_too_few_lines_or_plates_tell_nothing():
    found = vial_component(*table(2, 3, 2, 1.0, 0))
    assert np.isnan(found.ratio) and not found.visible and found.sentence(True) == ""
