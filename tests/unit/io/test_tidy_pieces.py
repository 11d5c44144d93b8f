"""A table read in pieces is the table read at once: same ethogram, same complaint."""

import contextlib
import csv
import gzip
import io
import random
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from larvastats.errors import DataError
from larvastats.ethogram import BOUT_COLUMNS, FRAME_COLUMNS
from larvastats.io import tidy
from larvastats.io.text import delimited, rows
from larvastats.io.text.columns import parquet_pieces, to_pandas
from larvastats.io.text.delimited import NULLS
from larvastats.io.tidy import assemble
from larvastats.tabular import IDENTITY

HEADER = ",".join(BOUT_COLUMNS) + "\n"
TIMES = ("t_start", "t_stop", "t")


# -- the whole table, for comparison ---------------------------------------------------------------


def whole_csv(path, delimiter=",", decimal="."):
    """Read a csv at once, its columns typed by all of their cells."""
    text = path.read_bytes()
    header = text.splitlines()[0].decode().split(delimiter)
    levels = pa.dictionary(pa.int32(), pa.string())
    types = dict.fromkeys(("assay", "line", "larva", "state", *IDENTITY), levels)

    def read(times):
        table = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(column_names=header, skip_rows=1, block_size=len(text) + 1),
            arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types=types | dict.fromkeys(TIMES, times), null_values=list(NULLS),
                strings_can_be_null=True, decimal_point=decimal,
            ),
        )  # fmt: skip
        blank = np.all([column.is_null().to_numpy() for column in table.columns], axis=0)
        return to_pandas(table.filter(pa.array(~blank)))

    try:
        return read(pa.float64())
    except pa.ArrowInvalid:
        return read(pa.string())


