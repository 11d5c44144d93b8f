"""Shapes and units of FIMTrack's features.

The table is in pixels and frames and names no unit. What a feature measures shows in the values of
four real groups (20 larvae, 33,895 larva-frames):

- ``mom_dst``, ``acc_dst``, ``dst_to_origin``: path of the centroid ``mom_x``, ``mom_y`` since the
  last frame, since the first, and its distance from the first place, in pixels;
- ``velocity``: distance between the tail now and 10 frames ago, divided by 10: pixels per frame.
  The 10 is the frame rate set in the tracker; the first 10 frames of a larva are 0;
- ``acceleration``: ``velocity`` of the next frame minus that of this one: pixels per frame
  squared;
- ``bending``, ``mov_direction``: degrees; a straight body has 180.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KINDS = (
    (re.compile(r"is_in_.*|is_[a-z_]+|go_phase|(?:left|right)_bended|in_collision"), "flag"),
    (re.compile(r"mom_dst|acc_dst|dst_to_origin|perimeter|spine_length|radius_[0-9]+"), "length"),
    (re.compile(r"dist_to_.*|(?:mom|head|tail|spinepoint_[0-9]+)_[xy]"), "length"),
    (re.compile(r"area"), "area"),
    (re.compile(r"velocity"), "speed"),
    (re.compile(r"acceleration"), "acceleration"),
    (re.compile(r"bending|mov_direction"), "angle"),
)
_UNITS = {
    "flag": "1", "length": "{}", "area": "{}2", "speed": "{}/s", "acceleration": "{}/s2",
    "angle": "deg", "": "",
}  # fmt: skip


def unit_of(feature: str, length: str) -> str:
    """Return the unit in which a feature is handed on.

    =============================================================  ===================
    feature                                                        unit
    =============================================================  ===================
    ``mom_dst acc_dst dst_to_origin dist_to_*``                    mm or px
    ``perimeter spine_length radius_*``                            mm or px
    coordinates that belong to no midline or centroid              mm or px
    ``area``                                                       mm2 or px2
    ``velocity``                                                   mm/s or px/s
    ``acceleration``                                               mm/s2 or px/s2
    ``bending mov_direction``                                      deg
    ``is_* go_phase left_bended right_bended in_collision``        1
    any other                                                      blank, as in the file
    =============================================================  ===================

    Parameters
    ----------
    feature : str
    length : {'mm', 'px'}
    """
    return _UNITS[_kind(feature)].format(length)


def shapes(
    flat: Mapping[str, NDArray[np.float64]], fps: float, px_per_length: float, length: str
) -> dict[str, Any]:
    """Sort features into midline, centroid and features with units.

    Parameters
    ----------
    flat : mapping of str to ndarray, shape (frame,)
        As in the table.
    fps : float
    px_per_length : float
        Pixels per unit of length.
    length : {'mm', 'px'}

    Returns
    -------
    dict
        Arguments of :meth:`larvastats.io.tracks.Tracks.build`.
    """
    points = _midline_points(flat)
    centroid = _pair(flat, "mom")
    taken = {f"{name}_{axis}" for name in points for axis in "xy"}
    taken |= {"mom_x", "mom_y"} if centroid is not None else set()
    factor = {
        "length": 1 / px_per_length, "area": 1 / px_per_length**2, "speed": fps / px_per_length,
        "acceleration": fps**2 / px_per_length,
    }  # fmt: skip
    rest = [name for name in flat if name not in taken]
    pairs = [_pair(flat, name) for name in points]
    return {
        "midline": np.stack(pairs, axis=1) / px_per_length if points else None,  # type: ignore[arg-type]
        "centroid": None if centroid is None else centroid / px_per_length,
        "features": {name: flat[name] * factor.get(_kind(name), 1.0) for name in rest},
        "units": {name: unit_of(name, length) for name in rest},
    }


def _kind(feature: str) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(feature)), "")


def _midline_points(flat: Mapping[str, NDArray[np.float64]]) -> tuple[str, ...]:
    """Names of the midline's points, head first; none where head or tail are missing."""
    inner: list[str] = []
    while _pair(flat, f"spinepoint_{len(inner) + 1}") is not None:
        inner.append(f"spinepoint_{len(inner) + 1}")
    ends = all(_pair(flat, name) is not None for name in ("head", "tail"))
    return ("head", *inner, "tail") if ends else ()


def _pair(flat: Mapping[str, NDArray[np.float64]], name: str) -> NDArray[np.float64] | None:
    """Coordinates of a point, shape (frame, 2); None where the table lacks one of them."""
    x, y = flat.get(f"{name}_x"), flat.get(f"{name}_y")
    return None if x is None or y is None else np.stack((x, y), axis=1)
