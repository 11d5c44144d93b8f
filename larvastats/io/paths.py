"""What the path of a recording says about it: tracker, genotype, protocol, date and time.

Two layouts carry identity:

- folders, ``<tracker>/<line>@<effector>/<protocol>/<YYYYMMDD_HHMMSS>/<file>``;
- file names, ``<YYYYMMDD_HHMMSS>@<line>@<effector>@<tracker>@<protocol>@100.<ext>``.

One recording of one plate is one assay. A suffix ``@100`` of the protocol is not part of identity.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from larvastats.errors import DataError, UsageError
from larvastats.protocol import canonical_protocol

_UNDECODED = re.compile("[\udc80-\udcff]")  # bytes of a path, as Python holds them
_TRACKER = re.compile(r"t[0-9]+")
_STAMP = re.compile(r"[0-9]{8}_[0-9]{6}")
_GENOTYPE = re.compile(r"(?P<line>[^@]+)@(?P<effector>[^@]*)")
# The extension starts with a letter, so that the decimals of a protocol are not taken for one.
_STEM = re.compile(
    r"(?P<stamp>[0-9]{8}_[0-9]{6})@(?P<line>[^@]+)@(?P<effector>[^@]*)@(?P<tracker>t[0-9]+)"
    r"@(?P<protocol>[^@]+?)(?:@100)?(?:\.[A-Za-z][^@]*)?"
)


@dataclass(frozen=True, slots=True)
class AssayIdentity:
    """Who was recorded, where and when.

    Attributes
    ----------
    tracker : str
        Such as ``t5``; empty where the folder above the genotype is no tracker.
    line, effector : str
        The two halves of the genotype folder; the effector may be empty.
    protocol : str
        Canonical text, without ``@100``.
    date, time : str or None
        ``YYYYMMDD`` and ``HHMMSS``; None where the digits are no date or no time of day. Such an
        assay is kept: it is only undated.
    assay : str
        Unique in a database: ``<tracker>/<line>@<effector>/<protocol>/<YYYYMMDD_HHMMSS>``, the
        digits as found even where they are no date.
    """

    tracker: str
    line: str
    effector: str
    protocol: str
    date: str | None
    time: str | None
    assay: str

    @property
    def genotype(self) -> str:
        """``line@effector``, or the line alone when the effector is empty."""
        return f"{self.line}@{self.effector}" if self.effector else self.line


def make_identity(
    tracker: str, line: str, effector: str, protocol: str, stamp: str
) -> AssayIdentity:
    """Put an identity together from its parts; `stamp` is ``YYYYMMDD_HHMMSS``."""
    protocol = canonical_protocol(protocol)
    assay = "/".join([tracker, f"{line}@{effector}", protocol, stamp]).removeprefix("/")
    date, time = _date_and_time(stamp)
    return AssayIdentity(tracker, line, effector, protocol, date, time, assay)


def identify(
    path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None
) -> AssayIdentity | None:
    """Read the identity of an assay from the path of one of its files.

    Parameters
    ----------
    path : path
        A file of the assay; nothing is read from disk. Its parents decide, also those above
        `root`, so that `root` may be a database or any folder in one.
    root : path, optional
        The folder that a relative `path` starts from (by default the current one).

    Returns
    -------
    AssayIdentity or None
        None if the path follows neither layout. The folders decide before the file name.
    """
    path = Path(path)
    if not _can_exist(path):
        return None
    if root is not None and not path.is_relative_to(root):
        path = Path(root) / path
    # As written first, so that a linked database keeps the names it is known by.
    for resolve in (os.path.abspath, os.path.realpath):
        candidate = Path(printable_path(resolve(path)))
        identity = _from_folders(candidate, root) or _from_stem(candidate.name)
        if identity is not None:
            return identity
    return None


def printable_path(path: str | os.PathLike[str]) -> str:
    """Return a path as text that any file can hold; bytes that are no UTF-8 are escaped."""
    return _UNDECODED.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", os.fspath(path))


def _can_exist(path: Path) -> bool:
    """Whether any file system could have such a path."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def database_path(identity: AssayIdentity, filename: str) -> Path:
    """Return where a file of an assay belongs, relative to the root of a database.

    The inverse of `identify`: ``identify(root / database_path(x, name)) == x``.

    Raises
    ------
    UsageError
        If a part of the identity cannot be a folder of the layout.
    """
    stamp = f"{identity.date}_{identity.time}"
    if identity.date is None or identity.time is None:
        stamp = identity.assay.rpartition("/")[2]
    genotype = f"{identity.line}@{identity.effector}"
    _check("tracker", identity.tracker, "t and digits", _TRACKER.fullmatch(identity.tracker))
    _check("genotype", genotype, "<line>@<effector> with one @", _GENOTYPE.fullmatch(genotype))
    _check("protocol", identity.protocol, "a text that names a folder", identity.protocol)
    _check("date and time", stamp, "YYYYMMDD_HHMMSS", _STAMP.fullmatch(stamp))
    _check("file name", filename, "a text that names a file", filename)
    return Path(identity.tracker, genotype, identity.protocol, stamp, filename)


