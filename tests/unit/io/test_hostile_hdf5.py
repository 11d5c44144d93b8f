"""Valid HDF5 that no tracker writes: it leads out of the file, or promises much."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from larvastats.errors import DataError
from larvastats.io import trx

MATLAB = b"MATLAB 7.3 MAT-file".ljust(512, b" ")


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    """Write a trx.mat of one larva after a change to its struct array."""

    def write(change: Callable[[h5py.Group], None]) -> Path:
        path = tmp_path / "trx.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            group = file.create_group("trx")
            group["t"] = np.arange(4.0)[np.newaxis]
            group["global_state"] = np.ones((1, 4))
            group["neuron"] = np.frombuffer("A".encode("utf-16-le"), "<u2")[:, np.newaxis]
            change(group)
        with open(path, "r+b") as file:
            file.write(MATLAB)
        return path

    return write


def replaced(name: str, **how: Any) -> Callable[[h5py.Group], None]:
    """Change: a field of other shape or type."""

    def change(group: h5py.Group) -> None:
        del group[name]
        group.create_dataset(name, **how)

    return change


def test_the_recording_itself_is_good(recording):
    path = recording(lambda group: None)
    assert trx.sniff(path) and trx.read(path).n_bouts == 1


@pytest.mark.parametrize("size", [10**8, 10**12, 2**50])
@pytest.mark.parametrize("field", ["t", "global_state"])
@pytest.mark.parametrize("how", [{"chunks": (1, 64)}, {"chunks": (1, 64), "compression": "gzip"}])
def test_sizes_that_are_declared_but_not_stored(recording, size, field, how):
    path = recording(replaced(field, shape=(1, size), dtype="f8", **how))
    with pytest.raises(DataError, match=r"declares|its shape is"):
        trx.read(path)


def test_chunks_that_are_larger_than_their_dataset(recording):
    path = recording(
        replaced("t", shape=(1, 4), maxshape=(1, None), chunks=(1, 1 << 28), dtype="f8")
    )
    with pytest.raises(DataError, match="declares"):
        trx.read(path)


def test_what_deflate_can_do_is_believed(recording):
    n = 200_000  # of one label; the times fill the file

    def change(group: h5py.Group) -> None:
        for name, values in (("t", np.arange(n) / 10), ("global_state", np.ones(n))):
            del group[name]
            group.create_dataset(name, data=values[np.newaxis], compression="gzip", shuffle=True,
                                 compression_opts=9, chunks=(1, n))  # fmt: skip

    assert trx.read(recording(change)).t_stop[-1] == pytest.approx(n / 10)


@pytest.mark.parametrize("field", ["t", "global_state", "neuron"])
@pytest.mark.parametrize("link", [
    h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/trx/t"), h5py.SoftLink("/nowhere"),
])  # fmt: skip
def test_links_are_not_followed(recording, field, link):
    def change(group: h5py.Group) -> None:
        del group[field]
        group[field] = link

    with pytest.raises(DataError, match=r"expected .* in the file itself, but found a link"):
        trx.read(recording(change))


def test_an_external_link_to_a_pipe_does_not_wait(recording, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    def change(group: h5py.Group) -> None:
        file = group.file
        del file["trx"]
        file["trx"] = h5py.ExternalLink(str(tmp_path / "pipe"), "/trx")

    path = recording(change)
    assert not trx.sniff(path)
    with pytest.raises(DataError, match="found a link"):
        trx.read(path)


@pytest.mark.parametrize("field", ["t", "global_state", "neuron"])
def test_values_in_other_files_are_not_read(recording, tmp_path, field):
    (tmp_path / "secret").write_bytes(np.arange(4.0).tobytes())
    path = recording(
        replaced(field, shape=(1, 4), dtype="f8", external=[(str(tmp_path / "secret"), 0, 32)])
    )
    with pytest.raises(DataError, match="lie in other files"):
        trx.read(path)


def test_virtual_datasets_are_not_read(recording, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["t"] = np.arange(4.0)

    def change(group: h5py.Group) -> None:
        layout = h5py.VirtualLayout((1, 4), "f8")
        layout[0] = h5py.VirtualSource(str(tmp_path / "other.h5"), "t", (4,))
        del group["t"]
        group.create_virtual_dataset("t", layout)

    with pytest.raises(DataError, match="lie in other files"):
        trx.read(recording(change))


def test_references_of_more_larvae_than_any_plate_holds(recording):
    def change(group: h5py.Group) -> None:
        seed = group.file.create_dataset("seed", data=np.zeros((1, 1)))
        del group["t"]
        refs = np.full((1, 60_000), seed.ref, dtype=object)
        group.create_dataset("t", data=refs, dtype=h5py.ref_dtype)

    start = time.process_time()
    with pytest.raises(DataError, match="expected a row of larvae"):
        trx.read(recording(change))
    assert time.process_time() - start < 2


def test_lists_are_no_names(recording):
    def change(group: h5py.Group) -> None:
        del group["neuron"]
        made = group.create_dataset("neuron", (1, 1), h5py.vlen_dtype(np.dtype("f8")))
        made[0, 0] = [1.0, 2.0]

    with pytest.raises(DataError, match="expected a text in field 'neuron'"):
        trx.read(recording(change))


def test_many_texts_are_refused_before_they_are_read(recording):
    def many(group: h5py.Group) -> None:
        group.create_dataset("id", data=["x" * 1000] * 4000, dtype=h5py.string_dtype())

    path = recording(many)
    tracemalloc.start()
    with pytest.raises(DataError, match="expected a text in field 'id'"):
        trx.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("how", ["field", "mark"])
def test_texts_of_variable_length_are_not_read(recording, how):
    """Their heap may be damaged, and libhdf5 walks through that for ever."""

    def variable(group: h5py.Group) -> None:
        if how == "mark":
            group["t"].attrs["MATLAB_empty"] = "yes"
        else:
            group.create_dataset("id", data="x", dtype=h5py.string_dtype())

    with pytest.raises(DataError, match=r"expected a text in field 'id'|neither text nor number"):
        trx.read(recording(variable))


def test_numbers_beyond_float64_are_refused(recording):
    def beyond(group: h5py.Group) -> None:
        for name in ("x_spine", "y_spine"):
            group[name] = np.full((11, 4), np.longdouble("1e400"))

    path = recording(beyond)
    with pytest.raises(DataError, match="coordinates of the midline"):
        trx.read_tracks(path)
