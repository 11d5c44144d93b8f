"""Csv files of the Schleyer group: made here, and the real ones beside the repository."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.io import schleyer

N = schleyer.N_COLUMNS


def values(steps, seed=0):
    """Rows of 78 numbers that five decimals hold."""
    table = np.round(np.random.default_rng(seed).normal(0, 60, (len(steps), N)), 5)
    table[:, 0] = steps
    return table


def text(table, pad=10):
    """Rows as the group writes them: cells padded with blanks."""
    rows = [",".join(f"{x:g}".ljust(pad) if x == x else "na".ljust(pad) for x in r) for r in table]
    return "\n".join(rows) + "\n"


def saved(folder, name, content):
    path = folder / name
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
@pytest.mark.parametrize("pad", [0, 12])
def test_columns_find_their_places(tmp_path, ending, pad):
    table = values([3, 4, 6]).round(2)
    path = saved(tmp_path, f"dish01_007.{ending}", text(table, pad))
    assert schleyer.sniff(path)
    tracks = schleyer.read(path)
    assert tracks.larvae == ("7",)
    np.testing.assert_allclose(tracks.t, [3 / 16, 4 / 16, 6 / 16])
    # the file goes from tail to head
    np.testing.assert_allclose(tracks.midline[:, 0], table[:, 23:25])
    np.testing.assert_allclose(tracks.midline[:, -1], table[:, 1:3])
    np.testing.assert_allclose(tracks.contour.padded()[:, 0], table[:, 25:27], rtol=1e-6)
    np.testing.assert_allclose(tracks.contour.padded()[:, 21], table[:, 67:69], rtol=1e-6)
    # the blob is measured with y down
    np.testing.assert_allclose(tracks.centroid, table[:, 69:71] * [1, -1])
    for column, name in enumerate(schleyer.UNITS, 71):
        sign = -1 if name == "blob_orientation" else 1
        np.testing.assert_allclose(tracks.features[name], sign * table[:, column])
    assert tracks.units["area"] == "px2"
    assert tracks.state is None


def test_larvae_of_a_dish_are_one_assay(tmp_path):
    for larva, steps in ((10, [1, 2]), (9, [5, 6, 7])):
        saved(tmp_path, f"dish01_{larva}.csv", text(values(steps)))
    saved(tmp_path, "notes.csv", "a,b\n")
    tracks = schleyer.read(tmp_path)
    assert tracks.larvae == ("9", "10")
    assert tracks.larva_index.tolist() == [0, 0, 0, 1, 1]
    assert tracks.identity.assay == "dish01"
    assert tracks.identity.line == tmp_path.name
    assert schleyer.read(tmp_path / "dish01_9.csv").larvae == ("9", "10")
    assert schleyer.read(tmp_path, line="A@B").identity.genotype == "A@B"
    assert schleyer.read(tmp_path, fps=8).t[0] == 5 / 8


def test_identity_comes_from_the_folders(tmp_path):
    folder = tmp_path / "t1" / "A@B" / "p#n#n#n" / "20150701_105504"
    folder.mkdir(parents=True)
    saved(folder, "dish01_1.csv", text(values([1])))
    identity = schleyer.read(folder).identity
    assert (identity.line, identity.effector, identity.date) == ("A", "B", "20150701")
    assert identity.assay == "t1/A@B/p#n#n#n/20150701_105504"


def test_missing_values(tmp_path):
    table = values([1, 2, 3])
    table[1, 1:69] = np.nan
    table[2, 71:77] = np.nan
    content = text(table).replace("na        ", "   ", 3)
    tracks = schleyer.read(saved(tmp_path, "d_1.csv", content))
    assert np.isnan(tracks.midline[1]).all()
    assert tracks.contour.counts.tolist() == [22, 0, 22]
    assert np.isnan(tracks.features["area"]).tolist() == [False, False, True]
    assert np.isfinite(tracks.features["collision_flag"]).all()


def test_a_folder_of_two_dishes(tmp_path):
    for name in ("dish01_1.csv", "dish02_1.csv"):
        saved(tmp_path, name, text(values([1])))
    assert set(schleyer.dishes(tmp_path)) == {"dish01", "dish02"}
    with pytest.raises(DataError, match=r"of one dish, but found those of 2 \('dish01', 'dish02'"):
        schleyer.read(tmp_path)
    assert schleyer.read(tmp_path / "dish02_1.csv").identity.assay == "dish02"
    hidden = saved(tmp_path, ".dish03_1.csv", text(values([1])))
    assert schleyer.read(hidden).n_frames == 1


GOOD = text(values([1, 2, 3]))
REFUSED = {
    "empty": (b"", "expected rows of 78 numbers, but the file is empty"),
    "cut off": (GOOD.encode()[:-100], "row 3, the last one, has no end"),
    "fewer cells": (GOOD.replace(",", ";", 1).encode(), "78 cells in row 1, but found 77"),
    "more cells": (GOOD.encode() + b"4," + GOOD.encode(), "78 cells in row 4, but found 79"),
    "text": (GOOD.replace("\n2   ", "\ntwo ", 1).encode(), "numbers in row 2, but found b'two"),
    "infinite": (GOOD.replace("\n2   ", "\ninf ", 1).encode(), "row 2"),
    "inner blank": (GOOD.encode() + GOOD[:-1].rstrip().encode() + b" 1\n", "numbers in row 6"),
    "step": (GOOD.replace("\n2   ", "\n2.5 ", 1).encode(), "whole steps.*row 2 has 2.5"),
    "no step": (GOOD.replace("\n2   ", "\nna  ", 1).encode(), "whole steps.*row 2 has nan"),
    "twice": ((GOOD + GOOD).encode(), "3 frames come twice.*larva '1' at 0.0625 s, row 4"),
    "bytes": (GOOD.encode() + b"\xff\xfe" * 50 + b"\n", "row 4"),
    "far away": (text(values([1]) * 1e6).replace("1e+06", "1", 1).encode(), "coordinates of the"),
    "blank line": (GOOD.encode() + b"\n" + GOOD.encode(), "78 cells in row 4, but found 1"),
    "a long row": (GOOD.encode() + b"1" * (3 << 20) + b"\n", "row 4 is longer than 1 MiB"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_damaged_files_are_refused(tmp_path, case):
    content, words = REFUSED[case]
    path = saved(tmp_path, "d_1.csv", content)
    with pytest.raises(DataError, match=words) as caught:
        schleyer.read(path)
    assert str(tmp_path) in str(caught.value)


def test_names_and_folders(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        schleyer.read(tmp_path / "d_1.csv")
    with pytest.raises(DataError, match=r"of 0 \(none\)"):
        schleyer.read(tmp_path)
    with pytest.raises(DataError, match=r"expected a name <dish>_<larva>\.csv"):
        schleyer.read(saved(tmp_path, "larva.csv", GOOD))
    with pytest.raises(UsageError, match="--fps must be a positive number"):
        schleyer.read(tmp_path, fps=0)
    saved(tmp_path, "d_1.csv", GOOD)
    saved(tmp_path, "d_01.csv", GOOD)
    with pytest.raises(DataError, match=r"larva 1 of this dish has another file, d_01\.csv"):
        schleyer.read(tmp_path)
    saved(tmp_path, "e_1.csv.gz", GOOD).write_bytes(gzip.compress(GOOD.encode())[:-30])
    with pytest.raises(DataError, match="gzip"):
        schleyer.read(tmp_path / "e_1.csv.gz")


def test_other_tables_are_not_taken_for_one(tmp_path):
    others = (b"", b"assay,line,larva,state\n", b",".join([b"x"] * 78) + b"\n", b"1" * 100_000,
              GOOD.encode().replace(b"\n", b""))  # fmt: skip
    for other in others:
        assert not schleyer.sniff(saved(tmp_path, "d_1.csv", other))
    assert not schleyer.sniff(tmp_path / "nothing")


def test_numbers_beyond_any_recording(tmp_path, monkeypatch):
    monkeypatch.setattr(schleyer, "MAX_VALUES", 200)
    with pytest.raises(DataError, match="more than 200 numbers"):
        schleyer.read(saved(tmp_path, "d_1.csv", GOOD))


@given(
    steps=st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True),
    pad=st.integers(0, 20),
)
@settings(max_examples=25)
def test_any_table_survives(tmp_path_factory, steps, pad):
    table = values(sorted(steps), seed=len(steps)).astype(np.float32).astype(float)
    table[:, 0] = sorted(steps)
    content = "\n".join(",".join(repr(x).ljust(pad) for x in row) for row in table.tolist())
    path = saved(tmp_path_factory.mktemp("any"), "d_1.csv", content + "\n")
    tracks = schleyer.read(path)
    np.testing.assert_array_equal(tracks.midline[:, ::-1].reshape(-1, 24), table[:, 1:25])
    np.testing.assert_array_equal(tracks.contour.vertices.reshape(-1, 44), table[:, 25:69])
    np.testing.assert_array_equal(tracks.t, table[:, 0] / 16)


def test_real_larvae(shared_data):
    tracks = schleyer.read(shared_data / "schleyer")
    assert len(tracks.larvae) == 18
    assert tracks.n_frames == 31_062
    assert tracks.identity.assay == "dish01"
    assert tracks.midline.shape == (31_062, 12, 2)
    assert tracks.bad_frames().sum() == 2
    assert tracks.length_unit == "mm"
    assert np.unique(tracks.contour.counts).tolist() == [0, 22]
    length = np.linalg.norm(np.diff(tracks.midline, axis=1), axis=2).sum(axis=1)
    assert 3.9 < np.nanmedian(length) < 4.6  # mm
    # millimetres and pixels: one scale for all larvae
    scale = length / tracks.features["raw_spinelength"]
    np.testing.assert_allclose(np.nanquantile(scale, [0.02, 0.98]), 0.0817, atol=0.0006)
    # larvae crawl head first
    same = np.diff(tracks.larva_index) == 0
    motion = np.diff(tracks.centroid, axis=0)
    body = tracks.midline[:, 0] - tracks.midline[:, -1]
    forward = (motion * body[:-1]).sum(axis=1)[same]
    assert np.mean(forward[np.isfinite(forward)] > 0) > 0.75
    # one frame of reference
    off = np.linalg.norm(tracks.centroid - tracks.midline.mean(axis=1), axis=1)
    assert np.nanmax(off) < 0.7
    angle = np.arctan2(body[:, 1], body[:, 0]) - tracks.features["blob_orientation"]
    assert np.nanmedian(np.abs(np.sin(angle))) < 0.05
    flags, counts = np.unique(tracks.features["collision_flag"], return_counts=True)
    assert flags.tolist() == [0, 1, 2]
    assert np.isnan(tracks.features["area"]).sum() == counts[2] == 970
    assert np.isnan(tracks.centroid[:, 0]).sum() == 970
    assert not (tracks.bad_frames() & (tracks.features["collision_flag"] == 2)).any()