def walk_database(root: str | os.PathLike[str]) -> Iterator[Path]:
    """List the files below a folder that may hold data, in sorted order.

    Hidden files and folders are left out. Every file comes once: a link is followed only where
    it stays inside `root` and leads to what is not found without it, so that a link to a sister
    folder does not double its plates, and a loop of links ends.

    Returns
    -------
    iterator of Path
        Paths that start with `root`, whatever their format; the readers decide.

    Raises
    ------
    UsageError
        If `root` is not a folder.
    DataError
        If a folder below cannot be read.
    """
    root = Path(root)
    if not os.path.isdir(root):
        found = "a file" if os.path.exists(root) else "nothing"
        raise UsageError(f"{str(root)!r} is not a directory; expected a database, found {found}.")
    real_root = root.resolve()
    files: list[Path] = []
    seen: set[Path] = set()
    # Real folders before links: what has a path of its own is listed under that path.
    pending, links = [root], list[Path]()
    while pending or links:
        if not pending:
            pending, links = _fresh(sorted(links), real_root, seen, files), []
            continue
        folder = pending.pop()
        real = folder.resolve()
        seen.add(real)
        for entry in _entries(folder):
            path = Path(entry.path)
            if entry.is_symlink():
                links.append(path)
            elif real / entry.name in seen:
                continue
            elif entry.is_dir():
                pending.append(path)
            elif entry.is_file():
                files.append(path)
                seen.add(real / entry.name)
    return iter(sorted(files))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Visible entries of a folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(
            f"Directory {str(folder)!r} cannot be read ({error.strerror}); "
            "allow reading it or take it out of the database."
        ) from error


def _fresh(links: list[Path], root: Path, seen: set[Path], files: list[Path]) -> list[Path]:
    """Add new linked files to `files` and `seen`; return the linked folders still to walk."""
    folders = []
    for link in links:
        target = Path(os.path.realpath(link))
        if target in seen or not target.is_relative_to(root):
            continue
        if os.path.isdir(target):
            folders.append(link)
            seen.add(target)
        elif os.path.isfile(target):
            files.append(link)
            seen.add(target)
    return folders


def _from_folders(path: Path, root: str | os.PathLike[str] | None) -> AssayIdentity | None:
    """Read the four folders above a file."""
    parents = path.parts[:-1]
    if len(parents) < 3:
        return None
    genotype = _GENOTYPE.fullmatch(parents[-3])
    if genotype is None or not _STAMP.fullmatch(parents[-1]):
        return None
    tracker = parents[-4] if len(parents) > 3 else ""
    if not _TRACKER.fullmatch(tracker):
        # A genotype folder copied out of its database has no tracker; but a folder inside the
        # database that should be a tracker and is none makes this another layout.
        if root is not None and _inside(path.parents[3], Path(root)):
            return None
        tracker = ""
    return make_identity(tracker, genotype["line"], genotype["effector"], parents[-2], parents[-1])


def _inside(folder: Path, root: Path) -> bool:
    """Whether a folder lies strictly below `root`."""
    return any(
        top in folder.parents for top in (Path(os.path.abspath(root)), Path(os.path.realpath(root)))
    )


def _from_stem(name: str) -> AssayIdentity | None:
    """Read a file name that carries the identity itself."""
    match = _STEM.fullmatch(name)
    if match is None:
        return None
    return make_identity(*match.group("tracker", "line", "effector", "protocol", "stamp"))


def _date_and_time(stamp: str) -> tuple[str | None, str | None]:
    """Split ``YYYYMMDD_HHMMSS``; None for a half that is no date or no time of day."""
    date: str | None
    time: str | None
    date, _, time = stamp.partition("_")
    try:
        datetime.date(int(date[:4]), int(date[4:6]), int(date[6:]))
    except ValueError:
        date = None
    try:
        datetime.time(int(time[:2]), int(time[2:4]), int(time[4:]))
    except ValueError:
        time = None
    return date, time


def _check(what: str, value: str, expected: str, valid: object) -> None:
    """Refuse a part that is not valid, or that would leave or split its folder."""
    if not valid or value in (".", "..") or "/" in value or "\0" in value:
        raise UsageError(f"The {what} {value!r} cannot be written as a path; expected {expected}.")
