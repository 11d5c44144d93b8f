"""Real larvae, reduced and rebuilt; how good the filter is; what the trackers' own columns say.

Eighteen larvae of one dish, with midlines of 12 and outlines of 22 points at 16 Hz (the Schleyer
group's files, doi:10.12751/g-node.5e1ifd). The script draws larvae as the tracker saw them,
smoothed, and as ribbons around five vertebrae; measures how well ribbons rebuild outlines; draws
the spectra behind the filter, and tells what it drops. The tracker marks frames in which larvae
touch: they are the truth that is known.

    python analyses/04_larva_shapes.py path/to/schleyer --out results/04_larva_shapes

Simulated recordings with known faults and actions show what no real ones can: hits and false alarms
at every threshold, and whether the filter spares actions alike::

    larvastats simulate faulty --format trx --shapes contour --fault realistic
    python analyses/04_larva_shapes.py path/to/schleyer --simulated faulty --out results/shapes
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from contourpy import contour_generator
from matplotlib.figure import Figure
from matplotlib.path import Path as Polygon

from larvastats.io import schleyer, trx
from larvastats.io.paths import identify, walk_database
from larvastats.io.tracks import Tracks
from larvastats.plot.save import save_figure
from larvastats.plot.spectrum import plot_spectrum
from larvastats.plot.style import (
    INK,
    KEPT,
    MUTED,
    REJECTED,
    axes_at,
    heading,
    new_figure,
    styled,
    text_at,
)
from larvastats.shape.agreement import hausdorff, overlap
from larvastats.shape.contour import area, low_pass, perimeter, resample
from larvastats.shape.kinematics import kinematics
from larvastats.shape.midline import arc_length, from_outline, head_first, regular
from larvastats.shape.quality import Filter, Quality, high_share, judge
from larvastats.shape.ribbon import ELLIPSE, Profile, learn_profile, reduced, ribbon
from larvastats.shape.spectrum import spectra

TOUCH = 2
"""Collision flag of a frame in which larvae touch."""

SHAPE_FAULTS = ("jitter", "points", "merge", "nan")
"""Faults that spoil a shape; in a flip it is whole, but turned round."""

THRESHOLDS = np.logspace(-4.3, -2, 93)


def judged(tracks: Tracks, chosen: Filter | None = None) -> Quality:
    contour = tracks.contour
    return judge(
        tracks.larva_index, tracks.t, outline=(contour.vertices, contour.start),
        midline=tracks.midline, chosen=chosen,
    )  # fmt: skip


# -- ribbons ---------------------------------------------------------------------------------------


def rebuilt(tracks: Tracks, frames: np.ndarray, profile: Profile) -> np.ndarray:
    """Ribbons of some frames, each from five vertebrae and a width."""
    own = tracks.contour.take(frames)
    five, width = reduced(tracks.midline[frames], own.vertices, own.start, profile)
    return ribbon(five, width, profile)


def scores(drawn: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Median (5th and 95th percentile) of overlap and distance."""
    out: dict[str, float] = {}
    for name, measure in (("IoU", overlap), ("Hausdorff mm", hausdorff)):
        values = [measure(a, b) for a, b in zip(drawn, truth, strict=True)]
        for label, q in (("", 0.5), (" 5%", 0.05), (" 95%", 0.95)):
            out[name + label] = float(np.quantile(values, q))
    return out


