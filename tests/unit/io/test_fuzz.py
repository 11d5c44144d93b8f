"""Damaged files: a result or one sentence, never anything else."""

import gzip

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from larvastats.errors import LarvastatsError
from larvastats.ethogram import Ethogram
from larvastats.io import fimtrack, tidy, trx
from larvastats.io.source import load

SHORT = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

CSV = b"""assay,line,larva,state,t_start,t_stop,date,wind
p,A,1,run,0,2.5,20200131,3.5
p,A,1,cast,2.5,3,20200131,3.5
q,B,1,stop,1,2.5,2020-02-01,4
"""
FRAMES = b"assay;line;larva;t;state\np;A;1;0;run\np;A;1;0,1;run\np;A;1;0,2;cast\np;A;1;0,3;\n"
FIMTRACK = b",larva(0),larva(3)\n" + b"".join(
    b"%s(%d),%d,%d\n" % (flag, frame, flag == b"go_phase", frame % 2)
    for flag in (b"is_coiled", b"left_bended", b"right_bended", b"go_phase")
    for frame in range(5)
)
TOKENS = [b"", b",", b";", b"\t", b'"', b"\n", b"\r", b"-1", b"1e999", b"nan", b"\xff", b"\0", b"(",
          b"\xef\xbb\xbf", b"9" * 30, b"t", b"state", b"\xff" * 8, b"\x7f\xff\xff\xff"]  # fmt: skip


@st.composite
def damage(draw):
    """A few cuts, flips and insertions, as positions between 0 and 1 and what to put there."""
    edits = st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 12),
        st.sampled_from(TOKENS) | st.binary(max_size=6),
    )
    return draw(st.lists(edits, min_size=1, max_size=5)), draw(st.floats(0.5, 1) | st.just(1.0))


def apply(content, how):
    edits, share = how
    damaged = bytearray(content)
    for where, n, token in edits:
        at = int(where * len(damaged))
        damaged[at : at + n] = token
    return bytes(damaged[: int(share * len(damaged))])


def says_or_reads(read, path, content):
    path.write_bytes(content)
    try:
        ethogram = read(path)
    except LarvastatsError as error:
        assert str(error).endswith(".")
        assert "\n" not in str(error)
    else:
        assert isinstance(ethogram, Ethogram)
        assert (ethogram.t_stop > ethogram.t_start).all()


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """Valid binary files, by format."""
    folder = tmp_path_factory.mktemp("valid")
    table = pd.DataFrame(
        {"assay": "p", "line": "A", "larva": ["1", "1", "2"], "state": ["run", "cast", "run"],
         "t_start": [0.0, 2, 0], "t_stop": [2.0, 3, 4], "date": "20200131", "time": "093000"}
    )  # fmt: skip
    ethogram = Ethogram.from_bouts(table)
    tidy.write_bouts(ethogram, folder / "x.parquet")
    trx.write(ethogram, folder / "many.mat", 0.5)
    trx.write(ethogram.clip([(0, 1.5)]), folder / "x.mat", 0.5)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


TEXTS = {
    "bouts": (CSV, tidy.read),
    "frames": (FRAMES, tidy.read),
    "fimtrack": (FIMTRACK, lambda path: fimtrack.read(path, fps=10)),
    "fimtrack as a source": (FIMTRACK, lambda path: load(path, fps=10)),
}


# pyarrow hands a wrong row to our callback as text; where its bytes are no UTF-8 the decoding fails
# inside pyarrow, which reports it as unraisable and goes on to the error that we do catch
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", TEXTS)
@given(how=damage())
@SHORT
def test_damaged_text(tmp_path, name, how):
    content, read = TEXTS[name]
    says_or_reads(read, tmp_path / "x.csv", apply(content, how))


@given(how=damage())
@SHORT
def test_damaged_gzip(tmp_path, how):
    says_or_reads(tidy.read, tmp_path / "x.csv", apply(gzip.compress(CSV), how))


@pytest.mark.parametrize("name", ["x.parquet", "many.mat", "x.mat"])
@given(how=damage())
@SHORT
def test_damaged_binary(tmp_path, valid, name, how):
    says_or_reads(load, tmp_path / name, apply(valid[name], how))


@pytest.mark.parametrize("ending", [".csv", ".mat", ".parquet", ""])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(content=b"MATLAB 7.3 MAT-file")
@example(content=b"PAR1PAR1")
@example(content=b"\x1f\x8b\x08")
@example(content=b"\x89HDF\r\n\x1a\n")
@settings(SHORT, max_examples=60)
def test_anything_at_all(tmp_path, ending, content):
    for prefix in (b"", b"MATLAB 7.3 MAT-file", b"PAR1", b"\x1f\x8b\x08\0", b",larva(0)\n"):
        says_or_reads(lambda path: load(path, fps=10), tmp_path / f"x{ending}", prefix + content)


@given(content=st.text(alphabet="assylinervtop_,;\t\n\"'.01", max_size=120))
@SHORT
def test_anything_below_a_good_header(tmp_path, content):
    header = CSV.splitlines(keepends=True)[0]
    says_or_reads(tidy.read, tmp_path / "x.csv", header + content.encode())
