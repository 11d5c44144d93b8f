"""Tidy tables in every dialect that people write, and what is wrong with the others."""

import errno
import gzip
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import tidy
from larvastats.io.paths import make_identity

CSV = """assay,line,larva,state,t_start,t_stop,effector,protocol,date,wind
p,A,1,run,0,2.5,E,r_LED100_30s2x15s30s#n#n#n,20200131,3.5
p,A,1,cast,2.5,3,E,r_LED100_30s2x15s30s#n#n#n,20200131,3.5
p,A,02,run,0.25,4,E,r_LED100_30s2x15s30s#n#n#n,20200131,3.5
q,B,1,stop,1,2.5,E,r_LED100_30s2x15s30s#n#n#n,20200201,4
"""
FRAMES = "assay,line,larva,t,state\np,A,1,0,run\np,A,1,0.1,run\np,A,1,0.2,cast\np,A,1,0.3,\n"
HEADER = "assay,line,larva,state,t_start,t_stop\n"
ROW = "p,A,1,run,0,1\n"


@pytest.fixture
def expected():
    columns = CSV.splitlines()[0].split(",")
    rows = [line.split(",") for line in CSV.splitlines()[1:]]
    table = pd.DataFrame(rows, columns=columns)
    return Ethogram.from_bouts(table.astype({"t_start": float, "t_stop": float, "wind": float}))


def european(text, separator=";"):
    """As a German Excel writes it."""
    lines = [line.split(",") for line in text.splitlines()]
    return "\r\n".join(separator.join(c.replace(".", ",") for c in line) for line in lines) + "\r\n"


def quoted(text):
    return "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in text.splitlines())


def with_index(text):
    """As pandas writes it by default."""
    return "\n".join(f"{i or ''},{line}" for i, line in enumerate(text.splitlines())) + "\n"


