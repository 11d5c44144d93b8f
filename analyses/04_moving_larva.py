"""Simulated larvae beside real ones: film strips, and what their bodies do in numbers.

Eighteen real larvae explored a dish (Schleyer group; 12 midline and 22 contour points, 16 Hz), and
twenty crawled under FIMTrack (5 points, 10 frames per second). Neither has labels, so that strips
show the moments that fit an action best by plain rules (:func:`moments`), and numbers are those of
all that the larvae did. Simulated larvae are those of the light screen before its first stimulus,
filmed as often::

    python analyses/04_moving_larva.py path/to/schleyer --fimtrack path/to/fimtrack
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, filtfilt, hilbert

from larvastats.io import fimtrack, schleyer
from larvastats.io.tracks import Tracks
from larvastats.plot.save import save_figure
from larvastats.simulate.design import ScreenDesign, plan
from larvastats.simulate.moving import moving_larvae
from larvastats.simulate.recording import Camera, film_plate
from larvastats.simulate.states import light_screen

Array = NDArray[np.float64]
ACTIONS = ("run", "cast", "stop", "hunch", "back", "roll")
SPACE = 3.4  # mm between two frames of a strip
QUANTILES = (5, 25, 50, 75, 95, 99)
REAL, SIMULATED, OTHER = "#1f4e79", "#c8553d", "#7a9e7e"
DARK = "r_LED100_3600s1x1s0s#n#n#n"
GROUPS = {"real": REAL, "simulated": SIMULATED}


@dataclass(frozen=True)
class Larva:
    """One larva without gaps: times, midline as x + iy (head first), outline where there is one."""

    fps: float
    midline: NDArray[np.complex128]
    outline: Array | None = None

    @property
    def middle(self) -> NDArray[np.complex128]:
        """Middle of the body, between two points where their number is even."""
        n = self.midline.shape[1]
        return (self.midline[:, (n - 1) // 2] + self.midline[:, n // 2]) / 2

    @property
    def axis(self) -> Array:
        """Direction from tail to head."""
        return np.angle(self.midline[:, 0] - self.midline[:, -1])

    @property
    def length(self) -> Array:
        """Along the midline."""
        return np.abs(np.diff(self.midline, axis=1)).sum(axis=1)

    @property
    def bend(self) -> Array:
        """Front half against rear half, rad."""
        front, rear = self.midline[:, 0] - self.middle, self.middle - self.midline[:, -1]
        return np.angle(front * np.conj(rear))

    def along(self, point: NDArray[np.complex128]) -> Array:
        """Speed of a point along the body, forward positive."""
        return np.asarray((np.gradient(point) * self.fps * np.exp(-1j * self.axis)).real)


def without_gaps(tracks: Tracks, fps: float, shortest: float = 20.0) -> Iterator[Larva]:
    """Yield the longest stretch of each larva in which every frame has a midline."""
    assert tracks.midline is not None
    for k in range(len(tracks.larvae)):
        own = np.flatnonzero(tracks.larva_index == k)
        fine = np.isfinite(tracks.midline[own]).all(axis=(1, 2))
        fine[1:] &= np.diff(tracks.t[own]) < 1.5 / fps
        edges = np.flatnonzero(np.diff(np.concatenate([[0], fine, [0]])))
        spans = edges[1::2] - edges[::2]
        if not len(spans) or spans.max() < shortest * fps:
            continue
        first = int(edges[::2][spans.argmax()])
        rows = own[first : first + int(spans.max())]
        midline = tracks.midline[rows]
        outline = None if tracks.contour is None else tracks.contour.take(rows).padded()
        yield Larva(fps, midline[..., 0] + 1j * midline[..., 1], outline)


def simulated(n: int, duration: float, fps: float, seed: int) -> Iterator[Larva]:
    """Yield larvae of the light screen in the dark."""
    how = {"duration": duration, "fps": fps, "protocol": DARK, "seed": seed}
    for larva in moving_larvae(n, contour_points=60, **how):
        yield Larva(fps, larva.midline[..., 0] + 1j * larva.midline[..., 1], larva.contour)


# -- strips ----------------------------------------------------------------------------------------


def _smoothed(width: int, x: Array) -> Array:
    return np.asarray(uniform_filter1d(x, width))


def moments(larvae: Sequence[Larva]) -> dict[str, tuple[Larva, int]]:
    """Find for each action the moment that fits it best: larva, and frame in its middle.

    ``run``: fast along a straight body for 2 s; ``cast``: bent, the tail still; ``stop``: nothing
    moves; ``hunch``: shorter for a third of a second than over the 3 s around; ``back``: the middle
    moves towards the tail, the length stays what it is (a body that coils or is turned around by
    the tracker seems to go backwards, too).
    """
    best: dict[str, tuple[float, Larva, int]] = {}
    for larva in larvae:
        second = int(larva.fps)
        mean = {n: partial(_smoothed, max(int(n * second), 1)) for n in (0.3, 1, 3)}
        ahead, bent = mean[1](larva.along(larva.middle)), np.abs(larva.bend)
        tail = mean[1](np.abs(np.gradient(larva.midline[:, -1])) * larva.fps)
        head = mean[1](np.abs(np.gradient(larva.midline[:, 0])) * larva.fps)
        length = larva.length / np.median(larva.length)
        steady = 5 * mean[3](np.abs(length - 1)) + mean[3](bent)
        flips = np.abs(np.angle(np.exp(1j * np.diff(larva.axis, prepend=larva.axis[0])))) > 1
        flipped = uniform_filter1d(flips.astype(float), 5 * second) > 1e-9
        scores = {
            "run": mean[3](larva.along(larva.middle)) - mean[3](bent),
            "cast": mean[1](np.minimum(bent, 1.5)) - tail - 5 * mean[1](np.abs(length - 1)),
            "stop": -head - tail - mean[1](bent),
            "hunch": mean[3](length) - mean[0.3](length) - mean[3](bent),
            "back": -ahead - steady,
        }
        for action, score in scores.items():
            score[: 2 * second], score[-2 * second :], score[flipped] = -np.inf, -np.inf, -np.inf
            at = int(np.argmax(score))
            if action not in best or score[at] > best[action][0]:
                best[action] = (float(score[at]), larva, at)
    return {action: (larva, at) for action, (_, larva, at) in best.items()}


def strip(axes: Axes, larva: Larva, at: int, colour: str, step: float = 0.25, n: int = 11) -> None:
    """Draw a body every quarter of a second, head up at first, each beside the last."""
    frames = at + np.round((np.arange(n) - n / 2) * step * larva.fps).astype(int)
    frames = np.clip(frames, 0, len(larva.midline) - 1)
    start = larva.middle[frames[0]]
    turn = np.exp(1j * (np.pi / 2 - larva.axis[frames[0]]))
    for k, frame in enumerate(frames):
        place = (larva.midline[frame] - start) * turn + SPACE * k
        if larva.outline is not None:
            ring = larva.outline[frame, :, 0] + 1j * larva.outline[frame, :, 1]
            ring = (ring - start) * turn + SPACE * k
            axes.fill(ring.real, ring.imag, color=colour, alpha=0.35, linewidth=0)
        axes.plot(place.real, place.imag, color=colour, linewidth=0.9)
        axes.plot(place.real[0], place.imag[0], ".", color="black", markersize=3)
    axes.set_aspect("equal")
    axes.set_xlim(-SPACE, SPACE * n)
    axes.set_ylim(-3.5, 7.0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def draw_strips(larvae: Sequence[Larva], seed: int) -> Figure:
    """Each action twice: a real larva, and a simulated one that was told to do it."""
    found = moments(larvae)
    figure = Figure(figsize=(11.0, 8.4), layout="constrained")
    for (left, right), action in zip(figure.subplots(6, 2), ACTIONS, strict=True):
        lasting = {"hunch": 0.7, "cast": 1.6, "stop": 1.5, "roll": 2.0}.get(action, 3.0)
        script = [("run", 3.0), (action, lasting), ("run", 3.0)]
        told = list(moving_larvae(4, fps=16, contour_points=60, actions=script, seed=seed))[1]
        body = Larva(16.0, told.midline[..., 0] + 1j * told.midline[..., 1], told.contour)
        if action in found:
            strip(left, *found[action], REAL)
        else:
            left.set_axis_off()
            left.text(0.02, 0.5, "none among these larvae", fontsize=8, transform=left.transAxes)
        strip(right, body, int((3.0 + lasting / 2) * 16), SIMULATED)
        left.set_title(f"{action}, real", loc="left", fontsize=8, pad=0)
        right.set_title(f"{action}, simulated", loc="left", fontsize=8, pad=0)
    return figure


def draw_paths(groups: dict[str, Sequence[Larva]], seconds: float = 60.0, n: int = 6) -> Figure:
    """Paths of middle and head over a minute, every group in a row, all to one scale."""
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    for row, (group, larvae) in zip(figure.subplots(2, n), groups.items(), strict=True):
        long = [one for one in larvae if len(one.midline) >= seconds * one.fps]
        for axes, larva in zip(row, long, strict=False):
            frames = slice(int(seconds * larva.fps))
            place = larva.middle[frames]
            centre = (place.real.min() + place.real.max()) / 2
            centre = centre + 0.5j * (place.imag.min() + place.imag.max())
            for points, width in ((larva.midline[frames, 0], 0.4), (place, 0.9)):
                points = points - centre
                axes.plot(points.real, points.imag, color=GROUPS[group], linewidth=width)
            axes.set_aspect("equal")
            axes.set_xlim(-35, 35)
            axes.set_ylim(-35, 35)
            axes.set_axis_off()
        row[0].set_title(group, loc="left", fontsize=9)
    return figure


def draw_faults(seed: int, n: int = 8) -> Figure:
    """Frames with each fault of a shape, from one plate."""
    design = ScreenDesign(
        light_screen(), ("A",), dates=1, assays_per_line=1, control_assays_per_date=1
    )
    kinds = ("jitter", "points", "merge", "flip")
    camera = Camera(faults=dict.fromkeys(kinds, 0.03))
    tracks, truth = film_plate(design, seed, plan(design)[0], camera)
    assert tracks.midline is not None and tracks.contour is not None
    many = np.sum([truth.faults[kind] for kind in kinds], axis=0)
    figure = Figure(figsize=(11.0, 5.6), layout="constrained")
    for row, kind in zip(figure.subplots(len(kinds), n), kinds, strict=True):
        frames = np.flatnonzero(truth.faults[kind] & (many == 1))
        begins = frames[np.diff(frames, prepend=-9) > 1][:n]
        for axes, frame in zip(row, begins, strict=True):
            ring = tracks.contour.take(np.array([frame])).vertices
            axes.plot(*np.concatenate([ring, ring[:1]]).T, color=SIMULATED, linewidth=0.9)
            axes.plot(*tracks.midline[frame].T, ".-", color="0.3", linewidth=0.7, markersize=3)
            axes.plot(*tracks.midline[frame, 0], ".", color="black", markersize=6)
            axes.set_aspect("equal")
            axes.set_axis_off()
        row[0].set_title(kind, loc="left", fontsize=9)
    return figure


# -- numbers ---------------------------------------------------------------------------------------


def measures(larvae: Sequence[Larva]) -> dict[str, Array]:
    """Pool what all larvae did; lengths are those of the larva, so that scales do not matter."""
    out: dict[str, list[Array]] = {}

    def add(name: str, values: Array) -> None:
        out.setdefault(name, []).append(np.atleast_1d(values))

    for larva in larvae:
        unit = float(np.median(larva.length))
        half, five = max(int(larva.fps / 2), 1), int(5 * larva.fps)
        path = uniform_filter1d(larva.middle.real, 3) + 1j * uniform_filter1d(larva.middle.imag, 3)
        add("speed (lengths/s)", np.abs(path[half:] - path[:-half]) / half * larva.fps / unit)
        add("bend (rad)", np.abs(larva.bend))
        add("length (of its median)", larva.length / unit)
        turned = np.unwrap(larva.axis)[::five]
        add("turn in 5 s (rad)", np.abs(np.diff(turned)))
        add("path in 5 s (lengths)", np.abs(np.diff(larva.middle[::five])) / unit)
    return {name: np.concatenate(parts) for name, parts in out.items()}


def memory(larvae: Sequence[Larva], lags: Array) -> Array:
    """Correlation of the bend with itself after some seconds, mean over larvae."""
    rows = []
    for larva in larvae:
        steps = np.maximum(np.round(lags * larva.fps).astype(int), 1)
        bend = larva.bend
        rows.append([np.corrcoef(bend[:-k], bend[k:])[0, 1] for k in steps])
    return np.mean(rows, axis=0)


def wave(larvae: Sequence[Larva], n_bins: int = 16) -> Array:
    """Speed of head and tail by the phase of the body's length in straight runs, (bin, end)."""
    rows = []
    for larva in larvae:
        filtered = filtfilt(*butter(2, [0.8, 2.2], "band", fs=larva.fps), larva.length)
        analytic = hilbert(filtered)
        phase = ((np.angle(analytic) / (2 * np.pi) + 0.5) * n_bins).astype(int) % n_bins
        ends = np.stack([larva.along(larva.midline[:, k]) for k in (0, -1)], axis=1)
        strong = np.abs(analytic) > np.median(np.abs(analytic))
        running = strong & (np.abs(larva.bend) < 0.3) & (larva.along(larva.middle) > 0.6)
        if min(np.bincount(phase[running], minlength=n_bins)) > 0:
            rows.append([ends[running & (phase == k)].mean(axis=0) for k in range(n_bins)])
    return np.asarray(np.mean(rows, axis=0))


