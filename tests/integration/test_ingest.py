"""A store survives anything, and says the same as the recordings it was made of."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import larvastats
from larvastats.cli import app
from larvastats.errors import DataError, UsageError
from larvastats.io import trx
from larvastats.io.paths import identify
from larvastats.io.source import checksum, load, load_with_report
from larvastats.io.store import is_store, store_rows
from larvastats.io.store.files import locked
from larvastats.io.tracks import Tracks
from larvastats.verbs.ingest import ingest

REPOSITORY = Path(__file__).resolve().parents[2]
COMMON = ["assay", "line", "larva", "state", "t_start", "t_stop"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of 12 trx.mat files and one tidy table of two further assays."""
    root = tmp_path_factory.mktemp("data") / "database"
    words = ["simulate", root, "--lines", 2, "--assays-per-line", 4, "--dates", 2,
             "--control-assays-per-date", 2, "--larvae", 3, "--format", "trx"]  # fmt: skip
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert len(list(root.rglob("*.mat"))) == 12
    table = pd.DataFrame(
        {
            "assay": ["x1", "x1", "x2", "x2"], "line": "other", "larva": ["b", "a", "a", "a"],
            "state": ["walk", "run", "rest", "walk"], "t_start": [0.0, 0, 0, 2],
            "t_stop": [5.0, 4, 2, 7], "protocol": "r_LED100_30s2x15s30s#n#n#n",
            "temperature": [20.5, 20.5, 22.0, 22.0],
        }
    )  # fmt: skip
    table.to_csv(root / "more.csv", index=False)
    return root


