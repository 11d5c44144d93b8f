"""The same from end to end: the package's own simulator, its command of many parts, one screen.

Lines share their controls, so that tests of one date move together: the share of calls scatters
more than a binomial one, and the limit is wider.
"""

from __future__ import annotations

import pytest

from larvastats import screen
from larvastats.simulate.design import ScreenDesign
from larvastats.simulate.effects import Effect
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import light_screen

MODEL = light_screen()


def design(lines, **changes):
    sizes = {"dates": 16, "assays_per_line": 6, "dates_per_line": 3, "larvae": (12, 20)}
    return ScreenDesign(model=MODEL, lines=lines, **(sizes | changes))


@pytest.fixture(scope="module")
def null_screen():
    names = tuple(f"null_{i:03d}" for i in range(96))
    return simulate_ethogram(design(names), seed=5)[0]


def test_null_lines_are_rarely_called(null_screen, rejected):
    table = screen(null_screen, bootstrap=0, calibrate=False).table
    assert len(table) == 96 and set(table["n_dates"]) == {3}
    for p in ("p_value", "p_exact"):
        assert rejected(table[p]).value <= 0.115, (p, rejected(table[p]))
    assert table["rejected"].sum() <= 1


def test_null_lines_do_not_respond_differently(null_screen, rejected):
    table = screen(null_screen, contrast="during-before", bootstrap=0, calibrate=False).table
    assert rejected(table["p_value"]).value <= 0.115, rejected(table["p_value"])


def test_few_larvae_per_plate_are_no_effect(rejected):
    names = tuple(f"null_{i:03d}" for i in range(96))
    data = simulate_ethogram(design(names, larvae=8, larvae_of={"FCF_attP2_1500062": 40}), 11)[0]
    table = screen(data, bootstrap=0, calibrate=False).table
    for p in ("p_value", "p_exact"):
        assert rejected(table[p]).value <= 0.115, (p, rejected(table[p]))


def test_lines_with_an_effect_come_first():
    names = ("null_1", "shift", "null_2", "null_3")
    effects = (Effect(line="shift", kind="transition", from_state="run", to_state="stop",
                      window="during", delta=0.3),)  # fmt: skip
    data = simulate_ethogram(design(names, dates=4, dates_per_line=4, assays_per_line=8,
                                    effects=effects), seed=7)[0]  # fmt: skip
    table = screen(data, bootstrap=0, calibrate=False, null="F").table
    assert table["line"].iloc[0] == "shift" and table["rejected"].iloc[0]
    assert table["top_transition"].iloc[0].startswith("run->")
