"""Numbers as a statistician writes them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.report import html, numbers


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1.0, "1.00"),
        (0.5, "0.50"),
        (0.0631, "0.063"),
        (0.0142, "0.014"),
        (0.00356, "0.0036"),
        (0.000296, "0.00030"),
        (0.0000321, "3.2 × 10<sup>−5</sup>"),
        (1.9e-21, "1.9 × 10<sup>−21</sup>"),
        (0.00999, "0.010"),
        (0.0, "&lt; 10<sup>−300</sup>"),
        (float("nan"), "–"),
        (pd.NA, "–"),
        (None, "–"),
    ],
)
def test_p_values_have_two_significant_digits(p: object, text: str) -> None:
    assert numbers.p_value(p) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0504, "0.0504"), (0.05, "0.050"), (0.0496, "0.050"), (0.050001, "0.050001")]
)
def test_rounding_never_carries_a_p_value_across_the_level(p: float, text: str) -> None:
    assert numbers.p_value(p, 0.05) == text


@given(st.floats(1e-290, 1), st.sampled_from([0.05, 0.01, 0.001]))
def test_a_printed_p_value_is_near_and_on_its_side(p: float, level: float) -> None:
    text = numbers.p_value(p, level)
    power = re.fullmatch(r"(.+) × 10<sup>−(\d+)</sup>", text)
    read = float(f"{power[1]}e-{power[2]}") if power else float(text)
    assert abs(read - p) <= 0.051 * p + 1e-300
    assert (read <= level) == (p <= level)
    assert "e" not in text.replace("<sup>", "").replace("</sup>", "")


def test_signs_are_true_minus_signs_and_zero_has_none() -> None:
    assert numbers.fixed(-0.261) == "−0.26"
    assert numbers.fixed(-0.001) == "0.00"
    assert numbers.signed(0.63) == "+0.63"
    assert numbers.signed(-0.26) == "−0.26"
    assert numbers.signed(0.001) == "0.00"
    assert numbers.fixed(1234.5, 1) == "1,234.5"
    assert numbers.fixed(np.inf) == "∞"
    assert numbers.interval(0.4, 0.6) == "0.40–0.60"
    assert numbers.interval(-0.4, 0.6) == "−0.40 to 0.60"
    assert numbers.interval(0.4, float("nan")) == "–"
    assert numbers.counted(1, "line") == "1 line"
    assert numbers.counted(1234, "larva", "larvae") == "1,234 larvae"


def test_prose_sets_marks_and_leaves_names_alone() -> None:
    said = "GMR-1A-2 0.001-0.812 <= .05, run->stop, line x date, -0.1; 2015-07-01 UAS-5-HT <b>"
    assert html.prose(said) == (
        "GMR-1A-2 0.001–0.812 ≤ .05, run→stop, line × date, −0.1; 2015-07-01 UAS-5-HT &lt;b&gt;"
    )
