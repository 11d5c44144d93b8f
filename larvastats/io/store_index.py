"""The index of a store: one row per assay, ``assays.parquet``.

Columns, after the identity (``assay line effector genotype protocol tracker date time``):

- ``status``: ``ok``, or why there are no bouts;
- ``source files size modified checksum format options position``: the recording's path (with ``*``
  for the larva where there is one file per larva), names of its files, their bytes together, time
  of the last change (ns since 1970), SHA-256, format, how it was read, place of the assay in it;
- ``n_larvae n_bouts seconds``: seconds is the time tracked, all larvae together;
- ``states larvae``: vocabulary, and ids of the larvae, as lists;
- ``n_frames n_bad_frames n_dropped_frames``: frames of all larvae, those with a fault (see
  :class:`larvastats.shape.quality.Fault`; without a filter, those without a midline), and those of
  sequences that are dropped; empty where no shapes were read, the last also without a filter;
- ``bouts bouts_size bouts_checksum``: file of bouts within the store (without rows where nothing
  says what the larvae do);
- ``tracks tracks_size tracks_checksum``: file of shapes, if they are kept; ``features``: names of
  the series in it;
- ``version``: of larvastats that read it; ``note``: what was decided in reading;
- ``covariate_<name>``: covariates of the assay.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from larvastats.errors import DataError
from larvastats.io.files import open_file, reading
from larvastats.io.store_files import BOUTS, INDEX, TRACKS, is_part, pending, write_file

OK = "ok"
COVARIATE = "covariate_"

Row = dict[str, Any]
"""One assay: a value per column of :data:`SCHEMA`, and ``covariates``, a mapping."""

_TEXTS = ("assay", "line", "effector", "genotype", "protocol", "tracker", "date", "time")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXTS),
        ("status", pa.string()),
        ("source", pa.string()),
        ("files", pa.list_(pa.string())),
        ("size", pa.int64()),
        ("modified", pa.int64()),
        ("checksum", pa.string()),
        ("format", pa.string()),
        ("options", pa.string()),
        ("position", pa.int64()),
        ("n_larvae", pa.int64()),
        ("n_bouts", pa.int64()),
        ("seconds", pa.float64()),
        ("states", pa.list_(pa.string())),
        ("larvae", pa.list_(pa.string())),
        ("n_frames", pa.int64()),
        ("n_bad_frames", pa.int64()),
        ("n_dropped_frames", pa.int64()),
        ("bouts", pa.string()),
        ("bouts_size", pa.int64()),
        ("bouts_checksum", pa.string()),
        ("tracks", pa.string()),
        ("tracks_size", pa.int64()),
        ("tracks_checksum", pa.string()),
        ("features", pa.list_(pa.string())),
        ("version", pa.string()),
        ("note", pa.string()),
    ]
)

_COVARIATE_TYPES = (pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.null())

Rows = dict[str, list[Row]]
"""Rows by source."""


def read_state(store: Path) -> Rows:
    """Read what a store holds, the verdicts of an unfinished ingest included.

    Raises
    ------
    DataError
        The index is damaged.
    """
    # verdicts first: an ingest writes the index before it removes them
    verdicts = [rows for folder in pending(store) for rows in read_verdicts(folder)]
    state = by_source(read_index(store))
    for rows in verdicts:
        state[rows[0]["source"]] = rows
    return state


def by_source(rows: Iterable[Row]) -> Rows:
    """Group rows by recording."""
    grouped: Rows = {}
    for row in rows:
        grouped.setdefault(row["source"], []).append(row)
    return grouped


# -- verdicts --------------------------------------------------------------------------------------


def write_verdict(folder: Path, name: str, rows: Sequence[Row]) -> None:
    """Write what became of one recording."""
    content = json.dumps(list(rows), ensure_ascii=False)
    write_file(folder / f"{name}.json", content.encode())


def read_verdicts(folder: Path) -> list[list[Row]]:
    """Read all verdicts of an ingest.

    A verdict that vanishes meanwhile is in the index; one that the disk has lost says nothing, and
    its recording is read again.
    """
    verdicts = []
    for path in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError, ValueError, RecursionError), open_file(path) as file:
            verdicts.append(json.loads(file.read()))
    return [rows for rows in verdicts if _is_verdict(rows)]


def _is_verdict(rows: Any) -> bool:
    """Whether rows are those of one recording, complete and of the right types."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return False
    if not all(row.keys() == {*SCHEMA.names, "covariates"} for row in rows):
        return False
    try:
        _as_parquet(rows)
    except (pa.ArrowException, TypeError, ValueError, AttributeError, OverflowError):
        return False
    return all(_is_whole(row) for row in rows) and len({row["source"] for row in rows}) == 1


# -- the index -------------------------------------------------------------------------------------


def read_index(store: Path) -> list[Row]:
    """Rows of the index; none where there is no index yet.

    Raises
    ------
    DataError
        The index is damaged.
    """
    path = store / INDEX
    if not path.exists():
        return []
    with reading(path), open_file(path) as file:
        try:
            table = parquet.ParquetFile(file).read()
            _check_columns(path, table.schema)
            columns = {name: table.column(name).to_pylist() for name in table.column_names}
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _damaged(path, (str(error).splitlines() or ["no reason given"])[0]) from error
    rows = [_row(columns, number) for number in range(len(table))]
    if not all(_is_whole(row) for row in rows):
        raise _damaged(path, "values are missing, or contradict each other")
    return rows


