"""Outlines with any number of vertices per frame, held in two flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Contours:
    """One outline per frame, possibly without any vertex.

    Attributes
    ----------
    vertices : ndarray of float32, shape (vertex, 2)
        Millimetres. Single precision: 15 nm at 25 cm, a thousandth of what a camera resolves, for
        half the memory of the largest thing in a recording.
    start : ndarray of int64, shape (frame + 1,)
        Frame ``f`` owns the vertices ``start[f]`` to ``start[f + 1] - 1``.
    """

    vertices: NDArray[np.float32]
    start: NDArray[np.int64]

    @classmethod
    def from_counts(cls, vertices: NDArray[np.floating], counts: NDArray[np.integer]) -> Contours:
        """Build from the vertices of all frames in order and their number in each frame."""
        # what becomes infinite is refused by its reader; invalid: NaN that signal
        with np.errstate(over="ignore", invalid="ignore"):
            vertices = np.ascontiguousarray(vertices, dtype=np.float32).reshape(-1, 2)
        return cls(vertices, np.concatenate(([0], np.cumsum(counts, dtype=np.int64))))

    @classmethod
    def from_padded(cls, padded: NDArray[np.floating]) -> Contours:
        """Build from an array, shape (frame, vertex, 2), padded with NaN."""
        there = ~np.isnan(padded).any(axis=2)
        return cls.from_counts(padded[there], there.sum(axis=1))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.start) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of vertices of every frame, shape (frame,)."""
        return np.diff(self.start)

    def take(self, frames: NDArray[np.integer] | NDArray[np.bool_]) -> Contours:
        """Return the outlines of some frames, by position or mask."""
        if frames.dtype == bool:
            frames = np.flatnonzero(frames)
        counts = self.counts[frames]
        start = np.concatenate(([0], np.cumsum(counts)))
        source = np.arange(start[-1]) + np.repeat(self.start[:-1][frames] - start[:-1], counts)
        return Contours(self.vertices[source], start)

    def padded(self, width: int | None = None) -> NDArray[np.float32]:
        """Return an array padded with NaN, shape (frame, width, 2).

        Parameters
        ----------
        width : int, optional
            By default the largest number of vertices; vertices beyond it are cut off.
        """
        counts = self.counts
        width = int(counts.max(initial=0)) if width is None else width
        out = np.full((len(self), width, 2), np.nan, dtype=np.float32)
        frame = np.repeat(np.arange(len(self)), counts)
        within = np.arange(len(self.vertices)) - np.repeat(self.start[:-1], counts)
        fits = within < width
        out[frame[fits], within[fits]] = self.vertices[fits]
        return out

    def beyond(self, limit: float) -> NDArray[np.bool_]:
        """Whether a frame has a vertex that is not finite or beyond a limit, shape (frame,)."""
        lowest, highest = self.vertices.min(initial=0), self.vertices.max(initial=0)
        if -limit <= lowest and highest <= limit:  # needs no memory of its own; false for NaN
            return np.zeros(len(self), dtype=bool)
        bad = ~(np.abs(self.vertices) <= limit).all(axis=1)
        before = np.concatenate(([0], np.cumsum(bad)))
        return before[self.start[1:]] > before[self.start[:-1]]
