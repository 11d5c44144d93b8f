"""Features from wherever the frames are; what is missing is named with what is there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import features, trx
from larvastats.io.features import feature, feature_names, open_tracks
from larvastats.io.paths import identify
from larvastats.io.tracks import Tracks
from larvastats.verbs.ingest import ingest

PLACE = "t5/A@E/p_8_45s1x30s0s#n#n#n/20200101_120000"


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 30
    parts = [
        pd.DataFrame({"assay": assay, "line": "A", "larva": larva, "t": np.arange(n) * 0.1,
                      "state": "run", "length": rng.normal(4, 0.2, n), "strange": 1.0})
        for assay in ("one", "two") for larva in ("1", "2")
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def write_trx(folder, series=None, larvae=2, labelled=True):
    """Larvae of 1 s, 2 s, ...; series by field, one array for every larva."""
    path = folder / PLACE / "trx.mat"
    path.parent.mkdir(parents=True)
    steps = [10 * (k + 1) for k in range(1, larvae + 1)]
    t = np.concatenate([np.arange(n) * 0.1 for n in steps])
    features = {name: np.concatenate(parts) for name, parts in (series or {}).items()}
    labels = {"states": ["run"], "state": np.zeros(len(t))} if labelled else {}
    tracks = Tracks.build(
        identify(path), [str(k + 1) for k in range(larvae)], np.repeat(range(larvae), steps), t,
        features=features, **labels,
    )  # fmt: skip
    trx.write(tracks, path)
    return path


def test_a_table_of_frames_yields_one_assay_after_the_other(table):
    parts = list(open_tracks(table, None, "length"))
    assert [p.identity.assay for p in parts] == ["one", "two"]
    own = table[table["assay"] == "two"]
    np.testing.assert_allclose(parts[1].features["length"], own["length"])
    np.testing.assert_allclose(parts[1].t, own["t"])
    assert parts[0].units["length"] == "mm" and parts[0].larvae == ("1", "2")
    assert [p.identity.assay for p in open_tracks(table, {"two"}, "length")] == ["two"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_give_what_the_table_gives(table, tmp_path, ending):
    path = tmp_path / f"frames.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    for source in (path, str(path), tmp_path):
        for one, two in zip(
            open_tracks(source, None, "length"), open_tracks(table, None, "length"), strict=True
        ):
            np.testing.assert_allclose(one.features["length"], two.features["length"])
    assert feature_names(path) == ("length", "strange")


@pytest.mark.parametrize(("sep", "decimal"), [(";", ","), ("\t", "."), ("|", ".")])
def test_tables_as_people_write_them(table, tmp_path, sep, decimal):
    path = tmp_path / "frames.csv.gz"
    table.to_csv(path, index=False, sep=sep, decimal=decimal, encoding="utf-8-sig")
    one, two = (list(open_tracks(source, None, "length")) for source in (path, table))
    np.testing.assert_allclose(one[1].features["length"], two[1].features["length"])
    assert feature_names(path) == ("length", "strange")
    plain = tmp_path / "excel.csv"
    text = table.to_csv(index=False, sep=";")
    plain.write_text(f"sep=;\n{text}", encoding="utf-8")
    three = list(open_tracks(plain, {"two"}, "length"))
    np.testing.assert_allclose(three[0].t, two[1].t)


def test_any_column_of_numbers_is_a_feature_without_a_unit(table):
    one = next(iter(open_tracks(table, None, "strange")))
    assert one.units["strange"] == "" and feature("head_angle").unit == "rad"


def test_a_missing_feature_is_named_with_those_there_are(table, tmp_path):
    with pytest.raises(UsageError, match="no feature 'speed'; it has length, strange"):
        list(open_tracks(table, None, "speed"))
    with pytest.raises(UsageError, match=r"no feature 'lenght' \(did you mean length\?\); it has"):
        list(open_tracks(table, None, "lenght"))
    with pytest.raises(
        UsageError,
        match=r"no action or feature 'rum' \(did you mean run\?\); "
        "it has length, strange; its actions are run, cast",
    ):
        list(open_tracks(table, None, "rum", actions=("run", "cast")))
    bouts = pd.DataFrame({"assay": ["a"], "line": "A", "larva": "1", "state": "run",
                          "t_start": 0.0, "t_stop": 1.0})  # fmt: skip
    for source in (bouts, Ethogram.from_bouts(bouts)):
        with pytest.raises(UsageError, match="it has actions only"):
            list(open_tracks(source, None, "speed"))
    write_trx(tmp_path / "none")
    with pytest.raises(UsageError, match="no feature 'speed'; it has actions only"):
        list(open_tracks(tmp_path / "none", None, "speed"))
    write_trx(tmp_path, {"odd": [np.zeros(20), np.zeros(30)]})
    with pytest.raises(UsageError, match="no feature 'speed'; it has odd"):
        list(open_tracks(tmp_path, None, "speed"))


def test_a_column_of_words_is_a_sentence(table, tmp_path):
    path = tmp_path / "frames.csv"
    words = table.assign(length=table["length"].round(2).astype("str"))
    words.loc[len(words) - 1, "length"] = "long"
    words.to_csv(path, index=False)
    with pytest.raises(DataError, match="expected numbers in the column length, but a cell"):
        list(open_tracks(path, None, "length"))


def test_empty_cells_are_missing_values(table, tmp_path):
    path = tmp_path / "frames.csv"
    table.assign(length=table["length"].mask(table["t"] > 1)).to_csv(path, index=False)
    one = next(iter(open_tracks(path, None, "length")))
    np.testing.assert_array_equal(np.isnan(one.features["length"]), one.t > 1)


@pytest.mark.parametrize("larvae", [1, 3])
def test_series_go_into_a_trx_and_come_back(tmp_path, larvae):
    series = [np.arange(20 + 10 * k) / 7.0 for k in range(larvae)]
    path = write_trx(tmp_path, {"motion_velocity_norm_smooth_5": series}, larvae)
    before = trx.read(path)
    (found,) = open_tracks(tmp_path, None, "speed")
    np.testing.assert_allclose(found.features["speed"], np.concatenate(series))
    assert found.identity.assay == before.assays["assay"].iloc[0] == PLACE
    assert found.larvae == tuple(before.larvae["larva"]) and found.units["speed"] == "mm/s"
    (raw,) = open_tracks(path, None, "motion_velocity_norm_smooth_5")
    np.testing.assert_allclose(
        raw.features["motion_velocity_norm_smooth_5"], found.features["speed"]
    )
    assert feature_names(tmp_path) == ("speed",)


def test_only_the_series_asked_for_are_read(tmp_path):
    path = write_trx(tmp_path, {n: [np.zeros(20), np.ones(30)] for n in ("one", "two")})
    (found,) = trx.read_tracks(path, None, shapes=("features",), features=("two", "three"))
    assert set(found.features) == {"two"} and found.midline is None


def test_a_store_gives_what_it_keeps(tmp_path):
    source, store = tmp_path / "database", tmp_path / "store"
    path = write_trx(source, {"larva_length_smooth_5": [np.full(20, 4.0), np.full(30, 5.0)],
                              "odd": [np.zeros(20), np.zeros(30)]})  # fmt: skip
    ingest(source, store)
    path.unlink()
    (found,) = open_tracks(store, {PLACE}, "length")
    assert found.features["length"].sum() == pytest.approx(20 * 4 + 30 * 5)
    assert set(found.features) == {"length"} and found.units["length"] == "mm"
    assert feature_names(store) == ("length", "odd")
    with pytest.raises(UsageError, match="no feature 'speed'; it has length, odd"):
        list(open_tracks(store, None, "speed"))


def test_a_store_of_bouts_has_no_features(tmp_path):
    write_trx(tmp_path / "database", {"odd": [np.zeros(20), np.zeros(30)]})
    ingest(tmp_path / "database", tmp_path / "store", keep="bouts")
    with pytest.raises(UsageError, match=r"it has actions only; ingest .* with --keep features"):
        list(open_tracks(tmp_path / "store", None, "odd"))


def test_fimtrack_has_speed_in_what_it_is_measured_in(shared_data):
    folder = shared_data / "fimtrack"
    by_unit = {}
    for scale in (None, 40.0):
        tracks = list(open_tracks(folder, None, "speed", fps=10, px_per_mm=scale))
        by_unit[tracks[0].units["speed"]] = tracks
    assert set(by_unit) == {"px/s", "mm/s"}
    for one, two in zip(by_unit["px/s"], by_unit["mm/s"], strict=True):
        np.testing.assert_allclose(one.features["speed"], 40 * two.features["speed"])


def test_assays_of_different_units_are_not_one_feature(table, monkeypatch):
    in_mm = list(open_tracks(table, None, "length"))
    mixed = [
        replace(one, units={"length": unit}) for unit, one in zip(("mm", "px"), in_mm, strict=True)
    ]
    monkeypatch.setattr(features, "_all_tracks", lambda *_: iter(mixed))
    with pytest.raises(DataError, match="length is in mm in some assays and in px in 'two'"):
        list(open_tracks(table, None, "length"))
