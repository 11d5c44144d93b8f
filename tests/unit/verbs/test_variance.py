"""`variance="plate"`: more power on few dates, for an assumption that is always said."""

from __future__ import annotations

import numpy as np
import pytest

from larvastats import UsageError, calibrate, compare, screen
from larvastats.inference.options import NO_VIAL


@pytest.fixture(scope="module")
def plates(small):
    return screen(small, variance="plate", calibrate=False)


def test_the_assumption_is_said_wherever_the_result_is_read(small, plates, quick):
    assert NO_VIAL in str(plates) and NO_VIAL in plates.design["unit_text"]
    assert plates.design["variance"] == "plate"
    assert plates.table["note"].str.contains(NO_VIAL).all()
    test = compare(small, "A", variance="plate", bootstrap=0)
    assert NO_VIAL in str(test) and test.design["variance"] == "plate"
    checked = calibrate(small, variance="plate", draws=40, resamples=99)
    assert NO_VIAL in str(checked)
    usual = screen(small, **quick)
    assert NO_VIAL not in str(usual) and not usual.table["note"].str.contains("vial").any()


def test_a_comparison_is_a_row_of_the_screen(small, plates):
    row = plates.table.set_index("line").loc["B"]
    test = compare(small, "B", variance="plate", null="relabel" if row["null"] != "F" else "F")
    assert test.statistic["T"] == pytest.approx(row["statistic"], rel=1e-12)
    assert test.p_value == row["p_value"]
    assert test.conf_int == (row["hellinger_low"], row["hellinger_high"])


def test_it_divides_by_plates_and_not_by_dates(small, plates, quick):
    usual = screen(small, **quick).table.set_index("line")
    found = plates.table.set_index("line")
    assert not np.allclose(found["statistic"], usual.loc[found.index, "statistic"], rtol=0.01)
    # numerators, floors and effect sizes are the same
    for column in ("p_floor", "hellinger", "hellinger_adjusted"):
        np.testing.assert_allclose(found[column], usual.loc[found.index, column])


def test_one_date_is_enough_for_it(recordings, quick):
    table = recordings(dates=1, plates=4, controls=5)
    assert screen(table, **quick).table["p_value"].isna().all()
    found = screen(table, variance="plate", calibrate=False).table
    assert found["p_value"].notna().all() and found["line"].iloc[0] == "A"
    assert (found["hellinger_low"] <= found["hellinger_high"]).all()


def test_single_plates_everywhere_have_no_variance_of_plates(recordings, quick):
    table = screen(recordings(plates=1, controls=1), variance="plate", **quick).table
    assert table["p_value"].isna().all()
    assert table["note"].str.contains("no variance of plates, no test").all()


def test_without_dates_it_changes_nothing(undated, quick):
    one, other = (screen(undated, variance=v, **quick).table for v in ("date", "plate"))
    assert one.equals(other)


def test_other_names_are_refused(small):
    with pytest.raises(UsageError, match="variance must be one of date, plate"):
        screen(small, variance="vial")
