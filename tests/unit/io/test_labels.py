"""Labels from elsewhere: one table for all, or label files beside the recordings."""

import json

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.io import choreography, trx
from larvastats.io.labels import choose_labels
from larvastats.io.paths import database_path, make_identity
from larvastats.io.source import load, load_with_report
from larvastats.io.tracks import Tracks

PROTOCOL = "p_8_45s1x30s0s#n#n#n"
STAMPS = ("20200131_093000", "20200131_103000")


def shapes(stamp: str, larvae=("1", "2"), n=20) -> Tracks:
    who = make_identity("t5", "A", "E", PROTOCOL, stamp)
    t = np.tile(np.arange(n) * 0.1, len(larvae))
    midline = np.linspace(0, 1, 11)[None, :, None] + np.zeros((len(t), 1, 2))
    return Tracks.build(who, larvae, np.repeat(np.arange(len(larvae)), n), t, midline=midline)


def label_file(stamp: str, names=("crawl", "bend"), larvae=("1", "2"), n=20) -> dict:
    codes = [1] * (n // 2) + [2] * (n // 2)
    data = [
        {"id": larva, "t": np.round(np.arange(n) * 0.1, 3).tolist(), "labels": codes}
        for larva in larvae
    ]
    return {"metadata": {"id": stamp}, "units": {"t": "s"}, "labels": list(names), "data": data}


@pytest.fixture
def spines(tmp_path):
    """Two recordings of shapes without actions."""
    for stamp in STAMPS:
        one = shapes(stamp)
        path = tmp_path / "db" / database_path(one.identity, "20.spine")
        path.parent.mkdir(parents=True)
        choreography.write_spine(one, path)
    return tmp_path / "db"


def beside(root, stamp, name, document):
    folder = next(root.rglob(stamp))
    (folder / name).write_text(json.dumps(document))


def test_without_labels_it_is_said_what_to_do(spines):
    with pytest.raises(DataError, match="holds shapes but no actions; put a label file beside it"):
        load(spines)


def test_label_files_beside_are_taken_by_themselves(spines):
    for stamp in STAMPS:
        beside(spines, stamp, "predicted.label", label_file(stamp))
    ethogram, notes = load_with_report(spines)
    assert notes == ()
    assert ethogram.genotypes == ("A@E",)
    assert ethogram.protocols == (PROTOCOL,)
    assert sorted(ethogram.assays["date"] + "_" + ethogram.assays["time"]) == sorted(STAMPS)
    assert ethogram.n_bouts == 8
    assert {ethogram.states[s] for s in ethogram.state} == {"run", "cast"}


def test_the_most_useful_one_is_taken_and_the_others_are_named(spines):
    for stamp in STAMPS:
        beside(spines, stamp, "predicted.label", label_file(stamp))
        beside(spines, stamp, "a.label", label_file(stamp, names=("x", "y")))
    ethogram, notes = load_with_report(spines)
    assert {ethogram.states[s] for s in ethogram.state} == {"run", "cast"}
    assert len(notes) == 2 and "come from predicted.label, not from a.label" in notes[0]
    chosen = load(spines, labels="a.label")
    assert {chosen.states[s] for s in chosen.state} == {"x", "y"}


def test_a_recording_without_that_label_file_is_left_out(spines):
    beside(spines, STAMPS[0], "predicted.label", label_file(STAMPS[0]))
    ethogram, notes = load_with_report(spines, labels="predicted.label")
    assert len(ethogram.assays) == 1
    assert len(notes) == 1 and "expected the label file 'predicted.label' beside it" in notes[0]


def test_labels_of_another_recording_are_refused(spines):
    for stamp in STAMPS:
        beside(spines, stamp, "predicted.label", label_file("20190101_000000"))
    with pytest.raises(DataError, match=r"is of 't5/.*/20190101_000000'"):
        load(spines)


def test_labels_without_a_date_are_those_of_their_folder(spines):
    for stamp in STAMPS:
        beside(spines, stamp, "predicted.label", label_file("plate"))
    assert len(load(spines).assays) == 2


@pytest.mark.parametrize("by", ["stamp", "id"])
@pytest.mark.parametrize("kind", ["bouts.csv", "frames.parquet"])
def test_a_table_of_all_recordings(spines, tmp_path, by, kind):
    ids = [stamp if by == "stamp" else shapes(stamp).identity.assay for stamp in STAMPS]
    table = pd.DataFrame(
        [
            (assay, larva, state, start, start + 1.0)
            for assay in [*ids, "20180101_000000"]
            for larva in ("1", "2")
            for start, state in ((0.0, "run"), (1.0, "roll"))
        ],
        columns=["assay", "larva", "state", "t_start", "t_stop"],
    )
    file = tmp_path / kind
    if kind == "bouts.csv":
        table.to_csv(file, index=False)
    else:
        frames = table.loc[table.index.repeat(10)].drop(columns="t_stop")
        step = np.tile(np.arange(10) * 0.1, len(table))
        frames.assign(t=frames.pop("t_start") + step).to_parquet(file)
    ethogram = load(spines, labels=str(file))
    assert len(ethogram.assays) == 2 and ethogram.n_bouts == 8
    assert ethogram.genotypes == ("A@E",)
    assert {ethogram.states[s] for s in ethogram.state} == {"run", "roll"}


def test_a_table_without_the_recording_is_said(spines, tmp_path):
    pd.DataFrame(
        {"assay": ["other"], "larva": ["1"], "state": ["run"], "t_start": [0.0], "t_stop": [1.0]}
    ).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"expected labels of assay 't5/A@E/.*in .*t\.csv"):
        load(spines, labels=str(tmp_path / "t.csv"))


def test_own_labels_go_before_those_beside_unless_these_are_asked_for(tmp_path):
    one = shapes(STAMPS[0])
    state = np.zeros(one.n_frames, np.int16)
    labelled = Tracks.build(
        one.identity, one.larvae, one.larva_index, one.t, midline=one.midline, states=("stop",),
        state=state,
    )  # fmt: skip
    path = tmp_path / database_path(one.identity, "trx.mat")
    path.parent.mkdir(parents=True)
    trx.write(labelled, path)
    beside(tmp_path, STAMPS[0], "predicted.label", label_file(STAMPS[0]))
    own, other = load(tmp_path), load(tmp_path, labels="predicted.label")
    assert {own.states[s] for s in own.state} == {"stop"}
    assert {other.states[s] for s in other.state} == {"run", "cast"}
    pd.testing.assert_frame_equal(own.assays, other.assays)


def test_a_trx_without_labels_takes_those_beside_it(tmp_path):
    one = shapes(STAMPS[0])
    path = tmp_path / database_path(one.identity, "trx.mat")
    path.parent.mkdir(parents=True)
    trx.write(one, path)
    with pytest.raises(DataError, match="expected labels in"):
        load(tmp_path)
    beside(tmp_path, STAMPS[0], "predicted.label", label_file(STAMPS[0]))
    assert load(tmp_path).n_bouts == 4


@pytest.mark.parametrize("choice", ["huge", "no/such/table.csv", "no_such_table.csv", ""])
def test_a_wrong_choice_is_wrong_usage(choice):
    with pytest.raises(UsageError, match="--labels must be one of large, all, strong, a table"):
        choose_labels(choice)


def test_labels_do_not_apply_to_tables_of_actions(spines, tmp_path):
    table = pd.DataFrame(
        {"assay": "x", "line": "l", "larva": "1", "state": "run", "t_start": [0.0], "t_stop": [1.0]}
    )
    with pytest.raises(UsageError, match=r"--labels predicted\.label is about recordings"):
        load(table, labels="predicted.label")