@contextlib.contextmanager
def small(size, group_rows=3):
    """Let pieces, and the groups that are sorted at once, be small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tidy.reader, "read_pieces", partial(delimited.read_pieces, size=size))
        patch.setattr(tidy.reader, "no_time", partial(delimited.no_time, size=size))
        pieces = partial(parquet_pieces, rows=max(size // 20, 1))
        patch.setattr(tidy.reader, "parquet_pieces", pieces)
        patch.setattr(assemble, "GROUP_ROWS", group_rows)
        patch.setattr(assemble, "MOST_GROUPS", 1 << 30)
        yield


def outcome(make):
    """Return what a reader returns, or what it says."""
    try:
        return make()
    except DataError as error:
        return str(error)


def assert_same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return
    assert one.states == other.states
    for name in ("larva_index", "state", "t_start", "t_stop"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype and not left.flags.writeable
        np.testing.assert_array_equal(left, right)
    pd.testing.assert_frame_equal(one.larvae, other.larvae)
    pd.testing.assert_frame_equal(one.assays, other.assays)


# -- tables ----------------------------------------------------------------------------------------

# What the cells of one assay may be in a column that describes it; the column is constant within
# assays when all are one number, one date, one text, or missing.
COVARIATES = (
    ("3.5", "3.50", " 3.5", "35e-1"), ("1", "1.0", "01"), ("2", "2"), ("true", "True"), ("x", "x"),
    ("", "NA", "nan"), ("2020-01-01", "2020-01-01 00:00:00"), ("3,5", "3.5"), ("1", "x"),
    ('5" dish', '5" dish'), ("a\nb", "a\nb"), ("9007199254740993", "9007199254740992"), ("é", "é"),
)  # fmt: skip


@st.composite
def tables(draw):
    """Rows of cells under a header: mostly sound, some not, of every assay in several places."""
    bouts = draw(st.booleans())
    rng = random.Random(draw(st.integers(0, 2**32)))
    wrong = draw(st.sampled_from(["", "", "", "names", "times", "twice", "line", "states"]))
    extra = draw(st.integers(0, 3))
    names = [*(BOUT_COLUMNS if bouts else FRAME_COLUMNS), "date", *(f"x{i}" for i in range(extra))]
    plates = draw(st.integers(1, 5))
    about = [[rng.choice(COVARIATES) for _ in range(extra)] for _ in range(plates)]
    table, used = [], set()
    for _ in range(draw(st.integers(1, 60))):
        plate, larva, k = rng.randrange(plates), rng.randrange(3), rng.randrange(40)
        if (plate, larva, k) in used and wrong != "twice":
            continue
        used.add((plate, larva, k))
        state = rng.choice(["run", "Cast", "stop", "bend", "other"])
        row = {
            "assay": rng.choice([f"p{plate}", f"p{plate}", f" p{plate}"]), "line": f"L{plate % 2}",
            "larva": f"0{larva}" if bouts else f"{larva}", "date": f"2020010{plate}",
            "state": rng.choice([state, ""]) if not bouts else state,
            "t": f"{k * 0.1:.2f}", "t_start": f"{k}", "t_stop": f"{k + rng.choice([1, 0.5])}",
        }  # fmt: skip
        if wrong and rng.random() < 0.1:
            bad = {
                "names": {rng.choice([*BOUT_COLUMNS[:4]]): rng.choice(["", " ", "NA"])},
                "times": {rng.choice(["t", "t_start", "t_stop"]): rng.choice(["", "soon", "x"])},
                "line": {rng.choice(["line", "date"]): rng.choice(["Z", "", "L0 "])},
                "states": {"state": rng.choice(["Zz", "", "late"])},
                "twice": {},
            }[wrong]  # fmt: skip
            row |= bad
        cells = [row[name] for name in names[: 7 if bouts else 6]]
        table.append([*cells, *(rng.choice(cell) for cell in about[plate])])
    return names, table


def write(path, names, table, delimiter, style, blanks):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=style, lineterminator="\n")
    writer.writerows(table)
    lines = text.getvalue()
    if blanks:  # as spreadsheets leave them
        lines += (delimiter * (len(names) - 1) + "\n") * 3 + "\n"
    path.write_text(delimiter.join(names) + "\n" + lines, encoding="utf-8", newline="")


@settings(max_examples=150)
@given(
    tables(),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.booleans(),
    st.integers(1, 300),
    st.integers(1, 40),
)
def test_pieces_of_any_size_give_the_ethogram_or_the_complaint_of_the_whole(
    tmp_path_factory, table, delimiter, style, blanks, size, group_rows
):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    write(path, *table, delimiter, style, blanks)
    whole = outcome(lambda: tidy.from_table(whole_csv(path, delimiter), source=str(path)))
    with small(size, group_rows):
        assert_same(outcome(lambda: tidy.read(path)), whole)


# -- where rows end --------------------------------------------------------------------------------


def ends_of_rows(text, delimiter):
    """Positions behind every row, byte by byte."""
    ends, quoted, fresh, position = [], False, True, 0
    while position < len(text):
        byte = text[position : position + 1]
        if quoted and byte == b'"' and text[position + 1 : position + 2] == b'"':
            position += 1
        elif byte == b'"' and (quoted or fresh):
            quoted = not quoted
        elif byte == b"\n" and not quoted:
            ends.append(position + 1)
        fresh = not quoted and byte in (delimiter, b"\n", b"\r")
        position += 1
    return ends


@settings(max_examples=500)
@given(st.text('a",\n', max_size=60), st.integers(1, 20))
def test_a_piece_ends_with_a_row_whatever_is_quoted(text, size):
    content = text.encode()
    found = list(rows.pieces(io.BytesIO(content), b",", size, longest=1000))
    assert b"".join(found) == content
    ends = np.cumsum([len(piece) for piece in found])
    assert set(ends[:-1].tolist()) <= set(ends_of_rows(content, b","))


@given(st.lists(st.text("ab,", max_size=9), max_size=12), st.integers(1, 20))
@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_piece_ends_with_a_line_however_lines_end(end, lines, size):
    content = b"".join(line.encode() + end for line in lines)
    found = list(rows.pieces(io.BytesIO(content), b",", size))
    assert b"".join(found) == content
    assert all(piece.endswith(end) for piece in found)


# -- one by one ------------------------------------------------------------------------------------


def long_table(n=400, **more):
    """Frames of two larvae, row by row, as text."""
    table = pd.DataFrame({"assay": "p", "line": "A"}, index=range(n))
    table["larva"] = [str(i % 2) for i in range(n)]
    table["t"] = [f"{i // 2 * 0.1:.1f}" for i in range(n)]
    table["state"] = "run"
    return table.assign(**{name: [make(i) for i in range(n)] for name, make in more.items()})


def read_small(path, content, size=100):
    path.write_bytes(content)
    with small(size):
        return tidy.read(path)


def test_a_state_and_a_larva_first_seen_in_a_late_piece(tmp_path):
    table = long_table(state=lambda i: "zigzag" if i > 390 else "run")
    table.loc[399, "larva"] = "00"
    content = table.to_csv(index=False).encode()
    ethogram = read_small(tmp_path / "x.csv", content)
    assert ethogram.states == ("run", "zigzag")
    assert ethogram.larvae["larva"].tolist() == ["0", "00", "1"]


def test_decimal_commas_that_begin_in_a_late_piece(tmp_path):
    table = long_table(t=lambda i: f"{i // 2}" if i < 398 else "199,5" if i == 398 else "200,25")
    content = table.to_csv(index=False, sep=";").encode()
    ethogram = read_small(tmp_path / "x.csv", content)
    assert ethogram.t_stop.tolist() == [200.5, 201.25]


@pytest.mark.parametrize("row", [0, 200, 399])
def test_the_row_of_a_time_that_is_none(tmp_path, row):
    table = long_table(t=lambda i: "soon" if i == row else f"{i}")
    with pytest.raises(DataError, match=rf"1 of 400 values.*'soon' in row {row + 1}\)"):
        read_small(tmp_path / "x.csv", table.to_csv(index=False).encode())


def test_frames_that_come_twice_are_counted_across_pieces(tmp_path):
    table = pd.concat([long_table(), long_table().iloc[[7, 8, 200]]])
    with pytest.raises(DataError, match=r"3 frames come twice \(first: larva '0'.* at 0\.4 s"):
        read_small(tmp_path / "x.csv", table.to_csv(index=False).encode())


def test_the_byte_that_is_no_utf8_in_a_late_piece(tmp_path):
    content = long_table(note=lambda i: f"x{i}").to_csv(index=False).encode()
    content = content.replace(b"x390", b"x\xfc90")
    with pytest.raises(DataError, match=rf"UTF-8.*\(byte {content.index(0xFC) + 1}\)"):
        read_small(tmp_path / "x.csv", content)


def test_a_gzip_cut_off_late(tmp_path):
    rng = np.random.default_rng(0)
    table = long_table(4000, note=lambda _: str(rng.random()))
    packed = gzip.compress(table.to_csv(index=False).encode())
    assert read_small(tmp_path / "x.csv", packed, 5000).n_bouts == 2
    with pytest.raises(DataError, match=r"gzip file.*damaged or cut off"):
        read_small(tmp_path / "x.csv", packed[:-200], 5000)


def test_a_row_with_a_cell_only_in_a_column_that_was_dropped_is_not_blank(tmp_path):
    content = long_table(note=lambda i: f"x{i}").to_csv(index=False).encode() + b",,,,,x\n"
    with pytest.raises(DataError, match=r"t must hold.*1 of 401.*empty cell in row 401"):
        read_small(tmp_path / "x.csv", content)
    assert read_small(tmp_path / "x.csv", content[:-2] + b"\n").n_bouts == 2


def test_an_assay_without_a_step_takes_the_median_of_all(tmp_path):
    table = pd.concat([long_table(), long_table(1).assign(assay="o", larva="7")])
    ethogram = read_small(tmp_path / "x.csv", table.to_csv(index=False).encode())
    assert ethogram.t_stop[0] == pytest.approx(0.1)


def test_more_states_than_fit_a_small_code(tmp_path):
    table = long_table(300, state=lambda i: f"s{i:03}")
    assert read_small(tmp_path / "x.csv", table.to_csv(index=False).encode()).n_states == 300


# -- parquet ---------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    tables(),
    st.sampled_from(["text", "large", "dictionary", "numbers"]),
    st.integers(1, 200),
    st.integers(1, 30),
)
def test_parquet_in_pieces_is_parquet_at_once(tmp_path_factory, table, kind, size, group):
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    names, cells = table
    frame = pd.DataFrame(cells, columns=names).replace({"": None, "NA": None})
    columns = {}
    for name in names:
        column = pa.array(frame[name].astype(object), pa.string(), from_pandas=True)
        if name in TIMES:
            with contextlib.suppress(pa.ArrowInvalid):  # those that are none stay text
                column = column.cast(pa.float64())
        elif kind == "numbers" and name in ("larva", "date"):
            with contextlib.suppress(pa.ArrowInvalid):
                column = column.cast(pa.float64() if name == "larva" else pa.int64())
        elif kind == "large":
            column = column.cast(pa.large_string())
        elif kind == "dictionary":
            column = column.dictionary_encode()
        columns[name] = column
    parquet.write_table(pa.table(columns), path, row_group_size=group)
    frame = to_pandas(pa.table(columns))
    whole = outcome(lambda: tidy.from_table(frame, source=str(path)))
    with small(size):
        assert_same(outcome(lambda: tidy.read(path)), whole)


# -- hostile ---------------------------------------------------------------------------------------

GIGABYTE = 1 << 30


def endless(path, head):
    """A file of a gigabyte that takes no disk: zeros, no line end."""
    path.write_bytes(head)
    with open(path, "r+b") as file:
        file.truncate(GIGABYTE)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (HEADER.encode(), r"rows of at most 4,194,304 bytes, but row 1 is longer"),
        (HEADER.encode() + b"p,A,1,run,0,1\n" * 9, r"but row 10 is longer"),
        (HEADER.encode() + b'p,A,1,"run,0,1\n', r"but row 1 is longer.*close every quote"),
        (b"assay,line,", r"header line of at most 4096 columns"),
    ],
    ids=["no row", "ninth row", "open quote", "header"],
)
def test_a_gigabyte_without_a_line_end_is_refused_at_once(tmp_path, head, words):
    endless(tmp_path / "x.csv", head)
    with pytest.raises(DataError, match=words):
        tidy.read(tmp_path / "x.csv")


def test_a_gigabyte_in_a_small_gzip_is_refused_at_once(tmp_path):
    with gzip.open(tmp_path / "x.csv", "wb", compresslevel=1) as file:
        file.write(HEADER.encode())
        for _ in range(16):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="row 1 is longer"):
        tidy.read(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (",".join(map(str, range(5000))) + "\n" + HEADER, "4096 columns.*found 5000 columns"),
        (",".join(map(str, range(10**6))) + "\n", "4096 columns.*found more than [0-9]+ columns"),
        (HEADER + "p,A,1,run,0,1" + ",1" * 10**6 + "\n", "expected 6 cells.*found 1000006"),
        (HEADER + "p,A,1," + "x" * 10**7 + ",0,1\n", "row 1 is longer"),
    ],
    ids=["5000 columns", "a million columns", "a million cells", "a long cell"],
)
def test_rows_of_absurd_size_are_refused(tmp_path, content, words):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        tidy.read(tmp_path / "x.csv")
    assert len(str(caught.value)) < 500


# -- memory ----------------------------------------------------------------------------------------

MEASURE = """
import re, sys
from larvastats.io import tidy
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
before = peak()
n = tidy.read(sys.argv[1]).n_bouts
print(n, peak() - before)
"""


def plates(path, size):
    """Frames in order of time, so that the larvae alternate: 30 a plate, until `size` bytes."""
    k, larva = np.divmod(np.arange(30 * 400), 30)
    table = pd.DataFrame({"assay": "PLATE", "line": "GMR_72F11", "larva": larva, "t": k * 0.05})
    table["state"] = np.where((k + larva) // 20 % 2, "run", "cast")
    header, body = table.round(2).to_csv(index=False).split("\n", 1)
    with open(path, "w") as file:
        file.write(header + "\n")
        for plate in range(10**6):
            file.write(body.replace("PLATE", f"20200131_{plate:06}"))
            if file.tell() >= size:
                return plate + 1
    raise AssertionError("a million plates are more than any test needs")


def test_memory_grows_by_less_than_the_file_does(tmp_path):
    try:
        open("/proc/self/status").close()
    except OSError:
        pytest.skip("the peak of a process's memory is read from /proc")
    took = []
    for size in (20_000_000, 60_000_000):
        path = tmp_path / "frames.csv"
        n_plates = plates(path, size)
        command = [sys.executable, "-c", MEASURE, str(path)]
        bouts, peak = subprocess.check_output(command).split()
        assert int(bouts) == n_plates * (28 * 21 + 2 * 20)  # larvae 0 and 20 begin a bout
        took.append(int(peak))
    # the whole table takes about 3.5 bytes per byte; what is fixed cancels
    assert took[1] - took[0] < 0.75 * 40_000_000
