"""Simulated bodies beside 18 real larvae: the numbers of analyses/larva.md."""

import runpy
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "analyses" / "04_moving_larva.py"


@pytest.fixture(scope="module")
def analysis():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def larvae(analysis, shared_data):
    schleyer = analysis["schleyer"]
    tracks = schleyer.read(shared_data / "schleyer")
    return {
        "real": list(analysis["without_gaps"](tracks, schleyer.FPS)),
        "simulated": list(analysis["simulated"](48, 30.0, 16.0, 3)),
    }


@pytest.mark.parametrize(
    ("name", "percentile", "tolerance"),
    [
        ("speed (lengths/s)", 50, 0.10),
        ("speed (lengths/s)", 95, 0.15),
        ("bend (rad)", 50, 0.25),
        ("bend (rad)", 75, 0.25),
        ("bend (rad)", 95, 0.35),
        ("length (of its median)", 95, 0.03),
        ("turn in 5 s (rad)", 50, 0.30),
        ("path in 5 s (lengths)", 50, 0.15),
    ],
)
def test_bodies_move_as_real_ones_do(analysis, larvae, name, percentile, tolerance):
    real, simulated = (
        np.percentile(analysis["measures"](larvae[group])[name], percentile)
        for group in ("real", "simulated")
    )
    assert simulated == pytest.approx(real, rel=tolerance)


def test_waves_have_the_shape_of_real_ones(analysis, larvae):
    real, simulated = (analysis["wave"](larvae[group]) for group in ("real", "simulated"))
    for waves in (real, simulated):
        head, tail = (np.angle(np.exp(2j * np.pi * np.arange(16) / 16) @ x) for x in waves.T)
        lag = (tail - head) / (2 * np.pi) % 1
        assert 0.12 < lag < 0.26  # the head's pulse comes before the tail's next one
    assert np.ptp(simulated, axis=0) == pytest.approx(np.ptp(real, axis=0), rel=0.2)


def test_a_path_is_followed(larvae):
    """The rear half turns at bend x speed / length times 2 on a path, 1.95 in real larvae."""
    ratio = {}
    for group, own in larvae.items():
        slopes = []
        for larva in own:
            rear = np.unwrap(np.angle(larva.middle - larva.midline[:, -1]))
            turn = np.convolve(np.gradient(rear) * larva.fps, np.ones(8) / 8, "same")
            push = larva.bend * larva.along(larva.middle) / larva.length
            push = np.convolve(push, np.ones(8) / 8, "same")
            slopes.append((push @ turn) / (push @ push))
        ratio[group] = np.median(slopes)
    assert 1.7 < ratio["real"] < 2.4 and 1.5 < ratio["simulated"] < 2.4


def test_every_action_is_drawn(analysis, larvae):
    figure = analysis["draw_strips"](larvae["real"], 0)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[1::2] == [f"{action}, simulated" for action in analysis["ACTIONS"]]
