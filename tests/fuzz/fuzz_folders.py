"""Inputs of several files: stores, recordings with labels beside them, folders of anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fuzz_hdf5
import fuzz_json
import fuzz_parquet
import fuzz_text
import numpy as np
from fuzz_bytes import havoc, pick

from larvastats.io.store import store_rows
from larvastats.verbs.ingest import ingest

Rng = np.random.Generator

MARK = b"\0=file="
"""Stands before each file of an input of several; a byte after it chooses the file's name."""

STAMP = fuzz_text.STAMP
DATABASE = f"t5/A@B/p_8_45s1x30s0s#n#n#n/{STAMP}"


def joined(files: Sequence[tuple[int, bytes]]) -> bytes:
    """One input of several files, each with the number of its name."""
    return b"".join(MARK + bytes([number]) + content for number, content in files)


def spread(folder: Path, data: bytes, names: Sequence[str]) -> Path:
    """Write the files of an input into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in data.split(MARK)[1:]:
        path = folder / names[(part or b"\0")[0] % len(names)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part[1:])
    return folder


# -- folders ---------------------------------------------------------------------------------------

TOGETHER = ("x.spine", "x.outline")
BESIDE = (f"{STAMP}.spine", "predicted.label", "labels.csv", "labels.parquet")
MIXED = (
    "x.spine", "x.outline", "predicted.label", "trx.mat", "group_1.csv", "dish01_7.csv",
    "dish01_8.csv", "bouts.csv", "frames.csv", "bouts.parquet", f"{DATABASE}/trx.mat",
    f"{DATABASE}/{STAMP}.outline", f"{DATABASE}/predicted.label", "y.00001.spine", "y.00002.spine",
    "y.00002.outline", "notes.txt",
)  # fmt: skip


def together(rng: Rng) -> bytes:
    """A spine and an outline of one recording, more or less."""
    return joined(
        [
            (0, fuzz_text.points(rng, n_points=11, lead=True)),
            (1, fuzz_text.points(rng, n_points=None, lead=True)),
        ]
    )


def labelled(rng: Rng, *, beside: bool) -> bytes:
    """A good recording of shapes, and a label file or a table that is more or less about it."""
    rows = (f"{STAMP} 00007 {i / 10:.3f}" + " 1.000 2.000" * 11 for i in range(6))
    spine = ("\n".join(rows) + "\n").encode()
    how = 1 if beside else int(rng.integers(1, 4))
    made = {
        1: fuzz_json.labels,
        2: lambda r: fuzz_text.table(r, bool(r.random() < 0.5)).replace(b"p0", STAMP.encode()),
        3: fuzz_parquet.table,
    }
    return joined([(0, spine), (how, made[how](rng))])


def mixed(rng: Rng) -> bytes:
    """A folder of a few files of different formats, some of them damaged."""
    files = []
    for number in rng.permutation(len(MIXED))[: int(rng.integers(1, 5))].tolist():
        content = _of_name(MIXED[number], rng)
        files.append((number, havoc(content, rng) if rng.random() < 0.3 else content))
    return joined(files)


def _of_name(name: str, rng: Rng) -> bytes:
    """What a file of this name should hold."""
    if rng.random() < 0.1:
        name = pick(rng, MIXED)
    name = name.rpartition("/")[2]
    lead = not name.startswith("y")
    if name.endswith((".spine", ".outline")):
        return fuzz_text.points(rng, n_points=11 if "spine" in name else None, lead=lead)
    makers = {
        "predicted.label": fuzz_json.labels,
        "trx.mat": lambda r: fuzz_hdf5.trx(r, shapes=True),
        "group_1.csv": fuzz_text.fimtrack,
        "bouts.csv": lambda r: fuzz_text.table(r, False),
        "frames.csv": lambda r: fuzz_text.table(r, True),
        "bouts.parquet": fuzz_parquet.table,
        "notes.txt": fuzz_text.exclusion,
    }
    return makers.get(name, fuzz_text.schleyer)(rng)


# -- a store ---------------------------------------------------------------------------------------


@dataclass
class Store:
    """A good store beside the damaged one, made when it is first needed.

    Attributes
    ----------
    keep : str
        As of an ingest.
    good : mapping
        Content of every part, by the first byte of an input.
    names : dict
        File of every part within the store.
    rows : list of dict
        Rows of the index.
    """

    keep: str
    good: dict[bytes, bytes] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def prepare(self, folder: Path) -> None:
        """Ingest two assays into a store below `folder`."""
        if self.good:
            return
        (folder / "recordings").mkdir(parents=True, exist_ok=True)
        for assay in ("p", "q"):
            _write_recording(folder / "recordings", assay, self.keep)
        store = folder / "store"
        shutil.rmtree(store, ignore_errors=True)
        ingest(folder / "recordings", store, keep=self.keep, fps=10)
        self.rows = store_rows(store)
        self.names = {**fuzz_parquet.PARTS, b"B": self.rows[0]["bouts"]}
        if self.rows[0]["tracks"] is not None:
            self.names[b"T"] = self.rows[0]["tracks"]
        self.good = {k: (store / name).read_bytes() for k, name in self.names.items() if k != b"V"}
        self.good[b"V"] = json.dumps(self.rows).encode()

    def place(self, folder: Path, data: bytes) -> Path:
        """Write a damaged store; the parts that are not damaged are good."""
        self.prepare(folder)
        store, part = folder / "store", data[:1]
        for key, name in self.names.items():
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
        if b"T" in self.good and rng.random() < 0.4:
            return b"T" + fuzz_hdf5.edited(self.good[b"T"], rng)
        return fuzz_parquet.store_part(rng, self.good, self.rows)


def _write_recording(folder: Path, assay: str, keep: str) -> None:
    """A table of bouts, or a FIMTrack table where shapes are to be kept."""
    if keep == "bouts":
        rows: Mapping[str, Sequence[Any]] = {
            "larva": ["1", "1", "2"], "state": ["run", "cast", "run"], "t_start": [0.0, 2, 0],
            "t_stop": [2.0, 3, 4],
        }  # fmt: skip
        lines = [
            f"{assay},A,20.5,{a},{b},{c},{d}" for a, b, c, d in zip(*rows.values(), strict=True)
        ]
        text = "\n".join(["assay,line,temperature," + ",".join(rows), *lines])
        (folder / f"{assay}.csv").write_text(text + "\n")
        return
    features = ["mom_x", "mom_y", "is_coiled", "left_bended", "right_bended", "go_phase", "head_x",
                "head_y", "spinepoint_1_x", "spinepoint_1_y", "tail_x", "tail_y",
                "velocity"]  # fmt: skip
    lines = [f"{name}({frame}),1,0" for name in features for frame in range(4)]
    (folder / f"{assay}.csv").write_text("\n".join([",larva(0),larva(1)", *lines]) + "\n")
