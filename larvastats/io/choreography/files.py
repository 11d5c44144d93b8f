"""Files of Choreography's recordings: their names, and which belong together."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from larvastats.errors import DataError
from larvastats.io.files import AnyPath, read_head, reading

HEAD_BYTES = 1 << 14

NAME = re.compile(
    r"(?P<prefix>.+?)(?:\.(?P<larva>[0-9]{1,9}))?\.(?P<kind>spine|outline|dat)(?:\.gz)?",
    re.IGNORECASE,
)
ONE_FILE = re.compile(rb"\s*([0-9]{8}_[0-9]{6})[ \t]+[0-9]+[ \t]+\S")


@dataclass(frozen=True, slots=True)
class Recording:
    """Files of one recording: those of a folder whose names begin alike.

    Attributes
    ----------
    prefix : str
        What the names have in common.
    spine, outline, dat : tuple of Path
        Sorted.
    """

    prefix: str
    spine: tuple[Path, ...] = ()
    outline: tuple[Path, ...] = ()
    dat: tuple[Path, ...] = ()


def recordings(folder: AnyPath) -> tuple[Recording, ...]:
    """List the recordings in a folder, by prefix.

    A ``.dat`` belongs to the recording whose prefix its name begins with.

    Raises
    ------
    UsageError
        There is no such folder.
    DataError
        It cannot be listed.
    """
    with reading(folder):
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    groups: dict[str, dict[str, list[Path]]] = {}
    dats: list[tuple[str, Path]] = []
    for name in names:
        match = None if name.startswith(".") else NAME.fullmatch(name)
        if match is None:
            continue
        kind, path = match["kind"].casefold(), Path(folder, name)
        if kind == "dat":
            dats.append((match["prefix"], path))
        else:
            groups.setdefault(match["prefix"], {}).setdefault(kind, []).append(path)
    for prefix, path in dats:
        owners = [p for p in groups if prefix == p or prefix.startswith(f"{p}.")]
        if owners:
            groups[max(owners, key=len)].setdefault("dat", []).append(path)
    return tuple(
        Recording(prefix, *(tuple(kinds.get(k, ())) for k in ("spine", "outline", "dat")))
        for prefix, kinds in groups.items()
    )


def stamp_of(path: Path) -> str:
    """Return the date and time in a file's first row; empty where rows begin with the time.

    Raises
    ------
    DataError
        The file is empty.
    """
    head = read_head(path, HEAD_BYTES)
    if not head.strip():
        raise DataError(f"{path}: expected rows of points, but the file is empty.")
    match = ONE_FILE.match(head)
    return match[1].decode() if match else ""


def larva_of(path: Path) -> int:
    """Return the number of the larva that a file's name gives.

    Raises
    ------
    DataError
        It gives none.
    """
    match = NAME.fullmatch(path.name)
    if match is None or match["larva"] is None:
        raise DataError(
            f"{path}: expected rows 'date_time id t x y ...', or a name <prefix>.<number>.spine "
            "that says which larva this is; restore the name that Choreography gave."
        )
    return int(match["larva"])
