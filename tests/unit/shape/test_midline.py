"""Midlines: regular abscissae, splines, and midlines from outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.interpolate import CubicSpline

from larvastats.errors import DataError, UsageError
from larvastats.io import schleyer
from larvastats.shape.contour import flatten, resample
from larvastats.shape.midline import (
    arc_length,
    from_outline,
    from_vertebrae,
    head_first,
    regular,
    spline,
)
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


vertebrae = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.just(5), st.just(2)),
    elements=st.floats(-500, 500, width=32),
)


@given(vertebrae)
def test_spines_have_the_vertebrae_that_they_are_made_of(five):
    spine = from_vertebrae(five)
    assert spine.shape == (*five.shape[:2], 11, 2)
    np.testing.assert_allclose(five_vertebrae(spine), five, atol=1e-11)


@given(vertebrae, st.floats(-4, 4), st.floats(0.1, 10))
def test_spines_turn_and_grow_with_their_vertebrae(five, angle, size):
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(
        from_vertebrae(five @ turn.T + 3), from_vertebrae(five) @ turn.T + 3, atol=1e-9
    )


def test_spines_of_bent_larvae_come_back_evenly(larvae):
    midline, _ = larvae
    found = from_vertebrae(five_vertebrae(midline))
    error = np.sqrt(((found - midline) ** 2).sum(axis=2).mean())
    straight = regular(five_vertebrae(midline), 11)
    by_lines = np.sqrt(((straight - midline) ** 2).sum(axis=2).mean())
    assert error < 0.01 and by_lines > 4 * error  # mm; larvae of 4 mm
    np.testing.assert_allclose(arc_length(found), arc_length(midline), rtol=2e-3)
    steps = np.linalg.norm(np.diff(found, axis=1), axis=2)
    assert (steps.max(axis=1) / steps.min(axis=1)).max() < 1.05


def test_a_lost_vertebra_loses_its_frame_only():
    five = np.random.default_rng(1).normal(size=(3, 5, 2))
    five[1, 2] = np.nan
    found = from_vertebrae(five)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2]], from_vertebrae(five[[0, 2]]))
    assert from_vertebrae(five[0]).shape == (11, 2)
    with pytest.raises(DataError, match=r"Spines are made of 5 vertebrae.*\(3, 11, 2\)"):
        from_vertebrae(np.zeros((3, 11, 2)))


def test_real_spines_come_back_from_five_vertebrae(shared_data: Path):
    midline = schleyer.read(shared_data / "schleyer").midline
    spine = regular(midline[np.isfinite(midline).all(axis=(1, 2))], 11)
    five = five_vertebrae(spine)
    length = arc_length(spine)[:, np.newaxis]
    error, by_lines = (np.linalg.norm(made - spine, axis=2) / length
                       for made in (from_vertebrae(five), regular(five, 11)))  # fmt: skip
    assert np.sqrt((error**2).mean()) < 0.004  # body lengths
    assert np.sqrt((by_lines**2).mean()) > 2 * np.sqrt((error**2).mean())


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
