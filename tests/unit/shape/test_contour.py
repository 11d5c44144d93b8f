"""Outlines: even steps, Fourier coefficients, smoothing, areas and turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import UsageError
from larvastats.io.contours import Contours
from larvastats.shape import contour
from larvastats.shape.contour import (
    HARMONICS,
    area,
    coefficients,
    flatten,
    from_coefficients,
    low_pass,
    perimeter,
    resample,
    turning_number,
)


def curves(n_frames: int, n: int = 128, seed: int = 0) -> np.ndarray:
    """Closed curves of seven harmonics, shape (frame, n, 2)."""
    rng = np.random.default_rng(seed)
    k = np.arange(-HARMONICS, HARMONICS + 1)
    c = rng.normal(size=(n_frames, len(k), 2)) @ [1, 1j] / (1 + k**2)
    z = c @ np.exp(2j * np.pi * np.outer(k, np.arange(n)) / n)
    return np.stack((z.real, z.imag), axis=-1)


def slowly(v: np.ndarray, n: int) -> np.ndarray:
    """One outline at equal steps, as a script does it."""
    v = v[np.isfinite(v).all(axis=1)]
    closed = np.concatenate((v, v[:1]))
    s = np.concatenate(([0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    at = s[-1] * np.arange(n) / n
    return np.stack([np.interp(at, s, closed[:, axis]) for axis in (0, 1)], axis=1)


def test_coefficients_are_those_of_the_fft():
    points = curves(300) + np.random.default_rng(1).normal(0, 0.1, (300, 128, 2))
    full = np.fft.fft(points[..., 0] + 1j * points[..., 1], axis=1) / 128
    expected = np.concatenate((full[:, -HARMONICS:], full[:, : HARMONICS + 1]), axis=1)
    np.testing.assert_allclose(coefficients(points), expected, atol=1e-12)


@pytest.mark.parametrize("kind, atol", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_low_pass_is_the_fft_cut_off(kind, atol):
    points = (curves(300) + np.random.default_rng(1).normal(0, 0.1, (300, 128, 2))).astype(kind)
    full = np.fft.fft(points[..., 0] + 1j * points[..., 1], axis=1)
    full[:, HARMONICS + 1 : -HARMONICS] = 0
    z = np.fft.ifft(full, axis=1)
    found = low_pass(points)
    assert found.dtype == kind
    np.testing.assert_allclose(found, np.stack((z.real, z.imag), -1), atol=atol)
    np.testing.assert_allclose(low_pass(found), found, atol=atol)


def test_a_smooth_curve_stays_and_can_be_drawn_finer():
    points = curves(5, 60)
    np.testing.assert_allclose(low_pass(points), points, atol=1e-12)
    np.testing.assert_allclose(low_pass(points, n=240)[:, ::4], points, atol=1e-12)
    np.testing.assert_allclose(from_coefficients(coefficients(points), 60), points, atol=1e-12)


def test_an_ellipse_has_two_coefficients():
    angle = 2 * np.pi * np.arange(64) / 64
    c = coefficients(np.stack((3 + 2 * np.cos(angle), 5 + np.sin(angle)), -1)[np.newaxis])[0]
    expected = {0: 3 + 5j, 1: 1.5, -1: 0.5}
    for k in range(-HARMONICS, HARMONICS + 1):
        assert c[k + HARMONICS] == pytest.approx(expected.get(k, 0), abs=1e-12)


def test_a_larva_without_a_point_has_no_coefficients_and_the_others_keep_theirs():
    points = curves(3)
    points[1, 7] = np.nan
    assert np.isnan(low_pass(points)).all(axis=(1, 2)).tolist() == [False, True, False]


def test_equal_steps_on_a_square():
    found = resample([[0, 0], [2, 0], [2, 2], [0, 2]], [0, 4], 8)
    expected = [[0, 0], [1, 0], [2, 0], [2, 1], [2, 2], [1, 2], [0, 2], [0, 1]]
    np.testing.assert_allclose(found, [expected])


@given(seed=st.integers(0, 10_000))
def test_steps_are_those_of_a_loop_over_frames(seed: int):
    rng = np.random.default_rng(seed)
    padded = rng.normal(size=(6, 30, 2)) + 100
    padded[rng.random((6, 30)) < rng.random((6, 1)) * 0.8] = np.nan
    own = Contours.from_padded(padded)
    found = resample(own.vertices, own.start, 20)
    for frame, count in enumerate(own.counts):
        if count < 3:
            assert np.isnan(found[frame]).all()
        else:
            expected = slowly(padded[frame].astype(np.float32).astype(float), 20)
            np.testing.assert_allclose(found[frame], expected, atol=2e-5)


def test_padding_with_nan_anywhere_is_passed_over():
    padded = np.full((2, 500, 2), np.nan)
    padded[0, [3, 77, 210, 499]] = [[0, 0], [2, 0], [2, 2], [0, 2]]
    padded[1, 5] = [1, np.inf]
    vertices, start = flatten(padded)
    assert start.tolist() == [0, 4, 4]
    np.testing.assert_allclose(resample(vertices, start, 4)[0], [[0, 0], [2, 0], [2, 2], [0, 2]])
    with_holes = np.insert(vertices, 2, [np.nan, 1], axis=0)
    np.testing.assert_allclose(resample(with_holes, [0, 5, 5], 4), resample(vertices, start, 4))


def test_area_and_perimeter_do_not_mind_where_the_larva_is():
    rectangle = np.array([[0, 0], [3, 0], [3, 1], [0, 1]], float)
    vertices = np.concatenate((rectangle, rectangle[::-1] + 1000, rectangle[:2]))
    np.testing.assert_allclose(area(vertices, [0, 4, 8, 10, 10]), [3, 3, np.nan, np.nan])
    np.testing.assert_allclose(perimeter(vertices, [0, 4, 8, 10, 10]), [8, 8, np.nan, np.nan])


def test_how_often_curves_turn():
    angle = 2 * np.pi * np.arange(100) / 100
    circle = np.exp(1j * angle)
    eight = np.sin(angle) + 1j * np.sin(2 * angle)
    loop = (0.5 + np.cos(angle)) * circle  # a snail with a loop inside
    z = np.stack((circle, circle.conj(), eight, loop, circle * np.nan))
    found = turning_number(np.stack((z.real, z.imag), -1))
    np.testing.assert_array_equal(found, [1, 1, 0, 2, np.nan])


def test_too_many_harmonics_and_other_shapes_are_refused():
    with pytest.raises(UsageError, match=r"12 points .* below 6, but 7"):
        low_pass(curves(1, 12))
    with pytest.raises(UsageError, match=r"shape \(frame, point, 2\)"):
        coefficients(np.zeros((4, 2)))


def test_neighbours_of_a_frame_without_an_outline_keep_theirs(monkeypatch: pytest.MonkeyPatch):
    outlines = [own + 50.0 for own in curves(60, 40, seed=3)]
    for frame, odd in ((0, np.empty((0, 2))), (7, np.ones((2, 2))), (8, np.full((40, 2), 5.0)),
                       (20, np.full((9, 2), np.nan)), (59, np.ones((3, 2)))):  # fmt: skip
        outlines[frame] = odd
    outlines[30] = np.concatenate((outlines[30][:9], np.full((5, 2), np.nan), outlines[30][9:]))
    outlines[31] = outlines[31] * 1e30  # a step that would swallow those of its neighbours
    start = np.concatenate(([0], np.cumsum([len(own) for own in outlines])))
    for at_once in (1, 100, 1 << 15):  # one frame, a few, all
        monkeypatch.setattr(contour, "_VERTICES", at_once)
        found = resample(np.concatenate(outlines), start, 25)
        lost = np.isnan(found).any(axis=(1, 2))
        assert np.flatnonzero(lost).tolist() == [0, 7, 8, 20, 59]
        for frame in np.flatnonzero(~lost):
            np.testing.assert_allclose(
                found[frame], slowly(outlines[frame], 25), rtol=1e-5, atol=1e-5
            )
