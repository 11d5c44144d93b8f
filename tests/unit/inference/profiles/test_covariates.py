"""Nuisances out of the profiles; flags for recordings that differ."""

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.inference.design.blocks import make_design
from larvastats.inference.design.quality import quality_notes, recording_quality
from larvastats.inference.profiles.covariates import covariate_matrix, without_covariates


def assays():
    return pd.DataFrame(
        {"assay": list("abcd"), "temperature": [21.0, 22, 23, 24], "rig": list("xxyz"),
         "time": ["093000", "120000", "93000", "235959"], "age": [1, None, 3, 4]}
    )  # fmt: skip


def test_columns_become_numbers():
    z = covariate_matrix(assays(), ["temperature", "rig", "time"])
    assert z.shape == (4, 4)
    np.testing.assert_allclose(z[:, 0], [21, 22, 23, 24])
    np.testing.assert_allclose(z[:, 3][:3], [9.5, 12.0, 9.5])
    assert set(z[:, 1:3].ravel()) == {0.0, 1.0}


@pytest.mark.parametrize(("name", "words"), [("nope", "no column"), ("age", "missing for 1")])
def test_bad_columns_are_named(name, words):
    with pytest.raises(UsageError, match=words):
        covariate_matrix(assays(), [name])


def test_a_linear_nuisance_disappears_and_dates_stay():
    rng = np.random.default_rng(0)
    dates = np.repeat(np.array(["a", "b"], dtype=object), 10)
    line = np.tile([True] * 4 + [False] * 6, 2)
    design = make_design(np.flatnonzero(line), np.flatnonzero(~line), dates)
    z = rng.normal(size=(20, 1))[design.units]
    x = 2.0 * z + (design.block == 1)[:, None] * 5.0 + np.zeros((20, 3))
    left = without_covariates(x, z, design)
    for b in (0, 1):
        own = left[design.block == b]
        np.testing.assert_allclose(own - own.mean(axis=0), 0, atol=1e-9)
    assert abs(left[design.block == 1].mean() - left[design.block == 0].mean() - 5) < 1.5


def test_a_covariate_that_is_the_date_changes_nothing():
    dates = np.repeat(np.array(["a", "b"], dtype=object), 6)
    line = np.tile([True] * 2 + [False] * 4, 2)
    design = make_design(np.flatnonzero(line), np.flatnonzero(~line), dates)
    x = np.random.default_rng(1).normal(size=(12, 3))
    z = (design.block == 1).astype(float)[:, None]
    np.testing.assert_array_equal(without_covariates(x, z, design), x)


def test_too_many_covariates_are_refused():
    design = make_design(np.arange(2), np.arange(2, 6), None)
    z = np.random.default_rng(2).normal(size=(6, 3))
    with pytest.raises(UsageError, match="too many"):
        without_covariates(np.zeros((6, 2)), z, design)


def recordings(line_larvae):
    rows = []
    for line, n in (("L", line_larvae), ("C", 20)):
        for plate in range(5):
            for larva in range(n + plate % 2):
                rows.append((f"{line}{plate}", line, larva, "run", 0.0, 50.0 + plate))
    names = ["assay", "line", "larva", "state", "t_start", "t_stop"]
    return Ethogram.from_bouts(pd.DataFrame(rows, columns=names))


@pytest.mark.parametrize(("larvae", "flagged"), [(20, False), (6, True)])
def test_unequal_recordings_are_flagged(larvae, flagged):
    ethogram = recordings(larvae)
    line = np.flatnonzero((ethogram.assays["line"] == "L").to_numpy())
    control = np.flatnonzero((ethogram.assays["line"] == "C").to_numpy())
    notes = quality_notes(recording_quality(ethogram), make_design(line, control, None))
    assert bool(notes) is flagged
    assert all("larvae per plate" in note for note in notes)
