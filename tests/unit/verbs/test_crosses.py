"""Where a column `cross` names vials they are exchanged; where not, they are looked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import UsageError, calibrate, compare, info, screen


@pytest.fixture(scope="module")
def crossed(small):
    """Line: both plates of a date from one vial; control: three vials."""
    control = small["line"].eq("FCF_attP2_1500062")
    return small.assign(cross=np.where(control, "c" + small["assay"].str[-1], "own"))


def test_crosses_are_the_units_where_they_are_known(crossed, quick):
    result = screen(crossed, **quick)
    assert result.design["unit"] == "cross" and result.design["unit_text"].startswith("cross")
    relabelled = screen(crossed, null="relabel", **quick)
    assert "crosses relabelled within dates" in str(relabelled)
    assert set(result.table["n_assays"]) == {3} and set(result.table["n_control_assays"]) == {9}
    # one vial against three on each of three dates
    assert result.table["p_floor"].to_numpy() == pytest.approx(1 / 4**3)
    assert any("27 plates pooled into 18 crosses" in note for note in result.notes)
    assert len(result.units) == 18
    floors = info(crossed).lines.set_index("genotype")["p_floor"].dropna()
    assert floors.to_numpy() == pytest.approx(1 / 4**3)


def test_a_cross_has_the_p_value_of_its_pooled_plates(crossed, quick):
    """The same as a table in which the plates of a vial have one name."""
    pooled = crossed.assign(
        assay=crossed["line"] + crossed["date"] + crossed["cross"],
        larva=crossed["assay"] + crossed["larva"],
    )
    one = screen(crossed, **quick).table
    other = screen(pooled, unit="assay", **quick).table
    columns = ["line", "statistic", "p_value", "p_exact", "hellinger", "top_transition"]
    pd.testing.assert_frame_equal(one[columns], other[columns])


def test_plates_are_exchanged_on_request(crossed, small, quick):
    on_request = screen(crossed, unit="assay", **quick).table
    pd.testing.assert_frame_equal(on_request, screen(small, **quick).table)


def test_compare_and_calibrate_know_crosses(crossed, quick):
    row = screen(crossed, null="relabel", **quick).table.set_index("line").loc["A"]
    assert compare(crossed, "A", null="relabel", bootstrap=0).p_value == row["p_value"]
    checked = calibrate(crossed, draws=40, resamples=99)
    assert checked.design["n_control_assays"] == 9
    assert not any("no column 'cross'" in note for note in checked.notes)


def test_unit_cross_needs_the_column(small):
    with pytest.raises(UsageError, match="unit='cross' needs a column 'cross'"):
        screen(small, unit="cross")


def vials(small, strength, seed=0):
    """The small screen many times over, whose vials take running for stopping, or not."""
    rng = np.random.default_rng(seed)
    rows = []
    for copy in range(4):
        part = small[small["line"] != "A"].copy()
        part["line"] = part["line"].where(part["line"].eq("FCF_attP2_1500062"),
                                          part["line"] + str(copy))  # fmt: skip
        if copy:
            part = part[part["line"] != "FCF_attP2_1500062"]
        part["assay"] = part["assay"] + f"_{copy}"
        rows.append(part)
    table = pd.concat(rows)
    swap = {}
    for vial in (table["line"] + table["date"]).unique():
        swap[vial] = rng.random() < strength
    swapped = (table["line"] + table["date"]).map(swap)
    other = table["state"].replace({"run": "stop", "stop": "run"})
    return table.assign(state=table["state"].where(~swapped, other))


def test_vials_that_nobody_named_are_seen_and_said(small, quick):
    quiet = screen(vials(small, 0.0), null="relabel", **quick)
    assert not any("vials vary" in note for note in quiet.notes)
    loud = vials(small, 0.5)
    notes = screen(loud, null="relabel", **quick).notes
    assert any("vials vary" in n and "null='F' does not" in n for n in notes)
    assert not any("vials vary" in n for n in screen(loud, null="F", **quick).notes)
    by_plate = screen(loud, null="F", variance="plate", **quick).notes
    assert any("use variance='date'" in n for n in by_plate)
