"""Shapes and labels on their way into a store, from every format that has them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.io import choreography, larvatagger, trx
from larvastats.io.contours import Contours
from larvastats.io.paths import database_path, make_identity
from larvastats.io.shape_series import VERDICTS
from larvastats.io.source import load
from larvastats.io.store import read_store, store_checksum, store_tracks
from larvastats.io.tracks import Tracks
from larvastats.shape.kinematics import UNITS
from larvastats.shape.quality import Fault
from larvastats.verbs.info import info
from larvastats.verbs.ingest import ingest

PROTOCOL = "p_8_45s1x30s0s#n#n#n"
STAMPS = ("20200131_093000", "20200131_103000", "20200201_093000")


def larvae(stamp: str, *, states=(), n=30, seed=0) -> Tracks:
    rng = np.random.default_rng(seed)
    who = make_identity("t5", "A", "E", PROTOCOL, stamp)
    index = np.repeat([0, 1], n)
    start = rng.uniform(0, 50, (2 * n, 1, 2)).round(3)
    midline = start + np.linspace(0, 1, 11).round(3)[:, None]
    aside = [0.1, -0.1]
    outline = np.concatenate((midline[:, ::2], midline[:, ::-2] + aside), axis=1).round(3)
    return Tracks.build(
        who, ("1", "2"), index, np.tile(np.arange(n) * 0.1, 2), midline=midline.round(3),
        contour=Contours.from_padded(outline), centroid=midline.mean(axis=1),
        features={"larva_length_smooth_5": np.full(2 * n, 1.5)}, states=states,
        state=np.repeat(np.arange(4) % 2, n // 2).astype(np.int16) if states else None,
    )  # fmt: skip


def place(root: Path, one: Tracks, name: str) -> Path:
    path = root / database_path(one.identity, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One trx.mat with labels, one spine and outline with a label file, one spine without."""
    root = tmp_path / "database"
    whole, labelled, bare = (
        larvae(stamp, states=("run", "cast") if i < 2 else (), seed=i)
        for i, stamp in enumerate(STAMPS)
    )
    trx.write(whole, place(root, whole, "trx.mat"))
    choreography.write_spine(labelled, place(root, labelled, "20.spine"))
    choreography.write_outline(labelled, place(root, labelled, "20.outline"))
    larvatagger.write(labelled, place(root, labelled, "predicted.label"))
    choreography.write_objects(bare, place(root, bare, "x").parent, "20")
    return root


def rows(store: Path) -> pd.DataFrame:
    return pd.read_parquet(store / "assays.parquet")


def contents(store: Path) -> dict[str, str]:
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    "keep, kinds",
    [("bouts", ""), ("features", "f"), ("midline", "mf"), ("contour", "mcf")],
)
def test_what_is_kept(database: Path, tmp_path: Path, keep: str, kinds: str):
    store = tmp_path / "store"
    report = ingest(database, store, keep=keep)
    failed = 1 if keep == "bouts" else 0  # the bare one has nothing else
    assert (report.n_ok, report.n_failed) == (3 - failed, failed)
    table = rows(store)
    kept = 0 if keep == "bouts" else 3
    assert table["tracks"].notna().sum() == kept
    assert table["n_frames"].notna().sum() == (0 if keep == "bouts" else 3)
    for one in store_tracks(store, shapes=("midline", "contour", "features")):
        assert (one.midline is not None) == ("m" in kinds)
        assert (one.contour is not None) == ("c" in kinds)


def test_the_shapes_are_those_of_the_files(database: Path, tmp_path: Path):
    ingest(database, tmp_path / "store", keep="contour")
    kept = {
        t.identity.assay: t for t in store_tracks(tmp_path / "store", shapes=("midline", "contour"))
    }
    for seed, stamp in enumerate(STAMPS):
        one = larvae(stamp, seed=seed)
        two = kept[one.identity.assay]
        np.testing.assert_allclose(two.midline, one.midline, atol=2e-6)
        assert two.contour is not None and one.contour is not None
        np.testing.assert_array_equal(two.contour.counts, one.contour.counts)
        np.testing.assert_allclose(two.t, one.t)
        assert (two.state is None) == (seed == 2)


def test_bouts_do_not_depend_on_what_else_is_kept(database: Path, tmp_path: Path):
    ingest(database, tmp_path / "few", keep="bouts")
    ingest(database, tmp_path / "all", keep="contour")
    assert load(tmp_path / "few").equals(load(tmp_path / "all"), atol=0)
    assert load(database).equals(load(tmp_path / "all"), atol=0)