def rebuilding(tracks: Tracks, good: np.ndarray, profile: Profile) -> pd.DataFrame:
    """How well outlines come back, on larvae that the profile was not learned from."""
    test = good[tracks.larva_index[good] % 2 == 0][::15]
    own = tracks.contour.take(test)
    truth = resample(own.vertices, own.start, 200)
    smooth = low_pass(resample(own.vertices, own.start), n=200)
    rows = [
        {"from": "15 Fourier coefficients", "numbers": 30, **scores(smooth, truth)},
        {"from": "5 vertebrae, ellipse", "numbers": 11,
         **scores(rebuilt(tracks, test, ELLIPSE)[:, ::4], truth)},
        {"from": "5 vertebrae, learned profile", "numbers": 11,
         **scores(rebuilt(tracks, test, profile)[:, ::4], truth)},
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(frames=len(test))


def picked(tracks: Tracks, quality: Quality, good: np.ndarray) -> dict[str, np.ndarray]:
    """Frames to draw: straight, bent, coiled, and bad ones, of different larvae."""
    bend = np.abs(kinematics(tracks.larva_index, tracks.t, tracks.midline)["body_angle"])
    rng = np.random.default_rng(3)
    kinds = {
        "straight": good[bend[good] < 0.3],
        "bent": good[(bend[good] > 0.8) & (bend[good] < 1.5)],
        "strongly bent": good[bend[good] > 2.2],
        "bad": np.flatnonzero(quality.bad & (quality.fault != 1)),
    }
    out = {}
    for kind, frames in kinds.items():
        larva = tracks.larva_index[frames]
        first = np.array([rng.choice(frames[larva == one]) for one in np.unique(larva)])
        out[kind] = rng.permutation(first)[:4]
    return out


@styled
def larvae_figure(tracks: Tracks, rows: dict[str, np.ndarray], profile: Profile) -> Figure:
    """Draw raw and smoothed outlines, and ribbons with vertebrae, one row of larvae per kind."""
    size, tall, left, top = 1.75, 1.5, 1.15, 0.85
    figure = new_figure(left + 4 * size + 0.1, top + len(rows) * tall + 0.1)
    heading(
        figure, ["Real larvae, smoothed and rebuilt"],
        ["grey: outline of 22 points; blue: 15 Fourier coefficients (|k| ≤ 7)",
         "orange: ribbon around five vertebrae (dots), learned profile; dashed: ellipse"], 0.3,
    )  # fmt: skip
    for row, (kind, frames) in enumerate(rows.items()):
        text_at(figure, 0.3, top + (row + 0.45) * tall, kind, size=9, color=MUTED)
        for column, frame in enumerate(frames):
            box = (left + column * size, top + row * tall, size, tall)
            _larva(axes_at(figure, *box), tracks, frame, profile)
    return figure


def _larva(axes, tracks: Tracks, frame: int, profile: Profile) -> None:
    at = np.array([frame])
    own = tracks.contour.take(at)
    axes.fill(*own.vertices.T, facecolor="#E4E4E4", edgecolor=MUTED, lw=0.8)
    smooth = low_pass(resample(own.vertices, own.start), n=300)[0]
    axes.plot(*np.concatenate((smooth, smooth[:1])).T, color="#0072B2", lw=0.8)
    for chosen, style in ((ELLIPSE, (0, (3, 2))), (profile, "-")):
        drawn = rebuilt(tracks, at, chosen)[0]
        axes.plot(*np.concatenate((drawn, drawn[:1])).T, color=REJECTED, lw=0.9, ls=style)
    five = regular(tracks.midline[at])[0]
    axes.plot(*five.T, "o", color=REJECTED, ms=2.2)
    middle = own.vertices.mean(axis=0)
    axes.set_xlim(middle[0] - 2.7, middle[0] + 2.7)
    axes.set_ylim(middle[1] - 2.31, middle[1] + 2.31)
    axes.set_aspect("equal")
    axes.axis("off")


# -- trackers' columns -----------------------------------------------------------------------------


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    there = np.isfinite(one) & np.isfinite(two)
    return float(np.corrcoef(one[there], two[there])[0, 1])


def columns(tracks: Tracks, quality: Quality) -> pd.DataFrame:
    """Compare what larvastats computes with what the tracker says."""
    found = kinematics(tracks.larva_index, tracks.t, tracks.midline, unusable=quality.unusable)
    own, contour = tracks.features, tracks.contour
    outline = contour.vertices, contour.start
    pairs = {
        "length": (found["length"], own["raw_spinelength"]),
        "perimeter": (perimeter(*outline), own["perimeter"]),
        "area": (area(*outline), own["area"]),
    }
    rows = [
        {"series": name, "r": correlation(*pair),
         "ratio": float(np.nanmedian(pair[0] / pair[1]))} for name, pair in pairs.items()
    ]  # fmt: skip
    axis = found["orientation"] - own["blob_orientation"]
    off = np.abs((axis + np.pi / 2) % np.pi - np.pi / 2)
    rows.append({"series": "orientation", "median difference rad": float(np.nanmedian(off))})
    return pd.DataFrame(rows)


def midlines_from_outlines(tracks: Tracks, good: np.ndarray) -> dict[str, float]:
    """How well midlines come back from outlines alone."""
    contour = tracks.contour
    found, _ = head_first(
        from_outline(resample(contour.vertices, contour.start)), tracks.larva_index
    )
    truth = regular(tracks.midline[good], 11)
    error = np.linalg.norm(found[good] - truth, axis=2).mean(axis=1)
    turned = np.linalg.norm(found[good][:, ::-1] - truth, axis=2).mean(axis=1)
    ratio = arc_length(found[good]) / arc_length(truth)
    return {
        "median error mm": float(np.median(np.minimum(error, turned))),
        "95% error mm": float(np.quantile(np.minimum(error, turned), 0.95)),
        "head first": float((error < turned).mean()),
        "length ratio": float(np.median(ratio)),
    }


# -- the filter ------------------------------------------------------------------------------------


def real_faults(tracks: Tracks, quality: Quality) -> pd.DataFrame:
    """Frames beyond thresholds, of larvae that touch and of larvae that do not."""
    touch = tracks.features["collision_flag"] == TOUCH
    high = np.nan_to_num(quality.high, nan=0)
    rows = []
    for threshold in (3e-4, 5e-4, 7e-4, 8e-4, 1e-3, 2e-3):
        beyond = high > threshold
        rows.append({"threshold": threshold, "touching": int((beyond & touch).sum()),
                     "of": int(touch.sum()), "apart": int((beyond & ~touch).sum()),
                     "of apart": int((~touch).sum())})  # fmt: skip
    return pd.DataFrame(rows)


def pixelated(tracks: Tracks, good: np.ndarray, profile: Profile) -> pd.DataFrame:
    """Shares of the staircases that cameras with large pixels make of smooth outlines."""
    rows = []
    for size in (0.02, 0.06, 0.1, 0.15):
        high = []
        for outline in rebuilt(tracks, good[:: len(good) // 300], profile):
            low = outline.min(axis=0) - 2 * size
            n = np.ceil((outline.max(axis=0) - low) / size).astype(int) + 3
            grid = np.stack(np.meshgrid(np.arange(n[0]), np.arange(n[1])), axis=-1)
            inside = Polygon(outline).contains_points(grid.reshape(-1, 2) * size + low)
            image = inside.reshape(grid.shape[:2]).astype(float)
            steps = max(contour_generator(z=image).lines(0.5), key=len)[:-1]
            high.append(high_share(resample(steps, [0, len(steps)]))[0])
        rows.append({"pixel mm": size, "median": np.median(high), "95%": np.quantile(high, 0.95),
                     "bad": np.mean(np.array(high) > Filter().threshold)})  # fmt: skip
    return pd.DataFrame(rows)


def simulated(folder: Path) -> pd.DataFrame:
    """Frames of simulated trx.mat files: verdicts, true state and true faults."""
    parts = []
    with h5py.File(folder / "truth_frames.h5") as truth:
        states = [str(name) for name in truth.attrs["states"]]
        for path in walk_database(folder):
            if not trx.sniff(path):
                continue
            who = identify(path, folder)
            (tracks,) = trx.read_tracks(path, None, shapes=("midline", "contour"), identity=who)
            known = truth[who.assay]
            larva = np.array([int(name) for name in tracks.larvae])[tracks.larva_index]
            ours = np.lexsort((tracks.t, larva))
            theirs = np.lexsort((known["t"][()], known["larva"][()]))
            if len(ours) != len(theirs):
                raise SystemExit(f"{path}: its frames are not those of truth_frames.h5")
            at = np.empty_like(ours)
            at[ours] = theirs
            quality = judged(tracks)
            table = pd.DataFrame({"bad": quality.bad, "dropped": quality.dropped,
                                  "high": quality.high, "fault": quality.fault})  # fmt: skip
            table["state"] = np.array(states)[known["state"][()][at]]
            for name in (*SHAPE_FAULTS, "flip"):
                if f"fault_{name}" in known:
                    table[name] = known[f"fault_{name}"][()][at]
            parts.append(table)
    return pd.concat(parts, ignore_index=True).fillna({name: False for name in SHAPE_FAULTS})


def first_plate(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ribbons and kinematics of one simulated plate, against its outlines and trx.mat's series."""
    path = next(path for path in walk_database(folder) if trx.sniff(path))
    (tracks,) = trx.read_tracks(path, None, identity=identify(path, folder))
    quality = judged(tracks)
    good = np.flatnonzero(~quality.unusable)
    learn = good[tracks.larva_index[good] % 2 == 1]
    own = tracks.contour.take(learn)
    profile = learn_profile(tracks.midline[learn], own.vertices, own.start)
    found = kinematics(tracks.larva_index, tracks.t, tracks.midline, centroid=tracks.centroid,
                       unusable=quality.unusable)  # fmt: skip
    pairs = {"length": "larva_length_smooth_5", "speed": "motion_velocity_norm_smooth_5",
             "head_angle": "angle_upper_lower_smooth_5"}  # fmt: skip
    rows = [{"series": name, "field": field, "r": correlation(found[name], tracks.features[field])}
            for name, field in pairs.items() if field in tracks.features]  # fmt: skip
    return rebuilding(tracks, good, profile), pd.DataFrame(rows)


def by_action(frames: pd.DataFrame) -> pd.DataFrame:
    """Shares of faulty, bad and dropped frames by what the larvae do."""
    faulty = frames[list(SHAPE_FAULTS)].any(axis=1)
    table = frames.assign(faulty=faulty, spared=~faulty & frames["bad"])
    shares = table.groupby("state")[["faulty", "bad", "spared", "dropped"]].mean()
    out = shares.rename(columns={"spared": "bad without fault"})
    out.insert(0, "frames", table.groupby("state").size())
    return out.sort_values("frames", ascending=False)


def rates(frames: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits on jittered and on merged outlines, and false alarms, by threshold."""
    known = frames["high"].notna()
    clean = known & ~frames[[*SHAPE_FAULTS, "flip"]].any(axis=1)
    kinds = [known & frames["jitter"], known & frames["merge"], clean]
    jitter, merge, alarm = (
        np.array([(frames["high"][kind] > t).mean() for t in THRESHOLDS]) for kind in kinds
    )
    return jitter, merge, alarm


@styled
def roc_figure(frames: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw hits against false alarms, and the share dropped by action."""
    figure = new_figure(8.4, 3.9)
    heading(
        figure, ["The filter on simulated larvae with known faults"],
        [f"{len(frames)} frames; {table['dropped'].to_numpy() @ table['frames'] / len(frames):.1%}"
         " lie in sequences that are dropped"], 0.75,
    )  # fmt: skip
    axes = axes_at(figure, 0.75, 0.95, 3.2, 2.3)
    jitter, merge, alarm = rates(frames)
    chosen = int(np.argmin(np.abs(THRESHOLDS - Filter().threshold)))
    for hits, colour, label in ((jitter, REJECTED, "jitter"), (merge, KEPT, "merged larvae")):
        axes.plot(np.maximum(alarm, 1e-6), hits, color=colour, lw=1.6, label=label)
        axes.plot(max(alarm[chosen], 1e-6), hits[chosen], "o", color=colour, ms=5)
    axes.set_xscale("log")
    axes.set_xlabel("false alarms, share of frames without fault")
    axes.set_ylabel("hits, share of frames with the fault")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right")
    axes.text(1.4e-6, 0.13, f"dots: threshold {Filter().threshold:g}", size=8, color=INK)
    axes.text(1.4e-6, 0.05, "left edge: none", size=8, color=INK)
    bars = axes_at(figure, 5.15, 0.95, 3.0, 2.3)
    place = np.arange(len(table))[::-1]
    bars.barh(place + 0.2, table["dropped"], 0.38, color=REJECTED, label="dropped")
    bars.barh(place - 0.2, table["faulty"], 0.38, color=KEPT, label="with a fault")
    bars.set_yticks(place, table.index)
    bars.set_xlabel("share of frames")
    bars.legend(loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=2, borderaxespad=0)
    return figure


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}\n{table.to_string(float_format=lambda x: f'{x:.4g}')}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder with the Schleyer group's files")
    parser.add_argument("--simulated", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    tracks = schleyer.read(options.folder)
    quality = judged(tracks)
    touch = tracks.features["collision_flag"] == TOUCH
    good = np.flatnonzero(~quality.unusable & ~touch)
    learn = good[tracks.larva_index[good] % 2 == 1]
    own = tracks.contour.take(learn)
    profile = learn_profile(tracks.midline[learn], own.vertices, own.start)
    print(f"{tracks.n_frames} frames of {len(tracks.larvae)} larvae: {dict(quality.counts())}, "
          f"{quality.dropped.mean():.2%} dropped")  # fmt: skip
    table = rebuilding(tracks, good, profile)
    show("Outlines rebuilt, larvae that the profile was not learned from", table)
    print(f"compression of 500 points: {1000 / 10:.0f} without, {1000 / 11:.0f} with the width")
    show("Against the tracker's columns", columns(tracks, quality))
    print("\nMidlines from outlines:", midlines_from_outlines(tracks, good))
    show("Frames beyond a threshold", real_faults(tracks, quality))
    show("Ribbons seen in pixels", pixelated(tracks, good, profile))
    found = spectra(tracks.contour.vertices, tracks.contour.start, quality)
    print(f"threshold from the data: {found.chosen:.2g}")
    rows = picked(tracks, quality, good)
    save_figure(larvae_figure(tracks, rows, profile), options.out / "larvae")
    save_figure(plot_spectrum(found, "Eighteen real larvae"), options.out / "spectrum")
    if options.simulated:
        table, series = first_plate(options.simulated[0])
        show("Simulated outlines rebuilt", table)
        show("Against the series of the simulated trx.mat", series)
        frames = pd.concat([simulated(folder) for folder in options.simulated])
        shares = by_action(frames)
        show("Simulated larvae, by action", shares)
        most, least = shares["dropped"].max(), shares["dropped"].min()
        print(f"all: {frames['dropped'].mean():.2%} dropped; largest over smallest share: "
              f"{most / least:.2f}")  # fmt: skip
        at = int(np.argmin(np.abs(THRESHOLDS - Filter().threshold)))
        jitter, merge, alarm = (float(series[at]) for series in rates(frames))
        print(f"threshold {THRESHOLDS[at]:.4g}: jitter {jitter:.1%}, merged {merge:.1%}, "
              f"false alarms {alarm:.2%}")  # fmt: skip
        save_figure(roc_figure(frames, shares), options.out / "filter")


if __name__ == "__main__":
    main()
