"""Shapes in a store: the same again, byte for byte the same file, and damage in a sentence."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError
from larvastats.io.contours import Contours
from larvastats.io.paths import AssayIdentity, make_identity
from larvastats.io.store.track_files import pack, unpack
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


def test_names_with_control_characters_come_back(tmp_path):
    """Folders and labels may have such names."""
    who = AssayIdentity("t5", "A\nB", "E", "p\x1b[2J", None, None, "2020\0\x01x")
    one = tracks(identity=who, states=("run\n", "a\0b"))
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
        assert file["features/speed"].attrs["unit"] == b"mm/s"
        assert file.attrs["line"] == b"A"
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


# -- files that somebody else made -----------------------------------------------------------------


def edited(tmp_path, edit):
    """A good file after somebody's work on it."""
    path = written(tmp_path, pack(tracks()))
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def instead(name, **how):
    """Replace a dataset."""

    def edit(file):
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, **how).attrs.update(attributes)

    return edit


DATASETS = ["larva", "t", "state", "midline", "centroid", "larvae", "states", "contour/vertices",
            "contour/start", "features/speed"]  # fmt: skip


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("how", [
    {"data": np.zeros((40, 2, 2, 2))}, {"data": np.array(["x"] * 40, "S3")}, {"data": 1.5},
    {"data": h5py.Empty("f8")}, {"data": np.arange(40, dtype=">i8")}, {"data": np.zeros(0, "f2")},
    {"shape": (10**12,), "dtype": "f8", "chunks": (64,)},
    {"shape": (3,), "dtype": h5py.ref_dtype},
])  # fmt: skip
def test_datasets_of_other_kinds(tmp_path, name, how):
    with pytest.raises(DataError, match="damaged"):
        unpack(edited(tmp_path, instead(name, **how)))


@pytest.mark.parametrize("name", ["larva", "t", "midline", "features/speed", "contour/vertices"])
def test_sizes_that_are_declared_but_not_stored(tmp_path, name):
    def edit(file):
        kind, rest = file[name].dtype, file[name].shape[1:]
        del file[name]
        file.create_dataset(name, (50_000_000, *rest), kind, chunks=(64, *rest))

    with pytest.raises(DataError, match=r"holds next to none|damaged"):
        unpack(edited(tmp_path, edit))


@pytest.mark.parametrize("name", [*DATASETS, "contour", "features"])
@pytest.mark.parametrize("link", [
    h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/t"), h5py.SoftLink("/nowhere"),
])  # fmt: skip
def test_links_are_not_followed(tmp_path, name, link):
    def edit(file):
        del file[name]
        file[name] = link

    with pytest.raises(DataError, match="found a link"):
        unpack(edited(tmp_path, edit))


@pytest.mark.parametrize("name", ["t", "features/speed"])
def test_values_in_other_files_are_not_read(tmp_path, name):
    other = tmp_path / "other"
    other.write_bytes(bytes(1000))
    how = {"shape": (40,), "dtype": "f8" if name == "t" else "f4", "external": [(other, 0, 400)]}
    with pytest.raises(DataError, match="lie in other files"):
        unpack(edited(tmp_path, instead(name, **how)))


@pytest.mark.parametrize(("name", "value"), [
    ("length_unit", np.bytes_(b"km")), ("length_unit", 1), ("line", np.zeros(3)),
    ("assay", h5py.Empty("f8")), ("version", np.ones(2)),
    ("format", 1.0), ("date", np.bytes_(b"\xff")), ("line", "of variable length"),
    ("version", 1),
])  # fmt: skip
def test_attributes_of_other_kinds(tmp_path, name, value):
    def edit(file):
        file.attrs[name] = value

    with pytest.raises(DataError, match=r"damaged|expected the tracks of a store"):
        unpack(edited(tmp_path, edit))


@pytest.mark.parametrize(("name", "names"), [
    ("larvae", ["1", "1", "2"]), ("larvae", ["", "1", "2"]), ("larvae", ["a\nb", "1", "2"]),
    ("larvae", ["x" * 10_000] * 3), ("larvae", ["1"]), ("states", ["run", "run"]), ("states", []),
])  # fmt: skip
def test_names_that_are_none(tmp_path, name, names):
    with pytest.raises(DataError, match=r"damaged|larva|state"):
        unpack(edited(tmp_path, instead(name, data=np.array([n.encode() for n in names], "S"))))


@pytest.mark.parametrize("name", ["larvae", "states"])
def test_texts_of_variable_length_are_not_read(tmp_path, name):
    """Their heap may be damaged, and libhdf5 walks through that for ever."""
    names = ["1", "2", "3"]
    with pytest.raises(DataError, match="none that a store holds"):
        unpack(edited(tmp_path, instead(name, data=names, dtype=h5py.string_dtype())))


@pytest.mark.parametrize("name", ["features", "contour"])
def test_a_dataset_in_the_place_of_a_group(tmp_path, name):
    """Who asks a dataset of a million millions of rows for its members waits for ever."""

    def edit(file):
        del file[name]
        file.create_dataset(name, (10**12,), "f4", chunks=(64,))

    with pytest.raises(DataError, match="no group"):
        unpack(edited(tmp_path, edit))


def test_a_group_in_the_place_of_a_series(tmp_path):
    def edit(file):
        file["features"].create_group("deeper")

    with pytest.raises(DataError, match="damaged"):
        unpack(edited(tmp_path, edit))


def test_numbers_do_not_wrap_around(tmp_path):
    """4294967296 as int32 would be larva 0."""
    larva = np.full(40, 1 << 32, np.int64)
    with pytest.raises(DataError, match="damaged"):
        unpack(edited(tmp_path, instead("larva", data=larva)))


def test_nan_that_signal_are_nan(tmp_path):
    signalling = np.full(80, 0x7FA00000, np.uint32).view(np.float32).reshape(40, 2)
    path = edited(tmp_path, instead("centroid", data=signalling))
    assert np.isnan(unpack(path).centroid).all()
    double = np.array([0x7FF4000000000000], np.uint64).view(np.float64)
    one = Tracks.build(WHO, ["1"], [0], [0.0], features={"speed": double})
    assert np.isnan(unpack(written(tmp_path, pack(one))).features["speed"]).all()
