import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.body import from_body, metric, to_body
from generative.frames import reflect, to_frames

from .conftest import actions_of, moving_larva


@pytest.fixture
def frames(rng):
    midline = np.stack([moving_larva(rng, actions_of(rng, 50)) for _ in range(20)])
    return torch.from_numpy(to_frames(midline, np.full(20, 4.0))[0])


def test_frames_come_back(frames):
    mask = torch.ones(frames.shape[:2], dtype=torch.bool)
    assert torch.allclose(from_body(to_body(frames, mask)), frames, atol=1e-9)


def test_any_numbers_are_a_body_of_those_lengths(rng):
    body = torch.from_numpy(rng.normal(0, 0.7, (3, 8, 22)))
    body[..., 10:20] = np.log(0.1)
    points = from_body(body)[..., :22].unflatten(-1, (11, 2))
    assert torch.allclose(points.diff(dim=-2).norm(dim=-1), torch.full((3, 8, 10), 0.1).double())
    assert torch.allclose(points.mean(dim=-2), torch.zeros(3, 8, 2).double(), atol=1e-12)


def test_angles_are_unwrapped_over_time():
    angle = torch.linspace(0, 8 * np.pi, 60).double()  # a larva that turns round four times
    body = torch.cat((angle[:, None].expand(60, 10), torch.full((60, 10), np.log(0.1)),
                      torch.zeros(60, 2)), dim=1)[None].double()  # fmt: skip
    there = torch.ones((1, 60), dtype=torch.bool)
    assert torch.allclose(to_body(from_body(body), there), body, atol=1e-6)


def test_beyond_the_end_the_last_frame_is_repeated(frames):
    mask = torch.arange(50)[None] < torch.full((20, 1), 30)
    cut = torch.where(mask[:, :, None], frames, 0.0)
    body = to_body(cut, mask)
    assert torch.equal(body[:, 30:], body[:, 29:30].expand(-1, 20, -1))
    assert torch.allclose(body[:, :30], to_body(frames, torch.ones_like(mask))[:, :30])


def test_a_mirror_turns_angles_around(frames):
    mask = torch.ones(frames.shape[:2], dtype=torch.bool)
    there, back = to_body(frames, mask), to_body(torch.from_numpy(reflect(frames.numpy())), mask)
    sign = torch.ones(22)
    sign[:10] = -1
    sign[-1] = -1
    assert torch.allclose(back, there * sign, atol=1e-9)


def test_the_metric_says_how_far_frames_move(rng):
    straight = torch.zeros(1, 1, 22).double()
    straight[..., 10:20] = np.log(0.1)
    change = torch.from_numpy(rng.normal(0, 1e-5, 22))
    scale = torch.cat((torch.full((22,), 0.1), torch.full((2,), 0.02))).double()
    far = ((from_body(straight + change) - from_body(straight)) / scale).norm()
    assert float((metric(11, 0.1, 0.02) @ change).norm() / far) == pytest.approx(1, abs=1e-3)


def test_five_vertebrae_come_back(rng):
    midline = rng.normal(size=(4, 9, 5, 2))
    five = torch.from_numpy(to_frames(midline, np.full(4, 3.0))[0])
    mask = torch.ones((4, 9), dtype=torch.bool)
    body = to_body(five, mask)
    assert body.shape == (4, 9, 10)
    assert torch.allclose(from_body(body), five, atol=1e-9)
