"""Frames: exact inverse, egocentric, one scale per kind, mirror images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from generative.frames import (
    Normaliser,
    Pose,
    body_length,
    from_frames,
    mirrored_names,
    own_length,
    reduce_points,
    reflect,
    resample_points,
    to_frames,
)
from larvastats.errors import DataError

coordinates = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.sampled_from([5, 11]), st.just(2)),
    elements=st.floats(-500, 500, allow_nan=False, width=32),
)


@given(midline=coordinates, length=st.floats(0.5, 8))
def test_the_inverse_is_exact(midline: np.ndarray, length: float) -> None:
    frames, pose = to_frames(midline, length)
    assert frames.shape == (len(midline), 2 * midline.shape[1] + 2)
    # single precision, as a training set stores it
    back = from_frames(frames.astype(np.float32), pose)
    size = max(1.0, np.abs(midline).max())
    assert np.abs(back - midline).max() <= 1e-5 * size
    assert np.abs(from_frames(frames, pose) - midline).max() <= 1e-9 * size


@given(midline=coordinates, turn=st.floats(-3, 3), dx=st.floats(-50, 50), scale=st.floats(0.5, 3))
def test_place_direction_and_size_do_not_matter(
    midline: np.ndarray, turn: float, dx: float, scale: float
) -> None:
    rear = midline[0, midline.shape[1] // 2] - midline[0, -1]
    if np.hypot(*rear) < 1e-2:  # no direction to turn by
        return
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = scale * midline @ rotation.T + [dx, 3.0]
    frames, _ = to_frames(midline, 2.0)
    other, _ = to_frames(moved, 2.0 * scale)
    assert np.abs(frames - other).max() < 1e-6 * max(1.0, np.abs(frames).max())


def test_what_the_numbers_are() -> None:
    straight = np.zeros((3, 11, 2))
    straight[:, :, 1] = np.linspace(4, 0, 11)  # head up, 4 mm long
    straight[1:, :, 1] += 1.0  # one mm forward
    frames, pose = to_frames(straight, 4.0)
    assert pose.heading == pytest.approx(np.pi / 2)
    assert pose.origin == pytest.approx([0, 2])
    assert frames[0, 0:2] == pytest.approx([0.5, 0])  # the head points along +x
    assert frames[:, -2:] == pytest.approx(np.array([[0, 0], [0.25, 0], [0, 0]]))


def test_several_sequences_at_once_are_each_their_own(rng: np.random.Generator) -> None:
    midline = rng.normal(size=(4, 20, 11, 2)).cumsum(axis=1)
    length = np.array([1.0, 2.0, 3.0, 4.0])
    frames, pose = to_frames(midline, length)
    for k in range(4):
        alone, own = to_frames(midline[k], length[k])
        np.testing.assert_allclose(frames[k], alone, atol=1e-12)
        np.testing.assert_allclose(own.origin, pose.origin[k])
    np.testing.assert_allclose(from_frames(frames, pose), midline, atol=1e-10)


def test_a_mirrored_larva_gives_mirrored_frames(rng: np.random.Generator) -> None:
    midline = rng.normal(size=(15, 11, 2)).cumsum(axis=0)
    frames, _ = to_frames(midline, 2.0)
    mirrored, _ = to_frames(midline * [1, -1], 2.0)
    np.testing.assert_allclose(mirrored, reflect(frames), atol=1e-12)
    np.testing.assert_allclose(reflect(reflect(frames)), frames)


def test_left_and_right_change_places_by_name() -> None:
    assert mirrored_names(("run", "cast_left", "cast_right")) == (0, 2, 1)
    assert mirrored_names(("run", "turn_left")) == (0, 1)  # no right to change with


def test_length_is_that_before_the_stimulus(rng: np.random.Generator) -> None:
    midline = np.zeros((40, 11, 2))
    midline[:, :, 0] = np.linspace(4, 0, 11)
    midline[20:] *= 0.5  # contracts under the stimulus
    t = np.arange(40) / 10
    assert own_length(midline, t, 2.0) == pytest.approx(4.0)
    assert own_length(midline, t, np.inf) == pytest.approx(3.0)
    assert own_length(midline, t, 0.2) == pytest.approx(3.0)  # two frames are too few
    midline[:10] = np.nan
    assert own_length(midline, t, 2.0) == pytest.approx(4.0)
    assert np.isnan(own_length(np.full((5, 11, 2), np.nan), t[:5], 1.0))


def test_normaliser_has_one_scale_per_kind_and_an_inverse(rng: np.random.Generator) -> None:
    frames = rng.normal(size=(30, 20, 24)) * np.r_[np.full(22, 0.3), 0.01, 0.01] + 0.2
    norm = Normaliser.fit(frames)
    assert len(set(norm.scale[:-2])) == len(set(norm.scale[-2:])) == 1
    assert (norm.mean[1::2] == 0).all()
    values = norm.apply(frames)
    assert np.abs(norm.invert(values) - frames).max() <= 1e-5
    np.testing.assert_allclose(norm.apply(reflect(frames)), reflect(values), atol=1e-5)


def test_normaliser_leaves_out_what_is_not_there(rng: np.random.Generator) -> None:
    frames = rng.normal(size=(8, 10, 24))
    mask = np.arange(10) < rng.integers(2, 10, 8)[:, None]
    padded = np.where(mask[:, :, None], frames, 1e6)
    np.testing.assert_allclose(Normaliser.fit(padded, mask).scale,
                               Normaliser.fit(frames, mask).scale)  # fmt: skip
    with pytest.raises(DataError, match="there is none"):
        Normaliser.fit(frames, np.zeros((8, 10), bool))


def test_five_vertebrae_and_other_numbers_of_points(rng: np.random.Generator) -> None:
    line = np.zeros((2, 12, 2))
    line[:, :, 0] = np.linspace(0, 6, 12)
    spine = reduce_points(line, 11)
    assert spine.shape == (2, 11, 2)
    np.testing.assert_allclose(spine[0, :, 0], np.linspace(0, 6, 11))
    five = reduce_points(spine, 5)
    np.testing.assert_allclose(five[0, :, 0], [0, 1.5, 3, 4.5, 6])
    assert to_frames(five, 6.0)[0].shape == (2, 12)
    with pytest.raises(DataError, match="at least 5"):
        reduce_points(line[:, :3], 11)
    bent = rng.normal(size=(2, 5, 2))
    np.testing.assert_allclose(reduce_points(reduce_points(bent, 11), 5), bent)


def test_points_are_placed_evenly_and_gaps_stay_gaps() -> None:
    bent = np.array([[[0.0, 0], [0, 3], [1, 3]]])
    np.testing.assert_allclose(
        resample_points(bent, 5)[0], [[0, 0], [0, 1], [0, 2], [0, 3], [1, 3]]
    )
    assert body_length(bent) == pytest.approx([4.0])
    lost = np.concatenate((bent, np.full((1, 3, 2), np.nan)))
    assert np.isnan(resample_points(lost, 5)[1]).all()


@pytest.mark.parametrize(("bad", "length", "words"), [
    (np.nan, 2.0, "1 frames have coordinates that are not finite"),
    (0.0, 0.0, "length above 0"),
    (0.0, np.nan, "length above 0"),
])  # fmt: skip
def test_gaps_and_lengths_that_are_none_are_refused(bad: float, length: float, words: str) -> None:
    midline = np.zeros((4, 11, 2))
    midline[2, 3, 0] = bad
    with pytest.raises(DataError, match=words):
        to_frames(midline, length)


def test_pose_of_one_sequence_has_no_axis_too_many() -> None:
    _, pose = to_frames(np.random.default_rng(0).normal(size=(5, 11, 2)), 3.0)
    assert isinstance(pose, Pose)
    assert pose.origin.shape == (2,)
    assert pose.heading.shape == pose.length.shape == ()
