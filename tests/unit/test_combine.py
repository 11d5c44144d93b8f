import numpy as np
import pandas as pd
import pytest

from larvastats.combine import concat, merge_short
from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram


def recording(assay="p", states=("run", "stop", "run"), seconds=(1.0, 0.2, 1.0), start=0.0, **more):
    t = start + np.cumsum([0.0, *seconds])
    table = pd.DataFrame(
        {"assay": assay, "line": "A", "larva": "1", "state": states, "t_start": t[:-1],
         "t_stop": t[1:]}
    )  # fmt: skip
    return Ethogram.from_bouts(table.assign(**more))


def named_bouts(ethogram):
    names = [ethogram.states[code] for code in ethogram.state]
    return list(zip(names, ethogram.t_start.round(6), ethogram.t_stop.round(6), strict=True))


def test_concat_unites_vocabularies_in_standard_order():
    one = recording("p", ("stop", "zigzag"), (1, 1))
    two = recording("q", ("active", "run"), (1, 1))
    both = concat([one, two])
    assert both.states == ("run", "stop", "active", "zigzag")
    assert [name for name, *_ in named_bouts(both)] == ["stop", "zigzag", "active", "run"]


def test_concat_keeps_a_vocabulary_that_all_share():
    states = ("zigzag", "run", "stop")
    parts = [
        Ethogram.from_bouts(recording(assay).to_bouts(), states=states) for assay in ("p", "q")
    ]
    assert concat(parts).states == states


def test_concat_joins_covariates():
    both = concat([recording("p", wind=3.0), recording("q", plate="x")])
    assert both.assays["wind"].tolist()[0] == 3.0
    assert np.isnan(both.assays["wind"].tolist()[1])
    assert both.assays["plate"].isna().tolist() == [True, False]


def test_concat_keeps_larvae_with_their_assays():
    both = concat([recording("q"), recording("p")])
    assert list(both.assays["assay"]) == ["q", "p"]
    assert list(both.larvae["assay_index"]) == [0, 1]
    assert list(both.larva_index) == [0, 0, 0, 1, 1, 1]


def test_concat_of_one_is_itself():
    one = recording()
    assert concat([one]) is one


def test_concat_of_an_empty_recording_changes_no_bout():
    empty = recording("q").clip([(50, 60)])
    both = concat([recording("p"), empty])
    assert named_bouts(both) == named_bouts(recording("p"))
    assert list(both.assays["assay"]) == ["p", "q"]


def test_concat_refuses_an_assay_twice():
    with pytest.raises(DataError, match=r"my screen: every assay .* one recording, but 'p' occurs"):
        concat([recording("p"), recording("q"), recording("p")], source="my screen")


def test_concat_refuses_nothing():
    with pytest.raises(UsageError, match="at least one recording"):
        concat([])


MERGES = {
    "absorbed by the bout before": (
        ("run", "stop", "cast"), (1, 0.2, 1), [("run", 0, 1.2), ("cast", 1.2, 2.2)],
    ),
    "flicker inside a bout": (("run", "stop", "run"), (1, 0.2, 1), [("run", 0, 2.2)]),
    "at the head, by the bout after": (
        ("stop", "cast", "run"), (0.2, 0.1, 1), [("run", 0, 1.3)],
    ),
    "a chain": (
        ("run", "stop", "cast", "hunch", "stop"), (1, 0.2, 0.2, 0.2, 1),
        [("run", 0, 1.6), ("stop", 1.6, 2.6)],
    ),
    "nothing long enough": (
        ("run", "stop", "run"), (0.1, 0.2, 0.1),
        [("run", 0, 0.1), ("stop", 0.1, 0.3), ("run", 0.3, 0.4)],
    ),
    "exactly long enough": (
        ("run", "stop", "run"), (1, 0.3, 1),
        [("run", 0, 1), ("stop", 1, 1.3), ("run", 1.3, 2.3)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MERGES)
def test_short_bouts_are_absorbed(name):
    states, seconds, expected = MERGES[name]
    merged = merge_short(recording(states=states, seconds=seconds), 0.3)
    assert named_bouts(merged) == [(s, pytest.approx(a), pytest.approx(b)) for s, a, b in expected]


def test_nothing_is_absorbed_across_lost_tracking_or_between_larvae():
    table = pd.DataFrame(
        {
            "assay": "p", "line": "A", "larva": ["1", "1", "2"],
            "state": ["run", "stop", "cast"],
            "t_start": [0, 5, 0], "t_stop": [4, 5.1, 0.1],
        }
    )  # fmt: skip
    ethogram = Ethogram.from_bouts(table)
    assert merge_short(ethogram, 1.0).equals(ethogram, atol=0)


def test_zero_changes_nothing():
    ethogram = recording(seconds=(0.01, 0.01, 0.01))
    assert merge_short(ethogram, 0) is ethogram


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf])
def test_a_duration_must_be_one(wrong):
    with pytest.raises(UsageError, match="--min-bout must be a duration in s"):
        merge_short(recording(), wrong)
