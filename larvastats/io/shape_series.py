"""What larvastats itself computes of a recording's shapes: verdicts on frames, and kinematics.

They join the features of the tracks, so that whatever takes features takes them too. A series that
the tracker gives under the same name stays, and is not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.io.tracks import Tracks
from larvastats.shape.contour import resample
from larvastats.shape.kinematics import SMOOTH, kinematics, units
from larvastats.shape.midline import from_outline, head_first
from larvastats.shape.quality import Filter, Quality, judge

VERDICTS = ("shape_fault", "shape_high", "shape_dropped")
"""Series of :class:`larvastats.shape.quality.Quality`, all without unit."""

FEWEST_POINTS = 3
"""Of a midline with an angle."""

MUCH = 0.3
"""Larger shares of dropped frames are told."""

_BLOCK = 1 << 14

DEFAULT = Filter()


@dataclass(frozen=True, slots=True)
class Shaping:
    """How shapes become series.

    Attributes
    ----------
    filter : Filter or None
        None: no frame is judged, and outlines are read only where they are to be kept.
    smooth : float
        Seconds of the window of velocities.
    """

    filter: Filter | None = DEFAULT
    smooth: float = SMOOTH

    @classmethod
    def of(cls, filter: str, smooth: float) -> Shaping:
        """Read the options ``--filter`` and ``--smooth``.

        Raises
        ------
        UsageError
        """
        if not (np.isfinite(smooth) and smooth >= 0):
            raise UsageError(f"--smooth must be 0 s or more, but is {smooth}.")
        return cls(None if filter.strip() == "none" else Filter.parse(filter), float(smooth))

    def __str__(self) -> str:
        """Write the options in one line, without blanks."""
        return f"filter={'none' if self.filter is None else self.filter} smooth={self.smooth:g}"


def shaped(tracks: Tracks, shaping: Shaping) -> tuple[Tracks, Quality | None]:
    """Add to tracks what can be computed of their shapes.

    Parameters
    ----------
    tracks : Tracks
    shaping : Shaping

    Returns
    -------
    tracks : Tracks
        With a midline where there were outlines only, and further features.
    quality : Quality or None
        Verdicts; None where nobody asked, or where there are no shapes.
    """
    if tracks.midline is None and tracks.contour is None:
        return tracks, None
    tracks, quality = _with_midline(tracks), None
    series: dict[str, NDArray[np.float64]] = {}
    if shaping.filter is not None:
        quality = _judged(tracks, shaping.filter)
        verdicts = (quality.fault, quality.high, quality.dropped)
        series |= {n: np.asarray(v, float) for n, v in zip(VERDICTS, verdicts, strict=True)}
        tracks = _with_warning(tracks, quality)
    said = dict.fromkeys(series, "1")
    if tracks.midline is not None and tracks.midline.shape[1] >= FEWEST_POINTS:
        series |= kinematics(
            tracks.larva_index, tracks.t, tracks.midline, centroid=tracks.centroid,
            unusable=None if quality is None else quality.unusable, smooth=shaping.smooth,
        )  # fmt: skip
        said |= units(tracks.length_unit)
    return _with_features(tracks, series, said), quality


def _judged(tracks: Tracks, chosen: Filter) -> Quality:
    contour = tracks.contour
    outline = None if contour is None else (contour.vertices, contour.start)
    return judge(
        tracks.larva_index, tracks.t, outline=outline, midline=tracks.midline, chosen=chosen
    )


def _with_warning(tracks: Tracks, quality: Quality) -> Tracks:
    """Say so where so much is dropped that the filter may be at fault."""
    share = float(quality.dropped.mean())
    if share <= MUCH:
        return tracks
    note = (
        f"Assay {tracks.identity.assay!r}: the filter drops {share:.0%} of the frames; unless the "
        "recording is that bad, its threshold does not suit this tracker: give another --filter."
    )
    return replace(tracks, notes=(*tracks.notes, note))


def _with_midline(tracks: Tracks) -> Tracks:
    """Make midlines of outlines where the recording has no others."""
    contour = tracks.contour
    if tracks.midline is not None or contour is None:
        return tracks
    blocks = []
    for begin in range(0, len(contour), _BLOCK):
        part = contour.take(np.arange(begin, min(begin + _BLOCK, len(contour))))
        blocks.append(from_outline(resample(part.vertices, part.start)))
    midline, _ = head_first(np.concatenate(blocks), tracks.larva_index)
    note = (
        f"Assay {tracks.identity.assay!r}: there are outlines but no midlines; these were made of "
        "the outlines, the head where the larva mostly moves to."
    )
    return replace(tracks, midline=midline, notes=(*tracks.notes, note))


def _with_features(
    tracks: Tracks, series: Mapping[str, NDArray[np.float64]], said: Mapping[str, str]
) -> Tracks:
    own = {name: values for name, values in series.items() if name not in tracks.features}
    return replace(
        tracks,
        features=MappingProxyType({**tracks.features, **own}),
        units=MappingProxyType({**tracks.units, **{name: said[name] for name in own}}),
    )
