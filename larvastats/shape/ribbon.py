"""A larva from five vertebrae: a curve with a width, and its outline again.

The report draws a natural cubic spline through the vertebrae, takes its unit normals, and goes to
either side by the half-width ``D(t) = D_max sqrt(1 - 4 (t - 1/2)^2)``: an ellipse when the larva is
straight. A closed periodic spline of 800 points joins the sides.

Real larvae are no ellipses: a :class:`Profile` learned from outlines fits them better.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from larvastats.errors import DataError
from larvastats.shape.contour import area, resample
from larvastats.shape.midline import Array, along, arc_length, regular, spline, spline_matrix

N_OUTLINE = 800
"""Points of an outline that is drawn."""

_STEPS = 20  # from head to tail
_N_BINS = 20
_MOST_FRAMES = 5000  # enough to learn a profile


@dataclass(frozen=True, slots=True)
class Profile:
    """Half-width of a larva along its axis, from head to tail, as a share of its largest.

    Attributes
    ----------
    half_width : tuple of float
        At regular abscissae 0 to 1; straight between them in ``sqrt(t (1 - t))``'s own scale: what
        is stored is the ratio to the ellipse, so that the ends stay round.
    """

    half_width: tuple[float, ...] = (1.0, 1.0)

    def __call__(self, t: ArrayLike) -> Array:
        """Half-width at abscissae t, as a share of the largest."""
        t = np.asarray(t, np.float64)
        ellipse = np.sqrt(np.clip(1 - 4 * (t - 0.5) ** 2, 0, 1))
        return ellipse * np.interp(t, np.linspace(0, 1, len(self.half_width)), self.half_width)

    @property
    def mean(self) -> float:
        """Mean half-width along the axis, as a share of the largest; pi/4 for the ellipse."""
        return float(np.mean(self((np.arange(1000) + 0.5) / 1000)))


ELLIPSE = Profile()
"""The report's."""