DIALECTS = {
    "plain": CSV.encode(),
    "byte-order mark": CSV.encode("utf-8-sig"),
    "no last line end": CSV.rstrip().encode(),
    "windows": CSV.replace("\n", "\r\n").encode(),
    "old mac": CSV.replace("\n", "\r").encode(),
    "tabs": CSV.replace(",", "\t").encode(),
    "bars": CSV.replace(",", "|").encode(),
    "semicolons, points": CSV.replace(",", ";").encode(),
    "semicolons, commas": european(CSV).encode(),
    "excel": ("\ufeff" + european(CSV)).encode(),
    "tabs, commas": european(CSV, "\t").encode(),
    "sep line": ("sep=;\r\n" + european(CSV)).encode(),
    "blank rows": (european(CSV) + ";;;;;;;;;\r\n" * 3).encode(),
    "blank lines": ("\n\n" + CSV.replace("\nq", "\n\nq") + "\n\n").encode(),
    "trailing separators": (CSV.replace("\n", ",\n")).encode(),
    "quotes": quoted(CSV).encode(),
    "index": with_index(CSV).encode(),
    "blanks": CSV.replace(",", ", ").encode(),
    "iso dates": CSV.replace("20200131", "2020-01-31").replace("20200201", "2020-02-01").encode(),
    "gzip": gzip.compress(CSV.encode()),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_the_same(tmp_path, expected, dialect):
    path = tmp_path / "table.csv"
    path.write_bytes(DIALECTS[dialect])
    assert tidy.sniff(path)
    assert tidy.read(path).equals(expected, atol=0)


def test_whole_seconds_first_and_decimal_commas_late_in_the_file(tmp_path):
    rows = [f"p;A;1;{'run' if i % 2 else 'cast'};{i};{i + 1}" for i in range(5000)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join([HEADER.strip().replace(",", ";"), *rows, "p;A;1;run;5000;5000,5"]))
    assert tidy.read(path).t_stop[-1] == 5000.5


def test_dates_and_numbers_that_are_names_stay_text(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        HEADER.strip() + ",date,time,tracker\n" + "007,0012,03,run,0,1,20200131,093000,5\n"
    )
    ethogram = tidy.read(path)
    assay = ethogram.assays.iloc[0]
    assert (assay["assay"], assay["line"], assay["date"]) == ("007", "0012", "20200131")
    assert (assay["time"], assay["tracker"]) == ("093000", "5")
    assert ethogram.larvae["larva"].tolist() == ["03"]


def test_missing_words_are_missing(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(HEADER.strip() + ",effector\n" + "p,A,1,run,0,1,NA\n")
    assert tidy.read(path).genotypes == ("A",)


def test_frames(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text(FRAMES)
    ethogram = tidy.read(path)
    assert ethogram.states == ("run", "cast")
    np.testing.assert_allclose(ethogram.t_stop, [0.2, 0.3])


def test_the_path_supplies_what_the_table_lacks(tmp_path):
    folder = tmp_path / "t15" / "GMR_1@UAS" / "r_LED100_30s2x15s30s#n#n#n@100" / "20200131_093000"
    folder.mkdir(parents=True)
    (folder / "bouts.csv").write_text("larva,state,t_start,t_stop\n1,run,0,1\n")
    assay = tidy.read(folder / "bouts.csv").assays.iloc[0]
    assert assay["assay"] == "t15/GMR_1@UAS/r_LED100_30s2x15s30s#n#n#n/20200131_093000"
    assert assay["genotype"] == "GMR_1@UAS"
    assert (assay["date"], assay["time"], assay["tracker"]) == ("20200131", "093000", "t15")


def test_the_table_is_believed_before_the_path(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(HEADER + ROW)
    identity = make_identity("t5", "Z", "E", "n#n#n#n", "20200131_093000")
    assay = tidy.read(path, identity=identity).assays.iloc[0]
    assert (assay["assay"], assay["line"], assay["effector"]) == ("p", "A", "E")


# -- parquet ---------------------------------------------------------------------------------------

PARQUET_TYPES = {
    "text": {},
    "large text": {"line": pa.large_string()},
    "dictionary": {"state": pa.dictionary(pa.int8(), pa.string())},
    "numbers": {"date": pa.int64()},
    "decimals": {"t_start": pa.decimal128(6, 3), "t_stop": pa.decimal128(6, 3)},
    "short floats": {"t_start": pa.float32(), "t_stop": pa.float32()},
}


def arrow(types):
    table = pd.DataFrame(
        [line.split(",") for line in CSV.splitlines()[1:]], columns=CSV.splitlines()[0].split(",")
    )
    table = table.astype({"t_start": float, "t_stop": float, "wind": float, "date": int})
    columns = pa.Table.from_pandas(table, preserve_index=False)
    columns = columns.set_column(8, "date", columns["date"].cast(pa.string()))
    for name, kind in types.items():
        columns = columns.set_column(
            columns.column_names.index(name), name, columns[name].cast(kind)
        )
    return columns


@pytest.mark.parametrize("name", PARQUET_TYPES)
def test_parquet_of_every_type_reads_the_same(tmp_path, expected, name):
    path = tmp_path / "table.parquet"
    parquet.write_table(arrow(PARQUET_TYPES[name]), path)
    assert tidy.sniff(path)
    assert tidy.read(path).equals(expected, atol=0)


def test_parquet_dates_and_times_become_text(tmp_path):
    frame = pd.DataFrame(
        {"assay": ["p"], "line": ["A"], "larva": [1], "state": ["run"], "t_start": [0],
         "t_stop": [1], "date": pd.to_datetime(["2020-01-31"]).date,
         "time": [pd.Timestamp("2020-01-31 09:30:00").time()]}
    )  # fmt: skip
    parquet.write_table(pa.Table.from_pandas(frame), tmp_path / "x.parquet")
    assay = tidy.read(tmp_path / "x.parquet").assays.iloc[0]
    assert (assay["date"], assay["time"]) == ("20200131", "093000")


def test_nested_columns_are_ignored_unless_needed(tmp_path):
    path = tmp_path / "x.parquet"
    table = arrow({})
    nested = pa.array([[1.0]] * 4)
    parquet.write_table(table.append_column("outline", nested), path)
    assert "outline" not in tidy.read(path).assays
    parquet.write_table(table.set_column(3, "state", nested), path)
    with pytest.raises(DataError, match=r"column state must hold plain values.*list"):
        tidy.read(path)


# -- what is wrong ---------------------------------------------------------------------------------

LATE = b"p,A,1,run,0,1\n" * 6000  # beyond the head that is looked at first

BAD = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n \n\n", "the file is empty"),
    "header only": (HEADER.encode(), "rows below the header, but there is none"),
    "sep line only": (b"sep=;\n", "expected a header line"),
    "latin-1": ((HEADER + "p,A,1,r\u00fcckw\u00e4rts,0,1\n").encode("latin-1"), "UTF-8 text.*byte"),
    "latin-1, late": (HEADER.encode() + LATE + b"p,A,1,r\xfcck,0,1\n", "expected UTF-8 text"),
    "latin-1, other column": (
        b"note," + HEADER.encode() + LATE.replace(b"p,A", b"x,p,A") + b"\xfc,p,A,1,run,0,1\n",
        "expected UTF-8 text",
    ),
    "utf-16": (CSV.encode("utf-16"), "UTF-16.*save it as 'CSV UTF-8'"),
    "no columns known": (b"1,2,3\n4,5,6\n", "expected the columns assay.*found: 1, 2, 3"),
    "missing column": (CSV.replace("state", "stage", 1).encode(), "state is missing.*'stage'"),
    "other words": (
        b"plate,genotype,animal,behaviour,start,end\n1,2,3,4,5,6\n",
        "'plate' the assay.*'genotype' the line.*'animal' the larva.*'behaviour' the state.*"
        "'start' the t_start.*'end' the t_stop",
    ),
    "frames without t": (FRAMES.replace(",t,", ",time,").encode(), "t is missing.*'time' the t"),
    "a column twice": ((HEADER.strip() + ",state\n" + ROW).encode(), "'state' occurs"),
    "unparsable": ((HEADER + ROW + "p,A,2,run,soon,1\n").encode(), "t_start.*'soon' in row 2"),
    "a clock": ((HEADER + "p,A,2,run,00:00:01,1\n").encode(), "t_start.*'00:00:01' in row 1"),
    "decimal commas in commas": ((HEADER + 'p,A,1,run,0,"1,5"\n').encode(), "'1,5' in row 1"),
    "two decimal marks": (
        (HEADER.replace(",", ";") + "p;A;2;run;0.5;1\np;A;3;run;0,5;1\n").encode(),
        "one decimal mark.*some a comma",
    ),
    "no number, semicolons": (
        european(HEADER + "p,A,1,run,0.5,x\n").encode(), "t_stop.*'x' in row 1",
    ),
    "empty time": ((HEADER + "p,A,1,run,,1\n").encode(), "t_start.*an empty cell in row 1"),
    "infinite": ((HEADER + "p,A,1,run,0,inf\n").encode(), "t_stop.*inf in row 1"),
    "short row": ((HEADER + ROW + "p,A,1,run,1\n").encode(), "6 cells.*found 5 in 'p,A,1,run,1'"),
    "long row": ((HEADER + ROW + "p,A,1,run,1,2,3\n").encode(), "expected 6 cells.*found 7"),
    "empty state": ((HEADER + "p,A,1,,0,1\n").encode(), "state is empty in 1 of 1"),
    "overlap": ((HEADER + ROW + "p,A,1,cast,0.5,2\n").encode(), "must not overlap"),
    "negative": ((HEADER + "p,A,1,cast,2,1\n").encode(), "end after it starts"),
    "two lines": ((HEADER + ROW + "p,B,1,cast,1,2\n").encode(), "one line"),
    "frames twice": ((FRAMES + "p,A,1,0.1,stop\n").encode(), "come twice"),
    "cut gzip": (gzip.compress(CSV.encode())[:-12], "gzip file.*damaged or cut off"),
    "no gzip": (b"\x1f\x8bnonsense", "gzip file.*damaged or cut off"),
    "cut parquet": (b"PAR1" + b"x" * 100, "parquet table.*damaged or cut off"),
    "binary": (bytes(range(256)) * 4, "expected UTF-8 text"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_a_sentence(tmp_path, name):
    content, words = BAD[name]
    path = tmp_path / "my.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        tidy.read(path)
    assert re.fullmatch(re.escape(str(path)) + r": .*\.", str(caught.value))


def test_a_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.csv: there is no such file"):
        tidy.read(tmp_path / "nothing.csv")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe", b"date,line,larva\n1,2,3\n"])
def test_other_files_are_not_taken_for_tables(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert not tidy.sniff(tmp_path / "x")
    assert not tidy.sniff(tmp_path / "absent")


def alternating(n, gap, jitter=0.0):
    rng = np.random.default_rng(0)
    step = 1 + rng.integers(1, 9, n)
    t = np.concatenate([[0.0], np.cumsum(step)])
    lost = gap + jitter * rng.random(n)
    state = np.where(np.arange(n) % 2, "run", "stop")
    return pd.DataFrame(
        {"assay": "p", "line": "A", "larva": "1", "state": state, "t_start": t[:-1],
         "t_stop": t[1:] - lost}
    )  # fmt: skip


@pytest.mark.parametrize("gap", [0.01, 0.04, 0.1, 1.0])
def test_bouts_that_end_with_their_last_frame_are_refused_with_the_remedy(gap):
    with pytest.raises(DataError, match=f"same {gap:.3g} s apart.*add the frame step .{gap:.3g} s"):
        tidy.from_table(alternating(20, gap), source="my.csv")


def test_a_few_lost_larvae_do_not_hide_the_constant_gap():
    table = alternating(60, 0.1)
    table.loc[30, "t_stop"] -= 0.5
    with pytest.raises(DataError, match=r"same 0\.1 s apart"):
        tidy.from_table(table)


@pytest.mark.parametrize(
    "table",
    [
        alternating(20, 0.0),
        alternating(20, 0.0, jitter=0.5),
        alternating(20, 1.5),
        alternating(9, 0.1),
        pd.concat([alternating(20, 0.0), alternating(20, 0.1).assign(larva="2")]),
    ],
    ids=["none", "unequal", "long", "few", "half of them"],
)
def test_other_gaps_are_lost_tracking(table):
    assert tidy.from_table(table).n_bouts == len(table)


# -- writing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["x.csv", "x.csv.gz", "x.tsv", "x.tsv.gz", "x.txt", "x.parquet", "x.pq", "X.CSV"]
)
def test_what_is_written_is_read_again(tmp_path, expected, name):
    path = tmp_path / name
    tidy.write_bouts(expected, path)
    again = tidy.read(path)
    assert again.equals(expected, atol=0)
    pd.testing.assert_frame_equal(again.assays, expected.assays)
    first = path.read_bytes()
    tidy.write_bouts(expected, path)
    assert path.read_bytes() == first


def test_times_survive_to_the_last_digit(tmp_path):
    rng = np.random.default_rng(1)
    t = np.sort(rng.random(400) * 1000)
    table = alternating(399, 0).assign(t_start=t[:-1], t_stop=t[1:])
    ethogram = Ethogram.from_bouts(table)
    for name in ("x.csv", "x.parquet"):
        tidy.write_bouts(ethogram, tmp_path / name)
        assert tidy.read(tmp_path / name).equals(ethogram, atol=0)


def test_an_ethogram_without_bouts_writes_a_header(tmp_path, expected):
    tidy.write_bouts(expected.clip([(90, 99)]), tmp_path / "x.csv")
    with pytest.raises(DataError, match="rows below the header"):
        tidy.read(tmp_path / "x.csv")


def test_an_unknown_ending_is_wrong_usage(tmp_path, expected):
    with pytest.raises(UsageError, match=r"ends in \.csv, \.csv\.gz, \.tsv, \.parquet"):
        tidy.write_bouts(expected, tmp_path / "x.xlsx")


def test_a_full_disk_leaves_the_old_table(tmp_path, expected, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("old")

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tidy.reader, "write_csv", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device"):
        tidy.write_bouts(expected, path)
    assert path.read_text() == "old"
