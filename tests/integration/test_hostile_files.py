"""Directories with what no laboratory means to have in them: named or left out, and on it goes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from larvastats.errors import DataError, UsageError
from larvastats.io.source import checksum, load, load_with_report
from larvastats.io.store import is_store, read_store, store_tracks
from larvastats.verbs.ingest import ingest

NAMES = ["..", ".", "../../etc/passwd", "/etc/passwd", "a/b", "a_b", "NUL", "a\nb", "a\r\nb",
         "x" * 10_000, "\u202eevil", "\u200b", "\x1b[2J", "İ", "ß", "SS", "a\0b", "%s",
         "[bold]x[/]", "-", "--help", "A", "a", "A\u0301", "\u00c1", "=1+1", "nan",
         "None"]  # fmt: skip


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Fail instead of waiting for a pipe that nobody writes to."""

    def ring(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def bouts(assay: str = "p", line: str = "A", larva: str = "1") -> pd.DataFrame:
    """Bouts of one larva."""
    return pd.DataFrame(
        {"assay": assay, "line": line, "larva": larva, "state": ["run", "cast"],
         "t_start": [0.0, 2], "t_stop": [2.0, 3]}
    )  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A directory with two good tables."""
    root = tmp_path / "database"
    root.mkdir()
    for assay in ("p", "q"):
        bouts(assay).to_csv(root / f"{assay}.csv", index=False)
    return root


def index(store: Path) -> pd.DataFrame:
    return pd.read_parquet(store / "assays.parquet").set_index("source")


# -- files that are none ---------------------------------------------------------------------------


def test_pipes_sockets_devices_and_links_are_passed_by(database: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    bouts("stolen").to_csv(outside / "stolen.csv", index=False)
    os.mkfifo(database / "pipe.csv")
    os.mkfifo(outside / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(database / "socket.csv"))
        for name, target in {
            "dangling.csv": "nowhere", "loop.csv": "loop.csv", "a.csv": "b.csv", "b.csv": "a.csv",
            "out.csv": outside / "stolen.csv", "folder": outside, "up": "..", "here": ".",
            "to_pipe.csv": outside / "pipe.csv", "zero.csv": "/dev/zero", "full.mat": "/dev/full",
        }.items():  # fmt: skip
            (database / name).symlink_to(target)
        report = ingest(database, tmp_path / "store")
        ethogram, _ = load_with_report(database)
    assert (report.n_ok, report.n_failed) == (2, 0)
    assert sorted(ethogram.assays["assay"]) == ["p", "q"]
    assert load(tmp_path / "store").equals(ethogram)


def test_a_pipe_in_the_place_of_a_recording_is_named(database: Path, tmp_path: Path):
    source = database / "p.csv"
    ingest(database, tmp_path / "store")
    source.unlink()
    os.mkfifo(source)
    report = ingest(database, tmp_path / "store")  # what is gone stays
    assert report.n_failed == 0 and len(load(tmp_path / "store").assays) == 2
    for act in (load, checksum, lambda path: ingest(path, tmp_path / "other")):
        with pytest.raises(DataError, match="found a pipe or a device"):
            act(source)
    with pytest.raises(DataError, match="found a pipe or a device"):
        load(database / "q.csv", exclude=source)


def test_commands_do_not_wait_for_pipes(cli, database: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    pipe = tmp_path / "pipe"
    for words in (["info", pipe], ["info", database, "--exclude", pipe],
                  ["ingest", pipe, tmp_path / "s"], ["info", "/dev/zero"]):  # fmt: skip
        done = cli(*words)
        assert done.code == 1 and "found a pipe or a device" in done.error
    for name in ("x" * 10_000, "y/" * 4000):
        assert cli("info", name).code in (1, 2)
        assert cli("ingest", database, name).code in (1, 2)
    (tmp_path / "loop").symlink_to("loop")
    assert cli("ingest", database, tmp_path / "loop").code == 1
    assert cli("info", tmp_path / "loop").code == 1


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder of somebody who is not root, for whom permissions count."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, -1)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in folder.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


def test_files_that_may_not_be_read_are_named(as_nobody: Path):
    source = as_nobody / "source"
    source.mkdir()
    bouts("p").to_csv(source / "p.csv", index=False)
    bouts("q").to_csv(source / "q.csv", index=False)
    (source / "q.csv").chmod(0)
    report = ingest(source, as_nobody / "store")
    assert (report.n_ok, report.n_failed) == (1, 1)
    assert "permission to read it is denied" in index(as_nobody / "store").loc[
        str(source / "q.csv"), "status"
    ]  # fmt: skip
    (source / "q.csv").chmod(0o600)
    assert ingest(source, as_nobody / "store").n_ok == 2


# -- names -----------------------------------------------------------------------------------------


def test_any_name_of_an_assay_a_line_or_a_larva(cli, database: Path, tmp_path: Path):
    parts = [bouts(name, name, name) for name in NAMES]
    pd.concat(parts).to_parquet(database / "names.parquet")
    store = tmp_path / "store"
    report = ingest(database, store)
    assert (report.n_ok, report.n_failed) == (2 + len(NAMES), 0)
    found = load(store)
    assert found.equals(load(database), atol=0)
    assert set(found.assays["assay"]) == {"p", "q", *NAMES}
    files = list((store / "bouts").iterdir())
    assert len(files) == 2 + len(NAMES) and len({p.name.casefold() for p in files}) == len(files)
    assert ingest(database, store).n_read == 0
    assert cli("info", store).code == 0
    assert json.loads(cli("info", store, "--json").out)["totals"]["n_assays"] == 2 + len(NAMES)


def test_blank_names_are_refused(database: Path, tmp_path: Path):
    for number, blank in enumerate(("", " ", "\t", "\n", "\u2003")):
        bouts("x", blank).to_parquet(database / f"{number}.parquet")
    report = ingest(database, tmp_path / "store")
    assert (report.n_ok, report.n_failed) == (2, 5)
    assert all("column line is empty" in reason for _, reason in report.failures)


FOLDERS = [b"A\xff@B", b"A\nerror: lost@B", b"\xe2\x80\xae@B", b"\x1b[2J@B", b"[bold]@B", b"A..@B",
           b"-@B", b"%s@", b"'\"@B", b"\xf0\x9f\x90\x9b@B", b"a@b", b"A@B"]  # fmt: skip


def test_any_name_of_a_folder_or_a_file(cli, tmp_path: Path):
    root = os.fsencode(tmp_path / "database")
    columns = ["larva", "state", "t_start", "t_stop"]
    for number, folder in enumerate(FOLDERS):
        own = os.path.join(root, b"t5", folder, b"p\xe4", b"20150701_105504")
        os.makedirs(own)
        name = os.fsdecode(os.path.join(own, b"x\xff%d" % number))
        table = bouts()[columns]
        if number % 2:
            table.to_csv(f"{name}.csv", index=False)
        else:
            with open(f"{name}.parquet", "wb") as file:
                table.to_parquet(file)
    with open(os.path.join(root, b"bad\xff.mat"), "wb") as file:
        file.write(b"no matlab")
    store = tmp_path / "store"
    report = ingest(tmp_path / "database", store)
    assert (report.n_ok, report.n_failed) == (len(FOLDERS), 1), report.failures
    table = index(store)
    assert table.loc[str(tmp_path / "database" / "bad\\xff.mat"), "status"] != "ok"
    assert {"A\\xff", "A\nerror: lost", "A..", "a", "A"} <= set(table["line"].dropna())
    assert set(table["protocol"].dropna()) == {"p\\xe4"}
    assert load(store).equals(load(tmp_path / "database"), atol=0)
    again = ingest(tmp_path / "database", store)
    assert (again.n_read, again.n_ok, again.n_failed) == (1, len(FOLDERS), 1)
    done = cli("ingest", tmp_path / "database", store)
    assert done.code == 0 and "1 recordings failed" in done.out
    done.out.encode()
    assert cli("info", tmp_path / "database").code == 0


def test_commands_print_names_that_are_no_text(cli, tmp_path: Path):
    rows = "".join(f"{flag}({k}),{k % 2}\n" for flag in FLAGS for k in range(6))
    path = os.fsencode(tmp_path / "database") + b"/group\xff.csv"
    (tmp_path / "database").mkdir()
    with open(path, "w") as file:
        file.write(",larva(0)\n" + rows)
    for words in (["info"], ["ingest"], ["transitions"]):
        source = [os.fsdecode(path)] if words == ["transitions"] else [tmp_path / "database"]
        store = [tmp_path / "store"] if words == ["ingest"] else []
        done = cli(*words, *source, *store, "--fps", 10)
        assert done.code == 0 and "group" in done.out + done.err
    assert load(tmp_path / "store").assays["line"].tolist() == ["group\\xff"]


FLAGS = ("is_coiled", "left_bended", "right_bended", "go_phase")

# -- stores that somebody else made ----------------------------------------------------------------


@pytest.fixture
def store(database: Path, tmp_path: Path) -> Path:
    ingest(database, tmp_path / "store")
    return tmp_path / "store"


def changed(store: Path, **columns: object) -> None:
    """Put other values into the first row of the index."""
    path = store / "assays.parquet"
    table = parquet.read_table(path)
    for name, value in columns.items():
        values = table.column(name).to_pylist()
        values[0] = value
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values, table.schema.field(at).type))
    parquet.write_table(table, path)


@pytest.mark.parametrize("name", ["../outside.parquet", "/etc/passwd", "bouts/../../x.parquet",
                                  "bouts/x.parquet", "bouts/", ""])  # fmt: skip
def test_an_index_cannot_lead_out_of_its_store(store: Path, name: str):
    changed(store, bouts=name)
    with pytest.raises(DataError, match="index of the store is damaged"):
        load(store)


@pytest.mark.parametrize("columns", [
    {"n_larvae": 7}, {"larvae": ["1", "1"], "n_larvae": 2}, {"larvae": [" "]}, {"assay": ""},
    {"states": ["run", "run"]}, {"larvae": None}, {"source": None},
])  # fmt: skip
def test_an_index_that_contradicts_itself(store: Path, columns: dict[str, object]):
    changed(store, **columns)
    with pytest.raises(DataError, match="index of the store is damaged"):
        load(store)


def test_columns_of_other_types(store: Path):
    path = store / "assays.parquet"
    good = parquet.read_table(path)
    for name in good.schema.names:
        at = good.schema.get_field_index(name)
        for values in (pa.nulls(len(good), pa.date32()), pa.array([[{"a": 1}]] * len(good))):
            parquet.write_table(good.set_column(at, name, values), path)
            with pytest.raises(DataError, match=f"column {name} holds"):
                load(store)
    parquet.write_table(good.append_column("assay", good.column("assay")), path)
    with pytest.raises(DataError, match="two columns have one name"):
        load(store)


@pytest.mark.parametrize("mark", [b"", b"[]", b"null", b"[" * 100_000, b"\xff",
                                  b'{"format": "other"}'])  # fmt: skip
def test_a_store_without_its_mark_is_no_database(store: Path, database: Path, mark: bytes):
    (store / "store.json").write_bytes(mark)
    assert is_store(store)
    for act in (lambda: load(store), lambda: ingest(database, store), lambda: checksum(store)):
        with pytest.raises(DataError, match=r"its store\.json is missing or unreadable"):
            act()


@pytest.mark.parametrize("verdict", [
    "[]", "[[]]", "[1]", '{"a": 1}', "[" * 100_000, '[{"source": "x", "status": "ok"}]', "\"x\"",
])  # fmt: skip
def test_verdicts_that_are_none(store: Path, database: Path, verdict: str):
    before = load(store)
    pending = store / ".pending-x"
    pending.mkdir()
    (pending / "v.json").write_text(verdict)
    assert load(store).equals(before)
    assert ingest(database, store).n_ok == 2
    assert not pending.exists()


def test_pipes_in_a_store(store: Path):
    for name in ("store.json", "assays.parquet"):
        kept = (store / name).read_bytes()
        (store / name).unlink()
        os.mkfifo(store / name)
        with pytest.raises((DataError, UsageError)):
            read_store(store)
        (store / name).unlink()
        (store / name).write_bytes(kept)
    read_store(store)


def test_a_store_whose_path_is_no_text_is_refused_at_once(store: Path, database: Path):
    folder = store.with_name(os.fsdecode(b"st\xffore"))
    with pytest.raises(UsageError, match="path in UTF-8"):
        ingest(database, folder)
    assert not folder.exists()
    shutil.move(store, folder)
    with pytest.raises(UsageError, match="path in UTF-8"):
        load(folder)


def test_ingest_removes_nothing_but_its_own_files(store: Path, database: Path, tmp_path: Path):
    photos = tmp_path / "photos"
    shutil.move(store / "bouts", photos)
    (photos / "wedding.jpg").write_bytes(b"x")
    (photos / "table.parquet").write_bytes(b"x")
    (store / "bouts").symlink_to(photos)
    (database / "p.csv").unlink()
    bouts("p", larva="2").to_csv(database / "p.csv", index=False)
    assert ingest(database, store).n_read == 1
    assert len(list(photos.iterdir())) == 4  # two files of bouts, the old one of p is gone
    assert (photos / "wedding.jpg").exists() and (photos / "table.parquet").exists()


# -- stores with shapes ----------------------------------------------------------------------------


@pytest.fixture
def shaped(tmp_path: Path) -> Path:
    """A store with the midlines of two assays."""
    root = tmp_path / "films"
    for stamp in ("20200131_093000", "20200131_103000"):
        folder = root / "t5" / "A@E" / "p_8_45s1x30s0s#n#n#n" / stamp
        folder.mkdir(parents=True)
        rows = (f"{stamp} 00001 {i / 10:.3f}" + " 1.000 2.000" * 11 for i in range(4))
        (folder / f"{stamp}.spine").write_text("\n".join(rows) + "\n")
    assert ingest(root, tmp_path / "shaped", keep="midline").n_ok == 2
    return tmp_path / "shaped"


@pytest.mark.parametrize("name", ["../x.h5", "/etc/passwd", "tracks/../../x.h5", "tracks/x.h5", "",
                                  "bouts/x-0.parquet", "tracks/x-0.parquet"])  # fmt: skip
def test_tracks_cannot_lead_out_of_their_store(shaped: Path, name: str):
    changed(shaped, tracks=name)
    with pytest.raises(DataError, match="index of the store is damaged"):
        list(store_tracks(shaped))


def test_tracks_of_another_assay_are_refused(shaped: Path):
    first, second = parquet.read_table(shaped / "assays.parquet").column("tracks").to_pylist()
    shutil.copy(shaped / second, shaped / first)
    with pytest.raises(DataError, match="tracks is of another assay"):
        list(store_tracks(shaped))


def test_a_pipe_in_the_place_of_tracks(shaped: Path):
    (name, _) = parquet.read_table(shaped / "assays.parquet").column("tracks").to_pylist()
    (shaped / name).unlink()
    os.mkfifo(shaped / name)
    with pytest.raises(DataError, match="has lost this file"):
        list(store_tracks(shaped))


def test_ingest_removes_no_foreign_file_from_tracks(shaped: Path, tmp_path: Path):
    for name in ("wedding.jpg", "table.h5"):
        (shaped / "tracks" / name).write_bytes(b"x")
    lost = shaped / "tracks" / "x-0123456789abcdef.h5"
    lost.write_bytes(b"x")
    (tmp_path / "films" / "new.csv").write_text(bouts("r").to_csv(index=False))
    assert ingest(tmp_path / "films", shaped, keep="midline").n_read == 1
    assert not lost.exists() and len(list((shaped / "tracks").iterdir())) == 4
