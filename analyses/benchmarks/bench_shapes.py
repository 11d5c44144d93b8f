"""Shapes: low-pass of outlines, ribbons, kinematics; against loops over frames and batched FFT.

    python analyses/benchmarks/bench_shapes.py [--frames 10000] [--moving 1000000] [--repeats 5]

Same data, same run, same result asserted, one thread; times are the processor's, for the machine
may be busy. Outlines are single precision, as tracks and
stores hold them; NumPy's FFT gets them in single and in double precision, and the faster counts.
Contestants:

- low-pass, from points at equal steps to as many points: larvastats' matrix product; one FFT of all
  frames; an FFT per frame;
- the same from raw outlines of 60 to 160 vertices among 500, padded with NaN: larvastats; a loop
  that drops NaN, interpolates along the arc and transforms;
- ribbons of 800 points from five vertebrae: larvastats; a loop of two SciPy splines per frame;
- all kinematic series of a million frames of 11 points.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from scipy.interpolate import CubicSpline
from threadpoolctl import threadpool_limits

from larvastats.shape.contour import HARMONICS, N_POINTS, flatten, low_pass, resample
from larvastats.shape.kinematics import kinematics
from larvastats.shape.midline import regular
from larvastats.shape.quality import judge
from larvastats.shape.ribbon import ribbon


def timed(work: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    """Return the median seconds of the processor, and the last result."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return median(seconds), result


def report(what: str, ours: float, theirs: float | None = None, peer: str = "") -> None:
    """Print one line."""
    line = f"{what:44s} {ours * 1e3:9.1f} ms"
    if theirs is not None:
        line += f"   {peer:28s} {theirs * 1e3:9.1f} ms   {theirs / ours:7.1f} times"
    print(line, flush=True)


# -- the same, as scripts do it --------------------------------------------------------------------


def batched(points: np.ndarray) -> np.ndarray:
    """Low-pass all frames by one FFT."""
    kind = np.complex64 if points.dtype == np.float32 else np.complex128
    c = np.fft.fft(points.view(kind)[..., 0], axis=1)
    c[:, HARMONICS + 1 : -HARMONICS] = 0
    z = np.ascontiguousarray(np.fft.ifft(c, axis=1))
    return z.view(points.dtype).reshape(points.shape)


def one_by_one(points: np.ndarray) -> np.ndarray:
    """Low-pass frame by frame."""
    out = np.empty_like(points)
    for frame, own in enumerate(points):
        c = np.fft.fft(own[:, 0] + 1j * own[:, 1])
        c[HARMONICS + 1 : -HARMONICS] = 0
        z = np.fft.ifft(c)
        out[frame, :, 0], out[frame, :, 1] = z.real, z.imag
    return out


def from_raw(padded: np.ndarray) -> np.ndarray:
    """Resample and low-pass frame by frame."""
    out = np.empty((len(padded), N_POINTS, 2))
    for frame, own in enumerate(padded):
        v = own[~np.isnan(own).any(axis=1)]
        v = np.concatenate((v, v[:1]))
        s = np.concatenate(([0], np.cumsum(np.hypot(*np.diff(v, axis=0).T))))
        at = s[-1] * np.arange(N_POINTS) / N_POINTS
        out[frame] = np.stack([np.interp(at, s, v[:, axis]) for axis in (0, 1)], axis=1)
    return one_by_one(out)


def spline_by_spline(five: np.ndarray, half_width: float) -> np.ndarray:
    """Ribbons frame by frame."""
    t = (1 - np.cos(np.linspace(0, np.pi, 21))) / 2
    width = half_width * np.sqrt(np.maximum(1 - 4 * (t - 0.5) ** 2, 0))[:, np.newaxis]
    out = np.empty((len(five), 800, 2))
    for frame, own in enumerate(five):
        curve = CubicSpline(np.linspace(0, 1, 5), own, bc_type="natural")
        axis, ahead = curve(t), curve(t, 1)
        unit = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
        left = np.stack((unit[:, 1], -unit[:, 0]), axis=1)
        around = np.concatenate((axis + width * left, (axis - width * left)[-2:0:-1]))
        closed = np.concatenate((around, around[:1]))
        knots = np.linspace(0, 1, len(closed))
        out[frame] = CubicSpline(knots, closed, bc_type="periodic")(np.arange(800) / 800)
    return out


