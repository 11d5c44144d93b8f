"""trx.mat files that larvastats writes: what MATLAB expects, and what comes back."""

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import trx
from larvastats.io.trx import matlab

PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"
ASSAY = f"t15/GMR_1@UAS_X/{PROTOCOL}/20200131_093000"


def recording(larvae, **identity):
    """Bouts of one assay on a grid of 0.1 s: lists of (start, stop, state) in steps."""
    rows = [
        (str(number), trx.LARGE_CODES[code], start * 0.1, stop * 0.1)
        for number, bouts in enumerate(larvae, 1)
        for start, stop, code in bouts
    ]
    known = {
        "assay": ASSAY, "line": "GMR_1", "effector": "UAS_X", "protocol": PROTOCOL,
        "tracker": "t15", "date": "20200131", "time": "093000",
    }  # fmt: skip
    table = pd.DataFrame(rows, columns=["larva", "state", "t_start", "t_stop"])
    return Ethogram.from_bouts(table.assign(**known | identity))


@st.composite
def grids(draw):
    larvae = []
    for _ in range(draw(st.integers(1, 3))):
        k, bouts = draw(st.integers(0, 9)), []
        for _ in range(draw(st.integers(1, 5))):
            k += draw(st.just(0) | st.integers(5, 9))
            n = draw(st.integers(3, 9))
            bouts.append((k, k + n, draw(st.integers(1, 7))))
            k += n
        larvae.append(bouts)
    return larvae


@given(grids())
def test_what_is_written_is_read_again(tmp_path_factory, larvae):
    path = tmp_path_factory.mktemp("trx") / "trx.mat"
    ethogram = recording(larvae)
    trx.write(ethogram, path)
    again = trx.read(path)
    assert again.equals(ethogram)
    pd.testing.assert_frame_equal(again.assays, ethogram.assays)


def test_the_file_is_laid_out_as_matlab_does(tmp_path):
    path = tmp_path / "trx.mat"
    trx.write(recording([[(0, 5, 1), (5, 9, 7)], [(2, 5, 2)]]), path)
    assert path.read_bytes()[:19] == b"MATLAB 7.3 MAT-file"
    assert path.read_bytes()[124:128] == b"\x00\x02IM"
    assert matlab.is_matlab73(path)
    with h5py.File(path) as file:
        assert file.userblock_size == 512
        group = file["trx"]
        assert group.attrs["MATLAB_class"] == b"struct"
        assert all(group[name].shape == (1, 2) for name in group)
        first = {name: file[group[name][0, 0]] for name in group}
        assert first["t"].shape == (1, 9)
        assert first["t"].attrs["MATLAB_class"] == b"double"
        assert first["neuron"].dtype == np.uint16
        assert first["neuron"].shape == (5, 1)
        assert first["neuron"].attrs["MATLAB_class"] == b"char"
        assert first["numero_larva_num"][()].tolist() == [[1.0]]
        assert first["run"][0].tolist() == [1.0] * 5 + [-1.0] * 4
        assert first["global_state_large_state"][0].tolist() == [1.0] * 5 + [7.0] * 4
        assert np.isnan(first["global_state"][0, 5:]).all()
    wanted = {"cast", "hunch", "back", "roll", "stop", "small_motion", "stimuli", "protocol",
              "pipeline", "id", "full_path", "numero_larva"}  # fmt: skip
    assert wanted <= set(first)


def test_one_larva_is_stored_without_references(tmp_path):
    path = tmp_path / "trx.mat"
    trx.write(recording([[(0, 5, 1)]], effector=None), path)
    with h5py.File(path) as file:
        assert file["trx/t"].shape == (1, 5)
        assert file["trx/stimuli"].attrs["MATLAB_empty"] == 1
    assert trx.read(path).genotypes == ("GMR_1",)


def test_signs_alone_are_enough(tmp_path):
    path = tmp_path / "trx.mat"
    ethogram = recording([[(0, 5, 1), (5, 9, 7)], [(2, 5, 2)]])
    trx.write(ethogram, path)
    with h5py.File(path, "r+") as file:
        del file["trx/global_state"], file["trx/global_state_large_state"]
    assert trx.read(path).equals(ethogram)


def test_same_ethogram_same_bytes(tmp_path):
    ethogram = recording([[(0, 5000, 1)], [(2, 5, 2)]])
    paths = [tmp_path / name / "trx.mat" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        trx.write(ethogram, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_other_steps(tmp_path):
    ethogram = recording([[(0, 50, 1), (50, 90, 3)]])
    trx.write(ethogram, tmp_path / "trx.mat", dt=0.02)
    assert trx.read(tmp_path / "trx.mat").equals(ethogram)


WRONG = {
    "two assays": (
        lambda e: Ethogram.from_bouts(e.to_bouts().assign(assay=["p", "q"])), {}, UsageError,
        "holds one assay, but the ethogram has 2",
    ),
    "a state without a code": (
        lambda e: Ethogram.from_bouts(e.to_bouts().assign(state="coiled")), {}, DataError,
        "codes for run, cast.*not for coiled",
    ),
    "a negative step": (lambda e: e, {"dt": -1.0}, UsageError, "frame step must be a positive"),
    "a step beyond every bout": (
        lambda e: e.clip([(0.1, 0.4)]), {"dt": 9.0}, DataError, "no larva is tracked at a multiple",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_written(tmp_path, name):
    change, options, kind, words = WRONG[name]
    path = tmp_path / "trx.mat"
    path.write_bytes(b"old")
    with pytest.raises(kind, match=words):
        trx.write(change(recording([[(0, 5, 1), (5, 9, 7)]])), path, **options)
    assert path.read_bytes() == b"old"
