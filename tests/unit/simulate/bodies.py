"""What tests of moving larvae look at."""

import numpy as np


def complex_midline(larva):
    """Midline as x + iy, head first."""
    return larva.midline[..., 0] + 1j * larva.midline[..., 1]


def lengths(larva):
    return np.abs(np.diff(complex_midline(larva), axis=1)).sum(axis=1)


def bends(larva):
    """Front half against rear half, rad."""
    z = complex_midline(larva)
    return np.angle((z[:, 0] - z[:, 5]) * np.conj(z[:, 5] - z[:, -1]))


def crosses_itself(contour):
    """Whether two edges of an outline meet that are no neighbours, shape (frame,)."""
    a = contour[..., 0].astype(float) + 1j * contour[..., 1]
    b = np.roll(a, -1, axis=1)

    def side(p, q, r):
        return (np.conj(q - p) * (r - p)).imag

    out = np.zeros(len(contour), dtype=bool)
    for k in range(2, a.shape[1] - 1):
        c, d = np.roll(a, -k, axis=1), np.roll(b, -k, axis=1)
        meet = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
        out |= meet.any(axis=1)
    return out


def areas(contour):
    a = contour[..., 0].astype(float) + 1j * contour[..., 1]
    a = a - a.mean(axis=1, keepdims=True)
    return (np.conj(a) * np.roll(a, -1, axis=1)).imag.sum(axis=1) / 2
