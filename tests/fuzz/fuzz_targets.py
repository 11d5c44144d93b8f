"""What is fuzzed: one target per format, with its good inputs, its generator and its reader."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_hdf5
import fuzz_json
import fuzz_parquet
import fuzz_text
import numpy as np
import pandas as pd
from fuzz_bytes import havoc, inflated, packed, pick

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import choreography, fimtrack, larvatagger, schleyer, tidy, trx
from larvastats.io.exclusion import read_exclusion
from larvastats.io.paths import database_path, identify
from larvastats.io.source import load
from larvastats.io.store import store_checksum, store_rows
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
    """

    file: str
    make: Callable[[Rng], bytes]
    read: Callable[[Any], Any]
    tokens: tuple[bytes, ...] = ()
    text: bool = False
    names_file: bool = True

    def mutate(self, data: bytes, rng: Rng) -> bytes:
        """Return another input: a new one, or `data` with some damage."""
        how = rng.random()
        if how < FRESH:
            data = self.make(rng)
        if how > FRESH * 0.6:
            data = havoc(data, rng, self.tokens)
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


# -- a store ---------------------------------------------------------------------------------------


class _Store:
    """A good store beside the damaged one, made when it is first needed."""

    def __init__(self) -> None:
        self.good: dict[bytes, bytes] = {}
        self.rows: list[dict[str, Any]] = []
        self.bouts = ""

    def prepare(self, folder: Path) -> None:
        """Ingest two assays into a store below `folder`."""
        if self.good:
            return
        (folder / "recordings").mkdir(parents=True, exist_ok=True)
        for assay in ("p", "q"):
            table = pd.DataFrame(
                {"assay": assay, "line": "A", "larva": ["1", "1", "2"], "temperature": 20.5,
                 "state": ["run", "cast", "run"], "t_start": [0.0, 2, 0], "t_stop": [2.0, 3, 4]}
            )  # fmt: skip
            table.to_csv(folder / "recordings" / f"{assay}.csv", index=False)
        shutil.rmtree(folder / "store", ignore_errors=True)
        ingest(folder / "recordings", folder / "store")
        store = folder / "store"
        self.rows = store_rows(store)
        self.bouts = self.rows[0]["bouts"]
        self.good = {
            b"I": (store / "assays.parquet").read_bytes(),
            b"M": (store / "store.json").read_bytes(),
            b"B": (store / self.bouts).read_bytes(),
            b"V": json.dumps(self.rows).encode(),
        }

    def place(self, folder: Path, data: bytes) -> Path:
        """Write a damaged store; the parts that are not damaged are good."""
        self.prepare(folder)
        store, part = folder / "store", data[:1]
        names = {**fuzz_parquet.PARTS, b"B": self.bouts}
        for key, name in names.items():
            path = store / name
            if key == part:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data[1:])
            elif key != b"V":
                path.write_bytes(self.good[key])
        if part != b"V":
            shutil.rmtree(store / ".pending-x", ignore_errors=True)
        return store

    def make(self, rng: Rng) -> bytes:
        """Damage a part of the store."""
        return fuzz_parquet.store_part(rng, self.good, self.rows)


STORE = _Store()


def _store(path: Path) -> Ethogram:
    found = load(path)
    store_checksum(path)
    return found


# -- the table of targets --------------------------------------------------------------------------

_TABLE = (*(word.encode() for word in fuzz_text.CELLS), b"state", b"t_start", b"sep=;", b"t,")
_JSON = (b"null", b"[[", b"]]", b"{}", b'"id":', b'{"runs":', b"\\ud800", b"1e999", b"NaN", b"true")
_BLOCKS = (b"TREE", b"SNOD", b"HEAP", b"OHDR", b"GCOL", b"FRHP", b"BTHD")
_LIST = (b"[!", b"[]", b"[a-", b"**", b"?", b"(?", b" #")
_WORDS = (b"#", b"_", b"s", b"x", b"@100", b"99999x", b"0s", b":", b"sliding:", b"during_", b"-")
_FOLDERS = (b"/", b"@", b"#", b"t5", b"20150701_105504", b"../", b"//")

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
    "store": Target("", STORE.make, _store, (b"PAR1", b"ok", b"bouts/", b'"version": 2')),
    "any source": Target(
        "x", lambda r: TARGETS[pick(r, _RECORDINGS)].make(r), _anything, _TABLE, True
    ),
}  # fmt: skip
_RECORDINGS = ("tidy bouts csv", "tidy frames csv", "tidy parquet", "trx.mat", "FIMTrack csv")


def place(target: Target, folder: Path, data: bytes) -> Any:
    """Put an input where the reader finds it; return what the reader takes."""
    if target is TARGETS["store"]:
        return STORE.place(folder, data)
    if not target.file:
        return data
    path = folder / target.file
    path.write_bytes(data)
    return path


def seeds(target: Target, n: int, rng: Rng) -> list[bytes]:
    """Good and nearly good inputs to begin with."""
    return [target.make(rng) for _ in range(n)]
