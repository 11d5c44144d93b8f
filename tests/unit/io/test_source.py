"""Sources of every kind, whole databases, and what is said about the files left out."""

import errno
import gzip

import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import fimtrack, tidy, trx
from larvastats.io.paths import database_path, make_identity
from larvastats.io.source import load, load_with_report
from larvastats.io.trx import matlab

PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"
STAMPS = ("20200131_093000", "20200131_103000", "20200201_093000")


def identity(line="A", stamp=STAMPS[0]):
    return make_identity("t15", line, "E", PROTOCOL, stamp)


def recording(who, flicker=False):
    """One assay of two larvae."""
    steps = [0, 10, 11, 30] if flicker else [0, 10, 20, 30]
    rows = [
        (larva, state, start / 10, stop / 10)
        for larva in ("1", "2")
        for state, start, stop in zip(("run", "stop", "run"), steps[:-1], steps[1:], strict=True)
    ]
    table = pd.DataFrame(rows, columns=["larva", "state", "t_start", "t_stop"])
    return Ethogram.from_bouts(
        table.assign(
            assay=who.assay, line=who.line, effector=who.effector, protocol=who.protocol,
            tracker=who.tracker, date=who.date, time=who.time,
        )
    )  # fmt: skip


def place(root, who, name):
    path = root / database_path(who, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def database(tmp_path):
    """Two lines on three plates each, as trx.mat."""
    root = tmp_path / "db"
    for line in ("A", "B"):
        for stamp in STAMPS:
            who = identity(line, stamp)
            trx.write(recording(who), place(root, who, "trx.mat"))
    return root


FIMTRACK = ",larva(0)\n" + "".join(
    f"{flag}({frame}),{int(flag == 'go_phase')}\n"
    for flag in ("is_coiled", "left_bended", "right_bended", "go_phase")
    for frame in range(10)
)


# -- kinds of source -------------------------------------------------------------------------------


def test_an_ethogram_is_its_own_source():
    ethogram = recording(identity())
    assert load(ethogram) is ethogram


def test_a_table_of_bouts_or_frames():
    ethogram = recording(identity())
    assert load(ethogram.to_bouts()).equals(ethogram)
    assert load(ethogram.to_frames(0.1)).equals(ethogram)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet", "x.mat"])
def test_a_file_as_text_or_path(tmp_path, name):
    path, ethogram = tmp_path / name, recording(identity())
    (trx.write if name.endswith("mat") else tidy.write_bouts)(ethogram, path)
    assert load(path).equals(ethogram)
    assert load(str(path)).equals(ethogram)


def test_the_content_decides_not_the_name(tmp_path):
    path, ethogram = tmp_path / "x.mat", recording(identity())
    tidy.write_bouts(ethogram, tmp_path / "x.parquet")
    (tmp_path / "x.parquet").rename(path)
    assert load(path).equals(ethogram)


def test_a_fimtrack_table_is_named_after_its_file_and_this_is_said(tmp_path):
    path = tmp_path / "group_1.csv"
    path.write_text(FIMTRACK)
    ethogram, notes = load_with_report(path, fps=10)
    assert ethogram.genotypes == ("group_1",)
    assert len(notes) == 1
    assert "named after the file, with that name as line" in notes[0]


def test_a_database(database):
    ethogram, notes = load_with_report(database)
    assert notes == ()
    assert ethogram.genotypes == ("A@E", "B@E")
    assert ethogram.protocols == (PROTOCOL,)
    assert len(ethogram.assays) == 6
    assert ethogram.assays["date"].value_counts().to_dict() == {"20200131": 4, "20200201": 2}
    whole = pd.concat([recording(identity(line, s)).to_bouts() for line in "AB" for s in STAMPS])
    assert ethogram.equals(Ethogram.from_bouts(whole))


def test_a_part_of_a_database_has_the_same_names(database):
    part = load(database / "t15" / "A@E")
    assert set(part.assays["assay"]) <= set(load(database).assays["assay"])
    assert part.genotypes == ("A@E",)


def test_a_database_of_every_format(tmp_path):
    root = tmp_path / "db"
    who = [identity("A", stamp) for stamp in STAMPS]
    trx.write(recording(who[0]), place(root, who[0], "trx.mat"))
    place(root, who[1], "bouts.csv").write_text("larva,state,t_start,t_stop\n1,run,0,1\n")
    place(root, who[2], "table.csv.gz").write_bytes(gzip.compress(FIMTRACK.encode()))
    ethogram, notes = load_with_report(root, fps=10)
    assert notes == ()
    assert list(ethogram.assays["assay"]) == [one.assay for one in who]
    assert ethogram.genotypes == ("A@E",)
    assert ethogram.assays["time"].tolist() == ["093000", "103000", "093000"]


def test_tables_in_one_flat_directory(tmp_path):
    for line in ("A", "B"):
        tidy.write_bouts(recording(identity(line)), tmp_path / f"{line}.csv")
    assert load(tmp_path).genotypes == ("A@E", "B@E")


def test_one_format_can_be_chosen(database):
    tidy.write_bouts(recording(identity("C")), place(database, identity("C"), "bouts.csv"))
    assert load(database, format="tidy").genotypes == ("C@E",)
    assert load(database, format="trx").genotypes == ("A@E", "B@E")


# -- options ---------------------------------------------------------------------------------------


def test_flicker_is_merged_whatever_the_source(tmp_path):
    ethogram = recording(identity(), flicker=True)
    path = tmp_path / "trx.mat"
    trx.write(ethogram, path)
    for source in (ethogram, ethogram.to_bouts(), path):
        assert load(source).n_bouts == 6
        assert load(source, min_bout=0.2).n_bouts == 2


def test_labels_reach_the_reader(database):
    with pytest.raises(DataError, match="global_state_small_large_state"):
        load(database, labels="all")


WRONG = {
    "format": (dict(format="xlsx"), "--format must be one of auto, trx, fimtrack, choreography"),
    "labels": (dict(labels="some"), "--labels must be one of large, all, strong"),
    "labels without trx": (
        dict(labels="all"),
        "--labels all is about trx.mat files, but .*has none",
    ),
    "format that does not fit": (dict(format="trx"), "--format trx does not fit"),
    "fps": (dict(fps=-1), "--fps must be a positive number"),
    "px_per_mm": (dict(px_per_mm=0), "--px-per-mm must be a positive number"),
    "min_bout": (dict(min_bout=-1), "--min-bout must be a duration"),
    "exclude": (dict(exclude="nowhere.txt"), r"nowhere\.txt: there is no such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_are_wrong_usage(name):
    options, words = WRONG[name]
    with pytest.raises(UsageError, match=words):
        load(recording(identity()), **options)


@pytest.mark.parametrize("source", [5, None, ["a.csv"]])
def test_other_things_are_no_source(source):
    with pytest.raises(UsageError, match="A source is an ethogram, a DataFrame, a file"):
        load(source)


def test_a_frame_rate_that_nothing_needs_is_noted(database):
    _, notes = load_with_report(database, fps=10)
    assert notes == (f"--fps applies to FIMTrack tables only, and {database} has none: not used.",)


def test_a_database_that_needs_a_frame_rate_asks_for_it(tmp_path):
    (tmp_path / "group_1.csv").write_text(FIMTRACK)
    with pytest.raises(UsageError, match="give it by --fps"):
        load(tmp_path)


# -- exclusion -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "n_left"),
    [
        (f"{identity('A').assay}\n", 5),
        ("20200131_093000\n", 4),
        ("20200131_*\n", 2),
        ("*/A@E/*\n", 3),
        ("# all of a day\n20200201_??3000   # both lines\n\n", 4),
        (f"{identity('A').assay}\n20200131_093000\n", 4),
        ("\ufeff20200131_093000\r\n", 4),
        ("nothing\n", 6),
    ],
)
def test_excluded_assays_are_left_out_of_every_kind_of_source(database, tmp_path, entries, n_left):
    path = tmp_path / "exclude.txt"
    path.write_text(entries, encoding="utf-8")
    whole = load(database)
    for source in (database, whole, whole.to_bouts()):
        ethogram, notes = load_with_report(source, exclude=path)
        assert len(ethogram.assays) == n_left
        said = " ".join(notes)
        assert (f"{6 - n_left} assay" in said) == (n_left < 6)
        assert ("'nothing' matches no assay" in said) == ("nothing" in entries)


def test_broken_files_of_excluded_assays_are_not_opened(database, tmp_path):
    place(database, identity("A"), "trx.mat").write_bytes(b"broken")
    (tmp_path / "exclude.txt").write_text("*/A@E/*")
    _, notes = load_with_report(database, exclude=tmp_path / "exclude.txt")
    assert len(notes) == 1
    assert "3 assays left out" in notes[0]


def test_everything_excluded(database, tmp_path):
    (tmp_path / "exclude.txt").write_text("*")
    for source in (database, load(database)):
        with pytest.raises(DataError, match=r"every .* is to be left out; shorten the list"):
            load(source, exclude=tmp_path / "exclude.txt")


def test_an_exclusion_list_is_text(tmp_path):
    (tmp_path / "exclude.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"exclude\.txt: expected a UTF-8 text"):
        load(recording(identity()), exclude=tmp_path / "exclude.txt")


# -- what goes wrong -------------------------------------------------------------------------------


def test_broken_files_are_named_and_the_others_go_on(database):
    cut = place(database, identity("A"), "trx.mat")
    cut.write_bytes(cut.read_bytes()[:3000])
    place(database, identity("B"), "trx.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(500))
    place(database, identity("C"), "bouts.csv").write_text("larva,stat,t_start,t_stop\n1,run,0,1\n")
    ethogram, notes = load_with_report(database)
    assert len(ethogram.assays) == 4
    assert [note.split(": ")[0] for note in notes] == ["Left out"] * 3
    assert f"{cut}: the file is damaged or cut off" in notes[0]
    assert "version 5" in notes[1]
    assert "'stat' the state" in notes[2]


def test_files_of_other_kinds_are_counted(database):
    for name in ("x.dat", "x.xls", "readme.txt"):
        place(database, identity("A"), name).write_text("hello")
    _, notes = load_with_report(database)
    assert len(notes) == 1
    assert notes[0].startswith("3 files of other kinds not read")


def test_a_damaged_recording_beside_a_good_one_is_named(database):
    for name in ("x.spine", "x.outline"):
        place(database, identity("A"), name).write_text("hello")
    ethogram, notes = load_with_report(database)
    assert len(ethogram.assays) == 6
    assert len(notes) == 1
    assert notes[0].startswith("Left out: ") and "x.spine" in notes[0]


def test_an_assay_that_comes_twice_is_read_once(database):
    tidy.write_bouts(recording(identity("A")), place(database, identity("A"), "bouts.csv"))
    ethogram, notes = load_with_report(database)
    assert len(ethogram.assays) == 6
    assert len(notes) == 1
    assert "was read from" in notes[0]


def test_a_file_that_contradicts_its_path_is_believed_and_said(database):
    trx.write(recording(identity("Z")), place(database, identity("A"), "trx.mat"))
    ethogram, notes = load_with_report(database)
    assert ethogram.genotypes == ("A@E", "B@E", "Z@E")
    assert len(notes) == 1
    assert "the file names the line 'Z', its path 'A'; the file is believed" in notes[0]


def test_a_suffix_of_the_protocol_is_no_contradiction(tmp_path):
    root = tmp_path / "db"
    who = identity()
    path = root / "t15" / "A@E" / f"{PROTOCOL}@100" / STAMPS[0] / "trx.mat"
    path.parent.mkdir(parents=True)
    trx.write(recording(who), path)
    assert load_with_report(root)[1] == ()


def test_nothing_readable(database):
    for path in database.rglob("trx.mat"):
        path.write_bytes(b"broken")
    with pytest.raises(
        DataError, match=r"none of 6 files could be read.*The first: .*A@E.*trx\.mat"
    ):
        load(database)


DIRECTORIES = {
    "empty": ({}, "no file at all"),
    "other files": ({"notes.txt": "hello", "film.avi": "x"}, "2 files, none of them one"),
    "tables of something else": ({"prices.csv": "item,price\nx,1\n"}, "none of 1 file could be"),
}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_directory_that_is_no_database(tmp_path, name):
    files, words = DIRECTORIES[name]
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    layout = "expected a database .*<tracker>/<line>@<effector>/<protocol>/<date_time>/<file>"
    with pytest.raises(DataError, match=f"{layout}.*{words}"):
        load(tmp_path)


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere: there is no such file; check the path"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["x.json", "x", "x.txt"])
def test_a_file_of_another_kind(tmp_path, name):
    (tmp_path / name).write_text('{"metadata": 1}')
    with pytest.raises(
        DataError, match=r"expected a recording in one of the formats trx, fimtrack"
    ):
        load(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "words"), [("x.csv", "expected the columns"), ("x.mat", "expected a MATLAB 7.3 file")]
)
def test_a_file_that_claims_to_be_a_recording_hears_what_is_wrong(tmp_path, name, words):
    (tmp_path / name).write_text("1,2\n3,4\n")
    with pytest.raises(DataError, match=words):
        load(tmp_path / name)


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("x")

    def forbidden(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("larvastats.io.files.open_plain", forbidden)
    with pytest.raises(DataError, match=r"x\.csv: permission to read it is denied"):
        load(path)


def test_constant_gaps_are_refused_in_a_data_frame():
    n = 20
    t = np.arange(n, dtype=float)
    table = pd.DataFrame(
        {"assay": "p", "line": "A", "larva": 1, "state": ["run", "stop"] * (n // 2), "t_start": t,
         "t_stop": t + 0.9}
    )  # fmt: skip
    with pytest.raises(DataError, match=r"DataFrame: .*add the frame step \(0\.1 s\)"):
        load(table)


# -- real larvae -----------------------------------------------------------------------------------


def test_a_directory_of_real_larvae(shared_data):
    ethogram, notes = load_with_report(shared_data / "fimtrack", fps=10)
    assert len(ethogram.assays) == 4
    assert ethogram.larvae_per_assay.tolist() == [7, 4, 6, 3]
    assert ethogram.states == ("run", "cast", "stop", "coiled")
    assert [note for note in notes if "4 recordings named after the file" in note]


def test_real_tables_of_other_kinds_are_refused(shared_data):
    for folder in ("schleyer", "papers", "mousestyles"):
        with pytest.raises(DataError, match="expected a database with recordings"):
            load(shared_data / folder)


def test_readers_tell_formats_apart(tmp_path):
    who = identity()
    trx.write(recording(who), tmp_path / "a")
    tidy.write_bouts(recording(who), tmp_path / "b.parquet")
    tidy.write_bouts(recording(who), tmp_path / "c.csv")
    (tmp_path / "d").write_text(FIMTRACK)
    told = {
        path.name: [module.sniff(path) for module in (trx, fimtrack, tidy)]
        for path in tmp_path.iterdir()
    }
    assert told == {
        "a": [True, False, False], "b.parquet": [False, False, True],
        "c.csv": [False, False, True], "d": [False, True, False],
    }  # fmt: skip
    assert matlab.is_matlab73(tmp_path / "a")
