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


def test_larvae_are_as_long_bend_as_often_and_follow_their_heads(analysis, larvae):
    real, simulated = (analysis["summary"](larvae[group]) for group in ("real", "simulated"))
    assert simulated["length"] == pytest.approx(real["length"], rel=0.06)
    assert simulated["length_sd"] == pytest.approx(real["length_sd"], rel=0.35)
    assert simulated["bends_per_minute"] == pytest.approx(real["bends_per_minute"], rel=0.4)
    assert simulated["peak_50"] == pytest.approx(real["peak_50"], rel=0.3)
    assert 1.5 < simulated["follow"] < 2.4 and 1.7 < real["follow"] < 2.4  # a path: 2


def test_every_action_is_drawn(analysis, larvae):
    figure = analysis["draw_strips"](larvae["real"], 0)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[1::2] == [f"{action}, simulated" for action in analysis["ACTIONS"]]
