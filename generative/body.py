"""A frame as angles, lengths and a velocity: coordinates in which straight lines are larvae.

A larva that turns moves on a curve among Cartesian frames; whatever is linear there, a mean, a
Gaussian, a sum with noise, shortens and stretches bodies. Here a frame of ``P`` points is

- ``P - 1`` angles of the segments, head first, rad, unwrapped from the tail and over time;
- ``P - 1`` logarithms of their lengths;
- the displacement of the centroid, turned by the mean angle: forward and to the left.

:func:`from_body` gives back frames for any such numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SHORTEST = 1e-4
"""Of a segment, in body lengths."""

LOG_LENGTH = 4.0
ANGLE = 50.0


def to_body(frames: Tensor, mask: Tensor) -> Tensor:
    """Return body coordinates, shape (B, T, 2 P), of frames in body lengths, shape (B, T, 2 P + 2).

    Frames beyond the end, where `mask` (B, T) is false, repeat the last one that is there.
    """
    last = (mask.sum(1, keepdim=True) - 1).clamp(min=0)
    place = torch.minimum(torch.arange(frames.shape[1], device=frames.device)[None], last)
    frames = torch.gather(frames, 1, place[:, :, None].expand_as(frames))
    points = frames[..., :-2].unflatten(-1, (-1, 2))  # (B, T, P, 2)
    segment = points[..., :-1, :] - points[..., 1:, :]  # towards the head
    length = segment.norm(dim=-1).clamp(min=SHORTEST)
    angle = torch.atan2(segment[..., 1], segment[..., 0])
    tail = angle[..., -1]
    tail = tail[:, :1] + torch.cat((torch.zeros_like(tail[:, :1]), _wrapped(tail.diff(dim=1))),
                                   dim=1).cumsum(1)  # fmt: skip
    bends = _wrapped(angle[..., :-1] - angle[..., 1:])  # from each segment to the one before it
    sums = bends.flip(-1).cumsum(-1).flip(-1)
    angle = torch.cat((tail[..., None] + sums, tail[..., None]), dim=-1)  # (B, T, P - 1)
    moved = _turned(frames[..., -2:], -angle.mean(-1))
    return torch.cat((angle, length.log(), moved), dim=-1)


def from_body(body: Tensor) -> Tensor:
    """Return frames in body lengths, shape (B, T, 2 P + 2), from body coordinates."""
    n = (body.shape[-1] - 2) // 2
    angle = body[..., :n].clamp(-ANGLE, ANGLE)
    length = body[..., n:-2].clamp(-2 * LOG_LENGTH, LOG_LENGTH).exp()
    segment = length[..., None] * torch.stack((angle.cos(), angle.sin()), dim=-1)
    # from the tail on; head first
    tail = torch.zeros_like(segment[..., :1, :])
    points = torch.cat((segment.flip(-2).cumsum(-2).flip(-2), tail), dim=-2)
    points = points - points.mean(dim=-2, keepdim=True)
    moved = _turned(body[..., -2:], angle.mean(-1))
    return torch.cat((points.flatten(-2), moved), dim=-1)


def metric(points: int, coordinate: float, displacement: float) -> Tensor:
    """Return a matrix M, shape (2 P, 2 P): errors of frames are ``|M d|``, d of body coordinates.

    To first order, around a straight larva of one body length; `coordinate` and `displacement` are
    the scales in which errors of frames are counted.
    """
    n = points - 1
    # points that the sum of segments from the tail reaches, around their mean
    reach = torch.triu(torch.ones(points, n, dtype=torch.float64))
    reach = (reach - reach.mean(0)) / n
    root = torch.linalg.cholesky(reach.T @ reach).T / coordinate
    size = torch.eye(2, dtype=torch.float64) / displacement
    return torch.block_diag(root, root, size)


def _wrapped(angle: Tensor) -> Tensor:
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def _turned(xy: Tensor, angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    x, y = xy[..., 0], xy[..., 1]
    return torch.stack((cos * x - sin * y, sin * x + cos * y), dim=-1)
