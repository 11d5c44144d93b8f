import numpy as np
import pytest

from larvastats.errors import UsageError
from larvastats.protocol import windows
from larvastats.simulate.expectation import equilibrium, expect, mean_occupancy, mean_transitions
from larvastats.simulate.states import airpuff_screen, light_screen, with_duration
from larvastats.simulate.timecourse import timecourse

PUBLISHED_FIRST_2_S = {
    "run": 0.551, "cast": 0.287, "stop": 0.039, "hunch": 0.070, "back": 0.053, "roll": 0.0002,
}  # fmt: skip
"""Control of the t5 screen, first 2 s of the air puff, 12,716 larvae."""


def test_equilibrium_of_two_states_is_the_ratio_of_their_dwell_times():
    share = equilibrium(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([3.0, 1.0]))
    np.testing.assert_allclose(share, [0.75, 0.25])


def test_a_chain_in_two_parts_is_one_sentence():
    rows = np.kron(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(UsageError, match="cut the states into parts"):
        equilibrium(rows, np.ones(4))


@pytest.mark.parametrize("build", [light_screen, airpuff_screen])
def test_a_chain_stays_in_equilibrium_until_the_stimulus(build):
    model = with_duration(build(), 30)
    course, _ = timecourse(model)
    expectation = expect(model, course)
    start = equilibrium(model.transitions, model.dwell_mean)
    np.testing.assert_allclose(expectation.occupancy, np.tile(start, (300, 1)), atol=2e-3)
    np.testing.assert_allclose(expectation.occupancy.sum(axis=1), 1, atol=1e-9)
    before = windows(model.timing, "before")[0]
    np.testing.assert_allclose(mean_transitions(model, expectation, before), model.transitions)


def test_the_air_puff_screen_has_the_published_base_rates():
    model = with_duration(airpuff_screen(), 48)
    expectation = expect(model, timecourse(model)[0])
    still = mean_occupancy(model, expectation, windows(model.timing, "35:45")[0])
    assert still[3] == pytest.approx(0.0010, abs=0.0001)
    first = mean_occupancy(model, expectation, windows(model.timing, "45:47")[0])
    expected = [PUBLISHED_FIRST_2_S[state] for state in model.states]
    np.testing.assert_allclose(first, expected, atol=0.002)
    assert first[5] == pytest.approx(0.0002, abs=0.0001)


def test_an_unvisited_row_is_not_a_number():
    model = with_duration(light_screen(), 20)
    expectation = expect(model, timecourse(model)[0])
    nothing = mean_transitions(model, expectation, windows(model.timing, "30:40")[0])
    assert np.isnan(nothing).all()
    assert np.isnan(mean_occupancy(model, expectation, windows(model.timing, "30:40")[0])).all()
