"""What is fuzzed: one target per format, with its good inputs, its generator and its reader."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_folders
import fuzz_hdf5
import fuzz_json
import fuzz_parquet
import fuzz_text
import numpy as np
from fuzz_bytes import havoc, inflated, packed, pick

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import choreography, fimtrack, larvatagger, schleyer, tidy, trx
from larvastats.io.contours import Contours
from larvastats.io.exclusion import read_exclusion
from larvastats.io.labels import _opened_once
from larvastats.io.paths import database_path, identify, make_identity
from larvastats.io.source import load
from larvastats.io.store import store_checksum, store_tracks
from larvastats.io.store.track_files import pack, unpack
from larvastats.io.text.compiled_rows import parse
from larvastats.io.text.point_rows import _careful, _fast, check_finished
from larvastats.io.tracks import Tracks
from larvastats.protocol import contrast, default_window, match_protocol, parse_protocol, windows
from larvastats.verbs.ingest import ingest

Rng = np.random.Generator

FRESH = 0.5
"""Share of inputs made anew by a format's grammar; the others are damaged good ones."""


@dataclass(frozen=True)
class Target:
    """A format.

    Attributes
    ----------
    file : str
        Name of the file that an input is written to; empty where no file is read.
    make : callable
        A new input, by the grammar of the format.
    read : callable
        Takes the path, or the input itself where no file is read.
    tokens : tuple of bytes
        What is put into inputs.
    text : bool
        Whether the format may be gzipped.
    names_file : bool
        Whether every error names the file.
    place : callable, optional
        Takes a folder and an input of several files, writes them and returns what the reader takes;
        `file` is empty then.
    """

    file: str
    make: Callable[[Rng], bytes]
    read: Callable[[Any], Any]
    tokens: tuple[bytes, ...] = ()
    text: bool = False
    names_file: bool = True
    place: Callable[[Path, bytes], Path] | None = None

    def mutate(self, data: bytes, rng: Rng) -> bytes:
        """Return another input: a new one, or `data` with some damage."""
        how = rng.random()
        if how < FRESH:
            data = self.make(rng)
        if how > FRESH * 0.6:
            # formats of addresses rarely outlive a byte more or less
            shifts = self.tokens is not _BLOCKS or rng.random() < 0.1
            data = havoc(data, rng, self.tokens, edits=6 if shifts else 3, shifts=shifts)
        if self.text and rng.random() < 0.06:
            data = inflated(data, rng) if rng.random() < 0.02 else packed(data, rng)
        return data


# -- readers ---------------------------------------------------------------------------------------


def _tidy(path: Path) -> Ethogram:
    tidy.sniff(path)
    found = tidy.read(path)
    found.to_bouts()
    return found


def _trx(path: Path) -> Ethogram:
    trx.sniff(path)
    labels = ("large", "all", "strong")[path.stat().st_size % 3]
    return trx.read(path, labels)


def _fimtrack(path: Path) -> Ethogram:
    fimtrack.sniff(path)
    return fimtrack.read(path, fps=10)


def _schleyer(path: Path) -> Tracks:
    schleyer.sniff(path)
    return schleyer.read(path)


def _choreography(path: Path) -> Tracks:
    choreography.sniff(path)
    return choreography.read(path)


def _dat(path: Path) -> Tracks:
    columns = ["time", "speed", "loc_x", "loc_y", "mine"]
    return choreography.read_dat(path, columns)


def _labels(path: Path) -> Ethogram:
    larvatagger.sniff(path)
    return larvatagger.read(path)


def _exclusion(path: Path) -> int:
    found = read_exclusion(path)
    names = ("t5/A@B/p/20150701_105504", "a" * 40, "x", "..", "")
    n = sum(found.covers(assay, "20150701_105504") for assay in names)
    found.notes()
    return n


def _protocol(data: bytes) -> Any:
    text, _, spec = data.decode("utf-8", "replace").rpartition("\n")
    protocol = parse_protocol(text)
    parse_protocol(text, gap="pause").describe()
    protocol.describe(), protocol.notes, default_window(protocol).describe()
    match_protocol(text, [text])
    if "-" in spec:
        return contrast(protocol, spec)
    return windows(protocol, spec, extent=(0.0, 90.0))


def _path(data: bytes) -> Any:
    text = data.decode("utf-8", "surrogateescape")
    found = identify(text, root="/db")
    if found is None:
        return None
    try:
        back = Path("/db") / database_path(found, "trx.mat")
    except UsageError:
        return None
    again = identify(back, "/db")
    if again != found:
        raise AssertionError(f"{found} is written as {back}, which reads {again}")
    return found


def _anything(path: Path) -> Ethogram:
    return load(path, fps=10)


# -- several files ---------------------------------------------------------------------------------