@pytest.fixture(scope="module")
def store(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("stores") / "store"
    report = ingest(database, store)
    assert (report.n_ok, report.n_failed, report.n_read) == (14, 0, 13)
    return store


@pytest.fixture
def copy(database: Path, tmp_path: Path) -> Path:
    """A database that a test may change."""
    return Path(shutil.copytree(database, tmp_path / "copy"))


def contents(store: Path) -> dict[str, str]:
    """SHA-256 of every file of a store."""
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


def index(store: Path) -> pd.DataFrame:
    return pd.read_parquet(store / "assays.parquet")


def first_recording(root: Path) -> Path:
    return min(root.rglob("*.mat"))


# -- a store is a source --------------------------------------------------------------------------


def test_a_store_gives_what_its_recordings_give(database: Path, store: Path):
    from_files, from_store = load(database), load(store)
    assert from_store.equals(from_files, atol=0)
    pd.testing.assert_frame_equal(from_store.assays, from_files.assays)
    pd.testing.assert_frame_equal(from_store.larvae, from_files.larvae)
    assert from_store.assays["temperature"].dropna().tolist() == [20.5, 22.0]


def test_a_screen_of_a_store_is_the_screen_of_its_recordings(database: Path, store: Path):
    protocol = "r_LED100"
    one = larvastats.screen(database, protocol=protocol, resamples=200, seed=1)
    two = larvastats.screen(store, protocol=protocol, resamples=200, seed=1)
    pd.testing.assert_frame_equal(one.table, two.table)


def test_a_store_keeps_larvae_without_bouts(tmp_path: Path):
    frames = pd.DataFrame(
        {"assay": "x", "line": "l", "larva": ["1", "1", "2", "2"], "t": [0.0, 1, 0, 1],
         "state": ["run", "cast", None, None]}
    )  # fmt: skip
    frames.to_csv(tmp_path / "f.csv", index=False)
    ingest(tmp_path / "f.csv", tmp_path / "store")
    ethogram = load(tmp_path / "store")
    assert ethogram.larvae["larva"].tolist() == ["1", "2"]
    assert ethogram.equals(load(tmp_path / "f.csv"))


def test_exclusions_apply_to_a_store(store: Path, tmp_path: Path):
    (tmp_path / "list.txt").write_text("x1\nt*\nnobody\n")
    ethogram, notes = load_with_report(store, exclude=tmp_path / "list.txt")
    assert ethogram.assays["assay"].tolist() == ["x2"]
    assert any("'nobody'" in note for note in notes)
    (tmp_path / "list.txt").write_text("*\n")
    with pytest.raises(DataError, match="every one is to be left out"):
        load(store, exclude=tmp_path / "list.txt")


def test_reading_options_belong_to_ingest(store: Path):
    with pytest.raises(UsageError, match="larvastats ingest"):
        load(store, labels="strong")


def test_the_tables_open_in_pandas(store: Path):
    table = index(store).set_index("assay")
    bouts = pd.read_parquet(store / "bouts")
    counts = bouts.groupby("assay").size()
    assert counts.equals(table["n_bouts"].reindex(counts.index).rename(None).astype("int64"))
    assert table.loc["x2", "covariate_temperature"] == 22.0
    assert list(bouts.columns[:6]) == ["assay", "line", "larva", "state", "t_start", "t_stop"]


# -- again and again ------------------------------------------------------------------------------


def test_a_second_ingest_changes_nothing(database: Path, store: Path, tmp_path: Path):
    mine = Path(shutil.copytree(store, tmp_path / "store"))
    before = contents(mine)
    stamps = {path: path.stat().st_mtime_ns for path in mine.rglob("*") if path.is_file()}
    report = ingest(database, mine)
    assert (report.n_read, report.n_ok) == (0, 14)
    assert contents(mine) == before
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_any_number_of_processes_gives_the_same_store(database: Path, store: Path, tmp_path: Path):
    ingest(database, tmp_path / "store", jobs=2)
    assert contents(tmp_path / "store") == contents(store)


def test_a_changed_recording_is_read_again(copy: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(copy, store)
    recording = first_recording(copy)
    other = sorted(copy.rglob("*.mat"))[-1]
    larvae = index(store).set_index("source")["bouts"]
    os.utime(other)  # touched, not changed
    table = pd.read_csv(copy / "more.csv")
    table.loc[1, "t_stop"] = 4.5
    table.to_csv(copy / "more.csv", index=False)
    report = ingest(copy, store)
    assert report.n_read == 1
    changed = index(store).set_index("source")["bouts"]
    assert changed[str(recording)] == larvae[str(recording)]
    assert changed[str(other)] == larvae[str(other)]
    assert load(store).equals(load(copy), atol=0)
    assert len(list((store / "bouts").iterdir())) == 14  # the old bouts are gone


def test_other_options_read_again(copy: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(copy, store)
    report = ingest(copy, store, min_bout=0.5)
    assert report.n_read == 13
    assert load(store).equals(load(copy, min_bout=0.5), atol=0)
    assert ingest(copy, store, min_bout=0.5, fps=30.0).n_read == 0  # no file here has use for it


def test_exclusions_leave_the_store_and_come_back(copy: Path, tmp_path: Path):
    store = tmp_path / "store"
    stamp = first_recording(copy).parent.name
    (tmp_path / "list.txt").write_text(f"{stamp}\nx1\nnobody\n")
    ingest(copy, store)
    report = ingest(copy, store, exclude=tmp_path / "list.txt")
    left = load(copy, exclude=tmp_path / "list.txt")
    assert load(store).equals(left, atol=0) and report.n_ok == len(left.assays) == 12
    assert any("'nobody' matches no assay" in note for note in report.notes)
    again = contents(store)
    ingest(copy, store, exclude=tmp_path / "list.txt")
    assert contents(store) == again
    ingest(copy, store)
    assert load(store).equals(load(copy), atol=0)


def test_lost_bouts_are_restored(copy: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(copy, store)
    before = contents(store)
    min((store / "bouts").iterdir()).unlink()
    with pytest.raises(DataError, match="damaged"):
        load(store)
    assert ingest(copy, store).n_read == 1
    assert contents(store) == before


def test_recordings_that_are_gone_stay_and_moved_ones_move(copy: Path, tmp_path: Path):
    store = tmp_path / "store"
    ingest(copy, store)
    before = load(store)
    moved = copy.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="no such file"):
        ingest(copy, store)
    assert load(store).equals(before)
    report = ingest(moved, store)
    assert report.n_ok == 14 and report.n_failed == 0
    table = index(store)
    assert table.loc[table["status"] == "ok", "source"].str.startswith(str(moved)).all()
    assert load(store).equals(before)


def test_the_checksum_is_of_the_bouts(database: Path, store: Path, copy: Path, tmp_path: Path):
    ingest(copy, tmp_path / "store")
    assert checksum(tmp_path / "store") == checksum(store)
    ingest(copy, tmp_path / "store", min_bout=0.5)
    assert checksum(tmp_path / "store") != checksum(store)


# -- bad recordings -------------------------------------------------------------------------------


def test_bad_recordings_are_named_and_the_others_go_on(copy: Path, tmp_path: Path):
    recordings = sorted(copy.rglob("*.mat"))
    recordings[0].write_bytes(recordings[0].read_bytes()[:3000])
    recordings[1].write_bytes(b"")
    (copy / "bad.csv").write_text("assay,line,larva,state,t_start,t_stop\nx,l,1,run,0,here\n")
    (copy / "README").write_text("no recording")
    store = tmp_path / "store"
    report = ingest(copy, store)
    assert (report.n_ok, report.n_failed) == (12, 3)
    assert {Path(source) for source, _ in report.failures} == {
        *recordings[:2], copy / "bad.csv"
    }  # fmt: skip
    table = index(store).set_index("source")
    assert "here" in table.loc[str(copy / "bad.csv"), "status"]
    assert table.loc[str(recordings[0]), "line"] == recordings[0].parents[2].name.split("@")[0]
    ethogram, notes = load_with_report(store)
    assert ethogram.equals(load(copy), atol=0)
    assert sum(note.startswith("Left out: ") for note in notes) == 3
    before = contents(store)
    assert ingest(copy, store).n_failed == 3  # tried again
    assert contents(store) == before


def test_one_assay_comes_from_one_recording(copy: Path, tmp_path: Path):
    shutil.copy(copy / "more.csv", copy / "again.csv")
    store = tmp_path / "store"
    report = ingest(copy, store)
    assert report.failures[0][0] == str(copy / "more.csv")
    assert "was read from" in report.failures[0][1] and "again.csv" in report.failures[0][1]
    assert load(store).equals(load(copy), atol=0)
    before = contents(store)
    ingest(copy, store)
    assert contents(store) == before


def test_ids_and_links_cannot_leave_the_store(tmp_path: Path):
    source, outside = tmp_path / "source", tmp_path / "outside"
    source.mkdir(), outside.mkdir()
    ids = ["../../outside/evil", "/etc/evil", "a/b", "a_b", "..", "x" * 300, "ü#\n%"]
    table = pd.DataFrame({"assay": ids, "line": "l", "larva": "../1", "state": "run",
                          "t_start": 0.0, "t_stop": np.arange(1.0, len(ids) + 1)})  # fmt: skip
    table.to_parquet(source / "ids.parquet")
    table.assign(assay="outside").iloc[:1].to_parquet(outside / "linked.parquet")
    (source / "link.parquet").symlink_to(outside / "linked.parquet")
    store = tmp_path / "store"
    report = ingest(source, store)
    assert report.n_ok == len(ids)  # the link leaves the database, and is not followed
    assert load(store).equals(load(source))
    assert sorted(path.name for path in outside.iterdir()) == ["linked.parquet"]
    files = {path.resolve().parent for path in (store / "bouts").iterdir()}
    assert files == {(store / "bouts").resolve()} and len(list((store / "bouts").iterdir())) == 7


def test_a_store_inside_its_database_is_no_recording(copy: Path):
    ingest(copy, copy / "store")
    before = contents(copy / "store")
    assert ingest(copy, copy / "store").n_recordings == 13
    assert contents(copy / "store") == before


def test_what_cannot_be_a_store_or_recordings(store: Path, database: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="is a store already"):
        ingest(store, tmp_path / "other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match=r"'thesis\.tex'"):
        ingest(database, tmp_path / "mine")
    mine = Path(shutil.copytree(store, tmp_path / "later"))
    (mine / "store.json").write_text('{"format": "larvastats store", "version": 99}')
    for act in (lambda: ingest(database, mine), lambda: load(mine)):
        with pytest.raises(DataError, match="version 99"):
            act()


# -- interruptions --------------------------------------------------------------------------------


def test_two_ingests_of_one_store_do_not_mix(database: Path, store: Path, tmp_path: Path):
    mine = Path(shutil.copytree(store, tmp_path / "store"))
    with locked(mine), pytest.raises(DataError, match="another ingest is writing this store"):
        ingest(database, mine)
    ingest(database, mine)  # the lock is free again


def start(database: Path, store: Path, jobs: int = 1) -> subprocess.Popen[bytes]:
    """Begin an ingest in a process group of its own."""
    words = ["ingest", database, store, "--jobs", jobs]
    return subprocess.Popen(
        [sys.executable, "-c", "from larvastats.cli import main; main()", *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def kill_at(process: subprocess.Popen[bytes], store: Path, n: int, wait: float) -> bool:
    """Kill once `n` files of bouts have landed and `wait` s have passed; whether it still ran."""
    while process.poll() is None and len(list((store / "bouts").glob("*.parquet"))) < n:
        time.sleep(0.002)
    time.sleep(wait)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


def check_kills(database: Path, store: Path, mine: Path, n: int, seed: int) -> int:
    """Kill ingests at random moments, rerun each of `n`; how many were hit while running."""
    rng = np.random.default_rng(seed)
    whole, expected = contents(store), load(store)
    most = len(expected.assays) + 1
    hit = 0
    for trial in range(n):
        shutil.rmtree(mine, ignore_errors=True)
        for _ in range(int(rng.integers(1, 3))):
            process = start(database, mine, jobs=1 + trial % 4 // 3)
            hit += kill_at(process, mine, int(rng.integers(0, most)), float(rng.uniform(0, 0.03)))
        if is_store(mine) and store_rows(mine):  # valid before any repair
            part = load(mine)
            keep = expected.assays["assay"].isin(part.assays["assay"]).to_numpy()
            assert len(part.assays) == keep.sum()
            left, right = part.to_bouts(), expected.subset(keep).to_bouts()
            pd.testing.assert_frame_equal(left[COMMON], right[COMMON], check_categorical=False)
        ingest(database, mine)
        assert contents(mine) == whole, f"trial {trial}"
    return hit


def test_killed_ingests_are_completed(database: Path, store: Path, tmp_path: Path):
    assert check_kills(database, store, tmp_path / "store", 5, seed=1) >= 3


@pytest.mark.slow
def test_ingests_of_many_assays_killed_a_hundred_times(tmp_path: Path):
    database = tmp_path / "database"
    write_many(database, 200)
    ingest(database, tmp_path / "whole")
    hit = check_kills(database, tmp_path / "whole", tmp_path / "store", 100, seed=2)
    assert hit >= 100


def write_many(root: Path, n: int) -> None:
    """Write a database of `n` assays of five larvae: tables of bouts, and trx.mat with spines."""
    rng = np.random.default_rng(n)
    larva, k = np.divmod(np.arange(100), 20)
    for number in range(n):
        stamp = f"202001{number % 28 + 1:02}_{number // 28 + 10:02}0000"
        folder = root / "t15" / f"line{number % 5}@E" / "r_LED100_30s2x15s30s#n#n#n" / stamp
        folder.mkdir(parents=True)
        if number % 2:
            write_shapes(folder, rng)
            continue
        stop = k + 1 - rng.uniform(0, 0.5, 100).round(3)
        state = rng.choice(["run", "cast", "stop"], 100)
        table = {"larva": larva + 1, "state": state, "t_start": k, "t_stop": stop}
        pd.DataFrame(table).to_csv(folder / "bouts.csv", index=False)


def write_shapes(folder: Path, rng: np.random.Generator) -> None:
    tracks = Tracks.build(
        identify(folder / "trx.mat"), "12345", np.repeat(np.arange(5), 200),
        np.tile(np.arange(200) * 0.1, 5), midline=rng.normal(size=(1000, 11, 2)),
        features={"S": rng.normal(size=1000)}, states=("run", "cast", "stop"),
        state=np.repeat(rng.integers(0, 3, 100), 10),
    )  # fmt: skip
    trx.write(tracks, folder / "trx.mat")


def alive(group: int) -> list[str]:
    """Processes of a group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_a_killed_ingest(database: Path, tmp_path: Path):
    process = start(database, tmp_path / "store", jobs=2)
    while process.poll() is None and not list((tmp_path / "store" / "bouts").glob("*.parquet")):
        time.sleep(0.01)
    process.kill()  # it alone, not its workers
    process.wait()
    end = time.monotonic() + 20
    while alive(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert alive(process.pid) == []
    assert ingest(database, tmp_path / "store").n_ok == 14


def test_a_full_disk_leaves_the_store_intact(copy: Path, tmp_path: Path):
    store = tmp_path / "store"
    recording = first_recording(copy)
    ingest(recording.parents[2], store)
    before = contents(store)
    larger = max(p.stat().st_size for p in (store / "bouts").iterdir())
    shutil.rmtree(copy / "nothing", ignore_errors=True)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (larger // 2, limit[1]))
    try:
        with pytest.raises(DataError, match="cannot be written") as refusal:
            ingest(copy, store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert "free space" in str(refusal.value)
    after = contents(store)
    assert {name: after.get(name) for name in before} == before
    assert len(load(store).assays) >= sum(name.startswith("bouts/") for name in before)
    ingest(copy, store)
    assert load(store).equals(load(copy), atol=0)


# -- the command ----------------------------------------------------------------------------------


def test_the_command_says_what_it_did(cli, copy: Path, tmp_path: Path):
    for number in range(3):
        (copy / f"bad{number}.mat").write_bytes(b"no matlab")
    done = cli("ingest", copy, tmp_path / "store")
    assert done.code == 0 and "14 assays ok, 3 recordings failed" in done.out
    assert "\n  3 × " in done.out
    again = cli("ingest", copy, tmp_path / "store", "--json").json
    assert again["n_read"] == 3 and len(again["failures"]) == 3
    assert again["failures"][0]["source"].endswith("bad0.mat")
    assert json.loads(cli("info", tmp_path / "store", "--json").out)["totals"]["n_assays"] == 14


def test_the_command_fails_when_nothing_lands(cli, tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    done = cli("ingest", source, tmp_path / "store")
    assert done.code == 1 and "there is none of a format" in done.err
    (source / "bad.mat").write_bytes(b"no matlab")
    done = cli("ingest", source, tmp_path / "store")
    assert done.code == 1 and "none of 1 could be read" in done.err and "bad.mat" in done.err
    assert cli("ingest", tmp_path / "nowhere", tmp_path / "new").code == 2
    assert not (tmp_path / "new").exists()
