"""A film as directions and signed distances: coordinates in which films can be added.

Pixels are either the larva's or not, and the mean of two larvae is none. Here a frame is

- the direction of its longest axis (of second moments), rad, followed over time;
- signed distances from its edge after that direction is turned away, positive on the larva.

Distances change smoothly as a body bends, and where their sum crosses 0 there is an edge again
(Osher & Sethian 1988, Journal of Computational Physics 79, 12-49); principal components of such
maps are old in medical images (Leventon, Grimson & Faugeras 2000, CVPR 1, 316-323). Turned bodies
are not sums of straight ones, hence the direction apart. Maps are four times coarser than images
and cut off at :data:`REACH`; interpolated on the way back, edges lie between cells.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

CELL = 4
"""Pixels along the side of a cell of a map."""

FINE = 2
"""Pixels along the side of the cells between which distances are taken, before their mean."""

REACH = 8
"""Fine cells up to which distances are told apart."""


def to_distance(films: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return directions, shape (B, T), and maps of distances in pixels, (B, T, H / 4, W / 4).

    Parameters
    ----------
    films : Tensor, shape (B, T, H, W)
        1 on the larva, 0 elsewhere.
    mask : Tensor of bool, shape (B, T)
        Frames beyond the end, where it is false, repeat the last one that is there.
    """
    last = (mask.sum(1, keepdim=True) - 1).clamp(min=0)
    place = torch.minimum(torch.arange(films.shape[1], device=films.device)[None], last)
    with torch.autocast(films.device.type, enabled=False):  # moments cancel in half precision
        angle = _followed(torch.gather(_directions(films), 1, place))
    straight = functional.grid_sample(
        films.flatten(0, 1)[:, None], _turning(angle, films.shape[-1]), align_corners=False
    )
    cells = functional.avg_pool2d(straight, FINE)[:, 0] >= 0.5
    maps = FINE * (_distance(~cells) - _distance(cells))
    maps = functional.avg_pool2d(maps[:, None], CELL // FINE)
    maps = maps.view(*films.shape[:2], *maps.shape[-2:])
    return angle, torch.gather(maps, 1, place[:, :, None, None].expand_as(maps))


def from_distance(angle: Tensor, maps: Tensor) -> Tensor:
    """Return distances from the edge, pixels, shape (B, T, 4 h, 4 w), of frames turned back."""
    b, t, side, _ = maps.shape
    films = functional.grid_sample(
        maps.flatten(0, 1)[:, None], _turning(-angle, CELL * side),
        padding_mode="border", align_corners=False,
    )  # fmt: skip
    return films.view(b, t, CELL * side, CELL * side)


def turn_metric(maps: Tensor, step: float = 0.05) -> float:
    """How far a map moves, in pixels summed as squares over cells, per rad; maps (T, h, w)."""
    angle = torch.full((len(maps),), step, device=maps.device)
    turned = functional.grid_sample(
        maps[:, None], _turning(angle, maps.shape[-1]), padding_mode="border", align_corners=False
    )
    change = (turned[:, 0] - maps).square().sum((1, 2)).mean().sqrt()
    return max(float(change) / step, 1e-6)


def _directions(films: Tensor) -> Tensor:
    """Direction of the longest axis, of no sign: rad in (-pi / 2, pi / 2], shape (B, T)."""
    at = torch.arange(films.shape[-1], dtype=films.dtype, device=films.device)
    rows, columns = films.sum(3), films.sum(2)  # (B, T, H), (B, T, W)
    size = rows.sum(2).clamp(min=1)
    y, x = (rows @ at) / size, (columns @ at) / size
    yy, xx = (rows @ at.square()) / size - y.square(), (columns @ at.square()) / size - x.square()
    xy = ((films @ at) @ at) / size - x * y
    return 0.5 * torch.atan2(2 * xy, xx - yy)


def _followed(angle: Tensor) -> Tensor:
    """Choose between the two directions of an axis: the one nearer to that of the frame before."""
    turns = torch.remainder(angle.diff(dim=1) + math.pi / 2, math.pi) - math.pi / 2
    return angle[:, :1] + torch.cat((torch.zeros_like(angle[:, :1]), turns.cumsum(1)), dim=1)


def _turning(angle: Tensor, side: int) -> Tensor:
    """Where pixels of turned images come from; n angles, of any shape; (n, side, side, 2)."""
    at = (2 * torch.arange(side, device=angle.device) + 1) / side - 1  # edges are at -1 and 1
    cos, sin = (part.flatten()[:, None, None] for part in (angle.cos(), angle.sin()))
    x, y = at[None, None, :], at[None, :, None]
    return torch.stack((cos * x - sin * y, sin * x + cos * y), dim=-1)


def _distance(cells: Tensor) -> Tensor:
    """Distance from every cell to the nearest that is true, cells, at most :data:`REACH`.

    Squared distances along rows first, then the lowest of the parabolas that stand on them in each
    column (Felzenszwalb & Huttenlocher 2012, Theory of Computing 8, 415-428, section 3), by trying
    all shifts within reach, which are few.
    """
    far = float(REACH * REACH)
    nearest = torch.where(cells, 0.0, far)
    for axis in (2, 1):
        along = nearest
        nearest = along.clone()
        n = along.shape[axis]
        for shift in range(1, min(REACH, n)):
            for to, of in ((0, shift), (shift, 0)):
                here = nearest.narrow(axis, to, n - shift)
                other = along.narrow(axis, of, n - shift) + shift * shift
                torch.minimum(here, other, out=here)
    return nearest.clamp(max=far).sqrt()