def _check_columns(path: Path, schema: pa.Schema) -> None:
    """Refuse an index whose columns are not those that are written."""
    names = schema.names
    lacking = [name for name in SCHEMA.names if name not in names]
    if lacking:
        raise _damaged(path, f"column {lacking[0]} is missing")
    if len(set(names)) < len(names):
        raise _damaged(path, "two columns have one name")
    for field in schema:
        known = SCHEMA.field(field.name).type if field.name in SCHEMA.names else None
        plain = field.type in _COVARIATE_TYPES if known is None else field.type == known
        if not plain:
            raise _damaged(path, f"column {field.name} holds {field.type}")


def _row(columns: Mapping[str, Sequence[Any]], number: int) -> Row:
    row = {name: columns[name][number] for name in SCHEMA.names}
    extra = {n: v[number] for n, v in columns.items() if n.startswith(COVARIATE)}
    known = {n.removeprefix(COVARIATE): v for n, v in extra.items() if v is not None}
    return row | {"covariates": known}


def _is_whole(row: Row) -> bool:
    """Whether a row has what every row, or every row with bouts, must have."""
    needed = ["status", "source"]
    if row["tracks"] is not None:
        needed += ["tracks_size", "tracks_checksum", "features"]
    if row["status"] == OK:
        needed += ["assay", "line", "size", "modified", "checksum", "format", "options", "states",
                   "larvae", "n_larvae", "n_bouts", "seconds", "bouts", "bouts_size",
                   "bouts_checksum"]  # fmt: skip
    return (
        all(row[name] is not None for name in needed)
        and None not in (*(row["states"] or ()), *(row["larvae"] or ()))
        and (row["status"] != OK or _fits(row))
    )


def _fits(row: Row) -> bool:
    """Whether the values of a row with bouts can be true together."""
    larvae, states = row["larvae"], row["states"]
    return (
        is_part(BOUTS, row["bouts"])
        and (row["tracks"] is None or is_part(TRACKS, row["tracks"]))
        and len(larvae) == len(set(larvae)) == row["n_larvae"]
        and len(states) == len(set(states))
        and all(name.strip() for name in (row["assay"], row["line"], *larvae, *states))
    )


def _damaged(path: Path, how: str) -> DataError:
    return DataError(
        f"{path}: the index of the store is damaged ({how}); remove this file and ingest the "
        "recordings again."
    )


def write_index(store: Path, rows: Sequence[Row]) -> None:
    """Replace the index, unless it would stay the same byte for byte.

    Raises
    ------
    DataError
        The store cannot be written; the old index is as it was.
    """
    content = _as_parquet(rows)
    path = store / INDEX
    if not (path.exists() and path.read_bytes() == content):
        write_file(path, content)


def _as_parquet(rows: Sequence[Row]) -> bytes:
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    names = sorted({name for row in rows for name in row["covariates"]})
    for name in names:
        values = [row["covariates"].get(name) for row in rows]
        table = table.append_column(COVARIATE + name, column_of(values))
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def column_of(values: Sequence[Any]) -> pa.Array:
    """Turn values into a column of one type: numbers or truth values where all are, else text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool} or kinds <= {int}:
        try:
            return pa.array(values)
        except (pa.ArrowException, OverflowError):  # whole numbers beyond 64 bits
            kinds = {object}
    if kinds <= {int, float}:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def plain_value(value: Any) -> Any:
    """Return a covariate as a plain number, truth value or text; None where it is missing."""
    if pd.isna(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, bool | int | float) else str(value)


# -- which assays count ----------------------------------------------------------------------------


def settle(state: Mapping[str, Sequence[Row]], exists: Callable[[str], bool]) -> list[Row]:
    """Order all rows by path, and let one recording have each assay.

    Of two recordings with one assay, the first by path has it, as in reading a directory; but a
    recording that is gone from disk yields to one that is there.

    Parameters
    ----------
    state : mapping
        Rows by source.
    exists : callable
        Whether a source is still there; asked only where two recordings claim one assay.
    """
    sources = sorted(state, key=Path)
    claims: dict[str, list[str]] = {}
    for source in sources:
        for row in state[source]:
            if row["status"] == OK:
                claims.setdefault(row["assay"], []).append(source)
    rivals = {source for claimants in claims.values() if len(claimants) > 1 for source in claimants}
    gone = {source for source in rivals if not exists(source)}
    owner: dict[str, str] = {}
    settled: dict[str, Sequence[Row]] = {}
    for source in [s for s in sources if s not in gone] + [s for s in sources if s in gone]:
        rows = state[source]
        taken = [row for row in rows if row["status"] == OK and row["assay"] in owner]
        if taken:
            rows = [_refused(row, taken[0], owner[taken[0]["assay"]]) for row in rows]
        owner |= {row["assay"]: source for row in rows if row["status"] == OK}
        settled[source] = rows
    return [row for source in sources for row in settled[source]]


def _refused(row: Row, taken: Row, owner: str) -> Row:
    """Row of an assay whose recording holds one that came before."""
    reason = (
        f"its assay {taken['assay']!r} was read from {owner} already; remove one of the two, or "
        "give them different ids."
    )
    return failed(row, reason)


def failed(row: Row, reason: str) -> Row:
    """Return a row without bouts and tracks, and why."""
    blank = dict.fromkeys(
        ("n_larvae", "n_bouts", "seconds", "states", "larvae", "n_frames", "n_bad_frames",
         "n_dropped_frames", "bouts", "bouts_size", "bouts_checksum", "tracks", "tracks_size",
         "tracks_checksum", "features", "note")
    )  # fmt: skip
    return row | blank | {"status": reason, "covariates": {}}