def half_widths(outline_area: ArrayLike, length: ArrayLike, profile: Profile = ELLIPSE) -> Array:
    """Largest half-width of larvae, shape (frame,), from their area and the length of their axis.

    ``area = 2 length D_max mean(profile)``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.asarray(outline_area, np.float64) / (2 * np.asarray(length) * profile.mean)
    return np.where(np.isfinite(out), out, np.nan)


def ribbon(
    vertebrae: ArrayLike,
    half_width: ArrayLike,
    profile: Profile = ELLIPSE,
    n: int = N_OUTLINE,
) -> Array:
    """Outlines of larvae from vertebrae and widths.

    Parameters
    ----------
    vertebrae : array-like, shape (frame, point, 2)
        At regular abscissae, head first.
    half_width : array-like, shape (frame,) or ()
        Largest half-width, in the unit of the vertebrae.
    profile : Profile
    n : int
        Points to return.

    Returns
    -------
    ndarray, shape (frame, n, 2)
        Closed, beginning at the head, first along the left side of the larva. NaN where a vertebra
        is, or where the curve stands still and has no normal.
    """
    points = np.asarray(vertebrae, np.float64)
    width = np.broadcast_to(np.asarray(half_width, np.float64), len(points))
    # equal steps of an angle crowd the ends, so that these are round
    t = (1 - np.cos(np.linspace(0, np.pi, _STEPS + 1))) / 2
    axis, ahead = spline(points, t), spline(points, t, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = ahead / np.hypot(ahead[..., 0], ahead[..., 1])[..., np.newaxis]
    # ahead points to the tail: its right is the larva's left
    left = np.stack((unit[..., 1], -unit[..., 0]), axis=-1)
    aside = (profile(t) * width[:, np.newaxis])[..., np.newaxis] * left
    around = np.concatenate((axis + aside, (axis - aside)[:, -2:0:-1]), axis=1)
    around[~np.isfinite(around).all(axis=(1, 2))] = np.nan
    return along(_periodic(around.shape[1], n), around)


@lru_cache(maxsize=8)
def _periodic(knots: int, n: int) -> Array:
    """Matrix, shape (n, knots), from knots at equal steps to values of their periodic spline."""
    closed = np.concatenate((np.eye(knots), np.eye(knots)[:1]))
    unit = CubicSpline(np.linspace(0, 1, knots + 1), closed, bc_type="periodic")
    out = np.asarray(unit(np.arange(n) / n))
    out.flags.writeable = False
    return out


def learn_profile(
    midline: ArrayLike, vertices: ArrayLike, start: ArrayLike, bins: int = _N_BINS
) -> Profile:
    """Learn how wide larvae are along their axis.

    Each outline is measured at regular abscissae of its midline: from there, along the normal, to
    the nearest points of the outline on either side; half the distance between these. Lengths are
    divided by the mean of the frame, and the median over frames is the profile.

    Parameters
    ----------
    midline : array-like, shape (frame, point, 2)
        Head first.
    vertices, start
        As :func:`larvastats.shape.contour.resample` takes them.
    bins : int

    Raises
    ------
    DataError
        Fewer than ten frames have a midline within an outline.
    """
    points, begin = np.asarray(midline, np.float64), np.asarray(start, np.int64)
    every = max(1, len(points) // _MOST_FRAMES)
    outline = resample(vertices, begin, 2 * 128)[::every].astype(np.float64)
    five = regular(points[::every])
    t = (np.arange(bins) + 0.5) / bins
    matrix, slope = (spline_matrix(five.shape[1], tuple(t.tolist()), d) for d in (0, 1))
    axis, ahead = along(matrix, five), along(slope, five)
    with np.errstate(invalid="ignore", divide="ignore"):
        normal = np.stack((-ahead[..., 1], ahead[..., 0]), -1) / np.hypot(*ahead.T).T[..., None]
    width = np.stack([_across(axis[:, i], normal[:, i], outline) for i in range(bins)], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = width / width.mean(axis=1, keepdims=True) / ELLIPSE(t)
    ratio = ratio[np.isfinite(ratio).all(axis=1)]
    if len(ratio) < 10:
        raise DataError(
            f"A width profile is learned from at least 10 frames with a midline within an outline, "
            f"but there are {len(ratio)}; give more frames, or use the ellipse."
        )
    return _profile(t, np.median(ratio, axis=0))


def _profile(t: Array, ratio: Array) -> Profile:
    at = np.concatenate(([0.0], t, [1.0]))
    # towards the ends the nearest bin holds
    grid = np.linspace(0, 1, 2 * len(t) + 1)
    smooth = np.interp(grid, at, np.concatenate((ratio[:1], ratio, ratio[-1:])))
    shape = Profile(tuple(smooth.tolist()))
    largest = shape(np.linspace(0, 1, 501)).max()
    return Profile(tuple((smooth / largest).tolist()))


def _across(origin: Array, normal: Array, outline: Array) -> Array:
    """Half the width of outlines along the normals through points within them, shape (frame,)."""
    local = outline - origin[:, np.newaxis]
    aside = np.einsum("fpx,fx->fp", local, normal)
    ahead = local[..., 0] * normal[:, np.newaxis, 1] - local[..., 1] * normal[:, np.newaxis, 0]
    after_aside, after_ahead = np.roll(aside, -1, axis=1), np.roll(ahead, -1, axis=1)
    crosses = (ahead < 0) != (after_ahead < 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        at = aside - ahead * (after_aside - aside) / (after_ahead - ahead)
    left = np.where(crosses & (at >= 0), at, np.inf).min(axis=1)
    right = np.where(crosses & (at < 0), -at, np.inf).min(axis=1)
    out = (left + right) / 2
    return np.where(np.isfinite(out), out, np.nan)


def reduced(
    midline: ArrayLike, vertices: ArrayLike, start: ArrayLike, profile: Profile = ELLIPSE
) -> tuple[Array, NDArray[np.float64]]:
    """Reduce larvae to five vertebrae and a width: 11 numbers for an outline.

    Returns
    -------
    vertebrae : ndarray, shape (frame, 5, 2)
    half_width : ndarray, shape (frame,)
    """
    five = regular(midline)
    return five, half_widths(area(vertices, start), arc_length(midline), profile)
