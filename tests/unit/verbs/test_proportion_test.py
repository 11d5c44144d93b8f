"""Equal proportions; R's numbers and the published ones are in tests/reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from larvastats import UsageError, proportion_test

groups = st.lists(
    st.integers(2, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=2,
    max_size=4,
)


@given(groups)
def test_as_scipys_chi_square_without_correction(pairs):
    k, n = (list(side) for side in zip(*pairs, strict=True))
    found = proportion_test(k, n)
    if sum(k) in (0, sum(n)):
        assert np.isnan(found.p_value) and "nothing to compare" in found.notes[0]
        return
    table = np.array([k, np.subtract(n, k)])
    reference = stats.chi2_contingency(table, correction=False)
    assert found.statistic["X-squared"] == pytest.approx(reference.statistic, rel=1e-10)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-10)
    assert found.parameter == {"df": len(k) - 1}
    assert list(found.estimate.values()) == pytest.approx([a / b for a, b in pairs])


@given(groups)
def test_successes_and_failures_are_treated_alike(pairs):
    k, n = (np.array(side) for side in zip(*pairs, strict=True))
    one, other = proportion_test(k, n), proportion_test(n - k, n)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9, nan_ok=True)


def test_the_interval_is_of_two_groups_only():
    assert proportion_test([1, 2], [9, 9]).conf_int is not None
    assert proportion_test([1, 2, 3], [9, 9, 9]).conf_int is None


def test_small_expected_counts_are_noted():
    assert "expected counts below 5" in proportion_test([1, 3], [10, 10]).notes[0]
    assert proportion_test([10, 30], [100, 100]).notes == ()


def test_groups_can_be_named():
    found = proportion_test([10, 30], [100, 100], names=["control", "Basin"])
    assert list(found.estimate) == ["control", "Basin"]
    assert found.tidy()["estimate_basin"][0] == 0.3


def test_the_unit_is_said():
    assert proportion_test([10, 30], [100, 100]).design == {"unit": "individual"}


@pytest.mark.parametrize(
    ("k", "n", "options", "words"),
    [
        ([1], [2], {}, "two groups or more, but have 1 and 1"),
        ([1, 2], [3], {}, "two groups or more, but have 2 and 1"),
        ([5, 2], [4, 9], {}, "group 1 has 5 of 4"),
        ([0, 0], [4, 0], {}, "group 2 has 0 of 0"),
        ([1.5, 2], [4, 9], {}, "successes must be whole numbers from 0 up"),
        ([-1, 2], [4, 9], {}, "successes must be whole numbers from 0 up"),
        (["a", 2], [4, 9], {}, "successes must be whole numbers"),
        ([1, 2], [4, float("nan")], {}, "trials must be whole numbers"),
        ([1, 2], [4, 9], {"conf_level": 95}, "conf_level must lie between 0 and 1, but is 95"),
    ],
    ids=str,
)
def test_wrong_calls(k, n, options, words):
    with pytest.raises(UsageError) as error:
        proportion_test(k, n, **options)
    assert words in str(error.value)


@pytest.mark.parametrize("names", [["only one"], ["twice", "twice"]])
def test_as_many_names_as_groups(names):
    with pytest.raises(UsageError, match="names must be one per group, all different"):
        proportion_test([1, 2], [9, 9], names=names)
