"""Midlines: regular abscissae, splines, and midlines from outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from larvastats.errors import UsageError
from larvastats.io import schleyer
from larvastats.shape.contour import flatten, resample
from larvastats.shape.midline import arc_length, from_outline, head_first, regular, spline
from larvastats.shape.vertebrae import five_vertebrae


def test_vertebrae_at_regular_abscissae():
    uneven = np.array([[[0.0, 0], [1, 0], [1, 3], [1, 4]]])
    np.testing.assert_allclose(
        regular(uneven, 6)[0], [[0, 0], [1, 0], [1, 1], [1, 2], [1, 3], [1, 4]]
    )
    np.testing.assert_allclose(arc_length(uneven), [5])


def test_on_a_straight_spine_both_rules_agree():
    spine = np.linspace([0.0, 1.0], [4.0, 3.0], 11)[np.newaxis]
    np.testing.assert_allclose(regular(spine), five_vertebrae(spine))


def test_regular_leaves_frames_without_length_or_point_blank():
    midline = np.linspace([0.0, 0], [1, 0], 5)[np.newaxis].repeat(3, axis=0)
    midline[1, 2] = np.nan
    midline[2] = 3.0
    found = regular(midline, 4)
    assert np.isnan(found).all(axis=(1, 2)).tolist() == [False, True, True]
    np.testing.assert_allclose(found[0, :, 0], [0, 1 / 3, 2 / 3, 1])
    with pytest.raises(UsageError, match="2 or more points"):
        regular(midline[:, :1])


@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_the_spline_is_scipy_s_natural_one(derivative: int):
    points = np.random.default_rng(0).normal(size=(20, 5, 2))
    at = np.linspace(0, 1, 33)
    found = spline(points, at, derivative)
    for frame in range(20):
        own = CubicSpline(np.linspace(0, 1, 5), points[frame], bc_type="natural")
        np.testing.assert_allclose(found[frame], own(at, derivative), atol=1e-9)


def test_midlines_come_back_from_outlines(larvae):
    midline, outline = larvae
    found, _ = head_first(from_outline(resample(*flatten(outline))), np.zeros(400, int))
    distance = np.linalg.norm(found - midline, axis=2)
    turned = np.linalg.norm(found[:, ::-1] - midline, axis=2)
    error = np.minimum(distance.mean(axis=1), turned.mean(axis=1))
    assert np.quantile(error, 0.95) < 0.15  # of 4 mm
    np.testing.assert_allclose(arc_length(found), 4, rtol=0.12)


def crawling(n: int, backwards: slice) -> np.ndarray:
    """A larva of 4 mm that crawls by .1 mm per frame, head first but for some frames."""
    step = np.full(n, 0.1)
    step[backwards] *= -1
    place = np.cumsum(step)
    x = place[:, np.newaxis] + np.linspace(4, 0, 11)
    return np.stack((x, np.zeros_like(x)), axis=-1)


def test_the_head_is_where_the_larva_goes_whatever_the_frame_says():
    truth = np.concatenate((crawling(200, slice(80, 110)), crawling(100, slice(0, 0))))
    larva = np.repeat([0, 1], [200, 100])
    mixed = truth.copy()
    some = np.random.default_rng(0).random(300) < 0.4
    mixed[some] = mixed[some, ::-1]
    mixed[50] = np.nan
    found, turned = head_first(mixed, larva)
    expected = np.where(np.arange(300)[:, None, None] == 50, np.nan, truth)
    np.testing.assert_array_equal(found, expected)
    there = np.arange(300) != 50
    np.testing.assert_array_equal(turned[there], some[there])


def test_a_larva_that_only_crawls_backwards_is_turned():
    truth = crawling(100, slice(0, 100))  # more than two body lengths: it must be the head
    found, turned = head_first(truth, np.zeros(100, int))
    assert turned.all()
    np.testing.assert_array_equal(found, truth[:, ::-1])


def test_without_any_midline_nothing_is_turned():
    found, turned = head_first(np.full((3, 11, 2), np.nan), np.zeros(3, int))
    assert np.isnan(found).all() and not turned.any()


def test_real_midlines_come_back_from_real_outlines(shared_data: Path):
    tracks = schleyer.read(shared_data / "schleyer")
    contour = tracks.contour
    found, _ = head_first(
        from_outline(resample(contour.vertices, contour.start)), tracks.larva_index
    )
    good = (tracks.features["collision_flag"] == 0) & np.isfinite(found).all(axis=(1, 2))
    truth = regular(tracks.midline[good], 11)
    error = np.linalg.norm(found[good] - truth, axis=2).mean(axis=1)
    turned = np.linalg.norm(found[good][:, ::-1] - truth, axis=2).mean(axis=1)
    assert (error < turned).mean() > 0.985
    assert np.median(error) < 0.06  # mm; a larva is 4.2 mm long and .85 mm wide