def summary(larvae: Sequence[Larva], bent: float = 0.6) -> dict[str, float]:
    """Length between larvae, bends beyond `bent` rad, and how the rear half follows the front."""
    peaks: list[float] = []
    follow, rates = [], []
    for larva in larvae:
        bend = larva.bend
        edges = np.flatnonzero(np.diff(np.concatenate([[0], np.abs(bend) > bent, [0]])))
        peaks += [np.abs(bend[a:b]).max() for a, b in zip(edges[::2], edges[1::2], strict=True)]
        rates.append(np.abs(np.gradient(np.unwrap(bend))) * larva.fps)
        half = max(int(larva.fps / 2), 1)
        turn = np.gradient(np.unwrap(np.angle(larva.middle - larva.midline[:, -1]))) * larva.fps
        push = bend * larva.along(larva.middle) / larva.length
        turn, push = uniform_filter1d(turn, half), uniform_filter1d(push, half)
        follow.append((push @ turn) / (push @ push))
    means = [larva.length.mean() for larva in larvae]
    minutes = sum(len(larva.midline) / larva.fps for larva in larvae) / 60
    return {
        "larvae": len(larvae),
        "length": float(np.mean(means)),
        "length_sd": float(np.std(means, ddof=1)),
        "bends_per_minute": len(peaks) / minutes,
        **{f"peak_{q}": float(np.percentile(peaks, q)) for q in (25, 50, 75)},
        "follow": float(np.median(follow)),
        "bend_rate": float(np.median(np.concatenate(rates))),
    }


