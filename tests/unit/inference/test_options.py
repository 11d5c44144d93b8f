"""Choices that make no sense are refused in one sentence."""

from __future__ import annotations

import pytest

from larvastats.errors import UsageError
from larvastats.inference.options import Options


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"statistic": "t"}, "statistic must be one of welch, hellinger, js, kl"),
        ({"transitions": "hop"}, "transitions must be one of jump, frame"),
        ({"null": "normal"}, "null must be one of auto, relabel, F"),
        ({"correction": "holm"}, "correction must be one of bh, by, bonferroni, maxt, none"),
        ({"row_weights": "some"}, "row_weights must be one of uniform, occupancy"),
        ({"alpha": 0}, "alpha must lie between 0 and 1, but is 0"),
        ({"alpha": 1.5}, "alpha must lie between 0 and 1, but is 1.5"),
        ({"resamples": 10}, "resamples must be at least 99, but is 10"),
        ({"bootstrap": -1}, "bootstrap must not be negative, but is -1"),
        ({"seed": -1}, "seed must be a whole number from 0 up, but is -1"),
        ({"variance": "vial"}, "variance must be one of date, plate, but is 'vial'"),
        ({"null": "F", "correction": "maxt"}, "each line's relabellings, and null='F' has none"),
        ({"null": "F", "statistic": "kl"}, "'kl'; use null='relabel'"),
    ],
)
def test_refused(choice, words):
    with pytest.raises(UsageError) as error:
        Options(**choice)
    assert words in str(error.value)


def test_the_defaults_are_those_of_the_field():
    options = Options()
    assert (options.statistic, options.transitions, options.correction) == ("welch", "jump", "bh")
    assert (options.null, options.alpha, options.resamples) == ("auto", 0.05, 10_000)
