"""Real larvae through a model of simulated ones: how much of what they do the latent holds.

    python analyses/06_reconstruct_real_larvae.py RUN RECORDINGS [--fps 10]

RUN is the folder of a training, RECORDINGS a folder of recordings with midlines; tables of FIMTrack
need their frame rate. Midlines are brought to the model's frame rate by linear interpolation, and
reconstructed without any condition.
"""

from __future__ import annotations

import argparse

import numpy as np

from generative.checkpoints import load_model
from generative.dataset.source import read_unit, units
from generative.diagnostics.diagnose import reconstruct


def at_rate(t: np.ndarray, midline: np.ndarray, dt: float) -> list[np.ndarray]:
    """Stretches without a gap, at another rate; midline of shape (frame, point, 2)."""
    good = np.isfinite(midline).all(axis=(1, 2))
    t, midline = t[good], midline[good]
    gaps = np.flatnonzero(np.diff(t) > 1.5 * np.median(np.diff(t))) + 1
    out = []
    for own in np.split(np.arange(len(t)), gaps):
        if len(own) < 2:
            continue
        new = np.arange(t[own[0]], t[own[-1]], dt)
        flat = midline[own].reshape(len(own), -1)
        columns = [np.interp(new, t[own], series) for series in flat.T]
        out.append(np.stack(columns, axis=1).reshape(len(new), -1, 2))
    return out


def main(run: str, recordings: str, fps: float | None) -> None:
    dt = load_model(run)[1].dt
    stretches = []
    for unit in units(recordings, {"fps": fps}):
        for tracks in read_unit(unit):
            for larva in range(len(tracks.larvae)):
                own = tracks.larva_index == larva
                stretches += at_rate(tracks.t[own], tracks.midline[own], dt)
    found = reconstruct(run, stretches)
    print(
        f"{found.n_sequences} sequences of {found.n_larvae} stretches: R² {found.r2:.4f} "
        f"(another's latent {found.r2_shuffled:.3f}), "
        f"a point is off by {found.error:.4f} body lengths"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("recordings")
    parser.add_argument("--fps", type=float)
    given = parser.parse_args()
    main(given.run, given.recordings, given.fps)