def table(groups: dict[str, dict[str, Array]]) -> pd.DataFrame:
    """Quantiles of every measure in every group."""
    rows = [
        {"measure": name, "larvae": group, **dict(zip(QUANTILES, np.percentile(x, QUANTILES)))}  # noqa: B905
        for name in next(iter(groups.values()))
        for group, values in groups.items()
        for x in [values[name]]
    ]
    return pd.DataFrame(rows)


def draw_numbers(groups: dict[str, dict[str, Array]], larvae: dict[str, Sequence[Larva]]) -> Figure:
    """Distributions of the measures, the memory of the bend, and the wave."""
    colours = dict(zip(groups, (REAL, SIMULATED, OTHER), strict=False))
    figure = Figure(figsize=(9.0, 6.6), layout="constrained")
    axes = figure.subplots(2, 4).ravel()
    limits = (0.8, 2.5, 1.4, 3.2, 2.5)
    for panel, name, limit in zip(axes, next(iter(groups.values())), limits, strict=False):
        low = 0.6 if name.startswith("length") else 0.0
        edges = np.linspace(low, limit, 33)
        for group, values in groups.items():
            share = np.histogram(values[name], edges)[0] / len(values[name])
            panel.stairs(share, edges, color=colours[group], label=group)
        panel.set_xlabel(name)
        if name.startswith(("bend", "turn")):
            panel.set_yscale("log")
    axes[0].set_ylabel("share")
    axes[0].legend(fontsize=7, frameon=False)
    lags = np.array([0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5])
    for group, own in larvae.items():
        axes[5].plot(lags, memory(own, lags), color=colours[group])
    axes[5].set_xlabel("lag (s)")
    axes[5].set_ylabel("autocorrelation of the bend")
    for panel, group in zip(axes[6:], list(groups)[:2], strict=False):
        speed = wave(larvae[group])
        turns = np.arange(len(speed)) / len(speed)
        panel.plot(turns, speed[:, 0], color=colours[group], label="head")
        panel.plot(turns, speed[:, 1], color=colours[group], linestyle="--", label="tail")
        panel.set_ylim(0, 3.8)
        panel.set_xlabel(f"phase, {group}")
        panel.legend(fontsize=7, frameon=False)
    axes[6].set_ylabel("speed (mm/s)")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("schleyer", type=Path, help="folder of the Schleyer group's csv files")
    parser.add_argument("--fimtrack", type=Path, help="folder of FIMTrack's tables")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/04_moving_larva"))
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    larvae: dict[str, Sequence[Larva]] = {
        "real": list(without_gaps(schleyer.read(given.schleyer), schleyer.FPS)),
        "simulated": list(simulated(72, 30.0, 16.0, given.seed)),
    }
    if given.fimtrack:
        files = sorted(given.fimtrack.glob("*.csv*"))
        groups = [fimtrack.read_tracks(file, fps=10.0) for file in files]
        larvae["FIMTrack"] = [one for group in groups for one in without_gaps(group, 10.0)]
    found = {name: measures(own) for name, own in larvae.items()}
    quantiles = table(found)
    print(quantiles.round(3).to_string(index=False))
    numbers = pd.DataFrame({name: summary(own) for name, own in larvae.items()})
    print(numbers.round(2).to_string())
    numbers.to_csv(given.out / "summary.csv")
    quantiles.to_csv(given.out / "quantiles.csv", index=False)
    save_figure(draw_strips(larvae["real"], given.seed), given.out / "strips")
    minute = list(simulated(12, 60.0, 16.0, given.seed + 1))
    save_figure(draw_paths({"real": larvae["real"], "simulated": minute}), given.out / "paths")
    save_figure(draw_faults(given.seed), given.out / "faults")
    save_figure(draw_numbers(found, larvae), given.out / "numbers")


if __name__ == "__main__":
    main()
