"""Features from wherever the frames are; what is missing is named with what is there."""

import h5py
import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import trx
from larvastats.io.features import feature, feature_names, open_tracks
from larvastats.io.trx_series import add_series, field_names, read_series_tracks
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


def write_trx(folder, series=None, larvae=2):
    rows = [(str(k), "run", 0.0, 1.0 + k) for k in range(1, larvae + 1)]
    bouts = pd.DataFrame(rows, columns=["larva", "state", "t_start", "t_stop"])
    bouts = bouts.assign(assay=PLACE, line="A", effector="E", protocol=PLACE.split("/")[2],
                         tracker="t5", date="20200101", time="120000")  # fmt: skip
    path = folder / PLACE / "trx.mat"
    path.parent.mkdir(parents=True)
    trx.write(Ethogram.from_bouts(bouts), path)
    if series is not None:
        add_series(path, series)
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
    bouts = pd.DataFrame({"assay": ["a"], "line": "A", "larva": "1", "state": "run",
                          "t_start": 0.0, "t_stop": 1.0})  # fmt: skip
    for source in (bouts, Ethogram.from_bouts(bouts)):
        with pytest.raises(UsageError, match="it has actions only"):
            list(open_tracks(source, None, "speed"))
    write_trx(tmp_path)
    with pytest.raises(UsageError, match=r"no feature 'speed'; it has .*global_state"):
        list(open_tracks(tmp_path, None, "speed"))


@pytest.mark.parametrize("larvae", [1, 3])
def test_series_go_into_a_trx_and_come_back(tmp_path, larvae):
    series = [np.arange(20 + 10 * k) / 7.0 for k in range(larvae)]
    path = write_trx(tmp_path, {"motion_velocity_norm_smooth_5": series}, larvae)
    assert "motion_velocity_norm_smooth_5" in field_names(path)
    before = trx.read(path)  # its labels are as they were
    assert len(before.larvae) == larvae
    (found,) = open_tracks(tmp_path, None, "speed")
    np.testing.assert_allclose(found.features["speed"], np.concatenate(series))
    assert found.identity.assay == before.assays["assay"].iloc[0] == PLACE
    assert found.larvae == tuple(before.larvae["larva"]) and found.units["speed"] == "mm/s"
    (raw,) = open_tracks(path, None, "motion_velocity_norm_smooth_5")
    np.testing.assert_allclose(
        raw.features["motion_velocity_norm_smooth_5"], found.features["speed"]
    )


def test_a_series_of_another_length_is_a_sentence(tmp_path):
    path = write_trx(tmp_path, {"x": [np.zeros(20), np.zeros(31)]})
    with pytest.raises(DataError, match="expected 30 values in field 'x' of larva number 2"):
        list(read_series_tracks(path, ["x"]))


def test_a_store_reads_its_recordings_where_they_lie(tmp_path):
    source = tmp_path / "database"
    path = write_trx(source, {"larva_length_smooth_5": [np.full(20, 4.0), np.full(30, 5.0)]})
    ingest(source, tmp_path / "store")
    (found,) = open_tracks(tmp_path / "store", {PLACE}, "length")
    assert found.features["length"].sum() == pytest.approx(20 * 4 + 30 * 5)
    path.unlink()
    with pytest.raises(DataError, match="features are read from the recordings themselves"):
        list(open_tracks(tmp_path / "store", {PLACE}, "length"))


def test_a_written_file_is_still_matlab(tmp_path):
    path = write_trx(tmp_path, {"x": [np.zeros(20), np.zeros(30)]})
    assert path.read_bytes()[:19] == b"MATLAB 7.3 MAT-file"
    with h5py.File(path) as file:
        cell = file[file["trx/x"][0, 0]]
        assert cell.shape == (1, 20) and cell.attrs["MATLAB_class"] == b"double"
