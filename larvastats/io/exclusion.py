"""Lists of assays to leave out: one per line, by name, pattern, or date and time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from larvastats.errors import DataError
from larvastats.ethogram import Ethogram
from larvastats.io.files import AnyPath, read_head

MAX_BYTES = 1 << 24
MAX_PATTERNS = 10_000
MAX_LENGTH = 1000
"""Of a pattern, in characters."""

_PATTERN = re.compile(r"[*?[]")
_COMMENT = re.compile(r"(?:^|\s)#.*")  # protocols contain #, but not after a blank


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What to leave out, and which entries have been met so far.

    Attributes
    ----------
    path : path
        File that the entries come from.
    entries : tuple of str
        Assay ids, ``YYYYMMDD_HHMMSS``, or patterns of either with ``*``, ``?`` and ``[...]``.
    met : set of str
        Entries that have matched an assay.
    assays : set of str
        Assays that were left out.
    """

    path: AnyPath
    entries: tuple[str, ...]
    met: set[str] = field(default_factory=set)
    assays: set[str] = field(default_factory=set)
    _literal: set[str] = field(init=False, repr=False)
    _patterns: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Tell patterns from names, of which a list may hold any number.

        Raises
        ------
        DataError
            There are more patterns than could be tried, or one is longer than any name.
        """
        patterns = tuple(entry for entry in self.entries if _PATTERN.search(entry))
        longest = max(patterns, key=len, default="")
        if len(patterns) > MAX_PATTERNS or len(longest) > MAX_LENGTH:
            raise DataError(
                f"{self.path}: expected at most {MAX_PATTERNS} patterns of {MAX_LENGTH} "
                f"characters, but found {len(patterns)}, the longest of {len(longest)}; name the "
                "assays, or shorten the list."
            )
        object.__setattr__(self, "_literal", set(self.entries))
        object.__setattr__(self, "_patterns", patterns)

    def covers(self, assay: str, stamp: str | None) -> bool:
        """Whether an assay of this id, and this date and time, is to be left out."""
        names = [name for name in (assay, stamp) if name]
        hits = self._literal.intersection(names)
        hits.update(p for p in self._patterns if any(fnmatchcase(name, p) for name in names))
        self.met.update(hits)
        if hits:
            self.assays.add(assay)
        return bool(hits)

    def notes(self) -> tuple[str, ...]:
        """Say what was left out and which entries matched nothing."""
        said = []
        if self.assays:
            n = len(self.assays)
            said.append(f"{n} assay{'s' * (n > 1)} left out, as {self.path} says.")
        unmet = [entry for entry in self.entries if entry not in self.met]
        if unmet:
            more = f" and {len(unmet) - 5} more" if len(unmet) > 5 else ""
            entries = ", ".join(map(repr, unmet[:5]))
            verb = "match" if len(unmet) > 1 else "matches"
            said.append(f"{self.path}: {entries}{more} {verb} no assay of the source.")
        return tuple(said)


def read_exclusion(path: AnyPath) -> Exclusion:
    """Read a list of assays: one per line; ``#`` at the start of a line or after a blank comments.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file cannot be read, or is no UTF-8 text.
    """
    content = read_head(path, MAX_BYTES + 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected a UTF-8 text with one assay per line, but found other bytes; give "
            "a text file."
        ) from error
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{path}: expected a list of assays, but it is larger than {MAX_BYTES >> 20} MiB; give "
            "a text file with one assay per line."
        )
    lines = (_COMMENT.sub("", line).strip() for line in text.splitlines())
    return Exclusion(path, tuple(dict.fromkeys(line for line in lines if line)))


def exclude(ethogram: Ethogram, exclusion: Exclusion) -> Ethogram:
    """Drop the assays that a list covers.

    Raises
    ------
    DataError
        No assay is left.
    """
    keep = [not exclusion.covers(assay, stamp) for assay, stamp in names_of(ethogram)]
    if not any(keep):
        raise DataError(
            f"{exclusion.path}: every assay of the source is to be left out; shorten the list."
        )
    return ethogram if all(keep) else ethogram.subset(keep)


def names_of(ethogram: Ethogram) -> Iterable[tuple[str, str | None]]:
    """Id, and date and time, of every assay."""
    columns = ethogram.assays[["assay", "date", "time"]].fillna("")
    for assay, date, time in columns.itertuples(index=False):
        yield assay, f"{date}_{time}" if date and time else None
