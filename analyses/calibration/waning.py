"""Larvae that habituate, for the calibration of `habituation`: curves of assays with a known truth.

A larva does the action while a Gaussian process with correlation time `memory` lies below the
quantile of p(t): the share of larvae is exactly p(t) at any moment, and a larva that does it goes
on for a while. Plates differ in how much they respond. Nothing of larvastats' simulator is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

RATE = 10.0
"""Frames per second."""


@dataclass(frozen=True)
class Truth:
    """How one genotype responds.

    `start`, `floor`: levels at onset and in the end; `tau` s; `length` s of stimulus; `pulses` of
    that length, each starting at `start` times its `level`; `plate_sd` on the logit of the start
    level; `tau_sd` on the log of tau between plates; `memory` s.
    """

    tau: float
    start: float = 0.6
    floor: float = 0.0
    length: float = 30.0
    plate_sd: float = 0.3
    tau_sd: float = 0.0
    memory: float = 1.5
    level: tuple[float, ...] = (1.0,)
    pause: float = 20.0


def levels(truth: Truth, n: int, rng: np.random.Generator) -> np.ndarray:
    """Start level of every plate, centred so that its mean is `start`, shape (plate,)."""
    logit = np.log(truth.start / (1 - truth.start)) + rng.normal(0, truth.plate_sd, (n,))
    raw = 1 / (1 + np.exp(-logit))
    grid = np.log(truth.start / (1 - truth.start)) + truth.plate_sd * np.linspace(-4, 4, 201)
    weight = np.exp(-(np.linspace(-4, 4, 201) ** 2) / 2)
    mean = (weight / (1 + np.exp(-grid))).sum() / weight.sum()
    return raw * truth.start / mean


def frames(truth: Truth, assays: int, larvae: int, rng: np.random.Generator) -> np.ndarray:
    """Share of larvae in the action, shape (assay, pulse, frame)."""
    steps = round(truth.length * RATE)
    t = (np.arange(steps) + 0.5) / RATE
    start = levels(truth, assays, rng)
    tau = truth.tau * np.exp(rng.normal(0, truth.tau_sd, assays))
    scale = (start - truth.floor) if truth.floor else start
    stay = np.exp(-1 / RATE / truth.memory)
    z = rng.standard_normal((assays, larvae))
    out = np.empty((assays, len(truth.level), steps))
    for k, level in enumerate(truth.level):
        z = rng.standard_normal((assays, larvae)) if k else z
        for i in range(steps):
            p = truth.floor + scale * level * np.exp(-t[i] / tau)
            out[:, k, i] = (z < ndtri(np.clip(p, 0, 1))[:, None]).mean(axis=1)
            z = stay * z + np.sqrt(1 - stay**2) * rng.standard_normal((assays, larvae))
    return out


def binned(share: np.ndarray, width: float) -> np.ndarray:
    """Means over bins of `width` s, shape (assay, pulse x bin)."""
    per = round(width * RATE)
    a, k, n = share.shape
    return share.reshape(a, k, n // per, per).mean(axis=3).reshape(a, -1)
