"""Tables as columns of R, there and back; R itself is not needed."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError
from larvastats.r.columns import NA_INTEGER, NA_REAL, from_columns, to_columns


def there_and_back(table):
    return from_columns(to_columns(table), len(table))


def column(values, **more):
    (found,) = to_columns(pd.DataFrame({"x": values}, **more))
    return found


WHOLE = st.integers(-(2**31) + 1, 2**31 - 1)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(st.lists(st.tuples(WHOLE, FLOATS, st.booleans(), TEXTS), max_size=20))
def test_plain_tables_come_back_the_same(rows):
    table = pd.DataFrame(rows, columns=["n", "x", "truth", "text"]).astype(
        {"n": "int32", "x": "float64", "truth": "bool", "text": "str"}
    )
    pd.testing.assert_frame_equal(there_and_back(table), table)


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=20))
def test_texts_keep_what_is_missing(values):
    table = pd.DataFrame({"text": pd.array(values, dtype="str")})
    pd.testing.assert_frame_equal(there_and_back(table), table)


@given(st.lists(st.one_of(st.none(), WHOLE), min_size=1, max_size=20))
def test_whole_numbers_keep_what_is_missing(values):
    found = there_and_back(pd.DataFrame({"n": pd.array(values, dtype="Int64")}))["n"]
    assert [None if pd.isna(v) else v for v in found] == values


@given(st.lists(st.one_of(st.none(), st.dates()), min_size=1, max_size=20))
def test_days_stay_days(values):
    found = there_and_back(pd.DataFrame({"day": pd.Series(values, dtype=object)}))["day"]
    if any(v is not None for v in values):
        assert [None if pd.isna(v) else v for v in found] == values


def test_factors_keep_levels_order_and_gaps():
    levels = pd.CategoricalDtype(["low", "high", "never"], ordered=True)
    table = pd.DataFrame({"rank": pd.Series(["high", None, "low"], dtype=levels)})
    pd.testing.assert_frame_equal(there_and_back(table), table)
    assert column(table["rank"])["values"].tolist() == [2, NA_INTEGER, 1]


def test_numbers_are_the_levels_of_a_factor_as_text():
    assert column(pd.Categorical([10, 2, 10]))["levels"] == ("2", "10")


def test_moments_keep_instant_and_zone():
    moments = pd.to_datetime(["2020-03-29 01:30:00.25", None]).tz_localize("Europe/Berlin")
    found = there_and_back(pd.DataFrame({"t": moments}))["t"]
    assert found.dt.tz is not None and str(found.dt.tz) == "Europe/Berlin"
    assert found[0] == moments[0] and found.isna().tolist() == [False, True]


def test_a_moment_without_a_zone_is_taken_as_utc():
    assert column(pd.to_datetime(["1970-01-02"]))["zone"] == "UTC"


def test_a_zone_that_is_not_known_is_refused():
    bad = {"name": "t", "kind": "POSIXct", "values": np.array([0.0]), "zone": "Mars/Base"}
    with pytest.raises(DataError, match=r"column t .* time zone 'Mars/Base', which is not known"):
        from_columns([bad], 1)


def test_spans_are_seconds():
    found = column(pd.to_timedelta(["90s", None]))
    assert found["kind"] == "difftime" and found["values"][0] == 90
    assert there_and_back(pd.DataFrame({"d": pd.to_timedelta(["90s"])}))["d"][0] == pd.Timedelta(
        90, "s"
    )


def test_whole_numbers_beyond_those_of_r_become_numbers():
    found = column([2**31, 1])
    assert found["kind"] == "double" and found["values"].tolist() == [2.0**31, 1.0]
    assert column([-(2**31), 1])["kind"] == "double"  # that one is R's NA


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, None], "logical"),
        ([1, None], "integer"),
        ([1.5, None], "double"),
        (["a", None], "character"),
        ([None, None], "character"),
        ([1, "a"], "character"),
        ([(1, 2), None], "character"),
        ([datetime.date(2020, 1, 2), None], "Date"),
        ([datetime.datetime(2020, 1, 2), None], "POSIXct"),
    ],
    ids=["truth", "whole", "numbers", "texts", "nothing", "mixed", "tuples", "days", "moments"],
)
def test_columns_of_objects_become_what_they_hold(values, kind):
    assert column(pd.Series(values, dtype=object))["kind"] == kind


def test_numbers_are_handed_over_without_a_copy():
    table = pd.DataFrame({"x": np.arange(5.0)})
    (found,) = to_columns(table)
    assert np.shares_memory(found["values"], table["x"].to_numpy())


def test_na_is_the_one_of_r():
    assert np.isnan(np.array([NA_REAL]).view(np.float64)[0]) and int(NA_REAL) & 0xFFFFFFFF == 1954


def test_single_cells_and_none():
    found = from_columns(
        [
            {"name": "n", "kind": "integer", "values": None},
            {"name": "x", "kind": "double", "values": None},
            {"name": "s", "kind": "character", "values": 1, "levels": "a"},
        ],
        1,
    )
    assert found.isna().iloc[0].tolist() == [True, True, False] and found["s"][0] == "a"
    assert from_columns([], 3).shape == (3, 0)


def test_what_tables_do_not_have_is_refused_by_name():
    with pytest.raises(DataError, match=r"column z of the data.frame is of kind list"):
        from_columns([{"name": "z", "kind": "list", "values": 0}], 1)
    one = {"name": "n", "kind": "integer", "values": 1}
    with pytest.raises(DataError, match="several columns named 'n'"):
        from_columns([one, one], 1)
