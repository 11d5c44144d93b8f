"""Screens that several tests share; large enough that chance stays small."""

import pytest

from larvastats.simulate.design import ALWAYS_TRACKED, RandomEffects, ScreenDesign
from larvastats.simulate.effects import Effect
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import airpuff_screen, light_screen

NO_SPREAD = RandomEffects(date=0, vial=0, plate=0, larva=0)


@pytest.fixture(scope="session")
def certain_light():
    """Light screen without random effects or lost tracks: one line with an effect of each kind."""
    effects = (
        Effect("A", "transition", 0.2, "run", "stop"),
        Effect("B", "dwell", 2.0, "cast", window="during"),
        Effect("C", "habituation", 10.0),
    )
    design = ScreenDesign(
        light_screen(), ("A", "B", "C"), dates=1, assays_per_line=5, control_assays_per_date=10,
        larvae=200, effects=effects, spread=NO_SPREAD, tracking=ALWAYS_TRACKED,
    )  # fmt: skip
    return simulate_ethogram(design, 11)


@pytest.fixture(scope="session")
def usual_airpuff():
    """Air-puff screen as it comes: random effects, larvae lost and found."""
    design = ScreenDesign(
        airpuff_screen(), ("N",), dates=20, assays_per_line=20, control_assays_per_date=4,
        larvae=(30, 50),
    )  # fmt: skip
    return simulate_ethogram(design, 5)
