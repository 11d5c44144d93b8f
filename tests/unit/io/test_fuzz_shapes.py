"""Damaged files of shapes and labels: a result or one sentence, never anything else."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from larvastats.errors import LarvastatsError
from larvastats.ethogram import Ethogram
from larvastats.io import choreography, larvatagger, schleyer
from larvastats.io.tracks import Tracks

SHORT = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

STAMP = "20150701_105504"


def points(n_rows, n_points, lead=True):
    """Rows of Choreography, as text."""
    rng = np.random.default_rng(n_points)
    rows = []
    for i in range(n_rows):
        xy = " ".join(f"{x:.3f}" for x in rng.uniform(-5, 250, 2 * n_points))
        who = f"{STAMP} {i // 4 + 1:05d} " if lead else ""
        rows.append(f"{who}{i / 10:.3f} {xy}\n")
    return "".join(rows).encode()


LABELS = json.dumps(
    {
        "metadata": {"id": STAMP, "genotype": "A@B", "protocol": "p"},
        "units": {"t": "s"},
        "labels": {"names": ["crawl", "bend"], "colors": ["#000000", "#ffffff"]},
        "secondarylabels": ["edited"],
        "data": [{"id": "7", "t": [0, 0.1, 0.2, 0.3], "labels": [1, [2, "edited"], [], "bend"]}],
    }
).encode()
TABLE = "\n".join(
    ",".join([str(step), *(f"{x:.4g} " for x in np.random.default_rng(step).normal(0, 9, 77))])
    for step in range(1, 5)
).encode()

FORMATS = {
    "spine": ("x.spine", points(8, 11), choreography),
    "outline": ("x.outline", points(6, 15) + points(2, 40), choreography),
    "objects": ("x.00007.spine", points(6, 11, lead=False), choreography),
    "dat": ("x.00007.dat", points(6, 2, lead=False), None),
    "labels": ("predicted.label", LABELS, larvatagger),
    "schleyer": ("dish01_7.csv", TABLE + b"\n", schleyer),
}
TOKENS = [
    b"", b" ", b",", b"\t", b"\n", b"\r\n", b"-", b"--1.000", b"1e999", b"NaN", b"inf", b"\xff",
    b"..", b"\0" * 9, b"9" * 30, b".", b"[", b"]", b"{", b"../", b"null", b"true", b"99", b" " * 40,
    b"20150701_105505 ", b"\xef\xbb\xbf", b'{"runs":', b"\x1f\x8b\x08",
]  # fmt: skip


@st.composite
def damage(draw):
    """A few cuts, flips and insertions, and where the file ends."""
    edits = st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 12) | st.integers(0, 400),
        st.sampled_from(TOKENS) | st.binary(max_size=6),
    )
    return draw(st.lists(edits, min_size=1, max_size=4)), draw(st.floats(0.3, 1) | st.just(1.0))


def apply(content, how):
    edits, share = how
    damaged = bytearray(content)
    for where, n, token in edits:
        at = int(where * len(damaged))
        damaged[at : at + n] = token
    return bytes(damaged[: int(share * len(damaged))])


def says_or_reads(name, content, module, folder):
    path = folder / name
    path.write_bytes(content)
    try:
        if module is None:
            found = choreography.read_dat(path, ["time", "speed", "loc_x", "loc_y", "mine"])
        else:
            module.sniff(path)
            found = module.read(path)
    except LarvastatsError as error:
        sentence = str(error)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert str(folder) in sentence
    else:
        assert isinstance(found, Tracks | Ethogram)
        if isinstance(found, Tracks):
            assert np.isfinite(found.t).all()
            assert all(larva.isdigit() for larva in found.larvae)


@pytest.mark.parametrize("name", FORMATS)
@given(how=damage())
@SHORT
def test_damaged_files(tmp_path, name, how):
    file, content, module = FORMATS[name]
    says_or_reads(file, apply(content, how), module, tmp_path)


@pytest.mark.parametrize("name", ["spine", "labels", "schleyer"])
@given(how=damage())
@settings(SHORT, max_examples=60)
def test_damaged_gzip(tmp_path, name, how):
    file, content, module = FORMATS[name]
    says_or_reads(file, apply(gzip.compress(content), how), module, tmp_path)


@pytest.mark.parametrize("name", FORMATS)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(SHORT, max_examples=60)
def test_anything_at_all(tmp_path, name, content):
    file, good, module = FORMATS[name]
    for prefix in (b"", good):
        says_or_reads(file, prefix + content, module, tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.sampled_from(["s", "7", "edited", "crawl", "..", 1, 2]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "t", "labels", "names", "data", "metadata", "runs", "units"]), inner
    ),
    max_leaves=10,
)  # fmt: skip


@given(content=st.fixed_dictionaries({}, optional={
    "metadata": JSON, "labels": JSON, "data": JSON, "runs": JSON, "units": JSON,
    "secondarylabels": JSON, "id": JSON, "genotype": JSON}))  # fmt: skip
@SHORT
def test_any_json_with_the_right_keys(tmp_path, content):
    says_or_reads("x.label", json.dumps(content).encode(), larvatagger, tmp_path)


@given(track=st.fixed_dictionaries({"id": JSON, "t": JSON, "labels": JSON}))
@SHORT
def test_any_track(tmp_path, track):
    content = json.loads(LABELS) | {"data": [track]}
    says_or_reads("x.label", json.dumps(content).encode(), larvatagger, tmp_path)
