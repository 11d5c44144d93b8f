"""Sums of features per assay and bin, histograms per condition: against pandas and NumPy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from larvastats.errors import DataError
from larvastats.features import bin_feature, histogram_feature
from larvastats.io.paths import AssayIdentity
from larvastats.io.tracks import Tracks
from larvastats.protocol import Window

OFF, ON = Window("off", ((-np.inf, 5.0),)), Window("on", ((5.0, 8.0),))


def tracks(assay="a", larvae=3, seed=0, values=None):
    rng = np.random.default_rng(seed)
    n = 40 * larvae
    index = np.repeat(np.arange(larvae), 40)
    t = np.tile(np.arange(40) * 0.25, larvae)
    x = rng.normal(2.0, 1.0, n) if values is None else np.full(n, values)
    if values is None:
        x[::17] = np.nan
    identity = AssayIdentity("", "", "", "", None, None, assay)
    return Tracks.build(identity, [str(k) for k in range(larvae)], index, t,
                        features={"x": x}, units={"x": "mm"})  # fmt: skip


def frame(one):
    return pd.DataFrame({"larva": one.larva_index, "t": one.t, "x": one.features["x"]}).dropna()


def test_bins_equal_a_groupby():
    parts = [tracks("b", seed=1), tracks("a", seed=2), tracks("not asked for")]
    edges = np.arange(0.0, 9.0, 1.0)
    bins = bin_feature(iter(parts), "x", ["a", "b"], edges)
    assert bins.unit == "mm"
    for row, one in enumerate((parts[1], parts[0])):
        table = frame(one)
        groups = table.groupby(pd.cut(table["t"], edges, right=False), observed=False)["x"]
        np.testing.assert_allclose(bins.mean[row], groups.mean())
        np.testing.assert_allclose(bins.sd[row], groups.std())
        np.testing.assert_array_equal(bins.n[row], groups.count())


def test_an_assay_without_frames_is_nan_and_onsets_add_up():
    one = tracks("a")
    bins = bin_feature([one], "x", ["a", "gone"], np.array([0.0, 1.0]), (2.0, 6.0))
    table = frame(one)
    inside = table["t"].between(2, 3, inclusive="left") | table["t"].between(6, 7, inclusive="left")
    assert bins.mean[0, 0] == pytest.approx(table["x"][inside].mean())
    assert np.isnan(bins.mean[1, 0]) and np.isnan(bins.sd[1, 0])


def test_the_spread_of_a_constant_is_exactly_zero():
    found = histogram_feature([tracks(values=4.1)], "x", ["a"], (OFF, ON))
    np.testing.assert_array_equal(found.sd, 0.0)
    np.testing.assert_array_equal(found.mad, 0.0)
    np.testing.assert_allclose(found.mean, 4.1)


def test_histogram_moments_are_those_of_the_frames():
    one = tracks("a", larvae=6)
    found = histogram_feature([one], "x", ["a"], (OFF, ON))
    table = frame(one)
    parts = [table[table["t"] < 5], table[(table["t"] >= 5) & (table["t"] < 8)]]
    for c, part in enumerate(parts):
        assert found.n[0, c] == len(part)
        assert found.mean[0, c] == pytest.approx(part["x"].mean())
        assert found.sd[0, c] == pytest.approx(part["x"].std())
        assert found.mad[0, c] == pytest.approx(stats.median_abs_deviation(part["x"]))
        # the lattice's cells are half-open: every value within the range is counted where it lies
        expected = np.histogram(part["x"], np.append(found.edges[:-1], found.edges[-1] - 1e-12))[0]
        np.testing.assert_array_equal(found.counts[0, c], expected)
        larvae = found.larvae[found.larvae["condition"] == found.conditions[c]]
        own = part.groupby("larva")["x"].mean()
        np.testing.assert_allclose(larvae["value"], own)
        assert list(larvae["larva"]) == [str(k) for k in own.index]


def test_a_few_outliers_do_not_stretch_the_range():
    rng = np.random.default_rng(0)
    identity = AssayIdentity("", "", "", "", None, None, "a")
    x = rng.normal(size=20_000)
    x[:3] = 1e6
    one = Tracks.build(identity, ["1"], np.zeros(len(x), int), np.arange(len(x)) * 1e-4,
                       features={"x": x})  # fmt: skip
    found = histogram_feature([one], "x", ["a"], (OFF,))
    assert -6 < found.edges[0] < -2.5 and 2.5 < found.edges[-1] < 6
    assert len(found.edges) <= 241
    assert found.counts.sum() >= 0.998 * len(x)
    assert found.mean[0, 0] == pytest.approx(x.mean())  # moments keep every frame


def test_no_value_at_all_is_a_sentence():
    with pytest.raises(DataError, match="no frame of these assays has a value of x"):
        histogram_feature([tracks(values=np.nan)], "x", ["a"], (OFF, ON))
