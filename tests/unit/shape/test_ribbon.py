"""Ribbons: outlines from five vertebrae and a width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from larvastats.errors import DataError
from larvastats.io import schleyer
from larvastats.shape.agreement import hausdorff, overlap
from larvastats.shape.contour import area, flatten, resample
from larvastats.shape.midline import arc_length, regular
from larvastats.shape.ribbon import (
    ELLIPSE,
    Profile,
    half_widths,
    learn_profile,
    reduced,
    ribbon,
)


def slowly(five: np.ndarray, width: float, n: int = 800) -> np.ndarray:
    """One ribbon, spline by spline."""
    t = (1 - np.cos(np.linspace(0, np.pi, 21))) / 2
    curve = CubicSpline(np.linspace(0, 1, 5), five, bc_type="natural")
    ahead = curve(t, 1)
    unit = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    left = np.stack((unit[:, 1], -unit[:, 0]), axis=1)
    aside = (width * np.sqrt(np.maximum(1 - 4 * (t - 0.5) ** 2, 0)))[:, np.newaxis] * left
    around = np.concatenate((curve(t) + aside, (curve(t) - aside)[-2:0:-1]))
    closed = np.concatenate((around, around[:1]))
    knots = np.linspace(0, 1, len(closed))
    return CubicSpline(knots, closed, bc_type="periodic")(np.arange(n) / n)


def test_ribbons_are_those_of_a_loop_of_splines(larvae):
    five = regular(larvae[0])[::40]
    found = ribbon(five, 0.4)
    assert found.shape == (10, 800, 2)
    for frame in range(10):
        np.testing.assert_allclose(found[frame], slowly(five[frame], 0.4), atol=1e-9)


def test_a_straight_larva_is_an_ellipse():
    five = np.stack((np.linspace(4, 0, 5), np.zeros(5)), axis=1)[np.newaxis]
    found = ribbon(five, 0.5)[0]
    inside = ((found[:, 0] - 2) / 2) ** 2 + (found[:, 1] / 0.5) ** 2
    np.testing.assert_allclose(inside, 1, atol=2e-3)
    np.testing.assert_allclose(found[0], [4, 0], atol=1e-9)  # the head, then the left side
    assert found[100, 1] > 0  # heading for positive x, its left is up


def test_the_width_gives_the_area_back(larvae):
    midline, outline = larvae
    straight = slice(150, 250)
    five, width = reduced(midline[straight], *flatten(outline[straight]))
    np.testing.assert_allclose(width, 0.4, rtol=0.02)
    drawn = area(*flatten(ribbon(five, width)))
    np.testing.assert_allclose(drawn, area(*flatten(outline[straight])), rtol=0.01)
    assert np.isnan(half_widths([1.0, np.nan, 1], [0.0, 1, np.nan])).all()


def test_a_learned_profile_is_the_one_drawn(larvae):
    pear = Profile((0.5, 0.7, 0.9, 1.0, 1.1))
    assert ELLIPSE.mean == pytest.approx(np.pi / 4, abs=1e-4)
    midline = larvae[0][100:300]
    outline = ribbon(regular(midline), 0.4, pear)
    learned = learn_profile(midline, *flatten(outline))
    t = np.linspace(0.05, 0.95, 50)
    largest = pear(np.linspace(0, 1, 501)).max()
    np.testing.assert_allclose(learned(t), pear(t) / largest, atol=0.04)
    with pytest.raises(DataError, match="at least 10 frames"):
        learn_profile(midline[:5], *flatten(outline[:5]))


def test_lost_vertebrae_give_no_ribbon(larvae):
    five = regular(larvae[0])[:3].copy()
    five[1, 2] = np.nan
    five[2] = 1.0
    found = ribbon(five, [0.4, 0.4, 0.4])
    assert np.isnan(found).all(axis=(1, 2)).tolist() == [False, True, True]
    assert np.isnan(ribbon(five[:1], np.nan)).all()


def test_overlap_and_distance_of_known_outlines():
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
    assert overlap(square, square) == pytest.approx(1)
    assert overlap(square, square + np.array([1, 0])) == pytest.approx(1 / 3)
    assert overlap(square, square + np.array([0, 1])) == pytest.approx(1 / 3, abs=0.01)
    assert overlap(square, square + np.array([5, 0])) == 0
    assert overlap(square, square / 2) == pytest.approx(1 / 4, abs=0.01)
    assert np.isnan(overlap(square, square[:2]))
    assert np.isnan(overlap(square, np.ones((4, 2))))
    assert hausdorff(square, square + np.array([3, 4])) == pytest.approx(
        max(np.hypot(3, 4), hausdorff(square + np.array([3, 4]), square))
    )
    assert hausdorff(square, square[:1]) == pytest.approx(np.sqrt(8))
    assert np.isnan(hausdorff(square, np.full((3, 2), np.nan)))


def test_real_larvae_are_rebuilt(shared_data: Path):
    tracks = schleyer.read(shared_data / "schleyer")
    apart = np.flatnonzero(tracks.features["collision_flag"] == 0)
    odd = tracks.larva_index[apart] % 2 == 1
    learn, test = apart[odd][::5], apart[~odd][::100]
    there = np.isfinite(tracks.midline).all(axis=(1, 2))
    learn, test = learn[there[learn]], test[there[test]]
    own = tracks.contour.take(learn)
    profile = learn_profile(tracks.midline[learn], own.vertices, own.start)
    contour = tracks.contour.take(test)
    truth = resample(contour.vertices, contour.start, 200)
    scores = {}
    for name, chosen in (("ellipse", ELLIPSE), ("learned", profile)):
        drawn = ribbon(*reduced(tracks.midline[test], contour.vertices, contour.start, chosen),
                       chosen, 200)  # fmt: skip
        pairs = list(zip(drawn, truth, strict=True))
        scores[name] = [np.median([f(*pair) for pair in pairs]) for f in (overlap, hausdorff)]
    assert scores["ellipse"][0] > 0.92 and scores["ellipse"][1] < 0.11  # mm
    assert scores["learned"][0] > 0.95 and scores["learned"][1] < 0.07
    assert arc_length(tracks.midline[test]).mean() > 3.5
