"""The spectral filter on larvae of simple shapes with known faults: hits, losses, and fairness.

Larvae are ribbons around arcs, bent, shortened and widened as actions do; a tracker shakes outlines
in stretches of frames that do not depend on the action.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from larvastats.shape.contour import flatten
from larvastats.shape.midline import regular
from larvastats.shape.quality import Filter, judge
from larvastats.shape.ribbon import Profile, ribbon

PEAR = Profile((0.5, 0.8, 0.95, 1.0, 1.05, 1.1, 1.2))
# bend from tail to head (rad, SD), length (mm), half-width (mm)
ACTIONS = {
    "run": (0.2, 4.0, 0.42), "cast": (1.1, 3.9, 0.43), "stop": (0.3, 3.9, 0.43),
    "hunch": (0.2, 3.1, 0.52), "back": (0.3, 3.7, 0.45), "roll": (2.2, 3.7, 0.45),
}  # fmt: skip
LENGTH, STRETCH = 50, 12


def films(n_sequences: int, rate: float, seed: int):
    """Actions, faults and verdicts of sequences of 50 frames, all of shape (frame,)."""
    rng = np.random.default_rng(seed)
    names = list(ACTIONS)
    action = np.repeat(rng.integers(0, len(names), n_sequences), LENGTH)
    sd, length, width = np.array([ACTIONS[names[k]] for k in action]).T
    wave = np.sin(np.arange(len(action)) / 5 + rng.uniform(0, 6))
    bend = np.clip(sd * np.repeat(rng.standard_normal(n_sequences), LENGTH), -2.6, 2.6) + 0.1 * wave
    s = np.linspace(0, 1, 11)
    heading = bend[:, np.newaxis] * (s - 0.5)
    step = np.stack((np.cos(heading), np.sin(heading)), -1) * (length / 10)[:, None, None]
    midline = regular(np.cumsum(step, axis=1)[:, ::-1], 11)
    outline = ribbon(regular(midline), width, PEAR, n=60)
    outline += rng.normal(0, 0.008, outline.shape)
    faulty = np.zeros(len(action), bool)
    for begin in rng.integers(0, len(action), round(rate * len(action) / STRETCH)):
        faulty[begin : begin + STRETCH] = True
    outline[faulty] += rng.normal(0, 0.12, outline[faulty].shape)
    t, larva = np.arange(len(action)) / 10, np.zeros(len(action), int)
    return action, faulty, judge(larva, t, outline=flatten(outline), midline=midline)


def check(n_sequences: int, seed: int, most: float) -> None:
    action, faulty, quality = films(n_sequences, 0.06, seed)
    better = mannwhitneyu(quality.high[faulty], quality.high[~faulty]).statistic
    assert better / (faulty.sum() * (~faulty).sum()) > 0.999  # area under the ROC curve
    assert quality.bad[faulty].mean() > 0.97
    assert quality.bad[~faulty].mean() < 1e-3
    dropped = [quality.dropped[action == k].mean() for k in range(len(ACTIONS))]
    assert max(dropped) < most * min(dropped), dict(zip(ACTIONS, dropped, strict=True))


def test_faults_are_found_and_no_action_is_eaten():
    check(400, 0, 3.0)  # some 65 sequences per action: their numbers of faults differ by chance


@pytest.mark.slow
def test_no_action_loses_twice_the_share_of_another():
    check(3000, 1, 2.0)


def test_a_realistic_rate_of_faults_drops_some_percent():
    _, faulty, quality = films(600, 0.02, 2)
    assert 0.015 < faulty.mean() < 0.025
    assert 0.05 < quality.dropped.mean() < 0.09
    assert Filter().share * LENGTH < STRETCH  # one stretch is enough to drop a sequence