# -- contests --------------------------------------------------------------------------------------


def crawling(n: int, larvae: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Larvae, times and midlines of n frames at about 10 per second."""
    rng = np.random.default_rng(0)
    larva = np.sort(np.arange(n) % larvae)
    t = np.cumsum(rng.uniform(0.08, 0.12, n))
    heading = (
        np.cumsum(rng.normal(0, 0.05, n))[:, np.newaxis]
        + np.linspace(0, 1, 11) * (rng.normal(0, 0.5, n)[:, np.newaxis])
    )
    ahead = np.stack((np.cos(heading), np.sin(heading)), axis=-1)
    place = np.cumsum(0.1 * ahead[:, 0], axis=0)[:, np.newaxis]
    return larva, t, place - np.cumsum(0.4 * ahead, axis=1)


def outlines(midline: np.ndarray) -> np.ndarray:
    """Outlines of 60 to 160 vertices in rows of 500, padded with NaN, shape (frame, 500, 2)."""
    rng = np.random.default_rng(1)
    padded = np.full((len(midline), 500, 2), np.nan, np.float32)
    for n in range(60, 161, 10):
        own = np.arange(len(midline)) % 11 == (n - 60) // 10
        where = np.sort(rng.permutation(500)[:n])
        drawn = ribbon(regular(midline[own]), 0.4, n=n)
        padded[np.ix_(own, where)] = drawn + rng.normal(0, 0.01, drawn.shape)
    return padded


def contours(n: int, repeats: int) -> None:
    """Low-pass."""
    padded = outlines(crawling(n)[2])
    vertices, start = flatten(padded)
    for n_points in (N_POINTS, 500):
        points = resample(vertices, start, n_points)
        double = points.astype(np.float64)
        ours, smooth = timed(partial(low_pass, points), repeats)
        peers = [timed(partial(batched, p), repeats) for p in (points, double)]
        np.testing.assert_allclose(smooth, peers[1][1], atol=1e-3)
        loop = min(timed(partial(one_by_one, p), 3)[0] for p in (points, double))
        what = f"low-pass, {n} outlines of {n_points} points"
        report(what, ours, min(peer[0] for peer in peers), "one numpy.fft of all frames")
        report(what, ours, loop, "numpy.fft frame by frame")
    ours, smooth = timed(lambda: low_pass(resample(*flatten(padded))), repeats)
    theirs, expected = timed(lambda: from_raw(padded), 1)
    np.testing.assert_allclose(smooth, expected, atol=1e-3)
    report(f"the same from {n} raw outlines", ours, theirs, "frame by frame")


def ribbons(n: int, repeats: int) -> None:
    """Ribbons."""
    five = regular(crawling(n)[2])
    ours, drawn = timed(lambda: ribbon(five, 0.4), repeats)
    theirs, expected = timed(lambda: spline_by_spline(five, 0.4), 1)
    np.testing.assert_allclose(drawn, expected, atol=1e-6)
    report(f"{n} ribbons of 800 points", ours, theirs, "SciPy splines frame by frame")


def movement(n: int) -> None:
    """Kinematics, and the filter."""
    larva, t, midline = crawling(n)
    ours, _ = timed(lambda: kinematics(larva, t, midline)["speed"], 3)
    report(f"kinematics of {n} frames", ours)
    few = min(n, 100_000)
    vertices, start = flatten(outlines(midline[:few]))
    ours, _ = timed(lambda: judge(larva[:few], t[:few], outline=(vertices, start)).high, 1)
    report(f"filter of {few} outlines", ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--moving", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with threadpool_limits(1):
        contours(options.frames, options.repeats)
        ribbons(options.frames, options.repeats)
        movement(options.moving)


if __name__ == "__main__":
    main()
