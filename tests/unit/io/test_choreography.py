"""Choreography's files: written and read back, by both layouts, and refused with a sentence."""

import functools
import gzip
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.io import choreography
from larvastats.io.contours import Contours
from larvastats.io.paths import make_identity
from larvastats.io.text import compiled_rows, fixed_point, point_rows
from larvastats.io.text.point_rows import read_rows
from larvastats.io.tracks import Tracks

STAMP = "20150701_105504"
IDENTITY = make_identity("t5", "A", "B", "p_8_45s1x30s0s#n#n#n", STAMP)
FOLDERS = f"t5/A@B/p_8_45s1x30s0s#n#n#n/{STAMP}"


def example_tracks(n_larvae=3, n_frames=40, *, contour=True, negative=False, seed=0):
    """Larvae with 11 midline points and any number of contour points, to three decimals."""
    rng = np.random.default_rng(seed)
    n = n_larvae * n_frames
    t = np.round(np.cumsum(rng.uniform(0.04, 0.1, (n_larvae, n_frames)), axis=1), 3).ravel()
    low = -150 if negative else 0
    counts = rng.integers(3, 60, n)
    vertices = np.round(rng.uniform(low, 250, (counts.sum(), 2)), 3)
    return Tracks.build(
        IDENTITY,
        [str(7 * (larva + 1)) for larva in range(n_larvae)],
        np.repeat(np.arange(n_larvae), n_frames),
        t,
        midline=np.round(rng.uniform(low, 250, (n, 11, 2)), 3),
        contour=Contours.from_counts(vertices, counts) if contour else None,
    )


def write_both(tracks, folder, prefix=STAMP):
    folder.mkdir(parents=True, exist_ok=True)
    choreography.write_spine(tracks, folder / f"{prefix}.spine")
    choreography.write_outline(tracks, folder / f"{prefix}.outline")
    return folder / f"{prefix}.spine"


def same(one, other):
    assert one.larvae == other.larvae
    for name in ("larva_index", "t", "midline"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.contour is None) == (other.contour is None)
    if one.contour is not None:
        np.testing.assert_array_equal(one.contour.vertices, other.contour.vertices)
        np.testing.assert_array_equal(one.contour.start, other.contour.start)
    return True


def reads(tmp_path, text, name="x.spine", **more):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return choreography.read(path, **more)


def row(larva=1, t=0.0, points=11, stamp=STAMP, shift=0.0):
    xy = " ".join(f"{10 + shift + i:.3f} {20 + i:.3f}" for i in range(points))
    return f"{stamp} {larva:05d} {t:.3f} {xy}\n"


# Two ways to parse what is as usual.


def by_words(cells):
    """Values of the cells of one row by NumPy; None where that way gives up."""
    text = fixed_point.padded(" ".join(cells).encode() + b"\n")
    characters = np.frombuffer(text, np.uint8)
    gaps = np.flatnonzero((characters == ord(" ")) | (characters == ord("\n")))
    return fixed_point.decimals(text, gaps, gaps[:0])


def by_bytes(cells):
    """The same by the loop that numba compiles."""
    parsed = compiled_rows.parse_block(" ".join(cells).encode() + b"\n", 0)
    return None if parsed is None else parsed[0]


@given(st.lists(st.integers(-9_999_999, 9_999_999), min_size=1, max_size=60))
@example([0, 1, -1, 9_999_999, -9_999_999, 10, 100, 1000, 9999, 10_000])
def test_both_give_what_float_gives(thousandths):
    cells = [f"{'-' * (n < 0)}{abs(n) // 1000}.{abs(n) % 1000:03d}" for n in thousandths]
    expected = [float(cell) for cell in cells]
    assert by_words(cells).tolist() == expected
    assert by_bytes(cells).tolist() == expected


