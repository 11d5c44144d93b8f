"""trx.mat by its structure: valid HDF5 whose datasets are not what a tracker writes."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h5py
import numpy as np
from fuzz_bytes import havoc, name, pick

from larvastats.shape.vertebrae import VERTEBRAE

Rng = np.random.Generator
Group = Any  # of h5py, which has no types

MATLAB = b"MATLAB 7.3 MAT-file".ljust(512, b" ")
SERIES = ("t", "global_state_large_state", "global_state", "global_state_small_large_state",
          "run_large", "cast_large", "run", "cast", "small_motion", "run_weak",
          "run_strong")  # fmt: skip
TEXTS = ("id", "numero_larva", "numero_larva_num", "neuron", "stimuli", "protocol", "pipeline")
POINTS = {"x_spine": 11, "y_spine": 11, "x_contour": 8, "y_contour": 8}
SHAPES = (*POINTS, "x_center", "y_center", "S_smooth_5", "larva_length_smooth_5", "mine",
          *(f"{axis}_{name}" for axis in "xy" for name in VERTEBRAE))  # fmt: skip
USUAL = {"id": "20150701_105504", "neuron": "A", "stimuli": "B", "protocol": "p", "pipeline": "t5"}
OUTSIDE = ("/etc/passwd", "/etc/hostname", "missing.mat", "/dev/zero", "/proc/self/mem", "/")


def _text(group: Group, key: str, text: str) -> None:
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2")[:, np.newaxis]
    group[key] = units


def _plain(group: Group, key: str, field: str, larva: int, n: int, rng: Rng) -> None:
    """What a tracker would write."""
    if field == "numero_larva_num":
        group[key] = np.array([[float(larva + 1)]])
    elif field in TEXTS:
        _text(group, key, USUAL.get(field, str(larva + 1)))
    elif field in POINTS:
        points = np.round(rng.normal(20, 1, (POINTS[field], n)), 2)
        if field.endswith("contour"):
            points[-1], points[-2, ::2] = points[0], np.nan
        group[key] = points
    elif field in SHAPES:
        group[key] = rng.normal(20, 1, n)[np.newaxis]
    elif field == "t":
        group[key] = np.arange(n)[np.newaxis] * 0.1
    elif field in ("small_motion", *SERIES[4:]):
        group[key] = rng.choice([-1.0, 1.0], n)[np.newaxis]
    else:
        group[key] = rng.integers(1, 7, n)[np.newaxis].astype(float)


# -- what no tracker writes ------------------------------------------------------------------------


def _shape(group: Group, key: str, rng: Rng) -> None:
    shape = pick(rng, ((), (0,), (0, 5), (5, 0), (3, 2), (1, 1, 1, 4), (2, 2, 2), (1,) * 32, (4,)))
    dtype = pick(rng, ("f8", "f4", "f2", ">f8", "i1", "u2", "u8", ">i4", "longdouble", "?", "c16"))
    group.create_dataset(key, shape, np.dtype(dtype))


def _values(group: Group, key: str, rng: Rng) -> None:
    options = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 1.0, 0.5, 7.0, 8.5, 99.0)
    group[key] = np.array([[pick(rng, options) for _ in range(int(rng.integers(1, 6)))]])


def _huge(group: Group, key: str, rng: Rng) -> None:
    """Anything may be declared where nothing is stored."""
    size = int(pick(rng, (10**6, 10**8 + 1, 10**9, 10**12, 2**40, 2**60)))
    shape = pick(rng, ((1, size), (size, 1), (size,), (size // 1000, 1000)))
    dtype = pick(rng, ("f8", "u2", "i1", "O"))
    if dtype == "O":
        dtype = pick(rng, (h5py.ref_dtype, h5py.string_dtype()))
    how = {"chunks": tuple(min(side, 64) for side in shape)} if rng.random() < 0.8 else {}
    if how and rng.random() < 0.3:
        how |= {"maxshape": (None,) * len(shape), "compression": "gzip"}
    group.create_dataset(key, shape, dtype, **how)


def _strings(group: Group, key: str, rng: Rng) -> None:
    how = int(rng.integers(6))
    text = name(rng)
    if how == 0:
        group.create_dataset(key, data=text.replace("\0", ""), dtype=h5py.string_dtype())
    elif how == 1:
        group[key] = np.array([b"\xff\xfe", b"abc"])
    elif how == 2:
        group.create_dataset(key, data=b"\xff\xed\xa0\x80", dtype=h5py.string_dtype("ascii"))
    elif how == 3:
        _text(group, key, pick(rng, ("\ud800", "\udc00\ud800", text, "\0\0", "a" * 5000)))
    elif how == 4:
        group.create_dataset(key, (1,), h5py.string_dtype())
    else:
        group.create_dataset(key, data=np.array([["1.5", "x"]], dtype=h5py.string_dtype()))


def _types(group: Group, key: str, rng: Rng) -> None:
    how = int(rng.integers(8))
    if how == 0:
        group[key] = np.zeros((1, 3), [("a", "f8"), ("b", "S3")])
    elif how == 1:
        group.create_dataset(key, (1, 3), h5py.enum_dtype({"RUN": 1, "CAST": 2}, "i1"))
    elif how == 2:
        group.create_dataset(key, (1, 3), h5py.opaque_dtype(np.dtype("datetime64[ns]")))
    elif how == 3:
        made = group.create_dataset(key, (1, 2), h5py.vlen_dtype(np.dtype("f8")))
        made[0, 0] = [1.0, 2.0]
    elif how == 4:
        group.create_dataset(key, (1, 3), np.dtype("(2,2)f8"))
    elif how == 5:
        group[key] = np.dtype("f8")
    elif how == 6:
        group[key] = h5py.Empty(pick(rng, ("f8", "u2", "S1")))
    else:
        made = group.create_dataset(key, (1, 2), h5py.regionref_dtype)
        made[0, 0] = group.file["#refs#"]["seed"].regionref[0:1]


def _links(group: Group, key: str, rng: Rng) -> None:
    how = int(rng.integers(6))
    if how == 0:
        group[key] = h5py.ExternalLink(pick(rng, OUTSIDE), pick(rng, ("/trx/t", "/", "x")))
    elif how == 1:
        group[key] = h5py.SoftLink(pick(rng, ("/trx", f"/trx/{key}", "/missing", "..", "/", ".")))
    elif how == 2:
        group[key] = h5py.SoftLink(f"/#refs#/loop_{key}")
        group.file["#refs#"][f"loop_{key}"] = h5py.SoftLink(f"{group.name}/{key}")
    elif how == 3:
        group[key] = group.file["#refs#"]["seed"]
    elif how == 4:
        group[key] = group
    else:
        group.create_group(key)


def _elsewhere(group: Group, key: str, rng: Rng) -> None:
    """Values that lie in another file, or in another dataset."""
    if rng.random() < 0.5:
        group.create_dataset(key, (1, 8), "f8", external=[(pick(rng, OUTSIDE), 0, 64)])
        return
    layout = h5py.VirtualLayout((1, 4), "f8")
    where = pick(rng, (".", *OUTSIDE))
    layout[0] = h5py.VirtualSource(where, pick(rng, (f"{group.name}/{key}", "/x")), (4,))
    group.create_virtual_dataset(key, layout)


def _marked(group: Group, key: str, rng: Rng) -> None:
    made = group.create_dataset(key, data=np.array([[0.0, 1.0]]))
    marks = (1, 0, "yes", [0, 1], np.nan, h5py.Empty("f8"), group.ref, np.array([b"", b"x"]))
    made.attrs["MATLAB_empty"] = pick(rng, marks)


ODD: tuple[Callable[[Group, str, Rng], None], ...] = (
    _shape, _values, _huge, _strings, _types, _links, _elsewhere, _marked,
)  # fmt: skip


def _references(file: Group, cells: list[str], rng: Rng, odd: float) -> Any:
    """References to cells, some of them to nowhere."""
    refs = np.empty((1, len(cells)), dtype=object)
    for i, cell in enumerate(cells):
        refs[0, i] = file["#refs#"][cell].ref
    targets = (h5py.Reference(), file.ref, file["#refs#"].ref, file["#refs#"]["seed"].ref)
    for i in range(len(cells)):
        if rng.random() < odd:
            refs[0, i] = pick(rng, targets)
    if rng.random() < odd:
        refs = pick(rng, (refs[:, :-1], refs.T, refs[0], np.tile(refs, (2, 1)), refs[:, :0]))
    return refs


def _field(file: Group, trx: Group, field: str, lengths: list[int], rng: Rng, odd: float) -> None:
    if rng.random() < odd / 2:
        pick(rng, ODD)(trx, field, rng)
        return
    if len(lengths) == 1 and rng.random() < 0.5:
        _plain(trx, field, field, 0, lengths[0], rng)
        return
    names = []
    for larva, n in enumerate(lengths):
        cell = f"{field}_{larva}"
        if rng.random() < odd:
            pick(rng, ODD)(file["#refs#"], cell, rng)
        else:
            _plain(file["#refs#"], cell, field, larva, n, rng)
        # what is a link has no address of its own to refer to
        hard = isinstance(file["#refs#"].get(cell, getlink=True), h5py.HardLink)
        names.append(cell if hard else "seed")
    refs = _references(file, names, rng, odd / 4)
    trx.create_dataset(field, data=refs, dtype=h5py.ref_dtype)


def trx(rng: Rng, shapes: bool = False) -> bytes:
    """A trx.mat, some of whose fields are none that a tracker writes."""
    while True:
        try:
            return _trx(rng, shapes)
        except (OSError, RuntimeError, TypeError, ValueError):
            continue  # not everything that can be asked for can be written


def _trx(rng: Rng, shapes: bool) -> bytes:
    odd = float(pick(rng, (0.0, 0.05, 0.05, 0.3)))
    lengths = [int(rng.integers(1, 6)) for _ in range(int(rng.integers(1, 4)))]
    latest = "latest" if rng.random() < 0.2 else "earliest"
    file = h5py.File("fuzz", "w", driver="core", backing_store=False, libver=latest)
    with file:
        file.create_group("#refs#")["seed"] = np.array([[0.0, 0.1]])
        if rng.random() < odd / 4:
            pick(rng, ODD)(file, "trx", rng)
            return _image(file, rng)
        group = file.create_group("trx")
        labels = [field for field in SERIES[1:] if rng.random() < 0.3] or ["global_state"]
        if shapes:
            labels += [field for field in SHAPES if rng.random() < 0.8]
        for field in ("t", *labels, *TEXTS):
            if rng.random() >= odd / 4:
                _field(file, group, field, lengths, rng, odd)
        return _image(file, rng)


def _image(file: Group, rng: Rng) -> bytes:
    file.flush()
    image = bytes(file.id.get_file_image())
    return image if rng.random() < 0.3 else MATLAB + image


# -- tracks of a store -----------------------------------------------------------------------------

_NAMES = ("larvae", "larva", "t", "states", "state", "midline", "centroid", "contour",
          "contour/vertices", "contour/start", "features", "features/velocity")  # fmt: skip


def edited(good: bytes, rng: Rng) -> bytes:
    """A file of tracks, some of whose datasets and attributes are none that a store holds."""
    if rng.random() < 0.3:
        return havoc(good, rng, shifts=False)
    image = io.BytesIO(good)
    with h5py.File(image, "r+") as file:
        file.create_group("#refs#")["seed"] = np.array([[0.0, 0.1]])
        for _ in range(int(rng.integers(0, 3))):
            # not everything that can be asked for can be written
            with suppress(Exception):
                _edit(file, rng)
    return image.getvalue()


def _edit(file: Group, rng: Rng) -> None:
    if rng.random() < 0.2:
        owner = pick(rng, (file, *(file[n] for n in ("t", "features/velocity") if n in file)))
        key = pick(rng, ("format", "version", "length_unit", "assay", "line", "date", "unit"))
        values = (1, 2, "px", "", name(rng).replace("\0", ""), h5py.Empty("f8"), [1, 1], b"\xff",
                  file.ref, np.nan)  # fmt: skip
        owner.attrs[key] = pick(rng, values)
        return
    key = pick(rng, [n for n in _NAMES if n in file])
    attributes = dict(file[key].attrs)
    values = file[key][()] if _is_plain(file[key]) else None
    del file[key]
    how = rng.random()
    if how < 0.1:
        return
    group, _, own = key.rpartition("/")
    if values is None or how < 0.6:
        pick(rng, ODD)(file[group or "/"], own, rng)
    else:
        _changed(file, key, values, rng)
    file[key].attrs.update(attributes)


def _is_plain(member: Any) -> bool:
    """Whether a member is still as good as it was; an edit may have made it of any size and kind.

    Reading a virtual dataset that is made of itself ends the process.
    """
    if not isinstance(member, h5py.Dataset) or member.is_virtual or member.external:
        return False
    return member.ndim > 0 and 0 < member.size < 1000 and member.dtype.kind in "iufS"


def _changed(file: Group, key: str, values: Any, rng: Rng) -> None:
    """The same dataset with fewer, more or other values."""
    how = int(rng.integers(4))
    if how == 0:
        values = values[: int(rng.integers(len(values) + 1))]
    elif how == 1:
        values = np.concatenate([values, values])
    elif values.dtype.kind == "S":
        texts = [name(rng).encode("utf-8", "replace") for _ in values]
        values = np.array(texts, h5py.string_dtype("utf-8", max(map(len, texts)) or 1))
    elif how == 2:
        number = pick(rng, (-1, 0, 1, 99, 32767, -32768, 2**31 - 1))
        values[pick(rng, range(len(values)))] = min(number, np.iinfo(np.int16).max)
    else:
        values = values.astype(pick(rng, ("f8", "f4", "i8", "i2", "u4", ">i4")))
    file.create_dataset(key, data=values, dtype=values.dtype)
