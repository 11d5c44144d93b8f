"""What an ingest did, in numbers and sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from larvastats.io.exclusion import Exclusion
from larvastats.io.paths import AssayIdentity
from larvastats.io.store.index import OK, Row


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did.

    Attributes
    ----------
    store : str
    n_recordings : int
        Files of a format that is read, those left out by ``exclude`` not counted.
    n_read : int
        Of these, files read by this ingest; the others were in the store already, unchanged.
    n_ok, n_failed : int
        Assays of these recordings that are in the store, and recordings that are not.
    n_others : int
        Files of other kinds.
    n_assays, n_larvae, n_bouts, hours
        What the store holds now, recordings of earlier ingests included.
    failures : tuple of (str, str)
        Path and reason.
    notes : tuple of str
    """

    store: str
    n_recordings: int
    n_read: int
    n_ok: int
    n_failed: int
    n_others: int
    n_assays: int
    n_larvae: int
    n_bouts: int
    hours: float
    failures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def report(
    store: Path,
    rows: Sequence[Row],
    known: Mapping[str, AssayIdentity | None],
    kinds: Mapping[str, str],
    exclusion: Exclusion | None,
) -> IngestReport:
    """Sum up an ingest.

    Parameters
    ----------
    store : Path
    rows : sequence of Row
        What the store holds now.
    known : mapping
        Recordings of this ingest, and what their paths say.
    kinds : mapping
        What became of those that were opened: ``read``, ``same``, ``other`` or ``excluded``.
    exclusion : Exclusion or None
    """
    own = {path for path in known if kinds.get(path, "same") in ("read", "same")}
    good = [row for row in rows if row["status"] == OK]
    failures = {r["source"]: r["status"] for r in rows if r["status"] != OK and r["source"] in own}
    notes = {r["source"]: r["note"] for r in good if r["note"] and r["source"] in own}
    counts = Counter(kinds.values())
    said: tuple[str, ...] = tuple(notes.values())
    if exclusion is not None:
        # what a table of many assays met when it was read, by an earlier ingest, is not known now
        same = (known[path] for path in known if kinds.get(path, "same") == "same")
        entries = exclusion.notes()
        said += entries[: bool(exclusion.assays)] if None in same else entries
    return IngestReport(
        store=str(store),
        n_recordings=len(own),
        n_read=counts["read"],
        n_ok=sum(row["source"] in own for row in good),
        n_failed=len(failures),
        n_others=counts["other"],
        n_assays=len(good),
        n_larvae=sum(row["n_larvae"] for row in good),
        n_bouts=sum(row["n_bouts"] for row in good),
        hours=sum(row["seconds"] for row in good) / 3600,
        failures=tuple(failures.items()),
        notes=said,
    )
