import dataclasses

import numpy as np
import pytest

from larvastats.errors import UsageError
from larvastats.simulate.states import (
    AIRPUFF_PROTOCOL,
    LIGHT_PROTOCOL,
    airpuff_screen,
    light_screen,
    matrix,
    screen_model,
    with_duration,
)


@pytest.mark.parametrize("build", [light_screen, airpuff_screen])
def test_matrices_are_stochastic_with_a_zero_diagonal(build):
    model = build()
    for rows in (model.transitions, model.startle.transitions, model.sustained.transitions):
        np.testing.assert_allclose(rows.sum(axis=1), 1)
        assert (np.diag(rows) == 0).all()
        assert (rows >= 0).all()


def test_recordings_outlast_the_stimuli():
    assert light_screen().duration == 90
    assert airpuff_screen().duration == 220


@pytest.mark.parametrize(
    ("text", "name", "protocol"),
    [
        (None, "light", LIGHT_PROTOCOL),
        ("light", "light", LIGHT_PROTOCOL),
        ("airpuff", "airpuff", AIRPUFF_PROTOCOL),
        ("r_LED100_30s", "light", LIGHT_PROTOCOL),
        ("p_8_45s1x30s0s", "airpuff", AIRPUFF_PROTOCOL),
        ("p_3_60s10x2s8s#n#n#n", "airpuff", "p_3_60s10x2s8s#n#n#n"),
    ],
)
def test_a_protocol_chooses_its_model(text, name, protocol):
    model = screen_model(text)
    assert (model.name, model.protocol) == (name, protocol)


@pytest.mark.parametrize("text", ["paired", "ch_95grad_10s1x60s0s#n#n#n", "x"])
def test_a_protocol_of_another_kind_is_refused(text):
    with pytest.raises(UsageError, match=r"cannot be simulated; expected light .*airpuff"):
        screen_model(text)


def test_a_matrix_that_is_none_is_refused():
    rows = light_screen().transitions.copy()
    rows[0, 1] += 0.2
    with pytest.raises(UsageError, match="rows that sum to 1"):
        dataclasses.replace(light_screen(), transitions=rows)
    with pytest.raises(UsageError, match="one row per state"):
        dataclasses.replace(light_screen(), transitions=rows[:5])


def test_a_dwell_time_within_the_dead_time_is_refused():
    with pytest.raises(UsageError, match="dwell time must exceed"):
        dataclasses.replace(light_screen(), dwell_mean=np.full(6, 0.05))


def test_weights_become_a_matrix():
    np.testing.assert_allclose(matrix([[9, 1, 3], [2, 9, 2], [1, 0, 9]]),
                               [[0, 0.25, 0.75], [0.5, 0, 0.5], [1, 0, 0]])  # fmt: skip


def test_a_duration_is_tenths_of_seconds():
    assert with_duration(light_screen(), 120.04).duration == 120.0
    with pytest.raises(UsageError, match="at least 1 s"):
        with_duration(light_screen(), 0)
