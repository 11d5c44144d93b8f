"""What a design can show, before anyone tests anything."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from larvastats import info, screen

CONTROL = "FCF_attP2_1500062"


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"dates": 2, "plates": 2, "controls": 2},
        {"dates": 1, "plates": 4, "controls": 4, "dated": False},
        {"dates": 1, "plates": 9, "controls": 12, "dated": False},
        {"dates": 5, "plates": 1, "controls": 2},
    ],
    ids=str,
)
def test_floors_are_those_of_the_screen(recordings, quick, sizes):
    table = recordings(larvae=3, **sizes)
    before = info(table, resamples=499).lines.set_index("genotype")
    after = screen(table, resamples=499, null="relabel", **quick).table.set_index("genotype")
    np.testing.assert_allclose(before.loc[after.index, "p_floor"], after["p_floor"], rtol=1e-12)
    assert list(before.loc[after.index, "control"]) == list(after["control"])
    assert list(before.loc[after.index, "n_assays"]) == list(after["n_assays"])


def test_it_says_what_is_there(small):
    found = info(small)
    assert found.totals["n_assays"] == 27 and found.totals["n_larvae"] == 135
    assert found.totals["states"] == ["run", "cast", "stop", "roll"]
    assert found.protocols["stimuli"][0] == "red light LED100: 30–60 s"
    assert list(found.lines["genotype"]) == ["A@UAS_X", "B@UAS_X", "C@UAS_X"]
    assert set(found.lines["n_shared_dates"]) == {3}
    assert len(found.dates) == 4 * 3 and set(found.dates["n_assays"]) == {2, 3}
    printed = repr(found)
    for words in ("27 assays, 135 larvae", "red light LED100: 30–60 s", "p_floor", "0.001"):
        assert words in printed


def test_a_design_that_allows_no_test_says_why(small):
    keep = (small["line"] != "B") | (small["assay"] == "B_0_0")
    one = info(small[keep]).lines.set_index("genotype").loc["B@UAS_X"]
    assert np.isnan(one["p_floor"]) and one["note"].startswith("one assay of the line")


def test_a_source_without_the_usual_control_is_described_with_a_note(small):
    other = small.assign(line=small["line"].replace({CONTROL: "W"}))
    found = info(other)
    assert len(found.lines) == 4 and set(found.lines["note"]) == {"no control"}
    assert found.lines["p_floor"].isna().all()
    assert any("name one with --control" in note for note in found.notes)
    named = info(other, control="W")
    assert list(named.lines["genotype"]) == ["A@UAS_X", "B@UAS_X", "C@UAS_X"]


def test_every_protocol_is_listed(small):
    late = small.assign(protocol="p_8_45s1x30s0s#n#n#n", assay=small["assay"] + "z")
    found = info(pd.concat([small, late]))
    assert len(found.protocols) == 2 and len(found.lines) == 6
    assert found.glance()["n_assays"][0] == 54


def test_tidy_glance_augment(small):
    found = info(small)
    assert len(found.tidy()) == 3 and len(found.glance()) == 1 and len(found.augment()) == 12
    assert "states" not in found.glance()
