"""Names beside points, none over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from larvastats.plot import style

# Where a name is tried, in points from its point: close first, to the right first.
DIRECTIONS = ((1, 0), (-1, 0), (1, 0.7), (1, -0.7), (-1, 0.7), (-1, -0.7), (0, 1), (0, -1))
DISTANCES = (6.0, 14.0, 22.0, 32.0, 44.0)
CLEAR = 3.5
LINE_HEIGHT = 1.25

Box = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(slots=True)
class _Places:
    """What is on the page already, in points: boxes left, bottom, right, top."""

    inside: Box
    points: NDArray[np.float64]
    boxes: list[Box]
    leaders: list[tuple[Point, Point]] = field(default_factory=list)


def place_labels(
    axes: Axes,
    points: NDArray[np.float64],
    labels: Sequence[tuple[float, float, str]],
    size: float,
) -> int:
    """Write names beside their points so that none covers a point, a line or another name.

    Each name takes the first free one of a fixed list of places around its point, in the order
    given; a thin line leads to the point from places that are not close. The texts and the
    horizontal lines that the axes hold already keep their room.

    Parameters
    ----------
    axes : Axes
        With its final limits and size.
    points : ndarray, shape (point, 2)
        What must stay visible, in data coordinates.
    labels : sequence of (x, y, text)
    size : float
        Of the font, in points.

    Returns
    -------
    int
        How many names found no place and were left out.
    """
    scale = 72 / axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    left, low, right, high = (float(v) * scale for v in axes.get_window_extent().extents)
    places = _Places(
        (left, low, right, high), axes.transData.transform(points) * scale, _written(axes, scale)
    )
    left_out = 0
    for x, y, text in labels:
        across, up = axes.transData.transform((x, y)) * scale
        at = (float(across), float(up))
        found = _first_free(at, 72 * style.text_width(text, size), LINE_HEIGHT * size, places)
        if found is None:
            left_out += 1
            continue
        box, leader = found
        places.boxes.append(box)
        places.leaders += [leader] if leader else []
        offset = (box[0] - at[0], (box[1] + box[3]) / 2 - at[1])
        _write(axes, (x, y), text, offset, size, leader and _relative(leader[1], box))
    return left_out


def _written(axes: Axes, scale: float) -> list[Box]:
    """Boxes of the texts and of the horizontal lines that the axes hold already."""
    extents = [text.get_window_extent().extents for text in axes.texts]
    for line in axes.lines:
        if line.get_transform() == axes.get_yaxis_transform(which="grid"):
            extents.append(line.get_window_extent().extents)
    boxes = [[float(v) * scale for v in extent] for extent in extents]
    return [(left, low, right, high) for left, low, right, high in boxes]


def _first_free(
    at: Point, width: float, height: float, places: _Places
) -> tuple[Box, tuple[Point, Point] | None] | None:
    """Return the first free box around a point, and the line that leads to it if it needs one."""
    for distance, (dx, dy) in product(DISTANCES, DIRECTIONS):
        x = at[0] + dx * distance - (width if dx < 0 else width / 2 if dx == 0 else 0)
        y = at[1] + dy * distance - height / 2
        box = (x, y, x + width, y + height)
        nearest = (min(max(at[0], box[0]), box[2]), min(max(at[1], box[1]), box[3]))
        leader = (at, nearest) if distance > DISTANCES[0] else None
        if _is_free(box, places) and (leader is None or _is_clear(leader, places)):
            return box, leader
    return None


def _is_free(box: Box, places: _Places) -> bool:
    """Whether a box lies inside, and apart from points, boxes and leaders."""
    inside = places.inside
    if box[0] < inside[0] or box[1] < inside[1] or box[2] > inside[2] or box[3] > inside[3]:
        return False
    x, y = places.points[:, 0], places.points[:, 1]
    # A line of text has air above and below: only its middle must keep away.
    covered = (x > box[0] - CLEAR) & (x < box[2] + CLEAR) & (y > box[1]) & (y < box[3])
    if covered.any() or any(_overlap(box, other) for other in places.boxes):
        return False
    return not any(_crosses(leader, box) for leader in places.leaders)


def _is_clear(leader: tuple[Point, Point], places: _Places) -> bool:
    """Whether a leader crosses no name, no other leader and no point but its own."""
    x, y = places.points[:, 0], places.points[:, 1]
    return not (
        _touches(leader, x, y)
        or any(_crosses(leader, box) for box in places.boxes if box[3] - box[1] > 1)
        or any(_meet(leader, other) for other in places.leaders)
    )


def _overlap(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > -2 and min(a[3], b[3]) - max(a[1], b[1]) > -0.5


def _crosses(segment: tuple[Point, Point], box: Box) -> bool:
    """Whether a segment enters a box (Liang and Barsky 1984)."""
    (x0, y0), (x1, y1) = segment
    start, stop = 0.0, 1.0
    for origin, step, low, high in ((x0, x1 - x0, box[0], box[2]), (y0, y1 - y0, box[1], box[3])):
        if step == 0:
            if not low < origin < high:
                return False
            continue
        near, far = sorted(((low - origin) / step, (high - origin) / step))
        start, stop = max(start, near), min(stop, far)
    return start < stop


def _touches(segment: tuple[Point, Point], x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether a segment passes any point closely; those at its start do not count."""
    (x0, y0), (x1, y1) = segment
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    apart = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
    own = np.hypot(x - x0, y - y0) < 0.5
    return bool((apart[~own] < CLEAR).any())


def _meet(a: tuple[Point, Point], b: tuple[Point, Point]) -> bool:
    """Whether two segments cross."""

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(*a, b[0]) * side(*a, b[1]) < 0 and side(*b, a[0]) * side(*b, a[1]) < 0


def _relative(point: Point, box: Box) -> Point:
    return (point[0] - box[0]) / (box[2] - box[0]), (point[1] - box[1]) / (box[3] - box[1])


def _write(
    axes: Axes, at: Point, text: str, offset: Point, size: float, leader: Point | None
) -> None:
    """Write a name; its line, if any, ends at `leader`, from (0, 0) to (1, 1) within its box."""
    line = {"arrowstyle": "-", "color": "#A0A0A0", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3,
            "relpos": leader}  # fmt: skip
    axes.annotate(
        text, at, offset, textcoords="offset points", ha="left", va="center", size=size,
        color=style.INK, arrowprops=line if leader else None, zorder=6, gid="name",
    )  # fmt: skip
