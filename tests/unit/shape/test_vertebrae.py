"""Five vertebrae of a spine of eleven points."""

import numpy as np
import pytest

from larvastats.errors import DataError
from larvastats.shape.vertebrae import VERTEBRAE, five_vertebrae


def test_which_points_make_which_vertebra():
    # powers of two: a sum says which points went into it
    x = 2.0 ** np.arange(1, 12)
    spine = np.stack((x, -x), axis=1)
    expected = [2, (8 + 16) / 2, 64, (256 + 512) / 2, 2048]
    np.testing.assert_array_equal(
        five_vertebrae(spine), np.stack((expected, np.negative(expected)), 1)
    )
    assert VERTEBRAE == ("head", "neck_top", "neck", "neck_down", "tail")


def test_on_a_straight_spine_they_are_evenly_spaced():
    spine = np.linspace([0.0, 1.0], [4.0, 3.0], 11)
    np.testing.assert_allclose(five_vertebrae(spine), np.linspace([0.0, 1.0], [4.0, 3.0], 5))


def test_any_number_of_frames_and_lost_points():
    spines = np.random.default_rng(0).normal(size=(3, 2, 11, 2))
    spines[1, 0, 3] = np.nan
    found = five_vertebrae(spines)
    assert found.shape == (3, 2, 5, 2)
    np.testing.assert_array_equal(found[2, 1], five_vertebrae(spines[2, 1]))
    assert np.isnan(found[1, 0]).any(axis=1).tolist() == [False, True, False, False, False]
    assert np.isnan(found).sum() == 2


def test_five_points_are_vertebrae_already():
    points = np.arange(20.0).reshape(2, 5, 2)
    found = five_vertebrae(points)
    np.testing.assert_array_equal(found, points)
    found[0] = -1
    assert points[0, 0, 0] == 0


@pytest.mark.parametrize("shape", [(12, 2), (11, 3), (11,), (4, 22), ()])
def test_other_midlines_are_refused(shape):
    with pytest.raises(DataError, match=r"midlines of 11 points.*\(\.\.\., 11, 2\)"):
        five_vertebrae(np.zeros(shape))
