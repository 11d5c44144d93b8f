"""Shapes in a store: the same again, byte for byte the same file, and damage in a sentence."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError
from larvastats.io.contours import Contours
from larvastats.io.paths import AssayIdentity, make_identity
from larvastats.io.track_files import pack, unpack
from larvastats.io.tracks import Tracks

WHO = make_identity("t5", "A", "E", "p_8_45s1x30s0s#n#n#n", "20200131_093000")


def tracks(seed=0, n=40, larvae=3, identity=WHO, states=("run", "cast"), shapes="mcf", unit="mm"):
    rng = np.random.default_rng(seed)
    midline = rng.normal(size=(n, 11, 2)).astype(np.float32).astype(float)
    midline[rng.random(n) < 0.2] = np.nan
    counts = rng.integers(0, 6, n)
    return Tracks.build(
        identity,
        [f"larva {i}" for i in range(larvae)],
        np.sort(rng.integers(0, larvae, n)),
        np.arange(n) * 0.1,
        midline=midline if "m" in shapes else None,
        contour=Contours.from_counts(rng.normal(size=(counts.sum(), 2)), counts)
        if "c" in shapes
        else None,
        centroid=midline[:, 5] if "f" in shapes else None,
        features={"speed": rng.normal(size=n).astype(np.float32)} if "f" in shapes else {},
        units={"speed": "mm/s"} if "f" in shapes else {},
        states=states,
        state=rng.integers(-1, len(states), n).astype(np.int16) if states else None,
        length_unit=unit,
    )


def same(one: Tracks, two: Tracks) -> None:
    assert (one.identity, one.larvae, one.states) == (two.identity, two.larvae, two.states)
    assert (one.length_unit, dict(one.units)) == (two.length_unit, dict(two.units))
    for name in ("larva_index", "t", "midline", "centroid", "state"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert set(one.features) == set(two.features)
    for name, series in one.features.items():
        np.testing.assert_array_equal(series, two.features[name])
    assert (one.contour is None) == (two.contour is None)
    if one.contour is not None:
        np.testing.assert_array_equal(one.contour.vertices, two.contour.vertices)
        np.testing.assert_array_equal(one.contour.start, two.contour.start)


def written(tmp_path, content: bytes):
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    return path


@given(
    seed=st.integers(0, 1000), n=st.integers(1, 60), shapes=st.sampled_from(["", "m", "cf", "mcf"]),
    states=st.sampled_from([(), ("run",), ("run", "größer")]), unit=st.sampled_from(["mm", "px"]),
)  # fmt: skip
def test_what_is_packed_is_unpacked(tmp_path_factory, seed, n, shapes, states, unit):
    one = tracks(seed, n, states=states, shapes=shapes, unit=unit)
    content = pack(one)
    assert content == pack(one)
    same(one, unpack(written(tmp_path_factory.mktemp("h5"), content)))


def test_an_assay_without_date_or_line_keeps_its_blanks(tmp_path):
    one = tracks(identity=AssayIdentity("", "", "", "", None, None, "plate 1"))
    same(one, unpack(written(tmp_path, pack(one))))


def test_only_what_is_asked_for(tmp_path):
    path = written(tmp_path, pack(tracks()))
    part = unpack(path, shapes=["midline"])
    assert part.midline is not None and part.contour is None and not part.features
    assert unpack(path, features=["length"]).features == {}
    assert list(unpack(path, ["features"], ["speed"]).features) == ["speed"]


def test_anybody_can_read_it(tmp_path):
    one = tracks()
    with h5py.File(written(tmp_path, pack(one))) as file:
        assert file["features/speed"].attrs["unit"] == "mm/s"
        assert file.attrs["line"] == "A"
        larvae = file["larvae"].asstr()[()]
        assert [larvae[i] for i in file["larva"][:3]] == [
            one.larvae[i] for i in one.larva_index[:3]
        ]


@pytest.mark.parametrize("cut", [0, 10, 500, -100])
def test_a_damaged_file_is_a_sentence(tmp_path, cut):
    with pytest.raises(DataError, match=r"damaged|expected"):
        unpack(written(tmp_path, pack(tracks())[:cut]))


def test_a_lost_or_foreign_file_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="has lost this file"):
        unpack(tmp_path / "x.h5")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["t"] = [1.0]
    with pytest.raises(DataError, match="expected the tracks of a store"):
        unpack(tmp_path / "y.h5")


def test_outlines_that_do_not_fit_their_places_are_refused(tmp_path):
    path = written(tmp_path, pack(tracks()))
    with h5py.File(path, "r+") as file:
        del file["contour/start"]
        file["contour/start"] = np.full(41, 10**12)
    with pytest.raises(DataError, match="damaged"):
        unpack(path)
