"""Tracks written as trx.mat: where the shapes lie, and what comes back."""

import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.io import trx
from larvastats.io.contours import Contours
from larvastats.io.paths import AssayIdentity, make_identity
from larvastats.io.tracks import Tracks

IDENTITY = make_identity("t15", "GMR_1", "UAS_X", "r_LED100_30s2x15s30s#n#n#n", "20200131_093000")


def made(n_larvae=2, n=7, *, widest=9, seed=0, points=11, **more):
    """Tracks with gaps, lost midlines and outlines, and frames without a state."""
    rng = np.random.default_rng(seed)
    frames = n_larvae * n
    midline = rng.normal(50, 9, (frames, points, 2))
    midline[rng.random(frames) < 0.2] = np.nan
    counts = rng.integers(0, widest + 1, frames)
    counts[0] = widest
    own = {
        "midline": midline,
        "contour": Contours.from_counts(rng.normal(50, 9, (counts.sum(), 2)), counts),
        "centroid": np.nanmean(np.where(np.isnan(midline), 1.0, midline), axis=1),
        "features": {"S_smooth_5": rng.random(frames), "own": np.full(frames, np.nan)},
        "states": ("cast", "run", "small_motion"),
        "state": rng.integers(-1, 3, frames),
    }
    index = np.repeat(np.arange(n_larvae), n)
    t = np.tile(0.04 * np.arange(n) + (np.arange(n) > 3), n_larvae)
    return Tracks.build(IDENTITY, [str(7 * k + 3) for k in range(n_larvae)], index, t, **own | more)


def assert_same(again, tracks):
    assert again.identity == tracks.identity
    assert again.larvae == tracks.larvae
    for name in ("larva_index", "t", "midline", "centroid"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tracks, name))
    assert (again.contour is None) == (tracks.contour is None)
    if tracks.contour is not None:
        np.testing.assert_array_equal(again.contour.start, tracks.contour.start)
        np.testing.assert_array_equal(again.contour.vertices, tracks.contour.vertices)
    assert set(again.features) == set(tracks.features)
    for name, series in tracks.features.items():
        np.testing.assert_array_equal(again.features[name], series)
    assert labels(again) == labels(tracks)


def labels(tracks):
    if tracks.state is None:
        return None
    return [tracks.states[code] if code >= 0 else None for code in tracks.state]


@given(
    st.integers(1, 3), st.integers(1, 9), st.integers(0, 12), st.integers(1, 12),
    st.integers(0, 2**16), st.sets(st.sampled_from(["midline", "contour", "centroid", "state"])),
)  # fmt: skip
def test_what_is_written_is_read_again(
    tmp_path_factory, n_larvae, n, widest, points, seed, lacking
):
    absent = dict.fromkeys(lacking) | ({"states": ()} if "state" in lacking else {})
    tracks = made(n_larvae, n, widest=widest, points=points, seed=seed, **absent)
    path = tmp_path_factory.mktemp("trx") / "trx.mat"
    trx.write(tracks, path)
    assert_same(trx.read_tracks(path)[0], tracks)


def test_the_layout_is_the_trackers(tmp_path):
    path = tmp_path / "trx.mat"
    tracks = made(n=7)
    trx.write(tracks, path)
    with h5py.File(path) as file:
        first = {name: file[file["trx"][name][0, 0]] for name in file["trx"]}
        assert first["x_spine"].shape == first["y_spine"].shape == (11, 7)
        assert first["x_contour"].shape == (500, 7)
        assert first["x_center"].shape == first["S_smooth_5"].shape == first["t"].shape == (1, 7)
        np.testing.assert_array_equal(first["x_spine"][0], tracks.midline[:7, 0, 0])
        x = first["x_contour"][:, 0]
        assert x[9] == x[0]  # closed
        assert np.isnan(x[10:]).all()
        assert first["x_contour"].attrs["MATLAB_class"] == b"double"
    assert trx.read(path).n_bouts == tracks.to_ethogram().n_bouts


def test_outlines_wider_than_the_trackers(tmp_path):
    tracks = made(1, 2, widest=700)
    trx.write(tracks, tmp_path / "trx.mat")
    with h5py.File(tmp_path / "trx.mat") as file:
        assert file["trx/x_contour"].shape == (701, 2)
    assert_same(trx.read_tracks(tmp_path / "trx.mat")[0], tracks)


def test_identity_is_written_too(tmp_path):
    nobody = AssayIdentity("", "", "", "", None, None, "plate 7")
    tracks = Tracks.build(nobody, ["left", "right"], [0, 1], [0.0, 0.5])
    trx.write(tracks, tmp_path / "trx.mat")
    (again,) = trx.read_tracks(tmp_path / "trx.mat")
    assert (again.identity, again.larvae) == (nobody, ("left", "right"))


def test_same_tracks_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        trx.write(made(n=900), tmp_path / name / "trx.mat")
    assert (tmp_path / "a/trx.mat").read_bytes() == (tmp_path / "b/trx.mat").read_bytes()


NOT_WRITABLE = {
    "pixels": (dict(length_unit="px"), {}, DataError, "holds millimetres.*in px.*size of a pixel"),
    "a step": ({}, {"dt": 0.1}, UsageError, "frames of their own; leave the frame step out"),
    "a state": (dict(states=("cast", "run", "dig")), {}, DataError, "but not for dig"),
    "a field in use": (dict(features={"run": np.ones(14)}), {}, DataError, "as field 'run'"),
    "no name of a field": (dict(features={"a b": np.ones(14)}), {}, DataError, "as field 'a b'"),
}


@pytest.mark.parametrize("case", NOT_WRITABLE)
def test_what_cannot_be_written(tmp_path, case):
    change, options, kind, words = NOT_WRITABLE[case]
    path = tmp_path / "trx.mat"
    with pytest.raises(kind, match=words) as caught:
        trx.write(made(**change), path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert not path.exists()


def test_padded_outlines_are_in_memory_for_one_larva_at_a_time(tmp_path):
    n_larvae, n = 20, 120
    tracks = made(n_larvae, n, widest=20, midline=None, centroid=None, features={})
    trx.write(tracks, tmp_path / "trx.mat")
    padded = n_larvae * n * 500 * 2 * 8  # bytes, in double precision
    tracemalloc.start()
    try:
        trx.read_tracks(tmp_path / "trx.mat", shapes=["contour"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < padded / 5


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_cut_off_files_are_refused_in_a_sentence(tmp_path, share):
    path = tmp_path / "trx.mat"
    trx.write(made(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="damaged or cut off"):
        trx.read_tracks(path)
