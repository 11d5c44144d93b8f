"""The spectral filter on films of moving larvae whose tracker errs at realistic rates.

Faults fall on frames without regard to actions, and the truth says where. Larvae of one line roll,
hunch and crawl backwards often, so that there is enough of every action. Frames of a sequence are
dropped together, and faults come in stretches: limits count sequences and stretches.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from larvastats.shape.quality import Filter, Quality, judge
from larvastats.simulate.design import ScreenDesign, plan
from larvastats.simulate.effects import Effect
from larvastats.simulate.faults import REALISTIC, stretches
from larvastats.simulate.recording import Camera, FrameTruth, film_plate
from larvastats.simulate.states import light_screen, with_duration

LINE = "lively"
RARE = {"roll": 0.15, "hunch": 0.15, "back": 0.1}
EFFECTS = (
    *(Effect(LINE, "transition", more, begin, rare, "whole")
      for begin in ("run", "cast", "stop") for rare, more in RARE.items()),
    *(Effect(LINE, "dwell", 2.0, rare, None, "whole") for rare in ("roll", "hunch")),
)  # fmt: skip
SPOILED = ("jitter", "points", "merge", "nan")  # in a flip the shape is whole
FOUND = {"jitter": 0.91, "merge": 0.64, "points": 1.0, "nan": 1.0}
"""Shares of the frames with each fault that are bad, in the films of analyses/shapes.md or less."""


@dataclass(frozen=True)
class Verdicts:
    """Frames of many plates: what is true of them, and what the filter says."""

    states: tuple[str, ...]
    state: np.ndarray
    faults: dict[str, np.ndarray]
    stretches: dict[str, int]
    bad: np.ndarray
    high: np.ndarray
    dropped: np.ndarray
    sequence: np.ndarray

    @property
    def spoiled(self) -> np.ndarray:
        return np.any([self.faults[name] for name in SPOILED], axis=0)


def filmed(n_plates: int, seed: int, chosen: Filter | None = None) -> Verdicts:
    """Film plates of twenty lively larvae for a minute, and judge them."""
    design = ScreenDesign(
        with_duration(light_screen(), 60), (LINE,), dates=1, assays_per_line=n_plates,
        control_assays_per_date=1, larvae=20, effects=EFFECTS,
    )  # fmt: skip
    parts: list[tuple[Quality, FrameTruth]] = []
    number = dict.fromkeys(SPOILED, 0)
    for plate in plan(design):
        if plate.line != LINE:
            continue
        tracks, truth = film_plate(design, seed, plate, Camera(faults=REALISTIC))
        outline = (tracks.contour.vertices, tracks.contour.start)
        parts.append((judge(tracks.larva_index, tracks.t, outline=outline,
                            midline=tracks.midline, chosen=chosen), truth))  # fmt: skip
        for name in SPOILED:
            number[name] += len(stretches(truth.faults[name], tracks.larva_index))
    before = np.cumsum([0, *(quality.sequence[-1] + 1 for quality, _ in parts)])
    said = {name: np.concatenate([getattr(quality, name) for quality, _ in parts])
            for name in ("bad", "high", "dropped")}  # fmt: skip
    return Verdicts(
        tracks.states, np.concatenate([truth.state for _, truth in parts]),
        {name: np.concatenate([truth.faults[name] for _, truth in parts]) for name in REALISTIC
         if name in parts[0][1].faults},
        number, **said,
        sequence=np.concatenate([q.sequence + n for (q, _), n in zip(parts, before[:-1],
                                                                     strict=True)]),
    )  # fmt: skip


def roc_area(seen: Verdicts, fault: str) -> float:
    """How often a frame with the fault has a larger share above the cut-off than one without."""
    known = ~np.isnan(seen.high)
    clean = known & ~seen.spoiled & ~seen.faults["flip"]
    faulty = known & seen.faults[fault]
    rank = mannwhitneyu(seen.high[faulty], seen.high[clean]).statistic
    return float(rank / (faulty.sum() * clean.sum()))


def dropped_by_action(seen: Verdicts) -> dict[str, tuple[float, float]]:
    """Share dropped of each action, and its variance, from the effective number of sequences."""
    out = {}
    for k, name in enumerate(seen.states):
        own = seen.state == k
        frames = np.bincount(seen.sequence[own])
        share = float(seen.dropped[own].mean())
        n = frames.sum() ** 2 / (frames**2).sum()
        out[name] = share, max(share, 1 / n) * (1 - share) / n
    return out


def eaten(seen: Verdicts, sigmas: float = 3.2) -> list[tuple[str, str]]:
    """Pairs of actions of which the first loses more than twice the second's share.

    3.2 standard errors: 2% of tests of thirty pairs name one by chance.
    """
    share = dropped_by_action(seen)
    return [
        (a, b)
        for a, b in permutations(share, 2)
        if share[a][0] - 2 * share[b][0] > sigmas * np.sqrt(share[a][1] + 4 * share[b][1])
    ]


def check(seen: Verdicts) -> None:
    assert not seen.bad[~seen.spoiled].any()
    assert roc_area(seen, "jitter") > 0.995 and roc_area(seen, "merge") > 0.97
    for name, share in FOUND.items():
        faulty = seen.faults[name]
        # whole stretches are found or not; each counts once
        error = np.sqrt(share * (1 - share) / seen.stretches[name])
        assert seen.bad[faulty].mean() >= share - 3 * error, name
    assert 0.05 < seen.dropped.mean() < 0.09
    assert eaten(seen) == []


def test_known_faults_are_found_and_no_action_is_eaten():
    seen = filmed(6, 1)
    assert min(np.bincount(seen.state)) > 1000
    check(seen)


def test_a_filter_that_eats_bent_larvae_is_seen_to():
    seen = filmed(4, 2, Filter(threshold=1.5e-4))
    assert ("roll", "run") in eaten(seen)


@pytest.mark.slow
def test_no_action_loses_more_than_twice_the_share_of_another():
    seen = filmed(60, 3)
    check(seen)
    share = {name: found for name, (found, _) in dropped_by_action(seen).items()}
    assert max(share.values()) < 2 * min(share.values()), share  # without any tolerance