def _fimtrack_tracks(path: Path) -> Tracks:
    scale = None if path.stat().st_size % 2 else 12.5
    return _used(fimtrack.read_tracks(path, fps=10, px_per_mm=scale))


def _trx_tracks(path: Path) -> list[Tracks]:
    labels = ("large", "all", "strong", None)[path.stat().st_size % 4]
    return [_used(tracks) for tracks in trx.read_tracks(path, labels)]


def _tracks_file(path: Path) -> Tracks:
    return _used(unpack(path))


def _used(tracks: Tracks) -> Tracks:
    """Do with tracks what an ingest does."""
    tracks.bad_frames()
    pack(tracks)
    return tracks


def _together(folder: Path) -> Tracks:
    spine, outline = (folder / name for name in fuzz_folders.TOGETHER)
    return _used(choreography.read(spine if spine.exists() else outline))


def _from_file(folder: Path) -> Ethogram:
    recording, *labels = (folder / name for name in fuzz_folders.BESIDE)
    there = [path for path in labels if path.exists()]
    _opened_once.cache_clear()  # the clock of the file system is coarser than an input
    return load(recording, labels=str(there[0]) if there else "large")


def _beside(folder: Path) -> Ethogram:
    _opened_once.cache_clear()
    return load(folder / fuzz_folders.BESIDE[0])


def _ingested(folder: Path) -> Any:
    """Ingest a folder; a recording that fails must do so by a sentence of its reader."""
    store = folder.with_name("made")
    shutil.rmtree(store, ignore_errors=True)
    _opened_once.cache_clear()
    report = ingest(folder, store, keep="contour", fps=10)
    wrong = [reason for _, reason in report.failures if "did not foresee" in reason]
    assert not wrong, wrong[0]
    again = ingest(folder, store, keep="contour", fps=10)
    assert again.n_ok == report.n_ok and again.failures == report.failures
    tracks = list(store_tracks(store, shapes=("midline", "contour", "features")))
    return [load(store), *tracks]


def _rows(block: bytes) -> Any:
    """Parse rows of points in three ways, which must agree."""
    stamp = fuzz_text.STAMP.encode() if block.startswith(fuzz_text.STAMP.encode()) else None
    check_finished(block, "rows", 1)
    fast = [_fast(block, stamp, parser) for parser in (None, parse)]
    slow = _careful(block, "rows", stamp, 1)
    for one in fast:
        for name in () if one is None else ("row", "larva", "count", "values"):
            left, right = getattr(one, name), getattr(slow, name)
            assert (left is None) == (right is None), name
            np.testing.assert_array_equal(left, right, err_msg=name)
    return slow


STORE = fuzz_folders.Store(keep="bouts")
SHAPED = fuzz_folders.Store(keep="midline")


def _store(path: Path) -> Ethogram:
    found = load(path)
    store_checksum(path)
    return found


def _shaped_store(path: Path) -> Any:
    found = list(store_tracks(path, shapes=("midline", "contour", "features")))
    return [_store(path), *found]


def _good_tracks(rng: Rng) -> bytes:
    """A file of tracks as a store keeps it, then damaged."""
    n, counts = 8, rng.integers(0, 5, 8)
    midline = rng.normal(20, 1, (n, 3, 2))
    made = Tracks.build(
        make_identity("t5", "A", "B", "p_8_45s1x30s0s#n#n#n", fuzz_text.STAMP),
        ["1", "2"], np.arange(n) // 4, np.arange(n) * 0.1, midline=midline,
        contour=Contours.from_counts(rng.normal(20, 1, (counts.sum(), 2)), counts),
        centroid=midline[:, 1], features={"velocity": rng.normal(size=n)},
        units={"velocity": "mm/s"}, states=("run", "cast"), state=np.arange(n) % 3 - 1,
    )  # fmt: skip
    return fuzz_hdf5.edited(pack(made), rng)


# -- the table of targets --------------------------------------------------------------------------

_TABLE = (*(word.encode() for word in fuzz_text.CELLS), b"state", b"t_start", b"sep=;", b"t,")
_JSON = (b"null", b"[[", b"]]", b"{}", b'"id":', b'{"runs":', b"\\ud800", b"1e999", b"NaN", b"true")
_BLOCKS = (b"TREE", b"SNOD", b"HEAP", b"OHDR", b"GCOL", b"FRHP", b"BTHD")
_LIST = (b"[!", b"[]", b"[a-", b"**", b"?", b"(?", b" #")
_WORDS = (b"#", b"_", b"s", b"x", b"@100", b"99999x", b"0s", b":", b"sliding:", b"during_", b"-")
_FOLDERS = (b"/", b"@", b"#", b"t5", b"20150701_105504", b"../", b"//")


