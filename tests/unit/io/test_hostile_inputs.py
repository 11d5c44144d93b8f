"""What fuzzing found, and what files could be built to do: each input once, by hand."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from larvastats.errors import LONGEST, DataError, UsageError
from larvastats.io import choreography, fimtrack, larvatagger, paths, tidy, trx
from larvastats.io.exclusion import MAX_PATTERNS, read_exclusion
from larvastats.io.files import sha256
from larvastats.io.fimtrack import table as fimtrack_table
from larvastats.io.source import load
from larvastats.protocol import parse_protocol, windows

# -- sentences -------------------------------------------------------------------------------------


def test_names_from_files_stay_on_one_line_and_visible():
    error = DataError("x.csv: found 'a\nb\x1b[2J\u202e\ud800\u2028c\xa0d'.")
    assert str(error) == r"x.csv: found 'a\nb\x1b[2J\u202e\ud800\u2028c" + "\xa0d'."
    assert str(UsageError("×, – and ü stay.")) == "×, – and ü stay."


def test_sentences_keep_their_ends():
    sentence = str(DataError(f"x.csv: found {'n' * 100_000}; rename it."))
    assert len(sentence) == LONGEST
    assert sentence.startswith("x.csv: found nnn") and sentence.endswith("nnn; rename it.")


def test_columns_of_a_table_cannot_break_the_line(tmp_path: Path):
    table = pd.DataFrame({"assay": ["p"], "line\nerror: all is lost": ["A"], "x" * 9000: [1]})
    table.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError) as refusal:
        tidy.read(tmp_path / "x.parquet")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) <= LONGEST


# -- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["x" * 10_000, "a\0b", "\ud800", "x/" * 5000])
@pytest.mark.parametrize("as_type", [str, Path])
def test_paths_that_cannot_exist(path: str, as_type: Callable[[str], Any]):
    for act in (load, sha256, read_exclusion, larvatagger.read, tidy.read):
        with pytest.raises((DataError, UsageError)):
            act(as_type(path))
    if "\0" in path or "\ud800" in path:
        assert paths.identify(path) is None


def test_bytes_of_a_path_that_are_no_text():
    path = os.fsdecode(b"/db/t5/A\xff@B/p\xe4/20150701_105504/trx.mat")
    identity = paths.identify(path)
    assert identity is not None
    assert (identity.line, identity.protocol) == ("A\\xff", "p\\xe4")
    identity.assay.encode()


@pytest.mark.parametrize("kind", ["fifo", "device", "link"])
def test_pipes_and_devices_are_no_files(kind: str, tmp_path: Path):
    path = tmp_path / "x.csv"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    for act in (load, sha256, read_exclusion, larvatagger.read, tidy.read, trx.read):
        with pytest.raises(DataError, match="found a pipe or a device"):
            act(path)


# -- sizes -----------------------------------------------------------------------------------------


def test_repeats_of_all_slots_together_are_limited():
    protocol = parse_protocol("#".join(["p_1_0s99999x1s1s"] * 300))
    assert len(protocol.stimuli) == 1 and len(protocol.unparsed) == 299
    two = parse_protocol("p_1_0s50000x1s1s#p_2_0s50000x1s1s#n#n")
    assert len(two.stimuli) == 2


def test_more_states_than_a_vocabulary_has(tmp_path: Path):
    n = 40_000  # more than a code of 16 bits can hold
    table = pd.DataFrame(
        {"assay": "a", "line": "l", "larva": "1", "state": [f"s{i}" for i in range(n)],
         "t_start": np.arange(n), "t_stop": np.arange(n) + 1}
    )  # fmt: skip
    table.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match="found 40000 different ones, more than 1000"):
        tidy.read(tmp_path / "x.csv")


def test_a_long_list_of_names_is_fast_and_one_of_patterns_is_refused(tmp_path: Path):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(f"assay{i}" for i in range(200_000)) + "\nx[1]\n")
    listed = read_exclusion(path)
    start = time.process_time()
    assert listed.covers("assay7", None) and listed.covers("x1", None)
    assert listed.covers("x[1]", None)  # a pattern matches itself
    assert not listed.covers("assay", "20200131_093000")
    assert time.process_time() - start < 0.5
    assert listed.met == {"assay7", "x[1]"}
    path.write_text("\n".join(f"a{i}*" for i in range(MAX_PATTERNS + 1)))
    with pytest.raises(DataError, match="expected at most 10000 patterns"):
        read_exclusion(path)
    path.write_text("*a" * 10_000)
    with pytest.raises(DataError, match="the longest of 20000"):
        read_exclusion(path)


def test_rows_without_end_are_not_read_to_their_end(tmp_path: Path):
    path = tmp_path / "x.csv"
    for start in (b",larva(0)", b",larva(0)\ngo_phase(0),1\n"):
        path.write_bytes(gzip.compress(start + b"0" * (1 << 25), 1))
        with pytest.raises(DataError, match="is longer than 1 MiB"):
            fimtrack.read(path, fps=10)


def test_values_of_a_table_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fimtrack_table, "MAX_VALUES", 10)
    rows = "".join(f"go_phase({frame}),1,1,1\n" for frame in range(4))
    (tmp_path / "x.csv").write_text(f",larva(0),larva(1),larva(2)\n{rows}")
    with pytest.raises(DataError, match="more than 10 values"):
        fimtrack.read(tmp_path / "x.csv", fps=10, mapping=[("run", {"go_phase": 1})])


@pytest.mark.parametrize("kind", ["parquet", "csv.gz"])
def test_a_small_file_of_equal_rows_is_refused_before_it_fills_the_memory(tmp_path: Path, kind):
    path, n = tmp_path / f"x.{kind}", 1_200_000
    if kind == "parquet":
        names = ["assay", "line", "larva", "state", "t_start", "t_stop"]
        columns = [pa.repeat(pa.scalar(name), n) for name in names[:4]]
        columns += [pa.repeat(pa.scalar(float(t)), n) for t in range(2)]
        parquet.write_table(pa.table(columns, names=names), path)
    else:
        head = b"assay,line,larva,state,t_start,t_stop\n"
        path.write_bytes(gzip.compress(head + b"p,A,1,run,0,1\n" * n))
    assert path.stat().st_size < n / tidy.ROWS_PER_BYTE
    with pytest.raises(DataError, match="so that nearly all must be equal"):
        tidy.read(path)


def table_of(n: int, **columns: pa.Array) -> pa.Table:
    """Bouts of one larva; some columns are others."""
    t = np.arange(n, dtype=float)
    usual = {name: pa.array([name] * n) for name in ("assay", "line", "larva", "state")}
    return pa.table({**usual, "t_start": t, "t_stop": t + 1, **columns})


def test_every_byte_of_a_column_of_names_may_be_damaged(tmp_path: Path):
    path = tmp_path / "x.parquet"
    table = table_of(40, larva=pa.array([f"{i % 7}" for i in range(40)]))
    parquet.write_table(table, path, compression="none", write_statistics=False)
    good, column = path.read_bytes(), parquet.ParquetFile(path).metadata.row_group(0).column(2)
    refused = 0
    first = column.dictionary_page_offset
    for at in range(first, first + column.total_compressed_size):
        for value in (0xFF, 0x80, 0x41):
            path.write_bytes(good[:at] + bytes([value]) + good[at + 1 :])
            try:
                tidy.read(path)
            except DataError:
                refused += 1
    assert refused > 50


@pytest.mark.parametrize("name", ["wind", "date", "t_stop"])
def test_dates_beyond_all_calendars(tmp_path: Path, name: str):
    path = tmp_path / "x.parquet"
    far = pa.array([2**61] * 3, pa.timestamp("us"))
    parquet.write_table(table_of(3, **{name: far}), path)
    with pytest.raises(DataError, match=name):
        tidy.read(path)


def test_frames_at_the_end_of_all_numbers(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("assay,line,larva,state,t\np,A,1,run,-1.7e308\np,A,1,run,1.7e308\n")
    with pytest.raises(DataError, match=str(path)):
        tidy.read(path)


def test_names_that_end_with_a_zero_byte_are_names_of_their_own(tmp_path: Path):
    path = tmp_path / "x.csv"
    rows = "".join(f'p,A,"{larva}",run,0,1\n' for larva in ("b", "b\0", "\0"))
    path.write_text("assay,line,larva,state,t_start,t_stop\n" + rows)
    assert tidy.read(path).larvae["larva"].tolist() == ["\0", "b", "b\0"]


def test_times_of_a_window_may_have_any_blanks_around_them():
    protocol = parse_protocol("p_8_45s1x30s0s")
    # str.strip removes more than float does
    assert windows(protocol, "4\x1e:60", extent=(0, 90)) == windows(
        protocol, "4:60", extent=(0, 90)
    )


def test_a_last_row_that_is_shorter_than_the_start_of_another(tmp_path: Path):
    path = tmp_path / "x.outline"
    path.write_bytes(b"20150701_105504 000000000000001 0.1" + b" 1.0 2.0" * 9 + b"\n 7 0.5\n")
    with pytest.raises(DataError, match="row 2"):
        choreography.read(path)


def test_runs_do_not_repeat_the_tracks_beside_them(tmp_path: Path):
    track = {"id": "7", "t": [0, 1], "labels": [1, 1]}
    body = {"metadata": {"genotype": "A"}, "labels": ["run"], "data": [track]}
    path = tmp_path / "x.label"
    path.write_text(json.dumps({**body, "runs": {"20150701_105504": {}}}))
    with pytest.raises(DataError, match="expected a list of tracks"):
        larvatagger.read(path)
    path.write_text(json.dumps({**body, "runs": {"20150701_105504": {"data": [track]}}}))
    assert larvatagger.read(path).n_bouts == 1  # names and labels still hold for all runs