def test_an_assay_without_actions_is_there_but_not_in_a_screen(database: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(database, store)
    ethogram, notes = read_store(store)
    assert len(ethogram.assays) == 2
    assert any("1 assays have shapes but no actions" in note for note in notes)
    everything, _ = read_store(store, unlabelled=True)
    assert len(everything.assays) == 3 and len(everything.larvae) == 6
    totals = info(store).totals
    assert (totals["n_assays"], totals["n_unlabelled"]) == (3, 1)
    assert (totals["n_frames"], totals["n_bad_frames"]) == (180, 0)
    assert "larva_length_smooth_5" in totals["features"]
    assert "180 frames with shapes, 0.0% bad, 0.0% in sequences that are dropped" in repr(
        info(store)
    )


def test_bad_frames_are_counted(tmp_path: Path):
    one = larvae(STAMPS[0], states=("run", "cast"))
    midline = one.midline.copy()
    midline[:7] = np.nan
    bad = Tracks.build(one.identity, one.larvae, one.larva_index, one.t, midline=midline,
                       states=one.states, state=one.state)  # fmt: skip
    path = place(tmp_path / "db", bad, "trx.mat")
    trx.write(bad, path)
    ingest(tmp_path / "db", tmp_path / "store")
    columns = ["n_frames", "n_bad_frames", "n_dropped_frames"]
    assert rows(tmp_path / "store")[columns].values.tolist() == [[60, 7, 30]]
    ingest(tmp_path / "db", tmp_path / "all", filter="share=0.5")
    assert rows(tmp_path / "all")[columns].values.tolist() == [[60, 7, 0]]
    ingest(tmp_path / "db", tmp_path / "none", filter="none")
    assert rows(tmp_path / "none")[columns[:2]].values.tolist() == [[60, 7]]
    assert rows(tmp_path / "none")["n_dropped_frames"].isna().all()


def test_kinematics_and_verdicts_are_features_of_every_recording(database: Path, tmp_path: Path):
    ingest(database, tmp_path / "store")
    for one in store_tracks(tmp_path / "store"):
        assert set(one.features) >= {*UNITS, *VERDICTS}
        assert one.units["speed"] == "mm/s" and one.units["shape_fault"] == "1"
        np.testing.assert_allclose(one.features["length"], np.sqrt(2), atol=1e-3)
        assert not one.features["shape_dropped"].any()


def test_a_filter_that_drops_much_is_told(database: Path, tmp_path: Path):
    assert not any("the filter drops" in n for n in ingest(database, tmp_path / "a").notes)
    for path in database.rglob("*.outline"):
        path.unlink()
    report = ingest(database, tmp_path / "b", filter="midline=0.0003")
    told = [note for note in report.notes if "the filter drops 100% of the frames" in note]
    assert len(told) >= 1 and "give another --filter" in told[0]


def test_other_filters_and_windows_read_again(database: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(database, store)
    before = contents(store)
    assert ingest(database, store, smooth=1.0).n_read == 3
    assert contents(store) != before
    assert ingest(database, store, filter="threshold=0.5").n_read == 3
    assert ingest(database, store, filter="threshold=0.0008,share=0.2").n_read == 3
    assert contents(store) == before  # the default, written out
    with pytest.raises(UsageError, match="filter"):
        ingest(database, store, filter="strict")
    with pytest.raises(UsageError, match="--smooth must be 0 s or more"):
        ingest(database, store, smooth=-1)


def test_the_tracker_s_own_series_stay(tmp_path: Path):
    one = larvae(STAMPS[0], states=("run", "cast"))
    own = Tracks.build(one.identity, one.larvae, one.larva_index, one.t, midline=one.midline,
                       features={"speed": np.full(60, 7.0)}, states=one.states,
                       state=one.state)  # fmt: skip
    path = place(tmp_path / "db", own, "trx.mat")
    trx.write(own, path)
    ingest(tmp_path / "db", tmp_path / "store")
    (kept,) = store_tracks(tmp_path / "store")
    assert (kept.features["speed"] == 7).all() and kept.units["speed"] == ""
    assert "head_speed" in kept.features


def test_outlines_alone_give_midlines(database: Path, tmp_path: Path):
    for path in database.rglob("*20200131_103000/*.spine"):
        path.unlink()
    report = ingest(database, tmp_path / "store", keep="midline")
    assert any("these were made of the outlines" in note for note in report.notes)
    (one,) = store_tracks(
        tmp_path / "store", lambda row: "103000" in row["assay"], ("midline", "features")
    )
    assert one.midline is not None and one.midline.shape == (60, 11, 2)
    assert set(one.features) >= {*UNITS}


def test_a_second_ingest_changes_nothing_and_a_new_file_beside_is_seen(
    database: Path, tmp_path: Path
):
    store = tmp_path / "store"
    ingest(database, store)
    before = contents(store)
    assert ingest(database, store).n_read == 0
    assert contents(store) == before
    bare = larvae(STAMPS[2], states=("run", "cast"), seed=2)
    larvatagger.write(bare, place(database, bare, "predicted.label"))
    assert ingest(database, store).n_read == 1
    assert len(load(store).assays) == 3
    place(database, bare, "predicted.label").unlink()
    assert ingest(database, store).n_read == 1
    assert contents(store) == before


def test_another_keep_reads_again(database: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(database, store)
    checksum = store_checksum(store)
    assert ingest(database, store, keep="midline").n_read == 3
    assert store_checksum(store) != checksum
    assert ingest(database, store).n_read == 3
    assert store_checksum(store) == checksum
    assert len(list((store / "tracks").iterdir())) == 3


def test_what_there_is_not_is_said(database: Path, tmp_path: Path):
    next(database.rglob("*20200131_103000/20.outline")).unlink()
    report = ingest(database, tmp_path / "store", keep="contour")
    assert [note for note in report.notes if "there are no outlines to keep" in note]
    assert len(report.notes) == 1


def test_any_number_of_processes_gives_the_same_store(database: Path, tmp_path: Path):
    for jobs in (1, 2):
        ingest(database, tmp_path / str(jobs), keep="contour", jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_damaged_file_beside_is_named_and_the_others_go_on(database: Path, tmp_path: Path):
    next(database.rglob("predicted.label")).write_text('{"metadata":{"id":"x"},"labels":[')
    next(database.rglob("20.00001.outline")).write_text("hello")
    report = ingest(database, tmp_path / "store", keep="contour")
    assert report.n_ok == 1 and report.n_failed == 2
    assert any("predicted.label" in reason for _, reason in report.failures)


def test_lost_shapes_are_restored(database: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(database, store)
    before = contents(store)
    next((store / "tracks").iterdir()).unlink()
    with pytest.raises(DataError, match="has lost this file"):
        list(store_tracks(store))
    assert ingest(database, store).n_read == 1
    assert contents(store) == before


def test_the_command_takes_labels_of_every_kind(cli, database: Path, tmp_path: Path):
    done = cli("ingest", database, tmp_path / "store", "--labels", "predicted.label")
    assert done.code == 0 and "1 assays ok, 2 recordings failed" in done.out
    assert "expected the label file 'predicted.label' beside it" in done.out
    document = json.loads(cli("info", tmp_path / "store", "--json").out)
    assert document["totals"]["states"] == ["run", "cast"]
    wrong = cli("ingest", database, tmp_path / "other", "--labels", "hugh")
    assert wrong.code == 2 and "--labels must be one of" in wrong.err
    assert cli("ingest", database, tmp_path / "other", "--keep", "everything").code == 2


# -- real larvae ----------------------------------------------------------------------------------


def test_the_schleyer_group_s_dish(shared_data: Path, tmp_path: Path):
    report = ingest(shared_data / "schleyer", tmp_path / "store", keep="contour")
    assert (report.n_ok, report.n_failed, report.n_larvae, report.n_others) == (1, 0, 18, 0)
    (one,) = store_tracks(tmp_path / "store", shapes=("midline", "contour", "features"))
    assert one.n_frames == 31_062
    assert one.midline.shape == (31_062, 12, 2)
    assert set(one.features) >= {"area", "width", *UNITS, *VERDICTS}
    touching = one.features["collision_flag"] == 2
    assert touching[one.features["shape_fault"] >= Fault.CROSSING].all()
    assert np.isnan(one.features["speed"][one.features["shape_dropped"] == 1]).all()
    assert 0.8 < np.nanmedian(one.features["speed"]) < 1.5  # mm/s
    assert info(tmp_path / "store").totals["n_unlabelled"] == 1


def test_the_fimtrack_groups(shared_data: Path, tmp_path: Path):
    report = ingest(shared_data / "fimtrack", tmp_path / "store", fps=10, keep="midline")
    assert (report.n_ok, report.n_failed, report.n_larvae) == (4, 0, 20)
    total = sum(one.n_frames for one in store_tracks(tmp_path / "store"))
    assert total == 33_895
    one = next(store_tracks(tmp_path / "store"))
    assert one.units["speed"] == "px/s" and np.isnan(one.features["shape_high"]).all()
    assert load(tmp_path / "store").equals(load(shared_data / "fimtrack", fps=10), atol=0)


def test_the_example_labels_come_back_as_they_are(shared_data: Path, tmp_path: Path):
    source = shared_data / "larvatagger_labels_example.json"
    file = larvatagger.load(source)
    larvatagger.write(file, tmp_path / "copy.label")
    assert json.loads((tmp_path / "copy.label").read_text()) == json.loads(source.read_text())
    ingest(source, tmp_path / "store")
    kept = load(tmp_path / "store")
    assert {kept.states[s] for s in kept.state} == {"run", "stop"}  # small is never the first label
