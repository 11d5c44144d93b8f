"""Whatever a tracker gives: flagged frames and blanks, no exceptions and no made-up numbers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.shape.contour import (
    N_POINTS,
    area,
    coefficients,
    flatten,
    low_pass,
    perimeter,
    resample,
    turning_number,
)
from larvastats.shape.kinematics import SLOWEST, kinematics
from larvastats.shape.midline import arc_length, from_outline, head_first, regular
from larvastats.shape.quality import Fault, judge
from larvastats.shape.ribbon import reduced, ribbon

# few values: many coincide, cross and vanish
COORDINATES = st.sampled_from([0.0, 1.0, 2.0, -1.0, 1e6, -1e6, 1e-30, 0.1, np.nan, np.inf, -np.inf])


@st.composite
def recordings(draw):
    """Larvae, times, midlines and outlines without any sense."""
    n = draw(st.integers(1, 12))
    larva = np.sort(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    steps = draw(st.lists(st.sampled_from([0.0, 0.1, 0.1, 1.0, -1.0, np.nan]), min_size=n,
                          max_size=n))  # fmt: skip
    n_points = draw(st.integers(3, 12))
    values = draw(st.lists(COORDINATES, min_size=2 * n * n_points, max_size=2 * n * n_points))
    counts = draw(st.lists(st.integers(0, 20), min_size=n, max_size=n))
    size = 2 * sum(counts)
    vertices = np.array(draw(st.lists(COORDINATES, min_size=size, max_size=size)))
    return (
        larva, np.cumsum(steps), np.reshape(values, (n, n_points, 2)),
        vertices.reshape(-1, 2), np.concatenate(([0], np.cumsum(counts))),
    )  # fmt: skip


@given(recordings())
def test_nothing_raises_and_every_bad_frame_is_flagged(recording):
    larva, t, midline, vertices, start = recording
    quality = judge(larva, t, outline=(vertices, start), midline=midline)
    lost = ~np.isfinite(midline).all(axis=(1, 2))
    finite = np.isfinite(vertices).all(axis=1)
    few = np.array([finite[a:b].sum() < 3 for a, b in pairwise(start)])
    assert (quality.fault[lost | few] == Fault.MISSING).all()
    closed = ~lost & ~few & (midline[:, 0] == midline[:, -1]).all(axis=1)
    assert (quality.fault[closed] == Fault.DEGENERATE).all()
    known = quality.high[~np.isnan(quality.high)]
    assert ((known >= 0) & (known <= 1)).all()
    assert len(quality.sequence) == len(t) and (np.diff(quality.sequence) >= 0).all()


@given(recordings())
def test_kinematics_are_blank_or_possible(recording):
    larva, t, midline, _, _ = recording
    found = kinematics(larva, t, midline)
    lost = ~np.isfinite(midline).all(axis=(1, 2)) | ~np.isfinite(t)
    lost[1:] |= (larva[1:] == larva[:-1]) & ~(np.diff(t) > 0)
    for name, series in found.items():
        assert np.isnan(series[lost]).all(), name
        assert not np.isinf(series).any(), name
    for name in ("head_angle", "orientation", "run_direction"):
        known = found[name][~np.isnan(found[name])]
        assert (np.abs(known) <= np.pi).all(), name
    resting = found["speed"] <= SLOWEST * found["length"]
    assert np.isnan(found["run_direction"][resting]).all()
    assert (found["length"][~np.isnan(found["length"])] > 0).all()


@given(recordings())
def test_outlines_midlines_and_ribbons_are_blank_or_finite(recording):
    larva, _, midline, vertices, start = recording
    points = resample(vertices, start, 64)
    for result in (points, low_pass(points), from_outline(points), coefficients(points)):
        blank = np.isnan(result.reshape(len(result), -1))
        assert (blank.all(axis=1) == blank.any(axis=1)).all()
        assert not np.isinf(result).any()
    assert not np.isinf(turning_number(points)).any()
    for number in (area(vertices, start), perimeter(vertices, start), arc_length(midline)):
        assert number.shape == larva.shape
    head_first(from_outline(points), larva)
    five, width = reduced(np.where(np.isfinite(midline), midline, np.nan), vertices, start)
    drawn = ribbon(five, width, n=40)
    assert np.isnan(drawn[np.isnan(five).any(axis=(1, 2)) | np.isnan(width)]).all()
    assert not np.isinf(drawn).any()


@pytest.mark.parametrize("n_vertices", [0, 1, 2, 3])
def test_outlines_of_few_points(n_vertices: int):
    vertices, start = flatten(np.random.default_rng(0).normal(size=(5, n_vertices, 2)))
    assert np.isnan(resample(vertices, start)).all() == (n_vertices < 3)
    quality = judge(np.zeros(5, int), np.arange(5.0), outline=(vertices, start))
    assert quality.bad.all() == (n_vertices < 3)
    assert np.isnan(quality.high).all()  # three corners have no spectrum


def test_no_frames_at_all():
    nothing = np.empty((0, 11, 2))
    vertices, start = np.empty((0, 2)), np.zeros(1, int)
    assert resample(vertices, start).shape == (0, N_POINTS, 2)
    assert len(judge([], [], outline=(vertices, start), midline=nothing).fault) == 0
    assert all(len(series) == 0 for series in kinematics([], [], nothing).values())
    assert regular(nothing).shape == (0, 5, 2) and ribbon(regular(nothing), []).shape[0] == 0
    assert head_first(nothing, [])[0].shape == nothing.shape
