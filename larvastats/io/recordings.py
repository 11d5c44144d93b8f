"""Which files make one recording: mostly one, sometimes one per larva, sometimes labels beside it.

Three kinds of files belong together, all of one folder:

- Choreography's ``<prefix>.spine`` and ``<prefix>.outline``, or one of each per larva;
- the Schleyer group's ``<dish>_<larva>.csv``;
- label files of LarvaTagger, which belong to the recordings beside them. A folder with nothing but
  label files holds recordings of labels.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from larvastats.io import larvatagger, schleyer
from larvastats.io.choreography import files as choreography_files
from larvastats.io.files import reading, sha256
from larvastats.io.paths import identify

ANY = "*"
"""Stands for the larvae's numbers in the name of a recording of one file per larva."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Files that are read together.

    Attributes
    ----------
    path : Path
        What the recording is called: its file; where there is one file per larva, their common
        name with ``*`` for the larva.
    files : tuple of Path
        Files of the tracker, sorted; the first one opens the recording.
    labels : tuple of Path
        Label files that lie beside them, the most useful first.
    """

    path: Path
    files: tuple[Path, ...]
    labels: tuple[Path, ...] = ()

    @property
    def first(self) -> Path:
        """The file that opens the recording."""
        return self.files[0]

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Everything that what is read may depend on."""
        return self.files + self.labels

    def size_and_time(self) -> tuple[int, int]:
        """Bytes of all files together, and when the last of them changed, in ns since 1970."""
        stats = [_stat(file) for file in self.all_files]
        return sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)

    def checksum(self) -> str:
        """SHA-256 of the file, or of the names and checksums of several."""
        if len(self.all_files) == 1:
            return sha256(self.first)
        digest = hashlib.sha256()
        for file in self.all_files:
            digest.update(f"{file.name}\0{sha256(file)}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


TakesLabels = Callable[[Path], bool]


def single(path: Path, takes_labels: TakesLabels) -> Recording:
    """Return the recording that a file opens, with what lies beside it."""
    folder = path.parent
    with reading(folder):
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    beside = [folder / name for name in names]
    found = gather([file for file in beside if os.path.isfile(file)], takes_labels)
    return next((r for r in found if path in r.files), Recording(path, (path,)))


def gather(files: Sequence[Path], takes_labels: TakesLabels) -> list[Recording]:
    """Put files together to recordings, in the order of their paths.

    Parameters
    ----------
    files : sequence of Path
    takes_labels : callable
        Whether a label file beside this file can be about it.
    """
    in_order = sorted(files, key=lambda file: (file.parent, file))
    found: list[Recording] = []
    for _, own in groupby(in_order, key=lambda file: file.parent):
        found += _of_folder(list(own), takes_labels)
    return sorted(found, key=lambda recording: recording.path)


def _of_folder(files: Sequence[Path], takes_labels: TakesLabels) -> list[Recording]:
    labels = [file for file in files if file.name.casefold().endswith(larvatagger.ENDINGS)]
    labels = larvatagger.most_useful_first(file for file in labels if larvatagger.sniff(file))
    is_label = set(labels)
    recordings = _grouped([file for file in files if file not in is_label])
    shaped = {r.path for r in recordings if labels and takes_labels(r.first)}
    if not shaped:
        # in a database the folder is one assay: its best labels stand for it
        of_one = labels[:1] if labels and identify(labels[0]) else labels
        return recordings + [Recording(label, (label,)) for label in of_one]
    return [
        Recording(r.path, r.files, tuple(labels)) if r.path in shaped else r for r in recordings
    ]


def _grouped(files: Sequence[Path]) -> list[Recording]:
    """Group files by the names that Choreography and the Schleyer group give them."""
    prefixes: dict[str, list[Path]] = {}
    dishes: dict[str, list[Path]] = {}
    alone = []
    for file in files:
        points = choreography_files.NAME.fullmatch(file.name)
        larva = schleyer.NAME.fullmatch(file.name)
        if points and points["kind"].casefold() != "dat":
            prefixes.setdefault(points["prefix"], []).append(file)
        elif larva and schleyer.sniff(file):  # many a table has such a name
            dishes.setdefault(larva["dish"], []).append(file)
        else:
            alone.append(Recording(file, (file,)))
    alone += [_of_prefix(prefix, own) for prefix, own in prefixes.items()]
    return alone + [_of_dish(dish, own) for dish, own in dishes.items()]


def _of_prefix(prefix: str, files: Sequence[Path]) -> Recording:
    """Spines and outlines of one recording; the spines name it."""
    outlines = [file for file in files if ".outline" in file.name.casefold()[len(prefix) :]]
    ordered = (*(file for file in files if file not in outlines), *outlines)
    first = ordered[0]
    if len(files) - len(outlines) < 2 and len(outlines) < 2:
        return Recording(first, ordered)
    kind = "outline" if first in outlines else "spine"
    return Recording(first.with_name(f"{prefix}.{ANY}.{kind}"), ordered)


def _of_dish(dish: str, files: Sequence[Path]) -> Recording:
    if len(files) == 1:
        return Recording(files[0], tuple(files))
    return Recording(files[0].with_name(f"{dish}_{ANY}.csv"), tuple(files))


def still_there(source: str) -> bool:
    """Whether a recording of this name, or a file of it, is on disk."""
    path = Path(source)
    before, star, after = path.name.partition(ANY)
    if not star or os.path.exists(path):
        return os.path.exists(path)
    try:
        with os.scandir(path.parent) as entries:
            return any(e.name.startswith(before) and after in e.name for e in entries)
    except OSError:
        return False


def _stat(path: Path) -> os.stat_result:
    with reading(path):
        return path.stat()
