"""Five vertebrae of a larva: head, neck_top, neck, neck_down, tail."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larvastats.errors import DataError

VERTEBRAE = ("head", "neck_top", "neck", "neck_down", "tail")
"""Their names, head first."""

SPINE_POINTS = 11

# points of the spine, from 0, whose mean each vertebra is
_MEAN_OF = ((0, 0), (2, 3), (5, 5), (7, 8), (10, 10))


def five_vertebrae(midline: ArrayLike) -> NDArray[np.float64]:
    """Reduce spines of 11 points to five vertebrae, as the tracker behind trx.mat does.

    Counted from 1 at the head: head is point 1, neck_top the mean of 3 and 4, neck 6, neck_down the
    mean of 8 and 9, tail 11. Five points are the vertebrae already.

    Parameters
    ----------
    midline : array-like, shape (..., point, 2)
        Head first. A vertebra is NaN where one of its points is.

    Returns
    -------
    ndarray, shape (..., 5, 2)
        A new array.

    Raises
    ------
    DataError
        Neither 11 nor 5 points, or no points in the plane.
    """
    points = np.asarray(midline, dtype=np.float64)
    n = points.shape[-2] if points.ndim > 1 and points.shape[-1] == 2 else 0
    if n == len(VERTEBRAE):
        return points.copy()
    if n != SPINE_POINTS:
        raise DataError(
            f"Five vertebrae are made of midlines of {SPINE_POINTS} points, but their shape is "
            f"{points.shape}; expected (..., {SPINE_POINTS}, 2)."
        )
    upper, lower = (list(side) for side in zip(*_MEAN_OF, strict=True))
    return (points[..., upper, :] + points[..., lower, :]) / 2