def _placed(names: Sequence[str]) -> Callable[[Path, bytes], Path]:
    return lambda folder, data: fuzz_folders.spread(folder / "files", data, names)


TARGETS: dict[str, Target] = {
    "tidy bouts csv": Target("x.csv", lambda r: fuzz_text.table(r, False), _tidy, _TABLE, True),
    "tidy frames csv": Target("x.csv", lambda r: fuzz_text.table(r, True), _tidy, _TABLE, True),
    "tidy parquet": Target("x.parquet", fuzz_parquet.table, _tidy, (b"PAR1",)),
    "trx.mat": Target("trx.mat", fuzz_hdf5.trx, _trx, _BLOCKS),
    "FIMTrack csv": Target("x.csv", fuzz_text.fimtrack, _fimtrack, (*_TABLE, b"larva("), True),
    "Schleyer csv": Target("dish_7.csv", fuzz_text.schleyer, _schleyer, _TABLE, True),
    "Choreography spine": Target(
        "x.spine", lambda r: fuzz_text.points(r, n_points=11, lead=True), _choreography, _TABLE,
        True,
    ),
    "Choreography outline": Target(
        "x.outline", lambda r: fuzz_text.points(r, n_points=None, lead=True), _choreography, _TABLE,
        True,
    ),
    "Choreography spine per larva": Target(
        "x.00007.spine", lambda r: fuzz_text.points(r, n_points=11, lead=False), _choreography,
        _TABLE, True,
    ),
    "Choreography outline per larva": Target(
        "x.00007.outline", lambda r: fuzz_text.points(r, n_points=None, lead=False), _choreography,
        _TABLE, True,
    ),
    "Choreography dat": Target(
        "x.00007.dat", lambda r: fuzz_text.points(r, n_points=2, lead=False), _dat, _TABLE, True
    ),
    "LarvaTagger labels": Target("predicted.label", fuzz_json.labels, _labels, _JSON, True),
    "exclusion list": Target("list.txt", fuzz_text.exclusion, _exclusion, _LIST, True),
    "protocol and windows": Target(
        "", fuzz_text.protocol, _protocol, _WORDS, names_file=False
    ),
    "database path": Target("", fuzz_text.path, _path, _FOLDERS, names_file=False),
    "store": Target(
        "", STORE.make, _store, (b"PAR1", b"ok", b"bouts/", b'"version": 3'), place=STORE.place
    ),
    "trx.mat shapes": Target(
        "trx.mat", lambda r: fuzz_hdf5.trx(r, shapes=True), _trx_tracks, _BLOCKS
    ),
    "FIMTrack tracks": Target(
        "x.csv", fuzz_text.fimtrack, _fimtrack_tracks, (*_TABLE, b"larva("), True
    ),
    "tracks of a store": Target("x.h5", _good_tracks, _tracks_file, _BLOCKS),
    "store with shapes": Target(
        "", SHAPED.make, _shaped_store, (b"PAR1", b"ok", b"tracks/", *_BLOCKS), place=SHAPED.place
    ),
    "spine and outline": Target(
        "", fuzz_folders.together, _together, _TABLE, place=_placed(fuzz_folders.TOGETHER)
    ),
    "labels from a file": Target(
        "", lambda r: fuzz_folders.labelled(r, beside=False), _from_file, (*_TABLE, *_JSON),
        place=_placed(fuzz_folders.BESIDE),
    ),
    "labels beside": Target(
        "", lambda r: fuzz_folders.labelled(r, beside=True), _beside, _JSON,
        place=_placed(fuzz_folders.BESIDE),
    ),
    "folder to store": Target(
        "", fuzz_folders.mixed, _ingested, (*_TABLE, *_JSON, *_BLOCKS),
        place=_placed(fuzz_folders.MIXED), names_file=False,
    ),
    "rows in three ways": Target(
        "", lambda r: fuzz_text.points(r, n_points=pick(r, (11, None)), lead=r.random() < 0.6),
        _rows, _TABLE, names_file=False,
    ),
    "any source": Target(
        "x", lambda r: TARGETS[pick(r, _RECORDINGS)].make(r), _anything, _TABLE, True
    ),
}  # fmt: skip
_RECORDINGS = ("tidy bouts csv", "tidy frames csv", "tidy parquet", "trx.mat", "FIMTrack csv")


def place(target: Target, folder: Path, data: bytes) -> Any:
    """Put an input where the reader finds it; return what the reader takes."""
    if target.place is not None:
        return target.place(folder, data)
    if not target.file:
        return data
    path = folder / target.file
    path.write_bytes(data)
    return path


def seeds(target: Target, n: int, rng: Rng) -> list[bytes]:
    """Good and nearly good inputs to begin with."""
    return [target.make(rng) for _ in range(n)]