CELLS = st.text(alphabet="0123456789.-+ex,/:;n", min_size=1, max_size=18)
ODD = ["12,345", "12-345", "12/345", "12345", "1.2345", "1.23", ".123", "1.", "-", ".",
       "-.5", "12345.678", "--1.234", "1-.234", "1.2.34", "0123456789.12345",
       "123456789.1234567"]  # fmt: skip


@pytest.mark.parametrize("cell", ODD)
def test_odd_cells(cell):
    is_as_usual(cell)


@given(CELLS)
def test_neither_takes_anything_else(cell):
    is_as_usual(cell)


def is_as_usual(cell):
    digits = cell.removeprefix("-")
    left, _, right = digits.partition(".")
    plain = digits.count(".") <= 1 and (left + right).isdigit()
    found = by_words(["1.000", cell])
    usual = plain and "." in digits and len(right) == 3 and 1 <= len(left) <= 4
    assert (found is not None) == usual
    assert found is None or found[1] == float(cell)
    found = by_bytes(["1.000", cell])
    assert (found is not None) == (plain and len(left + right) <= 15)
    assert found is None or found[1] == float(cell)


@pytest.mark.parametrize(
    "rows", ["", "\n", " 1.000\n", "1.000  2.000\n", "1.000 \n", "1.000\t2.000\n", "1.0\r\n",
             "nan\n", "1e3\n"],
)  # fmt: skip
def test_rows_that_are_not_as_usual(rows):
    parsed = compiled_rows.parse_block(rows.encode(), 0)
    assert parsed is None or not len(parsed[0])
    stamped = "".join(f"{STAMP} 1 {line}\n" for line in rows.split("\n")[:-1])
    parsed = compiled_rows.parse_block(stamped.encode(), 2)
    assert parsed is None or not len(parsed[0])
    assert compiled_rows.parse_block(f"{STAMP} 1\n".encode(), 2) is None


def test_machine_code_is_loaded_for_large_files_and_kept(tmp_path, monkeypatch):
    asked = []

    @functools.cache
    def compiled():
        asked.append(True)
        return compiled_rows.parse

    monkeypatch.setattr(point_rows, "compiled", compiled)
    tracks = example_tracks()
    path = write_both(tracks, tmp_path)
    assert same(choreography.read(path), tracks)
    assert not asked
    monkeypatch.setattr(point_rows, "COMPILE_FROM", 1000)
    assert same(choreography.read(path), tracks)
    monkeypatch.setattr(point_rows, "COMPILE_FROM", 1 << 40)
    assert same(choreography.read(path), tracks)
    assert asked == [True]


# Round trips.


@pytest.fixture(params=["words", "bytes"])
def way(request, monkeypatch):
    """Read by NumPy, or by the loop for numba."""
    if request.param == "bytes":
        monkeypatch.setattr(point_rows, "_parser", lambda path: compiled_rows.parse)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("negative", [False, True])
def test_one_file_for_all_larvae(tmp_path, negative):
    tracks = example_tracks(negative=negative)
    path = write_both(tracks, tmp_path)
    assert choreography.sniff(path)
    assert choreography.sniff(tmp_path / f"{STAMP}.outline")
    found = choreography.read(path)
    assert same(found, tracks)
    assert (found.identity.assay, found.identity.date, found.identity.line) == (
        STAMP, "20150701", "",
    )  # fmt: skip
    assert found.notes == ()
    assert found.features == {}
    assert same(choreography.read(tmp_path), tracks)
    assert same(choreography.read(tmp_path / f"{STAMP}.outline"), tracks)


def test_files_as_they_stand_are_written_again_byte_for_byte(tmp_path):
    path = write_both(example_tracks(negative=True), tmp_path / "a")
    again = write_both(choreography.read(path), tmp_path / "b")
    for ending in ("spine", "outline"):
        name = f"{STAMP}.{ending}"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert path.read_text().startswith(f"{STAMP} 00007 0.")
    assert again.read_text().count("\n") == 120


