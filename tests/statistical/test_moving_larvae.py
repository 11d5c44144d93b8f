"""Effects on the body come back from the shapes, and bodies without an effect are alike."""

import numpy as np
import pytest

from larvastats.simulate import moving_larvae

N = 64
WHOLE = {"window": "whole"}


def groups(effects, seed):
    """Per larva: speed in runs (mm/s), SD of the bend (rad), median length (mm)."""
    rows = []
    for larva in moving_larvae(
        N, duration=30, fps=10, contour_points=8, effects=effects, seed=seed
    ):
        z = larva.midline[..., 0] + 1j * larva.midline[..., 1]
        run = larva.state[1:] == larva.states.index("run")
        speed = np.abs(np.diff(z[:, 5])) * 10
        bend = np.angle((z[:, 0] - z[:, 5]) * np.conj(z[:, 5] - z[:, -1]))
        length = np.abs(np.diff(z, axis=1)).sum(axis=1)
        rows.append((speed[run].mean() if run.any() else np.nan, bend.std(), np.median(length)))
    return np.log(np.array(rows))


@pytest.fixture(scope="module")
def controls():
    return groups((), 1)


@pytest.mark.parametrize(
    ("kind", "delta", "expected"),
    [
        # a longer larva of the same stride in lengths is faster, too
        ("speed", 0.7, (0.7, 1.0, 1.0)),
        ("spread", 1.5, (1.0, 1.45, 1.0)),
        ("length", 0.85, (0.85, 1.0, 0.85)),
        (None, 1.0, (1.0, 1.0, 1.0)),
    ],
)
def test_effects_are_recovered_within_four_standard_errors(controls, kind, delta, expected):
    effects = [{"kind": kind, "delta": delta, **WHOLE}] if kind else ()
    lines = groups(effects, 2)  # other larvae
    for k, ratio in enumerate(expected):
        one, two = (x[:, k][np.isfinite(x[:, k])] for x in (lines, controls))
        error = np.hypot(one.std() / np.sqrt(len(one)), two.std() / np.sqrt(len(two)))
        assert abs(one.mean() - two.mean() - np.log(ratio)) < 4 * error
        assert error < 0.1  # so that the effects asked for lie beyond it
    if kind:
        k = ("speed", "spread", "length").index(kind)
        assert abs(np.nanmean(lines[:, k]) - np.nanmean(controls[:, k])) > 0.1


def test_an_effect_acts_in_its_window_alone():
    effects = [{"kind": "length", "delta": 0.7, "window": "10:20"}]
    for larva, usual in zip(
        moving_larvae(8, duration=30, effects=effects, seed=3),
        moving_larvae(8, duration=30, seed=3),
        strict=True,
    ):
        ratio = [
            np.linalg.norm(np.diff(x.midline, axis=1), axis=2).sum(axis=1) for x in (larva, usual)
        ]
        ratio = ratio[0] / ratio[1]
        inside = (larva.t > 11) & (larva.t < 19.9)
        assert ratio[inside] == pytest.approx(0.7, abs=0.01)
        assert ratio[larva.t < 9.9] == pytest.approx(1.0)
        assert (larva.state == usual.state).all()


def test_a_smaller_larva_is_thinner_in_proportion():
    effects = [{"kind": "length", "delta": 0.7, "window": "whole"}]
    for larva, usual in zip(
        moving_larvae(4, duration=3, effects=effects, seed=3),
        moving_larvae(4, duration=3, seed=3),
        strict=True,
    ):
        width = [np.linalg.norm(x.contour[:, 6] - x.contour[:, -6], axis=1) for x in (larva, usual)]
        assert width[0] / width[1] == pytest.approx(0.7, abs=0.01)