@pytest.mark.usefixtures("way")
def test_one_file_per_larva(tmp_path):
    tracks = example_tracks()
    written = choreography.write_objects(tracks, tmp_path, STAMP)
    assert [path.name for path in written[:2]] == [f"{STAMP}.00007.spine", f"{STAMP}.00014.spine"]
    assert all(choreography.sniff(path) for path in written)
    assert same(choreography.read(tmp_path), tracks)
    assert same(choreography.read(written[-1]), tracks)
    assert choreography.read(tmp_path).identity.assay == STAMP


def test_gzipped_files(tmp_path):
    tracks = example_tracks()
    path = write_both(tracks, tmp_path / "plain")
    for file in (path, path.with_suffix(".outline")):
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert same(choreography.read(tmp_path / f"{STAMP}.spine.gz"), tracks)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("piece", [100, 700, 1 << 18])
def test_many_blocks_in_any_order_of_rows(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(point_rows, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(point_rows, "PIECE_BYTES", piece)
    tracks = example_tracks(5, 60)
    path = write_both(tracks, tmp_path)
    assert same(choreography.read(path), tracks)
    rows = path.read_text().splitlines(keepends=True)
    np.random.default_rng(1).shuffle(rows)
    path.write_text("".join(rows))
    assert same(choreography.read(path), tracks)


def test_identity_comes_from_the_folders(tmp_path):
    path = write_both(example_tracks(), tmp_path / FOLDERS)
    found = choreography.read(path).identity
    assert (found.assay, found.line, found.effector) == (IDENTITY.assay, "A", "B")
    assert choreography.read(path, line="C@D").identity.genotype == "C@D"
    elsewhere = write_both(example_tracks(), tmp_path / FOLDERS.replace(STAMP, "20160101_000000"))
    moved = choreography.read(elsewhere)
    assert moved.identity.assay == IDENTITY.assay
    assert "recorded at 20150701_105504, its path says 20160101_000000" in moved.notes[0]


@pytest.mark.usefixtures("way")
def test_leading_zeros_of_larvae_do_not_count(tmp_path):
    assert reads(tmp_path, row(512)).larvae == ("512",)
    assert reads(tmp_path, row().replace("00001", "0")).larvae == ("0",)
    wide = row(1) + row(1234567, 1) + row(123456789, 2) + row(2, 3).replace("00002", "2")
    assert reads(tmp_path, wide).larvae == ("1", "2", "1234567", "123456789")


VARIANTS = {
    "tabs": lambda text: text.replace(" ", "\t"),
    "several blanks": lambda text: text.replace(" ", "   "),
    "blanks around": lambda text: "".join(f"  {line} \n" for line in text.splitlines()),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "blank lines": lambda text: "\n" + text.replace("\n", "\n\n"),
    "more decimals": lambda text: re.sub(r"(\.\d{3})", r"\g<1>0", text),
    "plus": lambda text: text.replace(" 1", " +1"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_ways_to_write_the_same(tmp_path, variant):
    tracks = example_tracks(contour=False)
    choreography.write_spine(tracks, tmp_path / "x.spine")
    text = (tmp_path / "x.spine").read_text()
    assert same(reads(tmp_path, VARIANTS[variant](text)), tracks)


def test_other_numbers_of_decimals(tmp_path):
    text = row(t=0.5).replace("10.000", "10.00012").replace("20.000", "2e1")
    found = reads(tmp_path, text)
    assert found.midline[0, 0].tolist() == [10.00012, 20.0]
    assert found.t.tolist() == [0.5]


def test_lost_points_are_nan(tmp_path):
    found = reads(tmp_path, row() + row(t=1).replace("10.000", "NaN"))
    assert np.isnan(found.midline[1, 0, 0])
    assert np.isfinite(found.midline[0]).all()


# Spines and outlines of one recording.


def test_only_common_moments_are_kept(tmp_path):
    tracks = example_tracks(2, 10)
    path = write_both(tracks, tmp_path)
    spine = path.read_text().splitlines(keepends=True)
    outline = path.with_suffix(".outline").read_text().splitlines(keepends=True)
    path.write_text("".join(spine[1:]))
    path.with_suffix(".outline").write_text("".join(outline[:5] + outline[7:]))
    found = choreography.read(path)
    keep = np.ones(20, dtype=bool)
    keep[[0, 5, 6]] = False
    assert same(found, tracks.take(keep))
    assert "17 frames have a spine and an outline; 2 with a spine only and 1" in found.notes[0]


def test_a_spine_or_an_outline_alone(tmp_path):
    tracks = example_tracks()
    path = write_both(tracks, tmp_path)
    path.with_suffix(".outline").rename(tmp_path / "y.outline")
    assert choreography.read(path).contour is None
    alone = choreography.read(tmp_path / "y.outline")
    assert alone.midline is None
    np.testing.assert_array_equal(alone.contour.vertices, tracks.contour.vertices)


def test_without_an_ending_the_content_decides(tmp_path):
    tracks = example_tracks()
    path = write_both(tracks, tmp_path)
    for ending, has_midline in ((".spine", True), (".outline", False)):
        copy = tmp_path / f"copy{ending[1]}.txt"
        copy.write_bytes(path.with_suffix(ending).read_bytes())
        assert choreography.sniff(copy)
        assert (choreography.read(copy).midline is not None) == has_midline


def test_a_hidden_file_stands_alone(tmp_path):
    tracks = example_tracks()
    path = write_both(tracks, tmp_path)
    for ending in (".spine", ".outline"):
        hidden = path.with_suffix(ending).rename(tmp_path / f".x{ending}")
        assert (choreography.read(hidden).midline is None) == (ending == ".outline")


def test_nothing_in_common_is_refused(tmp_path):
    path = write_both(example_tracks(1, 5), tmp_path)
    path.write_text(path.read_text().replace(" 00007 ", " 00008 "))
    with pytest.raises(DataError, match="they have no moment in common"):
        choreography.read(path)


def test_recordings_of_a_folder(tmp_path):
    tracks = example_tracks()
    write_both(tracks, tmp_path)
    choreography.write_objects(tracks, tmp_path, "other.one")
    for name in (f"{STAMP}.dat", f"{STAMP}.speed.00007.dat", "lonely.dat", "trx.mat", ".x.spine"):
        (tmp_path / name).write_text("")
    found = {r.prefix: r for r in choreography.recordings(tmp_path)}
    assert set(found) == {STAMP, "other.one"}
    assert [p.name for p in found[STAMP].dat] == [f"{STAMP}.dat", f"{STAMP}.speed.00007.dat"]
    assert len(found["other.one"].spine) == len(found["other.one"].outline) == 3
    with pytest.raises(DataError, match=r"of one recording, but found those of 2 \('2015"):
        choreography.read(tmp_path)
    assert same(choreography.read(tmp_path / "other.one.00007.spine"), tracks)


# .dat


COLUMNS = ["time", "id", "persistence", "speed", "loc_x", "loc_y", "mine"]


def dat(tmp_path, text, columns=COLUMNS, name="x.dat", **more):
    (tmp_path / name).write_text(text)
    return choreography.read_dat(tmp_path / name, columns, **more)


def test_dat_columns_are_named_by_the_caller(tmp_path):
    found = dat(tmp_path, "0.040 7 1.5 NaN 10 20 -1e-3\n0.100 7 2 0.25 11 21 Infinity\n")
    assert found.larvae == ("7",)
    assert set(found.features) == {"persistence", "speed", "mine"}
    assert found.units == {"persistence": "s", "speed": "mm/s", "mine": ""}
    assert np.isnan(found.features["speed"][0])
    assert found.features["mine"].tolist() == [-0.001, np.inf]
    assert found.centroid.tolist() == [[10, 20], [11, 21]]
    assert found.identity.assay == "x"


def test_without_a_column_the_name_says_which_larva(tmp_path):
    first = tmp_path / "20150701_105504.speed.00007.dat"
    second = tmp_path / "20150701_105504.speed.00014.dat"
    first.write_text("0.040 1\n0.100 2\n")
    second.write_text("0.040 3\n")
    found = choreography.read_dat([first, second], ["t", "speed"])
    assert found.larvae == ("7", "14")
    assert found.features["speed"].tolist() == [1, 2, 3]


def test_dat_written_and_read_back(tmp_path):
    tracks = example_tracks(2, 10, contour=False)
    speed = np.round(np.arange(20) / 7, 3)
    whole = Tracks.build(
        IDENTITY, tracks.larvae, tracks.larva_index, tracks.t, midline=tracks.midline,
        centroid=tracks.midline[:, 5], features={"speed": speed},
    )  # fmt: skip
    columns = ["time", "id", "speed", "loc_x", "loc_y"]
    choreography.write_dat(whole, tmp_path / f"{STAMP}.dat", columns)
    found = choreography.read_dat(tmp_path / f"{STAMP}.dat", columns)
    np.testing.assert_array_equal(found.features["speed"], speed)
    np.testing.assert_array_equal(found.centroid, whole.centroid)
    choreography.write_spine(whole, tmp_path / f"{STAMP}.spine")
    together = choreography.read(tmp_path, columns=columns)
    np.testing.assert_array_equal(together.features["speed"], speed)
    np.testing.assert_array_equal(together.midline, whole.midline)


def test_frames_that_the_dat_lacks_have_nan(tmp_path):
    (tmp_path / f"{STAMP}.spine").write_text(row(7, 0.04) + row(7, 0.1))
    (tmp_path / f"{STAMP}.dat").write_text("0.100 7 3\n0.200 7 4\n")
    found = choreography.read(tmp_path, columns=["time", "id", "speed"])
    np.testing.assert_array_equal(found.features["speed"], [np.nan, 3])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["time"], "at least two different names"),
        ("time,id", "are 'time,id'"),
        (["time", "speed", "speed"], "different names"),
        (["id", "time"], "begins with 'id'"),
    ],
)
def test_columns_that_are_none(tmp_path, columns, words):
    with pytest.raises(UsageError, match=words):
        dat(tmp_path, "0 1\n", columns)


def test_dat_that_does_not_fit_its_columns(tmp_path):
    with pytest.raises(DataError, match=r"expected 7 columns \(time, id.*row 2 has 6"):
        dat(tmp_path, "0 7 1 1 1 1 1\n0.1 7 1 1 1 1\n")
    with pytest.raises(DataError, match=r"in column id, but row 1 has 0\.5"):
        dat(tmp_path, "0 0.5 1 1 1 1 1\n")
    with pytest.raises(DataError, match="in column id, but row 1 has nan"):
        dat(tmp_path, "0 NaN 1 1 1 1 1\n")
    with pytest.raises(DataError, match="expected numbers in row 1, but found b'time'"):
        dat(tmp_path, "time id a b c d e\n")
    with pytest.raises(DataError, match=r"or a name <prefix>.<number>.spine"):
        dat(tmp_path, "0.1 1\n", ["time", "speed"])
    with pytest.raises(UsageError, match=r"at least one \.dat"):
        choreography.read_dat([], ["time", "speed"])


# What is refused.

GOOD = row(1, 0) + row(1, 0.1) + row(2, 0)
REFUSED = {
    "empty": (b"", "expected rows of points, but the file is empty"),
    "blank": (b"\n \n", "expected rows of points, but the file is empty"),
    "foreign": (b"larva,t,state\n1,2,run\n", "expected rows 'date_time id t x y"),
    "cut off": (GOOD.encode()[:-30], r"row 3, the last one, has no end"),
    "cut to a row": (GOOD.encode()[:-1], r"row 3, the last one, has no end"),
    "fewer points": ((GOOD + row(2, 0.1, points=10)).encode(), "11 points of a spine in row 4"),
    "half a point": (GOOD.replace(" 30.000\n", "\n", 1).encode(), "row 1, but found 22 numbers"),
    "text": (GOOD.replace("11.000", "eleven", 1).encode(), "numbers in row 1, but found b'eleven'"),
    "comma": (GOOD.replace("11.000", "11,000", 1).encode(), "found b'11,000'"),
    "other recording": (
        (GOOD + row(stamp="20150701_105505")).encode(),
        "at the start of row 4.*b'20150701_105505', which is another recording",
    ),
    "no stamp": ((GOOD + row(stamp="mean")).encode(), "row 4.*b'mean', which is no date"),
    "name for a larva": (
        GOOD.encode() + row().replace("00001", "../x").encode(), "number of a larva.*row 4.*'../x'",
    ),
    "row too short": (GOOD.encode() + f"{STAMP} 1\n".encode(), "expected 'date_time id.*row 4"),
    "no time": (row().replace(" 0.000", " nan", 1).encode(), r"a time in seconds.*nan s, row 1"),
    "endless time": (row().replace(" 0.000", " inf", 1).encode(), "a time in seconds"),
    "twice": ((GOOD + row(1, 0.1)).encode(), "1 frames come twice.*larva '1' at 0.1 s, row 4"),
    "far away": (row(shift=2e6).encode(), "coordinates of the midline in mm.*row 1"),
    "infinite": (row().replace("10.000", "inf").encode(), "coordinates of the midline"),
    "bytes": (GOOD.encode() + b"\xff\xfe\x00" * 40 + b"\n", "row 4"),
    "zeros": (GOOD.encode() + bytes(4096) + b"\n", "row 4"),
    "a long row": (GOOD.encode() + b"1" * (3 << 20) + b"\n", "row 4 is longer than 1 MiB"),
    "gzip": (gzip.compress(GOOD.encode())[:-20], "gzip"),
}  # fmt: skip


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("case", REFUSED)
def test_damaged_spines_are_refused(tmp_path, case):
    content, words = REFUSED[case]
    with pytest.raises(DataError, match=words) as caught:
        reads(tmp_path, content)
    assert str(tmp_path / "x.spine") in str(caught.value)


def test_an_outline_needs_pairs(tmp_path):
    ragged = row(1, 0, 5) + row(1, 0.1, 9) + f"{STAMP} 00001 0.200 1.000 2.000 3.000\n"
    with pytest.raises(DataError, match=r"a time and pairs of coordinates in row 3.*4 numbers"):
        reads(tmp_path, ragged, "x.outline")
    with pytest.raises(DataError, match="coordinates of the contour"):
        reads(tmp_path, row(shift=1e300), "x.outline")


def test_files_that_say_nothing_of_the_larva(tmp_path):
    per_larva = " ".join(["0.040"] + ["1.000"] * 22) + "\n"
    assert not choreography.sniff(tmp_path / "nothing.spine")
    (tmp_path / "x.spine").write_text(per_larva)
    assert not choreography.sniff(tmp_path / "x.spine")
    with pytest.raises(DataError, match=r"or a name <prefix>.<number>.spine"):
        choreography.read(tmp_path / "x.spine")


def test_layouts_do_not_mix(tmp_path):
    choreography.write_objects(example_tracks(contour=False), tmp_path, "x")
    (tmp_path / "x.00007.spine").write_text(row())
    with pytest.raises(DataError, match="one file for all larvae, or one per larva"):
        choreography.read(tmp_path)


def test_two_recordings_are_not_one(tmp_path):
    (tmp_path / "x.spine").write_text(row())
    (tmp_path / "x.outline").write_text(row(stamp="20160101_000000"))
    with pytest.raises(DataError, match="of 20150701_105504 and 20160101_000000"):
        choreography.read(tmp_path)


def test_a_folder_without_recordings(tmp_path):
    with pytest.raises(DataError, match=r"of 0 \(none\)"):
        choreography.read(tmp_path)
    with pytest.raises(UsageError, match="there is no such file"):
        choreography.read(tmp_path / "x.spine")
    with pytest.raises(UsageError, match="there is no such file"):
        choreography.recordings(tmp_path / "nowhere")


def test_numbers_beyond_any_recording(tmp_path, monkeypatch):
    monkeypatch.setattr("larvastats.io.choreography.points.MAX_VALUES", 60)
    with pytest.raises(DataError, match="more than 60 numbers"):
        reads(tmp_path, GOOD)


# Writing.


def test_what_cannot_be_written(tmp_path):
    tracks = example_tracks(1, 3, contour=False)
    with pytest.raises(UsageError, match="expected contours to write"):
        choreography.write_outline(tracks, tmp_path / "x.outline")
    bare = Tracks.build(IDENTITY, ["1"], [0], [0.0])
    with pytest.raises(UsageError, match="expected midlines to write"):
        choreography.write_spine(bare, tmp_path / "x.spine")
    with pytest.raises(UsageError, match="expected midlines or contours to write"):
        choreography.write_objects(bare, tmp_path, "x")
    with pytest.raises(UsageError, match="found 'speed'"):
        choreography.write_dat(bare, tmp_path / "x.dat", ["time", "speed"])
    assert list(tmp_path.iterdir()) == []


def built(larvae=("1",), t=(0.0,), identity=IDENTITY):
    return Tracks.build(identity, larvae, [0] * len(t), t, midline=np.zeros((len(t), 11, 2)))


def test_names_and_times_that_the_format_lacks(tmp_path):
    path = tmp_path / "x.spine"
    with pytest.raises(DataError, match="larvae have numbers, but one is named 'left'"):
        choreography.write_spine(built(("left",)), path)
    with pytest.raises(DataError, match="less than a millisecond apart"):
        choreography.write_spine(built(t=(0.0, 0.0001)), path)
    with pytest.raises(DataError, match="has no date and time"):
        choreography.write_spine(built(identity=make_identity("", "A", "", "", "dish")), path)
    with pytest.raises(DataError, match="cannot be written"):
        choreography.write_spine(built(), tmp_path / "nowhere" / "x.spine")
    assert list(tmp_path.iterdir()) == []


def test_frames_without_a_shape_get_no_row(tmp_path):
    midline = np.zeros((3, 11, 2))
    midline[1] = np.nan
    tracks = Tracks.build(IDENTITY, ["1"], [0] * 3, [0, 0.1, 0.2], midline=midline)
    choreography.write_spine(tracks, tmp_path / "x.spine")
    assert choreography.read(tmp_path / "x.spine").t.tolist() == [0, 0.2]


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=40, unique=True), st.integers(2, 14))
@settings(max_examples=25)
def test_any_spine_survives(tmp_path_factory, milliseconds, n_points):
    t = np.sort(milliseconds) / 1000
    rng = np.random.default_rng(len(t))
    midline = np.round(rng.normal(0, 2000, (len(t), n_points, 2)), 3)
    tracks = Tracks.build(IDENTITY, ["1"], [0] * len(t), t, midline=midline)
    path = tmp_path_factory.mktemp("any") / "x.spine"
    choreography.write_spine(tracks, path)
    assert same(choreography.read(path), tracks)


def test_memory_holds_blocks_not_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(point_rows, "BLOCK_BYTES", 4096)
    (tmp_path / "x.spine").write_text("".join(row(1, i / 1000) for i in range(2000)))
    rows = read_rows(tmp_path / "x.spine", STAMP)
    sizes = [len(part.values) for part in rows]
    assert sum(sizes) == 2000 * 23
    assert max(sizes) <= 23 * 40
